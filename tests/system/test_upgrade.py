"""An older script's chain continues after the current script has replaced it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.support.system.systemd_manager import wait_until
from tests.support.system.systemd_project import (
    HOP_DEADLINE_S,
    LONG_LIFE_S,
    TOKEN_PREFIX,
    UNIT,
    Project,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.system.systemd_manager import UserManager

OLD_LOG = "2026-01-02T03:04:05+00:00 Scheduled next refresh at 2026-01-02T03:09:05+00:00\n"
# The older scripts: the one that this project replaces, and the first generated one. They start the
# next run differently.
VERSIONS = ("original", "generated")


def leave_old_chain(project: Project, version: str, unit: str, due_s: int) -> None:
    """Create the timer and files that a failed run of an older script leaves behind."""
    timer = [
        "systemd-run",
        "--user",
        f"--unit={unit}",
        "--description=NanoClaw OAuth token refresh",
    ]
    path = project.environment()["PATH"]
    if version == "original":
        # Its service gets the manager's PATH, which must include the stand-ins.
        project.manager.systemctl("set-environment", f"PATH={path}")
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(due_s))
        # The script allows a delay of 1 min. Shorten it for the test.
        accuracy = "--timer-property=AccuracySec=100ms"
        timer += [accuracy, f"--on-calendar={when}", str(project.script)]
    else:
        timer += [
            "--quiet", "--collect", "--timer-property=AccuracySec=1s",
            f"--setenv=HOME={project.manager.home}", f"--setenv=PATH={path}",
            f"--on-calendar=@{due_s}", "--", "/bin/bash", str(project.script),
        ]  # fmt: skip
    done = project.manager.run(timer)
    assert done.returncode == 0, done.stderr
    project.dotenv.write_text("A=1\nCLAUDE_CODE_OAUTH_TOKEN=old\nB=2", encoding="utf-8")
    project.dotenv.chmod(0o644)
    project.log.parent.mkdir()
    project.log.write_text(OLD_LOG, encoding="utf-8")
    for name in ("lock", "failing"):
        (project.log.parent / f"oauth-refresh.{name}").touch(0o600)


def check_files(project: Project, token: str) -> None:
    """Check that the first run of the current script has continued with the old files."""
    dotenv = f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={token}\nB=2"
    assert project.dotenv.read_text(encoding="utf-8") == dotenv, project.report()
    assert project.dotenv.stat().st_mode & 0o777 == 0o644
    log = project.log.read_text(encoding="utf-8")
    assert log.startswith(OLD_LOG)
    assert "ERROR" not in log, project.report()
    assert not (project.log.parent / "oauth-refresh.failing").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_timer_of_an_older_script_starts_the_current_one(
    manager: UserManager, tmp_path: Path, version: str
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=-60)
    project.save_plan(leads_s={"1": 900})
    leave_old_chain(project, version, UNIT, int(time.time()) + 3)
    wait_until(
        lambda: len(project.log_lines("Scheduled next")) == 3 and project.pending() is not None,
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"two runs\n{project.report()}",
    )
    assert [run.form for run in project.runs()] == ["bash", "bash"], project.report()
    # The first run's service has the old timer's name, so the next timer needs another name.
    assert project.runs()[0].service == f"{UNIT}.service"
    assert project.runs()[0].unit == project.names[1]
    assert project.pending() == [f"{UNIT}.timer"], project.report()
    check_files(project, f"{TOKEN_PREFIX}1")


@pytest.mark.parametrize("version", VERSIONS)
def test_manual_run_replaces_the_timer_of_an_older_script(
    manager: UserManager, tmp_path: Path, version: str
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    project.save_plan(lead_s=900)
    leave_old_chain(project, version, UNIT, int(time.time()) + 3600)
    before = manager.timers()[f"{UNIT}.timer"]
    assert project.start().returncode == 0, project.report()
    assert project.pending() == [f"{UNIT}.timer"], project.report()
    assert manager.timers()[f"{UNIT}.timer"] != before
    check_files(project, f"{TOKEN_PREFIX}login")
