"""Takes out variables that hold an exit status for the next condition alone, which can run the
command itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from oauthkit.compiler.shell.ast import (
    Assignment,
    Body,
    Branch,
    Combination,
    Command,
    Group,
    IfCommand,
    Integer,
    Line,
    Literal,
    Negation,
    Numeric,
    Operation,
    Parameter,
    Simple,
    Test,
    Variable,
    Word,
)
from oauthkit.compiler.shell.temporaries import read_in_place, tested_first
from oauthkit.compiler.shell.walk import bodies, reads, sets, with_bodies

STATUS = Word((Parameter("?"),))


def without_statuses(body: Body) -> Body:
    """The body of a function, in which a condition runs the command whose status it asks for.

    Only where the variable is read nowhere else. What the command gives is taken after the
    condition, if what stands inside leaves the function and has no need of it, and something below
    has.
    """
    candidates = [*_candidates(body)]
    found = Counter(name for name, _ in candidates)
    set_, read = Counter(sets(body)), Counter(reads(body))
    gone = {name for name, count in found.items() if count == set_[name] == read[name]}
    while gone:
        changed = _without(body, gone)
        idle = {*read} & {*sets(changed)} - {*reads(changed)}
        needed = {name for name, lines in candidates if idle & {*sets(lines[1:])}} & gone
        if not needed:
            return changed
        gone -= needed
    return body


def _candidates(body: Body) -> Iterator[tuple[str, Body]]:
    """The statuses that can go, each with the lines that take the place of those that need it."""
    for index, line in enumerate(body):
        found = _condition(body, index)
        if found is not None:
            yield found
        for inner in bodies(line.command):
            yield from _candidates(inner)


def _without(body: Body, gone: set[str]) -> Body:
    lines: list[Line] = []
    index = 0
    while index < len(body):
        found = _condition(body, index)
        places: Body = (body[index],)
        index += 1
        if found is not None and found[0] in gone:
            places = found[1]
            index += len(places) + 1  # where there were two lines more
        inside = partial(_without, gone=gone)
        lines += (replace(line, command=with_bodies(line.command, inside)) for line in places)
    return tuple(lines)


def _condition(body: Body, index: int) -> tuple[str, Body] | None:
    """The status that a line leaves for a condition below it, and the lines from there to that one
    without it; None if there is no such thing.
    """
    match body[index : index + 2]:
        case (
            Line(Simple() | Group() as command) as first,
            Line(Assignment(status, value, False, ""), (), None, False),
        ) if value == STATUS:
            end = index + 2
            while end < len(body) and _takes_reply(body[end]):
                end += 1
            taken, last = body[index + 2 : end], body[end] if end < len(body) else first
            both = first.beside and last.beside
            if not isinstance(last.command, IfCommand) or last.blank or both:
                return None
            asked = _asked(last.command, status, command, taken)
            if asked is None or (taken and not _is_left(asked, taken)):
                return None
            line = replace(
                last,
                command=asked,
                comments=(*first.comments, *last.comments),
                beside=first.beside or last.beside,
                blank=first.blank,
            )
            return status, (line, *taken)
    return None


def _takes_reply(line: Line) -> bool:
    """Whether a line takes what a call gives, and does nothing else."""
    match line:
        case Line(Assignment(_, Word((Parameter(name),)), False, ""), (), None, False):
            return name.startswith("REPL")
    return False


def _asked(command: IfCommand, status: str, run: Simple | Group, taken: Body) -> IfCommand | None:
    """An if in which a command stands for its status; None if it asks for something else first.

    What is asked of the one text or number that a call gives is asked of REPLY.
    """
    branch, *more = command.branches
    others: tuple[Test, ...] = ()
    test = branch.test
    if isinstance(test, Combination):
        either, (test, *rest) = test.either, test.tests
        if taken and any(tested_first(other)[1] for other in rest):
            return None  # which would leave something else in REPLY
        others = read_in_place(tuple(rest), _of_reply(taken))
    started = None if test is None else _of(test, status, run)
    if started is None:
        return None
    whole = Combination((started, *others), either) if others else started
    return IfCommand((replace(branch, test=whole), *more))


def _of_reply(taken: Body) -> dict[str, str]:
    """The variable that takes REPLY, if nothing else is taken."""
    match taken:
        case (Line(Assignment(name, Word((Parameter("REPLY"),)))),):
            return {name: "REPLY"}
    return {}


def _of(test: Test, status: str, run: Simple | Group) -> Test | None:
    if test == Numeric(Operation("==", Variable(status), Integer(0))):
        return run
    if test == Numeric(Operation("!=", Variable(status), Integer(0))):
        return Negation(run)
    return None


def _is_left(command: IfCommand, taken: Body) -> bool:
    """Whether an if leaves the function, and neither it nor its test needs what is taken later."""
    names = {line.command.name for line in taken if isinstance(line.command, Assignment)}
    match command.branches:
        case (Branch(test, body),):
            return _leaves(body) and not names & {*reads(test), *reads(body), *sets(body)}
    return False


def _leaves(body: Body) -> bool:
    """Whether a body leaves the function, on every way through it."""
    return _name(body[-1].command) in ("return", "exit") and not {"break", "continue"} & {
        *_names(body)
    }


def _names(body: Body) -> Iterator[str]:
    for line in body:
        yield _name(line.command)
        for inner in bodies(line.command):
            yield from _names(inner)


def _name(command: Command) -> str:
    match command:
        case Simple((Word((Literal(name),)), *_)):
            return name
    return ""
