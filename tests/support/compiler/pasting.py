"""Paste the code in a diagnostic's help into the program that it rejects."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from oauthkit.compiler.diagnostics.report import Diagnostic
from oauthkit.compiler.source import Source

# Code to paste is between backticks after a colon. Other code is only mentioned.
INLINE = re.compile(r": `([^`]+)`")
# Code that is added at the top level.
TOP = re.compile(r"\w+ = program\(.*\)|(from \S+ )?import .+")
RENAMING = re.compile(r"# From here on, use (\w+) instead of (\w+)\.")
HEADERS = (ast.If, ast.While, ast.For, ast.FunctionDef, ast.ClassDef)


def paste(text: str, diagnostic: Diagnostic) -> list[str]:
    """Return the program with the help's code in place of the rejected code, once for each choice.

    Return [] if the help has no code. The help consists of words, code between backticks, and
    statements on the lines below the first.
    """
    first, *block = diagnostic.help.splitlines()
    inline = INLINE.findall(first)
    top = [code for code in inline if TOP.fullmatch(code)]
    choices = [code for code in inline if code not in top]
    if block:
        choices.append("\n".join(block))
    pasted = [_replaced(text, diagnostic, code) for code in choices] or [
        _without_assignment(text, diagnostic, code) for code in top if " import " not in code
    ]
    if "also below" in first:  # as in p_2 for p
        (new,) = (code.partition(" = ")[0] for code in choices)
        old, line = re.sub("_[0-9]+$", "", new), diagnostic.span.line
        pasted = [_renamed_below(program, line, old, new) for program in pasted]
    elif block and (renaming := RENAMING.fullmatch(block[-1])):
        below = diagnostic.span.line - 1 + len(block)
        new, old = renaming.groups()
        pasted = [_renamed_below(program, below, old, new) for program in pasted]
    return [_with_top(program, text, diagnostic, top) for program in pasted]


def _replaced(text: str, diagnostic: Diagnostic, code: str) -> str:
    source = Source("program.py", text)
    lines = text.splitlines()
    expression = _expression(source, diagnostic)
    if expression is not None and _is_expression(code):
        span = source.span(expression)
        before = lines[span.line - 1][: span.column]
        after = lines[span.end_line - 1][span.end_column :]
        lines[span.line - 1 : span.end_line] = [f"{before}{code}{after}"]
        return "\n".join(lines) + "\n"
    statement = _statement(source, diagnostic)
    last = statement.end_lineno or statement.lineno
    if isinstance(statement, HEADERS):
        last = statement.body[0].lineno - 1
    indent = " " * statement.col_offset
    lines[statement.lineno - 1 : last] = [f"{indent}{line}" for line in code.split("\n")]
    return "\n".join(lines) + "\n"


def _renamed_below(program: str, line: int, old: str, new: str) -> str:
    """Return the program with a new name in place of an old one below a line."""
    lines = program.splitlines(keepends=True)
    below = (re.sub(rf"\b{old}\b", new, text) for text in lines[line:])
    return "".join([*lines[:line], *below])


def _without_assignment(text: str, diagnostic: Diagnostic, code: str) -> str:
    """Return the program without the assignment to the name that is bound at the top."""
    statement = _statement(Source("program.py", text), diagnostic)
    target = code.partition(" = ")[0]
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == target:
        lines = text.splitlines()
        lines[statement.lineno - 1] = " " * statement.col_offset + "pass"
        return "\n".join(lines) + "\n"
    return text


def _with_top(program: str, text: str, diagnostic: Diagnostic, top: list[str]) -> str:
    if not top:
        return program
    lines = program.splitlines()
    imports = [
        node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    for code in top:
        assigned = code.partition(" = ")[0]
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == assigned:
                lines[node.lineno - 1] = ""
        at_import = [n for n in imports if n.lineno <= diagnostic.span.line <= (n.end_lineno or 0)]
        for node in at_import:
            lines[node.lineno - 1 : node.end_lineno] = [""] * (
                (node.end_lineno or 0) - node.lineno + 1
            )
        place = (imports[-1].end_lineno or 0) if " = " in code else (imports[0].end_lineno or 0)
        lines.insert(place, code)
    return "\n".join(lines) + "\n"


def _is_expression(code: str) -> bool:
    try:
        ast.parse(code, mode="eval")
    except SyntaxError:
        return False
    return True


def _within(source: Source, diagnostic: Diagnostic) -> Iterator[ast.AST]:
    """Yield each node around the underlined code, from the outside to the inside."""
    wanted = diagnostic.span
    for node in ast.walk(ast.parse(source.text)):
        if not hasattr(node, "lineno"):
            continue
        span = source.span(node)
        if (span.line, span.column) <= (wanted.line, wanted.column) and (
            wanted.end_line,
            wanted.end_column,
        ) <= (span.end_line, span.end_column):
            yield node


def _expression(source: Source, diagnostic: Diagnostic) -> ast.expr | None:
    """Return the underlined expression. If it is a function that is called, return the call."""
    found = [
        node
        for node in _within(source, diagnostic)
        if source.span(node) == diagnostic.span and isinstance(node, (ast.expr, ast.Expr))
    ]
    if not found:
        return None
    expression = found[-1].value if isinstance(found[-1], ast.Expr) else found[-1]
    for node in _within(source, diagnostic):
        if isinstance(node, ast.Call) and _is_same(node.func, expression):
            return node
    return expression


def _is_same(first: ast.expr, second: ast.expr) -> bool:
    """Return whether two nodes are the same one, in trees of the same text."""
    dumps = [ast.dump(node, include_attributes=True) for node in (first, second)]
    return dumps[0] == dumps[1]


def _statement(source: Source, diagnostic: Diagnostic) -> ast.stmt:
    return [node for node in _within(source, diagnostic) if isinstance(node, ast.stmt)][-1]
