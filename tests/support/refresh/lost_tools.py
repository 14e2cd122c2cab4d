"""Real programs that a refresh uses are missing, or fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.scenarios import SCENARIOS, some_crossings

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity

# The last two are a shell's exit statuses for a program that cannot be run or is missing.
MISSING = "missing"
TOOL_ENDS = (MISSING, 1, 126, 127)

every_scenario_and_end = some_crossings(SCENARIOS, "end", TOOL_ENDS, "fresh token")
asking_claude = pytest.mark.parametrize(
    "scenario", [one for one in SCENARIOS if one.asks_claude], ids=lambda one: one.name
)
every_tool_end = pytest.mark.parametrize("end", TOOL_ENDS)


def lose(parity: Parity, program: str, end: str | int) -> None:
    """Remove a program, or replace it with one that only exits with this status."""
    if end == MISSING:
        parity.remove(program)
        return
    # Not a stand-in: each planned call to a stand-in must happen, but this call is optional.
    parity.file(f"../bin/{program}", f"#!/bin/sh\nexit {end}\n", 0o755)
