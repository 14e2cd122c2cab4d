"""Write credentials, and check the runs of both forms that accept or reject them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.refresh.world import CREDENTIALS, LOG, UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

NOW = "2026-01-02T03:04:05+00:00"
NOW_MS = 1767323045000
IN_5_MIN = "2026-01-02T03:09:05+00:00"
IN_8_H_MS = NOW_MS + 8 * 3600 * 1000

DOTENV = b"A=1\nCLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-of-yesterday\nB=\xff\r\n"
FAILING = "logs/oauth-refresh.failing"
LOCK = "logs/oauth-refresh.lock"


def oauth(token: bytes = b'"fresh"', expiry: bytes = b"%d" % IN_8_H_MS) -> bytes:
    """Return credentials with these pieces of JSON as access token and expiry."""
    return b'{"claudeAiOauth":{"accessToken":%b,"expiresAt":%b}}' % (token, expiry)


def refuse(parity: Parity, problem: str, credentials: str = CREDENTIALS) -> RefreshRun:
    """Run both forms, which must fail with `problem`, schedule a retry and keep .env."""
    parity.dotenv(DOTENV)
    run = parity.run()
    problem = problem.format(credentials=parity.world.path(credentials))
    assert run.log_lines == [
        f"{NOW} ERROR: {problem}",
        f"{NOW} WARN: scheduling retry in 5 min after: {problem}",
        f"{NOW} Scheduled next refresh at {IN_5_MIN}",
    ]
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert run.dotenv_bytes == DOTENV
    assert sorted(run.touched) == [FAILING, LOCK, LOG]
    assert [(timer.unit, timer.when_s) for timer in run.timers] == [(UNIT, parity.now_s + 300)]
    assert run.programs.count("jq") <= 1
    assert run.programs[-2:] == ["systemctl", "systemd-run"]
    assert "claude" not in run.programs
    return run


def accept(parity: Parity, token: str = "fresh") -> RefreshRun:
    """Run both forms, which must accept `token` as fresh and deliver it."""
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={token}\n"
    assert run.programs == ["jq", "systemctl", "systemd-run"]
    assert run.messages[0].startswith("Token still fresh (remaining_ms=")
    return run
