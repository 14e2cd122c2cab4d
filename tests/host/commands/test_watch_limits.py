"""oauthkit watch: a container cannot spend the quota or fill the disk with complaints."""

from __future__ import annotations

import os
import time
from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest
from tests.support.host.host_project import REQUEST
from tests.support.host.watch_host import running

from oauthkit.host import ipc
from oauthkit.host.commands.watch import (
    COMPLAINTS_WINDOW_S,
    MAX_COMPLAINTS,
    MAX_REMEMBERED,
    PAUSE_AFTER_FAILURE_S,
    PAUSE_S,
    REJECTED_PAUSE_S,
    Complaints,
    Watcher,
    remaining_pause_s,
)
from oauthkit.host.ipc import IpcDirectory
from oauthkit.host.project import find_paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.host.host_project import HostProject


FINGERPRINT = "0123456789abcdef"


class Flooded:
    """A watcher with a clock that only a test changes, and requests at each scan."""

    def __init__(self, tasks: Path, pause_s: float = 0.0) -> None:
        self.tasks = tasks
        self.now_s = 1000.0
        self.status = 0
        self.duration_s = 0.0
        self.refreshed_s: list[float] = []
        self.modes: list[tuple[str, ...]] = []
        self.fingerprint = FINGERPRINT
        self.said: list[str] = []
        self.directory = IpcDirectory(tasks.parents[1])
        self.watcher = Watcher(
            [self.directory], self.refresh, self.said.append,
            fingerprint=lambda: self.fingerprint, pause_s=pause_s, monotonic=self.clock,
            process_time=lambda: 0.0,
        )  # fmt: skip

    def clock(self) -> float:
        return self.now_s

    def refresh(self, *mode: str) -> int:
        assert mode[1:] == ((f"--fingerprint={self.fingerprint}",) if mode else ())
        self.modes.append(mode[:1])
        self.refreshed_s.append(self.now_s)
        self.now_s += self.duration_s
        return self.status

    def ask(self, name: str = "request.json", rejected: str | None = None) -> None:
        more = "" if rejected is None else f',"rejected":"{rejected}"'
        (self.tasks / name).write_text(REQUEST.replace("}", f"{more}}}"), encoding="utf-8")

    def flood(self, seconds: int) -> None:
        """Scan once a second, each time with three new requests."""
        for _ in range(seconds):
            for number in range(3):
                self.ask(f"{self.now_s}-{number}.json")
            self.watcher.scan()
            self.now_s += 1.0

    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.refreshed_s)]


@pytest.fixture
def flooded(tasks: Path) -> Iterator[Flooded]:
    flooded = Flooded(tasks)
    yield flooded
    flooded.directory.close()


@pytest.mark.parametrize(("status", "pause_s"), [(0, PAUSE_S), (1, PAUSE_AFTER_FAILURE_S)])
def test_flood_of_requests(flooded: Flooded, status: int, pause_s: float) -> None:
    flooded.status = status
    flooded.flood(int(2 * pause_s + 2))
    assert flooded.gaps() == [pause_s, pause_s]
    # One line for each refresh, and one after it for the waiting requests.
    assert len(flooded.said) == 6
    flooded.now_s += pause_s
    for _ in range(20):
        flooded.watcher.scan()
    assert len(flooded.refreshed_s) == 4
    assert list(flooded.tasks.iterdir()) == []


@pytest.mark.parametrize(
    ("rejected", "mode", "why"),
    [
        (FINGERPRINT, ("--rejected",), ": the token in .env was rejected"),
        (FINGERPRINT.upper(), ("--rejected",), ": the token in .env was rejected"),
        ("f" * 16, (), ""),
        (None, (), ""),
    ],
)
def test_rejected_token(
    flooded: Flooded, rejected: str | None, mode: tuple[str, ...], why: str
) -> None:
    flooded.ask(rejected=rejected)
    flooded.ask("more.json")
    flooded.watcher.scan()
    assert (flooded.modes, flooded.said) == ([mode], [f"refreshed for 2 requests{why}"])
    assert list(flooded.tasks.iterdir()) == []
    # A reported rejection does not apply to later requests.
    flooded.ask()
    flooded.now_s += REJECTED_PAUSE_S
    flooded.watcher.scan()
    assert flooded.modes == [mode, ()]


