"""A host with a fake user manager, and the results of oauthkit doctor."""

from __future__ import annotations

import json
import shlex
import shutil
from typing import TYPE_CHECKING

from tests.support.host.host_project import SUDO, UNIT

from oauthkit.host.doctor import programs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.host.host_project import HostProject

SCRIPT = "scripts/oauth/refresh.sh"
SYSTEMCTL = """#!/bin/sh
case $3 in
  list-timers) printf '%s\\n' '{timers}' ;;
  show)
    shift 3
    for unit; do case $unit in --*) exit ;; esac
    case $unit in
      {active}) echo ActiveState=activating ;;
      *-watch.service) printf 'ActiveState=%s\nSubState=%s\n' {watching} ;;
      *-follow.service) printf 'ActiveState=%s\nSubState=%s\n' {following} ;;
      *) echo ActiveState=inactive ;;
    esac
    case $unit in *-heal.service) {heal} ;; *-watch.service) {watch} ;;
      *-follow.service) {follow} ;; *) {show} ;; esac
    echo
    done ;;
  is-enabled) echo {enabled} ;;
  list-units) printf '%s\\n' '{units}' ;;
  show-environment) printf '%s\\n' {environment} ;;
  *) exit 64 ;;
esac
"""
CRONTAB = """#!/bin/sh
case $1 in -l) while read -r line; do printf '%s\\n' "$line"; done <"$HOME/crontab" ;;
-) while read -r line; do printf '%s\\n' "$line"; done >"$HOME/new"
  mv "$HOME/new" "$HOME/crontab" ;;
esac
"""
NOT_FOUND = "echo LoadState=not-found"


def expected_fix(name: str, package: str) -> str:
    """Return the fix that doctor should print for a program missing from PATH.

    Extend PATH if the program is installed elsewhere, otherwise install `package`.
    """
    there = shutil.which(name, path=programs.SYSTEM_PATH)
    directory = there and there.rpartition("/")[0]
    return (
        f"export PATH=${{PATH:+$PATH:}}{directory}"
        if directory
        else f"{SUDO}apt-get install {package}"
    )


def shown(argv: str, path: str | Path, more: str = "") -> str:
    """Return shell code that prints a service with this argv, this PATH and more variables."""
    start = f"ExecStart={{ path=/bin/bash ; argv[]={argv} ; ignore_errors=no ; pid=0 }}"
    return f"echo 'LoadState=loaded\n{start}\nEnvironment=LANG=C \"PATH={path}\" {more}'"


def fake_manager(
    host: HostProject,
    *,
    path: str | None = None,
    argv: str = "",
    active: str = "-",
    show: str = "",
    heal: str = "",
    watch: str = NOT_FOUND,
    enabled: str = "enabled",
    watching: str = "",
    follow: str = NOT_FOUND,
    following: str = "active running",
    timers: dict[str, float] | None = None,
    loaded: Sequence[str] = (),
    environment: str = "",
    settings: str = "",
) -> None:
    """Install a fake systemctl and systemd-run.

    `path` and `argv` are those of the refresh service. If `active` names a running service, its
    timer has no next run. `timers` maps units to seconds from now, and replaces the default timers.
    `loaded` are units, and `environment` is a line that systemctl show-environment prints.
    `settings` are variables that the refresh service and the heal service set.
    """
    host.program("systemd-run", "#!/bin/sh\n")
    at = None if active != "-" else int((host.now_s + 3600) * 1e6)
    rows = [{"unit": f"{UNIT}.timer", "next": at}]
    if timers is None:
        timers = {f"{UNIT}-heal.timer": 1800}
    else:
        rows = []
    rows += [{"unit": unit, "next": int((host.now_s + s) * 1e6)} for unit, s in timers.items()]
    argv = argv or f"/bin/bash {host.project}/{SCRIPT}"
    text = SYSTEMCTL.replace("{timers}", json.dumps(rows)).replace("{active}", shlex.quote(active))
    heal = heal or shown(f"/bin/bash {host.project}/{SCRIPT}", host.bin, settings)
    text = text.replace("{heal}", heal)
    text = text.replace("{units}", json.dumps([{"unit": unit} for unit in loaded]))
    text = text.replace("{environment}", shlex.quote(environment))
    text = text.replace("{watch}", watch).replace("{enabled}", enabled)
    # systemd shows a unit that it does not find as inactive, unless the unit is running.
    watching = watching or ("inactive dead" if watch == NOT_FOUND else "active running")
    text = text.replace("{watching}", watching)
    text = text.replace("{follow}", follow).replace("{following}", following)
    host.program(
        "systemctl", text.replace("{show}", show or shown(argv, path or host.bin, settings))
    )


def without_systemd(host: HostProject, crontab: str) -> None:
    """Remove systemctl, and install a fake crontab command with this crontab."""
    (host.bin / "systemctl").unlink()
    fake_crontab(host, crontab)


def fake_crontab(host: HostProject, crontab: str) -> None:
    """Install a fake crontab command with this crontab."""
    host.program("crontab", CRONTAB)
    (host.home / "crontab").write_text(crontab, encoding="utf-8")


def examined(host: HostProject) -> tuple[int, dict[str, str], dict[str, str]]:
    """Return the exit status, the failed checks with their messages, and the fixes."""
    done = host.run("doctor")
    assert done.stderr == ""
    failed, fixes = {}, {}
    name = ""
    for line in done.stdout.splitlines():
        if line.startswith("      fix: "):
            fixes[name] = line.removeprefix("      fix: ")  # a note can have one, too
            continue
        if line.startswith("      "):  # a detail
            continue
        name, _, text = line[6:].partition(": ")
        if line.startswith("FAIL"):
            failed[name] = text
    assert failed.keys() <= fixes.keys()
    assert done.returncode == bool(failed)
    return done.returncode, failed, {name: fixes[name] for name in failed}
