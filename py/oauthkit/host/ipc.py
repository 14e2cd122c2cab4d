"""Read and remove the requests that containers write to NanoClaw's IPC directory.

A container controls everything below `data/ipc/GROUP`, can change it between any two system calls,
and runs under this user's uid. Therefore:
- each directory is opened relative to its parent's descriptor, and no symbolic link is followed;
- a file is checked and read through one descriptor;
- nothing is created, renamed or linked. The only change is the removal of a served request,
  relative to its directory's descriptor;
- the work and the time of one scan are bounded for each group, and a group whose scans use much CPU
  time or take long is scanned less often, so that one group cannot delay the others.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oauthkit.host.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    # Identifies a file and its content: a container cannot set st_ctime.
    Identity = tuple[int, int, int]

REQUEST = "refresh_oauth"
# In a request, the fingerprint of a token that the API has rejected.
REJECTED = "rejected"
_FINGERPRINT = re.compile("[0-9A-Fa-f]{16}")
# A request has 60 bytes. Longer files are tasks of other types, and would take long to parse.
LARGEST_BYTES = 4096
# In 512-byte units, like st_blocks. fallocate(2) can allocate many blocks beyond a file's end.
# Removing such a file takes minutes and cannot be interrupted.
MAX_BLOCKS = 4096
# For each group and scan.
MAX_ENTRIES = 1000
# A directory that once had very many files stays large, and each scan of it takes long.
MAX_DIRECTORY_BYTES = 16 * 1024 * 1024
MAX_READS = 64
# A container can make each system call in its directory slow: it can register very often for
# changes there (fcntl(2), F_NOTIFY). A scan of a group ends after this time.
LONGEST_SCAN_S = 0.1
# All groups' scans together use at most 1 / (1 + IDLE_SHARE) of one CPU, because each group waits
# after its scan.
IDLE_SHARE = 4
# The longest pause because of a scan's duration. The host may have caused it, not the group.
LONGEST_PAUSE_S = 60.0
# A file that changed this recently and is not valid JSON may be incomplete.
SETTLE_S = 5.0

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: open(2) waits neither for a FIFO's writer nor for the holder of a lease.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kind(Enum):
    """What a file was when it was read."""

    REQUEST = "request"
    SERVED = "served"
    OTHER = "other"


@dataclass
class Group:
    """The results and the CPU time of a group's scans.

    Only the group's own scan iterates over its files, because only that time is counted.
    """

    known: dict[Identity, Kind] = field(default_factory=dict)  # files that need not be read again
    # The fingerprints that requests report as rejected, by file and as a set.
    reports: dict[Identity, str] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    requests: int = 0  # the number of pending requests
    used_s: float = 0.0  # CPU time of this scan
    lasted_s: float = 0.0  # the duration of this scan
    ready_s: float = 0.0  # when to scan it again

    def count(self) -> None:
        """Count the pending requests, and drop the fingerprints of all other files."""
        self.reports = {x: y for x, y in self.reports.items() if self.known.get(x) is Kind.REQUEST}
        self.rejected = {*self.reports.values()}
        self.requests = sum(kind is Kind.REQUEST for kind in self.known.values())


class IpcDirectory:
    """A `data/ipc` directory, held open and locked against a second watcher.

    The lock is on the directory itself, which a container cannot open: only its own group's
    directory is mounted there. NanoClaw's main group also mounts the project. By holding the lock
    it could keep a watcher from starting, but no more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open_locked(path)

    def descriptor(self) -> int:
        """Return the directory's descriptor. Reopen it if the host has replaced the directory."""
        status = self.path.stat(follow_symlinks=False)
        if not os.path.samestat(status, os.fstat(self._descriptor)):
            descriptor = _open_locked(self.path)
            self.close()
            self._descriptor = descriptor
        return self._descriptor

    def close(self) -> None:
        """Close the directory, which releases the lock."""
        os.close(self._descriptor)


