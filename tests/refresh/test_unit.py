"""A whole refresh in this process: steps, exit status, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.refresh.fake_host import HOUR_MS, TOKEN
from tests.support.refresh.whole_run import FRESH, SCHEDULED, TOKEN_LINE, UPDATED, failing_mark, run

if TYPE_CHECKING:
    import pytest
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
