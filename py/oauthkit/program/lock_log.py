"""Open the log and take the project's lock for the rest of a run."""

from __future__ import annotations

from plumbum import LocalPath

from oauthkit.program.links import is_foreign, resolve
from oauthkit.program.state_files import LOCK
from oauthkit.shell import (
    RETCODE,
    Status,
    complain,
    log_error,
    log_size,
    open_log,
    outlive_signals,
    program,
    replace_controls,
    same_file,
    take_lock,
)

LOCK_WAIT_S = 120
LOG_LIMIT_BYTES = 1024 * 1024

mkdir = program("mkdir")
mv = program("mv")


def check_log_path(log_file: LocalPath, dotenv: LocalPath) -> Status:
    """Return 0, or 1 if the log and .env are the same file. Report that as an error."""
    if log_file != dotenv and not same_file(log_file, dotenv):
        return 0
    shown = replace_controls(log_file, "?")
    complain(f"oauthkit: OAUTHKIT_LOG and OAUTHKIT_DOTENV are the same file: {shown}")
    return 1


def lock_project(log_file: LocalPath, credentials: LocalPath) -> Status:
    """Open the log and take the lock for the rest of the run. Return 0, or 1 to end the run."""
    logs = log_file.dirname
    lock = logs / LOCK
    if same_file(log_file, credentials) or same_file(lock, credentials):
        shown = replace_controls(logs, "?")
        complain(f"oauthkit: the log or the lock in {shown} is Claude Code's credentials file")
        return 1
    if not logs.exists():
        _ = mkdir["-p", logs] & RETCODE
    whose, end = resolve(log_file)
    if is_foreign(logs) or whose == "foreign":
        shown = replace_controls(log_file, "?")
        complain(f"oauthkit: the log path {shown} contains another user's symbolic link")
        return 1
    # Another user may put a link at the end of one of this user's links. open_log checks it only
    # if it gets that name. A name such as /dev/stdout leads to another file in each process.
    opened = log_file
    if not end.startswith("/proc/"):
        opened = end
    is_elsewhere = opened != log_file and log_file.exists() and not same_file(log_file, opened)
    status = 1
    if whose != "missing" and not is_elsewhere:
        status = open_log(opened)
        if status != 0:  # another run may have renamed it at that moment
            status = open_log(opened)
    if status != 0:
        shown = replace_controls(log_file, "?")
        complain(f"oauthkit: the log {shown} cannot be written")
        return 1
    if not take_project_lock(lock):
        return 1
    outlive_signals()
    _ = open_log(opened)  # the run that held the lock may have renamed it
    size = log_size()
    if size > LOG_LIMIT_BYTES and not log_file.is_symlink():  # such as one to /dev/stdout
        _ = mv["-f", "-T", log_file, f"{log_file}.1"] & RETCODE
        if open_log(log_file) != 0:  # such as without a free inode: the next run needs a log
            _ = mv["-f", "-T", f"{log_file}.1", log_file] & RETCODE
    return 0


def take_project_lock(lock: LocalPath) -> bool:
    """Take the lock for the rest of the run. Return whether that worked, or report the error."""
    locked = 2
    whose, end = resolve(lock)
    if whose != "foreign":  # or a link that cannot be read
        locked = take_lock(end, LOCK_WAIT_S)
    if locked == 1:
        log_error(f"ERROR: another refresh has held {lock} for {LOCK_WAIT_S} s")
    elif locked == 127:
        log_error(f"ERROR: flock not found in PATH. It is needed to lock {lock}")
    elif locked != 0:
        log_error(f"ERROR: {lock} cannot be locked")
    return locked == 0
