"""Format command lines that a person can copy into a shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.console import printable
from oauthkit.host.child import python_command

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

# A shell without $'…' ends the word at the next quote, and would run the rest.
_ESCAPES = {"\\": "\\\\", "'": "\\047", "\n": "\\n", "\t": "\\t"}


def quote(word: str) -> str:
    """Quote a word for a shell, in bash's $'…' form if it contains unprintable characters."""
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character in _ESCAPES or character.isprintable():
        return _ESCAPES.get(character, character)
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def wrap(text: str, columns: int) -> list[str]:
    """Wrap text into printable lines of at most `columns` columns.

    Count each non-ASCII character as two columns, because some are that wide.
    """
    wide = re.sub(r"[^\x00-\x7f]", "\\g<0>\0", printable(text))
    lines = textwrap.wrap(wide, columns, break_on_hyphens=False)
    return [line.replace("\0", "") for line in lines]


def as_root(command: str) -> str:
    """Return the command line that runs a command as root."""
    return command if os.geteuid() == 0 else f"sudo {command}"


def claude(paths: ProjectPaths) -> str:
    """Return claude's name, or its path if it is not in PATH, but a refresh would find it."""
    found = paths.find_claude()
    return quote(found) if found and not shutil.which("claude") else "claude"


def command(name: str, paths: ProjectPaths, *more: str) -> str:
    """Return the command line of an oauthkit command for this project, valid in any directory."""
    return command_on(name, str(paths.project), *more)


def command_on(name: str, project: str, *more: str) -> str:
    """Return the command line of an oauthkit command for a project, which need not exist."""
    words = [*_program(), name, "--project", project, *more]
    return " ".join(map(quote, words))


def own_unit(paths: ProjectPaths, *options: str) -> str:
    """Return the command that installs a project's units under a name of their own."""
    name = "oauth-refresh-" + re.sub(r"[^A-Za-z0-9_]+", "-", paths.project.name)[:60]
    if name == paths.unit:
        name += "-2"
    unset = "unset OAUTHKIT_UNIT && " if os.environ.get("OAUTHKIT_UNIT") else ""
    return f"{unset}{command('install', paths, *options, '--unit', name)}"


def _program() -> list[str]:
    """Return the command that starts this oauthkit: its bare name only if PATH leads to it."""
    beside = Path(sys.executable).with_name("oauthkit")
    if not os.access(beside, os.X_OK):
        return python_command()
    found = shutil.which("oauthkit")
    is_same = found is not None and os.path.realpath(found) == os.path.realpath(beside)
    return ["oauthkit"] if is_same else [str(beside)]


def see_doctor(paths: ProjectPaths) -> str:
    """Return the hint at the end of a problem whose fix doctor shows."""
    return f"To see the fix, run: {command('doctor', paths)}"
