"""Run a command with a live token in its environment, and once more if the token is rejected."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import select
import signal
import stat
import subprocess
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from oauthkit.console import complain, write_all
from oauthkit.host import child
from oauthkit.host.shell_commands import command as command_line
from oauthkit.host.status.login import VARIABLE, fingerprint, read_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oauthkit.host.project import ProjectPaths

# Signals that are forwarded to the command.
SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# The terminal sends these to the whole foreground process group.
_KEYS = (signal.SIGINT, signal.SIGQUIT)
# How much of the end of a stream is searched for an authentication error.
KEPT_BYTES = 256 * 1024
# After the command has ended, its children's output is copied until nothing comes for this long.
QUIET_S = 0.5
# Authentication errors of the API, its SDKs and Claude Code. The number 401 alone proves nothing.
_REJECTED = re.compile(
    r"authentication_error|authentication_failed"
    r"|OAuth token (?:has )?expired|token has been revoked"
    r"|[Ii]nvalid bearer token|Invalid authentication credentials|API Error: 401"
    r"|[Ff]ailed to authenticate|Please run /login"
)


def run(paths: ProjectPaths, command: Sequence[str]) -> int:
    """Run `command` with the token in .env, after a refresh if necessary. Return its exit status.

    127 if it is not found, 126 if it cannot be executed, 128 + N if signal N ended it. If it fails
    and reports that the token was rejected, renew that token, even if it looks live. If that
    results in another token, run it once more, with the remaining stdin, unless a signal has
    arrived. A signal during a refresh ends the run after the refresh. Output on a terminal is not
    searched.

    If the exit status is 0 but some output was lost, return 1.
    """
    with _Signals() as signals:
        if _refresh(paths, signals, "--ensure") != 0 and not signals.last():
            hint = f"{command_line('status', paths)} shows the reason"
            _say(f"the refresh failed. Running the command anyway. {hint}")
        if signals.last():
            return 128 + signals.last()
        token = _token(paths)
        status, is_rejected = _run_once(command, token, signals)
        if status == 0 or not is_rejected or signals.last():
            return status
        _say("the token was rejected: refreshing")
        signals.detach()
        # Another process may have replaced the rejected token since, so that the new one is live.
        _refresh(paths, signals, "--rejected", f"--fingerprint={fingerprint(os.fsencode(token))}")
        if signals.last():
            return 128 + signals.last()
        renewed = _token(paths)
        if renewed in {token, ""}:
            _say("there is no other token: the command is not run again")
            return status
        _say("running the command once more, with the new token")
        return _run_once(command, renewed, signals)[0]


def _say(text: str) -> None:
    complain(f"oauthkit run: {text}")


def _refresh(paths: ProjectPaths, signals: _Signals, *arguments: str) -> int:
    signals.is_refreshing = True
    status = child.refresh(paths, *arguments)
    signals.is_refreshing = False
    return status


def _token(paths: ProjectPaths) -> str:
    """Return the token in .env, or "" if there is none or it has a NUL byte."""
    found = read_dotenv(paths.dotenv)
    if found.fix:
        _say(f"{found.problem}: {found.fix}")
    tokens = found.tokens
    return os.fsdecode(tokens[0]) if tokens and b"\0" not in tokens[0] else ""


class _Signals:
    """Forward signals to the command. While none runs, keep them for the next one.

    Ignored signals stay ignored, for example after nohup.
    """

    def __init__(self) -> None:
        self.is_over = False  # a signal arrived after the command had ended
        self.is_refreshing = False
        self._last = 0
        self._pending: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}
        self._wakeup_reader, self._wakeup_writer = _pipe()  # see wait

    def __enter__(self) -> _Signals:
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._wakeup_writer)
        os.close(self._wakeup_reader)

    def last(self) -> int:
        """Return the last signal, or 0 if there was none."""
        return self._last

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        """Forward signals to this process from now on."""
        self._process = process
        while self._pending:
            process.send_signal(self._pending.pop(0))

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process to end, and return its exit status.

        If a signal arrives just before waitpid(2), Python runs its handler only after waitpid
        returns. Therefore, read from a pipe. Each signal writes a byte to it
        (signal.set_wakeup_fd). When the process ends, a thread writes a byte, too.
        """
        waiter = threading.Thread(target=self._report_end, args=[process.pid])
        waiter.start()
        while process.poll() is None:
            os.read(self._wakeup_reader, 4096)
        waiter.join()
        return process.returncode

    def _report_end(self, pid: int) -> None:
        with suppress(ChildProcessError):  # poll() has already reaped it
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with suppress(BlockingIOError):  # the pipe is full, so there is a byte to read
            os.write(self._wakeup_writer, b"\0")

    def detach(self) -> None:
        """Keep signals for the next process from now on."""
        self._process = None

    def _handle(self, number: int, _: object) -> None:
        self._last = number
        if self._process is None:
            self._pending.append(number)
            if self.is_refreshing:
                _say(f"{signal.Signals(number).name}: ending when the refresh is complete")
        elif self._process.returncode is not None:
            self.is_over = True
        elif not (number in _KEYS and _is_in_foreground()):
            self._process.send_signal(number)


