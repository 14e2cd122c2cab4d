"""oauthkit explain has a page for each code, with correct examples."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import forked
from tests.support.compiler.helping import check_help
from tests.support.compiler.programs import library, program

from oauthkit.compiler.diagnostics import explain as explanations
from oauthkit.compiler.diagnostics.report import CODES, CompileError
from oauthkit.compiler.driver import compile_text

if TYPE_CHECKING:
    import subprocess

PAGES = explanations.load()


def whole(example: str) -> str:
    """Return an example as a whole program."""
    above, line, body = example.rpartition(f"\n{explanations.ABOVE_MAIN}\n")
    return program(body, above) if line else program(example)


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "oauthkit", "explain", *arguments]
    return forked.run_text(argv, Path("/"), os.environ)


def test_every_code_has_a_page() -> None:
    assert [*PAGES] == [*CODES]


@pytest.mark.parametrize("code", CODES)
def test_rejected_example_has_only_this_code(code: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_text(whole(PAGES[code].bad), "program.py", library())
    assert {found.code for found in caught.value.diagnostics} == {code}, caught.value.render()


@pytest.mark.parametrize("code", [code for code in CODES if code != "D001"])
def test_help_compiles_and_does_the_same(code: str, tmp_path: Path) -> None:
    check_help(tmp_path, whole(PAGES[code].bad))


@pytest.mark.parametrize("code", CODES)
def test_accepted_example_compiles(code: str) -> None:
    compile_text(whole(PAGES[code].good), "program.py", library())


def test_page_is_found_regardless_of_case() -> None:
    shown = explain("d201")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("D201: ignored exit status\n\nEvery command can fail")
    assert "\nRejected:\n\n    true & TF\n\nAccepted:\n\n    if true & TF:\n" in shown.stdout


def test_several_pages_are_shown() -> None:
    shown = explain("D201", "D301")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("D201: ")
    assert "\n\n\nD301: name that may be unset\n" in shown.stdout
    assert explain("D201", "D999").returncode == 2


def test_all_codes_are_listed_without_an_argument() -> None:
    assert [line.split("  ")[0] for line in explain().stdout.splitlines()] == [*CODES]


def test_unknown_code_is_named() -> None:
    shown = explain("D999")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "unknown code D999" in shown.stderr
