"""oauthkit doctor: what starts the next run, the user manager or cron."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import (
    NOT_FOUND,
    SCRIPT,
    examined,
    fake_crontab,
    fake_manager,
    shown,
    without_systemd,
)
from tests.support.host.host_project import HOUR_S, SAME_CODE, SUDO, UNIT, command, quoted

from oauthkit.host.doctor import doctor, scheduling
from oauthkit.host.project import find_paths
from oauthkit.host.systemd import manager_environment
from oauthkit.host.systemd.services import DESCRIPTION

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_disabled_linger_is_only_a_note(well: HostProject) -> None:
    well.program("loginctl", "#!/bin/sh\necho no\n")
    assert examined(well)[:2] == (0, {})
    shown = well.run("doctor").stdout
    assert "note  linger: the timers end with the last logout" in shown
    assert "      fix: loginctl enable-linger\n" in shown


def test_long_lived_token_is_suggested_without_a_user_manager(well: HostProject) -> None:
    well.program("systemctl", "#!/bin/sh\nexit 1\n")
    assert "claude setup-token" in well.run("doctor").stdout


@pytest.mark.parametrize("has_script", [True, False])
def test_crontab_line_is_enough_without_systemd(well: HostProject, has_script: bool) -> None:
    directory = well.project.with_name("50% it's")
    well.project.rename(directory)
    well.project = directory
    well.dotenv = directory / ".env"
    if has_script:
        well.program("bash", '#!/bin/sh\nexec /bin/bash "$@"\n')
    else:
        (directory / SCRIPT).unlink()
    without_systemd(well, "# none\n0 4 * * * /bin/true 'x\n")
    _, failed, fixes = examined(well)
    assert failed == {"next run": "nothing starts it: there is no timer and no crontab line"}
    env = {"HOME": str(well.home), "PATH": f"{well.bin}:/bin", **SAME_CODE}
    subprocess.run(["/bin/sh", "-c", fixes["next run"]], check=True, env=env)
    assert "/bin/true" in (well.home / "crontab").read_text("utf-8")
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert " ok   next run: a crontab line starts it\n" in done.stdout
    assert "note  user manager: systemctl is not in PATH" in done.stdout
    status = well.status()
    assert (status["warnings"], status["next_run"]["by_cron"]) == ([], True)
    assert "by a crontab line" in well.run("status").stdout


@pytest.mark.parametrize(
    "line",
    [
        "# */4 * * * * bash {}/scripts/oauth/refresh.sh",
        "*/4 * * * * bash {}2/scripts/oauth/refresh.sh",
        "*/4 * * * * oauthkit refresh --project {}2 --ensure",
        "*/4 * * * * oauthkit status --project {} --prometheus x",
        "*/4 * * * * cd {} && bash scripts/other.sh",
        "*/4 * * * * cd {} && cd .. && bash scripts/oauth/refresh.sh",
        "MAILTO={}/scripts/oauth/refresh.sh",
    ],
)
def test_unrelated_crontab_line_starts_no_refresh(well: HostProject, line: str) -> None:
    without_systemd(well, line.format(well.project) + "\n")
    assert examined(well)[1].keys() == {"next run"}
    (warning,) = live_warnings(well)
    assert warning.startswith("systemctl is not in PATH: this host has no systemd. ")


@pytest.mark.parametrize(
    "line",
    [
        "@hourly bash {}/scripts/oauth/refresh.sh >/dev/null 2>&1",
        "0-59/4 * * JAN-DEC mon-sun\tLANG=C oauthkit refresh --project {}/ --ensure",
        "*/4 * * * * /bin/sh {}/../project/scripts/oauth/refresh.sh",
        "*/4 * * * * cd {}; bash ./scripts/oauth/refresh.sh --ensure",
        "*/4 * * * * (cd {}/logs&&cd ..&&bash scripts/oauth/refresh.sh)",
        '*/4 * * * * bash "$HOME"/../project/scripts/oauth/refresh.sh',
        "*/4 * * * * bash {}/x#y/../scripts/oauth/refresh.sh # every day",
        "*/4 * * * * cd ~/.. && oauthkit refresh --project=project",
        "*/4 * * * * bash ../project/scripts/oauth/refresh.sh",
    ],
)
def test_crontab_line_that_a_user_wrote(well: HostProject, line: str) -> None:
    without_systemd(well, f'PATH = "{well.bin}"\n{line.format(quoted(well.project))}\n')
    assert examined(well)[1] == {}


@pytest.mark.parametrize(
    ("crontab", "path", "missing"),
    [
        ("* * * * * {}", "/usr/bin:/bin", "claude"),
        ("PATH=/a:/b\n* * * * * {}", "/a:/b", "claude, jq, timeout, flock"),
        ("PATH=/a\n* * * * * PATH='/c d' {}\nPATH=/b\n", "/c d", "claude, jq, timeout, flock"),
    ],
)
def test_programs_that_only_cron_cannot_find(
    well: HostProject, crontab: str, path: str, missing: str
) -> None:
    without_systemd(well, crontab.format(f"bash {quoted(well.project)}/{SCRIPT}") + "\n")
    assert examined(well)[1] == {"PATH of the crontab line": f"{missing} not found in {path}"}


def test_crontab_line_beside_units(well: HostProject) -> None:
    """Its runs start the next timer with cron's PATH."""
    script = f"{quoted(well.project)}/{SCRIPT}"
    fake_crontab(well, f"* * * * * PATH={well.bin} bash {script}\n")
    assert examined(well)[1] == {}
    fake_crontab(well, f"* * * * * PATH=/nowhere bash {script}\n")
    missing = "claude, jq, timeout, flock not found in /nowhere"
    assert examined(well)[1] == {"PATH of the crontab line": missing}


