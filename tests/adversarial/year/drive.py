"""Simulate a year of a host: scripts/year."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.adversarial.fuzz.drive import memory, positive, printable
from tests.adversarial.fuzz.runner import Runner
from tests.adversarial.year.host import DifferError
from tests.adversarial.year.life import LONGEST_GAP_S, Life

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST_DAYS = 3
USAGE = """\
Simulates a host for a year: each timer starts both forms, and incidents happen at random times: no
network, a login that has ended, a host that is off, a wrong clock, a read-only project, a revoked
token, killed runs. Prints for how long .env had a live token. Exit status: 0 if the forms did not
differ and all rules held, 1 if not, 2 for a usage error."""


def main(arguments: Sequence[str]) -> int:
    """Run scripts/year. Return its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/year", description=USAGE)
    parser.add_argument("--days", type=positive, default=365, help="days to simulate (365; at least"
                        f" {SHORTEST_DAYS})", metavar="N")  # fmt: skip
    parser.add_argument("--seed", type=int, help="seed of the random generator", metavar="S")
    options = parser.parse_args(arguments)
    if options.days < SHORTEST_DAYS:
        parser.error(f"--days must be at least {SHORTEST_DAYS}")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f"year: seed {seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="oauthkit-year-", dir=memory()))
    try:
        with Runner(directory) as runner:
            life = Life(runner, seed, options.days)
            life.live(lambda text: print(f"year: {text}", flush=True))
    except DifferError as error:
        print(printable(str(error)))
        return 1
    finally:
        shutil.rmtree(directory)
    print(life.summary())
    broken = life.longest_gap()[0] > LONGEST_GAP_S
    if broken:
        print(
            f"a gap without an incident is longer than {LONGEST_GAP_S // 60} min", file=sys.stderr
        )
    if left := life.leftovers():
        print(f"left behind: {', '.join(sorted(left))}", file=sys.stderr)
    return int(broken or bool(left))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
