"""Small programs that CPython and bash must run alike; nothing is asserted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from bashes import BASHES
from both import program, run_all


def read_cases() -> dict[str, tuple[str, str]]:
    """The body of main, and the functions above it, of each program in programs.txt."""
    text = (Path(__file__).parent / "programs.txt").read_text(encoding="utf-8")
    cases: dict[str, tuple[str, str]] = {}
    for section in text.split("\n=== ")[1:]:
        name, _, code = section.partition("\n")
        functions, line, body = code.partition("\n---\n")
        assert name not in cases
        cases[name] = (body, functions) if line else (code, "")
    return cases


CASES = read_cases()
SILENT = ("pass", "exit status")


@pytest.mark.parametrize("name", CASES)
def test_all_do_the_same(name: str, tmp_path: Path) -> None:
    body, functions = CASES[name]
    arguments = ("a b", "", "*", "-x", "ü\n") if name == "arguments" else ()
    python, found = run_all(tmp_path, program(body, functions), arguments, BASHES.values())
    for release, bash in zip(BASHES, found, strict=True):
        assert bash == python, f"bash {release}"
    assert b"Traceback" not in python.stderr, python.stderr.decode()
    assert python.stdout or python.files or name in SILENT, "a program that shows nothing"
