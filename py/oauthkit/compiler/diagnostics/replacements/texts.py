"""Replace code that converts, joins, formats or indexes texts."""

from __future__ import annotations

import ast
import itertools
import string

from oauthkit.compiler.constructs import is_format
from oauthkit.compiler.diagnostics.describe import as_fstring, formatted, join_parts, with_article
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import (
    Replacement,
    at_the_top,
    bound_name,
    operand,
    shown,
)
from oauthkit.compiler.diagnostics.replacements.splits import SPLIT_TEXT
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type

SLICES = "use a slice, `text[start:end]`. It has no step: to reverse a Str, run the program rev"


def conversion(site: Site, node: ast.expr, found: Type, wanted: Type) -> str:
    """Return the help for a value of the type `found` where `wanted` is expected."""
    text = shown(site, node)
    if wanted is Type.PATH and isinstance(node, ast.Constant) and node.value == "":
        if not isinstance(site.statement, ast.Return):
            return "there is no empty Path. absolute would make it the working directory"
        if Type.STATUS in site.results:
            return 'return any Path with a failing Status, as in `return 1, LocalPath("/")`'
        return "there is no empty Path. Also return a Status, as in `tuple[Status, LocalPath]`"
    if wanted is Type.PATH and found is Type.STR:
        lines = site.assigned(node, Type.PATH, lambda name: [f"{name} = absolute({text})"])
        return code("make a Path", lines, "make a Path with absolute")
    if wanted is Type.STR and isinstance(node, ast.Constant) and found is Type.INT:
        return code("write it as text", repr(str(node.value)))
    if wanted is Type.INT and found is Type.BOOL:
        match site.statement:
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value) if (
                value is node
            ):
                return code("choose the number", f"{name} += 1 if {text} else 0")
        return f"choose a number, as in `1 if {text} else 0`"
    if wanted is Type.STR and (found.is_number or found is Type.PATH):
        return code("use an f-string", as_fstring(text), "use an f-string")
    if wanted is Type.STR and found is Type.COMMAND:
        return "run it with `& CAPTURE`, which returns its output"
    if wanted is Type.STR and found is Type.BOOL:
        return "choose the text with if and else"
    return f"use {with_article(wanted)} here"


def _of_str(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[value], keywords=[]):
            kind = site.type_of(value)
            # repr adds quotes to a Str
            is_shown = kind.is_number or ast.unparse(node.func) != "repr"
            if kind not in (Type.BOOL, Type.COMMAND, Type.ERROR) and is_shown:
                text = as_fstring(shown(site, value))
                if site.retyped(node, Type.STR):
                    lines = site.assigned(node, Type.STR, lambda name: [f"{name} = {text}"])
                    return code("use an f-string, and a new name", lines)
                return code("use an f-string", text)
    return ""


def _of_join_text(site: Site, node: ast.Call) -> str:
    """Return the help for ", ".join((a, b))."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str() as separator)),
            args=[ast.Tuple(elts=items) | ast.List(elts=items)],
            keywords=[],
        ) if all(site.type_of(item) is Type.STR for item in items):
            parts: list[ast.expr] = []
            for item in items:
                parts += [ast.Constant(separator)] if parts else []
                is_text = isinstance(item, ast.Constant)
                parts.append(item if is_text else ast.FormattedValue(item, -1))
            return code("use an f-string", join_parts(parts))
    return ""


def _of_format(site: Site, node: ast.Call) -> str:
    """Return the help for "{}: {}".format(a, b)."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str() as text)),
            args=values,
            keywords=options,
        ):
            try:
                fields = [*string.Formatter().parse(text)]
            except ValueError:
                return ""
            kinds = (Type.STR, Type.INT, Type.PATH, Type.STATUS)
            named = {str(index): value for index, value in enumerate(values)}
            named |= {option.arg: option.value for option in options if option.arg}
            unused = {*named}
            parts: list[ast.expr] = []
            places = itertools.count()
            for literal, name, spec, conversion in fields:
                parts.append(ast.Constant(literal))
                if name is None:
                    continue
                key = name or str(next(places))
                kind = site.type_of(named[key]) if key in named else Type.ERROR
                if conversion or kind not in kinds or (spec and not is_format(kind, spec)):
                    return ""
                parts.append(formatted(named[key], spec or ""))
                unused.discard(key)
            return "" if unused else code("use an f-string", join_parts(parts))
    return ""


