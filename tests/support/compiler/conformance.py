"""The programs for which CPython and bash must give the same result."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = Path(__file__).parents[2] / "compiler/conformance/programs.txt"


def read_cases() -> dict[str, tuple[str, str]]:
    """Return the body of main and the functions above it, for each program in programs.txt."""
    text = PROGRAMS.read_text(encoding="utf-8")
    cases: dict[str, tuple[str, str]] = {}
    for section in text.split("\n=== ")[1:]:
        name, _, code = section.partition("\n")
        functions, line, body = code.partition("\n---\n")
        assert name not in cases
        cases[name] = (body, functions) if line else (code, "")
    return cases


CASES = read_cases()
