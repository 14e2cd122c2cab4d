"""oauthkit watch renews the token that a container names as rejected."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from tests.support.host.host_project import OTHER, TOKEN
from tests.support.host.run_host import NEW
from tests.support.host.watch_host import running

from oauthkit.host.commands import watch
from oauthkit.host.status.login import Dotenv, read_dotenv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]


@pytest.mark.parametrize("token", [TOKEN, OTHER])
def test_only_the_token_that_dotenv_has_is_renewed(
    host: HostProject, tasks: Path, token: str
) -> None:
    request = f'{{"type":"refresh_oauth","rejected":"{fingerprint(token)}"}}'
    (tasks / "request.json").write_text(request, encoding="utf-8")
    is_renewed = token == TOKEN
    with running(host) as watcher:
        assert watcher.line().startswith("watching ")
        why = ": the token in .env was rejected" if is_renewed else ""
        assert watcher.line() == f"refreshed for 1 request{why}"
    assert (host.home / "claude-calls").exists() == is_renewed
    (found,) = read_dotenv(host.dotenv).tokens
    assert found == (NEW if is_renewed else TOKEN).encode()
    assert list(tasks.iterdir()) == []


@pytest.mark.parametrize("token", [TOKEN, OTHER])
def test_token_that_was_replaced_meanwhile_is_not_renewed(host: HostProject, token: str) -> None:
    """Another run may replace it between the request and the refresh."""
    done = host.run("refresh", "--rejected", "--fingerprint", fingerprint(token).upper())
    assert done.returncode == 0
    assert (host.home / "claude-calls").exists() == (token == TOKEN)


@pytest.mark.parametrize("value", ["", "xyz", fingerprint(TOKEN) + "0", fingerprint(TOKEN)[1:]])
def test_value_that_is_no_fingerprint(host: HostProject, value: str) -> None:
    done = host.run("refresh", "--rejected", "--fingerprint", value)
    said = f"--fingerprint {value!r} is not 16 hex digits. See oauthkit refresh --help"
    assert (done.returncode, done.stderr) == (2, f"oauthkit refresh: {said}\n")
    assert host.run("refresh", "--fingerprint", fingerprint(TOKEN)).returncode == 2
    assert not (host.home / "claude-calls").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n", fingerprint(TOKEN)),
        (f"CLAUDE_CODE_OAUTH_TOKEN={OTHER}\nCLAUDE_CODE_OAUTH_TOKEN={TOKEN}", fingerprint(OTHER)),
        ("A=1\n", ""),
        (None, ""),
    ],
)
def test_fingerprint_of_dotenv(tmp_path: Path, text: str | None, expected: str) -> None:
    file = tmp_path / ".env"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert read_dotenv(file).fingerprint == expected


def test_dotenv_is_read_again_only_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    reads = []

    def read(path: Path) -> Dotenv:
        reads.append(path)
        return read_dotenv(path)

    monkeypatch.setattr(watch, "read_dotenv", read)
    current = watch.Fingerprint(file)
    assert current() == ""
    for token in (TOKEN, OTHER):
        file.write_text(f"CLAUDE_CODE_OAUTH_TOKEN={token}\n", encoding="utf-8")
        assert [current(), current(), current()] == [fingerprint(token)] * 3
        file.unlink()
    assert current() == ""
    assert len(reads) == 2


def test_dotenv_that_is_changed_in_place_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    current = watch.Fingerprint(file)
    for number, token in enumerate((TOKEN, TOKEN[::-1])):
        file.write_text(f"CLAUDE_CODE_OAUTH_TOKEN={token}\n", encoding="utf-8")
        os.utime(file, (number, number))
        assert current() == fingerprint(token)


def test_dotenv_that_could_not_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n", encoding="utf-8")
    results = [Dotenv("cannot be read"), read_dotenv(file)]
    monkeypatch.setattr(watch, "read_dotenv", lambda _: results.pop(0))
    current = watch.Fingerprint(file)
    assert [current(), current()] == ["", fingerprint(TOKEN)]
