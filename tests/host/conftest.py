"""A project for the tests of the operator's commands."""

from __future__ import annotations

import resource
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.host.adopt_checkout import make_checkout
from tests.support.host.doctor_host import SCRIPT, fake_manager
from tests.support.host.host_project import HostProject
from tests.support.host.run_host import renewing
from tests.support.host.store_fixtures import decrypting, follower, identity, publisher
from tests.support.refresh.world import REPOSITORY

from oauthkit.host.commands.run import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decrypting", "follower", "identity", "publisher"]

MORE_MEMORY = 512 * 1024 * 1024


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Restore default signals for children if the tests run in the background or under nohup."""
    deaf = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in deaf:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Limit memory, so that an endless read fails soon with a MemoryError."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MORE_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def project(tmp_path: Path) -> HostProject:
    return HostProject(tmp_path)


@pytest.fixture
def ready(live: HostProject) -> HostProject:
    """Create a host whose user manager accepts everything, and whose user does not linger."""
    live.accepting_manager(lingers="no")
    return live


@pytest.fixture
def live(project: HostProject) -> HostProject:
    """Create a project in which everything is correct."""
    project.login()
    project.deliver()
    project.timers({"nanoclaw-oauth-refresh-next.timer": 4.5 * 3600})
    project.lines(
        (-3 * 3600, "Claude CLI refreshed token successfully"),
        (-3 * 3600, f"Updated .env with token (expires_at={project.ms(5 * 3600)})"),
    )
    return project


@pytest.fixture
def well(live: HostProject) -> HostProject:
    """Create a host without problems."""
    for name in ("jq", "timeout", "flock"):
        live.program(name, "#!/bin/sh\n")
    for file in (live.dotenv, live.credentials):
        file.chmod(0o600)
    (live.project / SCRIPT).parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / SCRIPT, live.project / SCRIPT)
    live.program("loginctl", "#!/bin/sh\necho yes\n")
    live.program("timedatectl", "#!/bin/sh\necho yes\n")
    fake_manager(live)
    return live


@pytest.fixture
def host(live: HostProject) -> HostProject:
    """Create a host with the programs that a refresh runs, and a claude that renews."""
    return renewing(live)


@pytest.fixture
def tasks(live: HostProject) -> Path:
    """Create the directory to which the project's containers write their requests."""
    directory = live.project / "data/ipc/main/tasks"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Create a checkout of NanoClaw that calls the old script."""
    return make_checkout(tmp_path / "nano claw")
