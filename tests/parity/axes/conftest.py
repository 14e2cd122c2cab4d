"""Counts each crossing of an axis with a main scenario for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.parity.oauth_world import Parity


@pytest.fixture(autouse=True)
def _count(
    request: pytest.FixtureRequest,
    parity: Parity,
    record_property: Callable[[str, object], None],
) -> Iterator[None]:
    """A test that takes a main scenario, and compares both forms in it, is one crossing."""
    yield
    if "scenario" in request.fixturenames:
        record_property("axes", int(parity.comparisons > 0))
