"""Events, and the hooks that are run for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plumbum import local
from tests.support.refresh.fake_host import HOUR_MS, NOW_MS, TOKEN, Host, release
from tests.support.refresh.whole_run import RETRY, SCHEDULED, failing_mark, run, told

from oauthkit.program.hooks import failure_event, run_hook


@pytest.fixture
def hooks(host: Host) -> Path:
    folder = host.project / "scripts" / "oauth" / "hooks"
    folder.mkdir(parents=True)
    return folder


def run_hook_of(host: Host, event: str, hooks: Path) -> None:
    run_hook(event, host.path(hooks))


def test_failed_and_recovered_are_marked_once(host: Host) -> None:
    host.real("chmod", "rm")
    failing = host.logs / "failing"
    problems = ["", "wrong", "still wrong", "", "", "wrong"]
    events = []
    for problem in problems:
        events.append(failure_event(host.path(failing), problem))
        assert failing.exists() == (problem != "")
    assert events == ["", "failed", "", "recovered", "", "failed"]


def test_mark_that_cannot_be_made_changes_no_event(host: Host) -> None:
    assert failure_event(host.path(host.root / "none" / "failing"), "wrong") == "failed"


def test_nothing_to_tell(host: Host, hooks: Path) -> None:
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
    assert host.lines() == ["Hook renewed succeeded"]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (1, "WARN: hook failed failed (exit 1)"),
        (2, "WARN: hook failed failed (exit 2)"),
        (123, "WARN: hook failed failed (exit 123)"),
        (125, "WARN: hook failed failed (exit 125)"),
        (124, "WARN: hook failed was ended after 30 s, or by a signal (exit 124)"),
        (137, "WARN: hook failed was ended after 30 s, or by a signal (exit 137)"),
        (138, "WARN: hook failed failed (exit 138)"),
    ],
)
def test_hook_that_fails(host: Host, hooks: Path, status: int, line: str) -> None:
    host.install("failed", hooks)
    host.fake("timeout", status=status, prints=f"first {TOKEN}\nsecond")
    run_hook_of(host, "failed", hooks)
    assert host.lines() == [line, "hook failed: first sk-ant-***", "hook failed: second"]


def test_failed_run_and_its_mark(ready: Host) -> None:
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


def test_mark_stays_until_a_good_run(ready: Host) -> None:
    host = ready
    mark = failing_mark(host)
    mark.write_text("since long", encoding="utf-8")
    host.jq_prints("", status=5)
    assert run(host) == 1
    assert mark.read_text(encoding="utf-8") == "since long"
    release(host.lock)
    host.fake("systemctl")
    host.fake("systemd-run")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert not mark.exists()


def test_hooks_learn_of_both_events_of_a_run(ready: Host) -> None:
    host = ready
    hooks = host.project / "scripts" / "oauth" / "hooks"
    paths = [host.install(event, hooks) for event in ("renewed", "recovered")]
    failing_mark(host).touch()
    host.credentials_are(TOKEN, HOUR_MS)
    recorders = [host.fake("timeout") for _ in paths]
    assert run(host) == 0
    assert host.calls("timeout") == [["-k", "5", "30", path] for path in paths]
    for recorder, event in zip(recorders, ("renewed", "recovered"), strict=True):
        assert told(recorder) == {
            "EVENT": event,
            "REASON": "",
            "EXPIRES_AT": str(NOW_MS + HOUR_MS),
            "LOGIN_ENDS_AT": "",
            "DOTENV": str(host.dotenv),
        }
    assert host.lines()[-3:] == [SCHEDULED, "Hook renewed succeeded", "Hook recovered succeeded"]


def test_hook_learns_why_a_run_failed(ready: Host) -> None:
    host = ready
    host.install("failed", host.project / "scripts" / "oauth" / "hooks")
    host.jq_prints("", status=5)
    recorder = host.fake("timeout")
    assert run(host) == 1
    assert told(recorder) == {
        "EVENT": "failed",
        "REASON": f"{host.credentials} is not valid JSON (jq exit 5)",
        "EXPIRES_AT": "",
        "LOGIN_ENDS_AT": "",
        "DOTENV": str(host.dotenv),
    }
