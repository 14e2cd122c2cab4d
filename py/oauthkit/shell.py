"""The Python half of the runtime library: builtins, each with its bash half in shell.bash."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import io
import os
import re
import resource
import select
import signal
import stat
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn

from plumbum import LocalPath, local
from plumbum.commands.base import (
    AppendingStdoutRedirection,
    BaseCommand,
    BaseRedirection,
    BoundCommand,
    ConcreteCommand,
    Pipeline,
    StderrRedirection,
    StdinDataRedirection,
    StdinRedirection,
    StdoutRedirection,
)
from plumbum.commands.modifiers import ExecutionModifier
from plumbum.machines.local import LocalCommand

# An exit status: 0 is success, 128 + N death by signal N (bash(1), EXIT STATUS).
Status = int

# Read by the compiler: the descriptors that builtins hold open, which children must not inherit,
# and the variables in which bash keeps values between calls.
DESCRIPTORS = {"lock_directory": 6, "start_command": 7, "open_log": 8, "take_lock": 9}
STATE = ("_command", "_group", "_log_size", "_output", "_script", "_secrets", "_size")

# A shorter text is not masked: it could be a part of any word.
SHORTEST_SECRET = 12
# How much of a command's output finish_command returns.
OUTPUT_LIMIT_BYTES = 8192
FILE_LIMIT_BYTES = 256 * 1024
# Longer than any line of a command's output. Such a line must not be cut, because part of a secret
# would not be masked.
LINE_LIMIT_BYTES = 16384

_started: _Started  # the command of start_command
_group = 0  # its process group: -1 while it starts, 0 once it has been told to end
_log: int | None = None  # the descriptor that open_log holds
_log_size = 0
_lock: int | None = None  # the descriptor that take_lock holds
_directory: int | None = None  # the descriptor that lock_directory holds
_secrets: list[str] = []  # what mask_secrets masks besides Anthropic's tokens


# --- Commands ------------------------------------------------------------------------------------


class _Command(BaseCommand):
    """A command that can be called: `command(…)` ends the run if the command fails."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> str:
        """Run the command with this process's stderr. Return its stdout without NUL bytes."""
        command = self.bound_command(*arguments)
        _flush()
        status, output = _run(command, subprocess.PIPE, stderr=None)
        if status != 0:
            _fail(command, status)
        return _decode(output.replace(b"\0", b""))

    def bound_command(self, *arguments: Any) -> Any:
        """Return the command with more arguments."""
        if not arguments:
            return self
        if isinstance(self, BoundCommand):
            return _Bound(self.cmd, [*self.args, *arguments])
        return _Bound(self, arguments)

    def __or__(self, other: BaseCommand) -> Pipeline:
        return _Piped(self, other)

    def __gt__(self, file: Any) -> StdoutRedirection:
        return _To(self, file)

    def __rshift__(self, file: Any) -> AppendingStdoutRedirection:
        return _Appending(self, file)

    def __ge__(self, file: Any) -> StderrRedirection:
        return _Errors(self, file)

    def __lt__(self, file: Any) -> StdinRedirection:
        return _From(self, file)

    def __lshift__(self, data: Any) -> StdinDataRedirection:
        return _Given(self, data)


class _Bound(_Command, BoundCommand):
    __slots__ = ()


class _Piped(_Command, Pipeline):
    __slots__ = ()


class _To(_Command, StdoutRedirection):
    __slots__ = ()


class _Appending(_Command, AppendingStdoutRedirection):
    __slots__ = ()


class _Errors(_Command, StderrRedirection):
    __slots__ = ()


class _From(_Command, StdinRedirection):
    __slots__ = ()


class _Given(_Command, StdinDataRedirection):
    __slots__ = ()


class _Program(_Command, LocalCommand):
    """A command that is looked up when it runs, and whose nested commands are never quoted."""

    __slots__ = ()
    QUOTE_LEVEL = sys.maxsize


def program(name: str) -> ConcreteCommand:
    """Return the command `name`, which is looked up when it runs; `local[name]` looks it up now."""
    return _Program(name)


def _forget_coerced_locale() -> None:
    """Restore LC_CTYPE in local.env, which Python may have coerced at its start (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return
    given = [item.partition(b"=")[2] for item in variables if item.startswith(b"LC_CTYPE=")]
    if given:
        local.env["LC_CTYPE"] = os.fsdecode(given[0])
    elif "LC_CTYPE" in local.env:
        del local.env["LC_CTYPE"]


def _forget_functions() -> None:
    """Remove POSIXLY_CORRECT, and functions that bash has exported, from local.env.

    The script does the same. GNU programs then behave as their manuals say.
    """
    local.env.pop("POSIXLY_CORRECT", "")
    for name in [name for name, value in local.env.items() if value.startswith("() {")]:
        if name.startswith("BASH_FUNC_") and name.endswith("%%"):
            del local.env[name]


def _keep_bytes() -> None:
    """Make print write bytes that are not UTF-8 unchanged."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")


