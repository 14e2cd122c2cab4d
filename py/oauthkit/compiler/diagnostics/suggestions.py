"""Suggest what to write instead of Python and plumbum code that is outside the dialect."""

from __future__ import annotations

import ast
import builtins
import re
from typing import NamedTuple

from oauthkit.compiler.diagnostics import blocks, replacements
from oauthkit.compiler.diagnostics.describe import (
    describe,
    formatted,
    is_format,
    join_parts,
    tuple_of,
)
from oauthkit.compiler.diagnostics.site import Site, code
from oauthkit.compiler.types import ANNOTATIONS, Type


class Suggestion(NamedTuple):
    """What is wrong with Python code, and what to write instead."""

    message: str
    help: str


# What to use instead of functions, by their whole name. Code that does the same is in
# replacements.py. {0} is the first argument.
LINES = (
    'store one item per line in a Str: begin with `names = "\\n"`, add with'
    ' `names += f"{name}\\n"`, test with `f"\\n{name}\\n" in names`, and iterate over'
    ' `names[1:].splitlines()`. Without an item, `names == "\\n"` is true. To count the items, use'
    " a separate variable"
)
LISTS = (
    'list the values where they are used, as in `for name in ("a", "b"):` or `name in ("a", "b")`.'
    f" If they are not known, {LINES}"
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
    "repr": "an f-string converts numbers. Write quotes around a text yourself",
    "format": 'an f-string converts numbers, and pads them, as in `f"{number:>5}"`',
    "bool": "compare the value with an empty text or with 0",
    "float": "use integers in a smaller unit, such as milliseconds",
    "len": "len takes one text, and counts its characters",
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
    "LocalPath": "absolute makes a Path of one text",
    "Path": "absolute makes a Path of one text",
    "local.path": "absolute makes a Path of one text",
    "os.path.abspath": "absolute makes a Path of one text",
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
    "iterate over its parts, as in `for part in text.split():`. If one character separates them,"
    " take one at a time with partition"
)
SEPARATOR = (
    "the separator must be one ASCII character that is not whitespace. Without an argument, split"
    " treats consecutive whitespace as one separator"
)
FORMAT = 'an f-string puts values into a text, as in `f"{name}: {count}"`'
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
    ' `_, _, last = text.rpartition("/")`',
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
    "a text has removeprefix, removesuffix, replace, partition, rpartition, split, splitlines,"
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
    "pathlib": "oauthkit.shell has absolute, which makes a Path of a text",
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


def of_call(node: ast.Call, site: Site) -> Suggestion:
    """Suggest a replacement for an unknown function or method."""
    name = ast.unparse(node.func)
    attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name in CALLS:
        if any(keyword.arg == "key" for keyword in node.keywords) and finds_files(node):
            return Suggestion(f"{name} is outside the dialect", BY_KEY)
        replace = replacements.CALLS.get(name)
        help = (replace and replace(site, node)) or CALLS[name]
        if name == "int" and any(_has_quotient(part, site) for part in node.args):
            help = FRACTION
        return Suggestion(f"{name} is outside the dialect", help)
    if re.fullmatch(r"os\.\w+", name) and attribute not in METHODS:
        return Suggestion(f"{name} is outside the dialect", "run a program that does the same")
    if name.startswith("os.popen("):
        return Suggestion("os.popen is outside the dialect", MODULES["subprocess"])
    module = name.partition(".")[0]
    if attribute and module in MODULES and _is_unknown(node.func, site):
        return Suggestion(f"{name} is outside the dialect", MODULES[module])
    if attribute:
        if attribute == "chdir" and [*map(ast.unparse, node.args)] == ["'/'"]:
            help = code("write", 'local.cwd.chdir("/")')
        else:
            replace = replacements.METHODS.get(attribute)
            help = (replace and replace(site, node)) or METHODS.get(attribute, _near(attribute))
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Dict):
            return Suggestion("a dictionary is outside the dialect", DICTIONARIES)
        is_general = help == SPLIT
        if is_general and [*map(ast.unparse, node.args)] == ["'\\n'"]:
            help = "iterate over the lines, as in `for line in text.splitlines():`"
        if name.startswith("os.path.") and "(" not in name:
            return Suggestion(f"{name} is outside the dialect", OS_PATH)
        if attribute in KNOWN_METHODS:
            count = "one argument" if attribute in NEED_ONE else "no argument"
            if attribute == "access":
                count = '"r", "w" or "x", as in `path.access("w")`'
            return Suggestion(f"{attribute} does not take these arguments", f"it takes {count}")
        if attribute in USED_DIFFERENTLY:
            return Suggestion(f"{attribute} cannot be used like this", help)
        return Suggestion(f"the method {attribute} is outside the dialect", help)
    match node.func:
        case ast.Call(func=ast.Attribute(attr="with_env" | "with_cwd" as method)):
            return Suggestion(f"the method {method} is outside the dialect", METHODS[method])
    found = vars(builtins).get(name)
    if isinstance(found, type) and issubclass(found, BaseException):
        return Suggestion(f"{name} is outside the dialect", STATEMENTS[ast.Raise])
    if found is not None:
        return Suggestion(f"{name} is outside the dialect", CALLS_OTHERWISE)
    return Suggestion(
        f"{name} is not defined",
        "define it, import it from a runtime library, or bind a program at the top with `program`",
    )


