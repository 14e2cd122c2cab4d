"""Run Python programs as forks of a process that has imported plumbum, as `preload` does."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.parity import preload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMPORTS = Path(__file__).with_name("refresh") / "preload.py"
POLL_S = 1.0


def run(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a program like subprocess.run with pipes, and in a session of its own.

    If the kit cannot fork it, start it.
    """
    if not preload.is_possible(argv, env):
        return subprocess.run(
            argv, cwd=cwd, env=env, input=stdin, capture_output=True, check=False, timeout=60
        )
    server = preload.server(IMPORTS, env, subprocess.PIPE)  # before threads are started
    pipes = [os.pipe() for _ in range(3)]
    (stdin_end, feeding), (reading, stdout_end), (reading_errors, stderr_end) = pipes
    umask = os.umask(0)
    os.umask(umask)
    how = {
        "twin": b"",
        "root": b"",
        "streams": [f"/proc/{os.getpid()}/fd/{end}" for end in (stdin_end, stdout_end, stderr_end)],
        "cwd": os.fsencode(cwd),
        "umask": umask,
        "has_overrides": True,
    }
    with ThreadPoolExecutor() as threads:
        threads.submit(_write, feeding, stdin)
        found = [threads.submit(_read, end) for end in (reading, reading_errors)]
        try:
            fork = server.start(argv, env, how)
            while (status := fork.poll(POLL_S)) is None:
                pass
        finally:
            for end in (stdin_end, stdout_end, stderr_end):
                os.close(end)
        stdout, stderr = (one.result() for one in found)
    return subprocess.CompletedProcess([*argv], status, stdout, stderr)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()
