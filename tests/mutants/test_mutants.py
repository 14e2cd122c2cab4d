"""A sample of the mutants of both forms: something has to notice each of them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from tests.mutants import closed, equivalent
from tests.mutants.judge import Score, all_mutants, judge
from tests.mutants.mutant import REPOSITORY, SLIPS
from tests.mutants.mutate import choose, survivors
from tests.mutants.worker import FILES, KNOWN, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRE = "OAUTHKIT_REQUIRE_E2E"
# About a minute of one worker.
SAMPLE = 40
# Any text: which sample. A number that counts up goes through all mutants, sample by sample.
SEED_VARIABLES = ("MUTANTS_SEED", "GITHUB_RUN_NUMBER", "CI_PIPELINE_IID", "BUILD_NUMBER")


# Written since the last run of all mutants, so that killers.json names no test for most of theirs.
# Judge them with scripts/mutate --suite --learn --only NAME, and take the name out.
UNJUDGED = {
    "add_secret", "create_file", "deliver", "disable_core_dumps", "follow", "is_foreign_link",
    "keep_attributes", "log", "mask_secrets", "open_log", "read_credentials", "replace",
    "replace_controls", "run_limited", "take_lock", "_await_keeper", "_keep_output",
    "_open_to_append",
}  # fmt: skip


def seed() -> str:
    """What this run of CI is numbered; without a number, another one for other texts."""
    for name in SEED_VARIABLES:
        if os.environ.get(name):
            return os.environ[name]
    texts = b"".join((REPOSITORY / file).read_bytes() for file in FILES)
    return str(int.from_bytes(hashlib.sha256(texts).digest()[:4], "big"))


@pytest.fixture(scope="module")
def _room() -> None:
    try:
        closed.check()
    except closed.NoRoomError as why:
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(str(why))
        pytest.skip(str(why))


@pytest.mark.usefixtures("_room")
def test_a_sample_of_the_mutants_is_killed(record_property: Callable[[str, object], None]) -> None:
    """Each by a world, or by the test that killers.json names for it."""
    made = all_mutants()
    listed = equivalent.load()
    assert equivalent.stale(made, listed) == []
    slips = [m for m in made if m.kind in SLIPS and m.identity not in listed]
    unjudged = [m for m in slips if m.scope.rpartition(".")[2] in UNJUDGED]
    print(f"{len(unjudged)} of {len(slips)} mutants are not judged yet")
    slips = [m for m in slips if m not in unjudged]
    chosen = choose(slips, None, SAMPLE, seed())
    # The first one is no mutant: if that is killed, it means nothing that the others are.
    score = judge([unchanged(), *chosen], workers=1, jury=KNOWN)
    assert score.verdicts.pop("unchanged").why == ""
    record_property("mutants", len(score.verdicts))
    record_property("mutants_killed", score.killed())
    again = f"again with: scripts/mutate --sample {SAMPLE} --seed {seed()}"
    shown = "\n".join([again, *survivors(score, chosen)])
    print(shown)
    assert score.survivors == [], shown


def test_score_tells_what_killed_and_what_survived() -> None:
    score = Score()
    assert score.lines() == [
        "0 mutants: 0 killed (0 by a world, 0 by a test), 0 listed as equivalent, 0 survived"
    ]
