"""Record a call to a stand-in, then do what the test planned. This runs inside the stand-in.

A stand-in starts as `python -IS` in a few milliseconds. Therefore this module and those that it
loads import only modules that are built into Python, or that Python loads at its start anyway.
"""
# ruff: noqa: PLC0415, PTH103, PTH109, PTH115, PTH123, PTH208, S302
# PLC, PTH: pathlib, and modules that few calls need, would double the run time of a stand-in.
# S302: the kit writes the plan, for this interpreter, into the sandbox's own directory.

from __future__ import annotations

import fcntl
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

# Files in a sandbox's directory `control`. The kit reads what stand-ins write there.
PLAN = "plan"
CALLS = "calls"
COUNTS = "counts"
LOCK = "lock"
CHILDREN = "children"
CRASHES = "crashes"
STATE = "state"

UNPLANNED_STATUS = 97
CRASH_STATUS = 98
# Without a limit, a stand-in would wait forever for a pipe on stdin that is never closed.
STDIN_LIMIT_S = 5
ACCESS_MODES = ("read", "write", "read and write", "path")


class UnplannedError(Exception):
    """Raised for a call that the stand-in does not support. The test fails and names it."""


class Lock:
    """The lock that all stand-ins of one sandbox share: `with Lock(control):`."""

    def __init__(self, control: str) -> None:
        self._path = f"{control}/{LOCK}"
        self._descriptor = -1

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class Call:
    """One call to a stand-in. Behaviours get it as their first argument."""

    def __init__(self, program: str, control: str, plan: dict[str, Any]) -> None:
        self.program = program
        self.control = control
        self.plan = plan
        self.argv = [_text(os.fsencode(argument)) for argument in sys.argv[1:]]
        self.env = dict(_environment())
        self.now_s: int = plan["now_s"]

    def state(self, name: str, default: Any) -> Any:
        """Return the value that `keep` stored, or `default`. Needs `with call.lock():`."""
        data = _read(f"{self.control}/{STATE}/{name}")
        return marshal.loads(data) if data else default

    def keep(self, name: str, value: Any) -> None:
        """Store `value` (plain data) under `name`. The kit compares it after the run."""
        os.makedirs(f"{self.control}/{STATE}", exist_ok=True)
        _write(f"{self.control}/{STATE}/{name}", marshal.dumps(value))

    def refuse(self, what: str) -> NoReturn:
        """Fail the test, because the stand-in does not support this call."""
        raise UnplannedError(f"not supported by the stand-in: {what}")

    def lock(self) -> Lock:
        """Return the lock for changes of the state."""
        return Lock(self.control)

    def print(self, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Write to stdout and stderr, unbuffered. Ignore closed descriptors."""
        for descriptor, data in ((1, stdout), (2, stderr)):
            _print(descriptor, data)


def perform(program: str, control: str, modules: tuple[ModuleType, ...]) -> None:
    """Record this call to `program`, perform its planned behaviours, and exit.

    A behaviour is a function in one of `modules` (the first that has it). It gets the Call and the
    planned arguments, and returns an exit status. The last behaviour's status is used.
    """
    try:
        status = _perform(program, control, modules)
    except UnplannedError as error:
        _append(f"{control}/{CRASHES}", f"{program}: {error}\n".encode("utf-8", "surrogateescape"))
        status = UNPLANNED_STATUS
    except Exception:  # noqa: BLE001 - the test reports any error
        import traceback

        _append(
            f"{control}/{CRASHES}", f"{program} crashed:\n{traceback.format_exc()}".encode(
                "utf-8", "backslashreplace"
            ),
        )  # fmt: skip
        status = CRASH_STATUS
    os._exit(status)


def _perform(program: str, control: str, modules: tuple[ModuleType, ...]) -> int:
    record: dict[str, Any] = {
        "program": program,
        "path": _text(os.fsencode(sys.argv[0])),
        "argv": [_text(os.fsencode(argument)) for argument in sys.argv[1:]],
        "env": _environment(),
        "cwd": _cwd(),
        "umask": _umask(),
        "descriptors": _descriptors(),
    }
    record["stdin"] = _stdin(record["descriptors"].get(0, "closed"))
    plan = marshal.loads(_read(f"{control}/{PLAN}"))
    with Lock(control):
        counts: dict[str, int] = marshal.loads(_read(f"{control}/{COUNTS}") or marshal.dumps({}))
        number = counts.get(program, 0)
        counts[program] = number + 1
        _write(f"{control}/{COUNTS}", marshal.dumps(counts))
        queue, always = plan["programs"].get(program, ((), None))
        behaviours = queue[number] if number < len(queue) else always
        record["unplanned"] = behaviours is None
        _append(f"{control}/{CALLS}", ascii(record).encode("ascii") + b"\n")
    if behaviours is None:
        return UNPLANNED_STATUS
    call = Call(program, control, plan)
    status = 0
    for name, arguments in behaviours:
        behaviour = next(getattr(module, name) for module in modules if hasattr(module, name))
        status = behaviour(call, **arguments)
        if not isinstance(status, int):
            raise TypeError(f"the behaviour {name} returned {status!r}, not an exit status")
    return status


def _print(descriptor: int, data: bytes) -> None:
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        pass  # closed, or without a reader


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _environment() -> list[tuple[str, str]]:
    """Return the environment that exec passed, sorted. Python may have changed os.environ."""
    pairs = []
    for entry in _read("/proc/self/environ").split(b"\0"):
        name, _, value = entry.partition(b"=")
        if entry:
            pairs.append((_text(name), _text(value)))
    return sorted(pairs)


def _cwd() -> str:
    try:
        return _text(os.getcwdb())
    except OSError:
        return "deleted"


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _descriptors() -> dict[int, str]:
    """Return the descriptors that this process inherited, with their targets."""
    pipes: dict[str, str] = {}
    found = {}
    for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):
        try:
            target = _text(os.readlink(os.fsencode(f"/proc/self/fd/{number}")))
            info = _read(f"/proc/self/fdinfo/{number}")
        except OSError:
            continue  # the one that listed the directory is closed
        flags = int(info.split(b"flags:")[1].split()[0], 8)
        mode = "append" if flags & os.O_APPEND else ACCESS_MODES[flags & os.O_ACCMODE]
        if target.startswith(("pipe:", "socket:")):
            # Inode numbers differ between runs. Keep only which pipes are identical.
            name = f"{target.partition(':')[0]} {len(pipes) + 1}"
            target = pipes.setdefault(target, name)
        elif target.startswith("/dev/pts/"):
            target = "terminal"
        # The mode of /dev/null has no effect.
        found[number] = target if target == os.devnull else f"{target} ({mode})"
    return found


def _stdin(descriptor: str) -> bytes | None:
    """Read stdin to its end. Return None if it cannot be read, or does not end."""
    if descriptor == "closed" or descriptor.startswith("terminal"):
        return None
    if descriptor.startswith(("pipe", "socket")):
        import select
        import time

        deadline_s = time.monotonic() + STDIN_LIMIT_S
        data = b""
        while True:
            ready, _, _ = select.select([0], [], [], max(0, deadline_s - time.monotonic()))
            if not ready:
                return None
            chunk = os.read(0, 65536)
            if not chunk:
                return data
            data += chunk
    try:
        return b"".join(iter(lambda: os.read(0, 65536), b""))
    except OSError:
        return None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read() or b""
    except FileNotFoundError:
        return b""


def _write(path: str, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data)


def _append(path: str, data: bytes) -> None:
    with open(path, "ab", buffering=0) as file:
        file.write(data)
