"""The names that the compiler knows by itself: each means one thing in every program."""

from __future__ import annotations

import re

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
# The text of a default in ${NAME:-default} that needs no quotes. Quotes inside double quotes inside
# ${} are read differently by each version of bash.
PLAIN_DEFAULT = re.compile(r"[A-Za-z0-9_./:@%+,= -]*")
KNOWN = frozenset().union(PRIMITIVES, MODULES, BUILTINS, *IMPORTS.values())


def is_known(name: str) -> bool:
    """Whether the compiler, or Python itself, as with __name__, gives this name its meaning."""
    return name in KNOWN or (name.startswith("__") and name.endswith("__"))
