"""Classify command expressions, and report those that do not run as written."""

from __future__ import annotations

import ast
import shlex

from oauthkit.compiler.diagnostics.describe import REDIRECTIONS
from oauthkit.compiler.ir import Name
from oauthkit.compiler.sema.checker import Checker
from oauthkit.compiler.types import Type

RUNNERS = ("TF", "RETCODE", "CAPTURE")
FOREIGN_RUNNERS = ("FG", "BG", "TEE", "NOHUP")  # plumbum's, but not the dialect's


class Commands:
    """Classifies the command expressions of one function."""

    def __init__(self, check: Checker) -> None:
        self.symbols = check.symbols
        self.scope = check.scope
        self.reject = check.reject

    def is_command(self, node: ast.expr) -> bool:
        """Return whether an expression is a command, with or without arguments and redirections."""
        match node:
            case ast.Name(id=name):
                kind = self.scope.type_of(name)
                return kind is Type.COMMAND or (kind is None and name in self.symbols.commands)
            case ast.Call(func=ast.Name(id="program")):
                return True
            case ast.Subscript(value=inner) | ast.Compare(left=inner):
                return self.is_command(inner)
            case ast.BinOp(left=inner, op=ast.RShift()):
                return self.is_command(inner)
        return False

    def is_redirected(self, node: ast.expr) -> bool:
        """Return whether an expression is a command with a redirection that does not run."""
        return isinstance(node, (ast.Compare, ast.BinOp)) and self.is_command(node)

    def command_text(self, node: ast.expr) -> str:
        """Return a command as it is written left of &: each redirection in parentheses."""
        match node:
            case ast.Compare(left=text, ops=operators, comparators=targets):
                shown = self.command_text(text)
                for operator, target in zip(operators, targets, strict=True):
                    sign = REDIRECTIONS.get(type(operator), ">")
                    shown = f"({shown} {sign} {self.symbols.shown(target)})"
                return shown
            case ast.BinOp(left=inner, op=ast.RShift(), right=target):
                return f"({self.command_text(inner)} >> {self.symbols.shown(target)})"
        return self.symbols.shown(node)

    def unrun(self, node: ast.expr, left: str, how: str) -> Name:
        """Report a redirected command that does not run, or does not run as written.

        `left` is the left side of the corrected statement, `how` its default runner.
        """
        match node:
            case ast.Compare(
                left=inner,
                ops=operators,
                comparators=[
                    *firsts,
                    ast.BinOp(left=last, op=ast.BitAnd(), right=ast.Name(id=how)),
                ],
            ) if how in RUNNERS:
                whole = ast.copy_location(ast.Compare(inner, operators, [*firsts, last]), node)
                if how == "CAPTURE":
                    left = left if "," in left or not left else f"status, {left}"
                sign = REDIRECTIONS.get(type(operators[-1]), ">")
                return self.reject(
                    "D202", node, f"& binds tighter than {sign}",
                    "put the redirected command in parentheses:"
                    f" {left}{self.command_text(whole)} & {how}",
                )  # fmt: skip
            case ast.Compare(ops=operators) if any(type(o) not in REDIRECTIONS for o in operators):
                return self.reject(
                    "D303", node, "a Command cannot be compared",
                    f"capture its output: status, text = {self.command_text(node.left)} & CAPTURE",
                )  # fmt: skip
            case ast.Compare(ops=[_, _, *_]):
                return self.chained(node, f"{left}{self.command_text(node)} & {how}")
        return self.reject(
            "D203", node, "a redirected command is never run",
            f"run it: {left}{self.command_text(node)} & {how}",
        )  # fmt: skip

    def chained(self, node: ast.Compare, way: str) -> Name:
        """Report command > out >= err, which Python reads as one chained comparison."""
        signs = [REDIRECTIONS.get(type(operator), "") for operator in node.ops]
        if len({*signs}) < len(signs):
            return self.twice(node, signs[-1])
        return self.reject(
            "D202", node, "Python reads this as one chained comparison",
            f"put each redirection in parentheses: {way}",
        )  # fmt: skip

    def twice(self, node: ast.expr, sign: str) -> Name:
        """Report a stream that is redirected twice."""
        stream = {"<": "stdin", ">=": "stderr"}.get(sign, "stdout")
        inner, target = node, node
        while isinstance(inner, (ast.Compare, ast.BinOp)):
            if target is node:
                target = inner.right if isinstance(inner, ast.BinOp) else inner.comparators[-1]
            inner = inner.left
        way = f"({self.symbols.shown(inner)} {sign} {self.symbols.shown(target)})"
        return self.reject(
            "D202", node, f"{stream} is redirected twice", f"remove one of them: {way}"
        )

    def called_command(self, node: ast.Call, left: str = "status, text = ") -> Name:
        """Report command(…). `left` is the left side of the corrected statement."""
        arguments = [self.symbols.shown(argument) for argument in node.args]
        command = self.symbols.shown(node.func) + (f"[{', '.join(arguments)}]" if arguments else "")
        return self.reject(
            "D104", node.func,
            f"{self.symbols.shown(node.func)} is a command, which a call does not run",
            f"write {left}{command} & CAPTURE",
        )  # fmt: skip

    def foreign_runner(self, node: ast.expr, command: ast.expr) -> Name:
        """Report command & FG and plumbum's other modifiers."""
        shown = self.command_text(command)
        what = self.symbols.shown(node)
        return self.reject(
            "D102", node, f"{what} is outside the dialect",
            f"run it: status = {shown} & RETCODE, capture its output: status, text = {shown} &"
            f" CAPTURE, or test it: {shown} & TF",
        )  # fmt: skip

    def is_pipeline(self, node: ast.expr) -> bool:
        """Return whether an expression is a pipeline of commands."""
        match node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.is_pipeline(left) or self.is_command(left) or self.is_command(right)
        return False

    def pipeline(self, node: ast.BinOp) -> Name:
        """Report a pipeline."""
        parts: list[ast.expr] = []
        whole: ast.expr = node
        while isinstance(whole, ast.BinOp) and isinstance(whole.op, ast.BitOr):
            parts.insert(0, whole.right)
            whole = whole.left
        parts.insert(0, whole)
        words = [self._shell_words(part) for part in parts]
        line = "…" if None in words else " | ".join(shlex.join(part or ()) for part in words)
        return self.reject(
            "D102", node, "there are no pipelines",
            f'run it with a shell, sh = program("sh"): sh["-c", {_quoted(line)}], or write to a'
            " file and read it",
        )  # fmt: skip

    def _shell_words(self, node: ast.expr) -> list[str] | None:
        """Return the words of a command whose arguments are literals."""
        match node:
            case ast.Name(id=name) if name in self.symbols.commands:
                return [self.symbols.commands[name]]
            case ast.Subscript(value=inner, slice=given):
                words = self._shell_words(inner)
                items = given.elts if isinstance(given, ast.Tuple) else [given]
                texts = [str(item.value) for item in items if isinstance(item, ast.Constant)]
                return words + texts if words and len(texts) == len(items) else None
        return None


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'
