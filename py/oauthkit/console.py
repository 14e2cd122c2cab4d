"""Write to the terminal: all that the commands say goes through here, each line at once."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
from contextlib import suppress


def printable(text: str) -> str:
    """Return the text on one line, without anything that could steer a terminal.

    Names and messages come from files that others may have written. Controls (newlines too),
    bidirectional overrides and bytes that are not UTF-8 become U+FFFD; a tab is harmless.
    """
    return "".join(x if x.isprintable() or x == "\t" else "\ufffd" for x in text)


class Output:
    """stdout that survives write errors: no command ends early, its exit status tells."""

    def __init__(self) -> None:
        self.status = 0  # the exit status after a write error

    def line(self, text: str) -> None:
        """Write one line at once, made printable."""
        self.write(f"{printable(text)}\n")

    def write(self, text: str) -> None:
        """Write a text as it is: a script, help, or what was made printable before.

        After the first write error, which is reported, nothing more is written.
        """
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
    """Write one line to stderr, made printable; write errors are ignored."""
    if sys.__stderr__ is not None:
        with suppress(OSError):
            write_all(2, f"{printable(text)}\n".encode())


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it, also where somebody has made the descriptor one that does not wait."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
