"""Check what starts the next run: the user manager or cron. Also check the clock."""

from __future__ import annotations

import getpass
import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from oauthkit.host.doctor import delivered, programs, store, timers, write_access
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.path_info import real_path
from oauthkit.host.project import ENVIRONMENT
from oauthkit.host.shell_commands import as_root, command, own_unit, quote
from oauthkit.host.status.log import read_log
from oauthkit.host.status.login import read_login
from oauthkit.host.status.store import is_follower, refresh_command, was_read
from oauthkit.host.status.text_output import clock as shown_time
from oauthkit.host.systemd import cron, installed_units, manager_environment
from oauthkit.host.systemd.client import (
    BOOTED,
    ManagerError,
    name_problem,
    pending_timers,
    runtime_fix,
)
from oauthkit.host.systemd.services import loaded, show
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

COMPARE = "compare the output of date -u with the real time"
FUTURE_S = 60  # a small correction of the clock is not a problem
MAX_LIFE_S = 12 * 3600  # an access token lives about 8 h
WITHOUT_RUNS = (
    "no runs are needed with a token that is valid for a year. If your account can create one, run:"
    " claude setup-token"
)


def systemd(paths: ProjectPaths) -> Iterator[Finding]:
    """Check the user manager, the pending timer, and the unit that it starts."""
    if problem := name_problem(paths.unit):
        is_installed = os.environ.get("OAUTHKIT_UNIT") and installed_units.written_for(
            paths.project
        )
        fix = "unset OAUTHKIT_UNIT" if is_installed else own_unit(paths)
        yield Finding("timer name", problem, fix)
        return
    try:
        pending_timers(paths.units)
    except ManagerError as error:
        yield from _without_manager(paths, str(error))
        return
    yield Finding("user manager", "it answers")
    if installed := _other_name_in_shell(paths):
        text = "OAUTHKIT_UNIT is set in this shell, but the installed units have another name:"
        yield Finding("units", f"{text} {installed}", "unset OAUTHKIT_UNIT")
        return
    yield _linger()
    yield from write_access.units_directory(paths)
    if is_follower(paths):
        yield from store.follower(paths)
    else:
        found = programs.program("systemd-run", "systemd")
        if not found.is_ok:
            yield found
        yield from _next_run(paths)
    yield from _earlier_units(paths)
    for conflict in manager_environment.conflicts_of_runs(paths):
        yield Finding("user manager", conflict.problem, conflict.fix)


def _other_name_in_shell(paths: ProjectPaths) -> str:
    """Return the installed units, if their name differs from OAUTHKIT_UNIT in this shell, or ""."""
    if not any(x.name == "OAUTHKIT_UNIT" and x.origin == ENVIRONMENT for x in paths.settings):
        return ""
    installed = installed_units.written_for(paths.project)
    is_other = installed == installed_units.with_earlier_names(paths)
    return ", ".join(file.name for file in installed) if is_other else ""


