"""oauthkit uninstall, with a stand-in for the user manager."""

from __future__ import annotations

import fcntl
import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support import forked
from tests.support.host.host_project import RECORD, SAME_CODE, command, quoted

from oauthkit.host.commands import uninstall
from oauthkit.host.errors import HostError
from oauthkit.host.project import CONF_FILE, find_paths

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

NOTHING_LEFT = (
    "no run of this project is scheduled. Its .env gets no new token until you start a refresh"
)
HEAL = "nanoclaw-oauth-refresh-next-heal"


def test_directory_that_is_not_a_project(ready: HostProject) -> None:
    env = {"PATH": str(ready.bin), "HOME": str(ready.home), **SAME_CODE}
    done = forked.run_text([sys.executable, "-m", "oauthkit", "uninstall"], ready.home, env)
    text = f"oauthkit uninstall: '{ready.home}' is not a project. Pass --project DIR\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)


def test_uninstall_without_a_manager_names_the_units_that_it_keeps(ready: HostProject) -> None:
    assert ready.run("install").returncode == 0
    ready.program("systemctl", "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    done = ready.run("uninstall")
    hint, _, kept = done.stderr.rstrip().rpartition(". Until then, these are kept: ")
    assert (done.returncode, done.stdout) == (1, "")
    assert hint.endswith(". Run this in a login session of this user")
    units = {
        str(ready.unit_directory / f"nanoclaw-oauth-refresh-next-heal.{kind}")
        for kind in ("service", "timer")
    }
    assert {*kept.split(", ")} == units


@pytest.mark.parametrize("is_booted", [True, False])
def test_uninstall_without_a_manager_and_units(
    ready: HostProject,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_booted: bool,
) -> None:
    """Without systemd, there are no timers. With it, another session may have started some."""
    monkeypatch.setattr(uninstall, "BOOTED", ready.home if is_booted else ready.home / "none")
    monkeypatch.setenv("HOME", str(ready.home))
    monkeypatch.setenv("PATH", str(ready.bin))
    (ready.bin / "systemctl").unlink()
    said: list[str] = []
    paths = find_paths(str(ready.project))
    line = f"*/4 * * * * bash {quoted(ready.project)}/scripts/oauth/refresh.sh"
    crontab = f"#!/bin/sh\necho {shlex.quote(line)}\n"
    if is_booted:
        with pytest.raises(HostError, match=r"Run this in a login session of this user$"):
            uninstall.uninstall(paths, said.append)
        ready.program("crontab", crontab)
        with pytest.raises(HostError, match=r"Also, a line in the crontab .* run: crontab -e$"):
            uninstall.uninstall(paths, said.append)
        return
    assert uninstall.uninstall(paths, said.append) == 0
    assert said[-1].startswith("no run of this project is scheduled")
    ready.program("crontab", crontab)
    assert uninstall.uninstall(paths, said.append) == 0
    assert said[-1].endswith("To remove it, run: crontab -e")


def test_uninstall_reports_the_remaining_bearer_file(ready: HostProject) -> None:
    bearer = ready.project / "bearer/.credentials.json"
    (ready.project / CONF_FILE).parent.mkdir(parents=True, exist_ok=True)
    (ready.project / CONF_FILE).write_text(f"OAUTHKIT_BEARER={bearer}\n", "utf-8")
    assert "bearer" not in ready.run("uninstall").stdout
    bearer.parent.mkdir()
    bearer.touch()
    assert f"{bearer} is kept, and still has the token\n" in ready.run("uninstall").stdout


def test_uninstall_stops_services_whose_unit_files_are_missing(ready: HostProject) -> None:
    watch = HEAL.replace("heal", "watch")
    wants = ready.unit_directory / "default.target.wants"
    wants.mkdir(parents=True)
    link = wants / f"{watch}.service"
    link.symlink_to(f"../{watch}.service")
    foreign = wants / f"{HEAL}.timer"
    foreign.symlink_to(ready.home / "vendor.timer")
    foreign.readlink().touch()
    state = "LoadState=not-found\nActiveState=active\n"
    show = f'case $* in *"show {watch}.service"*) printf {shlex.quote(state)} ;; esac'
    ready.program("systemctl", f"{RECORD}{show}\n")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    stopped = f"stopped {watch}.service, whose unit file was missing\nremoved {link}\n"
    assert done.stdout.startswith(stopped)
    assert f"--user --no-pager stop {watch}.service" in ready.asked()
    assert not link.is_symlink()
    assert foreign.is_symlink()


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        (
            "watch",
            "LoadState=loaded\nActiveState=active\nExecStart={ path=/x ; argv[]=/bin/true ; }\n",
        ),
        ("heal", "LoadState=loaded\nActiveState=activating\n"),
    ],
)
def test_uninstall_does_not_call_a_loaded_unit_missing(
    ready: HostProject, unit: str, state: str
) -> None:
    """The watch unit can be in another directory. A run of the heal unit can be in progress."""
    assert ready.run("install").returncode == 0
    name = HEAL.replace("heal", unit)
    show = f'case $* in *"show {name}.service"*) printf {shlex.quote(state)} ;; esac'
    ready.program("systemctl", f"{RECORD}{show}\n")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert "missing" not in done.stdout
    assert unit == "heal" or f"--user --no-pager stop {name}.service" not in ready.asked()


