"""From statements that are refused to what is wrong in them: all errors of a file in one run."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from oauthkit.compiler.diagnostics.describe import is_condition
from oauthkit.compiler.ir import Statement
from oauthkit.compiler.sema.assignments import Assignments
from oauthkit.compiler.sema.symbols import bound_names
from oauthkit.compiler.types import Type

TryStar: type[ast.Try] = getattr(ast, "TryStar", ast.Try)  # since Python 3.11


class Refused(Assignments):
    """Reads what stands in refused statements, in one function."""

    def block(self, nodes: Sequence[ast.stmt], end: int) -> list[Statement]:
        """The statements of one block: see Statements."""
        raise NotImplementedError

    def read_any(self, node: ast.expr) -> bool:
        """Reads a value whose type nobody knows; whether something in it was refused."""
        told = len(self.names.diagnostics)
        if is_condition(node):
            self.expressions.condition(node)
            return len(self.names.diagnostics) > told
        match node:
            case ast.Call(func=ast.Name(id=name)) if self.names.function(name) is not None:
                self.expressions.call(node)
                return len(self.names.diagnostics) > told
        value = self.expressions.value(node)
        return value.type is Type.ERROR or len(self.names.diagnostics) > told

    def read_refused(self, node: ast.stmt) -> None:
        """Reads the blocks in a refused statement for what is wrong in them, and takes all names
        that it sets for set.
        """
        for name in bound_names(node):
            self.scope.forgive(name)
        if isinstance(node, ast.Raise):
            self.scope.known = None
        paths, final, is_complete = _paths(node)
        before = None if self.scope.known is None else set(self.scope.known)
        ends: list[set[str] | None] = []
        self.breaks.append(None)
        self.continues.append(None)
        for path in paths:
            self.scope.known = None if before is None else set(before)
            self._read_block(path)
            ends.append(self.scope.known)
        self.breaks.pop()
        self.continues.pop()
        is_over = is_complete and all(end is None for end in ends)
        self.scope.known = None if is_over else before
        self._read_block(final)

    def _read_block(self, body: list[ast.stmt]) -> None:
        if body:
            self.block(body, (body[-1].end_lineno or 0) + 1)


def _paths(node: ast.stmt) -> tuple[list[list[ast.stmt]], list[ast.stmt], bool]:
    """The paths through a refused statement, what runs behind each of them, and whether one of them
    is always taken.
    """
    match node:
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return [body], [], True
        case ast.For(body=body) | ast.AsyncFor(body=body) | ast.While(body=body):
            return [body], node.orelse, False
        case ast.Match(cases=cases):
            last = cases[-1]
            is_complete = last.guard is None and isinstance(last.pattern, ast.MatchAs)
            return [case.body for case in cases], [], is_complete
    if isinstance(node, (ast.Try, TryStar)):
        paths = [[*node.body, *node.orelse], *(handler.body for handler in node.handlers)]
        return paths, node.finalbody, True
    return [], [], False
