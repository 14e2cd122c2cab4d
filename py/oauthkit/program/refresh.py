"""Keep a live CLAUDE_CODE_OAUTH_TOKEN in a project's .env.

Copy the access token from Claude Code's credentials to .env. If it is about to expire, start the
claude CLI first, which renews it. Then schedule the next run with systemd-run --user.
"""

from __future__ import annotations

import sys

from plumbum import LocalPath, local
from plumbum.commands import ERROUT

from oauthkit.program.command_output import log_output
from oauthkit.program.credentials import expires_at, login_ends_at
from oauthkit.program.delivery import deliver_all, is_delivered, sweep, token_in
from oauthkit.program.hooks import HOOKS, prepare_hooks, run_hook, track_failure, track_login_end
from oauthkit.program.limits import GRACE_S, PUBLISH_LIMIT_S
from oauthkit.program.lock_log import check_log_path, lock_project
from oauthkit.program.renewal import live_token, was_rejected
from oauthkit.program.schedule import schedule, timer_with_settings
from oauthkit.program.settings import read_settings
from oauthkit.program.start import paths, script_project, set_up
from oauthkit.program.state_files import FAILING, FOLLOWED, LOGIN_ENDING
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    complain,
    log,
    log_error,
    program,
    read_file,
    replace_controls,
    run_limited,
    sibling_command,
)

USAGE = "usage: refresh.sh [--ensure | --rejected]"

rm = program("rm")


def rejected_token(mode: str, dotenv: LocalPath) -> str:
    """Return the token in .env, which the API has rejected. In other modes, return ""."""
    if mode != "rejected":
        return ""
    _, text = read_file(dotenv)
    return token_in(text)


def publish(project: LocalPath) -> None:
    """Publish the token. Log a failure: the next full run tries again."""
    command = sibling_command("publish", project)
    status, printed = run_limited(PUBLISH_LIMIT_S, GRACE_S, command)
    if status != 0:
        log_output("publish", printed)
        log(f"WARN: the token was not published (exit {status})")


def is_follower(mode: str, followed: LocalPath, credentials: LocalPath) -> bool:
    """Return whether the project follows its store, and does not renew a login.

    The follower keeps the file `followed`. Its host may have a login that this project does not
    use: only a full refresh, with the mode "", changes from the store to that login.
    """
    if local.env.get("OAUTHKIT_STORE", "") == "":
        return False
    follows = followed.exists()
    has_login = credentials.exists()
    if mode == "":
        return follows and not has_login
    return follows or not has_login


def run_follower(project: LocalPath, mode: str) -> Status:
    """Run one pass of the follower. Return its exit status: 0 if .env has a live token."""
    command = sibling_command("follow", project)
    option = "--once"
    if mode == "rejected":
        option = "--rejected"
    status, printed = (command[option] >= ERROUT) & CAPTURE
    if printed != "":
        complain(printed)
    return status


def failure_kind(credentials: LocalPath, login: str) -> str:
    """Return "rejected" if the API rejects the token of a login, else ""."""
    if was_rejected(credentials, login):
        return "rejected"
    return ""


def refresh(project: LocalPath, mode: str) -> Status:
    """Deliver a live access token to .env, and schedule the next run.

    Return 0 if .env has a live token, 1 if not: the log's last ERROR gives the reason. With the
    mode "ensure", do nothing if .env already has one. With "rejected", renew the token that .env
    has, even if it is live. A project that follows a store does that instead.
    """
    if set_up() != 0:
        return 1
    # The next run reads refresh.conf itself.
    timer = timer_with_settings()
    errors = read_settings(project)
    home, credentials, dotenv, log_file = paths(project)
    if mode == "ensure" and is_delivered(credentials, dotenv, local.env.get("OAUTHKIT_BEARER", "")):
        return 0
    logs = log_file.dirname
    followed = logs / FOLLOWED
    if is_follower(mode, followed, credentials):
        return run_follower(project, mode)

    # Before the wait for the lock: another run may deliver a new token meanwhile.
    rejected = rejected_token(mode, dotenv)
    if check_log_path(log_file, dotenv) != 0 or lock_project(log_file, credentials) != 0:
        return 1
    log_output("WARN", errors)
    problem, login = live_token(credentials, home, rejected)
    is_live = problem == ""
    event = ""
    kind = failure_kind(credentials, login)
    if problem != "":
        log_error(f"ERROR: {problem}")
        sweep(dotenv, local.env.get("OAUTHKIT_BEARER", ""))
    else:
        problem, event = deliver_all(credentials, dotenv, login)
        if problem != "":
            kind = ""
        if followed.exists():
            _ = rm["-f", followed] & RETCODE
    turn = track_failure(logs / FAILING, problem, kind)
    expiry = expires_at(login)
    login_end = login_ends_at(login)
    is_ending = track_login_end(logs / LOGIN_ENDING, login_end)
    # Even after a failure: when a person has logged in again, the next run fixes the rest.
    schedule(project, credentials, problem, expiry, timer)

    prepare_hooks(problem, expiry, login_end, dotenv)
    hooks = project / HOOKS
    run_hook(event, hooks)
    run_hook(turn, hooks)
    if is_ending:
        run_hook("login-ending", hooks)
    # Other hosts get the token even if this project's files could not be written.
    if is_live and local.env.get("OAUTHKIT_STORE", "") != "":
        publish(project)
    if problem != "":
        return 1
    return 0


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
    status, project = script_project()
    if status != 0:
        return status
    return refresh(project, mode)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
