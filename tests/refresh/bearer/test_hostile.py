"""A full or read-only disk for the bearer file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.small_disk import PAGE, needs_mounts, put_on_disk

if TYPE_CHECKING:
    from tests.support.refresh.world import Parity, RefreshRun

TOKEN = "sk-ant-oat01-made-up-old"
PLACE = "bearer/.credentials.json"
# The record of another token. With the following text, it takes `PAGES` pages.
PAGES = 2
OLD = json.dumps({"claudeAiOauth": {"accessToken": "old"}}, separators=(",", ":")).encode()
OLD += b" " * (PAGES * PAGE - len(OLD))


def refresh(parity: Parity, old: bytes | None, mode: int = 0o755) -> RefreshRun:
    parity.credentials()
    if old is not None:
        parity.file(PLACE, old, 0o600)
    parity.directory("bearer", mode)
    parity.env["OAUTHKIT_BEARER"] = str(parity.project / PLACE)
    return parity.run()


def expect_only_dotenv(
    parity: Parity, run: RefreshRun, old: bytes | None, *, why: str = " and is unchanged"
) -> None:
    """Assert an unchanged bearer file, no temporary beside it, and the token in .env."""
    problem = f"{parity.project / PLACE} cannot be written{why}"
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert f"ERROR: {problem}" in run.messages
    found = {name: entry.content for name, entry in run.files.items() if name.startswith("bearer/")}
    assert found == ({} if old is None else {PLACE: old})
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@needs_mounts
@pytest.mark.parametrize("old", [None, OLD], ids=["new file", "old file"])
def test_disk_without_an_inode_left(parity: Parity, old: bytes | None) -> None:
    put_on_disk(parity, "bearer", inodes=int(old is not None))
    expect_only_dotenv(parity, refresh(parity, old), old)


@needs_mounts
@pytest.mark.parametrize("old", [None, OLD], ids=["new file", "old file"])
def test_read_only_disk(parity: Parity, old: bytes | None) -> None:
    put_on_disk(parity, "bearer", read_only=True)
    why = f": {parity.project}/bearer is not writable"
    expect_only_dotenv(parity, refresh(parity, old), old, why=why)


@pytest.mark.parametrize("old", [None, OLD], ids=["new file", "old file"])
def test_unwritable_directory(parity: Parity, old: bytes | None) -> None:
    why = f": {parity.project}/bearer is not writable"
    expect_only_dotenv(parity, refresh(parity, old, 0o555), old, why=why)


@needs_mounts
def test_full_disk(parity: Parity) -> None:
    put_on_disk(parity, "bearer", pages=PAGES)
    expect_only_dotenv(parity, refresh(parity, OLD), OLD)


@needs_mounts
def test_disk_with_space_for_one_more_file(parity: Parity) -> None:
    put_on_disk(parity, "bearer", pages=PAGES + 1)
    run = refresh(parity, OLD)
    assert (run.exit_code, run.stray_stderr) == (0, "")
    assert json.loads(run.files[PLACE].content)["claudeAiOauth"]["accessToken"] == TOKEN
