"""oauthkit doctor and status: a project's timers and services."""

from __future__ import annotations

import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import (
    NOT_FOUND,
    SCRIPT,
    examined,
    expected_fix,
    fake_manager,
    shown,
)
from tests.support.host.host_project import SAME_CODE, UNIT, command

from oauthkit.host.doctor import timers
from oauthkit.host.path_info import quoted
from oauthkit.host.project import CONF_FILE, find_paths
from oauthkit.host.systemd import owner, unit_texts
from oauthkit.host.systemd.services import Service
from oauthkit.host.systemd.start_command import Command
from oauthkit.host.systemd.unit_texts import _MARK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject


NEEDED = "claude, jq, timeout, flock"


def other(host: HostProject) -> Path:
    """Create another project's directory, beside the host's own."""
    directory = host.project.with_name(f"{host.project.name}2")
    directory.mkdir()
    return directory


def test_claude_that_only_the_timer_cannot_find(well: HostProject) -> None:
    fake_manager(well, path="/nowhere:/usr/no")
    _, failed, fixes = examined(well)
    assert failed == {"PATH of the timer": f"{NEEDED} not found in /nowhere:/usr/no"}
    assert fixes["PATH of the timer"] == command("install", well.project)
    fake_manager(well, path="/nowhere:/usr/no", heal=NOT_FOUND)
    assert examined(well)[2] == {
        "PATH of the timer": command("refresh", well.project),
    }


def test_claude_that_only_installed_units_cannot_find(well: HostProject) -> None:
    script = f"/bin/bash {well.project}/{SCRIPT}"
    fake_manager(well, heal=shown(script, "/usr/no"))
    assert examined(well)[1:] == (
        {f"PATH of the {UNIT}-heal.service": f"{NEEDED} not found in /usr/no"},
        {f"PATH of the {UNIT}-heal.service": command("install", well.project)},
    )
    python = f"python -m oauthkit refresh --project={well.project}"
    watch = f"python -m oauthkit watch --project={well.project}"
    (well.project / "data/ipc").mkdir(parents=True)
    fake_manager(well, heal=shown(python, well.bin), watch=shown(watch, "/usr/no"))
    again = command("install", well.project, "--form", "python", "--watch")
    assert examined(well)[1:] == (
        {f"PATH of the {UNIT}-watch.service": f"{NEEDED} not found in /usr/no"},
        {f"PATH of the {UNIT}-watch.service": again},
    )


def test_jq_missing_from_a_unit_path_is_reported(well: HostProject) -> None:
    partial = well.home / "partial"
    partial.mkdir()
    for name in ("claude", "timeout", "flock"):
        (partial / name).symlink_to(well.bin / name)
    fake_manager(well, heal=shown(f"/bin/bash {well.project}/{SCRIPT}", str(partial)))
    text = f"jq not found in {partial}"
    assert examined(well)[1] == {f"PATH of the {UNIT}-heal.service": text}
    (well.bin / "jq").unlink()  # install would not help
    assert examined(well)[1].keys() == {"jq"}


def test_python_that_does_not_exist(well: HostProject) -> None:
    """A new Python of the distribution replaces it."""
    argv = f"/gone/python -m oauthkit refresh --project={well.project}"
    service = shown(argv, well.bin).replace("path=/bin/bash", "path=/gone/python")
    fake_manager(well, show=service, heal=service)
    names = ["program of the timer", f"program of the {UNIT}-heal.service"]
    again = command("install", well.project, "--form", "python")
    assert examined(well)[1:] == (
        dict.fromkeys(names, "/gone/python does not exist"),
        dict.fromkeys(names, again),
    )


def test_chain_without_units_is_a_note(well: HostProject) -> None:
    fake_manager(well, heal=NOT_FOUND, timers={f"{UNIT}.timer": 60})
    done = well.run("doctor")
    assert done.returncode == 0
    text = "none are installed: after the user manager stops, nothing restarts the chain"
    fix = command("install", well.project)
    assert f"note  units: {text}\n      fix: {fix}\n" in done.stdout
    line = f"* * * * * PATH={well.bin} bash {quoted(well.project)}/{SCRIPT} --ensure"
    well.program("crontab", f"#!/bin/sh\necho {shlex.quote(line)}\n")
    assert "units: " not in well.run("doctor").stdout
    line = line.replace("bash ", "/gone/oauthkit refresh --project ").replace(SCRIPT, "")
    well.program("crontab", f"#!/bin/sh\necho {shlex.quote(line)}\n")
    assert text in well.run("doctor").stdout


