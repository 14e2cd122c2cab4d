"""The clock jumps forwards or backwards between two steps of a run."""

from __future__ import annotations

import datetime as dt
import json
import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import UNIT, Parity

from oauthkit.parity.clock import DEFAULT_NOW_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.adversarial.faults.fault_world import Faults
    from tests.support.refresh.world import RefreshRun

    from oauthkit.parity import World

HOUR_S, DAY_S = 3600, 24 * 3600
YEARS_S = 3652 * DAY_S
OLD, NEW = "sk-ant-oat01-made-up-old", "sk-ant-oat01-made-up-new"
RENEW_BEFORE_S, SHORTEST_WAIT_S = 300, 1
LIFE_S = 8 * HOUR_S
# The frozen time of the stand-ins for claude and systemd-run. It is later than any instant here.
LONG_AGO_S = 1
JUMPS_S = {
    "1 h forwards": HOUR_S,
    "1 h backwards": -HOUR_S,
    "10 days forwards": 10 * DAY_S,
    "10 years backwards": -YEARS_S,
    "to 30 min 10 s before the expiry": LIFE_S - 1810,
    "to a second before the expiry": LIFE_S - 1,
    "to a second after the expiry": LIFE_S + 1,
}
# The steps at which the clock can be set, each in the program that does the step, and the time for
# which the token is valid. 31 min: the next run is due in a minute. 1 min: it is renewed first.
STEPS = {
    "jq": LIFE_S, "jq, 31 min left": 1860, "jq, 1 min left": 60, "claude": 60, "sync": LIFE_S,
    "systemctl": LIFE_S, "systemctl, 31 min left": 1860,
}  # fmt: skip
SEED, SAMPLE, ALL = 20_260_102, 8, 300

# Both clocks read the file `now`. bash does so before each command.
BASH_ENV = """\
unset EPOCHSECONDS EPOCHREALTIME
set -T
trap 'read -r EPOCHSECONDS <"{now}"; EPOCHREALTIME=$EPOCHSECONDS.000000' DEBUG
"""
SITECUSTOMIZE = """\
import time


def now_s():
    text = ""
    while text == "":  # it is empty while a stand-in writes it
        with open({now!r}, encoding="ascii") as file:
            text = file.read()
    return int(text)


time.time = lambda: float(now_s())
time.time_ns = lambda: now_s() * 10**9
"""


class Clock:
    """A clock that a run's stand-ins set, and the time that it shows."""

    def __init__(self, parity: Parity) -> None:
        self._file = str(parity.world.control / "clock" / "now")
        self.now_s = DEFAULT_NOW_S
        parity.set_clock(LONG_AGO_S)
        parity.step(self._write)

    def _write(self, world: World) -> None:
        directory = world.control / "clock"
        (directory / "now").write_text(f"{DEFAULT_NOW_S}\n", encoding="ascii")
        (directory / "bash_env").write_text(BASH_ENV.format(now=self._file), encoding="ascii")
        text = SITECUSTOMIZE.format(now=self._file)
        (directory / "python/sitecustomize.py").write_text(text, encoding="ascii")

    def jumped(self, jump_s: int) -> dict[str, object]:
        """Return the arguments of a behaviour `writes` that changes the clock."""
        self.now_s += jump_s
        return {"path": self._file, "content": f"{self.now_s}\n".encode()}


@pytest.fixture
def parity(tmp_path: Path) -> Iterator[Parity]:
    with closing(Parity(tmp_path)) as made:
        yield made


def credentials(token: str, expires_at_s: int) -> bytes:
    oauth = {"accessToken": token, "refreshToken": "made-up", "expiresAt": expires_at_s * 1000}
    return json.dumps({"claudeAiOauth": oauth}).encode()


class Expected:
    """The expected result of a run, step by step from the time that the clock shows."""

    def __init__(self) -> None:
        self.exit_code = 0
        self.token = OLD
        self.renewals = 0


