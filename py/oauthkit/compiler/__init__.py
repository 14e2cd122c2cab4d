"""Compile a program in the dialect to a bash script."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oauthkit.compiler.diagnostics.report import CompileError
    from oauthkit.compiler.driver import compile_text, load_standard_library
    from oauthkit.compiler.runtime_library import (
        RuntimeLibrary,
        RuntimeLibraryError,
        load_library,
    )

# The module that defines each name. Modules are loaded on first use, because importing one of the
# compiler's stages also imports this package.
_HOMES = {
    "CompileError": "diagnostics.report",
    "RuntimeLibrary": "runtime_library",
    "RuntimeLibraryError": "runtime_library",
    "compile_text": "driver",
    "load_library": "runtime_library",
    "load_standard_library": "driver",
}

__all__ = [
    "CompileError",
    "RuntimeLibrary",
    "RuntimeLibraryError",
    "compile_text",
    "load_library",
    "load_standard_library",
]

if not TYPE_CHECKING:  # otherwise, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
