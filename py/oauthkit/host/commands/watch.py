"""Refresh when a container asks for it through NanoClaw's IPC directory.

A container can ask as often as it likes, and can fill its directory with anything. So refreshes
and complaints are limited over time, and scans use at most a fifth of one CPU.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.console import printable, write_all
from oauthkit.host import child
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.ipc import Inbox, IpcDirectory
from oauthkit.host.shell_commands import command
from oauthkit.host.status.login import read_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oauthkit.host.project import ProjectPaths

# NanoClaw's host process scans once a second and removes every task, including unknown types. Scan
# more often, to see most of the requests before they are removed.
SCAN_INTERVAL_S = 0.1
# Between the end of a refresh and the next one that a request causes.
PAUSE_S = 60.0
PAUSE_AFTER_FAILURE_S = 300.0
# Between two refreshes with --rejected. A container that gets each new token could otherwise have
# each one renewed, and spend the quota.
REJECTED_PAUSE_S = 300.0
# How many such refreshes a report of a rejected token may start. The first one fails at once if
# claude was started for this token less than 5 min ago. A new report of the token counts again.
REJECTED_TRIES = 2
MAX_COMPLAINTS = 10
COMPLAINTS_WINDOW_S = 60.0
# Complaints that are remembered, so that each is shown once.
MAX_REMEMBERED = 10_000


class Complaints:
    """Show each complaint once, and at most MAX_COMPLAINTS in COMPLAINTS_WINDOW_S."""

    def __init__(self, say: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._say = say
        self._monotonic = monotonic
        self._known: set[str] = set()
        self._window_end_s = monotonic() + COMPLAINTS_WINDOW_S
        self._shown = 0
        self._suppressed = 0

    def add(self, text: str) -> None:
        """Show a complaint, or count it as suppressed."""
        if text in self._known:
            return
        self.tick()
        if self._shown < MAX_COMPLAINTS:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known.add(text)
            self._shown += 1
            self._say(text)
        else:
            self._suppressed += 1

    def tick(self) -> None:
        """Start a new window if the current one is over. Show how many were suppressed in it."""
        if self._monotonic() < self._window_end_s:
            return
        if self._suppressed:
            self._say(f"complaints not shown: {self._suppressed}")
        self._window_end_s = self._monotonic() + COMPLAINTS_WINDOW_S
        self._shown = self._suppressed = 0


class Watcher:
    """Serve requests, with a pause after each refresh.

    `refresh` is called with "--rejected" if a request names the token that .env still has.
    `fingerprint` returns the fingerprint of that token. `pause_s` is what remains of an earlier
    watcher's pause.
    """

    def __init__(
        self,
        directories: Sequence[IpcDirectory],
        refresh: Callable[..., int],
        say: Callable[[str], None],
        *,
        fingerprint: Callable[[], str] = str,
        pause_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        process_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._complaints = Complaints(say, monotonic)
        self._inbox = Inbox(
            directories, self._complaints.add, monotonic=monotonic, process_time=process_time
        )
        self._refresh = refresh
        self._say = say
        self._fingerprint = fingerprint
        self._monotonic = monotonic
        self._ready_s = monotonic() + pause_s
        self._is_failing = pause_s > 0
        # A request came during the pause. It counts even if NanoClaw has removed its file since.
        self._is_asked = False
        # The fingerprint of the token in .env, if a request has reported it as rejected, and how
        # many refreshes with --rejected it may still start. The container does not report it again.
        self._rejected = ""
        self._tries = 0
        self._rejected_ready_s = monotonic()

    def scan(self) -> None:
        """Scan once. Refresh if there are requests and the pause is over."""
        requests = self._inbox.scan()
        self._complaints.tick()
        if not requests and not self._is_asked and not self._is_rejection_due():
            return
        # Any other fingerprint belongs to a token that has already been replaced.
        if self._inbox.is_rejected(self._fingerprint):
            self._rejected = self._fingerprint()
            self._tries = REJECTED_TRIES
        left_s = self._ready_s - self._monotonic()
        if left_s > 0:
            if requests and not self._is_asked:
                until = time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))
                why = (
                    "the last refresh failed"
                    if self._is_failing
                    else "the last refresh has just ended"
                )
                self._say(f"requests wait until {until}: {why}")
            self._is_asked |= requests > 0
            return
        self._is_asked = False
        is_rejected = self._is_rejection_due()
        mode = ["--rejected", f"--fingerprint={self._rejected}"] if is_rejected else []
        status = self._refresh(*mode)
        if is_rejected:
            self._tries -= 1
            if status == 0 or self._tries == 0:
                self._rejected = ""
            # After the refresh, which counts from when it has started claude.
            self._rejected_ready_s = self._monotonic() + REJECTED_PAUSE_S
        self._is_failing = status != 0
        pause_s = PAUSE_AFTER_FAILURE_S if self._is_failing else PAUSE_S
        self._ready_s = self._monotonic() + pause_s
        self._inbox.mark_served()
        self._inbox.scan()
        count = max(requests, 1)
        why = ": the token in .env was rejected" if is_rejected else ""
        outcome = "refreshed" if status == 0 else f"refresh failed (exit {status})"
        self._say(f"{outcome} for {count} request{'s' if count > 1 else ''}{why}")

    def _is_rejection_due(self) -> bool:
        """Return whether .env has the rejected token, and the pause for --rejected is over."""
        return (
            self._rejected != ""
            and self._monotonic() >= self._rejected_ready_s
            and self._rejected == self._fingerprint()
        )


def watch(paths: ProjectPaths, given: Sequence[str]) -> int:
    """Refresh for requests until SIGTERM or SIGINT, then return 0.

    `given` are the IPC directories. The default is the project's data/ipc. Raise HostError if one
    cannot be watched.
    """
    directories = open_directories(paths, given)
    # A handler that only appends to a list is safe at any moment.
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    watcher = Watcher(
        directories,
        lambda *mode: child.refresh(paths, *mode),
        say,
        fingerprint=Fingerprint(paths.dotenv),
        pause_s=remaining_pause_s(paths),
    )
    # Before the first refresh, because it may take longer than systemd's start timeout.
    notify("READY=1")
    say(f"watching {', '.join(str(directory.path) for directory in directories)}")
    while not signals:
        watcher.scan()
        time.sleep(SCAN_INTERVAL_S)
    notify("STOPPING=1")
    return 0


class Fingerprint:
    """The fingerprint of the token in .env.

    A request can make each scan ask for it, and .env can be large. So the file is read only if it
    has changed.
    """

    def __init__(self, dotenv: Path) -> None:
        self._dotenv = dotenv
        self._file: tuple[int, ...] = ()
        self._value = ""

    def __call__(self) -> str:
        """Return the fingerprint, or "" if .env has no token."""
        try:
            found = self._dotenv.stat()
        except OSError:
            return ""
        file = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if file != self._file:
            dotenv = read_dotenv(self._dotenv)
            self._value = dotenv.fingerprint
            self._file = () if dotenv.problem else file
        return self._value


def open_directories(paths: ProjectPaths, given: Sequence[str]) -> list[IpcDirectory]:
    """Open and lock the IPC directories. Raise HostError if that is not possible."""
    error = UsageError if given else HostError
    directories = []
    for path in [Path(name) for name in given] or [paths.project / "data/ipc"]:
        if path.is_symlink():
            target = command("watch", paths, os.path.realpath(path))
            raise error(f"{str(path)!r} is a symbolic link. Watch the directory itself: {target}")
        # A container can create data/ipc in an ipc directory, but not package.json.
        if given and os.path.isfile(path / "package.json") and os.path.isdir(path / "data/ipc"):  # noqa: PTH112, PTH113
            target = command("watch", paths, os.path.abspath(path / "data/ipc"))  # noqa: PTH100
            raise error(f"{str(path)!r} is a NanoClaw checkout. Watch its data/ipc: {target}")
        try:
            directories.append(IpcDirectory(path))
        except (FileNotFoundError, NotADirectoryError):
            raise error(f"{str(path)!r} is not a directory. Pass NanoClaw's data/ipc") from None
    return directories


def remaining_pause_s(paths: ProjectPaths) -> float:
    """Return how much of the pause after a failed refresh remains when a watcher starts.

    Each refresh writes to the log. A restart must not skip the pause.
    """
    try:
        age_s = time.time() - paths.log.stat().st_mtime
        is_failing = paths.failing.exists()
    except OSError:
        return 0.0
    left_s = PAUSE_AFTER_FAILURE_S - age_s if is_failing else 0.0
    return min(max(left_s, 0.0), PAUSE_AFTER_FAILURE_S)


def say(text: str) -> None:
    """Print a line. Ignore errors: a closed pipe or full disk must not end watch."""
    if sys.__stdout__ is not None:  # None: closed by the caller
        with suppress(OSError):
            write_all(1, f"{printable(text)}\n".encode())


def notify(state: str) -> None:
    """Send a state to systemd if it waits for one (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.sendall(state.encode())
