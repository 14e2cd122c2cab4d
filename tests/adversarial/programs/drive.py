"""Draw programs, compare, shrink the first difference, and report."""

from __future__ import annotations

import argparse
import itertools
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import seed as with_seed
from tests.adversarial.fuzz.drive import memory, positive, printable, seed_of
from tests.adversarial.programs.programs import Case, cases
from tests.adversarial.programs.runner import Runner
from tests.support.search_settings import search_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Programs per hypothesis search. A longer search draws more and more duplicates.
BATCH = 500
REPORT_EVERY_S = 10.0
SHRINK_S = 90.0
USAGE = """\
Draws random programs in the dialect and runs each in CPython and, compiled, in bash. The first
difference is shrunk, saved and shown. The same seed draws the same programs. Exit status: 0 if
there was no difference, 1 if there was one, 2 for a usage error."""


@dataclass(frozen=True)
class Found:
    """A program whose results differ, and a description of the difference."""

    case: Case
    message: str


class DifferenceError(AssertionError):
    """The results in CPython and bash differ."""


class StopSearchError(KeyboardInterrupt):
    """Stops a search or the shrinking. Hypothesis would catch an Exception and continue."""


def search(
    runner: Runner,
    seed: int,
    count: int,
    ran: Callable[[Case], bool] = lambda _: True,
    seen: set[Case] | None = None,
) -> Found | None:
    """Draw `count` programs with `seed` and compare their results. Return the shrunk difference.

    Nearly half of hypothesis' draws are duplicates. Programs in `seen` are not run again, and new
    ones are added to it. `ran` is called with each program that was run before shrinking, and
    returns whether to continue.
    """
    seen = set() if seen is None else seen
    found: list[Found] = []  # the shortest is the last
    end_s = float("inf")  # of shrinking

    @with_seed(seed)
    @search_settings(count)
    @given(cases())
    def compare_case(case: Case) -> None:
        nonlocal end_s
        if case in seen and not found:
            return
        seen.add(case)
        if time.monotonic() > end_s:
            raise StopSearchError
        message = runner.differs(case)
        if message:
            end_s = min(end_s, time.monotonic() + SHRINK_S)
            if not found or len(case.text) <= len(found[-1].case.text):
                found.append(Found(case, message))
            raise DifferenceError(message)
        if not found and not ran(case):
            raise StopSearchError

    try:
        compare_case()
    except BaseException as error:
        if not found:
            if isinstance(error, StopSearchError):
                return None
            raise
        if isinstance(error, (DifferenceError, KeyboardInterrupt)):
            return found[-1]
        return Found(found[-1].case, f"{found[-1].message}\n\nnot reproducible: {error!r}")
    return None


def compare(programs: int, minutes: float, seed: int, bash: str) -> int:
    """Compare programs until the count or the time limit is reached. Return the exit status."""
    directory = Path(tempfile.mkdtemp(prefix="oauthkit-programs-", dir=memory()))
    start_s = time.monotonic()
    count, next_s = 0, REPORT_EVERY_S
    print(f"programs: seed {seed}, in {directory}", flush=True)

    def ran(_: Case) -> bool:
        nonlocal count, next_s
        count += 1
        elapsed_s = time.monotonic() - start_s
        if elapsed_s >= next_s:
            next_s = elapsed_s + REPORT_EVERY_S
            print(f"programs: {count}, {count / elapsed_s:.1f} a second", flush=True)
        return should_continue()

    def should_continue() -> bool:
        return count < programs and time.monotonic() - start_s < minutes * 60

    found = None
    seen: set[Case] = set()
    with Runner(directory, bash) as runner:
        try:
            for batch in itertools.count():
                found = search(runner, seed_of(seed, batch), BATCH, ran, seen)
                if found or not should_continue():
                    break
        except KeyboardInterrupt:
            print(f"\ninterrupted after {count} programs without a difference, seed {seed}")
            shutil.rmtree(directory, ignore_errors=True)
            return 130
        elapsed_s = time.monotonic() - start_s
        print(f"{count} programs without a difference in {elapsed_s:.0f} s, seed {seed}: "
              f"{count / elapsed_s:.1f} a second")  # fmt: skip
        if found:
            print(_report(found, directory, runner))
    if not found:
        shutil.rmtree(directory)
    return 1 if found else 0


def _report(found: Found, directory: Path, runner: Runner) -> str:
    file = directory / "difference.json"
    file.write_text(found.case.to_json(), encoding="ascii")
    runner.differs(found.case)  # leaves both programs in the directory
    return printable(
        f"\n{found.case.text}\narguments: {found.case.arguments!r}\n"
        f"environment: {found.case.env!r}\n\n{found.message}\n\n"
        f"Both programs are in {directory}.\n"
        f"To reproduce it: scripts/random-programs --replay {file}"
    )


def replay(file: Path, bash: str) -> int:
    """Run a saved program again, and print how it differs. Return the exit status."""
    try:
        case = Case.from_json(file.read_text("ascii"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"scripts/random-programs: {file} is not a saved program: {error}", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="oauthkit-programs-", dir=memory()))
    with Runner(directory, bash) as runner:
        message = runner.differs(case)
    if message:
        print(printable(f"{message}\n\nBoth programs are in {directory}."))
        return 1
    shutil.rmtree(directory)
    print("The results in CPython and bash are the same.")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run scripts/random-programs. Return its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/random-programs", description=USAGE)
    parser.add_argument("--minutes", type=float, help="stop after N minutes", metavar="N")
    parser.add_argument(
        "--programs", type=positive, help="stop after N programs (1000)", metavar="N"
    )
    parser.add_argument("--seed", type=int, help="seed of the random generator", metavar="S")
    parser.add_argument("--bash", default=shutil.which("bash"), help="bash to run the scripts with",
                        metavar="PATH")  # fmt: skip
    parser.add_argument("--replay", type=Path, help="run one saved program", metavar="FILE")
    options = parser.parse_args(arguments)
    bash = str(Path(options.bash).absolute())
    if options.replay:
        return replay(options.replay, bash)
    minutes, programs = options.minutes, options.programs
    if programs is None:
        programs = 1000 if minutes is None else sys.maxsize
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    return compare(programs, float("inf") if minutes is None else minutes, seed, bash)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
