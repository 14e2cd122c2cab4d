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


GROUP = """read -r _ _ _ _ mine _ </proc/$$/stat
read -r _ _ _ _ other _ </proc/$PPID/stat
test "$mine" = "$other"
"""


def test_commands_are_in_the_process_group_of_the_program(tmp_path: Path) -> None:
    """Also if the caller has job control in its SHELLOPTS: a signal to the group reaches all."""
    text = program(f'status = sh["-c", {GROUP!r}] & RETCODE\nprint(f"{{status}}")')
    options = {"SHELLOPTS": "monitor"}
    python, found = run_all(tmp_path, text, (), BASHES.values(), options)
    assert python.stdout == b"0\n"
    assert [(bash.stdout, bash.stderr) for bash in found] == [(b"0\n", b"")] * len(found)


@pytest.mark.parametrize("name", CASES)
def test_all_do_the_same(name: str, tmp_path: Path) -> None:
    body, functions = CASES[name]
    arguments = ("a b", "", "*", "-x", "ü\n") if name == "arguments" else ()
    python, found = run_all(tmp_path, program(body, functions), arguments, BASHES.values())
    for release, bash in zip(BASHES, found, strict=True):
        assert bash == python, f"bash {release}"
    assert b"Traceback" not in python.stderr, python.stderr.decode()
    assert python.stdout or python.files or name in SILENT, "a program that shows nothing"
