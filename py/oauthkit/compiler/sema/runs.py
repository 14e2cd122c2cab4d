"""Analyze commands that are run, and calls to functions."""

from __future__ import annotations

import ast
from dataclasses import replace

from oauthkit.compiler.constructs import REDIRECTIONS
from oauthkit.compiler.diagnostics.describe import with_article
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.ir import INHERITED, NULL, Call, Pipeline, Run
from oauthkit.compiler.sema.checker import REJECTED
from oauthkit.compiler.sema.commands import pipeline_stages
from oauthkit.compiler.sema.expressions import Expressions
from oauthkit.compiler.types import Signature, Type

Redirections = dict[str, tuple[str, ast.expr]]  # by stream: the operator and the target

STREAMS = {">": "stdout", ">>": "stdout", ">=": "stderr", "<": "stdin", "<<": "stdin"}
OWN_STREAMS = {
    f"{place}{number}" for place in ("/dev/fd/", "/proc/self/fd/") for number in (1, 2)
} | {"/dev/stdout", "/dev/stderr"}


class Runs:
    """Analyzes the commands that one function runs, and its calls to functions."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.commands = expressions.commands
        self.check = expressions.check
        self.symbols = expressions.symbols
        self.reject = expressions.reject

    def run(self, node: ast.expr, how: str) -> Run | None:
        """Analyze a command and its redirections, without the & and the modifier.

        `how` is its modifier. For a call, it is "()" if the output is used, else "_ = ()".
        """
        capture = how in ("CAPTURE", "()")
        own = INHERITED if how == "FG" or how.endswith("(FG=True)") else None
        found = self._without_redirections(node)
        if found is None:
            return None
        inner, redirections = found
        stages = pipeline_stages(inner)
        if capture and "stdout" in redirections:
            shown = self.symbols.shown(inner)
            self.reject(
                "D202", node, "stdout is redirected and captured",
                f"write to the file with `{self.commands.command_text(node)} & RETCODE`, or capture"
                f" the text with `{shown if len(stages) < 2 else f'({shown})'} & CAPTURE`",
            )  # fmt: skip
        default = Run(
            REJECTED,
            stdin=own,
            stdout=None if capture else own or NULL,
            stderr=INHERITED if how.endswith("()") else own or NULL,
            is_exact=how == "()",
        )
        if len(stages) == 1:
            return self._redirected(inner, redirections, default)
        return self._pipeline(stages, redirections, default)

    def _pipeline(self, nodes: list[ast.expr], around: Redirections, default: Run) -> Run | None:
        """Analyze a pipeline. Its redirections, `around`, become those of its stages in bash."""
        if around.get("stderr", ("",))[0] == ">=" and not _is_errout(around["stderr"][1]):
            target = around["stderr"][1]
            self.reject(
                "D202", target, "the stderr of a pipeline is redirected to a file",
                f"redirect each command's stderr, as in `{self.commands.command_text(nodes[0])} >="
                f" {self.symbols.shown(target)}`",
            )  # fmt: skip
            return None
        stages: list[Run | None] = []
        for node in nodes:
            found = self._without_redirections(node)
            if found is None:
                return None
            inner, own = found
            piped = {"stdin"} if node is not nodes[0] else set()
            if node is not nodes[-1] or default.stdout is None:
                piped.add("stdout")
            outer = {stream: around[stream] for stream in around if stream not in piped}
            for stream, (kind, _) in own.items():
                if stream in piped:
                    is_captured = stream == "stdout" and node is nodes[-1]
                    twice = f"redirected twice, by {kind} and |"
                    self.reject(
                        "D202", node,
                        f"{stream} is {'redirected and captured' if is_captured else twice}",
                        f"remove {kind}, and write `{self.commands.command_text(inner)}`",
                    )  # fmt: skip
                    return None
                if stream in outer:
                    self.commands.twice(node, kind)
                    return None
            if len(inside := pipeline_stages(inner)) > 1:
                stream, (kind, target) = next(iter(own.items()))
                one = inside[0] if stream == "stdin" else inside[-1]
                self.reject(
                    "D202", node, "a redirected pipeline is part of another one",
                    "redirect one of its commands, as in"
                    f" `{self.commands.command_text(one)} {kind}"
                    f" {self.symbols.shown(target)}`",
                )  # fmt: skip
                return None
            inherited = Run(REJECTED, INHERITED, stdout=INHERITED, stderr=INHERITED)
            stages.append(self._redirected(inner, {**outer, **own}, inherited))
        known = tuple(stage for stage in stages if stage is not None)
        return replace(default, command=Pipeline(known)) if len(known) == len(stages) else None

    def _without_redirections(self, node: ast.expr) -> tuple[ast.expr, Redirections] | None:
        """Split a command into the bare command and its redirections by stream."""
        redirections: Redirections = {}
        while True:
            match node:
                case ast.Compare(left=inner, ops=[operator], comparators=[target]):
                    kind = REDIRECTIONS.get(type(operator), "")
                case ast.Compare():
                    self.commands.chained(node, self.commands.command_text(node))
                    return None
                case ast.BinOp(left=inner, op=ast.RShift() | ast.LShift() as shift, right=target):
                    kind = REDIRECTIONS[type(shift)]
                case _:
                    return node, redirections
            stream = STREAMS.get(kind)
            if stream is None:
                self.reject(
                    "D202",
                    node,
                    "this is not a redirection",
                    "the redirections are `<`, `<<`, `>`, `>>` and `>=`",
                )
                return None
            match node, target:
                case ast.Compare(), ast.BinOp(left=file, op=ast.BitOr(), right=right):
                    first = ast.copy_location(ast.Compare(inner, node.ops, [file]), node)
                    self.reject(
                        "D202", node, f"| binds tighter than {kind}",
                        "put the redirected command in parentheses:"
                        f" `{self.commands.command_text(first)} | {self.symbols.shown(right)}`",
                    )  # fmt: skip
                    return None
            if stream in redirections:
                self.commands.twice(node, kind)
                return None
            redirections[stream] = (kind, target)
            node = inner

    def _redirected(self, node: ast.expr, redirections: Redirections, default: Run) -> Run | None:
        """Analyze a command with these redirections. Other streams are those of `default`."""
        if isinstance(node, ast.Name) and self.check.is_unknown(node.id):
            self.symbols.rejected.add(node.id)
            self.reject(
                "D301", node, f"{node.id} is not set",
                f'bind the program at the top: `{node.id} = program("{node.id}")`',
            )  # fmt: skip
            return None
        if isinstance(node, ast.Call) and self.commands.is_called(node):
            self.reject(
                "D303", node, "this call has already run the command",
                code("use square brackets, which do not run it", self.commands.bracketed(node)),
            )  # fmt: skip
            return None
        command = self.expressions.value(node)
        if command.type is Type.ERROR:
            return None
        if command.type is not Type.COMMAND:
            self.reject(
                "D303", node, f"{with_article(command.type)} cannot be run", "use a command here"
            )
            return None
        run = replace(default, command=command, order=tuple(redirections))
        for stream, (kind, target) in redirections.items():
            if stream == "stderr" and _is_errout(target):
                run = replace(run, stderr=None)
                continue
            if stream != "stdin":
                self._check_device(kind, target)
            if self.commands.is_redirected(target):
                self.reject(
                    "D203", target, f"a command cannot be on the right side of {kind}",
                    "put the redirected command in parentheses",
                )  # fmt: skip
                return None
            text = self.expressions.text(target)
            match stream:
                case "stdin":
                    run = replace(run, stdin=text, is_text=kind == "<<")
                case "stdout":
                    run = replace(run, stdout=text, append=kind == ">>")
                case "stderr":
                    run = replace(run, stderr=text)
        return run

    def called(self, node: ast.Call, is_used: bool) -> Run | None:
        """Analyze command(…). Its output is discarded unless it is used."""
        command = self.commands.with_arguments(node)
        return None if command is None else self.run(command, "()" if is_used else "_ = ()")

    def _check_device(self, kind: str, target: ast.expr) -> None:
        """Report a redirection to the device path of the program's own stdout or stderr.

        Opening that path opens the underlying file again, so new output overwrites the old.
        """
        value = ""
        if isinstance(target, ast.Constant):
            value = str(target.value)
        elif isinstance(target, ast.Name):
            value = self.symbols.texts.get(target.id, "")
        if value in OWN_STREAMS:
            help = "run the command with `& FG`, which writes to the program's own streams"
            if kind == ">=":
                help = "use `>= ERROUT` to redirect stderr to stdout"
                if value.endswith(("stderr", "2")):
                    help = (
                        "run the command with `& FG` or `& RETCODE(FG=True)`, whose stderr is the"
                        " program's own. `& CAPTURE` and `& RETCODE` discard stderr"
                    )
            elif value.endswith(("stderr", "2")):
                help = "capture the output with `& CAPTURE`, and print it with `file=sys.stderr`"
            self.reject(
                "D202", target,
                f"{kind} {value} overwrites the program's earlier output if that goes to a file",
                help,
            )  # fmt: skip

    def call(self, node: ast.Call) -> Call | None:
        """Analyze a call to a function or builtin. Return None if it is rejected."""
        assert isinstance(node.func, ast.Name)
        signature = self.symbols.function(node.func.id)
        assert signature is not None
        is_builtin = signature.name in self.symbols.library.builtins
        if is_builtin:
            self.symbols.builtins_used.add(signature.name)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self.reject(
                "D105", node, f"{signature.name} takes only positional arguments",
                f"pass {_parameters(signature)}, without names or *",
            )  # fmt: skip
            return None
        if len(node.args) != len(signature.parameters):
            count, given = len(signature.parameters), len(node.args)
            self.reject(
                "D105",
                node,
                f"{signature.name} takes {count} argument{'s' * (count != 1)}, not {given}",
                f"pass {_parameters(signature)}",
            )
            return None
        values = []
        for argument, (_, wanted_type) in zip(node.args, signature.parameters, strict=True):
            value = self.expressions.value(argument)
            if is_builtin and wanted_type is Type.STR:
                self.check.need_text(argument, value)
            else:
                self.check.need(argument, value, wanted_type)
            values.append(value)
        return Call(signature, tuple(values))


def _is_errout(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "ERROUT"


def _parameters(signature: Signature) -> str:
    """Describe a function's parameters for a message."""
    words = [f"{name} ({with_article(kind)})" for name, kind in signature.parameters]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words) or "nothing"