def test_without_a_token_in_dotenv_none_is_rejected(flooded: Flooded) -> None:
    flooded.fingerprint = ""
    flooded.ask(rejected=FINGERPRINT)
    flooded.watcher.scan()
    assert flooded.modes == [()]


@pytest.mark.parametrize("is_replaced", [True, False])
def test_rejected_token_during_the_pause(flooded: Flooded, *, is_replaced: bool) -> None:
    flooded.ask()
    flooded.watcher.scan()
    flooded.ask(rejected=FINGERPRINT)
    flooded.watcher.scan()
    (flooded.tasks / "request.json").unlink()  # by NanoClaw
    flooded.ask(rejected="f" * 16)
    flooded.watcher.scan()
    if is_replaced:
        flooded.fingerprint = "f" * 16
        (flooded.tasks / "request.json").unlink()
    flooded.now_s += PAUSE_S
    flooded.watcher.scan()
    assert flooded.modes == [(), () if is_replaced else ("--rejected",)]


def reject_two_tokens(flooded: Flooded) -> None:
    """Report a token and its successor. The second report waits for REJECTED_PAUSE_S."""
    flooded.ask(rejected=FINGERPRINT)
    flooded.watcher.scan()
    flooded.fingerprint = "f" * 16
    flooded.now_s += PAUSE_S
    flooded.ask(rejected="f" * 16)
    flooded.watcher.scan()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_rejection_is_kept_until_the_next_refresh_with_rejected(
    flooded: Flooded, *, is_replaced: bool
) -> None:
    """A container reports a rejected token only once."""
    reject_two_tokens(flooded)
    assert flooded.modes == [("--rejected",), ()]
    if is_replaced:
        flooded.fingerprint = "e" * 16
    flooded.now_s += REJECTED_PAUSE_S - PAUSE_S
    flooded.watcher.scan()
    assert flooded.modes[2:] == ([] if is_replaced else [("--rejected",)])
    flooded.now_s += REJECTED_PAUSE_S
    flooded.watcher.scan()
    assert len(flooded.modes) == (2 if is_replaced else 3)


@pytest.mark.parametrize(("failures", "tries"), [(0, 1), (1, 2), (2, 2)])
def test_rejection_is_tried_twice(flooded: Flooded, failures: int, tries: int) -> None:
    """The first try fails without claude if somebody else has just started it for this token.

    Further tries would cost quota. The API may accept the token after all.
    """
    flooded.ask(rejected=FINGERPRINT)
    for _ in range(4):
        flooded.status = int(len(flooded.modes) < failures)
        flooded.watcher.scan()
        (flooded.tasks / "request.json").unlink(missing_ok=True)
        flooded.now_s += REJECTED_PAUSE_S
    assert flooded.modes == [("--rejected",)] * tries


def test_rejection_that_waits_is_not_a_request(flooded: Flooded) -> None:
    """It must not cause a refresh after the token has been replaced."""
    reject_two_tokens(flooded)
    flooded.now_s += REJECTED_PAUSE_S - PAUSE_S - 10
    flooded.ask()
    flooded.watcher.scan()
    flooded.now_s += 10
    flooded.watcher.scan()  # during the pause
    flooded.fingerprint = "e" * 16
    flooded.now_s += PAUSE_S
    flooded.watcher.scan()
    assert flooded.modes == [("--rejected",), (), ()]
    assert not [line for line in flooded.said if "wait" in line]


def test_flood_of_rejections_keeps_the_pause(flooded: Flooded) -> None:
    for number in range(200):
        flooded.ask(f"{number}.json", FINGERPRINT if number % 2 else f"{number:016x}")
        flooded.watcher.scan()
        flooded.now_s += 1.0
    assert flooded.gaps() == [PAUSE_S] * 3
    assert flooded.modes == [(), ("--rejected",), (), ()]


