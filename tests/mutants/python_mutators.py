"""The mutants of the Python form: edits found in its syntax tree (the module ast)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tests.mutants import words
from tests.mutants.mutant import Edit, Mutant, mutants, read_source

VOCABULARY = "py/oauthkit/shell.py"
PROGRAM = tuple(
    f"py/oauthkit/program/{name}.py"
    for name in ("process", "credentials", "schedule", "hooks", "delivery", "refresh")
)
FILES = (*PROGRAM, VOCABULARY)
# Read by the compiler, or a matter of memory: no run of the Python form can tell.
NO_BEHAVIOUR = {"DESCRIPTORS", "STATE", "__slots__"}

COMPARISONS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OPERATORS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*"}
# Its namesake that most inputs cannot tell from it, mostly.
NAMES = {
    "TF": ("RETCODE",), "SIGTERM": ("SIGKILL",), "SIGKILL": ("SIGTERM",), "SIGINT": ("SIGQUIT",),
    "SIGHUP": ("SIGUSR1",), "R_OK": ("F_OK",), "X_OK": ("F_OK",), "partition": ("rpartition",),
    "startswith": ("endswith",), "endswith": ("startswith",), "isfile": ("exists", "lexists"),
    "is_file": ("exists",), "is_dir": ("exists",), "exists": ("is_file",),
    "is_symlink": ("exists",), "removeprefix": ("lstrip",), "removesuffix": ("rstrip",),
    "fullmatch": ("match", "search"), "lstrip": ("strip",), "rstrip": ("strip",),
    "monotonic": ("time",), "realpath": ("abspath",), "SIG_DFL": ("SIG_IGN",),
    "FileNotFoundError": ("PermissionError",), "OSError": ("ZeroDivisionError",),
    "BlockingIOError": ("ZeroDivisionError",), "ValueError": ("KeyError",), "DEVNULL": ("PIPE",),
    "killpg": ("kill",), "getuid": ("getpid",),
}  # fmt: skip
SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Raise, ast.Delete, ast.Break)


def python_mutants() -> list[Mutant]:
    """Every mutant of the program, then of its vocabulary; some may be no valid Python."""
    made = []
    for file in FILES:
        text = read_source(file)
        tree = ast.parse(text)
        places = _Places(text)
        scopes = [
            (*places.span(node), node.name)
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        ]

        def scope_at(offset: int, scopes: list[tuple[int, int, str]] = scopes) -> str:
            return ".".join(name for start, end, name in scopes if start <= offset < end)

        made += mutants("python", file, text, finder(text).edits(tree), scope_at)
    return made


def finder(text: str) -> Finder:
    """What finds the edits of this text."""
    return Finder(text, _Places(text))


class _Places:
    """Offsets in a text in which every character is a byte."""

    def __init__(self, text: str) -> None:
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """The offset of a line (from 1) and a column (from 0)."""
        return self._starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node starts and ends."""
        where = (getattr(node, name) for name in
                 ("lineno", "col_offset", "end_lineno", "end_col_offset"))  # fmt: skip
        line, column, end_line, end_column = where
        return self.offset(line, column), self.offset(end_line, end_column)


