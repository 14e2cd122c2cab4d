"""Runs pytest on a folder as a user of the kit does: in a process of its own."""

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
class Pytest:
    """How a run of pytest ended, and what it printed."""

    status: int
    output: str


def run_pytest(
    folder: Path, *arguments: str, python: str = sys.executable, autoload: bool = False
) -> Pytest:
    """Runs pytest in `folder`, where nothing but its files tells it what to do.

    Unless `autoload`, without other plugins than that of the kit and xdist: they take their time.
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
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=folder, check=False, timeout=300, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={
            "HOME": str(home), "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(home), "COLUMNS": "100",
        },
    )  # fmt: skip
    return Pytest(done.returncode, done.stdout)


def write_forms(folder: Path) -> None:
    """Writes a program in two forms, form.sh and form.py: each calls `tool` and writes a file."""
    for name, text in (("form.sh", BASH_FORM), ("form.py", PYTHON_FORM)):
        (folder / name).write_text(text)
