"""Analyze conditions."""

from __future__ import annotations

import ast
from collections.abc import Callable

from oauthkit.compiler.constructs import is_condition, modifier
from oauthkit.compiler.diagnostics import replacements, suggestions
from oauthkit.compiler.diagnostics.describe import condition_for, describe_results, with_article
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.evaluation_order import is_pure
from oauthkit.compiler.ir import (
    COUNT,
    Affix,
    BoolOp,
    Branch,
    Compare,
    Condition,
    Contains,
    FileTest,
    If,
    IntLiteral,
    IsItem,
    IsSet,
    IsTrue,
    Name,
    Not,
    Statement,
    StatementCondition,
    Succeeds,
    Value,
)
from oauthkit.compiler.sema.checker import REJECTED
from oauthkit.compiler.sema.runs import Runs
from oauthkit.compiler.sema.scope import merge
from oauthkit.compiler.types import Type

COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
FILE_TESTS = {"exists": "-e", "is_file": "-f", "is_dir": "-d", "is_symlink": "-L"}
ACCESS_TESTS = {"r": "-r", "w": "-w", "x": "-x"}


class Conditions:
    """Analyzes the conditions of one function."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.expressions = expressions = runs.expressions
        self.commands = expressions.commands
        self.check = expressions.check
        self.symbols = expressions.symbols
        self.reject = expressions.reject

    def condition(self, node: ast.expr) -> Condition:
        """Analyze a condition: the operand of if, while, and, or, not."""
        match node:
            case ast.BoolOp(op=operator, values=values):
                either = isinstance(operator, ast.Or)
                if help := replacements.of_literal_operands(self.expressions.site(), node):
                    self.reject("D305", node, "a literal cannot be used as a condition", help)
                    return IsTrue(REJECTED)
                operands, learned = list[Condition](), set[str]()
                for part in values:
                    operands.append(self.lazy_condition(part) if operands else self.condition(part))
                    learned |= self.check.scope.learn(part, truth=not either)
                if self.check.scope.known is not None:
                    self.check.scope.known -= learned
                return BoolOp(tuple(operands), either)
            case ast.Name(id=name) if name == self.check.scope.arguments:
                return Compare("!=", Name(COUNT, Type.INT), IntLiteral(0))
            case ast.Subscript(
                value=ast.Name(id=name),
                slice=ast.Slice(lower=ast.Constant(value=int() as first), upper=None, step=None),
            ) if name == self.check.scope.arguments:
                self.reject(
                    "D305", node, f"{name} cannot be sliced",
                    code("test their number", f"len({name}) > {first}"),
                )  # fmt: skip
                return IsTrue(REJECTED)
            case ast.UnaryOp(op=ast.Not(), operand=ast.Name() | ast.Call() as operand) if (
                kind := self.check.result_of(operand)
            ) in (Type.STR, Type.PATH, Type.INT, Type.STATUS):
                shown = self._test(kind, operand)
                intro = "compare it (0 means success)" if kind is Type.STATUS else "compare it"
                self.reject(
                    "D305", node, f"{with_article(kind)} cannot be used as a condition",
                    code(intro, " == ".join(shown.rsplit(" != ", 1))),
                )  # fmt: skip
                return IsTrue(REJECTED)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand))
            case ast.BinOp(left=command) if (how := modifier(node)) in ("TF", "TF(FG=True)"):
                run = self.runs.run(command, how)
                return IsTrue(REJECTED) if run is None else Succeeds(run)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                if self.commands.is_redirected(node):
                    return IsTrue(self.commands.unrun(node, "", "TF"))
                return self._comparison(node, left, operator, right)
            case ast.Compare(left=left, ops=operators, comparators=rights):
                if self.commands.is_redirected(node):
                    return IsTrue(self.commands.unrun(node, "", "TF"))
                signs = [COMPARISONS.get(type(operator), "") for operator in operators]
                pairs = [*zip([left, *rights], signs, rights, strict=False)]
                help = replacements.compared(self.expressions.site(), node, pairs, "and")
                self.reject(
                    "D102", node, "chained comparisons are outside the dialect",
                    ("" not in signs and help)
                    or "compare one by one, joined with `and`, in parentheses",
                )  # fmt: skip
                return IsTrue(REJECTED)
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
                ),
                args=[ast.Constant(value=str())] as arguments,
            ) if len(arguments) == 1:
                shown = f'local.env.get({self.symbols.shown(arguments[0])}, "")'
                self.reject(
                    "D305", node, "a Str cannot be used as a condition",
                    code("compare it", f'{shown} != ""'),
                )  # fmt: skip
                return IsTrue(REJECTED)
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                return self._call_condition(node)
            case ast.Call() if self.commands.is_called(node):
                self.reject(
                    "D305", node, "a Str cannot be used as a condition",
                    "to test whether it succeeds, write"
                    f" `{self.commands.bracketed(node)} & TF`. To test its output, compare it with"
                    " a Str",
                )  # fmt: skip
                return IsTrue(REJECTED)
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)):
                found = self._method_condition(node, owner, attr)
                if found is not None:
                    return found
                value = self.expressions.call_value(node)
            case _:
                value = self.expressions.value(node)
        if not value.type.fits(Type.BOOL):
            intro = "run it" if value.type is Type.COMMAND else "compare it"
            help = code(intro, self._test(value.type, node))
            if isinstance(node, ast.Constant) and isinstance(node.value, int):
                help = code("write", str(bool(node.value)))
            self.reject(
                "D305", node, f"{with_article(value.type)} cannot be used as a condition", help
            )
        return IsTrue(value)

    def _test(self, kind: Type, node: ast.expr) -> str:
        """Return the code that tests a value as Python does."""
        shown = self.symbols.shown(node)
        plain = (ast.Name, ast.Call, ast.Constant, ast.Subscript, ast.JoinedStr)
        test = condition_for(kind, shown if isinstance(node, plain) else f"({shown})")
        lines = self.expressions.site().holds_lines(node)
        return test.replace('""', '"\\n"') if lines else test

    def lazy_condition(self, node: ast.expr) -> Condition:
        """Analyze a condition that Python may skip or repeat.

        The calls inside it run directly before it, unless it only depends on variables.
        """
        scope = self.check.scope
        is_repeated = isinstance(scope.statement, ast.While)
        if is_pure(node, scope.arguments) and not is_repeated:
            return self.condition(node)
        with scope.lazy_part(node) as before:
            condition = self.condition(node)
        return StatementCondition(tuple(before), condition) if before else condition

    def choice(
        self, node: ast.IfExp, analyze: Callable[[ast.expr], Statement | None]
    ) -> Statement | None:
        """Analyze a statement with `first if test else second` as an if with two branches."""
        scope = self.check.scope
        condition = self.condition(node.test)
        before = None if scope.known is None else set(scope.known)
        branches: list[Branch] = []
        ends: list[set[str] | None] = []
        for chosen, truth in ((node.body, True), (node.orelse, False)):
            scope.known = None if before is None else set(before)
            scope.learn(node.test, truth=truth)
            with scope.lazy_part(chosen) as calls:
                statement = analyze(chosen)
            if statement is None:
                return None
            ends.append(scope.known)
            if not truth and isinstance(statement, If) and not calls:
                branches += statement.branches
            else:
                branches.append(Branch(condition if truth else None, [*calls, statement]))
        scope.known = merge(*ends)
        return If(branches)

    def _call_condition(self, node: ast.Call) -> Condition:
        call = self.runs.call(node)
        if call is None:
            return IsTrue(REJECTED)
        if call.function.results != (Type.BOOL,):
            results = call.function.results
            shown = self.symbols.shown(node)
            help = "assign its results first, and test them"
            if len(results) == 1:
                help = code("compare it", condition_for(results[0], shown))
            self.reject("D305", node, f"{describe_results(call.function)}, not a Bool", help)
        return Succeeds(call)

    def _comparison(
        self, node: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr
    ) -> Condition:
        if isinstance(operator, (ast.In, ast.NotIn)):
            is_in = isinstance(operator, ast.In)
            if isinstance(right, ast.Tuple) and right.elts:
                return self._among(node, left, right.elts, is_in)
            if isinstance(right, ast.Name) and right.id in self.symbols.tuples:
                item = self._item_of(node, left, right)
                return item if is_in else Not(item)
            site = self.expressions.site()
            suggestion = suggestions.of_membership(left, right, is_in, site)
            if suggestion is not None:
                self.reject("D102", node, suggestion.message, suggestion.help)
                return IsTrue(REJECTED)
            inside = self._membership(left, right)
            return Not(inside) if isinstance(operator, ast.NotIn) else inside
        sign = COMPARISONS.get(type(operator))
        is_none = isinstance(right, ast.Constant) and right.value is None
        if sign is None or is_none:
            is_not = isinstance(operator, (ast.IsNot, ast.NotEq))
            suggestion = suggestions.of_identity(node, left, right, is_not, self.expressions.site())
            self.reject("D102", node, suggestion.message, suggestion.help)
            return IsTrue(REJECTED)
        is_zero = isinstance(right, ast.Constant) and type(right.value) is int and right.value == 0
        if sign in ("==", "!=") and is_zero:
            match left:
                case ast.Call(func=ast.Name(id=name)) if self._returns_status(name):
                    return self._status_comparison(left, sign)
                case ast.BinOp(left=command) if (how := modifier(left)).startswith("RETCODE"):
                    run = self.runs.run(command, how)
                    if run is None:
                        return IsTrue(REJECTED)
                    return Succeeds(run) if sign == "==" else Not(Succeeds(run))
                case ast.Call() if self.commands.is_called(left):
                    self.reject(
                        "D304", left, "a called command returns its output, not its exit status",
                        code("write", f"({self.commands.bracketed(left)} & RETCODE)"),
                    )  # fmt: skip
                    return IsTrue(REJECTED)
        assert isinstance(node, ast.Compare)
        if help := replacements.of_character(self.expressions.site(), node):
            self.reject("D102", node, "a Str cannot be indexed", help)
            return IsTrue(REJECTED)
        for side, other in ((left, right), (right, left)):
            is_truth = _is_truth(side)
            is_bool = is_condition(side) and not self.expressions.is_default(side)
            is_bool |= isinstance(side, ast.Call) and self.check.result_of(side) is Type.BOOL
            if is_truth or (is_bool and not _is_truth(other)):
                help = self._bool_comparison_help(sign, left, right)
                is_bool = self.check.type_of(other) is Type.BOOL
                if is_truth and is_bool and sign in ("==", "!="):
                    wanted = (side.value is True) is (sign == "==")  # type: ignore[attr-defined]
                    shown = self.symbols.shown(other)
                    help = code("test it directly", shown if wanted else f"not {shown}")
                self.reject("D305", node, "a Bool cannot be compared", help)
                return IsTrue(REJECTED)
        return self._compare(
            node, sign, left, self.expressions.value(left), right, self.expressions.value(right)
        )

    def _among(
        self, node: ast.expr, left: ast.expr, items: list[ast.expr], is_in: bool
    ) -> Condition:
        """Analyze `left in (item, …)`: a comparison with each item."""
        first, sign = self.expressions.value(left), "==" if is_in else "!="
        pairs = [
            self._compare(node, sign, left, first, item, self.expressions.value(item))
            for item in items
        ]
        return pairs[0] if len(pairs) == 1 else BoolOp(tuple(pairs), either=is_in)

    def _item_of(self, node: ast.expr, left: ast.expr, items: ast.Name) -> Condition:
        """Analyze `left in NAME`, a tuple constant."""
        value, kind = self.expressions.value(left), self.symbols.tuples[items.id]
        self.symbols.used.add(items.id)
        is_text, is_number = value.type.is_text, value.type.is_number
        if not (is_text if kind is Type.STR else is_number) and kind is not Type.ERROR:
            self.reject(
                "D303", node,
                f"the items of {items.id} have the type {kind.value}, and this value is"
                f" {with_article(value.type)}",
                "compare values of one type",
            )  # fmt: skip
        return IsItem(value, items.id)

    def _compare(
        self,
        node: ast.expr,
        sign: str,
        left: ast.expr,
        first: Value,
        right: ast.expr,
        second: Value,
    ) -> Condition:
        """Compare two values."""
        if first.type.is_text and second.type.is_text:
            if sign not in ("==", "!=") and Type.ERROR not in (first.type, second.type):
                help = "compare text with `==` and `!=`. To compare numbers, convert both with"
                help += " parse_int. To sort text, run the program sort"
                if isinstance(left, ast.Call) and self.commands.is_called(left) and sign == ">":
                    command = f"{self.commands.bracketed(left)} > {self.symbols.shown(right)}"
                    help = f"to write the output to the file, run `({command}) & FG`. To compare"
                    help += " text, use `==` and `!=`"
                self.reject("D303", node, f"{sign} on text depends on the locale in bash", help)
        elif Type.COMMAND in (first.type, second.type):
            self.reject(
                "D303", node, "a Command cannot be compared",
                "capture its output with `& CAPTURE`, and compare the text",
            )  # fmt: skip
        elif Type.BOOL in (first.type, second.type):
            help = self._bool_comparison_help(sign, left, right)
            self.reject("D305", node, "a Bool cannot be compared", help)
        else:
            _ = self.check.need(left, first, Type.INT) and self.check.need(right, second, Type.INT)
        return Compare(sign, first, second)

    def _bool_comparison_help(self, sign: str, left: ast.expr, right: ast.expr) -> str:
        """Return the help for comparing two Bools."""
        names = [x.id for x in (left, right) if isinstance(x, ast.Name)]
        kinds = {self.check.scope.type_of(name) for name in names}
        test = ""
        if len(names) == 2 and kinds == {Type.BOOL} and sign in ("==", "!="):
            a, b = names
            test = f"({a} and {b} or not {a} and not {b})"
            test = test if sign == "==" else f"({a} and not {b} or not {a} and {b})"
        return code(
            "combine the two with `and`, `or` and `not`", test, "test it directly, or with `not`"
        )

    def _returns_status(self, name: str) -> bool:
        function = self.symbols.function(name)
        return function is not None and function.results == (Type.STATUS,)

    def _status_comparison(self, left: ast.Call, sign: str) -> Condition:
        call = self.runs.call(left)
        if call is None:
            return IsTrue(REJECTED)
        return Succeeds(call) if sign == "==" else Not(Succeeds(call))

    def _membership(self, left: ast.expr, right: ast.expr) -> Condition:
        match right:
            case ast.Attribute(value=ast.Name(id="local"), attr="env"):
                if isinstance(left, ast.Constant) and isinstance(left.value, str):
                    fits = self.symbols.check_environment(left, left.value)
                    return IsSet(left.value) if fits else IsTrue(REJECTED)
                self.reject(
                    "D105",
                    left,
                    "the name of an environment variable must be a literal",
                    'write it here, as in `"HOME" in local.env`',
                )
                return IsTrue(REJECTED)
            case ast.Name(id=name) if name == self.expressions.scope.arguments:
                self.reject(
                    "D102", right, f"`in` cannot search {name}",
                    f"compare each argument in a loop: `for argument in {name}:`",
                )  # fmt: skip
                return IsTrue(REJECTED)
        needle = self.expressions.text(left)
        text = self.expressions.text(right)
        if text.type is Type.PATH:
            self.reject(
                "D303",
                right,
                "`in` with a Path searches for a file in plumbum",
                "to search its text, assign it with an f-string first",
            )
        return Contains(needle, text)

    def _method_condition(self, node: ast.Call, owner: ast.expr, attr: str) -> Condition | None:
        if attr in ("startswith", "endswith") and len(node.args) == 1:
            if isinstance(node.args[0], ast.Tuple):
                items = node.args[0].elts
                tests = " or ".join(f"{ast.unparse(node.func)}({ast.unparse(x)})" for x in items)
                if len(items) > 1 and not self.expressions.site().is_condition(node):
                    tests = f"({tests})"
                repeats_owner = len(items) > 1 and not is_pure(owner, self.check.scope.arguments)
                if repeats_owner or any(isinstance(item, ast.Starred) for item in items):
                    tests = ""
                self.reject(
                    "D105", node, f"{attr} takes one Str",
                    code("join the tests", tests, "assign the text, and join its tests with `or`"),
                )  # fmt: skip
                return IsTrue(REJECTED)
            return Affix(
                self.expressions.text(owner),
                self.expressions.text(node.args[0]),
                at_end=attr == "endswith",
            )
        flag = FILE_TESTS.get(attr) if not node.args else None
        if attr == "access" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            flag = ACCESS_TESTS.get(str(node.args[0].value))
        if flag is None:
            return None
        path = self.expressions.value(owner)
        self.check.need(owner, path, Type.PATH)
        return FileTest(flag, path)


def _is_truth(node: ast.expr) -> bool:
    """Return whether an expression is True or False."""
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)