class _Stdin(io.TextIOWrapper):
    """Standard input as bash reads it: all bytes are kept, and a NUL byte ends the run."""

    def read(self, size: int | None = -1, /) -> str:
        """Return the rest of the input. End the run with status 1 if it has a NUL byte."""
        text = super().read(size)
        if "\0" in text:
            complain("standard input has a NUL byte, which is not supported. Remove it")
            sys.exit(1)
        return text


def _replace_stdin() -> None:
    """Replace sys.stdin with one that keeps all bytes and line ends. A closed stdin is empty."""
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    elif isinstance(sys.stdin, io.TextIOWrapper) and not isinstance(sys.stdin, _Stdin):
        sys.stdin = _Stdin(sys.stdin.buffer, "utf-8", "surrogateescape", newline="")


_forget_coerced_locale()
_forget_functions()
_keep_bytes()
_replace_stdin()
with contextlib.suppress(ValueError):  # raised outside the main thread
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, exit statuses are lost
if "PATH" not in local.env:
    local.env["PATH"] = os.defpath  # plumbum would search the working directory


@contextlib.contextmanager
def _plain_path() -> Iterator[dict[str, str]]:
    """Yield the unchanged PATH for a child.

    plumbum normalizes each entry whenever it starts a process, and keeps the result.
    """
    path = local.env.get("PATH")
    try:
        yield {} if path is None else {"PATH": path}
    finally:
        if path is not None:
            local.env["PATH"] = path


def _environment() -> dict[str, str]:
    """Return the environment for a child that plumbum does not start."""
    with _plain_path() as path:
        return {**local.env.getdict(), **path}


def _run(
    command: BaseCommand,
    stdout: int | None,
    stdin: int | None = subprocess.DEVNULL,
    stderr: int | None = subprocess.DEVNULL,
) -> tuple[Status, bytes]:
    """Run `command`. Return its exit status, numbered as in a shell, and its stdout.

    A pipeline's status is that of its last command that failed.
    """
    stages = _stages(command)
    stages[0], given = _without_input(stages[0])
    streams: dict[str, Any] = {"stdin": stdin if given is None else subprocess.PIPE}
    processes: list[Any] = []
    for number, stage in enumerate(stages, 1):
        streams |= {"stdout": stdout if number == len(stages) else subprocess.PIPE}
        process = _start(stage, {**streams, "stderr": stderr})
        if number > 1 and streams["stdin"] != subprocess.DEVNULL:
            streams["stdin"].close()  # so that SIGPIPE kills a command if the next one has ended
        # A command after one that did not start has an empty stdin.
        streams["stdin"] = subprocess.DEVNULL if isinstance(process, int) else process.stdout
        processes.append(process)
    output = b""
    if len(processes) > 1 and given is not None and not isinstance(processes[0], int):
        threading.Thread(target=_write, args=(processes[0].stdin, given), daemon=True).start()
        given = None
    if not isinstance(processes[-1], int):
        output = processes[-1].communicate(given)[0] or b""
    statuses = [p if isinstance(p, int) else _status_of(p) for p in processes]
    return next((status for status in reversed(statuses) if status != 0), 0), output


def _start(command: BaseCommand, streams: dict[str, Any]) -> Any:
    """Start a command. Return its process, or its exit status if that fails."""
    inner = command
    files = []
    while isinstance(inner, BaseRedirection):
        streams.pop(inner.KWARG, None)
        files.append((str(inner.file), os.O_RDONLY if inner.MODE == "r" else os.O_WRONLY))
        inner = inner.cmd
    try:
        with _plain_path() as path:
            return command.popen(env=path, **streams)
    except OSError as error:
        name = _program_name(inner)
        if error.filename != name or any(
            file == name and _cannot_be_opened(file, mode) for file, mode in files
        ):
            return 1  # a redirection failed
        return 127 if isinstance(error, FileNotFoundError) else 126


def _cannot_be_opened(file: str, mode: int) -> bool:
    try:
        os.close(os.open(file, mode | os.O_NONBLOCK))
    except OSError:
        return True
    return False


def _program_name(command: BaseCommand) -> str:
    """Return the program that a command starts, without the arguments: they may be secret."""
    while isinstance(command, (BaseRedirection, StdinDataRedirection)):
        command = command.cmd
    return command.formulate()[0]


def _status_of(process: Any) -> Status:
    status: int = process.wait()
    return status if status >= 0 else 128 - status


def _write(file: BinaryIO, data: bytes) -> None:
    """Write `data` to a pipe. Ignore errors: the command may end before it has read all."""
    with contextlib.suppress(OSError), file:
        file.write(data)


def _stages(command: BaseCommand) -> list[BaseCommand]:
    """Return a pipeline's commands. The first and last ones get the pipeline's redirections."""
    if isinstance(command, Pipeline):
        return [*_stages(command.srccmd), *_stages(command.dstcmd)]
    if isinstance(command, StdinDataRedirection):
        first, *others = _stages(command.cmd)
        return [_Given(first, command.data), *others]
    if isinstance(command, BaseRedirection):
        stages = _stages(command.cmd)
        for number in {"stdin": [0], "stdout": [-1]}.get(command.KWARG, range(len(stages))):
            stages[number] = type(command)(stages[number], command.file)
        return stages
    return [command]


