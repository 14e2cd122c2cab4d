"""Record a call to a stand-in, then do what the test planned. This runs inside the stand-in.

A stand-in starts as `python -IS` in a few milliseconds. Therefore this module and those that it
loads import only modules that are built into Python, or that Python loads at its start anyway.
"""
# ruff: noqa: PLC0415, PTH103, PTH109, PTH110, PTH115, PTH123, PTH208, S302
# PLC, PTH: pathlib, and modules that few calls need, would double the run time of a stand-in.
# S302: the kit writes the plan, for this interpreter, into the sandbox's own directory.

from __future__ import annotations

import fcntl
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
# The virtual clock's time, such as 1767323045.500000000.
NOW = "now"

UNPLANNED_STATUS = 97
CRASH_STATUS = 98
# Without a limit, a stand-in would wait forever for a pipe on stdin that is never closed.
STDIN_LIMIT_S = 5
NO_COUNTS = marshal.dumps({})
# The behaviour that replaces the stand-in with the real program.
FORWARDS = "forwards"
# The index for a call without a matching answer.
UNPLANNED = -1
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
        self.now_ns = now_ns(control) if is_virtual(control) else plan["now_s"] * 10**9
        self.now_s: int = self.now_ns // 10**9

    def state(self, name: str, default: Any) -> Any:
        """Return the value that `keep` stored, or `default`. Needs `with call.lock():`."""
        data = _read(f"{self.control}/{STATE}/{name}")
        return marshal.loads(data) if data else default

    def keep(self, name: str, value: Any) -> None:
        """Store `value` (plain data) under `name`. The kit compares it after the run."""
        os.makedirs(f"{self.control}/{STATE}", exist_ok=True)
        _write(f"{self.control}/{STATE}/{name}", marshal.dumps(value))

    def refuse(self, what: str) -> NoReturn:
        """Fail the test, and report that the stand-in does not support this call."""
        raise UnplannedError(f"not supported by the stand-in: {what}")

    def sleep(self, seconds: float) -> None:
        """Advance the virtual clock without waiting."""
        sleep(self.control, seconds)

    def lock(self) -> Lock:
        """Return the lock for changes of the state."""
        return Lock(self.control)

    def execute(self, program: str, argv: Sequence[str] | None = None) -> NoReturn:
        """Replace the stand-in with the program at this path. `argv` defaults to the call's."""
        import signal

        # Python ignores these two signals from its start, and the program would inherit that.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        words = [self.program, *(self.argv if argv is None else argv)]
        env = {_bytes(name): _bytes(value) for name, value in self.env.items()}
        os.execve(program, [*map(_bytes, words)], env)  # noqa: S606 - without a shell

    def print(self, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Write to stdout and stderr, unbuffered. Ignore closed descriptors."""
        for descriptor, data in ((1, stdout), (2, stderr)):
            _print(descriptor, data)


def perform(program: str, control: str, modules: tuple[ModuleType, ...]) -> None:
    """Record this call to `program`, perform its planned behaviours, and exit.

    A behaviour is a function in one of `modules` (the first that has it). It gets the Call and the
    planned arguments, and returns an exit status. The last behaviour's status is used.
    """
    _exit_with(program, control, lambda: _perform(program, control, modules))


def behave(
    program: str, control: str, behaviour: Callable[..., int], arguments: dict[str, Any]
) -> None:
    """Perform a behaviour without recording the call, and exit with its status."""

    def run() -> int:
        plan = marshal.loads(_read(f"{control}/{PLAN}"))
        return behaviour(Call(program, control, plan), **arguments)

    _exit_with(program, control, run)


def is_virtual(control: str) -> bool:
    """Return whether sleeps advance the clock of this sandbox."""
    return os.path.exists(f"{control}/{NOW}")


def now_ns(control: str) -> int:
    """Return the time of the virtual clock, in nanoseconds since the epoch."""
    return int(_read(f"{control}/{NOW}").replace(b".", b""))


def clock_text(time_ns: int) -> bytes:
    """Return the content of the file with the virtual clock's time."""
    return b"%d.%09d\n" % divmod(time_ns, 10**9)


def sleep(control: str, seconds: float) -> None:
    """Advance the virtual clock, and record that as a call to sleep.

    The record has only the duration, so that sleep(1) and a language's own function are equal.
    """
    duration_ns = round(seconds * 10**9)
    shown = f"{duration_ns // 10**9}.{duration_ns % 10**9:09d}".rstrip("0").rstrip(".")
    record = {
        "program": "sleep", "path": "", "argv": [shown], "env": [], "cwd": "", "umask": 0,
        "descriptors": {}, "stdin": None, "unplanned": False,
    }  # fmt: skip
    with Lock(control):
        _write(f"{control}/{NOW}", clock_text(now_ns(control) + duration_ns))
        _append(f"{control}/{CALLS}", ascii(record).encode("ascii") + b"\n")


def _exit_with(program: str, control: str, run: Callable[[], int]) -> NoReturn:
    try:
        status = run()
    except UnplannedError as error:
        _append(f"{control}/{CRASHES}", _bytes(f"{program}: {error}\n"))
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
    plan = marshal.loads(_read(f"{control}/{PLAN}"))
    answers = plan["programs"].get(program, ())
    record["stdin"] = _stdin(
        record["descriptors"].get(0, "closed"),
        is_forwarded=_is_forwarded(answers, control, program, record["argv"]),
    )
    with Lock(control):
        counts: dict[str, dict[int, int]] = marshal.loads(_read(f"{control}/{COUNTS}") or NO_COUNTS)
        answered = counts.setdefault(program, {})
        index, behaviours = _choose(answers, answered, record["argv"])
        answered[index] = answered.get(index, 0) + 1
        _write(f"{control}/{COUNTS}", marshal.dumps(counts))
        record["unplanned"] = behaviours is None
        _append(f"{control}/{CALLS}", ascii(record).encode("ascii") + b"\n")
    if behaviours is None:
        return int(plan["unplanned_status"])
    call = Call(program, control, plan)
    status = 0
    for name, arguments in behaviours:
        behaviour = next(getattr(module, name) for module in modules if hasattr(module, name))
        status = behaviour(call, **arguments)
        if not isinstance(status, int):
            raise TypeError(f"the behaviour {name} returned {status!r}, not an exit status")
    return status


def _choose(
    answers: Any, answered: dict[int, int], argv: list[str]
) -> tuple[int, list[tuple[str, dict[str, Any]]] | None]:
    """Return the index and the behaviours of the first matching answer that is left.

    `answers` are tuples of a pattern, the behaviours of each planned call, and those of all further
    calls or None. `answered` maps the index of an answer to the number of calls that had it.
    """
    for index, (pattern, queue, always) in enumerate(answers):
        number = answered.get(index, 0)
        behaviours = queue[number] if number < len(queue) else always
        if behaviours is not None and fits(pattern, argv):
            return index, behaviours
    return UNPLANNED, None


def _is_forwarded(answers: Any, control: str, program: str, argv: list[str]) -> bool:
    """Return whether the next call with these arguments runs the real program."""
    planned = [call for _, queue, always in answers for call in (*queue, always or ())]
    if not any(name == FORWARDS for call in planned for name, _ in call):
        return False
    with Lock(control):
        counts = marshal.loads(_read(f"{control}/{COUNTS}") or NO_COUNTS)
    _, behaviours = _choose(answers, counts.get(program, {}), argv)
    return any(name == FORWARDS for name, _ in behaviours or ())


def fits(pattern: Sequence[str | tuple[str, int] | None], argv: Sequence[str]) -> bool:
    """Return whether the arguments match a pattern.

    A string matches itself. A regular expression, with its flags, must match a whole argument. None
    matches any number of arguments.
    """
    if not pattern:
        return not argv
    first, *rest = pattern
    if first is None:
        return any(fits(rest, argv[start:]) for start in range(len(argv) + 1))
    if not argv:
        return False
    if isinstance(first, str):
        return first == argv[0] and fits(rest, argv[1:])
    import re

    return re.fullmatch(first[0], argv[0], first[1]) is not None and fits(rest, argv[1:])


def _print(descriptor: int, data: bytes) -> None:
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        pass  # closed, or without a reader


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


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


def _stdin(descriptor: str, *, is_forwarded: bool) -> bytes | None:
    """Read stdin to its end. Return None if it cannot be read, or does not end.

    A forwarded call's stdin is left to the real program: a file is rewound, a pipe is not read.
    """
    if descriptor == "closed" or descriptor.startswith("terminal"):
        return None
    if descriptor.startswith(("pipe", "socket")):
        if is_forwarded:
            return None
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
        start = os.lseek(0, 0, os.SEEK_CUR) if is_forwarded else 0
        data = b"".join(iter(lambda: os.read(0, 65536), b""))
        if is_forwarded:
            os.lseek(0, start, os.SEEK_SET)
    except OSError:
        return None
    return data


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
