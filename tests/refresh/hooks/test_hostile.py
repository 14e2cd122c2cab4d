"""rm is missing, or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.refresh.lost_tools import every_scenario_and_end, lose
from tests.support.refresh.scenarios import FAILING, Scenario, messages

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity


@every_scenario_and_end
def test_rm(parity: Parity, scenario: Scenario, end: str | int) -> None:
    # Files that cannot be removed stay. This does not fail the run.
    lose(parity, "rm", end)
    scenario.arrange(parity)
    run = parity.run(*scenario.arguments)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (scenario.exit_code, "", "")
    assert run.dotenv_bytes == scenario.dotenv
    assert [timer.when_s - parity.now_s for timer in run.timers] == (
        [] if scenario.due_in_s is None else [scenario.due_in_s]
    )
    assert run.messages == messages(parity, scenario)
    assert (FAILING in run.files) == (scenario.was_failing or scenario.exit_code != 0)
