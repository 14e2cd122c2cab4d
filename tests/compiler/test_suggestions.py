"""Common Python and plumbum code gets one diagnostic with a suggestion."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests.support.compiler.helping import check_help
from tests.support.compiler.programs import HEAD, TAIL, program
from tests.support.compiler.rejections import MAIN, accept, rejections, under_caret

from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic

HELPERS = """def try_it(name: str) -> Status:
    if name == "":
        return 2
    return 1


def name_of(number: int) -> str:
    return f"{number}"


def is_ready(name: str) -> bool:
    return name == "c"
"""

# code, a rejected body of main, the text under the caret, the suggestion, and a body that compiles
CASES = [
    # plumbum's commands
    ("D104", "if not os.environ.get('NOPE'):\n    print('x')", "os.environ.get", "if local.env.get('NOPE', '') == '':", "print('x')"),
    ("D104", "n = 0\nif n == 0 and os.environ.get('HOME'):\n    print('x')", "os.environ.get", "`local.env.get('HOME', '') != ''`", "print('x')"),
    ("D104", "n = 0\nif n == 0 and not os.environ.get('NOPE'):\n    print('x')", "os.environ.get", "`local.env.get('NOPE', '') != ''`", "print('x')"),
    ("D104", "n = int(os.environ.get('NOPE', 5))\nprint(n)", "int", "status, n = parse_int(local.env.get('NOPE', '5').strip())", "print(5)"),
    ("D105", "p = LocalPath(os.environ.get('HOME'))\nprint(p)", "LocalPath", "p = absolute(local.env.get('HOME', ''))", "print(absolute(local.env.get('HOME', '')))"),
    *(
        ("D104", f"p = '{path}'\nroot, end = os.path.splitext(p)\nprint(root, end)", "os.path.splitext", "root = p.removesuffix(end)", "print('x')")
        for path in ("a/b.tar.gz", "a.b/c", ".bashrc", "a/..b", "a.", "", "..", "a/.b.c")
    ),
    ("D104", "p = 'a.b'\np, end = os.path.splitext(p)\nprint(p, end)", "os.path.splitext", "p = p.removesuffix(end)", "print('x')"),
    ("D104", "code, text, errors = cat['x'].run(retcode=None)\nprint(text)", "cat['x'].run", "as in `code, text = (cat['x'] >= ERROUT) & CAPTURE`", "print('x')"),
    ("D104", "code, text, _ = cat['nope'].run(retcode=None)\nprint(code, text)", "cat['nope'].run", "code, text = cat['nope'] & CAPTURE", "print('x')"),
    ("D104", "_, text, _ = printf['x'].run()\nprint(text)", "printf['x'].run", "text = printf['x']()", "print('x')"),
    ("D104", "false.run(retcode=None)", "false.run", "_ = false & RETCODE", "print('x')"),
    ("D104", "true.run()", "true.run", "`true()`", "print('x')"),
    ("D101", "t = '12\\n'\ntry:\n    n = int(t)\nexcept ValueError:\n    n = 0\nprint(n)", "try:", "status, n = parse_int(t.strip())", "print('x')"),
    ("D101", "t = 'x'\ntry:\n    n = int(t)\nexcept ValueError:\n    print('no number')\n    return 2\nprint(n)", "try:", "status, n = parse_int(t.strip())", "print('x')"),
    ("D101", "try:\n    n = int(os.environ.get('NOPE', 'x'))\nexcept (TypeError, ValueError):\n    n = 7\nprint(n)", "try:", "status, n = parse_int(local.env.get('NOPE', 'x').strip())", "print('x')"),
    ("D101", "try:\n    n = int('x')\nexcept ValueError: n = 0\nprint(n)", "try:", "    n = 0", "print('x')"),
    ("D101", "t = 'x'\ntry:\n    n = int(t)\nexcept ValueError:\n    n = 0\n    print('''a\n  b''')\nprint(n)", "try:", r"print('a\n      b')", "print('x')"),
    ("D101", "try:\n    false()\nexcept Exception:\n    print('failed')", "try:", "if (false & RETCODE) != 0:", "print('x')"),
    ("D101", "try:\n    true()\nexcept Exception:\n    print('failed')\nprint('x')", "try:", "if (true & RETCODE) != 0:", "print('x')"),
    ("D101", "try:\n    false & FG\nexcept Exception:\n    print('failed')", "try:", "if (false & RETCODE(FG=True)) != 0:", "print('x')"),
    ("D101", "try:\n    t = printf('x')\nexcept Exception:\n    return 3\nprint(t)", "try:", "status, t = printf['x'] & CAPTURE", "print('x')"),
    ("D101", "try:\n    t = cat('nope')\nexcept Exception:\n    return 3\nprint(t)", "try:", "status, t = cat['nope'] & CAPTURE", "print('x')"),
    ("D101", "with open('x', 'w') as f:\n    f.write('abc')\n_ = cat['x'] & RETCODE(FG=True)", "with open('x', 'w') as f:", "if write_file('x', 'abc') != 0:", "print('x')"),
    ("D101", "(printf['a'] > 'x')()\nwith open('x') as f:\n    t = f.read()\nprint(t)", "with open('x') as f:", "status, t = read_file('x')", "print('x')"),
    ("D101", "p = absolute('x')\n(printf['a '] > 'x')()\nwith p.open(encoding='utf-8') as f:\n    t = f.read().strip()\nprint(t)", "with p.open(encoding='utf-8') as f:", "t = t.strip()", "print('x')"),
    ("D203", "pipe = printf['x'] | wc['-c']\nprint('y')", "printf['x'] | wc['-c']", "`text = (printf['x'] | wc['-c'])()`", "print('y')"),
    ("D304", "print(timestamp('%F'))", "'%F'", "use an Int here", "print('x')"),
    ("D104", "print(time.strftime('%F'))", "time.strftime", "as in `date(\"+%F\").strip()`", "print('x')"),
    ("D104", "time.sleep(3)", "time.sleep", 'as in `sleep("1")`', "print('x')"),
    ("D104", "re.sub('a', 'b', 'c')", "re.sub", "split texts with partition", "print('x')"),
    ("D104", "x = os.readlink('a')", "os.readlink", 'as in `readlink("-n", "--", path)`', "print('x')"),
    ("D101", "for f in glob.glob('/usr/*'):\n    print(f)", "glob.glob('/usr/*')", "iterate over the files of a Path", "print('x')"),
    ("D101", "LEVELS['a'] += 1", "LEVELS['a'] += 1", "use a variable for each value", "print('x')"),
    ("D301", "n = 'a'\nprint(LEVELS[n])", "LEVELS", "There are no lists or dictionaries", "print('x')"),
    ("D303", "n = 0\nis_a = 'a' == 'a'\nn += is_a\nprint(n)", "is_a", "n += 1 if is_a else 0", "print(1)"),
    ("D303", "is_a = 'a' == 'a'\nprint(3 - is_a)", "is_a", "as in `1 if is_a else 0`", "print(2)"),
    ("D102", "is_x = '-x' in arguments[1:]", "arguments", "as in `for argument in arguments[1:]:`", "print('x')"),
    ("D102", "n = 0\nprint(arguments[n])", "arguments", "an index is a number, as in `arguments[0]`", "print('x')"),
    ("D104", "print('a' if os.environ.get('NOPE') else 'b')", "os.environ.get", "`local.env.get('NOPE', '') != ''`", "print('b')"),
    ("D201", "try_it('x')", "try_it('x')", "To end this function with it, write `return try_it('x')`", "_ = try_it('x')"),
    *(
        (code, "names = '\\n'\nfor a in ('x', 'y'):\n    names += f'{a}\\n'\n" + body, caret, help, "print('x')")
        for code, body, caret, help in (
            ("D305", "if names:\n    print('some')", "names", r'`names != "\n"`'),
            ("D305", "if not names:\n    print('none')", "not names", r'`names == "\n"`'),
            ("D102", "print(names[0])", "names[0]", r'text, _, _ = names[1:].partition("\n")'),
            ("D102", "print(names[1])", "names[1]", "in a loop over `names[1:].splitlines()`"),
            ("D101", "for name in names:\n    print(name)", "names", "names[1:].splitlines()"),
        )
    ),
    ("D102", "is_a = 'a' == 'b'\nis_a |= 'c' == 'c'\nif is_a:\n    print('x')", "is_a |= 'c' == 'c'", "is_a = 'c' == 'c' or is_a", "print('x')"),
    ("D104", "x = '/nope'\nkind = 'path' if os.path.exists(x) else 'none'\nprint(kind)", "os.path.exists", "kind = 'path' if path.exists() else 'none'", "print('x')"),
    ("D104", "x = '/nope'\nprint('path missing' if not os.path.exists(x + '/a') else 'path')", "os.path.exists", "print('path missing' if not path.exists() else 'path')", "print('x')"),
    ("D104", "x = 'a'\nprint('x' if os.path.isfile(x) else 'y')", "os.path.isfile", "`absolute` removes `..` and a / at the end", "print('x')"),
    ("D101", "for t in ('5', 'x'):\n    try:\n        n = int(t)\n    except ValueError:\n        continue\n    print(n)", "try:", "else:\n    n = number", "print('x')"),
    ("D101", "try:\n    t = sh('-c', 'echo a')\nexcept ProcessExecutionError:\n    t = ''\nprint(t)", "try:", "That output is without trailing newlines", "print('x')"),
    *(
        ("D104", f"x = ''\nif {test}:\n    print('x')", "os.environ.get", "is also empty if the variable is not set", "print('x')")
        for test in ("os.environ.get('NOPE') in ('', 'x')", "os.environ.get('NOPE') not in ('', 'x')", "'' == os.environ.get('NOPE')", "os.environ.get('NOPE') == x")
    ),
    ("D104", "if os.environ.get('NOPE') not in ('a', 'b'):\n    print('x')", "os.environ.get", "write: `local.env.get('NOPE', '')`", "print('x')"),
    ("D104", "d = absolute('x')\nprint(os.path.join(d, 'b')[1:])", "os.path.join", "join", "print('x')"),
    ("D102", "sep = '\\n'\nprint('<' + sep[0] + '>')", "sep[0]", "use a slice", "print('x')"),
    ("D101", "t = '\\n'\nfor c in t:\n    print(c)", "t", "while index + 1 < len(t):", "print('x')"),
    ("D101", "for x in {'a', 'a'}:\n    print(x)", "{'a', 'a'}", "write the items in parentheses: `('a',)`", "print('x')"),
    ("D101", "t = 'b'\nfor x in sorted(t.splitlines(keepends=True)):\n    print(x)", "sorted(t.splitlines(keepends=True))", "iterate over a tuple", "print('x')"),
    ("D104", "t = ' 5'\nn = int(t + '')\nprint(n)", "int", "parse_int((t + '').strip())", "print('x')"),
    ("D104", "sys.exit({[1]})", "sys.exit", "return the status", "print('x')"),
    ("D104", "x = 'a=b'\n_, b = x.split('=')\nprint(b)", "x.split", "_, separator, b = x.partition('=')", "print('x')"),
    ("D104", "x = 'a=b'\na, _ = x.split('=', 1)\nprint(a)", "x.split", "a, separator, _ = x.partition('=')", "print('x')"),
    ("D104", "n = sys.stdout.write('a\\n')\nprint(n)", "sys.stdout.write", "print", "print('x')"),
    ("D102", "s = 'b'\nif 'a' < s < 'c':\n    print(s)", "'a' < s < 'c'", "compare", "print('x')"),
    ("D104", "t = 'a b'\nprint(t.split()[True])", "t.split", "iterate over its parts", "print('x')"),
    ("D104", "a = 1\nx = bool(a) + 1\nprint(x)", "bool", "compare the value with an empty Str or with 0", "print('x')"),
    ("D102", "_ = local['import']['a'] & RETCODE", "local['import']", 'import_2 = program("import")', "print('x')"),
    ("D102", "is_a = True\nis_a &= is_ready('c')\nif not is_a:\n    print('x')", "is_a &= is_ready('c')", "is_a = is_ready('c') and is_a", "print('x')"),
    ("D102", "is_a = False\nis_a |= true & TF\nif is_a:\n    print('x')", "is_a |= true & TF", "is_a = (true & TF) or is_a", "print('x')"),
    ("D102", "is_a = True\nis_a &= 'c' == 'd' or 'c' == 'c'\nif is_a:\n    print('x')", "is_a &= 'c' == 'd' or 'c' == 'c'", "is_a = ('c' == 'd' or 'c' == 'c') and is_a", "print('x')"),
    ("D104", "a = 1\na, b = 'a b'.split(' ')\nprint(f'{a} {b}')", "'a b'.split", "iterate over its parts", "print('x')"),
    ("D104", "a = 1\na, b, c = 'a b c'.split(' ')\nprint(f'{a} {b} {c}')", "'a b c'.split", "iterate over its parts", "print('x')"),
    ("D101", "c = 5\nt = 'abc'\nfor c in t:\n    print(c)", "t", "iterate over a tuple", "for x in ('a', 'b'):\n    print(x)"),
    ("D102", "is_a = 'a' == 'a'\nis_a &= 'c' == 'd'\nif not is_a:\n    print('x')", "is_a &= 'c' == 'd'", "is_a = 'c' == 'd' and is_a", "print('x')"),
    ("D105", "cat('y', retcode=None)", "retcode=None", "`status = cat['y'] & RETCODE`", "print('x')"),
    ("D105", "t = cat('y', retcode=(0, 1))\nprint(t)", "retcode=(0, 1)", "`status, t = cat['y'] & CAPTURE`", "print('x')"),
    ("D102", "a = sys.argv[1:]\nif a and a[0] == 'x':\n    print('y')", "sys.argv", "iterate over the arguments of main", "print('x')"),
    ("D102", "a = arguments[2:]\nfor b in a:\n    print(b)", "arguments", "iterate over it", "print('x')"),
    ("D104", "n = '5'\nn = int(n)\nprint(f'{n}')", "int", "# From here on, use number instead of n.", "n = '5'\n_, number = parse_int(n)\nprint(f'{number}')"),
    ("D104", "n = 5\nn = str(n)\nprint(n)", "str", "# From here on, use text instead of n.", "n = 5\ntext = f'{n}'\nprint(text)"),
    ("D104", "t = 'a b'\nprint(t.split(' ')[2])", "t.split", "take one at a time with partition", "t = 'a b'\n_, _, u = t.partition(' ')\nprint(u)"),
    ("D202", "_, t = (cat['x'] >= '/dev/stderr') & CAPTURE\nprint(t)", "'/dev/stderr'", "whose stderr is the program's own", "_, t = (cat['x'] >= ERROUT) & CAPTURE\nprint(t)"),
    ("D105", "p = absolute('x')\nfor q in sorted(p // '*', key=len):\n    print(q)", "sorted(p // '*', key=len)", "To sort by time, run the program ls", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D102", "w = 'a'\nn = 1\nn = n + (w == 'a')\nprint(n)", "w == 'a'", "number = 1 if w == 'a' else 0", "n = 1\nprint(n)"),
    ("D102", "t = 'ab'\nprintf['%s', t == 'ab'] & FG", "t == 'ab'", "use if and else", "true & FG"),
    ("D102", "true & FG and false & FG", "true & FG and false & FG", "use if and else", "true & FG"),
    ("D102", "a = 'x'\nprint(a and 'y' or 'z')", "a and 'y' or 'z'", "use if and else", "print('y')"),
    ("D104", "d = local.env.get('NOPE', '')\nif not os.path.isdir(d):\n    print('x')", "os.path.isdir", 'if not (d != "" and path.is_dir()):', "print('x')"),
    ("D104", "d = local.env.get('NOPE', '')\ny = os.path.exists(d)\nif y:\n    print('x')", "os.path.exists", 'y = d != "" and path.exists()', "print('x')"),
    ("D104", "d = local.env.get('NOPE', '/nope')\ny = not os.path.isdir(d)\nif y:\n    print('x')", "os.path.isdir", "y = not path.is_dir()", "print('x')"),
    ("D104", "d = local.env.get('NOPE', '/nope')\nn = 1 if not os.path.isdir(d) else 2\nprint(n)", "os.path.isdir", "n = 1 if not path.is_dir() else 2", "print('x')"),
    ("D102", "t = 'a'\nu = t + (t == 'a')\nprint(u)", "t == 'a'", "use if and else", "print('x')"),
    ("D104", "n = int('99999999999999999999')\nprint(n)", "int", "Test the Status with if", "print('x')"),
    ("D104", "n = '4'\nn = int(n) + 1\nprint(n)", "int", "Test the Status with if", "print(5)"),
    ("D104", "n = '5'\nn = int(n)\nn += 1\nprint(n)", "int", "# From here on, use number instead of n.", "print(6)"),
    ("D104", "t = 'a'\nn = int(t or '5')\nprint(n)", "int", "Test the Status with if", "print(5)"),
    ("D302", "p = 'x'\nif not p.startswith('/'):\n    p = absolute(p)\nprint(f'{p}')", "p", 'p stays a Str:', "print('x')"),
    ("D104", "n = int('1_000')\nprint(n)", "int", "write the number: `1000`", "n = 1000\nprint(n)"),
    ("D104", "t = '644'\nn = int(t, 8)", "int", 'run the program printf first, as in `printf("%d", f"0{text}")`', "t = '644'\nn = sh('-c', t)"),
    ("D104", "n = os.path.getsize('x')", "os.path.getsize", '`text = stat("-L", "-c", "%s", path)`, and convert the text with `parse_int(text.strip())`', "n = cat('-c', 'x')"),
    ("D202", "cat['x'] & FG >> 'log'", "cat['x'] & FG >> 'log'", "(cat['x'] >> 'log') & FG", "(cat['x'] >> 'log') & FG"),
    ("D303", "x = cat('x') > 'c'", "cat('x') > 'c'", "run `(cat['x'] > 'c') & FG`", "(cat['x'] > 'c') & FG"),
    ("D105", "cat('x', timeout=3)", "timeout=3", "as in `status, text = run_limited(3, 5, cat['x'])`", "status, text = run_limited(3, 5, cat['x'])"),
    ("D104", "p = absolute('x')\np.remove()", "p.remove", "run the program rm", "p = absolute('x')\nif not sh['-c', 'rm', p] & TF:\n    return 1"),
    ("D102", "n = 'df'\nc = local[n]\nc['-h'] & FG", "local[n]", "env[\"--\", name]", "n = 'df'\nc = sh['-c', n]\nc['-h'] & FG"),
    ("D102", "cat['x'] & FG(timeout=5)", "FG(timeout=5)", "timeout limits its time", "sh['5', cat['x']] & FG"),
    ("D102", "df = local['df']\n_, t = df['--version'] & CAPTURE\nprint(t)", "local['df']", 'df = program("df")', "_, t = cat['-h'] & CAPTURE\nprint(t)"),
    ("D303", "a, b = cat('-l')", "cat('-l')", "`cat['-l'] & CAPTURE` returns a Status and a Str", "a, b = cat['-l'] & CAPTURE"),
    ("D105", "t = cat('x', retcode=None)", "retcode=None", "write arguments as texts. To test the status, write `status", "status, text = cat['x'] & CAPTURE"),
    ("D105", "(cat < 'a')('x')", "(cat < 'a')('x')", "put them in brackets", "(cat['x'] < 'a')()"),
    ("D202", "t = (cat > 'a')()", "cat > 'a'", "write to the file with `(cat > 'a') & RETCODE`, or capture", "status = (cat > 'a') & RETCODE"),
    ("D202", "cat > 'a' & FG", "cat > 'a' & FG", "(cat > 'a') & FG", "(cat > 'a') & FG"),
    ("D303", "s = cat & FG", "s = cat & FG", "s = cat & RETCODE(FG=True)", "s = cat & RETCODE(FG=True)"),
    ("D204", "if cat & FG:\n    pass", "cat & FG", "test it with `& TF(FG=True)`, or run `cat & FG` on a line", "if cat & TF(FG=True):\n    pass"),
    ("D203", "cat | wc", "cat | wc", "run it: `(cat | wc) & FG`", "(cat | wc) & FG"),
    ("D203", "c = cat['x'] | printf | wc", "cat['x'] | printf | wc", "as in `text = (cat['x'] | printf | wc)()`", "c = (cat['x'] | printf | wc) & RETCODE"),
    ("D203", "if cat | wc:\n    pass", "cat | wc", "(cat | wc) & TF", "if (cat | wc) & TF:\n    pass"),
    ("D203", "print(f'{cat | wc}')", "cat | wc", "run it first, on a line of its own", "s = (cat | wc) & RETCODE"),
    ("D202", "s = cat | wc & RETCODE", "cat | wc & RETCODE", "s = (cat | wc) & RETCODE", "s = (cat | wc) & RETCODE"),
    ("D202", "cat | wc | cat & FG", "cat | wc | cat & FG", "(cat | wc | cat) & FG", "(cat | wc | cat) & FG"),
    ("D202", "(cat < 'a' | wc) & FG", "cat < 'a' | wc", "(cat < 'a') | wc", "((cat < 'a') | wc) & FG"),
    ("D202", "(cat | (wc < 'a')) & FG", "wc < 'a'", "remove <, and write `wc`", "(cat | wc) & FG"),
    ("D202", "((cat > 'a') | wc) & FG", "cat > 'a'", "remove >, and write `cat`", "(cat | wc) & FG"),
    ("D202", "((cat | (true > 'a')) > 'b') & FG", "true > 'a'", "remove one of the redirections", "(cat | (true > 'a')) & FG"),
    ("D202", "((cat | wc) >= 'a') & FG", "'a'", "redirect each command's stderr, as in `cat >= 'a'`", "((cat >= 'a') | wc) & FG"),
    ("D202", "t = (cat | (wc > 'a'))()", "wc > 'a'", "remove >, and write `wc`", "t = (cat | wc)()"),
    ("D202", "t = ((cat | wc) > 'a')()", "(cat | wc) > 'a'", "((cat | wc) > 'a') & RETCODE", "s = ((cat | wc) > 'a') & RETCODE"),
    ("D203", "(cat >> ('a' | wc)) & FG", "'a' | wc", "put the redirected command in parentheses", "(cat | (wc >> 'a')) & FG"),
    ("D202", "(((cat | wc) > 'a') | cat) & FG", "(cat | wc) > 'a'", "remove >, and write `(cat | wc)`", "((cat | wc) | cat) & FG"),
    ("D202", "(((cat | wc) < 'a') | cat) & FG", "(cat | wc) < 'a'", "redirect one of its commands, as in `cat < 'a'`", "((cat < 'a') | wc | cat) & FG"),
    ("D202", "(cat | ((wc | cat) > 'a')) & FG", "(wc | cat) > 'a'", "redirect one of its commands, as in `cat > 'a'`", "(cat | wc | (cat > 'a')) & FG"),
    ("D303", "(cat | 'a') & FG", "'a'", "use a command here", "(cat | wc) & FG"),
    ("D301", "(true | ls) & FG", "ls", 'ls = program("ls")', "(cat | wc) & FG"),
    ("D404", "for n in range(0, 3, 18446744073709551617):\n    print(n)", "18446744073709551617", "", "for n in range(0, 3, 2):\n    print(n)"),
    ("D105", "for n in range(0, 3, True):\n    print(n)", "range(0, 3, True)", "count in a while loop", "for n in range(0, 3, 1):\n    print(n)"),
    ("D402", "range = 'a'\nprint(range)", "range", "", "text = 'a'\nprint(text)"),
    ("D102", "print(local.env.get('A', default='q') or cat('x'))", "local.env.get('A', default='q') or cat('x')", "use if and else", "text = local.env.get('A', 'q')\nif text == '':\n    text = cat('x')\nprint(text)"),
    ("D102", "(cat | wc) & BG", "BG", "run it with `(cat | wc) & RETCODE`, capture its output", "status = (cat | wc) & RETCODE"),
    ("D102", "cat & FG(1)", "FG(1)", "run it with `cat & RETCODE`, capture its output with `cat &", "status = cat & RETCODE"),
    ("D101", "with local.cwd('/tmp'):\n    _ = cat & RETCODE", "with local.cwd('/tmp'):", "run each command with the program env, as in", "pass"),
    ("D102", "cat['x'] & BG", "BG", "run it with `cat['x'] & RETCODE`, capture its output with", "status, text = cat['x'] & CAPTURE"),
    ("D102", "t = cat & TEE", "TEE", "cat & TF", "t = cat & TF"),
    ("D102", "t = cat & RETCODE(FG=False)", "RETCODE(FG=False)", "run it with `cat & RETCODE`, capture its output with `cat &", "t = cat & RETCODE"),
    ("D102", "t = cat & TF(1)", "TF(1)", "cat & TF", "t = cat & TF"),
    ("D201", "cat & RETCODE(FG=True)", "cat & RETCODE(FG=True)", "_ = cat & RETCODE(FG=True)", "_ = cat & RETCODE(FG=True)"),
    ("D201", "cat & TF(FG=True)", "cat & TF(FG=True)", "_ = cat & RETCODE(FG=True)", "_ = cat & RETCODE(FG=True)"),
    ("D202", "s = cat > 'a' & RETCODE(FG=True)", "cat > 'a' & RETCODE(FG=True)", "s = (cat > 'a') & RETCODE(FG=True)", "s = (cat > 'a') & RETCODE(FG=True)"),
    ("D301", "t = ls['-l'] & TF", "ls", 'ls = program("ls")', "_ = cat['-l'] & TF"),
    ("D301", "s = ls & RETCODE", "ls", 'ls = program("ls")', "s = cat & RETCODE"),
    # Python's functions, methods and attributes
    ("D104", "x = '5'\nn = int(x)\nprint(f'{n + 1}')", "int", "status, n = parse_int(x.strip())", "x = '5'\nstatus, number = parse_int(x)"),
    ("D104", "n = 5\nt = str(n)\nprint(t)", "str", 'f"{n}"', 'n = 5\nt = f"{n}"\nprint(t)'),
    ("D104", "n = len('a', 'b')", "len", "len takes one Str, and counts its characters", "n = len('a')"),
    ("D303", "n = len(5)", "5", "pass a Str", "n = len('5')"),
    ("D303", "print(f'{len(true)}')", "true", "pass a Str", "n = len('5')"),
    ("D105", "p = LocalPath('x')\nif p.exists():\n    pass", "LocalPath", "p = absolute('x')", "path = absolute('x')"),
    ("D104", "p = local.path('x')", "local.path", "p = absolute('x')", "path = absolute('x')"),
    ("D104", "p = local.path('~/x')", "local.path", "absolute does not expand `~`", "home = local.env.get('HOME', '')\npath = absolute(f'{home}/x')"),
    ("D304", "a = absolute('x')\nn = a - 1", "a", "a Path is not a number", "a = absolute('x')\nprint(f'{a}'.removeprefix('/'))"),
    ("D104", "n = int((now_ms() // 1000 + 1) // 60)", "int", "the result is already an Int", "n = (now_ms() // 1000 + 1) // 60"),
    ("D104", "t = cat.with_env(A='b')('x')", "cat.with_env(A='b')", "the program env, which takes NAME=VALUE first", "t = cat('A=b', 'x')"),
    ("D104", "cat.with_cwd('/')('x')", "cat.with_cwd('/')", "the program env, as in", "cat('-C', '/', 'x')"),
    ("D105", "t = cat('-', stdin='y')", "stdin='y'", "(cat['-'] << 'y')()", "t = (cat['-'] << 'y')()"),
    ("D102", "cat & FG if len(arguments) > 1 else None", "cat & FG if len(arguments) > 1 else None", "if len(arguments) > 1:\n    cat & FG", "if len(arguments) > 1:\n    cat & FG"),
    ("D105", "t = cat(stdin=open('x'))", "stdin=open('x')", "(cat < path)()", "path = absolute('x')\nt = (cat < path)()"),
    ("D102", "None if len(arguments) > 1 else cat & FG", "None if len(arguments) > 1 else cat & FG", "if not (len(arguments) > 1):\n    cat & FG", "if not (len(arguments) > 1):\n    cat & FG"),
    ("D301", "print(__file__)", "__file__", "call script_path", "print(script_path())"),
    ("D101", "a = absolute('x')\nfor p in sorted(a.rglob('*.x')):\n    print(p)", "sorted(a.rglob('*.x'))", "run the program find", "for p in cat('x').splitlines():\n    print(p)"),
    ("D102", "n = 2**20", "2**20", "write the number: `1048576`", "n = 1048576"),
    ("D102", "n = 2**63", "2**63", "the dialect has `+`", "n = 2 * 2"),
    ("D102", "a = absolute('x')\nn = a.stat().st_size", "a.stat().st_size", "run the program stat", "cat('-c', '%s', 'x')"),
    ("D101", "a = absolute('x')\nfor p in a.rglob('*.x'):\n    print(p)", "a.rglob('*.x')", "run the program find", "for p in cat('x').splitlines():\n    print(p)"),
    ("D101", "a = absolute('x')\nfor p in a.glob('**/*.x'):\n    print(p)", "a.glob('**/*.x')", "run the program find", "for p in cat('x').splitlines():\n    print(p)"),
    ("D301", "print(__doc__)", "__doc__", "Write the value itself", "print('x')"),
    ("D105", "p = LocalPath('/a/../b')", "LocalPath", "p = absolute('/a/../b')", "path = absolute('/a/../b')"),
    ("D105", "p = LocalPath('/a/')", "LocalPath", "p = absolute('/a/')", "path = LocalPath('/a')"),
    ("D105", "p = LocalPath('')", "LocalPath", "p = absolute('')", "path = LocalPath('/')"),
    ("D105", "p = LocalPath('/a', 'b')", "LocalPath", "absolute makes a Path of one Str", "p = LocalPath('/a') / 'b'"),
    ("D104", "if os.path.isdir(''):\n    pass", "os.path.isdir", "no file has an empty name", "print('')"),
    ("D104", "if os.path.isdir('x'):\n    pass", "os.path.isdir", "make a Path first:", "path = absolute('x')\nif path.is_dir():\n    pass"),
    ("D104", "os.makedirs('a/b', exist_ok=True)", "os.makedirs", "`mkdir(\"-p\", \"--\", 'a/b')`", "cat('-p', '--', 'a/b')"),
    ("D102", "print(name_of(1), name_of(2) or 'x')", "name_of(2) or 'x'", "use if and else", "text = name_of(2)\nif text == '':\n    text = 'x'"),
    ("D102", "t = 'a'\nif (t or 'a') == 'a':\n    print('x')", "t or 'a'", "text = 'a'", "t = 'a'\nif t == '':\n    t = 'a'\nprint(t)"),
    ("D102", "t = 'x=y'\nv = t.split('=', 1)[1]\nprint(v)", "t.split('=', 1)[1]", "_, separator, v = t.partition('=')", "t = 'x=y'\n_, separator, v = t.partition('=')\nif separator == '':\n    return 1\nprint(v)"),
    ("D101", "first, *rest = arguments", "first, *rest = arguments", "use `arguments[0]`, and iterate over the remaining arguments, `arguments[1:]`", "print('')"),
    ("D102", "name = 'a'\nprint(len(name) > 3 and 'x' or 'y')", "len(name) > 3 and 'x' or 'y'", "'x' if len(name) > 3 else 'y'", "name = 'a'\nprint('x' if len(name) > 3 else 'y')"),
    ("D102", "name = 'a'\nx = name != '' and 'x' or 'y'\nprint(x)", "name != '' and 'x' or 'y'", "'x' if name != '' else 'y'", "name = 'a'\nx = 'x' if name != '' else 'y'\nprint(x)"),
    ("D104", "bad = 1\nn = int(bad > 0)\nprint(f'{n}')", "int", "n = 1 if bad > 0 else 0", "bad = 1\nn = 1 if bad > 0 else 0\nprint(f'{n}')"),
    ("D104", "bad = 1\nn = 1 + int(bad > 0) * 2\nprint(f'{n}')", "int", "number = 1 if bad > 0 else 0", "bad = 1\nnumber = 1 if bad > 0 else 0\nn = 1 + number * 2\nprint(f'{n}')"),
    ("D102", "if not 1 <= len(arguments) <= 2:\n    return 2\nprint(arguments[0])", "1 <= len(arguments) <= 2", "(1 <= len(arguments) and len(arguments) <= 2)", "if not (1 <= len(arguments) and 2 >= len(arguments)):\n    return 2\nprint(arguments[0])"),
    ("D102", "a, b = arguments\nprint(a, b)", "arguments", "if len(arguments) != 2:", "if len(arguments) != 2:\n    return 1\na = arguments[0]\nb = arguments[1]\nprint(a, b)"),
    ("D101", "local.env['A'] += ':/x'", "local.env['A'] += ':/x'", "local.env['A'] = local.env.get('A', \"\") + ':/x'", "local.env['A'] = local.env.get('A', '') + ':/x'"),
    ("D101", "t = 'b\\na'\nfor line in sorted(t.splitlines()):\n    print(line)", "sorted(t.splitlines())", "for line in (env[\"LC_ALL=C\", \"sort\"] << t)().splitlines():", "t = 'b\\na'\nfor line in (cat << t)().splitlines():\n    print(line)"),
    ("D104", "s = os.path.samefile('a', 'b')", "os.path.samefile", "same_file('a', 'b')", "s = same_file('a', 'b')\nif s:\n    pass"),
    ("D104", "p = local.which('x')", "local.which", "p = find_program('x')", "path = find_program('x')"),
    ("D104", "sys.exit(3)", "sys.exit", "return 3", "return 3"),
    ("D104", "t = os.environ.get('A')", "os.environ.get", "local.env.get('A', '')", "t = local.env.get('A', \"\")"),
    ("D104", "t = os.environ.get('A', 'b')", "os.environ.get", "local.env.get('A', 'b')", "t = local.env.get('A', 'b')"),
    ("D102", "t = os.environ['A']", "os.environ['A']", "local.env.get('A', \"\")", "t = local.env.get('A', \"\")"),
    ("D102", "t = local.env['HOME']", "local.env['HOME']", "local.env.get('HOME', \"\")", "t = local.env.get('HOME', \"\")"),
    ("D101", "os.environ['A'] = 'x'", "os.environ['A'] = 'x'", "local.env['A'] = 'x'", "local.env['A'] = 'x'"),
    ("D102", "if 'A' in os.environ:\n    pass", "'A' in os.environ", "'A' in local.env", "if 'A' in local.env:\n    pass"),
    ("D104", "x = 'a'\nif os.path.exists(x):\n    pass", "os.path.exists", "path = absolute(x)", "x = 'a'\npath = absolute(x)\nif path.exists():\n    pass"),
    ("D101", "x = 'a b'\nfor w in x.split(' '):\n    print(w)", "x.split(' ')", "rest = x + ' '", "rest = 'a b'\nwhile rest != \"\":\n    part, _, rest = rest.partition(' ')"),
    ("D101", "for line in sys.stdin:\n    print(line)", "sys.stdin", "read the whole input with `sys.stdin.read()`, and iterate", "text = sys.stdin.read()\nfor line in text.splitlines():\n    print(line)"),
    ("D104", "x = sys.stdin.readline()", "sys.stdin.readline", "The Status is 1 at the end of the input", "_, x = read_line()"),
    ("D104", "os.fsync(1)", "os.fsync", "run a program that does the same", "cat & FG"),
    ("D102", "x = os.replace", "os.replace", "call it with its argument", "x = 'a'"),
    ("D104", "x = sys.stdin.readlines()", "sys.stdin.readlines", "read the whole text with `sys.stdin.read()` or read_file", "text = sys.stdin.read()\nfor line in text.splitlines():\n    print(line)"),
    ("D101", "for x in sys.stdin.readlines():\n    print(x)", "sys.stdin.readlines()", "read the whole input with `sys.stdin.read()`, and iterate", "text = sys.stdin.read()\nfor line in text.splitlines():\n    print(line)"),
    ("D104", "x = input()", "input", "read_line returns a Status and the line, without its newline", "_, x = read_line()"),
    ("D105", "t = sys.stdin.read(5)", "sys.stdin.read(5)", "remove them. It reads the whole input", "t = sys.stdin.read()"),
    ("D201", "sys.stdin.read()", "sys.stdin.read()", "_ = sys.stdin.read()", "_ = sys.stdin.read()"),
    ("D104", "x = 'a'\ny = x.splitlines()", "x.splitlines", "iterate over the lines, as in `for line in text.splitlines():`", "x = 'a'\nfor line in x.splitlines():\n    print(line)"),
    ("D105", "x = 'a'\nfor y in x.splitlines(True):\n    print(y)", "x.splitlines(True)", "remove them. The lines are without line ends", "x = 'a'\nfor line in x.splitlines():\n    print(line)"),
    ("D101", "p = absolute('x')\nfor q in p // '*.log':\n    print(q)", "p // '*.log'", "sort the files, as in `sorted(p // '*.log')`", "p = absolute('x')\nfor q in sorted(p // '*.log'):\n    print(q)"),
    ("D101", "p = absolute('x')\nfor q in p.glob('*'):\n    print(q)", "p.glob('*')", "sort the files, as in `sorted(p // '*')`", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D101", "p = absolute('x')\nfor q in sorted(p.glob('*')):\n    print(q)", "sorted(p.glob('*'))", "sorted(p // '*')", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D101", "p = absolute('x')\nfor q in sorted(p.glob('?')):\n    print(q)", "sorted(p.glob('?'))", "iterate over the files of a Path, as in `for path in sorted(", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D101", "p = absolute('x')\nfor q in p.list():\n    print(q)", "p.list()", "as in `sorted(p // '*')`, which leaves out hidden files", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D101", "for n in os.listdir('x'):\n    print(n)", "os.listdir('x')", "iterate over the files of a Path, as in `for path in sorted(", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D104", "p = absolute('x')\nn = p.list()", "p.list", "iterate over the files of a Path, as in `for path in sorted(", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D102", "p = absolute('x')\nq = p // '*'", "p // '*'", "write a loop, as in `for path in sorted(p // '*'):`", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D105", "p = absolute('x')\nfor q in sorted(p // '*', reverse=True):\n    print(q)", "sorted(p // '*', reverse=True)", "in ascending order", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D105", "p = absolute('x')\nfor q in sorted(p // 'y'):\n    print(q)", "'y'", "test a single file with `.exists()`", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D105", "p = absolute('x')\nt = '*'\nfor q in sorted(p // t):\n    print(q)", "t", "write it here, as in `sorted(directory // ", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D105", "p = absolute('x')\nfor q in sorted(p // 'y/*'):\n    print(q)", "'y/*'", "join the directory first, as in `directory / ", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D101", "n = 5\nfor x in n:\n    pass", "n", "iterate over a tuple, `range(3)`, `text.splitlines()`, `sorted(", "for x in ('a', 'b'):\n    print(x)"),
    ("D104", "x = os.system('ls')", "os.system", "run it with `& FG`, or for its status with", "cat & FG"),
    ("D104", "cat.run_fg()", "cat.run_fg", "run a command with `& FG`, on a line of its own", "cat & FG"),
    ("D104", "x = '/tmp'\nos.chdir(x)", "os.chdir", "if change_directory(x) != 0:", "x = '/tmp'\nif change_directory(x) != 0:\n    return 1"),
    ("D104", "x = os.chdir('/')", "os.chdir", "change_directory changes the working directory. It returns a Status", "if change_directory('/') != 0:\n    return 1"),
    ("D104", "x = 'a b'\na, b = x.split(' ', 2)", "x.split", "iterate over its parts", "rest = 'a b'\na, _, b = rest.partition(' ')"),
    ("D104", "a = next('x')", "next", "only a for loop can advance", "for a in arguments:\n    print(a)"),
    ("D104", "x = cat().split('\\n')", "cat().split", "for line in text.splitlines():", "for line in cat().splitlines():\n    print(line)"),
    ("D101", "for x in sorted(cat().split('\\n')):\n    print(x)", "sorted(cat().split('\\n'))", "if newlines are the only line ends, run env", "print('x')"),
    ("D104", "n = 1\nt = {0: 'up'}.get(n, 'down')", "{0: 'up'}.get", "choose with if and elif", "n = 1\nif n == 0:\n    print('up')"),
    ("D102", "n = 5\nt = 'x'\nprint(f'{t:<{n}}')", "t", "the width must be a literal number", "t = 'x'\nwhile len(t) < 5:\n    t += ' '\nprint(t)"),
    ("D302", "p = 'x'\np = absolute(p)\nprint(f'{p}')", "p", "use another name, also below: `p_2 = absolute(p)`", "p = 'x'\np_2 = absolute(p)\nif p_2.exists():\n    print('x')"),
    ("D104", "a = getattr(cat, 'x')", "getattr", "use if, for and while", "a = cat('x')"),
    ("D104", "p = absolute('x')\nt = p.read()", "p.read", "status, t = read_file(p)", "p = absolute('x')\nstatus, text = read_file(p)"),
    ("D102", "a = sys.argv[1]", "sys.argv[1]", "iterate over the arguments of main, declared as", "for argument in arguments:\n    print(argument)"),
    # main's arguments
    ("D102", "c = cat[arguments]", "arguments", "for argument in arguments:", "c = cat\nfor argument in arguments:\n    c = c[argument]"),
    ("D102", "if 'x' in arguments:\n    return 2", "arguments", "for argument in arguments:", "for a in arguments:\n    if a == 'x':\n        return 2"),
    ("D101", "for a in sys.argv[1:]:\n    print(a)", "sys.argv[1:]", "iterate over the arguments of main, declared as", "for argument in arguments:\n    print(argument)"),
    ("D101", "for a, b in ('x', 'y'):\n    print(a + b)", "a, b", "use one loop variable", "for a in ('x', 'y'):\n    print(a)"),
    # Operators and expressions
    ("D102", "t = '-' * 3", "'-' * 3", "'---'", "t = '---'"),
    ("D102", "n = 5\nt = '%d' % n", "'%d' % n", "f'{n}'", 'n = 5\nt = f"{n}"'),
    ("D102", "n = 5\nt = '%-9s|%4s|%05d|%-3d|%2s' % ('a', 'b', n, n, n)", "'%-9s|%4s|%05d|%-3d|%2s' % ('a', 'b', n, n, n)", """f"{'a':<9}|{'b':>4}|{n:05}|{n:<3}|{n:2}\"""", "n = 5\nt = f'{n:05}|{n:<3}'"),
    ("D104", "n = 5\nt = '{:<9}|{:4}|{:05d}|{}'.format('a', 'b', n, n)", "'{:<9}|{:4}|{:05d}|{}'.format", """f"{'a':<9}|{'b':4}|{n:05d}|{n}\"""", "n = 5\nt = f'{n:05d}|{n:<3}'"),
    ("D102", "n = 5\nt = '%s: %d!' % ('a', n)", "'%s: %d!' % ('a', n)", "f'a: {n}!'", "n = 5\nt = f'a: {n}!'"),
    ("D102", "n = 7 / 2", "7 / 2", "`//` divides integers, and rounds down", "n = 7 // 2"),
    ("D102", "m = 7\nn = m / 2", "m / 2", "`//` divides integers, and rounds down", "m = 7\nn = m // 2"),
    ("D102", "a = 1\nif a not in [1, 2]:\n    pass", "a not in [1, 2]", "a not in (1, 2)", "a = 1\nif a not in (1, 2):\n    pass"),
    ("D102", "a = 1\nif a in {1}:\n    pass", "a in {1}", "write the items in parentheses: `a in (1,)`", "a = 1\nif a in (1,):\n    pass"),
    ("D102", "a = 1\nif a in ['x']:\n    pass", "a in ['x']", "use items of one type", "a = 'a'\nif a in ('x',):\n    pass"),
    ("D102", "a = 1\nif a in ():\n    pass", "a in ()", "remove the comparison", "a = 1\nprint(f'{a}')"),
    ("D102", "p = absolute('x')\nif p.exists:\n    pass", "p.exists", "p.exists()", "p = absolute('x')\nif p.exists():\n    pass"),
    ("D303", "p = own_temporary('x')\nq = p", "'x'", "path = absolute('x')", "path = absolute('x')\np = own_temporary(path)\nprint(p)"),
    ("D303", "p = absolute('x')\nlocal.env['X'] = p", "p", 'use an f-string: `f"{p}"`', "p = absolute('x')\nlocal.env['X'] = f'{p}'"),
    ("D303", "p = absolute('x')\nprint(local.env.get('X', p))", "p", 'use an f-string: `f"{p}"`', "p = absolute('x')\nprint(local.env.get('X', f'{p}'))"),
    ("D303", "p = absolute('x')\nprint(local.env.get('X') or p)", "p", 'use an f-string: `f"{p}"`', "p = absolute('x')\nprint(local.env.get('X') or f'{p}')"),
    ("D302", "t = 'a'\nif t != 'b':\n    t = absolute('x')\nprint(t)", "t", """use an f-string: `t = f"{absolute('x')}"`""", "t = 'a'\nif t != 'b':\n    t = f\"{absolute('x')}\"\nprint(t)"),
    ("D302", "p = absolute('x')\nt = 'a' if p.exists() else p\nprint(t)", "p", 'use an f-string: `f"{p}"`', "p = absolute('x')\nt = 'a' if p.exists() else f'{p}'\nprint(t)"),
    ("D302", "p = absolute('x')\nt = p if p.exists() else 'a'\nprint(t)", "p", 'use an f-string: `f"{p}"`', "p = absolute('x')\nt = f'{p}' if p.exists() else 'a'\nprint(t)"),
    ("D303", "p = absolute('x')\nfor t in ('a', p):\n    print(t)", "p", 'use an f-string: `f"{p}"`', "p = absolute('x')\nfor t in ('a', f'{p}'):\n    print(t)"),
    ("D303", "p = absolute('x')\na, _, b = p.partition(':')\nprint(a + b)", "p", 'text = f"{p}"', "p = absolute('x')\nt = f'{p}'\na, _, b = t.partition('/')\nprint(a + b)"),
    ("D102", "x = 'a '\nt = x.strip() or 'b'\nprint(t)", "x.strip() or 'b'", "t = x.strip()\n", "x = 'a '\nt = x.strip()\nif t == '':\n    t = 'b'\nprint(t)"),
    ("D102", "t = 'a'\nt = cat['/dev/null']() or t\nprint(t)", "cat['/dev/null']() or t", "text = cat['/dev/null']()", "t = 'a'\nprint(t)"),
    ("D102", "t = cat['/dev/null']() or 'b'\nprint(t)", "cat['/dev/null']() or 'b'", "t = cat['/dev/null']()", "t = 'b'\nprint(t)"),
    ("D102", "t = 'a b c'\nx = t.split()[1]\nprint(x)", "t.split()[1]", "number = -1", "t = 'a b c'\nx = ''\nnumber = -1\nfor part in t.split():\n    number += 1\n    if number == 1:\n        x = part\nprint(x)"),
    ("D102", "t = 'a b c'\nt = t.split()[2]\nprint(t)", "t.split()[2]", "text = part", "t = 'a b c'\nt = t[:1]\nprint(t)"),
    ("D102", "t = 'a b c'\nprint(t.split()[-1])", "t.split()[-1]", "for text in t.split():", "t = 'a b c'\nfor part in t.split():\n    print(part)"),
    ("D102", "t = 'a:b:c'\nprint(t.split(':')[2])", "t.split(':')[2]", "for part in t.split(':'):", "t = 'a:b:c'\nfor part in t.split(':'):\n    print(part)"),
    ("D102", "x = printf('%s', '1 2').split()[0]\nprint(x)", "printf('%s', '1 2').split()[0]", "for part in printf('%s', '1 2').split():", "x = ''\nfor part in printf('%s', '1 2').split():\n    x = part\nprint(x)"),
    ("D104", "t = '7 8'\nn = int(t.split()[1])\nprint(n)", "int", "status, n = parse_int(text.strip())", "t = '7'\nstatus, n = parse_int(t)\nprint(status, n)"),
    ("D104", "t = 'a:8'\nn = int(t.split(':')[1]) + 1\nprint(n)", "int", "status, number = parse_int(text.strip())", "t = '7'\nstatus, n = parse_int(t)\nprint(status, n)"),
    ("D102", "n = 1\nn += n == 1\nprint(n)", "n == 1", "n += 1 if n == 1 else 0", "n = 1\nn += 1 if n == 1 else 0\nprint(n)"),
    ("D305", "t = 'a'\nif not t:\n    return 1", "not t", 't == ""', "t = 'a'\nif t == '':\n    return 1"),
    ("D104", "names = set()", "set", "test with `f\"\\n{name}\\n\" in names`", "names = '\\n'\nnames += 'a\\n'\nif '\\na\\n' in names:\n    print(names)"),
    ("D101", "for name in 'a\\nb'.splitlines()[:1]:\n    print(name)", "'a\\nb'.splitlines()[:1]", 'head["-n", "5"]', "for name in (cat << 'a')().splitlines():\n    print(name)"),
    ("D101", "for name in reversed('a\\nb'.splitlines()):\n    print(name)", "reversed('a\\nb'.splitlines())", 'lines = f"{line}\\n{lines}"', "lines = ''\nfor line in 'a\\nb'.splitlines():\n    lines = f'{line}\\n{lines}'\nfor line in lines.splitlines():\n    print(line)"),
    ("D101", "for a, b, c in os.walk('x'):\n    print(a)", "a, b, c", "run the program find", "for a in cat('x').splitlines():\n    print(a)"),
    ("D101", "with open('f', 'w') as f:\n    f.write('x')", "with open('f', 'w') as f:", "if write_file('f', 'x') != 0:", "if write_file('f', 'x') != 0:\n    return 1"),
    ("D303", "print(same_file('a', 'b'))", "same_file('a', 'b')", "choose the text with if and else", "if same_file('a', 'b'):\n    print('True')"),
    ("D303", "print(f\"{same_file('a', 'b')}\")", "same_file('a', 'b')", "choose the text with if and else", "if same_file('a', 'b'):\n    print('True')"),
    ("D101", "for t in sys.stdin.read().strip(':'):\n    print(t)", "sys.stdin.read().strip(':')", "read the whole input with", "print('a')"),
    ("D101", "for t in 'a'.split('aa'):\n    print(t)", "'a'.split('aa')", "the separator must be one ASCII", "print('a')"),
    ("D102", "p = absolute('x')\nprint(f'{p:<9}|')", "p", 'text = f"{p}"', "p = absolute('x')\ntext = f'{p}'\nprint(f'{text:<9}|')"),
    ("D105", "cat('x', cwd='/')", "cwd='/'", 'env["-C", \'/\', "make"]()', "cat('x')"),
    ("D105", "cat('x', env={'A': 'b'})", "env={'A': 'b'}", "env[\"NAME=VALUE\"", "cat('x')"),
    ("D104", "p = absolute('x')\nif p.access('rw'):\n    pass", "p.access", '"r", "w" or "x"', "p = absolute('x')\nif p.access('r'):\n    pass"),
    ("D104", "if os.path.isabs('x'):\n    pass", "os.path.isabs", 'text.startswith("/")', "if 'x'.startswith('/'):\n    pass"),
    ("D303", "print(f'{cat}')", "cat", "write the program's name", "print('cat')"),
    ("D105", "p = absolute('x')\nfor q in sorted(p // '*', reverse=True):\n    print(q)", "sorted(p // '*', reverse=True)", 'paths = f"{q}\\n{paths}"', "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D104", "n = int(os.environ.get('A', 8080))\nprint(n)", "int", "status, n = parse_int(local.env.get('A', '8080').strip())", "status, n = parse_int(local.env.get('A', '8080'))\nprint(status, n)"),
    ("D104", "n = int(os.getenv('A', '7'))\nprint(n)", "int", "status, n = parse_int(local.env.get('A', '7').strip())", "status, n = parse_int(local.env.get('A', '7'))\nprint(status, n)"),
    ("D101", "t = 'b\\na'\nfor x in sorted(t.splitlines()):\n    print(x)", "sorted(t.splitlines())", 'At the top: `env = program("env")`', "t = 'b\\na'\nfor x in t.splitlines():\n    print(x)"),
    ("D101", "t = 'aü\\n'\nfor c in t:\n    print(c)", "t", "c = t[index:index + 1]", "t = 'aü\\n'\nindex = -1\nwhile index + 1 < len(t):\n    index += 1\n    c = t[index:index + 1]\n    print(c)"),
    ("D303", "t = 'abc'\nif t < 'abd':\n    print(t)", "t < 'abd'", "run the program sort", "t = 'abc'\nprint(t)"),
    ("D204", "t = 'a'\nif (t if t == 'a' else 'b') == 'a' and true & TF and local.env.get('A', '') == (t if t == 'a' else 'b'):\n    print(t)", "t if t == 'a' else 'b'", "in a nested `if`", "t = 'a'\nprint(t)"),
    ("D104", "n = int('a.7'.rpartition('.')[2])\nprint(n)", "int", "_, _, text = 'a.7'.rpartition('.')", "_, _, t = 'a.7'.rpartition('.')\nstatus, n = parse_int(t)\nprint(status, n)"),
    ("D102", "t = 'k=v'\nprint(t.partition('=')[2])", "t.partition('=')[2]", "_, _, text = t.partition('=')", "t = 'k=v'\n_, _, v = t.partition('=')\nprint(v)"),
    ("D104", "t = 'a,b,c'\nn = t.count(',')\nprint(n)", "t.count", "for _ in t.split(','):", "t = 'a,b,c'\nn = -1\nfor _ in t.split(','):\n    n += 1\nprint(n)"),
    ("D102", "n = 3\nprint(n ** 2)", "n ** 2", "n * n", "n = 3\nprint(n * n)"),
    ("D102", "n = -7\nprint(n >> 1)", "n >> 1", "n // 2", "n = -7\nprint(n // 2)"),
    ("D102", "n = 3\nprint((n + 1) << 4)", "(n + 1) << 4", "(n + 1) * 16", "n = 3\nprint((n + 1) * 16)"),
    ("D305", "if name_of(1):\n    print('x')", "name_of(1)", 'name_of(1) != ""', "if name_of(1) != '':\n    print('x')"),
    ("D305", "if not name_of(1):\n    print('x')", "not name_of(1)", 'name_of(1) == ""', "if name_of(1) == '':\n    print('x')"),
    ("D104", "t = 'a,b,c'\nx, y, z = t.split(',')\nprint(z + y + x)", "t.split", "x, _, rest = t.partition(',')", "t = 'a,b,c'\nx, _, rest = t.partition(',')\ny, found, z = rest.partition(',')\nif found == '' or ',' in z:\n    return 1\nprint(z + y + x)"),
    ("D102", "t = 'abc'\nn = 1\nprint(t[n])", "t[n]", "t[n:n + 1]", "t = 'abc'\nn = 1\nprint(t[n:n + 1])"),
    ("D102", "t = 'abc'\nprint(t[0])", "t[0]", "t[:1]", "t = 'abc'\nprint(t[:1])"),
    ("D102", "t = 'abc'\nprint(t[2])", "t[2]", "t[2:3]", "t = 'abc'\nprint(t[2:3])"),
    ("D102", "t = 'abc'\nprint(t[-1])", "t[-1]", "t[-1:]", "t = 'abc'\nprint(t[-1:])"),
    ("D102", "t = 'abc'\nprint(t[-3])", "t[-3]", "t[-3:-2]", "t = 'abc'\nprint(t[-3:-2])"),
    ("D102", "t = 'abc'\nprint(t[::-1])", "t[::-1]", "`text[start:end]`. It has no step", "t = 'abc'\nprint(t[1:2])"),
    ("D102", "t = 'a'\nif t[0] != '#':\n    pass", "t[0] != '#'", "not t.startswith('#')", "t = 'a'\nif not t.startswith('#'):\n    pass"),
    ("D303", "if 'a' != 'b':\n    return (wc | wc) & TF", "(wc | wc) & TF", "1 if (wc | wc) & TF else 0", "return (wc | wc) & RETCODE"),
    ("D303", "if 'a' != 'b':\n    return true & TF(FG=True)", "true & TF(FG=True)", "1 if true & TF(FG=True) else 0", "return true & RETCODE(FG=True)"),
    ("D102", "b = 'x' != 'y'\nb and print('a')", "b and print('a')", "if b:", "b = 'x' != 'y'\nif b:\n    print('a')"),
    ("D101", "t = 'a b'\nfirst, *rest = t.split()", "first, *rest = t.split()", "first, _, rest = text.partition", "t = 'a b'\nfirst, _, rest = t.partition(' ')"),
    ("D105", "p = absolute('x')\nfor q in sorted(p // '**/*'):\n    print(q)", "'**/*'", "run the program find", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D203", "cat('x') > 'a'", "cat('x') > 'a'", "(cat['x'] > 'a')()", "(cat['x'] > 'a')()"),
    ("D203", "cat('x') | wc", "cat('x') | wc", "run it: `(cat['x'] | wc) & FG`", "(cat['x'] | wc)()"),
    ("D303", "cat('x') & FG", "cat('x')", "use square brackets, which do not run it: `cat['x']`", "cat['x'] & FG"),
    ("D305", "if cat('x'):\n    pass", "cat('x')", "cat['x'] & TF", "if cat['x'] & TF:\n    pass"),
    ("D303", "if 'a' != 'b':\n    return true & TF", "true & TF", "1 if true & TF else 0", "return true & RETCODE"),
    ("D303", "x = 2\nif x != 3:\n    return x > 1", "x > 1", "1 if x > 1 else 0", "return 0 if 2 > 1 else 1"),
    ("D102", "x = 2 > 1\nif x is not True:\n    pass", "x is not True", "test it directly: `not x`", "x = 2 > 1\nif not x:\n    pass"),
    ("D104", "n = int(cat('x'))\nprint(n)", "int", "parse_int(cat('x').strip())", "status, n = parse_int(cat('x').strip())\nprint(status, n)"),
    ("D104", "now = int(time.time())\nif now > 0:\n    print('x')", "int", "now_ms() // 1000", "now = now_ms() // 1000\nprint(now)"),
    ("D104", "n = int(cat('x').strip())\nprint(n)", "int", "= parse_int(cat('x').strip())", "status, n = parse_int(cat('x').strip())\nprint(status, n)"),
    ("D105", "x = 'a'\nprint(x, file=sys.stdout)", "file=sys.stdout", "remove it. print writes to stdout", "print('a')"),
    ("D104", "x = 'a'\nsys.stdout.write(x)", "sys.stdout.write", 'print(x, end="")', "print('a', end='')"),
    ("D304", "if 3 == '3':\n    pass", "'3'", "write the number: `3`", "if 3 == 3:\n    pass"),
    ("D101", "x = 'a'\nwith open(x, 'a') as f:\n    pass", "with open(x, 'a') as f:", "run the program printf, and redirect it", "(printf['%s', 'a'] >> 'x')()"),
    ("D101", "for line in open('x'):\n    print(line)", "open('x')", "read the whole text with", "_, t = read_file('x')\nfor line in t.splitlines():\n    print(line)"),
    ("D102", "cat & TF or print('a')", "cat & TF or print('a')", "if not cat & TF:", "if not cat & TF:\n    print('a')"),
    ("D101", "for line in 'a'.splitlines()[1:]:\n    print(line)", "'a'.splitlines()[1:]", "select lines with the programs head and tail", "_, _, rest = 'a'.partition('\\n')\nfor line in rest.splitlines():\n    print(line)"),
    ("D102", "x = 'a'\nprint(f\"{x or 'b'}\")", "x or 'b'", 'if text == "":', "x = 'a'\nprint(x)"),
    ("D102", "print('a') if cat & TF else print('b')", "print('a') if cat & TF else print('b')", "if cat & TF:", "if cat & TF:\n    print('a')"),
    ("D102", "cat['-d', *arguments] & FG", "arguments", "command = command[argument]", "command = cat['-d']\nfor argument in arguments:\n    command = command[argument]\ncommand & FG"),
    ("D102", "print(sys.argv[0])", "sys.argv[0]", "script_path", "path = script_path()\nprint(path)"),
    ("D102", "p = absolute('x')\nprint(p.basename)", "p.basename", '_, _, text = p.rpartition("/")', "p = absolute('x')\n_, _, text = p.rpartition('/')\nprint(text)"),
    ("D303", "print(local.env.get('LIMIT', 5))", "5", "write it as text: `'5'`", "print(local.env.get('LIMIT', '5'))"),
    ("D303", "status = read_file('x')", "status = read_file('x')", "status, text = read_file('x')", "status, _ = read_file('x')"),
    ("D104", "n = int(arguments[0]) if len(arguments) > 0 else 5\nprint(f'{n}')", "int", "parse_int", "n = 5"),
    ("D104", "t = '5'\nkb = float(t) / 1024", "float", "smaller unit", "n = 5 // 2"),
    ("D104", "n = round(5, 1)", "round", "rounds down", "n = 5 // 2"),
    ("D104", "t = 'a'.ljust(5)", "'a'.ljust", "{text:<10}", "t = 'a'\nprint(f'{t:<5}')"),
    ("D101", "for t in 'a b'.split(' '):\n    print(t)", "'a b'.split(' ')", "rest += ' '", "for t in 'a b'.split():\n    print(t)"),
    ("D202", "(cat > '/dev/stderr') & FG", "'/dev/stderr'", "file=sys.stderr", "cat & FG"),
    ("D202", "_ = (cat >= '/dev/stdout') & RETCODE", "'/dev/stdout'", ">= ERROUT", "_ = (cat >= ERROUT) & RETCODE"),
    ("D102", "t = 'abc'\ncat[*t] & FG", "t", "remove the `*`", "t = 'abc'\ncat[t] & FG"),
    ("D303", "print(cat['x'])", "cat['x']", "run it with `& CAPTURE`, which returns its output", "status, text = cat['x'] & CAPTURE\nprint(text)"),
    ("D104", "d = dict(a=1)\nd['b'] = 2\nd.c = 3\ndel d['b']", "dict", "a variable for each value", "a = 1"),
    ("D102", "a = 'x'\nif a == None:\n    pass", "a == None", 'use "" for a missing text. With another type, also return', "a = 'x'\nif a == \"\":\n    pass"),
    ("D102", "a = 'x'\nif a is None:\n    pass", "a is None", 'use "" for a missing text. With another type, also return', "a = 'x'\nif a == \"\":\n    pass"),
    ("D102", "a = 1\nif a is not 2:\n    pass", "a is not 2", "a != 2", "a = 1\nif a != 2:\n    pass"),
    ("D101", "for x in ['a']:\n    y = x\nprint(y)", "['a']", "('a',)", "for x in ('a',):\n    print(x)"),
    ("D102", "while (t := read_line()[1]) != '':\n    print(t)", "t := read_line()[1]", "use `while True:`. Assign it there", "while True:\n    s, t = read_line()\n    if s != 0:\n        break\n    print(t)"),
    ("D102", "if (n := try_it('x')) == 0:\n    print(f'{n}')", "n := try_it('x')", "n = try_it('x')", "n = try_it('x')\nif n == 0:\n    print(f'{n}')"),
    ("D102", "f = lambda x: x\nprint(f('x'))", "lambda x: x", "define a function with def", "print('x')"),
    ("D102", "a = 'x'\nb = a or 'y'\nprint(b)", "a or 'y'", 'if b == "":', "a = 'x'\nb = a\nif b == '':\n    b = 'y'"),
    ("D305", "a = true & TF\nif a == True:\n    pass", "a == True", "test it directly: `a`", "a = true & TF\nif not a:\n    pass"),
    ("D305", "if cat('x') == False:\n    pass", "cat('x') == False", "test it directly, or with `not`", "if not cat & TF:\n    pass"),
    ("D305", "if true & TF == False:\n    pass", "true & TF == False", "not true & TF", "if not true & TF:\n    pass"),
    ("D303", "n = parse_int('5')\nprint(f'{n}')", "n = parse_int('5')", "status, n = parse_int('5')", "n, _ = parse_int('5')"),
    # Redirections
    ("D202", "cat > 'a' >= 'b'", "cat > 'a' >= 'b'", "((cat > 'a') >= 'b') & FG", "((cat > 'a') >= 'b') & FG"),
    ("D202", "if cat > 'a' >= 'b':\n    pass", "cat > 'a' >= 'b'", "((cat > 'a') >= 'b') & TF", "if ((cat > 'a') >= 'b') & TF:\n    pass"),
    ("D203", "cat > 'a'", "cat > 'a'", "run it: `(cat > 'a') & FG`", "(cat > 'a') & FG"),
    ("D203", "cat['x'] >> 'a'", "cat['x'] >> 'a'", "run it: `(cat['x'] >> 'a') & FG`", "(cat['x'] >> 'a') & FG"),
    ("D202", "ok = cat > 'a' & TF\nif ok:\n    pass", "cat > 'a' & TF", "ok = (cat > 'a') & TF", "ok = (cat > 'a') & TF\nif ok:\n    pass"),
    ("D202", "s = cat > 'a' & RETCODE\nif s != 0:\n    return 3\nprint('x')", "cat > 'a' & RETCODE", "s = (cat > 'a') & RETCODE", "s = (cat > 'a') & RETCODE\nif s != 0:\n    return 3\nprint('x')"),
    ("D202", "a, b = cat < 'a' & CAPTURE\nprint(b)", "cat < 'a' & CAPTURE", "a, b = (cat < 'a') & CAPTURE", "a, b = (cat < 'a') & CAPTURE\nprint(b)"),
    ("D202", "cat >= 'a' & RETCODE", "cat >= 'a' & RETCODE", "_ = (cat >= 'a') & RETCODE", "_ = (cat >= 'a') & RETCODE"),
    ("D203", "c = cat > 'a'\nif c & TF:\n    pass", "cat > 'a'", "redirect it where it runs, as in `(cat > 'a') & RETCODE`", "c = (cat > 'a') & RETCODE"),
    ("D202", "s = (cat < 'a' < 'b') & RETCODE", "cat < 'a' < 'b'", "remove one of the redirections", "s = (cat < 'b') & RETCODE"),
    ("D303", "if cat == 'x':\n    pass", "cat == 'x'", "capture its output with `& CAPTURE`, and compare the text", "status, text = cat & CAPTURE\nif text == 'x':\n    pass"),
    ("D202", "_, t = (cat > 'a') & CAPTURE\nprint(t)", "cat > 'a'", "write to the file with `(cat > 'a') & RETCODE`, or capture", "status = (cat > 'a') & RETCODE"),
    ("D105", "print('a', 'b', sep='', end='')", "sep=''", "join the values with an f-string", "print('ab')"),
    ("D303", "print(cat['x'] & TF)", "cat['x'] & TF", "choose the text with if and else", "if cat['x'] & TF:\n    print('yes')"),
    ("D303", "a = 'x'\nprint('x', a == 'b')", "a == 'b'", "choose the text with if and else", "a = 'x'\nif a == 'b':\n    print('x')"),
    ("D104", "a = 'x'\nif a.startwith('x'):\n    pass", "a.startwith", "did you mean `startswith`?", "a = 'x'\nif a.startswith('x'):\n    pass"),
    ("D105", "a = 'x'\nif a.endswith(('.gz', '.xz')):\n    pass", "a.endswith(('.gz', '.xz'))", "join the tests: `a.endswith('.gz') or a.endswith('.xz')`", "a = 'x'\nif a.endswith('.gz') or a.endswith('.xz'):\n    pass"),
    ("D105", "a = 'x'\nif not a.endswith(('.gz', '.xz')):\n    pass", "a.endswith(('.gz', '.xz'))", "join the tests: `(a.endswith('.gz') or a.endswith('.xz'))`", "a = 'x'\nif not (a.endswith('.gz') or a.endswith('.xz')):\n    pass"),
    ("D105", "a = 'x'\nif a.endswith((*arguments, 'x')):\n    pass", "a.endswith((*arguments, 'x'))", "assign the text, and join its tests", "a = 'x'\nif a.endswith('.gz') or a.endswith('.xz'):\n    pass"),
    ("D104", "a = 'x'\nif a.startswith('x', 1):\n    pass", "a.startswith", "it takes one argument", "a = 'x'\nif a.startswith('x'):\n    pass"),
    ("D102", "a = 'x'\nprint(a or 'unknown')", "a or 'unknown'", "text = a", "a = 'x'\nprint(a if a != '' else 'unknown')"),
    ("D104", "a, b = os.path.split('x')", "os.path.split", "make a Path with absolute", "a = absolute('x')\nprint(a)"),
    ("D104", "a = 'x'\nb = a.rsplit('.', 1)", "a.rsplit", "at the last separator with rpartition", "a = 'x'\n_, _, b = a.rpartition('.')\nprint(b)"),
    ("D104", "a = 'x'\nb = a.strip(a)", "a.strip", "as in `text.strip(\" \")`", "a = 'x'\nb = a.strip(' ')\nprint(b)"),
    ("D102", "a = 'x:y'\nif a.partition(':')[0] == 'x':\n    print(a)", "a.partition(':')[0]", "text, _, _ = a.partition(':')", "a = 'x:y'\nb, _, _ = a.partition(':')\nprint(b)"),
    ("D104", "a = os.path.expanduser('~/x')", "os.path.expanduser", "read HOME with", "a = absolute('x')\nprint(a)"),
    ("D105", "a = 'x'\nb = a.replace('x', 'y', 1)", "a.replace('x', 'y', 1)", "it takes two Strs", "a = 'x'\nb = a.replace('x', 'y')\nprint(b)"),
    ("D102", "a = 'x'\nprint(f'{a=}')", "a", "write the value without `!` or `=`", "a = 'x'\nprint(f'a={a}')"),
    ("D101", "for i, a in enumerate(arguments):\n    print(a)", "i, a", "begin the loop with `number += 1`", "for a in arguments:\n    print(a)"),
    ("D101", "for i, a in enumerate(arguments, 1):\n    print(f'{i}: {a}')", "i, a", "i = 0\nfor a in arguments:\n    i += 1", "i = 0\nfor a in arguments:\n    i += 1\n    print(f'{i}: {a}')"),
    ("D101", "t = 'a\\nb'\nfor i, a in enumerate(t.splitlines()):\n    print(f'{i}: {a}')", "i, a", "i = -1\nfor a in t.splitlines():\n    i += 1", "i = -1\nfor a in 'a'.splitlines():\n    i += 1\n    print(f'{i}: {a}')"),
    ("D102", "printf[arguments] & FG", "arguments", "command = command[argument]", "command = printf\nfor argument in arguments:\n    command = command[argument]\ncommand & FG"),
    ("D305", "text = 'x'\nif text == 'a' or 'b':\n    print(text)", "text == 'a' or 'b'", "text in ('a', 'b')", "text = 'x'\nif text in ('a', 'b'):\n    print(text)"),
    ("D305", "number = 3\nif number == 4 or 5 or 6:\n    print('x')", "number == 4 or 5 or 6", "number in (4, 5, 6)", "number = 3\nif number in (4, 5, 6):\n    print('x')"),
    ("D305", "text = 'x'\nif 'a' and 'b' in text:\n    print(text)", "'a' and 'b' in text", "'a' in text and 'b' in text", "text = 'x'\nif 'a' in text and 'b' in text:\n    print(text)"),
    ("D304", "if cat('x') != 0:\n    return 1", "cat('x')", "(cat['x'] & RETCODE)", "if (cat['x'] & RETCODE) != 0:\n    return 1"),
    ("D104", "text = 'a,b'\n_, _ = text.split(',')\nprint(text)", "text.split", "_, separator, rest = text.partition", "text = 'a,b'\nprint(text)"),
    ("D102", "text = 'x'\nif text[0] in 'abc':\n    print(text)", "text[0]", "as in `text[:1] in (\"a\", \"b\")`", "text = 'x'\nif text[:1] in ('a', 'b', 'c'):\n    print(text)"),
    ("D104", "text = 'a,b'\na, _ = text.split(',')\nprint(a)", "text.split", "a, separator, rest = text.partition", "text = 'a,b'\na, s, rest = text.partition(',')\nif s == '' or ',' in rest:\n    return 1\nprint(a)"),
    ("D301", "print((tr['a-z', 'A-Z'] << 'x')())", "tr", "bind the program at the top: `tr = program(\"tr\")`", "print((cat['a-z'] << 'x')())"),
    ("D105", "t = cat('-', stdin='x')\nprint(t)", "stdin='x'", "as in `(cat['-'] << 'x')()`, or for a file `(cat['-'] < path)()`", "t = (cat['-'] << 'x')()\nprint(t)"),
    ("D102", "last = arguments[-1]\nprint(last)", "arguments", "an argument is needed\", file=sys.stderr)\n    return 1\nlast = \"\"", "if len(arguments) == 0:\n    return 1\nlast = ''\nfor a in arguments:\n    last = a\nprint(last)"),
    ("D102", "print(f'{arguments[-1]}')", "arguments", "take the last one in a loop", "for a in arguments:\n    print(a)"),
    ("D102", "for a in sorted(arguments):\n    print(a)", "arguments", "with the program env, as in `(env[\"LC_ALL=C\", \"sort\"] << text)()`", "text = ''\nfor a in arguments:\n    text += f'{a}\\n'\nfor line in (cat << text)().splitlines():\n    print(line)"),
    ("D102", "if (n := len(arguments)) > 2:\n    print(f'{n}')", "n := len(arguments)", "n = len(arguments)\nif n > 2:", "n = len(arguments)\nif n > 2:\n    print(f'{n}')"),
    ("D104", "n = 5\nm = int(n / 2)\nprint(f'{m}')", "int", "`//` divides integers, and rounds down", "n = 5\nm = n // 2\nprint(f'{m}')"),
    ("D102", "if '-v' in arguments:\n    pass", "arguments", "for argument in arguments:", "for a in arguments:\n    if a == '-v':\n        print('v')"),
    ("D101", "import subprocess", "import subprocess", "run it with `& CAPTURE`", "status, text = cat & CAPTURE"),
    ("D104", "if local.which('jq'):\n    pass", "local.which", "if text != \"\":", "text = find_program('jq')\nif text != '':\n    pass"),
    ("D104", "n = 1\nos.umask(n)", "os.umask", "the mask must be a literal, such as 0o077", "os.umask(0o077)"),
    ("D101", "del local.env['A'], local.env['B']", "del local.env['A'], local.env['B']", "local.env.pop", "local.env.pop('A', '')\nlocal.env.pop('B', '')"),
    ("D101", "del local.env['A']", "del local.env['A']", 'local.env.pop(\'A\', "")', "local.env.pop('A', '')"),
    ("D104", "local.env.pop('A')", "local.env.pop", 'local.env.pop(\'A\', "")', "local.env.pop('A', '')"),
    ("D104", "t = local.env.pop('A', '')\nprint(t)", "local.env.pop", "t = local.env.get('A', '')", "t = local.env.get('A', '')\nlocal.env.pop('A', '')\nprint(t)"),
    ("D303", "c = program('ls')\n_ = c & RETCODE", "program('ls')", "at the top", "_ = true & RETCODE"),
    ("D303", "t = 'ls'\n_ = program(t) & RETCODE", "program(t)", "make a Path of a Str that has a slash with absolute", "t = 'ls'\npath = absolute(t)\n_ = program(path) & RETCODE"),
    ("D105", "_ = program() & RETCODE", "program()", "program(path)", "path = absolute('/bin/ls')\n_ = program(path) & RETCODE"),
    ("D203", "path = absolute('/bin/ls')\nprogram(path)", "program(path)", "run it: `program(path) & FG`", "path = absolute('/bin/ls')\n_ = program(path) & RETCODE"),
    ("D201", "path = absolute('/bin/ls')\nprogram(path) & TF", "program(path) & TF", "_ = program(path) & RETCODE", "path = absolute('/bin/ls')\n_ = program(path) & RETCODE"),
    # Suggestions that compile
    ("D303", "if True:\n    return 'x', 'y'", "return 'x', 'y'", "return a Status", "if True:\n    return 1"),
    ("D307", "if True:\n    return", "return", "return a Status", "if True:\n    return 1"),
    ("D203", "cat['x']", "cat['x']", "run it: `cat['x'] & FG`", "cat['x'] & FG"),
    ("D201", "cat & TF", "cat & TF", "_ = cat & RETCODE", "_ = cat & RETCODE"),
    ("D201", "_ = 1 == 2", "_ = 1 == 2", "delete it", "pass"),
    ("D105", "t = 'a:b'\nq, _, r = t.partition(SEP)\nprint(q + r)", "q, _, r = t.partition(SEP)", "q, _, r = t.partition(':')", "t = 'a:b'\nq, _, r = t.partition(':')\nprint(q + r)"),
    # The suggestion depends on the owner or the annotation
    ("D105", "x = '/tmp'\nlocal.cwd.chdir(x)", "local.cwd.chdir(x)", "if change_directory(x) != 0:", "x = '/tmp'\nif change_directory(x) != 0:\n    return 1"),
    ("D104", "nope.cwd.chdir('/')", "nope.cwd.chdir", "local.cwd.chdir(\"/\")", "local.cwd.chdir('/')"),
    ("D104", "cat.cwd.chdir('/')", "cat.cwd.chdir", "local.cwd.chdir(\"/\")", "local.cwd.chdir('/')"),
    ("D101", "sys.env['X'] = '1'", "sys.env['X'] = '1'", "local.env['X'] = '1'", "local.env['X'] = '1'"),
    ("D101", "del nope.env['X']", "del nope.env['X']", "local.env.pop('X', \"\")", "local.env.pop('X', '')"),
    ("D304", "x: int = '5'\nprint(f'{x + 1}')", "'5'", "write the number: `5`", "x: int = 5\nprint(f'{x + 1}')"),
    ("D306", "x: Nope = 'a'\nprint(x)", "Nope", "str, int, bool", "x: str = 'a'\nprint(x)"),
    ("D303", "x: LocalPath = 'a'", "'a'", "path = absolute('a')", "x: LocalPath = absolute('a')"),
    ("D303", "x: str = 5", "5", "`'5'`", 'x: str = f"{5}"'),
    # Rejected code causes no further diagnostics
    ("D101", "try:\n    x = 'a'\nexcept OSError:\n    return 1\nprint(x)", "try:", "no exceptions", "x = 'a'\nprint(x)"),
    ("D101", "try:\n    return 0\nfinally:\n    print('x')", "try:", "clean up before you return", "print('x')"),
    ("D101", "with open('f') as f:\n    x = f.read()\nprint(x)", "with open('f') as f:", "status, x = read_file('f')", "status, text = read_file('f')"),
    ("D101", "x = 'a'\nmatch x:\n    case 'a':\n        y = 1\n    case z:\n        print(z)\nprint(f'{y}')", "match x:", "if, elif and else", "x = 'a'\nif x == 'a':\n    print(x)"),
    ("D101", "a = b = 'x'\nprint(a + b)", "a = b = 'x'", "b = 'x'", "a = 'x'\nb = 'x'\nprint(a + b)"),
    ("D101", "def f(x: str) -> str:\n    return x\nprint(f('x'))", "def f(x: str) -> str:", "to the top level", "pass"),
    ("D101", "class A:\n    x = 1\na = A()\nprint(a.x)", "class A:", "write functions", "pass"),
    ("D101", "import os as o\nprint(o.getcwd())", "import os as o", "to the top level", "pass"),
    ("D101", "raise ValueError('x')", "raise ValueError('x')", "return a Status", "return 1"),
    ("D302", "a = 1\na = 'x'\nprint(a)\na = 2\nprint(f'{a + 1}')", "a", "another name", "a = 1\nb = 'x'\nprint(b)\na = 2\nprint(f'{a + 1}')"),
    ("D303", "a, _, b = True.partition('x')\nprint(a + b)", "True", "choose the text with if and else", "t = 'x'\na, _, b = t.partition('x')"),
    ("D102", "for a in ('x', [1]):\n    print(a)", "[1]", "write a constant at the top of the file", "for a in ('x', 'y'):\n    print(a)"),
    ("D304", "a = 'x'\nb = a - 1\nb += 'x'\nprint(b)", "a", "parse_int(a.strip())", "a = 1"),
    ("D305", "if arguments[1:]:\n    print('x')", "arguments[1:]", "`len(arguments) > 1`", "if len(arguments) > 1:\n    print('x')"),
    ("D102", "a = 'x'\nprint(a and 'y')", "a and 'y'", "`'y' if a != \"\" else \"\"`", "a = 'x'\nprint('y' if a != \"\" else \"\")"),
    ("D102", "print(sys.platform)", "sys.platform", "run the program uname", "s, t = cat['x'] & CAPTURE"),
    ("D104", "print(f'{os.getpid()}')", "os.getpid", "To prevent a second run, call `take_lock(path, 0)`", "if take_lock('/tmp/lock', 0) != 0:\n    return 1"),
    ("D301", "n += 1\nn += 1\nprint(f'{n}')", "n", "assign it", "n = 0\nn += 1"),
    # helps that readers found to be wrong or missing
    ("D104", "n = 7\nm = int(n / 7 * 100)\nprint(m)", "int", "`//` divides integers", "print('x')"),
    ("D104", "n = 7\nm = math.ceil(n / 4)\nprint(m)", "math.ceil", "`(n + 3) // 4`", "print('x')"),
    ("D104", "n = 7\nm = 1 + math.floor(n / 4)\nprint(m)", "math.floor", "`(n // 4)`", "print('x')"),
    ("D104", "print(time.strftime('%Y%m%d'))", "time.strftime", 'as in `date("+%Y%m%d").strip()`', "print('x')"),
    ("D104", "t = 'a:::b'\nprint(t.split('::')[-1])", "t.split", "iterate over its parts", "print('x')"),
    ("D104", "t, u, f = shutil.disk_usage('/')\nprint(t, u, f)", "shutil.disk_usage", "run the program df", "print('x')"),
    ("D102", "print(shutil.disk_usage('/').free)", "shutil.disk_usage('/').free", "run the program df", "print('x')"),
    ("D102", "print(os.uname().nodename)", "os.uname().nodename", "run the program uname", "print('x')"),
    ("D102", "n = (later - datetime.now()).days\nprint(n)", "(later - datetime.now()).days", "Divide by 86400", "print('x')"),
    ("D102", "false & FG(retcode=1)", "FG(retcode=1)", "`status = false & RETCODE(FG=True)`", "print('x')"),
    ("D102", "n, t = false & CAPTURE(retcode=1)\nprint(n, t)", "CAPTURE(retcode=1)", "`status, text = false & CAPTURE`", "print('x')"),
    ("D102", "name = 'ls'\nlocal[name] & FG", "local[name]", "`program(absolute(path))`", "print('x')"),
    ("D104", "n = 1\nif n == 1:\n    return bool(n)", "bool", "`1 if n != 0 else 0`", "print('x')"),
    ("D104", "sys.exit(f'{os.name} {1}')", "sys.exit", "If this is a message, print it with `file=sys.stderr`", "return 1"),
    ("D104", "p = absolute('x').absolute()\nprint(p)", "absolute('x').absolute", "Remove the call", "print('x')"),
    ("D101", "for n in range(3):\n    print(n)\nelse:\n    print('x')", "for n in range(3):", "the loop has no `break`", "print('x')"),
    ("D101", "d = absolute('x')\nfor p in sorted(d.glob('*'), key=len):\n    print(p)", "sorted(d.glob('*'), key=len)", "to sort by time, run the program ls", "print('x')"),
    ("D101", "for t in name_of(1):\n    print(t)", "name_of(1)", "as in `for t in name_of(1).splitlines():`", "print('x')"),
    ("D101", "for t in name_of(1)[2:]:\n    print(t)", "name_of(1)[2:]", "a slice of a Str cuts characters", "print('x')"),
    ("D101", "t = 'a,b'\nfor x in filter(None, t.split(',')):\n    print(x)", "filter(None, t.split(','))", "test or change each item in the loop", "print('x')"),
    ("D104", "d = absolute('x')\nprint(max(d // '*', key=len))", "max", "to sort by time, run the program ls", "print('x')"),
    ("D301", "d = absolute('x')\nfor p in sorted(d // '*'):\n    q = p\nprint(q)", "q", "`q = f\"{path}\"`", "print('x')"),
    ("D104", "if 'NOPE' not in local.env:\n    sys.exit(status=3)", "sys.exit", "only main can end the program", "print('x')"),
    ("D101", "if 'NOPE' not in local.env:\n    raise SystemExit\nprint('x')", "raise SystemExit", "`return 0`", "print('x')"),
    ("D104", "d = absolute('x')\nn = int(d / 'x')\nprint(n)", "int", "convert it, and check the status", "print('x')"),
    ("D104", "d = absolute('x')\nn = int(cat(d / 'x'))\nprint(n)", "int", "convert it, and check the status", "print('x')"),
    ("D101", "for _ in range(2):\n    try:\n        break\n    finally:\n        print('x')", "try:", "clean up before you return", "print('x')"),
    ("D101", "try:\n    print('a')\nfinally:\n    print('x')", "try:", "write the block of finally after", "print('x')"),
    ("D101", "t = 'a'\nfor n in range(3):\n    for m in range(2):\n        break\nelse:\n    print('x')", "for n in range(3):", "the loop has no `break`", "print('x')"),
    ("D101", "x = 'e'\nt = 'a'\nfor x in t.splitlines()[2:]:\n    print('y')\nprint(x)", "t.splitlines()[2:]", "count in the loop with `+=`", "print('x')"),
    ("D101", "for x in ('a', 'b')[True:]:\n    print(x)", "('a', 'b')[True:]", "write the items: `('b',)`", "print('x')"),
    ("D101", "for x in reversed(range('a')):\n    print(x)", "reversed(range('a'))", "Count down with", "print('x')"),
    ("D101", "for x in reversed(['a', 1]):\n    print(x)", "reversed(['a', 1])", "Count down with", "print('x')"),
    ("D104", "n = max('abc', key=len)\nprint(n)", "max", "compare two numbers", "print('x')"),
    ("D101", "t = 'a\\nb\\nc'\nfor x in t.splitlines()[:2]:\n    print('y')\nprint(x)", "t.splitlines()[:2]", "count in the loop with `+=`", "print('x')"),
    ("D104", "p = absolute('a/b')\nprint(p.split('/')[1])", "p.split", "iterate over", "print('x')"),
    ("D101", "n = 7\nt = ''\nfor n, x in enumerate(t.splitlines()):\n    print(n, x)\nprint(n)", "n, x", "begin the loop with `number += 1`", "print('x')"),
    ("D104", "sys.exit(true & RETCODE)", "sys.exit", "return the status as an Int", "print('x')"),
    ("D104", "if os.environ.get('NOPE') != '':\n    print('x')", "os.environ.get", "is also empty if the variable is not set", "print('x')"),
    ("D105", "if local.env.get('NOPE') == '':\n    print('x')", "local.env.get('NOPE')", "`'NOPE' in local.env` tests whether it is set", "print('x')"),
    ("D101", "os.environ['LC_ALL'] = 'C'", "os.environ['LC_ALL'] = 'C'", "as in `env['LC_ALL=C', 'sort']`", "print('x')"),
    ("D101", "os.environ['A'] = str(absolute('x'))", "os.environ['A'] = str(absolute('x'))", "as in `local.env['A'] = text`", "print('x')"),
    ("D104", "t = 'a.b'\nprint(t.rsplit('.', 1)[0])", "t.rsplit", "Without a separator, `first` is empty", "print('x')"),
    ("D104", "t = 'a b'\nprint(len(t.split()))", "t.split", "To count or find parts, test them in the loop", "print('x')"),
    ("D101", "d = absolute('x')\nfor p in sorted(d.list()):\n    print(p)", "sorted(d.list())", "as in `sorted(d // '*')`", "print('x')"),
    ("D102", "print(len(name_of(1) * 2))", "name_of(1) * 2", "add to it in a loop", "print('x')"),
    ("D102", "t = sys.nope or 'y'\nif t == 'y':\n    print(t)", "sys.nope or 'y'", "use if and else", "print('x')"),
    ("D102", "name = os.environ.get('NOPE', 0) or sys.exit('x')\nprint(name)", "os.environ.get('NOPE', 0) or sys.exit('x')", "use if and else", "print('x')"),
]  # fmt: skip

