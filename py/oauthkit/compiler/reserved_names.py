"""Names that the dialect defines. Programs cannot redefine them."""

from __future__ import annotations

import re

# Names that the standard runtime library defines only for Python. The compiler translates them.
PRIMITIVES = ("program", "CAPTURE", "FG", "RETCODE", "TF", "Status")
# The names that a program may import besides runtime libraries and its own files.
IMPORTS = {
    "__future__": {"annotations"},
    "plumbum": {"local", "LocalPath"},
    "plumbum.commands": {"ERROUT", "BaseCommand"},
}
MODULES = {"os", "sys"}
BUILTINS = {"bool", "int", "len", "print", "range", "sorted", "str", "tuple"}
NAMES = frozenset().union(PRIMITIVES, MODULES, BUILTINS, *IMPORTS.values())
# A default in ${NAME:-default} that needs no quotes. The dialect allows no other default there,
# because each version of bash reads quotes inside double quotes inside ${} differently.
PLAIN_DEFAULT = re.compile(r"[A-Za-z0-9_./:@%+,= -]*")


def is_defined_by_dialect(name: str) -> bool:
    """Return whether the dialect or Python itself defines this name, for example __name__."""
    return name in NAMES or (name.startswith("__") and name.endswith("__"))


def is_foreign_module(module: str) -> bool:
    """Return whether a module belongs to plumbum or Python. Its files are not loaded."""
    return module in IMPORTS or module.split(".", maxsplit=1)[0] in ("plumbum", *MODULES)