def test_watcher_whose_unit_file_is_missing(well: HostProject) -> None:
    fake_manager(well, watching="active running")
    problem = f"{UNIT}-watch.service is running, but its unit file is missing"
    fixes = {"units": command("install", well.project, "--watch")}
    assert examined(well) == (1, {"units": problem}, fixes)


def test_failed_service_that_cannot_log(well: HostProject) -> None:
    heal = shown(f"/bin/bash {well.project}/{SCRIPT}", well.bin)
    started = f"echo InactiveExitTimestampMonotonic={time.monotonic_ns() // 1000}"
    fake_manager(well, heal=f"echo ActiveState=failed; {started}; {heal}")
    assert examined(well)[1].keys() == {"units"}
    well.log.unlink()
    well.log.mkdir()
    assert examined(well)[1].keys() == {"log"}


def test_failed_service_of_another_project(well: HostProject) -> None:
    heal = shown(f"/bin/bash {well.project}2/{SCRIPT}", well.bin)
    fake_manager(well, heal=f"echo ActiveState=failed; {heal}")
    assert examined(well)[1].keys() == {"whose units"}


def test_units_with_an_earlier_name_are_not_reported_as_missing(well: HostProject) -> None:
    fake_manager(well, heal=NOT_FOUND, timers={f"{UNIT}.timer": 60})
    write_unit(well, "earlier-heal.timer")
    shown = well.run("doctor").stdout
    assert "FAIL  units: some are installed with an earlier unit name" in shown
    assert "none are installed" not in shown
    shown = well.run("doctor", OAUTHKIT_UNIT="mine").stdout
    text = "OAUTHKIT_UNIT is set in this shell, but the installed units have another name"
    assert f"FAIL  units: {text}: earlier-heal.timer\n      fix: unset OAUTHKIT_UNIT\n" in shown
    write_unit(well, "mine-heal.timer")
    shown = well.run("doctor", OAUTHKIT_UNIT="mine").stdout
    assert text not in shown
    assert "some are installed with an earlier unit name" in shown


def test_units_of_install_restart_the_chain(well: HostProject) -> None:
    fake_manager(well, timers={f"{UNIT}-heal.timer": 1800})
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    text = f"the chain's timer is not pending. {UNIT}-heal.timer restarts the chain, due "
    assert f"note  timer: {text}" in done.stdout
    data = well.status()
    assert data["next_run"]["unit"] == f"{UNIT}-heal.timer"
    assert data["next_run"]["at_s"] == pytest.approx(well.now_s + 1800, abs=0.01)
    assert (data["next_run"]["timers"], data["warnings"]) == (0, [])
    assert f"({UNIT}-heal.timer)" in well.run("status").stdout


def test_installed_unit_without_a_pending_timer(well: HostProject) -> None:
    fake_manager(well, timers={f"{UNIT}.timer": 60})
    assert examined(well)[1:] == (
        {"units": f"{UNIT}-heal.timer is not pending"},
        {"units": command("install", well.project)},
    )


def test_two_timers_that_wait(well: HostProject) -> None:
    names = (f"{UNIT}.timer", f"{well.own_unit()}--alt.timer")
    fake_manager(well, timers=dict.fromkeys(names, 60.0) | {f"{UNIT}-heal.timer": 30.0})
    assert examined(well)[1:] == (
        {"timers": f"more than one is pending: {', '.join(names)}"},
        {"timers": command("refresh", well.project)},
    )


