"""A forked Python form behaves like one that is started by exec: see docs/parity.md, preload."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.refresh.runs import renews
from tests.support.refresh.scenarios import every_scenario, meet
from tests.support.refresh.world import TOOLS, record_tools

if TYPE_CHECKING:
    from tests.support.refresh.scenarios import Scenario
    from tests.support.refresh.world import Parity


def without_bash(parity: Parity) -> None:
    """Compare the Python form, started by exec, with its fork."""
    form = parity.forms["python"]
    assert form.preload is not None
    parity.forms["bash"] = replace(form, name="bash", preload=None)


@every_scenario
def test_fork_and_exec_are_equal(parity: Parity, scenario: Scenario) -> None:
    without_bash(parity)
    meet(parity, scenario)


def test_all_started_programs_are_equal(parity: Parity) -> None:
    without_bash(parity)
    record_tools(parity)
    run = renews(parity)
    assert (
        {"timeout", "mv"} <= {*run.programs} <= {*TOOLS, "claude", "jq", "systemctl", "systemd-run"}
    )


def test_environment_is_equal(parity: Parity) -> None:
    without_bash(parity)
    parity.env |= {"ODD": "\udcff\n", "EMPTY": "", "A-B": "1", "COLUMNS": "3", "TERM": "xterm"}
    parity.umask = 0o027
    run = renews(parity)
    assert run.call("claude").env["ODD"] == "\udcff\n"
