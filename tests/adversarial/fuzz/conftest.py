"""Fixtures for the random worlds."""

from __future__ import annotations

from tests.support.refresh.small_disk import mounts

__all__ = ["mounts"]
