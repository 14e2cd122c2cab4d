"""Ways in which the programs that a refresh calls end, and the expected results."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.refresh.scenarios import ARM, RETRY_S, Scenario

from oauthkit.parity.runner import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.world import Parity

    from oauthkit.parity import Started, World

# How a program ends, and the resulting exit status in a shell.
ENDS: dict[str, tuple[str, dict[str, Any], int]] = {
    "exit 1": ("fails", {"exit": 1, "stderr": b"noise sk-ant-oat01-made-up\n"}, 1),
    "exit 0": ("exits", {"exit": 0}, 0),
    "exit 126": ("fails", {"exit": 126, "stderr": b"noise\n"}, 126),
    "exit 127": ("fails", {"exit": 127, "stderr": b"noise\n"}, 127),
    "SIGTERM": ("dies_by_signal", {"number": int(signal.SIGTERM)}, 143),
    "SIGKILL": ("dies_by_signal", {"number": int(signal.SIGKILL)}, 137),
    "SIGSEGV": ("dies_by_signal", {"number": int(signal.SIGSEGV)}, 139),
}
every_end = pytest.mark.parametrize("end", ENDS)


def jq_problem(status: int) -> str:
    """Return the error in the log for a jq with this exit status and empty stdout."""
    if status == 0:
        return "no claudeAiOauth object in {credentials}"
    if status == 127:
        return "jq not found in PATH. It is needed to read the credentials"
    if status > 125:
        return f"jq could not run or was killed (exit {status})"
    return f"{{credentials}} is not valid JSON (jq exit {status})"


def refused(scenario: Scenario, *messages: str, programs: tuple[str, ...]) -> Scenario:
    """Return the scenario with an unchanged .env, and a retry as the next run."""
    return replace(
        scenario, dotenv=scenario.before, messages=messages, due_in_s=RETRY_S, exit_code=1,
        programs=(*programs, *ARM), files=(),
    )  # fmt: skip


def ended_by_systemd(parity: Parity, program: str) -> Callable[[Started, World], None]:
    """Return an action that sends SIGTERM to every process of the run when `program` hangs.

    systemd does so: systemd.service(5), RuntimeMaxSec=; systemd.kill(5), KillMode=control-group.
    """

    def end_it(_started: Started, world: World) -> None:
        parity.wait_for_call(program)
        for pid in processes(world):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    return end_it
