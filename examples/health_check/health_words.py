"""The runtime library of health_check. health_words.bash has the bash bodies."""

from __future__ import annotations

import re
import time


def pause(duration_ms: int) -> None:
    """Wait for `duration_ms` milliseconds."""
    time.sleep(duration_ms / 1000)


def is_plain_name(text: str) -> bool:
    """Return whether `text` consists of ASCII letters, digits, _ and -: it is a safe file name."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", text) is not None