def test_crontab_line_whose_script_does_not_exist(well: HostProject) -> None:
    without_systemd(well, f"* * * * * PATH={well.bin} bash {quoted(well.project)}/{SCRIPT}\n")
    assert examined(well)[1] == {}
    (well.project / SCRIPT).unlink()
    _, failed, fixes = examined(well)
    gone = f"{well.project}/{SCRIPT} does not exist"
    name = "program of the crontab line"
    assert failed == {name: gone}
    install = command("install", well.project, "--cron")
    assert fixes == {name: f"crontab -e, and replace the line with that of {install}"}
    doctor = command("doctor", well.project)
    warning = f"{gone}, so no run can start. To see the fix, run: {doctor}"
    assert well.status()["warnings"] == [warning]
    line = well.run("install", "--cron").stderr.splitlines()[-1]
    (well.home / "crontab").write_text(f"{line}\n", "utf-8")
    assert (examined(well)[1], well.status()["warnings"]) == ({}, [])


@pytest.mark.parametrize("way", ["{}/oauthkit", "{}/python -P -m oauthkit"])
def test_crontab_line_whose_python_does_not_exist(well: HostProject, way: str) -> None:
    venv = well.home / "venv"
    program, _, module = way.format(venv).partition(" ")
    called = f"PATH={well.bin} {program} {module} refresh --project {quoted(well.project)}"
    without_systemd(well, f"* * * * * {called} --ensure\n")
    gone = {"program of the crontab line": f"{program} does not exist"}
    assert examined(well)[1] == gone
    venv.mkdir()
    Path(program).touch()
    assert examined(well)[1] == {}


@pytest.mark.parametrize(
    ("start", "missing"),
    [
        ("flock -n /gone/lock {bin}/oauthkit", ""),
        ("cd /gone && oauthkit", ""),
        ("/usr/bin/env /gone/oauthkit", "/gone/oauthkit"),
    ],
)
def test_program_of_a_crontab_line(well: HostProject, start: str, missing: str) -> None:
    well.program("oauthkit", "#!/bin/sh\n")
    called = f"PATH={well.bin} {start.format(bin=well.bin)} refresh"
    without_systemd(well, f"* * * * * {called} --project {quoted(well.project)}\n")
    gone = {"program of the crontab line": f"{missing} does not exist"}
    assert examined(well)[1] == (gone if missing else {})


def test_of_two_crontab_lines_one_that_can_start_is_enough(well: HostProject) -> None:
    called = f"refresh --project {quoted(well.project)} --ensure"
    lines = [f"* * * * * PATH={well.bin} {at}/oauthkit {called}\n" for at in ("/gone", well.bin)]
    well.program("oauthkit", "#!/bin/sh\n")
    without_systemd(well, "")
    for crontab in (lines, lines[::-1]):
        (well.home / "crontab").write_text("".join(crontab), "utf-8")
        assert examined(well)[1] == {}