def _open_locked(path: Path) -> int:
    descriptor = os.open(path, _DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        problem = f"another oauthkit watch is running for {str(path)!r}: stop it first"
        raise HostError(problem) from None
    except OSError:
        pass  # The file system has no locks. A second watcher only causes redundant refreshes.
    return descriptor


class Inbox:
    """The requests in some `data/ipc` directories: DIR/GROUP/tasks/NAME.json."""

    def __init__(
        self,
        directories: Sequence[IpcDirectory],
        complain: Callable[[str], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        process_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._directories = directories
        self._complain = complain
        self._monotonic = monotonic
        self._process_time = process_time
        self._groups: dict[Path, Group] = {}

    def scan(self) -> int:
        """Scan the groups, remove served requests, and return the number of pending ones."""
        groups: dict[Path, Group] = {}
        for directory in self._directories:
            with self._reporting(directory.path):
                self._scan_groups(directory, groups)
        for group in groups.values():
            if group.lasted_s > 0:
                # Only CPU time is multiplied by the number of groups: a scan that waits for a disk
                # leaves the CPU to others.
                pause_s = group.used_s * ((1 + IDLE_SHARE) * len(groups) - 1)
                wait_pause_s = min(group.lasted_s * IDLE_SHARE, LONGEST_PAUSE_S)
                group.ready_s = self._monotonic() + max(pause_s, wait_pause_s)
                group.lasted_s = 0.0
        self._groups = groups
        return sum(group.requests for group in groups.values())

    def is_rejected(self, fingerprint: Callable[[], str]) -> bool:
        """Return whether a pending request names this token as rejected."""
        reports = [group.rejected for group in self._groups.values() if group.rejected]
        return bool(reports) and any(fingerprint() in rejected for rejected in reports)

    def mark_served(self) -> None:
        """Mark the pending requests as served. A later scan removes those that have not changed."""
        for group in self._groups.values():
            for identity, kind in group.known.items():
                if kind is Kind.REQUEST:
                    group.known[identity] = Kind.SERVED
            group.count()

    def _scan_groups(self, directory: IpcDirectory, groups: dict[Path, Group]) -> None:
        """Scan the groups that are ready, and add all groups to `groups`."""
        descriptor = directory.descriptor()
        with os.scandir(descriptor) as entries:
            for entry in entries:
                path = directory.path / entry.name
                if entry.is_symlink():
                    self._complain(f"{path} is a symbolic link and is ignored")
                elif entry.is_dir(follow_symlinks=False):
                    group = groups[path] = self._groups.get(path, Group())
                    if self._monotonic() < group.ready_s:
                        continue
                    begin_s, begin_cpu_s = self._monotonic(), self._process_time()
                    known, group.known = group.known, {}
                    with (
                        self._reporting(path / "tasks"),
                        _opened(entry.name, descriptor) as parent,
                        _opened("tasks", parent) as tasks,
                    ):
                        self._scan_tasks(path / "tasks", tasks, known, group)
                    group.count()
                    group.used_s = self._process_time() - begin_cpu_s
                    group.lasted_s = self._monotonic() - begin_s

    def _scan_tasks(
        self, path: Path, tasks: int, known: dict[Identity, Kind], group: Group
    ) -> None:
        """Scan a group's files and add them to `group`. `known` are the files of its last scan."""
        if os.fstat(tasks).st_size > MAX_DIRECTORY_BYTES:
            self._complain(f"{path} is too large and is ignored: remove it and create it again")
            return
        reads = 0
        end_s = self._monotonic() + LONGEST_SCAN_S
        with os.scandir(tasks) as entries:
            for entry in islice(entries, MAX_ENTRIES):
                if self._monotonic() > end_s:
                    # The other files are not forgotten: a request must not be served twice.
                    rest = islice(known.items(), MAX_ENTRIES)
                    group.known.update((x, kind) for x, kind in rest if x not in group.known)
                    break
                if not entry.name.endswith(".json"):
                    continue
                with self._reporting(path / entry.name):
                    status = os.stat(entry.name, dir_fd=tasks, follow_symlinks=False)
                    kind = known.get(_identity(status))
                    if kind is not None:
                        group.known[_identity(status)] = kind
                        if kind is Kind.SERVED:
                            os.unlink(entry.name, dir_fd=tasks)
                    elif not stat.S_ISREG(status.st_mode):
                        self._reject(path / entry.name, status, "is not a regular file", group)
                    # Such a file is not even opened: the container can make open(2), read(2) and
                    # close(2) of it wait for the removal of its blocks.
                    elif status.st_size > LARGEST_BYTES:
                        pass  # larger than any request: a task of another type
                    elif status.st_blocks > MAX_BLOCKS:
                        why = "uses more than 2 MiB on disk"
                        self._reject(path / entry.name, status, why, group)
                    elif reads < MAX_READS:
                        reads += 1
                        self._read(path / entry.name, tasks, group)

    def _read(self, path: Path, tasks: int, group: Group) -> None:
        """Read a file and add it to `group`, unless it may be incomplete."""
        descriptor = os.open(path.name, _FILE, dir_fd=tasks)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self._reject(path, status, "is not a regular file", group)
                return
            if status.st_nlink > 1:  # Not != 1: NanoClaw may have removed it since it was opened.
                self._reject(path, status, "is a hard link to another file", group)
                return
            content = os.read(descriptor, LARGEST_BYTES)
        finally:
            os.close(descriptor)
        try:
            document = _request(content)
        except (ValueError, RecursionError):
            if abs(time.time() - status.st_ctime) >= SETTLE_S:
                self._reject(path, status, "is not valid JSON", group)
            return
        group.known[_identity(status)] = Kind.OTHER if document is None else Kind.REQUEST
        if document is None or REJECTED not in document:
            return
        fingerprint = document[REJECTED]
        if isinstance(fingerprint, str) and _FINGERPRINT.fullmatch(fingerprint):
            group.reports[_identity(status)] = fingerprint.lower()
        else:
            why = f"has a value of {REJECTED!r} that is not 16 hex digits"
            self._reject(path, status, why, group)

    def _reject(self, path: Path, status: os.stat_result, why: str, group: Group) -> None:
        group.known[_identity(status)] = Kind.OTHER
        self._complain(f"{path} {why} and is ignored")

    @contextmanager
    def _reporting(self, path: Path) -> Iterator[None]:
        """Report any error as a complaint about a path. Ignore files that have vanished."""
        try:
            yield
        except FileNotFoundError:
            pass
        except Exception as error:  # noqa: BLE001 - a container must not be able to end the watch
            why = error.strerror if isinstance(error, OSError) else error
            if isinstance(error, OSError) and error.errno in {errno.ENOTDIR, errno.ELOOP}:
                why = "it is a symbolic link or not a directory"
            self._complain(f"{path} is ignored: {why}")


@contextmanager
def _opened(name: str, parent: int) -> Iterator[int]:
    """Open a directory relative to its parent's descriptor. A symbolic link is an error."""
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _request(content: bytes) -> dict[str, Any] | None:
    """Return a request, or None for another task.

    Raise ValueError or RecursionError if it is not valid JSON.
    """
    document = json.loads(content)
    is_request = isinstance(document, dict) and document.get("type") == REQUEST
    return document if is_request else None
