"""A test fails for each mutant in a random sample."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.mutants.judge import NoNamespacesError, all_mutants
from tests.adversarial.mutants.mutate import candidates, command, run, sample

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRE, SEED = "OAUTHKIT_REQUIRE_E2E", "OAUTHKIT_TEST_SEED"
# Takes about a minute.
SAMPLE = 15


@pytest.mark.timeout(1800)
def test_sampled_mutants_are_killed(record_property: Callable[[str, object], None]) -> None:
    seed = os.environ.get("MUTANTS_SEED") or os.environ.get(SEED) or secrets.token_hex(4)
    again = command(SAMPLE, seed)
    print(f"again with: {again}")
    made = all_mutants()
    chosen = sample(candidates(made), SAMPLE, seed)
    try:
        verdicts = run(chosen, jobs=1)
    except NoNamespacesError as error:
        if os.environ.get(REQUIRE) == "1":
            raise
        pytest.skip(f"no namespaces here: {error}")
    fates = {verdict.name: verdict.fate for verdict in verdicts}
    survivors = [mutant.diff for mutant in chosen if fates[mutant.name] == "survived"]
    mutants = [mutant for mutant in chosen if fates[mutant.name] != "rejected"]
    record_property("mutants", len(mutants))
    record_property("mutants_killed", len(mutants) - len(survivors))
    assert survivors == [], "\n".join([f"again with: {again}", *survivors])
