"""Show a project's state as a table, as JSON, or as metrics."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.atomic import replace_file
from oauthkit.console import OUT
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import FILE, inspect_path, real_path
from oauthkit.host.project import find_paths
from oauthkit.host.shell_commands import command_on
from oauthkit.host.status.json_output import to_json
from oauthkit.host.status.model import collect
from oauthkit.host.status.prometheus import exposition
from oauthkit.host.systemd import cron, installed_units
from oauthkit.host.systemd.client import ManagerError, runtime_fix
from oauthkit.host.systemd.services import loaded

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths


def report(paths: ProjectPaths, *, is_json: bool, metrics_file: str | None) -> int:
    """Show the state in one format. Return 0 if .env has a live token, 1 if not.

    Raise HostError if the state cannot be shown.
    """
    status = collect(paths)
    if metrics_file == "-":
        print(exposition(status), end="")
    elif metrics_file is not None:
        _replace(Path(metrics_file), exposition(status))
    elif is_json:
        print(json.dumps(to_json(status), indent=2))
    else:
        from oauthkit.host.status.text_output import show  # noqa: PLC0415 - only this format needs it

        # cli.main redirects stdout.
        is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
        is_colour = (
            is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        )
        print(show(status, shutil.get_terminal_size().columns, is_colour=is_colour), end="")
    return 0 if status.is_live else 1


def report_all() -> int:
    """Show a line for each project of this user. Return 0 if all have a live token, 1 if not.

    Return 1 if there are unit files and the user manager does not answer. Raise HostError if there
    are no projects.
    """
    from oauthkit.host.status.text_output import summary  # noqa: PLC0415

    is_live = True
    by_cron = cron.projects()
    found = {*installed_units.projects_by_file().values()}
    try:
        found |= {service.project for service in loaded() if service.project is not None}
    except ManagerError as error:
        if not found and not by_cron:
            raise
        if found:
            fix = runtime_fix() if "does not answer" in str(error) else ""
            OUT.line(f"FAIL  {error}. {f'Run: {fix}' if fix else 'No timer can start a run'}")
            is_live = False
    only_by_cron = by_cron - {str(real_path(project)) for project in found}
    found = {str(real_path(project)) for project in found} | only_by_cron
    if not found:
        raise HostError(
            "none of this user's units or crontab lines refreshes a project. See oauthkit install"
            " --help"
        )
    for project in sorted(found):
        if inspect_path(Path(project)).is_nothing:
            removal = f"run: {command_on('uninstall', project)}"
            if project in only_by_cron:
                removal = "run crontab -e, and remove its line"
            OUT.line(f"FAIL  {project}: it does not exist. If it was removed, {removal}")
            is_live = False
            continue
        try:
            status = collect(find_paths(project))
        except HostError as error:
            OUT.line(f"FAIL  {project}: {error}")
            is_live = False
        else:
            OUT.line(summary(status))
            is_live = is_live and status.is_live
    return 0 if is_live else 1


def _replace(file: Path, text: str) -> None:
    """Replace a file atomically with `text` and mode 644. A link is followed."""
    file = real_path(file)
    info = inspect_path(file)
    if info.problem:
        raise HostError(f"{info.problem}: {info.fix}")
    if info.kind not in {"", FILE}:
        raise HostError(f"{file} is not a file. To print the metrics, give -")
    try:
        replace_file(file, text.encode(), 0o644)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{file} cannot be written: there is no directory {file.parent}") from None
    except OSError as error:
        raise HostError(f"{file} cannot be written: {error.strerror}") from None
