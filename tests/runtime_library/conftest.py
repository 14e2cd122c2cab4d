"""Fixtures of the tests of the runtime library."""

from __future__ import annotations

from tests.support.refresh.fixtures import host, place

__all__ = ["host", "place"]
