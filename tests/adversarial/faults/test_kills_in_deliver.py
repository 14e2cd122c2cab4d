"""kill -9 at system calls of the delivery: each file is old or new, and the next run recovers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.faults.fault_world import (
    FAILING,
    FORMS,
    NEW,
    OLD,
    TEMPORARY,
    WrongStateError,
    dotenv,
    holders,
)
from tests.adversarial.faults.killed_run import KilledRun, SystemCall

if TYPE_CHECKING:
    from tests.adversarial.faults.fault_world import Faults, FaultWorld, FileState

# Calls that change something for a reader or for the next run. Only the world's own files count,
# because each program's loader opens and closes files, too.
EFFECTS = {
    "write", "fsync", "fdatasync", "sync", "syncfs", "ftruncate", "rename", "renameat", "renameat2",
    "unlink", "unlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown",
    "execve", "clone", "clone3", "fork", "vfork", "exit_group",
}  # fmt: skip
# The process names of both forms. A process with one of these has not executed another program yet.
INTERPRETERS = (shutil.which("bash") or "bash", sys.executable)
OWN_PROGRAMS = {Path(path).resolve().name for path in INTERPRETERS}
EVERY = 41  # of all others, if all processes are killed
SHARDS = 2


def start(world: FaultWorld) -> Path:
    """Return the path whose opening starts the delivery: .env, or the bearer file's directory.

    A run lists that directory first, to remove a temporary file that an earlier run has left.
    """
    return world.bearer.parent if world.target == world.bearer else world.dotenv


def deliver_calls(world: FaultWorld, form: str) -> list[SystemCall]:
    """Return the calls from the first opening of `start` to the log line about the update."""
    world.reset()
    with KilledRun(world, form, counted_from=start(world)) as run:
        assert (run.go_on(), run.output) == (0, b"")
    calls = run.calls()
    shown = ".env" if world.target == world.dotenv else f"{world.bearer}"
    [end] = [n for n, call in enumerate(calls) if f" Updated {shown} with token" in call.text]
    assert (calls[0].name, calls[0].text.rstrip("/")) == ("openat", str(start(world)))
    programs = {"sync", "mv"} | (set() if world.is_bearer_new else {"stat", "cp"})
    assert {call.program for call in calls[:end]} >= programs
    return calls[: end + 1]


def sample(world: FaultWorld, calls: list[SystemCall], victims: str) -> list[SystemCall]:
    """Return the calls that have an effect. With `all`, also the next ones, and some others."""
    chosen: set[SystemCall] = set()
    for process in {call.process for call in calls}:
        own = [call for call in calls if call.process == process]
        chosen.update(own[EVERY // 2 :: EVERY] if victims == "all" else ())
        for number, call in enumerate(own):
            if call.name in EFFECTS or call.text.startswith(str(world.root)):
                chosen.update(own[number : number + (2 if victims == "all" else 1)])
    return [call for call in calls if call in chosen]


def check_killed(
    world: FaultWorld, form: str, call: SystemCall, victims: str, next_form: str, *left: str
) -> None:
    """Kill a run at this call. Check the state then, and after the next run.

    `left` are files that remain if only the process that removes them is killed.
    """
    world.reset()
    old, new = dotenv(OLD), dotenv(NEW)
    main_is_dead = victims != "self" or call.process == 0
    with KilledRun(world, form, call, victims, start(world)) as run:
        if not run.was_reached:
            raise WrongStateError("the call was not made this time")
        expect_whole(world, old, new)
        world.expect_known_files(TEMPORARY)
        # Its child holds the lock until it executes its program, a moment later.
        is_released = not set(holders(world.lock)) & OWN_PROGRAMS
        if main_is_dead and is_released:
            world.expect_free_lock()
        if victims == "main" and is_released:
            # The dead form's children continue after the next run.
            world.heal(next_form)
        status = run.go_on()
    world.expect_free_lock()
    if main_is_dead:
        expect_whole(world, *((new,) if victims == "main" and is_released else (old, new)))
        world.expect_known_files(TEMPORARY)
    else:
        check_survivor(world, status, *left)
    if main_is_dead and status != -9:
        raise WrongStateError(f"the form was to be killed and exits {status}")
    world.heal(next_form)


def expect_whole(world: FaultWorld, *wanted: FileState) -> None:
    """WrongStateError unless .env is one of these, and the bearer file is old or new.

    It is new if the run is killed in the delivery of .env, which comes later.
    """
    world.expect(*wanted)
    world.expect_bearer(*((OLD, NEW) if world.target == world.bearer else (NEW,)))


def check_survivor(world: FaultWorld, status: int, *left: str) -> None:
    """Check the invariants after a child was killed and the form has run to its end."""
    lines = world.log_lines()
    world.expect_one_timer()
    if status == 0:
        world.expect(dotenv(NEW))
        world.expect_bearer(NEW)
        world.expect_known_files(*left)
        return
    # The failure of one file does not affect the other.
    world.expect(dotenv(OLD if world.target == world.dotenv else NEW))
    world.expect_bearer(OLD if world.target == world.bearer else NEW)
    world.expect_known_files(FAILING, *left)
    if status != 1 or f"ERROR: {world.target} cannot be written and is unchanged" not in lines:
        raise WrongStateError(f"the form exits {status} and logs {lines}")


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("victims", ["all", "self", "main"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", [".env", "bearer file", "new bearer file"])
@pytest.mark.usefixtures("tracing")
def test_kill_at_system_call(
    world: FaultWorld,
    faults: Faults,
    place: str,
    form: str,
    victims: str,
    shard: int,
    all_faults: bool,
) -> None:
    if place != ".env":
        world.use_bearer(is_new=place == "new bearer file")
    calls = deliver_calls(world, form)
    chosen = calls if all_faults else sample(world, calls, victims)
    if victims == "main":  # `self` for the form's own calls
        chosen = [call for call in chosen if call.process != 0]
    # Not every SHARDS-th call in the list: the order of two processes differs between runs, so some
    # calls would be in no shard. The order within a process is always the same.
    own = [call for call in chosen if (call.process + call.number) % SHARDS == shard]
    removing = {call.process for call in calls if call.program == "rm"}
    for number, call in enumerate(own):
        next_form = FORMS[number % 2]
        try:
            left = [TEMPORARY] if call.process in removing else []
            check_killed(world, form, call, victims, next_form, *left)
        except WrongStateError as error:
            faults.survived(f"{call}, then {next_form}: {error}")
        else:
            faults.survived(None)
    assert faults.count > 0
    assert faults.problems == [], "\n".join(faults.problems)


@pytest.mark.parametrize("victims", ["all", "self", "main"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("tracing")
def test_kill_at_rename_of_dotenv_after_the_bearer_file(
    world: FaultWorld, form: str, victims: str
) -> None:
    world.use_bearer()
    world.target = world.dotenv
    calls = [call for call in deliver_calls(world, form) if call.name.startswith("rename")]
    assert {call.program for call in calls} == {"mv"}
    for number, call in enumerate(calls):
        check_killed(world, form, call, victims, FORMS[number % 2])
