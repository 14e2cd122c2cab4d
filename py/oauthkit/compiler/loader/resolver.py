"""Find the modules that a program imports from, as Python finds them."""

from __future__ import annotations

import ast
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path, PurePath

from oauthkit.compiler.runtime_library import RuntimeLibrary, load_library
from oauthkit.compiler.source import Source

# Returns the source of one of the program's modules, the runtime library of this name, or None. It
# may raise UnusableModuleError or RuntimeLibraryError.
Resolver = Callable[[str], "Source | RuntimeLibrary | None"]
# Modules that Python may find before it searches the program's directory.
PYTHON_MODULES = {*sys.builtin_module_names, *sys.stdlib_module_names, "__main__"}


class UnusableModuleError(Exception):
    """Raised for a module that cannot be imported from. `message` and `help` are for a report."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help


class CircularImportError(UnusableModuleError):
    """Raised for a module that imports from the file that is being loaded."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"{module} also imports from this file",
            "move the functions that both need into a separate file",
        )


class UnreadableFileError(Exception):
    """Raised for a file that is not text, or has the name of a Python module. The text names it."""


def read_text(path: Path) -> str:
    """Return the text of a Python file, in the encoding that it declares."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        what = f"{path} is neither UTF-8 nor in the encoding that it declares"
        raise UnreadableFileError(f"{what}: {error}") from None


def resolver(directory: Path, shown: PurePath, program: Path) -> Resolver:
    """Return a resolver for the modules of `program` in `directory`, called `shown` in messages.

    A module with a .bash file beside it is a runtime library. These are also found in sys.path.
    """

    def find(module: str) -> Source | RuntimeLibrary | None:
        path = directory / file_of(module)
        if not path.is_file():
            return _installed_library(module)
        check_place(directory, module)
        if path.with_suffix(".bash").exists():
            return load_library(path, module)
        _check_packages(directory, module)
        if path.samefile(program):
            raise CircularImportError(module)
        return Source(str(shown / file_of(module)), read_text(path))

    return find


def _installed_library(module: str) -> RuntimeLibrary | None:
    # Without importlib, which runs the packages that contain a module.
    for place in map(Path, sys.path):
        path = place / file_of(module)
        if path.is_file():
            return load_library(path, module) if path.with_suffix(".bash").is_file() else None
    return None


def file_of(module: str) -> str:
    """Return the path of a module, relative to the directory in which Python finds it."""
    return f"{module.replace('.', '/')}.py"


def check_place(directory: Path, module: str) -> None:
    """Raise UnusableModuleError if Python would not import the module from its file."""
    first, *others = module.split(".")
    if first in PYTHON_MODULES:
        what = "directory" if others else "file"
        raise UnusableModuleError(
            f"Python has its own module {first}", f"rename the {what} {first}"
        )
    if (directory / file_of(module)).with_suffix("").joinpath("__init__.py").exists():
        raise UnusableModuleError(
            f"{module} is also a package, which Python imports instead of {file_of(module)}",
            "rename one of them",
        )
    for package in _packages(module):
        if (directory / file_of(package)).exists():
            raise UnusableModuleError(
                f"{package} is also a file, {file_of(package)}, which Python imports instead of the"
                " directory",
                "rename one of them",
            )


def _check_packages(directory: Path, module: str) -> None:
    """Raise UnusableModuleError if importing the module runs code of a package."""
    for package in _packages(module):
        file = f"{package.replace('.', '/')}/__init__.py"
        if (directory / file).exists() and not _is_empty(read_text(directory / file)):
            raise UnusableModuleError(
                f"{file} has code, which Python runs and bash does not",
                "leave only a docstring and __version__ in it, or delete it",
            )


def _packages(module: str) -> list[str]:
    """Return the packages that a module is in: a and a.b for a.b.c."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_empty(text: str) -> bool:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in body:
        match node:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant()):
                pass
            case _:
                return False
    return True
