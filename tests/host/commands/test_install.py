"""oauthkit install and uninstall with obstacles, and the crontab line."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.host.host_project import RECORD, SAME_CODE, SUDO, UNIT, quoted
from tests.support.host.host_project import command as oauthkit_command

from oauthkit.host.child import python_command
from oauthkit.host.commands import install
from oauthkit.host.project import find_paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject

HEAL = "nanoclaw-oauth-refresh-next-heal"


def test_calls_of_systemd(ready: HostProject) -> None:
    shown = "LoadState ExecStart Environment ActiveState SubState InactiveExitTimestampMonotonic"
    shown += " FragmentPath Description NeedDaemonReload InactiveEnterTimestampMonotonic"
    shown += " ConditionResult ConditionTimestampMonotonic"
    properties = " ".join(f"--property={name}" for name in shown.split())
    list_units = "--user --no-pager list-units --all --type=timer,service --output=json"
    done = ready.run("install")
    assert (done.returncode, done.stderr) == (0, "")
    assert ready.asked() == [
        "--user --no-pager show-environment",
        "--user --no-pager show-environment",
        f"--user --no-pager show {HEAL}.service {UNIT}-follow.service {properties}",
        "--user --no-pager daemon-reload",
        f"--user --no-pager enable --now --quiet {HEAL}.timer",
        list_units,
        f"--user --no-pager show {HEAL}.service {properties}",
        f"--user --no-pager start {HEAL}.service",
        list_units,
        f"--no-ask-password show-user {os.getuid()} --property=Linger --value",
    ]
    assert "loginctl enable-linger changes that" in done.stdout
    modes = {file.name: file.stat().st_mode & 0o777 for file in ready.unit_directory.iterdir()}
    assert modes == {f"{HEAL}.service": 0o600, f"{HEAL}.timer": 0o600}
    service = (ready.unit_directory / f"{HEAL}.service").read_text("utf-8")
    assert f'Environment="HOME={ready.home}"\n' in service
    assert f'Environment="PATH={ready.bin}"\n' in service
    assert "CLAUDE_CONFIG_DIR" not in service


def test_units_have_a_safe_path_and_no_core_dumps(ready: HostProject) -> None:
    (ready.project / "data/ipc").mkdir(parents=True)
    assert ready.run("install", "--watch").returncode == 0
    for name, command in {"heal": "refresh", "watch": "watch"}.items():
        unit = ready.unit_directory / HEAL.replace("heal", f"{name}.service")
        lines = unit.read_text("utf-8").splitlines()
        argv = [*python_command(), command, f"--project={ready.project}"]
        quoted = " ".join(f'"{word}"' for word in argv)
        assert {f"ExecStart={quoted}", "WorkingDirectory=/", "LimitCORE=0"} <= {*lines}


def test_watcher_is_kept_and_written_again(ready: HostProject) -> None:
    """Its runs use the same login as the other units."""
    (ready.project / "data/ipc").mkdir(parents=True)
    watch = f"{UNIT}-watch.service"
    assert ready.run("install", "--watch", CLAUDE_CONFIG_DIR="/account").returncode == 0
    assert "/account" in (ready.unit_directory / watch).read_text("utf-8")
    (ready.home / "asked").unlink()
    assert ready.run("install").returncode == 0
    assert "/account" not in (ready.unit_directory / watch).read_text("utf-8")
    assert f"restart {watch}" in "".join(ready.asked())


def test_missing_claude_is_noted(ready: HostProject) -> None:
    assert "note: " not in ready.run("install").stdout
    (ready.bin / "claude").unlink()
    done = ready.run("install")
    assert done.returncode == 0
    problem = "claude: not in PATH, nor in ~/.claude/local or ~/.local/bin"
    assert f"note: no run can renew the token: {problem}. Fix: " in done.stdout
    assert f"      Then run: {oauthkit_command('install', ready.project)}\n" in done.stdout


def test_linger_on_demand(ready: HostProject) -> None:
    done = ready.run("install", "--linger")
    assert done.returncode == 0
    assert "enabled lingering" in done.stdout
    assert f"--no-ask-password enable-linger {os.getuid()}" in ready.asked()


def test_linger_that_is_rejected(ready: HostProject) -> None:
    ready.program("loginctl", "#!/bin/sh\nexit 1\n")
    (ready.project / "data/ipc").mkdir(parents=True)
    done = ready.run("install", "--linger", "--watch")
    assert done.returncode == 1
    assert [line.split("--no-pager ")[1] for line in ready.asked()][-4:] == [
        f"start {HEAL}.service",
        "list-units --all --type=timer,service --output=json",
        f"enable --quiet {HEAL.removesuffix('heal')}watch.service",
        f"restart {HEAL.removesuffix('heal')}watch.service",
    ]
    assert done.stderr == (
        f"oauthkit install: loginctl enable-linger failed. Try: {SUDO}loginctl enable-linger"
        f" {os.getuid()}\n"
    )


def test_without_a_manager_nothing_is_changed(ready: HostProject) -> None:
    ready.program("systemctl", "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    done = ready.run("install")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("oauthkit install: the systemd user manager does not answer")
    assert not ready.unit_directory.exists()


@pytest.mark.parametrize("status", [0, 1])
def test_errors_and_warnings_of_the_first_run_are_printed(ready: HostProject, status: int) -> None:
    ready.lines((-60, "ERROR: old"))
    lines = ["Updated", "publish: no store", "WARN: not published", "ERROR: new"]
    text = "".join(f"{ready.stamp(60)} {line}\n" for line in [*lines, *lines])
    ready.lines((60, "ERROR: of the same second"))
    write = f"printf %s {shlex.quote(text)} >>{quoted(ready.log)}"
    obeys = f"case $3 in start) {write}; exit {status} ;; esac\n"
    ready.program("systemctl", f"{RECORD}{obeys}")
    done = ready.run("install")
    assert done.returncode == status
    assert "ERROR: old" not in done.stdout
    assert "of the same second" not in done.stdout
    assert done.stdout.count("the first run logged: ") == len(lines[1:])
    logged = "".join(f"\nthe first run logged: {line}" for line in lines[1:])
    assert f"{logged}\n{'the first run failed' if status else 'started the chain'}" in done.stdout


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_unit_that_install_did_not_write_is_unchanged(ready: HostProject, command: str) -> None:
    ready.unit_directory.mkdir(parents=True)
    file = ready.unit_directory / f"{HEAL}.service"
    file.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    done = ready.run(command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"oauthkit {command}: {file} was not written by oauthkit install. Move it away, or set"
        " OAUTHKIT_UNIT to another name\n"
    )
    assert file.read_text("utf-8") == "[Service]\nExecStart=/bin/true\n"


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_units_of_another_project_are_left_alone(
    ready: HostProject, tmp_path: Path, command: str
) -> None:
    first = ready.project
    assert ready.run("install").returncode == 0
    before = {file: file.read_bytes() for file in ready.unit_directory.iterdir()}
    ready.project = tmp_path / "an.other"
    ready.project.mkdir()
    done = ready.run(command)
    if command == "install":
        assert (done.returncode, done.stdout) == (1, "")
        assert f" belongs to the project '{first}'. Use another name for this one: " in done.stderr
        assert done.stderr.endswith(" --unit oauth-refresh-an-other\n")
    else:  # it still stops this project's timers
        assert (done.returncode, done.stderr) == (0, "")
        assert f"stop {ready.own_unit()}.timer" in "".join(ready.asked())
    assert {file: file.read_bytes() for file in ready.unit_directory.iterdir()} == before


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize("setting", ["HOME", "XDG_CONFIG_HOME"])
def test_units_in_another_directory(ready: HostProject, command: str, setting: str) -> None:
    """The manager reads them from the HOME, or the XDG_CONFIG_HOME, that it was started with."""
    assert ready.run("install").returncode == 0
    shown = f"FragmentPath={ready.unit_directory}/{HEAL}.service"
    argv = f"/bin/bash {ready.project}/scripts/oauth/refresh.sh"
    shown += f"\nExecStart={{ path=/x ; argv[]={argv} ; ignore_errors=no ; }}"
    shown += f'\nEnvironment="HOME={ready.home}"'
    (ready.home / "shown").write_text(f"{shown}\n", "utf-8")
    show = f'while read -r line; do echo "$line"; done <{quoted(ready.home)}/shown'
    ready.program("systemctl", f'#!/bin/sh\ncase $* in *" show "*) {show} ;; esac\n')
    other = ready.home / "other"
    done = ready.run(command, **{setting: str(other)})
    assert (done.returncode, done.stdout) == (1, "")
    there = other / ("systemd/user" if setting == "XDG_CONFIG_HOME" else ".config/systemd/user")
    fix = f"Run: export HOME={quoted(ready.home)}"
    if setting == "XDG_CONFIG_HOME":
        fix = "Set HOME and XDG_CONFIG_HOME to the values of the shell that installed them"
    text = f"the project's units are in {ready.unit_directory}, not in {there}. {fix}"
    assert done.stderr == f"oauthkit {command}: {text}\n"
    assert not other.exists()
    assert ready.run(command).returncode == 0


def test_timers_with_an_earlier_name_are_stopped(ready: HostProject) -> None:
    """Those that runs have started are transient. A user's own timers are not, and are kept."""
    listed = json.dumps(
        [{"unit": f"{name}.timer"} for name in ("first", "mine", "other", "status")]
    )
    mine = f"ExecStart={{ path=/x ; argv[]=bash {ready.project}/scripts/oauth/refresh.sh"
    other = mine.replace(str(ready.project), f"{ready.project}2")
    end = " ; ignore_errors=no ; }"
    transient = "FragmentPath=/run/user/1/systemd/transient/x.service"
    transient += "\nDescription=NanoClaw OAuth token refresh"
    status = f"{mine}{end}\n{transient.partition(chr(10))[0]}"  # a timer that the user has started
    shown = [f"{mine}{end}\n{transient}", f"{mine}{end}", f"{other}{end}\n{transient}", status]
    (ready.home / "shown").write_text("\n\n".join(shown) + "\n", "utf-8")
    show = 'while read -r line; do echo "$line"; done <"$HOME/shown"'
    answers = f"""case $* in *list-units*) echo '{listed}' ;; *"show first"*) {show} ;; esac"""
    ready.program("systemctl", f"{RECORD}{answers}\n")
    done = ready.run("install")
    assert done.returncode == 0
    assert "\nstopped first.timer, which has an earlier unit name\n" in done.stdout
    stops = [line.split(" stop ")[1] for line in ready.asked() if " stop " in line]
    assert stops == ["first.timer"] * 2  # also after the first run, which may have started it


