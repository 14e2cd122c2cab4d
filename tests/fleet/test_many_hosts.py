"""Check the follower's rules with many hosts, different clocks, and a store that loses writes.

A model of the store takes the place of the directory. Followers run their real pass on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS

from oauthkit.program import credentials, follow, store
from oauthkit.shell import absolute

if TYPE_CHECKING:
    from plumbum import LocalPath
    from tests.support.refresh.fake_host import Host

SKEWS_MS = st.sampled_from([-HOUR_MS, -MINUTE_MS, 0, MINUTE_MS, 5 * MINUTE_MS, 6 * MINUTE_MS])
LIVES_MS = st.sampled_from([4 * MINUTE_MS, 9 * MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS])
WAITS_MS = st.sampled_from([1, MINUTE_MS, 5 * MINUTE_MS, 26 * MINUTE_MS, HOUR_MS, 8 * HOUR_MS])
HOSTS = ("a", "b", "c")
FOLLOWERS = 2
LINE = "CLAUDE_CODE_OAUTH_TOKEN="


@dataclass(frozen=True)
class Record:
    host: str
    token: str
    expiry_ms: int
    issued_ms: int


@dataclass
class Follower:
    directory: Path
    skew_ms: int
    expiries: dict[str, int] = field(default_factory=dict)
    rejected_ms: int = 0  # the expiry of the last token that the API rejected

    @property
    def token(self) -> str:
        """Return the token in .env, or the empty text."""
        dotenv = self.directory / ".env"
        return dotenv.read_text("utf-8")[len(LINE) : -1] if dotenv.exists() else ""


class Fleet(RuleBasedStateMachine):
    """Publishers, a store and followers. Times are true times, without any host's skew."""

    host: Host  # set by the test
    examples = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).examples += 1
        self.root = self.host.root / str(self.examples)
        self.root.mkdir()
        self.now_ms = NOW_MS
        self.tokens = 0
        self.store: dict[str, Record] = {}
        self.is_up = True
        self.unsettled: list[Record] = []
        self.skews_ms: dict[str, int] = {}
        self.followers: list[Follower] = []

    @initialize(skews_ms=st.tuples(*[SKEWS_MS] * (len(HOSTS) + FOLLOWERS)))
    def start(self, skews_ms: tuple[int, ...]) -> None:
        self.skews_ms = dict(zip(HOSTS, skews_ms, strict=False))
        for number, skew_ms in enumerate(skews_ms[len(HOSTS) :]):
            directory = self.root / str(number)
            directory.mkdir()
            self.followers.append(Follower(directory, skew_ms))

    @rule(host=st.sampled_from(HOSTS), life_ms=LIVES_MS, is_late=st.booleans())
    def publish(self, host: str, life_ms: int, is_late: bool) -> None:
        self.tokens += 1
        issued_ms = self.now_ms + self.skews_ms[host]
        record = Record(host, f"token-{self.tokens}", issued_ms + life_ms, issued_ms)
        if is_late:
            self.unsettled.append(record)
        else:
            self.store[host] = record

    @rule(data=st.data(), is_lost=st.booleans())
    def settle(self, data: st.DataObject, is_lost: bool) -> None:
        """A late write arrives, perhaps after a newer one, or is lost."""
        if self.unsettled:
            record = self.unsettled.pop(data.draw(st.integers(0, len(self.unsettled) - 1)))
            if not is_lost:
                self.store[record.host] = record

    @rule(host=st.sampled_from(HOSTS))
    def remove(self, host: str) -> None:
        """A record's lease ends, or a person deletes the file."""
        self.store.pop(host, None)

    @rule(is_up=st.booleans())
    def cut(self, is_up: bool) -> None:
        self.is_up = is_up

    @rule(wait_ms=WAITS_MS)
    def wait(self, wait_ms: int) -> None:
        self.now_ms += wait_ms

    def lines(self, clock_ms: int) -> str:
        """Return what RECORDS_FILTER prints."""
        limit_ms = clock_ms + store.CLOCK_LIMIT_MS
        records = sorted(
            self.store.values(), key=lambda r: (r.issued_ms > limit_ms, -r.expiry_ms, r.host)
        )
        return "\n".join(
            f"{r.host}\n{r.expiry_ms}\n{r.issued_ms}\n{r.token}\n{{}}" for r in records
        )

    @rule(number=st.integers(0, FOLLOWERS - 1), mode=st.sampled_from(["once", "rejected"]))
    def follow(self, number: int, mode: str) -> None:
        """A follower's pass keeps the rules 1 to 5 of docs/fleet.md."""
        follower = self.followers[number]
        clock_ms = self.now_ms + follower.skew_ms
        old = follower.token
        if mode == "rejected":
            follower.rejected_ms = follower.expiries.get(old, 0)
        problem = self.take_token(follower, clock_ms, mode)
        new = follower.token
        usable = {
            record.token: record.expiry_ms
            for record in self.store.values()
            if self.is_up
            and record.issued_ms <= clock_ms + 5 * MINUTE_MS
            and record.expiry_ms > clock_ms + 5 * MINUTE_MS
            and record.expiry_ms != follower.rejected_ms
        }
        follower.expiries |= usable
        old_left_ms = follower.expiries.get(old, 0) - clock_ms
        is_rejected = old != "" and follower.expiries[old] == follower.rejected_ms
        assert (problem == "") == bool(usable or (old_left_ms > MINUTE_MS and not is_rejected))
        if problem == "":
            assert follower.expiries[new] > clock_ms + MINUTE_MS, "a dead token"
        if new != old:
            assert new in usable, "a token that is not in the store, or is dead, or of the future"
            assert usable[new] == max(usable.values()), "not the longest life"
            assert old not in usable or usable[old] <= usable[new], "a worse token"
            assert old not in usable or old_left_ms <= 30 * MINUTE_MS, "a change too early"
        if new == old and usable and old in usable:
            assert old_left_ms > 30 * MINUTE_MS or usable[old] == max(usable.values())

    def take_token(self, follower: Follower, clock_ms: int, mode: str) -> str:
        """Run the follower's pass. Return its error."""

        def deliver(_: LocalPath, dotenv: LocalPath, login: str) -> tuple[str, str]:
            follower_dotenv = follower.directory / ".env"
            assert str(dotenv) == str(follower_dotenv)
            token = credentials.access_token(login)
            follower_dotenv.write_text(f"{LINE}{token}\n", encoding="utf-8")
            return "", "renewed"

        answer = ("", "", self.lines(clock_ms)) if self.is_up else ("the store is down", "", "")
        with self.host.monkeypatch.context() as patch:
            patch.setattr(follow, "read_records", lambda _: answer)
            patch.setattr(follow, "deliver_all", deliver)
            patch.setattr(follow, "save", lambda file, text: Path(file).write_text(text, "utf-8"))
            for module in (follow, store):
                patch.setattr(module, "log_error", lambda _: None)
            patch.setattr(follow, "log", lambda _: None)
            for module in (store, credentials):
                patch.setattr(module, "now_ms", lambda: clock_ms)
            problem, _, _ = follow.take_token(
                absolute(str(follower.directory / ".env")),
                absolute("/nowhere"),
                absolute(str(follower.directory)),
                mode,
                "",
            )
        return problem


def test_no_interleaving_breaks_a_rule(host: Host) -> None:
    Fleet.host = host
    run_state_machine_as_test(
        Fleet, settings=settings(max_examples=400, stateful_step_count=40, deadline=None)
    )
