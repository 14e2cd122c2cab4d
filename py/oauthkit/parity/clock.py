"""Freeze the clock of both forms, without test code in the program."""

from __future__ import annotations

import datetime as dt
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from oauthkit.parity import recorder

if TYPE_CHECKING:
    from pathlib import Path

# 2026-01-02T03:04:05Z. Its parts are all different, so that swapped ones are noticed.
DEFAULT_NOW_S = 1767323045


# An assignment to EPOCHSECONDS has no effect until it is unset and loses its special meaning
# (bash(1), Shell Variables).
BASH_ENV_TEXT = """\
unset EPOCHSECONDS EPOCHREALTIME
EPOCHSECONDS={now_s}
EPOCHREALTIME={now_s}.000000
"""

# The same for a clock that sleep advances. In bash, a function lets the shell that sleeps see the
# new time.
VIRTUAL_BASH_ENV_TEXT = """\
unset EPOCHSECONDS EPOCHREALTIME
IFS= read -r EPOCHREALTIME <{now}
EPOCHSECONDS=${{EPOCHREALTIME%.*}} EPOCHREALTIME=${{EPOCHREALTIME%???}}
sleep() {{
  command sleep "$@" && IFS= read -r EPOCHREALTIME <{now} &&
    EPOCHSECONDS=${{EPOCHREALTIME%.*}} EPOCHREALTIME=${{EPOCHREALTIME%???}}
}}
"""

VIRTUAL_SITECUSTOMIZE_TEXT = '''"""A clock that sleep advances."""

import time


def _recorder():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("_parity_recorder", {recorder!r})
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _time_ns():
    with open({now!r}, encoding="ascii") as file:
        return int(file.read().replace(".", ""))


def _sleep(seconds, _real=time.sleep):
    if not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        return _real(seconds)
    _recorder().sleep({control!r}, seconds)


time.time = lambda: _time_ns() / 10**9
time.time_ns = _time_ns
time.sleep = _sleep
'''

# Monotonic time continues, so that timeouts and sleeps end.
SITECUSTOMIZE_TEXT = '''"""A frozen clock."""

import time

time.time = lambda: {now_s}.0
time.time_ns = lambda: {now_s} * 10**9
'''


def write_frozen_clock(control: Path, now_s: int, *, is_virtual: bool = False) -> dict[str, str]:
    """Write the files that freeze both clocks at `now_s`. Return the variables that load them.

    If the clock is virtual, sleeps advance it.
    """
    now = control / recorder.NOW
    now.unlink(missing_ok=True)
    values: dict[str, Any] = {"now_s": now_s}
    texts = (BASH_ENV_TEXT, SITECUSTOMIZE_TEXT)
    if is_virtual:
        now.write_bytes(recorder.clock_text(now_s * 10**9))
        values = {"now": shlex.quote(str(now)), "control": str(control)}
        texts = (VIRTUAL_BASH_ENV_TEXT, VIRTUAL_SITECUSTOMIZE_TEXT)
    directory = control / "clock"
    directory.mkdir(exist_ok=True)
    bash_env = directory / "bash_env"
    bash_env.write_text(texts[0].format(**values), "utf-8", "surrogateescape")
    python = directory / "python"
    # Python would use cached code with another time for a file of the same second.
    shutil.rmtree(python, ignore_errors=True)
    python.mkdir()
    values |= {"now": str(now), "recorder": recorder.__file__}
    (python / "sitecustomize.py").write_text(texts[1].format(**values), "utf-8", "surrogateescape")
    return {"BASH_ENV": str(bash_env), "PYTHONPATH": str(python)}


def epoch_s(instant: int | str) -> int:
    """Parse a time into seconds since the epoch: a number, or text like 2026-01-02T03:04:05Z."""
    if isinstance(instant, int):
        return instant
    moment = dt.datetime.fromisoformat(instant.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone. End it with Z or an offset")
    return int(moment.timestamp())
