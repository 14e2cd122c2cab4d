"""Hints for missing optional dependencies."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata


def not_installed(what: str, *libraries: str) -> str:
    """Return the error for a missing dependency, with the command that installs it.

    `libraries` are the packages to install, if their names differ from `what`.
    """
    return f"{what} is not installed. Run {install_command(*(libraries or (what,)))}"


def install_command(*libraries: str) -> str:
    """Return the command that installs libraries for this Python, in the extras' version ranges."""
    try:
        declared = metadata.requires("oauthkit") or []
    except metadata.PackageNotFoundError:  # oauthkit runs from its sources
        declared = []
    # The extra `dev` is only for this project's own tests.
    split = [text.partition(";") for text in declared]
    requirements = [text.strip() for text, _, extra in split if "dev" not in extra]
    by_name = {re.split("[^-.\\w]", text)[0]: text for text in requirements}
    found = [by_name.get(library, library) for library in libraries]
    return shlex.join([sys.executable, "-m", "pip", "install", *found])
