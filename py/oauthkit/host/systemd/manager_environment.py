"""Find settings in the user manager's environment, which the runs that it starts inherit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.host.path_info import quoted, read, real_path
from oauthkit.host.project import ENVIRONMENT
from oauthkit.host.systemd import installed_units
from oauthkit.host.systemd.client import systemctl
from oauthkit.host.systemd.services import show_all

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths


@dataclass(frozen=True)
class Conflict:
    """A variable of the user manager that gives its runs another setting than this shell's."""

    name: str
    value: str
    fix: str

    @property
    def problem(self) -> str:
        """Describe the conflict."""
        return f"the user manager sets {self.name}={self.value}, so scheduled runs use that"


def conflicts(paths: ProjectPaths) -> list[Conflict]:
    """Return the conflicts. Raise ManagerError if the manager does not answer.

    There is none for a variable of this shell, because a unit gets it from the shell.
    """
    variables = _variables()
    return [
        Conflict(setting.name, value, _fix(setting.name))
        for setting in paths.settings
        if setting.origin != ENVIRONMENT
        and (value := variables.get(setting.name, ""))
        and value != setting.value
        and real_path(value) != real_path(setting.value)
    ]


def conflicts_of_runs(paths: ProjectPaths) -> list[Conflict]:
    """Return the conflicts that affect scheduled runs. Raise ManagerError as conflicts does.

    A service's own variables take precedence over the manager's. A crontab's runs have none.
    """
    found = conflicts(paths)
    units = [f"{unit}.service" for unit in (paths.heal, *paths.units)] if found else []
    own = [x for x in (show_all(units) if units else []) if x.is_loaded and x.is_of(paths)]
    return [x for x in found if any(x.name not in service.environment for service in own)]


def require_no_conflict(paths: ProjectPaths) -> None:
    """Raise HostError if there is a conflict."""
    for conflict in conflicts(paths):
        raise HostError(f"{conflict.problem}. Run: {conflict.fix}")


def _variables() -> dict[str, str]:
    """Return the manager's variables. It quotes special characters as in $'a b'."""
    lines = (line.partition("=") for line in systemctl("show-environment").splitlines())
    return {
        name: value[2:-1].replace("\\'", "'") if value.startswith("$'") else value
        for name, _, value in lines
    }


def _fix(name: str) -> str:
    """Return the command that removes a variable. A file can set it (environment.d(5))."""
    directory = installed_units.directory().parents[1] / "environment.d"
    files = [
        file
        for file in sorted(directory.glob("*.conf"))
        if any(line.startswith(f"{name}=".encode()) for line in read(file).data.splitlines())
    ]
    edits = [f"sed -i 's/^{name}=/# &/' {quoted(file)}" for file in files]
    if edits:
        return " && ".join([*edits, "systemctl --user daemon-reload"])
    return f"systemctl --user unset-environment {name}"
