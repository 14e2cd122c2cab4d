"""Collect the symbols of one file: its imports, constants, commands and functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from oauthkit.compiler.bash.names import (
    BASH_BUILTINS,
    BASH_VARIABLES,
    BASH_WORDS,
    GENERATED,
    SHARED_VARIABLES,
)
from oauthkit.compiler.diagnostics.help import mentioned_names, used_names, with_import
from oauthkit.compiler.diagnostics.report import Diagnostic
from oauthkit.compiler.ir import Constant, Function
from oauthkit.compiler.loader.resolver import UnusableModuleError
from oauthkit.compiler.reserved_names import IMPORTS, PRIMITIVES, is_defined_by_dialect
from oauthkit.compiler.runtime_library import RuntimeLibrary
from oauthkit.compiler.sema.scope import Scope
from oauthkit.compiler.source import Source, Span
from oauthkit.compiler.types import Signature, Type


@dataclass
class Symbols:
    """The symbols of one file while it is analyzed.

    `files` has the program's own modules that the file imports from. `environment` has the
    environment variables in the part of the program that has been analyzed. `environment_names` has
    those of the whole program.
    All files share `diagnostics`, `environment` and `environment_names`.
    """

    source: Source
    library: RuntimeLibrary
    files: Mapping[str, Symbols | UnusableModuleError]
    diagnostics: list[Diagnostic]
    environment: set[str]
    environment_names: frozenset[str] = frozenset()
    module: str = ""  # the name by which other files import from this one
    builtins: set[str] = field(default_factory=set)  # imported from runtime libraries
    imports: set[str] = field(default_factory=set)
    commands: dict[str, str] = field(default_factory=dict)  # name in Python: program
    constants: dict[str, Type] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # constant: its text, if known
    tuples: dict[str, Type] = field(default_factory=dict)  # constant: its items' type
    functions: dict[str, Signature] = field(default_factory=dict)
    imported_from: dict[str, str] = field(default_factory=dict)  # name: module of the program
    used: set[str] = field(default_factory=set)  # the constants that are used
    builtins_used: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)  # names whose definition was rejected
    is_python: bool = True  # False for a file with syntax errors, whose names are not known

    def report(self, code: str, node: ast.AST | Span, message: str, help: str) -> None:
        """Add a diagnostic. The analysis continues."""
        span = node if isinstance(node, Span) else self.source.span(node)
        missing: dict[str, list[str]] = {}
        for name in used_names(help) if code == "D103" else mentioned_names(help):
            if name in self.home and not self._is_defined(name) and name not in self.variables:
                missing.setdefault(self.home[name], []).append(name)
        for module, names in missing.items():
            help = with_import(help, f"from {module} import {', '.join(names)}")
        self.diagnostics.append(Diagnostic(self.source, code, span, message, help))

    @cached_property
    def home(self) -> dict[str, str]:
        """Return the module of each name that can be imported."""
        return {
            **{name: module for module, found in IMPORTS.items() for name in sorted(found)},
            **dict.fromkeys(PRIMITIVES, self.library.module),
            **{name: word.module for name, word in self.library.builtins.items()},
        }

    @cached_property
    def variables(self) -> set[str]:
        """Return the names of the file's variables and parameters."""
        nodes = [*ast.walk(ast.parse(self.source.text))] if self.is_python else []
        names = {x.id for x in nodes if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}
        return names | {x.arg for x in nodes if isinstance(x, ast.arg)}

    def _is_defined(self, name: str) -> bool:
        known = (self.imports, self.builtins, self.functions, self.commands, self.constants)
        return any(name in names for names in known)

    def shown(self, node: ast.expr) -> str:
        """Return an expression as it is written in the program, for a message."""
        segment = ast.get_source_segment(self.source.text, node)
        return ast.unparse(node) if segment is None or "\n" in segment else segment

    def part(self, node: ast.AST, text: str) -> Span:
        """Return the location of `text` on the first line of `node`, else that of `node` itself."""
        span = self.source.span(node)
        first = span.column + len("def ")
        column = self.source.lines[span.line - 1].find(text, first)
        return span if column < 0 else Span(span.line, column, span.line, column + len(text))

    def function(self, name: str) -> Signature | None:
        """Return the function or imported builtin of this name, or None if it was rejected."""
        if name in self.rejected:
            return None
        if name in self.functions:
            return self.functions[name]
        if name in self.builtins and name in self.library.builtins:
            return self.library.builtins[name].signature
        return None

    def check_environment(self, node: ast.AST, name: str, way: str = "") -> bool:
        """Return whether `name` can be an environment variable in bash. If not, report an error.

        `way` is the help for a variable that bash owns and programs may read.
        """
        if not (name.isascii() and name.isidentifier()):
            help = "use ASCII letters, digits and _"
            self.report("D105", node, f"{name!r} is not a valid variable name", help)
            return False
        owned = [BASH_VARIABLES - SHARED_VARIABLES, {"REPLIES", "_"}, self.library.state]
        if any(name in names for names in owned) or name.startswith("BASH_"):
            is_of_bash = name in BASH_VARIABLES or name.startswith("BASH_")
            other = "pass it under another name"
            owner = "bash" if is_of_bash or name == "_" else "the script"
            self.report("D401", node, f"{owner} sets {name} itself", (is_of_bash and way) or other)
            return False
        self.environment.add(name)
        return True

    def check_new(self, node: ast.AST | Span, name: str, what: str) -> None:
        """Report the name of a new variable, constant or function if it is defined or reserved."""
        # Checked set by set, because building their union for each name would be slow.
        taken = [self.builtins, self.imports, self.commands, self.constants]
        owned = [BASH_VARIABLES, {"REPLIES"}, self.library.state]
        if what == "function":
            owned += [BASH_WORDS, BASH_BUILTINS, GENERATED, self.library.constructs]
        taken.append(self.functions)
        if what != "variable":
            owned.append({"_"})
        if is_defined_by_dialect(name):
            self.report("D402", node, f"{name} is reserved by the dialect", f"rename the {what}")
        elif what == "function" and name in self.library.builtins:
            self.report(
                "D402", node, f"{name} is a builtin of the runtime library", f"rename the {what}"
            )
        elif name in self.constants and what != "function" and not isinstance(node, ast.arg):
            help = "a constant cannot be reassigned. Use another name"
            self.report("D402", node, f"{name} is a constant", help)
        elif any(name in names for names in taken):
            self.report("D402", node, f"{name} is already defined", f"rename the {what}")
        elif any(name in names for names in owned) or name.startswith("BASH_"):
            ours = [GENERATED, self.library.constructs, self.library.state, {"REPLIES"}]
            is_ours = any(name in names for names in ours)
            other = f"MY_{name.upper()}" if what == "constant" else f"my_{name.lower()}"
            self.report(
                "D401", node, f"{'the script' if is_ours else 'bash'} reserves the name {name}",
                f"use another name, such as {other}",
            )  # fmt: skip
        elif not name.isascii():
            self.report(
                "D401", node, f"{name} is not valid in bash", "use ASCII letters, digits and _"
            )


