"""Replace code that reads or writes files and streams."""

from __future__ import annotations

import ast

from oauthkit.compiler.diagnostics.describe import join_parts
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.replacements.common import Replacement, checked, shown, succeeded
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.types import Type


def _of_read(site: Site, node: ast.Call) -> str:
    """Return the help for path.read() and open(path).read()."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="open"), args=[path], keywords=[]) | path
            ),
            args=[],
            keywords=[],
        ) if site.result_of(path) in (Type.STR, Type.PATH):
            call = f"read_file({shown(site, path)})"
            return checked(site, node, call, Type.STR, "read it, and check the status")
    return ""


def _of_write(site: Site, node: ast.Call) -> str:
    """Return the help for `write(text)` of a Path, and of a file that is opened to write."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(
                    func=ast.Name(id="open"), args=[path, ast.Constant(value="w")], keywords=[]
                )
                | path
            ),
            args=[text],
            keywords=[],
        ) if site.result_of(path) in (Type.STR, Type.PATH) and site.type_of(text) is Type.STR:
            call = f"write_file({shown(site, path)}, {shown(site, text)})"
            return succeeded(site, node, f"{call} != 0", "write it, and check the status")
    return ""


def _of_stream(site: Site, node: ast.Call) -> str:
    """Return the help for sys.stdout.write, and for sys.stderr.write of a line."""
    is_statement = isinstance(site.statement, ast.Expr)
    if not is_statement or len(node.args) != 1 or site.type_of(node.args[0]) is not Type.STR:
        return ""
    where = ", file=sys.stderr" if "stderr" in ast.unparse(node.func) else ""
    match node.args:
        case [ast.Constant(value=str() as text)] if text.endswith("\n"):
            return code("write", f"print({text[:-1]!r}{where})")
        case [ast.JoinedStr(values=[*parts, ast.Constant(value=str() as text)])] if text.endswith(
            "\n"
        ):
            line = join_parts([*parts, ast.Constant(text[:-1])])
            return code("write", f"print({line}{where})")
        case [ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value="\n"))]:
            return code("write", f"print({shown(site, left)}{where})")
        case [text] if not where:
            return code("write", f'print({shown(site, text)}, end="")')
    return ""


CALLS: dict[str, Replacement] = {
    "sys.stdout.write": _of_stream,
    "sys.stderr.write": _of_stream,
}
METHODS: dict[str, Replacement] = {
    "read": _of_read,
    "read_text": _of_read,
    "write": _of_write,
    "write_text": _of_write,
}
