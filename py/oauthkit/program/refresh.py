"""Keep a live CLAUDE_CODE_OAUTH_TOKEN in a project's .env.

Copy the access token from Claude Code's credentials to .env. If it is about to expire, start the
claude CLI first, which renews it. Then schedule the next run with systemd-run --user.
"""

from __future__ import annotations

import os
import sys

from plumbum import LocalPath, local

from oauthkit.program.credentials import live_token
from oauthkit.program.delivery import deliver, follow, is_delivered
from oauthkit.program.hooks import mark, tell
from oauthkit.program.schedule import arm, timer_with_settings
from oauthkit.shell import (
    RETCODE,
    Status,
    absolute,
    complain,
    disable_core_dumps,
    is_foreign_link,
    log,
    log_size,
    open_log,
    outlive_signals,
    own_temporary,
    program,
    same_file,
    script_path,
    take_lock,
)

LOCK_WAIT_S = 120
LOG_LIMIT_BYTES = 1024 * 1024

USAGE = "usage: refresh.sh [--ensure]"

mkdir = program("mkdir")
mv = program("mv")


def begin(log_file: LocalPath) -> Status:
    """Open the log, and take the lock for the rest of the run. Return 0, or 1 to end the run."""
    logs = log_file.dirname
    if not logs.exists():
        _ = mkdir["-p", logs] & RETCODE
    if is_foreign_link(logs) or is_foreign_link(log_file):
        complain(f"oauthkit: the log {log_file} leads through a symbolic link of another user")
        return 1
    if open_log(log_file) != 0:
        complain(f"oauthkit: cannot write the log {log_file}")
        return 1
    lock = logs / "oauth-refresh.lock"
    locked = take_lock(lock, LOCK_WAIT_S)
    if locked == 1:
        log(f"ERROR: another refresh has held {lock} for {LOCK_WAIT_S} s")
    elif locked == 127:
        log(f"ERROR: flock not found in PATH, it is needed to lock {lock}")
    elif locked != 0:
        log(f"ERROR: {lock} cannot be locked")
    if locked != 0:
        return 1
    outlive_signals()
    _ = open_log(log_file)  # the run that held the lock may have renamed it
    size = log_size()
    if size > LOG_LIMIT_BYTES:
        _ = mv["-f", "-T", log_file, f"{log_file}.1"] & RETCODE
        _ = open_log(log_file)
    return 0


def refresh(project: LocalPath, ensure: bool) -> Status:
    """Deliver a live access token to .env, and schedule the next run.

    Return 0 if .env has a live token, 1 if not: the log's last ERROR gives the reason. With
    `ensure`, do nothing if .env already has one.
    """
    os.umask(0o077)
    disable_core_dumps()
    if local.env.get("HOME", "") == "":
        complain("oauthkit: HOME is not set, it leads to claude's credentials")
        return 1
    # claude runs in another directory, and would read an empty CLAUDE_CONFIG_DIR as that.
    home = absolute(local.env.get("HOME", ""))
    local.env["HOME"] = home
    config = absolute(local.env.get("CLAUDE_CONFIG_DIR") or f"{home}/.claude")
    if local.env.get("CLAUDE_CONFIG_DIR", "") != "":
        local.env["CLAUDE_CONFIG_DIR"] = config
    else:
        local.env.pop("CLAUDE_CONFIG_DIR", "")
    credentials = config / ".credentials.json"
    dotenv = absolute(local.env.get("OAUTHKIT_DOTENV") or f"{project}/.env")
    log_file = absolute(local.env.get("OAUTHKIT_LOG") or f"{project}/logs/oauth-refresh.log")
    timer = timer_with_settings(home, dotenv, log_file)
    # Each of these makes claude ignore the credentials file, or not start at all. Some contain a
    # token, which hooks must not get.
    local.env.pop("CLAUDE_CODE_OAUTH_TOKEN", "")
    local.env.pop("ANTHROPIC_API_KEY", "")
    local.env.pop("ANTHROPIC_AUTH_TOKEN", "")
    local.env.pop("CLAUDE_CODE_SIMPLE", "")
    local.env.pop("CLAUDECODE", "")
    # In the project, claude would run the project's own hooks and MCP servers.
    local.cwd.chdir("/")
    if ensure and is_delivered(credentials, dotenv):
        return 0

    if begin(log_file) != 0:
        return 1
    logs = log_file.dirname
    problem, token, expiry = live_token(credentials, home)
    # After the renewal, which takes time: .env may be another file by now.
    followed, target = follow(dotenv)
    temporary = own_temporary(target)
    if problem == "":
        problem = followed
    if problem == "" and same_file(target, credentials):
        problem = f"{dotenv} leads to the login itself, it is not touched"
    event = ""
    if problem == "":
        problem, event = deliver(dotenv, target, temporary, token, expiry)
    if problem != "":
        log(f"ERROR: {problem}")
    turn = mark(logs / "oauth-refresh.failing", problem)
    # Also after a failure: when a person has logged in again, the next run fixes the rest.
    arm(project, problem, expiry, timer)

    # The environment of the hooks, besides the event.
    local.env["OAUTHKIT_REASON"] = problem
    local.env["OAUTHKIT_EXPIRES_AT"] = expiry
    local.env["OAUTHKIT_DOTENV"] = dotenv
    hooks = project / "scripts/oauth/hooks"
    tell(event, hooks)
    tell(turn, hooks)
    if problem != "":
        return 1
    return 0


def main(*arguments: str) -> Status:
    """Parse the script's command line, and refresh."""
    ensure = False
    for argument in arguments:
        if argument == "--help":
            print(USAGE)
            return 0
        if argument != "--ensure" or ensure:
            complain(f"oauthkit: unexpected argument {argument}\n{USAGE}")
            return 2
        ensure = True
    script = script_path()
    project = absolute(f"{script}/../../..")
    return refresh(project, ensure)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
