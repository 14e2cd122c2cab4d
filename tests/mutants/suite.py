"""The ordinary tests as judges of a mutant that no world told from the original."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mutants.mutant import REPOSITORY

BATS = ".tools/bats/node_modules/bats/bin/bats"
LIMIT_S = 900
# What is left out, and why. Everything else of these folders is run.
LEFT_OUT = {
    "tests/compiler": "compares the script with its source: any change shows, behaviour or not",
    "tests/conformance": "runs other programs than these",
    "tests/e2e": "takes minutes, and needs a user manager and Claude Code",
    "tests/faults": "takes minutes",
    "tests/fuzz": "the worlds of the corpus are of its making",
    "tests/parity/test_kit*.py": "runs other programs than these",
    "tests/parity/test_stand_in*.py": "runs the stand-ins alone",
    "tests/load/test_bench.py": "measures time",
}
PARTS = {
    "bash": ("tests/parity", "tests/inprocess/test_twins.py", "tests/bats", "tests/load"),
    "python": ("tests/parity", "tests/inprocess", "tests/load"),
}


def run(form: str, folder: Path) -> tuple[str, str]:
    """The first failure of the suite with the files as they stand, and its test; or two "".

    `folder` is a place for what the tests write.
    """
    for part in PARTS[form]:
        why, test = _bats(folder) if part == "tests/bats" else _pytest(part, folder)
        if why:
            return why, test
    return "", ""


def _environment(folder: Path) -> dict[str, str]:
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    return {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "tmp" / "hypothesis"),
    }


def _pytest(part: str, folder: Path) -> tuple[str, str]:
    ignored = [f"--ignore-glob={REPOSITORY}/{place}" for place in LEFT_OUT]
    argv = [
        sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p",
        "no:cacheprovider", f"--basetemp={folder}/pytest", *ignored, f"{REPOSITORY}/{part}",
    ]  # fmt: skip
    try:
        done = _run(argv, folder)
    finally:
        shutil.rmtree(folder / "pytest", ignore_errors=True)
    if done is None:
        return "hangs: pytest did not end", part
    found = re.search(r"(?m)^(?:FAILED|ERROR) (.*)$", done.stdout)
    if done.returncode == 0:
        return "", ""
    name, _, why = (found[1] if found else done.stdout[-300:]).partition(" - ")
    return f"failed: {why[:200]}", name


def _bats(folder: Path) -> tuple[str, str]:
    done = _run([str(REPOSITORY / BATS), "--abort", f"{REPOSITORY}/tests/bats"], folder)
    if done is None:
        return "hangs: bats did not end", "tests/bats"
    found = re.search(r"(?m)^not ok \d+ (.*)$", done.stdout)
    return ("", "") if done.returncode == 0 else ("failed", found[1] if found else "tests/bats")


def _run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            argv, cwd=REPOSITORY, env=_environment(folder), capture_output=True, text=True,
            errors="replace", check=False, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
