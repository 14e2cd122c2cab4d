"""Classify command expressions, and report those that do not run as written."""

from __future__ import annotations

import ast

from oauthkit.compiler.constructs import REDIRECTIONS, modifier
from oauthkit.compiler.ir import Name
from oauthkit.compiler.sema.checker import Checker
from oauthkit.compiler.types import Type

RUNNERS = ("TF", "RETCODE", "CAPTURE", "FG")
FOREIGN_RUNNERS = ("BG", "TEE", "NOHUP")  # plumbum's, but not the dialect's


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
            case ast.BinOp(left=inner, op=ast.RShift() | ast.LShift()):
                return self.is_command(inner)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self.is_command(left) or self.is_command(right)
        return False

    def is_called_redirected(self, node: ast.expr) -> bool:
        """Return whether a called command is redirected, as in command(…) > file."""
        match node:
            case ast.Compare(left=ast.Call() as inner, ops=[ast.Gt() | ast.Lt() | ast.GtE()]):
                return self.is_called(inner)
            case ast.BinOp(left=ast.Call() as inner, op=ast.RShift() | ast.LShift()):
                return self.is_called(inner)
        return False

    def is_redirected(self, node: ast.expr) -> bool:
        """Return whether an expression is a pipeline or redirected command that does not run."""
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
            case ast.BinOp(left=inner, op=ast.RShift() | ast.LShift() as operator, right=target):
                sign = REDIRECTIONS[type(operator)]
                return f"({self.command_text(inner)} {sign} {self.symbols.shown(target)})"
            case ast.BinOp(op=ast.BitOr()):
                return f"({' | '.join(map(self.command_text, pipeline_stages(node)))})"
            case ast.Call() if self.is_called(node):
                return self.bracketed(node)
        return self.symbols.shown(node)

    def unrun(self, node: ast.expr, left: str, how: str) -> Name:
        """Report a pipeline or redirected command that does not run, or not as written.

        `left` is the left side of the corrected statement, unless it has the modifier FG. `how` is
        its default modifier.
        """
        match node:
            case ast.BinOp(op=ast.BitOr(), left=first, right=ast.BinOp(left=last) as run) if (
                modifier(run) != ""
            ):
                how = modifier(run)
                left = "" if how == "FG" else left
                piped = ast.copy_location(ast.BinOp(first, ast.BitOr(), last), node)
                return self.reject(
                    "D202", node, "& binds tighter than |",
                    f"put the pipeline in parentheses: `{left}{self.command_text(piped)} & {how}`",
                )  # fmt: skip
            case ast.BinOp(op=ast.BitOr()):
                return self.reject(
                    "D203", node, "this pipeline is never run",
                    f"run it: `{self.command_text(node)} & {how}`"
                    if how in ("FG", "TF")
                    else "a pipeline cannot be stored. Run it where it is used, as in"
                    f" `text = {self.command_text(node)}()` or `{self.command_text(node)} & FG`",
                )  # fmt: skip
            case ast.Compare(
                left=inner,
                ops=operators,
                comparators=[*firsts, ast.BinOp(left=last) as run],
            ) if modifier(run) != "":
                how = modifier(run)
                left = "" if how == "FG" else left
                whole = ast.copy_location(ast.Compare(inner, operators, [*firsts, last]), node)
                if how == "CAPTURE":
                    left = left if "," in left or not left else f"status, {left}"
                sign = REDIRECTIONS.get(type(operators[-1]), ">")
                return self.reject(
                    "D202", node, f"& binds tighter than {sign}",
                    "put the redirected command in parentheses:"
                    f" `{left}{self.command_text(whole)} & {how}`",
                )  # fmt: skip
            case ast.Compare(ops=operators) if any(type(o) not in REDIRECTIONS for o in operators):
                return self.reject(
                    "D303", node, "a Command cannot be compared",
                    "capture its output with `& CAPTURE`, and compare the text",
                )  # fmt: skip
            case ast.Compare(ops=[_, _, *_]):
                own_left = "" if how == "FG" else left
                return self.chained(node, f"{own_left}{self.command_text(node)} & {how}")
        if how == "RETCODE":
            return self.reject(
                "D203", node, "a redirected command cannot be assigned",
                f"redirect it where it runs, as in `{self.command_text(node)} & RETCODE`",
            )  # fmt: skip
        return self.reject(
            "D203", node, "a redirected command is never run",
            f"run it: `{'' if how == 'FG' else left}{self.command_text(node)} & {how}`",
        )  # fmt: skip

    def chained(self, node: ast.Compare, corrected: str) -> Name:
        """Report command > out >= err, which Python reads as one chained comparison."""
        signs = [REDIRECTIONS.get(type(operator), "") for operator in node.ops]
        if len({*signs}) < len(signs):
            return self.twice(node, signs[-1])
        return self.reject(
            "D202", node, "Python reads this as one chained comparison",
            f"put each redirection in parentheses: `{corrected}`",
        )  # fmt: skip

    def twice(self, node: ast.expr, sign: str) -> Name:
        """Report a stream that is redirected twice."""
        stream = {"<": "stdin", "<<": "stdin", ">=": "stderr"}.get(sign, "stdout")
        return self.reject(
            "D202", node, f"{stream} is redirected twice", "remove one of the redirections"
        )

    def is_called(self, node: ast.expr) -> bool:
        """Return whether an expression is command(…)."""
        return isinstance(node, ast.Call) and self.is_command(node.func) and not _is_program(node)

    def with_arguments(self, node: ast.Call) -> ast.expr | None:
        """Return command[…] for command(…). Report arguments that the dialect does not support."""
        if node.keywords:
            run = f"status, text = {self.bracketed(node)} & CAPTURE"
            match self.scope.statement:
                case ast.Expr(value=value) if value is node:
                    run = f"status = {self.bracketed(node)} & RETCODE"
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
                    run = f"status, {name} = {self.bracketed(node)} & CAPTURE"
            help = f"write arguments as texts. To test the status, write `{run}`"
            match node.keywords[0]:
                case ast.keyword(arg="stdin", value=given):
                    command, given_text = self.bracketed(node), self.symbols.shown(given)
                    help = f"redirect it, as in `({command} << {given_text})()`, or for a file"
                    help += f" `({command} < path)()`"
                case ast.keyword(arg="cwd", value=directory):
                    words = f'env["-C", {ast.unparse(directory)}, "make"]()'
                    help = f"run the command with the program env, as in `{words}`"
                case ast.keyword(arg="env"):
                    words = 'env["NAME=VALUE", "make"]()'
                    help = f"run the command with the program env, as in `{words}`"
                case ast.keyword(arg="timeout", value=ast.Constant(value=int() as limit_s)):
                    call = f"run_limited({limit_s}, 5, {self.bracketed(node)})"
                    help = "run_limited ends a command at a time limit. It returns the status and"
                    help += f" the output, including stderr, as in `status, text = {call}`"
            self.reject(
                "D105", node.keywords[0], "a called command takes no keyword arguments", help
            )
            return None
        if not node.args:
            return node.func
        if self.is_redirected(node.func):
            self.reject(
                "D105", node, "a redirected command takes no arguments",
                "put them in brackets, before the redirection",
            )  # fmt: skip
            return None
        given = node.args[0]
        if len(node.args) > 1:
            given = ast.copy_location(ast.Tuple(node.args, ast.Load()), node)
        return ast.copy_location(ast.Subscript(node.func, given, ast.Load()), node)

    def bracketed(self, node: ast.Call) -> str:
        """Return command[…] for command(…)."""
        arguments = ", ".join(self.symbols.shown(argument) for argument in node.args)
        return self.command_text(node.func) + (f"[{arguments}]" if arguments else "")

    def called_command(self, node: ast.Call, left: str = "", help: str = "") -> Name:
        """Report command(…) inside an expression, or with several names on its left side."""
        if left:
            return self.reject(
                "D303", node, "a called command returns a Str",
                f"`{self.bracketed(node)} & CAPTURE` returns a Status and a Str",
            )  # fmt: skip
        return self.reject(
            "D204", node, "a command cannot run inside an expression",
            help or "run it first, on a line of its own",
        )  # fmt: skip

    def foreign_runner(self, node: ast.expr, command: ast.expr) -> Name:
        """Report plumbum's other modifiers."""
        shown = self.command_text(command)
        what = self.symbols.shown(node)
        help = (
            f"run it with `{shown} & RETCODE`, capture its output with `{shown} & CAPTURE`, test it"
            f" with `{shown} & TF`, or show its output with `{shown} & FG`"
        )
        if what.startswith("FG(retcode="):
            run = f"status = {shown} & RETCODE(FG=True)"
            help = f"show the output and get the status with `{run}`, and test the status with if"
        elif "(retcode=" in what:
            help = f"get the status with `status, text = {shown} & CAPTURE`, and test it with if"
        if "timeout=" in what:
            help += ". The program timeout limits its time"
        return self.reject("D102", node, f"{what} is outside the dialect", help)


def pipeline_stages(node: ast.expr) -> list[ast.expr]:
    """Return the commands of a pipeline, or a list of one for any other expression."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*pipeline_stages(left), *pipeline_stages(right)]
    return [node]


def _is_program(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "program"
