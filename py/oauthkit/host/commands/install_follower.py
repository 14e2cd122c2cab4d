"""Install the user unit that follows a store, on a host without a login (install --follow)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oauthkit.host import notify
from oauthkit.host.commands.install import (
    change_settings,
    check_linger,
    copy_scripts,
    require_no_earlier_units,
)
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import inspect_path
from oauthkit.host.project import find_paths, require_own_project
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.shipped_files import FOLLOW_SCRIPT, SCRIPT
from oauthkit.host.status.model import collect
from oauthkit.host.status.store import url_error
from oauthkit.host.systemd import cron, installed_units, unit_texts
from oauthkit.host.systemd.client import systemctl
from oauthkit.host.systemd.services import find_schedule
from oauthkit.host.systemd.start_command import command_of
from oauthkit.host.systemd.unit_files import (
    START_LIMIT_S,
    require_manager,
    require_own_unit,
    require_same_directory,
    write_unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oauthkit.host.project import ProjectPaths

    Say = Callable[[str], None]


def install_follower(
    paths: ProjectPaths,
    form: str | None,
    *,
    linger: bool,
    say: Say,
    settings: Mapping[str, str],
    channel: notify.Channel | None = None,
) -> int:
    """Write, enable and start the unit. Idempotent.

    Return 0, or 1 if .env has no live token from the store. `settings` are written to
    refresh.conf, and `channel` to hooks. Raise HostError if the unit cannot be installed.
    """
    require_own_project(paths)
    named = replace(paths, unit=settings.get("OAUTHKIT_UNIT", paths.unit))
    store = settings.get("OAUTHKIT_STORE", paths.store)
    if problem := url_error(store):
        raise UsageError(f"{problem}. Set it with --store URL" if not store else problem)
    if channel:
        notify.require_own(paths)
    start = f"OAUTHKIT_STORE={quote(store)} {command('follow', paths)}"
    require_manager(f"Start this with the host's own supervisor instead: {start}")
    _require_no_refresh(paths)
    require_no_earlier_units(paths, settings)
    name = f"{named.follow}.service"
    require_same_directory(named)
    require_own_unit(installed_units.directory() / name, named, "--follow")
    has_script = any((paths.project / script).is_file() for script in (SCRIPT, FOLLOW_SCRIPT))
    if settings:
        paths = change_settings(paths, settings, say)
    if form == "bash" or (form is None and has_script):
        copy_scripts(paths, say)
    started = command_of(paths, form, "follow")
    for file, text in unit_texts.follow_text(paths, started).items():
        write_unit(installed_units.directory() / file, text, say)
    if channel:  # before the first pass, which may fail
        notify.write(paths, channel, say)
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", name)
    systemctl("restart", name, limit_s=START_LIMIT_S)  # with the new settings
    say(f"enabled {name}: it follows {store}")
    if not inspect_path(paths.credentials).is_nothing:
        say(
            f"note: {paths.credentials} has a login, which this project does not use. To refresh"
            f" with it instead: {command('uninstall', paths)} && {command('install', paths)}"
        )
    is_live = collect(find_paths(str(paths.project))).is_live
    if not is_live:
        say(f".env has no live token yet: {command('status', paths)} shows the reason")
    check_linger(is_wanted=linger, say=say)
    return 0 if is_live else 1


def _require_no_refresh(paths: ProjectPaths) -> None:
    """Raise HostError if a timer or crontab line refreshes the project: it also writes .env."""
    if cron.line_of(paths) is not None:
        raise HostError("a crontab line refreshes this project. Remove it first: crontab -e")
    next_run = find_schedule(paths).next
    installed = [file.name for file in installed_units.written_for(paths.project)]
    heal = next((name for name in installed if name.endswith("-heal.timer")), "")
    unit = next_run.unit if next_run else heal
    if unit:
        raise HostError(
            f"{unit} refreshes this project, and a follower would write the same .env. Remove it"
            f" first: {command('uninstall', paths)}"
        )
