"""Write, check, stop and remove unit files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.host.path_info import FILE, inspect_path, real_path, write_file
from oauthkit.host.shell_commands import command_on, own_unit, quote
from oauthkit.host.systemd import installed_units, unit_texts
from oauthkit.host.systemd.client import ManagerError, name_problem, systemctl
from oauthkit.host.systemd.owner import is_same
from oauthkit.host.systemd.services import show_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from oauthkit.host.project import ProjectPaths

    Say = Callable[[str], None]

START_LIMIT_S = 15 * 60


def require_manager(hint: str) -> None:
    """Raise HostError with a hint if no user manager answers."""
    try:
        systemctl("show-environment")
    except ManagerError as error:
        raise HostError(f"{error}. {hint}") from None


def require_same_directory(paths: ProjectPaths) -> None:
    """Raise HostError if the manager has loaded the project's units from a different directory.

    This happens if they were installed with a different HOME or XDG_CONFIG_HOME.
    """
    if name_problem(paths.unit):  # it could be an option of systemctl
        return
    directory = installed_units.directory()
    for service in show_all([f"{paths.heal}.service", f"{paths.follow}.service"]):
        file = Path(service.file)
        if not service.is_of(paths) or service.is_of_a_run or inspect_path(file).kind != FILE:
            continue
        if real_path(file.parent) == real_path(directory):
            continue
        home = service.environment.get("HOME")
        is_home = home and Path(home) != paths.home and not os.environ.get("XDG_CONFIG_HOME")
        fix = f"Run: export HOME={quote(home)}" if home and is_home else ""
        fix = fix or "Set HOME and XDG_CONFIG_HOME to the values of the shell that installed them"
        raise HostError(f"the project's units are in {file.parent}, not in {directory}. {fix}")


def write_unit(file: Path, text: str, say: Say) -> None:
    """Write a unit file atomically, unless it is up to date."""
    if file.exists() and file.read_text(encoding="utf-8", errors="surrogateescape") == text:
        say(f"{file} is up to date")
        return
    # Other users need not see the PATH and the project's name.
    write_file(file, text.encode("utf-8", "surrogateescape"), 0o600)
    say(f"wrote {file}")


def require_own_unit(file: Path, paths: ProjectPaths, *options: str) -> None:
    """Raise HostError if a unit file is masked, or if this project's install did not write it."""
    if installed_units.is_masked(file):
        raise HostError(f"{file.name} is masked. Run: systemctl --user unmask {quote(file.name)}")
    if not file.exists():
        return
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise HostError(f"{file} cannot be read: {error.strerror}") from None
    owner = unit_texts.marked_project(text)
    if owner is None:
        raise HostError(
            f"{file} was not written by oauthkit install. Move it away, or set OAUTHKIT_UNIT to"
            " another name"
        )
    if is_same(owner, paths.project):
        return
    if os.path.isdir(owner):  # noqa: PTH112 - Path.is_dir raises for a directory without access
        raise HostError(
            f"{file} belongs to the project {owner!r}. Use another name for this one:"
            f" {own_unit(paths, *options)}"
        )
    raise HostError(
        f"{file} belongs to the project {owner!r}, which does not exist. If it was moved, remove"
        f" its units: {command_on('uninstall', owner)}"
    )


def remove(files: list[Path], say: Say) -> None:
    """Disable, stop and remove unit files."""
    if not files:
        return
    for file in files:
        if not file.name.endswith("-heal.service"):  # its timer is enabled instead
            systemctl("disable", "--now", "--quiet", file.name, statuses=range(256))
        if file.suffix == ".timer":  # remove its stamp file: systemd.timer(5)
            systemctl("clean", "--what=state", file.name, statuses=range(256))
    for file in files:
        file.unlink()
        say(f"removed {file}")
    for drop_in, name in installed_units.drop_ins(file.name for file in files).items():
        if installed_units.is_for(drop_in, name):
            why = "install did not write it. It applies to later units of this name"
            say(f"{drop_in} is kept: {why}")
    systemctl("daemon-reload")
    reset_failed([file.stem for file in files if file.suffix == ".service"])


def stop(names: list[str]) -> None:
    """Stop units one by one: systemd 262 stops none of several if one is not loaded."""
    for name in names:
        systemctl("stop", name, statuses=range(256), limit_s=START_LIMIT_S)


def reset_failed(names: list[str]) -> None:
    """Reset failed services. Otherwise they stay loaded, and the manager is degraded."""
    if names:
        failed = [f"{name}.service" for name in names]
        systemctl("reset-failed", *failed, statuses=range(256))
