"""The behaviours that every stand-in has."""
# ruff: noqa: A002, ARG001, PLC0415, PTH110, PTH123
# A002: `exit` is the most readable name in a test.
# ARG001: each behaviour has the parameter `call`.
# PLC, PTH: imports at the top would slow down the start of every stand-in.

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from oauthkit.parity.recorder import Call

# Longer than any time limit of a run, so that the runner reports a hang.
FOREVER_S = 3600.0


def exits(call: Call, exit: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> int:
    """Print, and exit with `exit`."""
    call.print(stdout, stderr)
    return exit


def fails(call: Call, exit: int = 1, stdout: bytes = b"", stderr: bytes = b"") -> int:
    """Print, and exit with `exit`, by default 1."""
    return exits(call, exit, stdout, stderr)


def prints(call: Call, stdout: bytes, exit: int = 0) -> int:
    """Print on stdout."""
    return exits(call, exit, stdout)


def dies_by_signal(call: Call, number: int) -> int:
    """Die by the signal `number`."""
    os.kill(os.getpid(), number)
    return hangs(call)  # the signal did not end the process


def forwards(call: Call, program: str = "") -> NoReturn:
    """Run the real program in place of the stand-in. The kit fills in its path.

    date(1) shows the frozen clock.
    """
    if call.program == "date":
        import clock_programs  # type: ignore[import-not-found] # it is beside this file

        clock_programs.shows_time(call, program)
    call.execute(program)


def hangs(call: Call, seconds: float = FOREVER_S) -> int:
    """Do nothing for this time, or until a signal ends the stand-in."""
    import time

    time.sleep(seconds)
    return 0


def ignores_sigterm(call: Call, seconds: float = FOREVER_S) -> int:
    """Do nothing until SIGKILL ends the stand-in."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return hangs(call, seconds)


def leaves_child_behind(
    call: Call, seconds: float = 60.0, holds_output: bool = True, own_session: bool = True
) -> int:
    """Leave a process behind that runs for `seconds`.

    The process keeps the stand-in's descriptors. It keeps stdout and stderr only with
    `holds_output`. With `own_session`, signals to its parent's process group do not reach it. The
    runner ends it after the run.
    """
    pid = os.fork()
    if pid == 0:
        if own_session:
            os.setsid()
        if not holds_output:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        hangs(call, seconds)
        os._exit(0)
    with call.lock(), open(f"{call.control}/children", "a", encoding="ascii") as file:
        file.write(f"{pid}\n")
    return 0


def waits(call: Call, sign: str = "go") -> int:
    """Wait for the test's `sign` (`Pair.sign`)."""
    import time

    deadline_s = time.monotonic() + FOREVER_S
    while not os.path.exists(f"{call.control}/sign-{sign}"):
        if time.monotonic() > deadline_s:
            return 1
        time.sleep(0.005)
    return 0


def writes(call: Call, path: str, content: bytes, mode: int = 0o600) -> int:
    """Write `content` to the absolute `path`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.write(descriptor, content)
    os.close(descriptor)
    return 0
