"""The process that holds a project's lock."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

from oauthkit.host.doctor import write_access
from oauthkit.host.lock_holder import is_suspended
from oauthkit.host.project import find_paths

if TYPE_CHECKING:
    import pytest
    from tests.support.host.host_project import HostProject


def test_suspended_process_is_continued_so_that_it_ends(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended process ignores SIGTERM until it gets SIGCONT."""
    monkeypatch.setenv("HOME", str(well.home))
    paths = find_paths(str(well.project))
    with subprocess.Popen(
        ["flock", "--no-fork", str(paths.lock), "sh", "-c", "echo; exec sleep 60"],
        stdout=subprocess.PIPE,
    ) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            holder.send_signal(signal.SIGSTOP)
            end_s = time.monotonic() + 60
            while not is_suspended(holder.pid):
                assert time.monotonic() < end_s
                time.sleep(0.01)
            (finding,) = [x for x in write_access.logs(paths) if x.name == "lock"]
            assert finding.text.endswith(". It is suspended")
            # It was started only seconds ago, but it blocks all other runs.
            assert "holds the lock" in " ".join(well.status()["warnings"])
            assert finding.fix == f"kill {holder.pid} && kill -CONT {holder.pid}"
            subprocess.run(["sh", "-c", finding.fix], check=True)
            assert holder.wait(10) == -signal.SIGTERM
        finally:
            holder.kill()
    assert not is_suspended(holder.pid)
