"""Runs a command with a live token in its environment, and once more if that is refused."""

from __future__ import annotations

import errno
import json
import os
import re
import select
import signal
import stat
import subprocess
import threading
from typing import IO, TYPE_CHECKING, Any

from oauthkit.console import complain, write_all
from oauthkit.host import child
from oauthkit.host.display import command as command_line
from oauthkit.host.status.login import read_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oauthkit.host.project import Places

VARIABLE = "CLAUDE_CODE_OAUTH_TOKEN"
# Handed on to the command, which is the one to say what becomes of them.
SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# What a terminal sends, and that to all of the group in front of it.
_KEYS = (signal.SIGINT, signal.SIGQUIT)
# What is kept of a stream to be looked through: its end, where a command says why it fails.
KEPT_BYTES = 256 * 1024
# After the command has ended, what others write is copied until so long nothing comes.
QUIET_S = 0.5
# What the API, its SDKs and Claude Code say when a token is refused; 401 alone could be anything.
_REFUSED = re.compile(
    r"authentication_error|authentication_failed"
    r"|OAuth token (?:has )?expired|token has been revoked"
    r"|[Ii]nvalid bearer token|Invalid authentication credentials|API Error: 401"
    r"|[Ff]ailed to authenticate|Please run /login"
)


def run(places: Places, command: Sequence[str]) -> int:
    """Runs `command` with the token of .env, refreshed first if need be; gives its exit status.

    127 if it is not there, 126 if it cannot be executed, 128 + N if signal N ended it. If it fails
    and says that the token was refused, the token is refreshed, and if it is another one then, the
    command is run once more: with what is left of stdin, which is not repeated. It is not if a
    signal has come meanwhile. A signal during a refresh, which goes on all the same, ends this
    after it. What it prints on a terminal is not looked through.

    What becomes of its output changes no exit status but 0: that is 1 if some of it was lost.
    """
    with _Signals() as signals:
        _refresh(places, signals, "--ensure")
        if signals.last():
            return 128 + signals.last()
        token = _token(places)
        status, is_refused = _run_once(command, token, signals)
        if status == 0 or not is_refused or signals.last():
            return status
        _say("the token was refused: refreshing")
        signals.end()
        _refresh(places, signals)
        if signals.last():
            return 128 + signals.last()
        renewed = _token(places)
        if renewed in {token, ""}:
            _say("there is no other token than the refused one: not run again")
            return status
        _say("once more, with the new token")
        return _run_once(command, renewed, signals)[0]


def _say(text: str) -> None:
    complain(f"oauthkit run: {text}")


def _refresh(places: Places, signals: _Signals, *arguments: str) -> None:
    signals.is_refreshing = True
    status = child.refresh(places, *arguments)
    signals.is_refreshing = False
    if status != 0 and not signals.last():
        hint = f"{command_line('status', places)} says why"
        _say(f"no live token, going on all the same: {hint}")


def _token(places: Places) -> str:
    """The token of .env; "" if it has none, or one that no environment can hold."""
    found = read_dotenv(places.dotenv)
    if found.mend:
        _say(f"{found.problem}: {found.mend}")
    tokens = found.tokens
    return os.fsdecode(tokens[0]) if tokens and b"\0" not in tokens[0] else ""


class _Signals:
    """Hands signals on to the command; what comes while none runs is kept for the next one.

    What is ignored stays so, as for a command under nohup.
    """

    def __init__(self) -> None:
        self.is_over = False  # one came after the command had ended
        self.is_refreshing = False
        self._last = 0
        self._kept: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def last(self) -> int:
        """The signal that came last, 0 if there was none."""
        return self._last

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """From now on signals are for this process."""
        self._process = process
        while self._kept:
            process.send_signal(self._kept.pop(0))

    def end(self) -> None:
        """From now on signals are for the next process."""
        self._process = None

    def _come(self, number: int, _: object) -> None:
        self._last = number
        if self._process is None:
            self._kept.append(number)
            if self.is_refreshing:
                _say(f"{signal.Signals(number).name}: ending when the refresh is through")
        elif self._process.returncode is not None:
            self.is_over = True
        elif not (number in _KEYS and _is_in_front()):
            self._process.send_signal(number)


