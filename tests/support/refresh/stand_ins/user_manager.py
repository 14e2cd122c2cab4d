"""A model of a systemd user manager with transient timers. It is not a stand-in itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oauthkit.parity.recorder import Call

STATE = "systemd"

# systemd.unit(5): the valid characters of a unit name. systemd-run and systemctl escape others.
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")
LONGEST_NAME = 255
SUFFIXES = (".timer", ".service")

NO_BUS_SETTING = b"Failed to connect to bus: No medium found\n"
NO_BUS = b"Failed to connect to bus: No such file or directory\n"


class RefusedError(Exception):
    """Raised with the real manager's error message."""


def load(call: Call) -> dict[str, Any]:
    """Returns the loaded units: timers by name, and services that run or have failed."""
    state: dict[str, Any] = call.state(STATE, {"timers": {}, "services": {}})
    return state


def bus_error(call: Call) -> bytes:
    """Returns the client's error if it cannot reach the manager, or b""."""
    import os  # noqa: PLC0415 - the kit and two stand-ins load this module

    runtime = call.env.get("XDG_RUNTIME_DIR", "")
    if not runtime:
        return NO_BUS_SETTING
    return b"" if os.path.isdir(runtime) else NO_BUS  # noqa: PTH112 - pathlib loads slowly


def mangle(name: str, suffix: str) -> str:
    """Returns the unit name as the clients complete it: characters escaped, missing suffix added.

    Raises RefusedError if the result is not a unit name.
    """
    escaped = "".join(
        character
        if character in NAME_CHARACTERS
        else "-"
        if character == "/"
        else "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in name
    )
    if not escaped.endswith(SUFFIXES):
        escaped += suffix
    stem = escaped.rpartition(".")[0]
    if not name or not stem or len(escaped) > LONGEST_NAME or stem.startswith("@"):
        raise RefusedError("Failed to mangle unit name: Invalid argument")
    return escaped


def is_loaded(state: dict[str, Any], unit: str) -> bool:
    """Returns whether the manager has loaded the unit: a timer loads the service that it starts."""
    name, _, kind = unit.rpartition(".")
    if kind == "timer":
        return name in state["timers"]
    return name in state["services"] or name in state["timers"]


def start_timer(state: dict[str, Any], name: str, timer: dict[str, Any]) -> None:
    """Loads the transient NAME.timer and its service. Raises RefusedError if a name is in use."""
    for unit in (f"{name}.timer", f"{name}.service"):
        if is_loaded(state, unit):
            raise RefusedError(
                f"Failed to start transient timer unit: Unit {unit} was already loaded "
                "or has a fragment file."
            )
    state["timers"][name] = timer


def stop(state: dict[str, Any], unit: str) -> None:
    """Stops one unit. This removes a transient timer. Raises RefusedError if it is not loaded."""
    if not is_loaded(state, unit):
        raise RefusedError(f"Failed to stop {unit}: Unit {unit} not loaded.")
    name, _, kind = unit.rpartition(".")
    if kind == "timer":
        del state["timers"][name]


def reset_failed(state: dict[str, Any], unit: str) -> None:
    """Resets a failed unit, which unloads it. Raises RefusedError if it is not loaded."""
    if not is_loaded(state, unit):
        raise RefusedError(f"Failed to reset failed state of unit {unit}: Unit {unit} not loaded.")
    name, _, kind = unit.rpartition(".")
    if kind == "service" and state["services"].get(name) == "failed":
        del state["services"][name]


def fire(state: dict[str, Any], name: str) -> None:
    """Makes NAME.timer elapse: its service runs, and the timer waits for the service to end."""
    state["timers"][name]["is_pending"] = False
    state["services"][name] = "running"


def finish(state: dict[str, Any], name: str, *, has_failed: bool) -> None:
    """Ends NAME.service and removes its timer. A failed service without --collect stays loaded."""
    timer = state["timers"].pop(name, None)
    del state["services"][name]
    if has_failed and not (timer and timer["collect"]):
        state["services"][name] = "failed"
