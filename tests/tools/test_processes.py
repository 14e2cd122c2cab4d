"""The number of processes that a run of the bash form starts, counted with strace."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.bench_world import TOKEN, BenchWorld
from tools.bench.bench import CASES, Case, dotenv_text, reset
from tools.bench.process_count import StraceUnavailableError, Trace, trace

if TYPE_CHECKING:
    from collections.abc import Sequence


def traced(world: BenchWorld, argv: Sequence[str], **settings: str) -> Trace:
    try:
        return trace(argv, env={**world.environment(), **settings}, cwd=world.project)
    except StraceUnavailableError as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bash_form_starts_few_processes(world: BenchWorld, case: Case) -> None:
    reset(case, world)
    found = traced(world, world.bash_form(*case.options))
    assert found.status == 0, world.log.read_text(encoding="utf-8")
    assert world.dotenv.read_text(encoding="utf-8") == dotenv_text(TOKEN)
    assert found.processes.count("jq") == 1
    assert len(found.processes) <= case.most_processes, found.processes


def test_bearer_file_that_changes_costs_at_most_four_processes(world: BenchWorld) -> None:
    """Three, if mv has --no-copy: then it is not called twice. See rename_file."""
    full, _, ensure = CASES
    reset(full, world)
    (world.project / "bearer").mkdir()
    bearer = world.project / "bearer" / ".credentials.json"
    has_option = (
        b"--no-copy" in subprocess.run(["mv", "--help"], capture_output=True, check=True).stdout
    )
    for case, more in ((full, 3 if has_option else 4), (ensure, 0)):
        found = traced(world, world.bash_form(*case.options), OAUTHKIT_BEARER=str(bearer))
        assert found.status == 0, world.log.read_text(encoding="utf-8")
        assert TOKEN in bearer.read_text(encoding="utf-8")
        assert len(found.processes) <= case.most_processes + more, found.processes


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("exit 0", ["bash"]),
        ("cat /dev/null; exit 0", ["bash", "cat"]),
        ("(: ; exit 0); (cat /dev/null; exit 0); exit 0", ["bash", "(bash)", "(bash)", "cat"]),
        ("x=$(exec cat /dev/null); exit 0", ["bash", "cat"]),
        ("no-such-program; exit 0", ["bash", "(bash)"]),
    ],
)
def test_every_process_is_counted(world: BenchWorld, script: str, names: list[str]) -> None:
    assert traced(world, [str(world.bin / "bash"), "-c", script]).processes == tuple(names)


def test_thread_is_not_a_process(world: BenchWorld) -> None:
    program = (
        "import subprocess, sys, threading;"
        "thread = threading.Thread(target=subprocess.call, args=(['cat', '/dev/null'],));"
        "thread.start(); thread.join()"
    )
    found = traced(world, world.python(program))
    assert found.processes[1:] == ("cat",)
