"""Simulate three days of a host with every kind of incident. scripts/year simulates a year."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.adversarial.fuzz.drive import new_seed
from tests.adversarial.fuzz.runner import Runner
from tests.adversarial.year.incidents import KINDS
from tests.adversarial.year.life import LONGEST_GAP_S, Life

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAYS = 3


def test_host_recovers_from_all_incidents(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with Runner(tmp_path) as runner:
        life = Life(runner, new_seed(), DAYS)
        life.live()
    print(life.summary())
    assert {incident.kind for incident in life.incidents} == {*KINDS}
    assert life.killed
    assert life.longest_gap()[0] <= LONGEST_GAP_S
    assert life.leftovers() == set()
    record_property("days", DAYS)
    record_property("runs_in_days", life.host.runs)
