"""Recognize the dialect's constructs in Python's AST."""

from __future__ import annotations

import ast
import re

from oauthkit.compiler.types import Type

REDIRECTIONS: dict[type[ast.AST], str] = {
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.RShift: ">>", ast.LShift: "<<",
}  # fmt: skip
# The format specifiers that mean the same in Python and in bash, for an Int and for a Str.
_NUMBER_FORMAT = re.compile(r"(?:[<>]?[1-9][0-9]?|0[1-9][0-9]?)d?")
_TEXT_FORMAT = re.compile(r"[<>]?[1-9][0-9]?")


def modifier(node: ast.expr | None) -> str:
    """Return a command's execution modifier: "TF", "TF(FG=True)", …, or "" if it has none."""
    match node:
        case ast.BinOp(
            op=ast.BitAnd(), right=ast.Name(id=("TF" | "RETCODE" | "CAPTURE" | "FG") as name)
        ):
            return name
        case ast.BinOp(
            op=ast.BitAnd(),
            right=ast.Call(
                func=ast.Name(id=("TF" | "RETCODE") as name),
                args=[],
                keywords=[ast.keyword(arg="FG", value=ast.Constant(value=True))],
            ),
        ):
            return f"{name}(FG=True)"
    return ""


def is_condition(node: ast.expr) -> bool:
    """Return whether an expression is a condition: its value is a Bool."""
    match node:
        case ast.BoolOp(
            op=ast.Or(), values=[ast.Call(func=ast.Attribute(attr="get" | "getenv")), *_]
        ):
            return False  # local.env.get(…) or …
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BinOp() if modifier(node) in ("TF", "TF(FG=True)"):
            return True
        case ast.Call(func=ast.Attribute(attr=attr)):
            return attr in ("startswith", "endswith", "access", "exists") or attr[:3] == "is_"
    return False


def is_choice(node: ast.expr) -> bool:
    """Return whether an expression is `first or second` with operands that are not conditions."""
    match node:
        case ast.BoolOp(op=ast.Or(), values=operands):
            return not is_condition(node) or not any(map(is_condition, operands))
    return False


def is_stdin_read(node: ast.expr) -> bool:
    """Return whether an expression is sys.stdin.read(…)."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="sys"), attr="stdin"), attr="read"
            )
        ):
            return True
    return False


def is_format(kind: Type, spec: str) -> bool:
    """Return whether the dialect has {value:spec} in f-strings for a value of this type."""
    form = {Type.INT: _NUMBER_FORMAT, Type.STR: _TEXT_FORMAT}.get(kind)
    return form is not None and form.fullmatch(spec) is not None
