"""Hands mutants out to workers in closed rooms, and collects what became of each."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

from tests.mutants import closed, equivalent
from tests.mutants.bash_mutators import bash_mutants
from tests.mutants.mutant import REPOSITORY, Mutant
from tests.mutants.python_mutators import python_mutants
from tests.mutants.worker import INVALID, Verdict

# A mutant that hangs in world after world, and then in the suite.
LIMIT_S = 2400


@dataclass
class Score:
    """What became of the mutants that were to be judged."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    equivalent: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)  # what is no program counts as no mutant

    @property
    def survivors(self) -> list[str]:
        """The names of those that nothing told from the original."""
        return [verdict.name for verdict in self.verdicts.values() if not verdict.stage]

    def killed(self, stage: str = "") -> int:
        """How many were killed, by a certain stage or by any."""
        stages = [verdict.stage for verdict in self.verdicts.values() if verdict.stage]
        return stages.count(stage) if stage else len(stages)

    def lines(self) -> list[str]:
        """The score in words."""
        count = len(self.verdicts) + len(self.equivalent)
        worlds, suite = self.killed("worlds"), self.killed("suite")
        return [
            f"{count} mutants: {self.killed()} killed ({worlds} by a world, {suite} by a test), "
            f"{len(self.equivalent)} listed as equivalent, {len(self.survivors)} survived",
        ]


def all_mutants(forms: Sequence[str] = ("bash", "python")) -> list[Mutant]:
    """Every mutant of these forms, those included that turn out to be no valid text."""
    makers = {"bash": bash_mutants, "python": python_mutants}
    return [mutant for form in forms for mutant in makers[form]()]


def judge(
    mutants: Sequence[Mutant],
    *,
    workers: int,
    jury: str,
    tests: Mapping[str, Sequence[str]] | None = None,
    tell: Callable[[Mutant, Verdict], None] = lambda _mutant, _verdict: None,
) -> Score:
    """The score of these mutants, but for those listed as equivalent, which are only counted.

    Those that `tests` has names of tests for are judged by these alone, all others by `jury`.
    """
    listed = equivalent.load()
    score = Score()
    queue: Queue[Mutant] = Queue()
    for mutant in mutants:
        if mutant.identity in listed:
            score.equivalent.append(mutant.name)
        else:
            queue.put(mutant)
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work(folder: Path) -> None:
        worker = Worker(folder)
        try:
            while not failures:
                mutant = queue.get_nowait()
                verdict = worker.judge(mutant, jury, (tests or {}).get(mutant.name, ()))
                with lock:
                    if verdict.stage == INVALID:
                        score.invalid.append(mutant.name)
                    else:
                        score.verdicts[mutant.name] = verdict
                    tell(mutant, verdict)
        except Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where it can be seen
            failures.append(error)
        finally:
            worker.close()

    with tempfile.TemporaryDirectory(prefix="oauthkit-mutants-") as folder:
        threads = [threading.Thread(target=work, args=(Path(folder),)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        _wait(threads, failures)
    if failures:
        raise failures[0]
    return score


def _wait(threads: Sequence[threading.Thread], failures: list[BaseException]) -> None:
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt as interrupt:
        failures.append(interrupt)  # each worker ends when it has judged its mutant
        for thread in threads:
            thread.join()


class Worker:
    """A worker in its room, started again when a mutant has brought it down."""

    def __init__(self, folder: Path) -> None:
        # All rooms have the same name: each is a mount of its own.
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def judge(self, mutant: Mutant, jury: str, tests: Sequence[str]) -> Verdict:
        """The verdict on one mutant. RuntimeError if no worker can be had at all."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps([mutant.name, jury, [*tests]]) + "\n")
            process.stdin.flush()
            is_ready = select.select([process.stdout], [], [], LIMIT_S)[0]
            line = process.stdout.readline() if is_ready else ""
        except BrokenPipeError:
            line = ""
        if line:
            return Verdict(**json.loads(line))
        self.close()
        return Verdict(mutant.name, "", "brought the harness down")  # which is no proof

    def close(self) -> None:
        """Ends the worker and all in its room."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def _start(self) -> subprocess.Popen[str]:
        argv = closed.command(closed.python("tests.mutants.worker", str(self._folder)))
        self._process = subprocess.Popen(
            argv,
            cwd=REPOSITORY,
            env={
                "HOME": str(self._folder),
                "LANG": "C.UTF-8",
                "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for whoever hands out the mutants
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("a worker did not start; what it printed says why")
        return self._process
