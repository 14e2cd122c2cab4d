"""replace_file: readers see the old or the new file, and the write cannot be redirected."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from tests.support.refresh.world import REPOSITORY

from oauthkit.atomic import replace_file


def test_file_is_replaced_with_this_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 255)  # the longest possible name
    file.write_text("old", encoding="utf-8")
    before = file.stat().st_ino
    replace_file(file, b"new\0\xff", 0o640)
    assert (file.read_bytes(), file.stat().st_mode & 0o7777) == (b"new\0\xff", 0o640)
    assert file.stat().st_ino != before
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("step", ["write", "chmod", "replace"])
def test_step_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "file"
    file.write_text("old", encoding="utf-8")
    if step == "write":

        def full(descriptor: int, _: str) -> object:
            os.close(descriptor)
            return Path("/dev/full").open("wb", buffering=0)

        monkeypatch.setattr(os, "fdopen", full)
    elif step == "chmod":
        monkeypatch.setattr(os, "fchmod", fails)
    else:
        monkeypatch.setattr(Path, step, fails)
    with pytest.raises(OSError, match="No space left on device"):
        replace_file(file, b"new", 0o600)
    monkeypatch.undo()
    assert file.read_text("utf-8") == "old"
    assert [*tmp_path.iterdir()] == [file]


def test_mode_is_not_set_through_a_link_in_place_of_the_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user, who can write to the directory, replaces the new temporary file."""
    victim = tmp_path / "victim"
    victim.touch(mode=0o600)
    make = tempfile.mkstemp

    def exchanged(*arguments: object, **options: object) -> object:
        descriptor, name = make(*arguments, **options)  # type: ignore[call-overload]
        Path(name).unlink()
        Path(name).symlink_to(victim)
        return descriptor, name

    monkeypatch.setattr(tempfile, "mkstemp", exchanged)
    replace_file(tmp_path / "file", b"new", 0o755)
    assert (victim.stat().st_mode & 0o7777, victim.read_bytes()) == (0o600, b"")


def test_temporaries_are_created_in_one_place() -> None:
    package = REPOSITORY / "py/oauthkit"
    texts = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    assert [path.name for path, text in texts.items() if "mkstemp" in text] == ["atomic.py"]
    writing = re.compile(r"\.write_(text|bytes)\(|\bopen\([^)]*[\"'][wax]b?[\"']")
    kit = package / "parity"  # writes only to its sandboxes
    runtime = package / "shell.py"
    found = [
        path.relative_to(package).as_posix()
        for path, text in texts.items()
        if writing.search(text) and kit not in path.parents and path != runtime
    ]
    assert found == []
