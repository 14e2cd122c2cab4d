"""The user's crontab: whether a line of it refreshes a project, where no timer of systemd does."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

from oauthkit.host.files import SCRIPT
from oauthkit.host.wording import command

if TYPE_CHECKING:
    from oauthkit.host.places import Places

# When: five fields, or a word such as @hourly; the rest is for /bin/sh (crontab(5)).
_LINE = re.compile(r"\s*(?:@\w+|(?:[\d*/,\-A-Za-z]+\s+){4}[\d*/,\-A-Za-z]+)\s+(.+)")
_PATH_SETTING = re.compile(r"\s*PATH\s*=\s*([\"']?)(.*?)\1\s*")
USUAL_PATH = "/usr/bin:/bin"
LIMIT_S = 30


def path_of_refresh(places: Places) -> str | None:
    """The PATH of the first line that refreshes this project, None if there is no such line."""
    path = USUAL_PATH
    for line in crontab().splitlines():
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
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return []


def _is_refresh(words: list[str], places: Places) -> bool:
    if _is_same(places, SCRIPT, words):
        return True
    options = [word.removeprefix("--project=") for word in words if word.startswith("--project=")]
    options += [after for word, after in pairwise(words) if word == "--project"]
    return "refresh" in words and _is_same(places, "", options)


def _is_same(places: Places, below: str, words: list[str]) -> bool:
    """Whether a word is the path of what is `below` the project."""
    wanted = os.path.realpath(places.project / below)
    return any(os.path.realpath(word) == wanted for word in words if word.startswith("/"))


def mend(places: Places) -> str:
    """The command that puts such a line into the crontab."""
    line = command("install", places, "--cron")
    return f"(crontab -l 2>/dev/null; {line}) | crontab -"
