"""Read regular files of at most MAX_BYTES from a checkout, without following symbolic links."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20


def read_text(path: Path) -> str:
    """Return a file's text, or "" for a directory, a binary file or a missing path.

    Raise OSError for a file that cannot be read, is not regular or is larger than MAX_BYTES.
    """
    try:
        content = read_bytes(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except TooLargeError as error:
        if b"\0" in error.start:
            return ""
        raise
    return "" if b"\0" in content else decode(content)


class TooLargeError(OSError):
    """Raised for a file that is larger than MAX_BYTES. `start` is its first MAX_BYTES + 1 bytes."""

    def __init__(self, start: bytes) -> None:
        super().__init__(0, f"it is larger than {MAX_BYTES >> 20} MiB")
        self.start = start


def read_bytes(path: Path) -> bytes:
    """Return a regular file's content. Raise OSError for anything else. A FIFO does not block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            content = stream.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise TooLargeError(content)
    return content


def stored_content(path: Path) -> bytes | None:
    """Return a path's content as git stores it, or None if nothing is there.

    A link's content is its target. Raise HostError if the content cannot be read.
    """
    try:
        return os.fsencode(path.readlink()) if path.is_symlink() else read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None


def decode(content: bytes) -> str:
    """Return any bytes as text that encode converts back."""
    return content.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes of a text that `decode` has returned."""
    return text.encode("utf-8", "surrogateescape")
