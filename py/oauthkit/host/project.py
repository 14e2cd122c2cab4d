"""Resolve a project's paths and settings, by the same rules as refresh.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import inspect_path
from oauthkit.shell import escape_unit

DEFAULT_UNIT = "nanoclaw-oauth-refresh-next"


@dataclass(frozen=True)
class Places:
    """The absolute paths of a project's files, and the name of its unit."""

    project: Path
    home: Path
    credentials: Path
    dotenv: Path
    log: Path
    unit: str

    @property
    def older_log(self) -> Path:
        """The path to which the log is rotated."""
        return Path(f"{self.log}.1")

    @property
    def failing(self) -> Path:
        """The file that exists from the first failed run to the next successful one."""
        return self.log.parent / "oauth-refresh.failing"

    @property
    def units(self) -> tuple[str, ...]:
        """The names of the chain's timers, without a suffix. The first unused one is taken."""
        own = f"{self.unit}-{escape_unit(str(self.project))}"
        return self.unit, own, f"{own}--alt", f"{own}--alt-alt"

    @property
    def heal(self) -> str:
        """The name of the units that install writes to restart the chain, without a suffix."""
        return f"{self.unit}-heal"


def find_places(project: str) -> Places:
    """Return a project's paths and settings.

    UsageError if the project is not a directory, HostError if HOME is not set.
    """
    if not os.path.isdir(project):  # noqa: PTH112 - Path("") is the current directory
        info = inspect_path(_absolute(project))
        why = f"{info.problem}: {info.fix}" if info.problem else f"{project!r} is not a directory"
        raise UsageError(f"{why}: give --project DIR")
    if not os.environ.get("HOME"):
        raise HostError("HOME is not set, it leads to claude's credentials")
    try:
        os.getcwd()  # noqa: PTH109 - relative paths need it
    except OSError:
        raise HostError(
            "the working directory does not exist any more. Change to another one"
        ) from None
    home = _absolute(os.environ["HOME"])
    directory = _absolute(project)
    config = _absolute(os.environ.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    return Places(
        directory,
        home,
        config / ".credentials.json",
        _absolute(os.environ.get("OAUTHKIT_DOTENV") or f"{directory}/.env"),
        _absolute(os.environ.get("OAUTHKIT_LOG") or f"{directory}/logs/oauth-refresh.log"),
        os.environ.get("OAUTHKIT_UNIT") or DEFAULT_UNIT,
    )


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(text))  # noqa: PTH100 - does not follow links
