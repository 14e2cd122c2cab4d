"""The units that start the chain of timers and heal it, and a crontab line in their place."""

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
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.host.systemd.client import complaint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.project import Places

# What a run may take from the environment, as the timers of the refresh carry it on.
SETTINGS = ("CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_LOG", "OAUTHKIT_UNIT")
# Of every service: it imports nothing from where it stands, dumps no core with a token in it, and
# its children get the default action for SIGPIPE.
_SERVICE = ("WorkingDirectory=/", "LimitCORE=0", "IgnoreSIGPIPE=no")
_MARK = "# Written by oauthkit install; oauthkit uninstall takes it away. It is of the project "


@dataclass(frozen=True)
class Command:
    """The argv of a refresh of one project, and what it needs in its environment."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


def command_of(places: Places, form: str | None) -> Command:
    """How the refresh of a project is started: by its script if it has one, else by this Python.

    `form` is "bash" or "python" where one is asked for. HostError if there is no such form.
    """
    demand_name(places)
    script = places.project / SCRIPT
    if script.is_file() and script.resolve() != places.project.resolve() / SCRIPT:
        raise HostError(f"{script} leads to another project, which it would refresh")
    if form == "bash" and not script.is_file():
        raise HostError(f"there is no {script}: put it there, or use --form python")
    argv = (*python_command(), "refresh", f"--project={places.project}")
    if form != "python" and script.is_file():
        bash = shutil.which("bash")
        if bash is None:
            raise HostError("bash is not in PATH")
        argv = (os.path.abspath(bash), str(script))  # noqa: PTH100 - with no link followed
    environment = [("HOME", str(places.home)), ("PATH", os.environ.get("PATH", os.defpath))]
    absolute = {
        "CLAUDE_CONFIG_DIR": str(places.credentials.parent),
        "OAUTHKIT_DOTENV": str(places.dotenv),
        "OAUTHKIT_LOG": str(places.log),
        "OAUTHKIT_UNIT": places.unit,
    }
    environment += [(name, absolute[name]) for name in SETTINGS if os.environ.get(name)]
    return Command(argv, tuple(environment))


def demand_name(places: Places) -> None:
    """HostError if OAUTHKIT_UNIT is nothing that systemd takes for a name."""
    if problem := complaint(places.unit):
        raise HostError(problem)


def folder() -> Path:
    """Where a user's own units are (systemd.unit(5), UNIT FILE LOAD PATH)."""
    home = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ['HOME']}/.config"
    return Path(home) / "systemd/user"


def texts(places: Places, command: Command) -> dict[str, str]:
    """The unit files, by their names: a full run as soon as the manager starts, and every hour.

    A full run arms the next one anew: whatever ended the chain, it goes on within the hour.
    """
    name = f"{places.unit}-heal"
    service = [
        mark(places),
        "[Unit]",
        "Description=NanoClaw OAuth token refresh: starts the chain of its timers, and heals it",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={_command_line(command.argv)}",
        *_assignments(command),
        *_SERVICE,
        "TimeoutStartSec=10min",
    ]
    timer = [
        mark(places),
        "[Unit]",
        "Description=NanoClaw OAuth token refresh, when the manager starts and every hour",
        "",
        "[Timer]",
        "OnStartupSec=1min",
        "OnCalendar=hourly",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return {
        f"{name}.service": "\n".join(service) + "\n",
        f"{name}.timer": "\n".join(timer) + "\n",
    }


def watch_text(places: Places, command: Command) -> dict[str, str]:
    """The unit file of oauthkit watch, by its name: it runs as long as the manager does."""
    argv = [*python_command(), "watch", f"--project={places.project}"]
    service = [
        mark(places),
        "[Unit]",
        "Description=NanoClaw OAuth token refresh, when a container asks for it",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={_command_line(argv)}",
        *_assignments(command),
        *_SERVICE,
        "Restart=on-failure",
        "RestartSec=10s",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return {f"{places.unit}-watch.service": "\n".join(service) + "\n"}


def _command_line(argv: Sequence[str]) -> str:
    program, *arguments = argv
    return " ".join([_quoted(program), *(_quoted(word.replace("$", "$$")) for word in arguments)])


def _assignments(command: Command) -> list[str]:
    return [f"Environment={_quoted(f'{name}={value}')}" for name, value in command.environment]


def mark(places: Places) -> str:
    """The first line of a unit file of this project."""
    return f"{_MARK}{str(places.project)!r}."


def owner(text: str) -> str | None:
    """The project whose install wrote a unit file; None if none did."""
    first = text.partition("\n")[0]
    if not first.startswith(_MARK):
        return None
    try:
        project = ast.literal_eval(first.removeprefix(_MARK).removesuffix("."))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # somebody has changed it
        return None
    return project if isinstance(project, str) else None


def _quoted(word: str) -> str:
    """A word of a unit file (systemd.service(5), COMMAND LINES; systemd.unit(5), SPECIFIERS)."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "%": "%%"}
    text = "".join(escapes.get(c) or (c if c.isprintable() else _bytes(c)) for c in word)
    return f'"{text}"'


def _bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def crontab(command: Command) -> str:
    """A line for a host without systemd: a check every 4 minutes, which renews in the last 5.

    HostError for a path that no crontab can have.
    """
    words = [f"{name}={shlex.quote(value)}" for name, value in command.environment]
    words += [shlex.quote(word) for word in (*command.argv, "--ensure")]
    line = " ".join(words).replace("%", r"\%")  # crontab(5)
    if not line.isprintable():
        raise HostError("a path has characters that no crontab can have")
    return f"*/4 * * * * {line}\n"
