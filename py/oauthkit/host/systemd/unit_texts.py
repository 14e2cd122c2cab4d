"""The texts of the unit files that start a project's runs, its watcher or its follower."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from oauthkit.host.child import python_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.project import ProjectPaths
    from oauthkit.host.systemd.start_command import Command

# In each service, Python does not import from a directory that others can write, a core dump cannot
# contain a token, and children get the default action for SIGPIPE.
_SERVICE = ("WorkingDirectory=/", "LimitCORE=0", "IgnoreSIGPIPE=no")
_MARK = "# Written by oauthkit install, removed by oauthkit uninstall. Project: "


def texts(paths: ProjectPaths, command: Command) -> dict[str, str]:
    """Return the unit files by name. They start a full run when the manager starts, and every hour.

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
    """Return oauthkit watch's unit file by name. The service runs as long as the manager does."""
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
    """Return oauthkit follow's unit file by name. The service runs as long as the manager does.

    The unit counts as started after the first read of the store. If that read fails, the follower
    tries again.
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


def marked_project(text: str) -> str | None:
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