def _without_input(command: BaseCommand) -> tuple[BaseCommand, bytes | None]:
    """Return `command` without `<<`, and the data after `<<`. plumbum would use a file."""
    if isinstance(command, StdinDataRedirection):
        data = command.data
        return command.cmd, _encode(data) if isinstance(data, str) else data
    if isinstance(command, BaseRedirection):
        inner, given = _without_input(command.cmd)
        return type(command)(inner, command.file), given
    return command, None


def _run_foreground(command: BaseCommand) -> Status:
    """Run `command` with the stdin, stdout and stderr of this process. Return its exit status.

    Ctrl-C sends SIGINT to both processes. The command may handle it, as an editor does. Only if
    SIGINT kills the command, end this process with SIGINT, too. bash does the same.
    """
    _flush()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return _run(command, None, None, None)[0]
    received: list[int] = []
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        status = _run(command, None, None, None)[0]
    finally:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if received and status == 128 + signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return status


def _flush() -> None:
    """Flush stdout, before a command writes to the same file."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _fail(command: BaseCommand, status: Status) -> NoReturn:
    """Print that `command` failed, and end the run with its exit status."""
    names = " | ".join(map(_program_name, _stages(command)))
    reason = {126: "cannot be executed", 127: "was not found"}.get(status, "")
    if reason != "":
        reason = f": it, or a program that it runs, {reason}"
    complain(f"{names} failed with exit status {status}{reason}")
    sys.exit(status)


class _FG(ExecutionModifier):
    """`command & FG`: run it with the stdin, stdout and stderr of this process.

    If it fails, end the run with its exit status, and print a message.
    """

    __slots__ = ()

    def __rand__(self, command: BaseCommand) -> None:
        status = _run_foreground(command)
        if status != 0:
            _fail(command, status)


class _RETCODE(ExecutionModifier):
    """`command & RETCODE`: run it without output. Return its exit status (127 if missing).

    `command & RETCODE(FG=True)` runs it with the stdin, stdout and stderr of this process.
    """

    __slots__ = ("FG",)

    def __init__(self, FG: bool = False) -> None:  # noqa: N803 # plumbum's name
        self.FG = FG

    def __rand__(self, command: BaseCommand) -> Status:
        return _run_foreground(command) if self.FG else _run(command, subprocess.DEVNULL)[0]


class _TF(_RETCODE):
    """`command & TF`: return whether the exit status is 0. TF(FG=True) is like RETCODE(FG=True)."""

    __slots__ = ()

    def __rand__(self, command: BaseCommand) -> bool:
        return super().__rand__(command) == 0


class _CAPTURE(ExecutionModifier):
    """`command & CAPTURE`: return its exit status and stdout, without NUL and final newlines."""

    __slots__ = ()

    def __rand__(self, command: BaseCommand) -> tuple[Status, str]:
        status, output = _run(command, subprocess.PIPE)
        return status, _decode(output.replace(b"\0", b"")).rstrip("\n")


FG = _FG()
RETCODE = _RETCODE()
TF = _TF()
CAPTURE = _CAPTURE()


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# --- Time ----------------------------------------------------------------------------------------


def now_ms() -> int:
    """Return the time in milliseconds since the epoch, with a resolution of 1 s."""
    return int(time.time()) * 1000


def _take_zone() -> None:
    """Apply local.env's TZ, which the program can set, to this process."""
    zone = local.env.get("TZ")
    if zone != os.environ.get("TZ"):
        if zone is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = zone
        time.tzset()


def timestamp(epoch_s: int) -> str:
    """Return the local time of `epoch_s` as `date -Iseconds` prints it."""
    _take_zone()
    text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(epoch_s))
    return f"{text[:-2]}:{text[-2:]}"


# --- Text ----------------------------------------------------------------------------------------


def parse_int(text: str) -> tuple[Status, int]:
    """Return status 0 and the integer in `text` (at most 15 digits), or status 1 and 0."""
    if re.fullmatch(r"-?[0-9]{1,15}", text) is None:
        return 1, 0
    return 0, int(text)


# The characters of a b64token (RFC 6750, section 2.1).
_TOKEN_CHARACTERS = (string.ascii_letters + string.digits + "._~+/=-").encode()


def is_b64token(text: str) -> bool:
    """Return whether `text` is a b64token, the syntax of bearer tokens (RFC 6750, section 2.1)."""
    return re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", text) is not None


def is_unit_name(text: str) -> bool:
    """Return whether systemd uses `text` unchanged as a unit's name (systemd.unit(5)).

    `text` is the name without its suffix. It must not contain @, and has at most 80 characters, so
    that there is room for the output of escape_unit and a suffix.
    """
    return re.fullmatch(r"(?![.-])[A-Za-z0-9:_.\\-]{1,80}", text) is not None