@pytest.mark.parametrize("is_project", [True, False])
def test_status_ignores_timers_of_other_projects(well: HostProject, *, is_project: bool) -> None:
    who = other(well) if is_project else None
    argv = "/bin/true" if who is None else f"/bin/bash {who}/{SCRIPT}"
    fake_manager(well, argv=argv, heal=NOT_FOUND, timers={f"{UNIT}.timer": 60})
    said = f"{UNIT}.timer " + ("runs something else" if who is None else f"belongs to {who}")
    assert examined(well)[2]["whose timer"] == command("refresh", well.project)
    data = well.status()
    assert data["next_run"] == {
        "unit": None, "at_s": None, "timers": 0, "foreign_timer": said, "is_running": False,
        "by_cron": False, "problem": None,
    }  # fmt: skip
    text = f"and no run of this project is scheduled. Run: {command('refresh', well.project)}"
    assert data["warnings"] == [f"{said}, {text}"]
    assert "not scheduled: " in well.run("status").stdout
    assert "oauthkit_next_run" not in well.run("status", "--prometheus", "-").stdout
    assert examined(well)[1].keys() == {"whose timer"}
    assert "  timer: " not in well.run("doctor").stdout
    fake_manager(well, argv=argv)
    assert well.status()["next_run"]["unit"] == f"{UNIT}-heal.timer"


def test_units_of_another_project_are_not_fixed_by_install(well: HostProject) -> None:
    """`install` would reject them, so it cannot fix their PATH or start their timer."""
    argv = f"bash {other(well)}/{SCRIPT}"
    fake_manager(well, path="/no", heal=shown(argv, "/no"), timers={f"{UNIT}.timer": 60})
    _, failed, fixes = examined(well)
    assert failed.keys() == {"PATH of the timer", "whose units"}
    assert fixes["PATH of the timer"] == command("refresh", well.project)
    name = "oauth-refresh-project"
    assert fixes["whose units"] == command("install", well.project, "--unit", name)


def test_timer_of_a_project_that_was_moved(well: HostProject) -> None:
    gone = well.project.parent / "gone"
    argv = f"bash {gone}/{SCRIPT}"
    fake_manager(well, argv=argv, heal=shown(argv, well.bin))
    _, failed, fixes = examined(well)
    uninstall = command("uninstall", gone)
    again = f"{uninstall} && {command('install', well.project)}"
    assert fixes == {"whose timer": again, "whose units": again}
    said = f"{UNIT}.service belongs to {gone}, which does not exist"
    assert failed["whose timer"] == said
    said = f"{UNIT}-heal.timer belongs to {gone}, which does not exist. To see the fix, run:"
    said += f" {command('doctor', well.project)}"
    assert well.status()["warnings"] == [said]
    fake_manager(well, argv=argv, heal=NOT_FOUND)
    then = f"{uninstall} && {command('refresh', well.project)}"
    assert examined(well)[2] == {"whose timer": then}
    watch = shown(f"python -m oauthkit watch --project={gone}", well.bin)
    fake_manager(well, argv=argv, heal=shown(argv, well.bin), watch=watch)
    again = f"{uninstall} && {command('install', well.project, '--watch')}"
    assert examined(well)[2]["whose timer"] == again


@pytest.mark.parametrize("is_own_pending", [True, False])
def test_two_projects_with_the_same_unit_name(well: HostProject, *, is_own_pending: bool) -> None:
    """The second project's timer has a name of its own."""
    own = f"{well.own_unit()}--alt"
    timers = {f"{UNIT}.timer": 60.0, f"{UNIT}-heal.timer": 900.0}
    fake_manager(well, timers=timers | ({f"{own}.timer": 120.0} if is_own_pending else {}))
    text = (well.bin / "systemctl").read_text("utf-8")
    foreign = shown(f"bash {well.project}2/{SCRIPT}", well.bin)
    change = f"case $3$4 in show{UNIT}.service) {foreign}; exit ;; esac"
    well.program("systemctl", text.replace("#!/bin/sh\n", f"#!/bin/sh\n{change}\n", 1))
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    name = own if is_own_pending else f"{UNIT}-heal"
    assert ("timer: the chain's timer is not pending" in done.stdout) != is_own_pending
    assert f"{name}.timer" in done.stdout
    data = well.status()
    assert data["next_run"]["unit"] == f"{name}.timer"
    assert data["next_run"]["foreign_timer"] == f"{UNIT}.timer belongs to {well.project}2"
    assert data["warnings"] == []


