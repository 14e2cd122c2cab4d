"""What can be wrong with a host: all checks, and those of what starts the next run."""

from __future__ import annotations

import getpass
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.display import command, quote
from oauthkit.host.doctor import checks, permissions, scheduling, write_access
from oauthkit.host.doctor.checks import Finding
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.client import ManagerError, complaint, pending_timers
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oauthkit.host.project import Places

# Where systemd runs (sd_booted(3)).
BOOTED = Path("/run/systemd/system")
FOR_A_YEAR = "without timers: claude setup-token makes a token for a year, put it into .env"


def examine(places: Places) -> Iterator[Finding]:
    """Every check, one after the other; nothing is changed, and claude is not run."""
    yield checks.program("jq", "sudo apt-get install jq")
    yield checks.program("timeout", "sudo apt-get install coreutils")
    yield checks.program("flock", "sudo apt-get install util-linux")
    others: dict[str, Callable[[Places], Iterable[Finding]]] = {
        "claude": lambda places: [checks.claude(places)],
        "login": checks.login,
        ".env": checks.dotenv,
        "runs": checks.runs,
        "logs": write_access.logs,
        "delivery": write_access.delivery,
        "modes": checks.modes,
        "permissions": permissions.writers,
        "PATH": permissions.search_path,
        "variables": checks.variables,
        "lock of claude": checks.lock_of_claude,
        "script": checks.script,
        "hooks": checks.hooks,
        "systemd": _systemd,
        "clock": _clock,
    }
    for name, check in others.items():
        try:
            yield from check(places)
        except (OSError, RuntimeError, ManagerError) as error:
            yield Finding(name, f"could not be checked: {error}", is_note=True)


def _systemd(places: Places) -> Iterator[Finding]:
    """The user manager, the timer that waits, and what it will find."""
    if problem := complaint(places.unit):
        yield Finding("name of the timer", problem, scheduling.own_unit(places))
        return
    try:
        pending_timers(places.units)
    except ManagerError as error:
        yield from _without_manager(places, str(error))
        return
    yield Finding("user manager", "it answers")
    yield _linger()
    found = [*scheduling.check(places)]
    if not any(finding.name == "timer" for finding in found):
        none = _not_due(places, "timer", "no run is due", scheduling.install(places))
        yield from [*_by_cron(places)] or [none]
    yield from found


def _without_manager(places: Places, error: str) -> Iterator[Finding]:
    """What starts the next run on a host whose systemd does not."""
    by_cron = [*_by_cron(places)]
    if by_cron:
        yield Finding("user manager", error, is_note=True)
        yield from by_cron
        return
    if BOOTED.is_dir():  # but not for this user, as after su or sudo
        user = getpass.getuser()
        yield Finding("user manager", error, f"sudo loginctl enable-linger {quote(user)}")
    else:
        yield Finding("user manager", error, is_note=True)
        need = "" if find_program("crontab") else "sudo apt-get install cron && "
        text = "nothing starts it: there is no timer, and no line of the crontab"
        yield _not_due(places, "next run", text, need + cron.mend(places))
    yield Finding("timer", FOR_A_YEAR, is_note=True)


def _not_due(places: Places, name: str, text: str, mend: str) -> Finding:
    """That no run is due, which is as it should be for a token that a run would replace."""
    if checks.has_token_of_a_person(places):
        return Finding(name, f"{text}, which would replace the token in .env", is_note=True)
    return Finding(name, text, mend)


def _by_cron(places: Places) -> Iterator[Finding]:
    """What a line of the crontab that refreshes the project will find, if there is one."""
    path = cron.path_of_refresh(places)
    if path is None:
        return
    yield Finding("next run", "a line of the crontab starts it")
    if not checks.claude(places, path).is_well:
        mend = f"crontab -e, and put there what this prints: {command('install', places, '--cron')}"
        yield Finding("claude by cron", f"not in its PATH: {path}", mend)


def _linger() -> Finding:
    shown = _said("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    if shown is None:
        return Finding("linger", "loginctl does not say", is_note=True)
    if shown == "yes":
        return Finding("linger", "yes")
    return Finding("linger", "the timers end with the last logout", "loginctl enable-linger")


def _clock(_: Places) -> Iterator[Finding]:
    shown = _said("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if shown == "no":
        yield Finding("clock", "it is not synchronized", "sudo timedatectl set-ntp true")
    else:
        text = "synchronized" if shown == "yes" else "not known"
        yield Finding("clock", text, is_note=shown != "yes")


def _said(*argv: str) -> str | None:
    """What a program prints, None if it fails or is not there."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