def test_container_that_rejects_each_new_token(flooded: Flooded) -> None:
    """It can read each new token, and so compute its fingerprint."""
    for number in range(601):
        flooded.fingerprint = f"{len(flooded.modes):016x}"
        flooded.ask(f"{number}.json", flooded.fingerprint)
        flooded.watcher.scan()
        flooded.now_s += 1.0
    assert flooded.gaps() == [PAUSE_S] * 10
    assert [index for index, mode in enumerate(flooded.modes) if mode] == [0, 5, 10]


def test_pause_between_rejected_tokens_starts_at_the_end_of_a_refresh(flooded: Flooded) -> None:
    """A refresh counts 5 min from the start of claude. Before that, it may wait for a lock."""
    start_s = flooded.now_s
    for at_s, duration_s in ((0, 20), (301, 0), (420, 0)):
        flooded.now_s, flooded.duration_s = start_s + at_s, duration_s
        flooded.ask(f"{at_s}.json", flooded.fingerprint)
        flooded.watcher.scan()
    assert flooded.modes == [("--rejected",), (), ("--rejected",)]


def test_requests_during_the_pause_wait_and_are_served_by_one_refresh(flooded: Flooded) -> None:
    flooded.ask()
    flooded.watcher.scan()
    assert flooded.said == ["refreshed for 1 request"]
    flooded.now_s += 20
    for number in range(3):
        flooded.ask(f"{number}.json")
        flooded.watcher.scan()
    times = [time.strftime("%H:%M:%S", time.localtime(time.time() + left_s)) for left_s in (39, 40)]
    assert flooded.said[1:] in [
        [f"requests wait until {until}: the last refresh has just ended"] for until in times
    ]
    assert len([*flooded.tasks.iterdir()]) == 3
    flooded.now_s += 39.9
    flooded.watcher.scan()
    assert len(flooded.refreshed_s) == 1
    flooded.now_s += 0.1
    flooded.watcher.scan()
    assert flooded.said[2:] == ["refreshed for 3 requests"]
    assert list(flooded.tasks.iterdir()) == []
    # The next pause has its own line.
    flooded.ask()
    flooded.watcher.scan()
    assert len(flooded.said) == 4


def test_success_ends_the_longer_pause(flooded: Flooded) -> None:
    flooded.status = 1
    flooded.flood(1)
    flooded.status = 0
    flooded.flood(302)
    flooded.flood(60)
    assert flooded.gaps() == [PAUSE_AFTER_FAILURE_S, PAUSE_S]
    assert "requests wait until" in flooded.said[1]
    assert flooded.said[1].endswith(": the last refresh failed")


def test_request_that_nanoclaw_removes_during_the_pause_is_served(flooded: Flooded) -> None:
    flooded.ask()
    flooded.watcher.scan()
    flooded.ask()
    flooded.watcher.scan()
    (flooded.tasks / "request.json").unlink()
    flooded.now_s += PAUSE_S
    flooded.watcher.scan()
    flooded.now_s += 10 * PAUSE_S
    flooded.watcher.scan()
    assert len(flooded.refreshed_s) == 2
    assert flooded.said[-1] == "refreshed for 1 request"


