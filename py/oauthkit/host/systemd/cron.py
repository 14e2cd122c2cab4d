"""Write a crontab line that refreshes a project, and find such lines."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.host.path_info import inspect_path
from oauthkit.host.shell_commands import as_root, command
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.program.settings import SETTINGS
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths
    from oauthkit.host.systemd.start_command import Command

# Five time fields, or a word such as @hourly. The rest is for /bin/sh (crontab(5)).
_LINE = re.compile(r"\s*(?:@\w+|(?:[\d*/,\-A-Za-z]+\s+){4}[\d*/,\-A-Za-z]+)\s+(.+)")
_SETTING = re.compile(r"\s*(\w+)\s*=\s*([\"']?)(.*?)\2\s*")
# Commands that can give a program another environment.
_CHANGERS = {".", "doas", "docker", "env", "eval", "runuser", "source", "ssh", "su", "sudo"}
_ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)
# cron's default (crontab(5)). A crontab can set another.
CRON_PATH = "/usr/bin:/bin"
DAEMONS = "cron|crond|fcron"  # a pattern for pgrep(1)
# systemd-cron has no daemon.
GENERATOR = Path("/usr/lib/systemd/system-generators/systemd-crontab-generator")
START = as_root("service cron start")
LIMIT_S = 30


@dataclass(frozen=True)
class Line:
    """A crontab line that refreshes a project."""

    project: str  # its real path
    path: str  # the PATH that its command gets
    program: str = ""  # the script or the Python program that it runs, if it has an absolute path
    variables: dict[str, str] | None = None  # what the crontab sets for it; None if unknown

    @property
    def missing_program(self) -> str:
        """Return the line's program if it does not exist, otherwise ""."""
        return self.program if self.program and inspect_path(Path(self.program)).is_nothing else ""


def line_of(paths: ProjectPaths) -> Line | None:
    """Return the first line that can refresh this project, else the first whose program is missing.

    Return None if no line names the project.
    """
    return min(lines_of(paths.project), key=lambda line: line.missing_program != "", default=None)


def lines_of(project: Path) -> list[Line]:
    """Return the lines that name a project, which need not exist any more."""
    wanted = os.path.realpath(project)
    return [line for line in _lines() if line.project == wanted]


def projects() -> set[str]:
    """Return the projects that the crontab's lines refresh."""
    # Skip paths with a $, because the shell would expand it. Skip nonexistent paths with a space,
    # because the shell might split them.
    return {
        line.project
        for line in _lines()
        if "$" not in line.project and (" " not in line.project or os.path.isdir(line.project))  # noqa: PTH112
    }


def _lines() -> Iterator[Line]:
    """Yield each line that refreshes a project, once for each of its projects."""
    settings = {"PATH": CRON_PATH}
    for line in crontab().split("\n"):
        setting = _SETTING.fullmatch(line)
        if setting:
            settings[setting[1]] = setting[3]
        line_with_command = _LINE.fullmatch(line)
        words = _words(line_with_command[1].replace(r"\%", "%")) if line_with_command else []
        own = [word.removeprefix("PATH=") for word in words if word.startswith("PATH=")]
        home = settings.get("HOME") or os.path.expanduser("~")  # noqa: PTH111
        path = _expanded(own[-1], home) if own else settings["PATH"]
        found = [*_projects_in([_expanded(word, home) for word in words], home)]
        variables = _variables(words, settings) if len(found) == 1 else None
        for project, program in found:
            yield Line(project, path, program, variables)


def _variables(words: list[str], settings: dict[str, str]) -> dict[str, str] | None:
    """Return the variables that a crontab sets for the refresh of a line, or None if unknown.

    They are known if the line is [cd DIRECTORY &&] [NAME=VALUE]... [WRAPPER] REFRESH, with literal
    values of HOME and the settings.
    """
    command = words[3:] if words[:1] == ["cd"] and words[2:3] == ["&&"] else words
    own = [*itertools.takewhile(bool, map(_ASSIGNMENT.fullmatch, command))]
    given = {found[1]: found[2] for found in own if found}
    if any(re.search(r"[$`~]", given.get(name, "")) for name in ("HOME", *SETTINGS)):
        return None
    rest = [*itertools.takewhile(lambda word: not set(word) <= set("();<>|&"), command[len(own) :])]
    scripts = [number for number, word in enumerate(rest) if f"/{word}".endswith(f"/{SCRIPT}")]
    before = (
        rest[: scripts[0]]
        if scripts
        else rest[: rest.index("refresh")]
        if "refresh" in rest
        else None
    )
    if before is None or any(_changes_environment(word) for word in before):
        return None
    return settings | given


