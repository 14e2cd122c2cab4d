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
NAMESPACE = "namespace"  # in the folder `control`: which one the form runs in

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
    _check(_libc.mount(os.fsencode(folder), os.fsencode(world.root), None, MS_BIND, None))
    (world.control / NAMESPACE).write_text(of("self"), encoding="ascii")


def of(process: int | str) -> str:
    """The mount namespace of a process, "" if it has ended or is another user's."""
    try:
        return str(Path(f"/proc/{process}/ns/mnt").readlink())
    except OSError:
        return ""


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