def test_request_during_a_refresh_waits_for_the_next_one(
    flooded: Flooded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refresh() -> int:
        flooded.ask("late.json")
        return 0

    monkeypatch.setattr(flooded.watcher, "_refresh", refresh)
    flooded.ask()
    flooded.watcher.scan()
    assert [file.name for file in flooded.tasks.iterdir()] == ["late.json"]


def test_failing_claude_is_not_run_for_each_request(host: HostProject, tasks: Path) -> None:
    """The token has expired, claude fails at once, and requests arrive as fast as possible."""
    host.login(left_s=-60)
    host.program("claude", '#!/bin/sh\necho run >>"$HOME/claude-calls"\nexit 1\n')
    start = "from oauthkit.cli import main; main()"
    with running(host, start=start) as watcher:
        assert watcher.line().startswith("watching ")
        end_s = time.monotonic() + 8
        while time.monotonic() < end_s:
            for number in range(50):
                (tasks / f"{number}.json").write_text(REQUEST, encoding="utf-8")
            time.sleep(0.05)
    # One refresh, with a second attempt with fewer flags.
    assert (host.home / "claude-calls").read_text("utf-8") == "run\n" * 2
    # A restart does not end the pause.
    with running(host, start=start) as watcher:
        assert watcher.line().startswith("watching ")
        assert watcher.line().startswith("requests wait until ")
        time.sleep(1)
    assert (host.home / "claude-calls").read_text("utf-8") == "run\n" * 2


# --- A restart ---


@pytest.mark.parametrize(
    ("age_s", "is_failing", "left_s"),
    [(100, True, 200), (400, True, 0), (-1000, True, 300), (100, False, 0)],
)
def test_restart_continues_the_pause_after_a_failure(
    live: HostProject, monkeypatch: pytest.MonkeyPatch, age_s: int, is_failing: bool, left_s: int
) -> None:
    monkeypatch.setenv("HOME", str(live.home))
    at_s = time.time() - age_s
    os.utime(live.log, (at_s, at_s))
    if is_failing:
        live.failing.touch()
    paths = find_paths(str(live.project))
    assert remaining_pause_s(paths) == pytest.approx(left_s, abs=5)
    live.log.unlink()
    assert remaining_pause_s(paths) == 0


def test_pause_of_an_earlier_watcher(tasks: Path) -> None:
    flooded = Flooded(tasks, pause_s=200)
    flooded.flood(201)
    assert flooded.refreshed_s == [1200]
    assert flooded.said[0].endswith(": the last refresh failed")
    flooded.directory.close()


# --- Complaints ---


def test_flood_of_broken_files_is_reported_in_few_lines(
    flooded: Flooded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ipc, "SETTLE_S", 0.0)
    for minute in range(3):
        for file in flooded.tasks.iterdir():
            file.unlink()
        for number in range(100):
            (flooded.tasks / f"{minute}-{number}.json").touch()
        for _ in range(60):
            flooded.watcher.scan()
            flooded.now_s += 1
    flooded.watcher.scan()
    assert len(flooded.said) == 3 * (MAX_COMPLAINTS + 1)
    assert flooded.said.count("complaints not shown: 90") == 3
    # After the flood, complaints are shown again, each once.
    for file in flooded.tasks.iterdir():
        file.unlink()
    os.mkfifo(flooded.tasks / "fifo.json")
    for _ in range(200):
        flooded.watcher.scan()
        flooded.now_s += 1
    assert flooded.said[33:] == [f"{flooded.tasks}/fifo.json is not a regular file and is ignored"]


def test_complaint_is_shown_once(flooded: Flooded) -> None:
    """Even a complaint about something that is checked at each scan is shown once."""
    flooded.tasks.rename(flooded.tasks.with_name("away"))
    flooded.tasks.symlink_to("away")
    for _ in range(200):
        flooded.watcher.scan()
        flooded.now_s += 1
    why = "is ignored: it is a symbolic link or not a directory"
    assert flooded.said == [f"{flooded.tasks} {why}"]


def test_remembered_complaints_are_bounded() -> None:
    said: list[str] = []
    seconds = count(step=COMPLAINTS_WINDOW_S + 1)  # each complaint has its own window
    complaints = Complaints(said.append, lambda: next(seconds))
    for number in range(MAX_REMEMBERED + 1):
        complaints.add(str(number))
    assert len(said) == MAX_REMEMBERED + 1
    assert len(complaints._known) <= MAX_REMEMBERED


def test_suppressed_complaint_is_shown_later() -> None:
    said: list[str] = []
    now_s = 0.0
    complaints = Complaints(said.append, lambda: now_s)
    for number in range(MAX_COMPLAINTS):
        complaints.add(str(number))
    complaints.add("about another group")
    assert len(said) == MAX_COMPLAINTS
    now_s = COMPLAINTS_WINDOW_S
    complaints.add("about another group")
    assert said[MAX_COMPLAINTS:] == ["complaints not shown: 1", "about another group"]
