"""jq exits, dies by a signal, or hangs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.ends import ENDS, ended_by_systemd, every_end, jq_problem, refused
from tests.support.refresh.scenarios import (
    BY_NAME,
    DUE,
    FULL_RUNS,
    JQ,
    SCENARIOS,
    Scenario,
    every_full_run,
    expect,
    failure,
    some_crossings,
)

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity


@some_crossings(SCENARIOS, "end", [*ENDS], "fresh token", "delivered, --ensure")
def test_jq(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    scenario.arrange(parity)
    parity.claude.queue.clear()  # claude is not started without a readable login
    getattr(parity.jq.always, how)(**arguments)
    run = parity.run(*scenario.arguments)
    calls = JQ * 2 if scenario.is_ensure else JQ
    expect(parity, run, refused(scenario, *failure(jq_problem(status)), programs=calls))


@pytest.mark.parametrize(
    "scenario", [one for one in FULL_RUNS if not one.is_ensure], ids=lambda one: one.name
)
def test_jq_killed_by_sigint(parity: Parity, scenario: Scenario) -> None:
    # With --ensure, before the lock, SIGINT also ends bash itself: see the fuzzer.
    scenario.arrange(parity)
    parity.claude.queue.clear()
    parity.jq.always.dies_by_signal(int(signal.SIGINT))
    run = parity.run(*scenario.arguments)
    expect(parity, run, refused(scenario, *failure(jq_problem(130)), programs=JQ))


@every_end
@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
def test_jq_after_the_renewal(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    # The other scenarios read the credentials once, or twice in the same way (--ensure).
    scenario.arrange(parity)
    parity.claude.renews_nothing().optional()
    parity.jq.reads()
    parity.jq.reads()
    getattr(parity.jq.always, how)(**arguments)
    run = parity.run()
    problem = failure("no accessToken after CLI refresh")
    lines = ("claude: ok", f"WARN: {jq_problem(status)}", *problem)
    programs = ("jq", "jq", "claude", "jq")
    expect(parity, run, refused(scenario, DUE, *lines, programs=programs))


@every_end
@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
def test_jq_with_the_login_lock(parity: Parity, scenario: Scenario, end: str) -> None:
    """The token may have been renewed by another project. If that is unknown, claude is run."""
    how, arguments, _ = ENDS[end]
    scenario.arrange(parity)
    parity.jq.reads()
    getattr(parity.jq, how)(**arguments)
    expect(parity, parity.run(), scenario)


@every_full_run
def test_jq_hangs(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    parity.claude.queue.clear()
    parity.jq.always.hangs()
    if scenario.is_ensure:
        # At first, without the lock, the run has nothing to finish and just exits.
        run = parity.run(*scenario.arguments, meanwhile=ended_by_systemd(parity, "jq"))
        assert (run.exit_code, run.messages, run.programs) == (-signal.SIGTERM, [], ["jq"])
        return
    run = parity.run(*scenario.arguments, meanwhile=ended_by_systemd(parity, "jq"))
    expect(parity, run, refused(scenario, *failure(jq_problem(143)), programs=JQ))