def environment_names(tree: ast.AST) -> Iterator[str]:
    """Yield the name of each environment variable that is used in `tree`."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Subscript(value=ast.Attribute(attr="env"), slice=ast.Constant(value=str(name)))
                | ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="env")),
                    args=[ast.Constant(value=str(name)), *_],
                )
                | ast.Call(func=ast.Name(id="get_env"), args=[ast.Constant(value=str(name))])
                | ast.Compare(
                    left=ast.Constant(value=str(name)), comparators=[ast.Attribute(attr="env")]
                )
            ):
                yield name


@dataclass
class AnalyzedFile:
    """The results of analyzing one file.

    `scopes` has the variables of each function, and `builtins` the builtins that it calls. `places`
    has the assignment of each constant, and `values` its value.
    """

    symbols: Symbols
    doc: str = ""
    constants: list[Constant] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    definitions: list[ast.FunctionDef] = field(default_factory=list)
    scopes: dict[str, Scope] = field(default_factory=dict)
    builtins: dict[str, set[str]] = field(default_factory=dict)
    places: dict[str, ast.AST] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)

    def references(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each function and constant with the names in it, in the order of the source."""
        for name, node in (*((d.name, d) for d in self.definitions), *self.values.items()):
            found = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
            found.sort(key=lambda inner: (inner.lineno, inner.col_offset))
            yield name, [*dict.fromkeys(inner.id for inner in found)]
