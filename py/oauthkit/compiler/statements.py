"""From Python statements to typed statements, and which names are set on which path."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .expressions import Expressions
from .names import Names, Scope, merge
from .tree import (
    Append,
    Assign,
    Call,
    ChangeToRoot,
    CommandLine,
    Decide,
    For,
    If,
    Join,
    Jump,
    Name,
    Nothing,
    Partition,
    Print,
    Return,
    SetEnvironment,
    SetUmask,
    Statement,
    Take,
    Text,
    UnsetEnvironment,
    Value,
    While,
)
from .types import Signature, Type


class Statements:
    """Reads the body of one function."""

    def __init__(self, names: Names, scope: Scope, signature: Signature) -> None:
        self.names = names
        self.scope = scope
        self.signature = signature
        self.expressions = Expressions(names, scope)
        self.breaks: list[set[str] | None] = []

    def block(self, nodes: Sequence[ast.stmt], first_line: int) -> list[Statement]:
        """The statements of one block; `first_line` is the line where it opens."""
        found: list[Statement] = []
        for node in nodes:
            statement = self._statement(node)
            if statement is None:
                continue
            comments = self.names.source.comments_above(node.lineno)
            statement.comments = comments
            statement.beside = self.names.source.comment_beside(node) if _is_simple(node) else None
            above = node.lineno - len(comments) - 1
            statement.blank = bool(found) and self.names.source.is_blank(above)
            found.append(statement)
        return found

    def _refuse(self, code: str, node: ast.AST, message: str, help: str) -> None:
        self.names.report(code, node, message, help)

    def _statement(self, node: ast.stmt) -> Statement | None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return self._assign(node, name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                return self._assign(node, name, value)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                return self._unpack(node, targets, value)
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Attribute(attr="env"), slice=key)], value=value
            ):
                return self._set_environment(node, key, value)
            case ast.Delete(targets=[ast.Subscript(value=ast.Attribute(attr="env"), slice=key)]):
                name = self._environment_name(key)
                return None if name is None else UnsetEnvironment(name)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                return self._augmented(node, name, operator, value)
            case ast.Expr(value=value):
                return self._expression(node, value)
            case ast.If():
                return self._if(node)
            case ast.While():
                return self._while(node)
            case ast.For():
                return self._for(node)
            case ast.Break() | ast.Continue():
                if isinstance(node, ast.Break) and self.breaks:
                    self.breaks[-1] = merge(self.breaks[-1], self.scope.known)
                self.scope.known = None
                return Jump("break" if isinstance(node, ast.Break) else "continue")
            case ast.Pass():
                return Nothing()
            case ast.Return(value=value):
                return self._return(node, value)
        self._refuse(
            "D101", node, f"a statement of kind {type(node).__name__} is outside the dialect",
            "the dialect has assignments, if, while, for over a literal, break, continue, return, calls",
        )  # fmt: skip
        return None

    # --- Assignments -----------------------------------------------------------------------------

    def _declare(self, node: ast.AST, name: str, kind: Type) -> str | None:
        """Notes that `name` is set to a value of type `kind` here; None for `_`."""
        if name == "_":
            return None
        kind = Type.INT if kind is Type.STATUS else kind
        known = self.scope.type_of(name)
        if known is None:
            self.names.check_new(node, name, "variable")
            self.scope.variables[name] = kind
        elif not kind.fits(known):
            self._refuse(
                "D302", node, f"{name} was a {known.value} and becomes a {kind.value}",
                "give the new value a name of its own",
            )  # fmt: skip
        if self.scope.known is not None:
            self.scope.known.add(name)
        return name

    def _assign(self, node: ast.stmt, name: str, value: ast.expr) -> Statement | None:
        match value:
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="RETCODE")):
                run = self.expressions.run(command, capture=False)
                target = self._declare(node, name, Type.STATUS)
                return None if run is None else Take(run, target, ())
            case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id="CAPTURE")):
                self._refuse(
                    "D201", node, "CAPTURE gives a status and a text",
                    f"take both: status, {name} = command & CAPTURE",
                )  # fmt: skip
                self._declare(node, name, Type.STR)
                return None
            case ast.Call(func=ast.Name(id=called)) if self.names.function(called) is not None:
                return self._take_one(node, name, value)
        if self._is_condition(value):
            condition = self.expressions.condition(value)
            target = self._declare(node, name, Type.BOOL)
            if target is None:
                self._refuse("D201", node, "a condition that nobody takes", "give it a name")
                return None
            return Decide(target, condition)
        result = self.expressions.value(value)
        target = self._declare(node, name, result.type)
        if target is None:
            return None
        if (
            isinstance(result, CommandLine)
            and isinstance(result.program, Name)
            and result.program.name == name
        ):
            return Append(name, result)
        return Assign(target, result)

    def _take_one(self, node: ast.stmt, name: str, value: ast.Call) -> Statement | None:
        call = self.expressions.call(value)
        if call is None:
            self._declare(node, name, Type.ERROR)
            return None
        results = call.function.results
        if len(results) != 1:
            gives = ", ".join(kind.value for kind in results) or "nothing"
            self._refuse(
                "D303", node, f"{call.function.name} gives {gives}, one name takes one value",
                "write as many names as there are results" if results else "call it on a line of its own",
            )  # fmt: skip
            self._declare(node, name, Type.ERROR)
            return None
        target = self._declare(node, name, results[0])
        if results == (Type.BOOL,):
            condition = self.expressions.condition(value)
            return None if target is None else Decide(target, condition)
        if results == (Type.STATUS,):
            return Take(call, target, ())
        return Take(call, None, (target,))

    def _is_condition(self, node: ast.expr) -> bool:
        match node:
            case ast.BoolOp(op=ast.Or(), values=[ast.Call(func=ast.Attribute(attr="get")), _]):
                return False
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return True
            case ast.BinOp(op=ast.BitAnd(), right=ast.Name(id="TF")):
                return True
            case ast.Call(func=ast.Attribute(attr=attr)):
                return (
                    attr in ("startswith", "endswith", "access")
                    or attr[:3] == "is_"
                    or attr == "exists"
                )
        return False

    def _unpack(
        self, node: ast.Assign, targets: list[ast.expr], value: ast.expr
    ) -> Statement | None:
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if len(names) != len(targets):
            self._refuse(
                "D101", node, "only names can stand left of =", "take the values with names first"
            )
            return None
        match value:
            case ast.BinOp(left=command, op=ast.BitAnd(), right=ast.Name(id="CAPTURE")):
                if len(names) != 2:
                    self._refuse(
                        "D303", node, "CAPTURE gives a status and a text", "write two names"
                    )
                    return None
                run = self.expressions.run(command, capture=True)
                status = self._declare(node, names[0], Type.STATUS)
                text = self._declare(node, names[1], Type.STR)
                return None if run is None else Take(run, status, (text,))
            case ast.Call(
                func=ast.Attribute(value=owner, attr=("partition" | "rpartition") as method)
            ):
                return self._partition(node, names, owner, value, method == "rpartition")
            case ast.Call(func=ast.Name(id=called)) if self.names.function(called) is not None:
                return self._take_many(node, names, value)
        self._refuse(
            "D101", node, "this cannot be taken apart",
            "the dialect takes apart what functions give, command & CAPTURE, and text.partition(…)",
        )  # fmt: skip
        for name in names:
            self._declare(node, name, Type.ERROR)
        return None

    def _take_many(self, node: ast.Assign, names: list[str], value: ast.Call) -> Statement | None:
        call = self.expressions.call(value)
        results = call.function.results if call is not None else (Type.ERROR,) * len(names)
        if len(results) != len(names):
            gives = ", ".join(kind.value for kind in results) or "nothing"
            self._refuse(
                "D303", node, f"{len(names)} names for {gives}", "write a name, or _, for each"
            )
            results = (Type.ERROR,) * len(names)
            call = None
        targets = [self._declare(node, name, kind) for name, kind in zip(names, results)]
        if call is None:
            return None
        status = next((t for t, kind in zip(targets, results) if kind is Type.STATUS), None)
        replies = [t for t, kind in zip(targets, results) if kind is not Type.STATUS]
        return Take(call, status, tuple(replies))

    def _partition(
        self, node: ast.Assign, names: list[str], owner: ast.expr, value: ast.Call, last: bool
    ) -> Statement | None:
        text = self.expressions.text(owner)
        targets = [self._declare(node, name, Type.STR) for name in names]
        if not isinstance(text, Name):
            self._refuse("D105", owner, "before .partition a name is needed", "name the text first")
            return None
        separator = self.expressions.text(value.args[0]) if len(value.args) == 1 else None
        if not isinstance(separator, Text) or not separator.value or len(targets) != 3:
            self._refuse(
                "D105", node, "partition takes a literal text and gives three",
                'write: head, _, tail = text.partition(":")',
            )  # fmt: skip
            return None
        return Partition(text, separator, last, targets[0], targets[1], targets[2])

    def _augmented(
        self, node: ast.AugAssign, name: str, operator: ast.operator, value: ast.expr
    ) -> Statement | None:
        current = self.expressions.value(
            ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
        )
        if isinstance(operator, ast.Add) and current.type is Type.STR:
            added: Value = self.expressions.text(value)
            self._declare(node, name, Type.STR)
            return Append(name, added)
        whole = ast.copy_location(ast.BinOp(node.target, operator, value), node)
        whole.left = ast.copy_location(ast.Name(id=name, ctx=ast.Load()), node.target)
        result = self.expressions.value(whole)
        target = self._declare(node, name, result.type)
        return None if target is None else Assign(target, result)

    def _environment_name(self, key: ast.expr) -> str | None:
        if (
            isinstance(key, ast.Constant)
            and isinstance(key.value, str)
            and key.value.isidentifier()
        ):
            self.names.environment.add(key.value)
            return key.value
        self._refuse(
            "D105", key, "the name of a variable must be a literal", 'write local.env["NAME"]'
        )
        return None

    def _set_environment(self, node: ast.stmt, key: ast.expr, value: ast.expr) -> Statement | None:
        name = self._environment_name(key)
        text = self.expressions.text(value)
        return None if name is None else SetEnvironment(name, text)

    # --- Calls -----------------------------------------------------------------------------------

    def _expression(self, node: ast.Expr, value: ast.expr) -> Statement | None:
        match value:
            case ast.Constant(value=str()):
                return None  # a docstring
            case ast.Call(func=ast.Name(id="print")):
                return self._print(value)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="os"), attr="umask"),
                args=[ast.Constant(value=int() as mask)],
            ):
                return SetUmask(mask)
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="cwd"), attr="chdir"),
                args=[ast.Constant(value="/")],
            ):
                return ChangeToRoot()
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="cwd"), attr="chdir")):
                self._refuse(
                    "D105",
                    node,
                    "only / is a folder that is always there",
                    'write local.cwd.chdir("/")',
                )
                return None
            case ast.Call(func=ast.Name(id=name)) if self.names.function(name) is not None:
                call = self.expressions.call(value)
                if call is not None and call.function.results:
                    gives = ", ".join(kind.value for kind in call.function.results)
                    self._refuse(
                        "D201", node, f"{name} gives {gives}, which nobody takes",
                        f"test it, name it, or write _ = {ast.unparse(value)}",
                    )  # fmt: skip
                return None if call is None else Take(call, None, ())
            case ast.BinOp(
                op=ast.BitAnd(), right=ast.Name(id=("TF" | "RETCODE" | "CAPTURE") as how)
            ):
                self._refuse(
                    "D201", node, "the status of this command is taken by nobody",
                    f"test it with TF, name it with RETCODE, or write _ = … & {'RETCODE' if how == 'TF' else how}",
                )  # fmt: skip
                return None
        result = self.expressions.value(value)
        if result.type is Type.COMMAND:
            self._refuse(
                "D203", node, "this command is never run", "run it: status = command & RETCODE"
            )
        elif result.type is not Type.ERROR:
            self._refuse("D101", node, "this value is used by nobody", "give it a name or drop it")
        return None

    def _print(self, node: ast.Call) -> Statement | None:
        to_stderr = False
        for keyword in node.keywords:
            to_stderr = ast.unparse(keyword.value) == "sys.stderr"
            if keyword.arg != "file" or not to_stderr:
                self._refuse(
                    "D105", keyword.value, "print takes file=sys.stderr only", "leave the rest out"
                )
        if len(node.args) != 1:
            self._refuse("D105", node, "print takes one text", 'join it: print(f"{a} {b}")')
            return None
        return Print(self.expressions.text(node.args[0]), to_stderr)

    # --- Control flow ----------------------------------------------------------------------------

    def _if(self, node: ast.If) -> Statement:
        branches = []
        ends: list[set[str] | None] = []
        current: ast.If | None = node
        orelse: list[Statement] = []
        while current is not None:
            condition = self.expressions.condition(current.test)
            before = None if self.scope.known is None else set(self.scope.known)
            branches.append((condition, self.block(current.body, current.lineno)))
            ends.append(self.scope.known)
            self.scope.known = before
            rest = current.orelse
            current = None
            if len(rest) == 1 and isinstance(rest[0], ast.If):
                current = rest[0]
            elif rest:
                orelse = self.block(rest, rest[0].lineno - 1)
        after = self.scope.known
        for end in ends:
            after = merge(after, end)
        self.scope.known = after
        return If(branches, orelse)

    def _loop(self, body: list[ast.stmt], line: int, endless: bool) -> list[Statement]:
        before = None if self.scope.known is None else set(self.scope.known)
        self.breaks.append(None)
        statements = self.block(body, line)
        broken = self.breaks.pop()
        self.scope.known = broken if endless else before
        return statements

    def _while(self, node: ast.While) -> Statement:
        if node.orelse:
            self._refuse("D101", node, "while … else is outside the dialect", "test after the loop")
        condition = self.expressions.condition(node.test)
        endless = isinstance(node.test, ast.Constant) and node.test.value is True
        return While(condition, self._loop(node.body, node.lineno, endless))

    def _for(self, node: ast.For) -> Statement | None:
        items: tuple[Value, ...] | None
        if not isinstance(node.target, ast.Name) or node.orelse:
            self._refuse(
                "D101", node, "a for loop takes one name and has no else", "write for name in (…)"
            )
            return None
        kind = Type.STR
        match node.iter:
            case ast.Name(id=name) if name == self.scope.arguments:
                items = None
            case ast.Tuple(elts=elements) if elements:
                items = tuple(self.expressions.value(element) for element in elements)
                kinds = {Type.STR if item.type is Type.PATH else item.type for item in items}
                kind = kinds.pop() if len(kinds) == 1 else Type.ERROR
                if kinds or kind in (Type.BOOL, Type.COMMAND):
                    self._refuse(
                        "D303",
                        node.iter,
                        "the items are not all Str or all Int",
                        "loop over one type",
                    )
            case _:
                self._refuse(
                    "D101",
                    node.iter,
                    "a loop goes over a literal",
                    "write for name in (first, second)",
                )
                return None
        before = None if self.scope.known is None else set(self.scope.known)
        self._declare(node.target, node.target.id, kind)
        body = self._loop(node.body, node.lineno, endless=False)
        self.scope.known = before
        return For(node.target.id, items, body)

    def _return(self, node: ast.Return, value: ast.expr | None) -> Statement | None:
        results = self.signature.results
        statement = self._result(node, value, results)
        self.scope.known = None
        return statement

    def _result(
        self, node: ast.Return, value: ast.expr | None, results: tuple[Type, ...]
    ) -> Statement | None:
        if value is None or not results:
            if value is not None or results:
                self._refuse(
                    "D307", node, f"{self.signature.name} gives {len(results)} values, this return does not",
                    "return what the annotation says",
                )  # fmt: skip
            return Return()
        if results == (Type.BOOL,):
            return Return(condition=self.expressions.condition(value))
        match value:
            case ast.Call(func=ast.Name(id=called)) if self.names.function(called) is not None:
                call = self.expressions.call(value)
                if call is not None and call.function.results != results:
                    self._refuse(
                        "D303", value, f"{called} gives something else", "take its results first"
                    )
                return None if call is None else Return(call=call)
        elements = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(elements) != len(results):
            self._refuse(
                "D303", node, f"{self.signature.name} gives {len(results)} values", "return as many"
            )
            return Return()
        values = []
        for element, wanted in zip(elements, results):
            result = self.expressions.value(element)
            self.expressions.need(element, result, Type.INT if wanted is Type.STATUS else wanted)
            values.append(result)
        return Return(tuple(values))


def _is_simple(node: ast.stmt) -> bool:
    return not isinstance(node, (ast.If, ast.While, ast.For))