if sys.version_info >= (3, 11):  # a syntax error before 3.12
    CASES += [
        ("D102", "c = cat[*arguments]", "arguments", "for argument in arguments:", "c = cat\nfor argument in arguments:\n    c = c[argument]"),
    ]  # fmt: skip

# code, a rejected whole program, the text under the caret, the suggestion
PROGRAMS = [
    ("D303", "WIDTH = len('x')\n", "print(f'{WIDTH}')", "len('x')", "write its value, or assign it in a function"),
    ("D103", "from plumbum.cmd import *\n", "print('x')", "*", "bind each program at the top, as in `grep = program(\"grep\")`"),
    ("D104", "ETC = local.path('/etc')\n", "print(f'{ETC}')", "local.path", "a constant cannot be a Path"),
    ("D303", "def where(name: str) -> str:\n    return absolute(name)\n", "print(where('x'))", "absolute(name)", "f\"{absolute(name)}\""),
    ("D104", "def value_of(line: str) -> str:\n    key, value = line.split('=', 1)\n    return key + value\n", "print(value_of('a=b'))", "line.split", "split it once (value is empty if '=' is missing): `key, _, value = line.partition('=')`"),
    ("D104", "def stem(name: str) -> str:\n    first, last = name.rsplit('.', 1)\n    return first + last\n", "print(stem('a.b'))", "name.rsplit", "first, _, last = name.rpartition('.')"),
    ("D102", 'df = local["df"]\n', "_, t = df['--version'] & CAPTURE\n    print(t)", 'local["df"]', 'df = program("df")'),
    ("D103", "from plumbum.cmd import grep\n", "_ = grep['-l'] & RETCODE", "grep", 'grep = program("grep")'),
    ("D103", "from plumbum.cmd import apt_get as apt\n", "_ = apt & RETCODE", "apt_get as apt", "bind the program at the top with `program`, by its exact"),
    ("D103", "from plumbum import FG\n", "", "FG", "from oauthkit.shell import FG"),
    ("D103", "from plumbum import BG\n", "", "BG", "run commands with `& TF`, `& RETCODE` or `& CAPTURE` of"),
    ("D303", "TEXT = cat('x')\n", "print(TEXT)", "cat('x')", "assign it in a function, as in `text = cat('x')`"),
    ("D103", "from plumbum import *\n", "", "*", "from plumbum import"),
    ("D102", "python = local.python\n", "_ = python & RETCODE", "local.python", 'python = program("python")'),
    ("D105", 'tar = local["tar"]["-z"]\n', "_ = tar['x'] & RETCODE", 'local["tar"]["-z"]', 'bind only the program, with `program("tar")`. Write the'),
    ("D105", 'tar = program("tar")["-z"]\n', "_ = tar['x'] & RETCODE", 'program("tar")["-z"]', 'bind only the program, with `program("tar")`. Write the'),
    ("D303", 'R = absolute("/x")\n', "print(R)", 'absolute("/x")', 'assign it in a function, as in `r = absolute("/x")`'),
    ("D303", "R = true & RETCODE\n", "print(f'{R}')", "true & RETCODE", "assign it in a function, as in `r = true & RETCODE`"),
    ("D303", "R = 1 == 2\n", "print(f'{R}')", "1 == 2", "assign it in a function, as in `r = 1 == 2`"),
    ("D102", "FILES = ['a', 'b']\n", "for name in FILES:\n        print(name)", "['a', 'b']", "FILES = ('a', 'b')"),
    ("D102", "FILES = ['a', 'b']\n", "if 'a' in FILES:\n        print('x')", "['a', 'b']", "FILES = ('a', 'b')"),
    ("D102", "FILES = ('a', 'b')\n", "print(FILES)", "FILES", "iterate over it, as in `for item in FILES:`"),
    ("D303", "SIZES = (1, 2)\n", "if 'a' in SIZES:\n        print('x')", "'a' in SIZES", "compare values of one type"),
    ("D303", "FILES = ('a', 'b')\n", "if 1 not in FILES:\n        print('x')", "1 not in FILES", "compare values of one type"),
    ("D303", "FILES = ('a', 2)\n", "for name in FILES:\n        print('x')", "('a', 2)", "use items of one type"),
    ("D303", "FILES = (absolute('a'),)\n", "for name in FILES:\n        print('x')", "absolute('a')", "assign it in a function"),
    ("D402", "files = ('a',)\n", "for name in files:\n        print(name)", "files", "rename it to FILES"),
    ("D102", "PLACE = local.env['HOME']\n", "print(PLACE)", "local.env['HOME']", "write: `local.env.get('HOME', \"\")`"),
    ("D401", "HOME = 'x'\n", "print(HOME)", "HOME", "use another name, such as MY_HOME"),
    ("D101", "OK, BAD = 0, 1\n", "print(f'{BAD}')", "OK, BAD = 0, 1", "write each constant on a line of its own"),
    ("D104", "KEEP = int(os.environ.get('KEEP', '3'))\n", "print('x')", "int", "status, number = parse_int(local.env.get('KEEP', '3').strip())"),
    ("D104", "def half(text: str) -> int:\n    return int(text) // 2\n", "print(f\"{half('4')}\")", "int", "must return the Status, too"),
    ("D104", "def half(text: str) -> tuple[Status, int]:\n    return 0, int(text) // 2\n", "status, n = half('4')\n    print(f'{status} {n}')", "int", "the text is not a number\", file=sys.stderr)\n    return status, 0\nreturn 0, number // 2"),
    ("D104", "def head(text: str) -> tuple[Status, str, int]:\n    n = int(text)\n    return 0, text[:n], n\n", "status, t, n = head('4')\n    print(f'{status} {t} {n}')", "int", 'n is not a number", file=sys.stderr)\n    return status, "", 0'),
    ("D308", "def half(text: str) -> tuple[Status, int]:\n    status, number = parse_int(text)\n    return 0, number // 2\n", "status, n = half('4')\n    print(f'{status} {n}')", "status", "as in `if status != 0:`. Write `_` instead only if"),
    ("D402", "LIMIT = 5\n", "LIMIT = 6", "LIMIT", "a constant cannot be reassigned"),
    ("D303", "def f() -> LocalPath:\n    return ''\n", "p = f()\n    print(p)", "''", "Also return a Status"),
    ("D303", "def f() -> tuple[Status, LocalPath]:\n    return 1, ''\n", "_, p = f()\n    print(p)", "''", "return 1, LocalPath(\"/\")"),
    ("D303", "def f(p: LocalPath) -> None:\n    print(p)\n", "f('')", "''", "absolute would make it the working directory"),
    ("D101", "A: str = 'x'\n", "print(A)", "str", "A = 'x'"),
    ("D101", "print('x')\n", "", "print('x')", "move it into main"),
    ("D101", "async def f() -> None:\n    pass\n", "f()", "async def f() -> None:", "plain def"),
    ("D101", "class A:\n    pass\n", "a = A()", "class A:", "write functions"),
    ("D101", "def f(a: str, b: str = 'x') -> None:\n    print(a + b)\n", "f('x')", "'x'", "remove it, and pass `'x'` in the calls"),
    ("D306", "def f(a) -> None:\n    print(a)\n", "f('x')", "a", "annotate it with str"),
    ("D306", "def f(a: str | None) -> None:\n    print('x')\n", "f('x')", "a: str | None", 'Use str, and "" for a missing text'),
    ("D306", "def f(a: list[str]) -> None:\n    print('x')\n", "f('x')", "a: list[str]", "use str for text with lines"),
    ("D101", "def f(*, a: str) -> None:\n    print(a)\n", "f(a='x')", "a: str", "without / and *"),
    ("D103", "import fcntl\n", "fcntl.flock(3, fcntl.LOCK_EX)", "fcntl", "oauthkit.shell has take_lock"),
    ("D103", "from plumbum import cli\n", "print('x')", "cli", "iterate over the arguments of main"),
    ("D103", "import os as o\n", "print(o.getcwd())", "os as o", "import os"),
    ("D103", "import re\n", "m = re.match('x', 'y')\n    if m:\n        print('x')", "re", "partition"),
    ("D103", "from pathlib import Path\n", "p = Path('x')\n    print(p.name)", "pathlib", "oauthkit.shell has absolute, which makes a Path of a Str"),
    ("D103", "from words import shout\n\nLOUD = shout('x')\n", "print(LOUD)", "words", "words.py in the program's directory"),
    ("D103", "from words import shout\n", "t = shout('x')\n    print(t)", "words", "words.py in the program's directory"),
    ("D103", "from .words import shout\n", "t = shout('x')\n    print(t)", ".words", "from words import shout"),
    ("D103", "from plumbum.commands.processes import ProcessExecutionError\n", "", "ProcessExecutionError", "there are no exceptions. Test the status of each command"),
    ("D103", "from plumbum import ProcessExecutionError\n", "", "ProcessExecutionError", "there are no exceptions. Test the status of each command"),
    ("D103", "from plumbum import CommandNotFound as Missing\n", "", "CommandNotFound as Missing", "there are no exceptions. Test the status of each command"),
    ("D103", "from plumbum.commands.processes import run_proc\n", "", "run_proc", "remove it. plumbum has LocalPath, local"),
    ("D103", "from oauthkit.shell import Str\n", "", "Str", "the annotation of a Str is `str`"),
    ("D103", "from oauthkit.shell import Path\n", "", "Path", "the annotation of a Path is `LocalPath`"),
    ("D103", "from oauthkit.shell import parse\n", "", "parse", "did you mean `parse_int`?"),
    ("D103", "import oauthkit.shell\n", "", "oauthkit.shell", "from oauthkit.shell import"),
    ("D103", "from plumbum import RETCODE\n", "", "RETCODE", "from oauthkit.shell import RETCODE"),
    ("D301", "", "_ = open_log('x')\n    _ = open_log('y')", "open_log", "from oauthkit.shell import open_log"),
    ("D306", "def helper():\n    print('x')\n", "helper()", "helper", "annotate it"),
    ("D306", "def helper():\n    return True, 'x'\n", "a, b = helper()\n    print(b)", "helper", "annotate it"),
    ("D306", "def f(a: str) -> list[str]:\n    if a == '':\n        return\n    return a\n", "t = f('')\n    print(t)", "list[str]", "use str for text with lines"),
    ("D306", "def g() -> str:\n    return 'x'\n\n\ndef f() -> list[str]:\n    return g()\n", "t = f()\n    print(t)", "list[str]", "use str for text with lines"),
    ("D306", "def f(a: Nope) -> None:\n    print(a)\n", "f('x')", "a: Nope", "annotate it"),
    ("D307", "def f(a: int) -> None:\n    return a\n", "f(1)", "return a", "return without a value"),
    ("D303", "def f() -> tuple[int, str]:\n    return 1, 'x'\n\n\ndef g() -> int:\n    return f()\n", "n = g()\n    print(f'{n}')", "f()", "return an Int"),
    ("D308", "", "t = 'x'\n    _ = t", "t", "write `_` instead, or delete the assignment"),
    ("D308", "", "t = 'x'\n    _, _, _ = t.partition('yz')", "t", "write `_` instead, or delete the assignment"),
    ("D308", "LIMIT = 3\n", "_ = LIMIT", "LIMIT", "delete it"),
    ("D308", "def f(a: str, b: str) -> None:\n    c = 1\n", "", "f", "delete it, or call it"),
    ("D402", "def f() -> str:\n    port = local.env.get('port', '')\n    return port\n", "t = f()\n    print(t)", "port", "rename it, for example to own_port"),
    ("D101", "if TYPE_CHECKING:\n    from plumbum.commands import ERROUT\n", "", "if TYPE_CHECKING:", "to the top level"),
    ("D402", "limit = 5\n", "print(f'{limit}')", "limit", "LIMIT"),
]  # fmt: skip


