"""Replace files atomically."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# mkstemp adds ten characters, and a name has at most 255 bytes.
_PREFIX_CHARACTERS = 50


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Replace a file atomically: a reader sees the old file or the new one.

    A symbolic link at `path` is replaced, not followed. If this raises an OSError, the old file is
    unchanged and no temporary file is left.
    """
    prefix = f".{path.name[:_PREFIX_CHARACTERS]}."
    # mkstemp opens with O_EXCL, so another user cannot create a link or a file there first.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            # By descriptor: in a directory that others can write to, the name may lead elsewhere.
            os.fchmod(stream.fileno(), mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
