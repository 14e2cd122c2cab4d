"""Write the units that start a project's chain of runs, or a crontab line that replaces them."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.child import python_command
from oauthkit.host.errors import HostError
from oauthkit.host.path_info import read
from oauthkit.host.project import ENVIRONMENT
from oauthkit.host.shipped_files import script_of
from oauthkit.host.systemd.client import name_problem
from oauthkit.host.systemd.owner import is_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.project import ProjectPaths

# In each service, Python does not import from a directory that others can write, a core dump cannot
# contain a token, and children get the default action for SIGPIPE.
_SERVICE = ("WorkingDirectory=/", "LimitCORE=0", "IgnoreSIGPIPE=no")
# How the names of the files end that install writes.
SUFFIXES = ("-heal.timer", "-watch.service", "-heal.service", "-follow.service")
_MARK = "# Written by oauthkit install, removed by oauthkit uninstall. Project: "


@dataclass(frozen=True)
class Command:
    """The argv of a project's refresh, and its environment variables."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


def command_of(paths: ProjectPaths, form: str | None, program: str = "refresh") -> Command:
    """Return the command that refreshes a project: its script if it has one, else this Python.

    `form` is "bash" or "python" to select one. With `program`, another program than the refresh.
    Raise HostError if the form is not available.
    """
    require_name(paths)
    name = script_of(program)
    script = paths.project / name
    if script.is_file() and script.resolve() != paths.project.resolve() / name:
        raise HostError(f"{script} is a link into another project, and would refresh that one")
    if form == "bash" and not script.is_file():
        raise HostError(f"{script} does not exist. Copy it there, or use --form python")
    argv = (*python_command(), program, f"--project={paths.project}")
    if form != "python" and script.is_file():
        bash = shutil.which("bash")
        if bash is None:
            raise HostError("bash is not in PATH")
        argv = (os.path.abspath(bash), str(script))  # noqa: PTH100 - does not follow links
    environment = [("HOME", str(paths.home)), ("PATH", os.environ.get("PATH", os.defpath))]
    # As the refresh's own timers do. Each run reads refresh.conf itself.
    environment += [(x.name, x.value) for x in paths.settings if x.origin == ENVIRONMENT]
    return Command(argv, tuple(environment))


def require_name(paths: ProjectPaths) -> None:
    """Raise HostError if OAUTHKIT_UNIT is not a valid unit name."""
    if problem := name_problem(paths.unit):
        raise HostError(problem)


def directory() -> Path:
    """Return the directory of the user's own units (systemd.unit(5), UNIT FILE LOAD PATH)."""
    configuration, home = os.environ.get("XDG_CONFIG_HOME"), os.environ.get("HOME")
    if not configuration and not home:
        raise HostError("HOME is not set, so the directory of the user units is unknown. Set HOME")
    return Path(configuration or f"{home}/.config") / "systemd/user"


def written_for(project: Path) -> list[Path]:
    """Return the files in that directory that install has written for a project."""
    return [file for file, name in projects_by_file().items() if is_same(name, project)]


def projects_by_file() -> dict[Path, str]:
    """Map the unit files that install has written, in sorted order, to their projects."""
    found = (file for suffix in SUFFIXES for file in directory().glob(f"*{suffix}"))
    files = sorted(file for file in found if file.is_file())
    names = {file: owner(read(file).data.decode("utf-8", "surrogateescape")) for file in files}
    return {file: name for file, name in names.items() if name is not None}


def is_masked(file: Path) -> bool:
    """Return whether `systemctl mask` has replaced a unit file."""
    return os.path.realpath(file) == os.devnull


def with_earlier_names(paths: ProjectPaths) -> list[Path]:
    """Return the project's unit files that install wrote under an earlier OAUTHKIT_UNIT."""
    return [
        file for file in written_for(paths.project) if file.name.rpartition("-")[0] != paths.unit
    ]


def texts(paths: ProjectPaths, command: Command) -> dict[str, str]:
    """Return the unit files by name. They start a full run with the manager, and every hour.

    A full run schedules the next one. So the chain continues within an hour, no matter what
    interrupted it, and within 7 min if a run of these units was killed: systemd.service(5),
    Restart=.
    """
    service = _text(
        paths, "refresh, which restarts the chain of runs",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={_command_line(command.argv)}",
        *_assignments(command),
        *_SERVICE,
        "TimeoutStartSec=10min",
        "Restart=on-abnormal",
        "RestartSec=7min",
    )  # fmt: skip
    return {f"{paths.heal}.service": service, f"{paths.heal}.timer": timer_text(paths)}