def only(error: CompileError, code: str, caret: str, way: str) -> Diagnostic:
    """Return the only diagnostic, after checking its location."""
    assert [found.code for found in error.diagnostics] == [code], error.render()
    (found,) = error.diagnostics
    assert under_caret(error) == caret, error.render()
    assert way in found.help, error.render()
    said = f"{found.message} {found.help}"
    assert "error" not in said.replace("OSError", ""), said
    return found


def whole(case: tuple[str, str, str, str, str]) -> str:
    """Return the rejected program of a row in CASES."""
    top = "SEP = ':'\n\n\n" * ("SEP" in case[1])
    return program(case[1], top + HELPERS)


def whole_program(case: tuple[str, str, str, str, str]) -> str:
    """Return the rejected program of a row in PROGRAMS."""
    _, top, body, _, _ = case
    main = MAIN.replace("    return 0", f"    {body}\n    return 0") if body else MAIN
    head = HEAD
    for name in ("FG", "RETCODE"):
        head = head.replace(f" {name},", "") if f"import {name}" in top else head
    return f"{head}\n{top}\n{main}{TAIL}"


@pytest.mark.parametrize("case", CASES)
def test_one_message_with_a_suggestion(case: tuple[str, str, str, str, str]) -> None:
    code, _, caret, way, good = case
    only(rejections(whole(case)), code, caret, way)
    accept(program(good, HELPERS))


