"""Which record's token is delivered, compared with a model of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS

from oauthkit.program import credentials, store

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

# Around each limit of the rules.
LIVES_MS = st.sampled_from(
    [-1, 0, 5 * MINUTE_MS, 5 * MINUTE_MS + 1, 30 * MINUTE_MS, 30 * MINUTE_MS + 1, HOUR_MS]
)
ISSUED_MS = st.sampled_from([-HOUR_MS, 0, 5 * MINUTE_MS, 5 * MINUTE_MS + 1])


@dataclass(frozen=True)
class Record:
    host: str
    left_ms: int
    issued_in_ms: int
    token: str

    @property
    def lines(self) -> str:
        expiry, issued = NOW_MS + self.left_ms, NOW_MS + self.issued_in_ms
        return f"{self.host}\n{expiry}\n{issued}\n{self.token}\n{{}}"

    @property
    def counts(self) -> bool:
        """Return whether the token is live and the record is not from the future."""
        return self.left_ms > 5 * MINUTE_MS and self.issued_in_ms <= 5 * MINUTE_MS


def model(records: list[Record], current: str) -> str:
    """Return the token that the rules of docs/fleet.md select from sorted records."""
    live = [record for record in records if record.counts]
    kept = [
        record for record in live if record.token == current and record.left_ms > 30 * MINUTE_MS
    ]
    return (kept[-1:] or live[:1] or [Record("", 0, 0, "")])[0].token


RECORDS = st.lists(
    st.builds(
        Record,
        st.sampled_from(["a", "b", "c"]),
        LIVES_MS,
        ISSUED_MS,
        st.sampled_from(["first", "second", "third"]),
    ),
    max_size=4,
).map(lambda records: sorted(records, key=lambda record: (-record.left_ms, record.host)))


@pytest.mark.usefixtures("host")
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=1000
)
@given(RECORDS, st.sampled_from(["", "first", "second", "other"]))
def test_choice_follows_the_rules(records: list[Record], current: str) -> None:
    text = "\n".join(record.lines for record in records)
    login = store.choose_token(text, current)
    assert credentials.access_token(login) == model(records, current)
    if login:
        assert (*login.split("\n"),)[2:] == ("null", "{}")
        assert credentials.outlasts(credentials.expires_at(login), 5 * MINUTE_MS)


def test_errors_of_records_are_logged(host: Host) -> None:
    late = Record("b", HOUR_MS, 5 * MINUTE_MS + 1, "second")
    text = f"!the record of a is bad\n{late.lines}"
    assert store.choose_token(text, "") == ""
    assert host.lines() == [
        "ERROR: the record of a is bad and is ignored",
        "ERROR: the record of b was issued at 2026-01-02T03:09:05+00:00, but this host's time is"
        " 2026-01-02T03:04:05+00:00",
    ]


@pytest.mark.parametrize("text", ["", "dir:", "dir:a", "/a", "etcd:http://a/b", "dir:/a/no"])
def test_wrong_store(host: Host, text: str) -> None:
    assert store.store_directory(text)[0] != ""
    assert store.read_records(text)[0] != ""
    assert host.names() == []
