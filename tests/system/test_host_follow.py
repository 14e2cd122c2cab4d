"""oauthkit install --follow under a real user manager: .env follows the store."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.system.systemd_manager import UserManager, wait_until
from tests.support.system.systemd_project import (
    HOP_DEADLINE_S,
    LONG_LIFE_S,
    TOKEN_PREFIX,
    UNIT,
    Project,
)

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

FOLLOW = f"{UNIT}-follow.service"
FORMS = ("bash", "python")


class Follower(Project):
    """A project without a login, and a store beside it."""

    def __init__(self, manager: UserManager, root: Path, form: str) -> None:
        super().__init__(manager, root, form)
        self.store = root.parent / "store"
        self.store.mkdir(mode=0o700, exist_ok=True)

    def publish(self, host: str, left_s: int = 3600) -> None:
        """Replace a host's record in one step."""
        now_ms = int(time.time()) * 1000
        record = {
            "version": 1, "host": host, "access_token": f"{TOKEN_PREFIX}{host}",
            "issued_at_ms": now_ms, "expires_at_ms": now_ms + left_s * 1000,
        }  # fmt: skip
        temporary = self.store / "new"
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.rename(self.store / f"{host}.json")

    def oauthkit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "oauthkit", *arguments, "--project", str(self.root)]
        return self.manager.run(argv, env=self.environment(shim=False))

    def install(self) -> subprocess.CompletedProcess[str]:
        return self.oauthkit("install", "--follow", "--form", self.form)

    def wait_for(self, host: str) -> None:
        """Wait until .env has this host's token."""
        wanted = f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN_PREFIX}{host}\n"
        wait_until(
            lambda: self.dotenv.exists() and self.dotenv.read_text("utf-8") == wanted,
            deadline_s=HOP_DEADLINE_S,
            what=lambda: f"the token of {host} is in .env\n{self.report()}",
        )

    def main_process(self) -> str:
        return self.manager.systemctl("show", FOLLOW, "--property=MainPID", "--value").strip()

    def processes(self) -> set[str]:
        """Return the processes of the unit, as they are numbered in the namespaces."""
        group = self.manager.systemctl("show", FOLLOW, "--property=ControlGroup", "--value").strip()
        file = f"/sys/fs/cgroup{group}/cgroup.procs"
        return {*self.manager.run(["cat", file]).stdout.split()} if group else set()

    def is_there(self, process: str) -> bool:
        return self.manager.run(["test", "-d", f"/proc/{process}"]).returncode == 0


@pytest.fixture(params=FORMS)
def follower(manager: UserManager, tmp_path: Path, request: pytest.FixtureRequest) -> Follower:
    made = Follower(manager, tmp_path / "my $project", request.param)
    done = made.oauthkit(
        "install", "--follow", "--store", f"dir:{made.store}", "--form", request.param
    )
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    assert "\n.env has no live token yet: " in done.stdout
    return made


def test_env_follows_the_store_until_it_is_uninstalled(follower: Follower, tmp_path: Path) -> None:
    manager = follower.manager
    assert {unit.sub for unit in manager.units(FOLLOW)} == {"running"}
    assert manager.systemctl("is-enabled", FOLLOW).strip() == "enabled"
    assert manager.timers() == {}
    for host, left_s in (("a", 1200), ("b", 1300), ("c", 1400)):
        follower.publish(host, left_s)
        follower.wait_for(host)

    # A second install changes nothing. It succeeds only if .env has a live token.
    unit = tmp_path / "home/.config/systemd/user" / FOLLOW
    before = unit.stat().st_mtime_ns
    done = follower.install()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{unit} is up to date\n" in done.stdout
    assert unit.stat().st_mtime_ns == before
    status = json.loads(follower.oauthkit("status", "--json").stdout)
    assert (status["live"], status["warnings"]) == (True, [])
    assert [x["host"] for x in status["store"]["records"] if x["used"]] == ["c"]
    argv = [sys.executable, "-m", "oauthkit", "status", "--all"]
    every = manager.run(argv, env=follower.environment(shim=False)).stdout
    assert every.startswith(f" ok   {follower.root}: ")
    found = follower.oauthkit("doctor").stdout
    assert f" ok   follower: {FOLLOW} runs\n" in found

    # systemd starts it again after SIGKILL.
    killed = follower.main_process()
    manager.run(["kill", "-KILL", killed])
    wait_until(
        lambda: follower.main_process() not in {"0", killed},
        deadline_s=HOP_DEADLINE_S,
        what=follower.report,
    )
    follower.publish("d", 1500)
    follower.wait_for("d")

    started = follower.processes()
    assert follower.main_process() in started
    assert follower.oauthkit("uninstall").returncode == 0
    assert not [process for process in started if follower.is_there(process)]
    assert manager.units(f"{UNIT}*") == []
    assert [path for path in unit.parent.rglob("*") if path.is_file() or path.is_symlink()] == []
    # Only from the time when the store was empty.
    errors = {line.partition(" ERROR: ")[2] for line in follower.log_lines("ERROR: ")}
    assert errors == {f"dir:{follower.store} has no record of a live token"}


def test_refresh_and_follower_exclude_each_other(follower: Follower) -> None:
    follower.login(life_s=LONG_LIFE_S)
    done = follower.oauthkit("install")
    assert done.returncode == 1
    assert f"{FOLLOW} follows a store for this project" in done.stderr
    assert follower.oauthkit("uninstall").returncode == 0
    assert follower.oauthkit("install").returncode == 0
    assert follower.pending() == [f"{UNIT}-heal.timer", f"{UNIT}.timer"]
    done = follower.install()
    assert done.returncode == 1
    assert f"{UNIT}.timer refreshes this project" in done.stderr
    # The refresh publishes to the store that install --follow has set.
    assert len([*follower.store.iterdir()]) == 1


def test_token_is_delivered_before_the_unit_has_started(
    manager: UserManager, tmp_path: Path
) -> None:
    follower = Follower(manager, tmp_path / "project", "bash")
    follower.publish("a")
    done = follower.oauthkit("install", "--follow", "--store", f"dir:{follower.store}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert follower.dotenv.read_text("utf-8") == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN_PREFIX}a\n"
    assert "scripts/oauth/follow.sh" in manager.systemctl("show", FOLLOW, "--property=ExecStart")
    follower.dotenv.unlink()
    manager.systemctl("restart", FOLLOW)
    assert follower.dotenv.exists()
    # It ends the whole group.
    started = follower.processes()
    manager.systemctl("stop", FOLLOW)
    assert not [process for process in started if follower.is_there(process)]
