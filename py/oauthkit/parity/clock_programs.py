"""Implement date and sleep with the sandbox's clock. This runs in the stand-in."""
# ruff: noqa: PLC0415
# PLC: imports at the top would slow down the start.

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from oauthkit.parity.recorder import Call

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Times that do not depend on the clock: @1767323045, a date with an optional time and zone, and
# the times of openssl, of e-mail and HTTP (RFC 5322, RFC 9110), and of date itself.
DAY = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
MONTH = r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
ZONE = r"(Z|UTC|GMT|[-+]\d\d(:?\d\d)?)"
ABSOLUTE = (
    r"@-?\d+(\.\d+)?"
    rf"|\d{{4}}-\d\d-\d\d([T ]+\d\d:\d\d(:\d\d(\.\d+)?)?( ?{ZONE})?)?"
    rf"|{MONTH} \d\d? \d\d:\d\d:\d\d \d{{4}} {ZONE}"
    rf"|({DAY}, )?\d\d? {MONTH} \d{{4}} \d\d:\d\d(:\d\d)? {ZONE}"
    rf"|{DAY} {MONTH} \d\d? \d\d:\d\d:\d\d {ZONE} \d{{4}}"
)
# Relative times that keep the time of day, such as 30 days ago. monday and 10:00 change it.
UNIT = r"(sec(ond)?|min(ute)?|hour|day|week|fortnight|month|year)s?"
TERM = rf"(now|today|yesterday|tomorrow|([-+]? ?\d+|next|last) ?{UNIT}( ago)?)"
RELATIVE = rf"{TERM}( {TERM})*"
# The options of date(1) with a value, except those whose value is optional.
VALUES = {"d": "date", "f": "file", "r": "reference", "s": "set"}
FLAGS = ("debug", "help", "iso-8601", "resolution", "rfc-3339", "rfc-email", "universal", "version")


def sleeps(call: Call) -> int:
    """Advance the clock without waiting. The operands are those of GNU coreutils' sleep(1)."""
    total = 0.0
    for argument in call.argv:
        unit = argument[-1:] if argument[-1:] in UNITS_S else ""
        try:
            seconds = float(argument.removesuffix(unit))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            call.refuse(f"sleep {argument}")
        total += seconds * UNITS_S[unit or "s"]
    if not call.argv:
        call.refuse("sleep without an argument")
    call.sleep(total)
    return 0


def shows_time(call: Call, program: str) -> NoReturn:
    """Run the real date(1) with arguments that show the frozen clock."""
    call.execute(program, on_frozen_clock(call))


def on_frozen_clock(call: Call) -> list[str]:
    """Return the arguments with which date(1) shows the frozen clock."""
    options, rest = _parse(call)
    now = f"@{call.now_ns // 10**9}.{call.now_ns % 10**9:09d}".removesuffix(".000000000")
    if any(name in {"file", "set"} for name, _ in options):
        call.refuse(f"date --{options[0][0]}")
    dates = [value for name, value in options if name == "date"]
    time = _time(call, dates[-1], is_utc=any(map(_is_utc, rest))) if dates else now
    if dates[-1:] == [time] or any(name == "reference" for name, _ in options):
        return call.argv
    return ["-d", time, *rest]


def _parse(call: Call) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options that set a time, with their values, and the other arguments."""
    options = []
    others = []
    words = iter(call.argv)
    for word in words:
        if word == "--" or not word.startswith("-"):
            others.append(word)
            continue
        if word.startswith("--"):
            name, has_value, value = word[2:].partition("=")
            names = [full for full in (*VALUES.values(), *FLAGS) if full.startswith(name)]
            if names and names[0] in VALUES.values():
                options.append((names[0], value if has_value else next(words, "")))
            else:
                others.append(word)
            continue
        letter = next((n for n, c in enumerate(word) if c in VALUES or c == "I"), None)
        if letter is None or word[letter] == "I":
            others.append(word)
            continue
        others += [word[:letter]] if letter > 1 else []
        options.append((VALUES[word[letter]], word[letter + 1 :] or next(words, "")))
    return options, others


def _is_utc(word: str) -> bool:
    """Return whether an argument is or contains the option -u."""
    return word.startswith("--u") if word.startswith("--") else word[:1] == "-" and "u" in word


def _time(call: Call, text: str, *, is_utc: bool) -> str:
    """Return the operand of -d that means the same at the frozen time."""
    import re
    import time

    words = " ".join(text.split())
    if re.fullmatch(ABSOLUTE, words):
        return text
    now_s = call.now_ns // 10**9
    of_zone = time.gmtime if is_utc else time.localtime
    local = of_zone(now_s)
    # The local time is ambiguous in an hour that a time zone repeats.
    is_twice = any(of_zone(now_s + shift)[:6] == local[:6] for shift in (-3600, -1800, 1800, 3600))
    if is_twice or not re.fullmatch(RELATIVE, words, re.IGNORECASE):
        call.refuse(f"date -d {text!r}. Plan an answer: parity.forward('date').when(...)")
    # The relative part comes first, because +2 after a time of day is a time zone.
    return f"{words} {time.strftime('%F %T', local)}.{call.now_ns % 10**9:09d}"
