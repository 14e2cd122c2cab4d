"""Fixtures for the refresh tests: a host for the Python form in this process, and both forms."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.refresh.fake_host import Host, release
from tests.support.refresh.world import Parity

from oauthkit import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_subprocess import FakeProcess

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory. The environment is HOME, PATH and TZ. There is no log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC0")
    state: dict[str, object] = {
        "_group": 0, "_lock": None, "_log": None, "_log_size": 0, "_secrets": [],
    }  # fmt: skip
    for name, value in state.items():  # an earlier test may have changed them
        monkeypatch.setattr(shell, name, value)
    time.tzset()
    umask = os.umask(0o022)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, the children would also ignore it
    with local.env():
        local.env.clear()
        local.env.update(HOME=str(tmp_path / "home"), PATH=str(tmp_path / "bin"), TZ="UTC0")
        yield tmp_path
    os.umask(umask)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for lock in tmp_path.rglob("*lock"):
        release(lock)
    if shell._log is not None:
        os.close(shell._log)
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def host(place: Path, fp: FakeProcess, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with faked programs and a stopped clock."""
    made = Host(place, fp, monkeypatch)
    # The pid of a faked process is a small number: a signal to its group would hit a real one.
    monkeypatch.setattr(shell, "_signal_group", made.signal_group)
    monkeypatch.setattr("os.kill", made.signal_process)
    return made


@pytest.fixture
def ready(host: Host) -> Host:
    """A host that can deliver and schedule, before the log is opened."""
    assert shell._log is not None
    os.close(shell._log)
    host.monkeypatch.setattr(shell, "_log", None)
    host.install("systemd-run")
    host.monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    host.real("chmod", "cp", "mkdir", "mv", "readlink", "rm", "stat", "sync")
    host.fake("systemctl")
    host.fake("systemd-run")
    return host


@pytest.fixture
def parity(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> Iterator[Parity]:
    """Both forms of the refresh in sandboxes of their own."""
    with closing(Parity(tmp_path)) as parity:
        yield parity
    # Counted in the summary if the test passes and has compared something.
    has_compared = int(parity.comparisons > 0)
    record_property("scenarios", has_compared)
    if "scenario" in request.fixturenames:  # one of SCENARIOS, in a hostile environment
        record_property("axes", has_compared)
