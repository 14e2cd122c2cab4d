"""A full or read-only disk for .env, and missing or failing programs of the delivery."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.lost_tools import MISSING, every_scenario_and_end, lose
from tests.support.refresh.scenarios import (
    BEARER,
    BRAKE,
    CARRIED,
    FAILING,
    FAILURES,
    MODE,
    REJECTED,
    RETRY_S,
    SHARED,
    UPDATED,
    Scenario,
    every_full_run,
    every_scenario,
    expect,
    expect_state,
    failure,
    meet,
    messages,
)
from tests.support.refresh.small_disk import PAGE, needs_mounts, put_on_disk
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import World

NOT_WRITTEN = "{dotenv} cannot be written and is unchanged"
READ_ONLY = "{dotenv} cannot be written: {project}/disk is not writable"
LOST_LINK = "{dotenv} is a symbolic link that leads nowhere"
NOT_FOLLOWED = "readlink could not follow {{dotenv}} (exit {})"
NO_FILE = "No such file or directory"


def after(scenario: Scenario, last: str, problem: str) -> Scenario:
    """Return the scenario up to the message before `last`, followed by the failure `problem`."""
    lines = scenario.messages[: scenario.messages.index(last)]
    return replace(
        scenario, dotenv=scenario.before, messages=(*lines, *failure(problem)), exit_code=1,
        due_in_s=RETRY_S,
    )  # fmt: skip


def without_record(parity: Parity, scenario: Scenario) -> Scenario:
    """Return the scenario if claude is not started because that start cannot be recorded."""
    is_rejected = REJECTED in scenario.messages
    state = parity.world.path(BRAKE if is_rejected else FAILURES)
    problem = f"{state} and 1 MiB cannot be written, and claude could not save the login."
    before = () if is_rejected else scenario.messages[:1]
    return replace(
        scenario, dotenv=scenario.before, exit_code=1, due_in_s=RETRY_S, files=(),
        messages=(*before, *failure(f"{problem} It is not started")),
        programs=(*scenario.programs[:2], *scenario.programs[-2:]),
    )  # fmt: skip


@every_scenario_and_end
@pytest.mark.parametrize("program", ["chmod", "cp", "stat", "sync", "mv"])
def test_tool_of_the_delivery(
    parity: Parity, scenario: Scenario, program: str, end: str | int
) -> None:
    lose(parity, program, end)
    if program == "stat" and end == 1:  # the log may have been removed or renamed
        scenario.arrange(parity)
        parity.claude.queue.clear()
        run = parity.run(*scenario.arguments)
        problem = f"oauthkit: the log {parity.project / LOG} cannot be written\n"
        assert (run.exit_code, run.stdout, run.stderr) == (1, "", problem)
        assert run.dotenv_bytes == scenario.before
        return
    if program in {"chmod", "mv"} and scenario.asks_claude:
        scenario.arrange(parity)
        parity.claude.queue.clear()
        run = parity.run(*scenario.arguments)
        expect(parity, run, without_record(parity, scenario))
        return
    # An existing .env keeps its owner and mode. A new one gets its mode from chmod(1).
    is_new = scenario.before is None
    needed = {"chmod": is_new, "cp": not is_new, "stat": not is_new}
    is_used = scenario.writes_dotenv and needed.get(program, True)
    expected = after(scenario, UPDATED, NOT_WRITTEN) if is_used else scenario
    if program == "sync" and BEARER in scenario.messages:
        problem = f"ERROR: {NOT_WRITTEN.format(dotenv='{project}/a bearer')}"
        lines = tuple(problem if line == BEARER else line for line in expected.messages)
        expected = replace(expected, messages=lines, files=(BRAKE,))
    meet(parity, expected)


@every_scenario_and_end
def test_readlink(parity: Parity, scenario: Scenario, end: str | int) -> None:
    lose(parity, "readlink", end)
    scenario.arrange(parity)
    parity.directory("shared")
    if scenario.before is not None:
        parity.step(lambda world: _move(world, ".env", "shared/env"))
    parity.symlink(".env", "shared/env")
    run = parity.run(*scenario.arguments)
    expected = scenario
    if scenario.exit_code == 0 and not scenario.is_silent:
        # .env is only read when there is a token for it.
        last = UPDATED if UPDATED in scenario.messages else CARRIED
        status = 127 if end == MISSING else end
        expected = after(scenario, last, LOST_LINK if end == 1 else NOT_FOLLOWED.format(status))
    assert (run.exit_code, run.stdout, run.stray_stderr) == (expected.exit_code, "", "")
    assert run.messages == messages(parity, expected)
    assert (run.files[".env"].kind, run.files[".env"].target) == ("symlink", "shared/env")
    assert run.dotenv_bytes == expected.dotenv if scenario.before else "shared/env" not in run.files
    assert [timer.when_s - parity.now_s for timer in run.timers] == (
        [] if expected.due_in_s is None else [expected.due_in_s]
    )


def _move(world: World, name: str, to: str) -> None:
    world.path(name).rename(world.path(to))


BALLAST = "disk/ballast"
DOTENV = "disk/.env"

# A .env of two pages, so that half of it can be written.
LONG_LINE = b"#" + b"x" * PAGE + b"\n"


def long_dotenv(scenario: Scenario) -> Scenario:
    """Return the scenario with a .env that starts with a long line."""
    before, after = LONG_LINE + (scenario.before or b""), LONG_LINE + (scenario.dotenv or b"")
    texts = [text for text in scenario.messages if text != SHARED]
    if scenario.writes_dotenv:
        texts.insert(texts.index(UPDATED) + 1, SHARED)
    return replace(scenario, before=before, dotenv=after, mode=MODE, messages=tuple(texts))


def put_dotenv_on_disk(
    parity: Parity, scenario: Scenario, pages: int, inodes: int, *, read_only: bool = False
) -> None:
    """Arrange the scenario with .env on a disk with this much free space, beside another file."""
    scenario.arrange(parity)
    parity.file(BALLAST, b"x", 0o600)
    parity.env["OAUTHKIT_DOTENV"] = str(parity.world.path(DOTENV))
    size = 0
    if scenario.before is not None:
        parity.step(lambda world: _move(world, ".env", DOTENV))
        size = -(-len(scenario.before) // PAGE)
    count = 1 + (scenario.before is not None)
    put_on_disk(parity, "disk", 1 + size + pages, count + inodes, read_only=read_only)


def expect_not_written(
    parity: Parity, run: RefreshRun, scenario: Scenario, problem: str = NOT_WRITTEN
) -> None:
    """Assert the unchanged .env with no temporary beside it, an ERROR, and a retry."""
    due_in_s = RETRY_S if scenario.writes_dotenv else scenario.due_in_s
    exit_code = 1 if scenario.writes_dotenv else scenario.exit_code
    expect_state(parity, run, scenario, exit_code, due_in_s)
    texts = scenario.messages
    if scenario.writes_dotenv:
        texts = (*texts[: texts.index(UPDATED)], *failure(problem))
    assert run.messages == messages(parity, scenario, texts, due_in_s=due_in_s)
    found = {name: entry for name, entry in run.files.items() if name.startswith("disk/")}
    content = {name: entry.content for name, entry in found.items()}
    expected = {BALLAST: b"x"}
    if scenario.before is not None:
        expected[DOTENV] = scenario.before
        assert found[DOTENV].mode == MODE
    assert content == expected
    assert not {BALLAST, DOTENV} & {*run.touched}
    assert (FAILING in run.files) == (exit_code != 0 or scenario.is_silent)


# Free pages and inodes. The new file beside .env needs two pages and one inode.
FULL = {
    "no byte free": {"pages": 0, "inodes": 5},
    "half of the space free": {"pages": 1, "inodes": 5},
    "no inode free": {"pages": 5, "inodes": 0},
    "read-only": {"pages": 5, "inodes": 5, "read_only": True},
}


@needs_mounts
@every_scenario
@pytest.mark.parametrize("room", FULL.values(), ids=FULL)
def test_dotenv_is_unchanged_on_a_full_disk(
    parity: Parity, scenario: Scenario, room: dict[str, Any]
) -> None:
    scenario = long_dotenv(scenario)
    put_dotenv_on_disk(parity, scenario, **room)
    problem = READ_ONLY if "read_only" in room else NOT_WRITTEN
    expect_not_written(parity, parity.run(*scenario.arguments), scenario, problem)


@needs_mounts
@every_full_run
def test_next_run_with_free_space_writes_dotenv(parity: Parity, scenario: Scenario) -> None:
    forms = parity.forms
    put_dotenv_on_disk(parity, scenario, pages=0, inodes=1)
    run = parity.run(*scenario.arguments)
    expect_not_written(parity, run, scenario)
    parity.forms = forms
    if scenario.asks_claude and scenario.exit_code != 0:
        scenario.set_up(parity)
    run = parity.run(*scenario.arguments)
    assert run.exit_code == scenario.exit_code
    assert run.files[DOTENV].content == scenario.dotenv
    assert [name for name in run.files if name.startswith("disk/.")] == [DOTENV]
    assert (FAILING in run.files) == (scenario.exit_code != 0)


@needs_mounts
@every_scenario
def test_dotenv_fits_exactly(parity: Parity, scenario: Scenario) -> None:
    # Shows that the limits above apply to the intended write.
    scenario = long_dotenv(scenario)
    put_dotenv_on_disk(parity, scenario, pages=2, inodes=1)
    run = parity.run(*scenario.arguments)
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.messages == messages(parity, scenario)
    assert run.files[DOTENV].content == scenario.dotenv
    assert run.files[DOTENV].mode == MODE
