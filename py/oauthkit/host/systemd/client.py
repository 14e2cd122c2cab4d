"""Query the systemd user manager with systemctl."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.errors import HostError
from oauthkit.shell import is_unit_name

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

# Where systemd runs (sd_booted(3)).
BOOTED = Path("/run/systemd/system")
LIMIT_S = 30
NEVER_US = 1 << 62


class ManagerError(HostError):
    """Raised when the user manager does not answer. The text has the reason."""


@dataclass(frozen=True)
class Timer:
    """A loaded timer: `next_s` is when it elapses, in seconds since the epoch, or None if never."""

    unit: str
    next_s: float | None


def name_problem(unit: str) -> str:
    """Return what is wrong with a unit name (without suffix), or "" if nothing."""
    if is_unit_name(unit):
        return ""
    return (
        f"OAUTHKIT_UNIT is {unit[:60]!r}, which is not a unit name. Use at most 80 letters,"
        " digits, : _ . and -. The first character must not be - or a dot"
    )


def runtime_fix() -> str:
    """Return the command that corrects XDG_RUNTIME_DIR.

    Return "" if it is unset or right, or if no manager is running. After su, it can still be the
    previous user's.
    """
    runtime = Path(f"/run/user/{os.getuid()}")
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    is_right = given == "" or os.path.realpath(given) == str(runtime)
    has_bus = os.path.exists(runtime / "bus")  # noqa: PTH110 - Path.exists can raise
    return "" if is_right or not has_bus else f"export XDG_RUNTIME_DIR={runtime}"


def environment() -> dict[str, str]:
    """Return the environment with XDG_RUNTIME_DIR, which is often not set under cron or ssh."""
    env = dict(os.environ)
    runtime = Path(f"/run/user/{os.getuid()}")
    if not env.get("XDG_RUNTIME_DIR") and runtime.is_dir():
        env["XDG_RUNTIME_DIR"] = str(runtime)
    return env


def systemctl(
    *arguments: str, statuses: Container[int] = frozenset({0}), limit_s: float = LIMIT_S
) -> str:
    """Return the output of `systemctl --user ARGUMENTS`.

    Raise ManagerError if it is missing, or its exit status is not one of `statuses`.
    """
    argv = ["systemctl", "--user", "--no-pager", *arguments]
    try:
        done = subprocess.run(
            argv, capture_output=True, env=environment(), stdin=subprocess.DEVNULL, check=False,
            text=True, errors="replace", timeout=limit_s,
        )  # fmt: skip
    except FileNotFoundError:
        more = "" if BOOTED.is_dir() else ": this host has no systemd"
        raise ManagerError(f"systemctl is not in PATH{more}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ManagerError(f"systemctl could not be run: {error}") from None
    if done.returncode not in statuses:
        problem = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[0]
        if "bus" in problem or arguments[0] in ("list-timers", "show-environment"):
            raise ManagerError(f"the systemd user manager does not answer: {problem}")
        raise ManagerError(f"systemctl --user {' '.join(arguments)} failed: {problem}")
    return done.stdout


def pending_timers(units: Sequence[str]) -> list[Timer]:
    """Return the loaded timers with these names (without suffix), the next one first.

    Raise ManagerError if the manager does not answer.
    """
    names = {f"{unit}.timer" for unit in units}
    try:
        rows = json.loads(systemctl("list-timers", "--all", "--output=json") or "[]") or []
    except ValueError:
        raise ManagerError(
            "systemctl list-timers cannot print JSON. Use systemd 246 or newer"
        ) from None
    timers = [Timer(row["unit"], _instant(row.get("next"))) for row in rows if row["unit"] in names]
    return sorted(timers, key=lambda timer: (timer.next_s is None, timer.next_s or 0.0))


def _instant(next_us: int | None) -> float | None:
    """Convert a time from us to s; None for never, which is 0, null or the largest number."""
    return next_us / 1e6 if next_us and next_us < NEVER_US else None


def is_enabled(unit: str) -> bool:
    """Return whether a unit is started with the manager."""
    return systemctl("is-enabled", unit, statuses=range(256)).strip() == "enabled"
