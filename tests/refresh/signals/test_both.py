"""A run that gets a signal still finishes, and schedules the next run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

    from oauthkit.parity import Started, World


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_terminated_run_stops_claude_and_schedules_the_next_run(
    parity: Parity, number: int
) -> None:
    parity.credentials(expires_in="-1h")
    parity.dotenv("CLAUDE_CODE_OAUTH_TOKEN=old\n")
    parity.claude.hangs()

    def send_signal(started: Started, _world: World) -> None:
        parity.wait_for_call("claude")
        started.send(number)

    run = parity.run(meanwhile=send_signal)
    assert run.exit_code == 1
    assert len(run.calls("claude")) == 1
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=old\n"
    assert "ERROR: claude CLI refresh failed (exit 124)" in run.log
    assert [(timer.unit, timer.when_s) for timer in run.timers] == [(UNIT, parity.now_s + 300)]
