"""The code in a help message compiles, and does what the rejected code does in CPython."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import pytest
from tests.support.compiler.helping import check_same, diagnostics, helped
from tests.support.compiler.pasting import paste
from tests.support.compiler.programs import program, run_python
from tests.support.compiler.rejections import rejections

from oauthkit.compiler.diagnostics import replacements

if TYPE_CHECKING:
    from pathlib import Path

HELPERS = """def size_of(name: str) -> int:
    if name == "":
        return 0
    return 7


def label(number: int) -> str:
    return f"<{number}>"


def changed() -> str:
    local.env["CHANGED"] = "b"
    return "c"


def try_it(name: str) -> Status:
    if name == "":
        return 2
    return 0
"""

# Bodies of main that are rejected with a help message that contains code. Each prints its result.
# The body runs in CPython. The code of the help runs in CPython and in bash.
SAME = [
    # Numbers
    "b = 1 > 2\nn = int(b)\nprint(f'{n}')",
    "n = 0\nm = n or 5\nprint(f'{m}')",
    "n = 3\nm = n % 2 or n or 9\nprint(f'{m}')",
    "n = 3\nn = n and n + 4\nprint(f'{n}')",
    "t = 'x'\ny = t and 'yes'\nprint(y)",
    "t = ''\nprint(t and 'yes')\nt = 'x'\nprint(t and 'yes')",
    "n = 2\nif n in range(3):\n    print('in')\nif n + 1 > 2 and n not in range(2, 9):\n    print('out')",
    "t = ' a '\nif t.strip() in ['a', 'b']:\n    print('in')",
    "if label(1) not in {'<1>', 'b'}:\n    print('out')\nprint('end')",
    "s = 'ab'\ns *= 2\nprint(s)",
    "s = 'ab'\ns += s * 3\nprint(s)",
    "a = 1 > 2\nb = 2 > 3\nif a == b:\n    print('same')\nif a != b and b:\n    print('differ')",
    "s = ''\nprint(f\"{'a' if s else 'b'} {'c' if not s else 'd'}\")",
    "n = 5\nprint(f\"{str(n)}!\")",
    "for t in sys.stdin.read().split('\\n'):\n    print(f'<{t}>')",
    "x = 'a, b,, c, '\nfor t in x.split(', '):\n    print(f'<{t}>')",
    "for t in (label(7) + 'x, y').strip().split(', '):\n    print(f'<{t}>')",
    "local.env['A'] = 'x'\nlocal.env.pop('A', None)\nprint(local.env.get('A', 'none'))",
    "if not sys.stdin.isatty() and not os.isatty(0):\n    print('no terminal')",
    "x = 5\nif x > 2:\n    print('a')\n    return x > 3",
    "print('go')\nok = 'a' != 'b'\nif not ok:\n    return True\nif sh['-c', 'exit 3'] & TF:\n    return 7\nreturn not ok",
    "print('go')\nif 'a' != 'b':\n    return sh['-c', 'exit 3'] & TF\nprint('end')\nreturn true & TF",
    "x = '5'\nn = int(x)\nprint(f'{n + 1}')",
    "x = 'five'\nn = int(x)\nprint(f'{n + 1}')",
    "x = '-12'\nprint(f'{1 + int(x)}')",
    "x = '5'\nif int(x) > 3:\n    print('more')",
    "n = 0\nn += int('12')\nprint(f'{n}')",
    "status = 3\nn = int('4')\nprint(f'{status} {n}')",
    "n = int(5)\nprint(f'{n}')",
    "n = 5\nt = str(n)\nprint(t)",
    "root, end = os.path.splitext('a/b.c')\nprint(f'{root} {end}')",
    "print(str('x') + 'y')",
    "n = 5\nt = repr(n)\nprint(t)",
    "n = 5\nt = format(n)\nprint('size ' + t)",
    "t = ''\nb = bool(t)\nif not b:\n    print('empty')",
    "a = 3\nb = 5\nm = min(a, b)\nprint(f'{m}')",
    "a = 3\nb = 5\nm = max(a, b)\nprint(f'{m} {a}')",
    "low = 3\nfor x in (5, 2, 4):\n    low = min(x, low)\nprint(f'{low}')",
    "a = 3\nprint(f'{max(a, 9)}')",
    "b = 9\nb = min(b, size_of('x'))\nprint(f'{b}')\nb = max(b, size_of('x'))\nprint(f'{b}')",
    "s = 0\nfor t in ('x', '', 'y'):\n    s = max(s, try_it(t))\nprint(f'{s}')",
    "m = 3\nm = min(m + 1, m * 2)\nprint(f'{m}')",
    "a = -3\nb = abs(a)\nprint(f'{a} {b}')",
    "a = -3\na = abs(a)\nprint(f'{a}')",
    # Text
    "t = '-' * 3\nprint(t)",
    "t = 'ab'\nprint(t * 2)",
    "n = 5\nt = '%d' % n\nprint(t)",
    "n = 5\nt = '%s: %d!' % ('a', n)\nprint(t)",
    "n = 5\nprint('{}: {}'.format('a', n))",
    "n = 5\nprint('{{}} {}'.format(n))",
    "a = 'x'\nb = 'y'\nprint(', '.join((a, b, 'z')))",
    "print('-'.join(['a', 'b']))",
    "x = 'a,b,,c'\nn = x.count(',')\nprint(n, x.count('b') + 1, label(7).count('<'))",
    "x = ' a b  c\\n'\nprint(x.split()[1], label(1).split('1')[1])",
    "x = 'a:b:c'\nx = x.split(':')[2]\nprint(x, 'd e'.split()[-1])",
    "x = 'a,b,c'\na, b, c = x.split(',')\nprint(c, b, a)",
    "x = '/a/b'\ny = x.strip('/').replace('/', '_') or 'root'\nprint(y)",
    "x = '/'\ny = 'a' + x.strip('/') or 'root'\nprint(y)",
    "x = ' a  b\\n'\na, b = x.split()\nprint(b, a)",
    "x = 'a b'\nx, b = x.split()\nprint(b, x)",
    "a, _, b = printf('x y z\\n').split()\nprint(b, a)",
    "x = 'a b'\na, b, c = x.split()\nprint(c, b, a)",
    "x = 'a'\nd = absolute('d')\ne = d / x / 'k' / x\nprint(e)",
    "x = 'a'\nd = absolute('d')\ne = d / x / 5\nprint(e)",
    "a = 'q'\nx = 'a b'\na, b = x.split()\nprint(b, a)",
    "d = absolute('d')\ne = d / d.name\nprint(e, d / 'x')",
    "d = absolute('d')\nif (d / d.name / 'k').exists():\n    print('yes')\nprint('end')",
    "x = 'ab'\nprint((x + 'c')[2], (x + ',c').count(','), (x + ' 3 4').split()[2])",
    "x = 'a\\nb'\na, b = x.split('\\n')\nprint(b, a)",
    "x = 'a:b'\na, b, c = (x + ':c').split(':')\nprint(c, b, a)",
    "x = 'a:b:c'\na, _, _ = x.split(':')\nprint(a)",
    "n = 3\nm = 100 % n ** 2\nprint(m, 100 // n ** 2, n >> 1)",
    "n = 1\nif not label(7).removesuffix(' != b'):\n    print('never')\nprint(n)",
    "x = 'a,b'\na, b, c = x.split(',')\nprint(c, b, a)",
    "x = 'a,b,c,d'\na, b, c = x.split(',')\nprint(c, b, a)",
    "x = 'a=7=8'\nn = int(x.split('=')[2])\nprint(n, x.partition('=')[2], x.rpartition('=')[0])",
    "x = 'größe\\n'\nfor c in x:\n    print(c)",
    "n = -7\nprint(n ** 2, n >> 1, (n + 1) << 3)",
    "n = 1\nn += label(7) == '<7>'\nprint(n)",
    "x = ''\nif not x:\n    print('empty')\nif not label(7):\n    print('never')\nif size_of('a'):\n    print('size')",
    "x = int(os.environ.get('NONE', 8080))\nprint(x, int(os.getenv('NONE', '7')))",
    "x = 'key=value'\nk, v = x.split('=')\nprint(f'{v} {k}')",
    "x = 'key'\nk, v = x.split('=')\nprint(f'{v} {k}')",
    "x = 'a=b=c'\nk, v = x.split('=')\nprint(f'{v} {k}')",
    "x = 'a'\nprint(x.split('=')[1])",
    "x = 'a=b=c'\nk, v = x.split('=', 1)\nprint(f'{v} {k}')",
    "x = 'a=b=c'\nk, v = x.rsplit('=', 1)\nprint(f'{v} {k}')",
    "x = 'a:b:c'\nt = x.split(':')[0]\nprint(t)",
    "x = 'a:b:c'\nprint(x.split(':')[-1])",
    "x = 'a:b:c'\nprint(x.split(':')[1])",
    "x = 'a'\nx = x.split(':')[0]\nprint(x)",
    "t = 'x'\nif t[0] == 'x' and t[-1] != 'y' and t[:1] == 'x':\n    print('x')",
    "x = 'b'\nif not x in ['a', 'b'] or x not in ('c', 'd'):\n    print('one')",
    "n = 2\nif 1 < n <= 3:\n    print('between')",
    "n = 4\nif not 1 < n <= 3:\n    print('outside')",
    "n = 2\nwhile 1 < n <= 3:\n    n += 1\nprint(f'{n}')",
    "a = 1\nif a is not 2:\n    print('other')",
    # Standard input
    "sys.stdin.read()\nprint('end')",
    # Conditions
    "a = 'x'\nif a:\n    print('set')",
    "a = ''\nif not a:\n    print('empty')",
    "a = 3\nwhile a:\n    a -= 1\nprint(f'{a}')",
    "p = absolute('no/such')\nif p:\n    print('always')",
    "f = find_program('no-such-program')\nif not f:\n    print('missing')",
    "if 'a' + 'b':\n    print('set')",
    "if write_file('no/such', 'x'):\n    print('failed')\nprint('end')",
    "if not write_file('f', 'x'):\n    print('written')",
    "if try_it(''):\n    return 5\nprint('end')",
    "if size_of('x'):\n    print('yes')",
    "if size_of(''):\n    print('yes')\nelse:\n    print('no')",
    "a = true & TF\nif a == True:\n    print('yes')",
    "a = true & TF\nif a == False:\n    print('yes')\nelse:\n    print('no')",
    "if true & TF != False:\n    print('yes')",
    "a = ''\nb = a if a else 'y'\nprint(b + a)",
    "a = ''\nb = a or 'y'\nprint(b)",
    "a = 'x'\na = a or 'y'\nprint(a)",
    "if (n := try_it('')) != 0:\n    print(f'{n}')",
    # Values and calls
    "a = b = 'x'\nprint(a + b)",
    "a = 'x'\nb = 'y'\na, b = b, a\nprint(a + b)",
    "x: str = 5\nprint(f'{x}')",
    "print('a' + f'{1}' + str(2))",
    "for x in ['a', 'b']:\n    print(x)",
    # The environment
    "t = os.environ.get('GREETING')\nprint(t)",
    "t = os.environ.get('NO_SUCH', 'b')\nprint(t)",
    "t = os.getenv('NO_SUCH', 'b')\nprint(t)",
    "t = os.environ['GREETING']\nprint(t)",
    "print(local.env['GREETING'])",
    "t = os.environ['NO_SUCH']\nprint(t)",
    "if os.environ['EMPTY']:\n    print('set')\nelse:\n    print('empty')",
    "if local.env.get('GREETING'):\n    print('set')",
    "if not local.env.get('EMPTY'):\n    print('empty')",
    "if os.environ['GREETING']:\n    print('set')",
    "if 'GREETING' in os.environ:\n    print('set')",
    "os.environ['A'] = 'x'\nprint('end')",
    "os.environ.setdefault('GREETING', 'x')\nt = local.env.get('GREETING', '')\nprint(t)",
    "local.env.update(A='x', B='y')\n_, t = sh['-c', 'echo $A$B'] & CAPTURE\nprint(t)",
    "del local.env['GREETING']\nif 'GREETING' not in local.env:\n    print('unset')",
    "local.env.pop('GREETING')\nif 'GREETING' not in local.env:\n    print('unset')",
    "t = local.env.pop('GREETING', '')\nprint(t)\nif 'GREETING' not in local.env:\n    print('unset')",
    "printf['a'] & TF or print('no')\nprintf['a'] & TF and print('yes')",
    "t = local.env.get('NO_SUCH') or local.env.get('EMPTY', '') or local.env.get('GREETING', '') or 'x'\nprint(t)",
    "t = ''\nprint(t or local.env.get('NO_SUCH', '') or 'x')",
    "t = 'a'\nt = '' or t or 'b'\nprint(t)",
    # Paths and files
    "p = LocalPath('x')\nif not p.exists():\n    print('missing')",
    "p = local.path('x')\nprint(p)",
    "p = LocalPath('/a/../b')\nprint(p)",
    "p = absolute('x')\nq = p / '..'\nprint(q)",
    "p = absolute('x')\nn = 'a'\nprint(p / n)",
    "p = absolute('x')\nn = 'a'\nq = p / f'{n}.b'\nprint(q)",
    "t = os.path.abspath('x/../y')\nprint(t)",
    "p = absolute('x')\nt = os.path.join(p, 'a', 'b')\nprint(t)",
    "p = absolute('x/y')\nt = os.path.dirname(p)\nprint(t)",
    "x = 'a/b.c'\nt = os.path.basename(x)\nprint(t)",
    "x = 'b.c'\nprint(os.path.basename(x))",
    "p = absolute('x/y')\nprint(p.name)",
    "p = absolute('x/y')\nq = p.parent\nprint(q)",
    "x = '/'\nif os.path.exists(x):\n    print('there')",
    "x = 'no/such'\nif not os.path.isdir(x):\n    print('missing')",
    "x = '/'\nb = os.path.isfile(x)\nif not b:\n    print('no file')",
    "p = absolute('/')\nif os.path.isdir(p):\n    print('there')",
    "x = '/'\nif not os.path.islink(x):\n    print('no link')",
    "if os.access('/', os.R_OK):\n    print('readable')",
    "if os.path.samefile('/', '/.'):\n    print('same')",
    "t = os.getcwd()\nprint(t)",
    "print(local.cwd)",
    "n = os.getuid()\nprint(f'{n}')",
    "w = write_file('f', 'a\\nb')\nt = open('f').read()\nprint(f'{w} {t}')",
    "w = write_file('f', 'a\\nb')\np = absolute('f')\nt = p.read()\nprint(f'{w} {t}')",
    "t = open('no/such').read()\nprint(t)",
    "p = absolute('f')\np.write('text\\n')\n_, t = cat['f'] & CAPTURE\nprint(t)",
    "w = write_file('f', 'a')\nprint(f'{w}')\nos.remove('f')",
    "os.remove('no/such')\nprint('not here')",
    "w = write_file('f', 'a')\nos.rename('f', 'g')\n_, t = cat['g'] & CAPTURE\nprint(f'{w} {t}')",
    "w = write_file('f', 'a')\nv = write_file('g', 'b')\nos.replace('f', 'g')\n_, t = cat['g'] & CAPTURE\nprint(f'{w} {v} {t}')",
    "w = write_file('f', 'a')\nos.mkdir('d')\nos.rename('f', 'd')\nprint(f'not here {w}')",
    "for t in ('a.tar.gz', 'a', 'd/.rc', 'a.', 'x.d/a', 'x.d/a.b', '..a', 'x/..', 'x/..rc'):\n    print(os.path.splitext(t)[0])",
    "t = 'x.d/a.b'\nt = os.path.splitext(t)[0]\nprint(t)",
    "for t in (' 5', '6\\n', '7'):\n    n = int(t)\n    print(f'{n}')",
    "t = 'a: 5 :b'\nn = int(t.split(':')[1])\nprint(f'{n}')",
    "x = os.environ.get('NO_SUCH') or 'b'\nprint(x)",
    "if os.environ.get('NO_SUCH') is None:\n    print('unset')",
    "local.env['A'] = ''\nif local.env.get('A', None) is not None:\n    print('set')",
    "t = 'aZ-b9'\nprint(t.upper())",
    "t = 'aZ-b9'\nu = t.lower()\nif u == 'az-b9':\n    print(u + t.strip().lower())",
    "for t in ('x/a.tar.gz', 'x/a', '.rc', 'a.', 'x/..rc'):\n    p = absolute(t)\n    stem = p.stem\n    print(stem)",
    "for t in ('x/a.tar.gz', 'x.d/a', '.rc', 'a.'):\n    p = absolute(t)\n    print(p.suffix)",
    "for t in ('a.tar.gz', 'a', '.rc', 'a.', 'x.d/a', '..a', 'x/..', 'x/..rc.b'):\n    print(os.path.splitext(t)[1])",
    "p = absolute('a/b')\np.mkdir()\np.mkdir()\nif p.is_dir():\n    print('there')",
    "os.mkdir('a')\nprint('there')",
    "os.makedirs('a/b', exist_ok=True)\nos.makedirs('a', exist_ok=True)\nprint('there')",
    "p = absolute('a')\np.touch()\nif p.is_file():\n    print('there')",
    "p = absolute('a')\np.delete()\np.unlink()\nprint('gone')",
    "w = write_file('f', 'a')\np = absolute('f')\np.move('g')\n_, t = cat['g'] & CAPTURE\nprint(f'{w} {t}')",
    "p = absolute('.')\nw = write_file('b.log', '')\nw += write_file('a.log', '')\nw += write_file('c.txt', '')\nfor q in sorted(p.glob('*.log')):\n    print(f'{w} {q}')",
    "t = ' b a  b c'\nfor w in sorted(t.split()):\n    print(f'[{w}]')",
    "t = 'b a b c'\nfor w in sorted(set(t.split())):\n    print(f'[{w}]')",
    "for w in sorted(('b', 'a', 'B')):\n    print(w)",
    "w = write_file('a', '')\nw += write_file('c', '')\nw += write_file('b', '')\np = absolute('.')\nfor q in sorted(p // '[abc]', reverse=True):\n    name = q.name\n    print(f'{w} {name}')",
    "s = try_it('') or try_it('x')\nprint(f'{s}')\ns = try_it('x') or try_it('')\nprint(f'{s}')",
    "s = try_it('') and try_it('x')\nprint(f'{s}')\ns = try_it('x') and try_it('')\nprint(f'{s}')",
    "p = absolute('.')\nt = p if not p.exists() else 'a'\nprint(t)",
    "local.env['A'] = ' 7 '\nn = int(local.env.get('A', '0'))\nprint(f'{n}')",
    "t = 'b\\n\\na\\n'\nfor x in sorted(t.split('\\n')):\n    print(f'[{x}]')",
    "t = 'b\\na\\n'\nfor x in sorted(t.splitlines()):\n    print(x)",
    "os.chdir('/')\np = absolute('.')\nprint(p)",
    "os.chdir('no/such')\nprint('not here')",
    "d = '/usr'\nlocal.cwd.chdir(d)\n_, t = sh['-c', 'pwd'] & CAPTURE\nprint(t)",
    "local.cwd.chdir('no/such')\nprint('not here')",
    "os.chdir('/usr')\n_, t = sh['-c', 'pwd'] & CAPTURE\nprint(t)",
    # Output and the end
    "sys.stdout.write('a\\n')",
    "n = 3\nsys.stdout.write(f'{n} files\\n')",
    "t = 'a'\nsys.stdout.write(t + '\\n')",
    "sys.stderr.write('a\\n')\nprint('b')",
    "print('a')\nsys.exit(3)",
    "print('a')\nsys.exit()",
    "print('a')\nsys.exit('wrong')",
    "n = 4\nexit(n)",
    # Commands
    "_, t = local['printf']['a'] & CAPTURE\nprint(t)",
    "t = local.which('sh')\nprint(t)",
    "t = local.which('no-such-program')\nprint(t)",
    # Helps that readers found to be wrong or missing
    "t = 'a  b c '\nfirst, rest = t.split(None, 1)\nprint(f'<{first}> <{rest}>')",
    "t = 'a '\nfirst, _ = t.split(maxsplit=1)\nprint(first)",
    "t = ' a=b=c '\nkey, value = t.strip().split('=', 1)\nprint(f'<{key}> <{value}>')",
    "t = 'a=b=c'\nkey, value = t.rsplit('=', maxsplit=1)\nprint(f'<{key}> <{value}>')",
    "p = absolute('a.b/c.tar.gz')\nq = p.with_suffix('.log')\nprint(q)",
    "p = absolute('.bashrc')\nq = p.with_suffix('')\nprint(q)",
    "name = os.environ.get('NOPE') or sys.exit('NOPE is not set')\nprint(name)",
    "t = ' x'\nname = t.strip() or sys.exit('no name')\nprint(name)",
    "base = os.getenv('NOPE') or 'file:///tmp'\nprint(f'{base}/x')",
    "if (os.getenv('NOPE') or 'x') == 'x':\n    print('y')",
    "print(f\"{os.environ.get('NOPE')}|\".replace('None', ''))",
    "n = 7\nm = n > 2 and 1 or 0\nprint(f'{m}')",
    "if 'NOPE' not in local.env:\n    raise SystemExit(3)\nprint('x')",
    "if 'NOPE' not in local.env:\n    raise SystemExit('bad')\nprint('x')",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[1:]:\n    print(x)",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[2:]:\n    print(x)",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[:2]:\n    print(x)",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[:-1]:\n    print(x)",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[-1:]:\n    print(x)",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[-9:]:\n    print(x)",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[:-9]:\n    print(x)\nprint('end')",
    "t = 'a\\nb\\nc\\nd'\nfor x in t.splitlines()[:0]:\n    print(x)\nprint('end')",
    "t = 'a b c'\nfor x in t.split()[1:]:\n    if x == 'b':\n        continue\n    print(x)",
    "d = absolute('.')\n_ = write_file('b.x', '')\n_ = write_file('a.x', '')\n_ = write_file('c.x', '')\nfor p in sorted(d // '*.x')[-2:]:\n    print(p)",
    "d = absolute('.')\n_ = write_file('b.x', '')\n_ = write_file('a.x', '')\nfor p in reversed(sorted(d // '*.x')):\n    print(p)",
    "n = 3\nfor i in reversed(range(n)):\n    print(f'{i}')\nfor i in reversed(range(4)):\n    print(f'{i}')",
    "for x in reversed(('a', 'b', 'c')):\n    print(x)",
    "t = 'b\\na\\nc\\n'\nfor x in sorted(t.splitlines(), reverse=True):\n    print(x)",
    "t = 'b,a,,c,B'\nfor x in sorted(t.split(',')):\n    print(f'<{x}>')",
    "t = 'b\\na'\nfor x in list(t.splitlines()):\n    print(x)",
    "name = 'a/b.c.d'\n_, ext = os.path.splitext(name)\nprint(ext)",
    "d = absolute('x')\nn = 'y.z'\np = d / f'.{n}.attempts'\nprint(p)",
    "d = absolute('x')\nq = absolute('a/y.z')\np = d / f'.{os.path.basename(q)}.attempts'\nprint(p)",
    "n = size_of('')\nif n != 2:\n    sys.exit(1 if n > 0 else 3)\nprint('x')",
    "n = 3\nsys.exit(n > 2)",
    "n = 3\nprint('x')\nsys.exit(not n > 2)",
    "sys.exit(len('abc'))",
    "w = write_file('f', 'a')\nprint(w)\nt = absolute('f').read()\nprint(t)",
    "w = write_file('f', 'a\\nb')\nprint(w)\nfor t in absolute('f').read().splitlines():\n    print(t)",
    "open('f', 'w').write('a\\n')\n_, t = cat['f'] & CAPTURE\nprint(t)",
    "x = 'a'\nn = 5\nprint('%s is %d%% full %%' % (x, n))",
    "x = 'a'\nprint('{0} {1} {0} {n}'.format(x, 'b', n=5))",
    "p = absolute('a/b')\nname = p.rpartition('/')[2]\nprint(name)",
    "n = 8080\nt = 'x'\ntry:\n    n = int(t)\nexcept ValueError:\n    pass\nprint(n)",
    "n = 8080\nt = '7'\ntry:\n    n = int(t)\nexcept ValueError:\n    n += 1\nprint(n)",
    "for x in ('a', 'b', 'c')[:2]:\n    print(x)\nprint(f'last {x}')",
    "for x in ('a', 'b', 'c')[-2:]:\n    print(x)",
    "n = 3\nprint(n)\nsys.exit(-1)",
    "n = 3\nprint(n)\nsys.exit(257)",
    "n = 3\nprint(n)\nsys.exit(True)",
    "sh['-c', 'echo a >f'].run()\n_, t = cat['f'] & CAPTURE\nprint(t)",
]  # fmt: skip

# Rejected code that CPython runs, but not as its author intended: the reason, the body of main, and
# a body that does the intended thing in CPython.
MEANT = [
    ("one of the redirections is lost", "printf['x'] > 'f' >= 'g'\n_, t = cat['f'] & CAPTURE\nprint(t)",
     "_ = ((printf['x'] > 'f') >= 'g') & RETCODE\n_, t = cat['f'] & CAPTURE\nprint(t)"),
    ("a command that is not run is true", "if false > 'f':\n    print('yes')\nelse:\n    print('no')",
     "if (false > 'f') & TF:\n    print('yes')\nelse:\n    print('no')"),
    ("a command that is not run is true", "if false:\n    print('yes')\nelse:\n    print('no')",
     "if false & TF:\n    print('yes')\nelse:\n    print('no')"),
    ("the command is not run", "printf['x'] > 'f'\n_, t = cat['f'] & CAPTURE\nprint(t)",
     "_ = (printf['x'] > 'f') & RETCODE\n_, t = cat['f'] & CAPTURE\nprint(t)"),
    ("the command is not run", "sh['-c', 'echo x >f']\n_, t = cat['f'] & CAPTURE\nprint(t)",
     "_ = sh['-c', 'echo x >f'] & RETCODE\n_, t = cat['f'] & CAPTURE\nprint(t)"),
    ("a method that is not called is true", "p = absolute('no/such')\nif p.exists:\n    print('yes')\nelse:\n    print('no')",
     "p = absolute('no/such')\nif p.exists():\n    print('yes')\nelse:\n    print('no')"),
    ("the text is a tuple", "w = write_file('f', 'a')\ntext = read_file('f')\nprint(f'{w} {text}')",
     "w = write_file('f', 'a')\n_, text = read_file('f')\nprint(f'{w} {text}')"),
    ("the text is a tuple", "text = sh['-c', 'echo a'] & CAPTURE\nprint(text)",
     "_, text = sh['-c', 'echo a'] & CAPTURE\nprint(text)"),
    ("the number is a tuple", "n = parse_int('5')\nprint(f'{n}')", "_, n = parse_int('5')\nprint(f'{n}')"),
]  # fmt: skip

# A line at the top, and a body of main.
AT_THE_TOP = [
    ("from plumbum.cmd import printf as show", "_, t = show['a'] & CAPTURE\nprint(t)"),
    ("from plumbum.cmd import head", "_, t = (head['-n', 1] << 'a\\nb\\n') & CAPTURE\nprint(t)"),
    ("head = local['head']", "_, t = (head['-n', 1] << 'a\\nb\\n') & CAPTURE\nprint(t)"),
    ("A: str = 'x'", "print(A)"),
    ("A = os.environ['NOPE'] if 'NOPE' in os.environ else 'b'", "print(A)"),
]


# A program that imports nothing from the runtime library.
BARE = '''"""A program."""

import sys

from plumbum import local


def main(*arguments: str):
    BODY
    print(local.env.get("HOME", ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
'''


def whole(body: str, top: str = "") -> str:
    text = program(f"_ = size_of('')\n_ = label(1)\n_ = changed()\n_ = try_it('')\n{body}", HELPERS)
    if body.splitlines()[-1].startswith(("return", "sys.exit", "exit")):
        text = text.replace("    return 0\n\n\nif __name__", "\n\nif __name__")
    return text.replace("\ncat = ", f"\n{top}\ncat = ", 1)


@pytest.mark.parametrize("body", SAME)
def test_help_does_the_same(body: str, tmp_path: Path) -> None:
    programs = helped(whole(body))
    assert programs, rejections(whole(body)).render()
    meant = run_python(tmp_path, whole(body))
    assert meant.stdout or meant.status, "the program has no result"
    check_same(tmp_path, meant, programs)


@pytest.mark.parametrize(("reason", "body", "meant"), MEANT)
def test_help_does_what_is_meant(reason: str, body: str, meant: str, tmp_path: Path) -> None:
    programs = helped(whole(body))
    assert programs, rejections(whole(body)).render()
    outcome = run_python(tmp_path, whole(meant))
    assert run_python(tmp_path, whole(body)).stdout != outcome.stdout, reason
    check_same(tmp_path, outcome, programs)


@pytest.mark.parametrize(("top", "body"), AT_THE_TOP)
def test_help_at_the_top_does_the_same(top: str, body: str, tmp_path: Path) -> None:
    programs = helped(whole(body, top))
    assert programs, rejections(whole(body, top)).render()
    meant = run_python(tmp_path, whole(body, top))
    assert meant.stdout
    check_same(tmp_path, meant, programs)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("n = int(local.env.get('A', 'x') + 'y')", ["parse_int"]),
        ("with open('x') as f:\n    for line in f:\n        print(line)", ["read_file"]),
        ("n = unknown()", ["program"]),
        ("try:\n    print('x')\nexcept OSError:\n    pass", []),  # RETCODE or CAPTURE
    ],
)
def test_name_in_a_help_comes_with_its_import(body: str, names: list[str]) -> None:
    """Also a name in an example, and the only one in the words."""
    text = BARE.replace("    BODY", textwrap.indent(body, "    "))
    status, found = rejections(text).diagnostics
    assert status.help.endswith("-> Status:`. At the top: `from oauthkit.shell import Status`")
    imported = re.findall("from oauthkit.shell import ([^`]+)`", found.help)
    assert imported == names


def test_each_replacement_has_a_row() -> None:
    rows = "\n".join(SAME)
    names = [*replacements.CALLS, *(f".{name}" for name in replacements.METHODS)]
    untested = {name for name in names if f"{name}(" not in rows}
    assert untested == {
        "shutil.which",
        "os.environ.pop",  # in CPython, this does not remove the variable from local.env
        "os.unlink",
        "quit",
        "math.ceil",
        "math.floor",
        "time.strftime",
        ".read_text",  # pathlib's
        ".write_text",
    }


# Bodies of main that are rejected with a help message that contains no code.
WITHOUT_CODE = [
    # CHANGED is read before changed() sets it.
    "print(local.env.get('CHANGED', '') + changed())",
    "b = local.env.get('CHANGED', '') != changed()\nprint(f'{b}')",
    "n = 3\nm = max(n, size_of('x'))\nprint(f'{m} {n}')",
    "m = max(size_of('x'), size_of(''))\nprint(f'{m}')",
    "return max(try_it(''), try_it('x'))",
    "text = input()\nprint(text)",
    "for line in sys.stdin:\n    print(line)",
    "for line in sys.stdin.readlines():\n    print(line)",
    "text = sys.stdin.buffer.read()\nprint(f'{text}')",
    "text = sys.stdin.read(5)\nprint(text)",
    "lines = 'a'.splitlines()\nprint(f'{lines}')",
    "n = len(5)\nprint(f'{n}')",
    "x = 'a'\nwhile local.env.get('A', '') == x or local.env.get('B', '') == get_env(x):\n    x += 'a'",
    "p = absolute('x')\nfor q in p // '*':\n    print(q)",
    "p = absolute('x')\nfor q in p.glob('*'):\n    print(q)",
    "p = absolute('x')\nfor q in p.list():\n    print(q)",
    "p = absolute('x')\nfor q in sorted(p.glob('?')):\n    print(q)",
    "for name in os.listdir('/'):\n    print(name)",
    "x = os.chdir('/')\nprint(f'{x}')",
    "n = os.system('true')\nprint(f'{n}')",
    "os.makedirs('a')",
    "printf['x'].run_fg()",
    "printf['x'] & BG",
    "flag = 1 > 2\nprint('flag:', flag)",
    "print(str(label(1)))",
    "flag = 1 > 2\nprint(str(flag))",
    "t = 'x'\nprint(repr(t))",
    "x = '5'\nif x != '' and int(x) > 3:\n    print('more')",
    "x = '5'\nif x == '':\n    print('none')\nelif int(x) > 3:\n    print('more')",
    "x = '5'\nwhile int(x) > 3:\n    x = '2'",
    "n = 1\nif n == True:\n    print('one')",
    "if 0 < size_of('x') < 9:\n    print('between')",
    "n = 7 / 2\nprint(f'{n}')",
    "n = 5\nprint('%x' % n)",
    "x = 'a b'\na, b = x.split(' ', 2)\nprint(a + b)",
    "x = 'a::b'\nfor w in x.split('::'):\n    print(w)",
    "x = 'a/b'\nprint(os.path.dirname(x))",
    "n = 2\nfor i in range(0, 9, n):\n    print(f'{i}')",
    "if label(1).startswith(('a', '<')):\n    print('yes')",
    "a = 1 > 2\nif a == (2 > 3):\n    print('same')",
    "n = 5\nif size_of('x') in range(n):\n    print('in')",
    "n = 5\nk = 2\nif n in range(k if k > 1 else 9):\n    print('in')",
    "n = 4\nif n in range(0, 10, 2):\n    print('in')",
    "t = 'a'\nif t in ['a', *arguments]:\n    print('in')",
    "for i in range():\n    print(f'{i}')",
    "for i in range(1, 2, 0):\n    print(f'{i}')",
    "a = 'x'\nb = a or 5\nprint(f'{b}')",
    "f = 1 > 2\na = 'x' if f else 5\nprint(f'{a}')",
    "a = local.env.get('GREETING', '')\nif a is None:\n    print('unset')",
    "t = local.env.get('A', '')\nos.environ['B'] = 5\nprint(t)",
    "c = printf['x'] > 'f'\n_ = c & RETCODE",
]  # fmt: skip


@pytest.mark.parametrize("body", WITHOUT_CODE)
def test_help_has_no_code(body: str) -> None:
    first = diagnostics(whole(body))[0]
    assert first.help
    assert paste(whole(body), first) == []
