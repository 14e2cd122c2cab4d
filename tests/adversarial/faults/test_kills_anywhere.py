"""kill -9 at random moments of a run that renews: nothing is lost, and the next run recovers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.faults.fault_world import (
    FAILING,
    FORMS,
    OLD,
    SUBSCRIPTION,
    TEMPORARY,
    WrongStateError,
    dotenv,
)
from tests.adversarial.faults.killed_run import KilledRun, SystemCall

if TYPE_CHECKING:
    from tests.adversarial.faults.fault_world import Faults, FaultWorld

SEED = 20_260_102
SAMPLE = 12
ALL = 150
LIFE_S = 8 * 3600
# Each renewal returns a new token, as the real one does, with a delay before and after it.
CLAUDE = """\
#!/bin/sh
number=1
while read -r _; do number=$((number + 1)); done <"$HOME/renewals"
sleep 0.05
subscription={subscription}
printf '{{"claudeAiOauth":{{"accessToken":"{token}-%s","expiresAt":{expiry_ms},%s}}}}' \\
  "$number" "\\"subscriptionType\\":\\"$subscription\\"" >"$HOME/.claude/renewing.json"
printf 'one\\n' >>"$HOME/renewals"
mv "$HOME/.claude/renewing.json" "$HOME/.claude/.credentials.json"
sleep 0.05
"""
TOKEN = "sk-ant-oat01-made-up-renewal"
# Is there a bearer file, and if so, does it exist before the run?
BEARERS = ("no bearer file", "old bearer file", "new bearer file")


def expire(world: FaultWorld, bearer: str) -> None:
    """Restore the state before the first run, with a token that expires in a minute."""
    world.has_bearer = bearer != "no bearer file"
    world.is_bearer_new = bearer == "new bearer file"
    world.reset()
    world.login(OLD, life_s=60)
    (world.home / "renewals").write_text("", encoding="ascii")


def renewals(world: FaultWorld) -> int:
    """Return the number of renewals."""
    return (world.home / "renewals").read_text(encoding="ascii").count("\n")


def all_calls(world: FaultWorld, form: str, bearer: str) -> list[SystemCall]:
    """Return all calls of an undisturbed run."""
    expire(world, bearer)
    with KilledRun(world, form) as run:
        assert (run.go_on(), run.output) == (0, b"")
    assert world.token() == f"{TOKEN}-1"
    world.expect(dotenv(f"{TOKEN}-1"))
    world.expect_bearer(f"{TOKEN}-1")
    calls = run.calls()
    assert {call.program for call in calls} >= {"cp", "flock", "jq", "mv", "sync", "timeout"} - (
        {"flock"} if form == "python" else set()
    )
    return calls


def choose(calls: list[SystemCall], generator: random.Random) -> SystemCall:
    """Choose a call. Each process is equally likely, and so is each of its calls."""
    process = generator.choice(sorted({call.process for call in calls}))
    return generator.choice([call for call in calls if call.process == process])


def check_killed(
    world: FaultWorld, form: str, bearer: str, call: SystemCall, victims: str, next_form: str
) -> bool:
    """Kill a run at this call. Check the state then, and after the next run.

    Return whether the run reached the call. It may not, if the order of processes differs.
    """
    expire(world, bearer)
    with KilledRun(world, form, call, victims) as run:
        if run.was_reached:
            world.expect(dotenv(OLD), dotenv(world.token()))
            world.expect_bearer(OLD, world.token())
            world.expect_known_files(TEMPORARY, FAILING)
        # The run's remaining processes end by themselves.
        status = run.go_on()
    main_is_dead = run.was_reached and (victims != "self" or call.process == 0)
    if main_is_dead != (status == -9):
        raise WrongStateError(f"the form exits with {status}")
    token, done = world.token(), renewals(world)
    if world.lock.exists():
        world.expect_free_lock()
    world.expect(dotenv(OLD), dotenv(token))
    world.expect_bearer(OLD, token)
    world.expect_known_files(TEMPORARY, FAILING)
    if not main_is_dead:
        check_survivor(world, status)
    world.heal(next_form)
    # From now on, the token that claude has written counts. A second renewal must not replace it.
    if token != OLD and (world.token(), renewals(world)) != (token, done):
        raise WrongStateError(f"{token} is lost; the credentials have {world.token()}")
    return run.was_reached


def check_survivor(world: FaultWorld, status: int) -> None:
    """Check the invariants after the form has run to its end and a child was killed."""
    text = "\n".join(world.log_lines())
    if status == 0:
        world.expect(dotenv(world.token()))
        world.expect_bearer(world.token())
    elif status != 1 or "ERROR: " not in text:
        raise WrongStateError(f"the form exits with {status} and logs {text!r}")
    if "next refresh NOT scheduled" not in text:
        world.expect_one_timer()


@pytest.mark.parametrize("victims", ["all", "self", "main"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("tracing")
def test_kill_at_random(
    world: FaultWorld, faults: Faults, form: str, victims: str, all_faults: bool
) -> None:
    world.expiry_ms = world.login(OLD, life_s=LIFE_S)
    world.use_bearer()
    claude = CLAUDE.format(token=TOKEN, expiry_ms=world.expiry_ms, subscription=SUBSCRIPTION)
    world.stand_in("claude", claude)
    calls = {bearer: all_calls(world, form, bearer) for bearer in BEARERS}
    if victims == "main":  # `self` for the form's own calls
        calls = {key: [call for call in own if call.process != 0] for key, own in calls.items()}
    generator = random.Random(f"{SEED} {form} {victims}")  # noqa: S311 - not a secret
    count = ALL if all_faults else SAMPLE
    for number in range(count):
        bearer = BEARERS[number % 3]
        call = choose(calls[bearer], generator)
        next_form = FORMS[number % 2]
        try:
            was_killed = check_killed(world, form, bearer, call, victims, next_form)
        except WrongStateError as error:
            faults.survived(f"{bearer}, {call}, then {next_form}: {error}")
        else:
            if was_killed:
                faults.survived(None)
    assert faults.count > count // 2
    assert faults.problems == [], "\n".join(faults.problems)
