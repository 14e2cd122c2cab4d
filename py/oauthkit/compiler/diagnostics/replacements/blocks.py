"""Write the code that replaces `try` and `with`.

Each function returns the help, or "" if no code in the dialect does the same.
"""

from __future__ import annotations

import ast
import re
import textwrap

from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import operand, said, shown
from oauthkit.compiler.diagnostics.replacements.environment import variable_text
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type


def of_try(site: Site, node: ast.Try) -> str:
    """Return the help for a `try` with one call and one handler: `int(text)`, or a command."""
    match node:
        case ast.Try(
            body=[statement],
            handlers=[ast.ExceptHandler(type=ast.expr() as caught, name=None, body=body)],
            orelse=[],
            finalbody=[],
        ):
            call, test, after = _tried(site, statement, ast.unparse(caught))
        case _:
            return ""
    if not test:
        return ""
    handler = textwrap.indent(_block(site, caught, body), "    ").split("\n")
    success = ["else:", f"    {after}"] if after else []
    if call and call[0].endswith("& CAPTURE"):
        text = "capture the output, and test the status, as in"
        return f"{text} `{call[0]}`. That output is without trailing newlines"
    return code("replace try and except", [*call, f"if {test}:", *handler, *success])


def _block(site: Site, header: ast.expr, body: list[ast.stmt]) -> str:
    """Return a block as it is written, without its indentation. `header` is above it."""
    is_beside = body[0].lineno == header.lineno
    texts = (x for part in body for x in ast.walk(part) if isinstance(x, ast.Constant))
    if is_beside or any(text.lineno != text.end_lineno for text in texts):
        return "\n".join(map(ast.unparse, body))
    return textwrap.dedent("\n".join(site.source.lines[body[0].lineno - 1 : body[-1].end_lineno]))


def _tried(site: Site, statement: ast.stmt, caught: str) -> tuple[list[str], str, str]:
    """Return the statement without its exception, and the test whether it failed, or "".

    Also return the assignment that follows success, or "": a variable that has a value keeps it if
    the statement fails. `caught` is the name of the exception.
    """
    status = site.fresh("status")
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="int"), args=[text], keywords=[]),
        ) if _catches(caught, "ValueError") and site.variable(name) in (None, Type.INT):
            given = variable_text(site, text)
            if not given and site.result_of(text) is Type.STR:
                given = operand(site, text)
            given += "" if given.endswith(".strip()") else ".strip()"
            if given == ".strip()":
                return [], "", ""
            kept, after = _kept(site, name, "number")
            return [f"{status}, {kept} = parse_int({given})"], f"{status} != 0", after
        case ast.Expr(value=ast.Call() as run) if _catches(caught, "ProcessExecutionError"):
            command = _called_command(site, run)
            return [], f"({command} & RETCODE) != 0" if command else "", ""
        case ast.Expr(value=ast.BinOp(left=left, op=ast.BitAnd(), right=ast.Name(id="FG"))) if (
            _catches(caught, "ProcessExecutionError") and site.type_of(left) is Type.COMMAND
        ):
            return [], f"({shown(site, left)} & RETCODE(FG=True)) != 0", ""
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as run) if _catches(
            caught, "ProcessExecutionError"
        ) and site.variable(name) in (None, Type.STR):
            command = _called_command(site, run)
            if not command:
                return [], "", ""
            kept, after = _kept(site, name, "text")
            return [f"{status}, {kept} = {command} & CAPTURE"], f"{status} != 0", after
    return [], "", ""


def _kept(site: Site, name: str, new: str) -> tuple[str, str]:
    """Return the variable for a new value, and the assignment that makes `name` the value."""
    if site.variable(name) is None and not site.is_in_loop():
        return name, ""
    fresh = site.fresh(new)
    return fresh, f"{name} = {fresh}"


def _called_command(site: Site, call: ast.Call) -> str:
    """Return `cat["x"]` for `cat("x")` and for `cat["x"]()`, else ""."""
    if site.type_of(call.func) is not Type.COMMAND or call.keywords:
        return ""
    if not call.args:
        return shown(site, call.func)
    arguments = ", ".join(shown(site, argument) for argument in call.args)
    return f"{call.func.id}[{arguments}]" if isinstance(call.func, ast.Name) else ""


def of_open(site: Site, node: ast.With) -> str:
    """Return the help for a `with open(…)` whose only statement reads or writes the whole file."""
    match node:
        case ast.With(
            items=[
                ast.withitem(
                    context_expr=ast.Call(func=function, args=arguments, keywords=options),
                    optional_vars=ast.Name(id=file),
                )
            ],
            body=[statement],
        ) if site.can_fail and [*map(ast.unparse, options)] in (
            [],
            ["encoding='utf-8'"],
            ["encoding='UTF-8'"],
        ):
            match function:
                case ast.Name(id="open") if arguments:
                    path, *mode = arguments
                case ast.Attribute(value=path, attr="open"):
                    mode = arguments
                case _:
                    return ""
            is_write = [*map(ast.unparse, mode)] == ["'w'"]
            if site.type_of(path) not in (Type.STR, Type.PATH) or (
                not is_write and [*map(ast.unparse, mode)] not in ([], ["'r'"])
            ):
                return ""
        case _:
            return ""
    given, status = shown(site, path), site.fresh("status")
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=owner), attr="read"), args=[], keywords=[]
            )
            | ast.Call(
                func=ast.Attribute(
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Name(id=owner), attr="read"),
                        args=[],
                        keywords=[],
                    ),
                    attr="strip",
                ),
                args=[],
                keywords=[],
            ) as read,
        ) if owner == file and not is_write and site.variable(name) in (None, Type.STR):
            wrong = f"    {said('the file cannot be read')}"
            lines = [f"{status}, {name} = read_file({given})", f"if {status} != 0:", wrong]
            lines.append("    return 1")
            match read.func:
                case ast.Attribute(attr="strip"):
                    lines.append(f"{name} = {name}.strip()")
            return code("replace the with block (for a file of at most 256 KiB)", lines)
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=owner), attr="write"),
                args=[text],
                keywords=[],
            )
        ) if owner == file and is_write and site.type_of(text) is Type.STR:
            wrong = f"    {said('the file cannot be written')}"
            lines = [f"if write_file({given}, {shown(site, text)}) != 0:", wrong, "    return 1"]
            return code("replace the with block", lines)
    return ""


def _catches(caught: str, name: str) -> bool:
    """Return whether the source code of an exception's name, or of several, has this one."""
    return re.search(rf"\b({name}|Exception)\b", caught) is not None
