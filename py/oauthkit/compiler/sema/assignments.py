"""From Python assignments to typed ones: which names there are, and what they hold."""

from __future__ import annotations

import ast
from collections.abc import Callable

from oauthkit.compiler.diagnostics import suggestions as ways_out
from oauthkit.compiler.diagnostics.describe import is_condition, listed, with_article
from oauthkit.compiler.ir import (
    Append,
    Assign,
    CommandLine,
    Decide,
    Name,
    Partition,
    SetEnvironment,
    Statement,
    Succeeds,
    Take,
    Text,
    Value,
)
from oauthkit.compiler.sema.conditions import Expressions
from oauthkit.compiler.sema.symbols import Names, Scope, bound_names
from oauthkit.compiler.source import Comments
from oauthkit.compiler.types import Signature, Type, read_annotation


class Assignments:
    """Reads the assignments in one function."""

    def __init__(
        self, names: Names, scope: Scope, signature: Signature, comments: Comments
    ) -> None:
        self.names = names
        self.comments = comments
        self.scope = scope
        self.signature = signature
        self.expressions = Expressions(names, scope)
        self.breaks: list[set[str] | None] = []
        self.continues: list[set[str] | None] = []

    def refuse(self, code: str, node: ast.AST, message: str, help: str) -> None:
        """Notes one refusal; reading goes on."""
        self.names.report(code, node, message, help)

    def declare(self, node: ast.AST, name: str, kind: Type) -> str | None:
        """Notes that `name` is set to a value of type `kind` here; None for `_`."""
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            kind = self._annotated(node, node.value, kind)
        if name == "_":
            return None
        kind = Type.INT if kind is Type.STATUS else kind
        place = _target(node, name)
        if name == self.scope.arguments:
            self.refuse("D402", place, f"{name} are the arguments", "choose another name")
        known = self.scope.type_of(name)
        if known is None:
            self.names.check_new(place, name, "variable")
            self.scope.variables[name] = kind
        elif not kind.fits(known):
            self.refuse(
                "D302", place,
                f"{name} was {with_article(known)} and becomes {with_article(kind)}",
                "give the new value a name of its own",
            )  # fmt: skip
            self.scope.variables[name] = Type.ERROR  # it may have either type from here on
        if self.scope.known is not None:
            self.scope.known.add(name)
        self.scope.places.setdefault(name, place)
        return name

    def _annotated(self, node: ast.AnnAssign, value: ast.expr, kind: Type) -> Type:
        """The type that `name: type = value` says, for a value of the type `kind`."""
        types = read_annotation(node.annotation)
        if types is None or len(types) != 1:
            self.refuse(
                "D306", node.annotation,
                f"{self.names.shown(node.annotation)} is no type of the dialect",
                "write str, int, bool, LocalPath, BaseCommand or Status, or no annotation",
            )  # fmt: skip
            return kind
        wanted = Type.INT if types[0] is Type.STATUS else types[0]
        self.expressions.need_type(value, kind, wanted)
        return wanted

    def assign(self, node: ast.stmt, name: str, value: ast.expr) -> Statement | None:
        """Reads `name = value`, whatever the value comes from."""
        if self.expressions.is_redirected(value):
            self.expressions.unrun(value, f"{name} = ", "RETCODE")
            self.declare(node, name, Type.ERROR)
            return None
        match value:
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="RETCODE")):
                run = self.expressions.run(command, capture=False)
                target = self.declare(node, name, Type.STATUS)
                return None if run is None else Take(run, target, ())
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="TF")) if name == "_":
                run = self.expressions.run(command, capture=False)
                return None if run is None else Take(run, None, ())
            case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id="CAPTURE")):
                shown = self.names.shown(value)
                self.refuse(
                    "D201", node, "CAPTURE gives a status and a text",
                    f"take both: status, {'text' if name == '_' else name} = {shown}",
                )  # fmt: skip
                self.declare(node, name, Type.STR)
                return None
            case ast.Call(func=ast.Name(id=called)) if self.names.function(called) is not None:
                return self._take_one(node, name, value)
            case ast.BoolOp(op=ast.Or(), values=[ast.Name(id=first), second]) if self.scope.type_of(
                first
            ) in (Type.STR, Type.PATH):
                self.refuse(
                    "D102", value, "`or` between values is outside the dialect",
                    f'use if: {name} = {first}, and if {name} == "":'
                    f" {name} = {self.names.shown(second)}",
                )  # fmt: skip
                self.declare(node, name, Type.STR)
                return None
        if is_condition(value):
            condition = self.expressions.condition(value)
            target = self.declare(node, name, Type.BOOL)
            if target is None:
                self.refuse(
                    "D201", node, "nobody takes this condition", "ask for it with if, or delete it"
                )
                return None
            return Decide(target, condition)
        if name == "_":
            self.declare(node, name, self._idle(self.expressions.whole_value, value).type)
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

    def _idle(self, read: Callable[[ast.expr], Value], node: ast.expr) -> Value:
        """Reads a value that nobody takes, which is no use of the names in it."""
        names, constants = {*self.scope.used}, {*self.names.used}
        value = read(node)
        self.scope.used &= names
        self.names.used &= constants
        return value

    def _take_one(self, node: ast.stmt, name: str, value: ast.Call) -> Statement | None:
        call = self.expressions.call(value)
        if call is None:
            self.declare(node, name, Type.ERROR)
            return None
        results = call.function.results
        if len(results) != 1:
            gives = listed(results)
            self.refuse(
                "D303", node, f"{call.function.name} gives {gives}, one name takes one value",
                f"take each: {', '.join([name, *'_' * (len(results) - 1)])} ="
                f" {self.names.shown(value)}"
                if results
                else f"call it on a line of its own: {self.names.shown(value)}",
            )  # fmt: skip
            self.declare(node, name, Type.ERROR)
            return None
        target = self.declare(node, name, results[0])
        if results == (Type.BOOL,):
            if target is None:
                return Take(call, None, ())  # it is run all the same
            return Decide(target, Succeeds(call))
        if results == (Type.STATUS,):
            return Take(call, target, ())
        return Take(call, None, (target,))

    def unpack(
        self, node: ast.Assign, targets: list[ast.expr], value: ast.expr
    ) -> Statement | None:
        """Reads `a, b = value`."""
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if len(names) != len(targets):
            self.refuse(
                "D101", node, "only names can stand left of =", "take the values with names first"
            )
            self._forgive(node)
            return None
        if len({*names} - {"_"}) != len([name for name in names if name != "_"]):
            self.refuse("D105", node, "one name takes two values", "write _ for what is not needed")
            self._forgive(node)
            return None
        if self.expressions.is_redirected(value):
            self.expressions.unrun(value, f"{', '.join(names)} = ", "CAPTURE")
            self._forgive(node)
            return None
        match value:
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="CAPTURE")):
                if len(names) != 2:
                    self.refuse(
                        "D303", node, "CAPTURE gives a status and a text", "write two names"
                    )
                    self._forgive(node)
                    return None
                run = self.expressions.run(command, capture=True)
                status = self.declare(node, names[0], Type.STATUS)
                text = self.declare(node, names[1], Type.STR)
                return None if run is None else Take(run, status, (text,))
            case ast.Call(
                func=ast.Attribute(value=owner, attr=("partition" | "rpartition") as method)
            ):
                return self._partition(node, names, owner, value, method == "rpartition")
            case ast.Call(func=ast.Name(id=called)) if self.names.function(called) is not None:
                return self._take_many(node, names, value)
            case ast.Call(func=function) if self.expressions.is_command(function):
                self.expressions.called_command(value, f"{', '.join(names)} = ")
                self._forgive(node)
                return None
            case ast.Tuple(elts=elements) if len(elements) == len(names):
                pairs = list(zip(names, elements, strict=True))
                way = ", then ".join(f"{n} = {self.names.shown(e)}" for n, e in pairs)
                self.refuse(
                    "D101", node, f"{len(names)} names take {len(names)} values at once",
                    f"one on each line: {way}",
                )  # fmt: skip
                for target, element in zip(targets, elements, strict=True):
                    self._one(node, target, element)
                return None
        told = len(self.names.diagnostics)
        if isinstance(value, (ast.Call, ast.BinOp, ast.Name)):
            result = self.expressions.value(value)
            if result.type is Type.ERROR or len(self.names.diagnostics) > told:
                self._forgive(node)
                return None
        self.refuse(
            "D101", value, f"{self.names.shown(value)} cannot be taken apart",
            "the dialect takes apart what functions give, command & CAPTURE, and text.partition(…)",
        )  # fmt: skip
        self._forgive(node)
        return None

    def several(self, node: ast.Assign) -> None:
        """Refuses `a = b = value`."""
        *others, last = [self.names.shown(target) for target in node.targets]
        ways = [
            f"{last} = {self.names.shown(node.value)}",
            *(f"{name} = {last}" for name in others),
        ]
        self.refuse(
            "D101", node, f"{', '.join([*others, last])} take one value",
            f"one on each line: {', then '.join(ways)}",
        )  # fmt: skip
        for target in node.targets[:1]:
            self._one(node, target, node.value)
        for target in node.targets[1:]:
            if isinstance(target, ast.Name) and isinstance(node.targets[0], ast.Name):
                kind = self.scope.type_of(node.targets[0].id) or Type.ERROR
                self.declare(target, target.id, kind)
        self._forgive(node)

    def _one(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        """Reads one of the assignments that stand in one statement."""
        if isinstance(target, ast.Name):
            single = ast.copy_location(ast.Assign([target], value), node)
            self.assign(single, target.id, value)

    def _forgive(self, node: ast.AST) -> None:
        """Takes all that a refused statement sets for set."""
        for name in bound_names(node):
            self.scope.forgive(name)

    def _take_many(self, node: ast.Assign, names: list[str], value: ast.Call) -> Statement | None:
        call = self.expressions.call(value)
        results = call.function.results if call is not None else (Type.ERROR,) * len(names)
        if len(results) != len(names):
            self.refuse(
                "D303", node, f"{len(names)} names for {listed(results)}",
                "write a name, or _, for each",
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
        return Take(call, status, tuple(replies))

    def _partition(
        self, node: ast.Assign, names: list[str], owner: ast.expr, value: ast.Call, last: bool
    ) -> Statement | None:
        is_taken = {*names} != {"_"}
        read = self.expressions.text
        text = read(owner) if is_taken else self._idle(read, owner)
        targets = [self.declare(node, name, Type.STR) for name in names]
        if not isinstance(text, Name):
            self.refuse("D105", owner, "before .partition a name is needed",
                f"name it first: text = {self.names.shown(owner)}",
            )  # fmt: skip
            return None
        separator = self.expressions.text(value.args[0]) if len(value.args) == 1 else None
        if separator is not None and separator.type is Type.ERROR:
            return None
        literal = separator if isinstance(separator, Text) and separator.value else None
        if literal is None or len(targets) != 3:
            left = ", ".join(names) if len(names) == 3 else "head, _, tail"
            known = None if separator is None else self.expressions.known_text(separator)
            method = "rpartition" if last else "partition"
            self.refuse(
                "D105", node, f"{method} takes a literal text and gives three",
                f"write {left} = {text.name}.{method}({known or ':'!r})",
            )  # fmt: skip
            return None
        if not is_taken:
            return None  # as with _ = text: its comments go to what stands below
        return Partition(text, literal, last, targets[0], targets[1], targets[2])

    def augmented(
        self, node: ast.AugAssign, name: str, operator: ast.operator, value: ast.expr
    ) -> Statement | None:
        """Reads `name += value` and its like, which are no use of the name by themselves."""
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
        """The name in local.env[name], None if it was refused; it gets `value`, or is unset."""
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            way = ways_out.of_environment(key.value, value)
            return key.value if self.names.check_environment(key, key.value, way) else None
        self.refuse(
            "D105", key, "the name of a variable must be a literal", 'write local.env["NAME"]'
        )
        return None

    def set_environment(self, key: ast.expr, value: ast.expr) -> Statement | None:
        """Reads `local.env[key] = value`."""
        name = self.environment_name(key, value)
        text = self.expressions.text(value)
        return None if name is None else SetEnvironment(name, text)


def _target(node: ast.AST, name: str) -> ast.AST:
    """The place in a statement where `name` takes its value."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id == name and isinstance(inner.ctx, ast.Store):
            return inner
    return node
