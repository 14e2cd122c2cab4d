"""Prepare the run of a program: its environment, and the paths of its files."""

from __future__ import annotations

import os

from plumbum import LocalPath, local

from oauthkit.program.settings import make_absolute
from oauthkit.program.state_files import LOG
from oauthkit.shell import (
    Status,
    absolute,
    complain,
    disable_core_dumps,
    replace_controls,
    script_path,
)


def set_up() -> Status:
    """Prepare the environment for the commands that are started. Return 1 to end the run."""
    os.umask(0o077)
    disable_core_dumps()
    if local.env.get("HOME", "") == "":
        complain("oauthkit: HOME is not set. It is needed to find claude's credentials")
        return 1
    home = absolute(local.env.get("HOME", ""))
    local.env["HOME"] = f"{home}"
    make_absolute(".")
    remove_other_logins()
    local.env.pop("OAUTHKIT_OUTPUT", "")
    # In the project, claude would run the project's own hooks and MCP servers.
    local.cwd.chdir("/")
    return 0


def remove_other_logins() -> None:
    """Remove the variables from the environment that claude and hooks must not get.

    Each makes claude ignore the credentials file, or not start at all. Some contain a token.
    """
    local.env.pop("CLAUDE_CODE_OAUTH_TOKEN", "")
    local.env.pop("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "")
    local.env.pop("CLAUDE_CODE_OAUTH_REFRESH_TOKEN", "")
    local.env.pop("ANTHROPIC_API_KEY", "")
    local.env.pop("CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "")
    local.env.pop("ANTHROPIC_AUTH_TOKEN", "")
    local.env.pop("CLAUDE_CODE_SIMPLE", "")
    local.env.pop("CLAUDECODE", "")


def paths(project: LocalPath) -> tuple[LocalPath, LocalPath, LocalPath, LocalPath]:
    """Return the paths of the home directory, the credentials, .env and the log."""
    home = absolute(local.env.get("HOME", ""))
    config = absolute(local.env.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    credentials = config / ".credentials.json"
    dotenv = absolute(local.env.get("OAUTHKIT_DOTENV") or f"{project}/.env")
    log_file = absolute(local.env.get("OAUTHKIT_LOG") or f"{project}/logs/{LOG}")
    return home, credentials, dotenv, log_file


def is_project(directory: LocalPath) -> bool:
    """Return whether a directory looks like a project. Do not create .env in other directories."""
    for sign in (".env", "scripts/oauth", "package.json", ".git"):
        path = absolute(f"{directory}/{sign}")
        if path.exists() or path.is_symlink():
            return True
    return False


def script_project() -> tuple[Status, LocalPath]:
    """Return status 0, and the project in whose scripts/oauth this script is.

    If that is not a project, report it, and return status 2.
    """
    script = script_path()
    project = absolute(f"{script}/../../..")
    if is_project(project):
        return 0, project
    shown = replace_controls(project, "?")
    complain(f"oauthkit: {shown} is not a project. Move this script to a project's scripts/oauth")
    return 2, project
