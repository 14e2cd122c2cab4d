"""What the systemd user manager says about the timers of a project."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

LIMIT_S = 30
NEVER_US = 1 << 62
# systemd.unit(5), without the @ of a template; a file .NAME is passed over, and -NAME is a switch.
_NAME = re.compile(r"(?![.-])[A-Za-z0-9:_.\\-]{1,200}")


class ManagerError(HostError):
    """Raised when the user manager does not answer; the text says why."""


@dataclass(frozen=True)
class Timer:
    """A timer that is loaded; `next_s` is when it elapses, in s since the epoch, None if never."""

    unit: str
    next_s: float | None


def complaint(unit: str) -> str:
    """What is wrong with the name of a unit, without its suffix; "" if nothing is."""
    if _NAME.fullmatch(unit):
        return ""
    return (
        f"OAUTHKIT_UNIT is {unit[:60]!r}, no name of a unit: that is at most 200 letters, digits,"
        " : _ . and -, with no - or . in front"
    )


def environment() -> dict[str, str]:
    """The environment with a way to the user's bus, which a cron job or ssh may not have."""
    env = dict(os.environ)
    runtime = Path(f"/run/user/{os.getuid()}")
    if not env.get("XDG_RUNTIME_DIR") and runtime.is_dir():
        env["XDG_RUNTIME_DIR"] = str(runtime)
    return env


def ask(
    *arguments: str, statuses: Container[int] = frozenset({0}), limit_s: float = LIMIT_S
) -> str:
    """What `systemctl --user ARGUMENTS` prints.

    ManagerError if it is not there, or its exit status is not one of `statuses`.
    """
    argv = ["systemctl", "--user", "--no-pager", *arguments]
    try:
        done = subprocess.run(
            argv, capture_output=True, env=environment(), stdin=subprocess.DEVNULL, check=False,
            text=True, errors="replace", timeout=limit_s,
        )  # fmt: skip
    except FileNotFoundError:
        raise ManagerError("systemctl is not in PATH: this host has no systemd") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ManagerError(f"systemctl could not be asked: {error}") from None
    if done.returncode not in statuses:
        said = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[0]
        if "bus" in said or arguments[0] in ("list-timers", "show-environment"):
            raise ManagerError(f"the systemd user manager does not answer: {said}")
        raise ManagerError(f"systemctl --user {' '.join(arguments)} failed: {said}")
    return done.stdout


def pending_timers(units: Sequence[str]) -> list[Timer]:
    """The timers of these units (without suffix) that are loaded, the next one first.

    ManagerError if the manager cannot be asked.
    """
    names = {f"{unit}.timer" for unit in units}
    try:
        rows = json.loads(ask("list-timers", "--all", "--output=json")) or []
    except ValueError:
        raise ManagerError(
            "systemctl list-timers knows no JSON: systemd 246 or newer has it"
        ) from None
    timers = [Timer(row["unit"], _instant(row.get("next"))) for row in rows if row["unit"] in names]
    return sorted(timers, key=lambda timer: (timer.next_s is None, timer.next_s or 0.0))


def _instant(next_us: int | None) -> float | None:
    """An instant in s, of one in us; systemd says 0, null or its largest number for never."""
    return next_us / 1e6 if next_us and next_us < NEVER_US else None


def is_running(units: Sequence[str]) -> bool:
    """Whether a service of these units (without suffix) runs: its run arms the next timer."""
    try:
        shown = ask("is-active", *(f"{unit}.service" for unit in units), statuses=range(256))
    except ManagerError:
        return False
    return bool({"active", "activating"} & set(shown.split()))
