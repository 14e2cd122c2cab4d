"""Run all checks in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oauthkit.host.doctor import (
    delivered,
    login,
    permissions,
    programs,
    project,
    runs,
    scheduling,
    store,
    write_access,
)
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.shell_commands import command
from oauthkit.host.status.store import is_follower, lost_login, read_store, refresh_command
from oauthkit.host.systemd.client import ManagerError
from oauthkit.host.systemd.other_settings import other_login, other_setting

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
# For each setting that selects a path, the checks of that path.
CHECKS_OF_SETTING = {
    "OAUTHKIT_LOG": ("logs", "log", "lock"),
    "OAUTHKIT_DOTENV": ("directory of .env", ".env", ".env's mode"),
    "OAUTHKIT_STORE_IDENTITY": ("identity's mode",),
    "CLAUDE_CONFIG_DIR": ("login", "login's directory"),
}
# What only a host with a login needs.
OF_LOGIN = ("claude", "login", "login's directory", "claude's lock")


def examine(paths: ProjectPaths) -> Iterator[Finding]:
    """Yield the findings of all checks. Nothing is changed, and claude is not run.

    If a refresh fixes a finding, but cannot succeed yet, the text says so.
    """
    first = project.project(paths)
    yield first
    if not first.is_ok:  # nothing there may be changed
        return
    if other := other_login(paths):  # a refresh from this shell would deliver another token
        yield Finding("login", other.problem, other.fix)
        return
    if difference := other_setting(paths):  # the checks below use this shell's settings
        yield Finding("settings", difference.problem, difference.fix)
        return
    refresh = refresh_command(paths)
    if is_follower(paths) and lost_login(paths, read_store(paths)):
        refresh = command("refresh", paths)
    needed = (*NEEDED, *(NEEDED_BY_FOLLOWER if is_follower(paths) else ()))
    can_succeed = True
    shown: set[str] = set()
    for found in _findings(paths):
        finding = _with_setting(found, paths)
        if finding.needs_refresh:
            then = ", then: " if finding.is_advice else " && "
            own = "" if finding.fix in shown else finding.fix  # a second login would be useless
            fix = then.join(filter(None, (own, refresh)))
            text = finding.text.removesuffix(".")
            text = finding.text if can_succeed else f"{text}. First apply the fixes above"
            finding = replace(finding, text=text, fix=fix)
        yield finding
        if not found.is_ok:
            shown.add(found.fix)
        if not found.is_ok and found.name in needed and found.fix:
            can_succeed = False


def _with_setting(finding: Finding, paths: ProjectPaths) -> Finding:
    """Name the setting that selected a failed check's path, because the setting may be wrong."""
    for setting in paths.changed_settings:
        if (
            not finding.is_ok
            and finding.fix
            and finding.name in CHECKS_OF_SETTING.get(setting.name, ())
        ):
            return replace(finding, text=f"{finding.text} ({setting.name}: {setting.origin})")
    return finding


def _findings(paths: ProjectPaths) -> Iterator[Finding]:
    yield programs.program("jq", "jq")
    yield programs.timeout()
    yield programs.program("flock", "util-linux")
    yield from project.settings(paths)
    others: dict[str, Callable[[ProjectPaths], Iterable[Finding]]] = {
        "claude": lambda paths: [programs.claude(paths)],
        "login's directory": write_access.login,
        "login": login.login,
        "store": store.check,
        "logs": write_access.logs,
        "delivery": write_access.delivery,
        "bearer file's directory": write_access.bearer,
        "runs and files": _runs,
        "modes": delivered.modes,
        "git": delivered.ignored_by_git,
        "permissions": permissions.writers,
        "PATH": permissions.search_path,
        "variables": delivered.variables,
        "claude's lock": login.lock_of_claude,
        "script": project.script,
        "hooks": runs.hooks,
        "systemd": scheduling.systemd,
        "clock": scheduling.clock,
    }
    for name, check in others.items():
        if name in OF_LOGIN and is_follower(paths):
            continue
        try:
            yield from check(paths)
        except (OSError, RuntimeError, ManagerError) as error:
            yield Finding(name, f"could not be checked: {error}", is_note=True)


def _runs(paths: ProjectPaths) -> Iterator[Finding]:
    """Check .env, the bearer file and the last run: first what a refresh does not fix."""
    files = [*delivered.dotenv(paths), *delivered.bearer(paths)]
    yield from (finding for finding in files if finding.fix)
    yield from runs.runs(paths)
    yield from (finding for finding in files if not finding.fix)
