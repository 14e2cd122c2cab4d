"""What runs inside a stand-in: records how it was called, then does what the test planned.

A stand-in starts as `python -IS` in a few milliseconds, so this module and those it loads import
only what is built into Python or costs nothing.
"""
# ruff: noqa: PLC0415, PTH103, PTH109, PTH115, PTH123, PTH208, S302
# PLC, PTH: pathlib, and modules that few calls need, would double the time a stand-in takes.
# S302: the plan is written by the kit, for this very interpreter, into the sandbox's own folder.

from __future__ import annotations

import fcntl
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

# Files in the folder `control` of a sandbox; the kit reads what a stand-in writes.
PLAN = "plan"
CALLS = "calls"
COUNTS = "counts"
LOCK = "lock"
CHILDREN = "children"
CRASHES = "crashes"
STATE = "state"

UNPLANNED_STATUS = 97
CRASH_STATUS = 98
# A pipe on stdin that nobody closes would make a stand-in wait for ever.
STDIN_LIMIT_S = 5
ACCESS_MODES = ("read", "write", "read and write", "path")


class UnplannedError(Exception):
    """A call that the stand-in cannot answer as the real program would; fails the test by name."""


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
    """One call of a stand-in, as its behaviours see it."""

    def __init__(self, program: str, control: str, plan: dict[str, Any]) -> None:
        self.program = program
        self.control = control
        self.plan = plan
        self.argv = [_text(os.fsencode(argument)) for argument in sys.argv[1:]]
        self.env = dict(_environment())
        self.now_s: int = plan["now_s"]

    def state(self, name: str, default: Any) -> Any:
        """What `keep` last kept under `name`, else `default`; only inside `with call.lock():`."""
        data = _read(f"{self.control}/{STATE}/{name}")
        return marshal.loads(data) if data else default

    def keep(self, name: str, value: Any) -> None:
        """Keeps `value` (plain data) under `name`; the kit compares it after the run."""
        os.makedirs(f"{self.control}/{STATE}", exist_ok=True)
        _write(f"{self.control}/{STATE}/{name}", marshal.dumps(value))

    def refuse(self, what: str) -> NoReturn:
        """Fails the test: the stand-in cannot tell what the real program does when asked this."""
        raise UnplannedError(f"asked for what it does not know: {what}")

    def lock(self) -> Lock:
        """The lock that makes a change of the state one step."""
        return Lock(self.control)

    def print(self, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Writes to stdout and stderr, unbuffered; a descriptor that is closed is no error."""
        for descriptor, data in ((1, stdout), (2, stderr)):
            _print(descriptor, data)


def perform(program: str, control: str, modules: tuple[ModuleType, ...]) -> None:
    """Records this call of `program`, performs its planned behaviours, and exits.

    A behaviour is a function of one of `modules` (the first that has it): it takes the Call and
    the arguments from the plan, and returns an exit status. Of several, the last one's counts.
    """
    try:
        status = _perform(program, control, modules)
    except UnplannedError as error:
        _append(f"{control}/{CRASHES}", f"{program}: {error}\n".encode("utf-8", "surrogateescape"))
        status = UNPLANNED_STATUS
    except Exception:  # noqa: BLE001 - whatever it is, the test must hear of it
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
        pass  # closed, or nobody reads it


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _environment() -> list[tuple[str, str]]:
    """The environment that exec passed, not what the start of Python made of it; sorted."""
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
    """Every descriptor that this process was started with, and what it leads to."""
    pipes: dict[str, str] = {}
    found = {}
    for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):
        try:
            target = _text(os.readlink(os.fsencode(f"/proc/self/fd/{number}")))
            info = _read(f"/proc/self/fdinfo/{number}")
        except OSError:
            continue  # the one that listed the others is closed by now
        flags = int(info.split(b"flags:")[1].split()[0], 8)
        mode = "append" if flags & os.O_APPEND else ACCESS_MODES[flags & os.O_ACCMODE]
        if target.startswith(("pipe:", "socket:")):
            # Their numbers differ from run to run; which of them are the same one does not.
            name = f"{target.partition(':')[0]} {len(pipes) + 1}"
            target = pipes.setdefault(target, name)
        elif target.startswith("/dev/pts/"):
            target = "terminal"
        # How /dev/null was opened makes no difference to anyone.
        found[number] = target if target == os.devnull else f"{target} ({mode})"
    return found


def _stdin(descriptor: str) -> bytes | None:
    """All that can be read from stdin; None if nothing can, or if it does not end."""
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
