"""Small programs that CPython and bash must run alike; nothing is asserted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from both import program, run_both

# name: the body of main, and the functions above it
CASES: dict[str, tuple[str, str]] = {
    "print": ('print("plain")\nprint("")\nprint("-n")\nprint("%s\\\\n")', ""),
    "print to stderr": ('print("out")\nprint("err", file=sys.stderr)', ""),
    "quotes": (r"""print("a 'b' \"c\" $HOME `id` \\ !x * ? [a] ~ # & ; | < > ( ) { }")""", ""),
    "control characters": (r'print("a\tb\nc\rd\x01e\x1b[1mf\x7f")', ""),
    "octal after a control character": (r'print("\x0177")', ""),
    "other languages": ('print("grün 日本 €")', ""),
    "f-string": ('name = "x y"\nnumber = 7\nprint(f"{name}_{number}{name}a1[0]")', ""),
    "f-string with literals around": ('a = "1"\nprint(f"$a{a}$a\\n{a}\\n")', ""),
    "sum of strings": ('a = "x"\nb = a + "-" + a\nb += "!"\nb += b\nprint(b)', ""),
    "comparison of text": (
        'a = "*"\nfor b in ("*", "x", "", "[a]", "a b"):\n    if a == b:\n        print(f"equal {b}")\n'
        '    if a != b:\n        print(f"different {b}")\n    if b == "[a]":\n        print("bracket")',
        "",
    ),
    "empty text": ('a = ""\nif a == "":\n    print("empty")\nif a != "":\n    print("full")', ""),
    "in": (
        'for t in ("a*b", "ab", "a\\nb", "a]b", ""):\n    if "*" in t:\n        print("star")\n'
        '    if "\\n" in t:\n        print("newline")\n    if "]" not in t:\n        print("none")\n'
        '    if t in "xa*bx":\n        print("part")',
        "",
    ),
    "startswith and endswith": (
        'for t in ("*x", "x*", "", "?"):\n    if t.startswith("*"):\n        print("starts")\n'
        '    if t.endswith("*"):\n        print("ends")\n    if not t.startswith("?"):\n        print("not")',
        "",
    ),
    "removeprefix and removesuffix": (
        'for t in ("**a**", "*", "", "a"):\n    b = t.removeprefix("*")\n    c = t.removesuffix("*")\n'
        '    print(f"<{b}><{c}>")',
        "",
    ),
    "removeprefix of a variable": (
        'p = "a*"\nt = "a*b"\nu = t.removeprefix(p)\nprint(u)\nt = "axb"\nu = t.removeprefix(p)\nprint(u)',
        "",
    ),
    "removeprefix as an argument": ('t = "\\n\'x"\nprint(t.removeprefix("\\n"))\nprint(t.removesuffix("x"))', ""),
    "replace": (
        't = "a$b&c\\\\d/e*f"\nfor o in ("$", "&", "\\\\", "/", "*", "zz"):\n'
        '    u = t.replace(o, f"{o}{o}")\n    print(u)\n    v = t.replace(o, "")\n    print(v)\n'
        '    w = t.replace(o, "&\\\\1")\n    print(w)',
        "",
    ),
    "partition": (
        'for t in ("a:b:c", "a", "", ":", "::", "a:", ":b"):\n    h, m, r = t.partition(":")\n'
        '    print(f"<{h}><{m}><{r}>")\n    h, _, _ = t.partition(":")\n    _, _, r = t.partition(":")\n'
        '    _, m, _ = t.partition(":")\n    print(f"<{h}><{m}><{r}>")',
        "",
    ),
    "rpartition": (
        'for t in ("a/b/c", "a", "", "/", "//", "a/", "/b"):\n    h, m, r = t.rpartition("/")\n'
        '    print(f"<{h}><{m}><{r}>")\n    h, _, _ = t.rpartition("/")\n    _, _, r = t.rpartition("/")\n'
        '    _, m, _ = t.rpartition("/")\n    print(f"<{h}><{m}><{r}>")',
        "",
    ),
    "partition of itself": (
        't = "a, b, c"\nwhile t != "":\n    word, comma, t = t.partition(", ")\n    print(f"<{word}><{comma}>")\n'
        't = "x=y=z"\nt, _, rest = t.partition("=")\nprint(f"{t} {rest}")\n'
        't = "x=y=z"\nrest, _, t = t.rpartition("=")\nprint(f"{t} {rest}")',
        "",
    ),
    "partition at a pattern": ('t = "a*b?c"\na, _, b = t.partition("*")\nc, _, d = t.rpartition("?")\nprint(f"{a}|{b}|{c}|{d}")', ""),
    "partition at several bytes": ('t = "1€2€3"\na, m, b = t.partition("€")\nprint(f"{a}|{m}|{b}")\na, m, b = t.rpartition("€")\nprint(f"{a}|{m}|{b}")', ""),
    "arithmetic": (
        "for a in (7, -7, 0, 999999999999999):\n    for b in (1, 3, -5):\n        c = a + b * 2 - (a - b) * -3\n"
        '        print(f"{c}")\n        d = -a\n        print(f"{d} {a - b - 1} {a - (b - 1)}")',
        "",
    ),
    "floor division": (
        'for a in (7, -7, 0, -1, 1000, -1000, -1001, 999):\n    print(f"{a // 1000} {a // 2} {a // 1} {a % 1000} {a % 7}")',
        "",
    ),
    "augmented": ("n = 5\nn += 2\nn -= 10\nn *= -3\nprint(f'{n}')", ""),
    "comparison of numbers": (
        "for a in (-1, 0, 10):\n    for b in (-1, 9, 10):\n        if a < b:\n            print('<')\n        if a <= b:\n"
        "            print('<=')\n        if a == b:\n            print('==')\n        if a != b:\n            print('!=')\n"
        "        if a > b:\n            print('>')\n        if a >= b:\n            print('>=')",
        "",
    ),
    "and, or, not": (
        'for a in ("", "x"):\n    for n in (0, 1):\n        if a == "x" and n == 1:\n            print("both")\n'
        '        if a == "x" or n == 1:\n            print("any")\n        if not (a == "x" and n == 1):\n            print("nand")\n'
        '        if not a == "x" or (n == 1 and a == "x"):\n            print("mixed")\n'
        '        if (a == "x" or n == 1) and (a == "" or n == 0):\n            print("xor")\n'
        '        if not (n == 1 or n == 2) and not a == "":\n            print("nor")',
        "",
    ),
    "commands in conditions": (
        'if true & TF and not false & TF:\n    print("yes")\nif false & TF or true & TF and "a" == "a":\n    print("or")\n'
        'if (false & TF or true & TF) and not (true & TF and false & TF):\n    print("grouped")\n'
        'if not (false & TF or false & TF):\n    print("neither")',
        "",
    ),
    "bool variables": (
        "a = True\nb = not a\nc = 3 > 2\nd = a and b\nif a:\n    print('a')\nif not b:\n    print('not b')\n"
        "if c and not d:\n    print('c')\ne = true & TF\nif e:\n    print('e')",
        "",
    ),
    "else and elif": (
        "for n in (1, 2, 3):\n    if n == 1:\n        print('one')\n    elif n == 2:\n        print('two')\n    else:\n        print('many')",
        "",
    ),
    "while, break, continue": (
        "n = 0\nwhile n < 10:\n    n += 1\n    if n % 2 == 0:\n        continue\n    if n > 7:\n        break\n    print(f'{n}')\n"
        "while True:\n    n -= 1\n    if n < 5:\n        break\nprint(f'{n}')\nwhile False:\n    print('never')",
        "",
    ),
    "arguments": ('for a in arguments:\n    print(f"<{a}>")', ""),
    "pass": ("if True:\n    pass\nelse:\n    print('no')\nfor a in ('x',):\n    pass", ""),
    "status of commands": (
        'status = sh["-c", "exit 3"] & RETCODE\nprint(f"{status}")\nstatus = missing & RETCODE\nprint(f"{status}")\n'
        'status = sh["-c", "kill -9 $$"] & RETCODE\nprint(f"{status}")\nstatus = sh["-c", "kill -TERM $$"] & RETCODE\nprint(f"{status}")',
        "",
    ),
    "failed redirection": (
        'status = (true > "/no/such/folder") & RETCODE\nprint(f"{status}")\nstatus = (true < "/no/such/file") & RETCODE\nprint(f"{status}")',
        "",
    ),
    "not executable": (
        'assert_ = write_file("plain", "x")\nplain = "./plain"\nstatus = sh["-c", "exec ./plain"] & RETCODE\nprint(f"{status} {assert_}")',
        "",
    ),
    "capture": (
        'status, text = printf["a\\\\nb\\\\n\\\\n\\\\n"] & CAPTURE\nprint(f"{status}<{text}>")\n'
        'status, text = sh["-c", "echo out; echo err >&2; exit 4"] & CAPTURE\nprint(f"{status}<{text}>")\n'
        'status, text = (sh["-c", "echo out; echo err >&2"] >= ERROUT) & CAPTURE\nprint(f"{status}<{text}>")\n'
        'status, text = printf["x\\\\000y\\\\377z"] & CAPTURE\nprint(f"{status}<{text}>")\n'
        'status, text = missing & CAPTURE\nprint(f"{status}<{text}>")\n_, text = printf["only"] & CAPTURE\nprint(text)\n'
        'status, _ = sh["-c", "exit 9"] & CAPTURE\nprint(f"{status}")',
        "",
    ),
    "redirections": (
        'a = (printf["one\\\\n"] > "f") & TF\nb = (printf["two\\\\n"] >> "f") & TF\nc = (sh["-c", "echo o; echo e >&2"] >= "e") & TF\n'
        'd = ((sh["-c", "echo o; echo e >&2"] > "o") >= ERROUT) & TF\ne = ((cat < "f") > "g") & TF\n'
        'g = ((sh["-c", "echo o; echo e >&2"] > "p") >= "q") & TF\nif a and b and c and d and e and g:\n    print("all")',
        "",
    ),
    "stdin is empty": ('status, text = cat & CAPTURE\nprint(f"{status}<{text}>")', ""),
    "arguments of commands": (
        'x = "a  b\\n*"\nn = 5\nstatus, text = printf["<%s>", x, "", n, -3, "$HOME", f"{x}{n}", "*", "~", "-"] & CAPTURE\nprint(text)',
        "",
    ),
    "command variables": (
        'c = printf["<%s>", "a b"]\nc = c["c", ""]\nif "x" in "xyz":\n    c = c["*"]\nstatus, text = c & CAPTURE\nprint(text)\n'
        'd = printf["[%s]", c]\nstatus, text = d["last"] & CAPTURE\nprint(text)\nstatus, text = printf["{%s}", sh["-c", "a b"]] & CAPTURE\nprint(text)',
        "",
    ),
    "environment": (
        'print(local.env.get("GREETING", "none"))\nprint(local.env.get("NOPE", "none"))\nprint(local.env.get("EMPTY", "none"))\n'
        'print(local.env.get("EMPTY") or "or this")\nprint(local.env.get("NOPE") or f"it\'s $HOME")\nprint(local.env.get("GREETING") or "no")\n'
        'if "EMPTY" in local.env and "NOPE" not in local.env:\n    print("in")\nlocal.env["NEW"] = "a b"\nlocal.env["GREETING"] = "bye"\n'
        'del local.env["EMPTY"]\n_, text = sh["-c", "echo $NEW $GREETING ${EMPTY-unset}"] & CAPTURE\nprint(text)\n'
        'if "EMPTY" in local.env:\n    print("still")\nprint(local.env.get("NEW", ""))',
        "",
    ),
    "working directory": ('local.cwd.chdir("/")\n_, text = sh["-c", "pwd -P"] & CAPTURE\nprint(text)', ""),
    "umask": ('os.umask(0o027)\na = write_file("f", "x")\nos.umask(0o077)\nb = (true > "g") & RETCODE\nprint(f"{a}{b}")', ""),
    "user": ('print(f"{os.getuid()}")\nif os.getuid() >= 0:\n    print("someone")', ""),
    "file tests": (
        'a = write_file("f", "x")\nos.umask(0o777)\nfor name in ("f", "nope", ".", "/dev/null"):\n    p = absolute(name)\n'
        '    if p.exists():\n        print(f"{name} exists {a}")\n    if p.is_file():\n        print("file")\n    if p.is_dir():\n        print("folder")\n'
        '    if p.is_symlink():\n        print("link")\n    if p.access("r"):\n        print("r")\n    if p.access("w") and not p.access("x"):\n        print("w")',
        "",
    ),
    "paths": (
        'for t in ("/", "/a", "/a/b/", "a/../b", "//x//y/./z/..", "..", "", "/../..", "///", "~", "/~/x"):\n    p = absolute(t)\n'
        '    d = p.dirname\n    q = p / "x"\n    r = d / "y/z"\n    print(f"{p} {d} {q} {r}")',
        "",
    ),
    "functions": (
        'greet("a b", 2)\nx = double("*")\nprint(x)\nn = add(2, -5)\nprint(f"{n}")\nif is_long("abc") and not is_long(""):\n    print("long")\n'
        's = fail(3)\nprint(f"{s}")\nif fail(0) == 0:\n    print("zero")\nif fail(1) != 0:\n    print("one")\n'
        'a, b, c = three("x")\nprint(f"{a} {b} {c}")\n_, b, _ = three("y")\nprint(f"{b}")\nst, t = both("z")\nprint(f"{st} {t}")\n'
        'k = is_long("abc")\nif k:\n    print("k")\nm = chain("q")\nprint(m)',
        '''def greet(name: str, times: int) -> None:
    """Greets."""
    n = 0
    while n < times:
        print(f"hello {name}")
        n += 1


def double(text: str) -> str:
    return text + text


def add(a: int, b: int) -> int:
    return a + b


def is_long(text: str) -> bool:
    if text == "":
        return False
    return text != "a"


def fail(status: int) -> Status:
    return status


def three(text: str) -> tuple[str, int, str]:
    if text == "y":
        return "p", 0, ""
    return text, 5, f"{text} $HOME"


def both(text: str) -> tuple[Status, str]:
    if text == "":
        return 0, ""
    return 7, text


def chain(text: str) -> str:
    return double(text)
''',
    ),
    "commands between functions": (
        'c = make("a b")\nuse("x", c["tail"])\nuse("y", printf["%s;"])',
        '''def make(text: str) -> BaseCommand:
    c = printf["<%s>", text]
    return c


def use(name: str, command: BaseCommand) -> None:
    _, text = command[name] & CAPTURE
    print(text)
''',
    ),
    "names that bash knows too": (
        'time = "t"\ndone = "d"\nsource = time + done\ni = 0\nfor esac in ("a",):\n    i += 1\nprint(f"{source}{esac}{i}")\nx = inner("p")\nprint(x)',
        '''def inner(x: str) -> str:
    time = x + "2"
    return time
''',
    ),
    "comments": ("# above\nx = 1  # beside\n\n# with a blank line\nprint(f'{x}')  # end", ""),
    "parse_int": (
        'for t in ("0", "7", "-7", "007", "-0", "08", "", "x", "1.5", "+1", " 1", "999999999999999", "1000000000000000", "1\\n", "--1", "-"):\n'
        '    status, n = parse_int(t)\n    print(f"{status} {n}")\n    _, n = parse_int(t)\n    print(f"{n}")',
        "",
    ),
    "files": (
        'a = write_file("f", "a\\nb\\r\\n\\n")\nstatus, text = read_file("f")\nprint(f"{a}{status}<{text}>")\nstatus, text = read_file(".")\nprint(f"{status}<{text}>")\n'
        'b = (printf["a\\\\000b"] > "n") & RETCODE\nstatus, text = read_file("n")\nprint(f"{b}{status}<{text}>")\nc = write_file("/no/such", "x")\nprint(f"{c}")\n'
        'd = (printf["\\\\377\\\\376"] > "bad") & RETCODE\nstatus, text = read_file("bad")\ne = write_file("copy", text)\nprint(f"{d}{e}<{text}>")\n'
        'n = file_size("f")\nprint(f"{n}")\nn = file_size("nope")\nprint(f"{n}")\ng = write_file("empty", "")\nn = file_size("empty")\nprint(f"{n}{g}")',
        "",
    ),
    "find_program": (
        'p = find_program("sh")\nprint(p)\np = find_program("no-such-program")\nprint(f"<{p}>")\np = find_program("/bin/sh")\nprint(p)\np = find_program("./nope")\nprint(f"<{p}>")\n'
        'p = find_program("/tmp")\nprint(f"<{p}>")',
        "",
    ),
    "run_limited": (
        's = run_limited(5, 1, "out", sh["-c", "echo a; echo b >&2; exit 6"])\nprint(f"{s}")\ns = run_limited(5, 1, "out", missing)\nprint(f"{s}")\n'
        's = run_limited(1, 1, "late", sh["-c", "sleep 30"])\nprint(f"{s}")\ns = run_limited(1, 1, "/no/such/out", true)\nprint(f"{s}")',
        "",
    ),
    "exit status": ("if True:\n    return 5", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_do_the_same(name: str, tmp_path: Path) -> None:
    body, functions = CASES[name]
    text = program(body, functions)
    arguments = ("a b", "", "*", "-x", "ü\n") if name == "arguments" else ()
    python, bash = run_both(tmp_path, text, arguments)
    assert bash == python
    assert b"Traceback" not in python.stderr, python.stderr.decode()
    assert python.stdout or python.files or name in ("pass", "exit status")
