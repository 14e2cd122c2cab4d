"""The login of scheduled runs differs from the shell's, or from each other's."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import forked
from tests.support.host.doctor_host import (
    SCRIPT,
    examined,
    fake_manager,
    shown,
    without_systemd,
)
from tests.support.host.host_project import SAME_CODE, UNIT, command

from oauthkit.host.project import CONF_FILE
from oauthkit.host.systemd.unit_texts import _MARK

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


@pytest.fixture
def elsewhere(well: HostProject) -> str:
    """Move the login to a directory that only the units name. Return it."""
    directory = well.home / "second account"
    well.credentials.parent.rename(directory)
    use(well, directory)
    return str(directory)


def use(host: HostProject, directory: Path) -> None:
    """Set CLAUDE_CONFIG_DIR in the project's units."""
    path = f'{host.bin}" "CLAUDE_CONFIG_DIR={directory}'
    unit = shown(f"/bin/bash {host.project}/{SCRIPT}", path)
    fake_manager(host, heal=unit, show=unit)


def test_units_with_another_login(well: HostProject, elsewhere: str) -> None:
    """A refresh from this shell would deliver another account's token."""
    text = f"the scheduled runs use the login in {elsewhere}, but this shell uses"
    text += f" {well.credentials.parent}"
    fix = f"export CLAUDE_CONFIG_DIR='{elsewhere}'"
    data = well.status()
    assert (data["live"], data["warnings"]) == (True, [f"{text}. Run: {fix}"])
    done = well.run("doctor")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [f"FAIL  login: {text}", f"      fix: {fix}"]
    assert well.status(CLAUDE_CONFIG_DIR=elsewhere)["warnings"] == []
    assert well.run("doctor", CLAUDE_CONFIG_DIR=elsewhere).returncode == 0


def test_drop_in_that_sets_the_login_is_moved_away(well: HostProject) -> None:
    """Otherwise the units would keep the other login after install, too."""
    script = f"/bin/bash {well.project}/{SCRIPT}"
    heal = shown(script, f'{well.bin}" "CLAUDE_CONFIG_DIR={well.home}/other')
    fake_manager(well, heal=heal, show=shown(script, well.bin))
    unit = f"{UNIT}-heal.service"
    (well.unit_directory / f"{unit}.d").mkdir(parents=True)
    file = well.unit_directory / f"{unit}.d/override.conf"
    file.write_text("[Service]\nEnvironment=CLAUDE_CONFIG_DIR=/other\n", "utf-8")
    reload, install = "systemctl --user daemon-reload", command("install", well.project)
    fix = f"      fix: mv {file} {file}.old && {reload} && {install}"
    assert well.run("doctor").stdout.splitlines()[2] == fix


def test_all_projects_with_another_login(well: HostProject, elsewhere: str) -> None:
    well.unit_directory.mkdir(parents=True)
    (well.unit_directory / f"{UNIT}-heal.timer").write_text(
        f"{_MARK}{str(well.project)!r}\n", encoding="utf-8"
    )
    argv = [sys.executable, "-m", "oauthkit", "status", "--all"]
    env = {"HOME": str(well.home), "PATH": str(well.bin), **SAME_CODE}
    done = forked.run_text(argv, Path("/"), env)
    assert done.stdout.startswith(f"note  {well.project}: 4 h 59 min left")
    assert f"Run: export CLAUDE_CONFIG_DIR='{elsewhere}'\n" in done.stdout
    assert done.stdout.count("Run: ") == 1


def test_only_this_shell_has_another_login(well: HostProject) -> None:
    data = well.status(CLAUDE_CONFIG_DIR=f"{well.home}/other")
    text = f"the scheduled runs use the login in {well.credentials.parent}, but this shell uses"
    warning = f"{text} {well.home}/other. Run: unset CLAUDE_CONFIG_DIR"
    assert (data["live"], data["warnings"]) == (True, [warning])


def test_units_that_start_no_run(well: HostProject) -> None:
    """The timer is disabled, so the login of its unit does not matter."""
    unit = f"/bin/bash {well.project}/{SCRIPT}"
    fake_manager(
        well,
        heal=shown(unit, f'{well.bin}" "CLAUDE_CONFIG_DIR=/other'),
        timers={f"{UNIT}.timer": 1800},
    )
    assert well.status()["warnings"] == []


