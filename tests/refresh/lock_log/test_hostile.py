"""The axis of the disk: full at each write, by bytes or by inodes, or read-only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.scenarios import (
    FAILING,
    LOCK,
    MODE,
    RETRY_S,
    SHARED,
    UPDATED,
    every_full_run,
    every_scenario,
    failure,
    messages,
    utc,
)
from tests.support.refresh.small_disk import PAGE, mounts, put_on_disk
from tests.support.refresh.world import LOG, UNIT

if TYPE_CHECKING:
    from tests.support.refresh.scenarios import Scenario
    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import World

__all__ = ["mounts"]
pytestmark = pytest.mark.usefixtures("mounts")

BALLAST = "disk/ballast"
DOTENV = "disk/.env"
# A .env that needs two pages, and so can be written by half.
LONG_LINE = b"#" + b"x" * PAGE + b"\n"
NOT_WRITTEN = "{dotenv} cannot be written, it is as it was"


def long_dotenv(scenario: Scenario) -> Scenario:
    """The scenario with a .env that has a long line before all others."""
    before, after = LONG_LINE + (scenario.before or b""), LONG_LINE + (scenario.dotenv or b"")
    texts = [text for text in scenario.messages if text != SHARED]
    if scenario.writes_dotenv:
        texts.insert(texts.index(UPDATED) + 1, SHARED)
    return replace(scenario, before=before, dotenv=after, mode=MODE, messages=tuple(texts))


def put_dotenv_on_disk(
    parity: Parity, scenario: Scenario, pages: int, inodes: int, *, read_only: bool = False
) -> None:
    """Arranges the scenario, its .env on a disk with so much room for more, beside a file."""
    scenario.arrange(parity)
    parity.file(BALLAST, b"x", 0o600)
    parity.env["OAUTHKIT_DOTENV"] = str(parity.world.path(DOTENV))
    size = 0
    if scenario.before is not None:
        parity.step(lambda world: _move(world, ".env", DOTENV))
        size = -(-len(scenario.before) // PAGE)
    count = 1 + (scenario.before is not None)
    put_on_disk(parity, "disk", 1 + size + pages, count + inodes, read_only=read_only)


def _move(world: World, name: str, to: str) -> None:
    world.path(name).rename(world.path(to))


def expect_state(
    parity: Parity, run: RefreshRun, scenario: Scenario, exit_code: int, due_in_s: int | None
) -> None:
    """What does not depend on the log: exit status, silence, the timer."""
    assert (run.exit_code, run.stdout, run.stderr) == (exit_code, "", "")
    is_due = [] if due_in_s is None else [(UNIT, parity.now_s + due_in_s)]
    assert [(timer.unit, timer.when_s) for timer in run.timers] == is_due
    assert run.programs == [*scenario.programs]


def expect_not_written(parity: Parity, run: RefreshRun, scenario: Scenario) -> None:
    """The .env of before and nothing beside it, an ERROR that says so, and a retry."""
    due_in_s = RETRY_S if scenario.writes_dotenv else scenario.due_in_s
    exit_code = 1 if scenario.writes_dotenv else scenario.exit_code
    expect_state(parity, run, scenario, exit_code, due_in_s)
    texts = scenario.messages
    if scenario.writes_dotenv:
        texts = (*texts[: texts.index(UPDATED)], *failure(NOT_WRITTEN))
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


# --- .env ---

# Pages and inodes that are free: the new file beside .env needs two of the one, one of the other.
FULL = {
    "no byte free": {"pages": 0, "inodes": 5},
    "half of it free": {"pages": 1, "inodes": 5},
    "no inode free": {"pages": 5, "inodes": 0},
    "read-only": {"pages": 5, "inodes": 5, "read_only": True},
}


@every_scenario
@pytest.mark.parametrize("room", FULL.values(), ids=FULL)
def test_dotenv_stays_as_it_is(parity: Parity, scenario: Scenario, room: dict[str, Any]) -> None:
    scenario = long_dotenv(scenario)
    put_dotenv_on_disk(parity, scenario, **room)
    expect_not_written(parity, parity.run(*scenario.arguments), scenario)


@every_full_run
def test_dotenv_is_written_by_the_next_run_with_room(parity: Parity, scenario: Scenario) -> None:
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


@every_scenario
def test_dotenv_fits_exactly(parity: Parity, scenario: Scenario) -> None:
    # Shows that the limits above are those of the write they are meant for.
    scenario = long_dotenv(scenario)
    put_dotenv_on_disk(parity, scenario, pages=2, inodes=1)
    run = parity.run(*scenario.arguments)
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.messages == messages(parity, scenario)
    assert run.files[DOTENV].content == scenario.dotenv
    assert run.files[DOTENV].mode == MODE


# --- The log, and what is beside it ---


def put_logs_on_disk(parity: Parity, scenario: Scenario, pages: int = 9, inodes: int = 9) -> None:
    """Arranges the scenario with a logs/ on a small disk; it must not make the folder itself."""
    scenario.arrange(parity)
    parity.folder("logs")
    parity.delete(FAILING)
    put_on_disk(parity, "logs", pages, inodes)


def log_text(parity: Parity, scenario: Scenario) -> str:
    """The whole log of the run, where there is room for it."""
    return "".join(f"{utc(parity.now_s)} {text}\n" for text in messages(parity, scenario))


@every_full_run
@pytest.mark.parametrize("free", [0, 100])
def test_log_takes_what_there_is_room_for(parity: Parity, scenario: Scenario, free: int) -> None:
    put_logs_on_disk(parity, scenario, pages=1)
    old = "x" * (PAGE - free - 1) + "\n"
    parity.file(LOG, old, 0o600)
    run = parity.run(*scenario.arguments)
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.dotenv_bytes == scenario.dotenv
    assert run.files[".env"].mode == scenario.mode
    whole = old + log_text(parity, scenario)
    assert run.files[LOG].content == whole.encode("utf-8", "surrogateescape")[:PAGE]
    assert (FAILING in run.files) == (scenario.exit_code != 0)


@every_full_run
def test_no_inode_for_the_log(parity: Parity, scenario: Scenario) -> None:
    put_logs_on_disk(parity, scenario, inodes=0)
    nothing_is_done(parity, scenario)


@every_full_run
def test_log_folder_may_only_be_read(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    parity.folder("logs")
    parity.delete(FAILING)
    put_on_disk(parity, "logs", read_only=True)
    nothing_is_done(parity, scenario)


def nothing_is_done(parity: Parity, scenario: Scenario) -> None:
    """A run that has nowhere to write its log says so on stderr, and does nothing else."""
    make_claude_optional(parity)
    run = parity.run(*scenario.arguments)
    problem = f"oauthkit: cannot write the log {parity.project / LOG}\n"
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", problem)
    assert run.programs == (["jq"] if scenario.arguments else [])
    assert run.dotenv_bytes == scenario.before
    assert [name for name in run.files if name.startswith("logs/")] == []


@every_full_run
def test_no_inode_for_the_lock(parity: Parity, scenario: Scenario) -> None:
    put_logs_on_disk(parity, scenario, inodes=1)
    make_claude_optional(parity)
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", "")
    assert run.messages == [f"ERROR: {parity.project / LOCK} cannot be locked"]
    assert run.dotenv_bytes == scenario.before
    assert run.timers == []  # only a run that got the lock arms the next one


@every_full_run
def test_no_inode_for_the_failing_mark(parity: Parity, scenario: Scenario) -> None:
    put_logs_on_disk(parity, scenario, inodes=2)
    run = parity.run(*scenario.arguments)
    assert FAILING not in run.files
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.messages == messages(parity, scenario)
    assert run.dotenv_bytes == scenario.dotenv


@every_full_run
def test_inodes_for_all_that_is_written(parity: Parity, scenario: Scenario) -> None:
    # Shows that the limits above are those of the file they are meant for.
    put_logs_on_disk(parity, scenario, inodes=3)
    run = parity.run(*scenario.arguments)
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.messages == messages(parity, scenario)
    assert run.dotenv_bytes == scenario.dotenv
    assert (FAILING in run.files) == (scenario.exit_code != 0)


def make_claude_optional(parity: Parity) -> None:
    """Lets the runs end without the calls of claude that the scenario plans."""
    for planned in parity.claude.queue:
        planned.optional()
