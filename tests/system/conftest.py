"""Fixtures for a real systemd user manager and for real mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.small_disk import mounts
from tests.support.system.systemd_manager import running_manager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.system.systemd_manager import UserManager

__all__ = ["manager", "mounts"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[UserManager]:
    with running_manager(tmp_path / "home") as running:
        yield running
