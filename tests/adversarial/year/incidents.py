"""Draw a host's incidents at random times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


@dataclass(frozen=True)
class Kind:
    """A kind of incident: its number per year, and its duration in s."""

    name: str
    per_year: int
    shortest_s: int
    longest_s: int


OFFLINE = Kind("offline", 40, 10 * MINUTE_S, 12 * HOUR_S)
LOGIN_ENDED = Kind("login ended", 4, HOUR_S, 10 * HOUR_S)  # a person then logs in again
OFF = Kind("off", 30, 2 * MINUTE_S, 3 * HOUR_S)  # the host boots at the end
CLOCK_WRONG = Kind("clock wrong", 12, 5 * MINUTE_S, 6 * HOUR_S)
READ_ONLY = Kind("read-only", 6, 10 * MINUTE_S, 3 * HOUR_S)  # the project cannot be written to
REVOKED = Kind("revoked", 12, 0, 0)  # the API rejects the token from now on
KILLED = Kind("killed", 100, 0, 0)  # the next run is killed
KINDS = (OFFLINE, LOGIN_ENDED, OFF, CLOCK_WRONG, READ_ONLY, REVOKED, KILLED)
LARGEST_ERROR_S = 2 * DAY_S


@dataclass(frozen=True)
class Incident:
    """An incident. Times are in s since the epoch; `error_s` is the error of a wrong clock."""

    kind: Kind
    start_s: int
    end_s: int
    error_s: int = 0


def draw(random: Random, start_s: int, days: int) -> list[Incident]:
    """Draw the incidents of a period, at least one of each kind, sorted by their start."""
    found = []
    for kind in KINDS:
        for _ in range(max(1, round(kind.per_year * days / 365))):
            begins_s = start_s + random.randrange(DAY_S, (days - 1) * DAY_S)
            lasts_s = random.randint(kind.shortest_s, kind.longest_s)
            error_s = 0
            if kind is CLOCK_WRONG:
                error_s = random.choice([-1, 1]) * random.randint(MINUTE_S, LARGEST_ERROR_S)
            found.append(Incident(kind, begins_s, begins_s + lasts_s, error_s))
    return sorted(found, key=lambda incident: incident.start_s)
