"""What stands in a part of the bash tree: its bodies, and the variables that it sets and reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from oauthkit.compiler.shell.ast import (
    Assignment,
    Body,
    Command,
    Elements,
    ForCommand,
    IfCommand,
    Parameter,
    Variable,
    WhileCommand,
)

_NAME = re.compile(r"[A-Za-z_]\w*")


def sets(node: Any) -> Iterator[str]:
    """The variables that a part of a script sets, each as often as that stands there: also what a
    command captures that stands in a test.
    """
    match node:
        case Assignment(name) | ForCommand(name):
            yield name
    for inner in inside(node):
        yield from sets(inner)


def reads(node: Any) -> Iterator[str]:
    """The variables that a part of a script reads, each as often as that stands there."""
    match node:
        case Parameter(text) | Elements(text) | Variable(text):
            yield from _NAME.findall(text)
    for inner in inside(node):
        yield from reads(inner)


def inside(node: Any) -> Iterator[Any]:
    """The nodes right inside of a node or tuple of the bash tree."""
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node):
        values = (getattr(node, field.name) for field in fields(node))
        yield from (value for value in values if isinstance(value, tuple) or is_dataclass(value))


def bodies(command: Command) -> Iterator[Body]:
    """The bodies of an if or a loop."""
    match command:
        case IfCommand(branches):
            yield from (branch.body for branch in branches)
        case WhileCommand(_, body) | ForCommand(_, _, body):
            yield body


def with_bodies(command: Command, change: Callable[[Body], Body]) -> Command:
    """An if or a loop with each of its bodies changed; any other command as it is."""
    match command:
        case IfCommand(branches):
            return IfCommand(tuple(replace(b, body=change(b.body)) for b in branches))
        case WhileCommand() | ForCommand():
            return replace(command, body=change(command.body))
    return command


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """A node or tuple of the bash tree with each of the nodes right inside of it changed."""
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
