"""oauthkit watch: a container exchanges `tasks` for a link to ~/.claude as fast as possible."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.host import watch_flipper
from tests.support.host.host_project import REQUEST
from tests.support.host.watch_host import running, wait_until
from tests.support.host.watch_victim import NAMES, Victim

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

# WATCH_RACE_S=600 .venv/bin/python -m pytest -s tests/host/commands/test_watch_race.py
RACE_S = float(os.environ.get("WATCH_RACE_S", "10"))
# Scans without a pause and an immediate refresh, so that most of the time is spent in calls with
# which a container may interfere.
START = """\
import time
from oauthkit.cli import main
from oauthkit.host import ipc
from oauthkit.host.commands import watch
watch.PAUSE_S = 0.0
watch.SCAN_INTERVAL_S = 0.0
ipc.IDLE_SHARE = 0
ipc.SETTLE_S = 0.0
watch.child.refresh = lambda paths, *mode: time.sleep(0.001) or 0
main()
"""


@pytest.mark.timeout(90 + RACE_S)
def test_exchanges_as_fast_as_possible(live: HostProject, tasks: Path) -> None:
    victim = Victim(live.home / "victim")
    link = tasks.with_name("link")
    link.symlink_to(victim.path)
    (tasks / "flip.json").write_text("{}", encoding="utf-8")
    (tasks / "aside").symlink_to(victim.path / ".credentials.json")
    # Requests are never written to the victim.
    directory = os.open(tasks, os.O_RDONLY | os.O_DIRECTORY)
    output = live.home / "output"
    program = Path(watch_flipper.__file__)
    argv = [sys.executable, str(program), str(tasks), str(link)]
    asked = 0
    with (
        running(live, start=START, stdout=str(output)) as watcher,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flipper,
    ):
        end_s = time.monotonic() + RACE_S
        while time.monotonic() < end_s:
            for name in NAMES:
                asked += ask(directory, name)
            time.sleep(0.005)
            assert victim.accesses() == []
        flips = int(flipper.communicate()[0])
        wait_until(lambda: not [*tasks.glob("request-*.json")])
        assert watcher.process.poll() is None
    os.close(directory)
    victim.demand_untouched()
    victim.close()
    lines = output.read_text("utf-8").splitlines()
    refreshes = [int(line.split()[2]) for line in lines if line.startswith("refreshed for ")]
    print(f"\n{flips} exchanges, {asked} requests, {sum(refreshes)} served by {len(refreshes)}")
    assert flips > 1000 * RACE_S
    assert sum(refreshes) >= asked > 10 * RACE_S
    # Each complaint was one line, and there were few.
    assert len(lines) - len(refreshes) < 20 + 11 * RACE_S / 60


def ask(directory: int, name: str) -> int:
    """Make a request. Return 0 if the last one with this name still exists."""
    try:
        os.stat(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    else:
        return 0
    new = os.open("new", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=directory)
    os.write(new, REQUEST.encode())
    os.close(new)
    os.rename("new", name, src_dir_fd=directory, dst_dir_fd=directory)
    return 1
