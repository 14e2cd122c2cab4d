"""Check the types and names of one function."""

from __future__ import annotations

import ast

from oauthkit.compiler.diagnostics.describe import conversion, with_article
from oauthkit.compiler.ir import Name, Value
from oauthkit.compiler.sema.scope import Scope
from oauthkit.compiler.sema.symbols import Symbols
from oauthkit.compiler.types import Type

# The placeholder for a rejected expression. It causes no second diagnostic.
REJECTED = Name("rejected", Type.ERROR)


class Checker:
    """Checks types and names of one function."""

    def __init__(self, symbols: Symbols, scope: Scope) -> None:
        self.symbols = symbols
        self.scope = scope

    def reject(self, code: str, node: ast.AST, message: str, help: str) -> Name:
        """Report an error, and return the placeholder for the value."""
        self.symbols.report(code, node, message, help)
        return REJECTED

    def need(self, node: ast.expr, value: Value, wanted: Type) -> bool:
        """Return whether a value has the type `wanted`. Report it if not."""
        return self.need_type(node, value.type, wanted)

    def need_type(self, node: ast.expr, found: Type, wanted: Type) -> bool:
        """Return whether the type `found` can be used as `wanted`. Report it if not."""
        if found.fits(wanted):
            return True
        if wanted is Type.INT and found.is_text:
            self.reject(
                "D304", node, f"{with_article(found)} cannot be used as a number",
                f"convert it: status, number = parse_int({self.symbols.shown(node)})",
            )  # fmt: skip
        else:
            self.reject(
                "D303", node,
                f"expected {with_article(wanted)}, found {with_article(found)}",
                conversion(found, wanted, self.symbols.shown(node)),
            )  # fmt: skip
        return False

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
        """Return the name of main's arguments in an expression. They can only be iterated over."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id == self.scope.arguments:
                return inner
        return None
