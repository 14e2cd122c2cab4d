"""Analyze statements, and track which names are set on each path."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from oauthkit.compiler.constructs import is_choice, is_condition, is_stdin_read, modifier
from oauthkit.compiler.diagnostics import advice, replacements, suggestions
from oauthkit.compiler.diagnostics.describe import describe, list_types
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.ir import (
    Bind,
    Branch,
    Call,
    ChangeToRoot,
    Checked,
    Comment,
    For,
    If,
    IntLiteral,
    Join,
    Jump,
    Pass,
    Print,
    Return,
    SetUmask,
    Statement,
    StrLiteral,
    UnsetEnvironment,
    Value,
    While,
)
from oauthkit.compiler.loader.comments import Comments
from oauthkit.compiler.sema.assignments import Assignments
from oauthkit.compiler.sema.checker import Checker
from oauthkit.compiler.sema.conditions import Conditions
from oauthkit.compiler.sema.expressions import Expressions
from oauthkit.compiler.sema.iterables import Iterables, runs_at_least_once
from oauthkit.compiler.sema.recovery import paths
from oauthkit.compiler.sema.runs import Runs
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
        self.runs = Runs(self.expressions)
        self.conditions = Conditions(self.runs)
        self.assignments = Assignments(self.conditions)
        self.iterables = Iterables(self.expressions)
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
            outer, self.scope.before = self.scope.before, []
            statement = self._statement(node, end if following is None else following.lineno)
            before, self.scope.before = self.scope.before, outer
            inside, beside = self._beside(node, following)
            if statement is None and before:  # `_ = ""` has no effect, but what runs before it does
                statement = before.pop()
            if statement is None:
                # A rejected statement may end differently.
                is_reached &= self.scope.known is not None
                left += [*above, *inside, *([] if beside is None else [beside])]
                continue
            statement.comments = [*statement.comments, *inside]
            statement.beside = beside or statement.beside
            first = before[0] if before else statement
            first.comments = [*left, *above, *first.comments]
            first.blank = bool(found) and blank
            found += [*before, statement]
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
        self.scope.statement = self.scope.root = node
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
        suggestion = suggestions.of_statement(node, self.expressions.site())
        self.reject("D101", node, suggestion.message, suggestion.help)
        self._rejected(node, is_replaced="\n" in suggestion.help)
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
                ),
                args=[directory],
            ):
                self.reject(
                    "D105", node, "chdir fails if there is no such directory, except for /",
                    replacements.of_chdir(self.expressions.site(), value) or advice.CHDIR,
                )  # fmt: skip
                self.expressions.text(directory)
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
            case ast.Call() if is_stdin_read(value):
                self.reject(
                    "D201", node, "sys.stdin.read returns a Str, which is ignored",
                    f"assign it, or ignore it explicitly: `_ = {self.symbols.shown(value)}`",
                )  # fmt: skip
                return None
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                call = self.runs.call(value)
                if call is not None and call.function.results:
                    self.reject(
                        "D201", node,
                        f"{name} returns {list_types(call.function.results)}, which is ignored",
                        f"test it, assign it, or ignore it explicitly:"
                        f" `{', '.join('_' * len(call.function.results))} ="
                        f" {self.symbols.shown(value)}`{self._or_return(call, value)}",
                    )  # fmt: skip
                return None if call is None else Bind(call, None, ())
            case ast.IfExp(test=test, body=body, orelse=other):
                lines = _chosen(*map(self.symbols.shown, (test, body, other)))
                self.reject(
                    "D102", value, "a conditional expression cannot be a statement",
                    code("write if and else", lines),
                )  # fmt: skip
                return None
            case ast.BoolOp(op=operator, values=[first, second]) if (
                self.check.type_of(first) is Type.BOOL
            ):
                negation = "not " if isinstance(operator, ast.Or) else ""
                asked = self.symbols.shown(first)
                asked = f"({asked})" if negation and isinstance(first, ast.BoolOp) else asked
                lines = [f"if {negation}{asked}:", f"    {self.symbols.shown(second)}"]
                if not isinstance(second, ast.Call) and modifier(second) != "FG":
                    lines = []
                self.reject(
                    "D102", value,
                    f"`{describe(operator)}` between statements is outside the dialect",
                    code("write if", lines, "use if"),
                )  # fmt: skip
                return None
            case ast.Compare() | ast.BinOp() if self.commands.is_called_redirected(value):
                self.reject(
                    "D203", value, "the command is called before it is redirected",
                    f"write its arguments in brackets: `{self.commands.command_text(value)}()`",
                )  # fmt: skip
                return None
            case ast.BinOp(left=command) if modifier(value) == "FG":
                run = self.runs.run(command, "FG")
                return None if run is None else Checked(run, None)
            case ast.Call() if self.commands.is_called(value):
                run = self.runs.called(value, is_used=False)
                return None if run is None else Checked(run, None)
            case ast.BinOp(left=command) if (how := modifier(value)) != "":
                shown = self.commands.command_text(command)
                own = "(FG=True)" if how.endswith("(FG=True)") else ""
                self.reject(
                    "D201", node, "the exit status of this command is ignored",
                    "test it with if, assign it, or ignore it explicitly:"
                    f" `_ = {shown} & RETCODE{own}`",
                )  # fmt: skip
                self.runs.run(command, how)
                return None
        if self.commands.is_redirected(value):
            self.commands.unrun(value, "_ = ", "FG")
            return None
        result = self.expressions.value(value)
        if isinstance(value, ast.Call) and ast.unparse(value.func) in ("sys.exit", "exit", "quit"):
            self.scope.known = None
        if result.type is Type.COMMAND:
            self.reject(
                "D203", node, "this command is never run",
                f"run it: `{self.symbols.shown(value)} & FG`",
            )  # fmt: skip
        elif result.type is not Type.ERROR:
            self.reject("D101", node, "this value is not used", "assign it, or delete it")
        return None

    def _or_return(self, call: Call, node: ast.Call) -> str:
        """Return the end of the help for a call whose Status may be this function's result."""
        is_status = call.function.results == self.signature.results == (Type.STATUS,)
        way = f"return {self.symbols.shown(node)}"
        return f". To end this function with it, write `{way}`" if is_status else ""

    def _print(self, node: ast.Call) -> Statement | None:
        to_stderr, end = False, None
        for keyword in node.keywords:
            match keyword.arg, ast.unparse(keyword.value):
                case "file", "sys.stderr":
                    to_stderr = True
                case "end", _:
                    end = self.expressions.text(keyword.value)
                case "flush", "True":
                    pass
                case name, given:
                    help = "use one of these, or remove the keyword"
                    if name == "sep":
                        help = "join the values with an f-string"
                    elif (name, given) == ("file", "sys.stdout"):
                        help = "remove it. print writes to stdout"
                    self.reject(
                        "D105", keyword,
                        "print accepts only the keywords file=sys.stderr, end and flush=True", help,
                    )  # fmt: skip
                    return None
        if to_stderr and end is not None:
            self.reject(
                "D105", node, "print with end and file=sys.stderr is outside the dialect",
                "write whole lines to stderr. Python buffers a partial line there until it ends",
            )  # fmt: skip
        parts: list[Value] = []
        for argument in node.args:
            operands = argument.values if isinstance(argument, ast.BoolOp) else [argument]
            is_bool = all(map(is_condition, operands)) or self.expressions.returns_bool(argument)
            if is_bool and not self.commands.is_redirected(argument):
                self.reject(
                    "D303", argument, "a Bool cannot be printed",
                    "choose the text with if and else",
                )  # fmt: skip
                continue
            value = self.expressions.value(argument)
            if not value.type.is_number:
                self.check.need_text(argument, value)
            parts += [StrLiteral(" "), value] if parts else [value]
        parts += [] if end is None else [end]
        text = parts[0] if len(parts) == 1 else Join(tuple(parts))
        return Print(text, to_stderr, ends_line=end is None)

    # --- Control flow ----------------------------------------------------------------------------

    def _if(self, node: ast.If, end: int) -> Statement:
        statement = If([])
        ends: list[set[str] | None] = []
        current = node
        above: list[str] = []
        while True:
            self.scope.statement = current
            if current is node:
                condition = self.conditions.condition(current.test)
            else:
                condition = self.conditions.lazy_condition(current.test)
            before = None if self.scope.known is None else set(self.scope.known)
            self.scope.learn(current.test, truth=True)
            inside, beside = self._header(current.lineno, current.body)
            rest = current.orelse
            line = self._else_line(current, rest) if rest else end
            body = self.block(current.body, line)
            statement.branches.append(Branch(condition, body, above + inside, beside))
            ends.append(self.scope.known)
            self.scope.known = before
            self.scope.learn(current.test, truth=False)
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
            self.reject("D101", node, "while … else is outside the dialect", _else_help(node))
            self._rejected(node)
            return None
        condition = self.conditions.lazy_condition(node.test)
        endless = isinstance(node.test, ast.Constant) and node.test.value is True
        statement = While(condition, [])
        statement.comments, statement.beside = self._header(node.lineno, node.body)
        statement.body = self._loop(node.body, end, endless=endless)
        return statement

    def _for(self, node: ast.For, end: int) -> Statement | None:
        if not isinstance(node.target, ast.Name) or node.orelse:
            what = "for … else" if isinstance(node.target, ast.Name) else "a loop over two names"
            place = node if isinstance(node.target, ast.Name) else node.target
            help = _loop_help(node)
            if "enumerate(" in ast.unparse(node.iter):
                site = self.expressions.site()
                help = replacements.of_enumerate(site, node, self.scope.arguments)
                help = help or advice.CALLS["enumerate"]
            self.reject("D101", place, f"{what} is outside the dialect", help)
            self._rejected(node)
            return None
        found = self.iterables.items(node, node.target.id)
        if found is None:
            self._rejected(node)
            return None
        items, kind = found
        before = None if self.scope.known is None else set(self.scope.known)
        self.assignments.declare(node.target, node.target.id, kind)
        statement = For(node.target.id, items, [])
        statement.comments, statement.beside = self._header(node.lineno, node.body)
        runs = runs_at_least_once(items)
        statement.body = self._loop(node.body, end, runs=runs)
        if not runs:
            self.scope.known = before
        elif self.scope.known is not None:
            self.scope.known.add(node.target.id)
        return statement

    def _return(self, node: ast.Return, value: ast.expr | None) -> Statement | None:
        results = self.signature.results
        if isinstance(value, ast.IfExp):
            return self.conditions.choice(value, lambda chosen: self._return(node, chosen))
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
                    f"{self.signature.name} returns {list_types(results)}, not this value",
                    f"return {list_types(results)}" if results else "write return without a value",
                )  # fmt: skip
            return Return()
        if results == (Type.BOOL,):
            return Return(condition=self.conditions.condition(value))
        match value:
            case ast.Call(func=ast.Name(id=called)) if self.symbols.function(called) is not None:
                call = self.runs.call(value)
                if call is not None and call.function.results != results:
                    self.reject(
                        "D303", value,
                        f"{called} returns {list_types(call.function.results)}, but"
                        f" {self.signature.name} returns {list_types(results)}",
                        self._converted(value, call, results),
                    )  # fmt: skip
                return None if call is None else Return(call=call)
        if results == (Type.STATUS,) and is_condition(value) and not is_choice(value):
            return self._status_of_bool(value)
        elements = value.elts if isinstance(value, ast.Tuple) else [value]
        count = "one value" if len(elements) == 1 else f"{len(elements)} values"
        if len(elements) != len(results):
            for element in elements:
                if self._any(element) and len(elements) == 1:
                    return Return()  # it was rejected, so the number of its values is not known
            self.reject(
                "D303", node,
                f"{self.signature.name} returns {list_types(results)}, not {count}",
                f"return {list_types(results)}",
            )  # fmt: skip
            return Return()
        values = []
        for element, wanted in zip(elements, results, strict=True):
            result = self.expressions.value(element)
            if wanted is Type.STATUS and result.type is Type.BOOL:
                return self._status_of_bool(element)
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

    def _status_of_bool(self, value: ast.expr) -> Return:
        """Reject a Bool that is returned as a Status."""
        help = f"1 if {self.symbols.shown(value)} else 0"
        if isinstance(value, ast.Constant):
            help = str(int(bool(value.value)))
        self.reject(
            "D303", value, "expected a Status, found a Bool",
            code("return a number (in Python, True is 1, which means failure)", help),
        )  # fmt: skip
        return Return()

    def _converted(self, value: ast.expr, call: Call, results: tuple[Type, ...]) -> str:
        """Suggest how to return a call's result as another type."""
        found, site = call.function.results, self.expressions.site()
        if len(found) == len(results) == 1 and results[0] is Type.STR:
            return replacements.conversion(site, value, found[0], Type.STR)
        return f"assign its results first, and return {list_types(results)}"

    # --- Recovery --------------------------------------------------------------------------------

    def _any(self, node: ast.expr) -> bool:
        """Analyze a value of any type, and return whether there were errors in it."""
        before = len(self.symbols.diagnostics)
        if is_condition(node):
            self.conditions.condition(node)
            return len(self.symbols.diagnostics) > before
        match node:
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                self.runs.call(node)
                return len(self.symbols.diagnostics) > before
        value = self.expressions.value(node)
        return value.type is Type.ERROR or len(self.symbols.diagnostics) > before

    def _rejected(self, node: ast.stmt, *, is_replaced: bool = False) -> None:
        """Analyze the blocks in a rejected statement, and treat all names that it binds as set.

        If the help replaces the first block, this block is not analyzed.
        """
        for name in bound_names(node):
            self.scope.assume_bound(name)
        if isinstance(node, ast.Raise):
            self.scope.known = None
        branches, final, is_complete = paths(node)
        before = None if self.scope.known is None else set(self.scope.known)
        ends: list[set[str] | None] = []
        self.breaks.append(None)
        self.continues.append(None)
        for number, path in enumerate(branches):
            self.scope.known = None if before is None else set(before)
            if number > 0 or not is_replaced:
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