# UTF-8 (RFC 3629), loosely: a terminal replaces what it cannot decode.
_UTF8_PATTERN = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]|(" + _UTF8_PATTERN + rb")|[\x80-\x9f]")


def replace_controls(text: str, mark: str) -> str:
    """Replace each control character with `mark`: C0, DEL, and C1 in UTF-8 or as a single byte.

    In a terminal they could move the cursor or hide a line (ECMA-48).
    """
    shown = _encode(re.sub(r"[\x00-\x1f\x7f]", lambda _: mark, text))
    return _decode(_C1_CONTROL.sub(lambda found: found[1] or _encode(mark), shown))


def add_secret(text: str) -> None:
    """Mask `text` in mask_secrets and log from now on if it has at least 12 characters."""
    if len(text) >= SHORTEST_SECRET:
        _secrets.append(text)


def mask_secrets(text: str) -> str:
    """Replace each Anthropic token with sk-ant-***, and each added secret with ***."""
    text = re.sub(r"sk-ant-[A-Za-z0-9._~+/=-]*", "sk-ant-***", text)
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


# --- Files ---------------------------------------------------------------------------------------


def absolute(text: str) -> LocalPath:
    """Return `text` as an absolute path without `.`, `..` or repeated slashes; ~ is not expanded.

    End the run with status 1 if the working directory no longer exists.
    """
    whole = text
    if not text.startswith("/"):
        try:
            whole = os.path.join(os.getcwd(), text)
        except OSError:
            complain("the working directory no longer exists. Change to another directory")
            sys.exit(1)
    return LocalPath("/" + whole.lstrip("/"))


def read_file(path: str) -> tuple[Status, str]:
    """Return status 0 and the content of a file.

    Status 1 if it cannot be read, 2 if it has a NUL byte, 3 if it is larger than 256 KiB.
    """
    if not os.path.isfile(path):
        return 1, ""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            data = file.read(FILE_LIMIT_BYTES + 1) or b""  # None: a FIFO
    except OSError:
        return 1, ""
    if b"\0" in data:
        return 2, ""
    if len(data) > FILE_LIMIT_BYTES:
        return 3, ""
    return 0, _decode(data)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file. If it is a FIFO, do not wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_line() -> tuple[Status, str]:
    """Return status 0 and the next line of stdin, without its line feed or NUL bytes.

    Status 1 at the end of the input. A command that runs afterwards gets the rest of the input.
    """
    if isinstance(sys.stdin, io.StringIO):  # it was closed: 0 may be another file's descriptor
        return 1, ""
    _flush()  # a prompt must be visible
    line = b""
    try:
        while not line.endswith(b"\n"):
            byte = os.read(0, 1)
            if byte == b"":
                break
            line += byte.replace(b"\0", b"")
    except OSError:
        line = b""  # an unreadable stdin counts as empty
    return int(line == b""), _decode(line.removesuffix(b"\n"))


def write_file(path: str, text: str) -> Status:
    """Write `text` to the file `path`, in place. Return status 0, or 1 if that fails."""
    _flush()  # the file may be /dev/stdout
    try:
        with open(path, "wb") as file:
            file.write(_encode(text))
    except OSError:
        return 1
    return 0


def create_file(path: str, text: str, model: str, content: str) -> tuple[Status, str]:
    """Create the file `path` with the content `text`; return the status and the mode of `model`.

    The file gets the owner, group and mode of the file `model` if that exists, otherwise mode 600.
    The mode is returned in octal digits, or as "" if `model` does not exist. The file `model` must
    not be a symbolic link, and must have the content `content`. This ensures that the content and
    the mode come from the same file, and that no change to it is lost.
    Status 2 if `model` belongs to another user, who could read the content (root keeps the owner).
    Status 3 if the permissions of the group of `model` differ from those of other users, and the
    user is not in that group: cp(1) would give them to another group. Status 4 if `path` exists,
    even as a dangling symbolic link (open(2), O_EXCL). Status 1 for any other error.
    Another user who can write to the directory can replace both files at any time. So each file is
    opened once, and programs get it as stdin or stdout.
    """
    if os.path.lexists(path):
        return 4, ""
    try:
        with open(path, "xb", opener=_open_privately) as new:
            if not os.path.isfile(model):
                if content != "":
                    return 1, ""  # it is gone
                chmod = program("chmod")["600", "/dev/stdout"]
                status, mode = int(_run(chmod, new.fileno())[0] != 0), ""
            else:
                with open(model, "rb", opener=_open_final) as old:
                    # cp(1) would open a FIFO again, and wait for a writer.
                    if not stat.S_ISREG(os.fstat(old.fileno()).st_mode):
                        return 1, ""
                    if old.read(len(content) + FILE_LIMIT_BYTES) != _encode(content):
                        return 1, ""
                    status, mode = _copy_attributes(model, old.fileno(), path, new.fileno())
            if status != 0:
                return status, ""
            new.write(_encode(text))
    except FileExistsError:
        return 4, ""
    except OSError:
        return 1, ""
    return 0, mode


