"""Run one form in its sandbox with a time limit, and end all processes that it leaves behind."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import threading
import time
import tty
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from oauthkit.parity import recorder, twins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oauthkit.parity.world import World

# For processes that end just after the form, such as the last one of a pipeline.
LEFTOVER_GRACE_S = 2.0
POLL_S = 0.002
STREAMS = ("stdin", "stdout", "stderr")
STDIN_TEXT = b"This is the stdin of whoever started the form.\n"


@dataclass(frozen=True)
class Form:
    """One of two programs that must behave alike.

    `argv` returns the command that starts it in a world. Its first word is an absolute path.
    `own_command` is the command with which it schedules itself, if it does.
    """

    name: str
    argv: Callable[[World], list[str]]
    own_command: Callable[[World], list[str]] = lambda _world: []


@dataclass(frozen=True)
class Settings:
    """How a form is started. Nothing is inherited from the test runner's environment."""

    env: Mapping[str, str]
    cwd: Path
    umask: int = 0o022
    limit_s: float = 30.0
    stdin: bytes = STDIN_TEXT
    terminal: bool = False


@dataclass
class Finished:
    """How a run ended. `problems` are those of the run itself."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    problems: list[str] = field(default_factory=list)


class Started:
    """A form that is running. `wait` returns how it ended.

    `twin` is the directory of its world, if the form finds it elsewhere: see twins.enter. `name`
    distinguishes its streams from those of others in the same world.
    """

    def __init__(
        self,
        form: Form,
        world: World,
        args: Sequence[str],
        settings: Settings,
        *,
        name: str = "",
        twin: Path | None = None,
    ) -> None:
        # Imported here, because the pytest plugin can be installed without it.
        import sh  # noqa: PLC0415

        self._limit_s = settings.limit_s
        self._world = world
        self._control = world.control if twin is None else twin / world.control.name
        self._finished: Finished | None = None
        self._readers: list[threading.Thread] = []
        self._chunks: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._streams = {s: self._control / f"{name}{s}" for s in STREAMS}
        self._streams["stdin"].write_bytes(settings.stdin)
        argv = [*_without_root_override(), *form.argv(world), *args]
        with ExitStack() as stack:
            stdin = stack.enter_context(self._streams["stdin"].open("rb"))
            stdout, stderr = (
                stack.enter_context(self._open(stream, settings.terminal))
                for stream in ("stdout", "stderr")
            )
            self._process = sh.Command(argv[0])(
                *(os.fsencode(argument).decode("latin-1") for argument in argv[1:]),
                _encoding="latin-1",  # arguments are bytes; latin-1 can encode every byte
                _bg=True,
                _bg_exc=False,
                _new_session=True,
                _in=stdin,
                _out=stdout,
                _err=stderr,
                _env=dict(settings.env),
                _cwd="/",
                _ok_code=[*range(-signal.NSIG, 256)],
                _preexec_fn=_preparation(world, settings, name, twin),
            )
        self.pid: int = self._process.pid
        self._deadline_s = time.monotonic() + settings.limit_s

    def send(self, number: int) -> None:
        """Send a signal to the form itself, not to its children."""
        os.kill(self.pid, number)

    def wait(self) -> Finished:
        """Wait for the form itself. Processes that it left behind may still be running."""
        self._finished = self._finished or self._wait()
        return self._finished

    def _wait(self) -> Finished:
        problems: list[str] = []
        # sh's own wait() returns up to 0.1 s late, and only waits for the form's process.
        while self._process.is_alive():
            if time.monotonic() > self._deadline_s and not problems:
                problems.append(
                    f"did not end within {self._limit_s:g} s and was killed; still running:"
                    f"{_lines(processes(self._world, self._control))}"
                )
                kill_all(self._world, self._control)
            time.sleep(POLL_S)
        for reader in self._readers:
            reader.join(LEFTOVER_GRACE_S)
        exit_code = self._process.process.exit_code
        assert exit_code is not None  # noqa: S101 - it is not alive
        return Finished(exit_code, self._output("stdout"), self._output("stderr"), problems)

    def _open(self, stream: str, terminal: bool) -> BinaryIO:
        if not terminal:
            self._streams[stream].unlink(missing_ok=True)
            return self._streams[stream].open("ab")
        parent, child = pty.openpty()
        tty.setraw(child)  # otherwise, a newline would become CR LF
        reader = threading.Thread(target=_read_all, args=(parent, self._chunks[stream]))
        reader.daemon = True
        reader.start()
        self._readers.append(reader)
        return os.fdopen(child, "wb", buffering=0)

    def _output(self, stream: str) -> bytes:
        if self._readers:
            return b"".join(self._chunks[stream])
        return self._streams[stream].read_bytes()

    def end_rest(self) -> list[str]:
        """End the form's remaining processes. Return the unplanned ones."""
        return end(self._world, self._control)


