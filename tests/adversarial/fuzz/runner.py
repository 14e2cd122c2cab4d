"""Run a case in both forms and compare the outcomes, at about 40 worlds per second."""

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.adversarial.fuzz import answers
from tests.adversarial.fuzz.answers import REPLY, REQUEST, Asked
from tests.adversarial.fuzz.case import BIN, HOME, PROJECT, ROOT
from tests.support.refresh.differences import ALLOWED
from tests.support.refresh.world import FORMS, SCRIPT, SCRIPT_PLACE, TOOLS

from oauthkit.parity import Allowed, Outcome, UnplannedError, World
from oauthkit.parity.clock import write_frozen_clock
from oauthkit.parity.compare import compare, own_command_problems
from oauthkit.parity.outcome import observe
from oauthkit.parity.report import report
from oauthkit.parity.runner import STDIN_TEXT, Finished
from oauthkit.parity.world import UNTOUCHED_NS, put_directory, put_file, put_symlink, remove, walk

if TYPE_CHECKING:
    from tests.adversarial.fuzz.case import Act, Case, Item

    from oauthkit.parity import Call, Form

BASH, PYTHON = FORMS
WARM = Path(__file__).with_name("warm.py")
LIMIT_S = 90.0
HANG_S = 20.0  # a form ends claude 5 s after it has renewed the token
# How long another run holds the login's lock after the form has opened the directory to lock it.
# The Python form tries to take the lock every 0.05 s.
HOLD_S = 0.1
REAL = {name: Path(found) for name in (*TOOLS, "jq") if (found := shutil.which(name))}
# Relative directories that contain no programs. The forms look up programs with / as their working
# directory.
HARMLESS = ("", "no-such", "no-such-directory", "~/bin", "./no-such-directory")


# bash sets these itself, so its children may not get the caller's values. A difference is allowed
# only if the caller has set them.
BASH_VARIABLES = frozenset({
    "BASHPID", "BASH_COMMAND", "BASH_REMATCH", "BASH_SOURCE", "EPOCHREALTIME", "EPOCHSECONDS",
    "FUNCNAME", "IFS", "LINENO", "PS4", "RANDOM", "SECONDS",
})  # fmt: skip


class UnsafeCaseError(ValueError):
    """A case that could have effects outside its sandbox."""


class CachedWorld(World):
    """A world that caches its paths, because they are needed for each entry of its tree."""

    @cached_property
    def control(self) -> Path:
        """Return the kit's own files."""
        return self.root / "control"


