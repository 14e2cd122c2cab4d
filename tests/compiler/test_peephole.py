"""The peephole optimizer: which variables are kept, and where they are initialized."""

from __future__ import annotations

import re
import textwrap

import pytest
from tests.support.compiler.probes import body_of
from tests.support.compiler.programs import library, program

from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.lint import verify

FUNCTIONS = """
def name_of(text: str) -> str:
    return f"<{text}>"


def size_of(text: str) -> tuple[Status, int]:
    if text == "":
        return 1, 0
    return 0, 7


def printer(text: str) -> BaseCommand:
    return printf["%s\\\\n", text]


def halves(text: str) -> tuple[str, str]:
    return f"{text}1", f"{text}2"


def parts(text: str) -> tuple[str, int, str]:
    return text, 1, ""


def runs(command: BaseCommand) -> bool:
    return command & TF


def is_long(text: str) -> bool:
    return text != ""


def show(one: str, two: str) -> str:
    return one + two
"""
USES = """
_ = name_of("")
_ = probe("x")
a = show("a", "b")
b, c = halves(a)
status, d = size_of(b)
a, d, c = parts(a)
e = printer(c)
if is_long(a) and runs(e):
    print(f"{status} {d} {a}")
"""


def body(python: str) -> str:
    """Return the compiled body of these lines."""
    return body_of(python, FUNCTIONS, USES)


@pytest.mark.parametrize(
    ("python", "bash"),
    [
        ("y = name_of(x)\nprint(y)", 'name_of "$x"\nprintf \'%s\\n\' "$REPLY"'),
        ('y = name_of(x)\nif y == "":\n    print("-")',
         'name_of "$x"\nif [[ -z $REPLY ]]; then\n  printf \'%s\\n\' -\nfi'),
        ("y = name_of(x)\nz = name_of(y)\n_ = show(z, z)",
         'name_of "$x"\nname_of "$REPLY"\nz=$REPLY\nshow "$z" "$z"'),
        ('y = name_of(x)\n_ = show(x, f"{y}/")', 'name_of "$x"\nshow "$x" "$REPLY/"'),
        # With a status between the two, or a number.
        ("s, n = size_of(x)\nif s == 0 and n > 3:\n    print(x)",
         'size_of "$x"\ns=$?\nif ((s == 0 && REPLY > 3)); then\n'
         '  printf \'%s\\n\' "$x"\nfi'),
        ('_, n = size_of(x)\nm = 7 - n\nprint(f"{m}{m}")',
         'size_of "$x"\nm=$((7 - REPLY))\nprintf \'%s\\n\' "$m$m"'),
        # A loop's words are expanded before it starts.
        ("y = name_of(x)\nfor z in (y, x):\n    print(z)",
         'name_of "$x"\nfor z in "$REPLY" "$x"; do\n  printf \'%s\\n\' "$z"\ndone'),
        ("y = name_of(x)\n_ = printf[y] & RETCODE",
         'name_of "$x"\n{ printf "$REPLY"; } >/dev/null 2>&1'),
        ("c = printer(x)\n_ = runs(c)", 'printer "$x"\nruns "${REPLIES[@]}"'),
        # Several assignments to one name, each used in the next command only.
        ('y = name_of(x)\nprint(y)\ny = name_of("")\nprint(y)',
         'name_of "$x"\nprintf \'%s\\n\' "$REPLY"\nname_of \'\'\nprintf \'%s\\n\' "$REPLY"'),
        # One of several results.
        ("_, y = halves(x)\nprint(y)", 'halves "$x"\nprintf \'%s\\n\' "${REPLIES[1]}"'),
        ("_, n, _ = parts(x)\nm = n * 2\nprint(f\"{m}{m}\")",
         'parts "$x"\nm=$((REPLIES[1] * 2))\nprintf \'%s\\n\' "$m$m"'),
        # A variable that is only passed on.
        ("y = name_of(x)\nz = y\nprint(z)", 'name_of "$x"\nprintf \'%s\\n\' "$REPLY"'),
        # Comments are kept in place.
        ("# above\ny = name_of(x)  # beside\n# below\nprint(y)  # at the end",
         '# above\nname_of "$x" # beside\n# below\nprintf \'%s\\n\' "$REPLY" # at the end'),
        ("y = name_of(x)\nz = y  # kept\nprint(z)",
         'name_of "$x"\nz=$REPLY # kept\nprintf \'%s\\n\' "$z"'),
        # After commands that call no function.
        ('y = name_of(x)\nif x != "" and true & TF and y == "a":\n    print(x)',
         'name_of "$x"\nif [[ -n $x ]] && { true; } >/dev/null 2>&1 && [[ $REPLY == a ]]; then\n'
         '  printf \'%s\\n\' "$x"\nfi'),
        ("y = name_of(x)\nif not is_long(y):\n    print(x)",
         'name_of "$x"\nif ! is_long "$REPLY"; then\n  printf \'%s\\n\' "$x"\nfi'),
    ],
)  # fmt: skip
def test_result_used_once_needs_no_variable(python: str, bash: str) -> None:
    assert body(python) == bash


