"""Resolve a project's paths and settings, as a refresh does."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plumbum import LocalPath, local

from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import inspect_path
from oauthkit.program import settings as program_settings
from oauthkit.program import state_files
from oauthkit.program.schedule import DEFAULT_UNIT, unit_name
from oauthkit.program.settings import SETTINGS
from oauthkit.shell import escape_unit, find_program

if TYPE_CHECKING:
    from collections.abc import Mapping

CONF_FILE = "scripts/oauth/refresh.conf"


ENVIRONMENT, CONF, DEFAULT = "environment", "refresh.conf", "default"


@dataclass(frozen=True)
class Setting:
    """A setting, and its origin: ENVIRONMENT, CONF or DEFAULT. Paths are absolute."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class ProjectPaths:
    """The absolute paths of a project's files, the name of its unit, and its settings."""

    project: Path
    home: Path
    credentials: Path
    dotenv: Path
    log: Path
    unit: str
    bearer: Path | None = None
    settings: tuple[Setting, ...] = ()
    settings_problems: tuple[str, ...] = ()  # the errors in refresh.conf, in the refresh's words

    @property
    def conf(self) -> Path:
        """Return the settings file."""
        return self.project / CONF_FILE

    @property
    def changed_settings(self) -> tuple[Setting, ...]:
        """Return the settings that do not come from the defaults."""
        return tuple(setting for setting in self.settings if setting.origin != DEFAULT)

    @property
    def store(self) -> str:
        """OAUTHKIT_STORE, or "" if there is none."""
        return next((x.value for x in self.settings if x.name == "OAUTHKIT_STORE"), "")

    @property
    def older_log(self) -> Path:
        """Return the path to which the log is rotated."""
        return Path(f"{self.log}.1")

    @property
    def lock(self) -> Path:
        """Return the lock file of the project's runs. The first run creates it."""
        return self.log.parent / state_files.LOCK

    @property
    def failing(self) -> Path:
        """Return the file that exists from the first failed run to the next successful one."""
        return self.log.parent / state_files.FAILING

    @property
    def claude_files(self) -> tuple[Path, ...]:
        """Return the files that a refresh tries if claude is not in PATH."""
        return self.home / ".claude/local/claude", self.home / ".local/bin/claude"

    def find_claude(self, path: str | None = None) -> str | None:
        """Return the path of the claude that a refresh starts, or None.

        `path` replaces this process's PATH.
        """
        found = find_program("claude") if path is None else shutil.which("claude", path=path)
        return found or next(filter(shutil.which, map(str, self.claude_files)), None)

    @property
    def units(self) -> tuple[str, ...]:
        """Return the names of the chain's timers, without suffix. The first unused one is used."""
        own = f"{self.unit}-{escape_unit(str(self.project))}"
        return self.unit, own, f"{own}--alt", f"{own}--alt-alt"

    @property
    def follow(self) -> str:
        """Return the name, without suffix, of the unit that install --follow writes."""
        return f"{self.unit}-follow"

    @property
    def heal(self) -> str:
        """Return the name, without suffix, of the units that restart the chain."""
        return f"{self.unit}-heal"


def find_paths(project: str) -> ProjectPaths:
    """Return a project's paths and settings.

    Raise UsageError if the project is not a directory, and HostError if HOME is not set.
    """
    if not os.path.isdir(project):  # noqa: PTH112 - Path("") is the current directory
        info = inspect_path(_absolute(project))
        if info.problem:
            raise UsageError(f"{info.problem}. Pass another --project DIR, or fix it: {info.fix}")
        raise UsageError(f"{project!r} is not a directory. Pass --project DIR")
    if not os.environ.get("HOME"):
        raise HostError("HOME is not set. It is needed to find claude's credentials")
    try:
        os.getcwd()  # noqa: PTH109 - relative paths need it
    except OSError:
        raise HostError(
            "the working directory no longer exists. Change to another directory"
        ) from None
    home = _absolute(os.environ["HOME"])
    directory = _absolute(project)
    settings, errors = read_settings(directory, home, os.environ)
    values = {setting.name: setting.value for setting in settings}
    bearer = values["OAUTHKIT_BEARER"]
    return ProjectPaths(
        directory,
        home,
        Path(values["CLAUDE_CONFIG_DIR"]) / ".credentials.json",
        Path(values["OAUTHKIT_DOTENV"]),
        Path(values["OAUTHKIT_LOG"]),
        unit_name(values["OAUTHKIT_UNIT"]) or values["OAUTHKIT_UNIT"],
        Path(bearer) if bearer else None,
        settings,
        tuple(errors),
    )


def read_settings(
    project: Path, home: Path, environment: Mapping[str, str]
) -> tuple[tuple[Setting, ...], list[str]]:
    """Return all settings of a run with this environment, in the order of SETTINGS.

    Also return the errors in refresh.conf, in the refresh's words.
    """
    defaults = dict.fromkeys(SETTINGS, "") | {
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "OAUTHKIT_DOTENV": str(project / ".env"),
        "OAUTHKIT_LOG": str(project / "logs" / state_files.LOG),
        "OAUTHKIT_UNIT": DEFAULT_UNIT,
    }
    given, errors = _given_settings(project, environment)
    settings = []
    for name, default in defaults.items():
        value = given[name]
        origin = ENVIRONMENT if environment.get(name) else CONF if value else DEFAULT
        settings.append(Setting(name, value or default, origin))
    return tuple(settings), errors


def other_user(paths: ProjectPaths) -> str:
    """Return the project's owner if this process is root and root has no login, else "".

    The owner's login and timers are separate from root's. With `sudo -E`, root has the owner's HOME
    and login, and a renewal would make the login root's.
    """
    if os.geteuid() != 0:
        return ""
    with suppress(OSError, KeyError):  # a container may not know the user
        uid = paths.project.stat().st_uid
        has_login = bool(paths.store) or (
            os.path.lexists(paths.credentials) and paths.credentials.lstat().st_uid != uid
        )
        return pwd.getpwuid(uid).pw_name if uid and not has_login else ""
    return ""


def require_own_project(paths: ProjectPaths) -> None:
    """Raise HostError if root, without a login of its own, uses another user's project."""
    if user := other_user(paths):
        text = f"{paths.project} belongs to {user}, and root has no login of its own"
        raise HostError(f"{text}. Become that user: su - {shlex.quote(user)}")


def config_dir_of_runs(paths: ProjectPaths) -> Path:
    """Return the directory of the login that a run uses if its environment has no settings."""
    given, _ = _given_settings(paths.project, {})
    return Path(given["CLAUDE_CONFIG_DIR"] or paths.home / ".claude")


def _given_settings(
    project: Path, environment: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the settings that an environment and refresh.conf give, and the file's errors.

    The refresh's own functions read them, so that both always get the same result.
    """
    with local.env():
        for name in SETTINGS:
            local.env[name] = environment.get(name, "")
        program_settings.make_absolute(".")
        errors = program_settings.read_settings(LocalPath(str(project)))
        given = {name: local.env.get(name, "") for name in SETTINGS}
    return given, errors.splitlines()


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(text))  # noqa: PTH100 - does not follow links
