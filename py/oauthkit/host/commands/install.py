"""Install and remove a project's systemd user units."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host import notify, settings_writer
from oauthkit.host.adopt import changes
from oauthkit.host.doctor import delivered, login, programs, write_access
from oauthkit.host.errors import HostError
from oauthkit.host.path_info import real_path, require_no_links, write_file
from oauthkit.host.project import find_paths, require_own_project
from oauthkit.host.shell_commands import as_root, command
from oauthkit.host.shipped_files import SCRIPT, STORE_SCRIPTS, shipped_path
from oauthkit.host.status.log import read_log
from oauthkit.host.status.store import is_follower
from oauthkit.host.systemd import cron, installed_units, manager_environment, unit_texts
from oauthkit.host.systemd.client import BOOTED, ManagerError, systemctl
from oauthkit.host.systemd.installed_units import removing
from oauthkit.host.systemd.services import loaded, show
from oauthkit.host.systemd.start_command import command_of
from oauthkit.host.systemd.unit_files import (
    START_LIMIT_S,
    remove,
    require_manager,
    require_own_unit,
    require_same_directory,
    stop,
    write_unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oauthkit.host.project import ProjectPaths

    Say = Callable[[str], None]

LINGER = "loginctl enable-linger"


def install(
    paths: ProjectPaths,
    form: str | None,
    *,
    linger: bool,
    watch: bool,
    say: Say,
    settings: Mapping[str, str] | None = None,
    channel: notify.Channel | None = None,
) -> int:
    """Write and enable the units, and start the first run. Idempotent.

    Return 0, or 1 if the first run failed. With `watch`, also install the unit of oauthkit watch.
    `settings` are written to refresh.conf, and `channel` to hooks. Raise HostError if the units
    could not be installed.
    """
    require_own_project(paths)
    if channel:
        notify.require_own(paths)
    options = [
        *settings_writer.options(settings or {}),
        *(["--notify", channel.where] if channel else []),
    ]
    _require_manager(paths, *options)
    if watch:
        _require_ipc(paths)
    directory = installed_units.directory()
    unit = (settings or {}).get("OAUTHKIT_UNIT", paths.unit)
    named = replace(paths, unit=unit)
    started = command_of(named, form)
    _require_no_follower(named)
    earlier = installed_units.with_earlier_names(named)
    written = installed_units.written_for(paths.project)
    watch = watch or any(file.name.endswith("-watch.service") for file in written)
    names = [
        *unit_texts.texts(named, started),
        *(unit_texts.watch_text(named, started) if watch else []),
    ]
    require_same_directory(paths)
    if named.unit != paths.unit:
        require_same_directory(named)
    for name in names:
        require_own_unit(directory / name, named)
    if settings:
        paths = change_settings(paths, settings, say)
        started = command_of(paths, form)
    if paths.store and started.argv[-1] == str(paths.project / SCRIPT):
        copy_scripts(paths, say)
    texts = unit_texts.texts(paths, started)
    if watch:
        texts |= unit_texts.watch_text(paths, started)
    if channel:  # before the first run, which may fail
        notify.write(paths, channel, say)
    for name, text in texts.items():
        write_unit(directory / name, text, say)
    timer = f"{paths.heal}.timer"
    for file, name in installed_units.drop_ins(texts).items():
        say(f"note: {file} changes {name}. To remove it, run: {removing(file)}")
    systemctl("daemon-reload")
    systemctl("enable", "--now", "--quiet", timer)
    real = replace(paths, project=real_path(paths.project))  # the script names its timer after it
    kept = {*paths.units, *real.units, *(Path(name).stem for name in texts)}
    remove(earlier, say)
    _stop_earlier_timers(paths, kept, say)
    say(f"enabled {timer}: it starts a run when the user manager starts, and every hour")
    status = _run_first(paths, say)
    # The first run has waited for one with the earlier name, which may have started a timer.
    _stop_earlier_timers(paths, kept, say)
    if watch:
        service = f"{paths.unit}-watch.service"
        systemctl("enable", "--quiet", service)
        systemctl("restart", service)  # with the new settings
        say(f"enabled {service}: it refreshes when a container asks for it")
    _note_missing_claude(paths, say)
    # At the end, because this may fail: enabling it can need another user's permission.
    check_linger(is_wanted=linger, say=say)
    return status


def _require_ipc(paths: ProjectPaths) -> None:
    """Raise HostError if there is no directory that oauthkit watch could watch."""
    ipc = paths.project / "data/ipc"
    if not ipc.is_dir():
        raise HostError(f"{ipc} is not a directory: --watch needs a checkout of NanoClaw")
    if ipc.is_symlink():  # the watcher would not start
        raise HostError(f"{ipc} is a symbolic link: --watch needs the directory itself there")


def _require_manager(paths: ProjectPaths, *options: str) -> None:
    """Raise HostError without a user manager, or if it would give the runs other settings."""
    require_manager(_without_manager(paths, *options))
    manager_environment.require_no_conflict(paths)


def _without_manager(paths: ProjectPaths, *options: str) -> str:
    """Return what to do if no user manager answers. `options` are those of this command."""
    if cron.line_of(paths) is not None:
        text = "The crontab already has a line for this project"
        settings = command("install", paths, "--cron", *options)
        return f"{text}. To change the settings, run: {settings}" if options else text
    by_cron = f"To start the runs with cron, run: {cron.install_command(paths, *options)}"
    if BOOTED.is_dir():  # but not for this user, for example after su or sudo
        return f"To see how to start it, run: {command('doctor', paths)}. {by_cron}"
    return by_cron


def report_unready(paths: ProjectPaths, say: Say) -> None:
    """Report each program that a run would not find, and a login that cannot be used."""
    needed = [
        programs.program("jq", "jq"),
        programs.program("timeout", "coreutils"),
        programs.program("flock", "util-linux"),
    ]
    if not is_follower(paths):
        needed += login.login(paths)
    for finding in needed:
        if not finding.is_ok:
            say(f"a run will fail: {finding.name}: {finding.text}. Fix: {finding.fix}")
    if not is_follower(paths):
        _note_missing_claude(paths, say, "--cron")


def _note_missing_claude(paths: ProjectPaths, say: Say, *options: str) -> None:
    """Print a note if claude is not found. The runs have this PATH, so none would find it."""
    claude = programs.claude(paths)
    if not claude.is_ok:
        say(f"note: no run can renew the token: claude: {claude.text}. Fix: {claude.fix}")
        say(f"      Then run: {command('install', paths, *options)}")


def _stop_earlier_timers(paths: ProjectPaths, kept: set[str], say: Say) -> None:
    """Stop the timers that runs have started under earlier unit names, except those in `kept`."""
    with suppress(ManagerError):
        for service in loaded():
            if service.is_of(paths) and service.is_of_a_run and service.name not in kept:
                stop([f"{service.name}.timer"])
                say(f"stopped {service.name}.timer, which has an earlier unit name")


def _run_first(paths: ProjectPaths, say: Say) -> int:
    """Start a run, wait for it, and print its errors and warnings. Return 0, or 1 if it failed."""
    before = read_log(paths)
    started_s = int(time.time())  # the log has whole seconds
    result = f"started the chain: {command('status', paths)} shows when the next run is due"
    status = 0
    try:
        _start(f"{paths.heal}.service")
    except ManagerError:
        result = f"the first run failed. To see how to fix it, run: {command('doctor', paths)}"
        status = 1
    entries = read_log(paths)
    if entries[: len(before)] == before:  # there may be earlier lines from the same second
        entries = entries[len(before) :]
    logged = [entry.text for entry in entries if entry.at_s >= started_s]
    for text in dict.fromkeys(logged):
        if text.startswith(("ERROR: ", "WARN: ", "publish: ")):
            say(f"the first run logged: {text}")
    say(result)
    return status


def _start(service: str) -> None:
    """Start a service and wait until it ends. Raise ManagerError if it fails."""
    if show(service.removesuffix(".service")).is_restarting:  # start would wait for the restart
        systemctl("stop", service)
    systemctl("start", service, limit_s=START_LIMIT_S)


def require_no_earlier_units(paths: ProjectPaths, settings: Mapping[str, str]) -> None:
    """Raise HostError if the project has units with another name than after these settings."""
    named = replace(paths, unit=settings.get("OAUTHKIT_UNIT", paths.unit))
    for file in installed_units.with_earlier_names(named):
        raise HostError(
            f"{file} is installed for this project, with an earlier unit name. Remove its units"
            f" first: {command('uninstall', paths)}"
        )


def change_settings(paths: ProjectPaths, settings: Mapping[str, str], say: Say) -> ProjectPaths:
    """Write settings to refresh.conf, and return the project's new paths and settings.

    HostError, with nothing written, if a refresh would reject one of them.
    """
    _require_bearer(paths, settings)
    settings_writer.require_no_override(settings)
    settings_writer.write(paths, settings, say)
    if "OAUTHKIT_BEARER" in settings and os.path.lexists(paths.project / ".git"):
        for change in changes.gitignore(paths.project, []):
            changes.require_writable(paths.project, change)
            for line in changes.apply(paths.project, change):
                say(line)
    return find_paths(str(paths.project))


def _require_bearer(paths: ProjectPaths, settings: Mapping[str, str]) -> None:
    """Raise HostError if a refresh could not write the bearer file that the settings select."""
    value = settings.get("OAUTHKIT_BEARER")
    if value is None:
        return
    path = os.path.abspath(paths.project / value)  # noqa: PTH100 - does not follow links
    wanted = replace(paths, bearer=Path(path))
    for finding in (*write_access.bearer(wanted), *delivered.bearer(wanted)):
        if not finding.is_ok and not finding.needs_refresh:
            raise HostError(f"--bearer {value!r}: {finding.text}: {finding.fix}")


def _require_no_follower(paths: ProjectPaths) -> None:
    """Raise HostError if the project follows a store: two units would write its .env."""
    for file in installed_units.written_for(paths.project):
        if file.name.endswith("-follow.service"):
            raise HostError(
                f"{file.name} follows a store for this project. To refresh it with a login instead,"
                f" remove that unit first: {command('uninstall', paths)}"
            )


def copy_scripts(paths: ProjectPaths, say: Say) -> None:
    """Write the scripts that publish to a store and follow it, if the project has none."""
    for name in STORE_SCRIPTS:
        script = paths.project / name
        if os.path.lexists(script):
            continue
        require_no_links(paths.project, Path(name))
        write_file(script, shipped_path(name).read_bytes(), 0o755)
        say(f"wrote {script}")


def check_linger(*, is_wanted: bool, say: Say) -> None:
    """Enable lingering, or say that the timers end without it.

    Without it, the user manager ends with the last logout (loginctl(1)).
    """
    user = str(os.getuid())
    loginctl = ("loginctl", "--no-ask-password")
    if programs.output_of(*loginctl, "show-user", user, "--property=Linger", "--value") == "yes":
        return
    if is_wanted:
        if programs.output_of(*loginctl, "enable-linger", user) is None:
            raise HostError(f"{LINGER} failed. Try: {as_root(f'{LINGER} {user}')}")
        say("enabled lingering: the units start at boot, and continue after the last logout")
        return
    say(f"the units start at your login and end with your last logout: {LINGER} changes that")