@pytest.mark.parametrize("case", PROGRAMS)
def test_one_message_at_the_top_level(case: tuple[str, str, str, str, str]) -> None:
    code, _, _, caret, way = case
    only(rejections(whole_program(case)), code, caret, way)


# Programs with another error that has the same cause, or that needs another file.
OTHERS = ("b += 'x'", "from .words import")
REJECTED = [*map(whole, CASES), *map(whole_program, PROGRAMS)]


# Slips: CPython accepts these, but does not do what the author means, which the help does.
SLIPS = {
    "cat['x']": "runs nothing",
    "cat['x'] >> 'a'": "runs nothing",
    "cat | wc": "runs nothing",
    "cat | wc | cat & FG": "runs the last command alone",
    "cat('x') | wc": "runs the first command alone",
    "status = read_file('x')": "tests a tuple",
    "n = parse_int('5')\nprint(f'{n}')": "prints a tuple",
    "text = 'x'\nif text == 'a' or 'b':\n    print(text)": "is always true",
    "number = 3\nif number == 4 or 5 or 6:\n    print('x')": "is always true",
    # The author means the items.
    "names = '\\n'\nfor a in ('x', 'y'):\n    names += f'{a}\\n'\nprint(names[0])": "prints a newline",
    "names = '\\n'\nfor a in ('x', 'y'):\n    names += f'{a}\\n'\nfor name in names:\n    print(name)": "prints characters",
    # With commands of plumbum's own, the handler runs.
    "try:\n    false()\nexcept Exception:\n    print('failed')": "ends at the command",
    "try:\n    false & FG\nexcept Exception:\n    print('failed')": "ends at the command",
    "try:\n    t = cat('nope')\nexcept Exception:\n    return 3\nprint(t)": "ends at the command",
}


