"""Takes out variables that hold what a call gives for the next command alone, which can read it in
REPLY, where the call has left it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from oauthkit.compiler.shell.ast import (
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
    Negation,
    Parameter,
    Simple,
    Test,
    Variable,
    Word,
)
from oauthkit.compiler.shell.walk import bodies, inside, reads, rebuilt, sets

ELEMENT = "REPLIES["
_NO_CALLS = tuple(Word((Literal(text),)) for text in ("true", "false"))


def without_temporaries(body: Body) -> Body:
    """The body of a function, in which a command right below a call reads REPLY itself.

    Only where the variable is read nowhere else, and before anything could set REPLY anew.
    """
    while True:
        found, set_, read = (Counter(of(body)) for of in (_candidates, sets, reads))
        gone = {
            name: source
            for (name, source), count in found.items()
            if count == set_[name] == read[name]
        }
        if not gone:
            return body
        body = _without(body, gone)


# --- Which ones can go ---------------------------------------------------------------------------


def _candidates(body: Body) -> Iterator[tuple[str, str]]:
    """The variables that take what REPLY or REPLIES holds for the next command alone, each as often
    as one does so, with what it takes. Where several are taken their names say what each is.
    """
    last = ""
    for line, following in zip(body, (*body[1:], None), strict=True):
        name, source = _taken(line)
        is_alone = not (source.startswith(ELEMENT) and last.startswith(ELEMENT))
        if is_alone and following is not None and _can_read_reply(name, following.command):
            yield name, source
        last = source
        for inner in bodies(line.command):
            yield from _candidates(inner)


def _taken(line: Line) -> tuple[str, str]:
    """The variable that a line sets to what a call gives, and what that is: REPLY, an element of
    REPLIES or, for an array, all of it. Two times "" if it does something else.
    """
    if line.comments or line.beside:
        return "", ""
    match line.command:
        case Assignment(name, Word((Parameter(source, "", None, None),)), False, "") if (
            source == "REPLY" or source.startswith(ELEMENT)
        ):
            return name, source
        case Assignment(name, (Word((Elements("REPLIES"),)),), False, ""):
            return name, "REPLIES"
    return "", ""


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
            yield from tested_first(branches[0].test)[0]
        case Condition(test):
            yield from tested_first(test)[0]
        case ForCommand(_, words):
            yield from words
        case Simple() | Assignment() | Group():
            yield command


def tested_first(test: Test) -> tuple[list[Test], bool]:
    """The parts of a test up to the first one that calls a function, and whether one does."""
    match test:
        case Combination(tests):
            found: list[Test] = []
            for inner in tests:
                parts, calls = tested_first(inner)
                found += parts
                if calls:
                    return found, True
            return found, False
        case Negation(inner):
            return tested_first(inner)
        case Simple(words):
            return [test], words[0] not in _NO_CALLS
    return [test], False


def _reads_as_it_is(node: Any, name: str) -> int:
    """How often a part of a command reads the variable by its name alone."""
    match node:
        case Parameter(read) | Elements(read) | Variable(read) if read == name:
            return 1 + sum(_reads_as_it_is(inner, name) for inner in inside(node))
    return sum(_reads_as_it_is(inner, name) for inner in inside(node))


# --- Without them --------------------------------------------------------------------------------


def _without(body: Body, gone: Mapping[str, str]) -> Body:
    """The body without these variables."""
    return tuple(
        replace(line, command=read_in_place(line.command, gone))
        for line in body
        if _taken(line)[0] not in gone
    )


def read_in_place(node: Any, gone: Mapping[str, str]) -> Any:
    """A part of a script that reads what each of the variables that are gone has taken."""
    match node:
        case tuple() if node and all(isinstance(item, Line) for item in node):
            return _without(node, gone)
        case Parameter(name) | Variable(name) | Elements(name) if name in gone:
            node = replace(node, name=gone[name])
    return rebuilt(node, partial(read_in_place, gone=gone))
