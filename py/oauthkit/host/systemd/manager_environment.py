"""Find settings in the user manager's environment, which the runs that it starts inherit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.host.path_info import quoted, read, real_path
from oauthkit.host.project import ENVIRONMENT
from oauthkit.host.shell_commands import as_root
from oauthkit.host.systemd import installed_units
from oauthkit.host.systemd.client import systemctl
from oauthkit.host.systemd.services import show_all

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

SYSTEM_DIRECTORIES = (
    "/etc/environment.d", "/run/environment.d", "/usr/local/lib/environment.d",
    "/usr/lib/environment.d",
)  # fmt: skip


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
    given = variables()
    return [
        Conflict(setting.name, value, _fix(setting.name))
        for setting in paths.settings
        if setting.origin != ENVIRONMENT
        and (value := given.get(setting.name, ""))
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


def variables() -> dict[str, str]:
    """Return the manager's variables. Raise ManagerError if it does not answer.

    The manager quotes special characters as in $'a b'.
    """
    lines = (line.partition("=") for line in systemctl("show-environment").splitlines())
    return {
        name: value[2:-1].replace("\\'", "'") if value.startswith("$'") else value
        for name, _, value in lines
    }


def _fix(name: str) -> str:
    """Return the command that removes a variable. Files can set it (environment.d(5))."""
    assignment = re.compile(rf"^[ \t]*{name}[ \t]*=".encode(), re.MULTILINE)
    own = installed_units.directory().parents[1] / "environment.d"
    edits = []
    for directory in (own, *map(Path, SYSTEM_DIRECTORIES)):
        for file in sorted(directory.glob("*.conf")):
            if assignment.search(read(file).data):
                # sed replaces a link by a file.
                edit = f"sed -i 's/^[[:blank:]]*{name}[[:blank:]]*=/# &/' {quoted(real_path(file))}"
                edits.append(edit if directory == own else as_root(edit))
    edits += ["systemctl --user daemon-reload"] if edits else []
    return " && ".join([*edits, f"systemctl --user unset-environment {name}"])
