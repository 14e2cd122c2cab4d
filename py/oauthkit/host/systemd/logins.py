"""Find out whether a project's scheduled runs use the same login as this shell."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.path_info import is_file, real_path
from oauthkit.host.project import config_dir_of_runs
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.host.systemd import cron, installed_units, manager_environment
from oauthkit.host.systemd.client import ManagerError, name_problem, pending_timers
from oauthkit.host.systemd.services import show_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths


@dataclass(frozen=True)
class OtherLogin:
    """A conflict of logins: the problem, the fix, and the directory of the runs' login."""

    problem: str
    fix: str
    directory: Path


@dataclass(frozen=True)
class _Starter:
    """A unit or crontab line that starts runs, and what it sets in their environment."""

    name: str
    config_dir: str | None
    switch: str  # the command that switches its runs to this shell's login
    home: str | None = None


def other_login(paths: ProjectPaths) -> OtherLogin | None:
    """Return how the scheduled runs' logins differ from this shell's or from each other.

    Return None if all are the same. Units keep HOME and CLAUDE_CONFIG_DIR from the shell that
    started the first run or installed the units. A crontab can set them, too.
    """
    with suppress(ManagerError):
        for conflict in manager_environment.conflicts_of_runs(paths):
            if conflict.name == "CLAUDE_CONFIG_DIR":
                return OtherLogin(conflict.problem, conflict.fix, Path(conflict.value))
    shell = paths.credentials.parent
    logins: dict[Path, tuple[Path, _Starter]] = {}
    for runs in _scheduled(paths):
        home = Path(runs.home or paths.home)
        directory = Path(runs.config_dir or config_dir_of_runs(replace(paths, home=home)))
        logins.setdefault(real_path(directory), (directory, runs))
    if len(logins) > 1:
        (first, one), (second, two), *_ = logins.values()
        directory, other = (first, two) if real_path(first) == real_path(shell) else (second, one)
        problem = "the scheduled runs use different logins:"
        problem += f" {one.name} uses the login in {first}, and {two.name} the one in {second}"
        return OtherLogin(problem, other.switch, directory)
    for real, (directory, runs) in logins.items():
        if real != real_path(shell):
            problem = (
                f"the scheduled runs use the login in {directory}, but this shell uses {shell}"
            )
            return OtherLogin(problem, _selection(runs, directory, paths), directory)
    return None


def _selection(runs: _Starter, directory: Path, paths: ProjectPaths) -> str:
    """Return the command that switches this shell to the login of these runs."""
    if runs.config_dir:
        return f"export CLAUDE_CONFIG_DIR={quote(str(directory))}"
    commands = ["unset CLAUDE_CONFIG_DIR"] if os.environ.get("CLAUDE_CONFIG_DIR") else []
    if runs.home and real_path(runs.home) != real_path(paths.home):
        commands.append(f"export HOME={quote(runs.home)}")
    return " && ".join(commands)


def _scheduled(paths: ProjectPaths) -> Iterator[_Starter]:
    """Yield what starts the project's runs: services that run or are due, then crontab lines."""
    if not name_problem(paths.unit):
        with suppress(ManagerError):
            names = (paths.heal, *paths.units, f"{paths.unit}-watch")
            due = {timer.unit for timer in pending_timers(names) if timer.next_s is not None}
            services = show_all([f"{name}.service" for name in names])
            own = [service for service in services if service.is_of(paths)]
            is_python = any(x.is_python for x in own) and is_file(paths.project / SCRIPT)
            options = ["--form", "python"] if is_python else []
            options += ["--watch"] if own and own[-1].name.endswith("-watch") else []
            install = command("install", paths, *options)
            for service in own:
                is_used = service.is_active or f"{service.name}.timer" in due
                config_dir = service.environment.get("CLAUDE_CONFIG_DIR")
                if is_used and _is_absolute(config_dir):
                    switch = installed_units.without_drop_ins(service.unit, install, "Env")
                    yield _Starter(
                        service.unit, config_dir, switch, service.environment.get("HOME")
                    )
    for line in cron.lines_of(paths):
        if line.variables is not None and not line.missing_program:
            config_dir, home = (line.variables.get(name) for name in ("CLAUDE_CONFIG_DIR", "HOME"))
            if _is_absolute(config_dir) and _is_absolute(home):
                yield _Starter("a crontab line", config_dir, "crontab -e", home)


def _is_absolute(directory: str | None) -> bool:
    """Return whether a directory is unset or absolute. Where a relative one leads is not known."""
    return not directory or directory.startswith("/")
