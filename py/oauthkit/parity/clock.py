"""Freeze the clock of both forms, without test code in the program."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# 2026-01-02T03:04:05Z. Its parts are all different, so that swapped ones are noticed.
DEFAULT_NOW_S = 1767323045

UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}

# An assignment to EPOCHSECONDS has no effect until it is unset and loses its special meaning
# (bash(1), Shell Variables).
BASH_ENV_TEXT = """\
unset EPOCHSECONDS EPOCHREALTIME
EPOCHSECONDS={now_s}
EPOCHREALTIME={now_s}.000000
"""

# Monotonic time continues, so that timeouts and sleeps end.
SITECUSTOMIZE_TEXT = '''"""A frozen clock."""

import time

time.time = lambda: {now_s}.0
time.time_ns = lambda: {now_s} * 10**9
'''


def write_frozen_clock(directory: Path, now_s: int) -> dict[str, str]:
    """Write the files that freeze both clocks at `now_s`. Return the variables that load them."""
    directory.mkdir(exist_ok=True)
    bash_env = directory / "bash_env"
    bash_env.write_text(BASH_ENV_TEXT.format(now_s=now_s), "ascii")
    python = directory / "python"
    # Python would use cached code with another time for a file of the same second.
    shutil.rmtree(python, ignore_errors=True)
    python.mkdir()
    (python / "sitecustomize.py").write_text(SITECUSTOMIZE_TEXT.format(now_s=now_s), "ascii")
    return {"BASH_ENV": str(bash_env), "PYTHONPATH": str(python)}


def seconds(duration: float | str) -> int:
    """Parse a duration into seconds: a number, or text like `8h`, `-1h`, `5m1s`.

    Raises ValueError for any other text.
    """
    if not isinstance(duration, str):
        return int(duration)
    if re.fullmatch(r"-?(\d+[dhms])+", duration) is None:
        raise ValueError(f"{duration!r} is not a duration. Write it like 8h, -1h or 5m1s")
    total = sum(int(n) * UNITS_S[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration))
    return -total if duration.startswith("-") else total


def epoch_s(instant: int | str) -> int:
    """Parse a time into seconds since the epoch: a number, or text like 2026-01-02T03:04:05Z."""
    if isinstance(instant, int):
        return instant
    moment = dt.datetime.fromisoformat(instant.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone. End it with Z or an offset")
    return int(moment.timestamp())
