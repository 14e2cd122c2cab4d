"""Test files import helpers from tests/support only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
FILES = sorted(path.relative_to(ROOT) for path in TESTS.rglob("*.py"))
SUBJECT_FILES = ("test_unit.py", "test_both.py", "test_hostile.py", "script.bats")


def imported(path: Path) -> Iterator[str]:
    """Yield every module below `tests` that a file imports, anywhere in the file."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.split(".")[0] == "tests")


def is_allowed(path: Path, name: str) -> bool:
    """Return whether a file may import a name below `tests`."""
    parts = name.split(".")
    if any(part.startswith("test_") or part == "conftest" for part in parts):
        return False
    if parts[1] == "support":
        return True
    # The adversarial suites have their own modules: generators, runners, mutators.
    return parts[1] == "adversarial" and path.parts[1] == "adversarial"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_only_support_is_imported(path: Path) -> None:
    assert [name for name in imported(path) if not is_allowed(path, name)] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tests/host/commands/test_run.py", "tests.host.conftest.LIMIT_S"),
        ("tests/host/commands/test_run.py", "tests.host.commands.test_watch.add"),
        ("tests/host/commands/test_run.py", "tests.adversarial.fuzz.case.Case"),
        ("tests/support/refresh/world.py", "tests.refresh.test_unit.run"),
    ],
)
def test_import_from_a_test_is_found(path: str, name: str) -> None:
    assert not is_allowed(Path(path), name)


def test_each_subject_of_the_refresh_has_the_same_files() -> None:
    subjects = [path for path in (TESTS / "refresh").iterdir() if (path / "script.bats").exists()]
    assert len(subjects) > 6
    for subject in subjects:
        names = {path.name for path in subject.iterdir()}
        assert {"test_unit.py", "test_both.py"} <= names, subject
        others = {name for name in names if not name.startswith(("test_hostile_", "__"))}
        assert others - {*SUBJECT_FILES} <= {"word_splitting.bats"}, subject