def test_heal_timer_of_another_project_does_not_restart_the_chain(well: HostProject) -> None:
    fake_manager(
        well,
        heal=shown(f"bash {well.project}2/{SCRIPT}", well.bin),
        timers={f"{UNIT}-heal.timer": 9},
    )
    failed = examined(well)[1]
    assert failed.keys() == {"timer", "whose units"}
    assert failed["timer"] == "no run is scheduled"
    assert "restarts the chain" not in well.run("doctor").stdout


def test_separate_unit_name_fixes_a_shared_one(well: HostProject) -> None:
    fake_manager(well, heal=shown(f"bash {other(well)}/{SCRIPT}", well.bin))
    _, failed, fixes = examined(well)
    assert failed["whose units"] == (
        f"{UNIT}-heal.service belongs to another project: {well.project}2. This project needs a"
        " unit name of its own"
    )
    fix = fixes["whose units"]
    assert fix == command("install", well.project, "--unit", "oauth-refresh-project")
    fake_manager(well)
    listing = (well.bin / "systemctl").read_text("utf-8")
    taken = "case $3 in show-environment|daemon-reload|enable|start|list-units) exit ;; esac"
    well.program("systemctl", listing.replace("#!/bin/sh\n", f"#!/bin/sh\n{taken}\n", 1))
    well.program("bash", '#!/bin/sh\nexec /bin/bash "$@"\n')
    env = {"HOME": str(well.home), "PATH": f"{well.bin}:/bin", **SAME_CODE}
    subprocess.run(["/bin/sh", "-c", fix], check=True, env=env)
    service = well.home / ".config/systemd/user/oauth-refresh-project-heal.service"
    assert service.exists()
    done = well.run("doctor")
    assert " ok   setting: OAUTHKIT_UNIT=oauth-refresh-project, from refresh.conf\n" in done.stdout
    assert "whose" not in done.stdout


def write_unit(well: HostProject, name: str) -> None:
    """Write a unit file as install does for this project."""
    directory = well.home / ".config/systemd/user"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(f"{_MARK}{str(well.project)!r}\n[Unit]\n", "utf-8")


def test_units_with_an_earlier_name(well: HostProject) -> None:
    write_unit(well, "earlier-heal.timer")
    _, failed, fixes = examined(well)
    assert failed == {"units": "some are installed with an earlier unit name: earlier-heal.timer"}
    assert fixes["units"] == command("install", well.project)


def test_new_unit_name_that_install_has_not_applied(well: HostProject) -> None:
    """The timers with the earlier name still start runs."""
    write_unit(well, "earlier-heal.timer")
    fake_manager(well, heal=NOT_FOUND, timers={})
    assert examined(well)[1].keys() == {"units"}
    (warning,) = well.status()["warnings"]
    assert warning.startswith("no run is scheduled with the new unit name. To see the fix, run: ")


def drop_in(host: HostProject, directory: str, line: str) -> Path:
    """Write a drop-in file for units. Return it."""
    file = host.unit_directory / directory / "x.conf"
    file.parent.mkdir(parents=True)
    file.write_text(f"[Service]\n{line}\n", "utf-8")
    return file


def without(file: Path, fix: str) -> str:
    """Return the fix that first moves a drop-in file away."""
    return f"mv {file} {file}.old && systemctl --user daemon-reload && {fix}"


@pytest.mark.parametrize(
    ("directory", "line", "is_cause"),
    [
        (f"{UNIT}-heal.service.d", "Environment=PATH=/usr/no", True),
        ("service.d", "Environment=PATH=/usr/no", True),
        ("nanoclaw-.service.d", "EnvironmentFile=/etc/no", True),
        (f"{UNIT}-heal.service.d", "TimeoutStartSec=9min", False),
    ],
)
def test_drop_in_is_moved_away_if_it_can_be_the_cause(
    well: HostProject, directory: str, line: str, *, is_cause: bool
) -> None:
    file, fix = drop_in(well, directory, line), command("install", well.project)
    fake_manager(well, heal=shown(f"/bin/bash {well.project}/{SCRIPT}", "/usr/no"))
    name = f"PATH of the {UNIT}-heal.service"
    note = f"note  drop-in: {file} changes {UNIT}-heal.service\n      fix: mv {file} {file}.old && "
    assert note in well.run("doctor").stdout
    _, failed, fixes = examined(well)
    assert failed == {name: f"{NEEDED} not found in /usr/no"}
    assert fixes[name].startswith(without(file, fix) if is_cause else fix)


