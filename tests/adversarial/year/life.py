"""Simulate a host's timers and incidents, and measure how long .env has no live token."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.adversarial.fuzz.case import CREDENTIALS, ROOT
from tests.adversarial.year.host import Host
from tests.adversarial.year.incidents import (
    CLOCK_WRONG,
    DAY_S,
    HOUR_S,
    KILLED,
    LOGIN_ENDED,
    MINUTE_S,
    OFF,
    OFFLINE,
    READ_ONLY,
    REVOKED,
    Incident,
    draw,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adversarial.fuzz.runner import Runner

START_S = 1767225600  # 2026-01-01T00:00:00Z
# After an incident, an agent notices within 10 min that the token is rejected. claude may be
# started again at most 5 min later.
LONGEST_GAP_S = 15 * MINUTE_S
AGENT_S = 10 * MINUTE_S  # how often an agent uses the API
BOOT_S = MINUTE_S  # OnStartupSec= of the installed timer
RESTART_S = 7 * MINUTE_S  # RestartSec= of all services
# A run first calls these programs in this order. It can be killed at each of these calls.
KILLS = ("jq", "claude", "systemctl", "systemd-run")
# While the token is live, no other files remain.
STAYS = {
    CREDENTIALS.replace("@HOME@", "home"), "home/.claude", "home/.claude/.oauthkit-rejected",
    "project/.env", "project/logs", "project/logs/oauth-refresh.lock",
    "project/logs/oauth-refresh.log", "project/logs/oauth-refresh.log.1", "project/scripts",
    "project/scripts/oauth",
}  # fmt: skip


@dataclass
class Life:
    """A host's life. `gaps` are the times without a live token, in true time."""

    runner: Runner
    seed: int
    days: int
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - not for security
        self.host = Host(self.runner, START_S)
        self.end_s = START_S + self.days * DAY_S
        self.incidents = draw(self._random, START_S, self.days)
        self._kills = 0
        self._restarts: list[tuple[int, str]] = []
        self._boot_s: int | None = None
        self.killed: list[tuple[int, int]] = []  # until the next run at the latest

    def live(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Run the host until the end of its period."""
        host = self.host
        host.log_in()
        host.run()
        events = sorted(
            [(x.start_s, 0, n) for n, x in enumerate(self.incidents)]
            + [(x.end_s, 1, n) for n, x in enumerate(self.incidents)]
        )
        agent_s = START_S + AGENT_S + 17  # not at the same time as the hourly run
        day = 0
        while True:
            heal_s = (host.clock_s // HOUR_S + 1) * HOUR_S - host.error_s
            timer_s, unit = self._next_timer()
            boot_s = self.end_s if self._boot_s is None else self._boot_s
            restart_s, restarted = min(self._restarts, default=(self.end_s, ""))
            incident_s = events[0][0] if events else self.end_s
            next_s = min(incident_s, agent_s, boot_s, restart_s, timer_s, heal_s, self.end_s)
            self._pass_time(next_s)
            if next_s == self.end_s:
                return
            if next_s // DAY_S > day:
                day = next_s // DAY_S
                say(f"day {(next_s - START_S) // DAY_S}: {host.runs} runs")
            if next_s == incident_s:
                _, is_end, number = events.pop(0)
                self._change(self.incidents[number], is_end=bool(is_end))
            elif next_s == agent_s:
                agent_s += AGENT_S
                if self._is_refused():
                    self._run("--rejected")
            elif not host.is_on:
                # Timers have no effect until heal_s.
                continue
            elif next_s == boot_s:
                self._boot_s = None
                self._run()
            elif next_s == restart_s:
                self._restarts.remove((restart_s, restarted))
                self._run(unit=restarted)
            elif next_s == timer_s:
                self._run(unit=unit)
            else:
                self._run()

    def longest_gap(self) -> tuple[int, int]:
        """Return the longest time without a live token and without an incident, and its start.

        Both are in s, the start since the beginning of the life. A run that was killed may have
        stopped the timer. Then its restart or, if no service started it, the hourly run starts
        a new one.
        """
        incidents = [(x.start_s, x.end_s) for x in self.incidents] + self.killed
        longest = (0, 0)
        for start_s, end_s in self.gaps:
            at_s = start_s
            for from_s, to_s in sorted(incidents):
                if from_s < end_s and to_s > at_s:
                    longest = max(longest, (from_s - at_s, at_s - START_S))
                    at_s = to_s
            longest = max(longest, (end_s - at_s, at_s - START_S))
        return longest

    def leftovers(self) -> set[str]:
        """Return the files that the runs should have removed."""
        return {item.place.removeprefix(f"{ROOT}/") for item in self.host.items} - STAYS

    def summary(self) -> str:
        """Return a summary of a few lines."""
        host, dead_s = self.host, sum(end_s - start_s for start_s, end_s in self.gaps)
        gap_s, at_s = self.longest_gap()
        counts = Counter(incident.kind.name for incident in self.incidents)
        return "\n".join([
            f"{self.days} days of a host, seed {self.seed}: {host.runs} runs in both forms, without"
            " a difference",
            f"claude renewed the token {host.renewals} times; {host.failed_calls} runs started it"
            " in vain",
            f"incidents: {', '.join(f'{name} {count}' for name, count in counts.items())}",
            f"{len(self.killed)} runs were killed",
            f".env had a live token {1 - dead_s / (self.days * DAY_S):.2%} of the time",
            f"without an incident: at most {gap_s / 60:.1f} min without, day {at_s / DAY_S:.2f}",
        ])  # fmt: skip

    def _next_timer(self) -> tuple[int, str]:
        host = self.host
        due = [
            (max(host.now_s, min(timer.due_s - host.error_s, timer.latest_s)), name)
            for name, timer in host.timers.items()
        ]
        return min(due, default=(self.end_s, ""))

    def _is_refused(self) -> bool:
        """Return whether an agent reports its token: the API rejects it, but it looks fresh.

        An expired token is not reported, so that the timers alone must renew it.
        """
        host = self.host
        is_dead = host.api.end_of(host.token) <= host.now_s
        return host.is_on and host.api.is_reachable and is_dead and host.expiry_s > host.clock_s

    def _pass_time(self, to_s: int) -> None:
        """Advance the true time. Note how much of it .env had no live token."""
        host = self.host
        dead_s = max(host.now_s, min(host.api.end_of(host.token), to_s))
        if dead_s < to_s:
            if self.gaps and self.gaps[-1][1] == dead_s:
                self.gaps[-1] = (self.gaps[-1][0], to_s)
            else:
                self.gaps.append((dead_s, to_s))
        host.now_s = to_s

    def _run(self, *arguments: str, unit: str = "") -> None:
        kill = self._random.choice(KILLS) if self._kills else ""
        if self.host.run(*arguments, unit=unit, kill=kill):
            self._kills -= 1
            is_service = not arguments
            next_s = self.host.now_s + (RESTART_S if is_service else HOUR_S)
            self.killed.append((self.host.now_s, next_s))
            if is_service:
                self._restarts.append((next_s, unit))

    def _change(self, incident: Incident, *, is_end: bool) -> None:
        """Start or end an incident."""
        host, kind = self.host, incident.kind
        others = [
            x
            for x in self.incidents
            if x is not incident and x.kind is kind and x.start_s <= host.now_s < x.end_s
        ]
        if is_end and others:
            return  # another one of this kind continues
        if kind is OFFLINE:
            host.api.is_reachable = is_end
        elif kind is LOGIN_ENDED:
            host.api.is_login_valid = False
            if is_end:
                host.log_in()
        elif kind is READ_ONLY:
            host.is_read_only = not is_end
        elif kind is CLOCK_WRONG:
            host.error_s = 0 if is_end else incident.error_s
        elif kind is OFF:
            host.is_on = is_end
            host.timers.clear()
            host.held.clear()
            self._restarts.clear()
            self._boot_s = host.now_s + BOOT_S if is_end else None
        elif kind is REVOKED and not is_end:
            host.api.ends_s[host.token] = min(host.now_s, host.api.end_of(host.token))
        elif kind is KILLED and not is_end:
            self._kills += 1