@pytest.mark.parametrize(
    "python",
    [
        # Read twice, or later.
        "y = name_of(x)\n_ = show(y, y)",
        "y = name_of(x)\nprint(x)\nprint(y)",
        "y = name_of(x)\nprint(y)\nprint(y)",
        # After a call, which sets REPLY again.
        'y = name_of(x)\nif is_long(x) and y != "":\n    print(x)',
        'y = name_of(x)\nif not (is_long(x) or y == "a"):\n    print(x)',
        # In another part of the next statement.
        "y = name_of(x)\nif is_long(x):\n    print(y)",
        'y = name_of(x)\nif x == "":\n    print(x)\nelif y == "":\n    print("")',
        'y = name_of(x)\nfor z in ("a", "b"):\n    _ = name_of(z)\n    print(y)',
        'y = name_of(x)\nwhile y == "":\n    print(x)',
        # A parameter, a reassigned variable, and a variable that is appended to.
        'if x != "":\n    x = name_of(x)\nprint(x)',
        'y = "a"\nif x != "":\n    y = name_of(x)\nprint(y)',
        'y = name_of(x)\ny += "!"\nprint(y)',
        'y = name_of(x)\nfor z in ("a", "b"):\n    y = z\n    print(y)\nprint(y)',
        'y = name_of(x)\nprint(y)\ny = "a"',
        # Assigned in two places.
        'y, _ = halves(x)\nprint(y)\n_, y = halves("")\nprint(y)',
    ],
)
def test_result_that_could_change_keeps_its_variable(python: str) -> None:
    kept = re.findall(r"^ *[xy]=\$\{?REPL.*", body(python), re.MULTILINE)
    assert len(kept) == python.count(" = name_of(x)") + python.count(" = halves(")


@pytest.mark.parametrize(
    ("python", "declared"),
    [
        ('a = ""\nb = 0\nc = False\nprint(f"{a}{b}")\nif c:\n    print(x)',
         "local +x x=$1 a='' b=0 c=false"),
        ('a = "it\'s *"\nb = -7\nprint(f"{a}{b}")', 'local +x x=$1 a="it\'s *" b=-7'),
        ('a = 1\nb = x\nc = 2\nprint(f"{a}{b}{c}")', "local +x x=$1 a=1 b c"),
        # The value of a variable in the same declaration is not known there.
        ('a = 1\nb = a\nprint(f"{a}{b}")', "local +x x=$1 a=1 b"),
        ('a = 1\na = 2\nprint(f"{a}")', "local +x x=$1 a=1"),
        ('x = "y"\nprint(x)', "local +x x=$1"),
        ('a = 1  # beside\nprint(f"{a}")', "local +x x=$1 a"),
        ('# above\na = 1\nprint(f"{a}")', "local +x x=$1 a"),
        ('a = 1\n\nb = 2\nprint(f"{a}{b}")', "local +x x=$1 a=1 b"),
        ('a = "one\\ntwo"\nprint(a)', "local +x x=$1 a"),
        ('a = UP\nb = f"{DOWN}s"\nprint(f"{a}{b}")', 'local +x x=$1 a=$UP b="${DOWN}s"'),
    ],
)  # fmt: skip
def test_initial_values_are_in_the_declaration(python: str, declared: str) -> None:
    text = textwrap.indent(python, "    ")
    function = f"def probe(x: str) -> Status:\n{text}\n    _ = f(x)\n    return 0\n\n\n"
    other = "def f(x: str) -> str:\n    return x\n\n\n"
    whole = program('_ = probe(f"{UP}{DOWN}")', other + function)
    whole = whole.replace("\ndef f(", '\nUP = 7\nDOWN = "d"\n\n\ndef f(', 1)
    script = compile_text(whole, "program.py", library())
    verify(script, lints=True)
    found = re.search(r"^probe\(\) \{\n  (.*)\n", script, re.MULTILINE)
    assert found is not None
    assert found[1] == declared


