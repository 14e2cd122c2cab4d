"""Which conditions run the command themselves whose status they ask for."""

from __future__ import annotations

import re

import pytest
from probes import body_of

FUNCTIONS = """
def size_of(text: str) -> tuple[Status, int]:
    if text == "":
        return 1, 0
    return 0, 7


def halves(text: str) -> tuple[Status, str, str]:
    return 0, f"{text}1", f"{text}2"


def fails(text: str) -> Status:
    if text == "":
        return 3
    return 0


def is_long(text: str) -> bool:
    return text != ""
"""
USES = """
_ = probe("x")
a, b = size_of("")
c, d, e = halves("")
f = fails("")
if is_long(d):
    print(f"{a}{b}{c}{e}{f}")
"""


def body(python: str) -> str:
    """What the compiler makes of these lines."""
    return body_of(python, FUNCTIONS, USES)


RUN = '{ printf "$x"; } >/dev/null 2>&1'


@pytest.mark.parametrize(
    ("python", "bash"),
    [
        ("s = fails(x)\nif s != 0:\n    print(x)",
         'if ! fails "$x"; then\n  printf \'%s\\n\' "$x"\nfi'),
        ("s = fails(x)\nif s == 0:\n    print(x)\nelse:\n    print('')",
         'if fails "$x"; then\n  printf \'%s\\n\' "$x"\nelse\n  printf \'%s\\n\' \'\'\nfi'),
        ("s = printf[x] & RETCODE\nif s != 0:\n    return 1", f"if ! {RUN}; then\n  return 1\nfi"),
        ("s, t = printf[x] & CAPTURE\nif s != 0:\n    return 1\nprint(t)",
         'if ! { t=$(printf "$x"); } 2>/dev/null; then\n  return 1\nfi\nprintf \'%s\\n\' "$t"'),
        ("s = fails(x)\nif s != 0 and is_long(x):\n    print(x)",
         'if ! fails "$x" && is_long "$x"; then\n  printf \'%s\\n\' "$x"\nfi'),
        # What is given along with it is taken behind the condition, or not at all.
        ("s, n = size_of(x)\nif s != 0:\n    return 1\nprint(f'{n} {n}')",
         'if ! size_of "$x"; then\n  return 1\nfi\nn=$REPLY\nprintf \'%s\\n\' "$n $n"'),
        ("s, n = size_of(x)\nif s != 0:\n    return 1\nprint(f'{n}')",
         'if ! size_of "$x"; then\n  return 1\nfi\nprintf \'%s\\n\' "$REPLY"'),
        ("s, y, z = halves(x)\nif s != 0:\n    print('-')\n    return 1\nprint(z + y)",
         'if ! halves "$x"; then\n  printf \'%s\\n\' -\n  return 1\nfi\n'
         'y=${REPLIES[0]}\nz=${REPLIES[1]}\nprintf \'%s\\n\' "$z$y"'),
        # A number is asked for in the same condition.
        ("s, n = size_of(x)\nif s != 0 or n < 1:\n    return 1\nprint(f'{n}')",
         'if ! size_of "$x" || ((REPLY < 1)); then\n  return 1\nfi\nprintf \'%s\\n\' "$REPLY"'),
        # Several of one name, and one inside of another.
        ("s = fails(x)\nif s != 0:\n    print('a')\ns = fails('')\nif s == 0:\n    print('b')",
         'if ! fails "$x"; then\n  printf \'%s\\n\' a\nfi\n'
         "if fails ''; then\n  printf '%s\\n' b\nfi"),
        ("s = fails(x)\nif s != 0:\n    t = fails('')\n    if t != 0:\n        return 1",
         "if ! fails \"$x\"; then\n  if ! fails ''; then\n    return 1\n  fi\nfi"),
        ("for y in (x, 'b'):\n    s = fails(y)\n    if s != 0:\n        break",
         'for y in "$x" b; do\n  if ! fails "$y"; then\n    break\n  fi\ndone'),
        # Comments stay.
        ("# above\ns = fails(x)\n# below\nif s != 0:  # beside\n    return 1",
         '# above\n# below\nif ! fails "$x"; then # beside\n  return 1\nfi'),
        ("s = fails(x)  # beside\nif s != 0:\n    return 1",
         'if ! fails "$x"; then # beside\n  return 1\nfi'),
    ],
)  # fmt: skip
def test_status_for_one_condition_needs_no_variable(python: str, bash: str) -> None:
    assert body(python) == bash


@pytest.mark.parametrize(
    "python",
    [
        # Asked for twice, or shown, or later, or in another way.
        "s = fails(x)\nif s != 0:\n    return s",
        "s = fails(x)\nif s == 1:\n    print(x)\nelif s != 0:\n    print('')",
        "s = fails(x)\nprint(x)\nif s != 0:\n    return 1",
        "s = fails(x)\n\nif s != 0:\n    return 1",
        "s = fails(x)\nif s > 1:\n    return 1",
        "s = fails(x)\nif x == '' and s != 0:\n    return 1",
        "s = fails(x)\nwhile s != 0:\n    return 1",
        "s = 0\nif x == '':\n    s = fails(x)\nif s != 0:\n    return 1",
        "s = fails(x)  # one\nif s != 0:  # two\n    return 1",
        # What is given along with it is needed inside, or on the way on from there.
        "s, n = size_of(x)\nif s != 0:\n    print(f'{n}')\n    return 1\nprint(f'{n}')",
        "s, n = size_of(x)\nif s != 0:\n    print('-')\nprint(f'{n}')",
        "s, n = size_of(x)\nif s != 0:\n    n = 5\n    return 1\nprint(f'{n}')",
        "s, n = size_of(x)\nif s != 0:\n    return 1\nelse:\n    print(f'{n}')",
        "s, n = size_of(x)\nif s != 0 or is_long(x) or n < 1:\n    return 1\nprint(f'{n}')",
        "n = 1\nwhile n > 0:\n    s, n = size_of(x)\n    if s != 0:\n        if x == '':\n"
        "            break\n        return 1\nprint(f'{n}')",
        # Another call of the same condition leaves something else in REPLY.
        "s, n = size_of(x)\nif s != 0 or is_long(x):\n    return 1\nprint(f'{n}')",
        "s, y, z = halves(x)\nif s != 0 or z == '':\n    return 1\nprint(z + y)",
        # Nothing below needs what is taken.
        "s, n = size_of(x)\nif s != 0 or n < 1:\n    return 1",
        "n = 0\ns, n = size_of(x)\nif s != 0 or n < 1:\n    return 1",
    ],
)
def test_status_that_is_needed_elsewhere_keeps_its_variable(python: str) -> None:
    assert re.search(r"^ *s=\$\?$", body(python), re.MULTILINE)
