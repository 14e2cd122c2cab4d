"""Keep a live CLAUDE_CODE_OAUTH_TOKEN in a project's .env.

Copy the access token from Claude Code's credentials to .env. If it is about to expire, start the
claude CLI first, which renews it. Then schedule the next run with systemd-run --user.
"""

from __future__ import annotations

import os
import sys

from plumbum import LocalPath, local

from oauthkit.program.credentials import expires_at, live_token, login_ends_at, was_refused
from oauthkit.program.delivery import deliver_bearer, deliver_token, is_delivered, sweep, token_in
from oauthkit.program.hooks import HOOKS, failure_event, is_login_ending, prepare_hooks, run_hook
from oauthkit.program.process import log_output
from oauthkit.program.schedule import schedule, timer_with_settings
from oauthkit.program.settings import make_absolute, read_settings
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
    read_file,
    replace_controls,
    same_file,
    script_path,
    take_lock,
)

LOCK_WAIT_S = 120
LOG_LIMIT_BYTES = 1024 * 1024

USAGE = "usage: refresh.sh [--ensure | --rejected]"

mkdir = program("mkdir")
mv = program("mv")


def is_dotenv(log_file: LocalPath, dotenv: LocalPath) -> bool:
    """Return whether the log is .env, and report it."""
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


def refused_token(mode: str, dotenv: LocalPath) -> str:
    """Return the token in .env, which the API has refused. In other modes, return ""."""
    if mode != "rejected":
        return ""
    _, text = read_file(dotenv)
    return token_in(text)


def deliver_all(credentials: LocalPath, dotenv: LocalPath, login: str) -> tuple[str, str]:
    """Write the login to the bearer file, if there is one, and its token to .env.

    Log the errors. Return the last one, and the event (deliver_token). An error in one file does
    not affect the other.
    """
    bearer_problem = ""
    bearer_event = ""
    if local.env.get("OAUTHKIT_BEARER", "") != "":
        bearer_file = absolute(local.env.get("OAUTHKIT_BEARER", ""))
        if bearer_file == dotenv or same_file(bearer_file, dotenv):
            bearer_problem = f"OAUTHKIT_BEARER and OAUTHKIT_DOTENV both lead to {dotenv}"
        else:
            bearer_problem, bearer_event = deliver_bearer(bearer_file, credentials, login)
        if bearer_problem != "":
            log_error(f"ERROR: {bearer_problem}")
    problem, event = deliver_token(dotenv, credentials, login)
    if problem != "":
        log_error(f"ERROR: {problem}")
    if problem == "":
        problem = bearer_problem
    if event == "":
        event = bearer_event
    return problem, event


def failure_kind(credentials: LocalPath, login: str) -> str:
    """Return "refused" if the API refuses the token of a login, else ""."""
    if was_refused(credentials, login):
        return "refused"
    return ""


def refresh(project: LocalPath, mode: str) -> Status:
    """Deliver a live access token to .env, and schedule the next run.

    Return 0 if .env has a live token, 1 if not: the log's last ERROR gives the reason. With the
    mode "ensure", do nothing if .env already has one. With "rejected", renew the token that .env
    has, even if it is live.
    """
    os.umask(0o077)
    disable_core_dumps()
    if local.env.get("HOME", "") == "":
        complain("oauthkit: HOME is not set. It leads to claude's credentials")
        return 1
    home = absolute(local.env.get("HOME", ""))
    local.env["HOME"] = home
    make_absolute()
    # The next run reads refresh.conf itself.
    timer = timer_with_settings()
    errors = read_settings(project)
    config = absolute(local.env.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    credentials = config / ".credentials.json"
    dotenv = absolute(local.env.get("OAUTHKIT_DOTENV") or f"{project}/.env")
    log_file = absolute(local.env.get("OAUTHKIT_LOG") or f"{project}/logs/oauth-refresh.log")
    # Each of these makes claude ignore the credentials file, or not start at all. Some contain a
    # token, which hooks must not get.
    local.env.pop("CLAUDE_CODE_OAUTH_TOKEN", "")
    local.env.pop("ANTHROPIC_API_KEY", "")
    local.env.pop("ANTHROPIC_AUTH_TOKEN", "")
    local.env.pop("CLAUDE_CODE_SIMPLE", "")
    local.env.pop("CLAUDECODE", "")
    local.env.pop("OAUTHKIT_OUTPUT", "")
    # In the project, claude would run the project's own hooks and MCP servers.
    local.cwd.chdir("/")
    if mode == "ensure" and is_delivered(credentials, dotenv, local.env.get("OAUTHKIT_BEARER", "")):
        return 0

    # Before the wait for the lock: another run may deliver a new token meanwhile.
    refused = refused_token(mode, dotenv)
    if is_dotenv(log_file, dotenv) or lock_project(log_file, credentials) != 0:
        return 1
    log_output("WARN", errors)
    logs = log_file.dirname
    problem, login = live_token(credentials, home, refused)
    event = ""
    kind = failure_kind(credentials, login)
    if problem != "":
        log_error(f"ERROR: {problem}")
        sweep(dotenv, local.env.get("OAUTHKIT_BEARER", ""))
    else:
        problem, event = deliver_all(credentials, dotenv, login)
        if problem != "":
            kind = ""
    turn = failure_event(logs / "oauth-refresh.failing", problem, kind)
    expiry = expires_at(login)
    login_end = login_ends_at(login)
    is_ending = is_login_ending(logs / "oauth-refresh.login-ending", login_end)
    # Also after a failure: when a person has logged in again, the next run fixes the rest.
    schedule(project, credentials, problem, expiry, timer)

    prepare_hooks(problem, expiry, login_end, dotenv)
    hooks = project / HOOKS
    run_hook(event, hooks)
    run_hook(turn, hooks)
    if is_ending:
        run_hook("login-ending", hooks)
    if problem != "":
        return 1
    return 0


def is_project(directory: LocalPath) -> bool:
    """Return whether a directory looks like a project: in another one, do not create .env."""
    for sign in (".env", "scripts/oauth", "package.json", ".git"):
        path = absolute(f"{directory}/{sign}")
        if path.exists() or path.is_symlink():
            return True
    return False


def main(*arguments: str) -> Status:
    """Parse the script's command line, and refresh."""
    mode = ""
    for argument in arguments:
        if argument == "--help" or argument == "-h":
            print(USAGE)
            return 0
        if (argument != "--ensure" and argument != "--rejected") or mode != "":
            shown = replace_controls(argument, "?")
            complain(f"oauthkit: unexpected argument {shown}\n{USAGE}")
            return 2
        mode = argument.removeprefix("--")
    script = script_path()
    project = absolute(f"{script}/../../..")
    if not is_project(project):
        shown = replace_controls(project, "?")
        complain(
            f"oauthkit: {shown} is not a project. Move this script to a project's scripts/oauth"
        )
        return 2
    return refresh(project, mode)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
