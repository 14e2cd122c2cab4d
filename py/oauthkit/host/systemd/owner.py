"""Whose a service is: the project that systemctl shows it to refresh."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from oauthkit.host.shipped_files import SCRIPT

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


def argv_of(shown: str) -> str | None:
    """The argv of a service, in what systemctl shows of its ExecStart; None if there is none."""
    argv = _EXEC_START.search(shown)
    return argv[1] if argv else None


def project_in(argv: str | None) -> str | None:
    """The project that an argv refreshes, or watches; None if it does something else."""
    found = None if argv is None else _PROJECT.fullmatch(argv)
    return None if found is None else found["script"] or found["option"]


def project_of(shown: str) -> str | None:
    """The project that a service was made for, by what systemctl shows; None if it is another's."""
    argv = argv_of(shown)
    return None if argv is None else project_in(_DOLLAR.sub("$", argv))


def is_same(project: str, other: Path) -> bool:
    """Whether two paths lead to one project, by whatever links."""
    return os.path.realpath(project) == os.path.realpath(other)
