"""Publish a host's access token in a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

TOKEN = "sk-ant-oat01-made-up-old"
RECORD = "~/store/alpha.json"
STORE_FORMAT = "It must be dir:/PATH or etcd:https://HOST:PORT/PREFIX"


def publish(parity: Parity, exit_code: int = 0) -> RefreshRun:
    run = parity.run()
    assert (run.exit_code, run.stdout) == (exit_code, "")
    assert "sk-ant" not in run.stderr
    return run


def record(parity: Parity, **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "host": "alpha",
        "issued_at_ms": parity.now_s * 1000,
        "access_token": TOKEN,
        "expires_at_ms": (parity.now_s + 8 * 3600) * 1000,
        "scopes": ["user:inference", "user:profile"],
        "subscription_type": "max",
        **changes,
    }


def test_record_has_no_refresh_token(publisher: Parity) -> None:
    run = publish(publisher)
    assert run.stderr == ""
    entry = run.files[RECORD]
    assert json.loads(entry.content) == record(publisher)
    assert entry.content.count(b"\n") == 1
    assert entry.mode == 0o600
    assert b"ort01" not in entry.content
    assert set(run.touched) == {RECORD}


@pytest.mark.parametrize("field", ["scopes", "subscriptionType"])
def test_refresh_token_in_another_field_is_not_published(publisher: Parity, field: str) -> None:
    secret = "sk-ant-ort01-made-up"
    login = {
        "accessToken": "sk-ant-oat01-made-up-old", "refreshToken": secret,
        "expiresAt": (publisher.now_s + 8 * 3600) * 1000, field: {"refreshToken": secret},
    }  # fmt: skip
    publisher.credentials(raw=json.dumps({"claudeAiOauth": login}).encode())
    assert b"sk-ant-ort01" not in publish(publisher).files["~/store/alpha.json"].content


def test_missing_values_are_omitted(publisher: Parity) -> None:
    publisher.credentials(omit=["scopes", "subscriptionType"])
    expected = record(publisher)
    del expected["scopes"], expected["subscription_type"]
    assert json.loads(publish(publisher).files[RECORD].content) == expected
    assert publish(publisher).touched == []


def test_record_of_the_same_token_is_unchanged(publisher: Parity) -> None:
    publish(publisher)
    publisher.set_clock(publisher.now_s + 60)
    run = publish(publisher)
    assert run.touched == []


def test_record_is_never_copied_in_place_of_a_rename(publisher: Parity) -> None:
    """Whoever owns the store could exchange what mv(1) copies. See rename_file."""
    publish(publisher)
    publisher.credentials("sk-ant-oat01-made-up-new", expires_in="9h")
    publisher.stand_in("mv").fails(stderr="mv: cannot move 'a': Invalid cross-device link\n")
    run = publish(publisher, 1)
    assert json.loads(run.files[RECORD].content)["access_token"] == TOKEN
    [call] = run.calls("mv")
    assert call[:-2] == ["--no-copy", "-f", "-T"]


def test_new_token_replaces_the_record(publisher: Parity) -> None:
    publish(publisher)
    publisher.credentials("sk-ant-oat01-made-up-new", expires_in="9h")
    run = publish(publisher)
    assert json.loads(run.files[RECORD].content)["access_token"] == "sk-ant-oat01-made-up-new"


def test_record_of_the_future_is_replaced(publisher: Parity) -> None:
    publish(publisher)
    publisher.set_clock(publisher.now_s - 1)
    publisher.credentials(expires_in=8 * 3600 + 1)  # the same token
    assert json.loads(publish(publisher).files[RECORD].content) == record(
        publisher, expires_at_ms=(publisher.now_s + 8 * 3600 + 1) * 1000
    )


def test_record_that_others_can_read_is_replaced_by_a_private_one(publisher: Parity) -> None:
    publisher.file(RECORD, "{}", 0o666)
    assert publish(publisher).files[RECORD].mode == 0o600


@pytest.mark.parametrize(("old", "new"), [(b"}\n", b""), (b'_at_ms":', b'_at_ms":x')])
def test_damaged_record_is_replaced(publisher: Parity, old: bytes, new: bytes) -> None:
    content = publish(publisher).files[RECORD].content
    publisher.file(RECORD, content.replace(old, new, 1), 0o600)
    assert publish(publisher).files[RECORD].content == content


def test_store_that_cannot_be_written(publisher: Parity) -> None:
    publisher.directory(f"{RECORD}/sub")
    run = publish(publisher, 1)
    assert run.stderr == f"oauthkit: {publisher.home}/store/alpha.json cannot be written\n"
    assert run.touched == []


def test_host_name_is_the_default(publisher: Parity) -> None:
    del publisher.env["OAUTHKIT_HOST"]
    run = publish(publisher)
    (name,) = run.touched
    assert name.startswith("~/store/")
    assert json.loads(run.files[name].content)["host"] == name[len("~/store/") : -len(".json")]


def test_temporaries_of_killed_runs_are_removed(publisher: Parity) -> None:
    publisher.file(f"{RECORD}.oauthkit.0000000000000001", "left")
    assert f"{RECORD}.oauthkit.0000000000000001" not in publish(publisher).files


@pytest.mark.parametrize(
    ("store", "problem"),
    [
        ("", "OAUTHKIT_STORE is not set"),
        ("/store", f"OAUTHKIT_STORE is /store. {STORE_FORMAT}"),
        ("dir:store", f"OAUTHKIT_STORE is dir:store. {STORE_FORMAT}"),
        ("http://a/b", f"OAUTHKIT_STORE is http://a/b. {STORE_FORMAT}"),
        ("dir:{home}/no", "the store {home}/no is not a directory. Create or mount it"),
        ("dir:{home}/.claude/.credentials.json", "the store {home}/.claude/.credentials.json is"
         " not a directory. Create or mount it"),
    ],
)  # fmt: skip
def test_wrong_store(publisher: Parity, store: str, problem: str) -> None:
    home = str(publisher.home)
    publisher.env["OAUTHKIT_STORE"] = store.format(home=home)
    run = publish(publisher, 1)
    assert run.stderr == f"oauthkit: {problem.format(home=home)}\n"
    assert run.touched == []


@pytest.mark.parametrize("host", ["a/b", ".a", "-a", "a b", "ä", "a\\b", "a" * 81, "a\n"])
def test_wrong_host_name(publisher: Parity, host: str) -> None:
    publisher.env["OAUTHKIT_HOST"] = host
    run = publish(publisher, 1)
    shown = host.replace("\n", "?")
    assert run.stderr == f"oauthkit: {shown} is not a valid host name. Set OAUTHKIT_HOST\n"
    assert run.touched == []


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        ({"expires_in": "5m"}, "the token in {} has expired, or has less than 5 min left"),
        ({"expires_at": "soon"}, "the token in {} has expired, or has less than 5 min left"),
        ({"raw": b"{}"}, "no claudeAiOauth object in {}"),
    ],
)
def test_login_without_a_live_token(publisher: Parity, login: dict[str, Any], problem: str) -> None:
    publisher.credentials(**login)
    run = publish(publisher, 1)
    path = publisher.home / ".claude/.credentials.json"
    assert run.stderr == f"oauthkit: {problem.format(path)}\n"
    assert run.touched == []


def test_refresh_publishes_at_its_end(refresher: Parity) -> None:
    run = refresher.run()
    assert (run.exit_code, run.stderr) == (0, "")
    assert json.loads(run.files[RECORD].content) == record(refresher)
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_missing_store_does_not_fail_the_refresh(refresher: Parity) -> None:
    refresher.delete("~/store")
    run = refresher.run()
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.messages[-2:] == [
        f"publish: oauthkit: the store {refresher.home}/store is not a directory."
        " Create or mount it",
        "WARN: the token was not published (exit 1)",
    ]
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


def test_store_that_hangs_does_not_block_the_refresh(refresher: Parity) -> None:
    refresher.remove("uname")
    refresher.tool("uname", Path(__file__).with_name("hangs.sh"))
    del refresher.env["OAUTHKIT_HOST"]
    run = refresher.run()
    assert run.exit_code == 0
    assert run.messages[-1] == "WARN: the token was not published (exit 124)"
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("file", [".env", "bearer.json"])
def test_file_that_cannot_be_written_does_not_stop_publishing(refresher: Parity, file: str) -> None:
    """A container could otherwise keep the token from other hosts."""
    refresher.env["OAUTHKIT_BEARER"] = "bearer.json"
    refresher.directory(file)
    run = refresher.run()
    assert run.exit_code == 1
    assert json.loads(run.files[RECORD].content) == record(refresher)


def test_failed_refresh_publishes_nothing(refresher: Parity) -> None:
    refresher.delete("~/.claude/.credentials.json")
    run = refresher.run()
    assert run.exit_code == 1
    assert RECORD not in run.files


def test_each_settings_error_is_a_line(publisher: Parity) -> None:
    publisher.file("scripts/oauth/refresh.conf", "a\nOAUTHKIT_HOST=$x\n")
    conf = publisher.project / "scripts/oauth/refresh.conf"
    assert publish(publisher, 1).stderr == (
        f"oauthkit: {conf} line 1 is not NAME=VALUE and is ignored\n"
        f"oauthkit: {conf} line 2 is ignored: it has $, a comment or extra spaces\n"
        "oauthkit: an error in refresh.conf may hide OAUTHKIT_STORE_RECIPIENTS. Fix refresh.conf\n"
    )
