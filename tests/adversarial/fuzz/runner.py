"""Run a case in both forms and compare them: about 40 worlds per second."""

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import select
import shutil
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
from oauthkit.parity.world import UNTOUCHED_NS, put_file, put_folder, put_symlink, remove, walk

if TYPE_CHECKING:
    from tests.adversarial.fuzz.case import Act, Case, Item

    from oauthkit.parity import Call, Form

BASH, PYTHON = FORMS
WARM = Path(__file__).with_name("warm.py")
LIMIT_S = 90.0
REAL = {name: Path(found) for name in (*TOOLS, "jq") if (found := shutil.which(name))}
# Relative folders in which nothing is: the forms look for programs while they are in /.
HARMLESS = ("", "no-such-folder", "~/bin", "./no-such-folder")


# bash gives these values of its own, and so hands on others than the caller gave. Its children may
# differ in them only where the caller did that.
BASH_VARIABLES = frozenset({
    "BASHPID", "BASH_COMMAND", "BASH_REMATCH", "BASH_SOURCE", "EPOCHREALTIME", "EPOCHSECONDS",
    "FUNCNAME", "IFS", "LINENO", "PS4", "RANDOM", "SECONDS",
})  # fmt: skip


class UnsafeCaseError(ValueError):
    """A case that could reach beyond its sandbox."""


class Places(World):
    """A world that works out its places once: they are asked for at every entry of its tree."""

    @cached_property
    def control(self) -> Path:
        """The kit's own files."""
        return self.root / "control"


class Runner:
    """Runs cases one after another, at one fixed path in `folder`.

    `script` is the bash form; `package`, if given, a folder that holds another `oauthkit` for the
    Python form. After `difference`, the worlds of both forms are in `folder`, under their names.
    """

    def __init__(self, folder: Path, script: Path = SCRIPT, package: Path | None = None) -> None:
        self._folder = folder.resolve()
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
            bufsize=0,  # select would not see what a buffer holds already
            env={"LANG": "C.UTF-8", "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process that starts the forms."""
        if self._server.stdin:
            self._server.stdin.close()
        self._server.wait()
        if self._server.stdout:
            self._server.stdout.close()

    def run_bash(self, case: Case) -> Outcome:
        """What the bash form does."""
        return self._run(case, BASH, "bash")

    def run_python(self, case: Case) -> Outcome:
        """What the Python form does, started warm."""
        return self._run(case, PYTHON, "python", warm=True)

    def run_cold(self, case: Case) -> Outcome:
        """What the Python form does, started as its users start it."""
        return self._run(case, PYTHON, "cold")

    def difference(self, case: Case) -> str:
        """How the forms differ, as the kit reports it; "" if they do not."""
        return self.compared(case, self.run_bash(case), self.run_python(case))

    def compared(self, case: Case, *outcomes: Outcome) -> str:
        """How these outcomes of a case differ, "" if they do not."""
        first, *others = outcomes
        allowed = (*ALLOWED, *_own_variables(case))
        differences = [d for other in others for d in compare(first, other, allowed)]
        kept = [self._kept(name) for name in ("bash", "python")]
        return report(outcomes, differences, kept)

    def _kept(self, name: str) -> Path:
        return self._folder / name

    # --- One run ---

    def _run(self, case: Case, form: Form, name: str, *, warm: bool = False) -> Outcome:
        world = Places(self._folder / "world", case.project, case.home)
        sandbox = Sandbox(world, case, self._script)
        for folder in (world.root, self._kept(name)):
            _wipe(folder)
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
        }
        service = Service(sandbox)
        try:
            self._send(request)
            self._receive()
            self._answer_until_it_ends(service)
            status, problems = self._receive()
        finally:
            service.close()
        stdout, stderr = ((world.control / name).read_bytes() for name in ("stdout", "stderr"))
        outcome = observe(form, world, Finished(status, stdout, stderr, problems), before, ())
        outcome.calls = service.calls
        outcome.state = service.state
        outcome.problems += service.problems
        outcome.problems += own_command_problems(outcome, ALLOWED, [form])
        world.root.rename(self._kept(name))
        return outcome

    def _answer_until_it_ends(self, service: Service) -> None:
        server = self._server.stdout
        assert server is not None
        while True:
            ready, _, _ = select.select([server.fileno(), service.request], [], [])
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
                raise RuntimeError("the process that starts the forms has ended")
            data += chunk
        return data


