"""A full or read-only disk for the log and the lock, and no mkdir or flock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.forms import alone
from tests.support.refresh.lost_tools import MISSING, every_scenario_and_end, every_tool_end, lose
from tests.support.refresh.scenarios import (
    BY_NAME,
    FAILING,
    LOCK,
    Scenario,
    every_full_run,
    expect_state,
    meet,
    messages,
    utc,
)
from tests.support.refresh.small_disk import PAGE, needs_mounts, put_on_disk
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity


def put_logs_on_disk(parity: Parity, scenario: Scenario, pages: int = 9, inodes: int = 9) -> None:
    """Arrange the scenario with logs/ on a small disk. The run must not create the directory."""
    scenario.arrange(parity)
    parity.directory("logs")
    parity.delete(FAILING)
    put_on_disk(parity, "logs", pages, inodes)


def log_text(parity: Parity, scenario: Scenario) -> str:
    """Return the whole log of the run, as with enough space."""
    return "".join(f"{utc(parity.now_s)} {text}\n" for text in messages(parity, scenario))


@needs_mounts
@every_full_run
@pytest.mark.parametrize("free", [0, 100])
def test_log_is_written_until_the_disk_is_full(
    parity: Parity, scenario: Scenario, free: int
) -> None:
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


@needs_mounts
@every_full_run
def test_no_inode_for_the_log(parity: Parity, scenario: Scenario) -> None:
    put_logs_on_disk(parity, scenario, inodes=0)
    nothing_is_done(parity, scenario)


@needs_mounts
def test_no_inode_for_the_next_log(parity: Parity) -> None:
    """It is not rotated: without a log, the next run could not start."""
    parity.credentials()
    before = b"x" * (1024 * 1024 + 1) + b"\n"
    parity.file(LOG, before, 0o600)
    parity.file(LOCK, "", 0o600)
    put_on_disk(parity, "logs", inodes=2)
    run = parity.run()
    assert run.exit_code == 0
    assert len(run.timers) == 1
    assert f"{LOG}.1" not in run.files
    assert run.files[LOG].content.startswith(before)


@needs_mounts
@every_full_run
def test_read_only_log_directory(parity: Parity, scenario: Scenario) -> None:
    scenario.arrange(parity)
    parity.directory("logs")
    parity.delete(FAILING)
    put_on_disk(parity, "logs", read_only=True)
    nothing_is_done(parity, scenario)


def nothing_is_done(parity: Parity, scenario: Scenario) -> None:
    """Assert that a run with no place for its log reports this on stderr and does nothing else."""
    make_claude_optional(parity)
    run = parity.run(*scenario.arguments)
    problem = f"oauthkit: the log {parity.project / LOG} cannot be written\n"
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", problem)
    assert run.programs == (["jq"] if scenario.is_ensure else [])
    assert run.dotenv_bytes == scenario.before
    assert [name for name in run.files if name.startswith("logs/")] == []


@needs_mounts
@every_full_run
def test_no_inode_for_the_lock(parity: Parity, scenario: Scenario) -> None:
    put_logs_on_disk(parity, scenario, inodes=1)
    make_claude_optional(parity)
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert run.messages == [f"ERROR: {parity.project / LOCK} cannot be locked"]
    assert run.dotenv_bytes == scenario.before
    assert run.timers == []  # only a run with the lock schedules the next one


@needs_mounts
@every_full_run
def test_no_inode_for_the_failing_mark(parity: Parity, scenario: Scenario) -> None:
    put_logs_on_disk(parity, scenario, inodes=2)
    run = parity.run(*scenario.arguments)
    assert FAILING not in run.files
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.messages == messages(parity, scenario)
    assert run.dotenv_bytes == scenario.dotenv


@needs_mounts
@every_full_run
def test_just_enough_inodes(parity: Parity, scenario: Scenario) -> None:
    # Shows that the limits above apply to the intended file.
    put_logs_on_disk(parity, scenario, inodes=3)
    run = parity.run(*scenario.arguments)
    expect_state(parity, run, scenario, scenario.exit_code, scenario.due_in_s)
    assert run.messages == messages(parity, scenario)
    assert run.dotenv_bytes == scenario.dotenv
    assert (FAILING in run.files) == (scenario.exit_code != 0)


def make_claude_optional(parity: Parity) -> None:
    """Make the calls to claude that the scenario plans optional."""
    for planned in parity.claude.queue:
        planned.optional()


@every_scenario_and_end
def test_flock(parity: Parity, scenario: Scenario, end: str | int) -> None:
    if end != MISSING:
        alone(parity, "bash")  # the Python form locks without running flock(1)
    lose(parity, "flock", end)
    if scenario.is_silent:
        meet(parity, scenario)
        return
    scenario.arrange(parity)
    parity.claude.queue.clear()
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    lock = parity.project / LOCK
    reasons: dict[str | int, str] = {
        1: f"another refresh has held {lock} for 120 s",
        126: f"{lock} cannot be locked",
    }
    missing = f"flock not found in PATH. It is needed to lock {lock}"
    assert run.messages == [f"ERROR: {reasons.get(end, missing)}"]
    assert run.dotenv_bytes == scenario.before
    assert run.timers == []  # only a run with the lock schedules the next one


@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
@every_tool_end
def test_mkdir(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # In the other scenarios, logs/ already exists.
    lose(parity, "mkdir", end)
    scenario.arrange(parity)
    parity.claude.queue.clear()
    run = parity.run()
    problem = f"oauthkit: the log {parity.project / LOG} cannot be written\n"
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", problem)
    assert (run.programs, run.touched) == ([], [])
    assert run.dotenv is None
