"""oauthkit doctor: each thing that is wrong is named, and what it says mends it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.parity.oauth_world import REPOSITORY

if TYPE_CHECKING:
    from tests.host.host_project import HostProject

UNIT = "nanoclaw-oauth-refresh-next"
SCRIPT = "scripts/oauth/refresh.sh"
PROGRAMS = ("jq", "timeout", "flock")
SYSTEMCTL = """#!/bin/sh
case $3 in
  list-timers) echo '{timers}' ;;
  show) echo '{service}' ;;
  *) exit 64 ;;
esac
"""


@pytest.fixture
def well(live: HostProject) -> HostProject:
    """A host with nothing wrong."""
    for name in PROGRAMS:
        live.program(name, "#!/bin/sh\n")
    for file in (live.dotenv, live.credentials):
        file.chmod(0o600)
    (live.project / SCRIPT).parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / SCRIPT, live.project / SCRIPT)
    live.program("loginctl", "#!/bin/sh\necho yes\n")
    live.program("timedatectl", "#!/bin/sh\necho yes\n")
    manager(live)
    return live


def manager(host: HostProject, *, path: str | None = None, project: Path | None = None) -> None:
    """A user manager with one timer, whose service has this PATH and is of this project."""
    timers = json.dumps([{"unit": f"{UNIT}.timer", "next": int((host.now_s + 3600) * 1e6)}])
    service = f"ExecStart=x argv[]=bash {project or host.project}/{SCRIPT}\n"
    service += f'Environment=HOME=/x "PATH={path or host.bin}"'
    text = SYSTEMCTL.replace("{timers}", timers).replace("{service}", service)
    host.program("systemctl", text)


def examined(host: HostProject) -> tuple[int, dict[str, str], dict[str, str]]:
    """The exit status, the checks that failed with what they say, and what mends them."""
    done = host.run("doctor")
    assert done.stderr == ""
    failed, mends = {}, {}
    name = ""
    for line in done.stdout.splitlines():
        if line.startswith("      mend: "):
            mends[name] = line.removeprefix("      mend: ")
            continue
        name, _, text = line[6:].partition(": ")
        if line.startswith("FAIL"):
            failed[name] = text
    assert failed.keys() == mends.keys()
    assert done.returncode == bool(failed)
    return done.returncode, failed, mends


def test_nothing_is_wrong(well: HostProject) -> None:
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith(" ok ") for line in done.stdout.splitlines()), done.stdout
    assert len(done.stdout.splitlines()) == 14


def stale(host: HostProject) -> None:
    lock = host.credentials.with_name(".credentials.json.lock")
    lock.mkdir()
    os.utime(lock, (host.now_s - 3600,) * 2)


def nowhere(host: HostProject) -> None:
    host.dotenv.unlink()
    host.dotenv.symlink_to("no/such/place")


def shadowed(host: HostProject) -> None:
    with host.dotenv.open("a", encoding="utf-8") as file:
        file.write("export ANTHROPIC_API_KEY=x\nANTHROPIC_API_KEY=y\n")


# What is wrong, which check says so, and whether its command mends it by itself.
WRONG: dict[str, tuple[Callable[[HostProject], object], str, bool]] = {
    "no jq": (lambda h: (h.bin / "jq").unlink(), "jq", False),
    "no timeout": (lambda h: (h.bin / "timeout").unlink(), "timeout", False),
    "no flock": (lambda h: (h.bin / "flock").chmod(0o644), "flock", False),
    "no login": (lambda h: h.credentials.write_text("{}"), "login", False),
    "login ended": (lambda h: h.login(refreshTokenExpiresAt=h.ms(-60)), "login", False),
    "another token": (lambda h: h.deliver("sk-ant-other"), ".env", False),
    "a link to nowhere": (nowhere, ".env", False),
    "mode of .env": (lambda h: h.dotenv.chmod(0o640), "mode of .env", True),
    "mode of the login": (lambda h: h.credentials.chmod(0o604), "mode of the login", True),
    "a variable in .env": (shadowed, "ANTHROPIC_API_KEY", True),
    "a lock of claude": (stale, "lock of claude", True),
    "another script": (lambda h: (h.project / SCRIPT).write_text("x"), "script", True),
    "no manager": (lambda h: h.program("systemctl", "#!/bin/sh\nexit 1\n"), "user manager", False),
    "no timer": (lambda h: h.timers({}), "timer", False),
    "no linger": (lambda h: h.program("loginctl", "#!/bin/sh\necho no\n"), "linger", False),
    "no time": (lambda h: h.program("timedatectl", "#!/bin/sh\necho no\n"), "clock", False),
    "another project's": (lambda h: manager(h, project=h.home), "whose timer", False),
}


@pytest.mark.parametrize(("change", "name", "mends_itself"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_and_what_is_said_mends_it(
    well: HostProject, change: Callable[[HostProject], object], name: str, mends_itself: bool
) -> None:
    change(well)
    status, failed, mends = examined(well)
    assert (status, name in failed) == (1, True), failed
    if mends_itself:
        assert [*failed] == [name]
        subprocess.run(["/bin/sh", "-c", mends[name]], check=True, cwd="/")
        assert examined(well)[1] == {}


def test_claude_that_only_the_timer_does_not_find(well: HostProject) -> None:
    manager(well, path="/nowhere:/usr/no")
    _, failed, mends = examined(well)
    assert failed == {"claude by the timer": "not in its PATH: /nowhere:/usr/no"}
    assert mends["claude by the timer"] == f"oauthkit refresh --project {well.project}"


def test_claude_in_a_place_of_its_own(well: HostProject) -> None:
    (well.home / ".local/bin").mkdir(parents=True)
    (well.bin / "claude").rename(well.home / ".local/bin/claude")
    assert examined(well)[1] == {}
    (well.home / ".local/bin/claude").unlink()
    assert "claude" in examined(well)[1]


def test_a_host_that_would_be_better_off_with_a_token_for_a_year(well: HostProject) -> None:
    well.program("systemctl", "#!/bin/sh\nexit 1\n")
    assert "claude setup-token" in examined(well)[2]["user manager"]


def test_what_is_not_known_is_a_note(well: HostProject) -> None:
    for name in ("loginctl", "timedatectl"):
        (well.bin / name).unlink()
    (well.project / SCRIPT).unlink()
    done = well.run("doctor")
    assert done.returncode == 0
    assert sum(line.startswith("note") for line in done.stdout.splitlines()) == 3
