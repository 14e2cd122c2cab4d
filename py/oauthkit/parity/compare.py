"""Compares what two forms did, byte for byte, but for a short list of allowed differences."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oauthkit.parity.outcome import Call, Entry, Outcome
    from oauthkit.parity.runner import Form

OWN_COMMAND = "(the command that starts this form)"
MISSING = "(none)"


@dataclass(frozen=True)
class Allowed:
    """A difference that two forms cannot avoid. Each kind is allowed only where it is named.

    `variables` are environment variables of a call that are not compared. `own_command_of` is a
    program that gets, after `--`, the command by which each form starts itself again: that has to
    be exactly `Form.own_command`, in its arguments and wherever its state keeps it.
    """

    reason: str
    variables: frozenset[str] = frozenset()
    own_command_of: str = ""


@dataclass(frozen=True)
class Difference:
    """One thing that differs: what it is, and how each side has it."""

    what: str
    left: str
    right: str


def compare(left: Outcome, right: Outcome, allowed: Sequence[Allowed]) -> list[Difference]:
    """Every difference between two outcomes that is not allowed; empty if they are equal."""
    differences: list[Difference] = []

    def check(what: str, one: Any, other: Any) -> None:
        if one != other:
            differences.append(Difference(what, show(one), show(other)))

    check("exit status", left.exit_code, right.exit_code)
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
    """The calls in which something is scheduled that is not exactly one of `forms` itself."""
    own = [form.own_command(outcome.world) for form in forms]
    programs = {entry.own_command_of for entry in allowed if entry.own_command_of}
    problems = []
    for call in outcome.calls:
        if call.program not in programs:
            continue
        if _tail(call) not in own:
            problems.append(
                f"{call.program} is to get, after --, the form's own command\n"
                f"      expected {' or '.join(map(show, own))}\n      got      {show(_tail(call))}"
            )
    return problems


def show(value: Any) -> str:
    """A value as one line: a list of arguments as Python writes it."""
    return value if isinstance(value, str) else repr(value)


def _tail(call: Call) -> list[str]:
    return call.argv[call.argv.index("--") + 1 :] if "--" in call.argv else []


def _masked(outcome: Outcome, allowed: Sequence[Allowed]) -> list[tuple[Call, list[str]]]:
    """Each call with the arguments to compare: its form's own command as one placeholder."""
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
    names = [[call.program for call, _ in calls] for calls in (left, right)]
    if names[0] != names[1]:
        yield Difference("calls, in order", *(", ".join(n) or MISSING for n in names))
    matcher = difflib.SequenceMatcher(None, names[0], names[1], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            for number, other in zip(range(start, end), right[other_start:other_end], strict=True):
                yield from _call(left[number], other, ignored, number + 1)
            continue
        for number in range(start, end):
            yield Difference(f"call {number + 1}, {names[0][number]}", _line(left[number]), MISSING)
        for number in range(other_start, other_end):
            what = f"call {number + 1}, {names[1][number]}"
            yield Difference(what, MISSING, _line(right[number]))


def _line(masked: tuple[Call, list[str]]) -> str:
    call, argv = masked
    return show([call.program, *argv])


def _call(
    one: tuple[Call, list[str]],
    other: tuple[Call, list[str]],
    ignored: frozenset[str],
    number: int,
) -> Iterator[Difference]:
    (left, left_argv), (right, right_argv) = one, other
    title = f"call {number}, {left.program}"
    if left_argv != right_argv:
        yield Difference(f"{title}: arguments", show(left_argv), show(right_argv))
        matcher = difflib.SequenceMatcher(None, left_argv, right_argv, autojunk=False)
        for tag, start, end, other_start, other_end in matcher.get_opcodes():
            if tag != "equal":
                yield Difference(
                    f"{title}: argument {start + 1}",
                    show(left_argv[start:end]),
                    show(right_argv[other_start:other_end]),
                )
    for name in sorted({*left.env, *right.env} - ignored):
        values = [call.env.get(name) for call in (left, right)]
        if values[0] != values[1]:
            yield Difference(
                f"{title}: environment {name}",
                *("(not set)" if value is None else repr(value) for value in values),
            )
    for descriptor in sorted({*left.descriptors, *right.descriptors}):
        targets = [call.descriptors.get(descriptor, "(closed)") for call in (left, right)]
        if targets[0] != targets[1]:
            yield Difference(f"{title}: file descriptor {descriptor}", *targets)
    for what in ("path", "stdin", "cwd", "umask", "repeated_env"):
        values = [getattr(call, what) for call in (left, right)]
        if values[0] != values[1]:
            form = "{:04o}" if what == "umask" else "{!r}"
            yield Difference(f"{title}: {what}", *map(form.format, values))


def _files(left: dict[str, Entry], right: dict[str, Entry]) -> Iterator[Difference]:
    for name in sorted({*left, *right}):
        one, other = left.get(name), right.get(name)
        if one is None or other is None:
            yield Difference(f"file {name}", *(_describe(entry) for entry in (one, other)))
            continue
        for what in ("kind", "mode", "owner", "target"):
            values = [getattr(entry, what) for entry in (one, other)]
            if values[0] != values[1]:
                form = "{:04o}" if what == "mode" else "{!r}"
                yield Difference(f"file {name}: {what}", *map(form.format, values))
        yield from _texts(f"file {name}: content", one.content, other.content)


def _describe(entry: Entry | None) -> str:
    return MISSING if entry is None else f"{entry.kind} {entry.mode:04o} {entry.content[:60]!r}"


def _texts(what: str, left: bytes, right: bytes) -> Iterator[Difference]:
    """The lines that differ, each side's own; a short text is shown as a whole."""
    if left == right:
        return
    lines = [data.splitlines(keepends=True) for data in (left, right)]
    if max(map(len, lines)) <= 1:
        yield Difference(what, repr(left), repr(right))
        return
    matcher = difflib.SequenceMatcher(None, lines[0], lines[1], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag != "equal":
            yield Difference(
                f"{what}, line {start + 1}",
                repr(b"".join(lines[0][start:end])) if end > start else MISSING,
                repr(b"".join(lines[1][other_start:other_end]))
                if other_end > other_start
                else MISSING,
            )


def _both_ways(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    return sorted({*left} - {*right}), sorted({*right} - {*left})