def _pipe() -> list[int]:
    """Create a pipe. Return its read end and its write end.

    Neither is 0, 1 or 2, because the caller may have closed those.
    """
    ends = os.pipe()
    pipe = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends]
    for end in ends:
        os.close(end)
    os.set_blocking(pipe[1], False)  # set_wakeup_fd requires it
    return pipe


def _is_in_foreground() -> bool:
    """Return whether the terminal sends the signals of its keys to the command, too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # there is no terminal
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _run_once(command: Sequence[str], token: str, signals: _Signals) -> tuple[int, bool]:
    """Return the exit status, and whether the command reports that the token was rejected."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if token:
        environment[VARIABLE] = token
    pipes = [subprocess.PIPE if _is_copied(descriptor) else None for descriptor in (1, 2)]
    try:
        process = subprocess.Popen([*command], env=environment, stdout=pipes[0], stderr=pipes[1])
    except OSError as error:
        # A shell reports an empty name as missing, too.
        is_missing = isinstance(error, FileNotFoundError) or not command[0]
        problem = os.strerror(errno.ENOENT) if is_missing else error.strerror
        _say(f"{command[0] or repr('')}: {problem}")
        return (127 if is_missing else 126), False
    signals.attach(process)
    copies = [_Copy(process.stdout, 1), _Copy(process.stderr, 2)]
    status = signals.wait(process)
    stdout, stderr = [copy.end(lambda: signals.is_over) for copy in copies]
    if status == 0 and any(copy.has_lost for copy in copies):
        status = 1
    return (status if status >= 0 else 128 - status), is_rejection(stdout, stderr)


def _is_copied(descriptor: int) -> bool:
    """Return whether to copy a stream through a pipe, so that it can be searched.

    The command inherits a terminal, a closed descriptor, and any device except /dev/null unchanged.
    """
    try:
        found = os.fstat(descriptor)
        is_null = os.path.samestat(found, os.stat(os.devnull))  # noqa: PTH116 - beside fstat
    except OSError:
        return False
    return is_null or not stat.S_ISCHR(found.st_mode)


class _Copy:
    """Copy a stream to a file descriptor, unbuffered, and keep its end.

    If the reader is gone, the stream is closed, so that the command gets SIGPIPE. On a full disk,
    the output is lost and the loss is reported, but the command does not notice it.
    """

    def __init__(self, stream: IO[bytes] | None, descriptor: int) -> None:
        self.has_lost = False
        self._descriptor = descriptor
        self._kept = bytearray()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._copy, args=[stream], daemon=True)
        self._thread.start()

    def end(self, is_over: Callable[[], bool]) -> bytes:
        """Return the kept bytes, after the command has ended.

        If children hold the stream open, wait as long as they write to it.
        """
        self._has_ended.set()
        while self._thread.is_alive() and not is_over():
            self._thread.join(0.05)
        return bytes(self._kept)

    def _copy(self, stream: IO[bytes] | None) -> None:
        if stream is None:  # the command has inherited the descriptor
            return
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        if stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
            poll.register(self._descriptor, 0)  # POLLERR is reported when the reader is gone
        with stream:
            while True:
                is_last = self._has_ended.is_set()  # before poll, so that no output is missed
                events = dict(poll.poll(QUIET_S * 1000))
                if self._descriptor in events:
                    return
                if not events:
                    if is_last:
                        return
                    continue
                chunk = os.read(stream.fileno(), 65536)
                if not chunk:
                    return
                self._kept.extend(chunk)
                del self._kept[:-KEPT_BYTES]
                if not self._write(chunk):
                    return

    def _write(self, chunk: bytes) -> bool:
        """Write a chunk. Return False if the reader is gone."""
        try:
            write_all(self._descriptor, chunk)
        except BrokenPipeError:
            return False
        except OSError as error:
            if self._descriptor == 1 and not self.has_lost:
                _say(f"cannot write stdout, the output is lost: {error.strerror}")
            self.has_lost = True
        return True


def is_rejection(stdout: bytes, stderr: bytes) -> bool:
    """Return whether a failed command reports that its token was rejected.

    On stderr, any text counts. On stdout, only a JSON error counts, because other text there can be
    a model's answer that mentions such an error.
    """
    if _REJECTED.search(stderr.decode("utf-8", "replace")):
        return True
    text = stdout.decode("utf-8", "replace")
    return any(_is_rejection_text(candidate) for candidate in (text, *text.splitlines()))


def _is_rejection_text(text: str) -> bool:
    """Return whether the whole output, or a line, is a JSON document that reports a rejection."""
    try:
        return _is_rejection(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _is_rejection(document: Any) -> bool:
    if isinstance(document, list):
        return any(map(_is_rejection, document))
    if not isinstance(document, dict):
        return False
    if document.get("is_error") is True and _REJECTED.search(str(document.get("result"))):
        return True
    errors = document.get("errors")
    return any(
        map(_is_auth_error, [document.get("error"), *(errors if isinstance(errors, list) else [])])
    )


def _is_auth_error(error: Any) -> bool:
    """Return whether an error, a string or an object, is an authentication error."""
    if isinstance(error, dict) and {"401"} & {str(error.get(key)) for key in ("status", "code")}:
        return True
    return error is not None and _REJECTED.search(json.dumps(error)) is not None
