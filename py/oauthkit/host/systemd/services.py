"""What the user manager shows of a project's services: whose they are, and what they will find."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oauthkit.host.systemd import owner
from oauthkit.host.systemd.client import (
    ManagerError,
    Timer,
    ask,
    complaint,
    is_running,
    pending_timers,
)

if TYPE_CHECKING:
    from oauthkit.host.project import Places

_PROPERTIES = ("LoadState", "ExecStart", "Environment", "ActiveState")
_ESCAPED = {"n": "\n", "t": "\t"}


@dataclass(frozen=True)
class Service:
    """What is shown of one service; `argv` is None if it has none that could be understood."""

    unit: str
    is_loaded: bool
    is_active: bool
    argv: str | None
    path: str | None  # the PATH that it sets

    @property
    def project(self) -> str | None:
        """The project that it refreshes, or watches; None if it runs something else."""
        return owner.project_in(self.argv)

    @property
    def is_python(self) -> bool:
        """Whether it runs the refresh in Python, not by the script of the project."""
        return self.argv is not None and " -m oauthkit refresh --project=" in self.argv

    def is_of(self, places: Places) -> bool:
        """Whether it is of this project."""
        project = self.project
        return project is not None and owner.is_same(project, places.project)


def show(unit: str) -> Service:
    """What the manager shows of UNIT.service. ManagerError if it does not."""
    service = f"{unit}.service"
    shown = ask("show", service, *(f"--property={name}" for name in _PROPERTIES))
    lines = shown.split("\n")
    argv = owner.argv_of(shown)
    return Service(
        service,
        "LoadState=loaded" in lines,
        not {"ActiveState=active", "ActiveState=activating"}.isdisjoint(lines),
        argv.replace("$$", "$") if argv else None,
        _path_of(lines),
    )


def _path_of(lines: list[str]) -> str | None:
    """The PATH in what systemctl shows of a service, None if there is none."""
    line = next((x for x in lines if x.startswith("Environment=")), "")
    # An assignment with anything odd in it is in double quotes, which shlex reads in another way.
    for quoted, plain in re.findall(
        r'"((?:[^"\\]|\\.)*)"|(\S+)', line.removeprefix("Environment=")
    ):
        word = plain or re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), quoted)
        if word.startswith("PATH="):
            return str(word.removeprefix("PATH="))
    return None


@dataclass(frozen=True)
class Waiting:
    """What waits to refresh a project."""

    timers: tuple[Timer, ...] = ()  # of its chain, the next one first; one is right
    heal: Timer | None = None  # of the unit that install writes, if it will elapse
    stranger: Service | None = None  # behind a timer that has the name, but is not of this project
    is_running: bool = False  # a run is under way, which arms the next one

    @property
    def next(self) -> Timer | None:
        """The timer that starts the next run."""
        due = next((timer for timer in self.timers if timer.next_s is not None), None)
        return due or self.heal


def waiting(places: Places) -> Waiting:
    """What the manager says of a project's timers and runs. ManagerError if it does not answer."""
    if problem := complaint(places.unit):
        raise ManagerError(problem)
    own, stranger = [], None
    for timer in pending_timers((*places.units, places.heal)):
        service = _stranger(timer, places)
        stranger = stranger or service
        if service is None:
            own.append(timer)
    heals = [x for x in own if x.unit == f"{places.heal}.timer" and x.next_s is not None]
    timers = tuple(timer for timer in own if timer.unit != f"{places.heal}.timer")
    found = Waiting(timers, heals[0] if heals else None, stranger)
    if found.next is not None or stranger is not None:
        return found
    return Waiting(timers, is_running=is_running((*places.units, places.heal)))


def _stranger(timer: Timer, places: Places) -> Service | None:
    """The service behind a timer, if it is known to run something that is not of this project."""
    if timer.next_s is None:
        return None
    with suppress(ManagerError):
        service = show(timer.unit.removesuffix(".timer"))
        if service.argv is not None and not service.is_of(places):
            return service
    return None
