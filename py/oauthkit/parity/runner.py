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

from oauthkit.parity import fork_server, namespaces, preload, recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oauthkit.parity.world import World

# For processes that end just after the form, such as the last one of a pipeline.
LEFTOVER_GRACE_S = 2.0
POLL_S = 0.01
STREAMS = ("stdin", "stdout", "stderr")
STDIN_TEXT = b"This is the stdin of whoever started the form.\n"


@dataclass(frozen=True)
class Form:
    """One of two programs that must behave alike.

    `argv` returns the command that starts it in a world. Its first word is an absolute path.
    `own_command` is the command with which it schedules itself, if it does. `files` are its own
    files: names in the world, and the files that are copied there. Their content is compared only
    if the form changes it. `preload` is a file of imports for a Python form, which then starts
    faster: see docs/parity.md.
    """

    name: str
    argv: Callable[[World], list[str]]
    own_command: Callable[[World], list[str]] = lambda _world: []
    files: Mapping[str, Path] = field(default_factory=dict, hash=False)
    preload: Path | None = None


@dataclass(frozen=True)
class Settings:
    """The options for starting a form. It inherits nothing from the test runner's environment."""

    env: Mapping[str, str]
    cwd: Path
    umask: int = 0o022
    limit_s: float = 30.0
    stdin: bytes = STDIN_TEXT
    terminal: bool = False


@dataclass
class Finished:
    """The result of a run. `problems` are those of the run itself."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    problems: list[str] = field(default_factory=list)


class Started:
    """A running form. `wait` returns its result.

    `mounted` is the directory of its world, if the form sees it at another path (see fork_server).
    `name` distinguishes its streams from those of others in the same world.
    """

    def __init__(
        self,
        form: Form,
        world: World,
        args: Sequence[str],
        settings: Settings,
        *,
        name: str = "",
        mounted: Path | None = None,
    ) -> None:
        self._limit_s = settings.limit_s
        self._world = world
        self._control = world.control if mounted is None else mounted / world.control.name
        self._finished: Finished | None = None
        self._readers: list[threading.Thread] = []
        self._chunks: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._streams = {s: self._control / f"{name}{s}" for s in STREAMS}
        self._streams["stdin"].write_bytes(settings.stdin)
        argv, env = [*form.argv(world), *args], dict(settings.env)
        how: dict[str, Any] = {
            "mounted": b"" if mounted is None else os.fsencode(mounted),
            "root": os.fsencode(world.root),
            "streams": []
            if settings.terminal
            else [os.fsencode(world.control / f"{name}{stream}") for stream in STREAMS],
            "cwd": os.fsencode(settings.cwd),
            "umask": settings.umask,
            "has_overrides": False,
        }
        is_fork = not settings.terminal and form.preload and preload.is_possible(argv, env)
        with ExitStack() as stack:
            stdin = stack.enter_context(self._streams["stdin"].open("rb"))
            stdout, stderr = (
                stack.enter_context(self._open(stream, settings.terminal))
                for stream in ("stdout", "stderr")
            )
            self._process: _Process | preload.Fork
            if form.preload is not None and is_fork:
                self._process = preload.server(form.preload, env).start(argv, env, how)
            else:
                self._process = _Process(argv, env, (stdin, stdout, stderr), how)
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
        while (exit_code := self._process.poll(POLL_S)) is None:
            if time.monotonic() > self._deadline_s and not problems:
                problems.append(
                    f"did not finish within {self._limit_s:g} s and was killed; still running:"
                    f"{_lines(processes(self._world, self._control))}"
                )
                kill_all(self._world, self._control)
        for reader in self._readers:
            reader.join(LEFTOVER_GRACE_S)
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


class _Process:
    """A form that is started by exec."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        streams: tuple[BinaryIO, BinaryIO, BinaryIO],
        how: dict[str, Any],
    ) -> None:
        # Imported here, because the pytest plugin can be installed without it.
        import sh  # noqa: PLC0415

        argv = [*_without_root_override(), *argv]
        stdin, stdout, stderr = streams
        self._process = sh.Command(argv[0])(
            *(os.fsencode(argument).decode("latin-1") for argument in argv[1:]),
            _encoding="latin-1",  # arguments are bytes; latin-1 can encode every byte
            _bg=True,
            _bg_exc=False,
            _new_session=True,
            _in=stdin,
            _out=stdout,
            _err=stderr,
            _env=dict(env),
            _cwd="/",
            _ok_code=[*range(-signal.NSIG, 256)],
            _preexec_fn=lambda: fork_server.prepare(how),
        )
        self.pid: int = self._process.pid

    def poll(self, timeout_s: float) -> int | None:
        """Return the exit status, or None if it still runs after this time."""
        # sh's own wait() returns up to 0.1 s late, and only waits for the form's process.
        if self._process.is_alive():
            time.sleep(timeout_s)
            return None
        exit_code: int | None = self._process.process.exit_code
        return exit_code


def end(world: World, control: Path | None = None) -> list[str]:
    """End every process of the sandbox, and return a problem that lists the unplanned ones.

    The planned ones are ended first, because others may wait for them, such as a reader of their
    output. `control` distinguishes two sandboxes at the same path: only processes that see this
    directory at that path are ended.
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
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - each run ends with this
        # The kit's own process is never marked.
        if mark in _environment(pid) and (
            control is None or control == world.control or namespaces.sees(pid, world, control)
        ):
            command = (_proc(pid, "cmdline") or b"").replace(b"\0", b" ").strip()
            found[int(pid)] = os.fsdecode(command)
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


def _environment(pid: str) -> bytes:
    """Return a process's environment: nothing for a zombie, or for another user's process.

    During an exec, /proc shows no environment. Its addresses in stat (proc_pid_stat(5)) tell this
    from an empty environment, whose start is its end.
    """
    while not (environment := _proc(pid, "environ")):
        if environment is None:
            return b""
        fields = (_proc(pid, "stat") or b"").rpartition(b")")[2].split()
        if not fields:
            return b""
        memory, start, end = (fields[number - 3] for number in (23, 50, 51))
        if memory == b"0" or start == end != b"0":
            return b""
    return environment


def _proc(pid: str, name: str) -> bytes | None:
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return file.read()
    except OSError:
        return None  # it has exited, or belongs to another user


def _lines(found: Mapping[int, str]) -> str:
    return "".join(f"\n    {pid}: {text}" for pid, text in sorted(found.items())) or " nothing"


def _read_all(descriptor: int, chunks: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # the last process that had the terminal open has exited
    finally:
        os.close(descriptor)


def _without_root_override() -> list[str]:
    """Return a command that drops the capabilities with which root ignores file modes."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FileNotFoundError(
            "setpriv not found in PATH. To run the forms as root, install util-linux"
        )
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
