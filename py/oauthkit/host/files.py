"""The files that this version carries, and how a file gets its content in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Where a project has the script.
SCRIPT = "scripts/oauth/refresh.sh"
# What a checkout of NanoClaw gets: where it goes, and its mode.
GIVEN = {
    SCRIPT: 0o755,
    "scripts/oauth/README.md": 0o644,
    "container/skills/refresh-oauth/SKILL.md": 0o644,
}
# Of a name; what mkstemp adds must fit into 255 bytes.
_KEPT_OF_NAME = 50


def carried(name: str) -> Path:
    """Where a file of this version is: in the wheel under its last name, or in the checkout."""
    package = Path(__file__).parents[1]
    in_wheel = package / "_data" / Path(name).name
    return in_wheel if in_wheel.is_file() else package.parents[1] / name


def replace_file(file: Path, content: bytes, mode: int) -> None:
    """Makes `content` that of the file, in one step: others see the old one, or all of this.

    OSError, with nothing changed or left behind, if that cannot be done. A link is replaced, too.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:_KEPT_OF_NAME]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