def test_project_that_is_reached_by_a_link_is_the_same(ready: HostProject, tmp_path: Path) -> None:
    assert ready.run("install").returncode == 0
    real, ready.project = ready.project, tmp_path / "link"
    ready.project.symlink_to(real)
    done = ready.run("install")
    assert (done.returncode, done.stderr) == (0, "")
    ready.project = real
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert not [*ready.unit_directory.iterdir()]


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_project_that_was_moved(ready: HostProject, tmp_path: Path, command: str) -> None:
    assert ready.run("install").returncode == 0
    old, ready.project = ready.project, tmp_path / "moved"
    old.rename(ready.project)
    done = ready.run(command)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        f" belongs to the project '{old}', which does not exist. If it was moved, " in done.stderr
    )
    fix = done.stderr.partition(" remove its units: ")[2]
    assert fix == f"{oauthkit_command('uninstall', old)}\n"
    env = {"PATH": f"{ready.bin}:/bin", "HOME": str(ready.home), **SAME_CODE}
    subprocess.run(["/bin/sh", "-c", fix], env=env, check=True)
    assert f"--user --no-pager disable --now --quiet {HEAL}.timer" in ready.asked()
    # Without names, this would reset the user's other units.
    reset = [line.split(" reset-failed")[1] for line in ready.asked() if " reset-failed" in line]
    assert {*reset} == {f" {HEAL}.service"}
    assert ready.run(command).returncode == 0


