"""Keep a live token from a store in a project's .env, on a host without a login of its own."""

from __future__ import annotations

import sys

from plumbum import LocalPath, local

from oauthkit.program.command_output import log_output
from oauthkit.program.credentials import expires_at, outlasts
from oauthkit.program.delivery import deliver_all, token_in
from oauthkit.program.directory import directory_state, open_directory, wait_for_directory
from oauthkit.program.etcd import open_etcd, wait_for_etcd
from oauthkit.program.hooks import HOOKS, prepare_hooks, run_hook, track_failure
from oauthkit.program.lock_log import check_log_path, lock_project
from oauthkit.program.settings import read_settings
from oauthkit.program.start import paths, script_project, set_up
from oauthkit.program.state_files import FAILING, FOLLOWED, REJECTED_EXPIRY, REVISION
from oauthkit.program.store import (
    SERVE_BEFORE_MS,
    choose_token,
    decrypt_records,
    read_records,
    store_error,
)
from oauthkit.shell import (
    RETCODE,
    Status,
    add_secret,
    complain,
    create_file,
    log,
    log_error,
    own_temporary,
    parse_int,
    program,
    read_file,
    replace_controls,
    sibling_command,
)

USAGE = "usage: follow.sh [--once | --rejected]"

mv = program("mv")


def save(file: LocalPath, text: str) -> None:
    """Write `text` to a file, unless the file already has it."""
    _, last = read_file(file)
    if text != last:
        temporary = own_temporary(file)
        status, _ = create_file(temporary, text, "", "")
        if status == 0:
            _ = mv["-f", "-T", temporary, file] & RETCODE


def read_state(state: LocalPath) -> tuple[str, str]:
    """Return the expiry of the last delivered token, and "warned" if the warning was logged."""
    _, last = read_file(state)
    expiry, _, warned = last.partition(" ")
    status, _ = parse_int(expiry)
    if status != 0:  # another user may have made it a link to the login
        expiry = ""
    return expiry, warned


def take_token(
    dotenv: LocalPath, credentials: LocalPath, logs: LocalPath, mode: str, errors: str
) -> tuple[str, str, str]:
    """Deliver a live token from the store. Return an error, the event, and the token's expiry.

    If the store has none, keep the last delivered token while it is live, and the API does not
    reject it: that is what the mode "rejected" says. `errors` is what read_settings returned.
    """
    state = logs / FOLLOWED
    expiry, warned = read_state(state)
    if mode == "rejected":
        save(logs / REJECTED_EXPIRY, expiry)
    _, rejected_expiry = read_file(logs / REJECTED_EXPIRY)
    store = local.env.get("OAUTHKIT_STORE", "")
    problem, revision, records = read_records(store)
    save(logs / REVISION, revision)
    _, text = read_file(dotenv)
    current = token_in(text)
    add_secret(current)
    login = ""
    if problem == "":
        problem, records = decrypt_records(records, errors)
    if problem == "":
        login = choose_token(records, current, rejected_expiry)
        if login == "":
            problem = f"{store} has no record of a live token"
    event = ""
    if login != "":
        expiry = expires_at(login)
        problem, event = deliver_all(credentials, dotenv, login)
        if problem == "":
            save(state, expiry)
        else:
            save(state, "")
    elif current != "" and expiry != "" and expiry == rejected_expiry:
        problem = f"the API refuses the token in .env, and {problem}"
        log_error(f"ERROR: {problem}")
    elif current != "" and outlasts(expiry, SERVE_BEFORE_MS):
        if warned == "":
            log(f"WARN: {problem}. The token in .env is still live (expires_at={expiry})")
            save(state, f"{expiry} warned")
        problem = ""
    else:
        log_error(f"ERROR: {problem}")
    return problem, event, expiry


def follow_once(project: LocalPath, mode: str) -> Status:
    """Deliver a live token from the store. Return 0 if .env has a live token, 1 if not.

    In the mode "rejected", the API rejects the token in .env: deliver another one.
    """
    if set_up() != 0:
        return 1
    errors = read_settings(project)
    _, credentials, dotenv, log_file = paths(project)
    if check_log_path(log_file, dotenv) != 0 or lock_project(log_file, credentials) != 0:
        return 1
    log_output("WARN", errors)
    logs = log_file.dirname
    problem, event, expiry = take_token(dotenv, credentials, logs, mode, errors)
    turn = track_failure(logs / FAILING, problem, "")
    prepare_hooks(problem, expiry, "", dotenv)
    hooks = project / HOOKS
    run_hook(event, hooks)
    run_hook(turn, hooks)
    if problem != "":
        return 1
    return 0


def follow_store(project: LocalPath) -> Status:
    """Run follow_once when the store changes, and every few minutes, until a signal ends it.

    Return 1 if OAUTHKIT_STORE is invalid or sleep is missing.
    """
    if set_up() != 0:
        return 1
    _ = read_settings(project)  # follow_once reports the errors
    store = local.env.get("OAUTHKIT_STORE", "")
    problem = store_error(store)
    prefix = ""
    if store.startswith("etcd:"):
        problem, prefix = open_etcd(store)
    if problem != "":
        _ = follow_once(project, "")  # it reports the error
        return 1
    _, directory = open_directory(store)
    _, _, _, log_file = paths(project)
    logs = log_file.dirname
    expiry, warned = read_state(logs / FOLLOWED)
    if warned != "":
        save(logs / FOLLOWED, expiry)  # so that the first pass shows the warning again
    once = sibling_command("follow", project)
    once = once["--once"]
    while True:
        seen = ""
        if prefix == "":
            seen = directory_state(directory)
        _ = once & RETCODE(FG=True)  # on a terminal, it shows its log lines
        if prefix == "":
            status = wait_for_directory(directory, seen)
        else:
            _, revision = read_file(logs / REVISION)
            status = wait_for_etcd(prefix, revision)
        if status != 0:  # without sleep, this would be a busy loop
            complain(f"oauthkit: sleep failed (exit {status})")
            return 1


def main(*arguments: str) -> Status:
    """Parse the script's command line, and follow the store."""
    mode = ""
    for argument in arguments:
        if argument == "--help" or argument == "-h":
            print(USAGE)
            return 0
        if (argument != "--once" and argument != "--rejected") or mode != "":
            shown = replace_controls(argument, "?")
            complain(f"oauthkit: unexpected argument {shown}\n{USAGE}")
            return 2
        mode = argument.removeprefix("--")
    status, project = script_project()
    if status != 0:
        return status
    if mode == "":
        return follow_store(project)
    return follow_once(project, mode)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
