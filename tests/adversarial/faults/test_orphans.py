"""Only the form is killed. Its children continue during the next run."""

from __future__ import annotations

import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.faults.fault_world import FORMS, NEW, OLD, RUN_LIMIT_S, dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.adversarial.faults.fault_world import Faults, FaultWorld

# The first call waits for its sign, does its work, and signals that it is done. To do that, it runs
# the program as a child. The result is the same.
LATE = """\
#!/bin/sh
if mkdir {signs}/late 2>/dev/null; then
  : >{signs}/called
  until [ -e {signs}/go ] || [ ! -e {signs} ]; do sleep 0.01; done
  {program} "$@"
  : >{signs}/done
  exit
fi
exec {program} "$@"
"""
# The next run calls this program. It lets the delayed program do its work first.
LETS_IT_GO = """\
#!/bin/sh
: >{signs}/go
until [ -e {signs}/done ] || [ ! -e {signs} ]; do sleep 0.01; done
exec {program} "$@"
"""
# Renews a due token, like the real one, and records the result.
CLAUDE = """\
#!/bin/sh
result=unchanged
if grep -q made-up-old "$HOME/.claude/.credentials.json"; then
  cp "$HOME/renewed.json" "$HOME/.claude/renewing.json"
  mv "$HOME/.claude/renewing.json" "$HOME/.claude/.credentials.json"
  result=renewed
fi
printf '%s\\n' "$result" >>"$HOME/claude-results"
"""


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + RUN_LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {RUN_LIMIT_S} s: {what}"
        time.sleep(0.01)


class Late:
    """Delayed programs of a world. Their signs are files."""

    def __init__(self, world: FaultWorld) -> None:
        self._world = world
        self.signs = world.root / "signs"
        self.signs.mkdir()

    def install(self, name: str, text: str) -> None:
        """Replace the program `name` with a stand-in: this text, then the program itself."""
        place = self._world.bin / name
        program = self._world.root / f"program-{name}"
        if not program.exists():
            place.rename(program)
        paths = {"signs": self.signs, "program": program}
        quoted = {name: shlex.quote(str(path)) for name, path in paths.items()}
        self._world.stand_in(name, text.format(**quoted))

    def is_called(self) -> bool:
        return (self.signs / "called").exists()

    def is_done(self) -> bool:
        return (self.signs / "done").exists()


@pytest.fixture
def late(world: FaultWorld) -> Iterator[Late]:
    """Return the delayed programs. Release them at the end of the test."""
    made = Late(world)
    yield made
    (made.signs / "go").touch()
    if made.is_called():
        wait_for(made.is_done, "the delayed program ends")


def kill_when_called(world: FaultWorld, form: str, late: Late) -> None:
    """Start a form. After it has called the delayed program, kill only the form."""
    killed = subprocess.Popen(
        world.form(form),
        env=world.environment(),
        cwd=world.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(late.is_called, "the delayed program is called")
    finally:
        killed.kill()
        killed.wait()
    world.expect_free_lock()


@pytest.mark.parametrize(("form", "next_form"), [FORMS, FORMS[::-1]])
@pytest.mark.parametrize("name", ["rm", "cp", "sync", "mv"])
@pytest.mark.parametrize("moment", ["cp", "sync", "mv", "systemctl"])
def test_killed_run_leaves_a_delayed_command(
    world: FaultWorld, faults: Faults, late: Late, form: str, next_form: str, name: str, moment: str
) -> None:
    world.reset()
    if name == "rm":  # left by another run
        (world.project / ".env.oauthkit.1767323045000000").write_bytes(b"half")
    late.install(name, LATE)
    kill_when_called(world, form, late)
    late.install(moment, LETS_IT_GO)
    world.run(next_form)
    assert late.is_done()
    assert world.found() == dotenv(NEW)
    world.run(form)
    assert world.found() == dotenv(NEW)
    world.expect_known_files()
    world.expect_one_timer()
    faults.survived(None)


@pytest.mark.parametrize("next_form", FORMS)
@pytest.mark.parametrize("form", FORMS)
def test_next_run_delivers_a_token_renewed_after_a_kill(
    world: FaultWorld, faults: Faults, late: Late, form: str, next_form: str
) -> None:
    world.expiry_ms = world.login(NEW, life_s=8 * 3600, file=world.home / "renewed.json")
    world.login(OLD, life_s=60)
    world.reset()
    world.stand_in("claude", CLAUDE)
    late.install("claude", LATE)
    kill_when_called(world, form, late)
    assert world.token() == OLD
    # By then, the next run has read the old token, and its own claude need not renew it.
    late.install("claude", LETS_IT_GO)
    world.heal(next_form)
    assert late.is_done()
    assert world.found() == dotenv(NEW)
    results = (world.home / "claude-results").read_text("ascii").split()
    assert results == ["renewed", "unchanged"]  # a single attempt
    faults.survived(None)
