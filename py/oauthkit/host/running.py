"""Runs a command with a live token in its environment, and once more if that is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from oauthkit.host.login import read_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oauthkit.host.places import Places

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
# What is kept of a stream to be looked through: its end, where a command says why it fails.
KEPT_BYTES = 256 * 1024
# What the API, its SDKs and Claude Code say when a token is refused; 401 alone could be anything.
_REFUSED = re.compile(
    r"authentication_error|OAuth token (?:has )?expired|OAuth authentication"
    r"|[Ii]nvalid bearer token|API Error: 401|HTTP 401|401 Unauthorized"
    r"|[Ff]ailed to authenticate|Please run /login"
)


def run(places: Places, command: Sequence[str]) -> int:
    """Runs `command` with the token of .env, refreshed first if need be; gives its exit status.

    127 if it is not there, 126 if it cannot be executed, 128 + N if signal N ended it. If it fails
    and says that the token was refused, the token is refreshed and the command run once more.
    """
    _refresh(places, "--ensure")
    status, is_refused = _run_once(places, command)
    if status != 0 and is_refused:
        print("oauthkit run: the token was refused: refreshing, then once more", file=sys.stderr)
        _refresh(places)
        status, _ = _run_once(places, command)
    return status


def _refresh(places: Places, *arguments: str) -> None:
    """A refresh in a process of its own: it changes the umask, signals and the folder."""
    argv = [sys.executable, "-m", "oauthkit", "refresh", f"--project={places.project}", *arguments]
    if subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        hint = f"oauthkit status --project {places.project} says why"
        print(f"oauthkit run: no live token, going on all the same: {hint}", file=sys.stderr)


def _run_once(places: Places, command: Sequence[str]) -> tuple[int, bool]:
    """The exit status, and whether the command says that the token was refused."""
    tokens = read_dotenv(places.dotenv).tokens
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if tokens:
        environment[VARIABLE] = os.fsdecode(tokens[0])
    try:
        process = subprocess.Popen(
            [*command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        print(f"oauthkit run: {command[0]}: {error.strerror}", file=sys.stderr)
        return (127 if isinstance(error, FileNotFoundError) else 126), False
    before = {number: signal.signal(number, _hand_on(process)) for number in SIGNALS}
    try:
        out, err = _copy(process.stdout, 1), _copy(process.stderr, 2)
        status = process.wait()
        said = [copied() for copied in (out, err)]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    is_refused = is_refusal(said[0], said[1])
    return (status if status >= 0 else 128 - status), is_refused


def _hand_on(process: subprocess.Popen[bytes]) -> Callable[[int, object], None]:
    def hand_on(number: int, _: object) -> None:
        process.send_signal(number)

    return hand_on


def _copy(stream: IO[bytes] | None, descriptor: int) -> Callable[[], bytes]:
    """Copies a stream to a file descriptor as it comes; gives a function that gives its end.

    If nobody reads any more, the command finds that out by its own pipe.
    """
    assert stream is not None  # noqa: S101 - it is a pipe
    kept = bytearray()

    def copy() -> None:
        with stream:
            while chunk := os.read(stream.fileno(), 65536):
                kept.extend(chunk)
                del kept[:-KEPT_BYTES]
                try:
                    _write(descriptor, chunk)
                except OSError:
                    return

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()

    def end() -> bytes:
        thread.join()
        return bytes(kept)

    return end


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def is_refusal(stdout: bytes, stderr: bytes) -> bool:
    """Whether a command that failed says that its token was refused.

    On stderr in words; on stdout only where a JSON document says that it is an error: what is
    merely talked about there, 401 or not, is the answer that the command was run for.
    """
    if _REFUSED.search(stderr.decode("utf-8", "replace")):
        return True
    text = stdout.decode("utf-8", "replace")
    return any(_is_refusal(document) for document in _documents(text))


def _documents(text: str) -> list[Any]:
    """The JSON documents in a text: the whole of it, or one a line."""
    found = []
    for candidate in (text, *text.splitlines()):
        try:
            found.append(json.loads(candidate))
        except (ValueError, RecursionError):
            continue
    return found


def _is_refusal(document: Any) -> bool:
    if isinstance(document, list):
        return any(map(_is_refusal, document))
    if not isinstance(document, dict):
        return False
    if document.get("is_error") is True and _REFUSED.search(str(document.get("result", ""))):
        return True
    error = document.get("error")
    return error is not None and _REFUSED.search(json.dumps(error)) is not None