@pytest.mark.parametrize("is_set", [False, True])
def test_units_with_another_home(well: HostProject, tmp_path: Path, *, is_set: bool) -> None:
    home = tmp_path / "other home"
    home.mkdir()
    well.credentials.parent.rename(home / ".claude")
    unit = shown(f"/bin/bash {well.project}/{SCRIPT}", f'{well.bin}" "HOME={home}')
    fake_manager(well, heal=unit, show=unit)
    env = {"CLAUDE_CONFIG_DIR": f"{well.home}/x"} if is_set else {}
    data = well.status(**env)
    fix = f"export HOME='{home}'"
    fix = f"unset CLAUDE_CONFIG_DIR && {fix}" if is_set else fix
    assert (data["live"], len(data["warnings"])) == (True, 1)
    assert data["warnings"][0].endswith(f". Run: {fix}")
    assert well.status(HOME=str(home))["warnings"] == []


def test_other_path_of_the_same_login(well: HostProject) -> None:
    link = well.home / "link"
    link.symlink_to(well.credentials.parent)
    use(well, link)
    assert well.status()["warnings"] == []


@pytest.mark.parametrize(
    ("crontab", "is_other"),
    [
        ("CLAUDE_CONFIG_DIR={0}\n{1}", True),
        ("* * * * * CLAUDE_CONFIG_DIR={0} bash {2}", True),
        ("CLAUDE_CONFIG_DIR=/x\n* * * * * CLAUDE_CONFIG_DIR={0} bash {2}", True),
        ("CLAUDE_CONFIG_DIR={0}\n* * * * * PATH=$HOME/bin:/bin bash {2} --ensure", True),
        ("CLAUDE_CONFIG_DIR={0}\n* * * * * timeout 600 nice bash -e {2}", True),
        ("* * * * * cd {3} && CLAUDE_CONFIG_DIR={0} bash scripts/oauth/refresh.sh", True),
        ("HOME=/x\n* * * * * CLAUDE_CONFIG_DIR={0} {2} >/dev/null 2>&1", True),
        ("* * * * * CLAUDE_CONFIG_DIR={0} oauthkit refresh --project {3}", True),
        (
            "* * * * * CLAUDE_CONFIG_DIR={0} /usr/bin/python3 -m oauthkit refresh --project={3}",
            True,
        ),
        ("{1}\nCLAUDE_CONFIG_DIR={0}", False),  # a setting changes the lines below it
        ("{1}", False),
        # These may use any directory.
        ("CLAUDE_CONFIG_DIR=.claude\n{1}", False),
        ("CLAUDE_CONFIG_DIR={0}\n* * * * * env -u CLAUDE_CONFIG_DIR bash {2}", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0} cd {3} && bash scripts/oauth/refresh.sh", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0}; bash {2}", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0} . ~/.profile; bash {2}", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0} bash -l {2}", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0} python x.py; oauthkit refresh --project {3}", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0} bash {2}; bash /q/scripts/oauth/refresh.sh", False),
        ("* * * * * CLAUDE_CONFIG_DIR=/$X/account bash {2}", False),
        ("HOME=.\n{1}", False),
        (
            "HOME={0}\nCLAUDE_CONFIG_DIR={0}\n* * * * * bash ~/../project/scripts/oauth/refresh.sh",
            False,
        ),
        ("CLAUDE_CONFIG_DIR={0}\n* * * * * sudo -u me bash {2}", False),
        ("* * * * * bash {2}; CLAUDE_CONFIG_DIR={0} bash /q/scripts/oauth/refresh.sh", False),
        ("* * * * * bash {2} && echo CLAUDE_CONFIG_DIR={0}", False),
        ("* * * * * CLAUDE_CONFIG_DIR=$(cat /x) bash {2}", False),
        ("* * * * * CLAUDE_CONFIG_DIR={0} /no/oauthkit refresh --project={3}\n{1}", False),
    ],
)
def test_crontab_with_another_login(well: HostProject, crontab: str, is_other: bool) -> None:
    directory = well.home / "account"
    script = f"{well.project}/{SCRIPT}"
    lines = crontab.format(directory, f"* * * * * bash {script}", script, well.project)
    without_systemd(well, f"PATH={well.bin}\n{lines}\n")
    text = f"the scheduled runs use the login in {directory}, but this shell uses"
    text += f" {well.credentials.parent}"
    fix = f"export CLAUDE_CONFIG_DIR={directory}"
    (other,) = well.status()["warnings"] or [""]
    assert other.startswith("the scheduled runs use") == is_other
    assert not is_other or other == f"{text}. Run: {fix}"
    assert (f"FAIL  login: {text}\n      fix: {fix}\n" in well.run("doctor").stdout) == is_other


