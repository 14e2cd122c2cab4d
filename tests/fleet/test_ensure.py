"""refresh --ensure and --rejected on a host without a login: they follow the store once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

TOKEN = "sk-ant-oat01-made-up-a"


@pytest.fixture(autouse=True)
def record(loginless: Parity) -> None:
    """Publish a record of the host a, whose token has an hour left."""
    values = {
        "version": 1, "host": "a", "access_token": TOKEN,
        "expires_at_ms": (loginless.now_s + 3600) * 1000, "issued_at_ms": loginless.now_s * 1000,
    }  # fmt: skip
    loginless.file("~/store/a.json", json.dumps(values) + "\n", 0o600)


@pytest.mark.parametrize("mode", ["--ensure", "--rejected"])
def test_live_token_of_the_store_is_delivered(loginless: Parity, mode: str) -> None:
    run = loginless.run(mode)
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    assert not run.timers
    assert not run.calls("claude")


def test_rejected_token_is_replaced_by_another(loginless: Parity) -> None:
    loginless.run("--ensure")
    values = {
        "version": 1, "host": "b", "access_token": "sk-ant-oat01-made-up-b",
        "expires_at_ms": (loginless.now_s + 1800) * 1000, "issued_at_ms": loginless.now_s * 1000,
    }  # fmt: skip
    loginless.file("~/store/b.json", json.dumps(values) + "\n", 0o600)
    run = loginless.run("--rejected")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-b\n"


def test_error_is_reported(loginless: Parity) -> None:
    loginless.delete("~/store/a.json")
    run = loginless.run("--ensure")
    store = loginless.env["OAUTHKIT_STORE"]
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.messages == [f"ERROR: {store} has no record of a live token"]
    assert run.stderr.endswith(f"{run.messages[0]}\n")
    assert not run.timers


def test_store_in_the_settings_file_is_followed(loginless: Parity) -> None:
    store = loginless.env.pop("OAUTHKIT_STORE")
    loginless.file("scripts/oauth/refresh.conf", f"OAUTHKIT_STORE={store}\n")
    run = loginless.run("--ensure")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("has_store", [True, False])
def test_missing_login_is_an_error_otherwise(
    loginless: Parity,
    has_store: bool,
) -> None:
    """A publisher must notice that its login is gone."""
    if not has_store:
        del loginless.env["OAUTHKIT_STORE"]
    run = loginless.run(*([] if has_store else ["--ensure"]))
    assert run.exit_code == 1
    assert any(line.endswith(".credentials.json not found") for line in run.messages)
    assert ".env" not in run.files


def test_login_is_refreshed_although_there_is_a_store(loginless: Parity) -> None:
    loginless.credentials("sk-ant-oat01-made-up-own")
    loginless.script("publish")
    run = loginless.run("--ensure")
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-own\n"


def test_follower_does_not_use_a_login_of_its_host(loginless: Parity) -> None:
    loginless.run("--ensure")
    loginless.credentials("sk-ant-oat01-made-up-own")
    loginless.dotenv("")
    run = loginless.run("--ensure")
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    assert not run.timers


def test_full_refresh_with_a_login_ends_following(loginless: Parity) -> None:
    loginless.run("--ensure")
    loginless.credentials("sk-ant-oat01-made-up-own")
    loginless.script("publish")
    own = "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-own\n"
    assert loginless.run().dotenv == own
    assert loginless.run("--ensure").dotenv == own


def test_full_refresh_of_a_follower_without_a_login_follows(loginless: Parity) -> None:
    loginless.run("--ensure")
    loginless.dotenv("")
    run = loginless.run()
    assert (run.exit_code, run.dotenv) == (0, f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n")
    assert not run.timers
