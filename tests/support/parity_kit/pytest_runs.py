"""Run pytest in a separate process, as a user of the kit does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BASH_FORM = "#!/usr/bin/env bash\ntool \"$1\" && printf 'x\\n' >>made\n"
PYTHON_FORM = """#!/usr/bin/env python3
import subprocess, sys
if subprocess.run(["tool", sys.argv[1]]).returncode == 0:
    with open("made", "a") as file:
        file.write("x\\n")
else:
    sys.exit(1)
"""


@dataclass
class PytestResult:
    """The exit status and the output of a pytest run."""

    status: int
    output: str


def run_pytest(
    directory: Path, *arguments: str, python: str = sys.executable, autoload: bool = False
) -> PytestResult:
    """Run pytest in `directory`, configured only by the files there.

    Unless `autoload`, load only the kit's plugin and xdist, which is faster.
    """
    if not autoload:
        arguments = (
            "--disable-plugin-autoload",
            "-p",
            "oauthkit-parity",
            "-p",
            "xdist",
            *arguments,
        )
    home = directory / ".home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=directory, check=False, timeout=300, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={
            "HOME": str(home), "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(home), "COLUMNS": "100",
        },
    )  # fmt: skip
    return PytestResult(done.returncode, done.stdout)


def write_forms(directory: Path) -> None:
    """Write a program in two forms, form.sh and form.py. Each calls `tool` and writes a file."""
    for name, text in (("form.sh", BASH_FORM), ("form.py", PYTHON_FORM)):
        (directory / name).write_text(text)
