"""A whole refresh in this process: steps, exit status, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.refresh.fake_host import HOUR_MS, TOKEN
from tests.support.refresh.whole_run import FRESH, SCHEDULED, TOKEN_LINE, UPDATED, failing_mark, run

from oauthkit import shell
from oauthkit.program import refresh

if TYPE_CHECKING:
    from plumbum.commands.base import BaseCommand
    from tests.support.refresh.fake_host import Host


def test_successful_run(ready: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host = ready
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert host.dotenv.read_text(encoding="utf-8") == TOKEN_LINE
    assert host.dotenv.stat().st_mode & 0o7777 == 0o600
    assert host.lines() == [FRESH, UPDATED, SCHEDULED]
    assert host.names() == ["stat", "jq", "chmod", "sync", "mv", "systemctl", "systemd-run"]
    assert Path.cwd() == Path("/")
    assert not failing_mark(host).exists()
    assert capfd.readouterr() == ("", "")


def test_next_run_is_that_of_the_project(ready: Host) -> None:
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    (command,) = ready.calls("systemd-run")
    assert f"--project={ready.project}" in command


# --- The store ---


@pytest.fixture
def published(ready: Host) -> list[str]:
    """Set a store. Return the projects that are published."""
    projects: list[str] = []
    local.env["OAUTHKIT_STORE"] = "dir:/store"
    ready.monkeypatch.setattr(refresh, "publish", projects.append)
    return projects


def test_full_refresh_of_a_host_with_a_login_no_longer_follows(
    ready: Host, published: list[str]
) -> None:
    followed = ready.logs / "oauth-refresh.followed"
    followed.touch()
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert not followed.exists()
    assert published == [str(ready.project)]


def test_token_is_published_although_it_cannot_be_delivered(
    ready: Host, published: list[str]
) -> None:
    ready.dotenv.mkdir()
    ready.monkeypatch.setattr(refresh, "failure_kind", lambda *_: "rejected")
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 1
    assert published == [str(ready.project)]
    assert failing_mark(ready).read_bytes() == b"", "the failure is not that of the token"


def test_no_token_no_publication(ready: Host, published: list[str]) -> None:
    ready.jq_prints("", status=5)
    assert run(ready) == 1
    assert published == []


def test_without_a_store_nothing_is_published(ready: Host, published: list[str]) -> None:
    del local.env["OAUTHKIT_STORE"]
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert published == []


@pytest.mark.parametrize("status", [0, 1, 124])
def test_publication(host: Host, status: int) -> None:
    calls = []

    def run_limited(*call: object) -> tuple[int, str]:
        calls.append(call)
        return status, "no store"

    host.monkeypatch.setattr(refresh, "sibling_command", lambda *words: words)
    host.monkeypatch.setattr(refresh, "run_limited", run_limited)
    refresh.publish(host.path(host.project))
    assert calls == [(10, 5, ("publish", str(host.project)))]
    failure = ["publish: no store", f"WARN: the token was not published (exit {status})"]
    assert host.lines() == (failure if status else [])


@pytest.mark.parametrize("store", [None, "", "dir:/store"])
@pytest.mark.parametrize("mode", ["", "ensure", "rejected"])
@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("has_login", [False, True])
def test_project_that_follows(
    host: Host, store: str | None, mode: str, follows: bool, has_login: bool
) -> None:
    followed, login = host.logs / "followed", host.root / "login"
    for file, exists in ((followed, follows), (login, has_login)):
        if exists:
            file.touch()
    if store is not None:
        local.env["OAUTHKIT_STORE"] = store
    found = refresh.is_follower(mode, host.path(followed), host.path(login))
    only_follows = follows and not has_login
    is_without_login = follows or not has_login
    assert found == (bool(store) and (is_without_login if mode else only_follows))


@pytest.mark.parametrize("printed", ["", "oauthkit: no"])
@pytest.mark.parametrize(
    ("mode", "option"), [("", "--once"), ("ensure", "--once"), ("rejected", "--rejected")]
)
def test_run_of_a_follower(
    host: Host, capfd: pytest.CaptureFixture[str], mode: str, option: str, printed: str
) -> None:
    words: list[str] = []

    def sibling_command(*call: str) -> BaseCommand:
        words.extend(call)
        return shell.program("follower")

    host.monkeypatch.setattr(refresh, "sibling_command", sibling_command)
    host.fake("follower", status=1, prints=printed)
    assert refresh.run_follower(host.path(host.project), mode) == 1
    assert words == ["follow", str(host.project)]
    assert host.calls("follower") == [[option]]
    assert capfd.readouterr() == ("", f"{printed}\n" if printed else "")
