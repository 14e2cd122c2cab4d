"""Find the process that holds a lock."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from oauthkit.host.path_info import real_path

# A container with this user's uid can have very many open files.
LONGEST_SEARCH_S = 1.0


def holder_of(lock: Path) -> int | None:
    """Return the PID of a process of this user that holds the flock(2) of a file, or None.

    The PID in /proc/locks may be that of flock(1), which has exited. See proc_pid_fdinfo(5).
    """
    path, end_s = str(real_path(lock)), time.monotonic() + LONGEST_SEARCH_S
    for directory in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):  # another user's, or it has just exited
            for file in directory.iterdir():
                with suppress(OSError):
                    info = directory.with_name("fdinfo") / file.name
                    is_lock = os.readlink(file) == path  # noqa: PTH115 - faster
                    if is_lock and "FLOCK" in info.read_text("ascii"):
                        return int(directory.parent.name)
                if time.monotonic() > end_s:
                    return None
    return None


def is_locked(lock: Path) -> bool:
    """Return whether a process, possibly another user's, holds the flock(2) of a file."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def process_name(pid: int) -> str:
    """Return a process as "PID 123 (name)"."""
    name = ""
    with suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    return f"PID {pid} ({name})"


def process_age_s(pid: int) -> float:
    """Return how long ago a process started, or 0 if it has exited. See proc_pid_stat(5)."""
    fields = _fields(pid)
    if not fields:
        return 0.0
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return float(time.clock_gettime(time.CLOCK_BOOTTIME) - started_s)


def is_suspended(pid: int) -> bool:
    """Return whether a process is suspended, as by Ctrl-Z. It then ignores SIGTERM."""
    return _fields(pid)[:1] == ["T"]


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, or none if the process has exited."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
