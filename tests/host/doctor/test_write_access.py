"""oauthkit doctor's checks of the log, the lock, and the directories in which a refresh writes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import examined
from tests.support.host.host_project import (
    quoted,
)

from oauthkit.host import lock_holder
from oauthkit.host.doctor import write_access
from oauthkit.host.doctor.write_access import delivery, login, logs
from oauthkit.host.project import CONF_FILE, find_paths
from oauthkit.host.status import model
from oauthkit.host.status.warnings import warnings

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_lock_holder_is_reported(well: HostProject) -> None:
    lock = find_paths(str(well.project)).lock
    lock.touch(0o600)
    # As in the script: the process of flock(1) has exited.
    argv = ["/bin/bash", "-c", 'exec 9>>"$1"; flock 9; echo; read -r', "bash", str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        shown = " ".join(well.run("doctor").stdout.split("\n      "))
        said = f"a run is in progress: PID {process.pid} (bash) holds {lock}"
        assert f"note  lock: {said}" in shown
        assert not [x for x in well.status()["warnings"] if "holds" in x]
        process.communicate(b"\n")


@pytest.mark.parametrize("is_directory", [True, False])
def test_log_link_that_leads_nowhere(well: HostProject, *, is_directory: bool) -> None:
    path = well.log.parent if is_directory else well.log
    path.rename(path.with_name("away"))
    path.symlink_to("/nonexistent/x")
    name = "logs" if is_directory else "log"
    _, failed, fixes = examined(well)
    assert failed[name] == f"{path} is a link that leads nowhere"
    assert fixes[name] == f"mv {quoted(path)} {quoted(path)}.old"
    (warning,) = well.status()["warnings"]
    assert warning.startswith("no run can write ")
    subprocess.run(["sh", "-c", fixes[name]], check=True)
    assert examined(well)[1] == {}


def test_log_that_is_dotenv(well: HostProject) -> None:
    conf = well.project / CONF_FILE
    conf.write_text("OAUTHKIT_LOG=.env\n", "utf-8")
    _, failed, fixes = examined(well)
    assert (
        failed["log"]
        == f"the log {well.dotenv} and .env are the same file (OAUTHKIT_LOG: refresh.conf)"
    )
    assert fixes["log"] == "set OAUTHKIT_LOG to another path"
    assert "the log is .env, so no run can start" in str(well.status()["warnings"])


def test_search_for_the_lock_holder_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container with this user's uid can have very many open files."""
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holder.holder_of(tmp_path / "lock") == os.getpid()
        monkeypatch.setattr(lock_holder, "LONGEST_SEARCH_S", -1.0)
        assert lock_holder.holder_of(tmp_path / "lock") is None


def test_lock_that_is_held_for_longer_than_a_run_takes(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setattr(model, "LONGEST_RUN_S", 0)
    holder = f"PID {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"
    paths = find_paths(str(well.project))
    assert not model.collect(paths).is_stuck
    paths.lock.touch(0o600)
    with paths.lock.open() as file:
        assert not model.collect(paths).is_stuck
        fcntl.flock(file, fcntl.LOCK_EX)
        found = model.collect(paths)
        assert found.lock_holder == holder
        (problem,) = [x for x in warnings(found) if "holds" in x]
        text = f"{holder} holds the lock. No other run can start until it exits. To see the fix"
        assert problem.startswith(text)
        well.dotenv.write_text("OTHER=1\n", "utf-8")  # a refresh would wait for the lock
        assert not [x for x in warnings(model.collect(paths)) if ".env" in x]
        monkeypatch.setattr(write_access, "LONGEST_RUN_S", 0)
        finding = next(x for x in write_access.logs(paths) if x.name == "lock")
        text = f" min ago and holds {paths.lock}, so no other run can start"
        assert (finding.text.startswith(holder), finding.text.endswith(text)) == (True, True)
        assert finding.fix == f"kill {os.getpid()}"


def test_file_in_place_of_the_logins_directory(well: HostProject) -> None:
    """It must be moved away before a login, so its fix comes first."""
    shutil.rmtree(well.home / ".claude")
    (well.home / ".claude").write_bytes(b"")
    names = [*examined(well)[1]]
    assert names[:2] == ["login's directory", "login"]


@pytest.mark.parametrize("blocks", [0, 100])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    disk = SimpleNamespace(
        f_blocks=blocks, f_bfree=255, f_bavail=255, f_frsize=4096, f_files=0, f_favail=0
    )
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = find_paths(str(tmp_path))
    found = [x for check in (logs, delivery, login) for x in check(paths) if not x.is_ok]
    text = f"less than 1 MiB is free on the disk of {tmp_path}"
    assert {x.text for x in found} == ({text} if blocks else set())
    names = {"logs", "directory of .env", "login's directory"} if blocks else set()
    assert {x.name for x in found} == names
    assert {x.fix for x in found} <= {
        f"free some space. To see the usage, run: df -h {quoted(tmp_path)}"
    }
    disk.f_blocks, disk.f_files = 0, 100
    found = [*logs(paths)]
    assert found[0].text == f"no inodes are free on the disk of {tmp_path}"
    assert found[0].fix == f"remove some files. To see the usage, run: df -i {quoted(tmp_path)}"
    disk.f_favail = 1
    assert all(x.is_ok for x in logs(paths))
