"""Simulate a host: its files, its user manager, and a login that Claude Code renews."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.adversarial.fuzz.answers import PENDING_S
from tests.adversarial.fuzz.case import BIN, CREDENTIALS, PROJECT, ROOT, Act, Case, Item
from tests.support.refresh.stand_ins.user_manager import STATE
from tests.support.refresh.world import SCRIPT_PLACE

if TYPE_CHECKING:
    from tests.adversarial.fuzz.runner import Runner

    from oauthkit.parity import Outcome

TOKEN_LIFE_S = 8 * 3600
RENEW_BEFORE_S = 300
# claude is started at most twice in a run: with all flags, then with fewer.
TRIES = 3
LOGS = ("project/logs/oauth-refresh.log", "project/logs/oauth-refresh.log.1")
_TOKEN = re.compile(rb"^CLAUDE_CODE_OAUTH_TOKEN=(.*)$", re.MULTILINE)


class DifferError(AssertionError):
    """The forms differ, or a run breaks a rule."""


@dataclass(frozen=True)
class Timer:
    """A pending timer: `due_s` is a time of the host's clock, `latest_s` a true time."""

    due_s: int
    latest_s: int


@dataclass
class Api:
    """The token endpoint and the API. Times are true times, in s since the epoch."""

    count: int = 0
    ends_s: dict[str, int] = field(default_factory=dict)
    is_reachable: bool = True
    is_login_valid: bool = True

    def issue(self, now_s: int) -> str:
        """Return a new access token. The previous one stays valid until it expires."""
        self.count += 1
        token = f"sk-ant-oat01-made-up-{self.count}"
        self.ends_s[token] = now_s + TOKEN_LIFE_S
        return token

    def end_of(self, token: str) -> int:
        """Return when a token expires, in s since the epoch. 0 if it is unknown."""
        return self.ends_s.get(token, 0)


@dataclass
class Host:
    """A simulated host. Each run starts both forms, which must not differ."""

    runner: Runner
    now_s: int
    api: Api = field(default_factory=Api)
    error_s: int = 0  # of the host's clock
    is_on: bool = True
    is_read_only: bool = False
    items: list[Item] = field(default_factory=list)
    timers: dict[str, Timer] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)  # services that systemd restarts later
    token: str = ""  # in .env
    expiry_s: int = 0  # in the credentials, by the host's clock
    runs: int = 0
    renewals: int = 0
    failed_calls: int = 0

    @property
    def clock_s(self) -> int:
        """Return the time of the host's clock, in s since the epoch."""
        return self.now_s + self.error_s

    def log_in(self) -> None:
        """Log in, as a person does. The credentials get a new token."""
        self.api.is_login_valid = True
        content = self._issue()
        self.items = [item for item in self.items if item.place != CREDENTIALS]
        self.items.append(Item(CREDENTIALS, content=content, mode=0o600))

    def _issue(self) -> bytes:
        token = self.api.issue(self.now_s)
        self.expiry_s = self.clock_s + TOKEN_LIFE_S  # claude adds the token's life to its own clock
        login = {
            "accessToken": token, "refreshToken": f"made-up-{self.api.count}",
            "expiresAt": self.expiry_s * 1000, "scopes": ["user:inference"],
        }  # fmt: skip
        return json.dumps({"claudeAiOauth": login}).encode()

    def run(self, *arguments: str, unit: str = "", kill: str = "") -> bool:
        """Run a refresh in both forms, started by `unit`. Return whether it was killed.

        The run is killed at its first call of the program `kill`.
        """
        renews = self.api.is_reachable and self.api.is_login_valid
        before = (self.api.count, self.expiry_s)
        acts = [Act(kill, kills=True)] if kill else []
        if renews:
            acts.append(Act("claude", credentials=self._issue(), stdout=b"ok\n"))
        else:
            reason = b"OAuth session expired" if self.api.is_reachable else b"fetch failed"
            acts += [Act("claude", exit=1, stdout=reason + b"\n")] * TRIES
        running = {unit, *self.held} - {""}
        case = Case(
            now_s=self.clock_s,
            env=(("TZ", "Europe/Berlin"),),
            arguments=arguments,
            items=(Item(f"{BIN}/claude", "program", mode=0o755), *self._tree()),
            acts=tuple(acts),
            units=(
                *((name, "pending") for name in sorted({*self.timers} - running)),
                *((name, "running") for name in sorted(running)),
            ),
        )
        outcome = self.runner.run_bash(case)
        if report := self.runner.compared(case, outcome, self.runner.run_python(case)):
            raise DifferError(f"{report}\n\n{case.to_json()}")
        calls = sum(call.program == "claude" for call in outcome.calls) - (kill == "claude")
        if renews and calls <= 0:
            self.api.count, self.expiry_s = before
            self.api.ends_s.popitem()
        elif renews:
            self.renewals += 1
            if before[1] - self.clock_s > RENEW_BEFORE_S and "--rejected" not in arguments:
                raise DifferError(f"renewed {before[1] - self.clock_s} s before the expiry")
        elif calls > 0:
            self.failed_calls += 1
        self.runs += 1
        self._take(outcome, unit)
        return outcome.exit_code < 0

    def _tree(self) -> list[Item]:
        """Return the host's files. Nothing is written below a directory after its mode is set."""
        if not self.is_read_only:
            return self.items
        return [*self.items, Item(PROJECT, "directory", mode=0o500)]

    def _take(self, outcome: Outcome, unit: str) -> None:
        """Copy a run's files and timers to the host."""
        files, directories = [], []
        for name, entry in outcome.files.items():
            place = f"{ROOT}/{name}"
            top = name.partition("/")[0]
            if top not in {"home", "project"} or name == f"project/{SCRIPT_PLACE}":
                continue
            if entry.kind == "file":
                files.append(Item(place, content=entry.content, mode=entry.mode))
            elif name not in {"project", "home"}:
                directories.append(Item(place, "directory", mode=entry.mode))
        self.items = [*sorted(directories, key=lambda item: item.place), *files]
        found = [item.content for item in files if item.place == f"{ROOT}/project/.env"]
        match = _TOKEN.search(found[0]) if found else None
        self.token = match[1].decode() if match else ""
        was_killed = outcome.exit_code < 0
        if was_killed and unit:
            self.held.add(unit)
        else:
            self.held.discard(unit)
        timers = outcome.state[STATE]["timers"]
        self.timers = {
            name: self.timers[name] if timer["when_s"] == PENDING_S else self._timer(timer)
            for name, timer in timers.items()
            if timer["is_pending"]
        }
        self._check(outcome, was_killed=was_killed)

    def _timer(self, timer: dict[str, object]) -> Timer:
        latest = str(timer["latest"])
        seconds = int(latest[:-1]) * (3600 if latest.endswith("h") else 1)
        return Timer(int(str(timer["when_s"])), self.now_s + seconds)

    def _check(self, outcome: Outcome, *, was_killed: bool) -> None:
        """Raise DifferError if a run broke a rule that applies to each run."""
        if not was_killed and len(self.timers) != 1:
            raise DifferError(f"pending timers: {sorted(self.timers)}")
        for name in LOGS:
            if name in outcome.files and len(outcome.files[name].content) > (1 << 20) + (1 << 16):
                raise DifferError(f"{name} has {len(outcome.files[name].content)} bytes")
        for call in outcome.calls:
            if not {*call.descriptors} <= {0, 1, 2}:
                raise DifferError(f"{call.program} has the descriptors {call.descriptors}")
