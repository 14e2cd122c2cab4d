"""Changes one thing in one form, again and again, and demands that a test notices each time."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.drive import positive
from tests.mutants import closed, equivalent
from tests.mutants.judge import Score, all_mutants, judge
from tests.mutants.mutant import SLIPS
from tests.mutants.suite import KILLERS, LEFT_OUT, identity_key
from tests.mutants.worker import KNOWN, SUITE, WORLDS

if TYPE_CHECKING:
    from tests.mutants.mutant import Mutant
    from tests.mutants.worker import Verdict

ABOUT = """\
A mutant is killed by the first of these that turns red: the test that killers.json names for it; a
world of the corpus in which it does something else than the other form; with --suite, any test of
its form. What survives is to be killed by a new test or world, or listed with a reason in
tests/mutants/equivalent.toml.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Judges mutants and prints the score; 1 if one survived or the list of equivalents is off."""
    options = parser().parse_args(argv)
    forms = [options.form] if options.form else ["bash", "python"]
    made = [m for m in all_mutants(forms) if options.every_kind or m.kind in SLIPS]
    chosen = choose(made, options.only, options.sample, options.seed)
    tests = {mutant.name: options.by for mutant in chosen if options.by}
    if options.pairs:
        tests = pairs(options.pairs)
        chosen = [mutant for mutant in made if mutant.name in tests]
    if not chosen:
        print("scripts/mutate: no mutant is like that", file=sys.stderr)
        return 2
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name}  {mutant.diff}")
        print(summary(chosen))
        return 0
    off = equivalent.stale(all_mutants(), equivalent.load())
    for identity in off:
        print(f"equivalent.toml lists what is no mutant any more: {identity}")
    closed.check()
    started_s = time.monotonic()
    progress = Progress(len(chosen), verbose=options.verbose)
    jury = jury_of(options)
    try:
        score = judge(chosen, workers=options.workers, jury=jury, tests=tests, tell=progress.tell)
    except KeyboardInterrupt:
        print(f"\ninterrupted after {progress.done} of {len(chosen)} mutants")
        return 130
    if options.learn:
        learn(score, chosen)
    print()
    print(*survivors(score, chosen), sep="\n", end="\n" if score.survivors else "")
    print(*score.lines(), sep="\n")
    print(f"took {time.monotonic() - started_s:.0f} s")
    return 1 if score.survivors or off else 0


def parser() -> argparse.ArgumentParser:
    """The options of scripts/mutate."""
    left_out = "".join(f"  {place}: {why}\n" for place, why in LEFT_OUT.items())
    made = argparse.ArgumentParser(
        prog="scripts/mutate",
        description=__doc__,
        epilog=f"{ABOUT}\nTests that judge no mutant, and why:\n{left_out}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--form", choices=("bash", "python"), help="mutate this form only")
    made.add_argument(
        "--sample", type=positive, metavar="N", help="judge N mutants, chosen by --seed"
    )
    made.add_argument("--seed", default="0", help="which sample: a number or any text; default 0")
    made.add_argument(
        "--only", metavar="TEXT", help="only those with TEXT in name, diff or scope()"
    )
    made.add_argument("--list", action="store_true", help="show the mutants, judge none")
    made.add_argument("--workers", type=positive, default=2, metavar="W", help="rooms; default 2")
    made.add_argument("--every-kind", action="store_true", help="not only those that slips are")
    made.add_argument("--worlds-only", action="store_true", help="leave out the tests")
    made.add_argument("--suite", action="store_true", help="let all tests judge what survives")
    made.add_argument("--by", nargs="+", metavar="TEST", help="let these tests alone judge")
    made.add_argument(
        "--pairs", type=Path, metavar="FILE", help="lines of NAME, tab, TEST: as --by"
    )
    made.add_argument("--learn", action="store_true", help="note in killers.json what kills what")
    made.add_argument("--verbose", action="store_true", help="show what killed each mutant")
    return made


def jury_of(options: argparse.Namespace) -> str:
    """Who judges, by the options."""
    if options.worlds_only:
        return WORLDS
    return SUITE if options.suite else KNOWN


def pairs(file: Path) -> dict[str, list[str]]:
    """The tests that are to judge each mutant, by its name."""
    found: dict[str, list[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        name, _, test = line.partition("\t")
        found.setdefault(name, []).append(test)
    return found


def learn(score: Score, chosen: Sequence[Mutant]) -> None:
    """Notes which test killed each mutant that no world did, for the next time to begin with it.

    What is no mutant any more is forgotten.
    """
    killers = json.loads(KILLERS.read_text("utf-8")) if KILLERS.exists() else {}
    known = {identity_key(mutant) for mutant in all_mutants()}
    killers = {key: test for key, test in killers.items() if key in known}
    for mutant in chosen:
        verdict = score.verdicts.get(mutant.name)
        if verdict and verdict.stage == "suite" and verdict.by:
            killers[identity_key(mutant)] = verdict.by
    KILLERS.write_text(json.dumps(killers, indent=0, sort_keys=True) + "\n", "utf-8")


def choose(made: Sequence[Mutant], only: str | None, sample: int | None, seed: str) -> list[Mutant]:
    """The mutants with that text in them, and of those a sample, the same one for the same seed.

    All are in an order that has nothing to do with their places; the seeds 0, 1, 2, ... take one
    stretch of it after the other, and begin again at its end. Any other text is some number.
    """
    chosen = [m for m in made if not only or only in f"{m.name} {m.diff} {m.scope}()"]
    if sample is None or sample >= len(chosen):
        return chosen
    shuffled = sorted(chosen, key=lambda mutant: _number(repr(mutant.identity)))
    first = sample * (int(seed) if seed.isdecimal() else _number(seed)) % len(chosen)
    picked = {m.name for m in [*shuffled, *shuffled][first : first + sample]}
    return [mutant for mutant in chosen if mutant.name in picked]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def summary(chosen: Sequence[Mutant]) -> str:
    """How many mutants of each form and kind."""
    parts = []
    for form in ("bash", "python"):
        kinds = Counter(mutant.kind for mutant in chosen if mutant.form == form)
        if kinds:
            text = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
            parts.append(f"{form}: {kinds.total()} mutants: {text}")
    return "\n".join(parts)


def survivors(score: Score, chosen: Sequence[Mutant]) -> list[str]:
    """A line for each survivor, in the order of their places."""
    found = set(score.survivors)
    return [f"survived: {m.kind:<12}{m.diff}" for m in chosen if m.name in found]


class Progress:
    """Prints how far the judging is."""

    def __init__(self, count: int, *, verbose: bool) -> None:
        self._count = count
        self._verbose = verbose
        self.done = 0

    def tell(self, mutant: Mutant, verdict: Verdict) -> None:
        """Notes one verdict."""
        self.done += 1
        if self._verbose:
            fate = f"killed by {verdict.stage}" if verdict.stage else "SURVIVED"
            text = f"{fate} ({verdict.seconds} s, {verdict.tried} worlds) {verdict.by}"
            print(f"{mutant.name}: {text}: {verdict.why}\n    {mutant.diff}", flush=True)
        elif not verdict.stage:
            print(f"survived: {mutant.diff}", flush=True)
        if self.done % 100 == 0:
            print(f"{self.done} of {self._count} judged", flush=True)


if __name__ == "__main__":
    sys.exit(main())
