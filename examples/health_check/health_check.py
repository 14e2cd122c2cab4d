#!/usr/bin/env python3
"""Run a check. Call an alert command when it begins to fail, and when it succeeds again. For cron.

Exit status: 0 if the check succeeds, 1 if it or something else fails, 2 for a usage error.
"""

from __future__ import annotations

import os
import sys

from health_words import is_plain_name, pause
from plumbum import LocalPath, local
from plumbum.commands import BaseCommand

from oauthkit.shell import (
    RETCODE,
    Status,
    absolute,
    complain,
    find_program,
    log,
    now_ms,
    open_log,
    parse_int,
    program,
    read_file,
    run_limited,
    take_lock,
    timestamp,
    write_file,
)

USAGE = "usage: health_check [OPTION…] --alert=PROGRAM [--] NAME COMMAND [ARGUMENT…]"
HELP = """
Runs COMMAND. When it begins to fail, runs PROGRAM NAME down REASON. When it succeeds again, runs
PROGRAM NAME up.

  --tries=N         how often to try COMMAND before it counts as down (default: 3)
  --limit=SECONDS   the time limit of each try (default: 10)
  --wait=MS         the wait after the first failure (default: 1000). It doubles after each further
                    failure, up to 60 s
  --directory=DIR   the directory of NAME.log, NAME.output, NAME.alert and NAME.state (default:
                    health_check in XDG_STATE_HOME or ~/.local/state)

N, SECONDS and MS are from 1 to 3600. NAME consists of letters, digits, _ and -."""

DEFAULT_TRIES = 3
DEFAULT_LIMIT_S = 10
DEFAULT_WAIT_MS = 1000
LONGEST_WAIT_MS = 60 * 1000
# For each option: an hour in seconds, and more than enough tries and milliseconds.
LARGEST_OPTION = 3600
GRACE_S = 2
ALERT_LIMIT_S = 30

env = program("env")
mkdir = program("mkdir")
mv = program("mv")
sync = program("sync")


def reason_of(status: int, limit_s: int) -> str:
    """Explain an exit status."""
    if status == 124:  # the time limit was reached: timeout(1)
        return f"took more than {limit_s} s"
    if status == 137:  # the same, if SIGTERM did not end it
        return f"killed by signal 9, perhaps because it took more than {limit_s} s"
    if status == 126:
        return "cannot be run"
    if status == 127:
        return "not found"
    if status > 128:
        return f"killed by signal {status - 128}"
    return f"exit {status}"


def keep_output(output: str, printed: str) -> None:
    """Write what a command printed to the file `output`."""
    text = printed
    if text != "":
        text += "\n"
    if write_file(output, text) != 0:
        log(f"WARN: {output} cannot be written")


def find_problem(
    output: str, tries: int, limit_s: int, first_wait_ms: int, check: BaseCommand
) -> str:
    """Return why all tries of the check failed, or "" if one succeeded.

    Write the output of the last try to the file `output`.
    """
    wait_ms = first_wait_ms
    number = 1
    while True:
        status, printed = run_limited(limit_s, GRACE_S, check)
        keep_output(output, printed)
        if status == 0:
            return ""
        problem = reason_of(status, limit_s)
        if number == tries:
            return problem
        log(f"try {number} of {tries}: {problem}, next try in {wait_ms} ms")
        pause(wait_ms)
        wait_ms *= 2
        if wait_ms > LONGEST_WAIT_MS:
            wait_ms = LONGEST_WAIT_MS
        number += 1


def read_state(state: str) -> str:
    """Return the state of the last alert, up or down; "" if there was none."""
    status, text = read_file(state)
    if status == 1:  # it does not exist
        return ""
    word, _, _ = text.partition(" ")
    if word == "up" or word == "down":
        return word
    log(f"WARN: {state} is not a valid state and is replaced")
    return ""


def report_unsaved(problem: str) -> Status:
    """Report that the state could not be saved, so that the next run alerts again. Return 1.

    Report it on stderr, too, because the log may be on the same full disk.
    """
    log(f"ERROR: {problem}")
    complain(f"health_check: {problem}")
    return 1