def test_unit_of_a_removed_project_that_install_did_not_write(ready: HostProject) -> None:
    argv = f"/bin/bash {ready.project}/scripts/oauth/refresh.sh"
    shown = f"LoadState=loaded\nExecStart={{ path=/x ; argv[]={argv} ; ignore_errors=no ; }}"
    (ready.home / "shown").write_text(f"{shown}\n", "utf-8")
    show = 'while read -r line; do echo "$line"; done <"$HOME/shown"'
    units = """echo '[{"unit":"mine.timer"}]'"""
    answers = f'case $* in *list-units*) {units} ;; *" show "*) {show} ;; esac'
    ready.program("systemctl", f"{RECORD}{answers}\n")
    ready.project.rename(ready.home / "moved")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    stops = [line.split(" stop ")[1] for line in ready.asked() if " stop " in line]
    assert stops == ["mine.timer", "mine.service", "mine.timer"]
    assert ready.asked().count("--user --no-pager reset-failed mine.service") == 1
    assert done.stdout.splitlines() == [
        "mine is kept: install did not write it. To stop it: systemctl --user disable --now"
        " mine.timer",
    ]


def test_changed_mark(ready: HostProject) -> None:
    assert ready.run("install").returncode == 0
    file = ready.unit_directory / f"{HEAL}.service"
    text = file.read_text("utf-8")
    file.write_text(text.replace(f"'{ready.project}'", "'"), encoding="utf-8")
    assert " was not written by oauthkit install. " in ready.run("uninstall").stderr


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize("unit", ["../../x", "a b", "a@b", "x" * 300, "-x", "--now", ".x", "a/b"])
def test_invalid_unit_name(ready: HostProject, unit: str, command: str) -> None:
    done = ready.run(command, OAUTHKIT_UNIT=unit)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"OAUTHKIT_UNIT is {unit[:60]!r}, which is not a unit name. " in done.stderr
    assert not ready.unit_directory.exists()


