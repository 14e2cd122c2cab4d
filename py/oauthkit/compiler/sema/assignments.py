"""Analyze assignments: the names that they bind, and their types."""

from __future__ import annotations

import ast
from collections.abc import Callable

from oauthkit.compiler.diagnostics import suggestions
from oauthkit.compiler.diagnostics.describe import is_condition, listed, with_article
from oauthkit.compiler.ir import (
    Append,
    Assign,
    AssignCondition,
    Bind,
    CommandLine,
    Name,
    Partition,
    SetEnvironment,
    Statement,
    StrLiteral,
    Succeeds,
    Value,
)
from oauthkit.compiler.sema.conditions import Conditions
from oauthkit.compiler.sema.scope import bound_names
from oauthkit.compiler.types import Type, read_annotation


class Assignments:
    """Analyzes the assignments of one function."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.expressions = conditions.expressions
        self.commands = conditions.commands
        self.check = conditions.check
        self.symbols = conditions.symbols
        self.scope = conditions.check.scope
        self.reject = conditions.reject

    def declare(self, node: ast.AST, name: str, kind: Type) -> str | None:
        """Bind `name` to a value of type `kind`, and return it, or None for `_`."""
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            kind = self._annotated(node, node.value, kind)
        if name == "_":
            return None
        kind = Type.INT if kind is Type.STATUS else kind
        place = _target(node, name)
        if name == self.scope.arguments:
            self.reject(
                "D402",
                place,
                f"{name} is already the name of main's arguments",
                "choose another name",
            )
        known = self.scope.type_of(name)
        if known is None:
            self.symbols.check_new(place, name, "variable")
            self.scope.variables[name] = kind
        elif not kind.fits(known):
            self.reject(
                "D302", place,
                f"{name} is {with_article(known)} and cannot become {with_article(kind)}",
                "use another name for the new value",
            )  # fmt: skip
            self.scope.variables[name] = Type.ERROR  # from here on, either type is possible
        if self.scope.known is not None:
            self.scope.known.add(name)
        self.scope.places.setdefault(name, place)
        return name

    def _annotated(self, node: ast.AnnAssign, value: ast.expr, kind: Type) -> Type:
        """Return the type in `name: type = value`, for a value of the type `kind`."""
        types = read_annotation(node.annotation)
        if types is None or len(types) != 1:
            self.reject(
                "D306", node.annotation,
                f"{self.symbols.shown(node.annotation)} is not a type of the dialect",
                "write str, int, bool, LocalPath, BaseCommand or Status, or no annotation",
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
        match value:
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="RETCODE")):
                run = self.conditions.run(command, capture=False)
                target = self.declare(node, name, Type.STATUS)
                return None if run is None else Bind(run, target, ())
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="TF")) if name == "_":
                run = self.conditions.run(command, capture=False)
                return None if run is None else Bind(run, None, ())
            case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id="CAPTURE")):
                shown = self.symbols.shown(value)
                self.reject(
                    "D201", node, "CAPTURE returns a Status and a Str",
                    f"unpack both: status, {'text' if name == '_' else name} = {shown}",
                )  # fmt: skip
                self.declare(node, name, Type.STR)
                return None
            case ast.Call(func=ast.Name(id=called)) if self.symbols.function(called) is not None:
                return self._take_one(node, name, value)
            case ast.BoolOp(op=ast.Or(), values=[ast.Name(id=first), second]) if self.scope.type_of(
                first
            ) in (Type.STR, Type.PATH):
                self.reject(
                    "D102", value, "`or` between values is outside the dialect",
                    f'use if: {name} = {first}, and if {name} == "":'
                    f" {name} = {self.symbols.shown(second)}",
                )  # fmt: skip
                self.declare(node, name, Type.STR)
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

    def _ignored(self, read: Callable[[ast.expr], Value], node: ast.expr) -> Value:
        """Analyze an ignored value, which does not count as a use of the names in it."""
        names, constants = {*self.scope.used}, {*self.symbols.used}
        value = read(node)
        self.scope.used &= names
        self.symbols.used &= constants
        return value

    def _take_one(self, node: ast.stmt, name: str, value: ast.Call) -> Statement | None:
        call = self.conditions.call(value)
        if call is None:
            self.declare(node, name, Type.ERROR)
            return None
        results = call.function.results
        if len(results) != 1:
            self.reject(
                "D303", node, f"{call.function.name} returns {listed(results)}, but one name is"
                " assigned",
                f"unpack all: {', '.join([name, *'_' * (len(results) - 1)])} ="
                f" {self.symbols.shown(value)}"
                if results
                else f"call it on a line of its own: {self.symbols.shown(value)}",
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

    def unpack(
        self, node: ast.Assign, targets: list[ast.expr], value: ast.expr
    ) -> Statement | None:
        """Analyze `a, b = value`."""
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if len(names) != len(targets):
            self.reject("D101", node, "only names can be assigned to", "unpack into names first")
            self._assume_bound(node)
            return None
        if len({*names} - {"_"}) != len([name for name in names if name != "_"]):
            self.reject(
                "D105",
                node,
                "one name is assigned two values",
                "write _ for values that are not needed",
            )
            self._assume_bound(node)
            return None
        if self.commands.is_redirected(value):
            self.commands.unrun(value, f"{', '.join(names)} = ", "CAPTURE")
            self._assume_bound(node)
            return None
        match value:
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="CAPTURE")):
                if len(names) != 2:
                    self.reject(
                        "D303",
                        node,
                        "CAPTURE returns a Status and a Str",
                        "unpack it into two names",
                    )
                    self._assume_bound(node)
                    return None
                run = self.conditions.run(command, capture=True)
                status = self.declare(node, names[0], Type.STATUS)
                text = self.declare(node, names[1], Type.STR)
                return None if run is None else Bind(run, status, (text,))
            case ast.Call(
                func=ast.Attribute(value=owner, attr=("partition" | "rpartition") as method)
            ):
                return self._partition(node, names, owner, value, method == "rpartition")
            case ast.Call(func=ast.Name(id=called)) if self.symbols.function(called) is not None:
                return self._take_many(node, names, value)
            case ast.Call(func=function) if self.commands.is_command(function):
                self.commands.called_command(value, f"{', '.join(names)} = ")
                self._assume_bound(node)
                return None
            case ast.Tuple(elts=elements) if len(elements) == len(names):
                pairs = list(zip(names, elements, strict=True))
                way = ", then ".join(f"{n} = {self.symbols.shown(e)}" for n, e in pairs)
                self.reject(
                    "D101", node, "several values are assigned in one statement",
                    f"use one line for each: {way}",
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
            "the dialect unpacks results of functions, command & CAPTURE, and text.partition(…)",
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
        self.reject(
            "D101", node, f"{', '.join([*others, last])} are assigned one value",
            f"use one line for each: {', then '.join(ways)}",
        )  # fmt: skip
        for target in node.targets[:1]:
            self._one(node, target, node.value)
        for target in node.targets[1:]:
            if isinstance(target, ast.Name) and isinstance(node.targets[0], ast.Name):
                kind = self.scope.type_of(node.targets[0].id) or Type.ERROR
                self.declare(target, target.id, kind)
        self._assume_bound(node)

    def _one(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        """Analyze one of the assignments in a statement."""
        if isinstance(target, ast.Name):
            single = ast.copy_location(ast.Assign([target], value), node)
            self.assign(single, target.id, value)

    def _assume_bound(self, node: ast.AST) -> None:
        """Treat all names that a rejected statement binds as set."""
        for name in bound_names(node):
            self.scope.assume_bound(name)

    def _take_many(self, node: ast.Assign, names: list[str], value: ast.Call) -> Statement | None:
        call = self.conditions.call(value)
        results = call.function.results if call is not None else (Type.ERROR,) * len(names)
        if len(results) != len(names):
            self.reject(
                "D303", node,
                f"{self.symbols.shown(value.func)} returns {listed(results)}, not"
                f" {len(names)} values",
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
        if not isinstance(text, Name):
            self.reject("D105", owner, ".partition needs a variable before it",
                f"assign it first: text = {self.symbols.shown(owner)}",
            )  # fmt: skip
            return None
        separator = self.expressions.text(value.args[0]) if len(value.args) == 1 else None
        if separator is not None and separator.type is Type.ERROR:
            return None
        literal = separator if isinstance(separator, StrLiteral) and separator.value else None
        if literal is None or len(targets) != 3:
            left = ", ".join(names) if len(names) == 3 else "head, _, tail"
            known = None if separator is None else self.expressions.known_text(separator)
            method = "rpartition" if last else "partition"
            self.reject(
                "D105", node, f"{method} needs a literal separator and three names",
                f"write {left} = {text.name}.{method}({known or ':'!r})",
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
        if current.type is Type.ERROR:
            self.expressions.value(value)
            return None
        if isinstance(operator, ast.Add) and current.type is Type.STR:
            added: Value = self.expressions.text(value)
            self.declare(node, name, Type.STR)
            return Append(name, added)
        whole = ast.copy_location(ast.BinOp(node.target, operator, value), node)
        whole.left = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
        result = self.expressions.value(whole)
        target = self.declare(node, name, result.type)
        return None if target is None else Assign(target, result)

    def environment_name(self, key: ast.expr, value: ast.expr | None) -> str | None:
        """Return the name in local.env[name] = value, or None if it is rejected."""
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            way = suggestions.of_environment(key.value, value)
            return key.value if self.symbols.check_environment(key, key.value, way) else None
        self.reject(
            "D105", key, "the name of a variable must be a literal", 'write local.env["NAME"]'
        )
        return None

    def set_environment(self, key: ast.expr, value: ast.expr) -> Statement | None:
        """Analyze `local.env[key] = value`."""
        name = self.environment_name(key, value)
        text = self.expressions.text(value)
        return None if name is None else SetEnvironment(name, text)


def _target(node: ast.AST, name: str) -> ast.AST:
    """Return the node in a statement that binds `name`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Store):
            return inner
    return node