def write_state(state: str, word: str, problem: str) -> Status:
    """Write the state, its time and its reason atomically."""
    fresh = f"{state}.new"
    now = now_ms()
    since = timestamp(now // 1000)
    if write_file(fresh, f"{word} {since}\n{problem}\n") != 0:
        return report_unsaved(f"{fresh} cannot be written")
    # Without this, a power failure may leave an empty state, and the alert "up" would be lost.
    status = sync[fresh] & RETCODE
    if status != 0:
        return report_unsaved(f"{fresh} cannot be written: sync exit {status}")
    status = mv["-f", "-T", fresh, state] & RETCODE
    if status != 0:
        return report_unsaved(f"{state} cannot be replaced: mv exit {status}")
    return 0


def send_alert(output: str, call: BaseCommand) -> Status:
    """Run the alert command, and return its exit status."""
    status, printed = run_limited(ALERT_LIMIT_S, GRACE_S, call)
    keep_output(output, printed)
    if status != 0:
        reason = reason_of(status, ALERT_LIMIT_S)
        log(f"ERROR: the alert failed: {reason}. The next run calls it again")
        complain(f"health_check: the alert failed: {reason}")
    return status


def begin(directory: LocalPath, name: str) -> Status:
    """Create the directory, open the log and take the lock. Return 0, or 1 to end the run."""
    for needed in ("cat", "dd", "timeout"):  # run_limited needs them
        path = find_program(needed)
        if path == "":
            complain(f"health_check: {needed} not found in PATH")
            return 1
    _ = mkdir["-p", directory] & RETCODE  # open_log reports a failure
    log_file = f"{directory}/{name}.log"
    if open_log(log_file) != 0:
        complain(f"health_check: {log_file} cannot be written")
        return 1
    locked = take_lock(f"{directory}/{name}.lock", 0)
    if locked == 1:
        log("WARN: another run is still in progress")
        return 1
    if locked == 127:
        complain("health_check: flock not found in PATH")
        return 1
    if locked != 0:
        complain(f"health_check: {directory}/{name}.lock cannot be locked")
        return 1
    return 0


def finish(directory: LocalPath, name: str, alert: str, problem: str) -> Status:
    """Alert if the state has changed, and save it. Return 0 if the check succeeds."""
    output = f"{directory}/{name}.alert"
    state = f"{directory}/{name}.state"
    before = read_state(state)
    result = 0
    word = "up"
    call = env["--", alert, name, "up"]
    if problem != "":
        result = 1
        word = "down"
        call = env["--", alert, name, "down", problem]
        log(f"down: {problem}")
    if word == before:
        return result
    # No alert for a check that succeeds from the start.
    if word == "down" or before == "down":
        log(f"{name} is {word}: calling {alert}")
        if send_alert(output, call) != 0:
            return 1
    if write_state(state, word, problem) != 0:
        return 1
    return result


def usage_error(problem: str) -> Status:
    """Report a usage error. Return the exit status."""
    complain(f"health_check: {problem}\n{USAGE}")
    return 2


def option(argument: str) -> tuple[Status, int]:
    """Parse the number in an option such as --tries=3. Return status 1 if it is out of range."""
    _, _, digits = argument.partition("=")
    status, number = parse_int(digits)
    if status != 0 or number < 1 or number > LARGEST_OPTION:
        return 1, 0
    return 0, number


def default_directory() -> str:
    """Return the default directory of the state, or "" if HOME is not set."""
    state = local.env.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # a relative path is ignored (XDG Base Directory Specification)
        return f"{state}/health_check"
    if local.env.get("HOME", "") != "":
        return f"{local.env.get('HOME', '')}/.local/state/health_check"
    return ""


def is_variable(argument: str) -> bool:
    """Return whether `argument` is an assignment, not a program's path that contains =."""
    variable, equals_sign, _ = argument.partition("=")
    return equals_sign != "" and "/" not in variable


def usage_problem(alert: str, place: str, command: str) -> str:
    """Return what is wrong with the command line, or "" if nothing."""
    if alert == "" or command == "":
        return "--alert, NAME and COMMAND are required"
    for path in (alert, command):
        if "=" in path:
            return f"{path} contains an equals sign, so env would parse it as a variable"
    if place == "":
        return "HOME is not set. Use --directory=DIR"
    return ""


def main(*arguments: str) -> Status:
    """Parse the command line."""
    alert = ""
    tries = DEFAULT_TRIES
    limit_s = DEFAULT_LIMIT_S
    wait_ms = DEFAULT_WAIT_MS
    name = ""
    command = ""
    options = True
    bad = 0
    check = env["--"]
    place = default_directory()
    for argument in arguments:
        if name != "":
            # The rest is the command. Variables may precede it, as in A=x.
            if command == "" and not is_variable(argument):
                command = argument
            check = check[argument]
        elif options and argument == "--":
            options = False
        elif options and argument == "--help":
            print(f"{USAGE}\n{HELP}")
            return 0
        elif options and argument.startswith("--tries="):
            bad, tries = option(argument)
        elif options and argument.startswith("--limit="):
            bad, limit_s = option(argument)
        elif options and argument.startswith("--wait="):
            bad, wait_ms = option(argument)
        elif options and argument.startswith("--directory="):
            place = argument.removeprefix("--directory=")
        elif options and argument.startswith("--alert="):
            alert = argument.removeprefix("--alert=")
        elif is_plain_name(argument):
            name = argument
        else:
            return usage_error(
                f"{argument} is neither an option nor a NAME of letters, digits, _ and -"
            )
        if bad != 0:
            return usage_error(f"{argument} is not a number from 1 to {LARGEST_OPTION}")
    problem = usage_problem(alert, place, command)
    if problem != "":
        return usage_error(problem)

    os.umask(0o077)
    directory = absolute(place)
    if begin(directory, name) != 0:
        return 1
    problem = find_problem(f"{directory}/{name}.output", tries, limit_s, wait_ms, check)
    return finish(directory, name, alert, problem)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
