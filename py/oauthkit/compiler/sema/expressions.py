"""Analyze expressions that are values."""

from __future__ import annotations

import ast
from dataclasses import replace

from oauthkit.compiler.diagnostics import suggestions
from oauthkit.compiler.diagnostics.describe import describe, is_condition, question, with_article
from oauthkit.compiler.dialect import PLAIN_DEFAULT
from oauthkit.compiler.ir import (
    Arithmetic,
    BoolLiteral,
    CommandLine,
    Dirname,
    Environment,
    IntLiteral,
    Join,
    Name,
    Negative,
    PathJoin,
    RemoveAffix,
    Replace,
    StrLiteral,
    Value,
)
from oauthkit.compiler.sema.checker import REJECTED, Checker
from oauthkit.compiler.sema.commands import FOREIGN_RUNNERS, RUNNERS, Commands
from oauthkit.compiler.types import Type

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}
LARGEST = 2**63 - 1


class Expressions:
    """Analyzes the expressions of one function that need neither a call nor a command to run."""

    def __init__(self, check: Checker) -> None:
        self.check = check
        self.commands = Commands(check)
        self.symbols = check.symbols
        self.scope = check.scope
        self.reject = check.reject

    # --- Values ----------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """Analyze an expression that is part of another one or of a statement."""
        value = self.whole_value(node)
        if isinstance(value, Environment) and not _has_plain_default(value):
            return self.reject(
                "D105", node, "a default with these characters cannot be part of an expression",
                f"assign it first: text = {ast.unparse(node)}",
            )  # fmt: skip
        if isinstance(value, Dirname):
            return self.reject(
                "D105", node, ".dirname cannot be part of an expression",
                f"assign it first: directory = {ast.unparse(node)}",
            )  # fmt: skip
        return value

    def whole_value(self, node: ast.expr) -> Value:
        """Analyze the whole right side of an assignment, where more expressions are allowed."""
        match node:
            case ast.Constant(value=bool() as truth):
                return BoolLiteral(truth)
            case ast.Constant(value=int() as number):
                if number > LARGEST:
                    self.reject(
                        "D404",
                        node,
                        "a number has more than 63 bits",
                        "use a smaller number: integers have 64 bits in bash",
                    )
                return IntLiteral(number)
            case ast.Constant(value=str() as text):
                return self._text(node, text)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.JoinedStr(values=parts):
                return self._join(node, parts)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._path_join(node, left, right)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right) if (
                self.commands.is_command(left)
                or self.commands.is_command(right)
                or self.commands.is_pipeline(left)
            ):
                return self.commands.pipeline(node)
            case ast.BinOp(
                left=command,
                op=ast.BitAnd(),
                right=ast.Name(id=how) | ast.Call(func=ast.Name(id=how)) as runner,
            ) if how in FOREIGN_RUNNERS or (how in RUNNERS and isinstance(runner, ast.Call)):
                if not self.commands.is_command(command) and self.value(command).type is Type.ERROR:
                    return REJECTED
                return self.commands.foreign_runner(runner, command)
            case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id=("RETCODE" | "CAPTURE") as how)):
                names = "status" if how == "RETCODE" else "status, text"
                return self.reject(
                    "D204", node, "a command cannot run inside an expression",
                    f"run it first: {names} = {self.symbols.shown(node)}",
                )  # fmt: skip
            case ast.Compare() | ast.BinOp(op=ast.RShift()) if self.commands.is_redirected(node):
                return self.commands.unrun(node, "", "TF")
            case ast.BoolOp(op=ast.Or(), values=[first, second]) if not (
                is_condition(node) and (is_condition(first) or is_condition(second))
            ):
                return self._environment_or(node, first, second)
            case _ if is_condition(node):
                return self.reject(
                    "D102", node, "a condition cannot be part of an expression",
                    f"assign it first: flag = {ast.unparse(node)}, or for a text, set one in"
                    " an if",
                )  # fmt: skip
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
                if number > LARGEST + 1:
                    self.reject(
                        "D404",
                        node,
                        "a number has more than 63 bits",
                        "use a larger number: integers have 64 bits in bash",
                    )
                return IntLiteral(-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                self.check.need(operand, inner, Type.INT)
                return Negative(inner)
            case ast.Subscript():
                return self._command_line(node)
            case ast.Attribute(value=owner, attr="dirname"):
                return self._dirname(owner)
            case ast.Call():
                return self.call_value(node)
        if isinstance(node, ast.NamedExpr):
            self.scope.assume_bound(node.target.id)
        if isinstance(node, ast.Attribute) and self.check.root_is_rejected(node):
            return REJECTED
        if self.check.arguments_in(node) is not None:
            return self.value(self.check.arguments_in(node) or node)
        asked = ""
        if isinstance(node, ast.IfExp):
            asked = self.symbols.shown(node.test)
            if isinstance(node.test, ast.Name):
                asked = question(self.scope.type_of(node.test.id) or Type.ERROR, asked)
        suggestion = suggestions.of_expression(node, asked)
        return self.reject("D102", node, suggestion.message, suggestion.help)

    def text(self, node: ast.expr) -> Value:
        """Analyze an expression of type Str."""
        value = self.value(node)
        return value if self.check.need(node, value, Type.STR) else REJECTED

    def _text(self, node: ast.expr, text: str) -> StrLiteral:
        if "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            self.reject(
                "D404", node, "a string has a NUL or a surrogate", "remove it: bash cannot store it"
            )
        return StrLiteral(text)

    def _name(self, node: ast.expr, name: str) -> Value:
        kind = self.scope.type_of(name)
        if kind is not None:
            if not self.scope.is_set(name):
                self.scope.assume_bound(name)
                return self.reject(
                    "D301", node, f"{name} is not set on every path to this line",
                    f"set {name} before the branch or loop",
                )  # fmt: skip
            if kind is Type.ERROR:
                return REJECTED
            self.scope.used.add(name)
            return Name(name, kind)
        if name == self.scope.arguments:
            return self.reject(
                "D102", node, f"{name} can only be iterated over",
                f"write for argument in {name}: and use each argument there",
            )  # fmt: skip
        if name in self.symbols.rejected:
            return REJECTED
        if name in self.symbols.commands:
            return self._command(name)
        if name in self.symbols.constants:
            self.symbols.used.add(name)
            return Name(name, self.symbols.constants[name])
        if self.symbols.function(name) is not None or name in self.symbols.imports:
            return self.reject(
                "D102", node, f"{name} is not a value", "call it, or assign its result to a name"
            )
        self.scope.assume_bound(name)
        return self.reject("D301", node, f"{name} is not set", "assign it before it is used")

    def _join(self, node: ast.expr, parts: list[ast.expr]) -> Value:
        joined: list[Value] = []
        before = len(self.symbols.diagnostics)
        for part in parts:
            if isinstance(part, ast.Constant):
                joined.append(self._text(node, str(part.value)))
                continue
            assert isinstance(part, ast.FormattedValue)
            if part.conversion != -1 or part.format_spec is not None:
                self.reject(
                    "D102", part.value, "an f-string cannot have formats", "use the plain {value}"
                )
            is_bool = is_condition(part.value) and not self.commands.is_redirected(part.value)
            value = BoolLiteral(True) if is_bool else self.value(part.value)
            if value.type in (Type.BOOL, Type.COMMAND):
                self.reject(
                    "D303", part.value,
                    f"{with_article(value.type)} is written differently in bash",
                    "choose the text with if and else",
                )  # fmt: skip
            joined.append(value)
        return Join(tuple(joined)) if len(self.symbols.diagnostics) == before else REJECTED

    def _arithmetic(self, node: ast.BinOp) -> Value:
        operator = OPERATORS.get(type(node.op))
        if operator is None:
            return self.reject(
                "D102", node, f"the operator {describe(node.op)} is outside the dialect",
                "the dialect has + - * // %",
            )  # fmt: skip
        suggestion = suggestions.of_literal(node)
        if suggestion is not None:
            return self.reject("D102", node, suggestion.message, suggestion.help)
        left, right = self.value(node.left), self.value(node.right)
        if Type.ERROR in (left.type, right.type):
            return REJECTED
        if operator == "+" and left.type.is_text:
            fits = self.check.need(node.right, right, Type.STR)
            return Join((left, right)) if fits else REJECTED
        if not (
            self.check.need(node.left, left, Type.INT)
            and self.check.need(node.right, right, Type.INT)
        ):
            return REJECTED
        if operator not in ("//", "%"):
            return Arithmetic(operator, left, right)
        if not (isinstance(right, IntLiteral) and right.value > 0):
            self.reject(
                "D105", node.right, f"right of {operator} only a positive literal is allowed",
                "use a number such as 2: bash rounds towards zero, Python rounds down",
            )  # fmt: skip
        elif not isinstance(left, (Name, IntLiteral)):
            shown = self.symbols.shown(node.left)
            self.reject(
                "D105", node.left, f"left of {operator} a variable is needed",
                f"assign it first: number = {shown}, then number {operator} {right.value}",
            )  # fmt: skip
        return Arithmetic(operator, left, right)

    def _path_join(self, node: ast.BinOp, left: ast.expr, right: ast.expr) -> Value:
        path = self.value(left)
        if path.type.is_number and path.type is not Type.ERROR:
            self.value(right)
            shown = f"{self.symbols.shown(left)} // {self.symbols.shown(right)}"
            return self.reject(
                "D102", node, "there are no floating-point numbers", f"divide integers: {shown}"
            )
        self.check.need(left, path, Type.PATH)
        match right:
            case ast.Call(func=ast.Name(id="str"), args=[number], keywords=[]) if (
                self.symbols.function("str") is None
            ):
                right = ast.copy_location(ast.JoinedStr([ast.FormattedValue(number, -1)]), right)
        name = self.text(right)
        if Type.ERROR in (path.type, name.type):
            return REJECTED
        text = self.known_text(name)
        if text is None or any(part in ("", ".", "..") for part in text.split("/")):
            return self.reject(
                "D105", right,
                "after / only literals, constants and numbers are allowed, without ., .. or empty"
                " parts", f"make a Path of the whole text: {suggestions.absolute(left, right)}",
            )  # fmt: skip
        if isinstance(path, (StrLiteral, Join)) and path.type is Type.PATH:
            slash = () if path == StrLiteral("/", Type.PATH) else (StrLiteral("/"),)
            return Join((path, *slash, name), Type.PATH)
        if not isinstance(path, Name):
            return self.reject("D105", left, "before / a variable or LocalPath(…) is needed",
                f"assign it first: directory = {self.symbols.shown(left)}",
            )  # fmt: skip
        return PathJoin(path, name)

    def _literal_path(self, node: ast.Call) -> Value:
        """Analyze LocalPath("/…"), whose text plumbum does not change."""
        match node.args:
            case [ast.Constant(value=str() as text) as literal] if not node.keywords:
                parts = text.removeprefix("/").split("/")
                is_plain = not any(part in ("", ".", "..") for part in parts)
                if text == "/" or (text.startswith("/") and is_plain):
                    return replace(self._text(literal, text), type=Type.PATH)
        return self.reject(
            "D105", node.func,
            "LocalPath takes one literal absolute path, without ., .. or empty parts",
            suggestions.of_call(node).help,
        )  # fmt: skip

    def known_text(self, value: Value) -> str | None:
        """Return the text of a value, with 0 for each number, or None if it is not known."""
        match value:
            case StrLiteral(text):
                return text
            case Name(name) if name in self.symbols.texts:
                return self.symbols.texts[name]
            case Join(parts):
                known = [self.known_text(part) for part in parts]
                return None if None in known else "".join(map(str, known))
        return "0" if value.type.is_number else None

    def _dirname(self, owner: ast.expr) -> Value:
        path = self.value(owner)
        self.check.need(owner, path, Type.PATH)
        if not isinstance(path, Name):
            return self.reject(
                "D105", owner, ".dirname needs a variable before it",
                f"assign it first: path = {self.symbols.shown(owner)}",
            )  # fmt: skip
        return Dirname(path)

    def _environment_or(self, node: ast.BoolOp, first: ast.expr, second: ast.expr) -> Value:
        match first:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
                ),
                args=[ast.Constant(value=str() as name)],
                keywords=[],
            ):
                if not self.symbols.check_environment(first, name):
                    return REJECTED
                return Environment(name, self.text(second), or_empty=True)
        return self.reject(
            "D102", node, "`or` between values is outside the dialect",
            'only local.env.get("NAME") or default is allowed: otherwise use if and else, or for'
            f" a Bool assign it first: flag = {ast.unparse(node)}",
        )  # fmt: skip

    def call_value(self, node: ast.Call) -> Value:
        """Analyze a call that is a value. Report any other call."""
        match node.func:
            case ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
            ):
                if len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
                    is_literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
                    shown = self.symbols.shown(node.args[0]) if is_literal else '"NAME"'
                    return self.reject(
                        "D105", node, "local.env.get needs a literal name and a default",
                        f'write local.env.get({shown}, "")',
                    )  # fmt: skip
                name = str(node.args[0].value)
                if not self.symbols.check_environment(node.args[0], name):
                    return REJECTED
                return Environment(name, self.text(node.args[1]), or_empty=False)
            case ast.Name(id="LocalPath"):
                return self._literal_path(node)
            case ast.Name(id="program"):
                return self._program_found(node)
            case ast.Attribute(
                value=owner, attr=("removeprefix" | "removesuffix" | "replace") as method
            ):
                return self._text_method(node, owner, method)
            case ast.Name(id=name) if self.symbols.function(name) is not None:
                return self.reject(
                    "D204", node, f"{name} cannot be called inside an expression",
                    f"assign its result first: result = {self.symbols.shown(node)}",
                )  # fmt: skip
            case ast.Attribute(value=ast.Call(func=command) as called) if self.commands.is_command(
                command
            ):
                return self.commands.called_command(called)
            case ast.Name() | ast.Subscript() if self.commands.is_command(node.func):
                return self.commands.called_command(node)
            case ast.Name() | ast.Attribute() if self.check.root_is_rejected(node.func):
                for argument in node.args:
                    if not isinstance(argument, ast.Starred):
                        self.value(argument)
                return REJECTED
            case ast.BinOp(op=ast.BitOr()) as piped if self.commands.is_pipeline(piped):
                return self.commands.pipeline(piped)
            case ast.Subscript() if self.value(node.func).type is Type.ERROR:
                return REJECTED
        if self.check.arguments_in(node) is not None:
            return self.value(self.check.arguments_in(node) or node)
        suggestion = suggestions.of_call(node)
        return self.reject("D104", node.func, suggestion.message, suggestion.help)

    def _text_method(self, node: ast.Call, owner: ast.expr, method: str) -> Value:
        text = self.text(owner)
        arguments = [self.text(argument) for argument in node.args]
        if not isinstance(text, Name):
            return self.reject(
                "D105", owner, f".{method} needs a variable before it",
                f"assign it first: text = {self.symbols.shown(owner)}",
            )  # fmt: skip
        if len(arguments) != (2 if method == "replace" else 1) or node.keywords:
            return self.reject(
                "D105", node, f"{method} does not take these arguments", f"see str.{method}"
            )
        if method == "replace":
            if isinstance(arguments[0], StrLiteral) and not arguments[0].value:
                self.reject(
                    "D105",
                    node,
                    "replace cannot search for an empty text",
                    "pass the text to be replaced",
                )
            return Replace(text, arguments[0], arguments[1])
        return RemoveAffix(text, arguments[0], at_end=method == "removesuffix")

    # --- Commands --------------------------------------------------------------------------------

    def _command(self, name: str) -> CommandLine:
        return CommandLine(StrLiteral(self.symbols.commands[name]), ())

    def _program_found(self, node: ast.Call) -> Value:
        """Analyze program(path), a command that is only known at run time."""
        if len(node.args) != 1 or node.keywords:
            return self.reject("D105", node, "program takes one Path", "write program(path)")
        path = self.value(node.args[0])
        if path.type is Type.ERROR:
            return REJECTED
        if path.type is not Type.PATH:
            is_name = isinstance(path, StrLiteral)
            shown = self.symbols.shown(node.args[0])
            way = f"path = absolute({shown}), then program(path)"
            return self.reject(
                "D303", node.args[0], "in a function, program takes a Path",
                f"bind it at the top of the program: … = program({shown})" if is_name else way,
            )  # fmt: skip
        return CommandLine(path, ())

    def _command_line(self, node: ast.Subscript) -> Value:
        suggestion = suggestions.of_index(node)
        if suggestion is not None:
            return self.reject("D102", node, suggestion.message, suggestion.help)
        match node.value:
            case ast.Name(id=name) if self.check.is_unknown(name):
                self.symbols.rejected.add(name)
                return self.reject(
                    "D301", node.value, f"{name} is not set",
                    f'bind the program at the top: {name} = program("{name}")',
                )  # fmt: skip
        base = self.value(node.value)
        if base.type is Type.ERROR:
            return REJECTED
        if base.type is not Type.COMMAND:
            return self.reject(
                "D102", node, f"{with_article(base.type)} cannot be indexed",
                "use partition, removeprefix or removesuffix; only commands take arguments in [ ]",
            )  # fmt: skip
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        arguments = tuple(self.argument(item) for item in items)
        if isinstance(base, CommandLine):
            return CommandLine(base.program, base.arguments + arguments)
        assert isinstance(base, Name)
        return CommandLine(base, arguments)

    def argument(self, node: ast.expr) -> Value:
        """Analyze an argument of a command: text, a number, or a command that it runs."""
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
            node = node.value
        value = self.value(node)
        if value.type is Type.BOOL:
            self.reject(
                "D303", node, "a Bool cannot be an argument", "choose the text with if and else"
            )
        return value


def _has_plain_default(variable: Environment) -> bool:
    """Return whether a variable's default needs no quotes in bash."""
    return _is_plain(variable.default)


def _is_plain(value: Value) -> bool:
    match value:
        case StrLiteral(text):
            return PLAIN_DEFAULT.fullmatch(text) is not None
        case Join(parts):
            return all(map(_is_plain, parts))
        case PathJoin(_, name):
            return _is_plain(name)
    return isinstance(value, (Name, IntLiteral, Environment))
