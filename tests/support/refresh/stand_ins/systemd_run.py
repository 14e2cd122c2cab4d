"""Stands in for systemd-run: accepts and rejects a transient timer as systemd 252 does."""

from __future__ import annotations

import os

from tests.support.refresh.stand_ins import user_manager
from tests.support.refresh.stand_ins.user_manager import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oauthkit.parity.recorder import Call

FLAGS = {"--user": "user", "--quiet": "quiet", "-q": "quiet", "--collect": "collect",
         "-G": "collect"}  # fmt: skip
VALUES = (
    "--unit", "--description", "--on-calendar", "--on-active", "--timer-property", "--property",
    "--setenv",
)  # fmt: skip
# systemd.service(5), Restart=.
RESTARTS = frozenset({
    "no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always",
})  # fmt: skip
UNITS_US = frozenset({"us", "ms", "s", "sec", "m", "min", "h", "hr", "d"})
LETTERS = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
# systemd cannot represent later times.
LATEST_S = 253402300799


def arms(call: Call) -> int:
    """Creates the requested timer, or prints the real program's error and exits with 1."""
    try:
        return _arm(call)
    except RefusedError as error:
        call.print(stderr=f"{error}\n".encode("utf-8", "surrogateescape"))
        return 1


def _arm(call: Call) -> int:
    options, command = _options(call)
    if not options["user"]:
        call.refuse("without --user")
    when_s = _instant(call, options["on_calendar"])
    if when_s <= call.now_s:
        call.print(stderr=b"Specified calendar expression is in the past, proceeding anyway.\n")
    _check_property(call, f"OnActiveSec={options['on_active']}", spans=("OnActiveSec",))
    setenv = dict(_assignment(call, text) for text in options["setenv"])
    for text in options["timer_property"]:
        _check_property(call, text, spans=("AccuracySec",))
    for text in options["property"]:
        _check_property(call, text, spans=("RuntimeMaxSec", "RestartSec"))
    if not command:
        raise RefusedError("Command line to execute required.")
    _check_executable(command[0], call.env.get("PATH", ""))
    complaint = user_manager.bus_error(call)
    if complaint:
        call.print(stderr=complaint)
        return 1
    if "unit" not in options:
        call.refuse("no --unit")
    unit = user_manager.mangle(options["unit"], ".timer")
    name = unit.rpartition(".")[0]
    with call.lock():
        state = user_manager.load(call)
        timer = {
            "is_pending": True,
            "when_s": when_s,
            "command": command,
            "setenv": setenv,
            "collect": options["collect"],
            "description": options["description"],
            "latest": options["on_active"],
            "properties": options["timer_property"],
            "service_properties": options["property"],
        }
        user_manager.start_timer(state, name, timer)
        if when_s <= call.now_s:
            del state["timers"][name]  # never elapses, and is not kept
        call.keep(user_manager.STATE, state)
    if not options["quiet"]:
        message = f"Running timer as unit: {name}.timer\nWill run service as unit: {name}.service\n"
        call.print(stderr=message.encode("utf-8", "surrogateescape"))
    return 0


def _options(call: Call) -> tuple[dict[str, Any], list[str]]:
    """Returns the options before the command, and the command, as getopt_long parses them."""
    options: dict[str, Any] = {
        "user": False, "quiet": False, "collect": False, "description": "",
        "on_calendar": "", "on_active": "1s", "timer_property": [], "property": [], "setenv": [],
    }  # fmt: skip
    rest = list(call.argv)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        name, has_value, value = option.partition("=")
        key = name[2:].replace("-", "_")
        if option in FLAGS:
            options[FLAGS[option]] = True
        elif name not in VALUES:
            call.refuse(f"the option {option}")
        elif not has_value and not rest:
            raise RefusedError(f"systemd-run: option '{name}' requires an argument")
        else:
            value = value if has_value else rest.pop(0)
            if isinstance(options.get(key), list):
                options[key].append(value)
            else:
                options[key] = value
    return options, rest


def _instant(call: Call, text: str) -> int:
    """Returns the second of --on-calendar. `@N` is exact. Rejects times that depend on a zone."""
    if text.startswith("@"):
        number = text[1:]
        if not number or any(digit not in DIGITS for digit in number):
            raise RefusedError("Failed to parse calendar event specification: Invalid argument")
        if int(number) > LATEST_S:
            raise RefusedError(
                "Failed to parse calendar event specification: Numerical result out of range"
            )
        return int(number)
    if not text:
        call.refuse("no --on-calendar")
    if any(character in DIGITS for character in text):
        call.refuse(f"a calendar time that is no @SECONDS: {text}")
    raise RefusedError("Failed to parse calendar event specification: Invalid argument")


def _assignment(call: Call, text: str) -> tuple[str, str]:
    name, has_value, value = text.partition("=")
    is_name = name and name[0] in LETTERS and all(c in LETTERS + DIGITS for c in name)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        is_name = ""
    if not is_name:
        raise RefusedError(f"Cannot assign environment variable {text}: Invalid argument")
    if not has_value:
        call.refuse(f"--setenv={text} without a value")
    return name, value


def _check_property(call: Call, text: str, spans: tuple[str, ...]) -> None:
    """Rejects invalid time spans for properties in `spans`, and invalid kinds of restart."""
    name, _, value = text.partition("=")
    if name == "Restart" and "RestartSec" in spans:
        if value not in RESTARTS:
            what = f"Invalid {name} setting: {value}"
            raise RefusedError(f"Failed to start transient timer unit: {what}")
        return
    if name == "IgnoreSIGPIPE" and "RestartSec" in spans:
        if value not in ("yes", "no"):
            raise RefusedError(f"Failed to parse {name}= value: {value}.")
        return
    if "RestartSec" in spans and text in ("WorkingDirectory=/", "LimitCORE=0"):
        return
    if name not in spans:
        call.refuse(f"the property {text}")
    unit = value.lstrip(DIGITS)
    if unit == value or unit not in UNITS_US:
        raise RefusedError(f"Failed to parse {text}: Invalid argument")


def _check_executable(program: str, path: str) -> None:
    directories = (
        [""] if "/" in program else [f"{directory}/" for directory in path.split(":") if directory]
    )
    if not any(os.access(directory + program, os.X_OK) for directory in directories):
        raise RefusedError(f"Failed to find executable {program}: No such file or directory")
