"""A program of three files, compiled or rejected."""

from __future__ import annotations

import pytest
from tests.support.compiler.programs import TAIL, library

from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.source import Source

SHELL = "from oauthkit.shell import CAPTURE, RETCODE, TF, Status, find_program, parse_int, program"
GREETINGS = f'''"""Greets.

In more than one way.
"""

from __future__ import annotations

from plumbum import LocalPath

from kit.marks import MARK, marked
{SHELL}

# How often.
TIMES = 2
WORD = "hello" + " " + MARK
OPTIONAL = "not-installed"

printf = program("printf")


# What is said.
def greeting(name: str) -> str:
    """WORD and the name, TIMES times."""
    rest = ""
    count = 0
    while count < TIMES:
        whole = marked(f"{{WORD}} {{name}}")
        rest += whole
        count += 1
    return rest


def for_others(path: LocalPath) -> bool:
    """Return whether it exists, and OPTIONAL does not."""
    found = find_program(OPTIONAL)
    return path.exists() and found == ""
'''
MARKS = f'''"""Marks."""

import sys

from oauthkit.shell import Status

MARK = "$(mark)'"


def marked(text: str) -> str:
    """The text between two marks."""
    return MARK + text + MARK


def main(*arguments: str) -> Status:
    """Run as a program, too."""
    print("not when it is imported")
    return 0
{TAIL}'''
MAIN = f'''"""Says hello."""

from __future__ import annotations

import sys

from kit.greetings import greeting, printf
from kit.marks import MARK
{SHELL}

NAME = "world"


def main(*arguments: str) -> Status:
    """Greets."""
    text = greeting(NAME)
    _, found = printf["%s", text] & CAPTURE
    print(found + MARK)
    return 0
{TAIL}'''
FILES = {"kit/greetings.py": GREETINGS, "kit/marks.py": MARKS}


def compiled(main: str = MAIN, **changed: str) -> str:
    """Return the script of `main` and FILES. `changed` are more files, by module."""
    files = FILES | {f"{name}.py": text for name, text in changed.items()}

    def module(name: str) -> Source | None:
        file = f"{name.replace('.', '/')}.py"
        return Source(file, files[file]) if file in files else None

    return compile_text(main, "hello.py", library(), resolve=module)


def rejection_lines(main: str = MAIN, **changed: str) -> list[str]:
    """Return the first line and the suggestion of each diagnostic."""
    with pytest.raises(CompileError) as caught:
        compiled(main, **changed)
    lines = caught.value.render().splitlines()
    return [line.strip() for line in lines if " = help: " in line or ": D" in line]
