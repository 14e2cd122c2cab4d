"""Walk and rebuild the bash AST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from oauthkit.compiler.bash.ast import (
    ArrayExpansion,
    Assignment,
    Body,
    Command,
    ForCommand,
    IfCommand,
    Parameter,
    Variable,
    WhileCommand,
)


def writes(node: Any) -> Iterator[str]:
    """Yield the variables that a part of a script sets, once for each assignment."""
    match node:
        case Assignment(name) | ForCommand(name):
            yield name
    for inner in children(node):
        yield from writes(inner)


def uses(node: Any) -> Iterator[str]:
    """Yield the variables that a part of a script reads, once for each read."""
    match node:
        case Parameter(name) | ArrayExpansion(name) | Variable(name):
            yield name
    for inner in children(node):
        yield from uses(inner)


def children(node: Any) -> Iterator[Any]:
    """Yield the direct children of a node or of a tuple of nodes."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node):
        values = (getattr(node, field.name) for field in fields(node))
        yield from (value for value in values if isinstance(value, tuple) or is_dataclass(value))


def bodies(command: Command) -> Iterator[Body]:
    """Yield the bodies of an if or a loop."""
    match command:
        case IfCommand(branches):
            yield from (branch.body for branch in branches)
        case WhileCommand(_, body) | ForCommand(_, _, body):
            yield body


def with_bodies(command: Command, change: Callable[[Body], Body]) -> Command:
    """Change each body of an if or a loop. Return other commands unchanged."""
    match command:
        case IfCommand(branches):
            return IfCommand(tuple(replace(b, body=change(b.body)) for b in branches))
        case WhileCommand() | ForCommand():
            return replace(command, body=change(command.body))
    return command


def rebuild(node: Any, change: Callable[[Any], Any]) -> Any:
    """Return a node or tuple of nodes with each direct child changed."""
    if isinstance(node, tuple):
        return tuple(map(change, node))
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {
        field.name: change(value)
        for field in fields(node)
        if isinstance(value := getattr(node, field.name), tuple) or is_dataclass(value)
    }
    return replace(node, **changed)