def test_slips_are_cases() -> None:
    assert {*SLIPS} <= {case[1] for case in CASES}


@pytest.mark.parametrize("text", [t for t in REJECTED if not any(o in t for o in OTHERS)])
def test_help_compiles_and_does_the_same(text: str, tmp_path: Path) -> None:
    check_help(tmp_path, text, is_slip=text in [program(body, HELPERS) for body in SLIPS])


@pytest.mark.parametrize("text", REJECTED)
def test_code_in_help_is_between_backticks(text: str) -> None:
    """Otherwise check_help does not paste it."""
    for found in rejections(text).diagnostics:
        words = re.sub("`[^`]+`", "", found.help.splitlines()[0])
        assert not re.search(r"\w\(|\s=\s|\[|\s&\s|;", words), found.help


@pytest.mark.parametrize(
    "condition",
    [
        "text == 'a' or True",
        "True and 'b' in text",
        "text == 'a' or False",
        "number == 3 or True",
    ],
)
def test_bool_beside_a_comparison_is_accepted(condition: str) -> None:
    accept(program(f"text = 'x'\nnumber = 3\nif {condition}:\n    print(text)"))


def test_program_that_is_not_bound_is_bound_at_the_top() -> None:
    text = program("if sys.stdin.isatty():\n    print('x')").replace(
        'testing = program("test")\n', ""
    )
    (found,) = rejections(text).diagnostics
    assert found.help == (
        'run the program test. At the top: `test = program("test")`. Here: '
        '`test["-t", "0"] & TF(FG=True)`'
    )


