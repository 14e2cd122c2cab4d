"""Run Python programs as forks of a process that has imported plumbum, as `preload` does."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.parity import preload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMPORTS = Path(__file__).with_name("refresh") / "preload.py"
POLL_S = 1.0


def run_text(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, has_overrides: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program like subprocess.run(text=True), with an empty stdin."""
    done = run(argv, cwd, env, has_overrides=has_overrides)
    streams = [os.fsdecode(data).replace("\r\n", "\n") for data in (done.stdout, done.stderr)]
    return subprocess.CompletedProcess([*argv], done.returncode, *streams)


def run(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    *,
    has_overrides: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program like subprocess.run with pipes, and in a session of its own.

    Without `has_overrides`, root cannot ignore file modes. If the kit cannot fork the program,
    start it by exec.
    """
    if not preload.is_possible(argv, env):
        if not has_overrides and os.geteuid() == 0:
            rights = "-dac_override,-dac_read_search"
            setpriv = shutil.which("setpriv") or "setpriv"
            argv = [setpriv, f"--bounding-set={rights}", f"--inh-caps={rights}", *argv]
        return subprocess.run(
            argv, cwd=cwd, env=env, input=stdin, capture_output=True, check=False, timeout=60
        )
    server = preload.server(IMPORTS, env, subprocess.PIPE)  # before threads are started
    pipes = [os.pipe() for _ in range(3)]
    (stdin_end, feeding), (reading, stdout_end), (reading_errors, stderr_end) = pipes
    umask = os.umask(0)
    os.umask(umask)
    how = {
        "mounted": b"",
        "root": b"",
        "streams": [f"/proc/{os.getpid()}/fd/{end}" for end in (stdin_end, stdout_end, stderr_end)],
        "cwd": os.fsencode(cwd),
        "umask": umask,
        "has_overrides": has_overrides,
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
