"""Common Python and plumbum code gets one diagnostic with a suggestion."""

from __future__ import annotations

import sys

import pytest
from tests.support.compiler.programs import HEAD, TAIL, program
from tests.support.compiler.rejections import MAIN, accept, rejections, under_caret

from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic

HELPERS = """def try_it(name: str) -> Status:
    if name == "":
        return 2
    return 1


def name_of(number: int) -> str:
    return f"{number}"
"""

# code, a rejected body of main, the text under the caret, the suggestion, and a body that compiles
CASES = [
    # plumbum's commands
    ("D102", "df = local['df']\n_, t = df['-h'] & CAPTURE\nprint(t)", "local['df']", "program('df')", "_, t = cat['-h'] & CAPTURE\nprint(t)"),
    ("D104", "cat('-l')", "cat", "status, text = cat['-l'] & CAPTURE", "status, text = cat['-l'] & CAPTURE"),
    ("D104", "cat['-l']()", "cat['-l']", "status, text = cat['-l'] & CAPTURE", "status, text = cat['-l'] & CAPTURE"),
    ("D104", "t = cat('-l').strip()", "cat", "status, text = cat['-l'] & CAPTURE", "status, text = cat['-l'] & CAPTURE"),
    ("D104", "a, b = cat('-l')", "cat", "a, b = cat['-l'] & CAPTURE", "a, b = cat['-l'] & CAPTURE"),
    ("D102", "_, t = (cat['a'] | printf) & CAPTURE\nprint(t)", "cat['a'] | printf", 'sh["-c", "cat a | printf"]', '_, t = sh["-c", "cat a | printf"] & CAPTURE\nprint(t)'),
    ("D102", "x = 'a'\nc = cat[x] | printf | true", "cat[x] | printf | true", 'sh["-c", "…"]', 'c = sh["-c", "cat a | printf"]'),
    ("D102", "(cat | true)()", "cat | true", 'sh["-c", "cat | true"]', '_ = sh["-c", "cat | true"] & RETCODE'),
    ("D102", "(cat | true) & FG", "cat | true", 'sh["-c", "cat | true"]', '_ = sh["-c", "cat | true"] & RETCODE'),
    ("D101", "with local.cwd('/tmp'):\n    _ = cat & RETCODE", "with local.cwd('/tmp'):", 'env["-C", directory, "ls"]', "pass"),
    ("D102", "cat & FG", "FG", "status = cat & RETCODE", "status = cat & RETCODE"),
    ("D102", "cat['x'] & BG", "BG", "status, text = cat['x'] & CAPTURE", "status, text = cat['x'] & CAPTURE"),
    ("D102", "t = cat & TEE", "TEE", "cat & TF", "t = cat & TF"),
    ("D102", "t = cat & RETCODE(FG=True)", "RETCODE(FG=True)", "status = cat & RETCODE", "t = cat & RETCODE"),
    ("D301", "t = ls['-l'] & TF", "ls", 'ls = program("ls")', "_ = cat['-l'] & TF"),
    ("D301", "s = ls & RETCODE", "ls", 'ls = program("ls")', "s = cat & RETCODE"),
    # Python's functions, methods and attributes
    ("D104", "x = '5'\nn = int(x)\nprint(f'{n + 1}')", "int", "status, number = parse_int(x)", "x = '5'\nstatus, number = parse_int(x)"),
    ("D104", "n = 5\nt = str(n)\nprint(t)", "str", 'f"{n}"', 'n = 5\nt = f"{n}"\nprint(t)'),
    ("D104", "s = 'x'\nn = len(s)", "len", 's == ""', 's = "x"\nif s == "":\n    pass'),
    ("D105", "p = LocalPath('x')\nif p.exists():\n    pass", "LocalPath", "path = absolute('x')", "path = absolute('x')"),
    ("D104", "p = local.path('x')", "local.path", "path = absolute('x')", "path = absolute('x')"),
    ("D105", "p = LocalPath('/a/../b')", "LocalPath", "path = absolute('/a/../b')", "path = absolute('/a/../b')"),
    ("D105", "p = LocalPath('/a/')", "LocalPath", "path = absolute('/a/')", "path = LocalPath('/a')"),
    ("D105", "p = LocalPath('')", "LocalPath", "path = absolute('')", "path = LocalPath('/')"),
    ("D105", "p = LocalPath('/a', 'b')", "LocalPath", "path = absolute('/a')", "p = LocalPath('/a') / 'b'"),
    ("D104", "s = os.path.samefile('a', 'b')", "os.path.samefile", "same = same_file('a', 'b')", "s = same_file('a', 'b')\nif s:\n    pass"),
    ("D104", "p = local.which('x')", "local.which", "path = find_program('x')", "path = find_program('x')"),
    ("D104", "sys.exit(3)", "sys.exit", "return 3", "return 3"),
    ("D104", "t = os.environ.get('A')", "os.environ.get", "local.env.get('A', \"\")", "t = local.env.get('A', \"\")"),
    ("D104", "t = os.environ.get('A', 'b')", "os.environ.get", "local.env.get('A', 'b')", "t = local.env.get('A', 'b')"),
    ("D102", "t = os.environ['A']", "os.environ['A']", "local.env.get('A', \"\")", "t = local.env.get('A', \"\")"),
    ("D102", "t = local.env['HOME']", "local.env['HOME']", "local.env.get('HOME', \"\")", "t = local.env.get('HOME', \"\")"),
    ("D101", "os.environ['A'] = 'x'", "os.environ['A'] = 'x'", "local.env['A'] = 'x'", "local.env['A'] = 'x'"),
    ("D102", "if 'A' in os.environ:\n    pass", "os.environ", "'A' in local.env", "if 'A' in local.env:\n    pass"),
    ("D104", "x = 'a'\nif os.path.exists(x):\n    pass", "os.path.exists", "path = absolute(x), then test path.exists()", "x = 'a'\npath = absolute(x)\nif path.exists():\n    pass"),
    ("D104", "x = 'a '\ny = x.strip()\nprint(y)", "x.strip", "x.removesuffix(\" \")", "x = 'a '\ny = x.removesuffix(' ')\nprint(y)"),
    ("D101", "x = 'a b'\nfor w in x.split(' '):\n    print(w)", "x.split(' ')", "while rest != \"\": part, _, rest = rest.partition(' ')", "rest = 'a b'\nwhile rest != \"\":\n    part, _, rest = rest.partition(' ')"),
    ("D104", "x = 'a b'\na, b = x.split()", "x.split", 'rest.partition(" ")', "rest = 'a b'\na, _, b = rest.partition(' ')"),
    ("D104", "p = absolute('x')\nt = p.read()", "p.read", "status, text = read_file(p)", "p = absolute('x')\nstatus, text = read_file(p)"),
    ("D102", "a = sys.argv[1]", "sys.argv[1]", "for argument in arguments:", "for argument in arguments:\n    print(argument)"),
    # main's arguments
    ("D102", "a = arguments[0]\nprint(a)", "arguments", "for argument in arguments:", "for argument in arguments:\n    print(argument)"),
    ("D102", "c = cat[arguments]", "arguments", "for argument in arguments:", "c = cat\nfor argument in arguments:\n    c = c[argument]"),
    ("D102", "if not arguments:\n    return 2", "arguments", "for argument in arguments:", "n = 0\nfor _ in arguments:\n    n += 1\nif n == 0:\n    return 2"),
    ("D102", "if 'x' in arguments:\n    return 2", "arguments", "for argument in arguments:", "for a in arguments:\n    if a == 'x':\n        return 2"),
    ("D102", "n = len(arguments)\nprint(f'{n}')", "arguments", "for argument in arguments:", "n = 0\nfor _ in arguments:\n    n += 1"),
    ("D102", "a = arguments[0] if arguments else ''", "arguments", "for argument in arguments:", "for argument in arguments:\n    print(argument)"),
    ("D102", "for a in arguments[1:]:\n    print(a)", "arguments", "for argument in arguments:", "for argument in arguments:\n    print(argument)"),
    ("D101", "for a in sys.argv[1:]:\n    print(a)", "sys.argv[1:]", "for argument in arguments:", "for argument in arguments:\n    print(argument)"),
    ("D101", "for a, b in ('x', 'y'):\n    print(a + b)", "a, b", "for name in", "for a in ('x', 'y'):\n    print(a)"),
    # Operators and expressions
    ("D102", "t = '-' * 3", "'-' * 3", "write it out: '---'", "t = '---'"),
    ("D102", "n = 5\nt = '%d' % n", "'%d' % n", "f'{n}'", 'n = 5\nt = f"{n}"'),
    ("D102", "n = 5\nt = '%s: %d!' % ('a', n)", "'%s: %d!' % ('a', n)", "f'a: {n}!'", "n = 5\nt = f'a: {n}!'"),
    ("D102", "n = 7 / 2", "7 / 2", "7 // 2", "n = 7 // 2"),
    ("D102", "m = 7\nn = m / 2", "m / 2", "m // 2", "m = 7\nn = m // 2"),
    ("D102", "a = 'x'\nif a in ('x', 'y'):\n    pass", "('x', 'y')", "a == 'x' or a == 'y'", "a = 'x'\nif a == 'x' or a == 'y':\n    pass"),
    ("D102", "a = 1\nif a not in [1, 2]:\n    pass", "[1, 2]", "a != 1 and a != 2", "a = 1\nif a != 1 and a != 2:\n    pass"),
    ("D102", "f = 1 > 2\na = 'x' if f else 'y'", "'x' if f else 'y'", "write if f: name = 'x', and else: name = 'y'", "f = 1 > 2\nif f:\n    a = 'x'\nelse:\n    a = 'y'"),
    ("D102", "a = 'x'\nb = a if a else 'y'", "a if a else 'y'", 'if a != "": name = a', "a = 'x'\nif a != '':\n    b = a\nelse:\n    b = 'y'"),
    ("D102", "p = absolute('x')\nif p.exists:\n    pass", "p.exists", "p.exists()", "p = absolute('x')\nif p.exists():\n    pass"),
    ("D303", "p = own_temporary('x')\nprint(p)", "'x'", "path = absolute('x')", "path = absolute('x')\np = own_temporary(path)\nprint(p)"),
    ("D303", "print(cat['x'])", "cat['x']", "status, text = cat['x'] & CAPTURE", "status, text = cat['x'] & CAPTURE\nprint(text)"),
    ("D104", "d = dict(a=1)\nd['b'] = 2\nd.c = 3\ndel d['b']", "dict", "a name for each value", "a = 1"),
    ("D102", "a = 'x'\nif a == None:\n    pass", "a == None", "a == \"\"", "a = 'x'\nif a == \"\":\n    pass"),
    ("D102", "a = 'x'\nif a is None:\n    pass", "a is None", "a == \"\"", "a = 'x'\nif a == \"\":\n    pass"),
    ("D102", "a = 1\nif a is not 2:\n    pass", "a is not 2", "a != 2", "a = 1\nif a != 2:\n    pass"),
    ("D101", "for x in ['a']:\n    y = x\nprint(y)", "['a']", "('a',)", "for x in ('a',):\n    print(x)"),
    ("D102", "if (n := try_it('x')) == 0:\n    print(f'{n}')", "n := try_it('x')", "n = try_it('x')", "n = try_it('x')\nif n == 0:\n    print(f'{n}')"),
    ("D102", "f = lambda x: x\nprint(f('x'))", "lambda x: x", "def name(text: str) -> str:", "print('x')"),
    ("D102", "a = 'x'\nb = a or 'y'\nprint(b)", "a or 'y'", "b = a, and if b == \"\": b = 'y'", "a = 'x'\nb = a\nif b == '':\n    b = 'y'"),
    ("D305", "a = true & TF\nif a == True:\n    pass", "a == True", "a, or not a", "a = true & TF\nif not a:\n    pass"),
    ("D305", "if true & TF == False:\n    pass", "true & TF == False", "not true & TF", "if not true & TF:\n    pass"),
    ("D105", "print()", "print()", 'print("")', 'print("")'),
    ("D105", "n = 1\nprint('a', n)", "print('a', n)", "print(f'a {n}')", "n = 1\nprint(f'a {n}')"),
    ("D303", "n = parse_int('5')\nprint(f'{n}')", "n = parse_int('5')", "n, _ = parse_int('5')", "n, _ = parse_int('5')"),
    # Redirections
    ("D202", "cat > 'a' >= 'b'", "cat > 'a' >= 'b'", "_ = ((cat > 'a') >= 'b') & RETCODE", "_ = ((cat > 'a') >= 'b') & RETCODE"),
    ("D202", "if cat > 'a' >= 'b':\n    pass", "cat > 'a' >= 'b'", "((cat > 'a') >= 'b') & TF", "if ((cat > 'a') >= 'b') & TF:\n    pass"),
    ("D203", "cat > 'a'", "cat > 'a'", "_ = (cat > 'a') & RETCODE", "_ = (cat > 'a') & RETCODE"),
    ("D203", "cat['x'] >> 'a'", "cat['x'] >> 'a'", "_ = (cat['x'] >> 'a') & RETCODE", "_ = (cat['x'] >> 'a') & RETCODE"),
    ("D202", "ok = cat > 'a' & TF\nif ok:\n    pass", "cat > 'a' & TF", "ok = (cat > 'a') & TF", "ok = (cat > 'a') & TF\nif ok:\n    pass"),
    ("D202", "s = cat > 'a' & RETCODE\nif s != 0:\n    return 3\nprint('x')", "cat > 'a' & RETCODE", "s = (cat > 'a') & RETCODE", "s = (cat > 'a') & RETCODE\nif s != 0:\n    return 3\nprint('x')"),
    ("D202", "a, b = cat < 'a' & CAPTURE\nprint(b)", "cat < 'a' & CAPTURE", "a, b = (cat < 'a') & CAPTURE", "a, b = (cat < 'a') & CAPTURE\nprint(b)"),
    ("D202", "cat >= 'a' & RETCODE", "cat >= 'a' & RETCODE", "_ = (cat >= 'a') & RETCODE", "_ = (cat >= 'a') & RETCODE"),
    ("D203", "c = cat > 'a'\nif c & TF:\n    pass", "cat > 'a'", "c = (cat > 'a') & RETCODE", "c = (cat > 'a') & RETCODE"),
    ("D202", "s = (cat < 'a' < 'b') & RETCODE", "cat < 'a' < 'b'", "(cat < 'b')", "s = (cat < 'b') & RETCODE"),
    ("D303", "if cat == 'x':\n    pass", "cat == 'x'", "status, text = cat & CAPTURE", "status, text = cat & CAPTURE\nif text == 'x':\n    pass"),
    ("D202", "_, t = (cat > 'a') & CAPTURE\nprint(t)", "cat > 'a'", "status = (cat > 'a') & RETCODE", "status = (cat > 'a') & RETCODE"),
    ("D105", "print('a', 'b', sep='', end='')", "sep=''", "remove the other keywords", "print('ab')"),
    ("D104", "n = 1\nos.umask(n)", "os.umask", "os.umask(0o077)", "os.umask(0o077)"),
    ("D101", "del local.env['A'], local.env['B']", "del local.env['A'], local.env['B']", "local.env.pop", "local.env.pop('A', '')\nlocal.env.pop('B', '')"),
    ("D101", "del local.env['A']", "del local.env['A']", 'local.env.pop(\'A\', "")', "local.env.pop('A', '')"),
    ("D104", "local.env.pop('A')", "local.env.pop", 'local.env.pop(\'A\', "")', "local.env.pop('A', '')"),
    ("D104", "t = local.env.pop('A', '')\nprint(t)", "local.env.pop", "local.env.get('A', \"\")", "t = local.env.get('A', '')\nlocal.env.pop('A', '')\nprint(t)"),
    ("D303", "c = program('ls')\n_ = c & RETCODE", "'ls'", "at the top", "_ = true & RETCODE"),
    ("D303", "t = 'ls'\n_ = program(t) & RETCODE", "t", "path = absolute(t)", "t = 'ls'\npath = absolute(t)\n_ = program(path) & RETCODE"),
    ("D105", "_ = program() & RETCODE", "program()", "program(path)", "path = absolute('/bin/ls')\n_ = program(path) & RETCODE"),
    ("D203", "path = absolute('/bin/ls')\nprogram(path)", "program(path)", "_ = program(path) & RETCODE", "path = absolute('/bin/ls')\n_ = program(path) & RETCODE"),
    ("D201", "path = absolute('/bin/ls')\nprogram(path) & TF", "program(path) & TF", "_ = program(path) & RETCODE", "path = absolute('/bin/ls')\n_ = program(path) & RETCODE"),
    # Suggestions that compile
    ("D303", "if True:\n    return 'x', 'y'", "return 'x', 'y'", "return a Status", "if True:\n    return 1"),
    ("D307", "if True:\n    return", "return", "return a Status", "if True:\n    return 1"),
    ("D203", "cat['x']", "cat['x']", "_ = cat['x'] & RETCODE", "_ = cat['x'] & RETCODE"),
    ("D201", "cat & TF", "cat & TF", "_ = cat & RETCODE", "_ = cat & RETCODE"),
    ("D201", "_ = 1 == 2", "_ = 1 == 2", "delete it", "pass"),
    ("D204", "if user_id() == 0:\n    pass", "user_id()", "result = user_id()", "result = user_id()\nif result == 0:\n    pass"),
    ("D105", "t = 'a:b'\nq, _, r = t.partition(SEP)\nprint(q + r)", "q, _, r = t.partition(SEP)", "q, _, r = t.partition(':')", "t = 'a:b'\nq, _, r = t.partition(':')\nprint(q + r)"),
    ("D105", "a = 7\nb = 2\nc = (a + b) // 2", "a + b", "number = a + b, then number // 2", "a = 7\nb = 2\nnumber = a + b\nc = number // 2"),
    # The suggestion depends on the owner or the annotation
    ("D104", "nope.cwd.chdir('/')", "nope.cwd.chdir", "local.cwd.chdir(\"/\")", "local.cwd.chdir('/')"),
    ("D104", "cat.cwd.chdir('/')", "cat.cwd.chdir", "local.cwd.chdir(\"/\")", "local.cwd.chdir('/')"),
    ("D101", "sys.env['X'] = '1'", "sys.env['X'] = '1'", "local.env['X'] = '1'", "local.env['X'] = '1'"),
    ("D101", "del nope.env['X']", "del nope.env['X']", "local.env.pop('X', \"\")", "local.env.pop('X', '')"),
    ("D304", "x: int = '5'\nprint(f'{x + 1}')", "'5'", "parse_int('5')", "x: int = 5\nprint(f'{x + 1}')"),
    ("D306", "x: Nope = 'a'\nprint(x)", "Nope", "str, int, bool", "x: str = 'a'\nprint(x)"),
    ("D303", "x: LocalPath = 'a'", "'a'", "path = absolute('a')", "x: LocalPath = absolute('a')"),
    ("D303", "x: str = 5", "5", 'f"{5}"', 'x: str = f"{5}"'),
    # Rejected code causes no further diagnostics
    ("D101", "try:\n    x = 'a'\nexcept OSError:\n    return 1\nprint(x)", "try:", "no exceptions", "x = 'a'\nprint(x)"),
    ("D101", "try:\n    return 0\nfinally:\n    print('x')", "try:", "no exceptions", "print('x')"),
    ("D101", "with open('f') as f:\n    x = f.read()\nprint(x)", "with open('f') as f:", "status, text = read_file(path)", "status, text = read_file('f')"),
    ("D101", "x = 'a'\nmatch x:\n    case 'a':\n        y = 1\n    case z:\n        print(z)\nprint(f'{y}')", "match x:", "if, elif and else", "x = 'a'\nif x == 'a':\n    print(x)"),
    ("D101", "a = b = 'x'\nprint(a + b)", "a = b = 'x'", "b = 'x', then a = b", "a = 'x'\nb = 'x'\nprint(a + b)"),
    ("D101", "a, b = 'x', 'y'\nprint(a + b)", "a, b = 'x', 'y'", "a = 'x', then b = 'y'", "a = 'x'\nb = 'y'\nprint(a + b)"),
    ("D101", "def f(x: str) -> str:\n    return x\nprint(f('x'))", "def f(x: str) -> str:", "to the top level", "pass"),
    ("D101", "class A:\n    x = 1\na = A()\nprint(a.x)", "class A:", "write functions", "pass"),
    ("D101", "import os as o\nprint(o.getcwd())", "import os as o", "to the top level", "pass"),
    ("D101", "raise ValueError('x')", "raise ValueError('x')", "return a Status", "return 1"),
    ("D302", "a = 1\na = 'x'\nprint(a)\na = 2\nprint(f'{a + 1}')", "a", "another name", "a = 1\nb = 'x'\nprint(b)\na = 2\nprint(f'{a + 1}')"),
    ("D303", "a, _, b = True.partition('x')\nprint(a + b)", "True", "use a Str", "t = 'x'\na, _, b = t.partition('x')"),
    ("D102", "for a in ('x', [1]):\n    print(a)", "[1]", "a name for each value", "for a in ('x', 'y'):\n    print(a)"),
    ("D304", "a = 'x'\nb = a - 1\nb += 'x'\nprint(b)", "a", "parse_int(a)", "a = 1"),
    ("D301", "n += 1\nn += 1\nprint(f'{n}')", "n", "assign it", "n = 0\nn += 1"),
]  # fmt: skip

