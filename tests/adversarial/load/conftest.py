"""A project for the load tests. It leaves no process behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.bench_world import BenchWorld, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BenchWorld]:
    """Create a world with real tools. Afterwards, kill the processes that it recorded in `pids`."""
    try:
        made = BenchWorld(tmp_path / "world")
    except ToolMissingError as why:
        pytest.skip(str(why))
    yield made
    for file in (made.root / "pids").glob("*"):
        pid = int(file.name)
        # Only a program of this world, because the pid may have been reused.
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"HOME={made.home}".encode() in environ:
            os.kill(pid, signal.SIGKILL)
