"""The axis of the real programs that a refresh uses: each missing, or failing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import alone
from tests.support.refresh.scenarios import (
    ARM,
    BY_NAME,
    CARRIED,
    COMPLAINED,
    DUE,
    FAILING,
    JQ,
    LOCK,
    RETRY_S,
    SCENARIOS,
    UPDATED,
    Scenario,
    expect,
    failure,
    meet,
    messages,
)
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

    from oauthkit.parity import World

# The last two are how a shell says that a program cannot be run, or is not there.
MISSING = "missing"
ENDS = (MISSING, 1, 126, 127)
# Both forms treat all failures alike: most of the ends are crossed with one scenario alone.
every_scenario_and_end = pytest.mark.parametrize(
    ("scenario", "end"),
    [(one, end) for one in SCENARIOS for end in (ENDS if one is SCENARIOS[0] else [MISSING])],
    ids=lambda value: value.name if isinstance(value, Scenario) else str(value),
)
asking_claude = pytest.mark.parametrize(
    "scenario", [one for one in SCENARIOS if one.asks_claude], ids=lambda one: one.name
)
NOT_WRITTEN = "{dotenv} cannot be written, it is as it was"
LOST_LINK = "{dotenv} is a symbolic link that leads nowhere"
NOT_FOLLOWED = "readlink could not follow {{dotenv}} (exit {})"
NOT_RENEWED = "claude CLI refresh failed (exit {}). User may need to run 'claude login'."
NO_FILE = "No such file or directory"
every_end = pytest.mark.parametrize("end", ENDS)


def lose(parity: Parity, program: str, end: str | int) -> None:
    """Takes a tool away, or has it exit with this status and do nothing."""
    if end == MISSING:
        parity.remove(program)
        return
    # No stand-in: what the kit does not record cannot be planned, but need not be called either.
    parity.file(f"../bin/{program}", f"#!/bin/sh\nexit {end}\n", 0o755)


def after(scenario: Scenario, last: str, problem: str) -> Scenario:
    """The scenario that goes as far as the message before `last`, and fails with `problem`."""
    lines = scenario.messages[: scenario.messages.index(last)]
    return replace(
        scenario, dotenv=scenario.before, messages=(*lines, *failure(problem)), exit_code=1,
        due_in_s=RETRY_S,
    )  # fmt: skip


@every_scenario_and_end
@pytest.mark.parametrize("program", ["chmod", "cp", "stat", "sync", "mv"])
def test_tool_of_the_delivery(
    parity: Parity, scenario: Scenario, program: str, end: str | int
) -> None:
    lose(parity, program, end)
    if program == "stat" and end == 1:  # the log's name is gone, for all that is known
        scenario.arrange(parity)
        parity.claude.queue.clear()
        run = parity.run(*scenario.arguments)
        problem = f"oauthkit: cannot write the log {parity.project / LOG}\n"
        assert (run.exit_code, run.stdout, run.stderr) == (1, "", problem)
        assert run.dotenv_bytes == scenario.before
        return
    # A .env that is there keeps its owner and mode, a new one gets its mode by chmod(1).
    is_new = scenario.before is None
    needed = {"chmod": is_new, "cp": not is_new, "stat": not is_new}
    is_used = scenario.writes_dotenv and needed.get(program, True)
    meet(parity, after(scenario, UPDATED, NOT_WRITTEN) if is_used else scenario)


@asking_claude
@every_end
def test_cat(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # It only takes what comes after the first 8 KiB.
    lose(parity, "cat", end)
    meet(parity, scenario)


@every_scenario_and_end
def test_rm(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # What cannot be taken away stays: no run fails for that.
    lose(parity, "rm", end)
    scenario.arrange(parity)
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (scenario.exit_code, "", "")
    assert run.dotenv_bytes == scenario.dotenv
    assert [timer.when_s - parity.now_s for timer in run.timers] == (
        [] if scenario.due_in_s is None else [scenario.due_in_s]
    )
    assert run.messages == messages(parity, scenario)
    assert (FAILING in run.files) == (scenario.was_failing or scenario.exit_code != 0)


@every_scenario_and_end
def test_flock(parity: Parity, scenario: Scenario, end: str | int) -> None:
    if end != MISSING:
        alone(parity, "bash")  # the other form locks without a program, but not where there is none
    lose(parity, "flock", end)
    if scenario.is_silent:
        meet(parity, scenario)
        return
    scenario.arrange(parity)
    parity.claude.queue.clear()
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", "")
    lock = parity.project / LOCK
    told: dict[str | int, str] = {
        1: f"another refresh has held {lock} for 120 s",
        126: f"{lock} cannot be locked",
    }
    missing = f"flock not found in PATH, it is needed to lock {lock}"
    assert run.messages == [f"ERROR: {told.get(end, missing)}"]
    assert run.dotenv_bytes == scenario.before
    assert run.timers == []  # only a run that got the lock arms the next one


@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
@every_end
def test_mkdir(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # In the other scenarios there is a logs/ already.
    lose(parity, "mkdir", end)
    scenario.arrange(parity)
    parity.claude.queue.clear()
    run = parity.run()
    problem = f"oauthkit: cannot write the log {parity.project / LOG}\n"
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", problem)
    assert (run.programs, run.touched) == ([], [])
    assert run.dotenv is None


@every_scenario_and_end
def test_readlink(parity: Parity, scenario: Scenario, end: str | int) -> None:
    lose(parity, "readlink", end)
    scenario.arrange(parity)
    parity.folder("shared")
    if scenario.before is not None:
        parity.step(lambda world: _move(world, ".env", "shared/env"))
    parity.symlink(".env", "shared/env")
    run = parity.run(*scenario.arguments)
    told = scenario
    if scenario.exit_code == 0 and not scenario.is_silent:
        # .env is looked at when there is a token for it, not before.
        last = UPDATED if UPDATED in scenario.messages else CARRIED
        status = 127 if end == MISSING else end
        told = after(scenario, last, LOST_LINK if end == 1 else NOT_FOLLOWED.format(status))
    assert (run.exit_code, run.stdout, run.stderr) == (told.exit_code, "", "")
    assert run.messages == messages(parity, told)
    assert (run.files[".env"].kind, run.files[".env"].target) == ("symlink", "shared/env")
    assert run.dotenv_bytes == told.dotenv if scenario.before else "shared/env" not in run.files
    assert [timer.when_s - parity.now_s for timer in run.timers] == (
        [] if told.due_in_s is None else [told.due_in_s]
    )


def _move(world: World, name: str, to: str) -> None:
    world.path(name).rename(world.path(to))


@asking_claude
@every_end
def test_tool_that_starts_claude(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # The other scenarios do not start claude.
    lose(parity, "timeout", end)
    scenario.arrange(parity)
    parity.claude.queue.clear()
    run = parity.run()
    status = 127 if end == MISSING else end
    problem = failure(NOT_RENEWED.format(status))
    reads = 3
    if end == MISSING:
        problem = failure("timeout not found in PATH, it is needed to run claude")
        reads = 1
    told = replace(
        scenario, dotenv=scenario.before, messages=(DUE, *problem), exit_code=1,
        due_in_s=RETRY_S, programs=(*JQ * reads, *ARM),
    )  # fmt: skip
    expect(parity, run, told)


@asking_claude
@every_end
def test_dd(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # Only what claude printed is lost. The other scenarios do not start it.
    lose(parity, "dd", end)
    lines = tuple(line for line in scenario.messages if line not in COMPLAINED)
    meet(parity, replace(scenario, messages=lines))
