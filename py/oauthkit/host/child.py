"""Run oauthkit in a child process: a refresh changes the umask, signals and working directory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from oauthkit.console import complain
from oauthkit.program.settings import NO_PATHS, SETTINGS

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

# Variables with paths that can be relative. They are made absolute, because the child runs in /.
PATHS = ("HOME", *(name for name in SETTINGS if name not in NO_PATHS))
_LISTS = ("PATH", "PYTHONPATH")
# The same as RuntimeMaxSec= of a scheduled run. A refresh normally takes at most 9 min: it waits
# for two locks, starts claude three times, and runs two hooks.
REFRESH_LIMIT_S = 10 * 60
MOST_STDERR_BYTES = 64 * 1024


def python_command() -> list[str]:
    """Return the argv that starts this oauthkit, without its arguments.

    `-P` keeps Python from importing modules from the current directory. Python 3.10 lacks
    it, so start the command in a directory that only root can write to, such as /.
    """
    safe = ["-P"] if hasattr(sys.flags, "safe_path") else []
    return [sys.executable, *safe, "-m", "oauthkit"]


def refresh(paths: ProjectPaths, *arguments: str) -> int:
    """Run `oauthkit refresh` on the project.

    Return its exit status, or 1 if it cannot be started or does not end within REFRESH_LIMIT_S.
    Its stderr is shown after it exits. Because it can contain file names, it is made printable.
    """
    argv = [*python_command(), "refresh", f"--project={paths.project}", *arguments]
    try:
        # Not a pipe: a process that the run leaves behind could hold it open.
        with os.fdopen(os.memfd_create("stderr"), "r+b") as stderr:
            status = _wait(argv, stderr)
            stderr.seek(0)
            text = stderr.read(MOST_STDERR_BYTES).decode("utf-8", "surrogateescape")
    except OSError as error:  # too many processes or open files
        complain(f"oauthkit: cannot start a refresh: {error.strerror}")
        return 1
    if text:
        for line in text.removesuffix("\n").split("\n"):  # splitlines would split at U+2028, too
            complain(line)
    if status is None:
        complain(f"oauthkit: the refresh did not finish within {REFRESH_LIMIT_S} s and was killed")
        return 1
    return status


def _wait(argv: list[str], stderr: IO[bytes]) -> int | None:
    """Run a refresh and return its exit status, or None if it was killed at REFRESH_LIMIT_S."""
    with subprocess.Popen(
        argv, cwd="/", env=_environment(), stdin=subprocess.DEVNULL, stderr=stderr
    ) as process:
        try:
            return process.wait(REFRESH_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    return None


def _environment() -> dict[str, str]:
    """Return the environment with absolute paths."""
    environment = dict(os.environ)
    for name in PATHS:
        if environment.get(name):
            environment[name] = _absolute(environment[name])
    for name in _LISTS:
        if environment.get(name):
            entries = environment[name].split(os.pathsep)
            environment[name] = os.pathsep.join(map(_absolute, entries))
    return environment


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - does not follow links
