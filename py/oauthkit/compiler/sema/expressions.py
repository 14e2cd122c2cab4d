"""From Python expressions to typed values."""

from __future__ import annotations

import ast
from dataclasses import replace

from oauthkit.compiler.diagnostics import suggestions as ways_out
from oauthkit.compiler.diagnostics.describe import describe, is_condition, question, with_article
from oauthkit.compiler.dialect import PLAIN_DEFAULT
from oauthkit.compiler.ir import (
    Arithmetic,
    CommandLine,
    Dirname,
    Environment,
    Join,
    Name,
    Negative,
    Number,
    PathJoin,
    Replace,
    Strip,
    Text,
    Truth,
    Value,
)
from oauthkit.compiler.sema.commands import FOREIGN_RUNNERS, REFUSED, RUNNERS, Commands
from oauthkit.compiler.types import Type

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}
LARGEST = 2**63 - 1


class Values(Commands):
    """Reads the values in one function."""

    # --- Values ----------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """The value of an expression that needs neither a call nor a command to run."""
        value = self.whole_value(node)
        if isinstance(value, Environment) and not _has_plain_default(value):
            return self.refuse(
                "D105", node, "a default with such characters stands inside an expression",
                f"name it first: text = {ast.unparse(node)}",
            )  # fmt: skip
        if isinstance(value, Dirname):
            return self.refuse(
                "D105", node, ".dirname stands inside an expression",
                f"name it first: folder = {ast.unparse(node)}",
            )  # fmt: skip
        return value

    def whole_value(self, node: ast.expr) -> Value:
        """The same, where the value is all that stands right of an =."""
        match node:
            case ast.Constant(value=bool() as truth):
                return Truth(truth)
            case ast.Constant(value=int() as number):
                if number > LARGEST:
                    self.refuse(
                        "D404", node, "a number of more than 63 bits", "bash has no larger one"
                    )
                return Number(number)
            case ast.Constant(value=str() as text):
                return self._text(node, text)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.JoinedStr(values=parts):
                return self._join(node, parts)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._path_join(node, left, right)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right) if (
                self.is_command(left) or self.is_command(right) or self.is_pipeline(left)
            ):
                return self.pipeline(node)
            case ast.BinOp(
                left=command,
                op=ast.BitAnd(),
                right=ast.Name(id=how) | ast.Call(func=ast.Name(id=how)) as runner,
            ) if how in FOREIGN_RUNNERS or (how in RUNNERS and isinstance(runner, ast.Call)):
                if not self.is_command(command) and self.value(command).type is Type.ERROR:
                    return REFUSED
                return self.foreign_runner(runner, command)
            case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id=("RETCODE" | "CAPTURE") as how)):
                names = "status" if how == "RETCODE" else "status, text"
                return self.refuse(
                    "D204", node, "a command runs inside an expression",
                    f"run it first: {names} = {self.names.shown(node)}",
                )  # fmt: skip
            case ast.Compare() | ast.BinOp(op=ast.RShift()) if self.is_redirected(node):
                return self.unrun(node, "", "TF")
            case ast.BoolOp(op=ast.Or(), values=[first, second]) if not (
                is_condition(node) and (is_condition(first) or is_condition(second))
            ):
                return self._environment_or(node, first, second)
            case _ if is_condition(node):
                return self.refuse(
                    "D102", node, "a condition stands inside an expression",
                    f"name it first: flag = {ast.unparse(node)}; where a text is needed, set one in"
                    " an if",
                )  # fmt: skip
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
                if number > LARGEST + 1:
                    self.refuse(
                        "D404", node, "a number of more than 63 bits", "bash has no smaller one"
                    )
                return Number(-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                self.need(operand, inner, Type.INT)
                return Negative(inner)
            case ast.Subscript():
                return self._command_line(node)
            case ast.Attribute(value=owner, attr="dirname"):
                return self._dirname(owner)
            case ast.Call():
                return self._call_value(node)
        if isinstance(node, ast.NamedExpr):
            self.scope.forgive(node.target.id)
        if isinstance(node, ast.Attribute) and self.root_is_refused(node):
            return REFUSED
        if self.arguments_in(node) is not None:
            return self.value(self.arguments_in(node) or node)
        asked = ""
        if isinstance(node, ast.IfExp):
            asked = self.names.shown(node.test)
            if isinstance(node.test, ast.Name):
                asked = question(self.scope.type_of(node.test.id) or Type.ERROR, asked)
        way = ways_out.of_expression(node, asked)
        return self.refuse("D102", node, way.message, way.help)

    def text(self, node: ast.expr) -> Value:
        """A value of type Str."""
        value = self.value(node)
        return value if self.need(node, value, Type.STR) else REFUSED

    def _text(self, node: ast.expr, text: str) -> Text:
        if "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            self.refuse(
                "D404",
                node,
                "a NUL or a surrogate in a string",
                "bash cannot hold it: leave it out",
            )
        return Text(text)

    def _name(self, node: ast.expr, name: str) -> Value:
        kind = self.scope.type_of(name)
        if kind is not None:
            if not self.scope.is_set(name):
                self.scope.forgive(name)
                return self.refuse(
                    "D301", node, f"{name} is not set on every path that leads here",
                    f"set {name} before the branch or loop",
                )  # fmt: skip
            if kind is Type.ERROR:
                return REFUSED
            self.scope.used.add(name)
            return Name(name, kind)
        if name == self.scope.arguments:
            return self.refuse(
                "D102", node, f"{name} can only be looped over",
                f"write for argument in {name}: and count, keep or hand on the argument there",
            )  # fmt: skip
        if name in self.names.refused:
            return REFUSED
        if name in self.names.commands:
            return self._command(name)
        if name in self.names.constants:
            self.names.used.add(name)
            return Name(name, self.names.constants[name])
        if self.names.function(name) is not None or name in self.names.imports:
            return self.refuse(
                "D102", node, f"{name} is no value", "call it, or name what it gives"
            )
        self.scope.forgive(name)
        return self.refuse("D301", node, f"{name} is not set", "set it before it is used")

    def _join(self, node: ast.expr, parts: list[ast.expr]) -> Value:
        joined: list[Value] = []
        told = len(self.names.diagnostics)
        for part in parts:
            if isinstance(part, ast.Constant):
                joined.append(self._text(node, str(part.value)))
                continue
            assert isinstance(part, ast.FormattedValue)
            if part.conversion != -1 or part.format_spec is not None:
                self.refuse("D102", part.value, "a format in an f-string", "take the plain {value}")
            is_bool = is_condition(part.value) and not self.is_redirected(part.value)
            value = Truth(True) if is_bool else self.value(part.value)
            if value.type in (Type.BOOL, Type.COMMAND):
                self.refuse(
                    "D303", part.value, f"{with_article(value.type)} is another text in bash",
                    "say with if / else which text is meant",
                )  # fmt: skip
            joined.append(value)
        return Join(tuple(joined)) if len(self.names.diagnostics) == told else REFUSED

    def _arithmetic(self, node: ast.BinOp) -> Value:
        operator = OPERATORS.get(type(node.op))
        if operator is None:
            return self.refuse(
                "D102", node, f"the operator {describe(node.op)} is outside the dialect",
                "the dialect has + - * // %",
            )  # fmt: skip
        way = ways_out.of_literal(node)
        if way is not None:
            return self.refuse("D102", node, way.message, way.help)
        left, right = self.value(node.left), self.value(node.right)
        if Type.ERROR in (left.type, right.type):
            return REFUSED
        if operator == "+" and left.type.is_text:
            fits = self.need(node.right, right, Type.STR)
            return Join((left, right)) if fits else REFUSED
        if not (self.need(node.left, left, Type.INT) and self.need(node.right, right, Type.INT)):
            return REFUSED
        if operator not in ("//", "%"):
            return Arithmetic(operator, left, right)
        if not (isinstance(right, Number) and right.value > 0):
            self.refuse(
                "D105", node.right, f"right of {operator} only a positive literal can stand",
                "write a number there, such as 2: bash rounds towards zero, Python down",
            )  # fmt: skip
        elif not isinstance(left, (Name, Number)):
            shown = self.names.shown(node.left)
            self.refuse(
                "D105", node.left, f"left of {operator} a name is needed",
                f"name it first: number = {shown}, then number {operator} {right.value}",
            )  # fmt: skip
        return Arithmetic(operator, left, right)

    def _path_join(self, node: ast.BinOp, left: ast.expr, right: ast.expr) -> Value:
        path = self.value(left)
        if path.type.is_number and path.type is not Type.ERROR:
            self.value(right)
            shown = f"{self.names.shown(left)} // {self.names.shown(right)}"
            return self.refuse(
                "D102", node, "there are no numbers with a point", f"divide whole numbers: {shown}"
            )
        self.need(left, path, Type.PATH)
        match right:
            case ast.Call(func=ast.Name(id="str"), args=[number], keywords=[]) if (
                self.names.function("str") is None
            ):
                right = ast.copy_location(ast.JoinedStr([ast.FormattedValue(number, -1)]), right)
        name = self.text(right)
        if Type.ERROR in (path.type, name.type):
            return REFUSED
        text = self.known_text(name)
        if text is None or any(part in ("", ".", "..") for part in text.split("/")):
            return self.refuse(
                "D105", right,
                "after / only literals, constants and numbers can stand, without . or .. or empty"
                " parts", f"make a Path of the whole text: {ways_out.absolute(left, right)}",
            )  # fmt: skip
        if isinstance(path, (Text, Join)) and path.type is Type.PATH:
            slash = () if path == Text("/", Type.PATH) else (Text("/"),)
            return Join((path, *slash, name), Type.PATH)
        if not isinstance(path, Name):
            return self.refuse("D105", left, "before / a name or LocalPath(…) is needed",
                f"name it first: folder = {self.names.shown(left)}",
            )  # fmt: skip
        return PathJoin(path, name)

    def _literal_path(self, node: ast.Call) -> Value:
        """LocalPath("/…"), of a text that plumbum leaves as it is; its local.path changes PATH."""
        match node.args:
            case [ast.Constant(value=str() as text) as literal] if not node.keywords:
                parts = text.removeprefix("/").split("/")
                is_plain = not any(part in ("", ".", "..") for part in parts)
                if text == "/" or (text.startswith("/") and is_plain):
                    return replace(self._text(literal, text), type=Type.PATH)
        return self.refuse(
            "D105", node.func,
            "LocalPath takes one literal path from /, without . and .. and empty parts",
            ways_out.of_call(node).help,
        )  # fmt: skip

    def known_text(self, value: Value) -> str | None:
        """The text of a value, with 0 for what can be any number; None if it can be any text."""
        match value:
            case Text(text):
                return text
            case Name(name) if name in self.names.texts:
                return self.names.texts[name]
            case Join(parts):
                known = [self.known_text(part) for part in parts]
                return None if None in known else "".join(map(str, known))
        return "0" if value.type.is_number else None

    def _dirname(self, owner: ast.expr) -> Value:
        path = self.value(owner)
        self.need(owner, path, Type.PATH)
        if not isinstance(path, Name):
            return self.refuse(
                "D105", owner, "before .dirname a name is needed",
                f"name it first: path = {self.names.shown(owner)}",
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
                if not self.names.check_environment(first, name):
                    return REFUSED
                return Environment(name, self.text(second), or_empty=True)
        return self.refuse(
            "D102", node, "`or` between values is outside the dialect",
            'the one such form is local.env.get("NAME") or default; otherwise use if / else, or for'
            f" a Bool name it first: flag = {ast.unparse(node)}",
        )  # fmt: skip

    def _call_value(self, node: ast.Call) -> Value:
        match node.func:
            case ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
            ):
                if len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
                    is_literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
                    shown = self.names.shown(node.args[0]) if is_literal else '"NAME"'
                    return self.refuse(
                        "D105", node, "local.env.get needs a literal name and a default",
                        f'write local.env.get({shown}, "")',
                    )  # fmt: skip
                name = str(node.args[0].value)
                if not self.names.check_environment(node.args[0], name):
                    return REFUSED
                return Environment(name, self.text(node.args[1]), or_empty=False)
            case ast.Name(id="LocalPath"):
                return self._literal_path(node)
            case ast.Name(id="program"):
                return self._program_found(node)
            case ast.Attribute(
                value=owner, attr=("removeprefix" | "removesuffix" | "replace") as method
            ):
                return self._text_method(node, owner, method)
            case ast.Name(id=name) if self.names.function(name) is not None:
                return self.refuse(
                    "D204", node, f"the call of {name} stands inside an expression",
                    f"name what it gives first: result = {self.names.shown(node)}",
                )  # fmt: skip
            case ast.Attribute(value=ast.Call(func=command) as called) if self.is_command(command):
                return self.called_command(called)
            case ast.Name() | ast.Subscript() if self.is_command(node.func):
                return self.called_command(node)
            case ast.Name() | ast.Attribute() if self.root_is_refused(node.func):
                for argument in node.args:
                    if not isinstance(argument, ast.Starred):
                        self.value(argument)
                return REFUSED
            case ast.BinOp(op=ast.BitOr()) as piped if self.is_pipeline(piped):
                return self.pipeline(piped)
            case ast.Subscript() if self.value(node.func).type is Type.ERROR:
                return REFUSED
        if self.arguments_in(node) is not None:
            return self.value(self.arguments_in(node) or node)
        way = ways_out.of_call(node)
        return self.refuse("D104", node.func, way.message, way.help)

    def _text_method(self, node: ast.Call, owner: ast.expr, method: str) -> Value:
        text = self.text(owner)
        arguments = [self.text(argument) for argument in node.args]
        if not isinstance(text, Name):
            return self.refuse(
                "D105", owner, f".{method} needs a name before it",
                f"name it first: text = {self.names.shown(owner)}",
            )  # fmt: skip
        if len(arguments) != (2 if method == "replace" else 1) or node.keywords:
            return self.refuse("D105", node, f"{method} has other arguments", f"see str.{method}")
        if method == "replace":
            if isinstance(arguments[0], Text) and not arguments[0].value:
                self.refuse("D105", node, "replace of an empty text", "name what is to be replaced")
            return Replace(text, arguments[0], arguments[1])
        return Strip(text, arguments[0], at_end=method == "removesuffix")

    # --- Commands --------------------------------------------------------------------------------

    def _command(self, name: str) -> CommandLine:
        return CommandLine(Text(self.names.commands[name]), ())

    def _program_found(self, node: ast.Call) -> Value:
        """program(path): a command that is known only when the program runs."""
        if len(node.args) != 1 or node.keywords:
            return self.refuse("D105", node, "program takes one Path", "write program(path)")
        path = self.value(node.args[0])
        if path.type is Type.ERROR:
            return REFUSED
        if path.type is not Type.PATH:
            is_name = isinstance(path, Text)
            shown = self.names.shown(node.args[0])
            way = f"path = absolute({shown}), then program(path)"
            return self.refuse(
                "D303", node.args[0], "in a function, program takes a Path",
                f"bind it at the top of the program: … = program({shown})" if is_name else way,
            )  # fmt: skip
        return CommandLine(path, ())

    def _command_line(self, node: ast.Subscript) -> Value:
        way = ways_out.of_index(node)
        if way is not None:
            return self.refuse("D102", node, way.message, way.help)
        match node.value:
            case ast.Name(id=name) if self.is_unknown(name):
                self.names.refused.add(name)
                return self.refuse(
                    "D301", node.value, f"{name} is not set",
                    f'bind the program at the top: {name} = program("{name}")',
                )  # fmt: skip
        base = self.value(node.value)
        if base.type is Type.ERROR:
            return REFUSED
        if base.type is not Type.COMMAND:
            return self.refuse(
                "D102", node, f"{with_article(base.type)} cannot be taken apart with [ ]",
                "use partition, removeprefix or removesuffix; only commands take arguments in [ ]",
            )  # fmt: skip
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        arguments = tuple(self.argument(item) for item in items)
        if isinstance(base, CommandLine):
            return CommandLine(base.program, base.arguments + arguments)
        assert isinstance(base, Name)
        return CommandLine(base, arguments)

    def argument(self, node: ast.expr) -> Value:
        """One argument of a command: text, a number, or a command that it runs in turn."""
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
            node = node.value
        value = self.value(node)
        if value.type is Type.BOOL:
            self.refuse(
                "D303", node, "a Bool is no argument", "say with if / else which text is meant"
            )
        return value


def _has_plain_default(variable: Environment) -> bool:
    """Return whether the default of a variable needs no quotes in bash."""
    return _is_plain(variable.default)


def _is_plain(value: Value) -> bool:
    match value:
        case Text(text):
            return PLAIN_DEFAULT.fullmatch(text) is not None
        case Join(parts):
            return all(map(_is_plain, parts))
        case PathJoin(_, name):
            return _is_plain(name)
    return isinstance(value, (Name, Number, Environment))
