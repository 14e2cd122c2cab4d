"""The whole way from a program's file to a script's file."""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .frontend import read_program
from .lowering import lower
from .printer import print_script
from .vocabulary import Vocabulary


class RejectedScriptError(Exception):
    """Raised when bash, ShellCheck or shfmt do not accept a script; says what they said."""


def compile_text(
    text: str, path: str, vocabulary: Vocabulary, command: str = "oauthkit compile"
) -> str:
    """The bash script for the program `text`; `path` names it in messages and in the script.

    The script's head says that `command` makes it anew. The same text gives the same script, byte
    for byte. Raises CompileError.
    """
    return print_script(lower(read_program(text, path, vocabulary), vocabulary, path, command))


def verify(script: str) -> None:
    """Raises RejectedScriptError unless `bash -n`, ShellCheck and shfmt accept `script`.

    A warning is no acceptance.
    """
    complaints = []
    for argv in (
        ["bash", "-n"],
        [_linter("shellcheck"), "--shell=bash", "--norc", "-"],
        [
            _linter("shfmt"),
            "--language-dialect",
            "bash",
            "--indent",
            "2",
            "--case-indent",
            "--diff",
        ],
    ):
        result = subprocess.run(argv, input=script.encode(), capture_output=True, check=False)
        if result.returncode != 0 or result.stderr:
            said = (result.stdout + result.stderr).decode(errors="replace")
            complaints.append(f"{Path(argv[0]).name} (exit {result.returncode}):\n{said}")
    if complaints:
        raise RejectedScriptError("\n".join(complaints))


def _linter(name: str) -> str:
    """Where a linter is: beside this Python or in PATH; raises RejectedScriptError without one."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RejectedScriptError(f"{name} is not installed: pip install 'oauthkit[dev]'")
    return found


def difference(old: str, new: str, path: str) -> str:
    """A unified diff from what is in the file to what should be, empty if they are the same."""
    return "".join(
        difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            f"{path} (as it is)",
            f"{path} (as generated)",
        )
    )


def replace(path: Path, text: str) -> None:
    """Makes `text` the content of the executable script `path` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        temporary.chmod(0o755)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
