"""Whose a service is: the project that systemctl shows it to refresh."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from oauthkit.host.files import SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

# As systemctl shows it: the words of the argv with a blank between them, none of them quoted.
_EXEC_START = re.compile(
    r"^ExecStart=\{ path=.*? ; argv\[\]=(.*?) ; ignore_errors=", re.DOTALL | re.MULTILINE
)
# The project in that argv: the folder two above its script, or an option.
_PROJECT = re.compile(
    rf"\S+ (?P<script>/.*)/{re.escape(SCRIPT)}|.* --project=(?P<option>/.*)", re.DOTALL
)
# A $ in a command; systemd 252 takes its own escape for a part of it after a daemon-reload.
_DOLLAR = re.compile(r"\\\$\\\$|\$\$")


def project_of(shown: str) -> str | None:
    """The project that a service refreshes, by what systemctl shows; None if it does another thing.

    Of what is shown ExecStart is looked at.
    """
    argv = _EXEC_START.search(shown)
    found = _PROJECT.fullmatch(_DOLLAR.sub("$", argv[1])) if argv else None
    return (found["script"] or found["option"]) if found else None


def is_same(project: str, other: Path) -> bool:
    """Whether two paths lead to one project, by whatever links."""
    return os.path.realpath(project) == os.path.realpath(other)
