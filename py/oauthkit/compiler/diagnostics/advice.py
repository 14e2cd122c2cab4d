"""Say in words what to use instead of code outside the dialect."""

from __future__ import annotations

import ast

# What to use instead of functions, by their whole name. Code that does the same is in
# replacements. {0} is the first argument.
LINES = (
    'store one item per line in a Str: begin with `names = "\\n"`, add with'
    ' `names += f"{name}\\n"`, test with `f"\\n{name}\\n" in names`, and iterate over'
    ' `names[1:].splitlines()`. Without an item, `names == "\\n"` is true. To count the items, use'
    " a separate variable"
)
LISTS = (
    'write a constant at the top of the file, as in `NAMES = ("a", "b")`, and use it in'
    " `for name in NAMES:` or `name in NAMES`."
    f" If the items are not known, {LINES}"
)
STDIN = (
    "read the whole input with `sys.stdin.read()`, and iterate over its `.splitlines()`, which are"
    " without line ends. Form feeds and a few other characters also end a line"
)
FILES = (
    'iterate over the files of a Path, as in `for path in sorted(directory // "*.log"):`. These are'
    " whole paths. Hidden files are skipped"
)
FIND = 'run the program find, as in `for line in find(directory, "-name", "*.log").splitlines():`'
BY_KEY = (
    'to sort by time, run the program ls, as in `for name in ls("-t", directory).splitlines():`,'
    " from the newest to the oldest. With -S, it sorts by size"
)
ITEMS = f"write a for loop. To keep the results, {LINES}"
PAIRS = (
    'use one loop variable, as in `for pair in ("web 80", "db 5432"):`, and split it with partition'
)
DICTIONARIES = (
    "use a variable for each value, or choose with if and elif. To count equal lines, run sort and"
    " uniq"
)
FRACTION = (
    "`//` divides integers, and rounds down. To show a positive number with one decimal place,"
    " rounded down, compute its tenths, as in"
    ' `tenths = size * 10 // 1024` and `f"{tenths // 10}.{tenths % 10}"`'
)
PROGRAM = "run the program {}, bound at the top with `program`"
STAT = (
    "run the program stat, bound at the top with `program`, as in"
    ' `text = stat("-L", "-c", "{}", path)`, and convert the text with `parse_int(text.strip())`'
)
DATE = (
    'run the program date, bound at the top with `program`, as in `date("+%F").strip()`.'
    " oauthkit.shell has now_ms"
)
SECONDS = (
    'run the program date, bound at the top with `program`, as in `text = date("-d", line, "+%s")`.'
    " parse_int makes a number of seconds of it. Divide by 86400 for days"
)
SHOWN_TIME = (
    "run the program date, bound at the top with `program`, as in"
    ' `date("-d", f"@{seconds}", "+%F").strip()`'
)
PERIOD = (
    "run the program date, bound at the top with `program`, as in"
    ' `date("-d", "7 days ago", "+%F").strip()`'
)
USER = 'run the program id, bound at the top with `program`, as in `id("-un").strip()`'
READLINK = (
    'run the program readlink, bound at the top with `program`, as in `readlink("{}", "--", path)`'
)
APPEND = 'run the program printf, and redirect it, as in `(printf["%s", text] >> path)()`'
CALLS_OTHERWISE = "use if, for and while instead, or run a program that does the same"
MAIN_STATUS = (
    "only main can end the program, with `return 1`. Another function prints the message with"
    " `file=sys.stderr`, and returns a Status. main tests it, as in `if prepare() != 0:`, and"
    " then returns as well"
)
CHDIR = "change_directory changes the working directory. It returns a Status"
TO_NUMBER = (
    "parse_int returns a Status and a number, as in `status, number = parse_int(text.strip())`."
    " Test the Status with if. A function that returns the number must return the Status, too"
)
RENAME = 'run the program mv, bound at the top with `program`, as in `mv("-fT", "--", old, new)`'
READ_LINE = (
    "read_line returns a Status and the line, without its newline. The Status is 1 at the end of"
    " the input"
)
EXTENSION = (
    'take the name with `_, _, name = text.rpartition("/")`. Then split it at its last dot:'
    ' `stem, dot, extension = name.rpartition(".")`. Without a dot, `stem` is empty'
)
ITERATORS = (
    "only a for loop can advance an iterator. For an option with a value, store the"
    " option's name in a variable, and test the variable at the next argument"
)
CALLS = {
    "int": TO_NUMBER,
    "str": "an f-string converts numbers and Paths. Choose the text for a Bool with if and else",
    "repr": "an f-string converts numbers. Write quotes around a Str yourself",
    "format": 'an f-string converts numbers, and pads them, as in `f"{number:>5}"`',
    "bool": "compare the value with an empty Str or with 0",
    "float": "use integers in a smaller unit, such as milliseconds",
    "len": "len takes one Str, and counts its characters",
    "range": "use it in a for loop, as in `for number in range(3):`",
    "enumerate": "before the loop, set a number to one less than the first one, and begin the loop"
    " with `number += 1`",
    "min": "compare two numbers at a time with if",
    "max": "compare two numbers at a time with if",
    "abs": "test `number < 0` with if, and negate the number there",
    "dict": DICTIONARIES,
    "list": LISTS,
    "set": LISTS,
    "tuple": LISTS,
    "sorted": 'a for loop can sort files, as in `for path in sorted(directory // "*.log"):`.'
    " Count them in the loop, or keep the last one. Sort lines with the program sort",
    "sum": "add in a loop with `+=`",
    "round": FRACTION,
    "any": "join the conditions with `or`, or set a Bool in a loop",
    "all": "join the conditions with `and`, or set a Bool in a loop",
    "chr": PROGRAM.format("printf"),
    "divmod": "use `//` and `%`",
    "hex": PROGRAM.format("printf"),
    "oct": PROGRAM.format("printf"),
    "ord": PROGRAM.format("printf"),
    "zip": "iterate over one of them",
    "map": ITEMS,
    "filter": ITEMS,
    "iter": ITERATORS,
    "next": ITERATORS,
    "reversed": "to reverse lines, run the program tac. Count down with `range(count, -1, -1)`",
    "pow": "multiply in a loop",
    "isinstance": "the compiler knows each type. Remove the call",
    "type": "the compiler knows each type. Remove the call",
    "local.env.update": "set each variable on a line of its own with `local.env[…]`",
    "os.environ.setdefault": "test the variable with `in`, and set it with `local.env[…]`",
    "os.environ.pop": "remove it with `local.env.pop`, on a line of its own",
    "local.env.pop": "read its value first, and remove it on a line of its own",
    "os.environ.get": "local.env.get takes a literal name and a default",
    "os.getenv": "local.env.get takes a literal name and a default",
    "os.putenv": "set it with `local.env[…]`",
    "open": "read_file returns a Status and the text, and write_file returns a Status",
    "input": READ_LINE + '. Print the prompt first, with `end=""`',
    "LocalPath": "absolute makes a Path of one Str",
    "Path": "absolute makes a Path of one Str",
    "local.path": "absolute makes a Path of one Str",
    "os.path.abspath": "absolute makes a Path of one Str",
    "os.path.join": "join a Path and literals with `/`, or make a Path of the whole text",
    "os.path.dirname": "make a Path with absolute, and use its `.dirname`, which is absolute, too",
    "os.path.basename": "split the text with rpartition, at its last slash",
    "os.path.exists": "make a Path with absolute, and test it with `.exists()`",
    "os.path.isfile": "make a Path with absolute, and test it with `.is_file()`",
    "os.path.isdir": "make a Path with absolute, and test it with `.is_dir()`",
    "os.path.isabs": 'test the text with startswith, as in `text.startswith("/")`',
    "os.path.islink": "make a Path with absolute, and test it with `.is_symlink()`",
    "os.access": "make a Path with absolute, and test it with `.access(…)`, of one letter",
    "os.path.expanduser": "read HOME with `local.env.get`, and add the rest in an f-string",
    "os.path.realpath": READLINK.format("-fn"),
    "os.path.samefile": "same_file takes two paths",
    "os.path.splitext": f"{EXTENSION}. The root includes the directory. To get the root, remove the"
    " extension with removesuffix",
    "os.path.getsize": STAT.format("%s"),
    "os.path.getmtime": STAT.format("%Y"),
    "os.getcwd": 'call `absolute(".")` on a line of its own',
    "os.umask": "the mask must be a literal, such as 0o077",
    "os.chdir": CHDIR,
    "os.getpid": (
        "the process ID is not available. To prevent a second run, call `take_lock(path, 0)`, whose"
        " Status is 1 if another run has the lock. For a temporary file, `temporary_name(file)`"
        " returns a new name beside the file that it will replace. The program mktemp makes a new"
        " file or directory"
    ),
    "time.sleep": 'run the program sleep, bound at the top with `program`, as in `sleep("1")`',
    "time.time": "now_ms returns milliseconds, and changes once a second. The seconds are"
    " `now_ms() // 1000`",
    "time.strftime": DATE,
    "math.ceil": "add the divisor minus 1, and divide with `//`, as in `(number + 9) // 10`",
    "math.floor": FRACTION,
    "datetime.strptime": SECONDS,
    "datetime.datetime.strptime": SECONDS,
    "datetime.fromtimestamp": SHOWN_TIME,
    "datetime.datetime.fromtimestamp": SHOWN_TIME,
    "timedelta": PERIOD,
    "datetime.timedelta": PERIOD,
    "Path.home": 'make a Path of HOME, as in `home = absolute(local.env.get("HOME", ""))`',
    "os.getlogin": USER,
    "getpass.getuser": USER,
    "os.cpu_count": PROGRAM.format("nproc"),
    "os.statvfs": PROGRAM.format("df"),
    "os.fspath": "an f-string converts a Path",
    "datetime.now": DATE,
    "datetime.datetime.now": DATE,
    "glob.glob": FILES,
    "shutil.rmtree": 'run the program rm, bound at the top, as in `rm("-rf", "--", path)`',
    "shutil.copy": 'run the program cp, bound at the top, as in `cp("--", path, target)`',
    "shutil.copy2": 'run the program cp, bound at the top, as in `cp("-p", "--", path, target)`',
    "shutil.move": 'run the program mv, bound at the top, as in `mv("--", path, target)`',
    "shutil.disk_usage": 'run the program df, bound at the top, as in `text = df("-B1",'
    ' "--output=avail", path)`. The number of bytes is on the second line',
    "os.getuid": "call user_id on a line of its own",
    "os.geteuid": "user_id returns the real user ID, which is usually the same",
    "os.uname": PROGRAM.format("uname"),
    "local.which": "call find_program on a line of its own. It returns the path",
    "shutil.which": "call find_program on a line of its own. It returns the path",
    "local.get": "bind each program at the top with `program`",
    "sys.stdout.write": "print writes one line",
    "sys.stderr.write": "print with `file=sys.stderr` writes one line",
    "sys.stdin.buffer.read": STDIN,
    "sys.stdin.readline": READ_LINE,
    "sys.stdout.flush": "pass `flush=True` to print",
    "sys.stderr.flush": "remove it. print flushes stderr after each line",
    "sys.exit": MAIN_STATUS,
    "exit": MAIN_STATUS,
    "quit": MAIN_STATUS,
    "os._exit": MAIN_STATUS,
    "os.remove": PROGRAM.format("rm"),
    "os.unlink": PROGRAM.format("rm"),
    "os.mkdir": PROGRAM.format("mkdir"),
    "os.makedirs": PROGRAM.format("mkdir"),
    "os.rename": RENAME,
    "os.replace": RENAME,
    "os.symlink": PROGRAM.format("ln"),
    "os.link": PROGRAM.format("ln"),
    "os.chmod": PROGRAM.format("chmod"),
    "os.stat": PROGRAM.format("stat"),
    "os.readlink": READLINK.format("-n"),
    "os.walk": FIND,
    "os.listdir": FILES,
    "os.system": "bind the program at the top with `program`, and run it with `& FG`, or for its"
    " status with `& RETCODE(FG=True)`",
    "os.kill": PROGRAM.format("kill"),
}
# Methods, by the name of the attribute. {owner} is the name left of the last dot.
STRIP = 'it takes no argument, or ASCII characters as a literal, as in `text.strip(" ")`'
PARTITION = (
    'unpack its result on a line of its own, as in `before, separator, after = text.partition(":")`'
)
SPLIT = (
    "iterate over its parts, as in `for part in text.split():`. To count or find parts, test them"
    " in the loop. If one character separates them, take one at a time with partition"
)
SEPARATOR = (
    "the separator must be one ASCII character that is not whitespace. Without an argument, split"
    " treats consecutive whitespace as one separator"
)
FORMAT = 'an f-string puts values into a Str, as in `f"{name}: {count}"`'
JOIN = "an f-string joins texts. In a loop, add each part with `+=`"
TRANSLATE = (
    'run the program tr, bound at the top with `program`, as in `(tr["A-Z", "a-z"] << text)()`'
)
PAD = (
    "pad with an f-string and a literal width: {text:<10} and {number:>5} with blanks, {number:05d}"
    " with zeros"
)
LOOP_ELSE = (
    "set a variable before each `break`, as in `found = 1`, and test it after the loop. Set it to 0"
    " before the loop"
)
WIDTH = (
    "the width must be a literal number. For another one, add the blanks in a loop, as in"
    ' `while len(text) < width:` with `text += " "`'
)
IN_DIRECTORY = 'run each command with the program env, as in `env["-C", directory, "make"]()`'
READLINES = (
    "read the whole text with `sys.stdin.read()` or read_file, and iterate over its"
    " `.splitlines()`, which are without line ends"
)
METHODS = {
    "strip": STRIP,
    "rstrip": STRIP,
    "lstrip": STRIP,
    "upper": TRANSLATE.replace('"A-Z", "a-z"', '"a-z", "A-Z"'),
    "lower": TRANSLATE,
    "split": SPLIT,
    "rsplit": "split it at the last separator with rpartition, as in"
    ' `first, _, last = text.rpartition("/")`. Without a separator, `first` is empty',
    "partition": PARTITION,
    "rpartition": PARTITION,
    "splitlines": "iterate over the lines, as in `for line in text.splitlines():`. To get the last"
    " line, assign each one to a variable in the loop. To count them, add 1 in"
    " `for _ in text.splitlines():`. Take the first line with partition",
    "join": JOIN,
    "format": FORMAT,
    "ljust": PAD,
    "rjust": PAD,
    "zfill": PAD,
    "center": PAD,
    "count": "count in a loop over the lines or parts, with `+= 1`",
    "find": "test with `in`, or split the text with partition",
    "index": "test with `in`, or split the text with partition. To find the place of an item, count"
    " in a loop",
    "isdigit": "parse_int returns status 0 for up to 15 digits from 0 to 9, with or without a `-`."
    ' To reject a `-`, also test `text.startswith("-")`',
    "isatty": 'run the program test, as in `test["-t", "1"] & TF(FG=True)`',
    "encode": "a Str holds any bytes except NUL. Remove the call",
    "decode": "a Str holds any bytes except NUL. Remove the call",
    "append": f"there are no lists. To collect items, {LINES}. A Command takes more arguments in"
    " brackets",
    "read": "read_file returns a Status and the text",
    "read_text": "read_file returns a Status and the text",
    "glob": FILES,
    "iterdir": FILES,
    "list": FILES,
    "readline": READLINES,
    "readlines": READLINES,
    "write": "write_file returns a Status",
    "write_text": "write_file returns a Status",
    "delete": PROGRAM.format("rm"),
    "unlink": PROGRAM.format("rm"),
    "remove": PROGRAM.format("rm"),
    "rmdir": PROGRAM.format("rmdir"),
    "symlink": PROGRAM.format("ln"),
    "link": PROGRAM.format("ln"),
    "resolve": READLINK.format("-fn"),
    "chown": PROGRAM.format("chown"),
    "mkdir": PROGRAM.format("mkdir"),
    "copy": PROGRAM.format("cp"),
    "move": PROGRAM.format("mv"),
    "rename": 'run the program mv, as in `mv("-fT", "--", path, path.dirname / "name")`',
    "touch": PROGRAM.format("touch"),
    "run": "run a command with `& TF`, `& RETCODE` or `& CAPTURE`. To capture stderr as well,"
    " redirect it: `(command >= ERROUT) & CAPTURE`",
    "popen": "run_limited runs a command with a time limit",
    "run_retcode": "run a command with `& RETCODE`",
    "run_tf": "run a command with `& TF`",
    "run_bg": "run_limited runs a command with a time limit",
    "run_fg": "run a command with `& FG`, on a line of its own",
    "up": "a Path has `.dirname`",
    "with_name": "join the name to its `.dirname`, or make a Path of the whole text with absolute",
    "with_suffix": "make a Path of the whole text with absolute",
    "relative_to": "removeprefix removes the directory from its text",
    "with_cwd": IN_DIRECTORY,
    "with_env": "run the command with the program env, which takes NAME=VALUE first",
    "chmod": PROGRAM.format("chmod"),
    "stat": PROGRAM.format("stat"),
    "chdir": CHDIR,
    "absolute": "absolute has already made it absolute. Remove the call",
    "expanduser": "read HOME with `local.env.get`, and add the rest in an f-string",
}
METHODS_OTHERWISE = (
    "a Str has removeprefix, removesuffix, replace, partition, rpartition, split, splitlines,"
    " strip, lstrip, rstrip, startswith and endswith. A Path also has exists, is_file, is_dir,"
    " is_symlink and access"
)
OS_PATH = (
    "make a Path with absolute. It has exists, is_file, is_dir, is_symlink, access and dirname"
)
NEED_ONE = ("startswith", "endswith", "access", "removeprefix", "removesuffix", "replace")
KNOWN_METHODS = (*NEED_ONE, "exists", "is_file", "is_dir", "is_symlink")
USED_DIFFERENTLY = ("partition", "rpartition", "strip", "lstrip", "rstrip", "split", "splitlines")
# Attributes that are not methods, by their whole or last name.
ATTRIBUTES = {
    "sys.argv": "iterate over the arguments of main, declared as `main(*arguments: str)`. The first"
    " one is `arguments[0]`",
    "os.environ": "read a variable with `local.env.get`",
    "local.env": "read a variable with `local.env.get`",
    "local.cwd": 'call `absolute(".")` on a line of its own',
    "sys.stdin": STDIN,
    "sys.platform": PROGRAM.format("uname"),
    "os.sep": "write the text `/`",
    "os.name": "write the text `posix`",
    "local.env.home": "read HOME with `local.env.get`",
    "local.env.user": "read USER with `local.env.get`",
    "name": "split the text with rpartition, at its last slash",
    "basename": "split the text with rpartition, at its last slash",
    "stem": EXTENSION,
    "suffix": f"test the text with endswith. To get the extension, {EXTENSION}",
    "parent": "a Path has `.dirname`",
    "size": PROGRAM.format("stat"),
}
# Modules outside the dialect, by their top-level package.
ARGUMENTS = "iterate over the arguments of main, declared as `main(*arguments: str)`"
MODULES = {
    "argparse": ARGUMENTS,
    "base64": PROGRAM.format("base64"),
    "click": ARGUMENTS,
    "collections": "there are no lists or dictionaries. Use a variable for each value",
    "configparser": "split each line with partition",
    "csv": 'iterate over the parts of each line, as in `for part in line.split(","):`',
    "datetime": DATE,
    "docopt": ARGUMENTS,
    "fnmatch": "test the text with startswith and endswith. For files, use a pattern, as in"
    ' `sorted(directory // "*.log")`',
    "getpass": USER,
    "platform": PROGRAM.format("uname"),
    "shlex": "remove it. A Command passes each argument as it is, without a shell",
    "fcntl": "oauthkit.shell has take_lock and lock_directory",
    "getopt": ARGUMENTS,
    "glob": FILES,
    "gzip": PROGRAM.format("gzip"),
    "hashlib": PROGRAM.format("sha256sum"),
    "json": PROGRAM.format("jq"),
    "logging": "oauthkit.shell has open_log and log",
    "math": FRACTION,
    "optparse": ARGUMENTS,
    "pathlib": "oauthkit.shell has absolute, which makes a Path of a Str",
    "random": PROGRAM.format("shuf"),
    "re": f"split texts with partition, or {PROGRAM.format('grep')}",
    "requests": PROGRAM.format("curl"),
    "shutil": "oauthkit.shell has find_program. cp, mv and rm are programs",
    "signal": "oauthkit.shell has outlive_signals",
    "smtplib": PROGRAM.format("mail"),
    "socket": PROGRAM.format("hostname"),
    "sqlite3": PROGRAM.format("sqlite3"),
    "stat": PROGRAM.format("stat"),
    "subprocess": "bind the program at the top with `program`, and run it with `& CAPTURE`",
    "tarfile": PROGRAM.format("tar"),
    "tempfile": PROGRAM.format("mktemp"),
    "threading": "there are no threads. To run commands in parallel, run the program xargs with -P",
    "time": "oauthkit.shell has now_ms, and timestamp, which formats a time. date and sleep are"
    " programs",
    "typer": ARGUMENTS,
    "typing": "annotations are str, int, bool, LocalPath, BaseCommand, Status, and tuples of them",
    "urllib": PROGRAM.format("curl"),
    "uuid": PROGRAM.format("uuidgen"),
    "yaml": PROGRAM.format("yq"),
    "zipfile": PROGRAM.format("unzip"),
}
# Exceptions of plumbum.
RAISED = ("CommandNotFound", "ProcessExecutionError", "ProcessLineTimedOut", "ProcessTimedOut")
STATEMENTS = {
    ast.AsyncFunctionDef: "write a plain def at the top level",
    ast.Assert: "test with if, and return a Status that is not 0",
    ast.ClassDef: "write functions",
    ast.Delete: "only environment variables can be deleted, with `local.env.pop`",
    ast.FunctionDef: "move it to the top level",
    ast.Global: "pass the value as an argument, and return it",
    ast.Import: "move it to the top level",
    ast.ImportFrom: "move it to the top level",
    ast.Match: "write if, elif and else",
    ast.Raise: "print the message with `file=sys.stderr`, and return a Status that is not 0",
    ast.Try: "there are no exceptions. Test the status of each command with if, and clean up before"
    " you return. A failure of `& FG` or of a call ends the program. `& RETCODE(FG=True)` and"
    " `& CAPTURE` return the status instead",
    ast.With: "read_file and write_file open and close a file. Use them without `with`",
}
FINALLY = (
    "write the block of finally after the block of try. In the block of try, `& FG` and a call of a"
    " Command would end the program if they fail. Use `& RETCODE(FG=True)` or `& CAPTURE`"
)
# Context managers of plumbum.
CONTEXTS = {
    "local.cwd": IN_DIRECTORY,
    "local.env": "to set the variable for one command, use the program env. For all later commands,"
    " assign to `local.env[…]`",
    "local.tempdir": PROGRAM.format("mktemp"),
}
STATEMENTS_OTHERWISE = (
    "the dialect has assignments, calls, if, while, for, break, continue and return"
)
EXPRESSIONS = {
    ast.Dict: DICTIONARIES,
    ast.DictComp: DICTIONARIES,
    ast.GeneratorExp: ITEMS,
    ast.IfExp: "write if and else",
    ast.Lambda: "define a function with def",
    ast.List: LISTS,
    ast.ListComp: ITEMS,
    ast.Set: LISTS,
    ast.SetComp: ITEMS,
    ast.Tuple: LISTS,
}
EXPRESSIONS_OTHERWISE = (
    "use names, literals, f-strings, arithmetic, local.env.get or methods of the dialect"
)
NO_NONE = (
    'use "" for a missing text. With another type, also return a Status, as in `tuple[Status, int]`'
)
LITERALS = {
    "NoneType": NO_NONE,
    "bytes": "write it as text, without the b",
    "float": "use integers in a smaller unit, such as milliseconds. Write it as text if it is an"
    " argument of a program",
}
