"""systemd-run and systemctl exit, are killed by a signal, or hang.

systemd ends a run that hangs in a program other than claude: RuntimeMaxSec= sends SIGTERM to all
of the run's processes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.refresh.ends import ENDS, ended_by_systemd
from tests.support.refresh.scenarios import (
    ARM,
    FULL_RUNS,
    SCHEDULED,
    Scenario,
    every_full_run,
    expect,
    meet,
    messages,
    some_crossings,
)

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity


@some_crossings(FULL_RUNS, "end", [*ENDS], "fresh token")
def test_failing_systemd_run_is_reported(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    getattr(parity.systemd_run.always, how)(**arguments)
    assert scenario.messages[-1] == SCHEDULED
    if status == 0:
        # systemd-run reports success, so the refresh cannot know that there is no timer.
        scenario.arrange(parity)
        expect(parity, parity.run(*scenario.arguments), scenario, is_armed=False)
        return
    reason = ("systemd-run: noise sk-ant-***",) if status == 1 else ()
    error = f"ERROR: systemd-run failed (exit {status}), next refresh NOT scheduled"
    tries = (*ARM * 3, "systemctl", *ARM * 3)
    lines = (*scenario.messages[:-1], *reason, error)
    programs = (*scenario.programs[: -len(ARM)], *tries)
    meet(parity, replace(scenario, messages=lines, due_in_s=None, programs=programs))


@some_crossings(FULL_RUNS, "end", [*ENDS], "fresh token")
def test_failing_systemctl_is_ignored(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, _ = ENDS[end]
    getattr(parity.systemctl.always, how)(**arguments)
    meet(parity, scenario)  # there is no timer to stop


@every_full_run
def test_systemctl_hangs(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    parity.systemctl.always.hangs()
    run = parity.run(*scenario.arguments, meanwhile=ended_by_systemd(parity, "systemctl"))
    expect(parity, run, scenario)


@every_full_run
def test_systemd_run_hangs(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    parity.systemd_run.hangs()
    parity.systemd_run.arms()
    run = parity.run(*scenario.arguments, meanwhile=ended_by_systemd(parity, "systemd-run"))
    alt = replace(scenario, programs=(*scenario.programs, *ARM))
    assert run.messages == messages(parity, alt)
    assert (run.exit_code, run.programs) == (scenario.exit_code, [*alt.programs])
    assert [timer.unit for timer in run.timers] == [parity.units[1]]
