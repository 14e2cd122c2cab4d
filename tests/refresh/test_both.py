"""Whole refreshes: a fresh token, an expired one, and simultaneous callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.refresh.world import UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

NOW = "2026-01-02T03:04:05+00:00"


def test_fresh_token_is_delivered(parity: Parity) -> None:
    parity.credentials(token="fresh", expires_in="8h")
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=fresh\n"
    assert run.files[".env"].mode == 0o600
    assert run.programs == ["jq", "systemctl", "systemd-run"]
    assert run.log_lines[0] == (f"{NOW} Token still fresh (remaining_ms=28800000), syncing to .env")
    assert [timer.unit for timer in run.timers] == [UNIT]
    assert run.timers[0].when_s == parity.now_s + 8 * 3600 - 30 * 60


def test_expired_token_is_renewed(parity: Parity) -> None:
    parity.credentials(token="old", expires_in="-1h")
    parity.claude.renews(token="new", expires_in="8h")
    run = parity.run()
    assert run.exit_code == 0
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"
    assert run.calls("claude") == [["-p", "ok", "--no-session-persistence"]]
    assert run.call("claude").cwd == "/"
    assert run.call("claude").descriptors[0] == "/dev/null"


def test_simultaneous_callers_renew_once(parity: Parity) -> None:
    parity.credentials(token="old", expires_in="-1h")
    parity.claude.renews(token="new")
    started = [parity.spawn(form) for form in ("bash", "python") * 3]
    run = parity.settle()
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"
    assert len(run.calls("claude")) == 1
    assert {one.wait().exit_code for one in started} == {0}
