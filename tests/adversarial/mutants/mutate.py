"""Change one thing in the refresh, its runtime library, watch or run. A test has to fail."""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.adversarial.mutants import equivalent
from tests.adversarial.mutants.judge import (
    FILES,
    NoNamespacesError,
    Verdict,
    all_mutants,
    as_line,
    judge,
    totals,
)
from tests.adversarial.mutants.suite import Killers

if TYPE_CHECKING:
    from tests.adversarial.mutants.mutant import Mutant

# The names of mutants that a test has killed. Samples are drawn from these.
KILLED = Path(__file__).with_name("killed.txt")
ABOUT = """\
A mutant of the program (py/oauthkit/program) is compiled to bash again, so that both forms have
the same mistake. Mutants that the compiler rejects are counted separately. suite.py in
tests/adversarial/mutants lists the tests that judge a mutant. For a survivor, write a test, or list
it with a reason in equivalent.toml there.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Judge mutants and print the score; return 1 if one survived or the list is out of date."""
    options = parser().parse_args(argv)
    made = all_mutants()
    listed = equivalent.load()
    stale = equivalent.stale(made, listed)
    for identity in stale:
        print(f"equivalent.toml lists a mutant that does not exist: {identity}")
    chosen = [
        mutant
        for mutant in made
        if (not options.file or options.file in mutant.file)
        and (options.only is None or options.only == mutant.function)
    ]
    if options.sample:
        chosen = sample(candidates(chosen), options.sample, options.seed)
        print(f"again with: {command(options.sample, options.seed)}")
    if options.list:
        for mutant in chosen:
            print(mutant.diff)
        print(f"{len(chosen)} mutants")
        return 0
    if not chosen:
        print("scripts/mutate: there is no such mutant", file=sys.stderr)
        return 2
    judged = [mutant for mutant in chosen if mutant.identity not in listed]
    try:
        verdicts = run(
            judged, options.jobs, options.results, verbose=options.verbose, learn=options.learn
        )
    except NoNamespacesError as error:
        print(f"scripts/mutate: no namespaces here: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted")
        return 130
    print(totals(verdicts, len(chosen) - len(judged)))
    return int(bool(stale) or any(verdict.fate == "survived" for verdict in verdicts))


def parser() -> argparse.ArgumentParser:
    """Return the options of scripts/mutate."""
    made = argparse.ArgumentParser(
        prog="scripts/mutate",
        description=__doc__,
        epilog=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--sample", type=int, metavar="N", help="judge N mutants, chosen by --seed")
    made.add_argument("--seed", default=secrets.token_hex(4), help="a text; default: a random one")
    made.add_argument("--only", metavar="FUNCTION", help="mutants in this function; '' outside")
    made.add_argument("--file", choices=FILES, metavar="PATH", help="mutants of this file")
    made.add_argument("--jobs", type=int, default=2, metavar="N", help="at a time; default 2")
    made.add_argument(
        "--results", type=Path, metavar="FILE",
        help="append verdicts to FILE; mutants killed or rejected there are not judged again",
    )  # fmt: skip
    made.add_argument("--learn", action="store_true", help="write killers.json and killed.txt")
    made.add_argument("--list", action="store_true", help="print the mutants and judge none")
    made.add_argument("--verbose", action="store_true", help="print what killed each mutant")
    return made


def candidates(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Return the mutants that a sample is drawn from: an earlier run has killed each.

    Equal changes in one function are excluded, because their numbers change when code is added.
    """
    killed = set(KILLED.read_text("utf-8").split())
    equal = Counter(mutant.change for mutant in mutants)
    return [mutant for mutant in mutants if mutant.name in killed and equal[mutant.change] == 1]


def learn_killed(verdicts: Sequence[Verdict]) -> None:
    """Update killed.txt with the verdicts. Remove mutants that no longer exist."""
    killed = set(KILLED.read_text("utf-8").split() if KILLED.exists() else ())
    killed -= {verdict.name for verdict in verdicts}
    killed |= {verdict.name for verdict in verdicts if verdict.fate == "killed"}
    killed &= {mutant.name for mutant in all_mutants()}
    KILLED.write_text("".join(f"{name}\n" for name in sorted(killed)), "utf-8")


def sample(mutants: Sequence[Mutant], count: int, seed: str) -> list[Mutant]:
    """Return `count` of the mutants, or all if there are fewer, in an order given by the seed."""
    return random.Random(seed).sample(mutants, min(count, len(mutants)))  # noqa: S311


def command(count: int, seed: str) -> str:
    """Return the command that judges a sample again."""
    return f"scripts/mutate --sample {count} --seed {seed}"


def run(
    mutants: Sequence[Mutant],
    jobs: int,
    results: Path | None = None,
    *,
    verbose: bool = False,
    learn: bool = False,
) -> list[Verdict]:
    """Judge mutants and print each survivor; return the verdicts, earlier ones in `results` too."""
    known: dict[str, Verdict] = {}
    if results and results.exists():
        for line in results.read_text("utf-8").splitlines():
            verdict = Verdict(**json.loads(line))
            known[verdict.name] = verdict
    done = [known[mutant.name] for mutant in mutants if mutant.name in known]
    done = [verdict for verdict in done if verdict.fate != "survived"]
    names = {verdict.name: verdict for verdict in done}
    left = [mutant for mutant in mutants if mutant.name not in names]
    killers = Killers()
    for mutant in mutants:
        if mutant.name in names and names[mutant.name].fate == "killed":
            killers.add(mutant, names[mutant.name].by)
    count = 0

    def report(mutant: Mutant, verdict: Verdict) -> None:
        nonlocal count
        count += 1
        if results:
            with results.open("a", encoding="utf-8") as file:
                file.write(as_line(verdict))
        if verbose or verdict.fate == "survived":
            print(f"{verdict.fate} {verdict.by} ({verdict.seconds} s): {mutant.diff}", flush=True)
        if count % 50 == 0:
            print(f"{count} of {len(left)} judged", flush=True)

    verdicts = judge(left, jobs, killers, report)
    if learn:
        killers.save()
        learn_killed([*done, *verdicts])
    return [*done, *verdicts]


if __name__ == "__main__":
    sys.exit(main())
