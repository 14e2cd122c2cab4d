"""Import what the Python form of the refresh imports, except for oauthkit itself."""

from __future__ import annotations

import pathlib  # noqa: F401
import resource  # noqa: F401

import plumbum.cli  # noqa: F401
from plumbum import local
from plumbum.machines.local import LocalEnv, LocalMachine


def restart() -> None:
    """Read the environment again, as plumbum does when it is imported."""
    LocalMachine.env = LocalEnv()
    local.clear_program_cache()
