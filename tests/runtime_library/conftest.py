"""Fixtures for the runtime library's tests."""

from __future__ import annotations

from tests.support.refresh.fixtures import host, place

__all__ = ["host", "place"]
