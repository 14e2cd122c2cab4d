"""Check the types and names of one function."""

from __future__ import annotations

import ast
from collections.abc import Callable

from oauthkit.compiler.diagnostics import advice, replacements
from oauthkit.compiler.diagnostics.describe import with_article
from oauthkit.compiler.diagnostics.help import code, requoted, used_names
from oauthkit.compiler.diagnostics.site import Site
from oauthkit.compiler.ir import Call, Name, Value
from oauthkit.compiler.sema.scope import Scope
from oauthkit.compiler.sema.symbols import Symbols
from oauthkit.compiler.types import Type

# The placeholder for a rejected expression. It causes no second diagnostic.
REJECTED = Name("rejected", Type.ERROR)


class Checker:
    """Checks the types and names of one function."""

    def __init__(self, symbols: Symbols, scope: Scope) -> None:
        self.symbols = symbols
        self.scope = scope
        # Names used in help messages, and temporary variables for parts of expressions.
        self.taken: set[str] = set()
        # Expressions sets both.
        self.type_of: Callable[[ast.expr], Type] = lambda _: Type.ERROR
        self.result_of: Callable[[ast.expr], Type] = lambda _: Type.ERROR
        # Assignments sets these.
        self.assign_first: Callable[[ast.expr, str], Value] = lambda *_: REJECTED
        self.put_first: Callable[[Value | Call, str], Name] = lambda *_: REJECTED

    def reject(self, code: str, node: ast.AST, message: str, help: str) -> Name:
        """Report an error, and return the placeholder for the value."""
        help = requoted(help, self._quote_around(node))
        self.symbols.report(code, node, message, help)
        self.taken.update(used_names(help))
        return REJECTED

    def _quote_around(self, node: ast.AST) -> str:
        """Return the quotation mark of the f-string that contains `node`, or "" without one."""
        statement = self.scope.statement
        for outer in ast.walk(statement) if statement else ():
            if isinstance(outer, ast.JoinedStr) and any(x is node for x in ast.walk(outer)):
                text = (ast.get_source_segment(self.symbols.source.text, outer) or "").lstrip(
                    "fFrR"
                )
                is_one = len(text) > 1 and text[0] == text[-1] and text[1:-1].count(text[0]) == 0
                return text[0] if is_one else ""  # "": triple quotes, or adjacent literals
        return ""

    def need(self, node: ast.expr, value: Value, wanted: Type) -> bool:
        """Return whether a value has the type `wanted`. If not, report an error."""
        return self.need_type(node, value.type, wanted)

    def need_text(self, node: ast.expr, value: Value) -> bool:
        """Return whether a value can be part of a string. If not, report an error."""
        return value.type.is_text or self.need(node, value, Type.STR)

    def need_type(self, node: ast.expr, found: Type, wanted: Type) -> bool:
        """Return whether the type `found` can be used as `wanted`. If not, report an error."""
        if found.fits(wanted):
            return True
        written = str(node.value) if isinstance(node, ast.Constant) else ""
        if wanted is Type.INT and len(written) < 16 and written.isascii() and written.isdecimal():
            self.reject(
                "D304", node, f"expected {with_article(wanted)}, found {with_article(found)}",
                code("write the number", str(int(written))),
            )  # fmt: skip
        elif wanted is Type.INT and found.is_text:
            self.reject(
                "D304", node, f"expected {with_article(wanted)}, found {with_article(found)}",
                replacements.to_number(self.site(), node) or advice.TO_NUMBER,
            )  # fmt: skip
        else:
            self.reject(
                "D303", node,
                f"expected {with_article(wanted)}, found {with_article(found)}",
                replacements.conversion(self.site(), node, found, wanted),
            )  # fmt: skip
        return False

    def site(self) -> Site:
        """Return the place of rejected code in the current statement."""
        programs = {program: name for name, program in self.symbols.commands.items()}
        return Site(
            self.symbols.source,
            self.scope.statement,
            self._is_taken,
            self.scope.results,
            self.scope.is_main or self.scope.arguments is not None,
            self.type_of,
            self.result_of,
            self.scope.type_of,
            programs,
        )

    def _is_taken(self, name: str) -> bool:
        others = (self.scope.names, self.taken, self.symbols.environment_names)
        return any(name in names for names in others) or not self.is_unknown(name)

    def is_rejected(self, name: str) -> bool:
        """Return whether the definition of a name was rejected."""
        kind = self.scope.type_of(name)
        if kind is None:
            constant = self.symbols.constants.get(name)
            return name in self.symbols.rejected or constant is Type.ERROR
        return kind is Type.ERROR

    def root_is_rejected(self, node: ast.expr) -> bool:
        """Return whether the definition of the first name in an expression was rejected."""
        while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and self.is_rejected(node.id)

    def is_unknown(self, name: str) -> bool:
        """Return whether a name is not defined in the program."""
        names = self.symbols
        known = (names.commands, names.constants, names.rejected, names.imports, names.builtins)
        return (
            self.scope.type_of(name) is None
            and name != self.scope.arguments
            and not any(name in some for some in (*known, names.functions))
        )

    def arguments_in(self, node: ast.expr) -> ast.Name | None:
        """Return an expression's first name that refers to all of main's arguments, or None."""
        parts = {
            id(inner.value)
            for inner in ast.walk(node)
            if isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Constant)
        }
        for inner in ast.walk(node):
            is_arguments = isinstance(inner, ast.Name) and inner.id == self.scope.arguments
            if is_arguments and id(inner) not in parts:
                return inner  # type: ignore[return-value]
        return None