def end(world: World, control: Path | None = None) -> list[str]:
    """End every process of the sandbox, and return a problem that lists the unplanned ones.

    The planned ones are ended first, because others may wait for them, such as a reader of their
    output. `control` distinguishes two sandboxes at the same path: only processes that see this one
    there are ended.
    """
    for pid in _planned_children(control or world.control) & processes(world, control).keys():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline_s = time.monotonic() + LEFTOVER_GRACE_S
    while (left := processes(world, control)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    if left:
        kill_all(world, control)
    return [f"left processes behind:{_lines(left)}"] if left else []


def processes(world: World, control: Path | None = None) -> dict[int, str]:
    """Return the processes that have this sandbox in their environment: PID and command line."""
    mark = os.fsencode(world.control) + b"/"
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        # A zombie no longer has an environment. The kit's own process is never marked.
        if mark in _proc(process, "environ") and (
            control is None or control == world.control or twins.sees(process.name, world, control)
        ):
            command = _proc(process, "cmdline").replace(b"\0", b" ").strip()
            found[int(process.name)] = os.fsdecode(command)
    return found


def kill_all(world: World, control: Path | None = None) -> None:
    """Kill all processes of the sandbox, and wait until they have ended."""
    deadline_s = time.monotonic() + 10
    while (left := processes(world, control)) and time.monotonic() < deadline_s:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _planned_children(control: Path) -> set[int]:
    path = control / recorder.CHILDREN
    return {int(pid) for pid in path.read_text().split()} if path.exists() else set()


def _proc(process: Path, name: str) -> bytes:
    try:
        return (process / name).read_bytes()
    except OSError:
        return b""  # it has ended, or is another user's


def _lines(found: Mapping[int, str]) -> str:
    return "".join(f"\n    {pid}: {text}" for pid, text in sorted(found.items())) or " nothing"


def _preparation(
    world: World, settings: Settings, name: str, twin: Path | None
) -> Callable[[], Any]:
    def prepare() -> None:
        if twin is not None:
            twins.enter(twin, world)
            if not settings.terminal:
                _reopen_streams(world, name)
        os.chdir(settings.cwd)
        os.umask(settings.umask)
        # sh ignores SIGHUP for background processes. The caller may ignore others, as a shell does
        # for commands that it starts with &.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    return prepare


def _reopen_streams(world: World, name: str) -> None:
    """Reopen stdin, stdout and stderr by the paths that they have for the form."""
    for number, flags in enumerate((os.O_RDONLY, *[os.O_WRONLY | os.O_APPEND] * 2)):
        opened = os.open(world.control / f"{name}{STREAMS[number]}", flags)
        os.dup2(opened, number)
        os.close(opened)


def _read_all(descriptor: int, chunks: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # the last process that had the terminal open has ended
    finally:
        os.close(descriptor)


def _without_root_override() -> list[str]:
    """Return a command that drops the capabilities with which root ignores file modes."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FileNotFoundError(
            "setpriv not found in PATH. As root, install util-linux to run the forms"
        )
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
