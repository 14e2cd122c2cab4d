"""Find out whether a project's scheduled runs use the same login as this shell."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.path_info import real_path
from oauthkit.host.project import config_dir_of_runs
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.client import ManagerError, name_problem
from oauthkit.host.systemd.services import show_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths


@dataclass(frozen=True)
class OtherLogin:
    """The scheduled runs use another login than this shell: why, the fix, and its directory."""

    problem: str
    fix: str
    directory: Path


@dataclass(frozen=True)
class _Runs:
    """What starts runs, and the CLAUDE_CONFIG_DIR that it sets."""

    name: str
    config_dir: str | None
    switch: str  # the command with which its runs use this shell's login
    home: str | None = None


def other_login(paths: ProjectPaths) -> OtherLogin | None:
    """Return the login of the project's scheduled runs, or None if this shell has the same one.

    HOME and CLAUDE_CONFIG_DIR are kept from the shell that started the first run or installed the
    units. A crontab, or a line of it, can set CLAUDE_CONFIG_DIR, too.
    """
    shell = paths.credentials.parent
    logins: dict[Path, tuple[Path, _Runs]] = {}
    for runs in _scheduled(paths):
        home = Path(runs.home or paths.home)
        directory = Path(runs.config_dir or config_dir_of_runs(replace(paths, home=home)))
        logins.setdefault(real_path(directory), (directory, runs))
    if len(logins) > 1:
        (first, one), (second, two), *_ = logins.values()
        directory, other = (first, two) if real_path(first) == real_path(shell) else (second, one)
        problem = "the scheduled runs use different logins:"
        problem += f" {one.name} the one in {first}, {two.name} the one in {second}"
        return OtherLogin(problem, other.switch, directory)
    for real, (directory, runs) in logins.items():
        if real != real_path(shell):
            problem = (
                f"the scheduled runs use the login in {directory}, but this shell uses {shell}"
            )
            return OtherLogin(problem, _selection(runs, directory, paths), directory)
    return None


def _selection(runs: _Runs, directory: Path, paths: ProjectPaths) -> str:
    """Return the command with which this shell uses the login of these runs."""
    if runs.config_dir:
        return f"export CLAUDE_CONFIG_DIR={quote(str(directory))}"
    commands = ["unset CLAUDE_CONFIG_DIR"] if os.environ.get("CLAUDE_CONFIG_DIR") else []
    if runs.home and real_path(runs.home) != real_path(paths.home):
        commands.append(f"export HOME={quote(runs.home)}")
    return " && ".join(commands)


def _scheduled(paths: ProjectPaths) -> Iterator[_Runs]:
    """Yield what starts the project's runs: its services, then the lines of the crontab."""
    if not name_problem(paths.unit):
        with suppress(ManagerError):
            services = show_all([f"{unit}.service" for unit in (paths.heal, *paths.units)])
            for service in services:
                if service.is_of(paths):
                    install = command("install", paths)
                    yield _Runs(service.unit, service.config_dir, install, service.home)
    for line in cron.lines_of(paths):
        yield _Runs("the crontab", line.config_dir, "crontab -e")