class Service:
    """Answers the stand-ins of one run, and keeps what they were asked."""

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
        self.calls: list[Call] = []
        self.problems: list[str] = []
        self.state = answers.units(sandbox.case.units)

    def close(self) -> None:
        """Hears no more requests."""
        os.close(self.request)

    def serve(self) -> None:
        """Answers every stand-in that has asked."""
        *lines, self._rest = (self._rest + os.read(self.request, 4096)).split(b"\n")
        for line in lines:
            pid = int(line)
            try:
                call = answers.inspect(pid)
                self.calls.append(call)
                self._send(pid, self._answer(call))
            except (ProcessLookupError, FileNotFoundError, answers.StuckError) as error:
                self.problems.append(f"a stand-in did not wait for its answer: {error}")

    def _answer(self, call: Call) -> bytes:
        asked = Asked(call, self._case.now_s, self.state)
        act = self._next_act(call.program)
        try:
            if act is not None and not act.model:
                self._sandbox.change_credentials(act)
                return answers.reply(act.stdout, act.stderr, act.exit, act.signal)
            if call.program in answers.MODELS:
                return answers.modelled(asked)
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

    def _send(self, pid: int, text: bytes) -> None:
        # The next stand-in finds another FIFO: it must not come upon the end of this answer.
        self._reply.rename(self._used_reply)
        os.mkfifo(self._reply)
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


class Sandbox:
    """The world of a case, as it is before a run. UnsafeCaseError if it would not be closed."""

    def __init__(self, world: World, case: Case, script: bytes) -> None:
        self.world = world
        self.case = case
        self._script = script
        self._places = {
            ROOT: str(world.root),
            PROJECT: str(world.project),
            HOME: str(world.home),
            BIN: str(world.bin),
        }

    def resolve(self, text: str) -> str:
        """A text with the folders of this sandbox in it."""
        for name, path in self._places.items():
            text = text.replace(name, path)
        return text

    def path(self, place: str) -> Path:
        """A place in the sandbox."""
        path = Path(os.path.normpath(self.resolve(place)))
        if not path.is_relative_to(self.world.root):
            raise UnsafeCaseError(f"{place} is outside of the sandbox")
        return path

    def build(self) -> None:
        """Makes the world."""
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
        elif item.kind == "folder":
            put_folder(path, item.mode)
        elif item.kind == "symlink":
            put_symlink(path, self.resolve(item.target))
        elif item.kind == "program":
            put_file(path, stand_in, item.mode)
        elif item.kind == "missing":
            remove(path)
        else:
            raise ValueError(f"no kind of item: {item.kind}")

    def env(self, package: Path | None) -> dict[bytes, bytes]:
        """The environment of a run: nothing of it comes from this process."""
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
            raise UnsafeCaseError("without PATH, the programs of this machine would be found")
        for folder in env["PATH"].split(":"):
            if folder not in HARMLESS:
                self.path(folder)
        env.update(write_frozen_clock(world.control / "clock", self.case.now_s))
        if package is not None:
            env["PYTHONPATH"] = f"{env['PYTHONPATH']}:{package}"
        return {os.fsencode(k): os.fsencode(v) for k, v in env.items() if v is not None}

    def change_credentials(self, act: Act) -> None:
        """Does to the credentials what `act` says."""
        path = self.path(self.case.credentials)
        with suppress(OSError):
            if act.removes:
                path.unlink()
            if act.credentials is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_bytes(act.credentials)


def _own_variables(case: Case) -> list[Allowed]:
    """The difference that a caller makes who exports a variable which bash sets itself."""
    names = BASH_VARIABLES & {name for name, _ in case.env}
    return [Allowed("bash hands on what it makes of it", variables=names)] if names else []


def _without_root_override() -> list[str]:
    """As the kit does it: for root, a wrapper without what makes file modes meaningless to root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def _aged(world: World) -> dict[str, int]:
    """What `age` and `inodes` of the kit do, in one walk."""
    found = {}
    for entry in walk(world):
        if not entry.is_symlink():
            os.utime(entry, ns=(UNTOUCHED_NS, UNTOUCHED_NS), follow_symlinks=False)
            if entry.is_file(follow_symlinks=False):
                found[entry.path] = entry.inode()
    return found


def _wipe(folder: Path) -> None:
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except PermissionError:
        for found, _, _ in os.walk(folder):
            Path(found).chmod(0o700)
        shutil.rmtree(folder)
