"""The process that starts the forms: by exec, or with the Python form preloaded.

It reads requests from stdin and answers each twice on stdout: when the form has started (its
process id), and when it has ended. A message is its length, followed by marshalled data. Every form
is a fork of this process, in its own session. Processes that a form leaves behind become children
of this process.

A warm Python form is also such a fork. So is a program that a request names: a file that runs in
place of oauthkit's command line. Only plumbum and the standard library are preloaded. The child
repeats what these do with the environment at import. It imports oauthkit's modules as usual, from
code that was compiled in advance.
"""

from __future__ import annotations

import builtins
import ctypes
import gc
import importlib.abc
import importlib.util
import io
import locale
import marshal
import os
import select
import signal
import struct
import sys
import time
import traceback
import types
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbum import local
from plumbum.machines.local import LocalEnv, LocalMachine

if TYPE_CHECKING:
    from types import CodeType, ModuleType

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
GRACE_S = 2.0
# The exit status of a child that could not become a form. Forms never use it.
CRASH_STATUS = 98
MODULES = (
    "oauthkit", "oauthkit.cli", "oauthkit.program", "oauthkit.program.credentials",
    "oauthkit.program.delivery", "oauthkit.program.hooks", "oauthkit.program.command_output",
    "oauthkit.program.refresh", "oauthkit.program.schedule", "oauthkit.program.settings",
    "oauthkit.program.renewal", "oauthkit.program.lock_log", "oauthkit.program.start",
    "oauthkit.shell",
)  # fmt: skip
# Python's values for LC_CTYPE if the caller's locale is C (PEP 538).
COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
ENVIRONMENT = "/proc/self/environ"
# Signals that may be sent to the fuzzer's process group.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# Signals whose handling Python changes at startup. exec would pass on ignored ones.
CHANGED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)
FIRST_DESCRIPTOR, LAST_DESCRIPTOR = 3, 1 << 20


class Loader(SourceFileLoader):
    """Loads a module from compiled code."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, _fullname: str) -> CodeType:
        """Return the module's code."""
        return self._code


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the package under test."""

    def __init__(self, package: Path) -> None:
        self._loaders = {}
        for name in MODULES:
            place = package.joinpath(*name.split(".")[1:])
            path = str(place / "__init__.py" if place.is_dir() else place.with_suffix(".py"))
            # A module that does not compile is left to the child's import, which fails as usual.
            try:
                code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            self._loaders[name] = Loader(name, path, code)

    def find_spec(
        self, fullname: str, _path: object = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a known module."""
        loader = self._loaders.get(fullname)
        if loader is None:
            return None
        return importlib.util.spec_from_file_location(fullname, loader.path, loader=loader)


def main(package: str) -> None:
    """Serve requests until stdin ends. `package` is oauthkit's directory, or "" if installed."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if not package:
        spec = importlib.util.find_spec("oauthkit")
        assert spec is not None
        assert spec.origin is not None
        package = str(Path(spec.origin).parent)
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)
    finder = Finder(Path(package))
    _preload(finder)
    gc.collect()
    gc.freeze()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while (head := requests.read(4)) and len(head) == 4:
        request = marshal.loads(requests.read(struct.unpack("<I", head)[0]))  # noqa: S302
        pid = os.fork()
        if pid == 0:
            _become(request, package, finder)
        _send(answers, pid)
        _send(answers, _wait(pid, request["limit_s"]))


def _preload(finder: Finder) -> None:
    """Load what oauthkit imports, but not oauthkit itself."""
    sys.meta_path.insert(0, finder)
    try:
        for name in MODULES:
            importlib.import_module(name)
    except Exception:  # noqa: BLE001, S110 - a mutant's module, which fails in its child, too
        pass
    for name in [name for name in sys.modules if name.partition(".")[0] == "oauthkit"]:
        del sys.modules[name]
    sys.meta_path.remove(finder)


def _send(answers: Any, message: Any) -> None:
    data = marshal.dumps(message)
    answers.write(struct.pack("<I", len(data)) + data)
    answers.flush()


# --- The server's side ---


def _wait(pid: int, limit_s: float) -> tuple[int, list[str]]:
    """Return the form's exit status, and the problems if it did not end properly."""
    problems = []
    descriptor = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(0, 0)  # closed when the process that answers the stand-ins has ended
    events = dict(poll.poll(limit_s * 1000))
    if 0 in events:
        _end()
    if not events:
        running = "".join(f"\n    {line}" for line in _descendants().values())
        problems.append(
            f"did not finish within {limit_s:g} s and was killed; still running:{running}"
        )
        _kill()
    os.close(descriptor)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    deadline_s = time.monotonic() + GRACE_S
    while _has_children():
        if time.monotonic() > deadline_s:
            left = "".join(f"\n    {line}" for line in _descendants().values())
            problems.append(f"left processes behind:{left}")
            _kill()
            deadline_s = float("inf")
        time.sleep(0.0005)
    return status, problems


def _end(*_: object) -> None:
    """Kill all descendants, and exit."""
    while _has_children():
        _kill()
        time.sleep(0.001)
    os._exit(1)


