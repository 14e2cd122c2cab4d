"""Refreshes when a container asks for it through the IPC folder of NanoClaw."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oauthkit.host.places import Places

    Say = Callable[[str], None]

REQUEST = "refresh_oauth"
# A request that was taken keeps its folder, under a name that nobody else reads.
CLAIMED = ".oauthkit"
# A file that is younger may still be written.
SETTLE_S = 5.0
# How often is looked again while something may still be written; else only when something changes.
LOOK_MS = 1000


class WatchError(Exception):
    """Raised when nothing can be watched; the text says why and what would help."""


@dataclass
class Watcher:
    """The requests of the folders below some `data/ipc`: folder/GROUP/tasks/NAME.json."""

    folders: Sequence[Path]
    say: Say
    named: set[tuple[str, int]] = field(default_factory=set)  # broken files, each said once

    def claim(self) -> tuple[list[Path], bool]:
        """Takes every request that is there, and says whether a file may not be finished yet.

        Only a whole JSON document with the type REQUEST is one; all else is left as it is. What an
        earlier watcher had taken and not ended is taken over.
        """
        taken, is_early = [], False
        for tasks in (tasks for folder in self.folders for tasks in sorted(folder.glob("*/tasks"))):
            taken += sorted(tasks.glob(f".*{CLAIMED}"))
            for file in sorted(tasks.glob("*.json")):
                kind = self._kind(file)
                is_early = is_early or kind is None
                if kind == REQUEST:
                    claimed = file.with_name(f".{file.name}{CLAIMED}")
                    try:
                        file.rename(claimed)
                    except OSError as error:  # somebody else was quicker, or the folder is closed
                        self.say(f"{file} cannot be taken: {error.strerror}")
                        continue
                    taken.append(claimed)
        return taken, is_early

    def _kind(self, file: Path) -> str | None:
        """The type of a task, "" if it is none of ours or broken, None if it is to be awaited."""
        try:
            made_ns = file.stat().st_mtime_ns
            document = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            if time.time() - made_ns / 1e9 < SETTLE_S:
                return None
            if (str(file), made_ns) not in self.named:
                self.named.add((str(file), made_ns))
                self.say(f"{file} is no JSON, and is left: {error}")
            return ""
        except OSError:
            return ""  # taken by somebody else, or not ours to read
        return document.get("type", "") if isinstance(document, dict) else ""


def watch(places: Places, folders: Sequence[Path], say: Say) -> int:
    """Refreshes for each request until SIGTERM or SIGINT: 0. Many at once make one refresh.

    WatchError if a folder is not there.
    """
    import watchfiles  # noqa: PLC0415 - only what watches needs it

    for folder in folders:
        if not folder.is_dir():
            raise WatchError(f"{str(folder)!r} is not a folder: give the data/ipc of NanoClaw")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watcher = Watcher(folders, say)
    changes = watchfiles.watch(
        *folders, stop_event=stop, debounce=200, step=50, rust_timeout=LOOK_MS,
        yield_on_timeout=True, raise_interrupt=False, watch_filter=None,
    )  # fmt: skip
    _serve(watcher, places, say)
    notify("READY=1")
    say(f"watching {', '.join(map(str, folders))}")
    # What came since then was seen by nobody: the watch begins with its first look.
    is_due = True
    for changed in changes:
        if changed or is_due:
            is_due = _serve(watcher, places, say)
    notify("STOPPING=1")
    return 0


def _serve(watcher: Watcher, places: Places, say: Say) -> bool:
    """Refreshes once for all requests that are there; whether to look again soon."""
    taken, is_early = watcher.claim()
    if not taken:
        return is_early
    argv = [sys.executable, "-m", "oauthkit", "refresh", f"--project={places.project}"]
    status = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode
    for file in taken:
        file.unlink(missing_ok=True)
    outcome = "refreshed" if status == 0 else f"refresh failed (exit {status})"
    say(f"{outcome} for {len(taken)} request{'s' if len(taken) > 1 else ''}")
    return is_early


def notify(state: str) -> None:
    """Tells systemd, if it has started this (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sender.sendall(state.encode())