@pytest.mark.parametrize("call", ["os.cpu_count()", "nope()"])
def test_unknown_call_before_or_is_not_a_bool(call: str) -> None:
    """Its other uses would be reported, too."""
    found = rejections(program(f"n = {call} or 1\nif n > 1:\n    print(n)")).diagnostics
    assert not [x.message for x in found if "Bool" in x.message]


def test_a_bool_chosen_with_and_and_or_is_accepted() -> None:
    accept(
        program("number = 3\nis_more = number > 2 and True or False\nif is_more:\n    print('x')")
    )


def test_finally_does_not_run_after_an_exit() -> None:
    text = program("try:\n    sys.exit(3)\nfinally:\n    print('x')")
    assert "after the block of try" not in rejections(text).diagnostics[0].help


def test_two_suggestions_in_one_statement_use_different_variables() -> None:
    body = "p = absolute('x')\nq = absolute('y')\nprint(p.name, q.name)"
    helps = [found.help for found in rejections(program(body, HELPERS)).diagnostics]
    assert [("text_2" in help, "text" in help) for help in helps] == [(False, True), (True, True)]


def test_name_of_a_global_statement_is_not_reported_as_a_constant() -> None:
    """It may be in lower case, and the help does not depend on its type."""
    text = program("global total\nfor a in arguments:\n    total += a == 'x'", "total = 0\n")
    first, second = rejections(text).diagnostics
    assert first.message == "global is outside the dialect"
    assert second.help == "choose the number: `total += 1 if a == 'x' else 0`"


def test_number_with_5000_digits_is_not_suggested() -> None:
    error = rejections(program(f"x: int = '{'1' * 5000}'", HELPERS))
    (found,) = error.diagnostics
    assert found.code == "D304"
    assert "write the number" not in found.help


def test_parameter_name_of_main_is_kept() -> None:
    text = program("print('')").replace("def main(*arguments: str) -> Status:", "def main(*args):")
    (found,) = rejections(text).diagnostics
    assert found.help == "write `def main(*args: str) -> Status:`"


def test_import_of_a_name_that_a_variable_has_is_not_suggested() -> None:
    """Pasting it would give D402."""
    body = "for log in sorted(absolute('.') // 'a*'):\n    print(log.name)"
    text = program(body, HELPERS)
    imported = text.replace("is_b64token, log, ", "is_b64token, ")
    assert imported != text
    (found,) = rejections(imported).diagnostics
    assert "import" not in found.help
