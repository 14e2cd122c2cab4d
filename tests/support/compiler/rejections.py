"""Diagnostics of programs that the compiler rejects."""

from __future__ import annotations

import pytest
from tests.support.compiler.programs import library

from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.driver import compile_text

MAIN = "def main(*arguments: str) -> Status:\n    return 0\n"


def rejections(text: str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        compile_text(text, "program.py", library())
    return caught.value


def accept(text: str) -> None:
    """Compile a program. It may have unused values, because it is short."""
    try:
        compile_text(text, "program.py", library())
    except CompileError as error:
        if {diagnostic.code for diagnostic in error.diagnostics} - {"D308", "D309"}:
            raise


def under_caret(error: CompileError) -> str:
    """Return the source text that the first diagnostic underlines."""
    _, line, carets, help_line = error.render().splitlines()[:4]
    assert help_line.strip().startswith("= help: ")
    start = carets.index("^")
    return line[start : start + carets.count("^")]
