"""Where a project keeps what the refresh reads and writes: the same rules as in refresh.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from oauthkit.host.errors import HostError, NoFolderError
from oauthkit.host.path_info import look

DEFAULT_UNIT = "nanoclaw-oauth-refresh-next"


@dataclass(frozen=True)
class Places:
    """The files of one project, all of them absolute, and the name of its unit."""

    project: Path
    home: Path
    credentials: Path
    dotenv: Path
    log: Path
    unit: str

    @property
    def older_log(self) -> Path:
        """Where a log goes that has grown past its limit."""
        return Path(f"{self.log}.1")

    @property
    def failing(self) -> Path:
        """The mark that is there from the first failed run to the next good one."""
        return self.log.parent / "oauth-refresh.failing"

    @property
    def units(self) -> tuple[str, ...]:
        """The names that the refresh arms its timer under, without a suffix."""
        return self.unit, f"{self.unit}-alt", f"{self.unit}-alt-alt"

    @property
    def heal(self) -> str:
        """The name of the units of install that heal the chain, without a suffix."""
        return f"{self.unit}-heal"


def find_places(project: str) -> Places:
    """The places of a project by the environment, as the refresh has them.

    NoFolderError if the project is no folder, HostError if HOME is not set.
    """
    if not os.path.isdir(project):  # noqa: PTH112 - Path makes a folder out of ""
        sight = look(_absolute(project))
        why = f"{sight.problem}: {sight.mend}" if sight.problem else f"{project!r} is not a folder"
        raise NoFolderError(f"{why}: give --project DIR")
    if not os.environ.get("HOME"):
        raise HostError("HOME is not set, it leads to claude's credentials")
    try:
        os.getcwd()  # noqa: PTH109 - what is relative begins there
    except OSError:
        raise HostError(
            "the working directory does not exist any more. Change to another one"
        ) from None
    home = _absolute(os.environ["HOME"])
    folder = _absolute(project)
    config = _absolute(os.environ.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    return Places(
        folder,
        home,
        config / ".credentials.json",
        _absolute(os.environ.get("OAUTHKIT_DOTENV") or f"{folder}/.env"),
        _absolute(os.environ.get("OAUTHKIT_LOG") or f"{folder}/logs/oauth-refresh.log"),
        os.environ.get("OAUTHKIT_UNIT") or DEFAULT_UNIT,
    )


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(text))  # noqa: PTH100 - with no link followed
