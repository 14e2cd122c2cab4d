"""Distribute mutants to workers, and collect the verdicts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import venv
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.adversarial.mutants import bash_mutators, python_mutators
from tests.adversarial.mutants.mutant import REPOSITORY, Mutant
from tests.adversarial.mutants.suite import Killers, Stage, stages

FILES = (
    *python_mutators.PROGRAM, *python_mutators.HOST, python_mutators.LIBRARY, bash_mutators.LIBRARY,
)  # fmt: skip
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".tools", ".*_cache", ".hypothesis")
# Makes `$1` the only writable directory.
READ_ONLY_ROOT = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"'


class NoNamespacesError(Exception):
    """The system does not allow the namespaces in which mutants run."""


@dataclass(frozen=True)
class Verdict:
    """A mutant's fate: "killed", "timeout", "rejected" (by the compiler) or "survived"."""

    name: str
    fate: str
    by: str
    seconds: float


def all_mutants(files: Iterable[str] = FILES) -> list[Mutant]:
    """Return every mutant of these files."""
    made: list[Mutant] = []
    for file in files:
        is_bash = file == bash_mutators.LIBRARY
        made += bash_mutators.bash_mutants() if is_bash else python_mutators.python_mutants(file)
    return made


def judge(
    mutants: Sequence[Mutant],
    jobs: int,
    killers: Killers,
    report: Callable[[Mutant, Verdict], None],
) -> list[Verdict]:
    """Judge mutants in `jobs` copies of the project. `report` is called with each verdict."""
    queue: SimpleQueue[Mutant] = SimpleQueue()
    for mutant in mutants:
        queue.put(mutant)
    verdicts: list[Verdict] = []
    failures: list[BaseException] = []
    lock = threading.Lock()

    def work(directory: Path) -> None:
        try:
            with Worker(directory) as worker:
                while not failures:
                    mutant = queue.get_nowait()
                    with lock:
                        first = killers.stages(mutant)
                    verdict = worker.judge(mutant, [*first, *stages(mutant)])
                    with lock:
                        if verdict.fate == "killed":
                            killers.add(mutant, verdict.by)
                        verdicts.append(verdict)
                        report(mutant, verdict)
        except Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failures.append(error)

    with tempfile.TemporaryDirectory(prefix="oauthkit-mutants-") as directory:
        Path(directory).chmod(0o711)  # tests start programs as other users
        threads = [
            threading.Thread(target=work, args=(Path(directory, str(number)),))
            for number in range(jobs)
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except KeyboardInterrupt as interrupt:
            failures.append(interrupt)  # each worker stops after its current mutant
            for thread in threads:
                thread.join()
    if failures:
        raise failures[0]
    return verdicts


class Worker:
    """A process that judges mutants in a copy of the project (worker.py)."""

    def __init__(self, directory: Path) -> None:
        project = directory / "project"
        shutil.copytree(REPOSITORY, project, symlinks=True, ignore=NOT_COPIED)
        (project / ".tools").symlink_to(REPOSITORY / ".tools")
        for name in ("home", "tmp"):
            (directory / name).mkdir()
        python = make_environment(project)
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        argv = [
            "unshare", *as_root, "--mount", "--net", "--ipc", "sh", "-c", READ_ONLY_ROOT, "sh",
            str(directory), str(python), "-m", "tests.adversarial.mutants.worker", str(project),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            argv,
            cwd=project,
            env={
                "HOME": str(directory / "home"),
                "TMPDIR": str(directory / "tmp"),
                "LANG": "C.UTF-8",
                "PATH": f"{python.parent}:{os.environ.get('PATH', os.defpath)}",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the main process handles Ctrl-C
        )
        if self._process.stdout.readline() != "ready\n":  # type: ignore[union-attr]
            raise NoNamespacesError(self._process.communicate()[1].strip())

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def judge(self, mutant: Mutant, tests: list[Stage]) -> Verdict:
        """Return the verdict of these tests on a mutant."""
        request = {"file": mutant.file, "source": mutant.source, "stages": tests}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker exited at {mutant.diff}\n{self._process.communicate()}")
        return Verdict(mutant.name, **json.loads(answer))


def make_environment(project: Path) -> Path:
    """Create a .venv that imports oauthkit from a copy of the project. Return its interpreter.

    All other packages and their programs come from this process's environment.
    """
    directory = project / ".venv"
    venv.create(directory, symlinks=True)
    packages = sysconfig.get_path("purelib")
    variables = {"base": str(directory), "platbase": str(directory)}
    own = Path(sysconfig.get_path("purelib", vars=variables))
    (own / "project.pth").write_text(f"{project / 'py'}\n{packages}\n", "utf-8")
    for program in Path(sys.executable).parent.iterdir():
        with_same_name = directory / "bin" / program.name
        if not with_same_name.exists():
            with_same_name.symlink_to(program)
    return directory / "bin" / "python"


def totals(verdicts: Sequence[Verdict], listed: int) -> str:
    """Return the score in one line."""
    fates = Counter(verdict.fate for verdict in verdicts)
    killed = fates["killed"] + fates["timeout"]
    seconds = sum(verdict.seconds for verdict in verdicts) / max(1, len(verdicts))
    return (
        f"{len(verdicts) + listed} mutants: {killed} killed ({fates['timeout']} of them by a time"
        f" limit), {fates['rejected']} rejected by the compiler, {listed} listed as equivalent,"
        f" {fates['survived']} survived; {seconds:.1f} s per mutant"
    )


def as_line(verdict: Verdict) -> str:
    """Return a verdict as a line of a result file."""
    return json.dumps(asdict(verdict)) + "\n"
