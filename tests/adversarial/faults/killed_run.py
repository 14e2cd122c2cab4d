"""Kill a run at one of its system calls, with tracer.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from tests.support.bench_world import BenchWorld

TRACER = Path(__file__).with_name("tracer.py")
LIMIT_S = 100


class TracerError(Exception):
    """The tracer failed. The text is its output."""


@dataclass(frozen=True)
class SystemCall:
    """One system call: its process (0 is the form itself), and its number in this process."""

    process: int
    number: int
    program: str
    name: str
    text: str

    def __str__(self) -> str:
        text = self.text if len(self.text) < 100 else f"{self.text[:40]}..."
        return f"{self.program}'s {self.name}({text}) [{self.process}:{self.number}]"


class KilledRun:
    """A context manager: a run of a form that is killed as it enters a call.

    When the block is entered, the victims are dead, and the run's other processes are stopped until
    `go_on`. Without a `call`, the run continues to its end.
    """

    def __init__(
        self,
        world: BenchWorld,
        form: str,
        call: SystemCall | None = None,
        victims: str = "all",
        counted_from: Path | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self._record = world.root / "calls"
        kill = "-" if call is None else f"{call.process}:{call.number}:{victims}"
        start = "-" if counted_from is None else str(counted_from)
        # With -I and -S, the tracer starts three times as fast.
        tracer = [sys.executable, "-IS", str(TRACER), str(self._record), kill, start]
        self._process = subprocess.Popen(
            [*tracer, *world.form(form, *options)],
            env=world.environment(),
            cwd=world.project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.was_reached = False
        self.output = b""

    def go_on(self) -> int:
        """Let the remaining processes run to completion. Return the form's exit status, or -9."""
        printed, _ = self._process.communicate(b"\n", timeout=LIMIT_S)
        self.output = printed if self.was_reached else self.output + printed
        if self._process.returncode != 0:
            raise TracerError(self.output.decode("utf-8", "replace").strip())
        last = self._record.read_text(encoding="utf-8").splitlines()[-1]
        return os.waitstatus_to_exitcode(int(last))

    def calls(self) -> list[SystemCall]:
        """Return all calls, to the kill or to the end."""
        lines = self._record.read_text(encoding="utf-8").splitlines()
        return [SystemCall(*json.loads(line)) for line in lines if line.startswith("[")]

    def __enter__(self) -> KilledRun:
        assert self._process.stdout is not None
        self.output = self._process.stdout.readline()
        self.was_reached = self.output == b"killed\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        # The traced processes end with the tracer (PTRACE_O_EXITKILL).
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def tracing_problem() -> str:
    """Return why tracing is not possible (ptrace(2) forbidden, libseccomp missing), or ""."""
    argv = [
        sys.executable,
        "-IS",
        str(TRACER),
        os.devnull,
        "-",
        "-",
        sys.executable,
        "-IS",
        "-c",
        "",
    ]
    done = subprocess.run(argv, env={}, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
