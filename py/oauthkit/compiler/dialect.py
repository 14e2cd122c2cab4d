"""The names that the compiler knows by itself: each means one thing in every program."""

from __future__ import annotations

# What a vocabulary module may define for Python alone.
PRIMITIVES = ("program", "CAPTURE", "RETCODE", "TF", "Status")
# What may be imported besides the vocabulary.
IMPORTS = {
    "__future__": {"annotations"},
    "plumbum": {"local", "LocalPath"},
    "plumbum.commands": {"ERROUT", "BaseCommand"},
}
MODULES = {"os", "sys"}
BUILTINS = {"bool", "int", "print", "str", "tuple"}
KNOWN = frozenset().union(PRIMITIVES, MODULES, BUILTINS, *IMPORTS.values())


def is_known(name: str) -> bool:
    """Whether the compiler, or Python itself, as with __name__, gives this name its meaning."""
    return name in KNOWN or (name.startswith("__") and name.endswith("__"))
