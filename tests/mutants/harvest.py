"""Makes the corpus: worlds made by hand, and of random ones those that run or tell more."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning
from tests.fuzz.runner import Runner
from tests.fuzz.strategies import cases
from tests.mutants import closed, corpus
from tests.mutants.corpus import Corpus, Covered
from tests.mutants.coverage import Coverage
from tests.mutants.handmade import handmade
from tests.mutants.judge import all_mutants
from tests.mutants.mutant import REPOSITORY
from tests.mutants.worker import Judge, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.fuzz.case import Case

# The corpus is one file of the repository: what takes much room in it has to be made by hand.
LONGEST = 6000
BATCH = 250


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the corpus anew: what is in it already is kept, if both forms still agree in it."""
    options = _parser().parse_args(argv)
    if options.inside is None:
        given_argv = [*(sys.argv[1:] if argv is None else argv)]
        with tempfile.TemporaryDirectory(prefix="oauthkit-harvest-") as folder:
            module = closed.python("tests.mutants.harvest", "--inside", folder, *given_argv)
            done = subprocess.run(
                closed.command(module), cwd=REPOSITORY, stdout=subprocess.PIPE, check=True
            )
        corpus.CORPUS.write_bytes(done.stdout)
        return 0
    room = Room(options.inside)
    gatherer = Gatherer(room)
    gatherer.add(handmade(), lambda _case: True)
    if corpus.CORPUS.exists():
        gatherer.add(corpus.load().cases, lambda _case: True)
    fresh = drawn(options.worlds, options.seed)
    gatherer.add(fresh, gatherer.runs_more)
    if options.hunt:
        names = options.hunt.read_text("utf-8").split()
        gatherer.hunt(names, drawn(options.worlds, options.seed + 1000) + fresh)
    saved = room.folder / "corpus.json"
    corpus.save(gatherer.kept, saved)
    sys.stdout.write(saved.read_text("utf-8"))
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.mutants.harvest", description=__doc__)
    made.add_argument("--worlds", type=int, default=0, help="how many to draw; default 0")
    made.add_argument("--seed", type=int, default=0, help="which ones; default 0")
    made.add_argument("--hunt", type=Path, metavar="FILE", help="names of mutants to be killed")
    made.add_argument("--inside", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    return made


def drawn(count: int, first_seed: int) -> list[Case]:
    """About `count` different worlds, always the same for the same seed."""
    found: dict[str, Case] = {}

    for number in range(0, count, BATCH):

        @seed(first_seed * 1000 + number)
        @settings(
            max_examples=BATCH,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        @given(cases())
        def collect(case: Case) -> None:
            found.setdefault(case.to_json(), case)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)
            collect()
    return [*found.values()]


class Gatherer:
    """Gathers worlds for the corpus, in a closed room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = room.folder / "harvest"
        self._folder.mkdir()
        self.kept: list[Covered] = []
        self._known: set[str] = set()
        self._lines: set[tuple[str, int]] = set()

    def runs_more(self, covered: Covered) -> bool:
        """Whether it runs a line that no world so far does."""
        size = len(str(corpus.case_data(covered.case)))
        return not self._places(covered) <= self._lines and size <= LONGEST

    def add(self, found: Iterable[Case], is_wanted: Callable[[Covered], bool]) -> None:
        """Keeps the worlds that are wanted; not those in which the forms differ."""
        plain = Runner(self._folder)
        coverage = Coverage(self._folder)
        for case in found:
            if case.to_json() in self._known:
                continue
            covered = Covered(case, coverage.lines(case))
            if not is_wanted(covered):
                continue
            problem = plain.difference(case)
            if problem:
                print(f"left out, since the forms differ:\n{problem}", file=sys.stderr)
                continue
            self._keep(covered)
        coverage.close()
        plain.close()
        self._room.restore()
        print(f"{len(self.kept)} worlds", file=sys.stderr, flush=True)

    def hunt(self, names: Sequence[str], found: Sequence[Case]) -> None:
        """Keeps, for each of these mutants, a world that tells it from the original."""
        mutants = {mutant.name: mutant for mutant in all_mutants()}
        coverage = Coverage(self._folder)
        covered = [Covered(case, coverage.lines(case)) for case in found]
        coverage.close()
        self._room.restore()
        covered = [c for c in covered if len(str(corpus.case_data(c.case))) <= LONGEST]
        judge = Judge(self._room, Corpus(covered), "hunt")
        for number, name in enumerate(names):
            verdict = judge.judge(mutants[name])
            print(f"{number} {name}: {verdict.by} {verdict.why}", file=sys.stderr, flush=True)
            if verdict.by:
                self._keep(covered[int(verdict.by.split()[1])])

    def _keep(self, covered: Covered) -> None:
        if covered.case.to_json() not in self._known:
            self._known.add(covered.case.to_json())
            self._lines |= self._places(covered)
            self.kept.append(covered)

    @staticmethod
    def _places(covered: Covered) -> set[tuple[str, int]]:
        return {(file, line) for file, lines in covered.lines.items() for line in lines}


if __name__ == "__main__":
    sys.exit(main())
