"""Every diagnostic: its code, location and message, and a suggestion that compiles."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.support.compiler.helping import check_help
from tests.support.compiler.programs import HEAD, TAIL, library, program
from tests.support.compiler.rejections import MAIN, accept, rejections, under_caret

from oauthkit.compiler.diagnostics.describe import describe
from oauthkit.compiler.diagnostics.report import CODES
from oauthkit.compiler.driver import compile_text

HELPERS = """def name_of(number: int) -> str:
    return f"{number}"


def try_it(name: str) -> Status:
    if name == "":
        return 2
    return 1


def is_it(name: str) -> bool:
    return name == "it"


def takes(name: str, flag: bool) -> bool:
    return flag and name == "it"
"""

# code, a rejected body of main, the text under the caret, and a body that compiles
CASES = [
    ("D102", "n = 5\na = f'{n:x}'", "n", "n = 5\na = f'{n:03}'"),
    ("D102", "n = 5\na = f'{n!r}'", "n", "n = 5\na = f'{n}'"),
    ("D102", "t = 'x'\na = f'{t:^5}'", "t", "t = 'x'\na = f'{t:<5}'"),
    ("D102", "p = absolute('x')\na = f'{p:<5}'", "p", "p = absolute('x')\na = f'{p}'"),
    ("D105", "n = 7\nk = n // 0", "0", "n = 7\nk = n // 2"),
    ("D105", "print('a', end='', file=sys.stderr)", "print('a', end='', file=sys.stderr)", "print('a', end='')"),
    ("D204", "n = 2\nprint(local.env.get('A', ''), 7 // n)", "7 // n", "n = 2\nk = 7 // n\nprint(local.env.get('A', ''), k)"),
    ("D204", "if arguments:\n    print(local.env.get('A', ''), f'{arguments[0]:5}')", "arguments[0]", "if arguments:\n    t = f'{arguments[0]:5}'\n    print(local.env.get('A', ''), t)"),
    ("D204", "if arguments:\n    print(local.env.get('A', ''), arguments[0].strip())", "arguments[0].strip()", "if arguments:\n    t = arguments[0].strip()\n    print(local.env.get('A', ''), t)"),
    ("D204", "print(local.env.get('A', '') + name_of(1))", "name_of(1)", "t = name_of(1)\nprint(local.env.get('A', '') + t)"),
    ("D204", "n = 1\nif n == 2 and local.env.get('A', '') == name_of(n):\n    pass", "name_of(n)", "n = 1\nif n == 2 and name_of(n) == '1':\n    pass"),
    ("D204", "if true & TF:\n    pass\nelif local.env.get('A', '') == name_of(1):\n    pass", "name_of(1)", "if true & TF:\n    pass\nelif name_of(1) == '1':\n    pass"),
    ("D301", "print(arguments[0])", "arguments[0]", "if arguments:\n    print(arguments[0])"),
    ("D301", "if len(arguments) in (0, 2):\n    print(arguments[0])", "arguments[0]", "if len(arguments) in (1, 2):\n    print(arguments[0])"),
    ("D301", "if len(arguments) not in (1, 2):\n    print(arguments[0])", "arguments[0]", "if len(arguments) not in (1, 2):\n    return 2\nprint(arguments[0])"),
    ("D301", "if 1 >= len(arguments):\n    print(arguments[0])", "arguments[0]", "if 1 <= len(arguments):\n    print(arguments[0])"),
    ("D301", "if len(arguments) > 1:\n    pass\nprint(arguments[1])", "arguments[1]", "if len(arguments) > 1:\n    print(arguments[1])"),
    ("D301", "if len(arguments) > 0 or arguments[0] == 'x':\n    pass", "arguments[0]", "if len(arguments) > 0 and arguments[0] == 'x':\n    pass"),
    ("D303", "p = absolute('x')\nfor t in p.split('/'):\n    print(t)", "p", "p = absolute('x')\nt = f'{p}'\nfor u in t.split('/'):\n    print(u)"),
    ("D101", "with open('f') as f:\n    pass", "with open('f') as f:\n    pass", "s, t = read_file('f')"),
    ("D101", "try:\n    pass\nfinally:\n    pass", "try:\n    pass\nfinally:\n    pass", "pass"),
    ("D101", "5", "5", "n = 5"),
    ("D101", "for c in 'a'.split('\\x7f'):\n    print(c)", "'a'.split('\\x7f')", "for c in 'a'.split('x'):\n    print(c)"),
    ("D101", "for c in 'abc':\n    pass", "'abc'", "for c in ('a', 'b'):\n    pass"),
    ("D101", "while is_it(''):\n    pass\nelse:\n    pass", None, "while is_it(''):\n    pass"),
    ("D101", "a, b = 'xy'", "'xy'", "t = 'xy'\na, _, b = t.partition('x')"),
    ("D102", "a = [1, 2]", "[1, 2]", "a = 1"),
    ("D102", "a = 2 ** 3", "2 ** 3", "a = 2 * 2 * 2"),
    ("D102", "t = 'abc'\na = t[1]", "t[1]", "t = 'abc'\na = t[1:2]"),
    ("D102", "t = 'abc'\na = t[::2]", "t[::2]", "t = 'abc'\na = t[2:]"),
    ("D304", "t = 'abc'\na = t['1':]", "'1'", "t = 'abc'\na = t[1:]"),
    ("D304", "t = 'abc'\na = t[:t]", "t", "t = 'abc'\na = t[:2]"),
    ("D102", "n = 7\na = n[:2]", "n[:2]", "n = 7\na = f'{n}'"),
    ("D204", "if arguments:\n    print(local.env.get('A', ''), arguments[0][:1])", "arguments[0][:1]", "if arguments:\n    t = arguments[0][:1]\n    print(local.env.get('A', ''), t)"),
    ("D102", "a = local.env.get('A', '') or 'x'", "local.env.get('A', '') or 'x'", "a = local.env.get('A') or 'x'"),
    ("D102", "a = name_of", "name_of", "a = name_of(1)"),
    ("D303", "c = program('ls')", "program('ls')", "c = true"),
    ("D104", "a = 'x'.upper()", "'x'.upper", "a = 'X'"),
    ("D104", "unknown(1)", "unknown", "a = name_of(1)"),
    ("D104", "n = len()", "len", "n = len('')"),
    ("D303", "n = len(5)", "5", "n = len(f'{5}')"),
    ("D302", "n = 'x'\nn = len(n)", "n", "n = 'x'\nm = len(n)"),
    ("D105", "a = name_of()", "name_of()", "a = name_of(1)"),
    ("D105", "a = name_of(number=1)", "name_of(number=1)", "a = name_of(1)"),
    ("D105", "a = local.env.get('A')", "local.env.get('A')", "a = local.env.get('A', '')"),
    ("D105", "t = local.env.get('A') or local.env.get('B', '$') + 'a'", "local.env.get('B', '$')", "t = local.env.get('A', '$')\nprint(t + local.env.get('B', '$'))"),
    ("D105", "local.cwd.chdir('/tmp')", "local.cwd.chdir('/tmp')", "if change_directory('/tmp') != 0:\n    return 1"),
    ("D104", "os.chdir('/tmp')", "os.chdir", "if change_directory('/tmp') != 0:\n    return 1"),
    ("D201", "change_directory('/tmp')", "change_directory('/tmp')", "_ = change_directory('/tmp')"),
    ("D105", "p = absolute('x')\nq = p / '..'", "'..'", "p = absolute('x')\nq = p / 'y'"),
    ("D102", "a = takes('x', 1 == 2)", "1 == 2", "flag = 1 == 2\na = takes('x', flag)"),
    ("D102", "if takes('x', 'a' in 'b' and True):\n    pass", "'a' in 'b' and True", "flag = 'a' in 'b' and True\nif takes('x', flag):\n    pass"),
    ("D102", "a = takes('x', not True)", "not True", "flag = not True\na = takes('x', flag)"),
    ("D102", "a = takes('x', 'x'.startswith('y'))", "'x'.startswith('y')", "flag = 'x'.startswith('y')\na = takes('x', flag)"),
    ("D102", "a = takes('x', true & TF)", "true & TF", "flag = true & TF\na = takes('x', flag)"),
    ("D102", "b = True\na = takes('x', b or b)", "b or b", "b = True\nflag = b or b\na = takes('x', flag)"),
    ("D102", "n = 2\nif 1 < n <= 3:\n    pass", "1 < n <= 3", "n = 2\nif 1 < n and n <= 3:\n    pass"),
    ("D303", "print(f'{1 == 2}')", "1 == 2", "if 1 == 2:\n    print('yes')"),
    ("D301", "n += 1", "n", "n = 0\nn += 1"),
    ("D104", "p = absolute('x')\nif p.is_mount():\n    pass", "p.is_mount", "p = absolute('x')\nif p.is_dir():\n    pass"),
    ("D105", "p = absolute('x')\nn = 'a'\nq = p / f'{n}.b'", "f'{n}.b'", "p = absolute('x')\nn = 'a'\nq = absolute(f'{p}/{n}.b')"),
    ("D105", "p = absolute('x')\nn = 'a'\nq = p / n", "n", "p = absolute('x')\nn = 'a'\nq = absolute(f'{p}/{n}')"),
    ("D105", "p = absolute('x')\nn = 1\nq = p / f'../{n}'", "f'../{n}'", "p = absolute('x')\nn = 1\nq = absolute(f'{p}/../{n}')"),
    ("D105", "p = absolute('x')\nn = 1\nq = p / f'/{n}'", "f'/{n}'", "p = absolute('x')\nn = 1\nq = p / f'x/{n}'"),
    ("D303", "p = absolute('x')\nn = 1\nq = p / n", "n", "p = absolute('x')\nn = 1\nq = p / f'{n}'"),
    ("D201", "true & TF", "true & TF", "ok = true & TF"),
    ("D201", "true & RETCODE", "true & RETCODE", "_ = true & RETCODE"),
    ("D201", "true & CAPTURE", "true & CAPTURE", "_, t = true & CAPTURE"),
    ("D201", "t = true & CAPTURE", "t = true & CAPTURE", "_, t = true & CAPTURE"),
    ("D201", "try_it('x')", "try_it('x')", "_ = try_it('x')"),
    ("D201", "is_it('x')", "is_it('x')", "if is_it('x'):\n    pass"),
    ("D201", "name_of(1)", "name_of(1)", "n = name_of(1)"),
    ("D202", "s = (true > 'a' >= 'b') & RETCODE", "true > 'a' >= 'b'", "s = ((true > 'a') >= 'b') & RETCODE"),
    ("D202", "s = ((true > 'a') > 'b') & RETCODE", "true > 'a'", "s = (true > 'b') & RETCODE"),
    ("D203", "true['x']", "true['x']", "_ = true['x'] & RETCODE"),
    ("D203", "if true > 'f':\n    pass", "true > 'f'", "if (true > 'f') & TF:\n    pass"),
    ("D301", "print(a)", "a", "a = ''\nprint(a)"),
    ("D301", "print('b' if len(arguments) > 1 else a)", "a", "a = ''\nprint('b' if len(arguments) > 1 else a)"),
    ("D301", "x = a if len(arguments) > 1 else 'b'\nprint(x)", "a", "a = ''\nx = a if len(arguments) > 1 else 'b'\nprint(x)"),
    ("D301", "if len(arguments) > 1:\n    a = 'k'\nprint(f\"{'b' if len(arguments) > 5 else a}\")", "a", "a = ''\nprint('b' if len(arguments) > 5 else a)"),
    ("D301", "if true & TF:\n    a = 'x'\nprint(a)", "a", "a = ''\nif true & TF:\n    a = 'x'\nprint(a)"),
    ("D301", "for a in ('x', 'y'):\n    if is_it(a):\n        continue\n    b = a\nprint(b)", "b",
     "b = ''\nfor a in ('x', 'y'):\n    if is_it(a):\n        continue\n    b = a\nprint(b)"),
    ("D301", "for a in ('x', 'y'):\n    if is_it(a):\n        break\n    b = a\nprint(b)", "b",
     "b = ''\nfor a in ('x', 'y'):\n    if is_it(a):\n        break\n    b = a\nprint(b)"),
    ("D301", "while is_it('x'):\n    a = 'x'\nprint(a)", "a", "a = ''\nwhile is_it('x'):\n    a = 'x'\nprint(a)"),
    ("D302", "a = 1\na = 'x'", "a", "a = 1\nb = 'x'"),
    ("D302", "a = 1\nt = 'x' if a == 1 else 2\nprint(f'{t}')", "'x' if a == 1 else 2", "a = 1\nt = 'x' if a == 1 else 'y'\nprint(t)"),
    ("D302", "a = 1\nprint('x' if a == 1 else 2)", "'x' if a == 1 else 2", "a = 1\nprint('x' if a == 1 else 'y')"),
    ("D303", "p = '/x'\nq = p / 'y'", "p", "p = absolute('/x')\nq = p / 'y'"),
    ("D303", "a = 'x' + 1", "1", "a = 'x' + f'{1}'"),
    ("D303", "if 'a' < 'b':\n    pass", "'a' < 'b'", "if 'a' != 'b':\n    pass"),
    ("D303", "b = True\nprint(f'{b}')", "b", "b = True\nif b:\n    print('yes')"),
    ("D105", "t = sys.stdin.read(5)\nprint(t)", "sys.stdin.read(5)", "t = sys.stdin.read()\nprint(t)"),
    ("D201", "sys.stdin.read()", "sys.stdin.read()", "_ = sys.stdin.read()"),
    ("D302", "t = 1\nt = sys.stdin.read()", "t", "t = sys.stdin.read()"),
    ("D105", "t = 'x'\nfor x in t.splitlines(True):\n    print(x)", "t.splitlines(True)", "t = 'x'\nfor x in t.splitlines():\n    print(x)"),
    ("D303", "for x in sorted('/usr' // '*'):\n    print(x)", "'/usr'", "for x in sorted(LocalPath('/usr') // '*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '*', reverse=True):\n    print(x)", "sorted(p // '*', reverse=True)", "p = absolute('x')\nfor x in sorted(p // '*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nt = '*'\nfor x in sorted(p // t):\n    print(x)", "t", "p = absolute('x')\nfor x in sorted(p // '*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nt = 'a'\nfor x in sorted(p // f'{t}*'):\n    print(x)", "f'{t}*'", "p = absolute('x')\nfor x in sorted(p // 'a*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '?.log'):\n    print(x)", "'?.log'", "p = absolute('x')\nfor x in sorted(p // '[0-9].log'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '**'):\n    print(x)", "'**'", "p = absolute('x')\nfor x in sorted(p // '*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // 'y/*'):\n    print(x)", "'y/*'", "p = absolute('x')\nfor x in sorted(p / 'y' // '*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // 'y'):\n    print(x)", "'y'", "p = absolute('x')\nq = p / 'y'\nif q.exists():\n    print(q)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '[!a]*'):\n    print(x)", "'[!a]*'", "p = absolute('x')\nfor x in sorted(p // '[b-z]*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '[z-a]*'):\n    print(x)", "'[z-a]*'", "p = absolute('x')\nfor x in sorted(p // '[a-z]*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '[é]*'):\n    print(x)", "'[é]*'", "p = absolute('x')\nfor x in sorted(p // 'é*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '[[:alpha:]]*'):\n    print(x)", "'[[:alpha:]]*'", "p = absolute('x')\nfor x in sorted(p // '[a-zA-Z]*'):\n    print(x)"),
    ("D105", "p = absolute('x')\nfor x in sorted(p // '\\\\*'):\n    print(x)", "'\\\\*'", "p = absolute('x')\nfor x in sorted(p // '*'):\n    print(x)"),
    ("D102", "p = absolute('x')\nq = p // '*'", "p // '*'", "p = absolute('x')\nfor q in sorted(p // '*'):\n    print(q)"),
    ("D301", "for a in 'x'.splitlines():\n    print(a)\nprint(a)", "a", "a = ''\nfor a in 'x'.splitlines():\n    pass\nprint(a)"),
    ("D301", "p = absolute('x')\nfor a in sorted(p // '*'):\n    print(a)\nprint(a)", "a", "p = absolute('x')\na = p\nfor a in sorted(p // '*'):\n    pass\nprint(a)"),
    ("D301", "for a in 'x'.splitlines():\n    b = a\nprint(b)", "b", "b = ''\nfor a in 'x'.splitlines():\n    b = a\nprint(b)"),
    ("D302", "a = 1\nfor a in 'x'.splitlines():\n    pass", "a", "for a in 'x'.splitlines():\n    print(a)"),
    ("D303", "for x in ('a', 1):\n    pass", "('a', 1)", "for x in ('a', '1'):\n    pass"),
    ("D102", "a = '5'\nb = a * 2", "a * 2", "a = '5'\nb = f'{a}{a}'"),
    ("D304", "a = '5'\nb = a - 2", "a", "a = '5'\n_, n = parse_int(a)\nb = n - 2"),
    ("D304", "a = '5'\nif a > 2:\n    pass", "a", "a = '5'\n_, n = parse_int(a)\nif n > 2:\n    pass"),
    ("D305", "a = 'x'\nif a:\n    pass", "a", "a = 'x'\nif a != '':\n    pass"),
    ("D305", "n = 1\nwhile not n:\n    pass", "not n", "n = 1\nwhile n == 0:\n    pass"),
    ("D305", "if try_it('x'):\n    pass", "try_it('x')", "if try_it('x') == 0:\n    pass"),
    ("D305", "if true:\n    pass", "true", "if true & TF:\n    pass"),
    ("D309", "while True:\n    pass\nprint('x')", "print('x')", "while is_it('x'):\n    pass\nprint('x')"),
    ("D309", "for a in ('x', 'y'):\n    print(a)\n    break\n    print(a)\n    print('b')", "print(a)", "for a in ('x', 'y'):\n    print(a)"),
    ("D401", "PATH = 'x'", "PATH", "path = 'x'"),
    ("D401", "REPLY = 'x'", "REPLY", "reply = 'x'"),
    ("D401", "größe = 1", "größe", "size = 1"),
    ("D402", "parse_int = 1", "parse_int", "number = 1"),
    ("D402", "sh = 'x'", "sh", "shell = 'x'"),
    ("D402", "is_it = is_it('it')", "is_it", "was_it = is_it('it')"),
    ("D105", "a = local.env.get('A:-$(id)', '')", "'A:-$(id)'", "a = local.env.get('A', '')"),
    ("D105", "a = local.env.get('A-B') or 'x'", "local.env.get('A-B')", "a = local.env.get('A_B') or 'x'"),
    ("D105", "if 'A[0]' in local.env:\n    pass", "'A[0]'", "if 'A' in local.env:\n    pass"),
    ("D105", "local.env['A B'] = 'x'", "'A B'", "local.env['A_B'] = 'x'"),
    ("D105", "t = 'a:b'\nt, t, _ = t.partition(':')", None, "t = 'a:b'\n_, _, t = t.partition(':')"),
    ("D303", "p = absolute('x')\nif 'x' in p:\n    pass", "p", "p = absolute('x')\nt = f'{p}'\nif 'x' in t:\n    pass"),
    ("D303", "if True:\n    return 300", "300", "if True:\n    return 3"),
    ("D401", "a = local.env.get('RANDOM', '')", "'RANDOM'", "a = local.env.get('RANDOM_TEXT', '')"),
    ("D401", "local.env['REPLIES'] = 'x'", "'REPLIES'", "local.env['REPLIES_'] = 'x'"),
    ("D401", "a = local.env.get('_secrets', '')", "'_secrets'", "a = local.env.get('secrets', '')"),
    ("D402", "arguments = 'x'", "arguments", "others = 'x'"),
    ("D402", "str = 'x'", "str", "text = 'x'"),
    ("D402", "len = 'x'", "len", "text = 'x'"),
    ("D402", "sorted = 'x'", "sorted", "text = 'x'"),
    ("D402", "os = 'linux'\nprint(os)", "os", "system = 'linux'\nprint(system)"),
    ("D402", "for TF in (1, 2):\n    print(f'{TF}')", "TF", "for n in (1, 2):\n    print(f'{n}')"),
    ("D404", "a = 'x\\0y'", "'x\\0y'", "a = 'xy'"),
    ("D404", "n = -9223372036854775809", "-9223372036854775809", "n = -9223372036854775808"),
    ("D404", "n = 9223372036854775808", "9223372036854775808", "n = 9223372036854775807"),
]  # fmt: skip

# code, a rejected whole program, the text under the caret
PROGRAMS = [
    ("D001", HEAD + "\ndef main(:\n", ":"),
    ("D101", f"{HEAD}\nX = 1\nX += 1\n{MAIN}{TAIL}", "X += 1"),
    ("D101", f"{HEAD}\nclass A:\n    pass\n{MAIN}{TAIL}", "class A:"),
    ("D101", f"{HEAD}\n{MAIN}", '"'),
    ("D101", f"{HEAD}\n{MAIN}\nif __name__ == '__main__':\n    main()\n", "main()"),
    ("D101", f"{HEAD}\ndef f(a: str = '') -> None:\n    pass\n{MAIN}{TAIL}", "''"),
    ("D103", f"import re\n{HEAD}\n{MAIN}{TAIL}".replace("from __future__", "# from"), "re"),
    ("D103", f"{HEAD}\nfrom oauthkit.shell import nothing\n{MAIN}{TAIL}", "nothing"),
    ("D001", f"{HEAD}\nbreak\n{MAIN}{TAIL}", "break"),
    ("D101", f"{HEAD}\n{MAIN}{TAIL}\n\ndef late() -> None:\n    pass\n", "def late() -> None:"),
    ("D101", f"{HEAD}\ndef f(a: str, *rest: str) -> None:\n    pass\n{MAIN}{TAIL}", "rest: str"),
    ("D301", f"{HEAD}\n{MAIN}{TAIL}".replace("import sys\n", ""), "sys"),
    ("D306", f"{HEAD}\ndef f(a: str) -> tuple[str,]:\n    return (a,)\n{MAIN}{TAIL}", "tuple[str,]"),
    ("D401", f"{HEAD}\nleave = program('exit')\n{MAIN}{TAIL}", "'exit'"),
    ("D402", f"{HEAD}\ndef take_lock() -> None:\n    pass\n{MAIN}{TAIL}", "take_lock"),
    ("D306", f"{HEAD}\ndef f(a) -> None:\n    pass\n{MAIN}{TAIL}", "a"),
    ("D306", f"{HEAD}\ndef f(a: str):\n    pass\n{MAIN}{TAIL}", "f"),
    ("D306", f"{HEAD}\ndef f(a: list[str]) -> None:\n    pass\n{MAIN}{TAIL}", "a: list[str]"),
    ("D307", f"{HEAD}\ndef f(a: str) -> str:\n    if a == '':\n        return a\n{MAIN}{TAIL}", "f"),
    ("D307", f"{HEAD}\ndef f(a: str) -> None:\n    return a\n{MAIN}{TAIL}", "return a"),
    ("D403", f"{HEAD}\ndef f() -> None:\n    g()\n\n\ndef g() -> None:\n    f()\n{MAIN}{TAIL}", "f"),
    ("D306", f"{HEAD}\ndef f() -> tuple[Status, Status]:\n    return 1, 2\n{MAIN}{TAIL}", "tuple[Status, Status]"),
    ("D306", f"{HEAD}\ndef f() -> tuple[str, BaseCommand]:\n    return 'x', true\n{MAIN}{TAIL}", "tuple[str, BaseCommand]"),
    ("D402", f"{HEAD}\ndef sleep() -> None:\n    pass\n{MAIN}{TAIL}", "sleep"),
    ("D402", f"{HEAD}\ndef print() -> None:\n    pass\n{MAIN}{TAIL}", "print"),
    ("D401", f"{HEAD}\ndef split_lines() -> None:\n    pass\n{MAIN}{TAIL}", "split_lines"),
    ("D401", f"{HEAD}\nglob = program('sorted_glob')\n{MAIN}{TAIL}", "'sorted_glob'"),
    ("D401", f"{HEAD}\ndef test() -> None:\n    pass\n{MAIN}{TAIL}", "test"),
    ("D402", f"{HEAD}\ndef cat() -> None:\n    pass\n\n\nremover = program('cat')\n{MAIN}{TAIL}", "cat"),
    ("D402", f"{HEAD}\ndef f(f: str) -> None:\n    print(f)\n{MAIN}{TAIL}", "f: str"),
    ("D401", f"{HEAD}\n_ = 5\n{MAIN}{TAIL}", "_"),
    ("D308", f"{HEAD}\nLIMIT = 1\n{MAIN}{TAIL}", "LIMIT"),
    ("D308", f"{HEAD}\ndef f() -> None:\n    pass\n{MAIN}{TAIL}", "f"),
    ("D308", f"{HEAD}\ndef f(a: str, b: str) -> None:\n    print(a)\n{MAIN}{TAIL}".replace("return 0", "f('a', 'b')\n    return 0"), "b: str"),
    ("D404", f'{HEAD}\ndef f() -> None:\n    """a\\0b"""\n{MAIN}{TAIL}'.replace("return 0", "f()\n    return 0"), '"""a\\0b"""'),
    ("D404", f'{HEAD}\ndef f() -> None:\n    """\\ud800"""\n{MAIN}{TAIL}'.replace("return 0", "f()\n    return 0"), '"""\\ud800"""'),
    ("D404", f"{HEAD}\nls = program('l\\0s')\n{MAIN}{TAIL}", r"'l\0s'"),
    ("D404", f"{HEAD}\nls = program('\\ud800')\n{MAIN}{TAIL}", r"'\ud800'"),
    ("D404", f"{HEAD}\n{MAIN}{TAIL}".replace("A program.", "A \\0 program."), '"""A \\0 program."""'),
    ("D309", f"{HEAD}\n{MAIN}    print('x')\n{TAIL}", "print('x')"),
    ("D401", f"{HEAD}\ndot = program('.')\n{MAIN}{TAIL}", "'.'"),
    ("D402", f"{HEAD}\nPORT = 1\n\n\ndef f() -> str:\n    return local.env.get('PORT', '')\n{MAIN}{TAIL}", "PORT"),
]  # fmt: skip


# lines of a main with an unused definition, the text under the caret, and lines that use it
UNUSED = [
    ("a = 'x'", "a", "_ = 'x'"),
    ("status, t = read_file('f')\nprint(t)", "status", "_, t = read_file('f')\nprint(t)"),
    ("a = 'x'\na += 'y'", "a", "a = 'x'\na += 'y'\nprint(a)"),
    ("n = 1\nif is_it('x'):\n    n += 1", "n", "n = 1\nif is_it('x'):\n    n += 1\nprint(f'{n}')"),
    ("c = true\nc = c['x']", "c", "c = true\nc = c['x']\n_ = c & RETCODE"),
    ("for a in (1, 2):\n    print('x')", "a", "for _ in (1, 2):\n    print('x')"),
    ("h = 'a:b'\nh, _, b = h.partition(':')\nprint(h)", "b", "h = 'a:b'\nh, _, _ = h.partition(':')\nprint(h)"),
    ("ok = true & TF", "ok", "_ = true & RETCODE"),
    ("t = name_of(1)", "t", "_ = name_of(1)"),
    ("a = 'x'\n_ = 'y' if a == '' else 'z'", "'y' if a == '' else 'z'", "a = 'x'\nb = 'y' if a == '' else 'z'\nprint(b)"),
    ("a = 'x'\n_ = a.strip() + 'y'", "a.strip() + 'y'", "a = 'x'\nprint(a.strip() + 'y')"),
]  # fmt: skip


# Every kind of construct that Python has and the dialect does not have.
KINDS = """
a = [1]; a = (1, 2); a = {1}; a = {1: 2}; a = [x for x in b]; a = {x for x in b}; a = {x: x for x in b}
a = (x for x in b); a = lambda: 1; a = 1 if b else 2; a = (c := 1); a = 1.5; a = b"x"; a = None; a = ...
a = 1j; a = ~1; a = +1; a = 1 ** 2; a = 1 / 2; a = 1 & 2; a = 1 | 2; a = 1 ^ 2; a = 1 << 2; a = 1 >> 2
a = 1 @ 2; a = 1 is 2; a = 1 < 2 < 3; a = b.c; a = 'x'[0]; a = 'x'[1:2]; a = f(*b); a = 1 == 2 == 3
a = f'{1:>3}'; a = f'{1!r}'; a = (yield); a = 'x' if 'y' else 'z'; a = 1 is not 2; a = 'x' and 'y'
assert a; raise a; del a; global a; import os; from os import path; a: int; a = b = 1; a.b = 1; a[0] = 1
name_of([1]); name_of({1}); name_of(x for x in b); name_of(1.5); name_of(1 is 2); name_of('x' and 'y')
"""
BLOCKS = """
try:
    pass
