"""The words of health_check that oauthkit.shell lacks; health_words.bash has their bash halves."""

from __future__ import annotations

import re
import time


def pause(duration_ms: int) -> None:
    """Does nothing for `duration_ms` milliseconds."""
    time.sleep(duration_ms / 1000)


def is_plain_name(text: str) -> bool:
    """Whether `text` is of ASCII letters, digits, _ and -, and so safe as the name of a file."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", text) is not None
