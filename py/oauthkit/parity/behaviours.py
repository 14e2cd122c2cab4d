"""What any stand-in can be planned to do: the behaviours that know nothing of the program."""
# ruff: noqa: A002, ARG001, PLC0415, PTH110, PTH123
# A002: `exit` is the word that a test reads best with.
# ARG001: every behaviour takes the call.
# PLC, PTH: what only one behaviour needs would slow down the start of every stand-in.

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oauthkit.parity.recorder import Call

# Longer than any time limit of a run, so that a hang ends in the runner's report.
FOREVER_S = 3600.0


def exits(call: Call, exit: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> int:
    """Prints the given bytes and exits with `exit`."""
    call.print(stdout, stderr)
    return exit


def fails(call: Call, exit: int = 1, stdout: bytes = b"", stderr: bytes = b"") -> int:
    """Prints the given bytes and exits with `exit`, 1 unless told otherwise."""
    return exits(call, exit, stdout, stderr)


def prints(call: Call, stdout: bytes, exit: int = 0) -> int:
    """Prints the given bytes on stdout."""
    return exits(call, exit, stdout)


def dies_by_signal(call: Call, number: int) -> int:
    """Ends by signal `number`, sent to itself."""
    os.kill(os.getpid(), number)
    return hangs(call)  # a signal that does not end it


def hangs(call: Call, seconds: float = FOREVER_S) -> int:
    """Does nothing until a signal ends it."""
    import time

    time.sleep(seconds)
    return 0


def ignores_sigterm(call: Call, seconds: float = FOREVER_S) -> int:
    """Does nothing until SIGKILL ends it."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return hangs(call, seconds)


def leaves_child_behind(
    call: Call, seconds: float = 60.0, holds_output: bool = True, own_session: bool = True
) -> int:
    """Leaves a process that lives on for `seconds`, and goes on.

    It keeps every descriptor of the stand-in, or all but stdout and stderr. In a session of its
    own, no signal to the process group of its parent reaches it. The runner ends it after the run.
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
    """Waits until the test gives `sign` (`Pair.sign`)."""
    import time

    deadline_s = time.monotonic() + FOREVER_S
    while not os.path.exists(f"{call.control}/sign-{sign}"):
        if time.monotonic() > deadline_s:
            return 1
        time.sleep(0.005)
    return 0


def writes(call: Call, path: str, content: bytes, mode: int = 0o600) -> int:
    """Writes `content` to the absolute `path`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.write(descriptor, content)
    os.close(descriptor)
    return 0
