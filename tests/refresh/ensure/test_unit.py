"""--ensure in this process: silent for a delivered, live token, otherwise a full run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, TOKEN
from tests.support.refresh.whole_run import TOKEN_LINE, run

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host


@pytest.mark.parametrize(
    ("remaining_ms", "text", "done"),
    [(HOUR_MS, TOKEN_LINE, True), (5 * MINUTE_MS, TOKEN_LINE, False), (HOUR_MS, "", False)],
)
def test_ensure(ready: Host, remaining_ms: int, text: str, done: bool) -> None:
    host = ready
    host.dotenv.write_text(text, encoding="utf-8")
    is_due = remaining_ms == 5 * MINUTE_MS  # it is read again under the login lock
    for _ in range(1 if done else 3 if is_due else 2):
        host.credentials_are(TOKEN, remaining_ms)
    before = sorted(host.logs.iterdir())
    # A token with 5 min left is renewed first, and there is no claude.
    assert run(host, "ensure") == (1 if is_due else 0)
    assert (host.names() == ["jq"]) is done
    assert (host.lines() == []) is done
    assert (sorted(host.logs.iterdir()) == before) is done
