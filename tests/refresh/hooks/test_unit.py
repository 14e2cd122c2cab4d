"""Events and their hooks."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from plumbum import local
from tests.support.refresh.fake_host import (
    HOUR_MS,
    NOW_MS,
    TOKEN,
    Host,
    login_lines,
    release,
)
from tests.support.refresh.whole_run import RETRY, SCHEDULED, failing_mark, hook_environment, run

from oauthkit.program.hooks import prepare_hooks, run_hook, track_failure, track_login_end

HOOK_VARIABLES = ("REASON", "OUTPUT", "EXPIRES_AT", "LOGIN_ENDS_AT", "DOTENV")


@pytest.fixture
def hooks(host: Host) -> Path:
    directory = host.project / "scripts" / "oauth" / "hooks"
    directory.mkdir(parents=True)
    return directory


def run_hook_of(host: Host, event: str, hooks: Path) -> None:
    run_hook(event, host.path(hooks))


def test_failed_and_recovered_are_marked_once(host: Host) -> None:
    host.real("chmod", "rm")
    failing = host.logs / "failing"
    problems = ["", "wrong", "still wrong", "", "", "wrong"]
    events = []
    for problem in problems:
        events.append(track_failure(host.path(failing), problem, ""))
        assert failing.exists() == (problem != "")
    assert events == ["", "failed", "", "recovered", "", "failed"]


def test_failures_of_two_kinds(host: Host) -> None:
    host.real("chmod", "rm")
    failing = host.logs / "failing"
    calls = [
        ("no", "rejected", "failed", "rejected"),
        ("no", "rejected", "", "rejected"),
        ("", "rejected", "", "rejected"),  # the rejected token is delivered again
        ("no", "", "failed", ""),  # a failure of the other kind
        ("no", "rejected", "", ""),
        ("no", "", "", ""),
        ("", "rejected", "", "rejected"),  # the token is still rejected
        ("no", "rejected", "", "rejected"),
        ("no", "", "failed", ""),
        ("", "", "recovered", None),
        ("", "", "", None),
    ]
    for problem, kind, event, mark in calls:
        assert track_failure(host.path(failing), problem, kind) == event
        assert (failing.read_text(encoding="utf-8") if failing.exists() else None) == mark


def test_mark_of_a_rejected_token_keeps_its_time(host: Host) -> None:
    """`oauthkit status` shows it as the start of the failure."""
    host.real("chmod", "rm")
    failing = host.logs / "failing"
    failing.write_text("rejected", encoding="utf-8")
    os.utime(failing, (1, 1))
    for problem in ("", "still rejected"):
        assert track_failure(host.path(failing), problem, "rejected") == ""
    assert failing.stat().st_mtime == 1


def test_failure_to_create_the_mark_does_not_change_the_event(host: Host) -> None:
    assert track_failure(host.path(host.root / "none" / "failing"), "wrong", "") == "failed"


@pytest.mark.parametrize(
    ("login_end", "shown"), [("1767323045000", "1767323045000"), ("text", ""), ("", "")]
)
def test_environment_of_hooks(host: Host, login_end: str, shown: str) -> None:
    local.env["OAUTHKIT_OUTPUT"] = "claude: wrong"
    prepare_hooks(f"a\x1bb {TOKEN}", "5", login_end, host.path(host.dotenv))
    assert {name: local.env[f"OAUTHKIT_{name}"] for name in HOOK_VARIABLES} == {
        "REASON": "ab sk-ant-***", "OUTPUT": "claude: wrong", "EXPIRES_AT": "5",
        "LOGIN_ENDS_AT": shown, "DOTENV": str(host.dotenv),
    }  # fmt: skip


def test_nothing_to_report(host: Host, hooks: Path) -> None:
    run_hook_of(host, "", hooks)
    run_hook_of(host, "renewed", hooks)
    (hooks / "renewed").mkdir()
    run_hook_of(host, "renewed", hooks)
    (hooks / "failed").touch(mode=0o644)
    run_hook_of(host, "failed", hooks)
    assert host.commands() == []
    assert host.lines() == []
    assert "OAUTHKIT_EVENT" not in local.env


def test_program_in_place_of_the_directory_is_not_run(host: Host) -> None:
    program = Path(host.install("hooks"))
    run_hook_of(host, "", program)
    run_hook_of(host, "renewed", program)
    assert host.commands() == []


def test_hook_that_succeeds(host: Host, hooks: Path) -> None:
    hook = host.install("renewed", hooks)
    seen: list[str] = []

    def does(_process: Any) -> None:
        seen.append(local.env["OAUTHKIT_EVENT"])

    host.fake("timeout", prints="not wanted\n", does=does)
    run_hook_of(host, "renewed", hooks)
    assert host.calls("timeout") == [["-k", "5", "30", hook]]
    assert seen == ["renewed"]
    assert host.lines() == ["Hook 'renewed' succeeded"]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (1, "WARN: hook 'failed' failed (exit 1)"),
        (2, "WARN: hook 'failed' failed (exit 2)"),
        (123, "WARN: hook 'failed' failed (exit 123)"),
        (125, "WARN: hook 'failed' failed (exit 125)"),
        (124, "WARN: hook 'failed' was ended after 30 s, or by a signal (exit 124)"),
        (137, "WARN: hook 'failed' was ended after 30 s, or by a signal (exit 137)"),
        (138, "WARN: hook 'failed' failed (exit 138)"),
    ],
)
def test_hook_that_fails(host: Host, hooks: Path, status: int, line: str) -> None:
    host.install("failed", hooks)
    host.fake("timeout", status=status, prints=f"first {TOKEN}\nsecond")
    run_hook_of(host, "failed", hooks)
    assert host.lines() == [line, "hook 'failed': first sk-ant-***", "hook 'failed': second"]


def test_failed_run_creates_the_mark(ready: Host) -> None:
    host = ready
    host.jq_prints("", status=5)
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    assert run(host) == 1
    lines = host.lines()
    assert lines[0] == f"ERROR: {host.credentials} is not valid JSON (jq exit 5)"
    assert lines[-1] == RETRY
    assert len(lines) == 3
    assert failing_mark(host).read_bytes() == b""
    assert host.dotenv.read_text(encoding="utf-8") == "A=1\n"


def test_mark_is_kept_until_a_successful_run(ready: Host) -> None:
    host = ready
    mark = failing_mark(host)
    mark.write_text("old mark", encoding="utf-8")
    host.jq_prints("", status=5)
    assert run(host) == 1
    assert mark.read_text(encoding="utf-8") == "old mark"
    release(host.lock)
    host.fake("systemctl")
    host.fake("systemd-run")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert not mark.exists()


def test_hooks_run_for_both_events_of_a_run(ready: Host) -> None:
    host = ready
    hooks = host.project / "scripts" / "oauth" / "hooks"
    paths = [host.install(event, hooks) for event in ("renewed", "recovered")]
    failing_mark(host).touch()
    host.credentials_are(TOKEN, HOUR_MS)
    recorders = [host.fake("timeout") for _ in paths]
    assert run(host) == 0
    assert host.calls("timeout") == [["-k", "5", "30", path] for path in paths]
    for recorder, event in zip(recorders, ("renewed", "recovered"), strict=True):
        assert hook_environment(recorder) == {
            "EVENT": event,
            "REASON": "",
            "OUTPUT": "",
            "EXPIRES_AT": str(NOW_MS + HOUR_MS),
            "LOGIN_ENDS_AT": "",
            "DOTENV": str(host.dotenv),
        }
    assert host.lines()[-3:] == [
        SCHEDULED,
        "Hook 'renewed' succeeded",
        "Hook 'recovered' succeeded",
    ]


def test_hook_receives_the_failure_reason(ready: Host) -> None:
    host = ready
    host.install("failed", host.project / "scripts" / "oauth" / "hooks")
    host.jq_prints("", status=5)
    recorder = host.fake("timeout")
    assert run(host) == 1
    assert hook_environment(recorder) == {
        "EVENT": "failed",
        "REASON": f"{host.credentials} is not valid JSON (jq exit 5)",
        "OUTPUT": "",
        "EXPIRES_AT": "",
        "LOGIN_ENDS_AT": "",
        "DOTENV": str(host.dotenv),
    }


# --- login-ending ---

DAY_MS = 24 * HOUR_MS
ENDS = "WARN: the login ends at {}. Run 'claude auth login' before then"
ENDED = "WARN: the login ended at {}. Run 'claude auth login'"
NOT_A_TIME = "WARN: refreshTokenExpiresAt in credentials is not a time in ms and is ignored"


def ending(host: Host, login_end: str) -> bool:
    return track_login_end(host.path(host.logs / "ending"), login_end)


@pytest.mark.parametrize(
    ("left_ms", "days"),
    [
        (3 * DAY_MS + 1, None), (3 * DAY_MS, 3), (DAY_MS + 1, 3), (DAY_MS, 1), (1, 1), (0, 1),
        (-DAY_MS, 1),
    ],
)  # fmt: skip
def test_end_of_the_login_is_reported_once(host: Host, left_ms: int, days: int | None) -> None:
    host.real("chmod", "rm")
    login_end = str(NOW_MS + left_ms)
    state = host.logs / "ending"
    assert ending(host, login_end) is (days is not None)
    assert state.exists() is (days is not None)
    if days is None:
        assert host.lines() == []
        return
    assert state.read_text(encoding="utf-8") == f"{login_end} {days}"
    assert state.stat().st_mode & 0o777 == 0o600
    (line,) = host.lines()
    when = datetime.fromtimestamp((NOW_MS + left_ms) // 1000, timezone.utc).isoformat()
    assert line == (ENDED if left_ms <= 0 else ENDS).format(when)
    assert ending(host, login_end) is False
    assert len(host.lines()) == 1


def test_time_of_the_end_is_logged(host: Host) -> None:
    host.real("chmod", "rm")
    assert ending(host, str(NOW_MS + HOUR_MS))
    assert host.lines() == [ENDS.format("2026-01-02T04:04:05+00:00")]


@pytest.mark.parametrize("text", ["", "x", f"{NOW_MS + HOUR_MS} 3", f"{NOW_MS} 1", " "])
def test_invalid_or_outdated_report_does_not_count(host: Host, text: str) -> None:
    host.real("chmod", "rm")
    state = host.logs / "ending"
    state.write_text(text, encoding="utf-8")
    assert ending(host, str(NOW_MS + HOUR_MS))
    assert state.read_text(encoding="utf-8") == f"{NOW_MS + HOUR_MS} 1"


def test_login_end_of_1_ms_is_valid(host: Host) -> None:
    host.real("chmod", "rm")
    assert ending(host, "1")


def test_login_without_an_end(host: Host) -> None:
    assert ending(host, "") is False
    assert host.lines() == []


@pytest.mark.parametrize("login_end", ["x", "0", "-1", '"1"', "9" * 16])
def test_end_that_is_not_a_time(host: Host, login_end: str) -> None:
    assert ending(host, login_end) is False
    assert host.lines() == [NOT_A_TIME]
    assert not (host.logs / "ending").exists()


def test_hook_runs_before_the_login_ends(ready: Host) -> None:
    host = ready
    hook = host.install("login-ending", host.project / "scripts/oauth/hooks")
    host.dotenv.touch(0o600)
    end = NOW_MS + DAY_MS
    host.jq_prints(login_lines(f'"{TOKEN}"', str(NOW_MS + HOUR_MS), login_end=str(end)))
    recorder = host.fake("timeout")
    assert run(host) == 0
    assert hook in host.calls("timeout")[0]
    found = hook_environment(recorder)
    assert (found["EVENT"], found["LOGIN_ENDS_AT"]) == ("login-ending", str(end))
    state = host.logs / "oauth-refresh.login-ending"
    assert state.read_text(encoding="utf-8") == f"{end} 1"
