"""Replace code that converts to numbers, or computes with them."""

from __future__ import annotations

import ast
import re
from contextlib import suppress

from oauthkit.compiler.diagnostics.describe import condition_for
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import (
    Replacement,
    checked,
    not_a_number,
    operand,
    said,
    shown,
)
from oauthkit.compiler.diagnostics.replacements.conditions import is_test
from oauthkit.compiler.diagnostics.replacements.environment import variable_text
from oauthkit.compiler.diagnostics.replacements.splits import part_of_split
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type


def _of_int(site: Site, node: ast.Call) -> str:
    if len(node.args) + len(node.keywords) > 1:
        return (
            "parse_int reads decimal numbers. For another base, run the program printf first, as in"
            ' `printf("%d", f"0{text}")` for base 8, and `printf("%d", f"0x{text}")` for base 16'
        )
    variable = variable_text(site, node.args[0]) if len(node.args) == 1 else ""
    if site.statement is None:
        if variable:
            return f"read it in a function, as in `status, number = parse_int({variable}.strip())`"
        return "write the number, or call parse_int in a function"
    if variable:
        parsed = f"parse_int({variable}.strip())"
        return checked(site, node, parsed, Type.INT, "convert it, and check the status")
    match node:
        case ast.Call(args=[test], keywords=[]) if is_test(site, test):
            choice = f"1 if {shown(site, test)} else 0"
            lines = site.assigned(node, Type.INT, lambda name: [f"{name} = {choice}"])
            return code("use a conditional expression", lines)
        case ast.Call(args=[ast.Constant(value=str() as written)], keywords=[]):
            with suppress(ValueError):
                number = int(written)
                return code("write the number", str(number)) if abs(number) < 1 << 63 else ""
            return ""
        case ast.Call(args=[text], keywords=[]) if site.type_of(text) in (Type.STR, Type.PATH):
            given = shown(site, text)
            if site.type_of(text) is Type.STR and not given.endswith(".strip()"):
                given = f"{operand(site, text)}.strip()"
            call = f"parse_int({given})"
            return checked(site, node, call, Type.INT, "convert it, and check the status")
        case ast.Call(args=[ast.Call() as call], keywords=[]) if site.result_of(call) is Type.STR:
            given = shown(site, call)
            stripped = f"parse_int({given if given.endswith('.strip()') else f'{given}.strip()'})"
            return checked(site, node, stripped, Type.INT, "convert it, and check the status")
        case ast.Call(args=[ast.Call() as call], keywords=[]) if ast.unparse(call) == "time.time()":
            return code("write", "now_ms() // 1000")
        case ast.Call(args=[ast.Subscript() as index], keywords=[]) if site.can_fail:
            return _of_int_of_split(site, node, index)
        case ast.Call(args=[number], keywords=[]) if site.type_of(number) is Type.INT:
            return code("it is an Int already", shown(site, number))
        case ast.Call(args=[ast.BinOp() as number], keywords=[]) if _is_int(site, number):
            return "the result is already an Int. Remove the call"
    return ""


def _is_int(site: Site, node: ast.expr) -> bool:
    """Return whether an expression is an Int, even if a part of it must be assigned first."""
    match node:
        case ast.BinOp(left=left, op=operator, right=right):
            is_known = isinstance(operator, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod))
            return is_known and _is_int(site, left) and _is_int(site, right)
    return site.result_of(node) is Type.INT


def _of_int_of_split(site: Site, node: ast.Call, index: ast.Subscript) -> str:
    """Return the help for `int(text.split()[4])`."""
    found = part_of_split(site, index)
    if found is None:
        return ""
    intro, part = found
    text, status = site.fresh("text"), site.fresh("status")

    def lines(name: str) -> list[str]:
        wrong = f"    {said(not_a_number(name))}"
        check = [f"if {status} != 0:", wrong, "    return 1"]
        return [*part(text), f"{status}, {name} = parse_int({text}.strip())", *check]

    help = f"{intro}, convert the part, and check the status"
    return code(help, site.assigned(node, Type.INT, lines))


def to_number(site: Site, node: ast.expr) -> str:
    """Return the help for a Str that is used as a number."""
    text = shown(site, node)
    match node:
        case ast.Constant(value=str() as written):
            is_number = re.fullmatch("-?[0-9]{1,18}", written) is not None
            return code("write a number", str(int(written)) if is_number else "", "use an Int here")
    if site.type_of(node) is Type.PATH:
        return "a Path is not a number. To remove a leading directory, use removeprefix on its text"
    is_plain = isinstance(node, (ast.Name, ast.Call)) and site.result_of(node) is Type.STR
    if is_plain and not text.endswith(".strip()"):
        text += ".strip()"  # a command's output ends with a newline
    return checked(site, node, f"parse_int({text})", Type.INT, "convert it, and check the status")