@pytest.mark.parametrize("shell", ["a", "b"])
def test_units_with_two_logins(well: HostProject, shell: str) -> None:
    """A run that was started by hand has a different login from install's units."""
    unit = f"/bin/bash {well.project}/{SCRIPT}"
    one, two = (
        shown(unit, f'{well.bin}" "CLAUDE_CONFIG_DIR={well.home}/{name}') for name in ("a", "b")
    )
    fake_manager(well, heal=one, show=two)
    well.credentials.parent.rename(well.home / shell)
    text = f"the scheduled runs use different logins: {UNIT}-heal.service uses the login in"
    text += f" {well.home}/a, and {UNIT}.service the one in {well.home}/b"
    fix = command("install", well.project)
    data = well.status(CLAUDE_CONFIG_DIR=f"{well.home}/{shell}")
    assert (data["live"], data["warnings"]) == (True, [f"{text}. Run: {fix}"])
    done = well.run("doctor", CLAUDE_CONFIG_DIR=f"{well.home}/{shell}")
    assert done.stdout.splitlines()[1:] == [f"FAIL  login: {text}", f"      fix: {fix}"]


def test_crontab_and_units_with_two_logins(well: HostProject) -> None:
    fake_manager(well)
    line = f"CLAUDE_CONFIG_DIR=/a bash {well.project}/{SCRIPT}"
    well.program("crontab", f"#!/bin/sh\necho '* * * * * {line}'\n")
    (warning,) = well.status()["warnings"]
    assert warning.endswith(".claude, and a crontab line the one in /a. Run: crontab -e")


def test_crontab_lines_with_two_logins(well: HostProject) -> None:
    script = f"{well.project}/{SCRIPT}"
    lines = [f"* * * * * CLAUDE_CONFIG_DIR=/{name} bash {script}\n" for name in "ab"]
    without_systemd(well, f"PATH={well.bin}\n{''.join(lines)}")
    text = "a crontab line uses the login in /a, and a crontab line the one in /b. Run: crontab -e"
    (warning, *_) = well.status()["warnings"]
    assert warning == f"the scheduled runs use different logins: {text}"


@pytest.mark.parametrize("line", ["HOME={0}\n* * * * * bash {1}", "* * * * * HOME={0} bash {1}"])
def test_crontab_with_another_home(well: HostProject, line: str) -> None:
    text = line.format(well.home / "other", f"{well.project}/{SCRIPT}")
    without_systemd(well, f"PATH={well.bin}\n{text}\n")
    (warning, *_) = well.status()["warnings"]
    assert f"use the login in {well.home}/other/.claude, but this shell uses" in warning
    assert warning.endswith(f". Run: export HOME={well.home}/other")


def test_watcher_with_another_login(well: HostProject) -> None:
    refresh = shown(f"/bin/bash {well.project}/{SCRIPT}", str(well.bin))
    watch = f"/usr/bin/python3 -P -m oauthkit watch --project={well.project}"
    other = shown(watch, f'{well.bin}" "CLAUDE_CONFIG_DIR=/a')
    fake_manager(well, heal=refresh, show=refresh, watch=other)
    install = command("install", well.project, "--watch")
    text = f"and {UNIT}-watch.service the one in /a. Run: {install}"
    (warning,) = well.status()["warnings"]
    assert warning.endswith(text)


def test_fix_keeps_the_form(well: HostProject) -> None:
    unit = f"/usr/bin/python3 -P -m oauthkit refresh --project={well.project}"
    one, two = (shown(unit, f'{well.bin}" "CLAUDE_CONFIG_DIR=/{name}') for name in "ab")
    fake_manager(well, heal=one, show=two)
    install = command("install", well.project, "--form", "python")
    (warning,) = well.status()["warnings"]
    assert warning.endswith(f". Run: {install}")


