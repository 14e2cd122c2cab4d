"""oauthkit install under a real user manager: the chain continues after any interruption."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.system.systemd_manager import (
    ManagerUnavailableError,
    UserManager,
    skip_or_fail,
    wait_until,
)
from tests.support.system.systemd_project import HOP_DEADLINE_S, LONG_LIFE_S, UNIT, Project

from oauthkit.host.project import CONF_FILE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

HEAL = f"{UNIT}-heal"
FORMS = ("bash", "python")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def started(home: Path) -> UserManager:
    """Start a manager, as after a boot."""
    manager = UserManager(home)
    try:
        return manager.__enter__()
    except ManagerUnavailableError as why:
        skip_or_fail(str(why))


@pytest.fixture
def manager(home: Path) -> Iterator[UserManager]:
    manager = started(home)
    yield manager
    manager.__exit__(None, None, None)


def oauthkit(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "oauthkit", *arguments, "--project", str(project.root)]
    return project.manager.run(argv, env=project.environment(shim=False))


def chain(manager: UserManager) -> list[str]:
    """Return the chain's pending timers."""
    return [name for name in manager.timers() if name.startswith(UNIT) and name != f"{HEAL}.timer"]


def soon(home: Path) -> None:
    """Change install's timer: it elapses within two seconds of the manager's start, and often."""
    drop_in = home / f".config/systemd/user/{HEAL}.timer.d/soon.conf"
    drop_in.parent.mkdir(parents=True)
    often = "[Timer]\nOnStartupSec=\nOnStartupSec=1\nOnCalendar=\nOnCalendar=*:*:0/2\n"
    drop_in.write_text(f"{often}AccuracySec=100ms\n", encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_chain_is_started_and_install_is_idempotent(
    manager: UserManager, home: Path, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    expires_at_ms = project.login(life_s=LONG_LIFE_S)
    done = oauthkit(project, "install", "--form", form)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    directory = home / ".config/systemd/user"
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"wrote {directory / HEAL}.service", f"wrote {directory / HEAL}.timer"]
    due_us = (expires_at_ms // 1000 - 1800) * 1_000_000
    assert {name: manager.timers()[name] for name in chain(manager)} == {f"{UNIT}.timer": due_us}
    assert manager.systemctl("is-enabled", f"{HEAL}.timer").strip() == "enabled"
    assert project.dotenv.read_text("utf-8").startswith("CLAUDE_CODE_OAUTH_TOKEN=")

    files = {file: file.stat().st_mtime_ns for file in directory.glob(f"{HEAL}.*")}
    done = oauthkit(project, "install", "--form", form)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is up to date") == 2
    assert {file: file.stat().st_mtime_ns for file in directory.glob(f"{HEAL}.*")} == files
    assert len(chain(manager)) == 1


def test_stopped_chain_continues_and_survives_a_restart(home: Path, tmp_path: Path) -> None:
    manager = started(home)
    try:
        project = Project(manager, tmp_path / "project", "bash")
        project.login(life_s=LONG_LIFE_S)
        soon(home)
        assert oauthkit(project, "install").returncode == 0, project.report()
        # Stop the chain. The name is a pattern, because install's timer may replace the timer.
        manager.systemctl("stop", f"{UNIT}.[t]imer", f"{UNIT}-tmp*.timer")
        wait_until(
            lambda: bool(chain(manager)),
            deadline_s=HOP_DEADLINE_S,
            what=lambda: f"the chain continues\n{project.report()}",
        )
    finally:
        manager.__exit__(None, None, None)
    scheduled = len(project.log_lines(" Scheduled next refresh at "))
    again = started(home)  # the units in the first manager's memory are gone
    try:
        project.manager = again
        wait_until(
            lambda: bool(chain(again)),
            deadline_s=HOP_DEADLINE_S,
            what=lambda: f"the chain exists after a restart\n{project.report()}",
        )
        wait_until(  # a run logs this after it has started the timer
            lambda: len(project.log_lines(" Scheduled next refresh at ")) > scheduled,
            deadline_s=HOP_DEADLINE_S,
            what=lambda: f"a run after the restart\n{project.report()}",
        )
    finally:
        again.__exit__(None, None, None)


def kill_run(project: Project) -> None:
    """Kill a run of the installed unit before it starts a timer. systemd waits for its restart."""
    manager = project.manager
    manager.systemctl("stop", f"{UNIT}.timer")
    project.login(life_s=-60)
    project.save_plan(kills=[0])
    manager.systemctl("start", "--no-block", f"{HEAL}.service")
    wait_until(
        lambda: "SubState=auto-restart" in manager.systemctl("show", f"{HEAL}.service"),
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"the run is killed\n{project.report()}",
    )


@pytest.mark.parametrize("form", FORMS)
def test_killed_run_of_the_installed_unit_is_restarted(
    manager: UserManager, home: Path, tmp_path: Path, form: str
) -> None:
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install", "--form", form).returncode == 0, project.report()
    shown = manager.systemctl("show", "--property=RestartUSec", "--value", f"{HEAL}.service")
    assert shown.strip() == "7min"
    drop_in = home / f".config/systemd/user/{HEAL}.service.d/soon.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nRestartSec=10\n", encoding="utf-8")
    manager.systemctl("daemon-reload")
    kill_run(project)
    wait_until(
        lambda: bool(chain(manager)),
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"the chain continues\n{project.report()}",
    )
    calls = project.claude_calls()
    assert [call["service"] for call in calls] == [f"{HEAL}.service"] * 2, project.report()


def test_install_does_not_wait_for_the_restart_of_a_killed_run(
    manager: UserManager, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0, project.report()
    kill_run(project)
    found = oauthkit(project, "doctor").stdout
    assert f" ok   timer: a run was killed. systemd starts {HEAL}.service again" in found, found
    began_s = time.monotonic()
    assert oauthkit(project, "install").returncode == 0, project.report()
    assert time.monotonic() - began_s < 300, "install waited 7 min for the restart"
    assert len(chain(manager)) == 1, project.report()


@pytest.mark.parametrize("name", ["two words", "$HOME %h \\x20", 'it\'s a "project"', "a\nb; c;d"])
def test_any_path_and_settings(manager: UserManager, tmp_path: Path, name: str) -> None:
    root = tmp_path / "projects" / name
    settings = {
        "CLAUDE_CONFIG_DIR": str(root / f"config {name}"),
        "OAUTHKIT_DOTENV": str(root / f"dotenv {name}"),
        "OAUTHKIT_LOG": str(root / "logs" / f"log {name}"),
        "OAUTHKIT_UNIT": "odd",
    }
    project = Project(
        manager, root, "bash", unit="odd", config=root / f"config {name}", settings=settings
    )
    project.login(life_s=LONG_LIFE_S)
    done = oauthkit(project, "install")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{project.report()}"
    assert project.dotenv.read_text("utf-8").startswith("CLAUDE_CODE_OAUTH_TOKEN=")
    assert project.pending() == ["odd-heal.timer", "odd.timer"]
    found = oauthkit(project, "doctor").stdout.splitlines()
    assert not [line for line in found if line.startswith("FAIL") and "timer" in line], found
    assert oauthkit(project, "uninstall").returncode == 0
    assert project.pending() == []


def test_status_and_doctor_report_timers(manager: UserManager, tmp_path: Path) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    manager.systemctl("stop", f"{UNIT}.timer")
    data = json.loads(oauthkit(project, "status", "--json").stdout)
    assert (data["next_run"]["unit"], data["warnings"]) == (f"{HEAL}.timer", [])
    found = oauthkit(project, "doctor").stdout
    assert "note  timer: the chain's timer is not pending. " in found

    other = Project(manager, tmp_path / "other", "bash")
    other.login(life_s=LONG_LIFE_S)
    data = json.loads(oauthkit(other, "status", "--json").stdout)
    assert data["next_run"]["foreign_timer"] == f"{HEAL}.timer belongs to {project.root}"
    fix = f" install --project {other.root} --unit oauth-refresh-other\n"
    assert fix in oauthkit(other, "doctor").stdout


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["heal", "watch"])
def test_unit_that_systemd_cannot_load(
    manager: UserManager, home: Path, tmp_path: Path, name: str, form: str
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    (project.root / "data/ipc").mkdir(parents=True)
    assert oauthkit(project, "install", "--watch", "--form", form).returncode == 0
    file = home / f".config/systemd/user/{UNIT}-{name}.service"
    lines = file.read_text("utf-8").splitlines()
    # An empty assignment removes the commands before it (systemd.service(5)).
    broken = [line + "\nExecStart=" * line.startswith("ExecStart=") for line in lines]
    manager.systemctl("stop", file.name)
    file.write_text("\n".join(broken), "utf-8")
    manager.systemctl("daemon-reload")
    text = f"FAIL  units: systemd cannot load {file.name} (bad-setting)\n      fix: "
    shown = oauthkit(project, "doctor").stdout
    assert shown.count("FAIL  units: ") == 1, shown
    fix = shown.partition(text)[2].partition("\n")[0]
    more = " --form python" * (form == "python")
    assert fix.endswith(f"install --project {project.root}{more} --watch"), shown
    done = manager.run(["/bin/sh", "-c", fix], env=project.environment(shim=False))
    assert done.returncode == 0, done.stderr
    assert "FAIL  units" not in oauthkit(project, "doctor").stdout


def test_drop_in_that_replaces_the_command(
    manager: UserManager, home: Path, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    override = home / f".config/systemd/user/{HEAL}.service.d/override.conf"
    override.parent.mkdir()
    override.write_text("[Service]\nExecStart=\nExecStart=/bin/true\n", "utf-8")
    removal = f"mv {override} {override}.old && systemctl --user daemon-reload"
    for problem, fix in {
        f"units: the files of {HEAL}.service have changed since systemd loaded them": (
            "systemctl --user daemon-reload"
        ),
        f"whose units: {HEAL}.service runs something else": f"{removal} && ",
    }.items():
        found = oauthkit(project, "doctor").stdout
        note = f"note  drop-in: {override} changes {HEAL}.service\n      fix: {removal}\n"
        assert note in found
        shown = found.partition(f"FAIL  {problem}\n      fix: ")[2].partition("\n")[0]
        assert shown.startswith(fix), found
        done = manager.run(["/bin/sh", "-c", shown], env=project.environment(shim=False))
        assert done.returncode == 0, done.stderr
    assert not override.exists()
    found = oauthkit(project, "doctor").stdout
    assert "FAIL  units" not in found
    assert "FAIL  whose" not in found
    assert "drop-in" not in found


def test_drop_in_with_a_condition(manager: UserManager, home: Path, tmp_path: Path) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    file = home / f".config/systemd/user/{HEAL}.service.d/power.conf"
    file.parent.mkdir()
    file.write_text("[Unit]\nConditionPathExists=/nonexistent\n", "utf-8")
    manager.systemctl("daemon-reload")
    manager.systemctl("start", f"{HEAL}.service")  # the heal timer starts it within an hour
    found = oauthkit(project, "doctor").stdout
    text = f"FAIL  units: {HEAL}.service was not started, because one of its conditions is not met"
    fix = found.partition(f"{text}\n      fix: ")[2].partition("\n")[0]
    assert fix.startswith(f"mv {file} {file}.old && systemctl --user daemon-reload && "), found
    done = manager.run(["/bin/sh", "-c", fix], env=project.environment(shim=False))
    assert done.returncode == 0, done.stderr
    assert "FAIL  units" not in oauthkit(project, "doctor").stdout


def test_drop_in_outlives_the_units(manager: UserManager, home: Path, tmp_path: Path) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    soon(home)
    file = home / f".config/systemd/user/{HEAL}.timer.d/soon.conf"
    removal = f"mv {file} {file}.old && systemctl --user daemon-reload"
    said = f"note: {file} changes {HEAL}.timer. To remove it, run: {removal}"
    assert f"\n{said}\n" in oauthkit(project, "install").stdout
    kept = f"{file} is kept: install did not write it. It applies to later units of this name"
    assert f"\n{kept}\n" in oauthkit(project, "uninstall").stdout


def test_deleted_and_masked_units_are_reported(
    manager: UserManager, home: Path, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    (home / f".config/systemd/user/{HEAL}.service").unlink()
    manager.systemctl("daemon-reload")
    found = oauthkit(project, "doctor").stdout.partition(
        f"FAIL  units: {HEAL}.service is missing\n"
    )
    assert f"install --project {project.root}\n" in found[2].partition("\n")[0] + "\n"
    assert oauthkit(project, "install").returncode == 0
    assert "FAIL  units" not in oauthkit(project, "doctor").stdout
    (home / f".config/systemd/user/{HEAL}.timer").unlink()
    manager.systemctl("mask", f"{HEAL}.timer")
    done = oauthkit(project, "install")
    unmask = f"systemctl --user unmask {HEAL}.timer"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"oauthkit install: {HEAL}.timer is masked. Run: {unmask}\n"
    manager.systemctl("unmask", f"{HEAL}.timer")
    assert oauthkit(project, "install").returncode == 0


def test_status_reports_a_missing_script(manager: UserManager, tmp_path: Path) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    assert json.loads(oauthkit(project, "status", "--json").stdout)["warnings"] == []
    (project.root / "scripts/oauth/refresh.sh").unlink()
    (problem,) = json.loads(oauthkit(project, "status", "--json").stdout)["warnings"]
    assert problem.startswith(
        f"{project.root}/scripts/oauth/refresh.sh does not exist, so no run can start. "
    )


def test_failed_first_run_is_reported_and_units_are_installed(
    manager: UserManager, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    done = oauthkit(project, "install")
    assert done.returncode == 1
    assert "the first run failed. To see how to fix it, run: " in done.stdout
    assert f"oauthkit doctor --project {project.root}\n" in done.stdout
    reason = f"{project.credentials} not found"
    assert f"the first run logged: ERROR: {reason}\n" in done.stdout
    assert manager.systemctl("is-enabled", f"{HEAL}.timer").strip() == "enabled"
    assert chain(manager) == [f"{UNIT}.timer"]  # the retry


def test_request_from_a_container_is_served(manager: UserManager, tmp_path: Path) -> None:
    project = Project(manager, tmp_path / "project $1", "bash")
    project.login(life_s=LONG_LIFE_S)
    tasks = project.root / "data/ipc/main/tasks"
    tasks.mkdir(parents=True)
    done = oauthkit(project, "install", "--watch")
    assert done.returncode == 0, done.stderr
    units = {unit.name: unit.sub for unit in manager.units(f"{UNIT}-watch.service")}
    assert units == {f"{UNIT}-watch.service": "running"}  # ready, by Type=notify
    before = len(project.log_lines())
    (tasks / "other.json").write_text('{"type":"other"}', encoding="utf-8")
    (tasks / "request.json").write_text('{"type":"refresh_oauth"}', encoding="utf-8")
    wait_until(
        lambda: [file.name for file in tasks.iterdir()] == ["other.json"],
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"the request is served\n{project.report()}",
    )
    assert len(project.log_lines()) > before
    assert oauthkit(project, "uninstall").returncode == 0
    assert manager.units(f"{UNIT}-watch.service") == []


def test_uninstall_waits_for_a_run_that_would_schedule_the_next(
    manager: UserManager, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    project.login(life_s=-60)
    project.save_plan(slow=[0])
    manager.systemctl("start", "--no-block", f"{HEAL}.service")
    wait_until(
        lambda: bool(project.claude_calls()),
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"claude is running\n{project.report()}",
    )
    done = oauthkit(project, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert not [name for name in manager.timers() if name.startswith(UNIT)], project.report()
    assert manager.systemctl("list-units", "--failed", "--plain", "--no-legend") == ""


def test_uninstall(manager: UserManager, home: Path, tmp_path: Path) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install").returncode == 0
    # When the persistent timer last elapsed: systemd.timer(5).
    stamps = home / ".local/share/systemd/timers"
    assert [file.name for file in stamps.iterdir()] == [f"stamp-{HEAL}.timer"]
    for _ in range(2):  # the second time, there is nothing to remove
        done = oauthkit(project, "uninstall")
        assert (done.returncode, done.stderr) == (0, "")
        assert not [name for name in manager.timers() if name.startswith(UNIT)]
        assert list((home / ".config/systemd/user").glob(f"{HEAL}*")) == []
        assert list(stamps.iterdir()) == []
    status = json.loads(oauthkit(project, "status", "--json").stdout)
    assert (status["live"], status["next_run"]["timers"]) == (True, 0)


@pytest.mark.parametrize("form", FORMS)
def test_uninstall_of_a_project_that_was_removed(
    manager: UserManager, home: Path, tmp_path: Path, form: str
) -> None:
    gone, kept = (Project(manager, tmp_path / name, form) for name in ("gone", "kept"))
    (gone.root / "data/ipc").mkdir(parents=True)
    for project in (gone, kept):
        project.login(life_s=LONG_LIFE_S)
        unit = f"of-{project.root.name}"
        watch = ["--watch"] if project is gone else []
        done = oauthkit(project, "install", "--form", form, "--unit", unit, *watch)
        assert done.returncode == 0, done.stderr
    shutil.rmtree(gone.root)
    manager.systemctl("start", "--no-block", "of-gone-heal.service")  # it fails
    argv = [sys.executable, "-m", "oauthkit", "status", "--all"]
    every = manager.run(argv, env=kept.environment(shim=False)).stdout.splitlines()
    states = [line.partition(": ")[0] for line in every]
    assert states == [f"FAIL  {gone.root}", f" ok   {kept.root}"]
    assert every[0].endswith(f" uninstall --project {gone.root}")
    done = oauthkit(gone, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    every = manager.run(argv, env=kept.environment(shim=False)).stdout.splitlines()
    assert [line.partition(": ")[0] for line in every] == [f" ok   {kept.root}"]
    left = {file.name for file in (home / ".config/systemd/user").iterdir() if file.is_file()}
    assert left == {"of-kept-heal.service", "of-kept-heal.timer"}
    assert manager.timers().keys() == {"of-kept.timer", "of-kept-heal.timer"}
    done = oauthkit(gone, "uninstall")
    assert done.returncode == 2
    assert done.stderr.endswith(" is not a directory. Pass --project DIR\n")


def test_uninstall_keeps_the_chain_of_another_project_with_the_same_name(
    manager: UserManager, tmp_path: Path
) -> None:
    first, second = (Project(manager, tmp_path / name, "bash") for name in ("first", "second"))
    for project in (first, second):
        project.login(life_s=LONG_LIFE_S)
    assert first.start(env=first.environment(shim=False)).returncode == 0
    assert chain(manager) == [f"{UNIT}.timer"]
    done = oauthkit(second, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{UNIT}.timer is kept: {UNIT}.service belongs to another project: {first.root}",
        "no run of this project is scheduled. Its .env gets no new token until you start a refresh",
    ]
    assert chain(manager) == [f"{UNIT}.timer"]
    # The second project's files are removed nevertheless.
    assert oauthkit(second, "install").returncode == 0
    assert first.start(env=first.environment(shim=False)).returncode == 0
    assert oauthkit(second, "uninstall").returncode == 0
    assert [name for name in manager.timers() if name.startswith(UNIT)] == [f"{UNIT}.timer"]
    assert oauthkit(first, "uninstall").returncode == 0
    assert chain(manager) == []


def test_uninstall_stops_a_timer_whose_earlier_name_ends_in_watch(
    manager: UserManager, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash", unit="night-watch")
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install", "--unit", "night-watch").returncode == 0
    assert "night-watch.timer" in manager.timers()
    (project.root / CONF_FILE).write_text("OAUTHKIT_UNIT=later\n", "utf-8")
    done = oauthkit(project, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert not [name for name in manager.timers() if name.startswith(("night", "later"))]


def test_uninstall_keeps_a_timer_that_the_user_wrote_with_the_same_name(
    manager: UserManager, home: Path, tmp_path: Path
) -> None:
    project = Project(manager, tmp_path / "project", "bash")
    project.login(life_s=LONG_LIFE_S)
    units = home / ".config/systemd/user"
    units.mkdir(parents=True, exist_ok=True)
    (units / "backup.service").write_text("[Service]\nExecStart=/bin/true\n", "utf-8")
    file = units / f"{UNIT}.timer"
    file.write_text("[Timer]\nOnActiveSec=1h\nUnit=backup.service\n", "utf-8")
    manager.systemctl("daemon-reload")
    manager.systemctl("start", file.name)
    done = oauthkit(project, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    why = f"it may not be this project's: {UNIT}.service is not loaded (not-found)"
    why += f". If it is, run: systemctl --user stop {UNIT}.timer"
    assert done.stdout.splitlines()[0] == f"{UNIT}.timer is kept: {why}"
    assert chain(manager) == [file.name]
    file.unlink()
    manager.systemctl("stop", file.name)
    manager.systemctl("daemon-reload")


@pytest.mark.parametrize("form", FORMS)
def test_settings_come_only_from_the_file(manager: UserManager, tmp_path: Path, form: str) -> None:
    project = Project(manager, tmp_path / "project", form, unit="mine")
    project.login(life_s=LONG_LIFE_S)
    (project.root / "data/bearer").mkdir(parents=True)
    options = ("--form", form, "--unit", "mine", "--bearer", "data/bearer/bearer.json")
    done = oauthkit(project, "install", *options)
    assert (done.returncode, done.stderr) == (0, ""), project.report()
    assert project.pending() == ["mine-heal.timer", "mine.timer"]
    file = project.root / "data/bearer/bearer.json"
    record = json.loads(file.read_text("utf-8"))["claudeAiOauth"]
    assert "refreshToken" not in record
    token = project.dotenv.read_text("utf-8").partition("=")[2].strip()
    assert record["accessToken"] == token
    # The next run has the settings from the file again.
    file.unlink()
    manager.systemctl("start", "mine.service")
    wait_until(file.exists, deadline_s=HOP_DEADLINE_S, what=project.report)
    data = json.loads(oauthkit(project, "status", "--json").stdout)
    assert (data["live"], data["warnings"]) == (True, [])
    assert [x["origin"] for x in data["settings"]] == ["refresh.conf"] * 2


def test_two_projects_share_a_unit_name(manager: UserManager, tmp_path: Path) -> None:
    first, second = (Project(manager, tmp_path / name, "bash") for name in ("first", "second"))
    for project in (first, second):
        project.login(life_s=LONG_LIFE_S)
        assert project.start(env=project.environment(shim=False)).returncode == 0
    names = {}
    for project in (first, second):
        data = json.loads(oauthkit(project, "status", "--json").stdout)
        assert (data["live"], data["warnings"]) == (True, [])
        names[project.root.name] = data["next_run"]["unit"]
        failed = [x for x in oauthkit(project, "doctor").stdout.splitlines() if "FAIL" in x]
        assert not [line for line in failed if "timer" in line or "whose" in line], failed
    assert names["first"] == f"{UNIT}.timer"
    assert names["second"].startswith(f"{UNIT}-")
    assert sorted(names.values()) == sorted(chain(manager))
    argv = [sys.executable, "-m", "oauthkit", "status", "--all"]
    every = first.manager.run(argv, env=first.environment(shim=False))
    assert (every.returncode, every.stderr) == (0, "")
    shown = [line.partition(": ")[0] for line in every.stdout.splitlines()]
    assert shown == [f" ok   {first.root}", f" ok   {second.root}"]
    # Its timer has the name of the real path, even if it is installed through a link.
    link = tmp_path / "link"
    link.symlink_to(second.root)
    argv = [sys.executable, "-m", "oauthkit", "install", "--project", str(link)]
    assert manager.run(argv, env=second.environment(shim=False)).returncode == 0
    assert sorted(names.values()) == sorted(chain(manager))
    # Installing the second project under another name stops its timer with the earlier name.
    done = oauthkit(second, "install", "--unit", "other")
    assert done.returncode == 0, done.stderr
    assert chain(manager) == [f"{UNIT}.timer"]
    assert oauthkit(second, "uninstall").returncode == 0  # the first project's timer has this name
    assert chain(manager) == [f"{UNIT}.timer"]


@pytest.mark.parametrize("form", FORMS)
def test_journal_has_the_reason_of_a_failure(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    manager.start_journal()
    project = Project(manager, tmp_path / "project", form)
    assert oauthkit(project, "install", "--form", form).returncode == 1
    reason = f"ERROR: {project.credentials} not found"

    def messages() -> list[str]:
        shown = manager.journal("nanoclaw-oauth-refresh*")
        return [line.partition(" ")[2] for line in shown if " ERROR: " in line]

    wait_until(lambda: bool(messages()), deadline_s=HOP_DEADLINE_S, what=project.report)
    assert messages() == [reason]
    project.login(life_s=LONG_LIFE_S)
    manager.systemctl("start", f"{HEAL}.service")
    assert "WARN" not in "".join(manager.journal("nanoclaw-oauth-refresh*"))
    assert messages() == [reason]  # a successful run prints nothing


@pytest.mark.parametrize("form", FORMS)
def test_journal_has_the_last_lines_of_a_failed_claude(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    manager.start_journal()
    project = Project(manager, tmp_path / "project", form)
    project.login(life_s=LONG_LIFE_S)
    assert oauthkit(project, "install", "--form", form).returncode == 0
    printed = "".join(f"line {number} sk-ant-made-up\n" for number in range(7))
    project.save_plan(lives_s={"0": None}, claude_prints=printed)
    project.login(life_s=-60)
    manager.systemctl("start", "--no-block", f"{HEAL}.service")

    def messages() -> list[str]:
        shown = manager.journal("nanoclaw-oauth-refresh*")
        return [line.partition(" ")[2] for line in shown]

    wait_until(
        lambda: any(text.startswith("ERROR: ") for text in messages()),
        deadline_s=HOP_DEADLINE_S,
        what=lambda: f"{messages()}\n{project.report()}",
    )
    assert messages() == [
        *(f"claude: line {number} sk-ant-***" for number in range(2, 7)),
        "ERROR: claude CLI refresh failed (exit 1). User may need to run 'claude login'.",
    ]