def _breaks(node: ast.AST) -> bool:
    """Return whether a statement can end the loop around it with break."""
    if isinstance(node, (ast.For, ast.While)):
        return any(map(_breaks, node.orelse))
    return isinstance(node, ast.Break) or any(map(_breaks, ast.iter_child_nodes(node)))


def _else_help(node: ast.For | ast.While) -> str:
    """Return the help for a loop with else, which runs unless a break ends the loop."""
    if any(map(_breaks, node.body)):
        return advice.LOOP_ELSE
    return "the loop has no `break`. Write the block of else after the loop, without else"


def _loop_help(node: ast.For) -> str:
    """Return the help for a loop over two names, or with else."""
    if isinstance(node.target, ast.Name):
        return _else_help(node)
    if isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "os.walk":
        return advice.FIND
    return advice.PAIRS


def _trimmed(comments: list[str]) -> list[str]:
    return comments[:-1] if comments and comments[-1] == "" else comments


def _chosen(when: str, then: str, otherwise: str) -> list[str]:
    """Return the lines of an if statement for `then if when else otherwise`."""
    if then == "None":
        return [f"if not ({when}):", f"    {otherwise}"]
    lines = [f"if {when}:", f"    {then}"]
    return lines if otherwise == "None" else [*lines, "else:", f"    {otherwise}"]
