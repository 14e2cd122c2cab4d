"""What to do about each ERROR of the log."""

from __future__ import annotations

import re

# The first that is found in the error holds; tests/host/test_cures.py has one for every ERROR.
_CURES = (
    (r"claude CLI refresh failed|no accessToken|no claudeAiOauth",
     "log in again: run claude and use /login, or claude auth login"),
    (r"\.credentials\.json not found", "log in: run claude and use /login, or claude auth login"),
    (r"is not valid JSON|more than one JSON document|has a character that no access token has",
     "the credentials are broken: move the file away and log in again"),
    (r"is not a file",
     "something else stands in the place of the credentials: move it away, log in again"),
    (r"is not readable", "give this user the right to read the credentials: chmod u+r, or chown"),
    (r"jq not found|jq could not run",
     "install jq where the timer's PATH finds it, then refresh by hand"),
    (r"claude binary not found",
     "install Claude Code, or refresh by hand from a shell that finds claude: its PATH is kept"),
    (r"timeout not found", "install coreutils where the timer's PATH finds it"),
    (r"flock not found", "install util-linux where the timer's PATH finds it"),
    (r"renewed nothing", "claude's token endpoint may be down: the next run tries again in 5 min"),
    (r"another refresh has held", "look for a run that hangs: fuser -v on the lock names it"),
    (r"cannot be locked", "give this user the right to write the lock file"),
    (r"symbolic link that leads nowhere", "make the file that .env leads to, or remove the link"),
    (r"NUL byte", "remove the NUL byte from .env: nothing that reads it could get past it"),
    (r"cannot be read, it is not touched", "make .env a file that this user can read"),
    (r"cannot be written", "look for a full disk or a folder that this user may not write"),
)  # fmt: skip


def cure(error: str) -> str:
    """What to do about this ERROR of the log, "" if nobody knows."""
    return next((text for pattern, text in _CURES if re.search(pattern, error)), "")
