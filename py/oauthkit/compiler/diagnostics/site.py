"""Write the statements of a suggestion for the place of the rejected code."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from oauthkit.compiler.diagnostics.describe import absolute_of, outermost_join
from oauthkit.compiler.evaluation_order import (
    PURE_METHODS,
    depends_on_calls,
    follows_call,
    is_always_evaluated,
    is_pure,
)
from oauthkit.compiler.source import Source
from oauthkit.compiler.types import Type

# The name of a variable for a value of each type.
VARIABLES = {
    Type.STR: "text",
    Type.INT: "number",
    Type.BOOL: "flag",
    Type.PATH: "path",
    Type.COMMAND: "command",
    Type.STATUS: "status",
    Type.ERROR: "value",
}


# The assignment of a Str without items.
EMPTY_LIST = r"""^ *{} = ["']\\n["'] *$"""
# A statement that adds an item to such a Str.
ADDED_LINE = r"""^ *{} \+= .*\\n["'] *$"""


@dataclass(frozen=True)
class Site:
    """The place of rejected code.

    `statement` is the statement that contains it, or None at the top level. `is_taken` returns
    whether a name is in use. `results` are the results of the function. `type_of` returns the type
    of an expression, or ERROR if it cannot be part of another one. `result_of` returns the type of
    the right side of an assignment, and `variable` the type of a variable.
    """

    source: Source
    statement: ast.stmt | None
    is_taken: Callable[[str], bool]
    results: tuple[Type, ...]
    is_main: bool
    type_of: Callable[[ast.expr], Type]
    result_of: Callable[[ast.expr], Type]
    variable: Callable[[str], Type | None]
    programs: dict[str, str]  # the name of each program that is bound at the top

    @property
    def can_fail(self) -> bool:
        """Return whether `return 1` reports a failure."""
        return self.results == (Type.STATUS,)

    def can_hold(self, names: Iterable[str], kind: Type) -> bool:
        """Return whether variables can get a value of a type: none has a value of another type."""
        return all(self.variable(name) in (None, kind) for name in names)

    def failure(self, status: str) -> str:
        """Return the operands of `return` after a failed call, whose status is in `status`.

        Return "" if the first result is not a Status, or another one is neither a Str nor an Int.
        """
        empty = {Type.STR: '""', Type.INT: "0"}
        if self.can_fail:
            return "1"
        if self.results[:1] != (Type.STATUS,) or not empty.keys() >= {*self.results[1:]}:
            return ""
        return ", ".join([status, *(empty[kind] for kind in self.results[1:])])

    def fresh(self, name: str) -> str:
        """Return a name that the function does not use yet, such as `name`."""
        number, found = 2, name
        while self.is_taken(found) or keyword.iskeyword(found):
            number, found = number + 1, f"{name}_{number}"
        return found

    def assigned(
        self,
        node: ast.expr,
        kind: Type,
        lines: Callable[[str], list[str]],
        *,
        name: str = "",
        known: str = "",
        use: str = "{}",
        read_again: Sequence[ast.expr] = (),
    ) -> list[str]:
        """Return lines that replace the statement, or [] if there are none.

        `lines(name)` are statements that assign the value of `node`, of the type `kind`, to `name`.
        They are followed by the statement, with the name in place of `node`, in the code `use`. If
        the statement only assigns `node` to a name, this name is used, unless it occurs in
        `read_again`, expressions that the lines evaluate after they first assign the name.
        Otherwise it is `known`, or a new name like `name`.
        """
        kept = {x.id for part in read_again for x in ast.walk(part) if isinstance(x, ast.Name)}
        match self.statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if (
                value is node
                and target not in kept
                and not known
                and self.variable(target) in (None, kind)
            ):
                return lines(target)
        if self.is_elif() or not is_always_evaluated(self.statement, node):
            return []
        if self.statement and not is_pure(node, None) and self._is_after_calls(node):
            return []
        name = known or self.fresh(name or VARIABLES[kind])
        if self._retypes_whole(node, kind):
            return []
        if target := self.retyped(node, kind):
            return [*lines(name), f"# From here on, use {name} instead of {target}."]
        return [*lines(name), *self._rest(node, use.format(name))]

    def assigns(self, node: ast.expr, name: str) -> bool:
        """Return whether the statement only assigns `node` to this variable."""
        match self.statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                return value is node and target == name
        return False

    def retyped(self, node: ast.expr, kind: Type) -> str:
        """Return the variable that the statement sets to `node` if its type is another, or ""."""
        match self.statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if value is node:
                old = self.variable(target)
                is_same = old in (None, Type.ERROR, kind)
                if not (is_same or (old and old.is_number and kind.is_number)):
                    return target
        return ""

    def _retypes_whole(self, node: ast.expr, kind: Type) -> bool:
        """Return whether the statement assigns a number of which `node` is a part to a Str."""
        match self.statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.BinOp() as value):
                old = self.variable(target)
                is_part = any(x is node for x in ast.walk(value))
                return is_part and kind.is_number and old is not None and old.is_text
        return False

    def _rest(self, node: ast.expr, name: str) -> list[str]:
        """Return the statement with `name` in place of `node`.

        If `node` is in a right operand in directory / a / b, which must be literals, the whole
        chain becomes a call to `absolute`.
        """
        for join in ast.walk(self.statement) if self.statement else ():
            match join:
                case ast.BinOp(op=ast.Div(), right=right) if right is node or (
                    isinstance(right, ast.JoinedStr) and any(x is node for x in ast.walk(right))
                ):
                    first: ast.expr = join
                    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Div):
                        first = first.left
                    if self.result_of(first) is not Type.PATH:
                        break
                    whole = outermost_join(self.statement, join)
                    placeholder = ast.Name(name, ast.Load())
                    _swap(join, node, placeholder)
                    call = absolute_of(whole)
                    _swap(join, placeholder, node)
                    if self.is_whole(whole):
                        return [self._replaced(whole, call)]
                    path = self.fresh(VARIABLES[Type.PATH])
                    return [f"{path} = {call}", self._replaced(whole, path)]
        return [self._replaced(node, name)]

    def _is_after_calls(self, node: ast.expr) -> bool:
        """Return whether a part of the statement must run before `node`."""
        assert self.statement is not None
        return depends_on_calls(self.statement, node) or follows_call(self.statement, node)

    def parent(self, node: ast.expr) -> ast.AST | None:
        """Return the node of which `node` is a direct part, or None for the whole statement."""
        parts = ast.walk(self.statement) if self.statement else ()
        return next((x for x in parts if any(y is node for y in ast.iter_child_nodes(x))), None)

    def is_in_loop(self) -> bool:
        """Return whether a loop contains the statement."""
        at = self.statement.lineno if self.statement else 0
        return any(
            isinstance(node, (ast.For, ast.While)) and node.lineno < at <= (node.end_lineno or 0)
            for node in ast.walk(ast.parse(self.source.text))
        )

    def is_whole(self, node: ast.expr) -> bool:
        """Return whether the statement only assigns `node` to a name."""
        match self.statement:
            case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=value):
                return value is node
        return False

    def is_text(self, node: ast.expr) -> bool:
        """Return whether an expression is a Str, even if a part of it must be assigned first."""
        match node:
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.is_text(left) and self.is_text(right)
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in PURE_METHODS:
                return self.is_text(owner)
        return self.result_of(node) is Type.STR

    def is_condition(self, node: ast.expr) -> bool:
        """Return whether `node` is the whole condition of the statement."""
        match self.statement:
            case ast.If(test=test) | ast.While(test=test):
                return test is node
        return False

    def holds_lines(self, node: ast.expr) -> bool:
        """Return whether a variable has one item per line: a newline to which lines are added."""
        if not isinstance(node, ast.Name):
            return False
        patterns = (EMPTY_LIST, ADDED_LINE)
        name = re.escape(node.id)
        return all(re.search(x.format(name), self.source.text, re.MULTILINE) for x in patterns)

    def is_tested(self, node: ast.expr) -> bool:
        """Return whether `node` is a condition of the statement, or an operand in one."""
        match self.statement:
            case ast.If(test=test) | ast.While(test=test) if is_operand(test, node):
                return True
        parts = ast.walk(self.statement) if self.statement else ()
        return any(isinstance(part, ast.IfExp) and is_operand(part.test, node) for part in parts)

    def is_elif(self) -> bool:
        """Return whether the statement is the elif of another one."""
        line = self.source.lines[self.statement.lineno - 1] if self.statement else ""
        return isinstance(self.statement, ast.If) and line.lstrip().startswith("elif")

    def _replaced(self, node: ast.expr, name: str) -> str:
        """Return the statement, or the header of an if or for, with `name` in place of `node`."""
        assert self.statement is not None
        outer: ast.stmt | ast.expr = self.statement
        before, after = "", ""
        match self.statement:
            case ast.If(test=outer):
                before, after = "if ", ":"
            case ast.For(target=target, iter=outer):
                before, after = f"for {ast.unparse(target)} in ", ":"
        if outer is node:
            return f"{before}{name}{after}"
        return f"{before}{self._text(outer, node, name)}{after}"

    def _text(self, outer: ast.stmt | ast.expr, node: ast.expr, name: str) -> str:
        line = self.source.lines[outer.lineno - 1].encode()
        if outer.lineno == outer.end_lineno == node.lineno == node.end_lineno:
            found = line[node.col_offset : node.end_col_offset].decode(errors="replace")
            if _dump(found) == ast.dump(node):  # before Python 3.12, not always in an f-string
                start, end = line[outer.col_offset : node.col_offset], line[node.end_col_offset :]
                end = end[: (outer.end_col_offset or 0) - (node.end_col_offset or 0)]
                return f"{start.decode()}{name}{end.decode()}"
        placeholder = ast.Name(name, ast.Load())
        _swap(outer, node, placeholder)
        text = ast.unparse(outer)
        _swap(outer, placeholder, node)
        return text


def _dump(text: str) -> str:
    try:
        return ast.dump(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return ""


def _swap(outer: ast.AST, old: ast.expr, new: ast.expr) -> None:
    """Replace `old` by `new` in a tree."""
    for inner in ast.walk(outer):
        for field, value in ast.iter_fields(inner):
            if value is old:
                setattr(inner, field, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]


def is_operand(test: ast.expr, node: ast.expr) -> bool:
    """Return whether `node` is `test`, or an operand of its `and`, `or` and `not`."""
    match test:
        case ast.BoolOp(values=values):
            return any(is_operand(value, node) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return is_operand(inner, node)
    return test is node
