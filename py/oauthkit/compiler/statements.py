"""From Python statements to typed statements, and which names are set on which path."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .assignments import Assignments
from .names import merge
from .tree import (
    ChangeToRoot,
    For,
    If,
    Jump,
    Nothing,
    Number,
    Print,
    Return,
    SetUmask,
    Statement,
    Take,
    UnsetEnvironment,
    Value,
    While,
)
from .types import Type


class Statements(Assignments):
    """Reads the body of one function."""

    def block(self, nodes: Sequence[ast.stmt]) -> list[Statement]:
        """The statements of one block, each with its comments."""
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

    def _statement(self, node: ast.stmt) -> Statement | None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return self.assign(node, name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                return self.assign(node, name, value)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                return self.unpack(node, targets, value)
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Attribute(attr="env"), slice=key)], value=value
            ):
                return self.set_environment(key, value)
            case ast.Delete(targets=[ast.Subscript(value=ast.Attribute(attr="env"), slice=key)]):
                variable = self.environment_name(key)
                return None if variable is None else UnsetEnvironment(variable)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                return self.augmented(node, name, operator, value)
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
        self.refuse(
            "D101", node, f"a statement of kind {type(node).__name__} is outside the dialect",
            "it has assignments, calls, if, while, for over a literal, break, continue, return",
        )  # fmt: skip
        return None

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
                self.refuse(
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
                    self.refuse(
                        "D201", node, f"{name} gives {gives}, which nobody takes",
                        f"test it, name it, or write _ = {ast.unparse(value)}",
                    )  # fmt: skip
                return None if call is None else Take(call, None, ())
            case ast.BinOp(
                op=ast.BitAnd(), right=ast.Name(id=("TF" | "RETCODE" | "CAPTURE") as how)
            ):
                self.refuse(
                    "D201", node, "the status of this command is taken by nobody",
                    f"test it with TF, or write status = … & {'RETCODE' if how == 'TF' else how}",
                )  # fmt: skip
                return None
        result = self.expressions.value(value)
        if result.type is Type.COMMAND:
            self.refuse(
                "D203", node, "this command is never run", "run it: status = command & RETCODE"
            )
        elif result.type is not Type.ERROR:
            self.refuse("D101", node, "this value is used by nobody", "give it a name or drop it")
        return None

    def _print(self, node: ast.Call) -> Statement | None:
        to_stderr = False
        for keyword in node.keywords:
            to_stderr = ast.unparse(keyword.value) == "sys.stderr"
            if keyword.arg != "file" or not to_stderr:
                self.refuse(
                    "D105", keyword.value, "print takes file=sys.stderr only", "leave the rest out"
                )
        if len(node.args) != 1:
            self.refuse("D105", node, "print takes one text", 'join it: print(f"{a} {b}")')
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
            branches.append((condition, self.block(current.body)))
            ends.append(self.scope.known)
            self.scope.known = before
            rest = current.orelse
            current = None
            if len(rest) == 1 and isinstance(rest[0], ast.If):
                current = rest[0]
            elif rest:
                orelse = self.block(rest)
        after = self.scope.known
        for end in ends:
            after = merge(after, end)
        self.scope.known = after
        return If(branches, orelse)

    def _loop(self, body: list[ast.stmt], endless: bool) -> list[Statement]:
        before = None if self.scope.known is None else set(self.scope.known)
        self.breaks.append(None)
        statements = self.block(body)
        broken = self.breaks.pop()
        self.scope.known = broken if endless else before
        return statements

    def _while(self, node: ast.While) -> Statement:
        if node.orelse:
            self.refuse("D101", node, "while … else is outside the dialect", "test after the loop")
        condition = self.expressions.condition(node.test)
        endless = isinstance(node.test, ast.Constant) and node.test.value is True
        return While(condition, self._loop(node.body, endless))

    def _for(self, node: ast.For) -> Statement | None:
        items: tuple[Value, ...] | None
        if not isinstance(node.target, ast.Name) or node.orelse:
            self.refuse(
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
                    self.refuse(
                        "D303",
                        node.iter,
                        "the items are not all Str or all Int",
                        "loop over one type",
                    )
            case _:
                self.refuse(
                    "D101",
                    node.iter,
                    "a loop goes over a literal",
                    "write for name in (first, second)",
                )
                return None
        before = None if self.scope.known is None else set(self.scope.known)
        self.declare(node.target, node.target.id, kind)
        body = self._loop(node.body, endless=False)
        if before is not None and items is not None:
            before.add(node.target.id)  # a literal has items, so the loop runs
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
                self.refuse(
                    "D307", node, f"{self.signature.name} gives {len(results)} values, not this",
                    "return what the annotation says",
                )  # fmt: skip
            return Return()
        if results == (Type.BOOL,):
            return Return(condition=self.expressions.condition(value))
        match value:
            case ast.Call(func=ast.Name(id=called)) if self.names.function(called) is not None:
                call = self.expressions.call(value)
                if call is not None and call.function.results != results:
                    self.refuse(
                        "D303", value, f"{called} gives something else", "take its results first"
                    )
                return None if call is None else Return(call=call)
        elements = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(elements) != len(results):
            self.refuse(
                "D303", node, f"{self.signature.name} gives {len(results)} values", "return as many"
            )
            return Return()
        values = []
        for element, wanted in zip(elements, results, strict=True):
            result = self.expressions.value(element)
            self.expressions.need(element, result, Type.INT if wanted is Type.STATUS else wanted)
            if wanted is Type.STATUS and isinstance(result, Number) and not 0 <= result.value < 256:
                self.refuse("D303", element, "an exit status is 0 to 255", "choose one of these")
            values.append(result)
        return Return(tuple(values))


def _is_simple(node: ast.stmt) -> bool:
    return not isinstance(node, (ast.If, ast.While, ast.For))
