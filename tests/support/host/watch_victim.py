"""A stand-in for ~/.claude that records each access."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from tests.support.host.host_project import REQUEST

IN_ALL_EVENTS = 0xFFF
IN_IGNORED = 0x8000
HEADER = struct.Struct("iIII")
# Names that exist in the tasks directory, too: an access by path reaches the victim's file.
NAMES = [f"request-{number}.json" for number in range(10)]


class Victim:
    """Made-up credentials, a settings.json, and files that look like requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        for name in (".credentials.json", "settings.json"):
            (path / name).write_text('{"made-up": "secret"}', encoding="utf-8")
        for name in NAMES:
            (path / name).write_text(REQUEST, encoding="utf-8")
        (path / "tasks").mkdir()
        self._before = self._state()
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for directory in (path, path / "tasks"):
            watch = libc.inotify_add_watch(self._inotify, bytes(directory), IN_ALL_EVENTS)
            assert watch >= 0, os.strerror(ctypes.get_errno())

    def _state(self) -> list[tuple[str, int, int]]:
        """Return data that a rename, a removal, a new file or changed content would affect."""
        found = [(entry, entry.lstat()) for entry in sorted(self.path.rglob("*"))]
        return [(str(entry), status.st_ino, status.st_mtime_ns) for entry, status in found]

    def accesses(self) -> list[tuple[str, int]]:
        """Return each access since the last call: the name ("" for the directory) and the mask."""
        found = []
        try:
            data = os.read(self._inotify, 1 << 20)
        except BlockingIOError:
            return []
        while data:
            _, mask, _, length = HEADER.unpack_from(data)
            name = data[HEADER.size : HEADER.size + length].rstrip(b"\0")
            found.append((os.fsdecode(name), mask))
            data = data[HEADER.size + length :]
        return [(name, mask) for name, mask in found if mask != IN_IGNORED]

    def demand_untouched(self) -> None:
        """Fail if anything in the directory was opened, read or changed."""
        assert self.accesses() == []
        assert self._state() == self._before
        self.accesses()  # discard this check's own accesses

    def close(self) -> None:
        """Stop recording."""
        os.close(self._inotify)
