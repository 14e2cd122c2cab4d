"""Counts each crossing of an axis with a main scenario for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _count(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """A test that takes a main scenario is one crossing; the others show that an axis is real."""
    if "scenario" in request.fixturenames:
        record_property("axes", 1)
