"""Fixtures of the fault tests. `--all-faults` runs all faults instead of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.adversarial.faults.fault_world import Faults, FaultWorld
from tests.adversarial.faults.killed_run import tracing_problem
from tests.support.bench_world import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of the whole sweep: it takes an hour or so."""
    parser.addoption("--all-faults", action="store_true", help="not a sample: all of the faults")


@pytest.fixture
def all_faults(request: pytest.FixtureRequest) -> bool:
    """Return whether --all-faults is set. The option is unknown if other tests are run, too."""
    return bool(request.config.getoption("--all-faults", default=False))


@pytest.fixture
def world(tmp_path: Path) -> FaultWorld:
    """A fresh world with real tools."""
    try:
        return FaultWorld(tmp_path / "world")
    except ToolMissingError as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def _tracing_problem() -> str:
    return tracing_problem()


@pytest.fixture
def tracing(_tracing_problem: str) -> None:
    """Skips what cannot be traced here."""
    if _tracing_problem:
        pytest.skip(f"no system call can be traced here: {_tracing_problem}")


@pytest.fixture
def faults(record_property: Callable[[str, object], None]) -> Iterator[Faults]:
    """The count of this test, for the summary; the test fails if a fault was not survived."""
    counted = Faults()
    yield counted
    record_property("faults", counted.count)
    record_property("faults_survived", counted.count - len(counted.problems))
