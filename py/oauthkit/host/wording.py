"""What a person is told: text from outside that is safe to show, and commands that can be run."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.child import python_command

if TYPE_CHECKING:
    from oauthkit.host.places import Places


def printable(text: str) -> str:
    """A text of one line, with nothing in it that would steer a terminal or is no character."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def command(name: str, places: Places, *more: str) -> str:
    """The command line of an oauthkit command for this project, to be run in any folder."""
    words = [*_program(), name, "--project", str(places.project), *more]
    return " ".join(map(shlex.quote, words))


def _program() -> list[str]:
    """How this oauthkit is started from a shell: by its name only where PATH has it."""
    beside = Path(sys.executable).with_name("oauthkit")
    if not os.access(beside, os.X_OK):
        return python_command()
    found = shutil.which("oauthkit")
    is_it = found is not None and os.path.realpath(found) == os.path.realpath(beside)
    return ["oauthkit"] if is_it else [str(beside)]
