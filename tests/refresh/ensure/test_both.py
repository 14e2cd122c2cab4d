"""--ensure does nothing for a delivered, live token. Otherwise it is a full run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import CREDENTIALS, LOG, UNIT

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

NOW_MS = 1767323045000
IN_8_H_MS = NOW_MS + 8 * 3600 * 1000

LIVE = "CLAUDE_CODE_OAUTH_TOKEN=live\n"
STILL_FRESH = "Token still fresh (remaining_ms=28800000), syncing to .env"
UPDATED = f"Updated .env with token (expires_at={IN_8_H_MS})"
SCHEDULED = "Scheduled next refresh at 2026-01-02T10:34:05+00:00"
RETRIED = "Scheduled next refresh at 2026-01-02T03:09:05+00:00"
FAILING = "logs/oauth-refresh.failing"
LOCK = "logs/oauth-refresh.lock"


@pytest.fixture
def live(parity: Parity) -> Parity:
    """A token with 8 h left, and a .env with this token."""
    parity.credentials("live", expires_in="8h")
    parity.dotenv(LIVE)
    return parity


def does_nothing(parity: Parity) -> RefreshRun:
    """Run both forms, which may only call jq once and must exit with status 0."""
    run = parity.run("--ensure")
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.programs == ["jq"]
    assert run.touched == []
    return run


def succeeds(parity: Parity, dotenv: str = LIVE) -> RefreshRun:
    """Run both forms, which must make a full run, deliver the token and succeed."""
    run = parity.run("--ensure")
    assert run.messages == [STILL_FRESH, UPDATED, SCHEDULED]
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.dotenv == dotenv
    assert LOCK in run.touched
    assert [(timer.unit, timer.when_s) for timer in run.timers] == [(UNIT, NOW_MS // 1000 + 27000)]
    return run


def fails(parity: Parity, problem: str, *before: str) -> RefreshRun:
    """Run both forms, which must make a full run, fail with `problem` and schedule a retry."""
    run = parity.run("--ensure")
    problem = problem.format(credentials=parity.world.path(CREDENTIALS))
    problem = problem.replace("(dotenv)", str(parity.project / ".env"))
    retry = f"WARN: scheduling retry in 5 min after: {problem}"
    assert run.messages == [*before, f"ERROR: {problem}", retry, RETRIED]
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert ".env" not in run.touched
    assert FAILING in run.files
    assert [(timer.unit, timer.when_s) for timer in run.timers] == [(UNIT, NOW_MS // 1000 + 300)]
    return run


# --- Nothing is done -----------------------------------------------------------------------------


def test_live_token_takes_one_call_to_jq_and_changes_nothing(live: Parity) -> None:
    run = does_nothing(live)
    assert LOG not in run.files
    assert LOCK not in run.files
    assert run.timers == []


def test_missing_logs_directory_is_not_created(live: Parity) -> None:
    live.missing_logs()
    assert "logs" not in does_nothing(live).files


def test_state_of_earlier_runs_is_unchanged(live: Parity) -> None:
    live.file(LOG, "old\n", 0o600)
    live.file(FAILING, mode=0o600)
    live.file(".env.oauthkit.1767323044000000", "left by a killed run", 0o600)
    live.systemd.pending()
    run = does_nothing(live)
    assert run.log == "old\n"
    assert {FAILING, ".env.oauthkit.1767323044000000"} < {*run.files}
    assert len(run.timers) == 1


def test_run_does_not_wait_for_a_held_lock(live: Parity) -> None:
    live.holds_lock(LOCK)
    does_nothing(live)


def test_nothing_is_printed_on_a_terminal(live: Parity) -> None:
    run = live.run("--ensure", terminal=True)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")


def test_token_with_5_min_and_1_s_left_is_live(live: Parity) -> None:
    live.credentials("live", expires_in="5m1s")
    does_nothing(live)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(LIVE.encode().rstrip(), id="without final newline"),
        pytest.param(b"A=\xff\r\n" + LIVE.encode() + b"B=1", id="between other lines"),
        pytest.param(LIVE.encode() + b"#" + LIVE.encode(), id="and once in a comment"),
        pytest.param(LIVE.encode() + b"export " + LIVE.encode(), id="and once exported"),
    ],
)
def test_dotenv_with_the_token_is_unchanged(live: Parity, content: bytes) -> None:
    live.dotenv(content)
    assert does_nothing(live).dotenv_bytes == content


def test_read_only_dotenv_is_enough(live: Parity) -> None:
    live.dotenv(LIVE, 0o400)
    does_nothing(live)


def test_linked_dotenv_is_checked(live: Parity) -> None:
    live.file("shared/env", LIVE, 0o600)
    live.symlink(".env", "shared/env")
    does_nothing(live)


def test_settings_name_the_checked_files(live: Parity) -> None:
    live.delete(".env")
    live.delete(CREDENTIALS)
    live.env["CLAUDE_CONFIG_DIR"] = str(live.home / "my config")
    live.env["OAUTHKIT_DOTENV"] = "other.env"
    live.credentials("live", path="~/my config/.credentials.json")
    live.file("other.env", LIVE)
    does_nothing(live)


# --- A full run that ends well -------------------------------------------------------------------


def test_missing_dotenv_is_written(live: Parity) -> None:
    live.delete(".env")
    succeeds(live)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", LIVE, id="empty"),
        pytest.param("A=1\n", f"A=1\n{LIVE}", id="no token"),
        pytest.param("CLAUDE_CODE_OAUTH_TOKEN=\n", LIVE, id="empty token"),
        pytest.param("CLAUDE_CODE_OAUTH_TOKEN=other\nA=1\n", f"{LIVE}A=1\n", id="other token"),
        pytest.param("CLAUDE_CODE_OAUTH_TOKEN=liver\n", LIVE, id="longer token"),
        pytest.param("CLAUDE_CODE_OAUTH_TOKEN=liv\n", LIVE, id="shorter token"),
        pytest.param("CLAUDE_CODE_OAUTH_TOKEN=live\r\n", LIVE, id="token with CR"),
        pytest.param('CLAUDE_CODE_OAUTH_TOKEN="live"\n', LIVE, id="token in quotes"),
        pytest.param(f"{LIVE}A=1\n{LIVE}", f"{LIVE}A=1\n", id="token twice"),
        pytest.param(f"CLAUDE_CODE_OAUTH_TOKEN=other\n{LIVE}", LIVE, id="other token first"),
        pytest.param(f"{LIVE}CLAUDE_CODE_OAUTH_TOKEN=other\n", LIVE, id="other token last"),
        pytest.param(f"#{LIVE}", f"#{LIVE}{LIVE}", id="token in a comment"),
        pytest.param(f"export {LIVE}", f"export {LIVE}{LIVE}", id="token exported"),
    ],
)
def test_dotenv_with_any_other_content_is_updated(live: Parity, before: str, after: str) -> None:
    live.dotenv(before)
    succeeds(live, after)


@pytest.mark.parametrize("expires_in", ["5m", "-1h"])
def test_token_with_5_min_left_or_less_is_renewed(live: Parity, expires_in: str) -> None:
    live.credentials("live", expires_in=expires_in)
    live.claude.renews("new")
    run = live.run("--ensure")
    assert run.exit_code == 0
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"
    assert run.messages[1:] == ["Claude CLI refreshed token successfully", UPDATED, SCHEDULED]


def test_token_without_an_expiry_is_renewed(live: Parity) -> None:
    live.credentials("live", omit=["expiresAt"])
    live.claude.renews("new")
    run = live.run("--ensure")
    assert run.exit_code == 0
    assert run.messages[0] == "WARN: no expiresAt in credentials, forcing refresh"
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"


def test_full_run_removes_the_failing_mark(live: Parity) -> None:
    live.delete(".env")
    live.file(FAILING, mode=0o600)
    assert FAILING not in succeeds(live).files


# --- A full run that fails -----------------------------------------------------------------------


def test_unreadable_dotenv_is_an_error(live: Parity) -> None:
    live.dotenv(LIVE, 0o200)
    fails(live, "(dotenv) cannot be read and is not changed", STILL_FRESH)


def test_directory_as_dotenv_is_an_error(live: Parity) -> None:
    live.delete(".env")
    live.directory(".env")
    fails(live, "(dotenv) is not a file and is not changed", STILL_FRESH)


def test_dotenv_with_a_nul_byte_is_an_error_though_it_has_the_token(live: Parity) -> None:
    live.dotenv(LIVE + "\0")
    fails(live, "(dotenv) has a NUL byte and is not changed", STILL_FRESH)


def test_dangling_dotenv_is_an_error(live: Parity) -> None:
    live.symlink(".env", "missing/env")
    fails(live, "(dotenv) is a symbolic link that leads nowhere", STILL_FRESH)


def test_missing_credentials_are_an_error(live: Parity) -> None:
    live.delete(CREDENTIALS)
    fails(live, "{credentials} not found")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "no claudeAiOauth object in {credentials}"),
        (b"{", "{credentials} is not valid JSON (jq exit 4)"),
        (b'{"claudeAiOauth":{}}', "no accessToken in credentials"),
    ],
)
def test_broken_credentials_are_an_error(live: Parity, raw: bytes, problem: str) -> None:
    live.credentials(raw=raw)
    fails(live, problem)


def test_missing_jq_is_an_error(live: Parity) -> None:
    live.remove("jq")
    fails(live, "jq not found in PATH. It is needed to read the credentials")


def test_failed_renewal_is_an_error(live: Parity) -> None:
    live.credentials("live", expires_in="-1h")
    live.claude.renews_nothing(stdout="")
    expired = "Token expired or expiring soon (remaining_ms=-3600000), "
    nothing = "claude exited 0 and renewed nothing. Is its token endpoint down?"
    fails(live, nothing, f"{expired}invoking claude CLI to refresh")


def test_missing_home_is_reported_on_stderr_only(live: Parity) -> None:
    del live.env["HOME"]
    run = live.run("--ensure")
    assert (run.exit_code, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert "HOME is not set" in run.stderr
    assert (run.programs, run.touched) == ([], [])
