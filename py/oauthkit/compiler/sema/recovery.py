"""Find the paths through rejected statements, so that one run reports all errors of a file."""

from __future__ import annotations

import ast

TryStar: type[ast.Try] = getattr(ast, "TryStar", ast.Try)  # since Python 3.11


def paths(node: ast.stmt) -> tuple[list[list[ast.stmt]], list[ast.stmt], bool]:
    """Return the paths through a rejected statement, the block that runs after each path, and
    whether one of the paths always runs.
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
