"""Replace code that treats main's arguments as a list."""

from __future__ import annotations

import ast

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import said, shown
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type


def of_arguments(site: Site, node: ast.expr) -> str:
    """Return the help for `first, second = arguments`."""
    match site.statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if (
            value is node and site.can_fail
        ):
            all_of, names = ast.unparse(node), [*map(ast.unparse, targets)]
            taken = {all_of, *site.programs.values()}
            if not taken.isdisjoint(names) or any(
                not name.isidentifier() or site.variable(name) not in (None, Type.STR)
                for name in names
            ):
                return ""
            wrong = f"    {said(f'{len(names)} arguments are needed')}"
            lines = [f"if len({all_of}) != {len(names)}:", wrong, "    return 1"]
            lines += [f"{name} = {all_of}[{i}]" for i, name in enumerate(names)]
            return code("check the number of arguments, then assign each one", lines)
    for part in ast.walk(site.statement) if site.statement else ():
        match part:
            case ast.Subscript(
                value=value, slice=ast.Slice(lower=ast.Constant(), upper=None, step=None)
            ) if value is node:
                rest = shown(site, part)
                return f"iterate over it where it is used, as in `for argument in {rest}:`"
            case ast.Subscript(
                value=value, slice=ast.Name() | ast.BinOp(op=ast.Add() | ast.Sub())
            ) if value is node:
                return (
                    f"an index is a number, as in `{ast.unparse(node)}[0]`. To find an argument,"
                    f" iterate over all, as in `for argument in {ast.unparse(node)}:`"
                )
            case ast.Subscript(
                value=value, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))
            ) if value is node and site.can_fail:
                return _of_last_argument(site, part, ast.unparse(node))
            case ast.Call(func=ast.Name(id="sorted"), args=[value]) if value is node:
                return (
                    "if none contains a line end, put each into a Str, on a line of its own. Sort"
                    ' its lines with the program env, as in `(env["LC_ALL=C", "sort"] << text)()`'
                )
    return ""


def _of_last_argument(site: Site, node: ast.Subscript, arguments: str) -> str:
    """Return the help for `arguments[-1]`."""

    def lines(name: str) -> list[str]:
        wrong = f"    {said('an argument is needed')}"
        check = [f"if len({arguments}) == 0:", wrong, "    return 1", f'{name} = ""']
        return [*check, f"for {argument} in {arguments}:", f"    {name} = {argument}"]

    argument = site.fresh("argument")
    found = site.assigned(node, Type.STR, lines, name="last")
    return code("check the number of arguments, then take the last one in a loop", found)
