"""Where the modules of a program are: found as Python finds them, or refused."""

from __future__ import annotations

import ast
import sys
import tokenize
from pathlib import Path, PurePath

from oauthkit.compiler.loader.program import CircularImportError, Modules, UnfitModuleError
from oauthkit.compiler.source import Source

# Modules that Python may have taken before it looks into the folder of a program.
PYTHONS_OWN = {*sys.builtin_module_names, *sys.stdlib_module_names, "__main__"}


class UnreadableFileError(Exception):
    """Raised for a file that is no text; says which."""


def read_text(path: Path) -> str:
    """The text of a Python file, in the encoding that it names."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        what = f"{path} is neither UTF-8 nor in the encoding that it names"
        raise UnreadableFileError(f"{what}: {error}") from None


def modules_in(folder: Path, shown: PurePath, program: Path) -> Modules:
    """Finds the modules of `program` in `folder`, which is named as `shown` in messages."""

    def find(module: str) -> Source | None:
        path = folder / file_of(module)
        if not path.is_file():
            return None
        twin = path.with_suffix(".bash").name
        if path.with_name(twin).exists():
            raise UnfitModuleError(
                f"{module} is a vocabulary, for {twin} stands beside it",
                f"compile with --vocabulary {module}, or give {twin} another name",
            )
        check_place(folder, module)
        _check_packages(folder, module)
        if path.samefile(program):
            raise CircularImportError(module)
        return Source(str(shown / file_of(module)), read_text(path))

    return find


def file_of(module: str) -> str:
    """The file of a module, below the folder in which it is looked for."""
    return f"{module.replace('.', '/')}.py"


def check_place(folder: Path, module: str) -> None:
    """Raises UnfitModuleError if Python takes something else for the module of a file here."""
    first, *others = module.split(".")
    if first in PYTHONS_OWN:
        what = "folder" if others else "file"
        raise UnfitModuleError(
            f"Python has a module {first} of its own", f"give the {what} {first} another name"
        )
    if (folder / file_of(module)).with_suffix("").joinpath("__init__.py").exists():
        raise UnfitModuleError(
            f"{module} is also a package, which Python takes before {file_of(module)}",
            "give one of them another name",
        )
    for package in _packages(module):
        if (folder / file_of(package)).exists():
            raise UnfitModuleError(
                f"{package} is also a file, {file_of(package)}, and not a folder for Python",
                "give one of them another name",
            )


def _check_packages(folder: Path, module: str) -> None:
    """Raises UnfitModuleError for code that Python runs when it comes to the module."""
    for package in _packages(module):
        file = f"{package.replace('.', '/')}/__init__.py"
        if (folder / file).exists() and not _is_empty(read_text(folder / file)):
            raise UnfitModuleError(
                f"{file} has code, which Python runs and bash does not",
                "leave nothing in it but a docstring and __version__, or delete it",
            )


def _packages(module: str) -> list[str]:
    """The packages that a module is in: a and a.b for a.b.c."""
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
