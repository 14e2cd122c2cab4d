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


def refresh(parity: Parity, old: bytes | None) -> RefreshRun:
    parity.credentials()
    parity.directory("bearer")
    if old is not None:
        parity.file(PLACE, old, 0o600)
    parity.env["OAUTHKIT_BEARER"] = str(parity.project / PLACE)
    return parity.run()


def expect_only_dotenv(parity: Parity, run: RefreshRun, old: bytes | None) -> None:
    """Assert an unchanged bearer file, no temporary beside it, and the token in .env."""
    problem = f"{parity.project / PLACE} cannot be written and is unchanged"
    assert (run.exit_code, run.stdout, run.stray_stderr) == (1, "", "")
    assert f"ERROR: {problem}" in run.messages
    found = {name: entry.content for name, entry in run.files.items() if name.startswith("bearer/")}
    assert found == ({} if old is None else {PLACE: old})
    assert run.dotenv == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"


@needs_mounts
@pytest.mark.parametrize("old", [None, OLD], ids=["new file", "old file"])
@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "no inode left"])
def test_unwritable_disk(parity: Parity, old: bytes | None, read_only: bool) -> None:
    inodes = 1000 if read_only else int(old is not None)
    put_on_disk(parity, "bearer", inodes=inodes, read_only=read_only)
    expect_only_dotenv(parity, refresh(parity, old), old)


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
