"""The command with which a unit or a crontab line starts a program for a project."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oauthkit.host.child import python_command
from oauthkit.host.errors import HostError
from oauthkit.host.project import ENVIRONMENT
from oauthkit.host.shell_commands import command
from oauthkit.host.shipped_files import script_of
from oauthkit.host.systemd.client import name_problem

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.host.project import ProjectPaths


@dataclass(frozen=True)
class Command:
    """The argv of a program for a project, and its environment variables."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


def leads_elsewhere(project: Path, name: str) -> bool:
    """Return whether a link leads from a project's script to a script of another place."""
    return (project / name).resolve() != project.resolve() / name


def command_of(paths: ProjectPaths, form: str | None, program: str = "refresh") -> Command:
    """Return the command that refreshes a project: its script if it has one, else this Python.

    `form` is "bash" or "python" to select one. With `program`, another program than the refresh.
    Raise HostError if the form is not available.
    """
    require_name(paths)
    name = script_of(program)
    script = paths.project / name
    if script.is_file() and leads_elsewhere(paths.project, name):
        text = f"{script} is a link into another project, and would refresh that one"
        raise HostError(f"{text}. To see the fix, run: {command('doctor', paths)}")
    if form == "bash" and not script.is_file():
        raise HostError(f"{script} does not exist. Copy it there, or use --form python")
    argv = (*python_command(), program, f"--project={paths.project}")
    if form != "python" and script.is_file():
        bash = shutil.which("bash")
        if bash is None:
            raise HostError("bash is not in PATH")
        argv = (os.path.abspath(bash), str(script))  # noqa: PTH100 - does not follow links
    environment = [("HOME", str(paths.home)), ("PATH", os.environ.get("PATH", os.defpath))]
    # Omit refresh.conf's settings, as the refresh's own timers do: each run reads the file itself.
    environment += [(x.name, x.value) for x in paths.settings if x.origin == ENVIRONMENT]
    return Command(argv, tuple(environment))


def require_name(paths: ProjectPaths) -> None:
    """Raise HostError if OAUTHKIT_UNIT is not a valid unit name."""
    if problem := name_problem(paths.unit):
        raise HostError(problem)
