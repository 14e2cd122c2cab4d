"""What is closed to this user, or cannot be there: one line with the path and the cure."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.host.host_project import HostProject

LONG = "x" * 300


@pytest.fixture
def closed(live: HostProject) -> HostProject:
    """A project with all as it should be, whose user is bound by modes."""
    live.without_override()
    return live


# What is closed, by which mode, how the cure begins, and whether the token is live all the same.
CLOSED: dict[str, tuple[Callable[[HostProject], Path], int, str, bool]] = {
    "the folder of claude": (lambda h: h.credentials.parent, 0, "chmod u+rwx", False),
    "the home": (lambda h: h.home, 0, "chmod u+x", False),
    "the credentials": (lambda h: h.credentials, 0o200, "chmod u+r", False),
    "the project": (lambda h: h.project, 0, "chmod u+rwx", False),
    ".env": (lambda h: h.dotenv, 0, "chmod u+r", False),
    "the folder of logs": (lambda h: h.log.parent, 0, "chmod u+rwx", True),
    "the log": (lambda h: h.log, 0, "chmod u+r", True),
}


@pytest.mark.parametrize(("what", "mode", "cure", "is_live"), CLOSED.values(), ids=CLOSED)
def test_status_names_what_is_closed_and_the_cure(
    closed: HostProject, what: Callable[[HostProject], Path], mode: int, cure: str, is_live: bool
) -> None:
    path = what(closed)
    path.chmod(mode)
    try:
        data = closed.status()
        shown = closed.run("status")
        metrics = closed.run("status", "--prometheus", "-")
    finally:
        path.chmod(0o700)
    assert data["live"] is is_live
    mend = f"{cure} {path}"
    assert any(said.endswith(f" is not readable: {mend}") for said in data["warnings"])
    for done in (shown, metrics):
        assert (done.returncode, done.stderr) == (0 if is_live else 1, "")
    path.chmod(mode)
    subprocess.run(["/bin/sh", "-c", mend], check=True)
    path.chmod(path.stat().st_mode | 0o700)
    assert closed.status()["warnings"] == []


@pytest.mark.parametrize("name", ["CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_LOG"])
def test_name_that_is_too_long(live: HostProject, name: str) -> None:
    setting = {name: f"/{LONG}/x"}
    data = live.status(**setting)
    (warning,) = data["warnings"]
    assert warning.startswith(f"/{LONG}/")
    assert warning.endswith(": File name too long: give a shorter name")
    assert data["live"] is (name == "OAUTHKIT_LOG")
    for command in ("status", "doctor"):
        done = live.run(command, **setting)
        assert done.returncode in {0, 1}
        assert done.stderr == ""
        assert "could not be checked: [Errno" not in done.stdout


def test_project_in_a_closed_folder(closed: HostProject, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    (folder / "project").mkdir(parents=True)
    folder.chmod(0)
    closed.project = folder / "project"
    for command in ("status", "doctor"):
        done = closed.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        said = f"{closed.project} is not readable: chmod u+rwx {folder}: give --project DIR"
        assert done.stderr == f"oauthkit {command}: {said}\n"


def test_metrics_with_a_name_that_is_too_long(live: HostProject, tmp_path: Path) -> None:
    done = live.run("status", "--prometheus", str(tmp_path / LONG))
    assert (done.returncode, done.stdout) == (1, "")
    said = f"{tmp_path / LONG}: File name too long: give a shorter name"
    assert done.stderr == f"oauthkit status: {said}\n"


def test_metrics_in_a_closed_folder(closed: HostProject, tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir(mode=0)
    done = closed.run("status", "--prometheus", str(folder / "x.prom"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"oauthkit status: {folder}/x.prom is not readable: chmod u+rwx ")


def test_link_to_itself(live: HostProject) -> None:
    live.dotenv.unlink()
    live.dotenv.symlink_to(live.dotenv.name)
    said = f"{live.dotenv} is a link that leads to itself: rm {live.dotenv}"
    assert live.status()["warnings"] == [said]