def _earlier_units(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that install has written no units with an earlier name."""
    earlier = installed_units.with_earlier_names(paths)
    if not earlier:
        return
    names = ", ".join(file.name for file in earlier)
    text = f"some are installed with an earlier unit name: {names}"
    heals = [file.stem for file in earlier if file.stem.endswith("-heal")]
    fix = timers.install(paths, show(heals[0]) if heals else None)
    if is_follower(paths):
        fix = f"{command('uninstall', paths)} && {command('install', paths, '--follow')}"
    yield Finding("units", text, fix)


def _next_run(paths: ProjectPaths) -> Iterator[Finding]:
    """Check the timer or the crontab line that starts the next run."""
    found = [*timers.check(paths)]
    by_cron = [*_by_cron(paths)]
    others = [*_other_names(paths)]
    if any(finding.name in {"timer", "whose timer"} for finding in found):
        # The next timer gets the PATH of the run that starts it, which can be cron's.
        yield from (finding for finding in by_cron if finding.name != "next run")
    elif by_cron:
        yield from by_cron
    elif not others and not installed_units.with_earlier_names(paths):
        yield _not_due(paths, "timer", "no run is scheduled", timers.install(paths))
    yield from (*found, *others)


def _other_names(paths: ProjectPaths) -> Iterator[Finding]:
    """Report the timers that runs with another OAUTHKIT_UNIT have started."""
    real = replace(paths, project=real_path(paths.project))  # the script names its timer after it
    with suppress(ManagerError):
        for service in loaded():
            is_other = service.name not in {*paths.units, *real.units}
            if is_other and service.is_of(paths) and service.is_of_a_run:
                timer = f"{service.name}.timer"
                text = f"{timer} starts runs of this project, but its unit name is {paths.unit}"
                stop = f"systemctl --user stop {quote(timer)}"
                yield Finding("timer", text, stop, is_note=True, needs_refresh=True)


def _without_manager(paths: ProjectPaths, error: str) -> Iterator[Finding]:
    """Check what starts the next run on a host without a user manager."""
    by_cron = [*_by_cron(paths)]
    if by_cron:
        yield Finding("user manager", error, is_note=True)
        yield from by_cron
        return
    if is_follower(paths) and was_read(paths, time.time()):
        yield Finding("user manager", error, is_note=True)
        yield store.read_finding()
        return
    if BOOTED.is_dir() and not find_program("systemctl"):
        yield Finding("user manager", error, programs.program("systemctl", "systemd").fix)
    elif fix := runtime_fix():
        yield Finding("user manager", error, fix)
        return
    elif BOOTED.is_dir():  # but not for this user, for example after su or sudo
        fix = as_root(f"loginctl enable-linger {quote(getpass.getuser())}")
        if _lingers() == "yes":  # enabling it again would not start the manager
            fix = as_root(f"systemctl start user@{os.getuid()}.service")
        runtime = f"/run/user/{os.getuid()}"
        if os.environ.get("XDG_RUNTIME_DIR", "") not in {"", runtime}:  # su keeps that of its user
            fix += f" && export XDG_RUNTIME_DIR={runtime}"
        yield Finding("user manager", error, fix)
        text = "without a user manager, cron can start the runs"
        yield Finding("timer", text, cron.install_command(paths), is_note=True)
    else:
        yield Finding("user manager", error, is_note=True)
        text = "nothing starts it: there is no timer and no crontab line"
        yield _not_due(paths, "next run", text, cron.install_command(paths))
    yield Finding("token", WITHOUT_RUNS, is_note=True)


def _not_due(paths: ProjectPaths, name: str, text: str, fix: str) -> Finding:
    """Return the finding that no run is scheduled: a note if a run would replace a manual token."""
    if delivered.has_manual_token(paths):
        text += ". A run would replace the token in .env"
        return Finding(name, text, is_note=True)
    return Finding(name, text, fix)


def _by_cron(paths: ProjectPaths) -> Iterator[Finding]:
    """Check the crontab line that refreshes the project, if there is one."""
    line = cron.line_of(paths)
    if line is None:
        return
    fix = f"crontab -e, and replace the line with that of {command('install', paths, '--cron')}"
    if cron.is_running() is False:
        text = "a crontab line starts it, but no cron service is running"
        yield Finding("next run", text, cron.START)
    else:
        yield Finding("next run", "a crontab line starts it")
    if script := line.missing_program:
        yield Finding("program of the crontab line", f"{script} does not exist", fix)
    if missing := programs.missing_in(paths, line.path, with_claude=not is_follower(paths)):
        text = f"{', '.join(missing)} not found in {line.path}"
        yield Finding("PATH of the crontab line", text, fix)


def _lingers() -> str | None:
    """Return "yes" or "no", or None if loginctl fails."""
    shown = ("show-user", str(os.getuid()), "--property=Linger", "--value")
    return programs.output_of("loginctl", *shown)


def _linger() -> Finding:
    shown = _lingers()
    if shown is None:
        return Finding("linger", "unknown: loginctl failed", is_note=True)
    if shown == "yes":
        return Finding("linger", "yes")
    text = "the timers end with the last logout"
    return Finding("linger", text, "loginctl enable-linger", is_note=True)


def clock(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the clock is right, because each expiry is compared with it."""
    shown = programs.output_of("timedatectl", "show", "--property=NTPSynchronized", "--value")
    entries = read_log(paths)
    if shown == "no":
        yield Finding("clock", "it is not synchronized", as_root("timedatectl set-ntp true"))
    elif entries and entries[-1].at_s > time.time() + FUTURE_S:
        at = shown_time(entries[-1].at_s, time.time())
        text = f"the log's last line is from {at}, in the future"
        again = refresh_command(paths)
        if not is_follower(paths) and _expires_too_late(paths):
            again = command("refresh", paths, "--rejected")
        yield Finding("clock", text, f"{COMPARE}, then: {again}")
    elif shown is None:
        yield Finding("clock", "unknown: timedatectl failed", COMPARE, is_note=True)
    else:
        yield Finding("clock", "synchronized")


def _expires_too_late(paths: ProjectPaths) -> bool:
    """Return whether claude saved the token's expiry while the clock was ahead.

    A refresh without --rejected would not renew that token.
    """
    expires_at_s = read_login(paths.credentials).expires_at_s
    return expires_at_s is not None and expires_at_s > time.time() + MAX_LIFE_S
