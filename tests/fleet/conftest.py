"""Fixtures: hosts that publish to a store, and hosts that follow it, in both forms."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.fixtures import host, place
from tests.support.refresh.world import Parity

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["host", "place"]

STORE = "~/store"


def make(directory: Path, program: str) -> Parity:
    """Return both forms of a program, with the real find, jq and sh, and a store."""
    parity = Parity(directory, program)
    for name in ("find", "jq", "sh", "uname"):
        parity.tool(name, Path(str(shutil.which(name))))
    parity.directory(STORE, 0o700)
    parity.env["OAUTHKIT_STORE"] = f"dir:{parity.home}/store"
    parity.env["OAUTHKIT_HOST"] = "alpha"
    return parity


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Parity]:
    """The host alpha, whose login has 8 h left."""
    with closing(make(tmp_path, "publish")) as parity:
        parity.credentials()
        yield parity


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Parity]:
    """A host without a login."""
    with closing(make(tmp_path, "follow")) as parity:
        yield parity


@pytest.fixture
def refresher(tmp_path: Path) -> Iterator[Parity]:
    """The host alpha with the refresh, which publishes at its end."""
    with closing(make(tmp_path, "refresh")) as parity:
        parity.script("publish")
        parity.credentials()
        yield parity


@pytest.fixture
def loginless(tmp_path: Path) -> Iterator[Parity]:
    """A host with the refresh, but without a login."""
    with closing(make(tmp_path, "refresh")) as parity:
        parity.script("follow")
        yield parity
