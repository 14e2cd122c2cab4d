"""Check write access to the log, the lock and .env."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.doctor.finding import Finding
from oauthkit.host.lock_holder import holder_of, is_suspended, process_age_s, process_name
from oauthkit.host.path_info import (
    DIRECTORY,
    FILE,
    access_fix,
    clearing,
    creating,
    inspect_path,
    inspection_hint,
    leads_away,
    leads_nowhere,
    quoted,
    real_path,
)
from oauthkit.host.status.model import LONGEST_RUN_S
from oauthkit.host.status.runs import is_log_dotenv
from oauthkit.host.systemd import installed_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

_IN_DIRECTORY = os.W_OK | os.X_OK
# A refresh needs as much beside the login, or it does not start claude.
FREE_BYTES = 1024 * 1024


def logs(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that a refresh can write its log and its lock. Without them it cannot run."""
    directory = paths.log.parent
    files = {
        "log": (paths.log, os.R_OK | os.W_OK),
        "lock": (paths.lock, os.W_OK),
    }
    found = [*_directory("logs", directory, paths)]
    for name, (file, wanted) in files.items():
        found += _file(name, file, wanted, paths)
    if is_log_dotenv(paths):
        found.append(
            Finding(
                "log",
                f"the log {paths.log} and .env are the same file",
                "set OAUTHKIT_LOG to another path",
            )
        )
    yield from found or [Finding("logs", str(directory))]
    if holder := holder_of(paths.lock):
        age_s = process_age_s(holder)
        text = f"{process_name(holder)} was started {age_s / 60:.0f} min ago and holds"
        text += f" {paths.lock}, so no other run can start"
        if is_suspended(holder):
            fix = f"kill {holder} && kill -CONT {holder}"
            yield Finding("lock", f"{text}. It is suspended", fix)
        elif age_s > LONGEST_RUN_S:
            yield Finding("lock", text, f"kill {holder}")
        else:
            text = f"a run is in progress: {process_name(holder)} holds {paths.lock}"
            yield Finding("lock", text, is_note=True)


def delivery(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that a file can be created beside .env, and renamed to it."""
    directory = real_path(paths.dotenv).parent
    if inspect_path(directory).is_nothing:  # runs do not create it
        if os.path.islink(paths.dotenv):  # noqa: PTH114 - raises nothing
            return  # files.dotenv reports it
        if leads_away(paths.dotenv, paths.project):
            fix = inspection_hint(paths.dotenv)
        else:
            fix = creating(directory)
        yield Finding("directory of .env", f"{directory} not found", fix)
        return
    found = [*_directory("directory of .env", directory, paths)]
    if leads_away(paths.dotenv, paths.project):
        start, fix = f"{paths.dotenv} leads out of the project", inspection_hint(paths.dotenv)
        found = [replace(x, text=f"{start}: {x.text}", fix=fix) for x in found]
    yield from found or [Finding("directory of .env", str(directory))]


def bearer(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the directory of the bearer file exists, and that a run can write there."""
    if paths.bearer is None:
        return
    name, directory = "bearer file's directory", real_path(paths.bearer).parent
    if inspect_path(directory).is_nothing:
        yield Finding(name, f"{directory} not found", creating(directory))
        return
    yield from [*_directory(name, directory, paths)] or [Finding(name, str(directory))]


def units_directory(paths: ProjectPaths) -> Iterator[Finding]:
    """Find what prevents install from writing its units."""
    yield from _directory("units' directory", installed_units.directory(), paths)


def login(paths: ProjectPaths) -> Iterator[Finding]:
    """Find what prevents claude from saving the login that it has renewed."""
    yield from _directory("login's directory", paths.credentials.parent, paths)


def _directory(name: str, directory: Path, paths: ProjectPaths) -> Iterator[Finding]:
    """Find what prevents creating files in a directory, or the directory itself."""
    there = directory
    while inspect_path(there).is_nothing and not os.path.islink(there):  # noqa: PTH114
        there = there.parent
    info = inspect_path(there)
    if info.is_nothing:
        yield Finding(name, f"{there} is a link that leads nowhere", clearing(there))
    elif info.problem:
        yield Finding(
            name, info.problem, access_fix(there, _IN_DIRECTORY, paths.project) or info.fix
        )
    elif info.kind != DIRECTORY:
        text = f"{there} is not a directory but a {info.kind}: no run can write there"
        yield Finding(name, text, clearing(there))
    elif fix := access_fix(there, _IN_DIRECTORY, paths.project):
        text = f"{there} cannot be written, so runs that write there fail"
        if there != directory:
            text = f"{directory} does not exist, and {there} cannot be written"
        yield Finding(name, text, fix)
    elif _free_bytes(there) < FREE_BYTES:
        text = f"less than 1 MiB is free on the disk of {there}"
        yield Finding(name, text, f"free some space. To see the usage, run: df -h {quoted(there)}")
    elif not _has_free_inodes(there):
        text = f"no inodes are free on the disk of {there}"
        yield Finding(
            name, text, f"remove some files. To see the usage, run: df -i {quoted(there)}"
        )


def _free_bytes(directory: Path) -> int:
    """Return how much this user can write to the disk of a directory, FREE_BYTES if unknown."""
    disk = os.statvfs(directory)
    blocks = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
    return blocks * disk.f_frsize if disk.f_blocks else FREE_BYTES


def _has_free_inodes(directory: Path) -> bool:
    """Return whether a disk has free inodes. True if its file system does not report them."""
    disk = os.statvfs(directory)
    return disk.f_favail > 0 or disk.f_files == 0


def _file(name: str, file: Path, wanted: int, paths: ProjectPaths) -> Iterator[Finding]:
    """Find what prevents opening a file, if it exists."""
    info = inspect_path(file)
    fix = access_fix(file, wanted, paths.project)
    if leads_nowhere(file):
        yield Finding(name, f"{file} is a link that leads nowhere", clearing(file))
    elif info.kind not in {"", FILE, "device"}:
        yield Finding(name, f"{file} is not a file but a {info.kind}", clearing(file))
    elif info.kind and fix:
        yield Finding(name, f"{file} cannot be written, so runs that write there fail", fix)
