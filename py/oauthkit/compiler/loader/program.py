"""The files of a program: that of its entry, and those that it imports from, each read once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic
from oauthkit.compiler.ir import Constant, Function
from oauthkit.compiler.runtime_library import Vocabulary
from oauthkit.compiler.sema.symbols import Names, Scope
from oauthkit.compiler.source import Source

# Gives the file of a module that is the program's own, None if there is none; it may raise
# UnfitModuleError.
Modules = Callable[[str], "Source | None"]


# How many files may import one from the other, in a chain: they are read one inside the other.
DEEPEST = 50


class UnfitModuleError(Exception):
    """Raised for a file that cannot be imported from: `what` is wrong with it, and a `way` out."""

    def __init__(self, what: str, way: str) -> None:
        super().__init__(what, way)
        self.what = what
        self.way = way


class CircularImportError(UnfitModuleError):
    """Raised for a file that imports from the one that is being read."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"{module} imports from this file, too", "put what both need into a file of its own"
        )


@dataclass
class File:
    """What one file holds once it is read.

    `scopes` has what is known in each function, `words` the words that it uses, `places` where each
    constant takes its value, `values` what that is.
    """

    names: Names
    doc: str = ""
    constants: list[Constant] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    definitions: list[ast.FunctionDef] = field(default_factory=list)
    scopes: dict[str, Scope] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    places: dict[str, ast.AST] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)

    def used_by(self) -> Iterator[tuple[str, set[str]]]:
        """Each function and constant, with every name that stands in it."""
        for name, node in (*((d.name, d) for d in self.definitions), *self.values.items()):
            yield name, {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


class Files:
    """All files, each behind those that it imports from."""

    def __init__(
        self, modules: Modules, vocabulary: Vocabulary, read: Callable[[Names], File]
    ) -> None:
        self.modules = modules
        self.vocabulary = vocabulary
        self.read = read
        self.files: list[File] = []
        self.diagnostics: list[Diagnostic] = []
        self.environment: set[str] = set()
        self.loaded: dict[str, Names | None] = {}  # None while it is being read

    def add(self, source: Source, module: str = "") -> File:
        """Reads a file, and before it those that it imports from."""
        file = self.read(self._names(source, module))
        self.files.append(file)
        return file

    def _names(self, source: Source, module: str) -> Names:
        known = (self.vocabulary, self.load, self.diagnostics, self.environment)
        return Names(source, *known, module=module)

    def load(self, module: str) -> Names | None:
        """What the file of `module` has; None if the program has no such file.

        UnfitModuleError if nothing can be imported from that file.
        """
        if module in self.loaded:
            names = self.loaded[module]
            if names is None:
                raise CircularImportError(module)
            return names
        source = self.modules(module)
        if source is None:
            return None
        depth = 1 + sum(names is None for names in self.loaded.values())
        if depth > DEEPEST:
            raise UnfitModuleError(
                f"{module} is the end of a chain of {depth} imports", "put more into fewer files"
            )
        self.loaded[module] = None
        try:
            names = self.add(source, module).names
        except CompileError as error:  # it is not even Python
            self.diagnostics += error.diagnostics
            names = self._names(source, module)
            names.is_read = False
        self.loaded[module] = names
        return names

    def reached(self, entry: str) -> list[set[str]]:
        """For each file the functions and constants that `entry`, of the last file, needs."""
        used = [dict(file.used_by()) for file in self.files]
        places = {id(file.names): index for index, file in enumerate(self.files)}
        found: list[set[str]] = [set() for _ in self.files]
        queue = [(len(self.files) - 1, entry)]
        while queue:
            index, name = queue.pop()
            brought = self.files[index].names.brought
            if name not in used[index] and name in brought:
                index = places.get(id(self.loaded[brought[name]]), index)
            if name in used[index] and name not in found[index]:
                found[index].add(name)
                queue += [(index, other) for other in used[index][name]]
        return found
