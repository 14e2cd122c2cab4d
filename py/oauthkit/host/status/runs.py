"""Decide whether a project's runs fail, and whether its token was put there by a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from oauthkit.host.lock_holder import is_locked
from oauthkit.host.path_info import (
    DIRECTORY,
    access_fix,
    inspect_path,
    is_file,
    leads_nowhere,
    read,
)
from oauthkit.host.shell_commands import see_doctor
from oauthkit.host.status.failures import modified_s
from oauthkit.host.status.log import unresolved_failure
from oauthkit.shell import find_program, is_b64token, same_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.project import ProjectPaths
    from oauthkit.host.status.log import Entry
    from oauthkit.host.status.login import Dotenv, Login


def failing_since_s(
    paths: ProjectPaths, login: Login, dotenv: Dotenv, entries: Sequence[Entry], now_s: float
) -> float | None:
    """Return the time of the first failure since the last success, or None if runs do not fail.

    A run that cannot take the lock does not create `paths.failing`. Then the time is that of the
    last ERROR. While .env has a live token, that ERROR counts only if no run can succeed or mark a
    failure, because a run with --ensure does not log a success.
    """
    if is_file(paths.failing):
        return modified_s(paths.failing)
    failure = unresolved_failure(entries, is_locked=is_locked(paths.lock))
    if failure is None or has_manual_token(paths, login, dotenv, entries):
        return None
    is_expired = login.expires_at_s is not None and login.expires_at_s <= now_s
    needs_flock = failure.text.startswith("flock not found in PATH")
    counts = (
        not is_delivered(login, dotenv)
        or is_expired
        or log_problem(paths) != ""
        or not can_mark_failure(paths)
        or (needs_flock and find_program("flock") == "")
    )
    return failure.at_s if counts else None


def is_delivered(login: Login, dotenv: Dotenv) -> bool:
    """Return whether .env has the login's token, and no other."""
    return bool(login.token) and dotenv.carries(login.token)


def has_manual_token(
    paths: ProjectPaths, login: Login, dotenv: Dotenv, entries: Sequence[Entry]
) -> bool:
    """Return whether .env has another token than the login's, which a person has put there."""
    return not is_delivered(login, dotenv) and is_manual_token(paths, dotenv, entries)


def is_manual_token(paths: ProjectPaths, dotenv: Dotenv, entries: Sequence[Entry]) -> bool:
    """Return whether a person has put the token into .env, for example one from claude setup-token.

    False if .env has not changed since the last delivery. If no delivery is known, False if runs
    fail, or if there were runs and the login is newer: then .env may have its earlier token.
    """
    tokens = dotenv.tokens
    if len(tokens) != 1 or not is_b64token(tokens[0].decode("utf-8", "replace")):
        return False
    deliveries = [entry.at_s for entry in entries if entry.expires_at_s is not None]
    changed_s = paths.dotenv.stat().st_mtime
    if not deliveries:
        has_run = is_file(paths.lock)
        is_newer = changed_s >= modified_s(paths.credentials)
        return not is_file(paths.failing) and (is_newer or not has_run)
    # The log's times have a resolution of one second.
    return changed_s >= deliveries[-1] + 2


def can_mark_failure(paths: ProjectPaths) -> bool:
    """Return whether a failed run that can write its log can also create `paths.failing`."""
    directory = paths.failing.parent
    return not is_file(paths.log) or os.access(directory, os.W_OK | os.X_OK)


def is_log_dotenv(paths: ProjectPaths) -> bool:
    """Return whether the log and .env are the same file. If so, no run starts."""
    return paths.log == paths.dotenv or same_file(str(paths.log), str(paths.dotenv))


def log_problem(paths: ProjectPaths) -> str:
    """Return why the log cannot be read or written, and the fix. Return "" if nothing is wrong."""
    if is_log_dotenv(paths):
        return f"the log is .env, so no run can start. {see_doctor(paths)}"
    found = read(paths.log, 0)
    if found.fix:
        fix = access_fix(paths.log, os.R_OK | os.W_OK) or found.fix
        return f"{found.problem}: {fix}"
    files = [file for file in (paths.log, paths.lock) if is_file(file)]
    for file in (paths.log, paths.lock):
        is_closed = is_file(file) and not os.access(file, os.W_OK)
        if is_closed or leads_nowhere(file) or inspect_path(file).kind == DIRECTORY:
            return f"no run can write {file}. {see_doctor(paths)}"
    if len(files) == 2:
        return ""
    directory = paths.log.parent
    while not os.path.lexists(directory):
        directory = directory.parent
    if directory.is_dir() and os.access(directory, os.W_OK | os.X_OK):
        return ""
    if directory != paths.log.parent:
        return f"no run can create {paths.log.parent}. {see_doctor(paths)}"
    return f"no run can write its log in {directory}. {see_doctor(paths)}"
