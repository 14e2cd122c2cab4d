"""Install and remove a project's systemd user units."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host import settings_writer
from oauthkit.host.adopt import changes
from oauthkit.host.commands import notify
from oauthkit.host.display import as_root, command, command_on, own_unit, quote
from oauthkit.host.doctor import files, programs, write_access
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import read, require_no_links, write_file
from oauthkit.host.project import find_paths
from oauthkit.host.shipped_files import SCRIPT, STORE_SCRIPTS, shipped_path
from oauthkit.host.status.log import read_journal
from oauthkit.host.status.store import is_follower
from oauthkit.host.systemd import cron, units
from oauthkit.host.systemd.client import BOOTED, ManagerError, pending_timers, systemctl
from oauthkit.host.systemd.owner import is_same
from oauthkit.host.systemd.services import show, units_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oauthkit.host.project import ProjectPaths

    Say = Callable[[str], None]

LINGER = "loginctl enable-linger"
START_LIMIT_S = 15 * 60


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
    if channel:
        notify.require_own(paths)
    options = [
        *settings_writer.options(settings or {}),
        *(["--notify", channel.where] if channel else []),
    ]
    require_manager(_without_manager(paths, *options))
    if watch:
        _require_ipc(paths)
    directory = units.directory()
    unit = (settings or {}).get("OAUTHKIT_UNIT", paths.unit)
    named = replace(paths, unit=unit)
    started = units.command_of(named, form)
    _require_no_follower(named)
    earlier = units.with_earlier_names(named)
    watch = watch or any(file.name.endswith("-watch.service") for file in earlier)
    names = [*units.texts(named, started), *(units.watch_text(named, started) if watch else [])]
    for name in names:
        require_own_unit(directory / name, named)
    if settings:
        paths = change_settings(paths, settings, say)
        started = units.command_of(paths, form)
    if paths.store and started.argv[-1] == str(paths.project / SCRIPT):
        copy_scripts(paths, say)
    texts = units.texts(paths, started)
    if watch:
        texts |= units.watch_text(paths, started)
    if channel:  # before the first run, which may fail
        notify.write(paths, channel, say)
    for name, text in texts.items():
        write_unit(directory / name, text, say)
    timer = f"{paths.heal}.timer"
    systemctl("daemon-reload")
    systemctl("enable", "--now", "--quiet", timer)
    kept = {*paths.units, *(Path(name).stem for name in texts)}
    _remove(earlier, say)
    _stop_earlier_timers(paths, earlier, kept)
    say(f"enabled {timer}: it starts a run when the user manager starts, and every hour")
    status = _run_first(paths, say)
    # The first run has waited for one with the earlier name, which may have started a timer.
    _stop_earlier_timers(paths, earlier, kept)
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
        needed += files.login(paths)
    for finding in needed:
        if not finding.is_ok:
            say(f"a run will fail: {finding.name}: {finding.text}. Fix: {finding.fix}")
    if not is_follower(paths):
        _note_missing_claude(paths, say)


def _note_missing_claude(paths: ProjectPaths, say: Say) -> None:
    """Print a note if claude is not found. The units have this PATH, so no run would find it."""
    claude = programs.claude(paths)
    if not claude.is_ok:
        say(
            f"note: claude is {claude.text}, so no run can renew the token. Install it, and run"
            f" {command('install', paths)} again"
        )


def _stop_earlier_timers(paths: ProjectPaths, earlier: list[Path], kept: set[str]) -> None:
    """Stop the timers that are not in `kept`, if unit files with an earlier name were found."""
    if earlier:
        _stop([f"{name}.timer" for name in units_of(paths.project) if name not in kept])


def _run_first(paths: ProjectPaths, say: Say) -> int:
    """Start a run, wait for it, and print its errors and warnings. Return 0, or 1 if it failed."""
    started_s = int(time.time())  # the log has whole seconds
    result = f"started the chain: {command('status', paths)} shows when the next run is due"
    status = 0
    try:
        _start(f"{paths.heal}.service")
    except ManagerError:
        result = f"the first run failed. To see how to fix it, run: {command('doctor', paths)}"
        status = 1
    for entry in read_journal(paths):
        if entry.at_s >= started_s and entry.text.startswith(("ERROR: ", "WARN: ", "publish: ")):
            say(f"the first run logged: {entry.text}")
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
    for file in units.with_earlier_names(named):
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
    for finding in (*write_access.bearer(wanted), *files.bearer(wanted)):
        if not finding.is_ok and not finding.needs_refresh:
            raise HostError(f"--bearer {value!r}: {finding.text}: {finding.fix}")


def _require_no_follower(paths: ProjectPaths) -> None:
    """Raise HostError if the project follows a store: two units would write its .env."""
    for file in units.written_for(paths.project):
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


def uninstall(paths: ProjectPaths, say: Say) -> int:
    """Remove the units, and stop this project's pending timers. Return 0.

    Keep another project's units. Raise HostError for units that install did not write.
    """
    units.require_name(paths)
    directory = units.directory()
    written = [directory / f"{paths.unit}{suffix}" for suffix in units.SUFFIXES]
    there = [file for file in written if file.exists() and not _is_foreign(file, paths)]
    for file in there:
        require_own_unit(file, paths)
    # Units installed under an earlier OAUTHKIT_UNIT would restart the chain.
    there = list(dict.fromkeys([*there, *units.written_for(paths.project)]))
    hint = "Without it there are no timers to stop"
    has_crontab_line = cron.line_of(paths) is not None
    if has_crontab_line:
        hint = "Remove the project's line from the crontab by hand: crontab -e"
    elif there:
        kept = ", ".join(map(str, there))
        hint = f"Run this in a login session of this user. Until then, these are kept: {kept}"
    notify.report_left(paths, say)
    require_manager(hint)
    _remove(there, say)
    _remove_rest(written, say)
    # A run that is in progress starts a timer before it ends, so stop the timers again after it.
    others: dict[str, str] = {}
    for kind in ("timer", "service", "timer"):
        heals = [file.stem for file in there if file.name.endswith("-heal.service")]
        names = list(dict.fromkeys([*paths.units, paths.heal, *heals, *units_of(paths.project)]))
        timers = [timer.unit for timer in pending_timers(names)]
        others = {name: why for name in names if (why := _foreign_reason(name, paths, timers))}
        _stop([f"{name}.{kind}" for name in names if name not in others])
    for name, why in others.items():
        say(f"{name}.timer is kept: {why}")
    _reset_failed([name for name in names if name not in others])
    if paths.bearer and os.path.lexists(paths.bearer):
        say(f"{paths.bearer} is kept, and still has the token")
    result = (
        "no run of this project is scheduled. Its .env gets no new token until you start a refresh"
    )
    if has_crontab_line:
        result = "a line in the crontab still refreshes this project. To remove it, run: crontab -e"
    say(result)
    return 0


def uninstall_removed(project: Path, say: Say) -> int:
    """Remove the units of a project whose directory no longer exists. Return 0.

    Raise UsageError if there are none.
    """
    if not os.environ.get("HOME"):
        raise HostError("HOME is not set. It leads to the units")
    files = units.written_for(project)
    try:
        names = units_of(project)
    except ManagerError:
        if files:
            raise
        names = []
    if not files and not names:
        raise UsageError(f"{str(project)!r} is not a directory. Pass --project DIR")
    _remove(files, say)
    # A run that is in progress starts a timer before it ends, so stop the timers again after it.
    for kind in ("timer", "service", "timer"):
        names = list(dict.fromkeys([*names, *units_of(project)]))
        _stop([f"{name}.{kind}" for name in names])
    _reset_failed(names)
    left = units_of(project)
    for name in left:
        disable = f"systemctl --user disable --now {quote(name)}.timer"
        say(f"{name} is kept: install did not write it. To stop it: {disable}")
    if not left:
        say(f"no run of {project} is scheduled")
    return 0


def _stop(names: list[str]) -> None:
    """Stop units one by one: systemd 262 stops none of several if one is not loaded."""
    for name in names:
        systemctl("stop", name, statuses=range(256), limit_s=START_LIMIT_S)


def _reset_failed(names: list[str]) -> None:
    """Reset failed services. Otherwise they stay loaded, and the manager is degraded."""
    if names:
        failed = [f"{name}.service" for name in names]
        systemctl("reset-failed", *failed, statuses=range(256))


def _remove(files: list[Path], say: Say) -> None:
    """Disable, stop and remove unit files."""
    if not files:
        return
    for file in files:
        if not file.name.endswith("-heal.service"):  # its timer is enabled instead
            systemctl("disable", "--now", "--quiet", file.name, statuses=range(256))
        if file.suffix == ".timer":  # remove its stamp file: systemd.timer(5)
            systemctl("clean", "--what=state", file.name, statuses=range(256))
    for file in files:
        file.unlink()
        say(f"removed {file}")
    systemctl("daemon-reload")


def _remove_rest(files: list[Path], say: Say) -> None:
    """Stop services whose unit files are missing, and remove links to those files."""
    for file in files:
        if os.path.lexists(file):
            continue
        if file.suffix == ".service" and show(file.stem).is_active:
            _stop([file.name])
            say(f"stopped {file.name}, whose unit file was missing")
        for directory in file.parent.glob("*.wants"):
            link = directory / file.name
            if link.is_symlink():
                link.unlink()
                say(f"removed {link}")


def _is_foreign(file: Path, paths: ProjectPaths) -> bool:
    """Return whether install wrote a unit file for another project that still exists."""
    project = units.owner(read(file).data.decode("utf-8", "surrogateescape"))
    if project is None or is_same(project, paths.project):
        return False
    return os.path.isdir(project)  # noqa: PTH112 - Path.is_dir raises without access


def _foreign_reason(unit: str, paths: ProjectPaths, timers: list[str]) -> str:
    """Return why a service or its timer is not this project's, or "" if both are.

    `timers` are the loaded timers.
    """
    service = show(unit)
    if service.is_of(paths):
        return ""
    # A timer without a service starts nothing. While the chain's timer is loaded, its service is.
    if service.load_state == "not-found":
        return ""
    if not service.is_loaded:
        text = f"it may not be this project's: {service.unit} is not loaded ({service.load_state})"
        return text if f"{unit}.timer" in timers else ""
    project = service.project
    if project is None:
        return f"{service.unit} runs something else"
    return f"{service.unit} belongs to another project: {project}"


def require_manager(hint: str) -> None:
    """Raise HostError with a hint if no user manager answers."""
    try:
        systemctl("show-environment")
    except ManagerError as error:
        raise HostError(f"{error}. {hint}") from None


def write_unit(file: Path, text: str, say: Say) -> None:
    """Write a unit file atomically, unless it is up to date."""
    if file.exists() and file.read_text(encoding="utf-8", errors="surrogateescape") == text:
        say(f"{file} is up to date")
        return
    # Other users need not see the PATH and the project's name.
    write_file(file, text.encode("utf-8", "surrogateescape"), 0o600)
    say(f"wrote {file}")


def require_own_unit(file: Path, paths: ProjectPaths, *options: str) -> None:
    """Raise HostError if a unit file is masked, or if this project's install did not write it."""
    if units.is_masked(file):
        raise HostError(f"{file.name} is masked. Run: systemctl --user unmask {quote(file.name)}")
    if not file.exists():
        return
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise HostError(f"{file} cannot be read: {error.strerror}") from None
    owner = units.owner(text)
    if owner is None:
        raise HostError(
            f"{file} was not written by oauthkit install. Move it away, or set OAUTHKIT_UNIT to"
            " another name"
        )
    if is_same(owner, paths.project):
        return
    if os.path.isdir(owner):  # noqa: PTH112 - Path.is_dir raises for a directory without access
        raise HostError(
            f"{file} belongs to the project {owner!r}. Use another name for this one:"
            f" {own_unit(paths, *options)}"
        )
    raise HostError(
        f"{file} belongs to the project {owner!r}, which does not exist. If it was moved, remove"
        f" its units: {command_on('uninstall', owner)}"
    )


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
