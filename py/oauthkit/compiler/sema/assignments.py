"""Analyze assignments: the names that they bind, and their types."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable

from oauthkit.compiler.bash.names import (
    COUNT_CHARACTERS,
    READ_STDIN,
    SLICE_TEXT,
    STRIP_TEXT,
)
from oauthkit.compiler.constructs import is_condition, is_stdin_read, modifier
from oauthkit.compiler.diagnostics import replacements, suggestions
from oauthkit.compiler.diagnostics.describe import (
    as_fstring,
    describe_results,
    list_types,
    with_article,
)
from oauthkit.compiler.diagnostics.help import code
from oauthkit.compiler.diagnostics.site import VARIABLES
from oauthkit.compiler.ir import (
    Append,
    Assign,
    AssignCondition,
    Bind,
    Call,
    Checked,
    CommandLine,
    Name,
    Partition,
    SetEnvironment,
    Statement,
    StrLiteral,
    Succeeds,
    Value,
)
from oauthkit.compiler.sema.checker import REJECTED
from oauthkit.compiler.sema.conditions import Conditions
from oauthkit.compiler.sema.scope import bound_names
from oauthkit.compiler.types import Signature, Type, read_annotation

# Where each method strips a Str.
_SIDES = {"strip": "both", "lstrip": "start", "rstrip": "end"}


# The column of the statements in a function's body. In an if, for example, it is larger.
BODY_COLUMN = 4


class Assignments:
    """Analyzes the assignments of one function."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.runs = conditions.runs
        self.expressions = conditions.expressions
        self.commands = conditions.commands
        self.check = conditions.check
        self.symbols = conditions.symbols
        self.scope = conditions.check.scope
        self.reject = conditions.reject
        self.check.assign_first = self._assign_first
        self.check.put_first = self._put_first

    def declare(self, node: ast.AST, name: str, kind: Type) -> str | None:
        """Bind `name` to a value of type `kind`, and return it, or None for `_`."""
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            kind = self._annotated(node, node.value, kind)
        if name == "_":
            return None
        if kind is Type.STATUS:
            self.scope.statuses.add(name)
            kind = Type.INT
        place = _target(node, name)
        if name == self.scope.arguments:
            self.reject(
                "D402",
                place,
                f"{name} is already the name of main's arguments",
                "use another name",
            )
        known = self.scope.type_of(name)
        if known is None:
            self.symbols.check_new(place, name, "variable")
            self.scope.variables[name] = kind
        elif not kind.fits(known):
            self.reject(
                "D302", place,
                f"{name} is {with_article(known)} and cannot become {with_article(kind)}",
                self._as_text(node, name, kind) or "use another name for the new value",
            )  # fmt: skip
            self.scope.variables[name] = Type.ERROR  # from here on, either type is possible
        elif kind is Type.ERROR:
            self.scope.variables[name] = kind
        if self.scope.known is not None:
            self.scope.known.add(name)
        self.scope.places.setdefault(name, place)
        return name

    def _as_text(self, node: ast.AST, name: str, kind: Type) -> str:
        """Return the help for assigning a Path to a Str variable, or ""."""
        match node:
            case ast.Assign(targets=[ast.Name()], value=value) if (
                kind is Type.PATH and self.scope.type_of(name) is Type.STR
            ):
                shown = self.symbols.shown(value)
                if any(isinstance(x, ast.Name) and x.id == name for x in ast.walk(value)):
                    other = self.expressions.site().fresh(name)
                    if node.col_offset > BODY_COLUMN:  # the other name might not be set below
                        lines = [f"{other} = {shown}", f'{name} = f"{{{other}}}"']
                        return code(f"{name} stays a Str", lines)
                    return code("use another name, also below", f"{other} = {shown}")
                text = as_fstring(shown)
                return code("use an f-string", text and f"{name} = {text}", "use an f-string")
        return ""

    def _annotated(self, node: ast.AnnAssign, value: ast.expr, kind: Type) -> Type:
        """Return the type in `name: type = value`, for a value of the type `kind`."""
        types = read_annotation(node.annotation)
        if types is None or len(types) != 1:
            self.reject(
                "D306", node.annotation,
                f"{self.symbols.shown(node.annotation)} is not a type of the dialect",
                "use str, int, bool, LocalPath, BaseCommand or Status, or remove the annotation",
            )  # fmt: skip
            return kind
        wanted = Type.INT if types[0] is Type.STATUS else types[0]
        self.check.need_type(value, kind, wanted)
        return wanted

    def assign(self, node: ast.stmt, name: str, value: ast.expr) -> Statement | None:
        """Analyze `name = value`."""
        if self.commands.is_redirected(value):
            self.commands.unrun(value, f"{name} = ", "RETCODE")
            self.declare(node, name, Type.ERROR)
            return None
        how = modifier(value)
        match value:
            case ast.BinOp(left=command) if how.startswith("RETCODE"):
                run = self.runs.run(command, how)
                target = self.declare(node, name, Type.STATUS)
                return None if run is None else Bind(run, target, ())
            case ast.BinOp(left=command) if name == "_" and how.startswith("TF"):
                run = self.runs.run(command, how)
                return None if run is None else Bind(run, None, ())
            case ast.BinOp(left=command) if how == "FG":
                shown = self.commands.command_text(command)
                self.reject(
                    "D303", node, "FG does not return a value",
                    f"return its status: `{name} = {shown} & RETCODE(FG=True)`",
                )  # fmt: skip
                self.declare(node, name, Type.STATUS)
                return None
            case ast.IfExp() if name != "_":
                return self._choose(node, name, value)
            case ast.BoolOp() if (
                name != "_" and (choice := self.expressions.environment_choice(value)) is not None
            ):
                return self._choose(node, name, choice)
            case ast.Call() if self.commands.is_called(value):
                return self._call_command(node, name, value)
            case ast.BinOp() if how == "CAPTURE":
                results = (Type.STATUS, Type.STR)
                self.reject(
                    "D201", node,
                    f"CAPTURE returns {list_types(results)}, but one name is assigned",
                    self._unpacked(name, value, results),
                )  # fmt: skip
                self.declare(node, name, Type.STR)
                return None
            case ast.Call(func=ast.Name(id=function)) if (
                self.symbols.function(function) is not None
            ):
                return self._take_one(node, name, value)
            case ast.Call(func=ast.Name(id="len"), args=[text]) if not (
                value.keywords or self.expressions.counts_arguments(value)
            ):
                return self._count_characters(node, name, text)
            case ast.Call() if is_stdin_read(value):
                return self._read_stdin(node, name, value)
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if (
                method in _SIDES and self.expressions.stripped(value)
            ):
                return self._strip(node, name, owner, value)
            case ast.Subscript(slice=ast.Slice() as place) if self.expressions.is_slice(value):
                return self._slice(node, name, value.value, place)
            case ast.BoolOp(op=operator, values=values) if self._is_choice(operator, values):
                word = "or" if isinstance(operator, ast.Or) else "and"
                self.reject(
                    "D102", value, f"`{word}` between values is outside the dialect",
                    replacements.of_or_and(self.expressions.site(), value),
                )  # fmt: skip
                self.declare(node, name, Type.ERROR)
                return None
        if help := replacements.of_and_or(self.expressions.site(), value):
            self.reject("D102", value, "`or` between values is outside the dialect", help)
            self.declare(node, name, Type.ERROR)
            return None
        if is_condition(value):
            condition = self.conditions.condition(value)
            target = self.declare(node, name, Type.BOOL)
            if target is None:
                self.reject(
                    "D201",
                    node,
                    "the result of this condition is ignored",
                    "test it with if, or delete it",
                )
                return None
            return AssignCondition(target, condition)
        if name == "_":
            self.declare(node, name, self._ignored(self.expressions.whole_value, value).type)
            return None
        was_used = name in self.scope.used
        result = self.expressions.whole_value(value)
        target = self.declare(node, name, result.type)
        assert target is not None
        if (
            isinstance(result, CommandLine)
            and isinstance(result.program, Name)
            and result.program.name == name
        ):
            if not was_used:
                self.scope.used.discard(name)  # as in name += value
            return Append(name, result)
        return Assign(target, result)

    def _choose(self, node: ast.stmt, name: str, value: ast.IfExp) -> Statement | None:
        """Analyze `name = first if test else second`."""

        def assign(chosen: ast.expr) -> Statement | None:
            single = copy.copy(node)
            single.value = chosen  # type: ignore[attr-defined]
            return self.assign(single, name, chosen)

        first, second = self.check.result_of(value.body), self.check.result_of(value.orelse)
        if Type.ERROR not in (first, second) and not second.fits(first):
            place: ast.expr = value
            help = "use two values of one type"
            if {first, second} == {Type.STR, Type.PATH}:
                place = value.body if first is Type.PATH else value.orelse
                help = replacements.conversion(self.check.site(), place, Type.PATH, Type.STR)
            self.reject(
                "D302", place,
                f"one value is {with_article(first)}, the other is {with_article(second)}",
                help,
            )  # fmt: skip
            self.declare(node, name, Type.ERROR)
            return None
        return self.conditions.choice(value, assign)

    def _ignored(self, read: Callable[[ast.expr], Value], node: ast.expr) -> Value:
        """Analyze an ignored value, which does not count as a use of the names in it."""
        names, constants = {*self.scope.used}, {*self.symbols.used}
        declared = {*self.scope.places}
        value = read(node)
        self.scope.used &= names
        if added := self.scope.places.keys() - declared:  # for its parts
            self.scope.used |= added
            self.reject("D308", node, "this value is never used", "delete it")
        self.symbols.used &= constants
        return value

    def _call_command(self, node: ast.stmt, name: str, value: ast.Call) -> Statement | None:
        """Analyze `name = command(…)`."""
        run = self.runs.called(value, is_used=name != "_")
        target = self.declare(node, name, Type.STR)
        return None if run is None else Checked(run, target)

    def _take_one(self, node: ast.stmt, name: str, value: ast.Call) -> Statement | None:
        call = self.runs.call(value)
        if call is None:
            self.declare(node, name, Type.ERROR)
            return None
        results = call.function.results
        if len(results) != 1:
            self.reject(
                "D303", node,
                f"{describe_results(call.function)}, but one name is assigned" if results
                else f"{call.function.name} does not return a value",
                self._unpacked(name, value, results) if results
                else code("call it on a line of its own", self.symbols.shown(value)),
            )  # fmt: skip
            self.declare(node, name, Type.ERROR)
            return None
        target = self.declare(node, name, results[0])
        if results == (Type.BOOL,):
            if target is None:
                return Bind(call, None, ())  # it runs nevertheless
            return AssignCondition(target, Succeeds(call))
        if results == (Type.STATUS,):
            return Bind(call, target, ())
        return Bind(call, None, (target,))

    def _count_characters(self, node: ast.stmt, name: str, text: ast.expr) -> Statement:
        """Analyze `name = len(text)`."""
        self.symbols.builtins_used.add(COUNT_CHARACTERS)
        counted = self.expressions.counted(text)
        signature = Signature(COUNT_CHARACTERS, (("text", Type.STR),), (Type.INT,))
        target = self.declare(node, name, Type.INT)
        return Bind(Call(signature, (counted,)), None, (target,))

    def _is_choice(self, operator: ast.boolop, values: list[ast.expr]) -> bool:
        """Return whether `and` or `or` chooses one of several texts or numbers."""
        kinds = [self.check.result_of(value) for value in values]
        if isinstance(operator, ast.Or) and (
            kinds[0] in (Type.STR, Type.PATH) or self.expressions.site().is_text(values[0])
        ):
            return True
        match values[0]:
            case ast.Call(func=ast.Attribute(attr="get" | "getenv")):
                is_unknown = False
            case ast.Attribute() | ast.Subscript() | ast.Call():
                is_unknown = kinds[0] is Type.ERROR
            case _:
                is_unknown = False
        if isinstance(operator, ast.Or) and is_unknown:
            return True  # it would become a Bool, and be reported again at each use
        return len({*kinds}) == 1 and kinds[0] in (Type.STR, Type.INT, Type.STATUS)

    def _read_stdin(self, node: ast.stmt, name: str, value: ast.Call) -> Statement:
        """Analyze `name = sys.stdin.read()`."""
        self.symbols.builtins_used.add(READ_STDIN)
        if value.args or value.keywords:
            self.reject(
                "D105", value, "sys.stdin.read takes no arguments",
                "remove them. It reads the whole input",
            )  # fmt: skip
        target = self.declare(node, name, Type.STR)
        return Bind(Call(Signature(READ_STDIN, (), (Type.STR,)), ()), None, (target,))

    def _strip(self, node: ast.stmt, name: str, owner: ast.expr, value: ast.Call) -> Statement:
        """Analyze `name = text.strip()`, and lstrip and rstrip, with characters or without."""
        assert isinstance(value.func, ast.Attribute)
        self.symbols.builtins_used.add(STRIP_TEXT)
        given = [self.expressions.text(owner), StrLiteral(_SIDES[value.func.attr])]
        given += [self.expressions.text(argument) for argument in value.args]
        target = self.declare(node, name, Type.STR)
        return Bind(Call(Signature(STRIP_TEXT, (), (Type.STR,)), tuple(given)), None, (target,))

    def _slice(self, node: ast.stmt, name: str, owner: ast.expr, place: ast.Slice) -> Statement:
        """Analyze `name = text[start:end]`."""
        self.symbols.builtins_used.add(SLICE_TEXT)
        given = [self.expressions.text(owner)]
        for bound in (place.lower or ast.Constant(0), *([place.upper] if place.upper else [])):
            given.append(number := self.expressions.value(bound))
            self.check.need(bound, number, Type.INT)
        is_text = given[0].type is not Type.ERROR
        target = self.declare(node, name, Type.STR if is_text else Type.ERROR)
        return Bind(Call(Signature(SLICE_TEXT, (), (Type.STR,)), tuple(given)), None, (target,))

    def _put_first(self, value: Value | Call, name: str) -> Name:
        """Assign a part of an expression to a new name, before the statement."""
        name = self.expressions.site().fresh(name)
        first: Statement
        if isinstance(value, Call):
            first, kind = Bind(value, None, (name,)), value.function.results[0]
        else:
            first, kind = Assign(name, value), value.type
        self.scope.variables[name] = kind
        self.scope.before.append(first)
        return Name(name, kind)

    def _assign_first(self, node: ast.expr, name: str) -> Value:
        """Assign a call inside an expression to a new name, before the statement."""
        name = self.expressions.site().fresh(name)
        self.check.taken.add(name)
        target = ast.copy_location(ast.Name(name, ast.Store()), node)
        single = ast.copy_location(ast.Assign([target], node), node)
        statement = self.assign(single, name, node)
        if statement is None:
            return REJECTED
        self.scope.before.append(statement)
        return self.expressions.value(ast.copy_location(ast.Name(name, ast.Load()), node))

    def _unpacked(self, name: str, value: ast.expr, results: tuple[Type, ...]) -> str:
        """Suggest how to unpack several results if only `name` is assigned.

        The name is the only result besides a Status, which is checked.
        """
        site = self.expressions.site()
        others = [kind for kind in results if kind is not Type.STATUS]
        if len(others) != 1 or len(results) != 2 or not site.can_fail or name == "_":
            return "unpack them: write one name, or _, for each result"
        is_status = name == "status" and self.scope.type_of(name) in (None, Type.INT)
        status = name if is_status else site.fresh("status")
        other = site.fresh(VARIABLES[others[0]]) if is_status else name
        names = ", ".join(status if kind is Type.STATUS else other for kind in results)
        lines = [f"{names} = {self.symbols.shown(value)}", f"if {status} != 0:", "    return 1"]
        return code("unpack both, and check the status", lines)

    def unpack(
        self, node: ast.Assign, targets: list[ast.expr], value: ast.expr
    ) -> Statement | None:
        """Analyze `a, b = value`."""
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if len(names) != len(targets):
            help = "unpack into names"
            if any(isinstance(target, ast.Starred) for target in targets):
                help = 'take one part, as in `first, _, rest = text.partition(" ")`'
                name, count = ast.unparse(value), len(targets) - 1
                if name == self.scope.arguments and isinstance(targets[-1], ast.Starred):
                    help = f"use `{name}[{count - 1}]`, and iterate over the remaining arguments,"
                    help += f" `{name}[{count}:]`"
            self.reject("D101", node, "only names can be assigned to", help)
            self._assume_bound(node)
            return None
        if len({*names} - {"_"}) != len([name for name in names if name != "_"]):
            self.reject(
                "D105",
                node,
                "one name is assigned two values",
                "write _ for a value that is not needed",
            )
            self._assume_bound(node)
            return None
        if self.commands.is_redirected(value):
            self.commands.unrun(value, f"{', '.join(names)} = ", "CAPTURE")
            self._assume_bound(node)
            return None
        match value:
            case ast.BinOp(left=command) if modifier(value) == "CAPTURE":
                if len(names) != 2:
                    self.reject(
                        "D303",
                        node,
                        f"CAPTURE returns a Status and a Str, not {len(names)} values",
                        "unpack it into two names",
                    )
                    self._assume_bound(node)
                    return None
                run = self.runs.run(command, "CAPTURE")
                status = self.declare(node, names[0], Type.STATUS)
                text = self.declare(node, names[1], Type.STR)
                return None if run is None else Bind(run, status, (text,))
            case ast.Call(
                func=ast.Attribute(value=owner, attr=("partition" | "rpartition") as method)
            ):
                return self._partition(node, names, owner, value, method == "rpartition")
            case ast.Call(func=ast.Name(id=function)) if (
                self.symbols.function(function) is not None
            ):
                return self._take_many(node, names, value)
            case ast.Call() if self.commands.is_called(value):
                self.commands.called_command(value, f"{', '.join(names)} = ")
                self._assume_bound(node)
                return None
            case ast.Tuple(elts=elements) if len(elements) == len(names):
                lines = self._one_by_one(names, elements)
                if len(lines) == len(names):
                    for target, element in zip(targets[:-1], elements[:-1], strict=True):
                        first = self._one(node, target, element)
                        self.scope.before += [] if first is None else [first]
                    return self._one(node, targets[-1], elements[-1])
                self.reject(
                    "D101", node, "a name is assigned before another value uses it",
                    code("use one line for each", lines),
                )  # fmt: skip
                for target, element in zip(targets, elements, strict=True):
                    self._one(node, target, element)
                return None
        before = len(self.symbols.diagnostics)
        if isinstance(value, (ast.Call, ast.BinOp, ast.Name)):
            result = self.expressions.value(value)
            if result.type is Type.ERROR or len(self.symbols.diagnostics) > before:
                self._assume_bound(node)
                return None
        self.reject(
            "D101", value, f"{self.symbols.shown(value)} cannot be unpacked",
            "only the results of functions, of `& CAPTURE` and of partition can be unpacked",
        )  # fmt: skip
        self._assume_bound(node)
        return None

    def several(self, node: ast.Assign) -> None:
        """Report `a = b = value`."""
        *others, last = [self.symbols.shown(target) for target in node.targets]
        ways = [
            f"{last} = {self.symbols.shown(node.value)}",
            *(f"{name} = {last}" for name in others),
        ]
        is_plain = all(isinstance(target, ast.Name) for target in node.targets)
        self.reject(
            "D101", node, f"one value is assigned to {' and '.join([*others, last])}",
            code("use one line for each", ways if is_plain else [], "use one line for each"),
        )  # fmt: skip
        for target in node.targets[:1]:
            self._one(node, target, node.value)
        for target in node.targets[1:]:
            if isinstance(target, ast.Name) and isinstance(node.targets[0], ast.Name):
                kind = self.scope.type_of(node.targets[0].id) or Type.ERROR
                self.declare(target, target.id, kind)
        self._assume_bound(node)

    def _one_by_one(self, names: list[str], elements: list[ast.expr]) -> list[str]:
        """Return assignments equivalent to `names = elements`, which reads all values first."""
        before, after = [], []
        for index, (name, element) in enumerate(zip(names, elements, strict=True)):
            shown = self.symbols.shown(element)
            used = {inner.id for inner in ast.walk(element) if isinstance(inner, ast.Name)}
            if not used.isdisjoint(names[:index]):
                old = self.expressions.site().fresh(f"new_{name}")
                before.append(f"{old} = {shown}")
                shown = old
            after.append(f"{name} = {shown}")
        return before + after

    def _one(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> Statement | None:
        """Analyze one of the assignments in a statement."""
        if not isinstance(target, ast.Name):
            return None
        single = ast.copy_location(ast.Assign([target], value), node)
        return self.assign(single, target.id, value)

    def _assume_bound(self, node: ast.AST) -> None:
        """Treat all names that a rejected statement binds as set."""
        for name in bound_names(node):
            self.scope.assume_bound(name)

    def _take_many(self, node: ast.Assign, names: list[str], value: ast.Call) -> Statement | None:
        call = self.runs.call(value)
        results = call.function.results if call is not None else (Type.ERROR,) * len(names)
        if len(results) != len(names):
            self.reject(
                "D303", node,
                f"{self.symbols.shown(value.func)} returns {list_types(results)}, but {len(names)}"
                " names are assigned",
                "write one name, or _, for each result",
            )  # fmt: skip
            results = (Type.ERROR,) * len(names)
            call = None
        targets = [
            self.declare(node, name, kind) for name, kind in zip(names, results, strict=True)
        ]
        if call is None:
            return None
        status = next(
            (t for t, kind in zip(targets, results, strict=True) if kind is Type.STATUS), None
        )
        replies = [t for t, kind in zip(targets, results, strict=True) if kind is not Type.STATUS]
        return Bind(call, status, tuple(replies))

    def _partition(
        self, node: ast.Assign, names: list[str], owner: ast.expr, value: ast.Call, last: bool
    ) -> Statement | None:
        is_used = {*names} != {"_"}
        read = self.expressions.text
        text = read(owner) if is_used else self._ignored(read, owner)
        targets = [self.declare(node, name, Type.STR) for name in names]
        text = self.expressions.variable(owner, text) or self.reject(
            "D105", owner, f".{'r' * last}partition needs a variable on its left",
            self.expressions.first(owner, Type.STR),
        )  # fmt: skip
        separator = self.expressions.text(value.args[0]) if len(value.args) == 1 else None
        if separator is not None and separator.type is Type.ERROR:
            return None
        literal = separator if isinstance(separator, StrLiteral) and separator.value else None
        if literal is None or len(targets) != 3:
            known = None if separator is None else self.expressions.known_text(separator)
            is_text = separator is not None and separator.type is Type.STR
            method = "rpartition" if last else "partition"
            line = f"{', '.join(names)} = {text.name}.{method}({known!r})"
            is_complete = bool(known) and is_text and len(names) == 3
            self.reject(
                "D105", node, f"{method} needs a literal separator and three names",
                code("write the separator here", line if is_complete else "",
                    "write the separator here, and _ for a part that is not needed. First replace a"
                    ' separator that is a value, as in `text = text.replace(mark, "\\t")`'),
            )  # fmt: skip
            return None
        if text.type is Type.PATH and literal.value != "/":  # every Path has a /
            self.reject(
                "D303", owner,
                f"in Python, {'r' * last}partition of a Path can return the Path itself",
                replacements.path_text(self.check.site(), owner),
            )  # fmt: skip
            return None
        if not is_used:
            return None  # as with _ = text: its comments move to the next statement
        return Partition(text, literal, last, targets[0], targets[1], targets[2])

    def augmented(
        self, node: ast.AugAssign, name: str, operator: ast.operator, value: ast.expr
    ) -> Statement | None:
        """Analyze `name += value` and the like, which do not count as a use of the name."""
        was_used = name in self.scope.used
        statement = self._augmented(node, name, operator, value)
        if not was_used:
            self.scope.used.discard(name)
        return statement

    def _augmented(
        self, node: ast.AugAssign, name: str, operator: ast.operator, value: ast.expr
    ) -> Statement | None:
        current = self.expressions.value(
            ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
        )
        operands = value.values if isinstance(value, ast.BoolOp) else [value]
        is_sum = isinstance(operator, (ast.Add, ast.Sub))
        may_be_number = current.type is Type.INT or (current.type is Type.ERROR and is_sum)
        if all(map(is_condition, operands)) and may_be_number:
            sign = ast.unparse(node).removeprefix(f"{name} ").partition(" ")[0]
            self.reject(
                "D102", value, "a condition cannot be used as a number",
                code("choose the number", f"{name} {sign} 1 if {self.symbols.shown(value)} else 0"),
            )  # fmt: skip
            return None
        if current.type is Type.ERROR:
            self.expressions.value(value)
            return None
        if isinstance(operator, ast.Add) and current.type is Type.STR:
            added: Value = self.expressions.text(value)
            self.declare(node, name, Type.STR)
            return Append(name, added)
        whole = ast.copy_location(ast.BinOp(node.target, operator, value), node)
        whole.left = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
        if isinstance(operator, (ast.FloorDiv, ast.Mod)):  # a division may run first
            self.scope.statement = ast.copy_location(ast.Assign([node.target], whole), node)
            self.scope.root = self.scope.statement
        result = self.expressions.value(whole)
        target = self.declare(node, name, result.type)
        return None if target is None else Assign(target, result)

    def environment_name(self, key: ast.expr, value: ast.expr | None) -> str | None:
        """Return the name in local.env[name] = value, or None if it is rejected."""
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            way = suggestions.of_environment(key.value, value)
            return key.value if self.symbols.check_environment(key, key.value, way) else None
        self.reject(
            "D105",
            key,
            "the name of an environment variable must be a literal",
            'write it here, as in `local.env["COLOR"]`',
        )
        return None

    def set_environment(self, key: ast.expr, value: ast.expr) -> Statement | None:
        """Analyze `local.env[key] = value`."""
        name = self.environment_name(key, value)
        text = self.expressions.stored_text(value)
        return None if name is None else SetEnvironment(name, text)


def _target(node: ast.AST, name: str) -> ast.AST:
    """Return the node in a statement that binds `name`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Store):
            return inner
    return node
