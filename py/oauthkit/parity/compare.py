"""Compare the outcomes of two forms byte for byte, except for allowed differences."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from oauthkit.parity.format_values import alike, collapse, command, exit_status, numbers, readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oauthkit.parity.outcome import Call, Entry, Outcome
    from oauthkit.parity.runner import Form

OWN_COMMAND = "(the command that starts this form)"
MISSING = "(none)"
# In a longer sequence of equal calls, the middle is omitted.
SHOWN_ALIKE = 4
# The maximum number of consecutive lines that are shown if only one side has them.
SHOWN_LINES = 8
# Of longer commands, only the arguments that differ are shown.
SHORT_COMMAND = 160
# For longer texts, the offset of the first different byte is shown.
LONG_TEXT = 80


@dataclass(frozen=True)
class Allowed:
    """A difference that two forms cannot avoid, with its reason.

    `variables` are environment variables of a call that are not compared. `own_command_of` is a
    program to which the form passes, after `--`, the command that restarts the form. It must equal
    `Form.own_command`, in the arguments and in the program's state. `stderr` is a regular
    expression for whole lines of stderr. Matching lines are not compared in this run. If no line
    matches, the run fails.
    """

    reason: str
    variables: frozenset[str] = frozenset()
    own_command_of: str = ""
    stderr: str | re.Pattern[str] = ""


@dataclass(frozen=True)
class Difference:
    """A difference: what differs, and its value on each side.

    `rows` are used for several lines, each with its side: left, right or both.
    """

    what: str
    left: str
    right: str
    rows: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)


def compare(left: Outcome, right: Outcome, allowed: Sequence[Allowed]) -> list[Difference]:
    """Return all differences between two outcomes that are not allowed."""
    differences: list[Difference] = []

    def check(what: str, one: Any, other: Any) -> None:
        if one != other:
            differences.append(Difference(what, show(one), show(other)))

    check("exit status", exit_status(left.exit_code), exit_status(right.exit_code))
    for stream in ("stdout", "stderr"):
        differences += _texts(stream, getattr(left, stream), getattr(right, stream))
    differences += _calls(_masked(left, allowed), _masked(right, allowed), allowed)
    differences += _files(left.files, right.files)
    only_left, only_right = _both_ways(left.touched, right.touched)
    check("files that were written", only_left, only_right)
    one, other = (_masked_state(outcome, allowed) for outcome in (left, right))
    for name in sorted({*one, *other}):
        check(f"state of the stand-ins: {name}", one.get(name, MISSING), other.get(name, MISSING))
    return differences


def own_command_problems(
    outcome: Outcome, allowed: Sequence[Allowed], forms: Sequence[Form]
) -> list[str]:
    """Return a problem for each call that schedules anything except one of `forms`."""
    own = [form.own_command(outcome.world) for form in forms]
    programs = {entry.own_command_of for entry in allowed if entry.own_command_of}
    problems = []
    for call in outcome.calls:
        if call.program not in programs:
            continue
        if _tail(call) not in own:
            problems.append(
                f"{call.program} must get, after --, the form's own command\n"
                f"      expected {' or '.join(map(show, own))}\n      got      {show(_tail(call))}"
            )
    return problems


def without_allowed_lines(outcomes: Sequence[Outcome], allowed: Sequence[Allowed]) -> list[Outcome]:
    """Return the outcomes without the lines of stderr that are allowed to differ.

    A pattern that matches no line of either form is a problem of both.
    """
    patterns = {re.compile(entry.stderr): entry for entry in allowed if entry.stderr}
    if not patterns:
        return [*outcomes]
    unused = {*patterns}
    remaining = []
    for outcome in outcomes:
        kept = []
        for line in re.findall(rb"[^\n]*\n|[^\n]+", outcome.stderr):
            text = line.decode("utf-8", "surrogateescape").removesuffix("\n")
            found = {pattern for pattern in patterns if pattern.fullmatch(text)}
            unused -= found
            kept += [] if found else [line]
        remaining.append(replace(outcome, stderr=b"".join(kept)))
    if len(remaining) > 1:  # the form that does not run may have the line
        problems = [
            f"no line of stderr matches {pattern.pattern!r}, which is allowed\n      {entry.reason}"
            for pattern, entry in patterns.items()
            if pattern in unused
        ]
        for outcome in remaining:
            outcome.problems += problems
    return remaining


def show(value: Any) -> str:
    """Format a value as one line. A list of arguments has Python's syntax."""
    return value if isinstance(value, str) else repr(value)


