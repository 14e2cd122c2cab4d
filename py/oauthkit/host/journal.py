"""The log of the refresh, read back: what was delivered, renewed, and what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.places import Places

# The words of refresh.py; tests/host/test_journal.py runs it and reads them back.
_DELIVERED = re.compile(
    r"(?:Updated \.env with token|.* already has this token) \(expires_at=(-?[0-9]{1,15})\)"
)
RENEWED = "Claude CLI refreshed token successfully"
ERROR = "ERROR: "
NOT_SCHEDULED = "next refresh NOT scheduled"


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
        try:
            content = file.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            continue
        for line in content.split("\n"):
            time, _, text = line.partition(" ")
            try:
                at = datetime.fromisoformat(time)
            except ValueError:
                continue
            if at.tzinfo is not None:
                entries.append(Entry(at.timestamp(), text))
    return entries


def last(entries: Sequence[Entry], text: str) -> Entry | None:
    """The last entry that begins with `text`, None if there is none."""
    return next((entry for entry in reversed(entries) if entry.text.startswith(text)), None)


def last_error(entries: Sequence[Entry]) -> Entry | None:
    """The last ERROR that says why .env could not be made to carry a live token."""
    errors = [e for e in entries if e.text.startswith(ERROR) and not e.text.endswith(NOT_SCHEDULED)]
    return errors[-1] if errors else None
