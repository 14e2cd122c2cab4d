"""Analyze conditions, calls to functions, and commands that run."""

from __future__ import annotations

import ast

from oauthkit.compiler.diagnostics import suggestions
from oauthkit.compiler.diagnostics.describe import (
    REDIRECTIONS,
    is_condition,
    question,
    with_article,
)
from oauthkit.compiler.ir import (
    Affix,
    BoolOp,
    Call,
    Compare,
    Condition,
    Contains,
    FileTest,
    IsSet,
    IsTrue,
    Not,
    Run,
    Succeeds,
    Value,
)
from oauthkit.compiler.sema.checker import REJECTED
from oauthkit.compiler.sema.expressions import Expressions
from oauthkit.compiler.types import Type

COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
STREAMS = {">": "stdout", ">>": "stdout", ">=": "stderr", "<": "stdin"}
FILE_TESTS = {"exists": "-e", "is_file": "-f", "is_dir": "-d", "is_symlink": "-L"}
ACCESS_TESTS = {"r": "-r", "w": "-w", "x": "-x"}


class Conditions:
    """Analyzes the conditions of one function, and the calls and commands that it runs."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.commands = expressions.commands
        self.check = expressions.check
        self.symbols = expressions.symbols
        self.reject = expressions.reject

    def run(self, node: ast.expr, capture: bool) -> Run | None:
        """Analyze the command left of `& TF`, `& RETCODE` or `& CAPTURE`, with its redirections."""
        redirections: dict[str, tuple[ast.expr, bool]] = {}
        whole = node
        while True:
            match node:
                case ast.Compare(left=inner, ops=[operator], comparators=[target]):
                    kind = REDIRECTIONS.get(type(operator), "")
                case ast.Compare():
                    self.commands.chained(node, self.commands.command_text(node))
                    return None
                case ast.BinOp(left=inner, op=ast.RShift(), right=target):
                    kind = ">>"
                case _:
                    break
            stream = STREAMS.get(kind)
            if stream is None:
                self.reject(
                    "D202",
                    node,
                    "this is not a redirection",
                    "the dialect has < > >> >=, each once",
                )
                return None
            if stream in redirections:
                self.commands.twice(node, kind)
                return None
            redirections[stream] = (target, kind == ">>")
            node = inner
        if isinstance(node, ast.Name) and self.check.is_unknown(node.id):
            self.symbols.rejected.add(node.id)
            self.reject(
                "D301", node, f"{node.id} is not set",
                f'bind the program at the top: {node.id} = program("{node.id}")',
            )  # fmt: skip
            return None
        command = self.expressions.value(node)
        if command.type is Type.ERROR:
            return None
        if command.type is not Type.COMMAND:
            self.reject(
                "D303", node, f"{with_article(command.type)} cannot be run",
                "write a command left of &",
            )  # fmt: skip
            return None
        if capture and "stdout" in redirections:
            self.reject(
                "D202", whole, "stdout is redirected and captured",
                f"write to the file: status = {self.commands.command_text(whole)} & RETCODE, or"
                f" capture the text: status, text = {self.symbols.shown(node)} & CAPTURE",
            )  # fmt: skip
        stdin = self._target(redirections.get("stdin"))
        stdout = (
            None if capture else self._target(redirections.get("stdout")) or Run(command).stdout
        )
        append = redirections.get("stdout", (None, False))[1]
        stderr: Value | None = Run(command).stderr
        if "stderr" in redirections:
            target = redirections["stderr"][0]
            is_stdout = isinstance(target, ast.Name) and target.id == "ERROUT"
            stderr = None if is_stdout else self._target(redirections["stderr"])
        return Run(command, stdin, stdout, append, stderr, tuple(redirections))

    def _target(self, redirection: tuple[ast.expr, bool] | None) -> Value | None:
        return None if redirection is None else self.expressions.text(redirection[0])

    def call(self, node: ast.Call) -> Call | None:
        """Analyze a call to a function or builtin. Return None if it is rejected."""
        assert isinstance(node.func, ast.Name)
        signature = self.symbols.function(node.func.id)
        assert signature is not None
        if signature.name in self.symbols.library.builtins:
            self.symbols.builtins_used.add(signature.name)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self.reject(
                "D105", node, f"{signature.name} takes its arguments by position",
                f"write {signature.name}({', '.join(n for n, _ in signature.parameters)}), with a"
                " value for each, without names and *",
            )  # fmt: skip
            return None
        if len(node.args) != len(signature.parameters):
            wanted = (
                ", ".join(f"{name}: {kind.value}" for name, kind in signature.parameters)
                or "nothing"
            )
            self.reject(
                "D105",
                node,
                f"{signature.name} does not take these arguments",
                f"it takes {wanted}",
            )
            return None
        values = []
        for argument, (_, wanted_type) in zip(node.args, signature.parameters, strict=True):
            value = self.expressions.value(argument)
            self.check.need(argument, value, wanted_type)
            values.append(value)
        return Call(signature, tuple(values))

    # --- Conditions ------------------------------------------------------------------------------

    def condition(self, node: ast.expr) -> Condition:
        """Analyze a condition: the operand of if, while, and, or, not."""
        match node:
            case ast.BoolOp(op=operator, values=values):
                operands = tuple(self.condition(value) for value in values)
                return BoolOp(operands, either=isinstance(operator, ast.Or))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand))
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="TF")):
                run = self.run(command, capture=False)
                return IsTrue(REJECTED) if run is None else Succeeds(run)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                if self.commands.is_redirected(node):
                    return IsTrue(self.commands.unrun(node, "", "TF"))
                return self._comparison(node, left, operator, right)
            case ast.Compare(left=left, ops=operators, comparators=rights):
                pairs = zip([left, *rights], operators, rights, strict=False)
                way = " and ".join(ast.unparse(ast.Compare(a, [o], [b])) for a, o, b in pairs)
                if self.commands.is_redirected(node):
                    return IsTrue(self.commands.unrun(node, "", "TF"))
                self.reject("D102", node, "comparisons are chained", f"compare one by one: {way}")
                return IsTrue(REJECTED)
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                return self._call_condition(node, name)
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)):
                found = self._method_condition(node, owner, attr)
                if found is not None:
                    return found
                value = self.expressions.call_value(node)
            case _:
                value = self.expressions.value(node)
        if not value.type.fits(Type.BOOL):
            shown = self.symbols.shown(node) if isinstance(node, ast.Name) else ""
            self.reject(
                "D305", node, f"{with_article(value.type)} cannot be used as a condition",
                f"compare or test it: {question(value.type, shown)}",
            )  # fmt: skip
        return IsTrue(value)

    def _call_condition(self, node: ast.Call, name: str) -> Condition:
        call = self.call(node)
        if call is None:
            return IsTrue(REJECTED)
        if call.function.results != (Type.BOOL,):
            self.reject(
                "D305", node, f"{name} does not return a Bool",
                f"compare it: {self.symbols.shown(node)} == 0"
                if call.function.results == (Type.STATUS,)
                else f"assign it first, and test it: result = {self.symbols.shown(node)}",
            )  # fmt: skip
        return Succeeds(call)

    def _comparison(
        self, node: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr
    ) -> Condition:
        if isinstance(operator, (ast.In, ast.NotIn)):
            is_in = isinstance(operator, ast.In)
            suggestion = suggestions.of_membership(left, right, is_in)
            if suggestion is not None:
                self.reject("D102", right, suggestion.message, suggestion.help)
                return IsTrue(REJECTED)
            inside = self._membership(left, right)
            return Not(inside) if isinstance(operator, ast.NotIn) else inside
        sign = COMPARISONS.get(type(operator))
        is_none = isinstance(right, ast.Constant) and right.value is None
        if sign is None or is_none:
            is_not = isinstance(operator, (ast.IsNot, ast.NotEq))
            suggestion = suggestions.of_identity(left, right, is_not)
            self.reject("D102", node, suggestion.message, suggestion.help)
            return IsTrue(REJECTED)
        match left:
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                return self._status_comparison(left, sign, right)
        for side, other in ((left, right), (right, left)):
            is_truth = isinstance(side, ast.Constant) and isinstance(side.value, bool)
            if is_truth or is_condition(side):
                shown = self.symbols.shown(other if is_truth else side)
                self.reject(
                    "D305",
                    node,
                    "a Bool cannot be compared",
                    f"test it directly: {shown}, or not {shown}",
                )
                return IsTrue(REJECTED)
        first, second = self.expressions.value(left), self.expressions.value(right)
        if first.type.is_text and second.type.is_text:
            if sign not in ("==", "!=") and Type.ERROR not in (first.type, second.type):
                self.reject(
                    "D303",
                    node,
                    f"{sign} on text depends on the locale in bash",
                    "compare text with == and !=",
                )
        elif Type.COMMAND in (first.type, second.type):
            self.reject(
                "D303", node, "a Command cannot be compared",
                "capture its output: status, text = command & CAPTURE",
            )  # fmt: skip
        elif Type.BOOL in (first.type, second.type):
            self.reject("D305", node, "a Bool cannot be compared", "write `flag` or `not flag`")
        else:
            _ = self.check.need(left, first, Type.INT) and self.check.need(right, second, Type.INT)
        return Compare(sign, first, second)

    def _status_comparison(self, left: ast.Call, sign: str, right: ast.expr) -> Condition:
        call = self.call(left)
        if call is None:
            return IsTrue(REJECTED)
        is_zero = isinstance(right, ast.Constant) and right.value == 0
        if call.function.results != (Type.STATUS,) or not is_zero or sign not in ("==", "!="):
            is_status = call.function.results == (Type.STATUS,)
            self.reject(
                "D204", left, f"{call.function.name} cannot be called inside an expression",
                f"assign its result first: {'status' if is_status else 'result'} ="
                f" {self.symbols.shown(left)}{'; or compare it with == 0 or != 0' * is_status}",
            )  # fmt: skip
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
                    "the name of a variable must be a literal",
                    'write "NAME" in local.env',
                )
                return IsTrue(REJECTED)
        text = self.expressions.text(right)
        if text.type is Type.PATH:
            self.reject(
                "D303",
                right,
                "`in` with a Path searches for a file in plumbum",
                'use an f-string: f"{path}"',
            )
        return Contains(self.expressions.text(left), text)

    def _method_condition(self, node: ast.Call, owner: ast.expr, attr: str) -> Condition | None:
        if attr in ("startswith", "endswith") and len(node.args) == 1:
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
