"""The log of the refresh, read back: what was delivered, what went wrong, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oauthkit.host.path_info import is_file, read
from oauthkit.shell import is_b64token, mask_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.project import Places

# The words of refresh.py; tests/host/test_journal.py runs it and reads them back.
_DELIVERED = re.compile(
    r"(?:Updated \.env with token|.* already has this token) \(expires_at=(-?[0-9]{1,15})\)"
)
# A log is twice this at most; one that somebody else has made much longer is read at its end.
MOST_BYTES = 2 * 1024 * 1024
RENEWED = "Claude CLI refreshed token successfully"
ERROR = "ERROR: "
NOT_SCHEDULED = "next refresh NOT scheduled"
_LOG_IN = "log in again: run claude and use /login, or claude auth login"
# The first that is found in the error holds; tests/host/test_journal.py has one for every ERROR.
_CURES = (
    (r"claude CLI refresh failed",
     f"see the claude: lines above it in the log; if they speak of the login, {_LOG_IN}"),
    (r"no accessToken|no claudeAiOauth", _LOG_IN),
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
    (r"symbolic link of another user", "remove the link .env, unless you know who made it and why"),
    (r"is a file of another user",
     "make a .env of your own: copy it, and rename the copy to .env with mode 600"),
    (r"stat could not read", "install coreutils, or fix the PATH of whoever starts the run"),
    (r"symbolic link that leads nowhere", "make the file that .env leads to, or remove the link"),
    (r"readlink could not follow", "install coreutils, or mend the PATH of whoever starts the run"),
    (r"NUL byte", "remove the NUL byte from .env: nothing that reads it could get past it"),
    (r"cannot be read, it is not touched", "make .env a file that this user can read"),
    (r"cannot be written", "look for a full disk or a folder that this user may not write"),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of the log: when, in s since the epoch, and the text."""

    at_s: float
    text: str

    @property
    def expires_at_s(self) -> float | None:
        """The expiry of the token that .env carried when this was written, if it says so."""
        found = _DELIVERED.fullmatch(self.text)
        return int(found[1]) / 1000 if found else None


def read_journal(places: Places) -> list[Entry]:
    """All entries of the log and the one before it, the oldest first.

    A line without a time is none.
    """
    entries = []
    for file in (places.older_log, places.log):
        for line in read(file, MOST_BYTES).data.decode("utf-8", "surrogateescape").split("\n"):
            time, _, text = line.partition(" ")
            try:
                at = datetime.fromisoformat(time)
            except ValueError:
                continue
            if at.tzinfo is not None:
                entries.append(Entry(at.timestamp(), text))
    return entries


def is_of_a_person(places: Places, tokens: Sequence[bytes], entries: Sequence[Entry]) -> bool:
    """Whether someone has put the tokens of .env there: one that claude setup-token makes for a
    year, say, which a refresh would replace.

    It is not so if .env is as the last delivery has left it, or runs fail.
    """
    if len(tokens) != 1 or not is_b64token(tokens[0].decode("utf-8", "replace")):
        return False
    deliveries = [entry.at_s for entry in entries if entry.expires_at_s is not None]
    # The log has whole seconds.
    is_delivered = bool(deliveries) and places.dotenv.stat().st_mtime < deliveries[-1] + 2
    return not is_delivered and not is_file(places.failing)


def trouble(places: Places) -> str:
    """Why the log cannot be read, and what helps; "" if it can, or is not there yet."""
    found = read(places.log, 0)
    return f"{found.problem}: {found.mend}" if found.mend else ""


def last(entries: Sequence[Entry], text: str) -> Entry | None:
    """The last entry that begins with `text`, None if there is none."""
    return next((entry for entry in reversed(entries) if entry.text.startswith(text)), None)


def last_error(entries: Sequence[Entry]) -> Entry | None:
    """The last ERROR that says why .env could not be made to carry a live token, with no token."""
    errors = [e for e in entries if e.text.startswith(ERROR) and not e.text.endswith(NOT_SCHEDULED)]
    # The refresh masks what it logs; what it replaces may not have.
    return Entry(errors[-1].at_s, mask_secrets(errors[-1].text)) if errors else None


def cure(error: str) -> str:
    """What to do about this ERROR of the log, "" if nobody knows."""
    return next((text for pattern, text in _CURES if re.search(pattern, error)), "")
