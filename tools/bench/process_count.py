"""Counts the processes that a command starts, as strace(1) sees them."""

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
    """There is no strace, or it may not trace here; the text says which."""


@dataclass(frozen=True)
class Trace:
    """What a command did: its exit status, and one name for each process, itself the first.

    A name is the program that the process ended as; in brackets, it is a copy of the process of
    that name, which never became a program of its own (a subshell).
    """

    status: int
    processes: tuple[str, ...]


def find_strace() -> str:
    """The path of strace; StraceUnavailableError if there is none."""
    found = shutil.which("strace", path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise StraceUnavailableError("strace is not installed")
    return found


def trace(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Trace:
    """Runs `argv` under strace and names its processes; threads are none (CLONE_THREAD)."""
    strace = find_strace()
    with tempfile.TemporaryDirectory(prefix="oauthkit-strace-") as directory:
        # One file a process (-ff): in a common one, the lines of two processes cut each other.
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
    """The name of each process; what a process started follows it."""
    tasks: dict[int, list[tuple[int, bool]]] = {}  # what each started, and whether it is a thread
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