def finds_files(node: ast.AST) -> bool:
    """Return whether an expression finds files by a pattern, or lists a directory."""
    for inner in ast.walk(node):
        match inner:
            case ast.BinOp(op=ast.FloorDiv(), right=ast.Constant(value=str())):
                return True
            case ast.Call(func=ast.Attribute(attr="glob" | "rglob" | "iterdir" | "listdir")):
                return True
    return False


def _has_quotient(node: ast.expr, site: Site) -> bool:
    """Return whether arithmetic contains a division with /, which can be a fraction."""
    match node:
        case ast.BinOp(left=left, op=ast.Div()) if site.type_of(left) is not Type.PATH:
            return True
        case ast.BinOp(left=left, right=right):
            return _has_quotient(left, site) or _has_quotient(right, site)
        case ast.UnaryOp(operand=inner):
            return _has_quotient(inner, site)
    return False


def of_builtin(name: str, names: list[str]) -> str:
    """Return the help for a builtin that does not exist."""
    import difflib  # noqa: PLC0415

    written = {str(kind.value): annotation for annotation, kind in ANNOTATIONS.items()}
    if name in written:
        return f"the annotation of a {name} is `{written[name]}`"
    if name == "append_file":
        return f"to append, {APPEND}"
    found = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{found[0]}`?" if found else f"its builtins are {', '.join(names)}"


def _is_unknown(node: ast.expr, site: Site) -> bool:
    """Return whether the first name in an expression is not defined."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and site.type_of(node) is Type.ERROR


def _near(attribute: str) -> str:
    """Suggest the method of the dialect whose name is nearly `attribute`, or list all."""
    import difflib  # noqa: PLC0415

    found = difflib.get_close_matches(attribute, (*KNOWN_METHODS, *USED_DIFFERENTLY), n=1)
    return f"did you mean `{found[0]}`?" if found else METHODS_OTHERWISE


def of_attribute(node: ast.Attribute, site: Site) -> Suggestion:
    """Suggest a replacement for an attribute that is not called."""
    name = ast.unparse(node)
    if node.attr in NEED_ONE:
        return Suggestion(f"{name} is not called", "call it with its argument in parentheses")
    if node.attr in KNOWN_METHODS:
        return Suggestion(f"{name} is not called", code("call it", f"{name}()"))
    help = ATTRIBUTES.get(name) or ATTRIBUTES.get(node.attr) or EXPRESSIONS_OTHERWISE
    if isinstance(node.value, ast.Call):
        help = CALLS.get(ast.unparse(node.value.func), help)
    if node.attr in ("days", "seconds"):
        help = SECONDS
    if node.attr.startswith("st_"):
        form = {"st_size": "%s", "st_mtime": "%Y"}.get(node.attr)
        help = STAT.format(form) if form else PROGRAM.format("stat")
    if name == "local.cwd":
        help = replacements.of_getcwd(site, node) or help
    elif isinstance(node.value, ast.Name) and site.type_of(node.value) is Type.PATH:
        if node.attr == "parent":
            help = replacements.called(site, node, f"{node.value.id}.dirname", Type.PATH) or help
        elif node.attr in ("name", "basename"):
            help = replacements.after_last_slash(site, node, node.value.id) or help
        elif node.attr in ("stem", "suffix"):
            help = replacements.of_extension(site, node, node.value.id, node.attr) or help
    return Suggestion(f"{name} is outside the dialect", help)


def of_index(node: ast.Subscript, site: Site) -> Suggestion | None:
    """Suggest a replacement for an index of local, local.env, os.environ, sys.argv or a split."""
    owner = ast.unparse(node.value)
    if owner in ("os.environ", "local.env"):
        help = replacements.of_variable(site, node) or ATTRIBUTES["local.env"]
        return Suggestion(f"{owner}[…] is outside the dialect", help)
    if owner == "local":
        help = CALLS["local.get"]
        if not isinstance(node.slice, ast.Constant):
            help += ". For a path that is a value, write `program(absolute(path))` in the function."
            help += ' The program env runs a name that is a value, as in `env["--", name]`'
        match node.slice:
            case ast.Constant(value=str() as program) if program.isidentifier():
                help = replacements.bound(site, node, program)
        return Suggestion("local[…] is outside the dialect", help)
    if owner == "sys.argv" and ast.unparse(node.slice) == "0":
        return Suggestion(
            "sys.argv[0] is outside the dialect",
            "write the program's name, or call script_path, which returns the path of the script",
        )
    if owner == "sys.argv":
        return of_attribute(node.value, site)  # type: ignore[arg-type]
    part = replacements.of_split_index(site, node)
    match node:
        case ast.Subscript(
            value=ast.Call(func=function, args=[ast.Name(id=path) as given]),
            slice=ast.Constant(value=int() as index),
        ) if (
            ast.unparse(function) == "os.path.splitext"
            and index in (0, 1)
            and site.type_of(given) is Type.STR
        ):
            kind = ("root", "suffix")[index]
            part = replacements.of_extension(site, node, path, kind)
    match node.value:
        case ast.Call(func=ast.Attribute(attr=method)) if part:
            return Suggestion(f"the result of {method} cannot be indexed", part)
    return None


def of_expression(node: ast.expr, site: Site) -> Suggestion:
    """Suggest a replacement for another expression."""
    help = EXPRESSIONS.get(type(node), EXPRESSIONS_OTHERWISE)
    match node:
        case ast.Attribute():
            return of_attribute(node, site)
        case ast.IfExp() if site.statement is None:
            help = replacements.of_variable_choice(site, node) or "choose it in a function"
        case ast.Constant(value=value):
            help = LITERALS.get(type(value).__name__, EXPRESSIONS_OTHERWISE)
        case ast.NamedExpr(target=target, value=value):
            lines = site.assigned(
                node,
                site.result_of(value),
                lambda name: [f"{name} = {replacements.shown(site, value)}"],
                known=target.id,
            )
            help = code("assign it first", lines, "assign it on a line of its own")
            if isinstance(site.statement, ast.While):
                help = "use `while True:`. Assign it there, and leave the loop with `break`"
    return Suggestion(f"{describe(node)} is outside the dialect", help)


def of_statement(node: ast.stmt, site: Site | None = None) -> Suggestion:
    """Suggest a replacement for a statement. `site` is None at the top level."""
    help = STATEMENTS.get(type(node), STATEMENTS_OTHERWISE)
    match node:
        case ast.Import(names=[ast.alias(name=module)]) | ast.ImportFrom(module=str(module)) if (
            module in MODULES
        ):
            help = MODULES[module]
        case ast.Assign(
            targets=[ast.Subscript(value=owner, slice=ast.Constant() as key)], value=value
        ) if _is_environment(owner) and site is not None:
            if site.type_of(value) is Type.STR:
                help = code("write", f"local.env[{ast.unparse(key)}] = {ast.unparse(value)}")
        case ast.AugAssign(
            target=ast.Subscript(value=owner, slice=ast.Constant(value=str()) as key),
            op=ast.Add(),
            value=value,
        ) if site is not None and site.type_of(value) is Type.STR:
            if _is_environment(owner) or ast.unparse(owner) == "local.env":
                name = replacements.shown(site, key)
                text = f'local.env.get({name}, "") + {replacements.shown(site, value)}'
                help = code("write", f"local.env[{name}] = {text}")
        case (
            ast.Assign(targets=[ast.Subscript(value=owner)])
            | ast.AugAssign(target=ast.Subscript(value=owner))
        ) if not _is_environment(owner):
            help = DICTIONARIES
        case ast.Delete(targets=[ast.Subscript(value=owner, slice=ast.Constant() as key)]) if (
            _is_environment(owner) and site is not None
        ):
            help = code("write", f'local.env.pop({ast.unparse(key)}, "")')
        case ast.With(
            items=[
                ast.withitem(
                    context_expr=ast.Call(
                        func=ast.Name(id="open"), args=[_, ast.Constant(value="a")]
                    )
                )
            ]
        ):
            help = APPEND
        case ast.With(
            items=[
                ast.withitem(
                    context_expr=ast.Call(func=ast.Name(id="open"), args=[file, *mode], keywords=[])
                )
            ]
        ) if site is not None and [*map(ast.unparse, mode)] in ([], ["'r'"], ["'w'"]):
            name = replacements.shown(site, file)
            help = f"read a file of at most 256 KiB with `status, text = read_file({name})`. Return"
            help += " the status if it is not 0. Otherwise, iterate over `text.splitlines()`"
            if [*map(ast.unparse, mode)] == ["'w'"]:
                help = f"write the file with `if write_file({name}, text) != 0:`, and return 1"
                help += " in that branch"
        case ast.Raise(exc=ast.Call(func=ast.Name(id="SystemExit")) as end) if site is not None:
            help = replacements.of_exit(site, end) or MAIN_STATUS
        case ast.Raise(exc=ast.Name(id="SystemExit")) if site is not None:
            help = code("write", "return 0") if site.is_main else MAIN_STATUS
        case ast.Try(handlers=[], body=body) if not any(
            isinstance(inner, (ast.Return, ast.Break, ast.Continue))
            for part in body
            for inner in ast.walk(part)
        ):
            help = FINALLY
        case ast.Try() if site is not None:
            help = blocks.of_try(site, node) or help
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=function)), *_]):
            help = CONTEXTS.get(ast.unparse(function), help)
    if isinstance(node, ast.With) and site is not None:
        help = blocks.of_open(site, node) or help
    return Suggestion(f"{describe(node)} is outside the dialect", help)


def _is_environment(node: ast.expr) -> bool:
    name = ast.unparse(node)
    return name == "os.environ" or name.endswith(".env")


def of_top(node: ast.stmt) -> Suggestion:
    """Suggest a replacement for a statement at the top level of a program."""
    if type(node) in STATEMENTS:
        return of_statement(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return Suggestion(
            "TYPE_CHECKING is outside the dialect",
            "move the import out of the if, to the top level",
        )
    match node:
        case ast.Assign(targets=[ast.Tuple()], value=ast.Tuple()):
            return Suggestion(
                "several assignments on one line are not allowed at the top level",
                "write each constant on a line of its own",
            )
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return Suggestion(
            "a call is not allowed at the top level",
            'move it into main. The program begins with `if __name__ == "__main__":` and'
            " `sys.exit(main(*sys.argv[1:]))`",
        )
    return Suggestion(
        f"{describe(node)} is not allowed at the top level",
        "move it into a function. The top level has imports, constants, `program(…)`, functions and"
        " the entry",
    )


def of_environment(name: str, value: ast.expr | None) -> str:
    """Suggest how to pass a variable that bash owns to a program. None unsets it."""
    match value:
        case None:
            words = f"'-u', {name!r}"
        case ast.Constant(value=str() as text):
            words = repr(f"{name}={text}")
        case ast.JoinedStr(values=parts):
            words = join_parts([ast.Constant(f"{name}="), *parts])
        case _:
            words = join_parts([ast.Constant(f"{name}="), ast.FormattedValue(value, -1)])
    return f"pass it to the command with the program env, as in `env[{words}, 'sort']`"


def of_membership(left: ast.expr, right: ast.expr, is_in: bool, site: Site) -> Suggestion | None:
    """Suggest a replacement for `left in right` where right is not text."""
    match right:
        case ast.Tuple(elts=[]) | ast.List(elts=[]):
            return Suggestion("`in` needs at least one item", "remove the comparison")
        case ast.List(elts=items) | ast.Set(elts=items):
            sign = "in" if is_in else "not in"
            kinds = {site.result_of(left), *map(site.type_of, items)}
            can_compare = kinds <= {Type.STR, Type.PATH} or kinds == {Type.INT}
            way = (
                f"{replacements.shown(site, left)} {sign} {tuple_of(items)}" if can_compare else ""
            )
            return Suggestion(
                f"`in` does not search {describe(right)}",
                code("write the items in parentheses", way, "use items of one type"),
            )
        case ast.Call(func=ast.Name(id="range"), args=bounds):
            way, intro = "", "compare the number with both ends"
            parts = [left, *bounds]
            if len(bounds) in (1, 2) and all(
                isinstance(x, (ast.Name, ast.Constant)) for x in parts
            ):
                kinds = {site.type_of(part) for part in parts}
                name, *ends = [replacements.shown(site, part) for part in parts]
                first, stop = ends if len(ends) > 1 else ("0", *ends)
                way = f"({first} <= {name} and {name} < {stop})" if kinds == {Type.INT} else ""
                way = way if is_in or not way else f"not {way}"
            return Suggestion("`in` does not search a range", code(intro, way, intro))
        case ast.Attribute() if ast.unparse(right) == "os.environ":
            sign = "in" if is_in else "not in"
            return Suggestion(
                "os.environ is outside the dialect",
                code("write", f"{ast.unparse(left)} {sign} local.env"),
            )
    return None


def of_identity(
    node: ast.expr, left: ast.expr, right: ast.expr, is_not: bool, site: Site
) -> Suggestion:
    """Suggest a replacement for `left is right`."""
    sign = "!=" if is_not else "=="
    if isinstance(right, ast.Constant) and right.value is None:
        match left:
            case ast.Call(
                func=function,
                args=[ast.Constant(value=str()) as name]
                | [ast.Constant(value=str()) as name, ast.Constant(value=None)],
                keywords=[],
            ) if ast.unparse(function) in replacements.ENVIRONMENT_READS:
                test = f"{replacements.shown(site, name)} {'in' if is_not else 'not in'} local.env"
                return Suggestion("there is no None in the dialect", code("write", test))
        return Suggestion("there is no None in the dialect", NO_NONE)
    if isinstance(right, ast.Constant) and isinstance(right.value, bool):
        shown = replacements.shown(site, left)
        way = f"not {shown}" if right.value is is_not else shown
        can_test = isinstance(left, ast.Name) and site.type_of(left) is Type.BOOL
        help = code("test it directly", way if can_test else "", "test it directly, or with `not`")
        return Suggestion("`is` is outside the dialect", help)
    help = replacements.compared(site, node, [(left, sign, right)], "")
    return Suggestion("`is` is outside the dialect", help or f"compare the values with `{sign}`")


def of_literal(node: ast.BinOp, site: Site) -> Suggestion | None:
    """Suggest a replacement for * and % with a text."""
    repeated = "a text cannot be repeated"
    match node:
        case ast.BinOp(
            left=ast.Constant(value=str() as text),
            op=ast.Mult(),
            right=ast.Constant(value=int() as times),
        ) if len(text) * times < 100:
            return Suggestion(repeated, code("write it out", f"{text * times!r}"))
        case ast.BinOp(
            left=ast.Name() as name, op=ast.Mult(), right=ast.Constant(value=int() as times)
        ) if site.type_of(name) is Type.STR and times in range(2, 6):
            parts: list[ast.expr] = [ast.FormattedValue(name, -1)] * times
            text = join_parts(parts)
            match site.statement:
                case ast.AugAssign(op=ast.Mult()):
                    text = f"{name.id} = {text}"
            return Suggestion(repeated, code("use an f-string", text))
        case ast.BinOp(left=left, op=ast.Mult(), right=right) if Type.STR in (
            site.type_of(left),
            site.type_of(right),
        ):
            return Suggestion(repeated, "add to it in a loop with `+=`")
        case ast.BinOp(left=ast.Constant(value=str() as text), op=ast.Mod(), right=given):
            help = code("use an f-string", _filled(text, given, site), "use an f-string")
            return Suggestion("% does not format text", help)
        case ast.BinOp(left=left, op=ast.Mod()) if site.type_of(left) is Type.STR:
            return Suggestion("% does not format text", "use an f-string")
    return None


def of_import(module: str, name: str, home: dict[str, str], standard: set[str]) -> Suggestion:
    """Suggest a replacement for an import. `home` maps each name of the dialect to its module."""
    whole = f"{module}.{name}" if name else module
    message = f"{whole} is outside the dialect"
    top = module.split(".", maxsplit=1)[0]
    if whole.startswith("plumbum.cli"):
        return Suggestion(message, ARGUMENTS)
    if top == "plumbum" and name in RAISED:
        return Suggestion(message, STATEMENTS[ast.Try])
    if name in home:
        help = code("write", f"from {home[name]} import {name}")
        return Suggestion(f"{name} is imported from {module}", help)
    place = module if module in set(home.values()) or top != "plumbum" else top
    if place in set(home.values()) and name:
        return Suggestion(message, f"remove it. {place} has {_from(home, place)}")
    if top in MODULES:
        return Suggestion(message, MODULES[top])
    if top in standard:
        return Suggestion(message, "remove it. The dialect has plumbum, oauthkit.shell, os and sys")
    if module in home.values():
        help = f"import the builtins that you need, with `from {module} import …`"
    else:
        help = (
            "packages from PyPI cannot be compiled. From a file of your own, import each function,"
            f" with `from {module} import …`"
        )
    return Suggestion(message, help)


def of_missing(module: str, standard: set[str]) -> Suggestion:
    """Suggest a replacement for an import from a module that is not in the program's directory."""
    top = module.split(".", maxsplit=1)[0]
    if top in MODULES or top in standard:
        return of_import(module, "", {}, standard)
    return Suggestion(
        f"there is no module {module} in the program's directory",
        "packages from PyPI cannot be compiled. Your own functions can be in"
        f" {module.replace('.', '/')}.py in the program's directory",
    )


def _filled(text: str, given: ast.expr, site: Site) -> str:
    """Return the f-string for `text % given`, or "" if its format is not plain."""
    values = given.elts if isinstance(given, ast.Tuple) else [given]
    pieces = re.split("%(-?[0-9]*)([sdi])", text)
    literals, sizes, formats = pieces[::3], pieces[1::3], pieces[2::3]
    if len(formats) != len(values) or any("%" in literal for literal in literals):
        return ""
    parts: list[ast.expr] = [ast.Constant(literals[0])]
    for value, size, wanted, literal in zip(values, sizes, formats, literals[1:], strict=True):
        kind = site.type_of(value)
        kinds = (Type.INT, Type.STATUS, *((Type.STR, Type.PATH) if wanted == "s" else ()))
        spec = size.replace("-", "<") if kind is Type.INT or size[:1] in ("", "-") else f">{size}"
        is_zero = wanted == "s" and size.startswith("0")
        if kind not in kinds or is_zero or (spec and not is_format(kind, spec)):
            return ""
        parts += [formatted(value, spec), ast.Constant(literal)]
    return join_parts(parts)


def _from(home: dict[str, str], module: str) -> str:
    return ", ".join(name for name, place in home.items() if place == module)