def _of_case(site: Site, node: ast.Call) -> str:
    """Return the help for text.upper() and text.lower(), for ASCII letters only."""
    letters = {"upper": '"a-z", "A-Z"', "lower": '"A-Z", "a-z"'}
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[], keywords=[]) if (
            site.result_of(owner) is Type.STR
        ):
            call = f"({bound_name(site, 'tr')}[{letters[method]}] << {operand(site, owner)})()"
            return code(f"for ASCII letters, run tr{at_the_top(site, 'tr')}", call)
    return ""


def _of_count(site: Site, node: ast.Call) -> str:
    """Return the help for `text.count(",")`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=owner),
            args=[ast.Constant(value=str() as part) as literal],
            keywords=[],
        ) if len(part) == 1 and part.isascii() and not part.isspace() and part != "\0":
            if site.result_of(owner) is Type.STR:
                text = f"{operand(site, owner)}.split({shown(site, literal)})"

                def lines(name: str) -> list[str]:
                    return [f"{name} = -1", f"for _ in {text}:", f"    {name} += 1"]

                found = site.assigned(node, Type.INT, lines, read_again=(owner,))
                return code("count the parts in a loop, except the first", found)
    return ""


def of_text_index(site: Site, node: ast.Subscript) -> str:
    """Return the help for `text[3]`: a slice, which can be empty."""
    if site.holds_lines(node.value):
        text = shown(site, node.value)
        if ast.unparse(node.slice) != "0":
            return f"take the items in a loop over `{text}[1:].splitlines()`"
        split = f'{text}[1:].partition("\\n")'
        lines = site.assigned(node, Type.STR, lambda name: [f"{name}, _, _ = {split}"])
        return code('take the first item, or "" without an item', lines, SPLIT_TEXT)
    place = ""
    match node.slice:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            place = f"{number or ''}:{number + 1}"
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)) if number:
            place = f"-{number}:{1 - number or ''}"
    text = f"{operand(site, node.value)}[{place}]" if place else ""
    if site.type_of(node.slice) is Type.INT and isinstance(node.slice, ast.Name):
        index, name = node.slice.id, shown(site, node.value)
        return f"use a slice, as in `{name}[{index}:{index} + 1]` if {index} is not negative"
    for part in ast.walk(site.statement) if site.statement else ():
        match part:
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()]) if left is node and text:
                # An empty slice would be in any text.
                return f'use a slice and a tuple, as in `{text} in ("a", "b")`'
    return code("use a slice, which is empty if there is no such character", text, SLICES)


def of_character(site: Site, node: ast.Compare) -> str:
    """Return the help for `text[0] == "#"` and `text[-1] != "/"`, or ""."""
    match node:
        case ast.Compare(
            left=ast.Subscript(value=ast.Name(id=name) as text, slice=place),
            ops=[ast.Eq() | ast.NotEq() as operator],
            comparators=[ast.Constant(value=str() as part) as literal],
        ) if site.type_of(text) is Type.STR and len(part) == 1:
            method = {"0": "startswith", "-1": "endswith"}.get(ast.unparse(place))
            if method:
                negation = "not " if isinstance(operator, ast.NotEq) else ""
                return code("write", f"{negation}{name}.{method}({shown(site, literal)})")
    return ""


CALLS: dict[str, Replacement] = {
    "str": _of_str,
    "repr": _of_str,
    "format": _of_str,
}
METHODS: dict[str, Replacement] = {
    "join": _of_join_text,
    "format": _of_format,
    "count": _of_count,
    "upper": _of_case,
    "lower": _of_case,
}