@pytest.mark.parametrize(("status", "is_stopped"), [(0, False), (1, True), (2, False)])
def test_cron_service_that_is_not_running(
    well: HostProject, *, status: int, is_stopped: bool
) -> None:
    without_systemd(well, f"* * * * * PATH={well.bin} bash {quoted(well.project)}/{SCRIPT}\n")
    well.program("pgrep", f"#!/bin/sh\n[ \"$*\" = '-x cron|crond|fcron' ] && exit {status}\n")
    text = "a crontab line starts it, but no cron service is running"
    failed = {"next run": text} if is_stopped else {}
    assert examined(well)[1] == failed
    assert examined(well)[2] == dict.fromkeys(failed, f"{SUDO}service cron start")
    doctor = command("doctor", well.project)
    warning = "a crontab line starts the runs, but no cron service is running"
    expected = [f"{warning}. To see the fix, run: {doctor}"] if is_stopped else []
    assert well.status()["warnings"] == expected


def test_null_timers_and_a_crontab(well: HostProject) -> None:
    well.timers({})
    line = f"*/4 * * * * PATH={quoted(well.bin)} bash {quoted(well.project)}/{SCRIPT} --ensure\n"
    fake_crontab(well, line)
    assert " ok   next run: a crontab line starts it\n" in well.run("doctor").stdout
    assert live_warnings(well) == []


def live_warnings(host: HostProject) -> list[str]:
    warnings: list[str] = host.status()["warnings"]
    return warnings


def test_without_cron_it_is_installed_first(well: HostProject) -> None:
    (well.bin / "systemctl").unlink()
    fix = examined(well)[2]["next run"]
    install = f"{SUDO}apt-get install --no-install-recommends cron && "
    start = f"{install}{SUDO}service cron start && (crontab -l 2>/dev/null; "
    assert fix.startswith(start)
    assert fix.endswith(command("install", well.project, "--cron") + ") | crontab -")
    well.program("crontab", "#!/bin/sh\nexit 1\n")
    well.program("pgrep", "#!/bin/sh\nexit 1\n")
    started = examined(well)[2]["next run"]
    assert started == fix.removeprefix(install)


@pytest.mark.parametrize("lingers", [False, True])
@pytest.mark.parametrize("runtime", ["", f"/run/user/{os.getuid()}", "/run/user/another"])
def test_user_without_a_manager_on_a_host_with_systemd(
    well: HostProject,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    runtime: str,
    *,
    lingers: bool,
) -> None:
    (well.bin / "systemctl").unlink()
    well.program("loginctl", f"#!/bin/sh\necho {'yes' if lingers else 'no'}\n")
    monkeypatch.setattr(scheduling, "BOOTED", tmp_path)
    monkeypatch.setenv("PATH", str(well.bin))
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setenv("USER", "x y")
    monkeypatch.setenv("LOGNAME", "x y")
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    found = {finding.name: finding for finding in doctor.examine(find_paths(str(well.project)))}
    more = f" && export XDG_RUNTIME_DIR=/run/user/{os.getuid()}"
    start = f"systemctl start user@{os.getuid()}.service"
    fix = SUDO + (start if lingers else "loginctl enable-linger 'x y'")
    assert found["user manager"].fix == fix + (more if "another" in runtime else "")
    assert "next run" not in found


@pytest.mark.parametrize("timedatectl", ["echo yes", "exit 1"])
@pytest.mark.parametrize("left_s", [5 * HOUR_S, 20 * HOUR_S])
def test_log_from_the_future(well: HostProject, timedatectl: str, left_s: float) -> None:
    """A renewal at that time leaves an expiry that is too late: a plain refresh does nothing.

    If the expiry is right, `refresh --rejected` would mark a good token as rejected.
    """
    well.login(left_s)
    well.program("timedatectl", f"#!/bin/sh\n{timedatectl}\n")
    well.lines((2 * HOUR_S, "Token still fresh (remaining_ms=1), syncing to .env"))
    _, failed, fixes = examined(well)
    assert failed["clock"].startswith("the log's last line is from ")
    assert failed["clock"].endswith(", in the future")
    advice = "compare the output of date -u with the real time"
    more = " --rejected" if left_s > 12 * HOUR_S else ""
    assert fixes["clock"] == f"{advice}, then: {command('refresh', well.project)}{more}"


def test_timer_with_another_unit_name(well: HostProject) -> None:
    """A run with OAUTHKIT_UNIT=mine in its environment has started it."""
    run = f"LoadState=loaded\nDescription={DESCRIPTION}\nFragmentPath=/run/systemd/transient/x"
    start = f"ExecStart={{ path=/bin/bash ; argv[]=/bin/bash {well.project}/{SCRIPT}"
    show = f"printf '%s\\n' '{run}\n{start} ; ignore_errors=no }}'"
    fake_manager(well, show=show, heal=NOT_FOUND, timers={}, loaded=["mine.timer"])
    done = well.run("doctor")
    text = f"note  timer: mine.timer starts runs of this project, but its unit name is {UNIT}\n"
    refresh = command("refresh", well.project)
    assert f"{text}      fix: systemctl --user stop mine.timer && {refresh}\n" in done.stdout
    assert "no run is scheduled" not in done.stdout


