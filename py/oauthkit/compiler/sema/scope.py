"""Track the variables of one function, and which of them are set on a path."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from oauthkit.compiler.types import Type


@dataclass
class Scope:
    """The variables of one function with their types.

    `known` are the variables that are set on every path to the current statement. It is None if the
    statement is unreachable.
    """

    parameters: dict[str, Type]
    variables: dict[str, Type] = field(default_factory=dict)
    known: set[str] | None = field(default_factory=set)
    arguments: str | None = None  # the name of *arguments
    places: dict[str, ast.AST] = field(default_factory=dict)  # the first assignment to each name
    used: set[str] = field(default_factory=set)

    def type_of(self, name: str) -> Type | None:
        """Return the type of a parameter or variable, or None for other names."""
        if self.variables.get(name) is Type.ERROR:
            return Type.ERROR
        return self.parameters.get(name) or self.variables.get(name)

    def is_set(self, name: str) -> bool:
        """Return whether the variable is set on every path to the current statement."""
        return name in self.parameters or self.known is None or name in self.known

    def assume_bound(self, name: str) -> None:
        """Treat a name as set from here on, because the statement that sets it was rejected."""
        if self.type_of(name) is None:
            self.variables[name] = Type.ERROR
        if self.known is not None:
            self.known.add(name)


def merge(first: set[str] | None, second: set[str] | None) -> set[str] | None:
    """Return the names that are set where two paths meet."""
    if first is None:
        return second
    return first if second is None else first & second


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield every name that is bound anywhere in `node`."""
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.alias(asname=str() as name):
                yield name
            case ast.alias(name=name):
                yield name.split(".")[0]
            case ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name):
                yield name
            case ast.MatchStar(name=str() as name) | ast.MatchMapping(rest=str() as name):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names
