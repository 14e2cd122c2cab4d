"""Fixtures of all tests of the refresh."""

from __future__ import annotations

from tests.support.refresh.fixtures import host, parity, place, ready

__all__ = ["host", "parity", "place", "ready"]