def _open_privately(path: str, flags: int) -> int:
    """Open a file with mode 600 from the start, even in a directory with a default ACL."""
    return os.open(path, flags, 0o600)


def _open_final(path: str, flags: int) -> int:
    """Open a file that is not a symbolic link."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _copy_attributes(model: str, old: int, path: str, new: int) -> tuple[Status, str]:
    """Give the new file the owner, group and mode of the old one; see create_file.

    The first stat(1) call checks the name `model` and the open file together, because the name may
    point to another file at any moment.
    """
    compare = program("stat")["-c", "%d:%i %u %g %a", "--", model, "-", path]
    status, output = _run(compare, subprocess.PIPE, stdin=old)
    if status != 0:
        return 1, ""
    name, wanted, _ = output.decode("ascii").splitlines()
    if name != wanted:
        return 1, ""
    _, owner, group, mode = wanted.split(" ")
    if os.getuid() != 0 and int(owner) not in (0, os.getuid()):
        return 2, ""
    # The name `path` may lead elsewhere, too, so the group is not read by that name.
    created = os.getegid()
    if os.fstat(new).st_gid != created:  # the directory sets the group of its files
        _, shown = _run(program("stat")["-c", "%g", "-"], subprocess.PIPE, stdin=new)
        created = int(shown or -1)
    own_groups = {os.getgid(), os.getegid(), *os.getgroups(), created}
    bits = int(mode, 8)
    if os.getuid() != 0 and bits >> 3 & 7 != bits & 7 and int(group) not in own_groups:
        return 3, ""
    if mode != "600" or (int(owner), int(group)) != (os.getuid(), created):
        preserve = ["--attributes-only", "--preserve=mode,ownership"]
        cp = program("cp")[[*preserve, "/dev/stdin", "/dev/stdout"]]
        copied = _run(cp, new, stdin=old)[0] == 0
        if not copied and not _set_attributes(old, new, f"{owner}:{group}", mode):
            return 1, ""
    return 0, mode


def _set_attributes(old: int, new: int, owner: str, mode: str) -> bool:
    """Set a new file's owner, group and mode without cp(1). Return whether that worked.

    uutils' cp(1) cannot copy to an open file. Without an access control list, chown(1) and chmod(1)
    do the same. BusyBox's ls(1) cannot show such a list. It fails here, because it does not have
    --dereference.
    """
    ls = program("ls")["-n", "--dereference", "/dev/stdin"]
    for file in (old, new):
        status, line = _run(ls, subprocess.PIPE, stdin=file)
        if status != 0 or line.partition(b" ")[0].endswith(b"+"):
            return False
    chown, chmod = program("chown")[owner, "/dev/stdout"], program("chmod")[mode, "/dev/stdout"]
    return _run(chown, new)[0] == 0 and _run(chmod, new)[0] == 0


def is_own_link(path: str) -> bool:
    """Return whether `path` is a symbolic link that this user or root owns.

    False if that cannot be determined, for example without stat(1).
    """
    # Read both in one call: the link may change between two calls.
    _, found = _run(program("stat")["-c", "%f %u", "--", path], subprocess.PIPE)
    kind, _, owner = found.strip().partition(b" ")
    return kind.startswith(b"a") and owner in (b"0", b"%d" % os.getuid())  # a: S_IFLNK (inode(7))


def _is_foreign_link(path: str) -> bool:
    return os.path.islink(path) and not is_own_link(path)


def temporary_name(path: LocalPath) -> LocalPath:
    """Return a new name for a temporary file beside the file `path`.

    It ends with the time in microseconds, so an mv(1) that a killed run has left behind cannot move
    this run's file. Another run may choose the same name: create_file then returns 4.
    """
    return LocalPath(f"{path}.oauthkit.{time.time_ns() // 1000:07}")  # as ${EPOCHREALTIME/./}


def own_temporary(path: LocalPath) -> LocalPath:
    """Remove the temporary files of killed runs beside `path`, and return temporary_name(path)."""
    directory = os.path.dirname(path)
    pattern = re.escape(os.path.basename(path)) + r"\.oauthkit\.[0-9]{16}"  # microseconds
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        names = []
    old = [os.path.join(directory, name) for name in names if re.fullmatch(pattern, name)]
    if old:
        _run(program("rm")[["-f", *old[:1000]]], subprocess.DEVNULL)  # more may not fit into argv
    return temporary_name(path)


def same_file(first: str, second: str) -> bool:
    """Return whether both paths lead to the same file."""
    with contextlib.suppress(OSError):
        return os.path.samefile(first, second)
    return False


def change_directory(path: str) -> Status:
    """Change the working directory to `path`. Return status 0, or 1 if that fails."""
    try:
        os.chdir(path)
    except OSError:
        return 1
    return 0


# --- Log -----------------------------------------------------------------------------------------


def open_log(path: str) -> Status:
    """Open the file that `log` appends to, unless it is already open. Return 0, or 1 on failure.

    It fails for a FIFO, another user's symbolic link, and, unless root runs the program, another
    user's file. The log that was open before is then kept.
    """
    global _log, _log_size
    if _log is not None and same_file(path, f"/proc/self/fd/{_log}"):
        return 0
    log_file = _open_to_append(path)
    if log_file is None:
        return 1
    size = _size_of_trusted(path, log_file)
    if size is None:
        os.close(log_file)
        return 1
    if _log is not None:
        os.close(_log)
    _log, _log_size = log_file, size
    return 0


def _size_of_trusted(path: str, descriptor: int) -> int | None:
    """Return an open file's size, or None unless its path leads to it only through trusted links.

    The name may lead elsewhere at any moment, so stat(1) compares it with the file in one call.
    If stat(1) is missing or was killed, the run must go on, because it schedules the next one: the
    size is 0 then.
    """
    if not same_file(path, f"/proc/self/fd/{descriptor}"):
        return None
    command = program("stat")["-c", "%d:%i %f %u %s", "--", path, "-"]
    status, output = _run(command, subprocess.PIPE, stdin=descriptor)
    if status >= 126:
        return 0
    if status != 0:  # the name is gone
        return None
    name_id, name_mode, name_owner, _, file_id, _, _, size = output.decode("ascii").split()
    is_trusted_link = name_mode.startswith("a") and int(name_owner) in (0, os.getuid())
    return int(size) if name_id == file_id or is_trusted_link else None


def log_size() -> int:
    """Return the size in bytes that the log had when open_log opened it."""
    return _log_size


def _open_to_append(path: str) -> int | None:
    """Return a descriptor of the file `path`, or None if it cannot be opened or is not trusted."""
    if _is_foreign_link(path):
        return None
    try:
        # The flags of >>, and O_NONBLOCK, which makes it fail for a FIFO without a reader.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o666)
    except OSError:
        return None
    info = os.fstat(descriptor)
    if stat.S_ISFIFO(info.st_mode) or (
        stat.S_ISREG(info.st_mode) and os.geteuid() not in (0, info.st_uid)
    ):
        os.close(descriptor)
        return None
    return descriptor


def log(text: str) -> None:
    """Append the time and `text` to the log as one line, on a terminal also to stderr.

    Cut the text after 16 KiB, and mask secrets (mask_secrets). Replace control characters with ?,
    or remove them if a secret was masked.
    """
    line = _append_to_log(text)
    if sys.stderr is not None and sys.stderr.isatty():
        with contextlib.suppress(OSError):  # for example, the terminal is gone or stopped
            os.write(sys.stderr.fileno(), _encode(f"{line}\n"))


def log_error(text: str) -> None:
    """Append `text` to the log as log does. Always print the line on stderr, too."""
    complain(_append_to_log(text))


def _append_to_log(text: str) -> str:
    """Append a line to the log, and return it without its newline."""
    text = _decode(_encode(text)[:LINE_LIMIT_BYTES])
    # Remove control characters first, because one inside a secret would prevent its masking.
    plain = replace_controls(text, "")
    line = mask_secrets(plain)
    if line == plain:
        line = replace_controls(text, "?")
    line = f"{timestamp(int(time.time()))} {line}"
    if _log is not None:
        with contextlib.suppress(OSError):  # a full disk must not stop a refresh
            os.write(_log, _encode(f"{line}\n"))
    return line


def complain(text: str) -> None:
    """Print `text` on stderr as a line. Ignore errors."""
    if sys.stderr is not None:  # closed by the caller: descriptor 2 may be any file by now
        with contextlib.suppress(OSError):
            os.write(2, _encode(f"{text}\n"))


# --- Processes -----------------------------------------------------------------------------------


def take_lock(path: str, wait_s: int) -> Status:
    """Take the exclusive flock(2) of `path` for the rest of the run, or until the next call.

    Return 0 on success, 1 if another process has held it for `wait_s` seconds (0 or more), and 127
    without flock(1), which the bash body needs. Return another status if `path` cannot be locked,
    or is a FIFO, another user's symbolic link or, unless root runs the program, another user's
    file.
    """
    global _lock
    lock = _open_to_append(path)
    if lock is None:
        return 2
    if _is_foreign_link(path) or not same_file(path, f"/proc/self/fd/{lock}"):
        os.close(lock)  # the link was there for just that moment
        return 2
    if _lock is not None:
        os.close(_lock)
    _lock = lock
    if find_program("flock") == "":
        return 127
    return _lock_within(wait_s, lock, lambda: False)


def _lock_within(wait_s: int, descriptor: int, is_ended: Callable[[], bool]) -> Status:
    deadline_s = time.monotonic() + wait_s
    while not is_ended():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return 0
        except BlockingIOError:
            # The bash body cannot wait without timeout(1).
            if time.monotonic() >= deadline_s or find_program("timeout") == "":
                return 1
            time.sleep(0.05)
        except OSError:
            return 2
    return 3


def lock_directory(path: str, wait_s: int) -> Status:
    """Take the exclusive flock(2) of the directory `path`, until unlock_directory.

    Return 0 on success, 1 if another process has held it for `wait_s` seconds (0 or more), 3 if a
    signal ended the wait (outlive_signals), and 127 without flock(1). Return another status if the
    directory cannot be opened or locked.
    """
    global _directory, _group
    try:
        _directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return 2
    if find_program("flock") == "":
        return 127
    _group = -1
    status = _lock_within(wait_s, _directory, lambda: _group == 0)
    _group = 0
    return status


def unlock_directory() -> None:
    """Release the lock of lock_directory."""
    global _directory
    if _directory is not None:
        os.close(_directory)
        _directory = None


def outlive_signals() -> None:
    """Continue the run after SIGTERM, SIGINT or SIGHUP, so that it schedules the next one.

    Such a signal also ends the command of start_command, so that the run finishes soon. A signal
    that was ignored at startup stays ignored, as in a shell (POSIX, trap).
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: end_command())
            # Python restores the default action before it exits, unless the signal is ignored.
            atexit.register(signal.signal, number, signal.SIG_IGN)