def test_drop_in_of_the_chains_timer(well: HostProject) -> None:
    file = drop_in(well, f"{UNIT}.timer.d", "[Timer]\nOnCalendar=yearly")
    fix = f"mv {file} {file}.old && systemctl --user daemon-reload"
    note = f"note  drop-in: {file} changes {UNIT}.timer\n      fix: {fix}\n"
    assert note in well.run("doctor").stdout


@pytest.mark.parametrize("name", ["OAUTHKIT_DOTENV", "OAUTHKIT_BEARER", "OAUTHKIT_LOG"])
def test_drop_in_that_sets_another_file(well: HostProject, name: str) -> None:
    """The scheduled runs would write to it, and a refresh in this shell would not."""
    file = drop_in(well, f"{UNIT}-heal.service.d", f"Environment={name}=/mnt/other")
    heal = shown(f"/bin/bash {well.project}/{SCRIPT}", well.bin, f"{name}=/mnt/other")
    fake_manager(well, heal=heal)
    _, failed, fixes = examined(well)
    here = {
        "OAUTHKIT_DOTENV": f"it is {well.dotenv}",
        "OAUTHKIT_BEARER": "it is not set",
        "OAUTHKIT_LOG": f"it is {well.log}",
    }[name]
    text = f"{UNIT}-heal.service sets {name}=/mnt/other, but in this shell, {here}"
    assert failed == {"settings": text}
    assert fixes == {"settings": without(file, command("install", well.project))}


def test_timer_that_sets_another_file(well: HostProject) -> None:
    """It has the environment of the run that started it. A refresh in this shell replaces it."""
    argv = f"/bin/bash {well.project}/{SCRIPT}"
    fake_manager(well, show=shown(argv, well.bin, "OAUTHKIT_DOTENV=/mnt/other"))
    _, failed, fixes = examined(well)
    text = f"{UNIT}.service sets OAUTHKIT_DOTENV=/mnt/other, but in this shell, it is {well.dotenv}"
    assert failed == {"settings of the timer": text}
    assert fixes == {"settings of the timer": command("refresh", well.project)}
    fake_manager(well, show=shown(argv, well.bin, f"OAUTHKIT_DOTENV={well.dotenv}"))
    assert examined(well)[1] == {}


@pytest.mark.parametrize(("checked_us", "is_reported"), [(5, True), (0, False)])
def test_condition_that_is_not_met(
    well: HostProject, checked_us: int, *, is_reported: bool
) -> None:
    """A unit that was never started also has ConditionResult=no."""
    file = drop_in(well, f"{UNIT}-heal.service.d", "[Unit]\nConditionPathExists=/usr/no")
    heal = shown(f"/bin/bash {well.project}/{SCRIPT}", well.bin)
    state = f"echo ConditionResult=no; echo ConditionTimestampMonotonic={checked_us}"
    fake_manager(well, heal=f"{state}; {heal}")
    _, failed, fixes = examined(well)
    text = f"{UNIT}-heal.service was not started, because one of its conditions is not met"
    assert failed == ({"units": text} if is_reported else {})
    if is_reported:
        assert fixes["units"] == without(file, command("install", well.project))


def test_masked_watcher(well: HostProject) -> None:
    well.unit_directory.mkdir(parents=True)
    (well.unit_directory / f"{UNIT}-watch.service").symlink_to("/dev/null")
    _, failed, fixes = examined(well)
    assert failed == {"units": f"{UNIT}-watch.service is masked"}
    unmask = f"systemctl --user unmask {UNIT}-watch.service"
    assert fixes == {"units": f"{unmask} && {command('install', well.project, '--watch')}"}


