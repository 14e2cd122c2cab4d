"""Start Python forms from a process that has already imported their packages."""

from __future__ import annotations

import atexit
import marshal
import os
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oauthkit.parity import fork_server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Variables with these prefixes affect Python's start, before the first import.
START_VARIABLES = ("PYTHON", "LANG", "LC_", "LD_", "GLIBC_", "MALLOC_", "LOCPATH")
# Forms with these values can be forks: their server is started with the same variables.
SERVED = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
# Linux limits a message by net.core.wmem_default, which is at least this.
REQUEST_LIMIT_BYTES = 60_000
# This reserves the memory from which /proc shows a fork's arguments and environment.
PADDING = "x" * 16 * 1024


def is_possible(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Return whether a form with this command can be a fork of the server."""
    search = env.get("PYTHONPATH", "/").split(":")
    return (
        len(argv) > 1
        and argv[0] == sys.executable
        and ((argv[1] == "-m" and len(argv) > 2) or not argv[1].startswith("-"))
        and _start_variables(env).items() <= SERVED.items()
        # Python makes other entries absolute, and drops repeated ones.
        and all(entry.startswith("/") for entry in search)
        and len({*search}) == len(search)
        and sum(len(os.fsencode(text)) for text in (*argv, *env, *env.values()))
        < REQUEST_LIMIT_BYTES
    )


def _start_variables(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in env.items()
        if name.startswith(START_VARIABLES) and name != "PYTHONPATH"
    }


class Server:
    """A process that has imported what `file` imports, and the forms that it has started.

    `variables` are those that affect its start. `stream` is subprocess.DEVNULL for forms whose
    streams are files, or PIPE.
    """

    def __init__(self, file: Path, variables: Mapping[str, str], stream: int) -> None:
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._file = file
        self._statuses: dict[int, int] = {}
        with other:
            other.set_inheritable(True)
            self._process = subprocess.Popen(
                [sys.executable, fork_server.__file__, str(other.fileno()), str(file), PADDING],
                stdin=stream,
                stdout=stream,
                stderr=stream,  # Python remembers whether its streams can seek
                pass_fds=[other.fileno()],
                cwd="/",
                env={**variables, "PADDING": PADDING},
                start_new_session=True,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def start(self, argv: Sequence[str], env: Mapping[str, str], how: Mapping[str, Any]) -> Fork:
        """Start a form."""
        request = {
            "argv": [os.fsencode(word) for word in argv],
            "env": {os.fsencode(name): os.fsencode(value) for name, value in env.items()},
            **how,
        }
        self._channel.send(marshal.dumps(request))
        while True:
            number, pid, status = self._receive()
            if status is None:
                return Fork(self, number, pid)
            self._statuses[number] = status

    def poll(self, number: int, timeout_s: float) -> int | None:
        """Return a form's exit status, or None if it still runs after this time."""
        deadline_s = time.monotonic() + timeout_s
        while number not in self._statuses:
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([self._channel], [], [], left_s)[0]:
                return None
            ended, _, status = self._receive()
            self._statuses[ended] = status
        return self._statuses[number]

    def _receive(self) -> Any:
        data = b""
        with suppress(ConnectionError):
            data = self._channel.recv(1 << 16)
        if not data:
            raise RuntimeError(f"the preloaded process has ended. To see why, run {self._file}")
        return marshal.loads(data)  # noqa: S302 - from the kit


class Fork:
    """A running form."""

    def __init__(self, server: Server, number: int, pid: int) -> None:
        self._server = server
        self._number = number
        self.pid = pid

    def poll(self, timeout_s: float) -> int | None:
        """Return the exit status, or None if it still runs after this time."""
        return self._server.poll(self._number, timeout_s)


def server(file: Path, env: Mapping[str, str], stream: int = subprocess.DEVNULL) -> Server:
    """Return this thread's server for a file of imports. It ends with this process."""
    variables = tuple(sorted(_start_variables(env).items()))
    return _server(file, variables, stream, (os.getpid(), threading.get_ident()))


@cache
def _server(
    file: Path, variables: tuple[tuple[str, str], ...], stream: int, _thread: tuple[int, int]
) -> Server:
    return Server(file, dict(variables), stream)
