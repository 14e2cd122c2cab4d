"""The axis of the programs that both forms call: each ends in every way, or leaves a child behind.

claude, which has a time limit of its own, is told of in test_renewal.py. A run that hangs in
another program is ended by systemd: RuntimeMaxSec= sends SIGTERM to all of its processes.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.scenarios import (
    ARM,
    BY_NAME,
    COMPLAINED,
    COMPLAINT,
    DUE,
    FULL_RUNS,
    JQ,
    RENEWED,
    RETRY_S,
    SCHEDULED,
    UPDATED,
    Scenario,
    every_full_run,
    every_scenario,
    expect,
    failure,
    meet,
    messages,
)
from tests.support.refresh.world import UNIT

from oauthkit.parity.runner import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.world import Parity

    from oauthkit.parity import Started, World

# How a program ends, and the exit status that a shell makes of it.
ENDS: dict[str, tuple[str, dict[str, Any], int]] = {
    "exit 0": ("exits", {"exit": 0}, 0),
    "exit 1": ("fails", {"exit": 1, "stderr": b"noise sk-ant-oat01-made-up\n"}, 1),
    "exit 126": ("fails", {"exit": 126, "stderr": b"noise\n"}, 126),
    "exit 127": ("fails", {"exit": 127, "stderr": b"noise\n"}, 127),
    "SIGTERM": ("dies_by_signal", {"number": int(signal.SIGTERM)}, 143),
    "SIGKILL": ("dies_by_signal", {"number": int(signal.SIGKILL)}, 137),
    "SIGSEGV": ("dies_by_signal", {"number": int(signal.SIGSEGV)}, 139),
}
every_end = pytest.mark.parametrize("end", ENDS)

# --- jq ---


def jq_problem(status: int) -> str:
    """What the log says of a jq that ended so, and printed nothing on stdout."""
    if status == 0:
        return "no claudeAiOauth object in {credentials}"
    if status == 127:
        return "jq not found in PATH, it is needed to read the credentials"
    if status > 125:
        return f"jq could not run or was killed (exit {status})"
    return f"{{credentials}} is not valid JSON (jq exit {status})"


def refused(scenario: Scenario, *messages: str, programs: tuple[str, ...]) -> Scenario:
    """The scenario in which .env stays as it is, and the next run is armed for a retry."""
    return replace(
        scenario, dotenv=scenario.before, messages=messages, due_in_s=RETRY_S, exit_code=1,
        programs=(*programs, *ARM),
    )  # fmt: skip


@every_end
@every_scenario
def test_jq(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    scenario.arrange(parity)
    parity.claude.queue.clear()  # without a login that can be read, claude is not asked
    getattr(parity.jq.always, how)(**arguments)
    run = parity.run(*scenario.arguments)
    calls = JQ * 2 if scenario.arguments else JQ
    expect(parity, run, refused(scenario, *failure(jq_problem(status)), programs=calls))


@pytest.mark.parametrize(
    "scenario", [one for one in FULL_RUNS if not one.arguments], ids=lambda one: one.name
)
def test_jq_that_sigint_ends(parity: Parity, scenario: Scenario) -> None:
    # With --ensure, before the lock, bash would end itself by SIGINT, too: see the fuzzer.
    scenario.arrange(parity)
    parity.claude.queue.clear()
    parity.jq.always.dies_by_signal(int(signal.SIGINT))
    expect(parity, parity.run(), refused(scenario, *failure(jq_problem(130)), programs=JQ))


@every_end
@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
def test_jq_after_the_renewal(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    # The other scenarios read the credentials once, or twice in the same way (--ensure).
    scenario.arrange(parity)
    parity.claude.renews_nothing().optional()
    parity.jq.reads()
    getattr(parity.jq.always, how)(**arguments)
    run = parity.run()
    problem = failure("no accessToken after CLI refresh")
    lines = ("claude: ok", f"WARN: {jq_problem(status)}", *problem)
    programs = ("jq", "claude", "jq")
    expect(parity, run, refused(scenario, DUE, *lines, programs=programs))


# --- systemd-run and systemctl ---


@every_end
@every_full_run
def test_systemd_run(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    getattr(parity.systemd_run.always, how)(**arguments)
    assert scenario.messages[-1] == SCHEDULED
    if status == 0:
        # That nothing came of it cannot be seen.
        scenario.arrange(parity)
        expect(parity, parity.run(*scenario.arguments), scenario, is_armed=False)
        return
    reason = ("systemd-run: noise sk-ant-***",) if status == 1 else ()
    error = f"ERROR: systemd-run failed (exit {status}), next refresh NOT scheduled"
    tries = (*ARM * 3, "systemctl", *ARM * 3)
    lines = (*scenario.messages[:-1], *reason, error)
    programs = (*scenario.programs[: -len(ARM)], *tries)
    meet(parity, replace(scenario, messages=lines, due_in_s=None, programs=programs))


@every_end
@every_full_run
def test_systemctl(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, _ = ENDS[end]
    getattr(parity.systemctl.always, how)(**arguments)
    meet(parity, scenario)  # there was no timer to be stopped


# --- Hanging until systemd ends the run ---


def ended_by_systemd(parity: Parity, program: str) -> Callable[[Started, World], None]:
    """Does what RuntimeMaxSec= does when `program` hangs: SIGTERM to every process of the run.

    systemd.service(5), RuntimeMaxSec=; systemd.kill(5), KillMode=control-group.
    """

    def end_it(_started: Started, world: World) -> None:
        parity.wait_for_call(program)
        for pid in processes(world):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    return end_it


@every_full_run
def test_jq_hangs(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    parity.claude.queue.clear()
    parity.jq.always.hangs()
    if scenario.arguments:
        # The first time, without the lock, the run has nothing to bring to an end: it just ends.
        run = parity.run(*scenario.arguments, meanwhile=ended_by_systemd(parity, "jq"))
        assert (run.exit_code, run.messages, run.programs) == (-signal.SIGTERM, [], ["jq"])
        return
    run = parity.run(meanwhile=ended_by_systemd(parity, "jq"))
    expect(parity, run, refused(scenario, *failure(jq_problem(143)), programs=JQ))


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
    assert [timer.unit for timer in run.timers] == [f"{UNIT}-alt"]


# --- claude ---


@every_end
@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
def test_claude_that_has_renewed(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    # The other scenarios do not ask claude, or have it renew nothing.
    scenario.arrange(parity)
    getattr(parity.claude.queue[0].then, how)(**arguments)
    run = parity.run()
    lines = [RENEWED]
    if status:
        noise = arguments.get("stderr", b"").decode().replace("oat01-made-up", "***").splitlines()
        warning = f"WARN: claude exited {status} after it had renewed the token"
        lines = ["claude: ok", *(f"claude: {line}" for line in noise), RENEWED, warning]
    expect(parity, run, replace(scenario, messages=(DUE, *lines, UPDATED, SCHEDULED)))


@every_end
@pytest.mark.parametrize("scenario", [BY_NAME["not renewed"]], ids=lambda one: one.name)
def test_claude_that_renews_nothing(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    scenario.arrange(parity)
    parity.claude.queue.clear()
    # 137 is what timeout(1) ends with at its limit: there is no second try then.
    tries = 2 if status not in {0, 137} else 1
    silent = {name: value for name, value in arguments.items() if name != "stderr"}
    for _ in range(tries):
        getattr(parity.claude.renews_nothing(stdout=COMPLAINT).then, how)(**silent)
    run = parity.run()
    problem = (
        f"claude CLI refresh failed (exit {status}). User may need to run 'claude login'."
        if status
        else "claude exited 0 and renewed nothing, is its token endpoint down?"
    )
    lines = (DUE, *COMPLAINED * tries, *failure(problem))
    programs = ("jq", *("claude", "jq") * tries)
    expect(parity, run, refused(scenario, *lines, programs=programs))


# --- Children that are left behind ---


@every_scenario
def test_children_left_behind_delay_nothing(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    for planned in parity.claude.queue:
        planned.steps.insert(0, ("leaves_child_behind", {"seconds": 600.0}))
    for program, then in ((parity.jq, "reads"), (parity.systemd_run, "arms")):
        planned = program.always.leaves_child_behind(600, holds_output=False)
        getattr(planned.then, then)()
    parity.systemctl.always.leaves_child_behind(600).then.obeys()
    states: list[str] = []

    def look(started: Started, world: World) -> None:
        started.wait()
        pids = (world.control / "children").read_text("ascii").split()
        stats = [Path(f"/proc/{pid}/stat").read_text("ascii") for pid in pids]
        states.extend(stat.rpartition(") ")[2][0] for stat in stats)

    run = parity.run(*scenario.arguments, meanwhile=look)
    expect(parity, run, scenario)
    assert len(states) == 2 * len(scenario.programs)
    assert set(states) <= {"S", "R", "D"}, states  # alive: proc(5), state


@every_scenario
def test_children_that_hold_what_is_read(parity: Parity, scenario: Scenario) -> None:
    # The output of these is read to its end: as a shell's $( ), both forms wait for whoever holds
    # it. No child of jq or systemd-run is known to live on.
    parity.jq.always.leaves_child_behind(0.1).then.reads()
    parity.systemd_run.always.leaves_child_behind(0.1).then.arms()
    meet(parity, scenario)
