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
    """Add the option for all faults, which take about an hour."""
    parser.addoption("--all-faults", action="store_true", help="run all faults, not a sample")


@pytest.fixture
def all_faults(request: pytest.FixtureRequest) -> bool:
    """Return whether --all-faults is set. The option is unknown if other tests are run, too."""
    return bool(request.config.getoption("--all-faults", default=False))


@pytest.fixture
def world(tmp_path: Path) -> FaultWorld:
    """Create a world with real tools."""
    try:
        return FaultWorld(tmp_path / "world")
    except ToolMissingError as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def _tracing_problem() -> str:
    return tracing_problem()


@pytest.fixture
def tracing(_tracing_problem: str) -> None:
    """Skip tests if tracing is not possible."""
    if _tracing_problem:
        pytest.skip(f"system calls cannot be traced here: {_tracing_problem}")


@pytest.fixture
def faults(record_property: Callable[[str, object], None]) -> Iterator[Faults]:
    """Count this test's faults for the summary. Fail the test if one was not survived."""
    counted = Faults()
    yield counted
    record_property("faults", counted.count)
    record_property("faults_survived", counted.count - len(counted.problems))