if sys.version_info >= (3, 11):  # a syntax error before 3.12
    CASES += [
        ("D102", "c = cat[*arguments]", "arguments", "for argument in arguments:", "c = cat\nfor argument in arguments:\n    c = c[argument]"),
    ]  # fmt: skip

# code, a rejected whole program, the text under the caret, the suggestion
PROGRAMS = [
    ("D102", 'df = local["df"]\n', "_, t = df['-h'] & CAPTURE\n    print(t)", 'local["df"]', 'write df = program("df")'),
    ("D103", "from plumbum.cmd import grep\n", "_ = grep['-l'] & RETCODE", "grep", 'grep = program("grep")'),
    ("D103", "from plumbum.cmd import apt_get as apt\n", "_ = apt & RETCODE", "apt_get as apt", 'apt = program("apt-get")'),
    ("D103", "from plumbum import FG\n", "", "FG", "& TF, & RETCODE or & CAPTURE"),
    ("D103", "from plumbum import *\n", "", "*", "from plumbum import"),
    ("D102", "python = local.python\n", "_ = python & RETCODE", "local.python", 'python = program("python")'),
    ("D105", 'tar = local["tar"]["-z"]\n', "_ = tar['x'] & RETCODE", 'local["tar"]["-z"]', 'tar = program("tar")'),
    ("D105", 'tar = program("tar")["-z"]\n', "_ = tar['x'] & RETCODE", 'program("tar")["-z"]', 'tar = program("tar"), and in a function write tar["-z"]'),
    ("D303", 'R = absolute("/x")\n', "print(R)", 'absolute("/x")', 'in a function: r = absolute("/x")'),
    ("D303", "R = true & RETCODE\n", "print(f'{R}')", "true & RETCODE", "in a function: r = true & RETCODE"),
    ("D303", "R = 1 == 2\n", "print(f'{R}')", "1 == 2", "in a function: r = 1 == 2"),
    ("D102", "FILES = ('a', 'b')\n", "for name in FILES:\n        print(name)", "('a', 'b')", "iterate over them"),
    ("D101", "A: str = 'x'\n", "print(A)", "str", "A = 'x'"),
    ("D101", "print('x')\n", "", "print('x')", "move it into a function"),
    ("D101", "async def f() -> None:\n    pass\n", "f()", "async def f() -> None:", "plain def"),
    ("D101", "class A:\n    pass\n", "a = A()", "class A:", "write functions"),
    ("D101", "def f(a: str, b: str = 'x') -> None:\n    print(a + b)\n", "f('x')", "'x'", "pass 'x'"),
    ("D101", "def f(*, a: str) -> None:\n    print(a)\n", "f(a='x')", "a: str", "without / and *"),
    ("D103", "import os as o\n", "print(o.getcwd())", "os as o", "import os"),
    ("D103", "import re\n", "m = re.match('x', 'y')\n    if m:\n        print('x')", "re", "partition"),
    ("D103", "from pathlib import Path\n", "p = Path('x')\n    print(p.name)", "pathlib", "from oauthkit.shell import absolute"),
    ("D103", "from words import shout\n\nLOUD = shout('x')\n", "print(LOUD)", "words", "words.py in the program's directory"),
    ("D103", "from words import shout\n", "t = shout('x')\n    print(t)", "words", "words.py in the program's directory"),
    ("D103", "from .words import shout\n", "t = shout('x')\n    print(t)", ".words", "write from words import shout"),
    ("D103", "from plumbum.commands.processes import ProcessExecutionError\n", "", "ProcessExecutionError", "there are no exceptions: test the status of each command with if"),
    ("D103", "from plumbum import ProcessExecutionError\n", "", "ProcessExecutionError", "there are no exceptions: test the status of each command with if"),
    ("D103", "from plumbum import CommandNotFound as Missing\n", "", "CommandNotFound as Missing", "there are no exceptions: test the status of each command with if"),
    ("D103", "from plumbum.commands.processes import run_proc\n", "", "run_proc", "remove it: plumbum has LocalPath, local"),
    ("D103", "import oauthkit.shell\n", "", "oauthkit.shell", "from oauthkit.shell import"),
    ("D103", "from plumbum import RETCODE\n", "", "RETCODE", "from oauthkit.shell import RETCODE"),
    ("D301", "", "_ = open_log('x')\n    _ = open_log('y')", "open_log", "from oauthkit.shell import open_log"),
    ("D306", "def helper():\n    print('x')\n", "helper()", "helper", "annotate it"),
    ("D306", "def helper():\n    return True, 'x'\n", "a, b = helper()\n    print(b)", "helper", "annotate it"),
    ("D306", "def f(a: str) -> list[str]:\n    if a == '':\n        return\n    return a\n", "t = f('')\n    print(t)", "list[str]", "annotate it"),
    ("D306", "def g() -> str:\n    return 'x'\n\n\ndef f() -> list[str]:\n    return g()\n", "t = f()\n    print(t)", "list[str]", "annotate it"),
    ("D306", "def f(a: Nope) -> None:\n    print(a)\n", "f('x')", "a: Nope", "annotate it"),
    ("D307", "def f(a: int) -> None:\n    return a\n", "f(1)", "return a", "return without a value"),
    ("D303", "def f() -> tuple[int, str]:\n    return 1, 'x'\n\n\ndef g() -> int:\n    return f()\n", "n = g()\n    print(f'{n}')", "f()", "return an Int"),
    ("D308", "", "t = 'x'\n    _ = t", "t", "write _ instead, or delete the assignment"),
    ("D308", "", "t = 'x'\n    _, _, _ = t.partition('yz')", "t", "write _ instead, or delete the assignment"),
    ("D308", "LIMIT = 3\n", "_ = LIMIT", "LIMIT", "delete it"),
    ("D308", "def f(a: str, b: str) -> None:\n    c = 1\n", "", "f", "delete it, or call it"),
    ("D402", "def f() -> str:\n    port = local.env.get('port', '')\n    return port\n", "t = f()\n    print(t)", "port", "rename it in the program"),
    ("D402", "limit = 5\n", "print(f'{limit}')", "limit", "LIMIT"),
]  # fmt: skip


