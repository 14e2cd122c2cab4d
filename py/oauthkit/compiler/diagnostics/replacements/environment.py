"""Replace code that reads or changes environment variables."""

from __future__ import annotations

import ast

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import Replacement, said, shown, with_test
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

ENVIRONMENTS = {"os.environ", "local.env"}
ENVIRONMENT_READS = ("os.environ.get", "os.getenv", "local.env.get")


def variable_text(site: Site, node: ast.expr) -> str:
    """Return local.env.get for `os.environ.get("NAME")`, also with a default, or ""."""
    match node:
        case ast.Call(
            func=function, args=[ast.Constant(value=str()) as name, *rest], keywords=[]
        ) if ast.unparse(function) in ENVIRONMENT_READS and len(rest) < 2:
            match rest:
                case [ast.Constant(value=int() as number)] if not isinstance(number, bool):
                    default = repr(str(number))
                case [text] if site.type_of(text) is Type.STR:
                    default = shown(site, text)
                case []:
                    default = _no_text(site, name)
                case _:
                    return ""
            return f"local.env.get({shown(site, name)}, {default})"
    return ""


def _no_text(site: Site, literal: ast.expr) -> str:
    """Return an empty Str in the quotes of a literal: both may be inside an f-string."""
    return "''" if shown(site, literal).startswith("'") else '""'


def _of_setdefault(site: Site, node: ast.Call) -> str:
    match site.statement, node.args:
        case ast.Expr(value=value), [ast.Constant(value=str()) as name, text] if (
            value is node and site.type_of(text) is Type.STR
        ):
            key = shown(site, name)
            lines = [f"if {key} not in local.env:", f"    local.env[{key}] = {shown(site, text)}"]
            return code("write", lines)
    return ""


def _of_update(site: Site, node: ast.Call) -> str:
    """Return the help for local.env.update(NAME="x")."""
    match site.statement:
        case ast.Expr(value=value) if value is node and not node.args:
            pairs = [(given.arg, given.value) for given in node.keywords]
            if all(name is not None and site.type_of(text) is Type.STR for name, text in pairs):
                lines = [f'local.env["{name}"] = {shown(site, text)}' for name, text in pairs]
                return code("set each variable", lines)
    return ""


def _of_pop(site: Site, node: ast.Call) -> str:
    """Return the help for the removal of an environment variable."""
    match node.args:
        case [ast.Constant(value=str()) as name, *rest]:
            key = shown(site, name)
            default = shown(site, rest[0]) if rest else '""'
            if isinstance(site.statement, ast.Expr) and site.statement.value is node:
                return code("write", f'local.env.pop({key}, "")')
            if rest and site.type_of(rest[0]) is not Type.STR:
                return ""
            lines = site.assigned(
                node,
                Type.STR,
                lambda name: [
                    f"{name} = local.env.get({key}, {default})",
                    f'local.env.pop({key}, "")',
                ],
            )
            return code("read its value first", lines)
    return ""


def of_get(site: Site, node: ast.Call) -> str:
    """Return the help for local.env.get without a default, and for os.environ.get."""
    match node.args:
        case [ast.Constant(value=str()) as name, *rest]:
            empty = _no_text(site, name)
            default = shown(site, rest[0]) if rest else empty
            if rest and site.type_of(rest[0]) is not Type.STR:
                return ""
            variable = f"local.env.get({shown(site, name)}, {default})"
            if not rest and _may_be_compared_with_empty(site, node):
                return (
                    f"`{variable}` is also empty if the variable is not set. `{shown(site, name)}"
                    " in local.env` tests whether it is set"
                )
            match site.statement:
                case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=operand)) if (
                    operand is node and not site.is_elif()
                ):
                    return code("write", f"if {variable} == {empty}:")
            return code("write", f"{variable} != {empty}" if site.is_tested(node) else variable)
    return ""


def _may_be_compared_with_empty(site: Site, node: ast.expr) -> bool:
    """Return whether the value, which may be None, is compared with what may be an empty Str."""
    parent = site.parent(node)
    if not isinstance(parent, ast.Compare):
        return False
    others = [x for x in (parent.left, *parent.comparators) if x is not node]
    items = [y for x in others for y in (x.elts if isinstance(x, ast.Tuple) else [x])]
    return not all(isinstance(x, ast.Constant) and x.value for x in items)


def of_variable(site: Site, node: ast.Subscript) -> str:
    """Return the help for os.environ["NAME"] and local.env["NAME"], which fail if it is not set."""
    match node.slice:
        case ast.Constant(value=str() as wanted) as key if wanted.isidentifier():
            variable = shown(site, key)
            if site.statement is None:
                return code("write", f'local.env.get({variable}, "")')

            def lines(name: str) -> list[str]:
                wrong = f"    {said(f'{wanted} is not set')}"
                test = [f"if {variable} not in local.env:", wrong, "    return 1"]
                return [*test, f'{name} = local.env.get({variable}, "")']

            found = with_test(site, node, site.assigned(node, Type.STR, lines))
            return code("read it, and check that it is set", found if site.can_fail else [])
    return ""


def of_variable_choice(site: Site, node: ast.IfExp) -> str:
    """Return the help for `os.environ["X"] if "X" in os.environ else "a"`."""
    match node:
        case ast.IfExp(
            test=ast.Compare(
                left=ast.Constant(value=str() as tested), ops=[ast.In()], comparators=[where]
            ),
            body=ast.Subscript(value=owner, slice=ast.Constant(value=read) as name),
            orelse=text,
        ) if tested == read and {ast.unparse(where), ast.unparse(owner)} <= ENVIRONMENTS:
            if site.type_of(text) is Type.STR:
                return code("write", f"local.env.get({shown(site, name)}, {shown(site, text)})")
    return ""


CALLS: dict[str, Replacement] = {
    "os.environ.setdefault": _of_setdefault,
    "local.env.update": _of_update,
    "os.environ.pop": _of_pop,
    "local.env.pop": _of_pop,
    "os.environ.get": of_get,
    "os.getenv": of_get,
}
