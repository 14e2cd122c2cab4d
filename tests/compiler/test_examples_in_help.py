"""The examples in the tables of advice compile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest
from tests.support.compiler.helping import diagnostics, without
from tests.support.compiler.programs import program

from oauthkit.compiler.diagnostics import advice

PROGRAMS = "cp date df env find id ls mv readlink rm sleep stat test tr"
TYPES = {
    "str": "line name names text",
    "int": "count number seconds size tenths width",
    "LocalPath": "directory file new old path target",
}
PARAMETERS = [f"{name}: {kind}" for kind, names in TYPES.items() for name in names.split()]
TOP = "\n".join(
    (
        'NAMES = ("a", "b")',
        'command = program("git")',
        *(f'{name} = program("{name}")' for name in PROGRAMS.split()),
        "\n\ndef prepare() -> Status:\n    return 0\n\n",
        f"def example({', '.join(PARAMETERS)}) -> Status:\n    ",
    )
)
# A Bool, another expression, or the header of a statement
USES = (
    "{}",
    "if {}:\n        print()",
    "value = {}",
    "_ = {}",
    "_, _ = {}",
    "for part in {}:\n        print(part)",
    "{}\n        print()",
    "print({})",
)
# Not a whole expression or statement, the last statement of a function, or a line of TOP
PARTS = (
    "& RETCODE(FG=True)",
    'NAMES = ("a", "b")',
    "arguments[0]",
    "main(*arguments: str)",
    "return 1",
    "tuple[Status, int]",
)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for item in value:
            yield from strings(item)


def examples() -> list[str]:
    """Return the code between backticks that is more than a name or an operator."""
    tables = tuple(value for name, value in vars(advice).items() if name.isupper())
    found = {code for text in strings(tables) for code in re.findall("`([^`]+)`", text)}
    code = {code.replace("{}", "x") for code in found} - {*PARTS}
    return sorted(item for item in code if re.search(r"\w.*[(=\[].*\w|\w.* .*\w", item))


@pytest.mark.parametrize("code", examples())
def test_example_compiles(code: str) -> None:
    tried = []
    with without("D308"):  # unused names
        for use in USES:
            function = f"{TOP}{use.format(code)}\n    return 0\n"
            text = program("print('x')", function)
            text = text.replace(" take_lock,", " take_lock, temporary_name,", 1)
            if not (found := diagnostics(text)):
                return
            tried.append(f"{use.format(code)}: {found[0].message}")
    pytest.fail("\n".join(tried))
