"""Each example's script is up to date with the command in its README."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from oauthkit.compiler.lint import verify

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = "    VENV/bin/oauthkit compile "
COMMANDS = [
    (readme.parent.name, line.removeprefix(COMMAND))
    for readme in sorted(EXAMPLES.glob("*/README.md"))
    for line in readme.read_text(encoding="utf-8").splitlines()
    if line.startswith(COMMAND)
]


def test_each_dialect_program_has_a_compile_command() -> None:
    programs = {
        path.parent.name
        for path in EXAMPLES.glob("*/*.py")
        if "\nfrom oauthkit.shell import " in path.read_text(encoding="utf-8")
    }
    assert sorted(programs) == [directory for directory, _ in COMMANDS]
    assert programs


@pytest.mark.parametrize(("directory", "arguments"), COMMANDS)
def test_script_is_up_to_date(directory: str, arguments: str) -> None:
    argv = [sys.executable, "-m", "oauthkit", "compile", *shlex.split(arguments), "--check"]
    done = subprocess.run(
        argv, cwd=EXAMPLES / directory, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("directory", "arguments"), COMMANDS)
def test_script_is_clean_and_executable(directory: str, arguments: str) -> None:
    words = shlex.split(arguments)
    script = EXAMPLES / directory / words[words.index("-o") + 1]
    verify(script.read_text(encoding="utf-8"), lints=True)  # bash -n, ShellCheck, shfmt
    assert script.stat().st_mode & 0o777 == 0o755
    assert (EXAMPLES / directory / words[0]).stat().st_mode & 0o100