@pytest.mark.parametrize(
    ("python", "lines"),
    [
        ('c = printf["a", UP, ","]', ["local +x -a c=(printf a \"$UP\" ',')"]),
        (
            'n = 1\nc = printf["x y"]\nprint(f"{n}")',
            ["local +x n=1", "local +x -a c=(printf 'x y')"],
        ),
        ('t = "a"\nc = printf[t]', ["local +x t=a", "local +x -a c"]),
        ('t = "a"\nt += "b"\nc = printf[t]', ["local +x t=a", "local +x -a c"]),
        (f"c = printf[{', '.join(['1'] * 9)}]", ["local +x -a c"]),
        ('c = printf["a"]  # beside', ["local +x -a c"]),
    ],
)
def test_short_commands_are_in_the_declaration(python: str, lines: list[str]) -> None:
    text = textwrap.indent(f"{python}\n_ = c & RETCODE", "    ")
    whole = program("probe()\nprint(f'{UP}')", f"UP = 7\n\n\ndef probe() -> None:\n{text}\n")
    script = compile_text(whole, "program.py", library())
    verify(script, lints=True)
    found = re.search(r"^probe\(\) \{\n((?:  local .*\n)*)", script, re.MULTILINE)
    assert found is not None
    assert [line.strip() for line in found[1].splitlines()] == lines


def test_text_that_replaces_a_command_is_declared_without_a_value() -> None:
    functions = (
        'def first() -> None:\n    a = printf["x"]\n    _ = a & RETCODE\n\n\n'
        'def second() -> None:\n    a = "x"\n    print(a)\n'
    )
    script = compile_text(program("first()\nsecond()", functions), "program.py", library())
    verify(script, lints=True)
    assert "second() {\n  local +x a\n  a=x\n" in script


@pytest.mark.parametrize(
    ("python", "bash"),
    [
        ("    return name_of(x)", '  name_of "$x"'),
        ("    y = name_of(x)\n    return y  # beside", '  name_of "$x"\n  # beside'),
        ("    y = name_of(x)\n    z = y\n    return z", '  name_of "$x"'),
        (
            "    y = name_of(x)\n    z = y  # above\n"
            '    if x == "":\n        return x\n    return z',
            '  name_of "$x"\n  z=$REPLY # above\n  if [[ -z $x ]]; then\n    REPLY=$x\n'
            "    return\n  fi\n  REPLY=$z",
        ),
        (
            "    y = name_of(x)\n    # above\n    return y",
            '  name_of "$x"\n  # above',
        ),
        (
            "    y = name_of(x)\n    # one\n    z = y\n    # two\n    return z",
            '  name_of "$x"\n  # one\n  # two',
        ),
    ],
)
def test_returned_result_needs_no_variable(python: str, bash: str) -> None:
    functions = f"{FUNCTIONS}\n\ndef given(x: str) -> str:\n{python}\n"
    whole = program(USES.replace("_ = probe", "_ = given"), functions)
    script = compile_text(whole, "program.py", library())
    verify(script, lints=True)
    found = re.search(r"^given\(\) \{\n  local .*\n((?:.*\n)*?)\}\n", script, re.MULTILINE)
    assert found is not None
    assert found[1] == f"{bash}\n"


@pytest.mark.parametrize("count", [2, 3])
def test_three_quiet_commands_share_a_function(count: int) -> None:
    lines = ['_ = printf["%s", "1"] & RETCODE', 'if printf["%s", "2"] & TF:', '    print("yes")']
    lines += ['_ = (printf["%s", "x"] > "file") & RETCODE']  # has an output
    lines += ['_ = printf["%s", "3"] & RETCODE'] * (count - 2)
    script = compile_text(program("\n".join(lines)), "case.py", library=library())
    quiet = re.findall(r"quiet printf '?%s'? [123]", script)
    assert len(quiet) == (count if count == 3 else 0)
    function = 'quiet() {\n  "$@"\n} >/dev/null 2>&1\n'
    assert (function in script) == (count == 3)
    verify(script, lints=True)