def test_script_of_another_project(ready: HostProject, tmp_path: Path) -> None:
    other = tmp_path / "other/scripts/oauth"
    other.mkdir(parents=True)
    (other / "refresh.sh").write_text("", encoding="utf-8")
    (ready.project / "scripts").symlink_to(other.parent)
    done = ready.run("install")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is a link into another project, and would refresh that one" in done.stderr


def test_watch_without_anything_to_watch(ready: HostProject) -> None:
    done = ready.run("install", "--watch")
    assert (done.returncode, done.stdout) == (1, "")
    assert "data/ipc is not a directory: --watch needs a checkout of NanoClaw" in done.stderr
    assert not ready.unit_directory.exists()
    (ready.project / "data").mkdir()
    (ready.project / "data/ipc").symlink_to(ready.home)
    done = ready.run("install", "--watch")
    assert (done.returncode, done.stdout) == (1, "")
    assert "data/ipc is a symbolic link: --watch needs the directory itself" in done.stderr
    assert not ready.unit_directory.exists()


def test_directory_that_cannot_be_created(ready: HostProject) -> None:
    (ready.home / ".config").write_text("", encoding="utf-8")
    done = ready.run("install")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"{HEAL}.service cannot be written: Not a directory\n")


def test_missing_form(ready: HostProject) -> None:
    done = ready.run("install", "--form", "bash")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "scripts/oauth/refresh.sh does not exist. Copy it there, or use --form python"
        in done.stderr
    )
    assert {*ready.asked()} == {"--user --no-pager show-environment"}


# --- crontab ---


