"""Fixtures: hosts that publish to a store or follow it, also with encrypted records."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.support.host.host_project import HOUR_S, TOKEN
from tests.support.host.store_host import (
    conf,
    encrypt_record,
    following,
    publish,
    recipient_in,
    store_of,
    with_store,
)
from tests.support.system.age_keys import make_identity, require_age

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject


@pytest.fixture
def publisher(well: HostProject) -> HostProject:
    """The host alpha, which has published its token."""
    publish(with_store(well), "alpha", token=TOKEN)
    return well


@pytest.fixture
def follower(well: HostProject) -> HostProject:
    """A host that follows the hosts beta and gamma. Its .env has beta's token."""
    with_store(well)
    publish(well, "beta")
    publish(well, "gamma", 3 * HOUR_S, "sk-ant-oat01-made-up-gamma")
    return following(well)


@pytest.fixture
def identity(well: HostProject) -> Path:
    """An identity file. The host has the real age."""
    require_age()
    for tool in ("age", "setsid"):
        (well.bin / tool).symlink_to(shutil.which(tool) or tool)
    file = well.home / "identity.txt"
    file.write_text(make_identity()[0], encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.fixture
def decrypting(follower: HostProject, identity: Path) -> HostProject:
    """A host that follows the host beta, whose record is encrypted."""
    (store_of(follower) / "gamma.json").unlink()
    encrypt_record(store_of(follower) / "beta.json", recipient_in(identity))
    conf(follower, f"OAUTHKIT_STORE_IDENTITY={identity}\n")
    return follower
