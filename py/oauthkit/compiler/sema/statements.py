"""Analyze statements, and track which names are set on each path."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from oauthkit.compiler.diagnostics import suggestions
from oauthkit.compiler.diagnostics.describe import is_condition, listed
from oauthkit.compiler.ir import (
    Bind,
    Branch,
    ChangeToRoot,
    Comment,
    For,
    If,
    IntLiteral,
    Jump,
    Pass,
    Print,
    Return,
    SetUmask,
    Statement,
    UnsetEnvironment,
    Value,
    While,
)
from oauthkit.compiler.loader.comments import Comments
from oauthkit.compiler.sema.assignments import Assignments
from oauthkit.compiler.sema.checker import Checker
from oauthkit.compiler.sema.conditions import Conditions
from oauthkit.compiler.sema.expressions import Expressions
from oauthkit.compiler.sema.recovery import paths
from oauthkit.compiler.sema.scope import Scope, bound_names, merge
from oauthkit.compiler.sema.symbols import Symbols
from oauthkit.compiler.types import Signature, Type


class Statements:
    """Analyzes the body of one function."""

    def __init__(
        self, symbols: Symbols, scope: Scope, signature: Signature, comments: Comments
    ) -> None:
        self.symbols = symbols
        self.scope = scope
        self.signature = signature
        self.comments = comments
        self.check = Checker(symbols, scope)
        self.reject = self.check.reject
        self.expressions = Expressions(self.check)
        self.commands = self.expressions.commands
        self.conditions = Conditions(self.expressions)
        self.assignments = Assignments(self.conditions)
        # The names that are set at each break and continue, for each loop around the statement.
        self.breaks: list[set[str] | None] = []
        self.continues: list[set[str] | None] = []

    def block(self, nodes: Sequence[ast.stmt], end: int) -> list[Statement]:
        """Analyze a block. The code after it starts at the line `end`."""
        found: list[Statement] = []
        left: list[str] = []  # comments of omitted statements
        is_reached = self.scope.known is not None
        for node, following in zip(nodes, (*nodes[1:], None), strict=True):
            if is_reached and self.scope.known is None:
                self.reject(
                    "D309",
                    node,
                    "this statement is never reached",
                    "delete it, or the statement above it that leaves the block",
                )
                is_reached = False
            above, blank = self.comments.above(node.lineno)
            statement = self._statement(node, end if following is None else following.lineno)
            inside, beside = self._beside(node, following)
            if statement is None:
                # A rejected statement may end differently.
                is_reached &= self.scope.known is not None
                left += [*above, *inside, *([] if beside is None else [beside])]
                continue
            statement.comments = [*left, *above, *statement.comments, *inside]
            statement.beside = beside or statement.beside
            statement.blank = bool(found) and blank
            found.append(statement)
            left = []
        below, blank = self.comments.below(end, nodes[0].col_offset)
        if left or below:
            comment = Comment()
            comment.comments = _trimmed(left + below)
            comment.blank = bool(found) and blank
            found.append(comment)
        return found

    def _beside(self, node: ast.stmt, following: ast.stmt | None) -> tuple[list[str], str | None]:
        """Return the comments in and beside a simple statement. Other statements have headers."""
        line = node.end_lineno or node.lineno
        if isinstance(node, (ast.If, ast.While, ast.For)):
            return [], None
        if following is not None and following.lineno == line:
            return [], None  # after a semicolon: the comment belongs to the last statement
        return self.comments.within(node.lineno, line)

    def _header(self, line: int, body: list[ast.stmt]) -> tuple[list[str], str | None]:
        """Return the comments in and beside the header that begins on `line`."""
        end = self.symbols.source.header_end(line, body)
        if body[0].lineno == end:
            return [], None  # all on one line: the comment belongs to the body
        return self.comments.within(line, end)

    def _statement(self, node: ast.stmt, end: int) -> Statement | None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return self.assignments.assign(node, name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                return self.assignments.assign(node, name, value)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                return self.assignments.unpack(node, targets, value)
            case ast.Assign(
                targets=[
                    ast.Subscript(
                        value=ast.Attribute(value=ast.Name(id="local"), attr="env"), slice=key
                    )
                ],
                value=value,
            ):
                return self.assignments.set_environment(key, value)
            case ast.Assign(targets=[_, _, *_]):
                self.assignments.several(node)
                return None
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                return self.assignments.augmented(node, name, operator, value)
            case ast.Expr(value=value):
                return self._expression(node, value)
            case ast.If():
                return self._if(node, end)
            case ast.While():
                return self._while(node, end)
            case ast.For():
                return self._for(node, end)
            case ast.Break() | ast.Continue():
                jumps = self.breaks if isinstance(node, ast.Break) else self.continues
                if jumps:
                    jumps[-1] = merge(jumps[-1], self.scope.known)
                self.scope.known = None
                return Jump("break" if isinstance(node, ast.Break) else "continue")
            case ast.Pass():
                return Pass()
            case ast.Return(value=value):
                return self._return(node, value)
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            if all(self.check.root_is_rejected(target) for target in targets):
                return None  # a part of an object that was rejected
        suggestion = suggestions.of_statement(node)
        self.reject("D101", node, suggestion.message, suggestion.help)
        self._rejected(node)
        return None

    # --- Calls -----------------------------------------------------------------------------------

    def _expression(self, node: ast.Expr, value: ast.expr) -> Statement | None:
        match value:
            case ast.Constant(value=str()):
                return None  # a docstring
            case ast.Call(func=ast.Name(id="print")):
                return self._print(value)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="os"), attr="umask"),
                args=[ast.Constant(value=int() as mask)],
            ):
                return SetUmask(mask)
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="local"), attr="cwd"), attr="chdir"
                ),
                args=[ast.Constant(value="/")],
            ):
                return ChangeToRoot()
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="local"), attr="cwd"), attr="chdir"
                )
            ):
                self.reject(
                    "D105",
                    node,
                    "the argument of chdir must be /, the only directory that always exists",
                    'write local.cwd.chdir("/")',
                )
                return None
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="pop"
                ),
                args=[key, ast.Constant(value="")],
                keywords=[],
            ):
                variable = self.assignments.environment_name(key, None)
                return None if variable is None else UnsetEnvironment(variable)
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                call = self.conditions.call(value)
                if call is not None and call.function.results:
                    self.reject(
                        "D201", node,
                        f"{name} returns {listed(call.function.results)}, which is ignored",
                        f"test it, assign it, or write _ = {self.symbols.shown(value)}",
                    )  # fmt: skip
                return None if call is None else Bind(call, None, ())
            case ast.BinOp(
                left=command, op=ast.BitAnd(), right=ast.Name(id=("TF" | "RETCODE" | "CAPTURE"))
            ):
                shown = self.commands.command_text(command)
                self.reject(
                    "D201", node, "the exit status of this command is ignored",
                    f"test it: {shown} & TF, or ignore it explicitly: _ = {shown} & RETCODE",
                )  # fmt: skip
                self.conditions.run(command, capture=False)
                return None
        if self.commands.is_redirected(value):
            self.commands.unrun(value, "_ = ", "RETCODE")
            return None
        result = self.expressions.value(value)
        if isinstance(value, ast.Call) and ast.unparse(value.func) in ("sys.exit", "exit", "quit"):
            self.scope.known = None
        if result.type is Type.COMMAND:
            self.reject(
                "D203", node, "this command is never run",
                f"run it: _ = {self.symbols.shown(value)} & RETCODE",
            )  # fmt: skip
        elif result.type is not Type.ERROR:
            self.reject("D101", node, "this value is not used", "assign it, or delete it")
        return None

    def _print(self, node: ast.Call) -> Statement | None:
        to_stderr = False
        for keyword in node.keywords:
            to_stderr = ast.unparse(keyword.value) == "sys.stderr"
            if keyword.arg != "file" or not to_stderr:
                self.reject(
                    "D105",
                    keyword,
                    "print only accepts file=sys.stderr",
                    "remove the other keywords",
                )
                return None
        if len(node.args) != 1:
            self.reject("D105", node, "print takes one argument", suggestions.of_print(node))
            return None
        return Print(self.expressions.text(node.args[0]), to_stderr)

    # --- Control flow ----------------------------------------------------------------------------

    def _if(self, node: ast.If, end: int) -> Statement:
        statement = If([])
        ends: list[set[str] | None] = []
        current = node
        above: list[str] = []
        while True:
            condition = self.conditions.condition(current.test)
            before = None if self.scope.known is None else set(self.scope.known)
            inside, beside = self._header(current.lineno, current.body)
            rest = current.orelse
            line = self._else_line(current, rest) if rest else end
            body = self.block(current.body, line)
            statement.branches.append(Branch(condition, body, above + inside, beside))
            ends.append(self.scope.known)
            self.scope.known = before
            above = _trimmed(self.comments.above(line)[0]) if rest else []
            if not (rest and isinstance(rest[0], ast.If) and self._is_elif(rest[0])):
                break
            current = rest[0]
        if rest:
            inside, beside = self._header(line, rest)
            statement.branches.append(Branch(None, self.block(rest, end), above + inside, beside))
        after = self.scope.known
        for known in ends:
            after = merge(after, known)
        self.scope.known = after
        first = statement.branches[0]
        statement.comments, statement.beside = first.comments, first.beside
        return statement

    def _else_line(self, node: ast.If, rest: list[ast.stmt]) -> int:
        """Return the line of the `elif` or `else` above `rest`."""
        line = (node.body[-1].end_lineno or 0) + 1
        while line < rest[0].lineno and not self.symbols.source.is_code(line):
            line += 1
        return line

    def _is_elif(self, node: ast.If) -> bool:
        return self.symbols.source.lines[node.lineno - 1].lstrip().startswith("elif")

    def _loop(
        self, body: list[ast.stmt], end: int, *, endless: bool = False, runs: bool = False
    ) -> list[Statement]:
        """Analyze the body of a loop. With `runs`, it runs at least once."""
        before = None if self.scope.known is None else set(self.scope.known)
        self.breaks.append(None)
        self.continues.append(None)
        statements = self.block(body, end)
        broken = self.breaks.pop()
        through = merge(self.scope.known, self.continues.pop())
        if runs:
            before = merge(through, broken) or before
        self.scope.known = broken if endless else before
        return statements

    def _while(self, node: ast.While, end: int) -> Statement | None:
        if node.orelse:
            self.reject("D101", node, "while … else is outside the dialect", "test after the loop")
            self._rejected(node)
            return None
        condition = self.conditions.condition(node.test)
        endless = isinstance(node.test, ast.Constant) and node.test.value is True
        statement = While(condition, [])
        statement.comments, statement.beside = self._header(node.lineno, node.body)
        statement.body = self._loop(node.body, end, endless=endless)
        return statement

    def _for(self, node: ast.For, end: int) -> Statement | None:
        items: tuple[Value, ...] | None
        if not isinstance(node.target, ast.Name) or node.orelse:
            what = "for … else" if isinstance(node.target, ast.Name) else "a loop over two names"
            place = node if isinstance(node.target, ast.Name) else node.target
            self.reject(
                "D101", place, f"{what} is outside the dialect",
                "write for name in …, without else: move the rest into the loop or below it",
            )  # fmt: skip
            self._rejected(node)
            return None
        kind = Type.STR
        match node.iter:
            case ast.Name(id=name) if name == self.scope.arguments:
                items = None
            case ast.Tuple(elts=elements) if elements:
                items = tuple(self.expressions.value(element) for element in elements)
                kinds = {Type.STR if item.type is Type.PATH else item.type for item in items}
                is_one = len(kinds - {Type.ERROR}) < 2
                kind = kinds.pop() if len(kinds) == 1 else Type.ERROR
                if not is_one or kind in (Type.BOOL, Type.COMMAND):
                    self.reject(
                        "D303",
                        node.iter,
                        "the items are not all Str or all Int",
                        "use items of one type",
                    )
            case _:
                if self.check.arguments_in(node.iter) is not None:
                    self.expressions.value(node.iter)
                elif not self.check.root_is_rejected(node.iter):
                    self.reject(
                        "D101",
                        node.iter,
                        "a for loop can only iterate over a tuple literal or main's arguments,"
                        f" not over `{self.symbols.shown(node.iter)}`",
                        suggestions.of_loop(node.iter),
                    )
                self._rejected(node)
                return None
        before = None if self.scope.known is None else set(self.scope.known)
        self.assignments.declare(node.target, node.target.id, kind)
        statement = For(node.target.id, items, [])
        statement.comments, statement.beside = self._header(node.lineno, node.body)
        statement.body = self._loop(node.body, end, runs=items is not None)
        if items is None:
            self.scope.known = before
        elif self.scope.known is not None:
            self.scope.known.add(node.target.id)
        return statement

    def _return(self, node: ast.Return, value: ast.expr | None) -> Statement | None:
        results = self.signature.results
        statement = self._result(node, value, results)
        self.scope.known = None
        return statement

    def _result(
        self, node: ast.Return, value: ast.expr | None, results: tuple[Type, ...]
    ) -> Statement | None:
        if Type.ERROR in results:  # the annotation was rejected
            parts = value.elts if isinstance(value, ast.Tuple) else [value] if value else []
            for part in parts:
                self._any(part)
            return Return()
        if value is None or not results:
            if value is not None or results:
                self.reject(
                    "D307", node,
                    f"{self.signature.name} returns {listed(results)}, not this value",
                    f"return {listed(results)}" if results else "write return without a value",
                )  # fmt: skip
            return Return()
        if results == (Type.BOOL,):
            return Return(condition=self.conditions.condition(value))
        match value:
            case ast.Call(func=ast.Name(id=called)) if self.symbols.function(called) is not None:
                call = self.conditions.call(value)
                if call is not None and call.function.results != results:
                    self.reject(
                        "D303", value,
                        f"{called} returns {listed(call.function.results)}, but"
                        f" {self.signature.name} returns {listed(results)}",
                        f"assign its results first, and return {listed(results)}",
                    )  # fmt: skip
                return None if call is None else Return(call=call)
        elements = value.elts if isinstance(value, ast.Tuple) else [value]
        count = "one value" if len(elements) == 1 else f"{len(elements)} values"
        if len(elements) != len(results):
            for element in elements:
                if self._any(element) and len(elements) == 1:
                    return Return()  # it was rejected, so the number of its values is not known
            self.reject(
                "D303", node,
                f"{self.signature.name} returns {listed(results)}, not {count}",
                f"return {listed(results)}",
            )  # fmt: skip
            return Return()
        values = []
        for element, wanted in zip(elements, results, strict=True):
            result = self.expressions.value(element)
            self.check.need(element, result, Type.INT if wanted is Type.STATUS else wanted)
            if (
                wanted is Type.STATUS
                and isinstance(result, IntLiteral)
                and not 0 <= result.value < 256
            ):
                self.reject(
                    "D303",
                    element,
                    "an exit status must be from 0 to 255",
                    "return a number in this range",
                )
            values.append(result)
        return Return(tuple(values))

    # --- Recovery --------------------------------------------------------------------------------

    def _any(self, node: ast.expr) -> bool:
        """Analyze a value of any type, and return whether there were errors in it."""
        before = len(self.symbols.diagnostics)
        if is_condition(node):
            self.conditions.condition(node)
            return len(self.symbols.diagnostics) > before
        match node:
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                self.conditions.call(node)
                return len(self.symbols.diagnostics) > before
        value = self.expressions.value(node)
        return value.type is Type.ERROR or len(self.symbols.diagnostics) > before

    def _rejected(self, node: ast.stmt) -> None:
        """Analyze the blocks in a rejected statement, and treat all names that it binds as set."""
        for name in bound_names(node):
            self.scope.assume_bound(name)
        if isinstance(node, ast.Raise):
            self.scope.known = None
        branches, final, is_complete = paths(node)
        before = None if self.scope.known is None else set(self.scope.known)
        ends: list[set[str] | None] = []
        self.breaks.append(None)
        self.continues.append(None)
        for path in branches:
            self.scope.known = None if before is None else set(before)
            self._read_block(path)
            ends.append(self.scope.known)
        self.breaks.pop()
        self.continues.pop()
        is_over = is_complete and all(end is None for end in ends)
        self.scope.known = None if is_over else before
        self._read_block(final)

    def _read_block(self, body: list[ast.stmt]) -> None:
        if body:
            self.block(body, (body[-1].end_lineno or 0) + 1)


def _trimmed(comments: list[str]) -> list[str]:
    return comments[:-1] if comments and comments[-1] == "" else comments
