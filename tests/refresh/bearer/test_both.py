"""The bearer file: the login without its refresh token, for containers."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import CREDENTIALS

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

TOKEN = "sk-ant-oat01-made-up-old"
PLACE = "bearer/.credentials.json"


@pytest.fixture
def host(parity: Parity) -> Parity:
    """A project with a fresh token, and a bearer file in a directory that exists."""
    parity.credentials()
    parity.directory("bearer")
    parity.env["OAUTHKIT_BEARER"] = str(parity.project / PLACE)
    return parity


def record(parity: Parity, token: str = TOKEN) -> str:
    """Return the content of the bearer file."""
    oauth = {
        "accessToken": token,
        "expiresAt": (parity.now_s + 8 * 3600) * 1000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    return json.dumps({"claudeAiOauth": oauth}, separators=(",", ":")) + "\n"


def content(run: RefreshRun, place: str = PLACE) -> str | None:
    """Return the text of the bearer file, or None if there is none."""
    entry = run.files.get(place)
    return None if entry is None else entry.content.decode()


def refresh(parity: Parity, exit_code: int = 0, *arguments: str) -> RefreshRun:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (exit_code, "", "")
    assert "sk-ant-ort" not in run.log + run.stderr
    return run


def test_new_file_has_the_login_without_the_refresh_token(host: Parity) -> None:
    run = refresh(host)
    assert content(run) == record(host)
    assert run.files[PLACE].mode == 0o600
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    expires_at = (host.now_s + 8 * 3600) * 1000
    assert run.messages[1:3] == [
        f"Updated {host.project / PLACE} with token (expires_at={expires_at})",
        f"Updated .env with token (expires_at={expires_at})",
    ]
    assert run.timers[0].setenv["OAUTHKIT_BEARER"] == str(host.project / PLACE)


def test_file_is_never_copied_in_place_of_a_rename(host: Parity) -> None:
    """A container that owns the directory could exchange what mv(1) copies. See rename_file."""
    assert mv_options(host) == [["--no-copy", "-f", "-T"]]


def test_older_mv_is_called_without_the_option(host: Parity) -> None:
    """It may copy: SECURITY.md says so."""
    host.stand_in("mv").fails(stderr="mv: unrecognized option '--no-copy'\n")
    assert mv_options(host) == [["--no-copy", "-f", "-T"], ["-f", "-T"]]


def mv_options(host: Parity) -> list[list[str]]:
    """Return the options of each mv of a refresh that cannot replace an old bearer file."""
    host.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    host.file(PLACE, record(host, "old").encode(), 0o600)
    host.stand_in("mv").fails(stderr="mv: cannot move 'a' to 'b': Invalid cross-device link\n")
    run = refresh(host, 1)
    assert content(run) == record(host, "old")
    return [call[:-2] for call in run.calls("mv")]


def test_renewed_token_replaces_the_old_one_and_keeps_the_mode(host: Parity) -> None:
    host.file(PLACE, record(host, "old").encode(), 0o640)
    host.credentials(expires_in="1m")
    host.claude.renews(token="sk-ant-oat01-made-up-new")
    run = refresh(host)
    found = json.loads(content(run) or "")["claudeAiOauth"]
    assert found["accessToken"] == "sk-ant-oat01-made-up-new"
    assert "refreshToken" not in found
    assert run.files[PLACE].mode == 0o640


def test_same_content_is_not_written_again(host: Parity) -> None:
    host.file(PLACE, record(host).encode(), 0o600)
    run = refresh(host)
    assert PLACE not in {name.removeprefix("project/") for name in run.touched}
    expires_at = (host.now_s + 8 * 3600) * 1000
    line = f"{host.project / PLACE} is up to date (expires_at={expires_at})"
    assert line in run.messages


def test_fields_that_the_login_lacks_are_left_out(host: Parity) -> None:
    host.credentials(omit=["scopes", "subscriptionType"])
    found = json.loads(content(refresh(host)) or "")["claudeAiOauth"]
    assert sorted(found) == ["accessToken", "expiresAt"]


@pytest.mark.parametrize("field", ["scopes", "subscriptionType"])
def test_refresh_token_in_another_field_is_not_copied(host: Parity, field: str) -> None:
    secret = "sk-ant-ort01-made-up"
    login = {
        "accessToken": TOKEN, "refreshToken": secret, "expiresAt": (host.now_s + 8 * 3600) * 1000,
        field: {"refreshToken": secret},
    }  # fmt: skip
    host.credentials(raw=json.dumps({"claudeAiOauth": login}).encode())
    run = refresh(host)
    assert "sk-ant-ort01" not in str(content(run))
    assert field not in json.loads(str(content(run)))["claudeAiOauth"]


@pytest.mark.parametrize("target", ["../elsewhere", "../new", "~/.claude/.credentials.json"])
def test_link_is_not_followed(host: Parity, target: str) -> None:
    host.file("elsewhere", record(host, "old").encode(), 0o600)
    host.symlink(PLACE, target.replace("~", str(host.home)))
    leftover = f"{PLACE}.oauthkit.0000000000000001"
    host.file(leftover, "left by a killed run", 0o600)
    run = refresh(host, 1)
    problem = f"{host.project / PLACE} is a symbolic link. The bearer file must not be one"
    assert f"ERROR: {problem}" in run.messages
    assert leftover not in run.files
    assert content(run, "elsewhere") == record(host, "old")
    assert "new" not in run.files
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


FOREIGN = {
    "a .env": b"A=1\n",
    "a login": b'{"claudeAiOauth":{"accessToken":"x","refreshToken":"y","expiresAt":1}}',
    "another file": b'{"a":1}\n',
    "a NUL byte": b'{"claudeAiOauth":{"accessToken":\0',
    "too large": b'{"claudeAiOauth":{"accessToken":' + b" " * 256 * 1024,
}
PROBLEMS = {
    "a .env": "is not a bearer file and is not changed",
    "a login": "has a refresh token, so it is a login and is not changed",
    "another file": "is not a bearer file and is not changed",
    "a NUL byte": "has a NUL byte and is not changed",
    "too large": "is larger than 256 KiB and is not changed",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_file_that_is_not_a_bearer_file_is_not_touched(host: Parity, kind: str) -> None:
    host.file(PLACE, FOREIGN[kind], 0o600)
    run = refresh(host, 1)
    assert run.files[PLACE].content == FOREIGN[kind]
    assert f"ERROR: {host.project / PLACE} {PROBLEMS[kind]}" in run.messages
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_bearer_file_that_would_be_too_large_is_not_written(host: Parity) -> None:
    login = {
        "accessToken": TOKEN,
        "expiresAt": host.now_s * 1000 + 8 * 3600_000,
        "subscriptionType": "x" * 256 * 1024,
    }
    host.credentials(raw=json.dumps({"claudeAiOauth": login}).encode())
    run = refresh(host, 1)
    problem = f"{host.project / PLACE} would be larger than 256 KiB and is not changed"
    assert f"ERROR: {problem}" in run.messages
    assert PLACE not in run.files
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_path_that_is_not_a_file(host: Parity, kind: str) -> None:
    if kind == "directory":
        host.directory(PLACE)
    else:
        host.step(lambda world: os.mkfifo(world.project / PLACE, 0o600))
    run = refresh(host, 1)
    assert f"ERROR: {host.project / PLACE} is not a file and is not changed" in run.messages
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_missing_directory_is_named(host: Parity) -> None:
    host.delete("bearer")
    run = refresh(host, 1)
    directory = host.project / "bearer"
    problem = f"{host.project / PLACE} cannot be written: {directory} is not a directory"
    assert f"ERROR: {problem}" in run.messages
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    assert run.messages[-2] == f"WARN: scheduling retry in 5 min after: {problem}"


def test_login_itself_is_not_touched(host: Parity) -> None:
    host.env["OAUTHKIT_BEARER"] = str(host.home / ".claude/.credentials.json")
    run = refresh(host, 1)
    problem = f"{host.env['OAUTHKIT_BEARER']} is Claude Code's credentials file and is not changed"
    assert f"ERROR: {problem}" in run.messages
    assert b"sk-ant-ort01-made-up-old" in run.files[CREDENTIALS].content
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("exists", [True, False])
def test_dotenv_itself_is_not_replaced(host: Parity, exists: bool) -> None:
    if exists:
        host.dotenv("A=1\n")
    host.env["OAUTHKIT_BEARER"] = str(host.project / ".env")
    run = refresh(host, 1)
    dotenv = host.project / ".env"
    assert f"ERROR: OAUTHKIT_BEARER and OAUTHKIT_DOTENV are the same file: {dotenv}" in run.messages
    assert run.dotenv == f"{'A=1' + chr(10) if exists else ''}CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_bearer_file_is_delivered_if_dotenv_cannot_be(host: Parity) -> None:
    host.directory(".env")
    run = refresh(host, 1)
    assert content(run) == record(host)
    assert f"ERROR: {host.project / '.env'} is not a file and is not changed" in run.messages


def test_login_without_a_token_is_not_delivered(host: Parity) -> None:
    host.file(PLACE, record(host, "old").encode(), 0o600)
    host.credentials(omit=["accessToken"])
    run = refresh(host, 1)
    assert content(run) == record(host, "old")


def test_hook_runs_if_only_the_bearer_file_changes(host: Parity) -> None:
    host.stand_in("renewed", place="scripts/oauth/hooks/renewed").always.exits(0)
    host.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    run = refresh(host)
    (call,) = [call for call in run.all_calls if call.program == "renewed"]
    assert call.env["OAUTHKIT_BEARER"] == str(host.project / PLACE)


def test_relative_path_starts_in_the_caller_s_directory(host: Parity) -> None:
    host.set_cwd("bearer")
    host.env["OAUTHKIT_BEARER"] = ".credentials.json"
    run = refresh(host)
    assert content(run) == record(host)
    assert run.timers[0].setenv["OAUTHKIT_BEARER"] == str(host.project / PLACE)


@pytest.mark.parametrize("text", [None, "old"])
def test_ensure_delivers_a_missing_or_old_bearer_file(host: Parity, text: str | None) -> None:
    host.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    if text is not None:
        host.file(PLACE, record(host, text).encode(), 0o600)
    run = refresh(host, 0, "--ensure")
    assert content(run) == record(host)
    assert run.log != ""


def test_ensure_does_nothing_if_both_have_the_token(host: Parity) -> None:
    host.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    host.file(PLACE, record(host).encode(), 0o600)
    run = refresh(host, 0, "--ensure")
    assert (run.programs, run.touched) == (["jq"], [])
