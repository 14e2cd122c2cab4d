"""Write the commands' output to the terminal, unbuffered."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
from contextlib import suppress


def printable(text: str) -> str:
    """Return the text on one line, without characters that could control a terminal.

    Names and messages come from files that others may have written. Control characters (including
    newlines), bidirectional overrides, bytes that are not UTF-8 and all other characters that
    str.isprintable rejects become U+FFFD. Tabs are kept.
    """
    return "".join(x if x.isprintable() or x == "\t" else "\ufffd" for x in text)


class Output:
    """stdout that survives write errors: the command continues, and `status` becomes non-zero."""

    def __init__(self) -> None:
        self.status = 0  # the exit status after a write error

    def line(self, text: str) -> None:
        """Write one line, made printable."""
        self.write(f"{printable(text)}\n")

    def write(self, text: str) -> None:
        """Write text unchanged: a script, help, or text that is already printable.

        The first write error is reported. After it, nothing more is written.
        """
        if sys.__stdout__ is None or self.status:  # None: closed by the caller
            return
        try:
            # A script is UTF-8 in every locale.
            write_all(1, text.encode("utf-8", "surrogateescape"))
        except BrokenPipeError:
            self.status = 128 + signal.SIGPIPE
        except OSError as error:
            self.status = 1
            complain(f"oauthkit: cannot write the output: {error.strerror}")


OUT = Output()

# How to fix an error at a path.
_FIXES = {
    errno.EACCES: ". Give this user access to it, or run as its owner",
    errno.ENAMETOOLONG: ". Use a shorter name",
}


def describe_error(error: OSError) -> str:
    """Return an error with its path and, if known, how to fix it."""
    path = "" if error.filename is None else f"{os.fsdecode(error.filename)!r}: "
    return f"{path}{error.strerror or error}{_FIXES.get(error.errno or 0, '')}"


def complain(text: str) -> None:
    """Write one line to stderr, made printable. Ignore write errors."""
    if sys.__stderr__ is not None:
        with suppress(OSError):
            write_all(2, f"{printable(text)}\n".encode())


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, even if another process has set O_NONBLOCK on the open file."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
