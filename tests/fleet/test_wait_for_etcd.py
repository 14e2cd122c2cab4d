"""How long a follower waits for etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.program import etcd

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

WATCH = ["etcdctl", "watch", "--prefix", "--rev=8", "agents/", "--", ""]


def sleeps(host: Host) -> list[str]:
    """Return the durations of the calls to sleep."""
    calls = [[str(word) for word in call] for call in host.fp.calls if not isinstance(call, str)]
    return [duration for name, duration, *_ in calls if name == "sleep"]


@pytest.fixture
def sleeping(host: Host) -> Host:
    for _ in range(2):
        host.fake("sleep")
    return host


@pytest.mark.parametrize(
    ("status", "event"), [(124, ""), (1, "PUT\nagents/a\n{}\n"), (0, "DELETE")]
)
def test_change_or_the_end_of_the_wait_ends_it(sleeping: Host, status: int, event: str) -> None:
    watch = sleeping.fake("setpriv", status=status, prints=event)
    assert etcd.wait_for_etcd("agents/", "7") == 0
    assert sleeps(sleeping) == ["1"]
    assert [str(word) for word in watch.calls[0].args][-len(WATCH) :] == WATCH
    assert "300" in map(str, watch.calls[0].args)


@pytest.mark.parametrize("status", [0, 1, 127, 137])
def test_failed_watch_is_repeated_after_a_minute(sleeping: Host, status: int) -> None:
    sleeping.fake("setpriv", status=status)
    assert etcd.wait_for_etcd("agents/", "7") == 0
    assert sleeps(sleeping) == ["1", "60"]


@pytest.mark.parametrize("revision", ["", "x", "7\n8"])
def test_etcd_that_was_not_read_is_read_after_a_minute(sleeping: Host, revision: str) -> None:
    """A watch without a revision would not report the records that are there."""
    assert etcd.wait_for_etcd("agents/", revision) == 0
    assert sleeps(sleeping) == ["1", "60"]


@pytest.mark.parametrize("number", [0, 1])
def test_failed_sleep_is_reported(host: Host, number: int) -> None:
    for _ in range(number):
        host.fake("sleep")
    host.fake("sleep", status=127)
    assert etcd.wait_for_etcd("agents/", "") == 127
