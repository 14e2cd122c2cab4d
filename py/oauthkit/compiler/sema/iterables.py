"""Analyze what a for loop iterates over."""

from __future__ import annotations

import ast

from oauthkit.compiler.bash.names import SORTED_GLOB, SPLIT_LINES, SPLIT_TEXT
from oauthkit.compiler.diagnostics import replacements
from oauthkit.compiler.ir import (
    Arguments,
    ConstantItems,
    IntLiteral,
    Items,
    Lines,
    Matches,
    Name,
    Numbers,
    Parts,
    StrLiteral,
)
from oauthkit.compiler.sema.expressions import Expressions
from oauthkit.compiler.sema.patterns import pattern_problem
from oauthkit.compiler.sema.scope import bound_names
from oauthkit.compiler.types import Type


class Iterables:
    """Analyzes the iterables of one function's for loops."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.check = expressions.check
        self.symbols = expressions.symbols
        self.scope = expressions.scope
        self.reject = expressions.reject

    def items(self, node: ast.For, name: str) -> tuple[Items, Type] | None:
        """Analyze a loop's iterable. Return it with its items' type, or None if it is rejected."""
        match node.iter:
            case ast.Name(id=iterated) if iterated == self.scope.arguments:
                return Arguments(), Type.STR
            case ast.Subscript(
                value=ast.Name(id=iterated),
                slice=ast.Slice(lower=ast.Constant(value=int() as first), upper=None, step=None),
            ) if iterated == self.scope.arguments:
                return Arguments(first + 1), Type.STR
            case ast.Call(func=ast.Name(id="range")):
                numbers = self._numbers(node, name, node.iter)
                return None if numbers is None else (numbers, Type.INT)
            case ast.Call(func=ast.Attribute(value=owner, attr="splitlines")):
                return self._lines(node.iter, owner), Type.STR
            case ast.Call(
                func=ast.Attribute(value=owner, attr="split"), args=[] | [_] as given, keywords=[]
            ) if (parts := self._parts(owner, given)) is not None:
                return parts, Type.STR
            case ast.Call(func=ast.Name(id="sorted"), args=[ast.BinOp(op=ast.FloorDiv()) as found]):
                return self._matches(node.iter, found), Type.PATH
            case ast.Tuple(elts=[_, *_]):
                return self.expressions.items(node.iter)
            case ast.Name(id=iterated) if self.symbols.constants.get(iterated) is Type.TUPLE:
                self.symbols.used.add(iterated)
                return ConstantItems(iterated), self.symbols.tuples[iterated]
        if self.check.arguments_in(node.iter) is not None:
            self.expressions.value(node.iter)
        elif not self.check.root_is_rejected(node.iter):
            self.reject(
                "D101",
                node.iter,
                "a for loop can only iterate over a tuple, range(…), lines, files or"
                f" main's arguments, not over `{self.symbols.shown(node.iter)}`",
                replacements.of_loop(node, self.expressions.site()),
            )
        return None

    def _numbers(self, node: ast.For, name: str, call: ast.Call) -> Numbers | None:
        """Analyze `for name in range(start, stop, step)`. Return None if it is rejected."""
        given, step = call.args[:2], 1
        match call.args[2:]:
            case []:
                pass
            case [ast.Constant(value=int() as size) as third] if size is not True:
                step = size
                self.expressions.value(third)  # bash may be unable to store it
            case [ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as size)) as third]:
                step = -size
                self.expressions.value(third)
            case _:
                step = 0
        if not given or step == 0 or call.keywords:
            self.reject(
                "D105", call,
                "range takes one to three numbers, and the third must be a literal other than 0",
                "count in a while loop",
            )  # fmt: skip
            return None
        given = given if given[1:] else [ast.Constant(0), *given]
        start, end = [self.expressions.value(part) for part in given]
        for part, number in zip(given, (start, end), strict=True):
            if not self.check.need(part, number, Type.INT):
                return None
        changed = {*bound_names(node)}
        if any(isinstance(x, ast.Name) and x.id in changed for x in ast.walk(given[1])):
            end = self.check.put_first(end, "limit")
        if name in self.scope.counters and name != "_":
            return Numbers(name, start, end, step)
        counter = self.expressions.site().fresh("number")
        self.scope.variables[counter] = Type.INT
        return Numbers(counter, start, end, step)

    def _lines(self, node: ast.Call, owner: ast.expr) -> Lines:
        """Analyze text.splitlines()."""
        text = self.expressions.text(owner)
        if node.args or node.keywords:
            self.reject(
                "D105", node, "splitlines takes no arguments",
                "remove them. The lines are without line ends",
            )  # fmt: skip
        self.symbols.builtins_used.add(SPLIT_LINES)
        return Lines(text)

    def _parts(self, owner: ast.expr, given: list[ast.expr]) -> Parts | None:
        """Analyze text.split() or text.split(","). Return None for any other separator."""
        separator = None
        if given:
            separator = self.expressions.text(given[0])
            text = self.expressions.known_text(separator) or ""
            # bash treats adjacent whitespace as one separator, and bash 5.2 loses parts at DEL.
            if len(text) != 1 or not text.isascii() or text.isspace() or text == "\x7f":
                return None
        self.symbols.builtins_used.add(SPLIT_TEXT)
        whole = self.expressions.value(owner)
        if whole.type is Type.PATH:
            self.reject(
                "D303", owner, "in plumbum, split() of a Path returns its components",
                "to split its text, assign it with an f-string first",
            )  # fmt: skip
        self.check.need_text(owner, whole)
        return Parts(whole, separator)

    def _matches(self, node: ast.Call, found: ast.BinOp) -> Matches:
        """Analyze sorted(directory // pattern)."""
        directory = self.expressions.value(found.left)
        self.check.need(found.left, directory, Type.PATH)
        pattern = self.expressions.text(found.right)
        if node.keywords:
            self.reject(
                "D105", node, "sorted accepts no keywords for files",
                replacements.of_sorted_files(self.expressions.site(), node),
            )  # fmt: skip
        is_literal = isinstance(pattern, (StrLiteral, Name))
        text = self.expressions.known_text(pattern) if is_literal else None
        problem = pattern_problem(text)
        if problem is not None and pattern.type is not Type.ERROR:
            self.reject("D105", found.right, *problem)
        self.symbols.builtins_used.add(SORTED_GLOB)
        return Matches(directory, pattern)


def runs_at_least_once(items: Items) -> bool:
    """Return whether a loop over these items is known to run at least once."""
    match items:
        case tuple() | ConstantItems():
            return True
        case Numbers(_, IntLiteral(start), IntLiteral(stop), step):
            return range(start, stop, step) != range(0)
    return False
