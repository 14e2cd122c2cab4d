"""Small programs behave the same in CPython and bash. No expected result is written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.compiler.bashes import BASHES
from tests.support.compiler.conformance import CASES
from tests.support.compiler.programs import program, run_all

if TYPE_CHECKING:
    from pathlib import Path


SILENT = ("pass", "exit status")


GROUP = """read -r _ _ _ _ mine _ </proc/$$/stat
read -r _ _ _ _ other _ </proc/$PPID/stat
test "$mine" = "$other"
"""


def test_commands_run_in_the_program_s_process_group(tmp_path: Path) -> None:
    """Also with job control in the caller's SHELLOPTS: a signal to the group reaches all."""
    text = program(f'status = sh["-c", {GROUP!r}] & RETCODE\nprint(f"{{status}}")')
    options = {"SHELLOPTS": "monitor"}
    python, found = run_all(tmp_path, text, (), BASHES.values(), options)
    assert python.stdout == b"0\n"
    assert [(bash.stdout, bash.stderr) for bash in found] == [(b"0\n", b"")] * len(found)


@pytest.mark.parametrize("name", CASES)
def test_results_are_equal(name: str, tmp_path: Path) -> None:
    body, functions = CASES[name]
    arguments = ("a b", "", "*", "-x", "ü\n") if name == "arguments" else ()
    python, found = run_all(tmp_path, program(body, functions), arguments, BASHES.values())
    for release, bash in zip(BASHES, found, strict=True):
        assert bash == python, f"bash {release}"
    assert b"Traceback" not in python.stderr, python.stderr.decode()
    assert python.stdout or python.files or name in SILENT, "the program has no output"
