"""--rejected in this process: which token was rejected, and how often claude may start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS, NOW_TEXT, TOKEN
from tests.support.refresh.whole_run import FRESH, SCHEDULED, TOKEN_LINE, UPDATED, failing_mark, run

from oauthkit import shell
from oauthkit.program import delivery, lock_log, refresh, renewal

if TYPE_CHECKING:
    from pathlib import Path

    from plumbum import LocalPath
    from tests.support.refresh.fake_host import Host

EXPIRY = str(NOW_MS + HOUR_MS)
TOO_SOON = "the API refuses the token. claude was started in the last 5 min. Next try: {}"
REFUSED = "The API refuses the token, invoking claude CLI to refresh"


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("", ""),
        ("A=1\n", ""),
        ("CLAUDE_CODE_OAUTH_TOKEN=x", "x"),
        ("CLAUDE_CODE_OAUTH_TOKEN=\n", ""),
        ("A=1\nCLAUDE_CODE_OAUTH_TOKEN=x\nB=2\nCLAUDE_CODE_OAUTH_TOKEN=y\n", "x"),
        ("#CLAUDE_CODE_OAUTH_TOKEN=x\nCLAUDE_CODE_OAUTH_TOKEN=y=\r\n", "y=\r"),
        ("export CLAUDE_CODE_OAUTH_TOKEN=x\n", ""),
    ],
)
def test_token_in_dotenv(text: str, token: str) -> None:
    assert delivery.token_in(text) == token


@pytest.mark.parametrize(
    ("mode", "token"), [("", ""), ("ensure", ""), ("rejected", TOKEN), ("reject", "")]
)
def test_rejected_token(host: Host, mode: str, token: str) -> None:
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    assert refresh.rejected_token(mode, host.path(host.dotenv)) == token


def test_missing_dotenv_has_no_rejected_token(host: Host) -> None:
    assert refresh.rejected_token("rejected", host.path(host.dotenv)) == ""


# --- limit_rejected_starts ---


def limit(host: Host, state: Path) -> str:
    beside = host.path(state.with_name(".credentials.json"))
    return renewal.limit_rejected_starts(beside, f"{TOKEN}\n{EXPIRY}\nnull\n{{}}")


@pytest.mark.parametrize(
    "text",
    [
        None, "", "x", f"{EXPIRY} x", f"{EXPIRY} ", f"{NOW_MS}",
        f"{EXPIRY} {NOW_MS + 1}", f"{EXPIRY} {NOW_MS - 5 * MINUTE_MS}", f"{EXPIRY} {NOW_MS} ",
        f"{EXPIRY}  {NOW_MS}", f"{EXPIRY} {'9' * 16}",
    ],
)  # fmt: skip
def test_claude_can_start_and_the_start_is_recorded(host: Host, text: str | None) -> None:
    host.real("rm", "chmod", "mv")
    state = host.logs / ".oauthkit-rejected"
    if text is not None:
        state.write_text(text, encoding="utf-8")
    assert limit(host, state) == ""
    assert state.read_text(encoding="utf-8") == f"{EXPIRY} {NOW_MS}"


@pytest.mark.parametrize(
    ("ago_ms", "when"),
    [
        (0, "2026-01-02T03:09:05+00:00"),
        (MINUTE_MS, "2026-01-02T03:08:05+00:00"),
        (5 * MINUTE_MS - 1, NOW_TEXT),
    ],
)
@pytest.mark.parametrize("expiry", [EXPIRY, "1"])  # of this token, or another one of the login
def test_claude_may_not_start_again_within_5_min(
    host: Host, ago_ms: int, when: str, expiry: str
) -> None:
    state = host.logs / ".oauthkit-rejected"
    text = f"{expiry} {NOW_MS - ago_ms}"
    state.write_text(text, encoding="utf-8")
    assert limit(host, state) == TOO_SOON.format(when)
    assert state.read_text(encoding="utf-8") == text
    assert host.names() == []


def test_state_that_cannot_be_written_is_an_error(host: Host) -> None:
    host.real("rm", "chmod")
    state = host.logs / "no/.oauthkit-rejected"
    problem = f"{state} and 1 MiB cannot be written, and claude could not save the login"
    assert limit(host, state) == f"{problem}. It is not started"


@pytest.mark.parametrize(
    ("text", "was_rejected"),
    [
        (None, False), ("", False), (EXPIRY, False), (f"{EXPIRY} {NOW_MS}", True),
        (f"1{EXPIRY} {NOW_MS}", False), (f"{EXPIRY}0 {NOW_MS}", False),
    ],
)  # fmt: skip
def test_token_was_rejected(host: Host, text: str | None, *, was_rejected: bool) -> None:
    if text is not None:
        host.credentials.with_name(".oauthkit-rejected").write_text(text, encoding="utf-8")
    login = f"{TOKEN}\n{EXPIRY}\nnull\n{{}}"
    assert renewal.was_rejected(host.path(host.credentials), login) is was_rejected


def test_missing_login_was_not_rejected(host: Host) -> None:
    state = host.credentials.with_name(".oauthkit-rejected")
    state.write_text(f" {NOW_MS}", encoding="utf-8")
    assert not renewal.was_rejected(host.path(host.credentials), "")


# --- Whole runs ---


def test_rejected_token_is_renewed(ready: Host) -> None:
    host = ready
    host.install("claude")
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    host.dotenv.chmod(0o600)
    for _ in range(2):
        host.credentials_are(TOKEN, HOUR_MS)
    host.fake("timeout")
    host.credentials_are("another", HOUR_MS)
    assert run(host, "rejected") == 0
    renewed = "Claude CLI refreshed token successfully"
    assert host.lines() == [REFUSED, renewed, UPDATED, SCHEDULED]
    assert host.dotenv.read_text(encoding="utf-8") == "CLAUDE_CODE_OAUTH_TOKEN=another\n"
    state = host.credentials.with_name(".oauthkit-rejected")
    assert state.read_text(encoding="utf-8") == f"{EXPIRY} {NOW_MS}"


def test_claude_that_does_not_renew_the_rejected_token(ready: Host) -> None:
    host = ready
    host.install("claude")
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    for _ in range(3):
        host.credentials_are(TOKEN, HOUR_MS)
    host.fake("timeout")
    assert run(host, "rejected") == 1
    problem = "the API refuses the token, and claude did not renew it (exit 0)"
    assert host.lines()[1] == f"ERROR: {problem}"


def test_claude_is_not_started_too_soon(ready: Host) -> None:
    host = ready
    host.install("claude")
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    state = host.credentials.with_name(".oauthkit-rejected")
    state.write_text(f"{EXPIRY} {NOW_MS}", encoding="utf-8")
    for _ in range(2):
        host.credentials_are(TOKEN, HOUR_MS)
    assert run(host, "rejected") == 1
    assert host.lines()[0] == f"ERROR: {TOO_SOON.format('2026-01-02T03:09:05+00:00')}"
    assert failing_mark(host).read_text(encoding="utf-8") == "rejected"
    assert host.calls("timeout") == []


def test_expired_token_is_renewed_without_the_limit(ready: Host) -> None:
    host = ready
    host.install("claude")
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    for _ in range(2):
        host.credentials_are(TOKEN, 5 * MINUTE_MS)
    host.fake("timeout")
    host.credentials_are("another", HOUR_MS)
    assert run(host, "rejected") == 0
    assert host.lines()[0].startswith("Token expired or expiring soon")
    assert not (host.credentials.with_name(".oauthkit-rejected")).exists()


def test_token_that_another_run_delivers_meanwhile_is_not_refused(ready: Host) -> None:
    host = ready
    host.install("claude")
    host.dotenv.write_text("CLAUDE_CODE_OAUTH_TOKEN=old\n", encoding="utf-8")
    take = shell.take_lock

    def waits(path: LocalPath, wait_s: int) -> int:
        host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
        return take(path, wait_s)

    host.monkeypatch.setattr(lock_log, "take_lock", waits)
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host, "rejected") == 0
    assert host.lines()[0] == FRESH
    assert host.calls("timeout") == []
