"""docs/parity.md: its examples run, and its lists are complete."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import FunctionType

from tests.support.parity_kit.manual import (
    FENCES,
    NOTE_SH,
    REPORT,
    ROOT,
    STAND_INS,
    TESTS,
    TEXT,
    write_project,
)
from tests.support.parity_kit.pytest_runs import run_pytest

import oauthkit.parity
from oauthkit.parity import Pair, Run, StandIn, options, stand_in_behaviours


def test_page_has_the_expected_sections() -> None:
    assert [language for language, _ in FENCES[:3]] == ["bash", "python", "python"]
    assert {language for language, _ in FENCES} == {"bash", "python", "text"}
    assert len(STAND_INS) == 1
    assert len(TESTS) == 16


def test_tests_on_the_page_pass(tmp_path: Path) -> None:
    write_project(tmp_path)
    ran = run_pytest(tmp_path)
    assert ran.status == 0, ran.output
    count = "".join(TESTS).count("def test_")
    assert f"{count} passed" in ran.output


def test_report_is_up_to_date(tmp_path: Path) -> None:
    write_project(tmp_path)
    broken = NOTE_SH.replace("umask 077\n", "").replace('low "$1"', "low $1")
    assert len(broken) == len(NOTE_SH) - len('umask 077\n""')
    (tmp_path / "note.sh").write_text(broken)
    ran = run_pytest(tmp_path, "test_note.py::test_note", "--basetemp=kept")
    assert ran.status == 1
    lines = re.findall(r"^E {0,7}(.*)$", ran.output, re.MULTILINE)
    shown = "\n".join(lines).removeprefix("AssertionError: ")
    directory = f"{tmp_path}/kept/test_note0/pair-0"
    assert shown.replace(directory, "DIR") + "\n" == REPORT


def public(kind: object) -> set[str]:
    """Return the names of a class's or module's public functions and properties."""
    members = vars(kind).items()
    return {n for n, m in members if n[0] != "_" and isinstance(m, (FunctionType, property))}


def test_every_behaviour_is_in_the_table_with_its_arguments() -> None:
    rows = dict(re.findall(r"^\| `(\w+)\((.*?)\)` \|", TEXT, re.MULTILINE))
    described = {
        name: [re.split("=", word.strip())[0] for word in arguments.split(",")]
        for name, arguments in rows.items()
    }
    assert described == {
        name: [*inspect.signature(getattr(stand_in_behaviours, name)).parameters][1:]
        for name in public(stand_in_behaviours)
    }


def test_page_documents_every_public_name() -> None:
    words = public(Pair) | public(Run) | {*oauthkit.parity.__all__} | {options.ONLY, options.KEEP}
    words |= public(StandIn) - {
        "forget", "missing", "pending", "plan", "planned", "prepare", "program", "queue",
        "signature",
    }  # fmt: skip
    words |= {"env", "umask", "limit_s", "stdin", "terminal", "meanwhile", "exit_code", "all_calls"}
    # Types that tests only need for annotations. The others are for subclasses of Pair.
    words -= {
        "Answers",
        "Call",
        "Difference",
        "Entry",
        "MakePair",
        "Outcome",
        "Planned",
        "Started",
        "World",
    }
    words -= {"UnplannedError", "read_state", "write_state", "close", "StandIn"}
    assert sorted(word for word in words if not re.search(rf"\b{word.strip('-')}\b", TEXT)) == []


def test_page_stands_on_its_own() -> None:
    assert re.findall(r"(?i)\boauth\b|\btokens?\b|refresh|credential|claude|login", TEXT) == []


def test_links_are_valid() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
