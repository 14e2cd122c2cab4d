"""A file gets its content in one step, or stays as it was; what this version carries is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.parity.oauth_world import REPOSITORY

from oauthkit.host import files
from oauthkit.host.files import GIVEN, carried, replace_file


def test_file_is_another_one_with_this_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 255)  # no name could be longer
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
    else:
        monkeypatch.setattr(Path, step, fails)
    with pytest.raises(OSError, match="No space left on device"):
        replace_file(file, b"new", 0o600)
    monkeypatch.undo()
    assert file.read_text("utf-8") == "old"
    assert [*tmp_path.iterdir()] == [file]


def test_what_is_carried_is_in_the_wheel_or_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in GIVEN:
        assert carried(name).read_bytes() == (REPOSITORY / name).read_bytes()
    module = tmp_path / "oauthkit/host/files.py"
    monkeypatch.setattr(files, "__file__", str(module))
    in_wheel = tmp_path / "oauthkit/_data/SKILL.md"
    in_wheel.parent.mkdir(parents=True)
    in_wheel.touch()
    assert carried("container/skills/refresh-oauth/SKILL.md") == in_wheel