def test_unit_that_was_edited_is_written_again(well: HostProject) -> None:
    """Another unit name is not needed: the file is this project's."""
    write_unit(well, f"{UNIT}-heal.service")
    fake_manager(well, heal=shown("/bin/true", well.bin))
    _, failed, fixes = examined(well)
    assert failed["whose units"] == f"{UNIT}-heal.service runs something else"
    assert fixes["whose units"] == command("install", well.project)


def test_invalid_name_in_the_shell_of_an_installed_project(well: HostProject) -> None:
    write_unit(well, f"{UNIT}-heal.timer")
    done = well.run("doctor", OAUTHKIT_UNIT="-x")
    assert "fix: unset OAUTHKIT_UNIT\n" in done.stdout


@pytest.mark.parametrize("name", ["-x", "--all", "a b", "a/b", "x" * 81, "ä"])
def test_name_that_systemd_rejects(well: HostProject, name: str) -> None:
    fake_manager(well, show="exit 64", heal="exit 64", watch="exit 64")
    done = well.run("doctor", OAUTHKIT_UNIT=name)
    said = f"OAUTHKIT_UNIT is {name[:60]!r}, which is not a unit name. "
    assert f"FAIL  timer name: {said}" in done.stdout
    fix = command("install", well.project, "--unit", "oauth-refresh-project")
    assert f"fix: unset OAUTHKIT_UNIT && {fix}\n" in done.stdout
    (warning,) = well.status(OAUTHKIT_UNIT=name)["warnings"]
    assert warning.startswith(said)


def test_run_that_starts_between_two_queries(well: HostProject) -> None:
    """The listed timer elapses before its service is queried."""
    gone = '[ -e "$HOME/asked" ] || { : >"$HOME/asked"; echo LoadState=not-found; exit; }'
    argv = f"/bin/bash {well.project}/{SCRIPT}"
    service = f"ExecStart={{ path=/bin/bash ; argv[]={argv} ; ignore_errors=no ; pid=0 }}"
    fake_manager(well, show=f"{gone}; echo LoadState=loaded; echo '{service}'")
    assert examined(well)[1] == {}
    assert (well.home / "asked").exists()


def test_run_that_ends_between_two_queries(well: HostProject) -> None:
    """It has started the next timer after the timers were listed."""
    fake_manager(well)
    listing = (well.bin / "systemctl").read_text("utf-8")
    gone = "case $3 in list-timers) : >\"$HOME/asked\"; echo '[]'; exit ;; *) exit 1 ;; esac"
    first = f'#!/bin/sh\n[ -e "$HOME/asked" ] || {{ {gone}; }}\n'
    well.program("systemctl", listing.replace("#!/bin/sh\n", first, 1))
    assert examined(well)[1] == {}
    assert (well.home / "asked").exists()


def test_timer_without_a_service(well: HostProject) -> None:
    fake_manager(well, show="echo LoadState=not-found")
    assert examined(well)[1].keys() == {"whose timer"}


@pytest.mark.parametrize("service", [UNIT, "OWN", "OWN--alt", f"{UNIT}-heal"])
def test_a_run_that_is_under_way(well: HostProject, service: str) -> None:
    service = service.replace("OWN", well.own_unit())
    fake_manager(well, active=f"{service}.service")
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f" ok   timer: a run is in progress: {service}.service\n" in done.stdout


def test_timer_of_a_project_with_another_path(well: HostProject) -> None:
    directory = well.project.rename(well.project.with_name("a $HOME b"))
    well.project.symlink_to(directory)
    for argv in (f"bash {directory}/{SCRIPT}", f"python -m oauthkit refresh --project={directory}"):
        fake_manager(well, argv=argv.replace("$", "$$"))
        assert examined(well)[1] == {}


def test_failing_show_does_not_end_the_checks(well: HostProject) -> None:
    fake_manager(well, show="exit 1")
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "note  systemd: could not be checked" in done.stdout
    assert " ok   clock: synchronized\n" in done.stdout


