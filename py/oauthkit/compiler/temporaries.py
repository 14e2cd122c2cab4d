"""Takes out variables that hold what a call gives for the next command alone, which can read it in
REPLY, where the call has left it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from .bash import (
    Assignment,
    Body,
    Combination,
    Command,
    Condition,
    Elements,
    ForCommand,
    Group,
    IfCommand,
    Line,
    Literal,
    Locals,
    Negation,
    Parameter,
    Simple,
    Test,
    Variable,
    WhileCommand,
    Word,
)

_NAME = re.compile(r"[A-Za-z_]\w*")
_NO_CALLS = tuple(Word((Literal(text),)) for text in ("true", "false"))


def without_temporaries(body: Body) -> Body:
    """The body of a function, in which a command right below a call reads REPLY itself.

    Only where the variable is read nowhere else, and before anything could set REPLY anew.
    """
    while True:
        names, sets, reads = Counter(_candidates(body)), Counter(_sets(body)), Counter(_reads(body))
        gone = {name for name, count in names.items() if count == sets[name] == reads[name]}
        if not gone:
            return body
        body = _without(body, gone)


# --- Which ones can go ---------------------------------------------------------------------------


def _candidates(body: Body) -> Iterator[str]:
    """The variables that take what REPLY or REPLIES holds for the next command alone, each as often
    as one does so.
    """
    for line, following in zip(body, (*body[1:], None), strict=True):
        name = _taken(line)
        if name and following is not None and _can_read_reply(name, following.command):
            yield name
        for inner in _bodies(line.command):
            yield from _candidates(inner)


def _taken(line: Line) -> str:
    """The variable that a line sets to all that REPLY or REPLIES holds, and does nothing else."""
    if line.comments or line.beside:
        return ""
    match line.command:
        case Assignment(name, Word((Parameter("REPLY", "", None, None),)), False, ""):
            return name
        case Assignment(name, (Word((Elements("REPLIES"),)),), False, ""):
            return name
    return ""


def _can_read_reply(name: str, command: Command) -> bool:
    """Whether a command reads the variable once, while REPLY still is what the call has left."""
    if isinstance(command, Assignment) and command.name in ("REPLY", "REPLIES"):
        value = command.value if isinstance(command.value, tuple) else (command.value,)
        if value in ((Word((Parameter(name),)),), (Word((Elements(name),)),)):
            return False  # it would set itself
    return sum(_reads_as_it_is(part, name) for part in _first_parts(command)) == 1


def _first_parts(command: Command) -> Iterator[Any]:
    """What is expanded before a command could call a function, which may set REPLY."""
    match command:
        case IfCommand(branches):
            assert branches[0].test is not None
            yield from _tested_first(branches[0].test)[0]
        case Condition(test):
            yield from _tested_first(test)[0]
        case ForCommand(_, words):
            yield from words
        case Simple() | Assignment() | Group():
            yield command


def _tested_first(test: Test) -> tuple[list[Test], bool]:
    """The parts of a test up to the first one that calls a function, and whether one does."""
    match test:
        case Combination(tests):
            found: list[Test] = []
            for inner in tests:
                parts, calls = _tested_first(inner)
                found += parts
                if calls:
                    return found, True
            return found, False
        case Negation(inner):
            return _tested_first(inner)
        case Simple(words):
            return [test], words[0] not in _NO_CALLS
    return [test], False


def _reads_as_it_is(node: Any, name: str) -> int:
    """How often a part of a command reads the variable by its name alone."""
    match node:
        case Parameter(read) | Elements(read) | Variable(read) if read == name:
            return 1 + sum(_reads_as_it_is(inner, name) for inner in _inside(node))
    return sum(_reads_as_it_is(inner, name) for inner in _inside(node))


# --- What sets and reads variables ---------------------------------------------------------------


def _sets(body: Body) -> Iterator[str]:
    """The variables that something in a body sets, each as often as that stands there."""
    for line in body:
        match line.command:
            case Locals(assignments):
                yield from (item.name for item in assignments)
            case Assignment(name) | ForCommand(name):
                yield name
        for inner in _bodies(line.command):
            yield from _sets(inner)


def _reads(node: Any) -> Iterator[str]:
    """The variables that a part of a script reads, each as often as that stands there."""
    match node:
        case Parameter(text) | Elements(text) | Variable(text):
            yield from _NAME.findall(text)
    for inner in _inside(node):
        yield from _reads(inner)


def _inside(node: Any) -> Iterator[Any]:
    """The nodes right inside of a node or tuple of the bash tree."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node):
        values = (getattr(node, field.name) for field in fields(node))
        yield from (value for value in values if isinstance(value, tuple) or is_dataclass(value))


def _bodies(command: Command) -> Iterator[Body]:
    """The bodies of an if or a loop."""
    match command:
        case IfCommand(branches):
            yield from (branch.body for branch in branches)
        case WhileCommand(_, body) | ForCommand(_, _, body):
            yield body


# --- Without them --------------------------------------------------------------------------------


def _without(body: Body, gone: set[str]) -> Body:
    """The body without these variables."""
    return tuple(
        replace(line, command=_read_in_place(line.command, gone))
        for line in body
        if _taken(line) not in gone
    )


def _read_in_place(node: Any, gone: set[str]) -> Any:
    """A part of a script that reads REPLY in place of the variables that are gone."""
    match node:
        case tuple() if node and all(isinstance(item, Line) for item in node):
            return _without(node, gone)
        case tuple():
            return tuple(_read_in_place(item, gone) for item in node)
        case Parameter(name) | Variable(name) if name in gone:
            node = replace(node, name="REPLY")
        case Elements(name) if name in gone:
            return replace(node, name="REPLIES")
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {
        field.name: _read_in_place(value, gone)
        for field in fields(node)
        if isinstance(value := getattr(node, field.name), tuple) or is_dataclass(value)
    }
    return replace(node, **changed)