def _tail(call: Call) -> list[str]:
    return call.argv[call.argv.index("--") + 1 :] if "--" in call.argv else []


def _masked(outcome: Outcome, allowed: Sequence[Allowed]) -> list[tuple[Call, list[str]]]:
    """Return each call with its arguments, in which a placeholder replaces the own command."""
    own = outcome.form.own_command(outcome.world)
    programs = {entry.own_command_of for entry in allowed if entry.own_command_of}
    return [
        (call, [*call.argv[: -len(own)], OWN_COMMAND])
        if own and call.program in programs and _tail(call) == own
        else (call, call.argv)
        for call in outcome.calls
    ]


def _masked_state(outcome: Outcome, allowed: Sequence[Allowed]) -> dict[str, Any]:
    own = outcome.form.own_command(outcome.world)

    def mask(value: Any) -> Any:
        if own and value == own:
            return OWN_COMMAND
        if isinstance(value, dict):
            return {key: mask(item) for key, item in value.items()}
        return [mask(item) for item in value] if isinstance(value, list) else value

    is_allowed = any(entry.own_command_of for entry in allowed)
    return {k: mask(v) if is_allowed else v for k, v in outcome.state.items()}


def _calls(
    left: list[tuple[Call, list[str]]],
    right: list[tuple[Call, list[str]]],
    allowed: Sequence[Allowed],
) -> Iterator[Difference]:
    ignored = frozenset().union(*(entry.variables for entry in allowed))
    keys = [[(call.program, *argv) for call, argv in calls] for calls in (left, right)]
    programs = [[key[0] for key in side] for side in keys]
    is_other_order = keys[0] != keys[1] and Counter(keys[0]) == Counter(keys[1])
    if programs[0] == programs[1] and not is_other_order:
        pairs = [*zip(range(len(left)), range(len(right)), strict=True)]
        yield from _each_call(left, right, pairs, ignored)
        return
    matcher = difflib.SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    rows: list[tuple[str, str]] = []
    alike: list[tuple[int, int]] = []
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            rows += _alike([command(key) for key in keys[0][start:end]])
            alike += zip(range(start, end), range(other_start, other_end), strict=True)
        else:
            rows += _stretch("left", [command(key) for key in keys[0][start:end]])
            rows += _stretch("right", [command(key) for key in keys[1][other_start:other_end]])
    yield Difference("calls, in order", *map(_listed, programs), rows=tuple(rows))
    yield from _each_call(left, right, alike, ignored)


def _each_call(
    left: list[tuple[Call, list[str]]],
    right: list[tuple[Call, list[str]]],
    pairs: Sequence[tuple[int, int]],
    ignored: frozenset[str],
) -> Iterator[Difference]:
    """Compare pairs of calls. Yield a difference that several calls share only once."""
    found: dict[tuple[str, Difference], list[int]] = {}
    for number, other_number in pairs:
        for difference in _call(left[number], right[other_number], ignored):
            places = found.setdefault((left[number][0].program, difference), [])
            places.append(number + 1)
    for (program, difference), places in found.items():
        what = f"{numbers('call', places)}, {program}: {difference.what}"
        yield replace(difference, what=what)


