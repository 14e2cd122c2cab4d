"""Count the processes that a command starts, with strace(1)."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSCALLS = "clone,clone3,fork,vfork,execve"
# `vfork() = 12`, `clone(child_stack=NULL, flags=…) = 12`; a failed call gives -1.
STARTED = re.compile(r"^(?:clone3?|v?fork)\(.*\)\s+= (\d+)")
EXECUTED = re.compile(r'^execve\("((?:[^"\\]|\\.)*)", .*\)\s+= 0')


class StraceUnavailableError(Exception):
    """strace is not installed or cannot trace. The text says which."""


@dataclass(frozen=True)
class Trace:
    """A command's exit status, and a name for each process. The command's own is the first.

    A name is the last program that the process executed. A name in brackets is that of the parent,
    for a process that executed no program, such as a subshell.
    """

    status: int
    processes: tuple[str, ...]


def find_strace() -> str:
    """Return the path of strace. Raise StraceUnavailableError if it is missing."""
    found = shutil.which("strace", path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise StraceUnavailableError("strace is not installed")
    return found


def trace(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Trace:
    """Run `argv` under strace, and name its processes. Ignore threads (CLONE_THREAD)."""
    strace = find_strace()
    with tempfile.TemporaryDirectory(prefix="oauthkit-strace-") as directory:
        # One file per process (-ff), because the lines of several processes would be interleaved.
        options = ["-ff", "-qq", "-e", f"trace={SYSCALLS}", "-e", "signal=none", "-s", "4096"]
        done = subprocess.run(
            [strace, *options, "-o", f"{directory}/trace", "--", *argv],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        files = {
            int(file.suffix[1:]): file.read_text(encoding="utf-8", errors="replace").splitlines()
            for file in Path(directory).iterdir()
        }
    names = _names(files)
    if not names:
        reason = done.stderr.decode("utf-8", "replace").strip()
        raise StraceUnavailableError(f"strace cannot trace here: {reason}")
    return Trace(done.returncode, names)


def _names(files: Mapping[int, Sequence[str]]) -> tuple[str, ...]:
    """Return the name of each process. Its children follow it."""
    tasks: dict[int, list[tuple[int, bool]]] = {}  # its children, and whether each is a thread
    programs: dict[int, str] = {}
    for pid, lines in files.items():
        started = [(line, STARTED.match(line)) for line in lines]
        tasks[pid] = [(int(call[1]), "CLONE_THREAD" in line) for line, call in started if call]
        executed = [call[1] for line in lines if (call := EXECUTED.match(line))]
        if executed:
            programs[pid] = executed[-1].rpartition("/")[2]
    names: list[str] = []

    def walk(pid: int, name: str) -> None:
        for child, is_thread in tasks.get(pid, []):
            own_name = name if is_thread else programs.get(child, f"({name.strip('()')})")
            if not is_thread:
                names.append(own_name)
            walk(child, own_name)

    for pid in sorted(set(tasks) - {child for found in tasks.values() for child, _ in found}):
        names.append(programs.get(pid, "?"))
        walk(pid, names[-1])
    return tuple(names)
