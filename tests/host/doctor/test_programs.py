"""oauthkit doctor's checks of claude, jq and timeout."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.host.doctor_host import examined
from tests.support.host.host_project import (
    command,
    quoted,
)

from oauthkit.host.doctor import programs
from oauthkit.host.project import find_paths

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


@pytest.mark.parametrize(
    ("version", "is_old"),
    [
        ("timeout 0.0.30", True),
        ("timeout (uutils coreutils) 0.2.2", True),
        ("timeout (uutils coreutils) 0.6.0", False),
        ("timeout (uutils coreutils) 0.12.0", False),
        ("timeout (GNU coreutils) 9.1\nCopyright (C) 2022", False),
        ("timeout (GNU coreutils) 0.1.0", False),
    ],
)
def test_timeout_that_does_not_kill_is_named(well: HostProject, version: str, is_old: bool) -> None:
    well.program("timeout", f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{version}'\n")
    problem = f"{version} does not end a claude that ignores SIGTERM"
    assert examined(well)[1] == ({"timeout": problem} if is_old else {})


def test_claude_outside_path_is_found(well: HostProject) -> None:
    (well.home / ".local/bin").mkdir(parents=True)
    (well.bin / "claude").rename(well.home / ".local/bin/claude")
    assert examined(well)[1] == {}
    (well.home / ".local/bin/claude").chmod(0o644)
    _, failed, fixes = examined(well)
    assert failed["claude"] == f"{well.home}/.local/bin/claude is not executable"
    subprocess.run(["/bin/sh", "-c", fixes["claude"]], check=True)
    assert examined(well)[1] == {}
    (well.home / ".local/bin/claude").unlink()
    assert "claude" in examined(well)[1]


def test_claude_that_is_a_dangling_link(well: HostProject) -> None:
    """As after its version was removed."""
    (well.bin / "claude").unlink()
    (well.home / ".local/bin").mkdir(parents=True)
    (well.home / ".local/bin/claude").symlink_to(well.home / "versions/1.0")
    text = f"{well.home}/.local/bin/claude leads to {well.home}/versions/1.0, which does not exist"
    assert examined(well)[1]["claude"] == text


def test_mode_of_a_claude_elsewhere_is_not_changed(well: HostProject) -> None:
    file = well.home / "package/claude"
    file.parent.mkdir()
    (well.bin / "claude").rename(file)
    file.chmod(0o644)
    (well.bin / "claude").symlink_to(file)
    _, failed, fixes = examined(well)
    assert failed["claude"] == f"{well.bin}/claude is not executable"
    assert fixes["claude"].startswith("check its owner before you change anything: ")


def test_claude_without_its_interpreter(well: HostProject) -> None:
    well.program("claude", "#!/nope/node\n")
    problem = f"{well.bin}/claude cannot run: /nope/node does not exist"
    fix = "npm install --global --prefix ~/.local @anthropic-ai/claude-code"
    assert examined(well)[1:] == ({"claude": problem}, {"claude": fix})


def test_claudes_interpreter_is_searched_for_in_the_runs_path(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    well.program("claude", "#!/usr/bin/env jq\n")
    (well.home / "alone").mkdir()
    (well.home / "alone/claude").symlink_to(well.bin / "claude")
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setenv("PATH", str(well.bin))
    paths = find_paths(str(well.project))
    with local.env(PATH=str(well.bin)):
        assert programs.claude(paths).is_ok
    found = programs.claude(paths, str(well.home / "alone"))
    assert found.text == f"{well.home}/alone/claude cannot run: jq not found in PATH"


def test_claude_of_another_user_is_not_changed(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be a link to any file, if others can write to the entry of PATH."""
    (well.bin / "claude").chmod(0o600)
    monkeypatch.setenv("HOME", str(well.home))
    paths = find_paths(str(well.project))
    assert programs.claude(paths, str(well.bin)).fix == f"chmod u+x {quoted(well.bin / 'claude')}"
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    fix = programs.claude(paths, str(well.bin)).fix
    assert fix.startswith("check its owner before you change anything: ls -ld ")


def test_error_in_the_configuration_of_jq(well: HostProject) -> None:
    well.login(-1)
    well.lines((-60, "ERROR: jq could not run or was killed (exit 3)"))
    well.failing.touch()
    assert examined(well)[2]["runs"].startswith("fix the error in ~/.jq")


@pytest.mark.parametrize(
    "problem",
    [
        "jq not found in PATH. It is needed to read the credentials",
        "claude binary not found in PATH or common locations",
    ],
)
def test_program_that_is_there_again_needs_only_a_refresh(well: HostProject, problem: str) -> None:
    well.lines((-60, f"ERROR: {problem}"))
    well.failing.touch()
    assert examined(well)[2] == {"runs": command("refresh", well.project)}
    (well.bin / problem.partition(" ")[0]).unlink()
    _, failed, fixes = examined(well)
    is_needed = failed["runs"].endswith("First apply the fixes above")
    assert is_needed or ", then: " in fixes["runs"]


@pytest.mark.parametrize("directory", [".local/bin", ".claude/local"])
def test_claude_that_is_not_in_path(well: HostProject, directory: str) -> None:
    """The fix has claude's path, because the shell would not find the name."""
    claude = well.home / directory / "claude"
    claude.parent.mkdir(parents=True)
    (well.bin / "claude").rename(claude)
    well.login(token="")
    assert examined(well)[2]["login"] == f"{quoted(claude)} auth login"
    shown = " ".join(well.run("status").stdout.split())
    assert f"no accessToken in credentials: {quoted(claude)} auth login" in shown