def _changes_environment(word: str) -> bool:
    """Return whether a word before the refresh may start a shell, or set other variables."""
    return os.path.basename(word) in _CHANGERS or word.startswith(("-c", "-l", "-i", "--login"))  # noqa: PTH119


def crontab() -> str:
    """Return the user's crontab, or "" if there is none."""
    try:
        done = subprocess.run(
            ["crontab", "-l"], capture_output=True, text=True, errors="surrogateescape",
            check=False, stdin=subprocess.DEVNULL, timeout=LIMIT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def is_running() -> bool | None:
    """Return whether a cron daemon is running, or None if unknown."""
    try:
        done = subprocess.run(
            ["pgrep", "-x", DAEMONS], capture_output=True, check=False, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode == 0:
        return True
    # With hidepid, other users' processes are hidden: proc(5).
    are_visible = os.path.exists("/proc/1/comm")  # noqa: PTH110 - does not raise
    is_known = done.returncode == 1 and are_visible and not GENERATOR.exists()
    return False if is_known else None


def _words(text: str) -> list[str]:
    """Split a command line into words and operators."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return [*lexer]
    except ValueError:  # an unclosed quote
        return []


def _expanded(word: str, home: str) -> str:
    """Expand ~ and variables in a word. HOME is the crontab's, the others are this process's."""
    word = re.sub(r"^~(?=/|$)|\$HOME\b|\$\{HOME\}", lambda _: home, word)
    return os.path.expanduser(os.path.expandvars(word))  # noqa: PTH111


def _projects_in(words: list[str], home: str) -> Iterator[tuple[str, str]]:
    """Yield the real path of each project that a command line refreshes, and the program or ""."""
    is_oauthkit = any(word.endswith("oauthkit") for word in words) and "refresh" in words
    start = words[: words.index("refresh")] if is_oauthkit else []
    if "-m" in start:  # PYTHON OPTIONS -m oauthkit refresh
        start = start[: start.index("-m")]
        program = next((word for word in reversed(start) if not word.startswith("-")), "")
    else:
        program = next((word for word in start if word.endswith("oauthkit")), "")
    program = program if program.startswith("/") else ""
    directory = home  # cron starts commands there
    for before, word in itertools.pairwise(["", *words]):
        path = os.path.realpath(os.path.join(directory, word))  # noqa: PTH118
        project = word if before == "--project" else word.partition("--project=")[2]
        if before == "cd":
            directory = path
        elif path.endswith(f"/{SCRIPT}"):
            yield path.removesuffix(f"/{SCRIPT}"), path
        elif is_oauthkit and project:
            yield os.path.realpath(os.path.join(directory, project)), program  # noqa: PTH118


def install_command(paths: ProjectPaths, *options: str) -> str:
    """Return the command that adds the project's crontab line. `options` are passed to install.

    If cron is not installed or not running, the command first installs or starts it.
    """
    add = f"(crontab -l 2>/dev/null; {command('install', paths, '--cron', *options)}) | crontab -"
    if not find_program("crontab"):
        return f"{as_root('apt-get install --no-install-recommends cron')} && {START} && {add}"
    return f"{START} && {add}" if is_running() is False else add


def new_line(command: Command) -> str:
    """Return a crontab line that checks the token every 4 min.

    In the token's last 5 min, a run renews it.
    Raise HostError for a path that a crontab cannot contain.
    """
    words = [f"{name}={shlex.quote(value)}" for name, value in command.environment]
    words += [shlex.quote(word) for word in (*command.argv, "--ensure")]
    line = " ".join(words).replace("%", r"\%")  # crontab(5)
    if not line.isprintable():
        raise HostError("a path has characters that a crontab cannot contain")
    return f"*/4 * * * * {line} 2>&1 | sed '/next refresh NOT scheduled$/d'\n"
