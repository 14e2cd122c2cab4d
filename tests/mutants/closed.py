"""A closed room for programs that may do anything: namespaces of its own, nothing to harm.

A mutant may signal every process, write to any path, or find the real systemd-run. In here its
signals reach nobody else, all but one folder is read-only, /run is empty and there is no network.
The files under test are mounts: what stands in their places is theirs to see alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.mutant import REPOSITORY

NAMESPACES = (
    "--mount", "--propagation=private", "--pid", "--mount-proc", "--net", "--ipc", "--fork",
    "--kill-child",
)  # fmt: skip
# What no mount can make read-only, or has nothing that could be harmed.
SPECIAL = ("/proc", "/sys", "/dev")


class NoRoomError(Exception):
    """A machine that has no closed room; the text says why."""


def command(argv: Sequence[str]) -> list[str]:
    """The argv that starts `argv` as the first process of new namespaces."""
    unshare = shutil.which("unshare")
    if unshare is None:
        raise NoRoomError("unshare (util-linux) is not installed")
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [unshare, *as_root, *NAMESPACES, *argv]


def check() -> None:
    """NoRoomError if no room can be made here."""
    done = subprocess.run(command(["true"]), capture_output=True, check=False, text=True)
    if done.returncode != 0:
        raise NoRoomError(f"no namespaces of one's own here: {done.stderr.strip()}")


def close(folder: Path) -> None:
    """Closes the room: from now on `folder`, empty, is the only place to write to.

    For the first process of new namespaces. NoRoomError if anything is left to harm.
    """
    if os.getpid() != 1:
        raise NoRoomError("not the first process of its namespaces")
    _mount("-t", "tmpfs", "tmpfs", "/run")
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(folder))
    mounted = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    for place in dict.fromkeys(
        line.split()[4].encode().decode("unicode_escape") for line in mounted
    ):
        if place.startswith(SPECIAL) or place in {"/run", str(folder)}:
            continue
        _mount("-o", "remount,bind,ro", place)
    _mount("-t", "tmpfs", "tmpfs", "/dev/shm")
    for harmed in (REPOSITORY, Path("/"), folder.parent):
        if os.access(harmed, os.W_OK):
            raise NoRoomError(f"{harmed} can still be written to")


def cover(file: Path, with_copy: Path) -> None:
    """Puts a copy in the place of a file; what is written to the copy then stands there."""
    shutil.copy2(file, with_copy)
    _mount("--bind", str(with_copy), str(file))


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False, text=True)
    if done.returncode != 0:
        raise NoRoomError(f"mount {' '.join(arguments)}: {done.stderr.strip()}")


def python(module: str, *arguments: str) -> list[str]:
    """The argv of a module of the tests, run by this interpreter."""
    return [sys.executable, "-m", module, *arguments]