def test_crontab_line_runs_the_check(ready: HostProject, tmp_path: Path) -> None:
    odd = tmp_path / '50% it\'s $HOME "x"'
    script = odd / "scripts/oauth/refresh.sh"
    script.parent.mkdir(parents=True)
    script.write_text(
        'printf "%s\\n" "$0" "$@" "$HOME" "$OAUTHKIT_UNIT"\n'
        "echo 'ERROR: systemd-run failed (exit 1), next refresh NOT scheduled' >&2\n"
        "echo 'ERROR: another one' >&2\n",
        encoding="utf-8",
    )
    ready.program("bash", '#!/bin/sh\nexec /bin/bash "$@"\n')
    ready.project = odd
    done = ready.run("install", "--cron", OAUTHKIT_UNIT="mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert ready.asked() == []
    when, line = done.stdout[:12], done.stdout[12:]
    assert when == "*/4 * * * * "
    # As cron does: an unquoted % ends the command, and \\% is a % (crontab(5)).
    assert "%" not in line.replace("\\%", "")
    ran = subprocess.run(
        ["/bin/sh", "-c", line.replace("\\%", "%")],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    # cron starts the next run itself, so a failure to schedule it with systemd is not mailed.
    assert ran.stdout == f"{script}\n--ensure\n{ready.home}\nmine\nERROR: another one\n"


def test_crontab_without_a_script_runs_this_python(ready: HostProject) -> None:
    line = ready.run("install", "--cron").stdout
    words = [*python_command(), "refresh", f"--project={ready.project}", "--ensure"]
    assert f" {shlex.join(words)} 2>&1 | sed " in line


def test_crontab_gets_one_line_for_each_project(ready: HostProject) -> None:
    line = ready.run("install", "--cron").stdout
    ready.program("crontab", f"#!/bin/sh\n/bin/cat <<'END'\n{line}END\n")
    done = ready.run("install", "--cron")
    said = "the crontab already has this line\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", said)
    earlier = line.replace("*/4", "*/3")
    ready.program("crontab", f"#!/bin/sh\n/bin/cat <<'END'\n{earlier}END\n")
    done = ready.run("install", "--cron")
    said = (
        "the crontab already has a line for this project. To change it to the\nfollowing one, run"
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{said}: crontab -e\n{line}"
    other = line.replace(str(ready.project), f"{ready.project}-2")
    ready.program("crontab", f"#!/bin/sh\n/bin/cat <<'END'\n{other}END\n")
    assert ready.run("install", "--cron").stdout == line


def test_crontab_line_whose_runs_would_fail(ready: HostProject) -> None:
    (ready.bin / "jq").unlink()
    (ready.bin / "claude").unlink()
    ready.credentials.unlink()
    done = ready.run("install", "--cron")
    assert done.returncode == 0
    assert done.stdout.startswith("*/4 ")
    starts = [re.split(r"\. Fix: |, ", line)[0] for line in done.stderr.splitlines()]
    assert starts == [
        "a run will fail: jq: not in PATH",
        f"a run will fail: login: {ready.credentials} not found",
        "note: no run can renew the token: claude: not in PATH",
        f"      Then run: {oauthkit_command('install', ready.project, '--cron')}",
    ]


@pytest.mark.parametrize("has_line", [True, False])
@pytest.mark.parametrize("is_booted", [True, False])
def test_what_starts_the_runs_without_a_manager(
    ready: HostProject, monkeypatch: pytest.MonkeyPatch, *, has_line: bool, is_booted: bool
) -> None:
    """With systemd, for example after su, only this user's manager is missing."""
    monkeypatch.setenv("HOME", str(ready.home))
    monkeypatch.setattr(install, "BOOTED", ready.home if is_booted else ready.home / "none")
    line = f"*/4 * * * * bash {quoted(ready.project)}/scripts/oauth/refresh.sh"
    ready.program("crontab", f"#!/bin/sh\necho {shlex.quote(line if has_line else '')}\n")
    monkeypatch.setenv("PATH", str(ready.bin))
    said = install._without_manager(find_paths(str(ready.project)))
    by_cron = "To start the runs with cron, run: "
    doctor = f"To see how to start it, run: {oauthkit_command('doctor', ready.project)}. "
    if has_line:
        assert said == "The crontab already has a line for this project"
        said = install._without_manager(find_paths(str(ready.project)), "--light")
        again = oauthkit_command("install", ready.project, "--cron", "--light")
        assert said.endswith(f". To change the settings, run: {again}")
    else:
        assert said.startswith(f"{doctor if is_booted else ''}{by_cron}")


def test_path_that_a_crontab_cannot_contain(ready: HostProject) -> None:
    odd = ready.project.with_name("two\nlines")
    ready.project.rename(odd)
    ready.project = odd
    done = ready.run("install", "--cron")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "oauthkit install: a path has characters that a crontab cannot contain\n"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_project_of_another_user_as_root(ready: HostProject) -> None:
    ready.credentials.unlink()
    user = pwd.getpwnam("nobody")
    os.chown(ready.project, user.pw_uid, user.pw_gid)
    done = ready.run("install")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("root has no login of its own. Become that user: su - nobody\n")
    assert not (ready.home / ".config").exists()
