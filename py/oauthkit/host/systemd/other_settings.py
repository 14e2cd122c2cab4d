"""Find out whether a project's scheduled runs use the same login and settings as this shell."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.path_info import is_file, real_path
from oauthkit.host.project import ENVIRONMENT, config_dir_of_runs, read_settings
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.host.systemd import cron, installed_units, manager_environment
from oauthkit.host.systemd.client import ManagerError, name_problem, pending_timers
from oauthkit.host.systemd.services import show_all
from oauthkit.program.settings import NO_PATHS, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oauthkit.host.project import ProjectPaths


@dataclass(frozen=True)
class OtherLogin:
    """A conflict of logins: the problem, the fix, and the directory of the runs' login."""

    problem: str
    fix: str
    directory: Path


# These settings have no effect without a store.
OF_STORES = SETTINGS[SETTINGS.index("OAUTHKIT_HOST") :]


@dataclass(frozen=True)
class OtherSetting:
    """A setting of the scheduled runs that differs from this shell's: the problem, and its fix."""

    problem: str
    fix: str


@dataclass(frozen=True)
class _Starter:
    """A unit or crontab line that starts runs, and what it sets in their environment."""

    name: str
    switch: str  # the command that switches its runs to this shell's login
    environment: dict[str, str] = field(default_factory=dict)
    is_transient: bool = False  # a refresh replaces it
    install: str = ""  # the command that writes or edits it
    is_unit: bool = True  # its runs inherit the user manager's variables

    @property
    def config_dir(self) -> str | None:
        """The CLAUDE_CONFIG_DIR that it sets."""
        return self.environment.get("CLAUDE_CONFIG_DIR")

    @property
    def home(self) -> str | None:
        """The HOME that it sets."""
        return self.environment.get("HOME")


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
        if not (_is_absolute(runs.config_dir) and _is_absolute(runs.home)):
            continue
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


def other_setting(paths: ProjectPaths) -> OtherSetting | None:
    """Return a setting that differs between this shell and scheduled runs.

    A transient unit is ignored: a refresh in this shell replaces it.
    """
    units = [runs for runs in _scheduled(paths) if not runs.is_transient]
    found = [differences(paths, x.name, x.environment, is_unit=x.is_unit) for x in units]
    for runs, others in zip(units, found, strict=True):
        for name, other in others.items():
            own = rf"Environment[ \t]*=.*\b{name}="
            fix = installed_units.without_drop_ins(runs.name, runs.install, own)
            is_dropped_in = name in runs.environment and fix != runs.install
            do_units_differ = any(name not in x or x[name].fix != other.fix for x in found)
            return replace(other, fix=fix) if is_dropped_in or do_units_differ else other
    return None


def differences(
    paths: ProjectPaths, name: str, environment: Mapping[str, str], *, is_unit: bool = True
) -> dict[str, OtherSetting]:
    """Return the settings that differ between this shell and the runs of a unit or crontab line.

    `name` and `environment` belong to that unit or line. The keys of the result are the settings'
    names. Each fix changes this shell. Left out are the settings of other checks (the login, the
    unit's name, a variable of the user manager that this shell does not set), those without an
    effect here, and paths that depend on the working directory.
    """
    variables: dict[str, str] = {}
    if is_unit:
        with suppress(ManagerError):
            variables = manager_environment.variables()
    given = {**variables, **environment}
    theirs, _ = read_settings(paths.project, paths.home, given)
    has_store = any(x.name == "OAUTHKIT_STORE" and x.value for x in (*theirs, *paths.settings))
    found = {}
    for other, own in zip(theirs, paths.settings, strict=True):
        is_path = own.name not in NO_PATHS
        is_own = bool(environment.get(own.name))
        if (
            own.name in ("CLAUDE_CONFIG_DIR", "OAUTHKIT_UNIT", "OAUTHKIT_LIGHT")
            or (own.name in OF_STORES and not has_store)
            or (is_path and not _is_absolute(given.get(own.name)))
            or (own.name in variables and not is_own and own.origin != ENVIRONMENT)
            or other.value == own.value
            or real_path(other.value) == real_path(own.value)
        ):
            continue
        if other.origin == ENVIRONMENT:
            here = f"it is {own.value}" if own.value else "it is not set"
            owner = name if is_own else "the user manager"
            text = f"{owner} sets {own.name}={other.value}, but in this shell, {here}"
            found[own.name] = OtherSetting(text, f"export {own.name}={quote(other.value)}")
        elif own.origin == ENVIRONMENT:
            text = f"this shell sets {own.name}={own.value}, but {name} does not"
            found[own.name] = OtherSetting(text, f"unset {own.name}")
    return found


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
                if service.is_active or f"{service.name}.timer" in due:
                    switch = installed_units.without_drop_ins(service.unit, install, "Env")
                    yield _Starter(
                        service.unit,
                        switch,
                        service.environment,
                        service.name in paths.units,
                        install,
                    )
    for line in cron.lines_of(paths.project):
        if line.variables is not None and not line.missing_program:
            yield _Starter(
                "a crontab line", "crontab -e", line.variables, install="crontab -e", is_unit=False
            )


def _is_absolute(directory: str | None) -> bool:
    """Return whether a directory is unset or absolute. Where a relative one leads is not known."""
    return not directory or directory.startswith("/")
