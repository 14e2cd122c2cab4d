"""--rejected: the API has rejected a token that looks fresh."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import LOG

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

TOKEN = "sk-ant-oat01-made-up-old"
NEW = "sk-ant-oat01-made-up-new"
STATE = "~/.claude/.oauthkit-rejected"
FAILURES = "~/.claude/.oauthkit-failures"
LIMIT_S = 10  # for both forms; the bash form once took more than 20 s
LEFT_MS = 2 * 3600 * 1000
FAILING = "logs/oauth-refresh.failing"
INVOKING = "The API refuses the token, invoking claude CLI to refresh"
NOT_RENEWED = "the API refuses the token, and claude did not renew it (exit {})"


@pytest.fixture
def parity(parity: Parity) -> Parity:
    """A project whose .env has the credentials' token, with 2 h left."""
    parity.credentials(expires_in="2h")
    parity.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    return parity


def rejected(parity: Parity, exit_code: int = 0) -> RefreshRun:
    run = parity.run("--rejected")
    assert (run.exit_code, run.stdout, run.stray_stderr) == (exit_code, "", "")
    return run


def test_fresh_token_is_renewed(parity: Parity) -> None:
    parity.claude.renews(token=NEW, is_refused=True)
    run = rejected(parity)
    assert run.messages[:2] == [INVOKING, "Claude CLI refreshed token successfully"]
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n"
    assert run.programs.count("claude") == 1


def test_newer_token_in_the_credentials_is_delivered_without_claude(parity: Parity) -> None:
    parity.dotenv("CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-of-yesterday\n")
    run = rejected(parity)
    assert "claude" not in run.programs
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("text", [None, "A=1\n", "\0", f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\r\n"])
def test_dotenv_without_the_token_gets_it(parity: Parity, text: str | None) -> None:
    parity.delete(".env") if text is None else parity.dotenv(text)
    run = rejected(parity, int(text == "\0"))
    assert "claude" not in run.programs


def test_expired_token_is_renewed_as_without_the_option(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.claude.renews(token=NEW, is_refused=True)
    run = rejected(parity)
    assert run.messages[0].startswith("Token expired or expiring soon")
    assert STATE not in run.files


def test_claude_that_renews_nothing_is_an_error(parity: Parity) -> None:
    parity.claude.renews_nothing(stdout="")
    run = rejected(parity, 1)
    problem = NOT_RENEWED.format(0)
    assert run.messages[:3] == [
        INVOKING, f"ERROR: {problem}", f"WARN: scheduling retry in 5 min after: {problem}",
    ]  # fmt: skip
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_claude_that_fails_is_an_error(parity: Parity) -> None:
    parity.claude.fails(exit=3)
    parity.claude.fails(exit=3)
    run = rejected(parity, 1)
    assert f"ERROR: {NOT_RENEWED.format(3)}" in run.messages


def test_claude_is_started_once_in_5_min(parity: Parity) -> None:
    parity.claude.renews_nothing(stdout="")
    rejected(parity, 1)
    parity.set_clock(parity.now_s + 299)
    run = rejected(parity, 1)
    assert "claude" not in run.programs
    when = "2026-01-02T03:09:05+00:00"
    problem = f"the API refuses the token. claude was started in the last 5 min. Next try: {when}"
    assert f"ERROR: {problem}" in run.messages
    parity.set_clock(parity.now_s + 1)
    parity.claude.renews(token=NEW, is_refused=True)
    assert rejected(parity).dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n"


def test_another_token_is_limited_too(parity: Parity) -> None:
    parity.claude.renews(token=NEW, expires_in="3h", is_refused=True)
    rejected(parity)
    run = rejected(parity, 1)
    assert "claude" not in run.programs
    assert FAILING in run.files
    # claude was not started for this token. Another container may have reported the one before.
    run = parity.run()
    assert (run.exit_code, FAILING in run.files) == (0, False)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n"


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "9" * 400, "\0", "{expiry} x", "{expiry} -1"])
def test_damaged_state_is_ignored(parity: Parity, text: str) -> None:
    expiry = parity.now_s * 1000 + LEFT_MS
    parity.file(STATE, text.format(expiry=expiry).encode(), 0o600)
    parity.claude.renews(token=NEW, is_refused=True)
    run = rejected(parity)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n"
    assert run.files[STATE].content == f"{expiry} {parity.now_s * 1000}".encode()
    assert run.files[STATE].mode == 0o600


def test_state_from_the_future_is_ignored(parity: Parity) -> None:
    expiry = parity.now_s * 1000 + LEFT_MS
    parity.file(STATE, f"{expiry} {parity.now_s * 1000 + 1}".encode(), 0o600)
    parity.claude.renews(token=NEW, is_refused=True)
    assert rejected(parity).programs.count("claude") == 1


def test_claude_is_not_started_if_the_state_cannot_be_written(parity: Parity) -> None:
    parity.directory(f"{STATE}/sub")
    run = rejected(parity, 1)
    assert "claude" not in run.programs
    state = parity.home / STATE.removeprefix("~/")
    problem = f"{state} and 1 MiB cannot be written, and claude could not save the login"
    assert f"ERROR: {problem}. It is not started" in run.messages


def test_start_that_earlier_failures_prevent_is_not_recorded(parity: Parity) -> None:
    # Otherwise, a report just before the next try would prevent that try, too.
    parity.file(FAILURES, f"3 {parity.now_s * 1000 - 299_000}".encode(), 0o600)
    run = rejected(parity, 1)
    assert "claude" not in run.programs
    assert STATE not in run.files
    parity.set_clock(parity.now_s + 1)
    parity.claude.renews(token=NEW, is_refused=True)
    assert rejected(parity).dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={NEW}\n"


def test_large_dotenv_does_not_take_quadratic_time(parity: Parity) -> None:
    text = "".join(f"BLOB_{number}={'x' * 30_000}\n" for number in range(8))
    parity.dotenv(f"{text}CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-of-yesterday\n")
    start_s = time.monotonic()
    run = rejected(parity)
    assert time.monotonic() - start_s < LIMIT_S
    assert run.dotenv == f"{text}CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_state_contains_no_part_of_the_token(parity: Parity) -> None:
    parity.claude.renews(token=NEW, is_refused=True)
    run = rejected(parity)
    assert b"sk-ant" not in run.files[STATE].content
    assert "sk-ant-oat" not in run.files[LOG].content.decode()
