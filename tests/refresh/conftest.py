"""Fixtures for all tests of the refresh."""

from __future__ import annotations

from tests.support.refresh.fixtures import host, parity, place, ready
from tests.support.refresh.small_disk import mounts

__all__ = ["host", "mounts", "parity", "place", "ready"]
