"""Load all files of a program: the file of its entry, and those that it imports from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from oauthkit.compiler.diagnostics.report import CompileError, Diagnostic
from oauthkit.compiler.loader.parser import parse
from oauthkit.compiler.loader.resolver import CircularImportError, Resolver, UnusableModuleError
from oauthkit.compiler.reserved_names import is_foreign_module
from oauthkit.compiler.runtime_library import RuntimeLibrary
from oauthkit.compiler.source import Source

# The maximum length of a chain of imports, because files are loaded recursively.
MAX_IMPORT_CHAIN = 50


@dataclass
class SourceFile:
    """A file of the program. `tree` is None if it is not Python.

    `module` is its name in imports, or "" for the entry's file. `imports` has each of the program's
    own modules that it imports from.
    """

    source: Source
    module: str
    tree: ast.Module | None = None
    imports: dict[str, SourceFile | UnusableModuleError] = field(default_factory=dict)


@dataclass
class LoadedProgram:
    """The files of a program. Each is after those that it imports from. The entry's is the last.

    `library` has the builtins of all runtime libraries that the program imports from.
    """

    files: list[SourceFile]
    library: RuntimeLibrary
    diagnostics: list[Diagnostic]


def load_program(source: Source, library: RuntimeLibrary, resolve: Resolver) -> LoadedProgram:
    """Load a program, each file once.

    Raises CompileError if the entry's file is not Python, or RuntimeLibraryError if a runtime
    library cannot be used.
    """
    loader = _Loader(LoadedProgram([], library, []), resolve)
    loader.load(SourceFile(source, "", parse(source)))
    return loader.program


class _Loader:
    def __init__(self, program: LoadedProgram, resolve: Resolver) -> None:
        self.program = program
        self.resolve = resolve
        self.loaded: dict[str, SourceFile | UnusableModuleError | None] = {}
        self.loading: list[str] = []  # the chain of modules whose imports are being followed

    def load(self, file: SourceFile) -> None:
        """Load the files that `file` imports from, then add it to the program."""
        assert file.tree is not None
        for module, first_name in _imports(file.tree):
            if is_foreign_module(module) or module in self.program.library.modules:
                continue
            found = self._module(module) or self._directory(module, first_name)
            if found is not None:
                file.imports[module] = found
        self.program.files.append(file)

    def _module(self, module: str) -> SourceFile | UnusableModuleError | None:
        """Return the file of a module, or None if it is not one of the program's own."""
        if module in self.loading:
            return CircularImportError(module)
        if module not in self.loaded:
            self.loaded[module] = self._load_module(module)
        return self.loaded[module]

    def _load_module(self, module: str) -> SourceFile | UnusableModuleError | None:
        try:
            found = self.resolve(module)
        except UnusableModuleError as problem:
            return problem
        if isinstance(found, RuntimeLibrary):
            self.program.library = self.program.library.extended(found)
            return None
        if found is None:
            return None
        if len(self.loading) >= MAX_IMPORT_CHAIN:
            return UnusableModuleError(
                f"{module} is the end of a chain of {len(self.loading) + 1} imports",
                "merge some of the files",
            )
        file = SourceFile(found, module)
        self.loading.append(module)
        try:
            file.tree = parse(found)
            self.load(file)
        except CompileError as error:
            self.program.diagnostics += error.diagnostics
        self.loading.pop()
        return file

    def _directory(self, module: str, name: str) -> UnusableModuleError | None:
        """Return the error for `from directory import module`, or None for other imports."""
        if module in self.program.library.modules:
            return None
        whole = f"{module}.{name}"
        try:
            if self.resolve(whole) is None:
                return None
        except UnusableModuleError:
            pass
        return UnusableModuleError(
            f"{module} is a directory", f"import from the file, as in `from {whole} import …`"
        )


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the module and the first name of each `from module import name`."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module, node.names[0].name
