"""Puts the units of a project in their place, and takes them away again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.atomic import replace_file
from oauthkit.host.display import command, quote
from oauthkit.host.errors import HostError
from oauthkit.host.systemd import cron, units
from oauthkit.host.systemd.client import ManagerError, ask
from oauthkit.host.systemd.owner import is_same, project_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from oauthkit.host.project import Places

    Say = Callable[[str], None]

LINGER = "loginctl enable-linger"
START_LIMIT_S = 15 * 60


def install(places: Places, form: str | None, *, linger: bool, watch: bool, say: Say) -> int:
    """Writes and enables the units, and starts the chain: 0, or 1 if that first run failed.

    With `watch`, also the unit of oauthkit watch.

    HostError if the units could not be put in place. Once more changes nothing
    but what is not as it should be.
    """
    _demand_manager(f"{command('install', places, '--cron')} prints a line for a crontab")
    ipc = places.project / "data/ipc"
    if watch and not ipc.is_dir():
        raise HostError(f"{ipc} is not a folder: --watch is for a checkout of NanoClaw")
    if watch and ipc.is_symlink():  # the watcher would not start
        raise HostError(f"{ipc} is a symbolic link: move the directory itself there for --watch")
    folder = units.folder()
    started = units.command_of(places, form)
    texts = units.texts(places, started)
    if watch:
        texts |= units.watch_text(places, started)
    for name in texts:
        _demand_ours(folder / name, places)
    for name, text in texts.items():
        _write(folder / name, text, say)
    timer = f"{places.unit}-heal.timer"
    ask("daemon-reload")
    ask("enable", "--now", "--quiet", timer)
    say(f"enabled {timer}: when the user manager starts, and every hour")
    status = 0
    try:
        ask("start", f"{places.unit}-heal.service", limit_s=START_LIMIT_S)
        say(f"started the chain: {command('status', places)} shows when the next run is due")
    except ManagerError:
        say(f"the first run failed: {command('status', places)} says why")
        status = 1
    if watch:
        service = f"{places.unit}-watch.service"
        ask("enable", "--quiet", service)
        ask("restart", service)  # with the settings of now
        say(f"enabled {service}: it refreshes when a container asks for it")
    _see_to_linger(is_wanted=linger, say=say)  # which another person may have to allow
    return status


def uninstall(places: Places, say: Say) -> int:
    """Takes the units away and stops the timers that wait: 0, or 1 if some are of others.

    HostError for others' units.
    """
    units.demand_name(places)
    folder = units.folder()
    enabled = f"{places.unit}-heal.timer", f"{places.unit}-watch.service"
    written = [folder / name for name in (*enabled, f"{places.unit}-heal.service")]
    there = [file for file in written if file.exists()]
    for file in there:
        _demand_ours(file, places)
    by_hand = "take its line out of the crontab by hand: crontab -e"
    _demand_manager(
        by_hand if cron.path_of_refresh(places) is not None else "without one no timer can wait"
    )
    if there:
        for name in enabled:
            ask("disable", "--now", "--quiet", name, statuses=range(256))
        for file in there:
            file.unlink()
            say(f"removed {file}")
        ask("daemon-reload")
    # A run that is under way arms the next one before it ends: the timers once more after it.
    others: dict[str, str] = {}
    for kind in ("timer", "service", "timer"):
        names = [*places.units, *([f"{places.unit}-heal"] if kind == "service" else [])]
        others = {name: whose for name in names if (whose := _of_another(name, places))}
        mine = [f"{name}.{kind}" for name in names if name not in others]
        if mine:
            ask("stop", *mine, statuses=range(256), limit_s=START_LIMIT_S)
    for name, whose in others.items():
        say(f"{name}.timer is left: {name}.service {whose}")
    if others:
        say("no run of this project is due any more: give it a name of its own in OAUTHKIT_UNIT")
        return 1
    say("no run is due any more: nothing renews the token until the next refresh by hand")
    return 0


def _of_another(unit: str, places: Places) -> str:
    """What a service does if it is not of this project; "" if it is, or there is none."""
    shown = ask("show", f"{unit}.service", "--property=LoadState", "--property=ExecStart")
    if "LoadState=loaded" not in shown.split("\n"):
        return ""
    project = project_of(shown)
    if project is None:
        return "runs something else"
    return "" if is_same(project, places.project) else f"is of another project: {project}"


def _demand_manager(hint: str) -> None:
    """Raises HostError, before anything is changed, if no user manager answers."""
    try:
        ask("show-environment")
    except ManagerError as error:
        raise HostError(f"{error}; {hint}") from None


def _write(file: Path, text: str, say: Say) -> None:
    """Writes a unit file in one step, unless it is there already."""
    if file.exists() and file.read_text(encoding="utf-8", errors="surrogateescape") == text:
        say(f"{file} is as it should be")
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # A PATH or a project's name is nobody else's business.
        replace_file(file, text.encode("utf-8", "surrogateescape"), 0o600)
    except OSError as error:
        raise HostError(f"{file} cannot be written: {error.strerror}") from None
    say(f"wrote {file}")


def _demand_ours(file: Path, places: Places) -> None:
    """Raises HostError if there is such a file, and it is not of this project's install."""
    if not file.exists():
        return
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise HostError(f"{file} cannot be read: {error.strerror}") from None
    owner = units.owner(text)
    if owner is None:
        raise HostError(
            f"{file} is not of oauthkit install: move it away, or set OAUTHKIT_UNIT to another name"
        )
    if is_same(owner, places.project):
        return
    if os.path.isdir(owner):  # noqa: PTH112 - a folder that is closed is none of this user's
        raise HostError(f"{file} is of {owner!r}: set OAUTHKIT_UNIT to another name for this one")
    names = [f"{places.unit}-{name}" for name in ("heal.timer", "watch.service", "heal.service")]
    files = [str(file.with_name(name)) for name in names]
    take_away = (
        f"systemctl --user disable --now {' '.join(names[:2])}; rm -f {' '.join(map(quote, files))}"
    )
    raise HostError(
        f"{file} is of {owner!r}, which is not there: if it was moved, take away what it had"
        f" installed: {take_away}"
    )


def _see_to_linger(*, is_wanted: bool, say: Say) -> None:
    """Without lingering, the user manager and its timers end with the last logout (loginctl(1))."""
    user = str(os.getuid())
    shown = _loginctl("show-user", user, "--property=Linger", "--value")
    if shown == "yes":
        return
    if is_wanted:
        if _loginctl("enable-linger", user) is None:
            raise HostError(f"{LINGER} failed: try sudo {LINGER} {user}")
        say("enabled lingering: the timers go on after the last logout, and start at boot")
        return
    say(f"the timers end with your last logout, and start with your login: {LINGER} changes that")


def _loginctl(*arguments: str) -> str | None:
    """What loginctl prints, None if it fails or is not there."""
    try:
        done = subprocess.run(
            ["loginctl", "--no-ask-password", *arguments], capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