def test_units_that_are_disabled_or_do_not_run(well: HostProject) -> None:
    watch = shown(f"/x/oauthkit watch --project={well.project}", well.bin)
    ipc = well.project / "data/ipc"
    ipc.mkdir(parents=True)
    fake_manager(well, watch=watch)
    assert examined(well)[1] == {}
    fake_manager(well, enabled="disabled")
    text = f"{UNIT}-heal.timer is not enabled, so it does not start after a reboot"
    assert examined(well)[1:] == ({"units": text}, {"units": command("install", well.project)})
    fix = command("install", well.project, "--watch")
    text = f"{UNIT}-watch.service is not running"
    ipc.rmdir()
    for state, start in (("inactive dead", text), ("active running", "watches nothing")):
        fake_manager(well, watch=watch, watching=state)
        _, failed, fixes = examined(well)
        assert failed["units"].endswith(f"{start}, because {ipc} is missing")
        assert fixes == {"units": f"mkdir -p {quoted(ipc)} && {fix}"}
    ipc.mkdir()
    for state in ("inactive dead", "activating auto-restart"):
        fake_manager(well, watch=watch, watching=state)
        assert examined(well)[1:] == ({"units": text}, {"units": fix})


def test_unit_file_that_install_has_not_written(well: HostProject) -> None:
    """The command install does not replace it."""
    directory = well.home / ".config/systemd/user"
    directory.mkdir(parents=True)
    paths = find_paths(str(well.project))
    (directory / f"{UNIT}-heal.timer").write_text(unit_texts.timer_text(paths), "utf-8")
    service = directory / f"{UNIT}-heal.service"
    fake_manager(well, heal=NOT_FOUND)
    install = command("install", well.project)
    assert examined(well)[1:] == (
        {"units": f"{service.name} is missing"}, {"units": install},
    )  # fmt: skip
    service.touch()
    assert examined(well)[1:] == (
        {"units": f"{service.name} was not written by install"},
        {"units": f"mv {quoted(service)} {quoted(service)}.old && {install}"},
    )


def test_unit_files_with_a_name_from_refresh_conf_are_left_alone(well: HostProject) -> None:
    """They may be any units of the user."""
    directory = well.home / ".config/systemd/user"
    directory.mkdir(parents=True)
    (directory / "backup-heal.service").write_text("[Service]\nExecStart=true\n", "utf-8")
    (well.project / CONF_FILE).write_text("OAUTHKIT_UNIT=backup\n", "utf-8")
    fake_manager(well, heal=NOT_FOUND, timers={})
    own = command("install", well.project, "--unit", "oauth-refresh-project")
    assert examined(well)[1:] == ({"timer": "no run is scheduled"}, {"timer": own})


def test_directory_of_the_units_that_is_a_file(well: HostProject) -> None:
    config = well.home / ".config"
    config.write_text("x", "utf-8")
    text = f"{config} is not a directory but a file: no run can write there"
    assert examined(well)[1] == {"units' directory": text}


@pytest.mark.parametrize(
    ("logged_s", "is_reported"), [(-120, True), (-55, False), (-30, True), (None, True)]
)
def test_service_that_fails_before_it_logs(
    well: HostProject, logged_s: int | None, *, is_reported: bool
) -> None:
    """Lines of runs before and after it do not say why it failed."""
    now_us = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
    times = {"InactiveExit": now_us - 60_000_000, "InactiveEnter": now_us - 50_000_000}
    echo = [f"echo {name}TimestampMonotonic={at_us}" for name, at_us in times.items()]
    heal = shown(f"/bin/bash {well.project}/{SCRIPT}", well.bin)
    fake_manager(well, heal="; ".join(["echo ActiveState=failed", *echo, heal]))
    well.lines(*([] if logged_s is None else [(logged_s, "x")]))
    problem = f"{UNIT}-heal.service failed, and the log does not say why"
    assert examined(well)[1] == ({"units": problem} if is_reported else {})
    journal = f"      log: journalctl --user -u {UNIT}-heal.service -n 20\n"
    assert (journal in well.run("doctor").stdout) == is_reported
    if is_reported:
        file = drop_in(well, f"{UNIT}-heal.service.d", "ExecStartPre=/bin/false")
        assert examined(well)[2]["units"] == without(file, command("install", well.project))


