"""Whole runs of both forms in an environment that must not affect them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

TOKEN = "sk-ant-oat01-made-up-new"
LINE = f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
FRESH_RUN = [
    "Token still fresh (remaining_ms=28800000), syncing to .env",
    "Updated .env with token (expires_at=1767351845000)",
    "Scheduled next refresh at 2026-01-02T10:34:05+00:00",
]
RENEWED_RUN = [
    "Token expired or expiring soon (remaining_ms=-3600000), invoking claude CLI to refresh",
    "Claude CLI refreshed token successfully",
    *FRESH_RUN[1:],
]
FORMS = pytest.mark.parametrize("form", ["bash", "python"])


def delivers(parity: Parity, *args: str) -> RefreshRun:
    """Run both forms, which must copy a fresh token to .env and print nothing."""
    parity.credentials(token=TOKEN)
    run = parity.run(*args)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.messages == FRESH_RUN
    assert run.dotenv == LINE
    assert len(run.timers) == 1
    return run


def renews(parity: Parity) -> RefreshRun:
    """Run both forms, which must renew an expired token, deliver it and leave stdout empty."""
    parity.credentials(token="sk-ant-oat01-made-up-old", expires_in="-1h")
    parity.claude.renews(token=TOKEN)
    parity.dotenv("A=* $x\n")
    run = parity.run()
    assert (run.exit_code, run.stdout) == (0, "")
    assert run.messages == RENEWED_RUN
    assert run.dotenv == f"A=* $x\n{LINE}"
    return run


def assert_no_token_in_any_environment(run: RefreshRun) -> None:
    """Assert that no variable of a started program contains an access token."""
    for call in run.all_calls:
        found = {name for name, value in call.env.items() if "sk-ant-" in value}
        assert found == set(), f"{call.program} {call.argv}"
        assert call.repeated_env == []