def timer_text(paths: ProjectPaths) -> str:
    """Return the text of the timer that starts a run with the user manager, and every hour."""
    return _text(
        paths, "refresh, when the manager starts and every hour",
        "[Timer]",
        "OnStartupSec=1min",
        "OnCalendar=hourly",
        "Persistent=true",
        wanted_by="timers.target",
    )  # fmt: skip


def watch_text(paths: ProjectPaths, command: Command) -> dict[str, str]:
    """Return the unit file of oauthkit watch by name. It runs as long as the manager."""
    argv = [*python_command(), "watch", f"--project={paths.project}"]
    service = _text(
        paths, "refresh, when a container asks for it",
        "[Service]",
        "Type=notify",
        f"ExecStart={_command_line(argv)}",
        *_assignments(command),
        *_SERVICE,
        "Restart=on-failure",
        "RestartSec=10s",
        wanted_by="default.target",
    )  # fmt: skip
    return {f"{paths.unit}-watch.service": service}


def follow_text(paths: ProjectPaths, command: Command) -> dict[str, str]:
    """Return the unit file of oauthkit follow by name. It runs as long as the manager.

    The unit has started when the store was read once. If that fails, the follower tries again.
    """
    service = _text(
        paths, "from a store",
        "[Service]",
        "Type=exec",
        f"ExecStartPre=-{_command_line((*command.argv, '--once'))}",
        f"ExecStart={_command_line(command.argv)}",
        *_assignments(command),
        *_SERVICE,
        "Restart=always",
        "RestartSec=10s",
        "TimeoutStartSec=10min",
        wanted_by="default.target",
    )  # fmt: skip
    return {f"{paths.follow}.service": service}


def _text(paths: ProjectPaths, description: str, *lines: str, wanted_by: str = "") -> str:
    """Return the text of a unit file. `lines` are its section between [Unit] and [Install]."""
    unit = [mark(paths), "[Unit]", f"Description=NanoClaw OAuth token {description}", ""]
    install = ["", "[Install]", f"WantedBy={wanted_by}"] if wanted_by else []
    return "\n".join([*unit, *lines, *install, ""])


def _command_line(argv: Sequence[str]) -> str:
    program, *arguments = argv
    return " ".join([_quoted(program), *(_quoted(word.replace("$", "$$")) for word in arguments)])


def _assignments(command: Command) -> list[str]:
    return [f"Environment={_quoted(f'{name}={value}')}" for name, value in command.environment]


def mark(paths: ProjectPaths) -> str:
    """Return the first line of a project's unit files."""
    return f"{_MARK}{str(paths.project)!r}"


def owner(text: str) -> str | None:
    """Return the project whose install wrote a unit file, or None if none did."""
    first = text.partition("\n")[0]
    if not first.startswith(_MARK):
        return None
    try:
        project = ast.literal_eval(first.removeprefix(_MARK))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the line was edited
        return None
    return project if isinstance(project, str) else None


def _quoted(word: str) -> str:
    """Quote a word of a unit file.

    The rules are in systemd.service(5), COMMAND LINES, and systemd.unit(5), SPECIFIERS.
    """
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "%": "%%"}
    text = "".join(escapes.get(c) or (c if c.isprintable() else _bytes(c)) for c in word)
    return f'"{text}"'


def _bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def crontab(command: Command) -> str:
    """Return a crontab line that checks the token every 4 min. It renews in the last 5 min.

    Raise HostError for a path that a crontab cannot contain.
    """
    words = [f"{name}={shlex.quote(value)}" for name, value in command.environment]
    words += [shlex.quote(word) for word in (*command.argv, "--ensure")]
    line = " ".join(words).replace("%", r"\%")  # crontab(5)
    if not line.isprintable():
        raise HostError("a path has characters that a crontab cannot contain")
    return f"*/4 * * * * {line} 2>&1 | sed '/next refresh NOT scheduled$/d'\n"
