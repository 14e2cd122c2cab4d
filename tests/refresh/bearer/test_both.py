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
def parity(parity: Parity) -> Parity:
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


def test_new_file_has_the_login_without_the_refresh_token(parity: Parity) -> None:
    run = refresh(parity)
    assert content(run) == record(parity)
    assert run.files[PLACE].mode == 0o600
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    expires_at = (parity.now_s + 8 * 3600) * 1000
    assert run.messages[1:3] == [
        f"Updated {parity.project / PLACE} with token (expires_at={expires_at})",
        f"Updated .env with token (expires_at={expires_at})",
    ]
    assert run.timers[0].setenv["OAUTHKIT_BEARER"] == str(parity.project / PLACE)


def test_file_is_never_copied_in_place_of_a_rename(parity: Parity) -> None:
    """A container that owns the directory could exchange what mv(1) copies. See rename_file."""
    assert mv_options(parity) == [["--no-copy", "-f", "-T"]]


def test_older_mv_is_called_without_the_option(parity: Parity) -> None:
    """It may copy: SECURITY.md says so."""
    parity.stand_in("mv").fails(stderr="mv: unrecognized option '--no-copy'\n")
    assert mv_options(parity) == [["--no-copy", "-f", "-T"], ["-f", "-T"]]


def mv_options(parity: Parity) -> list[list[str]]:
    """Return the options of each mv of a refresh that cannot replace an old bearer file."""
    parity.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    parity.file(PLACE, record(parity, "old").encode(), 0o600)
    parity.stand_in("mv").fails(stderr="mv: cannot move 'a' to 'b': Invalid cross-device link\n")
    run = refresh(parity, 1)
    assert content(run) == record(parity, "old")
    return [call[:-2] for call in run.calls("mv")]


def test_renewed_token_replaces_the_old_one_and_keeps_the_mode(parity: Parity) -> None:
    parity.file(PLACE, record(parity, "old").encode(), 0o640)
    parity.credentials(expires_in="1m")
    parity.claude.renews(token="sk-ant-oat01-made-up-new")
    run = refresh(parity)
    found = json.loads(content(run) or "")["claudeAiOauth"]
    assert found["accessToken"] == "sk-ant-oat01-made-up-new"
    assert "refreshToken" not in found
    assert run.files[PLACE].mode == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("owner", [(1234, 0), (0, 1234)])
def test_owner_is_kept(parity: Parity, owner: tuple[int, int]) -> None:
    parity.file(PLACE, record(parity, "old").encode(), 0o660)
    parity.step(lambda world: os.chown(world.project / PLACE, *owner))
    run = refresh(parity)
    assert content(run) == record(parity)
    assert (run.files[PLACE].owner, run.files[PLACE].mode) == (owner, 0o660)


def test_same_content_is_not_written_again(parity: Parity) -> None:
    parity.file(PLACE, record(parity).encode(), 0o600)
    run = refresh(parity)
    assert PLACE not in {name.removeprefix("project/") for name in run.touched}
    expires_at = (parity.now_s + 8 * 3600) * 1000
    line = f"{parity.project / PLACE} is up to date (expires_at={expires_at})"
    assert line in run.messages


def test_fields_that_the_login_lacks_are_left_out(parity: Parity) -> None:
    parity.credentials(omit=["scopes", "subscriptionType"])
    found = json.loads(content(refresh(parity)) or "")["claudeAiOauth"]
    assert sorted(found) == ["accessToken", "expiresAt"]


@pytest.mark.parametrize("field", ["scopes", "subscriptionType"])
def test_refresh_token_in_another_field_is_not_copied(parity: Parity, field: str) -> None:
    secret = "sk-ant-ort01-made-up"
    login = {
        "accessToken": TOKEN, "refreshToken": secret, "expiresAt": (parity.now_s + 8 * 3600) * 1000,
        field: {"refreshToken": secret},
    }  # fmt: skip
    parity.credentials(raw=json.dumps({"claudeAiOauth": login}).encode())
    run = refresh(parity)
    assert "sk-ant-ort01" not in str(content(run))
    assert field not in json.loads(str(content(run)))["claudeAiOauth"]


