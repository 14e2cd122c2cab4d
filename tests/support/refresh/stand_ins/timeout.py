"""Stands in for timeout(1): runs the real program with short limits."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oauthkit.parity.recorder import Call

REAL = "/usr/bin/timeout"


def shortens(call: Call, limit_s: float = 0.5, grace_s: float = 0.5) -> int:
    """Runs `timeout -k GRACE LIMIT COMMAND…` with these limits instead of the requested ones."""
    if call.argv[:1] != ["-k"] or len(call.argv) < 4:
        call.refuse(f"{call.argv}")
    argv = ["timeout", "-k", str(grace_s), str(limit_s), *call.argv[3:]]
    os.execv(REAL, [word.encode("utf-8", "surrogateescape") for word in argv])  # noqa: S606