def only(error: CompileError, code: str, caret: str, way: str) -> Diagnostic:
    """Return the only diagnostic, after checking its place."""
    assert [found.code for found in error.diagnostics] == [code], error.render()
    (found,) = error.diagnostics
    assert under_caret(error) == caret, error.render()
    assert way in found.help, error.render()
    said = f"{found.message} {found.help}"
    assert "error" not in said.replace("OSError", ""), said
    return found


@pytest.mark.parametrize(("code", "bad", "caret", "way", "good"), CASES)
def test_one_message_with_a_suggestion(
    code: str, bad: str, caret: str, way: str, good: str
) -> None:
    top = "SEP = ':'\n\n\n" * ("SEP" in bad) + HELPERS
    only(rejections(program(bad, top)), code, caret, way)
    accept(program(good, HELPERS))


@pytest.mark.parametrize(("code", "top", "body", "caret", "way"), PROGRAMS)
def test_one_message_at_the_top_level(code: str, top: str, body: str, caret: str, way: str) -> None:
    main = MAIN.replace("    return 0", f"    {body}\n    return 0") if body else MAIN
    head = HEAD.replace("CAPTURE, RETCODE,", "CAPTURE,") if "import RETCODE" in top else HEAD
    only(rejections(f"{head}\n{top}\n{main}{TAIL}"), code, caret, way)