@pytest.mark.parametrize("target", ["../elsewhere", "../new", "~/.claude/.credentials.json"])
def test_link_is_not_followed(parity: Parity, target: str) -> None:
    parity.file("elsewhere", record(parity, "old").encode(), 0o600)
    parity.symlink(PLACE, target.replace("~", str(parity.home)))
    leftover = f"{PLACE}.oauthkit.0000000000000001"
    parity.file(leftover, "left by a killed run", 0o600)
    run = refresh(parity, 1)
    problem = f"{parity.project / PLACE} is a symbolic link. The bearer file must not be one"
    assert f"ERROR: {problem}" in run.messages
    assert leftover not in run.files
    assert content(run, "elsewhere") == record(parity, "old")
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
def test_file_that_is_not_a_bearer_file_is_not_touched(parity: Parity, kind: str) -> None:
    parity.file(PLACE, FOREIGN[kind], 0o600)
    run = refresh(parity, 1)
    assert run.files[PLACE].content == FOREIGN[kind]
    assert f"ERROR: {parity.project / PLACE} {PROBLEMS[kind]}" in run.messages
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_bearer_file_that_would_be_too_large_is_not_written(parity: Parity) -> None:
    login = {
        "accessToken": TOKEN,
        "expiresAt": parity.now_s * 1000 + 8 * 3600_000,
        "subscriptionType": "x" * 256 * 1024,
    }
    parity.credentials(raw=json.dumps({"claudeAiOauth": login}).encode())
    run = refresh(parity, 1)
    problem = f"{parity.project / PLACE} would be larger than 256 KiB and is not changed"
    assert f"ERROR: {problem}" in run.messages
    assert PLACE not in run.files
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_path_that_is_not_a_file(parity: Parity, kind: str) -> None:
    if kind == "directory":
        parity.directory(PLACE)
    else:
        parity.step(lambda world: os.mkfifo(world.project / PLACE, 0o600))
    run = refresh(parity, 1)
    assert f"ERROR: {parity.project / PLACE} is not a file and is not changed" in run.messages
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_missing_directory_is_named(parity: Parity) -> None:
    parity.delete("bearer")
    run = refresh(parity, 1)
    directory = parity.project / "bearer"
    problem = f"{parity.project / PLACE} cannot be written: {directory} is not a directory"
    assert f"ERROR: {problem}" in run.messages
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    assert run.messages[-2] == f"WARN: scheduling retry in 5 min after: {problem}"


def test_login_itself_is_not_touched(parity: Parity) -> None:
    parity.env["OAUTHKIT_BEARER"] = str(parity.home / ".claude/.credentials.json")
    run = refresh(parity, 1)
    problem = (
        f"{parity.env['OAUTHKIT_BEARER']} is Claude Code's credentials file and is not changed"
    )
    assert f"ERROR: {problem}" in run.messages
    assert b"sk-ant-ort01-made-up-old" in run.files[CREDENTIALS].content
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("exists", [True, False])
def test_dotenv_itself_is_not_replaced(parity: Parity, exists: bool) -> None:
    if exists:
        parity.dotenv("A=1\n")
    parity.env["OAUTHKIT_BEARER"] = str(parity.project / ".env")
    run = refresh(parity, 1)
    dotenv = parity.project / ".env"
    assert f"ERROR: OAUTHKIT_BEARER and OAUTHKIT_DOTENV are the same file: {dotenv}" in run.messages
    assert run.dotenv == f"{'A=1' + chr(10) if exists else ''}CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_bearer_file_is_delivered_if_dotenv_cannot_be(parity: Parity) -> None:
    parity.directory(".env")
    run = refresh(parity, 1)
    assert content(run) == record(parity)
    assert f"ERROR: {parity.project / '.env'} is not a file and is not changed" in run.messages


def test_login_without_a_token_is_not_delivered(parity: Parity) -> None:
    parity.file(PLACE, record(parity, "old").encode(), 0o600)
    parity.credentials(omit=["accessToken"])
    run = refresh(parity, 1)
    assert content(run) == record(parity, "old")


def test_hook_runs_if_only_the_bearer_file_changes(parity: Parity) -> None:
    parity.stand_in("renewed", place="scripts/oauth/hooks/renewed").always.exits(0)
    parity.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    run = refresh(parity)
    (call,) = [call for call in run.all_calls if call.program == "renewed"]
    assert call.env["OAUTHKIT_BEARER"] == str(parity.project / PLACE)


def test_relative_path_starts_in_the_caller_s_directory(parity: Parity) -> None:
    parity.set_cwd("bearer")
    parity.env["OAUTHKIT_BEARER"] = ".credentials.json"
    run = refresh(parity)
    assert content(run) == record(parity)
    assert run.timers[0].setenv["OAUTHKIT_BEARER"] == str(parity.project / PLACE)


@pytest.mark.parametrize("text", [None, "old"])
def test_ensure_delivers_a_missing_or_old_bearer_file(parity: Parity, text: str | None) -> None:
    parity.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    if text is not None:
        parity.file(PLACE, record(parity, text).encode(), 0o600)
    run = refresh(parity, 0, "--ensure")
    assert content(run) == record(parity)
    assert run.log != ""


def test_ensure_does_nothing_if_both_have_the_token(parity: Parity) -> None:
    parity.dotenv(f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    parity.file(PLACE, record(parity).encode(), 0o600)
    run = refresh(parity, 0, "--ensure")
    assert (run.programs, run.touched) == (["jq"], [])