class _Started:
    def __init__(self, process: subprocess.Popen[bytes], printed: BinaryIO, keeper: int) -> None:
        self.process = process
        self.printed = printed  # where to read its output
        self.keeper = keeper  # the process that passes it on
        self.output = b""  # what was read of it


def run_limited(limit_s: int, grace_s: int, command: BaseCommand) -> tuple[Status, str]:
    """Run `command`; return its exit status and its output, as finish_command does.

    After `limit_s` seconds, the command's process group gets SIGTERM, and `grace_s` seconds later
    SIGKILL. The status is then 124 or 137 (timeout(1)). If a signal to this process ended the
    command, it is 124: see outlive_signals. It is 127 without timeout(1). Without dd(1), the output
    is lost.
    """
    status = start_command(limit_s, grace_s, command)
    return finish_command(grace_s) if status == 0 else (status, "")


def start_command(limit_s: int, grace_s: int, command: BaseCommand) -> Status:
    """Start `command` in the background, with the limits of run_limited.

    A call to finish_command must follow. Return 127 without timeout(1), and 126 if no process or
    pipe can be created.
    """
    global _started, _group
    _group = -1
    if find_program("timeout") == "":
        return 127
    argv = ["timeout", "-k", str(grace_s), str(limit_s), *command.formulate()]
    try:
        sink, printed, keeper = _start_keeper()
    except OSError:
        return 126
    try:
        with sink:
            process = _spawn(argv, sink)
    except OSError as error:
        printed.close()
        return 127 if isinstance(error, FileNotFoundError) else 126
    _started = _Started(process, printed, keeper)
    is_ended = _group == 0  # a signal has arrived in the meantime
    _group = process.pid
    if is_ended:
        end_command()
    return 0


