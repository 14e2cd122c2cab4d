"""Parts of replacements: operands, checked calls, and programs bound at the top."""

from __future__ import annotations

import ast
from collections.abc import Callable

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

# Return the help for a call, or "" if no code in the dialect does the same.
Replacement = Callable[[Site, ast.Call], str]


def shown(site: Site, node: ast.expr) -> str:
    """Return an expression as it is written in the program."""
    segment = ast.get_source_segment(site.source.text, node)
    return ast.unparse(node) if segment is None or "\n" in segment else segment


def operand(site: Site, node: ast.expr) -> str:
    """Return an expression, in parentheses if it has operators."""
    plain = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.JoinedStr)
    text = shown(site, node)
    return text if isinstance(node, plain) else f"({text})"


def called(site: Site, node: ast.expr, call: str, kind: Type, intro: str = "write") -> str:
    """Return the help for the call to a function, which must be a statement of its own."""
    return code(intro, site.assigned(node, kind, lambda name: [f"{name} = {call}"]))


def checked(site: Site, node: ast.expr, call: str, kind: Type, intro: str) -> str:
    """Return the help for parse_int or read_file, with its check."""
    status = site.fresh("status")
    failure = site.failure(status)

    def lines(name: str) -> list[str]:
        wrong = not_a_number(name) if kind is Type.INT else "the file cannot be read"
        test = f"if {status} != 0:"
        return [f"{status}, {name} = {call}", test, f"    {said(wrong)}", f"    return {failure}"]

    return code(intro, site.assigned(node, kind, lines)) if failure else ""


def not_a_number(name: str) -> str:
    """Return the message about a Str that is not the number for a variable."""
    return f"{'the text' if name.startswith('number') else name} is not a number"


def said(message: str) -> str:
    """Return the code that prints a message to stderr."""
    return f'print("{message}", file=sys.stderr)'


def bound(site: Site, node: ast.expr, program: str) -> str:
    """Return the help for a program that is not bound at the top level."""
    name = site.programs.get(program)
    if name is not None:
        return code("write", name)
    match site.statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
            return f'bind it at the top instead: `{name} = program("{program}")`'
    name = site.fresh(program)
    return f'bind it at the top: `{name} = program("{program}")`. Here: `{name}`'


def with_test(site: Site, node: ast.expr, lines: list[str]) -> list[str]:
    """Append `!= ""` to the replacement if `node` is a whole condition."""
    if lines and site.is_condition(node):
        return [*lines[:-1], lines[-1].removesuffix(":") + ' != "":']
    return lines


def succeeded(site: Site, node: ast.Call, failure: str, intro: str) -> str:
    """Return the help for a statement that raises an exception if it fails."""
    match site.statement:
        case ast.Expr(value=value) if value is node and site.can_fail:
            return code(intro, [f"if {failure}:", "    return 1"])
    return ""


def at_the_top(site: Site, program: str) -> str:
    """Return the text that says where to bind a program, or "" if it is already bound.

    The text goes between an introduction and its code.
    """
    name = bound_name(site, program)
    return (
        "" if program in site.programs else f'. At the top: `{name} = program("{program}")`. Here'
    )


def bound_name(site: Site, program: str) -> str:
    """Return the name to which a program is bound, or a new one."""
    return site.programs.get(program) or site.fresh(program)