class Finder:
    """Finds the edits of one module."""

    def __init__(self, text: str, places: _Places) -> None:
        self._text = text
        self._places = places

    def edits(self, tree: ast.AST) -> Iterator[Edit]:
        """Every edit of a tree, in no particular order."""
        yield from self._bodies(tree)
        name = type(tree).__name__.lower()
        find = getattr(self, f"_{name}", None)
        if find:
            yield from find(tree)
        for child in self._children(tree):
            yield from self.edits(child)

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.JoinedStr):
            return  # Python before 3.12 cannot tell where its parts are: see _joinedstr
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "bases", "ctx"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_silent(child):
                    yield child

    def _bodies(self, node: ast.AST) -> Iterator[Edit]:
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            for statement in body if isinstance(body, list) else ():
                if isinstance(statement, SIMPLE) and not _is_silent(statement):
                    yield Edit(*self._span(statement), "pass", "statement")

    # --- Statements ---

    def _if(self, node: ast.If | ast.IfExp) -> Iterator[Edit]:
        for text in ("True", "False"):
            yield Edit(*self._span(node.test), text, "condition")

    _ifexp = _if

    def _while(self, node: ast.While) -> Iterator[Edit]:
        yield Edit(*self._span(node.test), "False", "condition")

    def _return(self, node: ast.Return) -> Iterator[Edit]:
        if node.value is not None:
            yield Edit(*self._span(node.value), "None", "return")

    def _augassign(self, node: ast.AugAssign) -> Iterator[Edit]:
        start, end = self._between(node.target, node.value)
        at = self._text.index("=", start, end)
        yield Edit(at - 1, at + 1, "=", "assignment")

    # --- Expressions ---

    def _compare(self, node: ast.Compare) -> Iterator[Edit]:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            start, end = self._between(left, right)
            text = self._text[start:end]
            old = text.strip("() \n")
            yield Edit(
                start + text.index(old), start + text.index(old) + len(old),
                COMPARISONS[type(operator)], "comparison",
            )  # fmt: skip
            left = right

    def _boolop(self, node: ast.BoolOp) -> Iterator[Edit]:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for number, value in enumerate(node.values):
            start, end = self._span(value)
            if number:
                before_end = self._span(node.values[number - 1])[1]
                at = self._text.index(old, before_end, start)
                yield Edit(at, at + len(old), new, "logic")
                yield Edit(before_end, end, "", "operand")
            else:
                yield Edit(start, self._span(node.values[1])[0], "", "operand")

    def _unaryop(self, node: ast.UnaryOp) -> Iterator[Edit]:
        start, _ = self._span(node)
        operand, _ = self._span(node.operand)
        if self._text[operand - 1] != "(":
            yield Edit(start, operand, "", "negation" if isinstance(node.op, ast.Not) else "sum")

    def _binop(self, node: ast.BinOp) -> Iterator[Edit]:
        start, end = self._between(node.left, node.right)
        new = OPERATORS.get(type(node.op))
        if new:
            old = self._text[start:end].strip("() \n")
            at = self._text.index(old, start)
            yield Edit(at, at + len(old), new, "sum")
        if isinstance(node.op, (ast.Add, ast.Sub, ast.BitOr)):
            for side in (node.left, node.right):
                a, b = self._span(side)
                yield Edit(*self._span(node), self._text[a:b], "operand")

    def _call(self, node: ast.Call) -> Iterator[Edit]:
        places = [self._span(item) for item in (*node.args, *node.keywords)]
        for start, end in places:
            yield self._cut(start, end, "argument")

    def _subscript(self, node: ast.Subscript) -> Iterator[Edit]:
        part = node.slice
        if isinstance(part, ast.Tuple) and isinstance(node.ctx, ast.Load):
            for element in part.elts:
                yield self._cut(*self._span(element), "argument")
        elif isinstance(part, (ast.JoinedStr, ast.Name)) or (
            isinstance(part, ast.Constant) and isinstance(part.value, str)
        ):
            if isinstance(node.ctx, ast.Load):
                yield Edit(self._span(node.value)[1], self._span(node)[1], "", "argument")
        elif isinstance(part, ast.Slice):
            yield Edit(*self._span(part), ":", "slice")

    def _tuple(self, node: ast.Tuple | ast.List) -> Iterator[Edit]:
        if isinstance(node.ctx, ast.Load) and self._text[self._span(node)[0]] in "([":
            for element in node.elts:
                yield self._cut(*self._span(element), "element")

    _list = _tuple

    def _dict(self, node: ast.Dict) -> Iterator[Edit]:
        for key, value in zip(node.keys, node.values, strict=True):
            start, end = self._span(value)
            start = self._span(key)[0] if key is not None else start - len("**")
            yield self._cut(start, end, "element")

    def _comprehension(self, node: ast.comprehension) -> Iterator[Edit]:
        for test in node.ifs:
            yield Edit(*self._span(test), "True", "condition")

    def _constant(self, node: ast.Constant) -> Iterator[Edit]:
        start, end = self._span(node)
        text = self._text[start:end]
        if isinstance(node.value, bool):
            yield Edit(start, end, str(not node.value), "text")
        elif isinstance(node.value, int):
            new = words.changed_number(text)
            if new:
                yield Edit(start, end, new, "number")
                if text.startswith("0o"):
                    yield Edit(start, end, "0o22", "mode")
        elif isinstance(node.value, (str, bytes)):
            yield from self._literals(start, end)

    def _literals(self, start: int, end: int) -> Iterator[Edit]:
        """The literals of a constant, of which several can stand one after the other."""
        text = self._text[start:end]
        found = tokenize.generate_tokens(io.StringIO(f"({text})").readline)
        for token in found:
            if token.type != tokenize.STRING:
                continue
            at = start + text.index(token.string)
            prefix, quote, body = _parts(token.string)
            inner = at + len(prefix) + len(quote)
            yield from self._text_edits(inner, body)
            if "r" in prefix:
                for new in words.changed_patterns(body):
                    yield Edit(inner, inner + len(body), new, "pattern")

    def _text_edits(self, start: int, body: str) -> Iterator[Edit]:
        new = words.changed_text(body)
        if new is not None:
            yield Edit(start, start + len(body), new, "text")
        elif body in {"\\n", "", "/", "$", "$$", ":", "."}:
            yield Edit(start, start + len(body), "x", "text")

    def _joinedstr(self, node: ast.JoinedStr) -> Iterator[Edit]:
        start, end = self._span(node)
        text = self._text[start:end]
        if text.startswith(("'", '"')):
            return  # several literals, of which the first is no f-string: none is in the sources
        prefix, quote, _ = _parts(text)
        at = start + len(prefix) + len(quote)
        for piece in re.split(r"(\{[^{}]*\})", text[len(prefix) + len(quote) : -len(quote)]):
            if piece.startswith("{"):
                yield Edit(at, at + len(piece), "", "variable")
                code = piece[1:-1]
                for found in re.finditer(r"'([^']*)'", code):
                    inner = at + 1 + found.start(1)
                    yield from self._text_edits(inner, found[1])
            else:
                yield from self._text_edits(at, piece) if len(piece) > 1 else ()
            at += len(piece)

    def _name(self, node: ast.Name) -> Iterator[Edit]:
        for new in NAMES.get(node.id, ()):
            yield Edit(*self._span(node), new, "name")

    def _attribute(self, node: ast.Attribute) -> Iterator[Edit]:
        end = self._span(node)[1]
        for new in NAMES.get(node.attr, ()):
            if node.attr != "exists" or not isinstance(node.value, ast.Attribute):
                yield Edit(end - len(node.attr), end, new, "name")

    # --- Places ---

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return self._places.span(node)

    def _between(self, left: ast.AST, right: ast.AST) -> tuple[int, int]:
        return self._span(left)[1], self._span(right)[0]

    def _cut(self, start: int, end: int, kind: str) -> Edit:
        """Takes an item of a list away, with the comma after it or, if it is the last, before."""
        after = re.compile(r",\s*").match(self._text, end)
        before = re.search(r",\s*$", self._text[:start])
        if after:
            return Edit(start, after.end(), "", kind)
        return Edit(before.start() if before else start, end, "", kind)


def _parts(literal: str) -> tuple[str, str, str]:
    """The prefix of a literal, its quote, and its text."""
    found = re.fullmatch(r"(?s)([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2", literal)
    assert found is not None, literal
    return found[1], found[2], found[3]


def _is_silent(node: ast.AST) -> bool:
    """Whether no run can tell: docstrings, and what the compiler alone reads."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id in NO_BEHAVIOUR
    return isinstance(node, (ast.Import, ast.ImportFrom))