except OSError:
    pass
with a: pass
match a:
    case 1: pass
def g() -> None: pass
class A: pass
for x in a: pass
for x, y in ('a', 'b'): pass
while 1: pass
if [1]: pass
if (yield): pass
"""


@pytest.mark.parametrize(("code", "bad", "caret", "good"), CASES, ids=lambda value: str(value)[:30])
def test_rejected_with_a_suggestion(code: str, bad: str, caret: str | None, good: str) -> None:
    error = rejections(program(bad, HELPERS))
    assert [found.code for found in error.diagnostics] == [code], error.render()
    if caret is not None:
        assert under_caret(error) == caret.splitlines()[0]
    accept(program(good, HELPERS))


@pytest.mark.parametrize(("code", "text", "caret"), PROGRAMS, ids=lambda value: str(value)[-40:])
def test_rejected_program(code: str, text: str, caret: str) -> None:
    error = rejections(text)
    assert code in [found.code for found in error.diagnostics], error.render()
    assert under_caret(error) == caret


@pytest.mark.parametrize(
    "text",
    [
        *(program(case[1], HELPERS) for case in CASES),
        *(case[1] for case in PROGRAMS if case[0] != "D001"),
    ],
)
def test_help_compiles_and_does_the_same(text: str, tmp_path: Path) -> None:
    check_help(tmp_path, text)


USES = "_ = takes('', True)\n_ = name_of(1)\n_ = try_it('')\n_ = is_it('')\n"


@pytest.mark.parametrize(("bad", "caret", "good"), UNUSED)
def test_unused_definition_is_rejected(bad: str, caret: str, good: str) -> None:
    error = rejections(program(USES + bad, HELPERS))
    assert [found.code for found in error.diagnostics] == ["D308"], error.render()
    assert under_caret(error) == caret
    compile_text(program(USES + good, HELPERS), "program.py", library())


def test_unused_name_is_reported_only_without_other_errors() -> None:
    """The rejected code may use the name."""
    error = rejections(program("a = 'x'\nprint(a.upper())\nb = 'y'"))
    assert [found.code for found in error.diagnostics] == ["D104"]


def _statements() -> list[str]:
    parts = [part.strip() for line in KINDS.splitlines() for part in line.split(";")]
    return [*filter(None, parts), *map(ast.unparse, ast.parse(BLOCKS).body)]


@pytest.mark.parametrize("statement", _statements())
def test_no_message_names_an_ast_class(statement: str) -> None:
    error = rejections(program(statement, HELPERS))
    said = " ".join(f"{found.message} {found.help}" for found in error.diagnostics)
    classes = [name for name in dir(ast) if name[0].isupper() and name not in ("Str", "List")]
    known = {"Bool", "Name", "Int", "Set"} | {"If", "With", "Try"}  # internal terms, or keywords
    assert not {*re.findall(r"\w+", said)} & ({*classes} - known), said
    assert "this ()" not in said
    places = [(found.span, found.message) for found in error.diagnostics]
    assert len(places) == len({*places}), "reported twice"


@pytest.mark.parametrize(
    ("right", "way"),
    [
        ("f'{n}.state'", "absolute(f'{p}/{n}.state')"),
        ("n", "absolute(f'{p}/{n}')"),
        ("'../x'", "absolute(f'{p}/../x')"),
        ("n.removeprefix('x')", "absolute(f\"{p}/{n.removeprefix('x')}\")"),
    ],
)
def test_suggestion_for_a_path_is_complete(right: str, way: str) -> None:
    head = "p = absolute('x')\nn = 'a'\nprint(n)\nq = "
    (found,) = rejections(program(f"{head}p / {right}")).diagnostics
    said = found.help.removeprefix("make a Path of the whole text: `").removesuffix("`")
    assert ast.dump(ast.parse(said)) == ast.dump(ast.parse(f"q = {way}"))  # Python's quotes differ
    compile_text(program(f"{head}{way}\nprint(f'{{q}}')"), "program.py", library())


# The code before, the repeated code, and the code after it in a main function.
DEEP = [
    ("a = 'x'", " + 'x'", "\nprint(a)"),
    ("a = 1", " + 1", "\nprint(f'{a}')"),
    ("n = 1\na = ", "-", "n\nprint(f'{a}')"),
    ("_ = true", "['x']", " & RETCODE"),
    ("if ", "not ", "True:\n    print('x')"),
    ("n = 1\nif n", " - 1", " == 1:\n    print('x')"),
]


@pytest.mark.parametrize(("before", "piece", "after"), DEEP)
def test_deep_nesting_is_reported(before: str, piece: str, after: str) -> None:
    compile_text(program(before + 90 * piece + after), "program.py", library())
    for times in (110, 400, 5000):
        (found,) = rejections(program(before + times * piece + after)).diagnostics
        assert found.code in ("D001", "D102")
        assert times > 400 or found.message == "an expression has more than 100 levels"


def test_nested_calls_are_reported() -> None:
    for times in (90, 700):
        rejections(program(f"a = name_of{times * '()'}", HELPERS))


@pytest.mark.parametrize(
    "expression", ["f'{" + 90 * "n + " + "n}'", "f'{" + 90 * "(n - " + "n" + 90 * ")" + "}'"]
)
def test_too_many_blocks_are_reported(expression: str) -> None:
    def nested(blocks: int) -> str:
        lines = ["n = 1", *(f"{'    ' * level}if n == 1:" for level in range(blocks))]
        return program("\n".join([*lines, f"{'    ' * blocks}print({expression})"]))

    compile_text(nested(39), "program.py", library())
    for blocks in (40, 75, 95):
        (found,) = rejections(nested(blocks)).diagnostics
        assert (found.code, found.message) == (
            "D101",
            "more than 40 blocks are nested here",
        )


def test_elif_is_not_nested() -> None:
    more = "".join(f"elif n == {number}:\n    print('x')\n" for number in range(150))
    compile_text(program(f"n = 1\nif n == 1:\n    print('y')\n{more}"), "p.py", library())


def test_every_kind_has_a_description() -> None:
    for base in (ast.expr, ast.stmt, ast.operator, ast.unaryop, ast.cmpop, ast.boolop):
        for kind in base.__subclasses__():
            if kind.__module__ == "ast" and issubclass(kind, base):
                node = kind.__new__(kind)
                if isinstance(node, ast.Constant):
                    node.value = 1
                if isinstance(node, ast.UnaryOp):
                    node.op = ast.Not()
                assert describe(node) != "this", kind


def test_every_code_has_a_case() -> None:
    tested = {case[0] for case in CASES} | {case[0] for case in PROGRAMS}
    assert tested == set(CODES)


def test_all_errors_are_reported_in_source_order() -> None:
    body = "if 'x':\n    pass\na = [1]\nb = a + 1\ntrue & TF\nprint(nothing)"
    error = rejections(program(body))
    # b depends on rejected code, so it is not reported
    assert [found.code for found in error.diagnostics] == ["D305", "D102", "D201", "D301"]


def test_source_excerpt_of_a_diagnostic() -> None:
    text = program("a = 'ü'\nif 'ü' + a:\n    pass")
    line = text.splitlines().index("    if 'ü' + a:") + 1
    assert rejections(text).render() == (
        f"program.py:{line}:8: D305: a Str cannot be used as a condition\n"
        f"{line:>5} |     if 'ü' + a:\n"
        "      |        ^^^^^^^\n"
        "      = help: compare it: `('ü' + a) != \"\"`"
    )


def test_caret_accounts_for_wide_characters() -> None:
    """CJK characters and emoji have two columns in a terminal, combining characters none."""
    for text, width in (("日本", 4), ("a\N{COMBINING ACUTE ACCENT}", 1), ("\N{GRINNING FACE}", 2)):
        _, line, carets, _ = rejections(program(f"print('{text}' + 1)")).render().splitlines()
        assert carets.index("^") == line.index(text) + width + len("' + ")
        assert carets.count("^") == 1
        _, _, carets, *_ = rejections(program(f"n = 1 + '{text}'")).render().splitlines()
        assert carets.count("^") == width + len("''")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("n = 1\nif n:\n    pass", "an Int cannot be used as a condition"),
        ("n = 1\nn = 'x'", "n is an Int and cannot become a Str"),
        ("n = 1\nm = n['x']", "an Int cannot be indexed"),
        ("t = 'x' + 1", "expected a Str, found an Int"),
        ("_ = 1 & TF", "an Int cannot be run"),
    ],
)
def test_type_names_have_the_right_article(body: str, said: str) -> None:
    assert [found.message for found in rejections(program(body)).diagnostics] == [said]


def test_environment_name_is_reported_at_its_first_use() -> None:
    text = program("a = local.env.get('name', '')\nprint(a)\nname = 'x'\nprint(name)")
    (found,) = rejections(text).diagnostics
    assert (found.code, found.span.line) == ("D402", text.splitlines().index("    name = 'x'") + 1)


def test_syntax_error_has_a_suggestion() -> None:
    (found,) = rejections(program("a = (1\nb = 2")).diagnostics
    assert (found.code, found.message) == ("D001", "'(' was never closed")
    assert found.help == "fix this line, or close a bracket or string above it"
    (found,) = rejections(program("a = 1 1")).diagnostics
    assert found.code == "D001"


def test_syntax_warnings_are_not_reported() -> None:
    (found,) = rejections(program("a = 1\nif a is 2:\n    pass")).diagnostics
    assert (found.code, found.help) == ("D102", "compare: `a == 2`")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("def main(*arguments: str) -> int:", "main is the entry, but it returns an Int"),
        ("def main(*arguments: str) -> None:", "main is the entry, but it returns nothing"),
        ("def main(name: str) -> Status:", "main is the entry, but it has parameters"),
    ],
)
def test_entry_that_is_no_main_is_reported_at_its_header(header: str, said: str) -> None:
    good = "def main(*arguments: str) -> Status:"
    value = "return" if "None" in header else "return 0"
    text = program("print('x')").replace(good, header).replace("return 0", value)
    (found,) = rejections(text).diagnostics
    assert (found.code, found.message) == ("D101", said)
    assert text.splitlines()[found.span.line - 1] == header
    assert found.help == f"write `{good}`"


def test_entry_that_is_called_without_arguments_gets_no_parameters() -> None:
    text = program("print('x')").replace("main(*arguments: str) -> Status", "main() -> int")
    text = text.replace("main(*sys.argv[1:])", "main()")
    (found,) = rejections(text).diagnostics
    assert found.help == "write `def main() -> Status:`"
    accept(text.replace("main() -> int", "main() -> Status"))


def test_entry_without_arguments_is_called_without_them() -> None:
    text = program("print('x')").replace("main(*arguments: str)", "main()")
    (found,) = rejections(text).diagnostics
    assert (found.code, found.help) == ("D101", "write `sys.exit(main())`")
    accept(text.replace("main(*sys.argv[1:])", "main()"))
