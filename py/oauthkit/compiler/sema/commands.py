"""What can be said of an expression before it is read: is it a command, and how would it be run."""

from __future__ import annotations

import ast
import shlex

from oauthkit.compiler.diagnostics.describe import REDIRECTIONS, conversion, with_article
from oauthkit.compiler.ir import Name, Value
from oauthkit.compiler.sema.symbols import Names, Scope
from oauthkit.compiler.types import Type

# Stands for what was refused: no second complaint about it.
REFUSED = Name("refused", Type.ERROR)
RUNNERS = ("TF", "RETCODE", "CAPTURE")
FOREIGN_RUNNERS = ("FG", "BG", "TEE", "NOHUP")  # of plumbum, not of the dialect


class Commands:
    """Knows the commands in one function, and refuses those that are used as Python would not."""

    def __init__(self, names: Names, scope: Scope) -> None:
        self.names = names
        self.scope = scope

    def refuse(self, code: str, node: ast.AST, message: str, help: str) -> Name:
        """Notes one refusal and gives what stands for the refused value."""
        self.names.report(code, node, message, help)
        return REFUSED

    def need(self, node: ast.expr, value: Value, wanted: Type) -> bool:
        """Refuses a value that does not fit where a `wanted` is needed; whether it fits."""
        return self.need_type(node, value.type, wanted)

    def need_type(self, node: ast.expr, found: Type, wanted: Type) -> bool:
        """Refuses what is of the type `found` where a `wanted` is needed; whether it fits."""
        if found.fits(wanted):
            return True
        if wanted is Type.INT and found.is_text:
            self.refuse(
                "D304", node, f"{with_article(found)} is used as a number",
                f"turn it into one: status, number = parse_int({self.names.shown(node)})",
            )  # fmt: skip
        else:
            self.refuse(
                "D303", node,
                f"{with_article(wanted)} is needed here, this is {with_article(found)}",
                conversion(found, wanted, self.names.shown(node)),
            )  # fmt: skip
        return False

    def is_refused(self, name: str) -> bool:
        """Whether what the name means was refused already."""
        kind = self.scope.type_of(name)
        if kind is None:
            constant = self.names.constants.get(name)
            return name in self.names.refused or constant is Type.ERROR
        return kind is Type.ERROR

    def root_is_refused(self, node: ast.expr) -> bool:
        """Whether what the first name of an expression means was refused already."""
        while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and self.is_refused(node.id)

    def is_unknown(self, name: str) -> bool:
        """Whether nothing in the program has this name."""
        names = self.names
        known = (names.commands, names.constants, names.refused, names.imports, names.words)
        return (
            self.scope.type_of(name) is None
            and name != self.scope.arguments
            and not any(name in some for some in (*known, names.functions))
        )

    def arguments_in(self, node: ast.expr) -> ast.Name | None:
        """Where an expression names the arguments of main, which can only be looped over."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id == self.scope.arguments:
                return inner
        return None

    def is_command(self, node: ast.expr) -> bool:
        """Whether an expression is a command, with or without arguments and redirections."""
        match node:
            case ast.Name(id=name):
                kind = self.scope.type_of(name)
                return kind is Type.COMMAND or (kind is None and name in self.names.commands)
            case ast.Call(func=ast.Name(id="program")):
                return True
            case ast.Subscript(value=inner) | ast.Compare(left=inner):
                return self.is_command(inner)
            case ast.BinOp(left=inner, op=ast.RShift()):
                return self.is_command(inner)
        return False

    def is_redirected(self, node: ast.expr) -> bool:
        """Whether an expression is a command with a redirection, which nothing runs."""
        return isinstance(node, (ast.Compare, ast.BinOp)) and self.is_command(node)

    def command_text(self, node: ast.expr) -> str:
        """A command as it has to be written left of &: each redirection in parentheses."""
        match node:
            case ast.Compare(left=text, ops=operators, comparators=targets):
                shown = self.command_text(text)
                for operator, target in zip(operators, targets, strict=True):
                    sign = REDIRECTIONS.get(type(operator), ">")
                    shown = f"({shown} {sign} {self.names.shown(target)})"
                return shown
            case ast.BinOp(left=inner, op=ast.RShift(), right=target):
                return f"({self.command_text(inner)} >> {self.names.shown(target)})"
        return self.names.shown(node)

    def unrun(self, node: ast.expr, left: str, how: str) -> Name:
        """Refuses a redirected command that is not run, or not as it looks.

        `left` is what has to stand left of the whole, `how` what runs it if it does not say that.
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
                return self.refuse(
                    "D202", node, f"& binds closer than {sign}",
                    "put the redirected command in parentheses:"
                    f" {left}{self.command_text(whole)} & {how}",
                )  # fmt: skip
            case ast.Compare(ops=operators) if any(type(o) not in REDIRECTIONS for o in operators):
                return self.refuse(
                    "D303", node, "a Command cannot be compared",
                    f"take what it prints: status, text = {self.command_text(node.left)} & CAPTURE",
                )  # fmt: skip
            case ast.Compare(ops=[_, _, *_]):
                return self.chained(node, f"{left}{self.command_text(node)} & {how}")
        return self.refuse(
            "D203", node, "a redirected command is never run",
            f"run it: {left}{self.command_text(node)} & {how}",
        )  # fmt: skip

    def chained(self, node: ast.Compare, way: str) -> Name:
        """Refuses command > out >= err, which Python reads as one chained comparison."""
        signs = [REDIRECTIONS.get(type(operator), "") for operator in node.ops]
        if len({*signs}) < len(signs):
            return self.twice(node, signs[-1])
        return self.refuse(
            "D202", node, "Python reads this as one chained comparison",
            f"put each redirection in parentheses: {way}",
        )  # fmt: skip

    def twice(self, node: ast.expr, sign: str) -> Name:
        """Refuses a stream that is redirected twice."""
        stream = {"<": "stdin", ">=": "stderr"}.get(sign, "stdout")
        inner, target = node, node
        while isinstance(inner, (ast.Compare, ast.BinOp)):
            if target is node:
                target = inner.right if isinstance(inner, ast.BinOp) else inner.comparators[-1]
            inner = inner.left
        way = f"({self.names.shown(inner)} {sign} {self.names.shown(target)})"
        return self.refuse(
            "D202", node, f"{stream} is redirected twice", f"leave one of them out: {way}"
        )

    def called_command(self, node: ast.Call, left: str = "status, text = ") -> Name:
        """Refuses command(…), which runs nothing here; `left` is what takes what it gives."""
        arguments = [self.names.shown(argument) for argument in node.args]
        command = self.names.shown(node.func) + (f"[{', '.join(arguments)}]" if arguments else "")
        return self.refuse(
            "D104", node.func, f"{self.names.shown(node.func)} is a command: no call runs it",
            f"write {left}{command} & CAPTURE",
        )  # fmt: skip

    def foreign_runner(self, node: ast.expr, command: ast.expr) -> Name:
        """Refuses command & FG and its like."""
        shown = self.command_text(command)
        what = self.names.shown(node)
        return self.refuse(
            "D102", node, f"{what} is outside the dialect",
            f"status = {shown} & RETCODE runs it, status, text = {shown} & CAPTURE takes what it"
            f" prints, {shown} & TF asks whether it worked",
        )  # fmt: skip

    def is_pipeline(self, node: ast.expr) -> bool:
        """Whether an expression is left | right of commands."""
        match node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.is_pipeline(left) or self.is_command(left) or self.is_command(right)
        return False

    def pipeline(self, node: ast.BinOp) -> Name:
        """Refuses left | right."""
        parts: list[ast.expr] = []
        whole: ast.expr = node
        while isinstance(whole, ast.BinOp) and isinstance(whole.op, ast.BitOr):
            parts.insert(0, whole.right)
            whole = whole.left
        parts.insert(0, whole)
        words = [self._shell_words(part) for part in parts]
        line = "…" if None in words else " | ".join(shlex.join(part or ()) for part in words)
        return self.refuse(
            "D102", node, "there are no pipelines",
            f'let a shell run it, with sh = program("sh"): sh["-c", {_quoted(line)}]; or write to a'
            " file, and read that",
        )  # fmt: skip

    def _shell_words(self, node: ast.expr) -> list[str] | None:
        """The words of a command whose arguments are literals."""
        match node:
            case ast.Name(id=name) if name in self.names.commands:
                return [self.names.commands[name]]
            case ast.Subscript(value=inner, slice=given):
                words = self._shell_words(inner)
                items = given.elts if isinstance(given, ast.Tuple) else [given]
                texts = [str(item.value) for item in items if isinstance(item, ast.Constant)]
                return words + texts if words and len(texts) == len(items) else None
        return None


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'
