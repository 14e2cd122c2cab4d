"""The user's crontab: whether a line of it refreshes a project, where no timer of systemd does."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

from oauthkit.host.display import command
from oauthkit.host.shipped_files import SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.host.project import Places

# When: five fields, or a word such as @hourly; the rest is for /bin/sh (crontab(5)).
_LINE = re.compile(r"\s*(?:@\w+|(?:[\d*/,\-A-Za-z]+\s+){4}[\d*/,\-A-Za-z]+)\s+(.+)")
_PATH_SETTING = re.compile(r"\s*PATH\s*=\s*([\"']?)(.*?)\1\s*")
USUAL_PATH = "/usr/bin:/bin"
LIMIT_S = 30


def path_of_refresh(places: Places) -> str | None:
    """The PATH of the first line that refreshes this project, None if there is no such line."""
    path = USUAL_PATH
    for line in crontab().split("\n"):
        setting = _PATH_SETTING.fullmatch(line)
        if setting:
            path = setting[2]
        found = _LINE.fullmatch(line)
        words = _words(found[1].replace(r"\%", "%")) if found else []
        if _is_refresh(words, places):
            own = [word.removeprefix("PATH=") for word in words if word.startswith("PATH=")]
            return own[-1] if own else path
    return None


def crontab() -> str:
    """The user's crontab, "" if there is none."""
    try:
        done = subprocess.run(
            ["crontab", "-l"], capture_output=True, text=True, errors="surrogateescape",
            check=False, stdin=subprocess.DEVNULL, timeout=LIMIT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _words(text: str) -> list[str]:
    """The words of a command line, and what stands between its commands; ~ and $HOME are known."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return [os.path.expanduser(os.path.expandvars(word)) for word in lexer]  # noqa: PTH111
    except ValueError:  # a quote that is not closed
        return []


def _is_refresh(words: list[str], places: Places) -> bool:
    folder = str(places.home)  # where cron starts it
    is_python = "refresh" in words
    for before, word in pairwise(["", *words]):
        if before == "cd":
            folder = os.path.join(folder, word)  # noqa: PTH118
        elif _leads(folder, word, places.project / SCRIPT):
            return True
        project = word if before == "--project" else word.partition("--project=")[2]
        if is_python and project and _leads(folder, project, places.project):
            return True
    return False


def _leads(folder: str, word: str, wanted: Path) -> bool:
    return os.path.realpath(os.path.join(folder, word)) == os.path.realpath(wanted)  # noqa: PTH118


def mend(places: Places) -> str:
    """The command that puts such a line into the crontab."""
    line = command("install", places, "--cron")
    return f"(crontab -l 2>/dev/null; {line}) | crontab -"