def test_unit_name_that_looks_like_an_option_is_not_passed(well: HostProject) -> None:
    argv = well.home / "argv"
    well.program("systemctl", f'#!/bin/sh\necho "$@" >>{argv}\necho []\n')
    well.status(OAUTHKIT_UNIT="-Hroot@evil")
    well.run("doctor", OAUTHKIT_UNIT="-Hroot@evil")
    well.run("uninstall", OAUTHKIT_UNIT="-Hroot@evil")
    well.program("bash", "#!/bin/sh\n")
    conf = well.project / "scripts/oauth/refresh.conf"
    conf.write_text("OAUTHKIT_UNIT=-Hroot@evil\n", encoding="utf-8")
    assert well.run("install", "--unit", "good").returncode == 0
    conf.unlink()
    called = argv.read_text("utf-8") if argv.exists() else ""
    assert "evil" not in called
    well.status()
    assert f"show {UNIT}-heal.service" in argv.read_text("utf-8")


@pytest.mark.parametrize("name", ["OAUTHKIT_DOTENV", "OAUTHKIT_LOG", "OAUTHKIT_HOST"])
def test_setting_of_the_units_alone(well: HostProject, name: str) -> None:
    """A refresh or publish in this shell would write somewhere else."""
    argv = f"/bin/bash {well.project}/{SCRIPT}"
    if name == "OAUTHKIT_HOST":  # it has no effect without a store
        (well.project / CONF_FILE).write_text(f"OAUTHKIT_STORE=dir:{well.home}\n", "utf-8")
    directory = well.unit_directory / f"{UNIT}-heal.service.d"
    directory.mkdir(parents=True)
    (directory / "x.conf").write_text("[Service]\nEnvironment=NICE=1\n", "utf-8")  # not the cause
    fake_manager(well, heal=shown(argv, well.bin, f"{name}=/an/other"))
    _, failed, fixes = examined(well)
    here = {"OAUTHKIT_DOTENV": f"is {well.dotenv}", "OAUTHKIT_LOG": f"is {well.log}"}
    text = f"{UNIT}-heal.service sets {name}=/an/other, but in this shell, it "
    assert failed == {"settings": text + here.get(name, "is not set")}
    assert fixes == {"settings": f"export {name}=/an/other"}
    assert well.status()["warnings"] == [f"{failed['settings']}. Run: {fixes['settings']}"]
    others = well.status(**{name: "/an/other"})["warnings"]
    assert not [text for text in others if name in text]


@pytest.mark.parametrize("name", ["OAUTHKIT_DOTENV", "OAUTHKIT_BEARER", "OAUTHKIT_STORE"])
def test_setting_of_this_shell_alone(well: HostProject, name: str) -> None:
    """The hourly runs would undo what a refresh in this shell does."""
    text = f"this shell sets {name}=/an/other, but {UNIT}-heal.service does not"
    shown_by_doctor = well.run("doctor", **{name: "/an/other"}).stdout
    assert f"FAIL  settings: {text}\n      fix: unset {name}\n" in shown_by_doctor
    assert well.status(**{name: "/an/other"})["warnings"] == [f"{text}. Run: unset {name}"]
    (well.project / CONF_FILE).write_text(
        f"{name}=/an/other\n", "utf-8"
    )  # a run reads this file, too
    assert "FAIL  settings" not in well.run("doctor", **{name: "/an/other"}).stdout


def test_settings_that_do_not_matter_to_other_runs(well: HostProject) -> None:
    argv = f"/bin/bash {well.project}/{SCRIPT}"
    link = well.home / "link"
    link.symlink_to(well.project)
    more = f"OAUTHKIT_LIGHT=1 OAUTHKIT_DOTENV={link}/.env OAUTHKIT_LOG=relative ETCDCTL_KEY=/x"
    fake_manager(well, heal=shown(argv, well.bin, more))
    assert examined(well)[1] == {}
    fake_manager(well, environment="OAUTHKIT_DOTENV=/x")  # the shell has the manager's variable
    assert "FAIL  settings" not in well.run("doctor", OAUTHKIT_DOTENV="/x").stdout
    assert "FAIL  settings" not in well.run("doctor", ETCDCTL_CACERT="/x").stdout


def test_setting_of_the_manager_and_another_one_of_this_shell(well: HostProject) -> None:
    fake_manager(well, environment="OAUTHKIT_DOTENV=/x")
    text = "the user manager sets OAUTHKIT_DOTENV=/x, but in this shell, it is /y"
    shown_by_doctor = well.run("doctor", OAUTHKIT_DOTENV="/y").stdout
    assert f"FAIL  settings: {text}\n      fix: export OAUTHKIT_DOTENV=/x\n" in shown_by_doctor


