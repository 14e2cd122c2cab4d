"""Events, and the hooks that are run for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plumbum import local
from tests.support.refresh.fake_host import TOKEN, Host

from oauthkit.program.hooks import mark, tell


@pytest.fixture
def hooks(host: Host) -> Path:
    folder = host.project / "scripts" / "oauth" / "hooks"
    folder.mkdir(parents=True)
    return folder


def tell_of(host: Host, event: str, hooks: Path) -> None:
    tell(event, host.path(hooks))


def test_a_time_of_failures_is_marked_at_both_ends(host: Host) -> None:
    host.real("chmod", "rm")
    failing = host.logs / "failing"
    problems = ["", "wrong", "still wrong", "", "", "wrong"]
    events = []
    for problem in problems:
        events.append(mark(host.path(failing), problem))
        assert failing.exists() == (problem != "")
    assert events == ["", "failed", "", "recovered", "", "failed"]


def test_mark_that_cannot_be_made_changes_no_event(host: Host) -> None:
    assert mark(host.path(host.root / "none" / "failing"), "wrong") == "failed"


def test_nothing_to_tell(host: Host, hooks: Path) -> None:
    tell_of(host, "", hooks)
    tell_of(host, "renewed", hooks)
    (hooks / "renewed").mkdir()
    tell_of(host, "renewed", hooks)
    (hooks / "failed").touch(mode=0o644)
    tell_of(host, "failed", hooks)
    assert host.commands() == []
    assert host.lines() == []
    assert "OAUTHKIT_EVENT" not in local.env


def test_program_in_place_of_the_directory_is_not_run(host: Host) -> None:
    program = Path(host.install("hooks"))
    tell_of(host, "", program)
    tell_of(host, "renewed", program)
    assert host.commands() == []


def test_hook_that_succeeds(host: Host, hooks: Path) -> None:
    hook = host.install("renewed", hooks)
    seen: list[str] = []

    def does(_process: Any) -> None:
        seen.append(local.env["OAUTHKIT_EVENT"])

    host.fake("timeout", prints="not wanted\n", does=does)
    tell_of(host, "renewed", hooks)
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
    tell_of(host, "failed", hooks)
    assert host.lines() == [line, "hook failed: first sk-ant-***", "hook failed: second"]