def _stretch(side: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines that only one side has. Omit the middle of a long sequence."""
    # The last line of a traceback has the reason.
    return _shortened(side, lines, SHOWN_LINES, 1)


def _shortened(side: str, lines: Sequence[str], limit: int, last: int) -> list[tuple[str, str]]:
    """Return rows without repeats, at most `limit` of them with the `last` lines."""
    shown = collapse(lines)
    if len(shown) > limit + 1:
        omitted = sum(count for _, count in shown[limit - last : -last])
        shown[limit - last : -last] = [(f"... {omitted} more", omitted)]
    return [(side, line) for line, _ in shown]


def _listed(programs: Sequence[str]) -> str:
    return ", ".join(programs) or MISSING


def _alike(lines: Sequence[str]) -> list[tuple[str, str]]:
    return _shortened("both", lines, SHOWN_ALIKE, SHOWN_ALIKE // 2)


def _arguments(program: str, left: Sequence[str], right: Sequence[str]) -> Iterator[Difference]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    unequal = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    sides = [command([program, *argv]) for argv in (left, right)]
    if len(unequal) == 1 or max(map(len, sides)) <= SHORT_COMMAND:
        places: list[int] = []
        for _, start, end, other_start, other_end in unequal:
            is_one_by_one = end - start == other_end - other_start
            places += range(start + 1, end + 1) if is_one_by_one else [start + 1]
        yield Difference(numbers("argument", places), *sides)
        return
    for _, start, end, other_start, other_end in unequal:
        slices = (left[start:end], right[other_start:other_end])
        shown = (command(some) or MISSING for some in slices)
        yield Difference(f"argument {start + 1}", *shown)


def _call(
    one: tuple[Call, list[str]],
    other: tuple[Call, list[str]],
    ignored: frozenset[str],
) -> Iterator[Difference]:
    (left, left_argv), (right, right_argv) = one, other
    if left_argv != right_argv:
        yield from _arguments(left.program, left_argv, right_argv)
    for name in sorted({*left.env, *right.env} - ignored):
        values = [call.env.get(name) for call in (left, right)]
        if values[0] != values[1]:
            yield Difference(
                f"environment {name}",
                *("(not set)" if value is None else readable(value) for value in values),
            )
    for descriptor in sorted({*left.descriptors, *right.descriptors}):
        targets = [call.descriptors.get(descriptor, "(closed)") for call in (left, right)]
        if targets[0] != targets[1]:
            yield Difference(f"file descriptor {descriptor}", *targets)
    for what in ("path", "stdin", "cwd", "umask", "repeated_env"):
        values = [getattr(call, what) for call in (left, right)]
        if values[0] != values[1]:
            yield Difference(what, *(_shown(what, value) for value in values))


def _files(left: dict[str, Entry], right: dict[str, Entry]) -> Iterator[Difference]:
    for name in sorted({*left, *right}):
        one, other = left.get(name), right.get(name)
        if one is None or other is None:
            yield Difference(f"file {name}", *(_describe(entry) for entry in (one, other)))
            continue
        for what in ("kind", "mode", "owner", "target"):
            values = [getattr(entry, what) for entry in (one, other)]
            if values[0] != values[1]:
                yield Difference(f"file {name}: {what}", *(_shown(what, value) for value in values))
        yield from _texts(f"file {name}: content", one.content, other.content)


def _shown(what: str, value: Any) -> str:
    if what in {"mode", "umask"}:
        return f"{value:04o}"
    if what == "stdin" and value is None:
        return "(nothing could be read, or it did not end)"
    return readable(value) if isinstance(value, (str, bytes)) else repr(value)


def _describe(entry: Entry | None) -> str:
    if entry is None:
        return MISSING
    content = f" {readable(entry.content[:60])}" if entry.content else ""
    return f"{entry.kind} {entry.mode:04o}{content}"


def _texts(what: str, left: bytes, right: bytes) -> Iterator[Difference]:
    """Yield the lines that differ. A short text is shown as a whole."""
    if left == right:
        return
    lines = [data.splitlines(keepends=True) for data in (left, right)]
    if max(map(len, lines)) <= 1:
        yield Difference(f"{what}{_place(left, right)}", readable(left), readable(right))
        return
    matcher = difflib.SequenceMatcher(None, lines[0], lines[1], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag != "equal":
            yield _lines(what, start, lines[0][start:end], lines[1][other_start:other_end])


def _lines(what: str, start: int, left: Sequence[bytes], right: Sequence[bytes]) -> Difference:
    """Return a difference in some lines. `start` is the number of lines above them on the left."""
    one, other = ([readable(line) for line in side] for side in (left, right))
    if max(len(one), len(other)) == 1:
        title = f"{what}, line {start + 1}{_place(b''.join(left), b''.join(right))}"
        return Difference(title, *("".join(side) or MISSING for side in (one, other)))
    rows = _stretch("left", one or [MISSING]) + _stretch("right", other or [MISSING])
    last = start + max(len(one), 1)
    title = f"{what}, lines {start + 1} to {last}" if len(one) > 1 else f"{what}, line {last}"
    texts = (readable(b"".join(side)) for side in (left, right))
    return Difference(title, *texts, rows=tuple(rows))


def _place(left: bytes, right: bytes) -> str:
    """Return the offset of the first difference in a long text, or "" for a short one."""
    is_long = min(len(left), len(right)) > LONG_TEXT
    return f", byte {alike(left, right) + 1}" if is_long else ""


def _both_ways(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    return sorted({*left} - {*right}), sorted({*right} - {*left})
