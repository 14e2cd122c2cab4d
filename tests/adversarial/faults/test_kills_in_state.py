"""kill -9 while a run replaces a state file: leftovers never block a later run."""

from __future__ import annotations

import json
import subprocess
import time
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.faults.fault_world import (
    FAILING,
    FORMS,
    NEW,
    OLD,
    RUN_LIMIT_S,
    TEMPORARY,
    WrongStateError,
    dotenv,
)
from tests.adversarial.faults.killed_run import KilledRun, SystemCall

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adversarial.faults.fault_world import Faults, FaultWorld

REJECTED, ENDING = ".oauthkit-rejected", "oauth-refresh.login-ending"
OPTIONS: dict[str, tuple[str, ...]] = {REJECTED: ("--rejected",), ENDING: ()}
# State of earlier runs: for another token, and for another login.
BEFORE = "1 1"
RENEWED = "sk-ant-oat01-made-up-renewed"
CLAUDE = """\
#!/bin/sh
cp "$HOME/renewed.json" "$HOME/.claude/renewing.json"
mv "$HOME/.claude/renewing.json" "$HOME/.claude/.credentials.json"
"""
TOO_SOON = "the API refuses the token. claude was started in the last 5 min. Next try: "
# Most calls before the state file is opened belong to the loader of rm(1).
SAMPLE = 8


def prepare(world: FaultWorld, name: str) -> Path:
    """Create a world whose next run replaces this state file. Return the file."""
    world.reset()
    world.expiry_ms = world.login(NEW, life_s=8 * 3600)
    if name == REJECTED:
        world.login(RENEWED, life_s=9 * 3600, file=world.home / "renewed.json")
        text = world.dotenv.read_text("ascii").replace(OLD, NEW)
        world.dotenv.chmod(0o600)
        world.dotenv.write_text(text, encoding="ascii")
        world.dotenv.chmod(dotenv(NEW).mode)
    else:
        login = json.loads(world.credentials.read_bytes())
        login["claudeAiOauth"]["refreshTokenExpiresAt"] = world.expiry_ms
        world.credentials.write_text(json.dumps(login), encoding="ascii")
    directory = world.logs
    if name == REJECTED:
        directory = world.credentials.parent
    state = directory / name
    state.write_text(BEFORE, encoding="ascii")
    return state


def is_whole(world: FaultWorld, name: str, text: str) -> bool:
    """Return whether the state file has the content of a completed run."""
    if name == ENDING:
        return text == f"{world.expiry_ms} 1"
    expiry, _, start = text.partition(" ")
    return expiry == str(world.expiry_ms) and abs(int(start or 0) / 1000 - time.time()) < 300


def replacing_calls(
    world: FaultWorld, form: str, name: str, *, is_whole_sweep: bool
) -> list[SystemCall]:
    """Return the calls from the first opening of the state file until it has its new content."""
    state = prepare(world, name)
    with KilledRun(world, form, counted_from=state, options=OPTIONS[name]) as run:
        assert (run.go_on(), run.output) == (0, b"")
    # After claude's start, the state file is read again.
    calls = list(takewhile(lambda call: call.program != "timeout", run.calls()))
    own = [number for number, call in enumerate(calls) if call.text == str(state)]
    assert is_whole(world, name, state.read_text("ascii")), state.read_text("ascii")
    end = own[-1] + 12  # the last opening, the write, and the close
    every = 1 if is_whole_sweep else max(1, end // SAMPLE)
    near = {*range(own[-1] - 3, end)}
    return [
        call for number, call in enumerate(calls[:end]) if number % every == 0 or number in near
    ]


def check_killed(world: FaultWorld, form: str, name: str, call: SystemCall, next_form: str) -> None:
    """Kill a run at this call, and check how the next runs handle the state file."""
    state = prepare(world, name)
    with KilledRun(world, form, call, "all", state, OPTIONS[name]) as run:
        if not run.was_reached:
            raise WrongStateError("the call was not made this time")
        run.go_on()
    left = state.read_text("ascii") if state.exists() else None
    if left not in (None, "", BEFORE) and not is_whole(world, name, left):
        raise WrongStateError(f"{name} holds {left!r}")
    world.expect_known_files(TEMPORARY, name)
    if name == REJECTED:
        check_rejected(world, next_form, left)
    else:
        world.run(next_form)
        if not is_whole(world, name, state.read_text("ascii")):
            raise WrongStateError(f"{name} holds {state.read_text('ascii')!r} after the next run")
    world.expiry_ms = json.loads(world.credentials.read_bytes())["claudeAiOauth"]["expiresAt"]
    world.heal(next_form, name, FAILING)


def check_rejected(world: FaultWorld, form: str, left: str | None) -> None:
    """Check that the next --rejected renews, unless the killed run may have started claude."""
    done = subprocess.run(
        world.form(form, "--rejected"),
        env=world.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    may_be_started = left not in (None, "", BEFORE)
    if may_be_started and done.returncode == 1 and TOO_SOON.encode() in done.stderr:
        return
    if may_be_started or (done.returncode, world.token()) != (0, RENEWED):
        raise WrongStateError(f"--rejected exits {done.returncode}: {done.stderr!r}, {left!r}")


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("tracing")
def test_kill_while_a_state_file_is_replaced(
    world: FaultWorld, faults: Faults, form: str, name: str, all_faults: bool
) -> None:
    world.stand_in("claude", CLAUDE)
    calls = replacing_calls(world, form, name, is_whole_sweep=all_faults)
    for number, call in enumerate(calls):
        next_form = FORMS[number % 2]
        try:
            check_killed(world, form, name, call, next_form)
        except WrongStateError as error:
            faults.survived(f"{call}, then {next_form}: {error}")
        else:
            faults.survived(None)
    assert faults.count > 0
    assert faults.problems == [], "\n".join(faults.problems)
