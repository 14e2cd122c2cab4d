"""Fuzz both forms: draw worlds, compare, shrink the first difference, and report."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import seed as with_seed
from tests.adversarial.fuzz.case import Case
from tests.adversarial.fuzz.kinds import kind_of, timer_of
from tests.adversarial.fuzz.runner import Runner
from tests.adversarial.fuzz.strategies import cases
from tests.support.search_settings import search_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import SpawnProcess
    from multiprocessing.queues import Queue

# Worlds per hypothesis search. A longer search draws more and more duplicates.
BATCH = 250
REPORT_EVERY_S = 10.0
COLD_SAMPLE = 20
DEFAULT_MINUTES = 1.0
USAGE = """\
Draws random worlds (credentials, .env, log, environment, programs that fail, the time) and runs the
bash form and the Python form in each. The first difference is shrunk, saved and shown. The same
seed draws the same worlds, regardless of the number of workers. Exit status: 0 if there was no
difference, 1 if there was one or a worker crashed, 2 for a usage error, 130 if interrupted."""


@dataclass
class Tally:
    """Counts of worlds by kind, and the time that each form took, in seconds."""

    worlds: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    timers: Counter[str] = field(default_factory=Counter)
    bash_s: float = 0.0
    python_s: float = 0.0

    def add(self, other: Tally) -> None:
        """Add the counts of another tally."""
        self.worlds += other.worlds
        self.kinds += other.kinds
        self.timers += other.timers
        self.bash_s += other.bash_s
        self.python_s += other.python_s


@dataclass(frozen=True)
class Found:
    """A case in which the forms differ, and its report."""

    case: Case
    report: str


class DifferenceError(AssertionError):
    """The forms differ."""


def compare_once(runner: Runner, case: Case, tally: Tally) -> str:
    """Run one world in both forms. Return how they differ, or ""."""
    start_s = time.perf_counter()
    bash = runner.run_bash(case)
    between_s = time.perf_counter()
    python = runner.run_python(case)
    tally.bash_s += between_s - start_s
    tally.python_s += time.perf_counter() - between_s
    tally.worlds += 1
    tally.kinds[kind_of(bash)] += 1
    tally.timers[timer_of(bash)] += 1
    return runner.compared(case, bash, python)


def search(
    runner: Runner,
    seed: int,
    count: int,
    tally: Tally,
    is_over: Callable[[], bool] = lambda: False,
    *,
    shrink: bool = True,
) -> Found | None:
    """Compare up to `count` worlds drawn with `seed`. Return the first difference, shrunk, or None.

    Stop early if `is_over` returns True. Runs during shrinking are not counted.
    """
    last: list[Found] = []

    @with_seed(seed)
    @search_settings(count, shrink=shrink)
    @given(cases())
    def forms_do_not_differ(case: Case) -> None:
        if is_over() and not last:
            return
        message = compare_once(runner, case, Tally() if last else tally)
        if message:
            last[:] = [Found(case, message)]
            raise DifferenceError(message)

    try:
        forms_do_not_differ()
    except DifferenceError:
        return last[0]
    except BaseException as error:
        if last:  # not reproducible: still a difference, but it cannot be shrunk
            return Found(last[0].case, f"{last[0].report}\n\nnot reproducible: {error!r}")
        raise
    return None


def new_seed() -> int:
    """Return OAUTHKIT_TEST_SEED, or a random number, and print how to repeat the run."""
    seed = int(os.environ.get("OAUTHKIT_TEST_SEED") or secrets.randbelow(2**32))
    print(f"to repeat this run, set OAUTHKIT_TEST_SEED={seed}")
    return seed


def seed_of(seed: int, batch: int) -> int:
    """Return a batch's seed."""
    return seed * 1_000_003 + batch


# --- Workers ---