def test_uninstall_says_how_to_stop_a_timer_without_a_service(ready: HostProject) -> None:
    answer = json.dumps([{"unit": f"{HEAL}.timer", "next": 1}])
    show = f'case $* in *"show {HEAL}.service"*) echo LoadState=not-found ;; '
    show += f"*list-timers*) echo {shlex.quote(answer)} ;; esac"
    ready.program("systemctl", f"{RECORD}{show}\n")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    why = f"it may not be this project's: {HEAL}.service is not loaded (not-found)"
    stop = f"If it is, run: systemctl --user stop {HEAL}.timer"
    assert f"{HEAL}.timer is kept: {why}. {stop}\n" in done.stdout


def test_uninstall_during_a_run_that_systemd_did_not_start(ready: HostProject) -> None:
    """When it ends, it starts a timer for the next run."""
    lock = ready.project / "logs/oauth-refresh.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = ready.run("uninstall")
    assert done.returncode == 1
    assert f" holds {lock}. If it is a run, it will start a timer for the next one." in done.stdout
    assert f"run: {command('uninstall', ready.project)}\n" in done.stdout
    assert "no run of this project is scheduled" not in done.stdout
    done = ready.run("uninstall")
    assert (done.returncode, done.stdout) == (0, f"{NOTHING_LEFT}\n")


@pytest.mark.parametrize("answers", [True, False])
def test_crontab_line_of_a_removed_project(ready: HostProject, *, answers: bool) -> None:
    ready.project = ready.home / "gone"
    done = ready.run("uninstall")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a directory" in done.stderr
    line = f"*/4 * * * * bash {quoted(ready.project)}/scripts/oauth/refresh.sh"
    ready.program("crontab", f"#!/bin/sh\necho {shlex.quote(line)}\n")
    if not answers:
        (ready.bin / "systemctl").unlink()
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"a line in the crontab still names {ready.project}. To remove it, run: crontab -e\n"
    )


def test_uninstall_reports_the_remaining_crontab_line(ready: HostProject) -> None:
    line = f"*/4 * * * * bash {quoted(ready.project)}/scripts/oauth/refresh.sh"
    ready.program("crontab", f"#!/bin/sh\necho {shlex.quote(line)}\n")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "a line in the crontab still refreshes this project. To remove it, run: crontab -e\n"
    )


@pytest.mark.parametrize(
    ("argv", "whose"),
    [
        ("/bin/bash {}/scripts/oauth/refresh.sh", ""),
        ("/x/python -m oauthkit refresh --project={}", ""),
        ("/x/python -m oauthkit refresh --project={}/../project", ""),
        (
            "/bin/bash /other \\$\\$1/scripts/oauth/refresh.sh",
            "belongs to another project: /other $1",
        ),
        ("/bin/bash /other $$1/scripts/oauth/refresh.sh", "belongs to another project: /other $1"),
        ("/x/python -m oauthkit refresh --project=/other", "belongs to another project: /other"),
        ("/bin/true", "runs something else"),
    ],
)
def test_uninstall_keeps_timers_of_another_project(
    ready: HostProject, argv: str, whose: str
) -> None:
    name = "nanoclaw-oauth-refresh-next"
    exec_start = f"{{ path=/x ; argv[]={argv.format(ready.project)} ; ignore_errors=no ; }}"
    (ready.home / "shown").write_text(f"LoadState=loaded\nExecStart={exec_start}\n", "utf-8")
    answer = 'while read -r line; do echo "$line"; done <"$HOME/shown"'
    show = f'case $* in *"show {name}.service"*) {answer};; esac'
    ready.program("systemctl", f"{RECORD}{show}\n")
    done = ready.run("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    stops = [line.split(" stop ")[1] for line in ready.asked() if " stop " in line]
    own = [f"{ready.own_unit()}{more}" for more in ("", "--alt", "--alt-alt")]
    mine = [*([] if whose else [name]), *own]
    timers, services = [f"{unit}.timer" for unit in mine], [f"{unit}.service" for unit in mine]
    # One unit per call: systemd 262 stops none of several if one is not loaded.
    heal = f"{name}-heal"
    assert stops == [
        *timers,
        f"{heal}.timer",
        *services,
        f"{heal}.service",
        *timers,
        f"{heal}.timer",
    ]
    assert (f"{name}.timer is kept: {name}.service {whose}\n" in done.stdout) == bool(whose)


def test_uninstall_removes_units_with_an_earlier_name(ready: HostProject) -> None:
    conf = ready.project / CONF_FILE
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text("OAUTHKIT_UNIT=earlier\n", "utf-8")
    assert ready.run("install").returncode == 0
    conf.write_text("OAUTHKIT_UNIT=later\n", "utf-8")
    assert ready.run("uninstall").returncode == 0
    assert [*ready.unit_directory.iterdir()] == []