def _of_bool(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[ast.Name(id=name) as value], keywords=[]):
            kind = site.type_of(value)
            is_operand = isinstance(site.parent(node), (ast.BinOp, ast.Compare))
            if kind in (Type.STR, Type.PATH, Type.INT, Type.STATUS) and not is_operand:
                test = condition_for(kind, name)
                if isinstance(site.statement, ast.Return) and site.can_fail:
                    return code("choose the Status", f"1 if {test} else 0")
                return code("compare it", test)
    return ""


def _of_extreme(site: Site, node: ast.Call) -> str:
    """Return the help for min and max of two numbers."""
    sign = "<" if ast.unparse(node.func) == "min" else ">"
    match node:
        case ast.Call(args=[first, second], keywords=[]) if (
            site.type_of(first) is site.type_of(second) is Type.INT
        ):
            a, b = shown(site, first), shown(site, second)
            lines = site.assigned(
                node,
                Type.INT,
                lambda name: [f"{name} = {a}", f"if {b} {sign} {name}:", f"    {name} = {b}"],
                read_again=(first, second),
            )
            return code("compare with if", lines)
        case ast.Call(args=[ast.Name(id=name), ast.Call() as call], keywords=[]) if (
            site.type_of(ast.Name(name)) is Type.INT
            and site.result_of(call) in (Type.INT, Type.STATUS)
            and site.assigns(node, name)
        ):
            result = site.fresh("result")
            lines = [f"{result} = {shown(site, call)}", f"if {result} {sign} {name}:"]
            return code("compare with if", [*lines, f"    {name} = {result}"])
    return ""


def _of_abs(site: Site, node: ast.Call) -> str:
    match node:
        case ast.Call(args=[number], keywords=[]) if site.type_of(number) is Type.INT:
            given = shown(site, number)
            lines = site.assigned(
                node,
                Type.INT,
                lambda name: [f"{name} = {given}", f"if {name} < 0:", f"    {name} = -{name}"],
            )
            return code("compare with if", lines)
    return ""


def _of_rounding(site: Site, node: ast.Call) -> str:
    """Return the help for math.ceil and math.floor of a quotient."""
    match node:
        case ast.Call(
            args=[ast.BinOp(left=number, op=ast.Div(), right=ast.Constant(value=int() as divisor))],
            keywords=[],
        ) if divisor > 0 and site.type_of(number) is Type.INT:
            text = operand(site, number)
            if ast.unparse(node.func) == "math.ceil":
                text = f"({text} + {divisor - 1})"
            quotient = f"{text} // {divisor}"
            return code("write", quotient if site.is_whole(node) else f"({quotient})")
    return ""


def of_power(site: Site, node: ast.BinOp) -> str:
    """Return the help for `number ** 2`, `number >> 1` and `number << 1`."""
    match node:
        case ast.BinOp(left=left, op=operator, right=ast.Constant(value=int() as count)) if (
            site.type_of(left) is Type.INT and 0 < count < 63
        ):
            number, result = operand(site, left), ""
            if isinstance(operator, ast.Pow) and count < 4 and isinstance(left, ast.Name):
                result = " * ".join([number] * count)
            elif isinstance(operator, ast.RShift):
                result = f"{number} // {2**count}"
            elif isinstance(operator, ast.LShift):
                result = f"{number} * {2**count}"
            is_inner = result != "" and not site.is_whole(node)
            if not isinstance(site.statement, ast.AugAssign):
                return code("write", f"({result})" if is_inner else result)
    return ""


def of_bool_update(site: Site, node: ast.BinOp) -> str:
    """Return the help for `flag |= test` and `flag &= test`, which always evaluate the test."""
    word = {ast.BitOr: "or", ast.BitAnd: "and"}.get(type(node.op))
    match site.statement:
        case ast.AugAssign(target=ast.Name(id=name), value=test) if (
            word and site.variable(name) is Type.BOOL and site.result_of(test) is Type.BOOL
        ):
            plain = isinstance(test, (ast.Compare, ast.Call, ast.Name, ast.UnaryOp))
            first = shown(site, test) if plain else f"({shown(site, test)})"
            return code("write", f"{name} = {first} {word} {name}")
    return ""


CALLS: dict[str, Replacement] = {
    "int": _of_int,
    "bool": _of_bool,
    "math.ceil": _of_rounding,
    "math.floor": _of_rounding,
    "min": _of_extreme,
    "max": _of_extreme,
    "abs": _of_abs,
}