def _has_children() -> bool:
    """Reap children. Return whether any are running."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> dict[int, str]:
    """Return the command lines of all running descendants by process id."""
    found: dict[int, str] = {}
    rest = [os.getpid()]
    while rest:
        parent = rest.pop()
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
            for child in map(int, children):
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
                found[child] = f"{child}: {command.decode('utf-8', 'backslashreplace').strip()}"
                rest.append(child)
        except OSError:
            continue  # it has exited
    return found


def _kill() -> None:
    for child in _descendants():
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue


# --- The child's side ---


def _become(request: dict[str, Any], package: str, finder: Finder) -> None:
    """Turn this fork into the requested form. Never return."""
    try:
        _prepare(request)
        if not request["warm"]:
            for number in CHANGED:
                signal.signal(number, signal.SIG_DFL)
            os.execve(request["argv"][0], request["argv"], request["env"])  # noqa: S606
        status = _run(request, package, finder)
    except BaseException:  # noqa: BLE001 - must not return to the server's loop
        traceback.print_exc()
        status = CRASH_STATUS
    os._exit(status)


def _prepare(request: dict[str, Any]) -> None:
    for ending in ENDING:
        signal.signal(ending, signal.SIG_DFL)
    os.setsid()
    if mounts := request.get("mounts"):
        _mount(mounts)
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    streams = zip(request["streams"], (os.O_RDONLY, *[os.O_WRONLY | os.O_APPEND] * 2), strict=True)
    for number, (path, flags) in enumerate(streams):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    os.closerange(FIRST_DESCRIPTOR, LAST_DESCRIPTOR)
    for number in request["descriptors"]:
        opened = os.open(request["streams"][0], os.O_RDONLY)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)
    for number in request["closed"]:
        os.close(number)


def _mount(files: list[bytes]) -> None:
    """Make files mount points for this process and its children, unless that is not permitted."""
    libc = ctypes.CDLL(None)
    # Without the second call, the mounts would also appear outside.
    private = MS_REC | MS_PRIVATE
    if libc.unshare(CLONE_NEWNS) == 0 and libc.mount(None, b"/", None, private, None) == 0:
        for file in files:
            libc.mount(file, file, None, MS_BIND, None)


def _run(request: dict[str, Any], package: str, finder: Finder) -> int:
    """Run the Python form as in its own process. Return the exit status."""
    _start_python(request["env"])
    now_s = request["now_s"]
    time.time = lambda: float(now_s)
    time.time_ns = lambda: now_s * 10**9
    program = request.get("program", "")
    sys.argv = [program or f"{package}/__main__.py", *request["arguments"]]
    sys.meta_path.insert(0, finder)
    try:
        if program:
            _run_program(program)
        else:
            from oauthkit.cli import main  # noqa: PLC0415

            main()
        status = 0
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:  # noqa: BLE001 - as the interpreter does at exit
        traceback.print_exc()
        status = 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        status = 120  # sys.exit: the interpreter could not flush
    return status & 0xFF


def _run_program(path: str) -> None:
    module = types.ModuleType("__main__")
    module.__dict__["__file__"] = path
    sys.modules["__main__"] = module
    exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _start_python(env: dict[bytes, bytes]) -> None:
    """Treat the environment and the descriptors as an interpreter does at startup."""
    os.environ.clear()
    os.environb.update(env)
    time.tzset()
    is_legacy = _set_locale(env)
    # As in create_stdio (pylifecycle.c), after Py_Initialize.
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, "surrogateescape" if is_legacy else "strict")
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    LocalMachine.env = LocalEnv()
    local.clear_program_cache()
    given = b"".join(name + b"=" + value + b"\0" for name, value in env.items())
    builtins.open = _open_with_environment(builtins.open, given)


def _set_locale(env: dict[bytes, bytes]) -> bool:
    """Set the locale as the interpreter does (PEP 538, 540). Return whether it was C."""
    try:
        locale.setlocale(locale.LC_CTYPE, "")
    except locale.Error:
        locale.setlocale(locale.LC_CTYPE, "C")
    name = locale.setlocale(locale.LC_CTYPE)
    if name not in ("C", "POSIX"):
        return name in COERCED
    if not env.get(b"LC_ALL") and env.get(b"PYTHONCOERCECLOCALE") != b"0":
        for target in COERCED:
            try:
                locale.setlocale(locale.LC_CTYPE, target)
            except locale.Error:
                continue
            os.environ["LC_CTYPE"] = target
            break
    return True


def _stream(number: int, errors: str) -> Any:
    try:
        os.fstat(number)
    except OSError:
        return None
    if number == 0:
        return open(0, encoding="utf-8", errors=errors, closefd=False)
    raw = open(number, "wb", closefd=False)  # noqa: SIM115
    is_line_buffered = number == 2 or os.isatty(number)
    return io.TextIOWrapper(
        raw,
        encoding="utf-8",
        errors="backslashreplace" if number == 2 else errors,
        line_buffering=is_line_buffered,
    )


def _open_with_environment(original: Any, given: bytes) -> Any:
    """Return an `open` that reads `given` in place of this process's initial environment."""

    def opens(file: Any, *args: Any, **kwargs: Any) -> Any:
        return io.BytesIO(given) if file == ENVIRONMENT else original(file, *args, **kwargs)

    return opens


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
