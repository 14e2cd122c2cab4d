"""Start oauthkit in a child process, because a refresh changes umask, signals and directory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from oauthkit.console import complain

if TYPE_CHECKING:
    from oauthkit.host.project import Places

# Paths that can be relative. The child runs in another directory, so they are made absolute.
PATHS = ("HOME", "CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_LOG")
_LISTS = ("PATH", "PYTHONPATH")
# The same as RuntimeMaxSec= of the timers. A normal refresh takes at most 9 min: two locks, claude
# three times, and two hooks.
REFRESH_LIMIT_S = 10 * 60


def python_command() -> list[str]:
    """Return the argv that starts this oauthkit, without its arguments.

    `-P` keeps Python from importing modules from the current directory. Python 3.10 does not have
    it: start this in a directory that only root can write, such as /.
    """
    safe = ["-P"] if hasattr(sys.flags, "safe_path") else []
    return [sys.executable, *safe, "-m", "oauthkit"]


def refresh(places: Places, *arguments: str) -> int:
    """Run `oauthkit refresh` on the project.

    Return its exit status, or 1 if it cannot be started or does not end within REFRESH_LIMIT_S.
    """
    argv = [*python_command(), "refresh", f"--project={places.project}", *arguments]
    try:
        process = subprocess.Popen(argv, cwd="/", env=_environment(), stdin=subprocess.DEVNULL)
    except OSError as error:  # no more processes, or open files
        complain(f"oauthkit: cannot start a refresh: {error.strerror}")
        return 1
    with process:
        try:
            return process.wait(REFRESH_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    complain(f"oauthkit: the refresh did not end within {REFRESH_LIMIT_S} s and was killed")
    return 1


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
