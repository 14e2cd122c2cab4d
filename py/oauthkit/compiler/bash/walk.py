"""Walk and rebuild the bash AST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from oauthkit.compiler.bash.ast import (
    AndOrList,
    ArithmeticForCommand,
    ArrayExpansion,
    Assignment,
    Body,
    Command,
    CompoundList,
    ForCommand,
    IfCommand,
    Negation,
    Parameter,
    TestCommand,
    Variable,
    WhileCommand,
)


def writes(node: Any) -> Iterator[str]:
    """Yield the variables that a part of a script sets, once for each assignment."""
    match node:
        case Assignment(name) | ForCommand(name) | ArithmeticForCommand(name):
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
    """Yield the bodies of an if or a loop, and the bodies inside tests."""
    match command:
        case TestCommand(test):
            yield from _test_bodies(test)
        case IfCommand(branches):
            for branch in branches:
                yield from _test_bodies(branch.test)
                yield branch.body
        case WhileCommand(test, body):
            yield from _test_bodies(test)
            yield body
        case ForCommand(body=body) | ArithmeticForCommand(body=body):
            yield body


def _test_bodies(test: Any) -> Iterator[Body]:
    match test:
        case CompoundList(body):
            yield body
        case AndOrList() | Negation():
            for inner in children(test):
                yield from _test_bodies(inner)
        case tuple():
            for inner in test:
                yield from _test_bodies(inner)


def with_bodies(command: Command, change: Callable[[Body], Body]) -> Command:
    """Change each body that `bodies` yields. Return other commands unchanged."""
    match command:
        case TestCommand(test):
            return TestCommand(_with_test_bodies(test, change))
        case IfCommand(branches):
            return IfCommand(
                tuple(
                    replace(b, test=_with_test_bodies(b.test, change), body=change(b.body))
                    for b in branches
                )
            )
        case WhileCommand(test, body):
            return WhileCommand(_with_test_bodies(test, change), change(body))
        case ForCommand() | ArithmeticForCommand():
            return replace(command, body=change(command.body))
    return command


def _with_test_bodies(test: Any, change: Callable[[Body], Body]) -> Any:
    match test:
        case CompoundList(body):
            return CompoundList(change(body))
        case AndOrList() | Negation() | tuple():
            return rebuild(test, lambda inner: _with_test_bodies(inner, change))
    return test


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
