"""What is not there that an extra of this package would bring, and the command that installs it."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata


def not_installed(what: str, *libraries: str) -> str:
    """That `what` is missing, and what installs it, wherever oauthkit is from.

    `libraries` are those that bring it, if they have other names.
    """
    return f"{what} is not installed: {installing(*(libraries or (what,)))}"


def installing(*libraries: str) -> str:
    """The command that installs libraries beside this Python, as the extras want them."""
    try:
        wanted = metadata.requires("oauthkit") or []
    except metadata.PackageNotFoundError:  # run from its sources
        wanted = []
    # That of `dev` is for this project's own tests.
    parted = [text.partition(";") for text in wanted]
    requirements = [text.strip() for text, _, extra in parted if "dev" not in extra]
    by_name = {re.split("[^-.\\w]", text)[0]: text for text in requirements}
    found = [by_name.get(library, library) for library in libraries]
    return shlex.join([sys.executable, "-m", "pip", "install", *found])