@pytest.mark.parametrize(("suspended_s", "has_logged"), [(0, False), (3600, True)])
def test_log_before_a_suspend(
    well: HostProject, monkeypatch: pytest.MonkeyPatch, suspended_s: int, *, has_logged: bool
) -> None:
    """CLOCK_MONOTONIC does not count a suspend, so a service seems to have started later."""
    well.lines((-1800, "x"))
    clocks = {time.CLOCK_MONOTONIC: 1000.0, time.CLOCK_BOOTTIME: 1000.0 + suspended_s}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    monkeypatch.setenv("HOME", str(well.home))
    service = Service("x.service", "loaded", is_active=False, argv=None, started_s=940, ended_s=990)
    assert timers._has_logged(find_paths(str(well.project)), service) == has_logged


def test_semicolon_in_an_argv() -> None:
    """Systemd shows it with a backslash (systemd.service(5))."""
    state = "ExecStart={ path=/bin/bash ; argv[]=/bin/bash /a\\;b/scripts/oauth/refresh.sh ; "
    argv = owner.argv_of(f"LoadState=loaded\n{state}ignore_errors=no ; pid=0 }}\n")
    assert argv == "/bin/bash /a;b/scripts/oauth/refresh.sh"
    assert owner.project_in(argv) == "/a;b"


def test_missing_systemd_run(well: HostProject) -> None:
    (well.bin / "systemd-run").unlink()
    _, failed, fixes = examined(well)
    assert failed == {"systemd-run": "not in PATH"}
    assert fixes == {"systemd-run": expected_fix("systemd-run", "systemd")}


def test_edited_timer_is_reported(well: HostProject) -> None:
    fake_manager(well)
    file = well.home / f".config/systemd/user/{UNIT}-heal.timer"
    file.parent.mkdir(parents=True)
    text = unit_texts.timer_text(find_paths(str(well.project)))
    file.write_text(text, "utf-8")
    service = file.with_suffix(".service")
    paths = find_paths(str(well.project))
    texts = unit_texts.texts(paths, Command(("/bin/x", "y"), (("PATH", "/z"),)))
    service.write_text(texts[service.name], "utf-8")
    assert examined(well)[1] == {}
    # The project's path may contain links.
    first, rest = text.split("\n", 1)
    file.write_text(f"{first.replace('project', 'link')}\n{rest}", "utf-8")
    (well.project.parent / "link").symlink_to(well.project)
    assert examined(well)[1] == {}
    file.write_text(text.replace("hourly", "yearly"), "utf-8")
    problem, fix = (
        f"{UNIT}-heal.timer differs from what install writes",
        command("install", well.project),
    )
    assert examined(well)[1:] == ({"units": problem}, {"units": fix})
    file.write_text(text, "utf-8")
    service.write_text(texts[service.name].replace("on-abnormal", "no"), "utf-8")
    edited = f"{UNIT}-heal.service differs from what install writes"
    assert examined(well)[1:] == ({"units": edited}, {"units": fix})
    service.write_text(texts[service.name], "utf-8")
    watch = file.with_name(f"{UNIT}-watch.service")
    watch_text = unit_texts.watch_text(paths, Command(("x",), ()))[watch.name]
    watch.write_text(watch_text.replace("10s", "99s"), "utf-8")
    assert examined(well)[1] == {"units": f"systemd cannot load {watch.name} (not-found)"}
    (well.project / "data/ipc").mkdir(parents=True)
    fake_manager(well, watch=shown(f"/x/oauthkit watch --project={well.project}", well.bin))
    edited = f"{watch.name} differs from what install writes"
    assert examined(well)[1] == {"units": edited}
    watch.write_text(watch_text, "utf-8")
    assert examined(well)[1] == {}
    watch.unlink()
    fake_manager(well)
    file.write_text(f"# Mine\n{text}", "utf-8")  # install does not replace it
    file.with_name(f"{file.name}.old").touch()
    fix = f"mv {quoted(file)} {quoted(file)}.old1 && {fix}"
    assert examined(well)[1:] == ({"units": problem}, {"units": fix})
