"""The share of time in which .env had a live token, according to the log."""

from __future__ import annotations

import pytest

from oauthkit.host.status.coverage import DAY_S, SPAN_S, Coverage, measure
from oauthkit.host.status.log import Entry

NOW_S = 1_800_000_000.0
HOUR_S = 3600


def delivered(at_h: float, expires_h: float) -> Entry:
    """Return the entry of a delivery. It and the expiry are given in hours from now."""
    expires_at_ms = int((NOW_S + expires_h * HOUR_S) * 1000)
    return Entry(NOW_S + at_h * HOUR_S, f"Updated .env with token (expires_at={expires_at_ms})")


def failed(at_h: float) -> Entry:
    return Entry(NOW_S + at_h * HOUR_S, "ERROR: claude binary not found in PATH")


SHARES: dict[str, tuple[list[Entry], float | None, float]] = {
    # The entries, the share, and the number of hours that are known.
    "nothing": ([], None, 0),
    "live until now": ([delivered(-8, 1)], 1.0, 8),
    "renewed in time": ([delivered(-16, -8), delivered(-9, 1)], 1.0, 16),
    "renewed late": ([delivered(-16, -8), delivered(-4, 4)], 0.75, 16),
    "expired": ([delivered(-16, -8)], 0.5, 16),
    "dead on arrival": ([delivered(-8, -9)], 0.0, 8),
    "failed, then delivered": ([failed(-8), delivered(-4, 4)], 0.5, 8),
    "replaced by one that dies sooner": ([delivered(-8, 8), delivered(-4, -2)], 0.75, 8),
    "copied again": ([delivered(-8, 1), delivered(-4, 1), delivered(-1, 1)], 1.0, 8),
    "from before the span": ([delivered(-24 * 30, -24 * 30 + 8), delivered(-84, 1)], 0.5, 168),
    "still live from before the span": ([delivered(-24 * 8, 1)], 1.0, 168),
    "from the future": ([delivered(-8, 1), delivered(5, 9)], 1.0, 8),
    "out of order": ([delivered(-4, 4), delivered(-16, -8)], 0.75, 16),
}


@pytest.mark.parametrize(("entries", "share", "known_h"), SHARES.values(), ids=SHARES)
def test_share(entries: list[Entry], share: float | None, known_h: float) -> None:
    found = measure(entries, NOW_S)
    assert found.share == (None if share is None else pytest.approx(share))
    assert found.until_s - found.from_s == known_h * HOUR_S


def test_timeline() -> None:
    """Seven columns, one per day: two unknown, one dead, one half live."""
    found = measure([failed(-5 * 24), delivered(-3.5 * 24, 24)], NOW_S)
    assert found.timeline(7) == [None, None, 0.0, pytest.approx(0.5), 1.0, 1.0, 1.0]
    assert len(found.timeline(56)) == 56
    assert Coverage(NOW_S, NOW_S, ()).timeline(3) == [None] * 3
    assert SPAN_S == 7 * DAY_S


def test_column_that_is_known_in_part_counts_that_part() -> None:
    found = measure([delivered(-12, 24)], NOW_S)
    assert found.timeline(7) == [*[None] * 6, 1.0]