def command_runs() -> bool:
    """Wait about 1 s for the end of the command of start_command; return whether it still runs."""
    deadline_s = time.monotonic() + 1
    while _started.process.poll() is None:
        left_s = max(0.0, deadline_s - time.monotonic())
        if not left_s or not _has_data(_started.printed, left_s):
            return _started.process.poll() is None
        part = _started.printed.read(OUTPUT_LIMIT_BYTES)
        _started.output += part
        if not part:  # timeout(1) has ended, too
            _started.process.wait()
    return False


def end_command() -> None:
    """End the command of start_command, as a signal to this process does."""
    global _group
    if _group > 0 and not _signal_group(_group, signal.SIGTERM):
        with contextlib.suppress(OSError):
            os.kill(_group, signal.SIGTERM)  # timeout(1) has no process group of its own yet
    _group = 0


def finish_command(grace_s: int) -> tuple[Status, str]:
    """Wait for the end of the command of start_command; return its exit status and its output.

    The output is the first 8 KiB of stdout and stderr, without NUL bytes or trailing newlines. The
    rest is discarded. If the limit cuts a word, the word is dropped, because part of a secret would
    not be masked. `grace_s` is that of start_command.
    """
    global _group
    while command_runs():
        pass
    process = _started.process
    status = process.wait()
    if _group == 0:
        status = 124  # ended before the limit
    _group = 0
    status = status if status >= 0 else 128 - status
    if status in (124, 137):
        # timeout(1) exits with the command. Give the rest of its group the grace period, too.
        deadline_s = time.monotonic() + grace_s
        while _signal_group(process.pid, 0) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        _signal_group(process.pid, signal.SIGKILL)
    with _started.printed as printed:
        output = _read_output(printed, _started.output)
    os.waitpid(_started.keeper, os.WNOHANG)
    return status, output


# The keeper ignores signals to this run's process group, so that the command can write until it
# ends.
_KEEP_OUTPUT = "trap '' TERM INT HUP; dd bs=1 count=\"$1\"; exec cat 3>&1 >/dev/null"


