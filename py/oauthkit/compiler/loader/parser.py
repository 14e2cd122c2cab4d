"""Parse one file of a program, within limits on nesting."""

from __future__ import annotations

import ast
import warnings

from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic
from oauthkit.compiler.source import Source, Span

# The maximum depth of an expression. The compiler and Python process expressions recursively.
MAX_EXPRESSION_DEPTH = 100
# The maximum number of nested blocks.
MAX_BLOCK_DEPTH = 40


def parse(source: Source) -> ast.Module:
    """Return the AST of a file. Raise CompileError if it is not valid or is nested too deeply."""
    try:
        with warnings.catch_warnings():  # Python shows warnings when it runs the program
            warnings.simplefilter("ignore")
            module = ast.parse(source.text)
            _check_depth(source, module)
            # Without docstrings: Python 3.13 cannot compile one that contains a surrogate.
            compile(source.text, source.path, "exec", dont_inherit=True, optimize=2)
    except (RecursionError, MemoryError, ValueError) as error:
        problem = Diagnostic(source, "D001", Span(1, 0, 1, 1), str(error), "simplify the program")
        raise CompileError([problem]) from None
    except SyntaxError as error:
        raise CompileError([_syntax_error(source, error)]) from None
    return module


def _check_depth(source: Source, module: ast.Module) -> None:
    problems = []
    for node in ast.walk(module):
        level: list[ast.AST] = [node] if isinstance(node, ast.stmt) else []
        depth = 0
        while level and depth <= MAX_EXPRESSION_DEPTH:
            below = (child for parent in level for child in ast.iter_child_nodes(parent))
            level = [child for child in below if not isinstance(child, ast.stmt)]
            depth += 1
        if level:
            message = f"an expression has more than {MAX_EXPRESSION_DEPTH} levels"
            help = "assign a part of it to a variable first"
            problems.append(Diagnostic(source, "D102", source.span(node), message, help))
    deep = _too_deep(module)
    if deep is not None:
        message = f"more than {MAX_BLOCK_DEPTH} blocks are nested here"
        help = "move some of them into a function"
        problems.append(Diagnostic(source, "D101", source.span(deep), message, help))
    if problems:
        raise CompileError(problems)


def _too_deep(module: ast.Module) -> ast.stmt | None:
    """Return the first statement inside too many blocks, or None."""
    found: list[tuple[ast.stmt, int]] = [(node, 0) for node in module.body]
    for node, blocks in found:
        if blocks > MAX_BLOCK_DEPTH:
            return node
        found += (  # an elif is not deeper than the if above it
            (child, blocks + (child.col_offset > node.col_offset))
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt)
        )
    return None


def _syntax_error(source: Source, error: SyntaxError) -> Diagnostic:
    line, column = error.lineno or 1, max(0, (error.offset or 1) - 1)
    is_short = error.end_lineno == line and (error.end_offset or 0) > column + 1
    span = Span(line, column, line, (error.end_offset or 0) - 1 if is_short else column + 1)
    there = source.lines[line - 1][column : span.end_column] if line <= len(source.lines) else ""
    message = str(error.msg)
    if message == "invalid syntax" and there.strip():
        message = f"Python cannot parse {there!r} here"
    help = "fix this line, or close a bracket or string above it"
    return Diagnostic(source, "D001", span, message, help)