def work(
    results: Queue[tuple[Tally, Found | None]],
    directory: Path,
    seed: int,
    share: tuple[int, int],
    limits: tuple[int, float],
) -> None:
    """Search this worker's share of the batches, and send the result of each."""
    worker, workers = share
    worlds, end_s = limits

    def is_over() -> bool:
        return time.time() > end_s

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops it
    directory.mkdir()
    with Runner(directory) as runner:
        for start in range(worker * BATCH, worlds, workers * BATCH):
            tally = Tally()
            count = min(BATCH, worlds - start)
            found = search(runner, seed_of(seed, start // BATCH), count, tally, is_over)
            results.put((tally, found))
            if found or is_over():
                break


def fuzz(worlds: int, minutes: float, seed: int, workers: int) -> int:
    """Run the workers and print the results. Return the exit status."""
    directory = Path(tempfile.mkdtemp(prefix="oauthkit-fuzz-", dir=memory()))
    context = multiprocessing.get_context("spawn")
    results: Queue[tuple[Tally, Found | None]] = context.Queue()
    start_s = time.time()
    limits = (worlds, start_s + minutes * 60)
    started = []
    for number in range(workers):
        process = context.Process(
            target=work,
            args=(results, directory / f"worker-{number}", seed, (number, workers), limits),
        )
        process.start()
        started.append(process)
    print(f"fuzz: seed {seed}, {workers} workers, in {directory}", flush=True)
    total = Tally()
    found = None
    is_interrupted = False
    try:
        found = _gather(results, started, total, start_s)
    except KeyboardInterrupt:
        is_interrupted = True
    for process in started:
        if found or is_interrupted:
            process.terminate()
        process.join()
    if is_interrupted:
        print(f"\ninterrupted after {total.worlds} worlds without a difference, seed {seed}")
        shutil.rmtree(directory, ignore_errors=True)
        return 130
    elapsed_s = time.time() - start_s
    has_crashed = not found and any(process.exitcode for process in started)
    print(_summary(total, seed, elapsed_s, _cold_s(directory, seed)))
    if found:
        print(_report(found, directory))
    else:
        shutil.rmtree(directory)
    return 1 if found or has_crashed else 0


def _gather(
    results: Queue[tuple[Tally, Found | None]],
    started: Sequence[SpawnProcess],
    total: Tally,
    start_s: float,
) -> Found | None:
    """Sum the workers' results until all have ended, or one has found a difference."""
    next_s = start_s + REPORT_EVERY_S
    while True:
        are_alive = any(process.is_alive() for process in started)
        try:
            tally, found = results.get(timeout=0.2)
        except queue.Empty:
            if not are_alive:
                return None
            continue
        total.add(tally)
        if found:
            return found
        now_s = time.time()
        if now_s >= next_s:
            next_s = now_s + REPORT_EVERY_S
            rate = total.worlds / (now_s - start_s)
            kinds = ", ".join(f"{kind} {count}" for kind, count in total.kinds.most_common(4))
            print(f"fuzz: {total.worlds} worlds, {rate:.1f} a second; {kinds}", flush=True)


def _cold_s(directory: Path, seed: int) -> float:
    """Return the average time that a newly started Python form takes for a world, in seconds."""
    spent_s = 0.0

    with Runner(directory) as runner:

        @with_seed(seed)
        @search_settings(COLD_SAMPLE, shrink=False)
        @given(cases())
        def run(case: Case) -> None:
            nonlocal spent_s
            start_s = time.perf_counter()
            runner.run_cold(case)
            spent_s += time.perf_counter() - start_s

        run()
    return spent_s / COLD_SAMPLE


def _summary(total: Tally, seed: int, elapsed_s: float, cold_s: float) -> str:
    lines = []
    for title, counts in (("outcomes", total.kinds), ("timers", total.timers)):
        lines.append(f"{title}:")
        lines += [f"  {count:7}  {count / max(1, total.worlds):6.1%}  {kind}"
                  for kind, count in counts.most_common()]  # fmt: skip
    rates = [total.worlds / spent_s if spent_s else 0.0
             for spent_s in (total.bash_s, total.python_s)]  # fmt: skip
    lines.append(
        f"{total.worlds} worlds in {elapsed_s:.0f} s, seed {seed}: "
        f"{total.worlds / elapsed_s:.1f} worlds a second, both forms compared\n"
        f"per worker: {rates[0]:.1f} worlds a second in the bash form, {rates[1]:.1f} in the "
        f"Python form, {1 / cold_s:.1f} if Python is started for each world"
    )
    return "\n".join(lines)


def _report(found: Found, directory: Path) -> str:
    file = directory / "difference.json"
    file.write_text(found.case.to_json(), encoding="ascii")
    return (
        f"\nThe forms differ:\n\n{printable(found.report)}\n\nThe world is saved in {file}\n"
        f"To reproduce it: scripts/fuzz --replay {file}"
    )


def printable(text: str) -> str:
    """Replace lone surrogates, which cannot be printed."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def memory() -> str | None:
    """Return a directory in memory, or None."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def replay(file: Path) -> int:
    """Run a saved world again, and print how the forms differ. Return the exit status."""
    try:
        case = Case.from_json(file.read_text("ascii"))
    except (OSError, ValueError, TypeError) as error:
        print(f"scripts/fuzz: {file} is not a saved world: {error}", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="oauthkit-fuzz-", dir=memory()))
    with Runner(directory) as runner:
        message = runner.difference(case)
    if message:
        print(printable(message))
        return 1
    shutil.rmtree(directory)
    print("The forms do not differ.")
    return 0


def positive(text: str) -> int:
    """Parse a number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(arguments: Sequence[str]) -> int:
    """Run scripts/fuzz. Return its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=USAGE)
    parser.add_argument("--minutes", type=float, metavar="N",
                        help="stop after N minutes (default: 1; with --worlds, none)")  # fmt: skip
    parser.add_argument("--worlds", type=positive, help="stop after N worlds", metavar="N")
    parser.add_argument("--seed", type=int, help="random seed (default: a new one)", metavar="S")
    parser.add_argument("--workers", type=positive, default=2, metavar="W",
                        help="number of processes (default: 2)")  # fmt: skip
    parser.add_argument("--replay", type=Path, help="run one saved world", metavar="FILE")
    given_options = parser.parse_args(arguments)
    if given_options.replay:
        return replay(given_options.replay)
    minutes, worlds = given_options.minutes, given_options.worlds
    if minutes is None:
        minutes = DEFAULT_MINUTES if worlds is None else float("inf")
    seed = secrets.randbelow(2**32) if given_options.seed is None else given_options.seed
    return fuzz(sys.maxsize if worlds is None else worlds, minutes, seed, given_options.workers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