def _start_keeper() -> tuple[BinaryIO, BinaryIO, int]:
    """Start the process that keeps the output of a command.

    Return a stream that writes to it, a stream that reads the kept output, and its process ID.
    """
    reader, sink = os.pipe()
    printed, writer = os.pipe()
    try:
        keeper = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _KEEP_OUTPUT, "sh", str(OUTPUT_LIMIT_BYTES)],
            _environment(),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inherited_descriptors()),
            ],
        )
    except OSError:
        os.close(sink)
        os.close(printed)
        raise
    finally:
        os.close(reader)
        os.close(writer)
    return os.fdopen(sink, "wb"), os.fdopen(printed, "rb", buffering=0), keeper


def _inherited_descriptors() -> list[int]:
    """Return the open descriptors that a child would inherit, except stdin, stdout and stderr.

    They come from the caller: those that Python opens are not inheritable (PEP 446).
    """
    found = []
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            if descriptor > 2 and os.get_inheritable(descriptor):
                found.append(descriptor)
    return found


def _read_output(printed: BinaryIO, data: bytes) -> str:
    """Return all output from the keeper. `data` is the part that has already been read.

    Stop after 1 s without output, or after 5 s: a process that outlives the command may hold the
    pipe open.
    """
    deadline_s = time.monotonic() + 5
    while time.monotonic() < deadline_s and _has_data(printed, 1):
        part = printed.read(OUTPUT_LIMIT_BYTES)
        if not part:
            break
        data += part
    text = data.replace(b"\0", b"")
    if len(data) == OUTPUT_LIMIT_BYTES:
        text = text.rstrip(_TOKEN_CHARACTERS)
    return _decode(text.rstrip(b"\n"))


def _has_data(stream: BinaryIO, wait_s: float) -> bool:
    """Return whether data or the end of the stream arrives within `wait_s`."""
    poll = select.poll()  # select(2) does not accept descriptors above 1023
    poll.register(stream, select.POLLIN)
    return poll.poll(wait_s * 1000) != []


def _spawn(argv: list[str], output: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=_environment()
    )


def _signal_group(group: int, number: int) -> bool:
    with contextlib.suppress(OSError):
        os.killpg(group, number)
        return True
    return False


def disable_core_dumps() -> None:
    """Disable core dumps of this process and its children: memory contains secrets."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # of a variable


def get_env(name: str) -> str:
    """Return the environment variable `name`, or "" if it is unset or `name` is not valid."""
    return str(local.env.get(name, "")) if _NAME.fullmatch(name) else ""


def set_env(name: str, value: str) -> None:
    """Set the environment variable `name` for this process and the commands that it starts.

    Do nothing if `name` is not valid: letters, digits and _, not starting with a digit.
    """
    if _NAME.fullmatch(name):
        local.env[name] = value


def user_id() -> int:
    """Return the real user ID (getuid(2))."""
    return os.getuid()


def escape_unit(path: str) -> str:
    """Return a path for use in a systemd unit name, as systemd-escape(1) --path does.

    `path` must be absolute. If the result is longer than 150 characters, return the last 150.
    """
    text = path.strip("/")
    escaped = ""
    for index, byte in enumerate(_encode(text)):
        character = chr(byte)
        if character == "/":
            escaped += "-"
        elif re.fullmatch("[A-Za-z0-9:_.]", character) and not (index == 0 and character == "."):
            escaped += character
        else:
            escaped += f"\\x{byte:02x}"
    return (escaped or "-")[-150:]


def find_program(name: str) -> str:
    """Return the path of a program in PATH, or `name` itself if it has a slash; "" if missing."""
    if "/" in name:
        candidates = [name]
    else:
        directories = local.env.get("PATH", "").split(":")
        candidates = [f"{directory or '.'}/{name}" for directory in directories]
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return f"{candidate}"  # not a LocalPath
    return ""


def script_path() -> LocalPath:
    """Return the real path of the program that runs."""
    return LocalPath(os.path.realpath(sys.argv[0]))


def sibling_command(name: str, project: str) -> BaseCommand:
    """Return the command that starts another of oauthkit's programs on `project`, in this form.

    From Python 3.11 on, -P keeps Python from importing from the working directory.
    """
    safe_path = ["-P"] if sys.version_info >= (3, 11) else []
    return program(sys.executable)[[*safe_path, "-m", "oauthkit", name, f"--project={project}"]]


def own_command(project: str) -> BaseCommand:
    """Return the argv that starts this form for `project` again, for ExecStart= of systemd.

    A $ is doubled in the arguments, because systemd expands variables there (systemd.service(5),
    COMMAND LINES). Python imports nothing from the directory in which it starts.
    """
    safe_path = ["-P"] if sys.version_info >= (3, 11) else []
    arguments = [*safe_path, "-m", "oauthkit", "refresh", f"--project={project}"]
    return program(sys.executable)[[argument.replace("$", "$$") for argument in arguments]]
