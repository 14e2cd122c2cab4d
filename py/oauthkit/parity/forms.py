"""Define forms that are scripts, and the differences that they cannot avoid."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from oauthkit.parity.compare import Allowed
from oauthkit.parity.runner import Form

SHELL_VARIABLES = Allowed(
    "A shell sets these for the programs it starts; most other programs do not.",
    variables=frozenset({"_", "SHLVL", "PWD", "OLDPWD"}),
)


def script(path: str | Path, name: str = "", at: str | Path = "") -> Form:
    """Return the form of a script, started by the interpreter in its first line.

    Its default name is that of the interpreter: bash, python. Python scripts run with this Python.
    The script is started in place, or as a copy at the path `at` in the world, such as
    `~/bin/tool`. Two forms at the same path see the same `$0`.
    Raises FileNotFoundError if the file or the interpreter is missing, or ValueError if the file
    does not name an interpreter.
    """
    file = Path(path).resolve()
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        first = next(lines, "")
    words = first[2:].split() if first.startswith("#!") else []
    by_name = bool(words) and Path(words[0]).name == "env"
    if by_name:  # env, or env -S, which look up the interpreter in PATH
        words = words[2:] if words[1:2] == ["-S"] else words[1:]
    if not words:
        raise ValueError(
            f"{file}: the first line does not name an interpreter. Pass a Form instead"
        )
    program = Path(words[0]).name
    kind = re.sub(r"[0-9.]+$", "", program)
    start = [_interpreter(words[0], kind), *words[1:]]
    return Form(
        name or kind,
        lambda world: [*start, str(world.path(at) if at else file)],
        files={str(at): file} if at else {},
    )


def find_tools(*names: str) -> dict[str, Path]:
    """Return the paths of programs in PATH. Raise FileNotFoundError with the missing ones."""
    found = {name: shutil.which(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise FileNotFoundError(f"not in PATH: {', '.join(missing)}")
    return {name: Path(path) for name, path in found.items() if path is not None}


def _interpreter(word: str, kind: str) -> str:
    if kind == "python":
        return sys.executable  # the tests' packages are installed for it
    found = shutil.which(word)
    if found is None:
        raise FileNotFoundError(f"the interpreter {word} is not installed")
    return found
