"""Run a program in the dialect in CPython and, compiled, in bash."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.forked import run as run_forked

import oauthkit
from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.runtime_library import RuntimeLibrary, load_library

PACKAGE = Path(oauthkit.__file__).parent
IMPORTS = (
    "CAPTURE, FG, RETCODE, TF, Status, absolute, change_directory, create_file, find_program, "
    "get_env, is_b64token, log, mask_secrets, now_ms, own_temporary, parse_int, program, "
    "read_file, read_line, run_limited, same_file, script_path, set_env, take_lock, timestamp, "
    "user_id, write_file"
)
STDIN = b"first line\nsecond line\n"
HEAD = f'''"""A program."""

from __future__ import annotations

import os
import sys

from plumbum import LocalPath, local
from plumbum.commands import ERROUT, BaseCommand

from oauthkit.shell import {IMPORTS}

cat = program("cat")
false = program("false")
missing = program("no-such-program")
printf = program("printf")
sh = program("sh")
testing = program("test")
true = program("true")
wc = program("wc")
'''
TAIL = """

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
"""


@cache
def library() -> RuntimeLibrary:
    """Return the runtime library that oauthkit ships."""
    return load_library(PACKAGE / "shell.py", "oauthkit.shell")


def program(body: str, functions: str = "") -> str:
    """Return a whole program whose main has this body. `functions` precede main."""
    lines = "\n".join(f"    {line}" if line else "" for line in body.strip("\n").splitlines())
    main = f"def main(*arguments: str) -> Status:\n{lines}\n    return 0\n"
    return f"{HEAD}\n\n{functions}\n\n{main}{TAIL}"


@dataclass(frozen=True)
class Outcome:
    """The results of a run: its output, its exit status, and the files in its directory."""

    stdout: bytes
    stderr: bytes
    status: int
    files: dict[str, tuple[int, bytes]]


def run_both(
    tmp_path: Path, text: str, arguments: tuple[str, ...] = (), bash: str = "bash"
) -> tuple[Outcome, Outcome]:
    """Return the outcomes of the program `text` in CPython and in bash."""
    python, (found,) = run_all(tmp_path, text, arguments, [bash])
    return python, found


def run_all(
    tmp_path: Path,
    text: str,
    arguments: tuple[str, ...],
    bashes: Iterable[str],
    variables: Mapping[str, str] | None = None,
    stdin: bytes = STDIN,
) -> tuple[Outcome, list[Outcome]]:
    """Return the outcome of the program `text` in CPython, and its outcome in each of `bashes`.

    All run with `variables` in their environment, and with `stdin` as their input.
    """
    (tmp_path / "program.py").write_text(text, encoding="utf-8")
    compiled = compile_text(text, "program.py", library())
    (tmp_path / "program.sh").write_text(compiled, encoding="utf-8")
    argv = [sys.executable, str(tmp_path / "program.py"), *arguments]
    python = _run(tmp_path, argv, variables, stdin)
    script = str(tmp_path / "program.sh")
    found = [_run(tmp_path, [bash, script, *arguments], variables, stdin) for bash in bashes]
    return python, found


def run_python(tmp_path: Path, text: str, arguments: tuple[str, ...] = ()) -> Outcome:
    """Return the outcome of the program `text` in CPython. It need not be in the dialect."""
    (tmp_path / "program.py").write_text(text, encoding="utf-8")
    return _run(tmp_path, [sys.executable, str(tmp_path / "program.py"), *arguments], None, STDIN)


def _run(
    tmp_path: Path, argv: list[str], variables: Mapping[str, str] | None, stdin: bytes
) -> Outcome:
    # All run in the same directory, one after another, so that paths in the output are the same.
    directory = tmp_path / "here"
    directory.mkdir()
    environment = {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "GREETING": "good day",
        "EMPTY": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        **(variables or {}),
    }
    result = run_forked(argv, directory, environment, stdin)
    files = {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
    directory.rename(tmp_path / f"after-{len([*tmp_path.iterdir()])}")
    return Outcome(result.stdout, result.stderr, result.returncode, files)
