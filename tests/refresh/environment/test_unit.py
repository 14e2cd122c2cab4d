"""Changes of a run in this process to its environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from plumbum import local
from tests.support.refresh.fake_host import HOUR_MS, TOKEN
from tests.support.refresh.whole_run import run

from oauthkit.program import start

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host


def test_variables_that_shadow_the_login_are_removed(ready: Host) -> None:
    names = ["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]
    names += ["CLAUDE_CODE_SIMPLE", "CLAUDECODE"]
    for name in names:
        local.env[name] = "x"
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert not [name for name in names if name in local.env]


def test_core_dumps_are_disabled_first(host: Host) -> None:
    calls: list[None] = []
    host.monkeypatch.setattr(start, "disable_core_dumps", lambda: calls.append(None))
    del local.env["HOME"]
    run(host)
    assert calls == [None]


def test_umask_is_set_first(host: Host) -> None:
    del local.env["HOME"]
    run(host)
    assert os.umask(0o022) == 0o077
