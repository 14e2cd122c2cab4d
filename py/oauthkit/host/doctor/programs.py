"""Check the programs that a refresh runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from oauthkit.host.display import CLAUDE_DIRECTORIES, as_root, quote
from oauthkit.host.doctor.finding import Finding
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

# The programs that a run needs besides claude.
NEEDED_PROGRAMS = ("jq", "timeout", "flock")
# The first line of timeout --version in uutils coreutils before 0.6.
OLD_UUTILS = re.compile(r"timeout (\(uutils coreutils\) )?0\.[0-5]\.")


def program(name: str, fix: str) -> Finding:
    """Check that a program is in PATH."""
    found = find_program(name)
    return Finding(name, found) if found else Finding(name, "not in PATH", fix)


def claude(paths: ProjectPaths, path: str | None = None) -> Finding:
    """Check that claude can be found and executed, with this process's PATH or `path`."""
    first = find_program("claude") if path is None else shutil.which("claude", path=path)
    usual = [f"{paths.home}/{name}/claude" for name in CLAUDE_DIRECTORIES]
    found = first or next(filter(shutil.which, usual), None)
    if found is None:
        entries = (os.environ.get("PATH", "") if path is None else path).split(":")
        for file in [*(f"{entry}/claude" for entry in entries if entry), *usual]:
            if os.path.isfile(file):  # noqa: PTH113 - raises nothing
                is_own = os.stat(file).st_uid == os.getuid()  # noqa: PTH116
                fix = f"chmod u+x {quote(file)}" if is_own else as_root(f"chmod a+x {quote(file)}")
                return Finding("claude", f"{file} is not executable", fix)
    return Finding("claude", found) if found else Finding(
        "claude", "not in PATH, nor in ~/.claude/local or ~/.local/bin",
        "npm install --global @anthropic-ai/claude-code",
    )  # fmt: skip


def missing_in(paths: ProjectPaths, path: str, *, with_claude: bool = True) -> list[str]:
    """Return the programs of a run that are in this process's PATH, but not in `path`.

    Doctor reports those that its own PATH lacks, too. There, another `path` would not help.
    """
    missing = [
        name
        for name in NEEDED_PROGRAMS
        if find_program(name) and shutil.which(name, path=path) is None
    ]
    if with_claude and claude(paths).is_ok and not claude(paths, path).is_ok:
        missing.insert(0, "claude")
    return missing


def timeout() -> Finding:
    """Check that timeout is in PATH, and ends a program that ignores SIGTERM."""
    found = program("timeout", as_root("apt-get install coreutils"))
    version = (found.is_ok and output_of("timeout", "--version")) or ""
    if not OLD_UUTILS.match(version):
        return found
    problem = f"{version.splitlines()[0]} does not end a claude that ignores SIGTERM"
    return Finding("timeout", problem, "install GNU coreutils, or uutils coreutils 0.6 or newer")


def output_of(*argv: str) -> str | None:
    """Return the output of a program, or None if it fails or is missing."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
