"""Whole runs in this process, and their results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.refresh.fake_host import HOUR_MS, NOW_MS, TOKEN

from oauthkit.program import refresh

if TYPE_CHECKING:
    from pytest_subprocess.process_recorder import ProcessRecorder
    from tests.support.refresh.fake_host import Host


TOKEN_LINE = f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


FRESH = f"Token still fresh (remaining_ms={HOUR_MS}), syncing to .env"


UPDATED = f"Updated .env with token (expires_at={NOW_MS + HOUR_MS})"


SCHEDULED = "Scheduled next refresh at 2026-01-02T03:34:05+00:00"


RETRY = "Scheduled next refresh at 2026-01-02T03:09:05+00:00"


def run(host: Host, mode: str = "") -> int:
    return refresh.refresh(host.path(host.project), mode)


def failing_mark(host: Host) -> Path:
    return host.logs / "oauth-refresh.failing"


def hook_environment(recorder: ProcessRecorder) -> dict[str, str]:
    """Return a hook's OAUTHKIT_ variables, without the prefix."""
    how = recorder.calls[0].kwargs
    assert how is not None
    prefix = "OAUTHKIT_"
    return {
        name.removeprefix(prefix): value
        for name, value in how["env"].items()
        if name.startswith(prefix)
    }