class Runner:
    """Runs cases one after another, always at the same path in `directory`.

    `script` is the bash form. `package` is a directory with another `oauthkit` for the Python form.
    After `difference`, `directory` contains the worlds of both forms, under their names.
    """

    def __init__(self, directory: Path, script: Path = SCRIPT, package: Path | None = None) -> None:
        self._directory = directory.resolve()
        self._script = script.read_bytes()
        self._package = package
        self._request = b""
        argv = [sys.executable, str(WARM)]
        if package is not None:
            argv.append(str(package / "oauthkit"))
        self._server = subprocess.Popen(
            [*_without_root_override(), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # select would not see buffered data
            env={"LANG": "C.UTF-8", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the process that starts the forms."""
        if self._server.stdin:
            self._server.stdin.close()
        self._server.wait()
        if self._server.stdout:
            self._server.stdout.close()

    def run_bash(self, case: Case) -> Outcome:
        """Return the outcome of the bash form."""
        return self._run(case, BASH, "bash")

    def run_python(self, case: Case) -> Outcome:
        """Return the outcome of the preloaded Python form."""
        return self._run(case, PYTHON, "python", warm=True)

    def run_cold(self, case: Case) -> Outcome:
        """Return the outcome of the Python form, started as users start it."""
        return self._run(case, PYTHON, "cold")

    def difference(self, case: Case) -> str:
        """Return the kit's report of how the forms differ, or ""."""
        return self.compared(case, self.run_bash(case), self.run_python(case))

    def compared(self, case: Case, *outcomes: Outcome) -> str:
        """Return how these outcomes of a case differ, or ""."""
        first, *others = outcomes
        allowed = (*ALLOWED, *_own_variables(case))
        differences = [d for other in others for d in compare(first, other, allowed)]
        kept = [self._kept(name) for name in ("bash", "python")]
        return report(outcomes, differences, kept)

    def _kept(self, name: str) -> Path:
        return self._directory / name

    # --- One run ---

    def _run(self, case: Case, form: Form, name: str, *, warm: bool = False) -> Outcome:
        world = CachedWorld(self._directory / "world", case.project, case.home)
        sandbox = Sandbox(world, case, self._script)
        for directory in (world.root, self._kept(name)):
            _wipe(directory)
        sandbox.build()
        env = sandbox.env(self._package)
        before = _aged(world)
        argv = [*form.argv(world), *case.arguments]
        request = {
            "warm": warm,
            "argv": [os.fsencode(word) for word in argv],
            "arguments": argv[3:],
            "env": env,
            "cwd": os.fsencode(sandbox.resolve(case.cwd)),
            "umask": case.umask,
            "now_s": case.now_s,
            "limit_s": LIMIT_S,
            "streams": [str(world.control / stream) for stream in ("stdin", "stdout", "stderr")],
            "descriptors": list(case.descriptors),
            "closed": list(case.closed),
            "mounts": sandbox.mounts,
        }
        service = Service(sandbox)
        other_run = OtherRun(sandbox)
        try:
            self._send(request)
            service.form = self._receive()
            self._serve_until_exit(service, other_run)
            status, problems = self._receive()
        finally:
            service.close()
            other_run.close()
        stdout, stderr = ((world.control / name).read_bytes() for name in ("stdout", "stderr"))
        outcome = observe(form, world, Finished(status, stdout, stderr, problems), before, ())
        outcome.calls = service.calls
        outcome.state = service.state
        outcome.problems += service.problems
        outcome.problems += own_command_problems(outcome, ALLOWED, [form])
        world.root.rename(self._kept(name))
        return outcome

    def _serve_until_exit(self, service: Service, other_run: OtherRun) -> None:
        server = self._server.stdout
        assert server is not None
        while True:
            pause_s = HOLD_S / 20 if other_run.holds_lock else HANG_S / 4
            ready, _, _ = select.select([server.fileno(), service.request], [], [], pause_s)
            service.end_hanging()
            other_run.end_if_awaited(service.form)
            if service.request in ready:
                service.serve()
            elif ready:
                return

    def _send(self, message: Any) -> None:
        data = marshal.dumps(message)
        pipe = self._server.stdin
        assert pipe is not None
        pipe.write(struct.pack("<I", len(data)) + data)
        pipe.flush()

    def _receive(self) -> Any:
        size = struct.unpack("<I", self._read(4))[0]
        return marshal.loads(self._read(size))  # noqa: S302

    def _read(self, size: int) -> bytes:
        pipe = self._server.stdout
        assert pipe is not None
        data = b""
        while len(data) < size:
            chunk = pipe.read(size - len(data))
            if not chunk:
                raise RuntimeError("the process that starts the forms has exited")
            data += chunk
        return data


class Service:
    """Answers the stand-ins of one run, and records their calls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._case = sandbox.case
        self._acts = list(sandbox.case.acts)
        self._rest = b""
        control = sandbox.world.control
        self._reply = control / REPLY
        self._used_reply = control / f"{REPLY}-used"
        for fifo in (control / REQUEST, self._reply):
            os.mkfifo(fifo)
        self.request = os.open(control / REQUEST, os.O_RDWR | os.O_NONBLOCK)
        self._hanging: dict[int, float] = {}  # when to end the process of a pidfd, in seconds
        self.form = 0  # its process id
        self.calls: list[Call] = []
        self.problems: list[str] = []
        self.state = answers.units(sandbox.case.units)

    def close(self) -> None:
        """Stop accepting requests."""
        os.close(self.request)
        for process in self._hanging:
            os.close(process)

    def serve(self) -> None:
        """Answer all waiting stand-ins."""
        *lines, self._rest = (self._rest + os.read(self.request, 4096)).split(b"\n")
        for line in lines:
            pid = int(line)
            try:
                call = answers.inspect(pid)
                self.calls.append(call)
                text = self._answer(call)
                if text:
                    self._send(pid, text)
                else:
                    self._new_reply()
                    self._hanging[os.pidfd_open(pid)] = time.monotonic() + HANG_S
            except (ProcessLookupError, FileNotFoundError, answers.StuckError) as error:
                self.problems.append(f"a stand-in did not wait for its answer: {error}")

    def end_hanging(self) -> None:
        """End the stand-ins that have run for HANG_S."""
        for process, end_s in list(self._hanging.items()):
            if time.monotonic() >= end_s:
                del self._hanging[process]
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGTERM)
                os.close(process)

    def _answer(self, call: Call) -> bytes:
        """Return the answer. It is empty if the stand-in hangs."""
        asked = Asked(call, self._case.now_s, self.state)
        act = self._next_act(call.program)
        try:
            if act is not None and act.kills:
                os.kill(self.form, signal.SIGKILL)
                return answers.reply(exit_status=1)
            if act is not None and not act.model:
                self._sandbox.change_credentials(act)
                if act.hangs:
                    return b""
                return answers.reply(act.stdout, act.stderr, act.exit, act.signal)
            if call.program in answers.MODELS:
                reply = answers.modelled(asked)
                if act is not None:
                    self._sandbox.change_credentials(act)  # as another project's claude does
                return reply
        except UnplannedError as error:
            self.problems.append(f"unplanned use of a stand-in: {call.program}: {error}")
            return answers.unplanned()
        if call.program in answers.PLANNED:
            return answers.reply(answers.ANSWER)
        return answers.pass_on(call.program)

    def _next_act(self, program: str) -> Act | None:
        for number, act in enumerate(self._acts):
            if act.program == program:
                return self._acts.pop(number)
        return None

    def _new_reply(self) -> None:
        """Give the next stand-in a new FIFO: it must not read the answer to an earlier one."""
        self._reply.rename(self._used_reply)
        os.mkfifo(self._reply)

    def _send(self, pid: int, text: bytes) -> None:
        self._new_reply()
        descriptor = -1
        while descriptor < 0:
            try:
                descriptor = os.open(self._used_reply, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                os.kill(pid, 0)  # ProcessLookupError if it will never read
                time.sleep(0.0001)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
        with os.fdopen(descriptor, "wb", buffering=0) as pipe, suppress(BrokenPipeError):
            pipe.write(text)


class OtherRun:
    """Another project's run, if the case has one.

    It holds the login's lock until the form waits for it.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._directory = -1
        self._end_s = float("inf")
        if sandbox.case.other_run:
            # In some worlds the directory does not exist. Then the form does not lock it either.
            with suppress(OSError):
                self._directory = os.open(
                    sandbox.path(sandbox.case.credentials).parent, os.O_RDONLY | os.O_DIRECTORY
                )
                fcntl.flock(self._directory, fcntl.LOCK_EX)

    @property
    def holds_lock(self) -> bool:
        """Return whether the run still holds the lock."""
        return self._directory >= 0

    def end_if_awaited(self, form: int) -> None:
        """Change the credentials and release the lock HOLD_S after the form opened the directory.

        A form that does not wait reads the credentials before they change.
        """
        if not self.holds_lock:
            return
        now_s = time.monotonic()
        if self._end_s == float("inf") and self._has_opened_directory(form):
            self._end_s = now_s + HOLD_S
        if now_s >= self._end_s:
            self._sandbox.change_credentials(*self._sandbox.case.other_run)
            self.close()

    def close(self) -> None:
        """Release the lock."""
        if self.holds_lock:
            os.close(self._directory)
            self._directory = -1

    def _has_opened_directory(self, form: int) -> bool:
        status = os.fstat(self._directory)
        with suppress(OSError):  # a form that has exited
            for descriptor in Path(f"/proc/{form}/fd").iterdir():
                with suppress(FileNotFoundError):
                    if os.path.samestat(descriptor.stat(), status):
                        return True
        return False


class Sandbox:
    """The world of a case before a run. Raises UnsafeCaseError if a path leads out of it."""

    def __init__(self, world: World, case: Case, script: bytes) -> None:
        self.world = world
        self.case = case
        self._script = script
        self.mounts: list[bytes] = []
        self._places = {
            ROOT: str(world.root),
            PROJECT: str(world.project),
            HOME: str(world.home),
            BIN: str(world.bin),
        }

    def resolve(self, text: str) -> str:
        """Replace the placeholders in a text with this sandbox's directories."""
        for name, path in self._places.items():
            text = text.replace(name, path)
        return text

    def path(self, place: str) -> Path:
        """Return the path in the sandbox for `place`, which can contain placeholders."""
        path = Path(os.path.normpath(self.resolve(place)))
        if not path.is_relative_to(self.world.root):
            raise UnsafeCaseError(f"{place} is outside of the sandbox")
        return path

    def build(self) -> None:
        """Create the world."""
        case, world = self.case, self.world
        self.path(case.cwd)
        world.make({name: REAL[name] for name in TOOLS if name in REAL})
        stand_in = answers.program_text(world.control)
        for name in answers.MODELS:
            if name == "jq" and case.real_jq:
                put_symlink(world.bin / name, str(REAL[name]))
            else:
                put_file(world.bin / name, stand_in, 0o755)
        put_file(world.project / SCRIPT_PLACE, self._script, 0o755)
        for item in case.items:
            self._put(item, stand_in)
        (world.control / "stdin").write_bytes(STDIN_TEXT)
        for stream in ("stdout", "stderr"):
            (world.control / stream).touch()

    def _put(self, item: Item, stand_in: bytes) -> None:
        path = self.path(item.place)
        if item.kind == "file":
            put_file(path, item.content, item.mode)
        elif item.kind == "text":
            content = self.resolve(item.content.decode("utf-8", "surrogateescape"))
            put_file(path, os.fsencode(content), item.mode)
        elif item.kind == "directory":
            put_directory(path, item.mode)
        elif item.kind == "symlink":
            put_symlink(path, self.resolve(item.target))
        elif item.kind == "program":
            put_file(path, stand_in, item.mode)
        elif item.kind == "mount":
            self.mounts.append(os.fsencode(path))
        elif item.kind == "missing":
            remove(path)
        else:
            raise ValueError(f"unknown kind of item: {item.kind}")

    def env(self, package: Path | None) -> dict[bytes, bytes]:
        """Return a run's environment. It inherits nothing from this process."""
        world = self.world
        env: dict[str, str | None] = {
            "HOME": str(world.home),
            "LANG": "C.UTF-8",
            "PATH": str(world.bin),
            "TZ": "UTC",
            "XDG_RUNTIME_DIR": str(world.runtime),
        }
        for name, value in self.case.env:
            env[name] = None if value is None else self.resolve(value)
        if env["PATH"] is None:
            raise UnsafeCaseError("without PATH, the forms would find this machine's programs")
        for directory in env["PATH"].split(":"):
            if directory not in HARMLESS:
                self.path(directory)
        env.update(write_frozen_clock(world.control, self.case.now_s))
        if package is not None:
            env["PYTHONPATH"] = f"{env['PYTHONPATH']}:{package}"
        return {os.fsencode(k): os.fsencode(v) for k, v in env.items() if v is not None}

    def change_credentials(self, act: Act) -> None:
        """Change the credentials as `act` describes."""
        path = self.path(self.case.credentials)
        with suppress(OSError):
            if act.removes:
                path.unlink()
            if act.credentials is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_bytes(act.credentials)


def _own_variables(case: Case) -> list[Allowed]:
    """Allow differences in variables that bash sets itself, if the caller exports them."""
    names = BASH_VARIABLES & {name for name, _ in case.env}
    return [Allowed("bash passes on its own value", variables=names)] if names else []


def _without_root_override() -> list[str]:
    """Return a wrapper that drops root's right to ignore file modes, as the kit does."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def _aged(world: World) -> dict[str, int]:
    """Combine the kit's `age` and `inodes` in one walk."""
    found = {}
    for entry in walk(world):
        if not entry.is_symlink():
            os.utime(entry, ns=(UNTOUCHED_NS, UNTOUCHED_NS), follow_symlinks=False)
            if entry.is_file(follow_symlinks=False):
                found[entry.path] = entry.inode()
    return found


def _wipe(directory: Path) -> None:
    if not directory.exists():
        return
    try:
        shutil.rmtree(directory)
    except PermissionError:
        for found, _, _ in os.walk(directory):
            Path(found).chmod(0o700)
        shutil.rmtree(directory)
