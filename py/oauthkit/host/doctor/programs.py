"""Check the programs that a refresh runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.doctor.finding import Finding
from oauthkit.host.path_info import inspection_hint, is_file, may_change
from oauthkit.host.shell_commands import as_root, quote
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

# Often only root can write npm's default directory. A refresh also finds ~/.local/bin/claude.
INSTALL_CLAUDE = "npm install --global --prefix ~/.local @anthropic-ai/claude-code"
# Where packages install programs: a user's PATH may lack some of these directories.
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
# The programs that a run needs besides claude.
NEEDED_PROGRAMS = ("jq", "timeout", "flock")
CR_LF = "CR LF, not LF"
BOM = "a byte order mark"
# The first line of timeout --version in uutils coreutils before 0.6.
OLD_UUTILS = re.compile(r"timeout (\(uutils coreutils\) )?0\.[0-5]\.")


def program(name: str, package: str) -> Finding:
    """Check that a program is in PATH. `package` is the Debian package that contains it."""
    if found := find_program(name):
        return Finding(name, found)
    fix = as_root(f"apt-get install {package}")
    if there := shutil.which(name, path=SYSTEM_PATH):
        fix = f"export PATH=${{PATH:+$PATH:}}{quote(os.path.dirname(there))}"  # noqa: PTH120
    return Finding(name, "not in PATH", fix)


def missing_interpreter(script: Path, path: str | None = None) -> str:
    """Return what is missing if a script's first line names a missing interpreter, else "".

    A name is searched for in this process's PATH or in `path`.
    """
    first = _first_line(script) if is_file(script) else ""
    if first.startswith("\ufeff#!"):
        return f"its first line starts with {BOM}"
    # Only blanks and tabs separate words. A carriage return is part of the name (execve(2)).
    words = re.split("[ \t]+", first[2:].strip(" \t")) if first.startswith("#!") else [""]
    if words[-1].endswith("\r"):
        return f"its first line ends with {CR_LF}"
    if words[0] and not os.path.exists(words[0]):  # noqa: PTH110 - raises nothing
        return f"{words[0]} does not exist"
    if words[:1] == ["/usr/bin/env"]:
        name = next((word for word in words[1:] if word[0] != "-" and "=" not in word), "")
        return f"{name} not found in PATH" if name and not shutil.which(name, path=path) else ""
    return ""


def claude(paths: ProjectPaths, path: str | None = None) -> Finding:
    """Check that claude can be found and executed, with this process's PATH or `path`."""
    found = paths.find_claude(path)
    if found is None:
        entries = (os.environ.get("PATH", "") if path is None else path).split(":")
        files = [f"{entry}/claude" for entry in entries if entry]
        for file in [*files, *map(str, paths.claude_files)]:
            if os.path.isfile(file):  # noqa: PTH113 - raises nothing
                is_own = os.stat(file).st_uid == os.getuid()  # noqa: PTH116
                can_change = is_own and may_change(Path(file))
                fix = f"chmod u+x {quote(file)}" if can_change else inspection_hint(Path(file))
                return Finding("claude", f"{file} is not executable", fix)
            if os.path.islink(file):  # noqa: PTH114 - raises nothing
                text = f"{file} leads to {os.path.realpath(file)}, which does not exist"
                return Finding("claude", text, INSTALL_CLAUDE)
    if found and (problem := missing_interpreter(Path(found), path)):
        fix = "add its directory to PATH, or install it" if "PATH" in problem else INSTALL_CLAUDE
        return Finding("claude", f"{found} cannot run: {problem}", fix)
    return Finding("claude", found) if found else Finding(
        "claude", "not in PATH, nor in ~/.claude/local or ~/.local/bin",
        INSTALL_CLAUDE,
    )  # fmt: skip


def missing_in(paths: ProjectPaths, path: str, *, with_claude: bool = True) -> list[str]:
    """Return the programs that a run needs, and that this process's PATH finds, but not `path`.

    Other checks report the programs that neither finds. Changing `path` would not help.
    """
    missing = [
        name
        for name in NEEDED_PROGRAMS
        if find_program(name) and shutil.which(name, path=path) is None
    ]
    if with_claude and claude(paths).is_ok and not claude(paths, path).is_ok:
        missing.insert(0, "claude")
    return missing


def _first_line(script: Path) -> str:
    try:
        with script.open("rb") as file:
            return os.fsdecode(file.read(256).partition(b"\n")[0])
    except OSError:
        return ""


def timeout() -> Finding:
    """Check that timeout is in PATH, and ends a program that ignores SIGTERM."""
    found = program("timeout", "coreutils")
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
