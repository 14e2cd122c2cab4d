"""From Python expressions to typed values and conditions."""

from __future__ import annotations

import ast

from .names import Names, Scope
from .tree import (
    Affix,
    Arithmetic,
    Both,
    Call,
    CommandLine,
    Compare,
    Condition,
    Contains,
    Dirname,
    Environment,
    FileTest,
    IsSet,
    IsTrue,
    Join,
    Name,
    Negative,
    Not,
    Number,
    PathJoin,
    Replace,
    Run,
    Strip,
    Succeeds,
    Text,
    Truth,
    UserId,
    Value,
)
from .types import Type

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}
COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
FILE_TESTS = {"exists": "-e", "is_file": "-f", "is_dir": "-d", "is_symlink": "-L"}
ACCESS_TESTS = {"r": "-r", "w": "-w", "x": "-x"}
LARGEST = 2**63 - 1

# Stands for what was refused: no second complaint about it.
REFUSED = Name("refused", Type.ERROR)


class Expressions:
    """Reads the expressions of one function."""

    def __init__(self, names: Names, scope: Scope) -> None:
        self.names = names
        self.scope = scope

    # --- Values ----------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """The value of an expression that needs neither a call nor a command to run."""
        match node:
            case ast.Constant(value=bool() as truth):
                return Truth(truth)
            case ast.Constant(value=int() as number):
                if number > LARGEST:
                    self._refuse(
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
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
                return Number(-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                self.need(operand, inner, Type.INT)
                return Negative(inner)
            case ast.BoolOp(op=ast.Or(), values=[first, second]):
                return self._environment_or(node, first, second)
            case ast.Subscript():
                return self._command_line(node)
            case ast.Attribute(value=owner, attr="dirname"):
                return self._dirname(owner)
            case ast.Call():
                return self._call_value(node)
        return self._refuse(
            "D102", node, f"{_describe(node)} is outside the dialect",
            "use names, literals, f-strings, arithmetic, local.env.get and the methods of the dialect",
        )  # fmt: skip

    def text(self, node: ast.expr) -> Value:
        """A value of type Str."""
        value = self.value(node)
        self.need(node, value, Type.STR)
        return value

    def need(self, node: ast.expr, value: Value, wanted: Type) -> None:
        """Refuses a value that does not fit where a `wanted` is needed."""
        if value.type.fits(wanted):
            return
        if wanted is Type.INT and value.type.is_text:
            self._refuse(
                "D304", node, f"a {value.type.value} is used as a number",
                "turn it into one: status, number = parse_int(text)",
            )  # fmt: skip
        else:
            self._refuse(
                "D303", node, f"a {wanted.value} is needed here, this is a {value.type.value}",
                _conversion(value.type, wanted),
            )  # fmt: skip

    def _refuse(self, code: str, node: ast.AST, message: str, help: str) -> Name:
        self.names.report(code, node, message, help)
        return REFUSED

    def _text(self, node: ast.expr, text: str) -> Text:
        if "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            self._refuse(
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
                return self._refuse(
                    "D301", node, f"{name} is not set on every path that leads here",
                    f"set {name} before the branch or loop",
                )  # fmt: skip
            return Name(name, kind)
        if name in self.names.commands:
            return self._command(name)
        if name in self.names.constants:
            return Name(name, self.names.constants[name])
        if self.names.function(name) is not None or name in self.names.imports:
            return self._refuse(
                "D102", node, f"{name} is no value", f"call it, or name what it gives"
            )
        return self._refuse("D301", node, f"{name} is not set", "set it before it is used")

    def _join(self, node: ast.expr, parts: list[ast.expr]) -> Value:
        joined: list[Value] = []
        for part in parts:
            if isinstance(part, ast.Constant):
                joined.append(self._text(node, str(part.value)))
                continue
            assert isinstance(part, ast.FormattedValue)
            if part.conversion != -1 or part.format_spec is not None:
                self._refuse("D102", part, "a format in an f-string", "take the plain {value}")
            value = self.value(part.value)
            if value.type in (Type.BOOL, Type.COMMAND):
                self._refuse(
                    "D303", part.value, f"a {value.type.value} has no text of its own in both languages",
                    "say with if / else which text is meant",
                )  # fmt: skip
            joined.append(value)
        return Join(tuple(joined))

    def _arithmetic(self, node: ast.BinOp) -> Value:
        operator = OPERATORS.get(type(node.op))
        if operator is None:
            return self._refuse(
                "D102",
                node,
                f"{_describe(node.op)} is outside the dialect",
                "the dialect has + - * // %",
            )
        left, right = self.value(node.left), self.value(node.right)
        if operator == "+" and left.type.is_text and Type.ERROR is not left.type:
            self.need(node.right, right, Type.STR)
            return Join((left, right))
        self.need(node.left, left, Type.INT)
        self.need(node.right, right, Type.INT)
        if operator in ("//", "%") and not (
            isinstance(right, Number) and right.value > 0 and isinstance(left, (Name, Number))
        ):
            self._refuse(
                "D105", node, f"{operator} needs a name on its left and a positive literal on its right",
                "name the left side first: bash rounds towards zero, Python down",
            )  # fmt: skip
        return Arithmetic(operator, left, right)

    def _path_join(self, node: ast.BinOp, left: ast.expr, right: ast.expr) -> Value:
        path = self.value(left)
        self.need(left, path, Type.PATH)
        name = right.value if isinstance(right, ast.Constant) else None
        parts = name.split("/") if isinstance(name, str) else [""]
        if not isinstance(name, str) or any(part in ("", ".", "..") for part in parts):
            return self._refuse(
                "D105", right, "after / a literal name is needed, without . or .. or empty parts",
                'for any other text: absolute(f"{path}/{name}")',
            )  # fmt: skip
        if not isinstance(path, Name):
            return self._refuse("D105", left, "before / a name is needed", "name the path first")
        return PathJoin(path, name)

    def _dirname(self, owner: ast.expr) -> Value:
        path = self.value(owner)
        self.need(owner, path, Type.PATH)
        if not isinstance(path, Name):
            return self._refuse(
                "D105", owner, "before .dirname a name is needed", "name the path first"
            )
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
                self.names.environment.add(name)
                return Environment(name, self.text(second), or_empty=True)
        return self._refuse(
            "D102", node, "`or` between values is outside the dialect",
            'the one such form is local.env.get("NAME") or default; otherwise use if / else',
        )  # fmt: skip

    def _call_value(self, node: ast.Call) -> Value:
        match node.func:
            case ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
            ):
                if len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
                    return self._refuse(
                        "D105", node, "local.env.get needs a literal name and a default",
                        'write local.env.get("NAME", "")',
                    )  # fmt: skip
                name = str(node.args[0].value)
                self.names.environment.add(name)
                return Environment(name, self.text(node.args[1]), or_empty=False)
            case ast.Attribute(value=ast.Name(id="os"), attr="getuid") if not node.args:
                return UserId()
            case ast.Name(id="program"):
                return self._refuse(
                    "D102", node, "program(…) stands at the top of the program only",
                    "bind it to a name there; to run a path that is found at run time, give it to env",
                )  # fmt: skip
            case ast.Attribute(
                value=owner, attr=("removeprefix" | "removesuffix" | "replace") as method
            ):
                return self._text_method(node, owner, method)
            case ast.Name(id=name) if self.names.function(name) is not None:
                return self._refuse(
                    "D204", node, f"the call of {name} stands inside an expression",
                    f"name what it gives first: result = {name}(…)",
                )  # fmt: skip
            case ast.Attribute(attr=attr):
                return self._refuse(
                    "D104", node.func, f"the method {attr} is outside the dialect",
                    "values have removeprefix, removesuffix, replace; conditions have startswith, "
                    "endswith, exists, is_file, is_dir, is_symlink, access",
                )  # fmt: skip
        return self._refuse(
            "D104", node.func, f"{ast.unparse(node.func)} is not known here",
            "define it, or import it from the vocabulary",
        )  # fmt: skip

    def _text_method(self, node: ast.Call, owner: ast.expr, method: str) -> Value:
        text = self.text(owner)
        arguments = [self.text(argument) for argument in node.args]
        if not isinstance(text, Name):
            return self._refuse(
                "D105", owner, f".{method} needs a name before it", "name the text first"
            )
        if len(arguments) != (2 if method == "replace" else 1) or node.keywords:
            return self._refuse("D105", node, f"{method} has other arguments", f"see str.{method}")
        if method == "replace":
            if isinstance(arguments[0], Text) and not arguments[0].value:
                self._refuse(
                    "D105", node, "replace of an empty text", "name what is to be replaced"
                )
            return Replace(text, arguments[0], arguments[1])
        return Strip(text, arguments[0], at_end=method == "removesuffix")

    # --- Commands --------------------------------------------------------------------------------

    def _command(self, name: str) -> CommandLine:
        program = self.names.commands[name]
        self.names.commands_used.add(program)
        return CommandLine(Text(program), ())

    def _command_line(self, node: ast.Subscript) -> Value:
        base = self.value(node.value)
        if base.type is Type.ERROR:
            return REFUSED
        if base.type is not Type.COMMAND:
            return self._refuse(
                "D102", node, f"a {base.type.value} cannot be taken apart with [ ]",
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
        value = self.value(node)
        if value.type is Type.BOOL:
            self._refuse(
                "D303", node, "a Bool is no argument", "say with if / else which text is meant"
            )
        return value

    def run(self, node: ast.expr, capture: bool) -> Run | None:
        """The command left of `& TF`, `& RETCODE`, `& CAPTURE` with its redirections."""
        redirections: dict[str, tuple[ast.expr, bool]] = {}
        while True:
            match node:
                case ast.Compare(left=inner, ops=[operator], comparators=[target]):
                    stream = {ast.Gt: "stdout", ast.GtE: "stderr", ast.Lt: "stdin"}.get(
                        type(operator)
                    )
                    append = False
                case ast.Compare():
                    self._refuse(
                        "D202", node, "Python reads this as a chained comparison, not as redirections",
                        "put the first in parentheses: (command > out) >= err",
                    )  # fmt: skip
                    return None
                case ast.BinOp(left=inner, op=ast.RShift(), right=target):
                    stream, append = "stdout", True
                case _:
                    break
            if stream is None or stream in redirections:
                self._refuse(
                    "D202", node, "this is no redirection", "the dialect has < > >> >=, each once"
                )
                return None
            redirections[stream] = (target, append)
            node = inner
        command = self.value(node)
        if command.type is Type.ERROR:
            return None
        if command.type is not Type.COMMAND:
            self._refuse(
                "D303", node, f"a {command.type.value} cannot be run", "left of & stands a command"
            )
            return None
        if capture and "stdout" in redirections:
            self._refuse("D202", node, "stdout is redirected and captured", "choose one of the two")
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
        return Run(command, stdin, stdout, append, stderr)

    def _target(self, redirection: tuple[ast.expr, bool] | None) -> Value | None:
        return None if redirection is None else self.text(redirection[0])

    def call(self, node: ast.Call) -> Call | None:
        """A call of a function or word, its arguments checked; None if it was refused."""
        assert isinstance(node.func, ast.Name)
        signature = self.names.function(node.func.id)
        assert signature is not None
        if signature.name in self.names.vocabulary.words:
            self.names.words_used.add(signature.name)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self._refuse(
                "D105",
                node,
                f"{signature.name} takes its arguments in their order",
                "leave out names and *",
            )
            return None
        if len(node.args) != len(signature.parameters):
            wanted = (
                ", ".join(f"{name}: {kind.value}" for name, kind in signature.parameters)
                or "nothing"
            )
            self._refuse(
                "D105", node, f"{signature.name} does not fit these arguments", f"it takes {wanted}"
            )
            return None
        values = []
        for argument, (_, wanted_type) in zip(node.args, signature.parameters):
            value = self.value(argument)
            self.need(argument, value, wanted_type)
            values.append(value)
        return Call(signature, tuple(values))

    # --- Conditions ------------------------------------------------------------------------------

    def condition(self, node: ast.expr) -> Condition:
        """What stands after if, while, and, or, not."""
        match node:
            case ast.BoolOp(op=operator, values=values):
                operands = tuple(self.condition(value) for value in values)
                return Both(operands, either=isinstance(operator, ast.Or))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand))
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="TF")):
                run = self.run(command, capture=False)
                return IsTrue(REFUSED) if run is None else Succeeds(run)
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return self._comparison(node, left, operator, right)
            case ast.Call(func=ast.Name(id=name)) if self.names.function(name) is not None:
                return self._call_condition(node, name)
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)):
                found = self._method_condition(node, owner, attr)
                if found is not None:
                    return found
        value = self.value(node)
        if not value.type.fits(Type.BOOL):
            cure = {"Str": 'text != ""', "Path": "path.exists()", "Command": "command & TF"}
            self._refuse(
                "D305", node, f"a {value.type.value} is no condition",
                f"say what is asked: {cure.get(value.type.value, 'number != 0')}",
            )  # fmt: skip
        return IsTrue(value)

    def _call_condition(self, node: ast.Call, name: str) -> Condition:
        call = self.call(node)
        if call is None:
            return IsTrue(REFUSED)
        if call.function.results != (Type.BOOL,):
            self._refuse(
                "D305", node, f"{name} gives no Bool",
                f"compare what it gives: {name}(…) == 0 for a Status, or name it first",
            )  # fmt: skip
        return Succeeds(call)

    def _comparison(
        self, node: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr
    ) -> Condition:
        if isinstance(operator, (ast.In, ast.NotIn)):
            inside = self._membership(left, right)
            return Not(inside) if isinstance(operator, ast.NotIn) else inside
        sign = COMPARISONS.get(type(operator))
        if sign is None:
            self._refuse(
                "D102", node, "this comparison is outside the dialect", "use == != < <= > >= in"
            )
            return IsTrue(REFUSED)
        match left:
            case ast.Call(func=ast.Name(id=name)) if self.names.function(name) is not None:
                return self._status_comparison(left, sign, right)
        first, second = self.value(left), self.value(right)
        if first.type.is_text and second.type.is_text:
            if sign not in ("==", "!="):
                self._refuse(
                    "D303",
                    node,
                    f"{sign} on text depends on the locale in bash",
                    "compare text with == and !=",
                )
        elif Type.COMMAND in (first.type, second.type):
            self._refuse(
                "D203", node, "a redirected command is never run", "run it: (command > file) & TF"
            )
        elif Type.BOOL in (first.type, second.type):
            self._refuse("D305", node, "a Bool is compared", "write `flag` or `not flag`")
        else:
            self.need(left, first, Type.INT)
            self.need(right, second, Type.INT)
        return Compare(sign, first, second)

    def _status_comparison(self, left: ast.Call, sign: str, right: ast.expr) -> Condition:
        call = self.call(left)
        if call is None:
            return IsTrue(REFUSED)
        is_zero = isinstance(right, ast.Constant) and right.value == 0
        if call.function.results != (Type.STATUS,) or not is_zero or sign not in ("==", "!="):
            self._refuse(
                "D204", left, f"the call of {call.function.name} stands inside an expression",
                "name what it gives first; the one comparison of a call is function(…) == 0 or != 0",
            )  # fmt: skip
        return Succeeds(call) if sign == "==" else Not(Succeeds(call))

    def _membership(self, left: ast.expr, right: ast.expr) -> Condition:
        match right:
            case ast.Attribute(value=ast.Name(id="local"), attr="env"):
                if isinstance(left, ast.Constant) and isinstance(left.value, str):
                    self.names.environment.add(left.value)
                    return IsSet(left.value)
                self._refuse(
                    "D105",
                    left,
                    "the name of a variable must be a literal",
                    'write "NAME" in local.env',
                )
                return IsTrue(REFUSED)
        return Contains(self.text(left), self.text(right))

    def _method_condition(self, node: ast.Call, owner: ast.expr, attr: str) -> Condition | None:
        if attr in ("startswith", "endswith") and len(node.args) == 1:
            return Affix(self.text(owner), self.text(node.args[0]), at_end=attr == "endswith")
        flag = FILE_TESTS.get(attr) if not node.args else None
        if attr == "access" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            flag = ACCESS_TESTS.get(str(node.args[0].value))
        if flag is None:
            return None
        path = self.value(owner)
        self.need(owner, path, Type.PATH)
        return FileTest(flag, path)


def _conversion(found: Type, wanted: Type) -> str:
    if wanted is Type.PATH and found is Type.STR:
        return "make it one: path = absolute(text)"
    if wanted is Type.STR and found.is_number:
        return 'make it text: f"{number}"'
    return f"give a {wanted.value}"


def _describe(node: ast.AST) -> str:
    words = {
        "IfExp": "a conditional expression", "Lambda": "a lambda", "ListComp": "a comprehension",
        "Await": "await", "Dict": "a dictionary", "List": "a list", "Set": "a set", "Tuple": "a tuple",
        "Pow": "**", "Div": "/", "BitAnd": "a value that is run with &", "Attribute": "an attribute",
    }  # fmt: skip
    name = type(node).__name__
    return words.get(name, f"this ({name})")
