"""The ordinary tests as judges of a mutant that no world told from the original."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.mutant import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mutants.mutant import Mutant

BATS = ".tools/npm/node_modules/bats/bin/bats"
# Which test killed a mutant the last time; see scripts/mutate --learn.
KILLERS = Path(__file__).with_name("killers.json")
# A mutant may have a test loop for ever: for a whole part of the suite, and for certain tests.
LIMIT_S = 900
FEW_LIMIT_S = 180
# What is left out, and why. Everything else of the folders below is run.
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
FOLDERS = {
    "bash": ("tests/inprocess/test_twins.py", "tests/bats", "tests/parity", "tests/load"),
    "python": ("tests/inprocess", "tests/parity", "tests/load"),
}
# Words in the names of the test files to begin with, by the function that was changed.
FIRST = (
    (r"read_credentials|live_token|parse_int|is_b64token", "credentials"),
    (
        r"renew|is_live|outlasts|run_within|log_.*output.*|mask_secrets|find_program",
        "renewal renew",
    ),
    (r"run_limited|outlive_signals|_end_command|_signal_group|_spawn", "signals renewal words"),
    (r"with_token|follow|replace|deliver|own_temporary|(read|write)_file", "dotenv"),
    (r"is_delivered", "ensure"),
    (r"timer_with_settings|next_run_ms|arm|own_command|timestamp", "timer"),
    (r"mark|tell", "hooks"),
    (r"begin|take_lock|open_log|log|file_size", "lock"),
    (r"|isolate|start|script_path|main|refresh|absolute|complain", "settings shell"),
    (r"_.*", "commands words"),
)


def identity_key(mutant: Mutant) -> str:
    """What killers.json knows a mutant by."""
    return "\t".join(map(str, mutant.identity))


def killer(mutant: Mutant) -> list[str]:
    """The test that is known to kill a mutant, as a list of one, or of none."""
    killers = json.loads(KILLERS.read_text("utf-8")) if KILLERS.exists() else {}
    known = killers.get(identity_key(mutant))
    return [known] if known else []


def run(mutant: Mutant, folder: Path, tests: Sequence[str] = ()) -> tuple[str, str]:
    """The first failure with the files as they stand, and its test; or two "".

    Of `tests`, or of the whole suite: a file, or FILE::NAME, in which NAME is a regular expression
    if the file is one of bats. `folder` is a place for what the tests write.
    """
    limit_s = FEW_LIMIT_S if tests else LIMIT_S
    for part in [[test] for test in tests] or _parts(mutant):
        judge = _bats if ".bats" in part[0] else _pytest
        why, test = judge(part, folder, limit_s)
        if why:
            return why, part[0] if tests else test
    return "", ""


def _parts(mutant: Mutant) -> Iterator[list[str]]:
    """What to run, one after the other: the likely files first, then all."""
    scope = mutant.scope.rpartition(".")[2]
    words = next((words.split() for pattern, words in FIRST if re.fullmatch(pattern, scope)), [])
    every = [*_files(mutant.form)]
    likely = [file for file in every if any(word in file for word in words)]
    slow = [file for file in every if "/axes/" in file]
    rest = [file for file in every if file not in likely and file not in slow]
    for group in (likely, rest, slow):
        for suffix in (".bats", ".py"):
            files = [file for file in group if file.endswith(suffix)]
            if files:
                yield files


def _files(form: str) -> Iterator[str]:
    for folder in FOLDERS[form]:
        found = [REPOSITORY / folder]
        if not folder.endswith(".py"):
            found = sorted((REPOSITORY / folder).rglob("*"))
        for path in found:
            name = str(path.relative_to(REPOSITORY))
            is_left_out = any(fnmatch.fnmatch(name, pattern) for pattern in LEFT_OUT)
            if (fnmatch.fnmatch(path.name, "test_*.py") or path.suffix == ".bats") and (
                not is_left_out
            ):
                yield name


def _pytest(names: list[str], folder: Path, limit_s: int) -> tuple[str, str]:
    argv = [
        sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p",
        "no:cacheprovider", f"--basetemp={folder}/pytest", *names,
    ]  # fmt: skip
    try:
        done = _run(argv, folder, limit_s)
    finally:
        shutil.rmtree(folder / "pytest", ignore_errors=True)
    if done is None:
        return "hangs: pytest did not end", names[0]
    if done.returncode in {0, 4, 5}:
        return "", ""  # 4 and 5: a known killer is no more
    found = re.search(r"(?m)^(?:FAILED|ERROR) (.*)$", done.stdout)
    name, _, why = (found[1] if found else done.stdout[-300:]).partition(" - ")
    return f"failed: {why[:200]}", name


def _bats(names: list[str], folder: Path, limit_s: int) -> tuple[str, str]:
    file, _, pattern = names[0].partition("::")
    chosen = ["--filter", pattern, file] if pattern else names
    done = _run([str(REPOSITORY / BATS), "--abort", *chosen], folder, limit_s)
    if done is None:
        return "hangs: bats did not end", names[0]
    if done.returncode == 0:
        return "", ""
    found = re.search(r"(?m)^not ok \d+ (.*)$", done.stdout)
    where = re.search(r"in test file (\S+\.bats)", done.stdout)
    return f"failed: {found[1] if found else done.stdout[-300:]}", where[1] if where else names[0]


def _run(argv: list[str], folder: Path, limit_s: int) -> subprocess.CompletedProcess[str] | None:
    """What a judge did; None if it was ended after so many seconds, with all that it started."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    env = {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "LANG": "C.UTF-8",
        "OAUTHKIT_TEST_LIMIT_S": "20",  # of a test that has a limit, and takes a second
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "tmp" / "hypothesis"),
    }
    said, has_failed = "", False
    with subprocess.Popen(
        argv, cwd=REPOSITORY, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        limit = threading.Timer(limit_s, os.killpg, [process.pid, signal.SIGKILL])
        limit.start()
        for line in process.stdout:
            said += line
            has_failed = has_failed or line.startswith("# (in test file ")
            if has_failed:  # its test has ended; bats with a time limit for it waits for that
                os.killpg(process.pid, signal.SIGKILL)
                break
        is_late = not limit.is_alive()
        limit.cancel()
    if is_late:
        return None
    return subprocess.CompletedProcess(argv, 1 if has_failed else process.returncode, said)
