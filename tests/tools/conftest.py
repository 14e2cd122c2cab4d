"""A project with real tools, for the tests of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.bench_world import BenchWorld, ToolMissingError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> BenchWorld:
    try:
        return BenchWorld(tmp_path / "world")
    except ToolMissingError as why:
        pytest.skip(str(why))
