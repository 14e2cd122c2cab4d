"""Find the project that a service refreshes, in the output of systemctl show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oauthkit.host.path_info import real_path
from oauthkit.host.shipped_files import FOLLOW_SCRIPT, SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

# systemctl shows the words of the argv separated by spaces, without quotes.
_EXEC_START = re.compile(
    r"^ExecStart=\{ path=(.*?) ; argv\[\]=(.*?) ; ignore_errors=", re.DOTALL | re.MULTILINE
)
# The project in that argv: the directory two levels above its script, or an option.
_SCRIPTS = "|".join(map(re.escape, (SCRIPT, FOLLOW_SCRIPT)))
_PROJECT = re.compile(
    rf"\S+ (?P<script>/.*)/(?:{_SCRIPTS})|.* --project=(?P<option>/.*)", re.DOTALL
)
# A $ in a command. After a daemon-reload, systemd 252 also shows the escape that it has added.
_DOLLAR = re.compile(r"\\\$\\\$|\$\$")


def argv_of(shown: str) -> str | None:
    """Return the argv in a service's ExecStart, or None if there is none."""
    argv = _EXEC_START.search(shown)
    # A semicolon is shown with a backslash.
    return _DOLLAR.sub("$", argv[2]).replace("\\;", ";") if argv else None


def project_in(argv: str | None) -> str | None:
    """Return the project that an argv refreshes or watches, or None if it does something else."""
    found = None if argv is None else _PROJECT.fullmatch(argv)
    return None if found is None else found["script"] or found["option"]


def program_of(shown: str) -> str:
    """Return the path of the program in a service's ExecStart, or "" if there is none."""
    found = _EXEC_START.search(shown)
    return found[1] if found else ""


def is_same(project: str, other: Path) -> bool:
    """Return whether two paths lead to the same project, after links are resolved."""
    return real_path(project) == real_path(other)
