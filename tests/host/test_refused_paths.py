"""Paths that the system rejects: one line with the path and the fix, and nothing is done."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.host.host_project import SAME_CODE, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.host.host_project import HostProject

_CAPABILITIES = "-dac_override,-dac_read_search"
# root gives up its right to access everything.
_AS_USER = (
    ["/usr/bin/setpriv", f"--bounding-set={_CAPABILITIES}", f"--inh-caps={_CAPABILITIES}"]
    if os.geteuid() == 0
    else []
)
LONG = "n" * 300
CLOSED = ": Permission denied. Give this user access to it, or run as its owner\n"
TOO_LONG = f"{LONG!r}: File name too long. Use a shorter name\n"


@pytest.fixture
def closed(live: HostProject) -> Iterator[HostProject]:
    """Create a project that its user may not enter."""
    live.project.chmod(0)
    yield live
    live.project.chmod(0o755)


def oauthkit(host: HostProject, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [*_AS_USER, sys.executable, "-m", "oauthkit", *arguments]
    env = {"HOME": str(host.home), "PATH": f"{host.bin}:/usr/bin:/bin", **SAME_CODE}
    return subprocess.run(
        argv, env=env, cwd=host.home, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["install", "--cron", "--project", "{}"], "{}/scripts/oauth/refresh.sh"),
        (["watch", "--project", "{}"], "{}/data/ipc"),
        (["watch", "--project", "{}", "{}/x"], "{}/x"),
        (["adopt", "{}/x"], "{}/x"),
    ],
)
def test_directory_that_is_closed(closed: HostProject, arguments: list[str], refused: str) -> None:
    done = oauthkit(closed, *(word.format(closed.project) for word in arguments))
    path = refused.format(closed.project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"oauthkit {arguments[0]}: {path!r}{CLOSED}"


def test_command_runs_anyway(closed: HostProject) -> None:
    done = oauthkit(closed, "run", "--project", str(closed.project), "sh", "-c", "exit 7")
    assert (done.returncode, done.stdout) == (7, "")
    fix = f"chmod u+rwx {quoted(closed.project)}"
    assert done.stderr.endswith(f"oauthkit run: {closed.dotenv} is not readable: {fix}\n")


@pytest.mark.parametrize("arguments", [["adopt"], ["watch", "--project", "{}"]])
def test_name_that_is_too_long(live: HostProject, arguments: list[str]) -> None:
    done = oauthkit(live, *(word.format(live.project) for word in arguments), LONG)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"oauthkit {arguments[0]}: {TOO_LONG}"


# --- A removed working directory ---


def from_nowhere(host: HostProject, **settings: str) -> subprocess.CompletedProcess[str]:
    gone = host.home / "gone"
    gone.mkdir()
    argv = f"{sys.executable} -m oauthkit refresh --ensure --project '{host.project}'"
    env = {"HOME": str(host.home), "PATH": "/usr/bin:/bin", **SAME_CODE, **settings}
    return subprocess.run(
        ["/bin/sh", "-c", f"rmdir ../gone; exec {argv}"],
        env=env, cwd=gone, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["refresh", "run true", "watch", "install"])
def test_removed_directory_is_not_a_project(live: HostProject, command: str) -> None:
    gone = live.home / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", f"rmdir ../gone; exec {sys.executable} -m oauthkit {command}"],
        env={"HOME": str(live.home), "PATH": "/usr/bin:/bin", **SAME_CODE},
        cwd=gone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the working directory no longer exists. Change to another directory\n"


def test_refresh_in_a_removed_directory(live: HostProject) -> None:
    done = from_nowhere(live)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = from_nowhere(live, OAUTHKIT_DOTENV="x")
    assert (done.returncode, done.stderr) == (
        1,
        "the working directory no longer exists. Change to another directory\n",
    )


def test_project_without_a_name(live: HostProject) -> None:
    for command in ("refresh", "status", "doctor", "install"):
        done = oauthkit(live, command, "--project", "")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"oauthkit {command}: '' is not a directory. Pass --project DIR\n"
