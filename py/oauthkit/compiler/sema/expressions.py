"""Analyze expressions that are values."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace

from oauthkit.compiler.bash.names import DIVIDE, PAD_NUMBER, PAD_TEXT
from oauthkit.compiler.constructs import is_choice, is_condition, is_format, is_stdin_read, modifier
from oauthkit.compiler.diagnostics import advice, replacements, suggestions
from oauthkit.compiler.diagnostics.describe import (
    absolute_of,
    describe,
    outermost_join,
    with_article,
)
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.site import VARIABLES
from oauthkit.compiler.evaluation_order import depends_on_calls, is_always_evaluated, is_pure
from oauthkit.compiler.ir import (
    COUNT,
    Arithmetic,
    BoolLiteral,
    Call,
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
from oauthkit.compiler.reserved_names import PLAIN_DEFAULT
from oauthkit.compiler.sema.checker import REJECTED, Checker
from oauthkit.compiler.sema.commands import FOREIGN_RUNNERS, RUNNERS, Commands
from oauthkit.compiler.types import Signature, Type

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}
LARGEST = 2**63 - 1
# The types of results that can be part of an expression.
_FIRST = (Type.STR, Type.PATH, Type.INT, Type.STATUS)


class Expressions:
    """Analyzes the expressions of one function that need neither a call nor a command to run."""

    def __init__(self, check: Checker) -> None:
        self.check = check
        self.commands = Commands(check)
        self.symbols = check.symbols
        self.scope = check.scope
        self.reject = check.reject
        self.site = check.site
        check.type_of = self._type_of
        check.result_of = self._result_of

    # --- Values ----------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """Analyze an expression that is part of another one or of a statement."""
        value = self.whole_value(node)
        if isinstance(value, Environment) and not _has_plain_default(value):
            return self.variable(node, value) or self.reject(
                "D105", node, "a default with special characters cannot be part of this expression",
                self.first(node, Type.STR),
            )  # fmt: skip
        if isinstance(value, Dirname):
            return self.variable(node, value, "directory") or self.reject(
                "D105", node, ".dirname cannot be part of this expression",
                self.first(node, Type.PATH, "directory"),
            )  # fmt: skip
        return value

    def variable(self, node: ast.expr, value: Value, name: str = "text") -> Name | None:
        """Return a value as a variable, or None if it cannot be assigned to one first."""
        if isinstance(value, Name):
            return value
        return self.check.put_first(value, name) if self.is_read_first(node) else None

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
                        "the number is too large",
                        "use a smaller number. Integers have 64 bits in bash",
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
            case ast.BinOp(left=command) if modifier(node) == "FG":
                shown = self.commands.command_text(command)
                return self.reject(
                    "D204", node, "a command cannot run inside an expression",
                    f"test it with `& TF(FG=True)`, or run `{shown} & FG` on a line of its own",
                )  # fmt: skip
            case ast.BinOp() if (how := modifier(node)) in (
                "RETCODE",
                "RETCODE(FG=True)",
                "CAPTURE",
            ):
                if how != "CAPTURE" and self.runs_first(node):
                    return self.check.assign_first(node, "status")
                help = "capture its output first, on a line of its own"
                if how != "CAPTURE":
                    help = self.first(node, Type.STATUS, intro="run it first")
                return self.reject("D204", node, "a command cannot run inside an expression", help)
            case ast.BinOp(
                left=command,
                op=ast.BitAnd(),
                right=ast.Name(id=how) | ast.Call(func=ast.Name(id=how)) as right,
            ) if how in FOREIGN_RUNNERS or (how in RUNNERS and modifier(node) == ""):
                if not self.commands.is_command(command) and self.value(command).type is Type.ERROR:
                    return REJECTED
                return self.commands.foreign_runner(right, command)
            case ast.Compare() | ast.BinOp() if self.commands.is_redirected(node):
                return self.commands.unrun(node, "", "TF")
            case ast.BoolOp(values=operands) if is_choice(node):
                return self._environment_or(node, operands)
            case _ if is_condition(node):
                return self.reject(
                    "D102", node, "a condition cannot be part of an expression",
                    replacements.of_condition(self.site(), node) or self.first(node, Type.BOOL),
                )  # fmt: skip
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
                if number > LARGEST + 1:
                    self.reject(
                        "D404",
                        node,
                        "the number is too small",
                        "use a larger number. Integers have 64 bits in bash",
                    )
                return IntLiteral(-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                self.check.need(operand, inner, Type.INT)
                return Negative(inner)
            case ast.Subscript(
                value=ast.Name(id=name), slice=ast.Constant(value=int() as index)
            ) if name == self.scope.arguments:
                return self._argument_of_main(node, name, index)
            case ast.Subscript() if self.is_slice(node):
                if self.runs_first(node):
                    return self.check.assign_first(node, "text")
                return self._reject_early(node, "a slice", self.first(node, Type.STR))
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
        if isinstance(node, ast.IfExp) and self.runs_first(node):
            return self.check.assign_first(node, "choice")
        if isinstance(node, ast.IfExp) and self.scope.root is not None:
            help = self.first(node, self._result_of(node.body), "choice")
            return self._reject_early(node, "a conditional expression", help)
        found = self.check.arguments_in(node)
        if found is not None and not (
            isinstance(node, ast.NamedExpr) and self.counts_arguments(node.value)
        ):
            return self.value(found)
        suggestion = suggestions.of_expression(node, self.site())
        return self.reject("D102", node, suggestion.message, suggestion.help)

    def text(self, node: ast.expr) -> Value:
        """Analyze a part of a string: a Str or a Path."""
        value = self.value(node)
        return value if self.check.need_text(node, value) else REJECTED

    def stored_text(self, node: ast.expr) -> Value:
        """Analyze an expression that must be a Str: a Path would remain one in Python."""
        value = self.value(node)
        return value if self.check.need(node, value, Type.STR) else REJECTED

    def counted(self, node: ast.expr) -> Value:
        """Analyze the argument of len."""
        value = self.value(node)
        if value.type.is_text or value.type is Type.ERROR:
            return value
        return self.reject(
            "D303", node, f"len counts the characters of a Str, not of {with_article(value.type)}",
            "pass a Str",
        )  # fmt: skip

    def counts_arguments(self, node: ast.expr) -> bool:
        """Return whether an expression is len(arguments)."""
        match node:
            case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)], keywords=[]):
                return name == self.scope.arguments
        return False

    def _argument_of_main(self, node: ast.expr, name: str, index: int) -> Value:
        """Analyze arguments[index], which must exist on every path."""
        if not self.scope.is_set(f"{name}[{index}]"):
            return self.reject(
                "D301", node, f"{name}[{index}] does not exist on every path to this line",
                f"test the number of arguments first, as in `if len({name}) > {index}:`",
            )  # fmt: skip
        return Name(str(index + 1), Type.STR)

    def _text(self, node: ast.expr, text: str) -> StrLiteral:
        if "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            self.reject(
                "D404",
                node,
                "the text contains a NUL byte or a surrogate",
                "remove it. bash cannot store it",
            )
        return StrLiteral(text)

    def items(self, node: ast.Tuple) -> tuple[tuple[Value, ...], Type]:
        """Analyze a tuple literal's items, and return them with their type."""
        items = tuple(self.value(element) for element in node.elts)
        kinds = {item.type for item in items}
        is_one = len(kinds - {Type.ERROR}) < 2
        kind = kinds.pop() if len(kinds) == 1 else Type.ERROR
        if kinds == {Type.STR, Type.PATH}:
            for element, item in zip(node.elts, items, strict=True):
                self.check.need(element, item, Type.STR)
        elif not is_one or kind in (Type.BOOL, Type.COMMAND):
            self.reject(
                "D303",
                node,
                "a tuple's items must be all Str, all Path or all Int",
                "use items of one type",
            )
        return items, kind

    def _name(self, node: ast.expr, name: str) -> Value:
        kind = self.scope.type_of(name)
        if kind is not None:
            if not self.scope.is_set(name):
                self.scope.assume_bound(name)
                return self.reject(
                    "D301", node, f"{name} is not set on every path to this line",
                    f"set {name} before the branch or loop" if kind is not Type.PATH else
                    f'before the branch or loop, write `{name} = ""`. In it, assign an f-string,'
                    f' as in `{name} = f"{{path}}"`',
                )  # fmt: skip
            if kind is Type.ERROR:
                return REJECTED
            self.scope.used.add(name)
            return Name(name, kind)
        if name == self.scope.arguments:
            return self.reject(
                "D102", node, f"{name} cannot be used as a value",
                replacements.of_arguments(self.site(), node)
                or f"iterate over it, `for argument in {name}:`, or use one argument, `{name}[0]`",
            )  # fmt: skip
        if name in self.symbols.rejected:
            return REJECTED
        if name in self.symbols.commands:
            return self._command(name)
        if name in self.symbols.constants:
            self.symbols.used.add(name)
            kind = self.symbols.constants[name]
            if kind is Type.TUPLE:
                return self.reject(
                    "D102", node, f"the tuple {name} cannot be used as a value",
                    f"iterate over it, as in `for item in {name}:`",
                )  # fmt: skip
            return Name(name, kind)
        if self.symbols.function(name) is not None or name in self.symbols.imports:
            return self.reject("D102", node, f"{name} is not a value", "call it")
        self.scope.assume_bound(name)
        help = "assign it a value first"
        if name == "__file__":
            help = "call script_path, which returns the path of the script"
        elif name.startswith("__") and name.endswith("__"):
            help = "Python's special names are outside the dialect. Write the value itself"
        return self.reject("D301", node, f"{name} is not set", help)

    def _join(self, node: ast.expr, parts: list[ast.expr]) -> Value:
        joined: list[Value] = []
        before = len(self.symbols.diagnostics)
        for part in parts:
            if isinstance(part, ast.Constant):
                joined.append(self._text(node, str(part.value)))
                continue
            assert isinstance(part, ast.FormattedValue)
            spec = ""
            if part.conversion != -1:
                self.reject(
                    "D102", part.value, "conversions in f-strings are outside the dialect",
                    "write the value without `!` or `=`. Write quotes around the braces yourself."
                    " Unlike `!r`, this does not escape anything in the value",
                )  # fmt: skip
            elif part.format_spec is not None:
                spec = ast.unparse(part.format_spec)[2:-1]
            if self.commands.is_redirected(part.value):
                self.reject(
                    "D203", part.value, "a command cannot run inside an f-string",
                    "run it first, on a line of its own",
                )  # fmt: skip
                continue
            is_bool = is_condition(part.value) and not is_choice(part.value)
            is_bool = is_bool or self.returns_bool(part.value)
            value = BoolLiteral(True) if is_bool else self.value(part.value)
            if value.type in (Type.BOOL, Type.COMMAND):
                self.reject(
                    "D303", part.value,
                    f"{with_article(value.type)} cannot be part of an f-string",
                    "write the program's name" if value.type is Type.COMMAND
                    else "choose the text with if and else",
                )  # fmt: skip
            joined.append(self._padded(part.value, value, spec) if spec else value)
        return Join(tuple(joined)) if len(self.symbols.diagnostics) == before else REJECTED

    def returns_bool(self, node: ast.expr) -> bool:
        """Return whether an expression is a call of a function that returns a Bool."""
        return isinstance(node, ast.Call) and self._result_of(node) is Type.BOOL

    def _padded(self, node: ast.expr, value: Value, spec: str) -> Value:
        """Analyze {value:spec} in an f-string."""
        if value.type is Type.ERROR:
            return REJECTED
        if not is_format(value.type, spec):
            help = (
                "use a format such as `{number:5}` or `{number:02d}` for an Int, or `{text:<20}` or"
                " `{text:>20}` for a Str"
            )
            if value.type is Type.PATH and is_format(Type.STR, spec):
                name = self.site().fresh("text")
                help = f'convert it to a Str first, as in `{name} = f"{{{ast.unparse(node)}}}"`'
            if "{" in spec:
                help = advice.WIDTH
            message = f"the format {spec} for {with_article(value.type)} is outside the dialect"
            return self.reject("D102", node, message, help)
        if not self.runs_first(node):
            help = "assign the f-string first, on a line of its own"
            return self._reject_early(node, "a formatted value", help)
        function, given = PAD_NUMBER, spec.replace("<", "-").lstrip(">").rstrip("d")
        arguments = [value, StrLiteral(given)]
        if value.type is Type.STR:
            function, side = PAD_TEXT, spec[0] if spec[0] in "<>" else "<"
            arguments = [value, StrLiteral(spec.lstrip("<>")), StrLiteral(side)]
        self.symbols.builtins_used.add(function)
        signature = Signature(function, (), (Type.STR,))
        return self.check.put_first(Call(signature, tuple(arguments)), "padded")

    def _arithmetic(self, node: ast.BinOp) -> Value:
        operator = OPERATORS.get(type(node.op))
        match node:
            case ast.BinOp(
                left=command,
                op=ast.BitAnd(),
                right=ast.BinOp(
                    left=ast.Name(id="FG"),
                    op=ast.RShift(),
                    right=ast.Constant() | ast.Name() | ast.JoinedStr() as file,
                ),
            ) if (
                isinstance(self.scope.statement, ast.Expr)
                and self.commands.is_command(command)
                and not self.commands.is_redirected(command)
            ):
                shown, target = self.symbols.shown(command), self.symbols.shown(file)
                return self.reject(
                    "D202", node, ">> binds tighter than &",
                    code("redirect the command in parentheses", f"({shown} >> {target}) & FG"),
                )  # fmt: skip
        if operator is None:
            help = "the dialect has `+`, `-`, `*`, `//` and `%`"
            match node:
                case ast.BinOp(
                    left=ast.Constant(value=int() as base),
                    op=ast.Pow(),
                    right=ast.Constant(value=int() as exponent),
                ) if exponent < 64 and base**exponent <= LARGEST:
                    help = code("write the number", str(base**exponent))
                case _:
                    site = self.site()
                    help = replacements.of_power(site, node) or (
                        replacements.of_bool_update(site, node) or help
                    )
            return self.reject(
                "D102", node, f"the operator {describe(node.op)} is outside the dialect", help
            )
        suggestion = suggestions.of_literal(node, self.site())
        if suggestion is not None:
            return self.reject("D102", node, suggestion.message, suggestion.help)
        left, right = self.value(node.left), self.value(node.right)
        if Type.ERROR in (left.type, right.type):
            return REJECTED
        if operator == "//" and left.type is Type.PATH:
            return self.reject(
                "D102", node, "the files that match a pattern can only be iterated over",
                f"write a loop, as in `for path in sorted({self.symbols.shown(node)}):`",
            )  # fmt: skip
        if operator == "+" and left.type.is_text:
            fits = self.check.need_text(node.right, right)
            return Join((left, right)) if fits else REJECTED
        if not (
            self.check.need(node.left, left, Type.INT)
            and self.check.need(node.right, right, Type.INT)
        ):
            return REJECTED
        if operator not in ("//", "%"):
            return Arithmetic(operator, left, right)
        if isinstance(right, IntLiteral) and right.value > 0:
            if not isinstance(left, IntLiteral):
                left = self.variable(node.left, left, "number") or self.reject(
                    "D105", node.left, f"the left operand of {operator} must be a variable",
                    self.first(node.left, Type.INT),
                )  # fmt: skip
            return Arithmetic(operator, left, right)
        if right == IntLiteral(0):
            return self.reject("D105", node.right, "division by zero", "use a number other than 0")
        if not self.runs_first(node):
            return self._reject_early(node, f"{operator} by a variable", self.first(node, Type.INT))
        self.symbols.builtins_used.add(DIVIDE)
        signature = Signature(DIVIDE, (), (Type.INT,))
        return self.check.put_first(
            Call(signature, (left, StrLiteral(operator), right)), "quotient"
        )

    def _path_join(self, node: ast.BinOp, left: ast.expr, right: ast.expr) -> Value:
        path = self.value(left)
        if path.type.is_number and path.type is not Type.ERROR:
            self.value(right)
            return self.reject(
                "D102", node, "there are no floating-point numbers",
                advice.FRACTION,
            )  # fmt: skip
        if path.type is Type.ERROR:
            self.value(right)  # which may have an error, too
            return REJECTED
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
            whole = outermost_join(self.scope.statement, node)
            return self.reject(
                "D105", right,
                "the right side of / must consist of literals, constants and numbers, without .,"
                " .. and empty parts",
                replacements.called(
                    self.site(),
                    whole,
                    absolute_of(whole),
                    Type.PATH,
                    "make a Path of the whole text",
                ) or "make a Path of the whole text with absolute",
            )  # fmt: skip
        if isinstance(path, (StrLiteral, Join)) and path.type is Type.PATH:
            slash = () if path == StrLiteral("/", Type.PATH) else (StrLiteral("/"),)
            return Join((path, *slash, name), Type.PATH)
        path = self.variable(left, path, "directory") or self.reject(
            "D105", left, "the left side of / must be a variable or LocalPath(…)",
            self.first(left, Type.PATH, "directory"),
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
            "LocalPath takes one literal absolute path, without ., .. and empty parts",
            suggestions.of_call(node, self.site()).help,
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
        if path.type is Type.ERROR:
            return REJECTED
        path = self.variable(owner, path, "path") or self.reject(
            "D105", owner, ".dirname needs a variable on its left", self.first(owner, Type.PATH)
        )
        return Dirname(path)

    def is_default(self, node: ast.expr) -> bool:
        """Return whether an expression is `text or default`."""
        match node:
            case ast.BoolOp(op=ast.Or(), values=values):
                return {self._result_of(value) for value in values} == {Type.STR}
        return False

    def _environment_or(self, node: ast.BoolOp, operands: list[ast.expr]) -> Value:
        match operands:
            case [
                ast.Call(
                    func=ast.Attribute(
                        value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
                    ),
                    args=[ast.Constant(value=str() as name)],
                    keywords=[],
                ) as first,
                second,
            ]:
                if not self.symbols.check_environment(first, name):
                    return REJECTED
                choice = self.environment_choice(node)
                if choice is not None and self.runs_first(node):
                    return self.check.assign_first(choice, "text")
                return Environment(name, self.stored_text(second), or_empty=True)
        help = replacements.of_or_and(self.site(), node)
        if {self.check.result_of(operand) for operand in operands} == {Type.BOOL}:
            help = self.first(node, Type.BOOL)
        return self.reject("D102", node, "`or` between values is outside the dialect", help)

    def environment_choice(self, node: ast.BoolOp) -> ast.IfExp | None:
        """Rewrite `local.env.get("A") or call()` as a conditional expression, or return None."""
        match node:
            case ast.BoolOp(
                op=ast.Or(),
                values=[
                    ast.Call(args=[ast.Constant(value=str()) as name], keywords=[]) as variable,
                    second,
                ],
            ) if ast.unparse(variable.func) == "local.env.get" and any(
                map(_is_lazy, ast.walk(second))
            ):
                value = ast.Call(variable.func, [name, ast.Constant("")], [])
                test = ast.Compare(value, [ast.NotEq()], [ast.Constant("")])
                choice = ast.copy_location(ast.IfExp(test, value, second), node)
                for inner in (test, value, value.args[1], test.comparators[0]):
                    ast.copy_location(inner, variable)
                return choice
        return None

    def call_value(self, node: ast.Call) -> Value:
        """Analyze a call that is a value. Report any other call."""
        match node.func:
            case ast.Attribute(
                value=ast.Attribute(value=ast.Name(id="local"), attr="env"), attr="get"
            ):
                if len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
                    return self.reject(
                        "D105", node, "local.env.get needs a literal name and a default",
                        replacements.of_get(self.site(), node)
                        or "write the variable's name as a literal. The default can be \"\"",
                    )  # fmt: skip
                name = str(node.args[0].value)
                if not self.symbols.check_environment(node.args[0], name):
                    return REJECTED
                return Environment(name, self.stored_text(node.args[1]), or_empty=False)
            case ast.Name(id="len") if self.counts_arguments(node):
                return Name(COUNT, Type.INT)
            case ast.Name(id="len") if len(node.args) == 1 and not node.keywords:
                if self.runs_first(node):
                    return self.check.assign_first(node, "length")
                if self.counted(node.args[0]).type is Type.ERROR:
                    return REJECTED
                help = self.first(node, Type.INT, "length", "assign its result first")
                return self._reject_early(node, "len", help)
            case _ if is_stdin_read(node):
                if self.runs_first(node):
                    return self.check.assign_first(node, "text")
                help = self.first(node, Type.STR, intro="assign its result first")
                return self._reject_early(node, "sys.stdin.read", help)
            case ast.Name(id="LocalPath"):
                return self._literal_path(node)
            case ast.Name(id="program"):
                return self._program_found(node)
            case ast.Attribute(
                value=owner, attr=("removeprefix" | "removesuffix" | "replace") as method
            ) if ast.unparse(owner) not in self.symbols.imports:
                return self._text_method(node, owner, method)
            case ast.Attribute(attr="strip" | "lstrip" | "rstrip") if self.stripped(node):
                if self.runs_first(node):
                    return self.check.assign_first(node, "text")
                help = self.first(node, Type.STR, intro="assign its result first")
                return self._reject_early(node, node.func.attr, help)
            case ast.Name(id=name) if self.symbols.function(name) is not None:
                kind = self._result_of(node)
                if kind in _FIRST and self.runs_first(node):
                    return self.check.assign_first(node, VARIABLES[kind])
                if kind in _FIRST:
                    return self._reject_early(node, name, self.first_result(node))
                return self.reject(
                    "D204", node, f"{name} cannot be called inside an expression",
                    self.first_result(node),
                )  # fmt: skip
            case ast.Attribute(value=ast.Call(func=command) as called) if self.commands.is_command(
                command
            ) and not self.runs_first(called):
                return self.commands.called_command(called)
            case _ if self.commands.is_called(node) and self.runs_first(node):
                return self.check.assign_first(node, "text")
            case _ if self.commands.is_called(node):
                help = self.first(node, Type.STR, intro="run it first")
                return self.commands.called_command(node, help=help)
            case ast.Name() | ast.Attribute() if self.check.root_is_rejected(node.func):
                for argument in node.args:
                    is_type = isinstance(argument, ast.Name) and argument.id in vars(builtins)
                    if not (is_type or isinstance(argument, (ast.Starred, ast.List))):
                        self.value(argument)
                return REJECTED
            case ast.Subscript() if self.value(node.func).type is Type.ERROR:
                return REJECTED
        if self.check.arguments_in(node) is not None:
            return self.value(self.check.arguments_in(node) or node)
        match node.func:
            case (
                ast.BinOp(left=ast.Subscript() as command)
                | ast.Compare(left=ast.Subscript() as command)
            ):  # redirected, but not known to be a command
                if self.value(command).type is Type.ERROR:
                    return REJECTED
        suggestion = suggestions.of_call(node, self.site())
        return self.reject("D104", node.func, suggestion.message, suggestion.help)

    # --- Calls inside expressions ----------------------------------------------------------------

    def runs_first(self, node: ast.expr) -> bool:
        """Return whether a call can run before the rest of the scope's `root`.

        It must run whenever the rest does. Parts that precede it must not depend on it. Earlier
        calls also run first, and a function cannot change another function's variables.
        """
        if not self.is_read_first(node):
            return False
        root = self.scope.root
        assert root is not None
        return is_pure(node, self.scope.arguments) or not depends_on_calls(root, node)

    def _reject_early(self, node: ast.expr, what: str, help: str) -> Name:
        """Reject a part of an expression for which `runs_first` is false."""
        if self.site().statement is None:
            return self.reject(
                "D303", node, f"a constant cannot be the result of {what}",
                "write its value, or assign it in a function",
            )  # fmt: skip
        return self.reject(
            "D204", node,
            f"{what} would be evaluated too early: an earlier part reads the environment or the"
            " file system, or runs a command",
            help,
        )  # fmt: skip

    def is_read_first(self, node: ast.expr) -> bool:
        """Return whether a value without calls can be read before the rest of `root`."""
        root = self.scope.root
        if root is None:
            return False
        return is_pure(node, self.scope.arguments) or is_always_evaluated(root, node)

    def stripped(self, node: ast.Call) -> bool:
        """Return whether a call is text.strip() and the like, with known ASCII characters."""
        if node.keywords or len(node.args) > 1:
            return False
        match node.args:
            case [ast.Constant(value=str() as text)]:
                return text != "" and text.isascii() and "\0" not in text
            case [ast.Name(id=name)]:
                text = self.symbols.texts.get(name, "")
                return text != "" and text.isascii()
        return not node.args

    def is_slice(self, node: ast.Subscript) -> bool:
        """Return whether a subscript is a slice of text without a step."""
        match node:
            case ast.Subscript(value=owner, slice=ast.Slice(step=None)):
                kind = self._result_of(owner)
                return kind.is_text
        return False

    # --- Suggestions -----------------------------------------------------------------------------

    def first(
        self, node: ast.expr, kind: Type, name: str = "", intro: str = "assign it first"
    ) -> str:
        """Suggest to assign a part of an expression to a variable first."""
        if isinstance(self.scope.statement, ast.While):
            return f"{intro}, inside a `while True:` loop, and `break` when the loop should end"
        shown = self.symbols.shown(node)
        lines = self.site().assigned(node, kind, lambda name: [f"{name} = {shown}"], name=name)
        is_root = self.scope.root is self.scope.statement
        place = "on a line of its own" if is_root else "in a nested `if`"
        return code(intro, lines, f"{intro}, {place}")

    def first_result(self, node: ast.Call) -> str:
        """Suggest to assign the result of a function first."""
        kind = self._result_of(node)
        if kind is Type.ERROR:
            return "assign its results first, on a line of its own"
        return self.first(node, kind, intro="assign its result first")

    def _type_of(self, node: ast.expr) -> Type:
        """Return the type of an expression without reporting its errors: ERROR if it has any."""
        if is_condition(node):
            return Type.BOOL
        before, taken = len(self.symbols.diagnostics), {*self.check.taken}
        rejected, scope = {*self.symbols.rejected}, self.scope
        variables, known = {**scope.variables}, None if scope.known is None else {*scope.known}
        statement, root = scope.statement, scope.root
        scope.statement = scope.root = None  # no call is moved
        kind = self.value(node).type
        scope.statement, scope.root = statement, root
        scope.variables, scope.known = variables, known
        self.check.taken, self.symbols.rejected = taken, rejected
        found = len(self.symbols.diagnostics) > before
        del self.symbols.diagnostics[before:]
        return Type.ERROR if found else kind

    def _result_of(self, node: ast.expr) -> Type:
        """Return the type of an expression or of a function's only result."""
        match node:
            case ast.Call(func=ast.Name(id=name)) if self.symbols.function(name) is not None:
                function = self.symbols.function(name)
                results = () if function is None else function.results
                return results[0] if len(results) == 1 else Type.ERROR
            case ast.Call(func=ast.Attribute(attr="strip" | "lstrip" | "rstrip")) if self.stripped(
                node
            ):
                return Type.STR
            case ast.Call() if self.commands.is_called(node):
                return Type.STR
            case ast.Subscript() if self.is_slice(node):
                return Type.STR
            case ast.BoolOp() if self.environment_choice(node) is not None:
                return Type.STR
            case ast.Call(func=ast.Name(id="len"), args=[text], keywords=[]) if self._result_of(
                text
            ).is_text:
                return Type.INT
        return self._type_of(node)

    def _text_method(self, node: ast.Call, owner: ast.expr, method: str) -> Value:
        left = self.text(owner)
        if left.type is Type.ERROR:
            return REJECTED
        text = self.variable(owner, left) or self.reject(
            "D105", owner, f".{method} needs a variable on its left", self.first(owner, Type.STR)
        )
        if len(node.args) != (2 if method == "replace" else 1) or node.keywords:
            count = "two Strs" if method == "replace" else "one Str"
            help = f"it takes {count}"
            if method == "replace" and len(node.args) == 3:
                help += ", and replaces each occurrence. To replace only the first, use partition"
            return self.reject("D105", node, f"{method} does not take these arguments", help)
        arguments = [self.text(argument) for argument in node.args]
        if method == "replace":
            if isinstance(arguments[0], StrLiteral) and not arguments[0].value:
                self.reject(
                    "D105",
                    node,
                    "replace cannot search for an empty Str",
                    "pass the text to replace",
                )
            return Replace(text, arguments[0], arguments[1])
        return RemoveAffix(text, arguments[0], at_end=method == "removesuffix")

    # --- Commands --------------------------------------------------------------------------------

    def _command(self, name: str) -> CommandLine:
        return CommandLine(StrLiteral(self.symbols.commands[name]), ())

    def _program_found(self, node: ast.Call) -> Value:
        """Analyze program(path), a command that is only known at run time."""
        if len(node.args) != 1 or node.keywords:
            return self.reject(
                "D105", node, "program takes one argument", "pass a Path, as in `program(path)`"
            )
        path = self.value(node.args[0])
        if path.type is Type.ERROR:
            return REJECTED
        if path.type is not Type.PATH:
            help = "make a Path of a Str that has a slash with absolute"
            if isinstance(path, StrLiteral):
                help = "bind the program at the top level"
                if path.value.isidentifier():
                    help = replacements.bound(self.site(), node, path.value)
            return self.reject("D303", node, "in a function, program takes a Path", help)
        return CommandLine(path, ())

    def _command_line(self, node: ast.Subscript) -> Value:
        suggestion = suggestions.of_index(node, self.site())
        if suggestion is not None:
            return self.reject("D102", node, suggestion.message, suggestion.help)
        match node.value:
            case ast.Name(id=name) if self.check.is_unknown(name):
                self.symbols.rejected.add(name)
                is_program = name.islower() and not isinstance(node.slice, ast.Name)
                return self.reject(
                    "D301", node.value, f"{name} is not set",
                    f'bind the program at the top: `{name} = program("{name}")`'
                    if is_program
                    else "assign it a value first. There are no lists or dictionaries",
                )  # fmt: skip
        base = self.value(node.value)
        if base.type is Type.ERROR:
            return REJECTED
        if base.type.is_text:
            help = replacements.of_text_index(self.site(), node)
            return self.reject("D102", node, f"{with_article(base.type)} cannot be indexed", help)
        if base.type is not Type.COMMAND:
            return self.reject(
                "D102", node, f"{with_article(base.type)} cannot be indexed",
                "only texts and commands have brackets",
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
            name = node.value.id
            help = "remove the `*`"
            if name == self.check.scope.arguments:
                help = f"add each with `command = command[argument]`, in `for argument in {name}:`"
            return self.reject("D102", node.value, f"{name} cannot be added with *", help)
        if isinstance(node, ast.Name) and node.id == self.scope.arguments:
            help = f"add each with `command = command[argument]`, in `for argument in {node.id}:`"
            return self.reject("D102", node, f"{node.id} cannot be added as a whole", help)
        value = self.value(node)
        if value.type is Type.BOOL:
            self.reject(
                "D303", node, "a Bool cannot be an argument", "choose the text with if and else"
            )
        return value


def _is_lazy(node: ast.AST) -> bool:
    """Return whether a part of a default must only be evaluated if the default is used."""
    match node:
        case ast.Call(func=function):
            return ast.unparse(function) != "local.env.get"
        case ast.BinOp(op=ast.FloorDiv() | ast.Mod(), right=right):
            return not isinstance(right, ast.Constant)
    return isinstance(node, (ast.IfExp, ast.Slice)) or (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd)
    )


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
