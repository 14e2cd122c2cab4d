"""Has lines do in one what they do one after the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

from oauthkit.compiler.shell.ast import Assignment, Body, Line, Literal, Parameter, Simple, Word
from oauthkit.compiler.shell.walk import bodies, inside, reads, rebuilt, sets, with_bodies

UNSET = tuple(Word((Literal(text),)) for text in ("unset", "-v"))
SLASH = Word((Literal("/"),))


def with_one_unset(body: Body) -> Body:
    """The body with variables unset by one command that were so line by line."""
    lines: list[Line] = []
    for line in body:
        match lines, line:
            case (
                [*_, Line(Simple(words, ()), _, None)],
                Line(Simple(more, ()), (), None, False),
            ) if words[:2] == more[:2] == UNSET:
                lines[-1] = replace(lines[-1], command=Simple((*words, *more[2:])))
            case _:
                inner = with_bodies(line.command, with_one_unset)
                lines.append(replace(line, command=inner))
    return tuple(lines)


def with_plain_folders(body: Body) -> Body:
    """The body of a function, in which the folder of a Path is "" where it would be / and all that
    is asked for are names in it: none of these needs a slash taken off first.
    """
    found = Counter(_folders(body))
    set_, read, joined = Counter(sets(body)), Counter(reads(body)), Counter(_joined(body))
    plain = {
        name
        for name, count in found.items()
        if set_[name] == 2 * count and read[name] == joined[name] + count
    }
    return _with_plain(body, plain) if plain else body


def _folders(body: Body) -> list[str]:
    """The variables that take the folder of a Path, each as often as that is done."""
    found = []
    for index, line in enumerate(body):
        if index and _is_slash_of_root(line):
            assert isinstance(line.command, Assignment)
            found.append(line.command.name)
        for inner in bodies(line.command):
            found += _folders(inner)
    return found


def _is_slash_of_root(line: Line) -> bool:
    """Whether a line gives a folder that is "" its slash: the line above has taken the folder."""
    match line.command:
        case Assignment(name, Word((Parameter(read, ":-", word),)), False, ""):
            return name == read and word == SLASH
    return False


def _joined(node: Any) -> list[str]:
    """The variables that a slash is taken off from, each as often as that stands there."""
    match node:
        case Parameter(name, "%", word) if word == SLASH:
            return [name]
    return [name for part in inside(node) for name in _joined(part)]


def _with_plain(node: Any, plain: set[str]) -> Any:
    match node:
        case tuple() if node and all(isinstance(item, Line) for item in node):
            node = tuple(
                line
                for line in node
                if not (_is_slash_of_root(line) and line.command.name in plain)
            )
        case Parameter(name, "%", word) if name in plain and word == SLASH:
            return Parameter(name)
    return rebuilt(node, partial(_with_plain, plain=plain))
