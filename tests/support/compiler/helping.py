"""Apply the help of all diagnostics of a program, and compare what it does then."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.compiler.pasting import paste
from tests.support.compiler.programs import Outcome, library, run_both, run_python

from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic
from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.sema.symbols import Symbols
from oauthkit.compiler.source import Span


def diagnostics(text: str) -> list[Diagnostic]:
    try:
        compile_text(text, "program.py", library())
    except CompileError as error:
        return error.diagnostics
    return []


def helped(text: str) -> list[str]:
    """Return the programs that compile after the help's code is pasted for each diagnostic.

    Each step must fix a diagnostic, and cause no other one. Return [] if a help has no code.
    """
    found = diagnostics(text)
    assert found, "the program is not rejected"
    programs = []
    for choice in paste(text, found[0]):
        left = diagnostics(choice)
        assert len(left) < len(found), CompileError(left or found).render()
        programs += helped(choice) if left else [choice]
    return programs


def check_same(tmp_path: Path, meant: Outcome, programs: list[str]) -> None:
    for index, text in enumerate(programs):
        place = tmp_path / f"pasted-{index}"
        place.mkdir()
        python, bash = run_both(place, text)
        assert (python.stdout, python.status) == (bash.stdout, bash.status), text
        # Each runs in a directory of its own.
        found = python.stdout.replace(bytes(place) + b"/", bytes(tmp_path) + b"/")
        assert (found, python.status) == (meant.stdout, meant.status), text


@contextmanager
def without(*codes: str) -> Iterator[None]:
    """Compile programs in spite of diagnostics with these codes."""
    report = Symbols.report

    def report_others(
        self: Symbols, code: str, node: ast.AST | Span, message: str, help: str
    ) -> None:
        if code not in codes:
            report(self, code, node, message, help)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Symbols, "report", report_others)
        yield


def check_help(tmp_path: Path, text: str, *, is_slip: bool = False) -> None:
    """Check that the first help has no code, or that its code compiles and does the same.

    The program is short: it may have unused names, and statements that are never reached. If it
    ends with a traceback in CPython, only the two forms are compared. A slip does something else
    than its help.
    """
    first = diagnostics(text)[0]
    for index, choice in enumerate(paste(text, first)):
        with without("D308", "D309"):
            left, found = diagnostics(choice), diagnostics(text) or [first]
            assert len(left) < len(found), CompileError(left).render()
            if left:  # other errors that the program had before
                assert {x.message for x in left} <= {x.message for x in found}
                continue
            place = tmp_path / f"choice-{index}"
            place.mkdir()
            meant = run_python(place, text)
            if is_slip or b"Traceback" in meant.stderr:
                written, meant = meant, run_python(place, choice)
                assert not is_slip or (written.stdout, written.status) != (
                    meant.stdout,
                    meant.status,
                ), text
            check_same(place, meant, [choice])
