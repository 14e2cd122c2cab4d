"""The host's commands with a real systemd user manager."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.support.system.systemd_manager import ManagerUnavailableError, UserManager, skip_or_fail
from tests.support.system.systemd_project import LONG_LIFE_S, UNIT, Project

if TYPE_CHECKING:
    from pathlib import Path


def test_status_shows_the_refresh_timer(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    try:
        with UserManager(home) as manager:
            project = Project(manager, tmp_path / "project", "bash")
            expires_at_ms = project.login(life_s=LONG_LIFE_S)
            argv = [sys.executable, "-m", "oauthkit", "status", "--json"]
            argv += ["--project", str(project.root)]

            before = manager.run(argv)
            assert before.returncode == 1, before.stderr
            assert "no run is scheduled" in json.loads(before.stdout)["warnings"][-1]

            assert project.start(env=project.environment(shim=False)).returncode == 0
            # This works even without the bus address in the environment.
            bare = {"HOME": str(home), "PATH": manager.environment()["PATH"]}
            for env in (None, bare):
                done = manager.run(argv, env=env)
                assert done.returncode == 0, done.stderr
                data = json.loads(done.stdout)
                assert data["next_run"] == {
                    "unit": f"{UNIT}.timer", "at_s": expires_at_ms // 1000 - 1800, "timers": 1,
                    "foreign_timer": None, "is_running": False, "by_cron": False, "problem": None,
                }  # fmt: skip
                assert data["warnings"] == []
    except ManagerUnavailableError as why:
        skip_or_fail(str(why))
