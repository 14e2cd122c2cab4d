"""Find the unit files that install has written."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.host.path_info import clearing, read
from oauthkit.host.systemd.owner import is_same
from oauthkit.host.systemd.unit_texts import marked_project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oauthkit.host.project import ProjectPaths

# The suffixes of the unit files that install writes.
SUFFIXES = ("-heal.timer", "-watch.service", "-heal.service", "-follow.service")


def directory() -> Path:
    """Return the directory of the user's own units (systemd.unit(5), UNIT FILE LOAD PATH)."""
    configuration, home = os.environ.get("XDG_CONFIG_HOME"), os.environ.get("HOME")
    if not configuration and not home:
        raise HostError("HOME is not set, so the directory of the user units is unknown. Set HOME")
    return Path(configuration or f"{home}/.config") / "systemd/user"


def written_for(project: Path) -> list[Path]:
    """Return the files in that directory that install has written for a project."""
    return [file for file, name in projects_by_file().items() if is_same(name, project)]


def projects_by_file() -> dict[Path, str]:
    """Map the unit files that install has written, in sorted order, to their projects."""
    found = (file for suffix in SUFFIXES for file in directory().glob(f"*{suffix}"))
    files = sorted(file for file in found if file.is_file())
    names = {
        file: marked_project(read(file).data.decode("utf-8", "surrogateescape")) for file in files
    }
    return {file: name for file, name in names.items() if name is not None}


def drop_ins(names: Iterable[str]) -> dict[Path, str]:
    """Map the user's drop-in files of these units to the units' names.

    Those in `a-.service.d` and `service.d` also apply to a-b.service (systemd.unit(5)).
    """
    found: dict[Path, str] = {}
    for name in names:
        stem, _, kind = name.rpartition(".")
        parts = stem.split("-")
        prefixes = [f"{'-'.join(parts[:n])}-.{kind}" for n in range(1, len(parts))]
        for unit in (name, *prefixes, kind):
            for file in sorted(directory().glob(f"{unit}.d/*.conf")):
                found.setdefault(file, name)
    return found


def is_for(file: Path, name: str) -> bool:
    """Return whether a drop-in file is for this unit alone."""
    return file.parent.name == f"{name}.d"


def removing(*files: Path) -> str:
    """Return the command that moves drop-in files away, so that systemd ignores them."""
    return " && ".join([*map(clearing, files), "systemctl --user daemon-reload"])


def without_drop_ins(name: str, fix: str, directives: str) -> str:
    """Return a fix that first moves a unit's drop-ins away, if they can be the cause.

    They can be if they set one of `directives`, a pattern for the names' beginnings.
    """
    cause = re.compile(rf"^[ \t]*(?:{directives})".encode(), re.MULTILINE)
    files = [file for file in drop_ins([name]) if cause.search(read(file).data)]
    return f"{removing(*files)} && {fix}" if files else fix


def is_masked(file: Path) -> bool:
    """Return whether `systemctl mask` has replaced a unit file."""
    return os.path.realpath(file) == os.devnull


def with_earlier_names(paths: ProjectPaths) -> list[Path]:
    """Return the project's unit files that install wrote under an earlier OAUTHKIT_UNIT."""
    return [
        file for file in written_for(paths.project) if file.name.rpartition("-")[0] != paths.unit
    ]
