"""What a command tells, each line as soon as it is known: whatever becomes of it, it goes on."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
from contextlib import suppress


class Output:
    """stdout, which may take nothing: that ends no command, and is in the exit status after it."""

    def __init__(self) -> None:
        self.status = 0  # what to end with, where it could not be written

    def line(self, text: str) -> None:
        """Writes a line right away."""
        self.write(f"{text}\n")

    def write(self, text: str) -> None:
        """Writes a text right away; nothing more once that could not be done, which is said."""
        if sys.__stdout__ is None or self.status:  # None: it was closed by the caller
            return
        try:
            # A script is UTF-8 in every locale.
            write_all(1, text.encode("utf-8", "surrogateescape"))
        except BrokenPipeError:
            self.status = 128 + signal.SIGPIPE
        except OSError as error:
            self.status = 1
            complain(f"oauthkit: the output cannot be written: {error.strerror}")


OUT = Output()

# What helps where the system refuses a path.
_CURES = {
    errno.EACCES: ": open it to this user, or be the one that it belongs to",
    errno.ENAMETOOLONG: ": give a shorter one",
}


def refusal(error: OSError) -> str:
    """What the system has refused, and what helps."""
    path = "" if error.filename is None else f"{os.fsdecode(error.filename)!r}: "
    return f"{path}{error.strerror or error}{_CURES.get(error.errno or 0, '')}"


def complain(text: str) -> None:
    """Writes a line to stderr, if that takes it."""
    if sys.__stderr__ is not None:
        with suppress(OSError):
            write_all(2, f"{text}\n".encode("utf-8", "surrogateescape"))


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it, also where somebody has made the descriptor one that does not wait."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
