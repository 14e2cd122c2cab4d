"""Prepare the run of a program: check its environment, open the log, and take the lock."""

from __future__ import annotations

import os

from plumbum import LocalPath, local

from oauthkit.program.settings import make_absolute
from oauthkit.shell import (
    RETCODE,
    Status,
    absolute,
    complain,
    disable_core_dumps,
    is_foreign_link,
    log_error,
    log_size,
    open_log,
    outlive_signals,
    program,
    replace_controls,
    same_file,
    script_path,
    take_lock,
)

LOCK_WAIT_S = 120
LOG_LIMIT_BYTES = 1024 * 1024

mkdir = program("mkdir")
mv = program("mv")


def set_up() -> Status:
    """Prepare the environment for the commands that are started. Return 1 to end the run."""
    os.umask(0o077)
    disable_core_dumps()
    if local.env.get("HOME", "") == "":
        complain("oauthkit: HOME is not set. It leads to claude's credentials")
        return 1
    home = absolute(local.env.get("HOME", ""))
    local.env["HOME"] = home
    make_absolute()
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
    local.env.pop("ANTHROPIC_API_KEY", "")
    local.env.pop("ANTHROPIC_AUTH_TOKEN", "")
    local.env.pop("CLAUDE_CODE_SIMPLE", "")
    local.env.pop("CLAUDECODE", "")


def paths(project: LocalPath) -> tuple[LocalPath, LocalPath, LocalPath, LocalPath]:
    """Return the paths of the home directory, the credentials, .env and the log."""
    home = absolute(local.env.get("HOME", ""))
    config = absolute(local.env.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    credentials = config / ".credentials.json"
    dotenv = absolute(local.env.get("OAUTHKIT_DOTENV") or f"{project}/.env")
    log_file = absolute(local.env.get("OAUTHKIT_LOG") or f"{project}/logs/oauth-refresh.log")
    return home, credentials, dotenv, log_file


def is_project(directory: LocalPath) -> bool:
    """Return whether a directory looks like a project: do not create .env in another one."""
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


def is_dotenv(log_file: LocalPath, dotenv: LocalPath) -> bool:
    """Return whether the log is .env. If so, report it."""
    if log_file != dotenv and not same_file(log_file, dotenv):
        return False
    shown = replace_controls(log_file, "?")
    complain(f"oauthkit: OAUTHKIT_LOG and OAUTHKIT_DOTENV both lead to {shown}")
    return True


def lock_project(log_file: LocalPath, credentials: LocalPath) -> Status:
    """Open the log, and take the lock for the rest of the run. Return 0, or 1 to end the run."""
    logs = log_file.dirname
    lock = logs / "oauth-refresh.lock"
    if same_file(log_file, credentials) or same_file(lock, credentials):
        shown = replace_controls(logs, "?")
        complain(f"oauthkit: the log or the lock in {shown} leads to the login itself")
        return 1
    if not logs.exists():
        _ = mkdir["-p", logs] & RETCODE
    if is_foreign_link(logs) or is_foreign_link(log_file):
        shown = replace_controls(log_file, "?")
        complain(f"oauthkit: the log {shown} leads through a symbolic link of another user")
        return 1
    if open_log(log_file) != 0:
        shown = replace_controls(log_file, "?")
        complain(f"oauthkit: cannot write the log {shown}")
        return 1
    locked = take_lock(lock, LOCK_WAIT_S)
    if locked == 1:
        log_error(f"ERROR: another refresh has held {lock} for {LOCK_WAIT_S} s")
    elif locked == 127:
        log_error(f"ERROR: flock not found in PATH. It is needed to lock {lock}")
    elif locked != 0:
        log_error(f"ERROR: {lock} cannot be locked")
    if locked != 0:
        return 1
    outlive_signals()
    _ = open_log(log_file)  # the run that held the lock may have renamed it
    size = log_size()
    if size > LOG_LIMIT_BYTES:
        _ = mv["-f", "-T", log_file, f"{log_file}.1"] & RETCODE
        _ = open_log(log_file)
    return 0