def test_crontab_beside_another_projects_timer(well: HostProject) -> None:
    """The crontab line refreshes this project, so the other project's timer does not matter."""
    other = well.project.with_name("other")
    other.mkdir()
    line = f"*/4 * * * * PATH={well.bin} bash {quoted(well.project)}/{SCRIPT} --ensure"
    well.program("crontab", f"#!/bin/sh\necho {shlex.quote(line)}\n")
    argv = f"/bin/bash {other}/{SCRIPT}"
    fake_manager(well, argv=argv, heal=NOT_FOUND, timers={f"{UNIT}.timer": 60})
    assert not [name for name in examined(well)[1] if name == "whose timer"]
    assert "ok   next run: a crontab line starts it\n" in well.run("doctor").stdout


@pytest.mark.parametrize("line", ["CLAUDE_CONFIG_DIR=/x", " \tCLAUDE_CONFIG_DIR = '/x'"])
@pytest.mark.parametrize("is_of_system", [True, False])
def test_files_that_set_the_environment_of_the_manager(
    well: HostProject, monkeypatch: pytest.MonkeyPatch, line: str, *, is_of_system: bool
) -> None:
    monkeypatch.setattr(manager_environment, "SYSTEM_DIRECTORIES", [str(well.home / "system")])
    monkeypatch.setattr(manager_environment, "as_root", "sudo {}".format)
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setenv("PATH", f"{well.bin}:/bin")
    target = well.home / "dotfiles"
    target.write_text(f"A=CLAUDE_CONFIG_DIR=\n{line}\n", "utf-8")
    directory = well.home / ("system" if is_of_system else ".config/environment.d")
    directory.mkdir(parents=True)
    (directory / "50 x.conf").symlink_to(target)  # it must stay a link
    fake_manager(well, environment="CLAUDE_CONFIG_DIR=/x")
    [conflict] = manager_environment.conflicts(find_paths(str(well.project)))
    edit = f"sed -i 's/^[[:blank:]]*CLAUDE_CONFIG_DIR[[:blank:]]*=/# &/' {target}"
    rest = "systemctl --user daemon-reload && systemctl --user unset-environment CLAUDE_CONFIG_DIR"
    assert conflict.fix == f"{'sudo ' * is_of_system}{edit} && {rest}"
    subprocess.run(["/bin/sh", "-c", edit], check=True)
    assert target.read_text("utf-8") == f"A=CLAUDE_CONFIG_DIR=\n# {line}\n"


def test_setting_in_the_environment_of_the_manager(well: HostProject) -> None:
    fix = "systemctl --user unset-environment CLAUDE_CONFIG_DIR"
    fake_manager(well, environment="CLAUDE_CONFIG_DIR=$'/an other'")
    text = "the user manager sets CLAUDE_CONFIG_DIR=/an other, so scheduled runs use that"
    assert examined(well)[1:] == ({"login": text}, {"login": fix})
    done = well.run("install")
    assert (done.returncode, f"{text}. Run: {fix}\n" in done.stderr) == (1, True)
    fake_manager(well, environment="OAUTHKIT_UNIT=x")
    assert examined(well)[2] == {"user manager": "systemctl --user unset-environment OAUTHKIT_UNIT"}
    # An equal value has no effect.
    fake_manager(well, environment=f"OAUTHKIT_UNIT={UNIT}")
    assert examined(well)[1] == {}


def test_variable_of_the_manager_that_affects_no_run(well: HostProject) -> None:
    """Each service sets its own, or this shell does, or cron starts the runs."""
    run = shown(f"/bin/bash {well.project}/{SCRIPT}", well.bin, "OAUTHKIT_LIGHT=sonnet")
    manager = "OAUTHKIT_LIGHT=other"
    fake_manager(well, show=run, heal=run, environment=manager)
    assert examined(well)[1] == {}
    fake_manager(well, heal=run, environment=manager)
    assert examined(well)[1].keys() == {"user manager"}
    assert "FAIL" not in well.run("doctor", OAUTHKIT_LIGHT="sonnet").stdout
    line = f"*/4 * * * * PATH={well.bin} bash {quoted(well.project)}/{SCRIPT} --ensure"
    fake_crontab(well, f"{line}\n")
    fake_manager(well, show=NOT_FOUND, heal=NOT_FOUND, timers={}, environment=manager)
    assert examined(well)[1] == {}
