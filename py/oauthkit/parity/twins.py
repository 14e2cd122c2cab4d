"""Mount two worlds at the same path at the same time, in a mount namespace for each form."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oauthkit.parity.world import World

# sched.h, sys/mount.h
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


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


def enter(directory: Path, world: World) -> None:
    """Move this process to a new namespace, in which `directory` is mounted at the path of `world`.

    For a child that has just been forked. Raises OSError if the kernel forbids it.
    """
    _check(_libc.unshare(CLONE_NEWNS))
    _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    flags = MS_BIND | MS_REC  # with the mounts that a test has added
    _check(_libc.mount(os.fsencode(directory), os.fsencode(world.root), None, flags, None))


def sees(process: str, world: World, control: Path) -> bool:
    """Return whether a process finds `control` at the world's path. False if it has ended.

    Processes that it starts in namespaces of their own find it, too.
    """
    try:
        return Path(f"/proc/{process}/root{world.control}").samefile(control)
    except OSError:
        return False


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
