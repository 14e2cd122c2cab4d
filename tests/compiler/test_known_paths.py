"""What is a Path already needs no call of `absolute`."""

from __future__ import annotations

import re

import pytest
from both import program, vocabulary

from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.lint import verify

CONSTANT = 'ENDING = ".gz"\n\n'


def script(python: str) -> str:
    """What the compiler makes of a function that has the Path p and the Str t."""
    lines = "".join(f"    {line}\n" for line in python.splitlines())
    head = "def probe(p: LocalPath, t: str) -> None:\n"
    uses = '    print(f"{p}{t}{ENDING}")\n'
    function = f"{CONSTANT}{head}{uses}{lines}"
    text = program('probe(LocalPath("/a"), "b")', function)
    made = compile_text(text, "program.py", vocabulary())
    verify(made)
    return made


@pytest.mark.parametrize(
    ("python", "bash"),
    [
        ("q = absolute(p)", "q=$p"),
        ('q = absolute(f"{p}.1")', 'q="$p.1"'),
        ('q = absolute(f"{p}.{1 + 1}{ENDING}")', 'q="$p.$((1 + 1))$ENDING"'),
        ('q = absolute(p + ".x/y")', 'q="$p.x/y"'),
        ('q = absolute(LocalPath("/x") / "y")', "q=/x/y"),
        ('q = absolute(p / "y")', 'q="${p%/}/y"'),
        ('q = absolute(f"{p}.1")  # beside', 'q="$p.1" # beside'),
    ],
)
def test_call_is_left_out(python: str, bash: str) -> None:
    made = script(f'{python}\nprint(f"{{q}}{{q}}")')
    assert f"\n  {bash}\n" in made
    assert "absolute" not in made


@pytest.mark.parametrize(
    "text",
    ["t", 'f"{t}.1"', 'f"{p}{t}"', 'f"{p}."', 'f"{p}.."', 'f"{p}/x"', 'f"{p}x/"', 'f"{p}x/../y"',
     'f"{p}x/./y"', 'f"{p}"', 'f"{t}{p}"', 'f"/{p}"', 'f""', '"/a"', 'p + "/" + "x"'],
)  # fmt: skip
def test_call_stays_where_it_may_change_the_text(text: str) -> None:
    made = script(f'q = absolute({text})\nprint(f"{{q}}{{q}}")')
    assert re.search(r"^  absolute .*\n  q=\$REPLY$", made, re.MULTILINE)
    assert "\nabsolute() {\n" in made


def test_word_stays_where_another_call_needs_it() -> None:
    made = script("q = absolute(p)\nr = absolute(t)\nprint(f'{q}{q}{r}')")
    assert "\n  q=$p\n  absolute " in made