def _is_in_front() -> bool:
    """Whether a key pressed on the terminal has sent its signal to the command, too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _run_once(command: Sequence[str], token: str, signals: _Signals) -> tuple[int, bool]:
    """The exit status, and whether the command says that the token was refused."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if token:
        environment[VARIABLE] = token
    pipes = [subprocess.PIPE if _is_copied(descriptor) else None for descriptor in (1, 2)]
    try:
        process = subprocess.Popen([*command], env=environment, stdout=pipes[0], stderr=pipes[1])
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError) or not command[0]  # as a shell has it
        what = os.strerror(errno.ENOENT) if is_missing else error.strerror
        _say(f"{command[0] or repr('')}: {what}")
        return (127 if is_missing else 126), False
    signals.begin(process)
    copies = [_Copy(process.stdout, 1), _Copy(process.stderr, 2)]
    status = process.wait()
    said = [copy.end(lambda: signals.is_over) for copy in copies]
    if status == 0 and any(copy.has_lost for copy in copies):
        status = 1
    return (status if status >= 0 else 128 - status), is_refusal(said[0], said[1])


def _is_copied(descriptor: int) -> bool:
    """Whether what a command writes there goes through a pipe, where it can be looked through.

    What is closed, a terminal, or another device than /dev/null, it shall find as it is.
    """
    try:
        found = os.fstat(descriptor)
        is_null = os.path.samestat(found, os.stat(os.devnull))  # noqa: PTH116 - beside fstat
    except OSError:
        return False
    return is_null or not stat.S_ISCHR(found.st_mode)


class _Copy:
    """Copies a stream to a file descriptor as it comes, and keeps its end.

    If nobody reads any more, the stream is closed: the command finds that out as without this. A
    disk that is full it does not find out: what has no room is lost, and that is said.
    """

    def __init__(self, stream: IO[bytes] | None, descriptor: int) -> None:
        self.has_lost = False
        self._descriptor = descriptor
        self._kept = bytearray()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._copy, args=[stream], daemon=True)
        self._thread.start()

    def end(self, is_over: Callable[[], bool]) -> bytes:
        """What was kept, after the command has ended.

        It may have left children that hold the stream open: they are awaited as long as they write.
        """
        self._has_ended.set()
        while self._thread.is_alive() and not is_over():
            self._thread.join(0.05)
        return bytes(self._kept)

    def _copy(self, stream: IO[bytes] | None) -> None:
        if stream is None:  # it is not copied
            return
        look = select.poll()
        look.register(stream, select.POLLIN)
        if stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
            look.register(self._descriptor, 0)  # which tells of a reader that is gone
        with stream:
            while True:
                is_last = self._has_ended.is_set()  # before the look: then nothing is missed
                found = dict(look.poll(QUIET_S * 1000))
                if self._descriptor in found:
                    return
                if not found:
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
        """Writes what has come, as far as it goes; False if nobody reads it any more."""
        try:
            write_all(self._descriptor, chunk)
        except BrokenPipeError:
            return False
        except OSError as error:
            if not self.has_lost:
                name = {1: "stdout", 2: "stderr"}[self._descriptor]
                _say(f"{name} cannot be written, and what comes is lost: {error.strerror}")
            self.has_lost = True
        return True


def is_refusal(stdout: bytes, stderr: bytes) -> bool:
    """Whether a command that failed says that its token was refused.

    On stderr in words; on stdout only where a JSON document says that it is an error: what is
    merely talked about there, 401 or not, is the answer that the command was run for.
    """
    if _REFUSED.search(stderr.decode("utf-8", "replace")):
        return True
    text = stdout.decode("utf-8", "replace")
    return any(_is_refusal_line(candidate) for candidate in (text, *text.splitlines()))


def _is_refusal_line(text: str) -> bool:
    """Whether a text is a JSON document that tells of a refusal: the whole output, or a line."""
    try:
        return _is_refusal(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _is_refusal(document: Any) -> bool:
    if isinstance(document, list):
        return any(map(_is_refusal, document))
    if not isinstance(document, dict):
        return False
    if document.get("is_error") is True and _REFUSED.search(str(document.get("result", ""))):
        return True
    errors = document.get("errors")
    return any(
        map(_is_refused, [document.get("error"), *(errors if isinstance(errors, list) else [])])
    )


def _is_refused(error: Any) -> bool:
    """Whether an error, in words or an object, is a refusal."""
    if isinstance(error, dict) and {"401"} & {str(error.get(key)) for key in ("status", "code")}:
        return True
    return error is not None and _REFUSED.search(json.dumps(error)) is not None
