"""Run all checks, with those of the user manager, cron and the clock."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.display import as_root, command, own_unit, quote
from oauthkit.host.doctor import checks, permissions, scheduling, store, write_access
from oauthkit.host.doctor.checks import Finding
from oauthkit.host.status.store import is_follower, was_read
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.client import ManagerError, name_problem, pending_timers
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oauthkit.host.project import ProjectPaths

# Without these, no refresh succeeds.
NEEDED = (
    "jq", "timeout", "flock", "claude", "login", "login's directory", "logs", "log", "lock",
    "directory of .env", ".env", "bearer file's directory", "bearer file", "runs",
)  # fmt: skip
# Without these, a follower delivers nothing.
NEEDED_BY_FOLLOWER = ("find", "etcdctl", "age", "store", "records")
# What only a host with a login needs.
OF_LOGIN = ("claude", "login", "login's directory", "claude's lock")
# Where systemd runs (sd_booted(3)).
BOOTED = Path("/run/systemd/system")
# The first line of timeout --version in uutils coreutils before 0.6.
OLD_UUTILS = re.compile(r"timeout (\(uutils coreutils\) )?0\.[0-5]\.")
HINT_WITHOUT_TIMERS = (
    "without timers, create a token that is valid for a year (claude setup-token), and put it into"
    " .env"
)


def examine(places: ProjectPaths) -> Iterator[Finding]:
    """Yield the findings of all checks. Nothing is changed, and claude is not run.

    If a refresh fixes a finding, but cannot succeed yet, the fix says so.
    """
    project = checks.project(places)
    yield project
    if not project.is_ok:  # nothing there may be changed
        return
    refresh = checks.refresh(places)
    needed = (*NEEDED, *(NEEDED_BY_FOLLOWER if is_follower(places) else ()))
    can_succeed = True
    for finding in _findings(places):
        if not finding.needs_refresh:
            yield finding
        elif not can_succeed:
            yield replace(finding, fix=f"after the fixes above: {refresh}")
        else:
            first = f"{finding.fix}, then: " if finding.fix else ""
            yield replace(finding, fix=first + refresh)
        if not finding.is_ok and finding.name in needed and finding.fix:
            can_succeed = False


def _findings(places: ProjectPaths) -> Iterator[Finding]:
    yield checks.program("jq", as_root("apt-get install jq"))
    yield _timeout()
    yield checks.program("flock", as_root("apt-get install util-linux"))
    yield from checks.settings(places)
    others: dict[str, Callable[[ProjectPaths], Iterable[Finding]]] = {
        "claude": lambda places: [checks.claude(places)],
        "login": checks.login,
        "login's directory": write_access.login,
        "store": store.check,
        "logs": write_access.logs,
        "delivery": write_access.delivery,
        "bearer file's directory": write_access.bearer,
        "runs and files": _runs,
        "modes": checks.modes,
        "permissions": permissions.writers,
        "PATH": permissions.search_path,
        "variables": checks.variables,
        "claude's lock": checks.lock_of_claude,
        "script": checks.script,
        "hooks": checks.hooks,
        "systemd": _systemd,
        "clock": _clock,
    }
    for name, check in others.items():
        if name in OF_LOGIN and is_follower(places):
            continue
        try:
            yield from check(places)
        except (OSError, RuntimeError, ManagerError) as error:
            yield Finding(name, f"could not be checked: {error}", is_note=True)


def _timeout() -> Finding:
    """Check that timeout is in PATH, and ends a program that ignores SIGTERM."""
    found = checks.program("timeout", as_root("apt-get install coreutils"))
    version = (found.is_ok and _output_of("timeout", "--version")) or ""
    if not OLD_UUTILS.match(version):
        return found
    problem = f"{version.splitlines()[0]} does not end a claude that ignores SIGTERM"
    return Finding("timeout", problem, "install GNU coreutils, or uutils coreutils 0.6 or newer")


def _runs(places: ProjectPaths) -> Iterator[Finding]:
    """Check .env, the bearer file and the last run: first what a refresh does not fix."""
    files = [*checks.dotenv(places), *checks.bearer(places)]
    yield from (finding for finding in files if finding.fix)
    yield from checks.runs(places)
    yield from (finding for finding in files if not finding.fix)


def _systemd(places: ProjectPaths) -> Iterator[Finding]:
    """Check the user manager, the pending timer, and the unit that it starts."""
    if problem := name_problem(places.unit):
        yield Finding("timer name", problem, own_unit(places))
        return
    try:
        pending_timers(places.units)
    except ManagerError as error:
        yield from _without_manager(places, str(error))
        return
    yield Finding("user manager", "it answers")
    yield _linger()
    if is_follower(places):
        yield from store.follower(places)
        return
    found = [*scheduling.check(places)]
    if not any(finding.name in {"timer", "whose timer"} for finding in found):
        none = _not_due(places, "timer", "no run is scheduled", scheduling.install(places))
        yield from [*_by_cron(places)] or [none]
    yield from found


def _without_manager(places: ProjectPaths, error: str) -> Iterator[Finding]:
    """Check what starts the next run on a host without a user manager."""
    by_cron = [*_by_cron(places)]
    if by_cron:
        yield Finding("user manager", error, is_note=True)
        yield from by_cron
        return
    if is_follower(places) and was_read(places, time.time()):
        yield Finding("user manager", error, is_note=True)
        yield store.read_finding()
        return
    if BOOTED.is_dir():  # but not for this user, for example after su or sudo
        fix = as_root(f"loginctl enable-linger {quote(getpass.getuser())}")
        runtime = f"/run/user/{os.getuid()}"
        if os.environ.get("XDG_RUNTIME_DIR", "") not in {"", runtime}:  # su keeps that of its user
            fix += f" && export XDG_RUNTIME_DIR={runtime}"
        yield Finding("user manager", error, fix)
    else:
        yield Finding("user manager", error, is_note=True)
        need = "" if find_program("crontab") else as_root("apt-get install cron && ")
        text = "nothing starts it: there is no timer and no crontab line"
        yield _not_due(places, "next run", text, need + cron.install_command(places))
    yield Finding("timer", HINT_WITHOUT_TIMERS, is_note=True)


def _not_due(places: ProjectPaths, name: str, text: str, fix: str) -> Finding:
    """Return the finding that no run is scheduled: a note if a run would replace a manual token."""
    if checks.has_manual_token(places):
        return Finding(name, f"{text}. A run would replace the token in .env", is_note=True)
    return Finding(name, text, fix)


def _by_cron(places: ProjectPaths) -> Iterator[Finding]:
    """Check the crontab line that refreshes the project, if there is one."""
    path = cron.path_of_refresh(places)
    if path is None:
        return
    yield Finding("next run", "a crontab line starts it")
    if not is_follower(places) and not checks.claude(places, path).is_ok:
        fix = f"crontab -e, and use the line of {command('install', places, '--cron')}"
        yield Finding("claude by cron", f"not in the crontab line's PATH: {path}", fix)


def _linger() -> Finding:
    shown = _output_of("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    if shown is None:
        return Finding("linger", "unknown: loginctl failed", is_note=True)
    if shown == "yes":
        return Finding("linger", "yes")
    return Finding("linger", "the timers end with the last logout", "loginctl enable-linger")


def _clock(_: ProjectPaths) -> Iterator[Finding]:
    shown = _output_of("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if shown is None:
        fix = "compare the output of date -u with the real time"
        yield Finding("clock", "unknown: timedatectl failed", fix, is_note=True)
    elif shown == "no":
        yield Finding("clock", "it is not synchronized", as_root("timedatectl set-ntp true"))
    else:
        yield Finding("clock", "synchronized")


def _output_of(*argv: str) -> str | None:
    """Return the output of a program, or None if it fails or is missing."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
