"""Two worlds at one path at the same time: each form has a mount namespace of its own."""

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
    """Whether this process may make mount namespaces: as root it may, in most places."""
    with tempfile.TemporaryDirectory(prefix="oauthkit-parity-") as folder:
        argv = ["unshare", "--mount", "--propagation=private", "mount", "--bind", folder, folder]
        try:
            return subprocess.run(argv, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False


def enter(folder: Path, world: World) -> None:
    """Moves this process to a namespace in which `folder` lies at the place of `world`.

    For a child that has just been forked. OSError if the kernel refuses.
    """
    _check(_libc.unshare(CLONE_NEWNS))
    _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    flags = MS_BIND | MS_REC  # with what a test has mounted in it
    _check(_libc.mount(os.fsencode(folder), os.fsencode(world.root), None, flags, None))


def sees(process: str, world: World, control: Path) -> bool:
    """Whether a process finds the folder `control` where the world has its own.

    So do those that it starts in namespaces of their own. False if it has ended.
    """
    try:
        return Path(f"/proc/{process}/root{world.control}").samefile(control)
    except OSError:
        return False


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
