"""Two small equivalent programs for the kit's tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from oauthkit.parity import Allowed, Form, Pair, Run

VARIABLES = Allowed("set by a shell alone", variables=frozenset({"_", "SHLVL", "PWD", "OLDPWD"}))

BASH = """
printf 'out\\n'
printf 'err\\n' >&2
printf 'one\\ntwo\\n' >made
chmod 0640 made
ln -s made link
mkdir directory
tool one 'two words' </dev/null
other </dev/null
exit 3
"""

# A test inserts code at `before` or `after` to make the Python form differ.
PYTHON = """
import os, subprocess, sys
first, second = ["tool", "one", "two words"], ["other"]
options = {{"stdin": subprocess.DEVNULL}}
status = 3
{before}
sys.stdout.write("out\\n")
sys.stderr.write("err\\n")
with open("made", "w") as file:
    file.write("one\\ntwo\\n")
os.chmod("made", 0o640)
os.symlink("made", "link")
os.mkdir("directory", 0o755)
for argv in (first, second):
    if argv:
        subprocess.run(argv, **options)
{after}
sys.exit(status)
"""


def find(name: str) -> Path:
    """Return the path of a program that every system has."""
    path = shutil.which(name)
    assert path is not None, f"{name} is not installed"
    return Path(path)


def bash_form(program: str, name: str = "bash") -> Form:
    """Return a form that runs this text with bash."""
    return Form(name, lambda _world: [str(find("bash")), "-c", program, "form"])


def python_form(program: str, name: str = "python") -> Form:
    """Return a form that runs this text with Python."""
    return Form(name, lambda _world: [sys.executable, "-c", program])


def twins(directory: Path, before: str = "", after: str = "") -> Pair[Run]:
    """Return the two programs with the stand-ins that they call, each planned once."""
    forms = (bash_form(BASH), python_form(PYTHON.format(before=before, after=after)))
    pair: Pair[Run] = Pair(directory, forms, tools("chmod", "ln", "mkdir"), [VARIABLES])
    pair.file("given", "as it was\n")
    pair.stand_in("tool").exits(0)
    pair.stand_in("other").exits(0)
    return pair


def scripts(directory: Path, bash: str, python: str | None = None) -> Pair[Run]:
    """Compare a bash script with its Python twin, or with itself."""
    other = bash_form(bash, "bash-again") if python is None else python_form(python)
    names = ("cat", "chmod", "flock", "mkdir", "setsid", "sleep", "timeout")
    return Pair(directory, (bash_form(bash), other), tools(*names), [VARIABLES])


def tools(*names: str) -> dict[str, Path]:
    """Return the paths of real programs by name."""
    return {name: find(name) for name in names}


def report_of(pair: Pair[Run]) -> str:
    """Return the report of a run that must fail."""
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    return str(failure.value)
