"""What can be wrong with a host: all checks, and those of what starts the next run."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host import checks, cron
from oauthkit.host.checks import Finding, refresh
from oauthkit.host.files import SCRIPT
from oauthkit.host.timers import ManagerError, Timer, ask, pending_timers
from oauthkit.host.wording import command
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oauthkit.host.places import Places

# Where systemd runs (sd_booted(3)).
BOOTED = Path("/run/systemd/system")
# How often systemd is asked, and how long after one another, while its answers do not fit.
LOOKS, LOOK_S = 3, 0.3
FOR_A_YEAR = "without timers: claude setup-token makes a token for a year, put it into .env"
# As systemctl shows it: the words of the argv with a blank between them, none of them quoted.
_EXEC_START = re.compile(
    r"^ExecStart=\{ path=.*? ; argv\[\]=(.*?) ; ignore_errors=", re.DOTALL | re.MULTILINE
)
_ESCAPED = {"n": "\n", "t": "\t"}
# The project in that argv: the folder two above its script, or an option.
_PROJECT = re.compile(
    rf"\S+ (?P<script>/.*)/{re.escape(SCRIPT)}|.* --project=(?P<option>/.*)", re.DOTALL
)


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
        "modes": checks.modes,
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
    try:
        timers = pending_timers(places.units)
    except ManagerError as error:
        yield from _without_manager(places, str(error))
        return
    yield Finding("user manager", "it answers")
    yield _linger()
    finding, service, shown = _next_run(places, timers)
    if not service:
        by_cron = [*_by_cron(places)]
        yield from by_cron or [finding]
        return
    yield finding
    yield from _whose(places, service, shown)
    path = _path_of(shown)
    claude = checks.claude(places, path)
    if path is not None and not claude.is_well:
        yield Finding("claude by the timer", f"not in its PATH: {path}", refresh(places))


def _without_manager(places: Places, error: str) -> Iterator[Finding]:
    """What starts the next run on a host whose systemd does not."""
    by_cron = [*_by_cron(places)]
    if by_cron:
        yield Finding("user manager", error, is_note=True)
        yield from by_cron
        return
    if BOOTED.is_dir():  # but not for this user, as after su or sudo
        user = getpass.getuser()
        yield Finding("user manager", error, f"sudo loginctl enable-linger {shlex.quote(user)}")
    else:
        yield Finding("user manager", error, is_note=True)
        need = "" if find_program("crontab") else "sudo apt-get install cron && "
        text = "nothing starts it: there is no timer, and no line of the crontab"
        yield Finding("next run", text, need + cron.mend(places))
    yield Finding("timer", FOR_A_YEAR, is_note=True)


def _by_cron(places: Places) -> Iterator[Finding]:
    """What a line of the crontab that refreshes the project will find, if there is one."""
    path = cron.path_of_refresh(places)
    if path is None:
        return
    yield Finding("next run", "a line of the crontab starts it")
    if not checks.claude(places, path).is_well:
        mend = f"crontab -e, and put there what this prints: {_install(places)} --cron"
        yield Finding("claude by cron", f"not in its PATH: {path}", mend)


def _next_run(places: Places, timers: list[Timer]) -> tuple[Finding, str, str]:
    """Whether a run is due, the service that it has ("" for none), and what systemctl shows of it.

    A run may start or end between two questions: then they are asked anew.
    """
    finding, service, shown = Finding("timer", "no run is due", _install(places)), "", ""
    for attempt in range(LOOKS):
        if attempt:
            time.sleep(LOOK_S)
            timers = pending_timers(places.units)
        if timers and timers[0].next_s is not None:
            due = time.strftime("%Y-%m-%d %H:%M", time.localtime(timers[0].next_s))
            finding = Finding("timer", f"{timers[0].unit}, due {due}")
            service = timers[0].unit.removesuffix(".timer") + ".service"
        else:
            service = _service_that_runs(places)  # which arms the next timer when it ends
            if not service:
                finding = Finding("timer", "no run is due", _install(places))
                continue
            finding = Finding("timer", f"a run is under way: {service}")
        properties = ("LoadState", "ExecStart", "Environment")
        shown = ask("show", service, *(f"--property={name}" for name in properties))
        if "LoadState=not-found" not in shown.split("\n"):
            break
    return finding, service, shown


def _service_that_runs(places: Places) -> str:
    """The service of the project that runs, or is about to; "" if there is none."""
    for unit in (*places.units, f"{places.unit}-heal"):
        try:
            state = ask("show", f"{unit}.service", "--property=ActiveState", "--value")
        except ManagerError:
            continue
        if state.strip() in {"active", "activating"}:
            return f"{unit}.service"
    return ""


def _whose(places: Places, service: str, shown: str) -> Iterator[Finding]:
    """Whether a service, as systemctl shows it, is of this project."""
    argv = _EXEC_START.search(shown)
    found = _PROJECT.fullmatch(argv[1].replace("$$", "$")) if argv else None
    if found is None:
        yield Finding("whose timer", f"{service} runs something else", refresh(places))
        return
    project = found["script"] or found["option"]
    if os.path.realpath(project) != os.path.realpath(places.project):
        mend = f"OAUTHKIT_UNIT=another-name {refresh(places)}"
        yield Finding("whose timer", f"{service} is of another project: {project}", mend)


def _path_of(shown: str) -> str | None:
    """The PATH in what systemctl shows of a service, None if there is none."""
    line = next((x for x in shown.split("\n") if x.startswith("Environment=")), "")
    # An assignment with anything odd in it is in double quotes, which shlex reads in another way.
    for quoted, plain in re.findall(
        r'"((?:[^"\\]|\\.)*)"|(\S+)', line.removeprefix("Environment=")
    ):
        word = plain or re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), quoted)
        if word.startswith("PATH="):
            return str(word.removeprefix("PATH="))
    return None


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


def _install(places: Places) -> str:
    return command("install", places)
