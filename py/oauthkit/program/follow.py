"""Keep a live token from a store in a project's .env, on a host without a login of its own."""

from __future__ import annotations

import sys

from plumbum import LocalPath, local
from plumbum.commands import ERROUT

from oauthkit.program.credentials import RENEW_BEFORE_MS, expires_at, outlasts
from oauthkit.program.delivery import deliver_all, token_in
from oauthkit.program.hooks import HOOKS, failure_event, prepare_hooks, run_hook
from oauthkit.program.process import GRACE_S, log_output
from oauthkit.program.settings import read_settings
from oauthkit.program.start import is_dotenv, is_project, lock_project, paths, set_up
from oauthkit.program.store import READ_LIMIT_S, choose_token, read_records, store_directory
from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    absolute,
    complain,
    create_file,
    log,
    log_error,
    program,
    read_file,
    replace_controls,
    script_path,
    sibling_command,
)

# The intervals at which the store is checked for changes, and read in any case.
LOOK_S = 2
READ_S = 60

USAGE = "usage: follow.sh [--once]"

find = program("find")
rm = program("rm")
sleep = program("sleep")
timeout = program("timeout")


def take_token(dotenv: LocalPath, credentials: LocalPath, state: LocalPath) -> tuple[str, str, str]:
    """Deliver a live token from the store. Return an error, the event, and the token's expiry.

    If the store has none, keep the last delivered token while it is live. The file `state` has
    its expiry, and whether the warning was logged.
    """
    store = local.env.get("OAUTHKIT_STORE", "")
    problem, records = read_records(store)
    _, text = read_file(dotenv)
    current = token_in(text)
    login = ""
    if problem == "":
        login = choose_token(records, current)
        if login == "":
            problem = f"{store} has no record of a live token"
    _, last = read_file(state)
    expiry, _, warned = last.partition(" ")
    event = ""
    report = last
    if login != "":
        expiry = expires_at(login)
        problem, event = deliver_all(credentials, dotenv, login)
        report = ""
        if problem == "":
            report = expiry
    elif current != "" and outlasts(expiry, RENEW_BEFORE_MS):
        if warned == "":
            log(f"WARN: {problem}. The token in .env is still live (expires_at={expiry})")
            report = f"{expiry} warned"
        problem = ""
    else:
        log_error(f"ERROR: {problem}")
    if report != last:
        _ = rm["-f", state] & RETCODE
        _, _ = create_file(state, report, "", "")
    return problem, event, expiry


def follow_once(project: LocalPath) -> Status:
    """Deliver a live token from the store. Return 0 if .env has a live token, 1 if not."""
    if set_up() != 0:
        return 1
    errors = read_settings(project)
    _, credentials, dotenv, log_file = paths(project)
    if is_dotenv(log_file, dotenv) or lock_project(log_file, credentials) != 0:
        return 1
    log_output("WARN", errors)
    logs = log_file.dirname
    problem, event, expiry = take_token(dotenv, credentials, logs / "oauth-refresh.followed")
    turn = failure_event(logs / "oauth-refresh.failing", problem, "")
    prepare_hooks(problem, expiry, "", dotenv)
    hooks = project / HOOKS
    run_hook(event, hooks)
    run_hook(turn, hooks)
    if problem != "":
        return 1
    return 0


def follow_store(project: LocalPath) -> Status:
    """Run follow_once when the store changes, and at least every minute, until a signal comes.

    Return 1 if OAUTHKIT_STORE is invalid or sleep is missing.
    """
    if set_up() != 0:
        return 1
    _ = read_settings(project)  # follow_once reports the errors
    store = local.env.get("OAUTHKIT_STORE", "")
    if not store.startswith("dir:/"):
        _ = follow_once(project)  # it reports the error
        return 1
    _, directory = store_directory(store)
    look = find[
        "-L", directory, "-maxdepth", "1", "-name", "*.json", "-printf", "%f %s %T@ %i\\n",
    ]  # fmt: skip
    once = sibling_command("follow", project)
    once = once["--once"]
    seen = ""
    waited_s = READ_S
    while True:
        _, records = timeout["-k", GRACE_S, READ_LIMIT_S, look] & CAPTURE
        if records != seen or waited_s >= READ_S:
            seen = records
            waited_s = 0
            _, printed = (once >= ERROUT) & CAPTURE
            if printed != "":
                complain(printed)
        status = sleep[LOOK_S] & RETCODE
        if status != 0:  # without it, this would be a busy loop
            complain(f"oauthkit: sleep failed (exit {status})")
            return 1
        waited_s += LOOK_S


def main(*arguments: str) -> Status:
    """Parse the script's command line, and follow the store."""
    is_single = False
    for argument in arguments:
        if argument == "--help" or argument == "-h":
            print(USAGE)
            return 0
        if argument != "--once":
            shown = replace_controls(argument, "?")
            complain(f"oauthkit: unexpected argument {shown}\n{USAGE}")
            return 2
        is_single = True
    script = script_path()
    project = absolute(f"{script}/../../..")
    if not is_project(project):
        shown = replace_controls(project, "?")
        complain(
            f"oauthkit: {shown} is not a project. Move this script to a project's scripts/oauth"
        )
        return 2
    if is_single:
        return follow_once(project)
    return follow_store(project)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