def test_setting_of_a_crontab_line(well: HostProject) -> None:
    line = f"* * * * * OAUTHKIT_DOTENV=/x bash {well.project}/{SCRIPT}"
    well.program("crontab", f"#!/bin/sh\necho '{line}'\n")
    fake_manager(well, heal="")
    text = f"a crontab line sets OAUTHKIT_DOTENV=/x, but in this shell, it is {well.dotenv}"
    assert f"{text}. Run: crontab -e" in well.status()["warnings"]  # the units do not set it


@pytest.mark.parametrize(
    ("lines", "env", "problem"),
    [
        ("OAUTHKIT_DOTENV=/x\n* * * * * {}", {"OAUTHKIT_DOTENV": "/x"}, ""),
        ('OAUTHKIT_DOTENV = "/x"\n* * * * * {}', {"OAUTHKIT_DOTENV": "/x"}, ""),
        ("OAUTHKIT_DOTENV=/x\n* * * * * {}", {}, "sets OAUTHKIT_DOTENV=/x"),
        ("* * * * * OAUTHKIT_DOTENV=/srv/$LOGNAME/.env {}", {}, ""),
        ("@reboot OAUTHKIT_DOTENV=/x {}\n* * * * * {}", {}, "sets OAUTHKIT_DOTENV=/x"),
        ("* * * * * {}\n@reboot OAUTHKIT_DOTENV=/x {}", {}, "sets OAUTHKIT_DOTENV=/x"),
        (
            "@reboot OAUTHKIT_DOTENV=/x {}\n* * * * * OAUTHKIT_DOTENV=/y {}",
            {"OAUTHKIT_DOTENV": "/y"}, "sets OAUTHKIT_DOTENV=/x",
        ),
    ],
)  # fmt: skip
def test_settings_of_crontab_lines(
    well: HostProject, lines: str, env: dict[str, str], problem: str
) -> None:
    crontab = lines.replace("{}", f"bash {well.project}/{SCRIPT}")
    well.program("crontab", f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(crontab)}\n")
    (well.bin / "systemctl").unlink()
    shown_by_doctor = well.run("doctor", **env).stdout
    assert ("FAIL  settings" in shown_by_doctor) == (problem != ""), shown_by_doctor
    assert problem in shown_by_doctor


def test_relative_setting_of_the_manager_is_not_compared(well: HostProject) -> None:
    """Where it leads depends on a run's working directory."""
    fake_manager(well, environment="OAUTHKIT_DOTENV=rel")
    assert "FAIL  settings" not in well.run("doctor", OAUTHKIT_DOTENV="/y").stdout


def test_units_with_two_other_values(well: HostProject) -> None:
    """A change of this shell would only make the other unit differ."""
    (well.project / "data/ipc").mkdir(parents=True)
    argv = f"/bin/bash {well.project}/{SCRIPT}"
    watch = shown(f"python -m oauthkit watch --project={well.project}", well.bin, "OAUTHKIT_LOG=/y")
    fake_manager(well, heal=shown(argv, well.bin, "OAUTHKIT_LOG=/x"), watch=watch)
    assert examined(well)[2] == {"settings": command("install", well.project, "--watch")}


@pytest.mark.parametrize("line", ["Environment = OAUTHKIT_LOG=/x", "Environment=OAUTHKIT_LOG=/x"])
def test_drop_in_with_a_setting_is_moved_away(well: HostProject, line: str) -> None:
    argv = f"/bin/bash {well.project}/{SCRIPT}"
    directory = well.unit_directory / f"{UNIT}-heal.service.d"
    directory.mkdir(parents=True)
    (directory / "x.conf").write_text(f"[Service]\n{line}\n", "utf-8")
    (directory / "y.conf").write_text("[Service]\nEnvironmentFile=/etc/proxy\n", "utf-8")
    fake_manager(well, heal=shown(argv, well.bin, "OAUTHKIT_LOG=/x"))
    fix = examined(well)[2]["settings"]
    assert f"mv {directory}/x.conf" in fix
    assert "y.conf" not in fix


def test_units_with_different_settings(well: HostProject) -> None:
    """A change of this shell would only make the other unit differ."""
    (well.project / "data/ipc").mkdir(parents=True)
    watch = shown(f"python -m oauthkit watch --project={well.project}", well.bin, "OAUTHKIT_LOG=/x")
    fake_manager(well, watch=watch)
    install = command("install", well.project, "--watch")
    text = f"{UNIT}-watch.service sets OAUTHKIT_LOG=/x, but in this shell, it is {well.log}"
    assert examined(well)[1:] == ({"settings": text}, {"settings": install})
