"""Compute the share of the last days in which .env had a live token, from the refresh's log."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.status.log import Entry

DAY_S = 24 * 3600
SPAN_S = 7 * DAY_S


@dataclass(frozen=True)
class Coverage:
    """The period that the log covers, and the spans in it with a live token, in s."""

    from_s: float
    until_s: float
    live: tuple[tuple[float, float], ...]

    @property
    def share(self) -> float | None:
        """Return the share of that period with a live token, from 0 to 1, or None if unknown."""
        return self.share_of(self.from_s, self.until_s)

    def share_of(self, start_s: float, end_s: float) -> float | None:
        """Return the share between two times, from 0 to 1; None if nothing is known."""
        start_s, end_s = max(start_s, self.from_s), min(end_s, self.until_s)
        if end_s <= start_s:
            return None
        live_s = sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in self.live)
        return live_s / (end_s - start_s)

    def timeline(self, columns: int) -> list[float | None]:
        """Divide the last SPAN_S into `columns` equal parts, and return the share of each."""
        start_s, width_s = self.until_s - SPAN_S, SPAN_S / columns
        edges = [start_s + width_s * column for column in range(columns + 1)]
        return [self.share_of(first, second) for first, second in pairwise(edges)]


def measure(entries: Sequence[Entry], now_s: float) -> Coverage:
    """Return the coverage of the SPAN_S before `now_s`.

    The content of .env is known from the first log line on: a delivered token stays there until the
    next delivery, and is live until it expires. Lines with a time after `now_s` are ignored: the
    clock was set back.
    """
    known = sorted((entry for entry in entries if entry.at_s <= now_s), key=lambda e: e.at_s)
    if not known:
        return Coverage(now_s, now_s, ())
    from_s = max(known[0].at_s, now_s - SPAN_S)
    given = [(entry.at_s, entry.expires_at_s) for entry in known if entry.expires_at_s is not None]
    live = []
    for (at_s, expires_at_s), (next_s, _) in pairwise([*given, (now_s, 0.0)]):
        start_s, end_s = max(at_s, from_s), min(next_s, expires_at_s)
        if start_s < end_s:
            live.append((start_s, end_s))
    return Coverage(from_s, now_s, tuple(live))
