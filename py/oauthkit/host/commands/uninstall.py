"""Stop a project's timers, and remove the units that install wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host import notify
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.lock_holder import holder_of, is_locked, process_name
from oauthkit.host.path_info import read
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.systemd import cron, installed_units, unit_texts
from oauthkit.host.systemd.client import BOOTED, ManagerError, pending_timers
from oauthkit.host.systemd.owner import is_same
from oauthkit.host.systemd.services import show, units_of
from oauthkit.host.systemd.start_command import require_name
from oauthkit.host.systemd.unit_files import (
    remove,
    require_manager,
    require_own_unit,
    require_same_directory,
    reset_failed,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from oauthkit.host.project import ProjectPaths

    Say = Callable[[str], None]


def uninstall(paths: ProjectPaths, say: Say) -> int:
    """Remove the units, and stop this project's pending timers. Return 0.

    Return 1 if a run that systemd did not start is in progress: it will schedule the next one. Keep
    another project's units. Raise HostError for units that install did not write.
    """
    require_name(paths)
    directory = installed_units.directory()
    written = [directory / f"{paths.unit}{suffix}" for suffix in installed_units.SUFFIXES]
    there = [file for file in written if file.exists() and not _is_foreign(file, paths)]
    for file in there:
        require_own_unit(file, paths)
    # Units installed under an earlier OAUTHKIT_UNIT would restart the chain.
    there = list(dict.fromkeys([*there, *installed_units.written_for(paths.project)]))
    result = (
        "no run of this project is scheduled. Its .env gets no new token until you start a refresh"
    )
    hint = "Run this in a login session of this user"
    if cron.line_of(paths) is not None:
        result = "a line in the crontab still refreshes this project. To remove it, run: crontab -e"
        hint += f". Also, {result}"
    if there:
        hint += f". Until then, these are kept: {', '.join(map(str, there))}"
    notify.report_left(paths, say)
    try:
        require_manager(hint)
    except HostError:
        if there or BOOTED.is_dir():
            raise
        say(result)  # this host has no user manager, and so no timers
        return 0
    require_same_directory(paths)
    _remove_leftovers([file for file in written if not os.path.lexists(file)], say)
    remove(there, say)
    # A run that is in progress starts a timer before it ends, so stop the timers again after it.
    others: dict[str, str] = {}
    for kind in ("timer", "service", "timer"):
        heals = [file.stem for file in there if file.name.endswith("-heal.service")]
        names = list(dict.fromkeys([*paths.units, paths.heal, *heals, *units_of(paths.project)]))
        timers = [timer.unit for timer in pending_timers(names)]
        others = {name: why for name in names if (why := _foreign_reason(name, paths, timers))}
        stop([f"{name}.{kind}" for name in names if name not in others])
    for name, why in others.items():
        say(f"{name}.timer is kept: {why}")
    reset_failed([name for name in names if name not in others])
    if paths.bearer and os.path.lexists(paths.bearer):
        say(f"{paths.bearer} is kept, and still has the token")
    if is_locked(paths.lock):
        pid = holder_of(paths.lock)
        holder = "a process" if pid is None else process_name(pid)
        again = command("uninstall", paths)
        say(
            f"{holder} holds {paths.lock}. If it is a run, it will start a timer for the next one."
            f" When it has ended, run: {again}"
        )
        return 1
    say(result)
    return 0


def uninstall_removed(project: Path, say: Say) -> int:
    """Remove the units of a project whose directory no longer exists. Return 0.

    Raise UsageError if there are no units and no crontab line.
    """
    files = installed_units.written_for(project)
    has_line = bool(cron.lines_of(project))
    try:
        names = units_of(project)
    except ManagerError:
        if files:
            raise
        names = []
    if not files and not names and not has_line:
        raise UsageError(f"{str(project)!r} is not a directory. Pass --project DIR")
    left = _stop_all(project, files, names, say) if files or names else []
    for name in left:
        disable = f"systemctl --user disable --now {quote(name)}.timer"
        say(f"{name} is kept: install did not write it. To stop it: {disable}")
    if has_line:
        say(f"a line in the crontab still names {project}. To remove it, run: crontab -e")
    elif not left:
        say(f"no run of {project} is scheduled")
    return 0


def _stop_all(project: Path, files: list[Path], names: list[str], say: Say) -> list[str]:
    """Remove the unit files, and stop the units. Return the names that are still loaded."""
    remove(files, say)
    # A run that is in progress starts a timer before it ends, so stop the timers again after it.
    for kind in ("timer", "service", "timer"):
        names = list(dict.fromkeys([*names, *units_of(project)]))
        stop([f"{name}.{kind}" for name in names])
    reset_failed(names)
    return units_of(project)


def _remove_leftovers(missing: list[Path], say: Say) -> None:
    """Stop services whose unit files are missing, and remove links to those files."""
    for file in missing:
        service = show(file.stem)
        if file.suffix == ".service" and service.is_active and service.load_state == "not-found":
            stop([file.name])
            say(f"stopped {file.name}, whose unit file was missing")
        for directory in file.parent.glob("*.wants"):
            link = directory / file.name
            if link.is_symlink() and not link.exists():
                link.unlink()
                say(f"removed {link}")


def _is_foreign(file: Path, paths: ProjectPaths) -> bool:
    """Return whether install wrote a unit file for another project that still exists."""
    project = unit_texts.marked_project(read(file).data.decode("utf-8", "surrogateescape"))
    if project is None or is_same(project, paths.project):
        return False
    return os.path.isdir(project)  # noqa: PTH112 - Path.is_dir raises without access


def _foreign_reason(unit: str, paths: ProjectPaths, timers: list[str]) -> str:
    """Return why a service or its timer is not this project's, or "" if both are.

    `timers` are the loaded timers.
    """
    service = show(unit)
    if service.is_of(paths):
        return ""
    # While the chain's timer is loaded, its service is, too.
    if not service.is_loaded:
        text = f"it may not be this project's: {service.unit} is not loaded ({service.load_state})"
        stop = f"If it is, run: systemctl --user stop {quote(unit)}.timer"
        return f"{text}. {stop}" if f"{unit}.timer" in timers else ""
    project = service.project
    if project is None:
        return f"{service.unit} runs something else"
    return f"{service.unit} belongs to another project: {project}"
