"""Check the login."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.doctor.delivered import has_manual_token
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.path_info import changing
from oauthkit.host.status.failures import log_in, log_in_and_refresh
from oauthkit.host.status.login import read_login
from oauthkit.host.status.text_output import span
from oauthkit.host.status.warnings import LOGIN_WARNING_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

# claude holds its lock for a few seconds during a renewal.
OLD_LOCK_S = 10 * 60


def login(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the credentials can be read, and that the login has not ended."""
    login = read_login(paths.credentials)
    ends_at_s = login.login_ends_at_s
    if login.problem:
        yield Finding("login", login.problem, login.fix or log_in(paths))
    elif ends_at_s is not None and ends_at_s < time.time():
        yield Finding("login", "it has ended", log_in(paths))
    elif not login.can_be_renewed:
        text = f"{paths.credentials} has no refresh token, so claude cannot renew the token"
        yield Finding("login", text, log_in_and_refresh(paths))
    elif ends_at_s is None:
        yield Finding("login", str(paths.credentials))
    else:
        left_s = ends_at_s - time.time()
        text = f"{paths.credentials}, ends in {span(left_s)}"
        is_ending = left_s < LOGIN_WARNING_S
        fix = log_in(paths) if has_manual_token(paths) else log_in_and_refresh(paths)
        fix = fix if is_ending else ""
        yield Finding("login", text, fix, is_note=is_ending)


def lock_of_claude(paths: ProjectPaths) -> Iterator[Finding]:
    """Check for a killed claude's lock directory. The next claude would wait for it."""
    config = paths.credentials.parent
    for lock in (Path(f"{paths.credentials}.lock"), Path(f"{config}.lock")):
        try:
            found = lock.lstat()
        except OSError:
            continue
        age_s = time.time() - found.st_mtime
        if stat.S_ISDIR(found.st_mode) and age_s > OLD_LOCK_S:
            text = f"{lock} is {age_s / 60:.0f} min old"
            yield Finding("claude's lock", text, changing(paths.project, lock, "rmdir"))
            return
    yield Finding("claude's lock", "no stale lock")
