"""Mutants of Python: edits in its syntax tree (ast)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from itertools import pairwise

from tests.adversarial.mutants.mutant import (
    Edit,
    Mutant,
    changed_number,
    changed_text,
    mutants,
    read_source,
)

PROGRAM = tuple(
    f"py/oauthkit/program/{name}.py"
    for name in (
        "command_output",
        "limits",
        "credentials",
        "renewal",
        "schedule",
        "hooks",
        "delivery",
        "settings",
        "start",
        "state_files",
        "links",
        "rename",
        "lock_log",
        "refresh",
    )
)
LIBRARY = "py/oauthkit/shell.py"
# `oauthkit watch` with its module `ipc`, `oauthkit run`, and what writes refresh.conf.
HOST = tuple(
    f"py/oauthkit/host/{name}.py"
    for name in ("ipc", "commands/watch", "commands/run", "settings_writer")
)
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.Delete, ast.Break)
# Functions whose arguments can be swapped without effect.
SYMMETRIC = {"max", "min", "same_file", "samestat"}
# Read by the compiler, or about memory, so a run shows no difference.
NO_BEHAVIOUR = {"DESCRIPTORS", "STATE", "__slots__", "__all__"}
# Short texts without two letters in a row in which a mistake is likely.
SHORT_TEXTS = {"\\n", "", "/", "$", "$$", ":", "."}


def python_mutants(file: str) -> list[Mutant]:
    """Return every mutant of a file of the repository. Some may be rejected by the compiler."""
    text = read_source(file)
    finder = Finder(text)
    tree = ast.parse(text)
    scopes = [
        (*finder.span(node), node.name)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]

    def scope_at(offset: int) -> str:
        return ".".join(name for start, end, name in scopes if start <= offset < end)

    return mutants(file, text, finder.edits(tree), scope_at)


class Finder:
    """Finds the edits of a module. Offsets count bytes, as in the module ast."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Return where a node starts and ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def edits(self, tree: ast.AST) -> Iterator[Edit]:
        """Yield every edit below a node, in no particular order."""
        for name in ("body", "orelse", "finalbody"):
            body = getattr(tree, name, None)
            for statement in body if isinstance(body, list) else ():
                if isinstance(statement, SIMPLE) and not _is_silent(statement):
                    yield Edit(*self.span(statement), "pass", "statement")
        find = getattr(self, f"_{type(tree).__name__.lower()}", None)
        if find:
            yield from find(tree)
        if isinstance(tree, ast.JoinedStr):
            return  # before Python 3.12, the locations of its parts are unknown: see _joinedstr
        for name, value in ast.iter_fields(tree):
            if name in {"annotation", "returns", "decorator_list", "bases"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_silent(child):
                    yield from self.edits(child)

    def _compare(self, node: ast.Compare) -> Iterator[Edit]:
        for operator, (left, right) in zip(
            node.ops, pairwise([node.left, *node.comparators]), strict=True
        ):
            yield self._between(left, right, COMPARISONS[type(operator)], "comparison")

    def _boolop(self, node: ast.BoolOp) -> Iterator[Edit]:
        new = "or" if isinstance(node.op, ast.And) else "and"
        for left, right in pairwise(node.values):
            yield self._between(left, right, new, "logic")

    def _unaryop(self, node: ast.UnaryOp) -> Iterator[Edit]:
        start, operand = self.span(node)[0], self.span(node.operand)[0]
        if isinstance(node.op, ast.Not) and self._text[operand - 1] != "(":
            yield Edit(start, operand, "", "negation")

    def _call(self, node: ast.Call) -> Iterator[Edit]:
        """Swap neighbouring arguments."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if name in SYMMETRIC:
            return
        for left, right in pairwise(node.args):
            (a, b), (c, d) = self.span(left), self.span(right)
            swapped = self._text[c:d] + self._text[b:c] + self._text[a:b]
            yield Edit(a, d, swapped, "swap")

    def _subscript(self, node: ast.Subscript) -> Iterator[Edit]:
        """Drop one argument of a command, but not its only one."""
        part = node.slice
        if isinstance(part, ast.Tuple) and isinstance(node.ctx, ast.Load):
            spans = [self.span(element) for element in part.elts]
            for (start, _), (after, _) in pairwise(spans):
                yield Edit(start, after, "", "argument")
            yield Edit(spans[-2][1], spans[-1][1], "", "argument")

    def _constant(self, node: ast.Constant) -> Iterator[Edit]:
        start, end = self.span(node)
        text = self._text[start:end]
        if isinstance(node.value, bool):
            yield Edit(start, end, str(not node.value), "constant")
        elif isinstance(node.value, int):
            new = changed_number(text)
            if new:
                yield Edit(start, end, new, "number")
        elif isinstance(node.value, (str, bytes)):
            for token in tokenize.generate_tokens(io.StringIO(f"({text})").readline):
                if token.type == tokenize.STRING:  # of adjacent literals, each one
                    at = start + text.index(token.string)
                    prefix, quote, body = _literal(token.string)
                    yield from self._body(at + len(prefix) + len(quote), body)

    def _joinedstr(self, node: ast.JoinedStr) -> Iterator[Edit]:
        start, end = self.span(node)
        text = self._text[start:end]
        if text.startswith(("'", '"')):
            return  # adjacent literals, of which the first is not an f-string: not in the sources
        prefix, quote, body = _literal(text)
        at = start + len(prefix) + len(quote)
        for piece in re.split(r"(\{[^{}]*\})", body):
            if not piece.startswith("{") and len(piece) > 1:
                yield from self._body(at, piece)
            at += len(piece)

    def _body(self, start: int, body: str) -> Iterator[Edit]:
        new = changed_text(body)
        if new is None and body in SHORT_TEXTS:
            new = "x"
        if new is not None:
            yield Edit(start, start + len(body), new, "text")

    def _between(self, left: ast.expr, right: ast.expr, new: str, kind: str) -> Edit:
        """Replace the operator between two operands, which may be in parentheses."""
        start, end = self.span(left)[1], self.span(right)[0]
        found = re.search(r"[^\s()]+(?: (?:not|in))?", self._text[start:end])
        assert found is not None
        return Edit(start + found.start(), start + found.end(), new, kind)


def _literal(literal: str) -> tuple[str, str, str]:
    """Return a string literal's prefix, quote and content."""
    found = re.fullmatch(r"(?s)([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2", literal)
    assert found is not None, literal
    return found[1], found[2], found[3]


def _is_silent(node: ast.AST) -> bool:
    """Return whether a change has no effect: docstrings, imports, declarations, TYPE_CHECKING."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id in NO_BEHAVIOUR
    return isinstance(node, (ast.Import, ast.ImportFrom))
