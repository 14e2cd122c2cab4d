"""Recognize worlds that are mounted at the same path, in a mount namespace for each form."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oauthkit.parity.world import World


@cache
def are_possible() -> bool:
    """Return whether this process may create mount namespaces. Usually only root may."""
    with tempfile.TemporaryDirectory(prefix="oauthkit-parity-") as directory:
        argv = [
            "unshare",
            "--mount",
            "--propagation=private",
            "mount",
            "--bind",
            directory,
            directory,
        ]
        try:
            return subprocess.run(argv, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False


def sees(process: str, world: World, control: Path) -> bool:
    """Return whether a process finds `control` at the world's path. False if it has ended.

    Processes that it starts in namespaces of their own find it, too.
    """
    try:
        return Path(f"/proc/{process}/root{world.control}").samefile(control)
    except OSError:
        return False