def plan(parity: Parity, clock: Clock, life_s: int, jumps_s: dict[str, int]) -> Expected:
    """Plan the stand-ins of one run, whose token is valid for `life_s` when it starts."""
    expected = Expected()
    expires_at_s = DEFAULT_NOW_S + life_s
    parity.credentials(raw=credentials(OLD, expires_at_s))
    parity.dotenv(f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={OLD}-before\n")
    parity.jq.reads().then.writes(**clock.jumped(jumps_s.get("jq", 0)))
    if expires_at_s - clock.now_s <= RENEW_BEFORE_S:
        expected.renewals = 1
        expected.token = NEW
        expires_at_s = clock.now_s + LIFE_S
        renewal = parity.claude.writes_credentials(credentials(NEW, expires_at_s))
        renewal.then.writes(**clock.jumped(jumps_s.get("claude", 0)))
        renewal.then.exits(0)
        if expires_at_s - clock.now_s <= RENEW_BEFORE_S:
            expected.exit_code = 1  # the token exists, but has expired by this clock
    if expected.exit_code == 0:
        parity.stand_in("sync").writes(**clock.jumped(jumps_s.get("sync", 0)))
    parity.systemctl.obeys().then.writes(**clock.jumped(jumps_s.get("systemctl", 0)))
    return expected


def check(clock: Clock, expected: Expected, run: RefreshRun) -> None:
    """Check the exit status and .env. The next run must be due within a day."""
    assert run.exit_code == expected.exit_code, run.log
    assert (run.stdout, run.stray_stderr) == ("", "")
    assert len(run.calls("claude")) == expected.renewals
    token = f"{OLD}-before" if expected.exit_code else expected.token
    assert run.dotenv == f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={token}\n"
    assert ("ERROR: " in run.log) == bool(expected.exit_code)
    [timer] = run.timers
    assert timer.unit == UNIT
    wait_s = timer.when_s - clock.now_s
    assert SHORTEST_WAIT_S <= wait_s <= DAY_S, f"the next run is due in {wait_s} s: {run.log}"
    now = dt.datetime.fromtimestamp(clock.now_s, dt.timezone.utc).isoformat()
    assert run.log_lines[-1].startswith(f"{now} Scheduled next refresh at ")


def run_with_jumps(parity: Parity, life_s: int, jumps_s: dict[str, int]) -> None:
    """Run each form once, with a clock jump in each of the named programs."""
    clock = Clock(parity)
    expected = plan(parity, clock, life_s, jumps_s)
    check(clock, expected, parity.run())


def test_clock_that_does_not_jump(parity: Parity) -> None:
    run_with_jumps(parity, LIFE_S, {})


@pytest.mark.parametrize("jump_s", JUMPS_S.values(), ids=JUMPS_S)
@pytest.mark.parametrize("step", STEPS)
def test_clock_jumps_during_a_step(parity: Parity, faults: Faults, step: str, jump_s: int) -> None:
    run_with_jumps(parity, STEPS[step], {step.partition(",")[0]: jump_s})
    faults.survived(None)


def test_repeated_clock_jumps(tmp_path: Path, faults: Faults, all_faults: bool) -> None:
    generator = random.Random(SEED)  # noqa: S311 - not a secret
    names = ("jq", "claude", "sync", "systemctl")
    sizes_s = [size_s * sign for size_s in JUMPS_S.values() for sign in (-1, 0, 1)]
    for number in range(ALL if all_faults else SAMPLE):
        life_s = generator.choice([*STEPS.values()])
        jumps_s = {name: generator.choice(sizes_s) for name in names}
        with closing(Parity(tmp_path / str(number))) as parity:
            try:
                run_with_jumps(parity, life_s, jumps_s)
            except AssertionError as error:
                faults.survived(f"{life_s} s left, jumps {jumps_s}: {error}")
            else:
                faults.survived(None)
    assert faults.problems == [], "\n".join(faults.problems)
