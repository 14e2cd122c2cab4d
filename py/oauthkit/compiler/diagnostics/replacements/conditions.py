"""Replace conditions, and values that `and` and `or` choose."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import operand, shown
from oauthkit.compiler.diagnostics.replacements.environment import ENVIRONMENT_READS, variable_text
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type


def is_test(site: Site, node: ast.expr) -> bool:
    """Return whether an expression is a Bool in the dialect, too."""
    match node:
        case ast.BoolOp(values=values):
            return all(is_test(site, value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return is_test(site, inner)
    return isinstance(node, ast.Compare) or site.type_of(node) is Type.BOOL


def of_condition(site: Site, node: ast.expr) -> str:
    """Return the help for a condition that is a part of an expression, or "" to assign it first."""
    if help := of_and_or(site, node):
        return help
    if not is_test(site, node):
        return "use if and else"
    parent = site.parent(node)
    if isinstance(parent, ast.BinOp):
        if Type.INT not in (site.result_of(parent.left), site.result_of(parent.right)):
            return "use if and else"
        choice = f"1 if {shown(site, node)} else 0"
        lines = site.assigned(node, Type.INT, lambda name: [f"{name} = {choice}"])
        return code("choose a number first", lines, "use if and else")
    return "" if isinstance(parent, ast.Call) else "use if and else"


def compared(
    site: Site, node: ast.expr, pairs: list[tuple[ast.expr, str, ast.expr]], word: str
) -> str:
    """Return the help for comparisons that are joined by `word`."""
    for left, sign, right in pairs:
        if sign not in ("==", "!=") and Type.STR in (site.type_of(left), site.type_of(right)):
            return ""
        kinds = {site.type_of(left), site.type_of(right)}
        kinds = {Type.INT if kind.is_number else kind for kind in kinds - {Type.ERROR}}
        if Type.ERROR in (site.type_of(left), site.type_of(right)) or len(kinds) > 1:
            return ""
    way = f" {word} ".join(f"{shown(site, a)} {sign} {shown(site, b)}" for a, sign, b in pairs)
    is_whole = len(pairs) == 1 or site.is_condition(node) or site.is_whole(node)
    return code(
        "compare one by one" if len(pairs) > 1 else "compare", way if is_whole else f"({way})"
    )


def of_or_and(site: Site, node: ast.BoolOp) -> str:
    """Return the help for `first or second` and `first and second` with texts or numbers."""
    match node:
        case ast.BoolOp(
            op=ast.Or(),
            values=[
                ast.Call(func=function, args=[ast.Constant(value=str()) as name], keywords=[]),
                text,
            ],
        ) if ast.unparse(function) in ENVIRONMENT_READS and site.result_of(text) is Type.STR:
            return code("write", f"local.env.get({shown(site, name)}) or {operand(site, text)}")
        case ast.BoolOp(
            op=ast.Or(),
            values=[variable, ast.Call(func=function, args=[message], keywords=[])],
        ) if ast.unparse(function) in ("sys.exit", "exit") and site.is_main:
            has_number = any(
                isinstance(part, ast.Constant) and isinstance(part.value, int)
                for part in ast.walk(variable)
            )
            read = "" if has_number else variable_text(site, variable)
            first = read or (shown(site, variable) if site.is_text(variable) else "")

            def or_exit(name: str) -> list[str]:
                last = [f"    print({shown(site, message)}, file=sys.stderr)", "    return 1"]
                return [f"{name} = {first}", f'if {name} == "":', *last]

            if first and site.type_of(message) is Type.STR:
                return code("use if", site.assigned(node, Type.STR, or_exit))
    kinds = {site.result_of(value) for value in node.values}
    is_number = kinds in ({Type.INT}, {Type.STATUS})
    kind = kinds.pop() if is_number else Type.STR
    values = [shown(site, x) if is_number else _bracketed(site, x) for x in node.values]
    sign = "==" if isinstance(node.op, ast.Or) else "!="
    test = f"{sign} 0" if is_number else f'{sign} ""'

    def lines(name: str) -> list[str]:
        first = [f"{name} = {values[0]}"] if values[0] != name else []
        tests = [[f"if {name} {test}:", f"    {name} = {value}"] for value in values[1:]]
        return sum(tests, first)

    if "" in values:
        return "use if and else"
    found = site.assigned(node, kind, lines, read_again=node.values[1:])
    return code("use if", found, "use if and else")


def of_and_or(site: Site, node: ast.expr) -> str:
    """Return the help for `test and "first" or "second"` and `text and "x"`, or ""."""
    match node:
        case ast.BoolOp(op=ast.And(), values=[test, last]) if (
            site.result_of(test) is Type.STR and site.result_of(last) is Type.STR
        ):
            choice = f'{shown(site, last)} if {operand(site, test)} != "" else ""'
            return code("use a conditional expression", choice)
        case ast.BoolOp(
            op=ast.Or(),
            values=[
                ast.BoolOp(
                    op=ast.And(),
                    values=[
                        ast.Compare() as test,
                        ast.Constant(value=str() | int() as first) as left,
                    ],
                ),
                ast.Constant(value=str() | int() as second) as right,
            ],
        ) if first and type(first) is type(second) and not isinstance(first, bool):
            choice = f"{shown(site, left)} if {shown(site, test)} else {shown(site, right)}"
            return code("use a conditional expression", choice)
    return ""


def _bracketed(site: Site, node: ast.expr) -> str:
    """Return the code of a Str, with a default for an environment variable, or ""."""
    match node:
        case ast.Call(func=function, args=[name], keywords=[]) if (
            ast.unparse(function) == "local.env.get"
        ):
            return f'local.env.get({shown(site, name)}, "")'
    return shown(site, node) if site.is_text(node) else ""


def of_literal_operands(site: Site, node: ast.BoolOp) -> str:
    """Return the help for `text == "a" or "b"` and `"a" and "b" in text`, else ""."""
    *first, last = node.values
    either = isinstance(node.op, ast.Or)

    def are_literals(parts: Sequence[ast.expr], *kinds: type) -> bool:
        return any(
            all(isinstance(part, ast.Constant) and type(part.value) is kind for part in parts)
            for kind in kinds
        )

    match node.values[0], last:
        case ast.Compare(left=ast.Name() as left, ops=[ast.Eq()], comparators=[value]), _ if (
            either and are_literals((value, *node.values[1:]), str, int)
        ):
            values = ", ".join(shown(site, part) for part in (value, *node.values[1:]))
            return code("write", f"{shown(site, left)} in ({values})")
        case _, ast.Compare(ops=[ast.In()], comparators=[ast.Name() as text]) if are_literals(
            (*first, last.left), str
        ):
            parts = [*first, last.left]
            joined = f" {'or' if either else 'and'} "
            return code("write", joined.join(f"{shown(site, x)} in {text.id}" for x in parts))
    return ""
