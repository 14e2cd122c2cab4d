"""A process that judges mutants in a copy of the project, each in namespaces of its own.

It reads requests from stdin and writes verdicts to stdout, one JSON text per line. A mutant may
signal any process and write to any path. Therefore its tests run in a new PID namespace, without a
network, and root can only write to the copy. The processes that they leave end with the namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import plumbum  # noqa: F401 - imported here once, instead of by each child
import pytest
import pytest_subprocess  # noqa: F401 - as above
import xdist.plugin  # type: ignore[import-untyped]  # noqa: F401 - as above

from oauthkit.compiler.driver import Compilation

SCRIPT = "scripts/oauth/refresh.sh"
SOURCE = "py/oauthkit/program/refresh.py"
# What is compiled into the script.
COMPILED = ("py/oauthkit/program/", "py/oauthkit/shell.bash")
BATS = ".tools/npm/node_modules/bats/bin/bats"
# A CPU time limit stops a mutant that loops, however busy the machine is. A wall time limit stops
# one that waits forever. Both count as killed, so a limit that is too short hides no other failure.
CPU_LIMIT_S = 60
WALL_LIMIT_S = 240
MEMORY_LIMIT_BYTES = 4 * 1024**3
FILE_LIMIT_BYTES = 256 * 1024**2
# This test depends on a race of two processes, so it can fail without a bug.
FLAKY = "tests/runtime_library/test_log.py::test_link_that_exists_for_a_moment_is_never_opened"
ERROR = "error: "
CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000


class Failures:
    """A pytest plugin that records the first failing test."""

    def __init__(self) -> None:
        self.first = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.first:
            self.first = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.first:
            self.first = report.nodeid


def main(project: Path) -> None:
    """Serve requests until stdin ends."""
    os.chdir(project)
    for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # a background job inherits ignored ones
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The same examples each time, so that verdicts are deterministic.
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )  # fmt: skip
    hypothesis.settings.load_profile("mutants")
    assert "oauthkit.shell" not in sys.modules, "the children must import the mutated module"
    sys.dont_write_bytecode = True
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(judge(project, **json.loads(line))), flush=True)


def judge(project: Path, file: str, source: str, stages: list[list[str]]) -> dict[str, object]:
    """Return a mutant's fate, and the test that killed it."""
    started_s = time.monotonic()
    kept = {name: (project / name).read_bytes() for name in (file, SCRIPT)}
    fate, by = "survived", ""
    try:
        _write(project, {file: source.encode("latin-1")})
        if file.startswith(COMPILED) and not is_valid(project):
            fate, stages = "rejected", []
        for stage in stages:
            fate, by = judge_stage(project, stage, kept)
            if fate != "survived":
                break
    finally:
        _write(project, kept)
    return {"fate": fate, "by": by, "seconds": round(time.monotonic() - started_s, 1)}


def judge_stage(project: Path, stage: Sequence[str], original: dict[str, bytes]) -> tuple[str, str]:
    """Return what run_stage does, without the tests that fail with the unchanged project, too.

    `original` has the files that the mutant has changed.
    """
    mutated = {name: (project / name).read_bytes() for name in original}
    broken: list[str] = []
    while True:
        fate, by = run_stage(project, [*stage, *(f"--deselect={test}" for test in broken)])
        if fate != "killed":
            return fate, by
        _write(project, original)
        is_broken = _is_broken(project, by)
        _write(project, mutated)
        if not is_broken:
            return fate, by
        if ".bats" in stage[0] or by in broken:
            return "survived", ""
        broken.append(by)


def is_valid(project: Path) -> bool:
    """Compile the mutant into the script; return whether the compiler, or bash, accepts it."""
    program = Compilation(
        project / SOURCE, SOURCE, SOURCE, "python -m oauthkit generate", project / "py"
    )
    with Path(os.devnull).open("w") as null, contextlib.redirect_stderr(null):
        try:
            status = program.run("mutant", project / SCRIPT, check=False, lints=False)
        except SyntaxError:
            return False
    return status == 0


_CONTROLS: dict[str, bool] = {}


def _is_broken(project: Path, by: str) -> bool:
    """Return whether a test fails with the unchanged project, too."""
    if by not in _CONTROLS:
        _CONTROLS[by] = run_stage(project, [by])[0] != "survived"
    return _CONTROLS[by]


def run_stage(project: Path, stage: Sequence[str]) -> tuple[str, str]:
    """Return "survived" if a stage's tests pass, else "killed" or "timeout", and the test."""
    run = _bats if ".bats" in stage[0] else _pytest
    answer = isolated(lambda: run(project, stage))
    if answer is None:
        return "timeout", stage[0]
    return ("killed", answer) if answer else ("survived", "")


def isolated(work: Callable[[], str]) -> str | None:
    """Call `work` in a new PID namespace. Return its result, or None if it reached a limit."""
    libc = ctypes.CDLL(None, use_errno=True)
    receiver, sender = os.pipe()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    if libc.unshare(CLONE_NEWPID) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    init = os.fork()
    if init == 0:
        os.close(receiver)
        _init(libc, work, sender)
    libc.setns(own, CLONE_NEWPID)
    os.close(own)
    os.close(sender)
    with os.fdopen(receiver, encoding="utf-8") as answers:
        is_ready = select.select([answers], [], [], WALL_LIMIT_S)[0]
        answer = answers.readline() if is_ready else ""
    os.kill(init, signal.SIGKILL)  # this kills all processes in the namespace
    os.waitpid(init, 0)
    if answer.startswith(ERROR):
        raise RuntimeError(answer)
    return answer.removesuffix("\n") if answer else None


def _init(libc: ctypes.CDLL, work: Callable[[], str], sender: int) -> None:
    """Be the first process of the namespace: start the work, and reap orphans."""
    try:
        os.setsid()
        libc.unshare(CLONE_NEWNS)
        subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
        worker = os.fork()
        if worker == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))
            os.set_inheritable(sender, False)
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - the judge itself has failed
                answer = f"{ERROR}{error!r}"
            os.write(sender, (answer + "\n").encode())
            os._exit(0)
        os.close(sender)
        while os.wait()[0] != worker:
            pass
    finally:
        os._exit(0)


def _pytest(project: Path, stage: Sequence[str]) -> str:
    failures = Failures()
    status = pytest.main(
        ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--assert=plain", "--tb=no",
         f"--deselect={FLAKY}",
         f"--basetemp={project.parent}/pytest", *stage],
        plugins=[failures],
    )  # fmt: skip
    if status in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return ""
    return failures.first or stage[0]


def _bats(project: Path, stage: Sequence[str]) -> str:
    file, _, name = stage[0].partition("::")
    chosen = ["--filter", f"^{re.escape(name)}$"] if name else []
    environment = {
        name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}
    }
    done = subprocess.run(
        [project / BATS, "--abort", *chosen, file], env={**environment, "LANG": "C.UTF-8"},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return ""
    found = re.search(r"(?m)^not ok \d+ (.*)$", done.stdout)
    return f"{file}::{found[1]}" if found else file


_MTIMES_S = itertools.count(1)


def _write(project: Path, texts: dict[str, bytes]) -> None:
    """Write files, each with a new modification time, so that Python does not use old bytecode."""
    for name, text in texts.items():
        (project / name).write_bytes(text)
        time_s = next(_MTIMES_S)
        os.utime(project / name, (time_s, time_s))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
