"""Run oauthkit watch as a process, and count its refreshes."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.host.host_project import SAME_CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.host.host_project import HostProject

DEADLINE_S = 30
# There is no pause after a refresh, unless a test sets one.
START = """\
import os
from oauthkit.cli import main
from oauthkit.host import ipc
from oauthkit.host.commands import watch
watch.PAUSE_S = float(os.environ.get("PAUSE_S", "0"))
watch.PAUSE_AFTER_FAILURE_S = float(os.environ.get("PAUSE_S", "0"))
ipc.SETTLE_S = 2.0
main()
"""


class Running:
    """A watcher and its output."""

    def __init__(self, host: HostProject, process: subprocess.Popen[str]) -> None:
        self.host = host
        self.process = process

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def refreshes(self) -> int:
        """Return the number of refreshes. Each reads the credentials once."""
        calls = self.host.home / "jq-calls"
        return len(calls.read_text("utf-8").splitlines()) if calls.exists() else 0


def counting(host: HostProject) -> None:
    """Put programs in PATH that count the refreshes. A refresh waits while HOME/hold exists."""
    wait = 'while [ -e "$HOME/hold" ]; do sleep 0.05; done'
    answer = '"object"\\n"sk-ant-made-up\\n9999999999999\\n'
    host.program("jq", f"#!/bin/sh\necho >>\"$HOME/jq-calls\"\n{wait}\nprintf '{answer}'\n")
    for tool in ("sleep", "cp", "sync", "mv", "mkdir", "rm", "flock", "stat", "timeout"):
        with suppress(FileExistsError):
            (host.bin / tool).symlink_to(f"/usr/bin/{tool}")
    host.program("systemctl", "#!/bin/sh\n")


@contextmanager
def running(
    host: HostProject, *arguments: str, stdout: str = "", start: str = START, **env: str
) -> Iterator[Running]:
    """Start a watcher. With `stdout`, its output goes to this file or is closed, not to a pipe."""
    argv = [sys.executable, "-c", start, "watch", "--project", str(host.project), *arguments]
    settings = {"HOME": str(host.home), "PATH": str(host.bin), **SAME_CODE, **env}
    if stdout:
        redirection = ">&-" if stdout == "closed" else f">{shlex.quote(stdout)}"
        argv = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *argv]
    process = subprocess.Popen(
        argv, env=settings, cwd=host.home, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        yield Running(host, process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition for up to DEADLINE_S."""
    end_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)
