"""claude exits, dies, hangs or leaves children behind, and other programs are missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.ends import ENDS, every_end, refused
from tests.support.refresh.lost_tools import MISSING, asking_claude, every_tool_end, lose
from tests.support.refresh.scenarios import (
    ARM,
    BY_NAME,
    COMPLAINED,
    COMPLAINT,
    DUE,
    JQ,
    REJECTED,
    RENEWED,
    RETRY_S,
    SCHEDULED,
    UPDATED,
    Scenario,
    every_scenario,
    expect,
    failure,
    meet,
)
from tests.support.refresh.small_disk import PAGE, needs_mounts, put_on_disk
from tests.support.refresh.world import CREDENTIALS

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

    from oauthkit.parity import Started, World


@every_end
@pytest.mark.parametrize("scenario", [BY_NAME["renewed by claude"]], ids=lambda one: one.name)
def test_claude_that_has_renewed(parity: Parity, scenario: Scenario, end: str) -> None:
    how, arguments, status = ENDS[end]
    # The other scenarios do not start claude, or plan a claude that renews nothing.
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
    # timeout(1) also exits with 137 at its limit, so there is no second try.
    tries = 2 if status not in {0, 137} else 1
    silent = {name: value for name, value in arguments.items() if name != "stderr"}
    for _ in range(tries):
        getattr(parity.claude.renews_nothing(stdout=COMPLAINT).then, how)(**silent)
    run = parity.run()
    problem = (
        f"claude CLI refresh failed (exit {status}). User may need to run 'claude login'."
        if status
        else "claude exited 0 and renewed nothing. Is its token endpoint down?"
    )
    lines = (DUE, *COMPLAINED * tries, *failure(problem))
    programs = ("jq", "jq", *("claude", "jq") * tries)
    expect(parity, run, refused(scenario, *lines, programs=programs))


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
def test_children_that_hold_the_output_open(parity: Parity, scenario: Scenario) -> None:
    # Both forms read the output of these programs to its end, as $( ) does, so they wait for every
    # process that holds it. jq and systemd-run have no children that outlive them.
    parity.jq.always.leaves_child_behind(0.1).then.reads()
    parity.systemd_run.always.leaves_child_behind(0.1).then.arms()
    meet(parity, scenario)


NOT_RENEWED = "claude CLI refresh failed (exit {}). User may need to run 'claude login'."
REFUSED_YET = "the API refuses the token, and claude did not renew it (exit {})"


@asking_claude
@every_tool_end
def test_cat(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # It only reads the output after the first 8 KiB.
    lose(parity, "cat", end)
    meet(parity, scenario)


@asking_claude
@every_tool_end
def test_tool_that_starts_claude(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # The other scenarios do not start claude.
    lose(parity, "timeout", end)
    scenario.arrange(parity)
    parity.claude.queue.clear()
    run = parity.run(*scenario.arguments)
    status = 127 if end == MISSING else end
    is_rejected = REJECTED in scenario.messages
    problem = (REFUSED_YET if is_rejected else NOT_RENEWED).format(status)
    lines, files, reads = [scenario.messages[0]], scenario.files[1:], 4 + is_rejected
    if end == MISSING:
        problem = "timeout not found in PATH. It is needed to run claude"
        lines, files, reads = [] if is_rejected else [DUE], (), 2 - is_rejected
    expected = replace(
        scenario, dotenv=scenario.before, messages=(*lines, *failure(problem)), exit_code=1,
        due_in_s=RETRY_S, programs=(*JQ * reads, *ARM), files=files,
    )  # fmt: skip
    expect(parity, run, expected)


@asking_claude
@every_tool_end
def test_dd(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # Only claude's output is lost. The other scenarios do not start it.
    lose(parity, "dd", end)
    lines = tuple(line for line in scenario.messages if line not in COMPLAINED)
    meet(parity, replace(scenario, messages=lines))


# --- Full disks ----------------------------------------------------------------------------------

FAILURES = "~/.claude/.oauthkit-failures"
RESERVE_PAGES = 1024 * 1024 // PAGE
NOT_SAVED = "claude could not save the login. It is not started"


@needs_mounts
@pytest.mark.parametrize("pages", [1, RESERVE_PAGES - 1])
def test_little_space_starts_no_claude(parity: Parity, pages: int) -> None:
    # The real CLI writes other files before the login.
    parity.credentials(expires_in="-1h")
    put_on_disk(parity, "~/.claude", 1 + pages)
    run = parity.run()
    assert "claude" not in run.programs
    state = parity.world.path(FAILURES)
    assert f"ERROR: {state} and 1 MiB cannot be written, and {NOT_SAVED}" in run.messages
    assert FAILURES not in run.files


@needs_mounts
def test_space_of_the_last_record_does_not_count(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    text = f"1 {parity.now_s * 1000}".encode()
    parity.file(FAILURES, text, 0o600)
    put_on_disk(parity, "~/.claude", 2)
    run = parity.run()
    assert "claude" not in run.programs
    assert run.files[FAILURES].content == text


@needs_mounts
def test_space_that_suffices(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.claude.renews()
    put_on_disk(parity, "~/.claude", 2 + RESERVE_PAGES)
    run = parity.run()
    assert run.exit_code == 0
    assert [name for name in run.touched if name.startswith("~/.claude/")] == [CREDENTIALS]


# --- A group-writable login directory ------------------------------------------------------------


@pytest.mark.parametrize("which", ["", ".reserve"])
def test_link_in_place_of_the_temporary_record_is_not_followed(parity: Parity, which: str) -> None:
    parity.credentials(expires_in="-1h")
    parity.file("theirs", b"unchanged")
    theirs = str(parity.world.path("theirs"))
    parity.symlink(f"{FAILURES}{which}.oauthkit.{parity.now_s}000000", theirs)
    lose(parity, "rm", 1)  # in a sticky directory, another user's link cannot be removed
    run = parity.run()
    assert "claude" not in run.programs
    assert run.files["theirs"].content == b"unchanged"
