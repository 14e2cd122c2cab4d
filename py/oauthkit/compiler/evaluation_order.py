"""Find out in which order Python evaluates the parts of a statement, and which can be moved."""

from __future__ import annotations

import ast

PURE_METHODS = ("strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace")


def is_always_evaluated(outer: ast.AST | None, node: ast.expr) -> bool:
    """Return whether `node` is evaluated exactly once in `outer`, whatever the values are."""
    if outer is node:
        return True
    if outer is None:
        return False
    return any(is_always_evaluated(child, node) for child in _always_evaluated(outer))


def is_pure(node: ast.expr, arguments: str | None) -> bool:
    """Return whether an expression only depends on variables, so that it can be evaluated earlier.

    An argument of main may not exist earlier.
    """
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) if name in ("local", arguments):
                return False
            case ast.Call(func=ast.Name(id="len")):
                pass
            case ast.Call(func=ast.Attribute(attr=method)) if method in PURE_METHODS:
                pass
            case ast.Call() | ast.IfExp() | ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return False
            case ast.BinOp(op=ast.FloorDiv() | ast.Mod(), right=right):
                if not isinstance(right, ast.Constant):
                    return False
    return True


def depends_on_calls(outer: ast.AST, moved: ast.expr) -> bool:
    """Return whether running `moved` first could change the value of a part that precedes it.

    Such a part reads the environment or the file system, or runs a command.
    """
    return _reads_before(outer, moved)[0]


def _reads_before(outer: ast.AST, moved: ast.expr) -> tuple[bool, bool]:
    """Return whether `outer` has such a part before `moved`, and whether it contains `moved`."""
    if outer is moved:
        return False, True
    parts = _always_evaluated(outer)  # in evaluation order
    if isinstance(outer, ast.Call) and ast.unparse(outer.func) == "local.env.get":
        parts = [*parts[1:], outer.func]  # the default is evaluated before the variable is read
    for inner in parts:
        reads, is_found = _reads_before(inner, moved)
        if reads or is_found:
            return reads, is_found
    match outer:
        case (
            ast.Name(id="local")
            | ast.Attribute(attr="exists" | "is_file" | "is_dir" | "is_symlink" | "access")
            | ast.BinOp(op=ast.BitAnd(), right=ast.Name(id="TF") | ast.Call(func=ast.Name(id="TF")))
        ):
            return True, False
    return False, False


def follows_call(outer: ast.AST, moved: ast.expr) -> bool:
    """Return whether a statement makes an impure call before it evaluates `moved`."""
    start = (moved.lineno, moved.col_offset)
    return any(
        (inner.end_lineno or 0, inner.end_col_offset or 0) <= start
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Call) and not is_pure(inner, None)
    )


def _always_evaluated(outer: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that are evaluated exactly once, whatever the values are."""
    inner: list[ast.AST] = [*ast.iter_child_nodes(outer)]
    match outer:
        case (
            ast.BoolOp(values=[first, *_])
            | ast.IfExp(test=first)
            | ast.If(test=first)
            | ast.For(iter=first)
            | ast.Assign(value=first)  # the target is evaluated last
        ):
            inner = [first]
        case ast.Compare(left=left, comparators=[right, *_]):
            inner = [left, right]
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            inner = []
        case ast.While() | ast.With() | ast.Try() | ast.FunctionDef() | ast.Match():
            inner = []
    return inner
