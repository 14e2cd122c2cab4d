"""A project for the tests of the commands around the refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.host.host_project import HostProject

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> HostProject:
    return HostProject(tmp_path)


@pytest.fixture
def live(project: HostProject) -> HostProject:
    """A project with all as it should be."""
    project.login()
    project.deliver()
    project.timers({"nanoclaw-oauth-refresh-next.timer": 4.5 * 3600})
    project.lines(
        (-3 * 3600, "Claude CLI refreshed token successfully"),
        (-3 * 3600, f"Updated .env with token (expires_at={project.ms(5 * 3600)})"),
    )
    return project
