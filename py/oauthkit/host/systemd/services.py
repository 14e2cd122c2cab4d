"""Query a project's services and timers: their owner, their PATH, and the next run."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.path_info import inspect_path
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.host.systemd import owner
from oauthkit.host.systemd.client import (
    ManagerError,
    Timer,
    name_problem,
    pending_timers,
    systemctl,
)

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

_PROPERTIES = (
    "LoadState", "ExecStart", "Environment", "ActiveState", "SubState",
    "InactiveExitTimestampMonotonic", "FragmentPath", "Description",
    "NeedDaemonReload", "InactiveEnterTimestampMonotonic", "ConditionResult",
    "ConditionTimestampMonotonic",
)  # fmt: skip
# The description that program/schedule.py gives to the next run's units.
DESCRIPTION = "NanoClaw OAuth token refresh"
_ESCAPED = {"n": "\n", "t": "\t"}


@dataclass(frozen=True)
class Service:
    """A service as systemctl shows it. `argv` is None if there is none, or it was not parsed."""

    unit: str
    load_state: str  # "loaded", or for example "not-found" or "bad-setting"
    is_active: bool
    argv: str | None
    environment: dict[str, str] = field(default_factory=dict)  # the variables that it sets
    is_restarting: bool = False  # it has failed, and systemd waits before the next start
    program: str = ""  # the path of bash or Python
    is_failed: bool = False
    started_s: float = 0.0  # when it was last started, by CLOCK_MONOTONIC
    file: str = ""  # its unit file
    description: str = ""
    has_changed: bool = False  # its files have changed since systemd loaded them
    ended_s: float = 0.0  # when it last ended, by CLOCK_MONOTONIC
    is_held: bool = False  # its last start was skipped, because a condition was not met

    @property
    def name(self) -> str:
        """The unit's name without suffix, which its timer shares."""
        return self.unit.removesuffix(".service")

    @property
    def is_loaded(self) -> bool:
        """Whether there is such a unit, and systemd has loaded it."""
        return self.load_state == "loaded"

    @property
    def is_of_a_run(self) -> bool:
        """Whether a run has created it, with systemd-run, to start the next run."""
        return "/systemd/transient/" in self.file and self.description == DESCRIPTION

    @property
    def project(self) -> str | None:
        """Return the project that it refreshes or watches, or None if it runs something else."""
        return owner.project_in(self.argv)

    @property
    def is_python(self) -> bool:
        """Whether it runs the refresh in Python, not the project's script."""
        return self.argv is not None and " -m oauthkit refresh --project=" in self.argv

    @property
    def run_text(self) -> str:
        """Describe the run of an active service."""
        if self.is_restarting:
            return f"a run was killed. systemd starts {self.unit} again within 7 min"
        return f"a run is in progress: {self.unit}"

    def is_of(self, paths: ProjectPaths) -> bool:
        """Return whether it belongs to this project."""
        return self.belongs_to(paths.project)

    def belongs_to(self, directory: Path) -> bool:
        """Return whether it belongs to the project in a directory."""
        project = self.project
        return project is not None and owner.is_same(project, directory)

    def missing_program(self, paths: ProjectPaths) -> str:
        """Return the script or Python program that the service runs if it is missing, else ""."""
        is_script = self.argv is not None and self.argv.endswith(f"{paths.project / SCRIPT}")
        program = str(paths.project / SCRIPT) if is_script else self.program
        return program if program and inspect_path(Path(program)).is_nothing else ""


def show(unit: str) -> Service:
    """Return UNIT.service. Raise ManagerError if the manager does not answer."""
    (service,) = show_all([f"{unit}.service"])
    return service


def show_all(services: list[str]) -> list[Service]:
    """Return the services with these names. Raise ManagerError if the manager does not answer."""
    shown = systemctl("show", *services, *(f"--property={name}" for name in _PROPERTIES))
    return [_parse(*pair) for pair in zip(services, shown.split("\n\n"), strict=False)]


def loaded() -> list[Service]:
    """Return the services that refresh or watch a project, and are loaded or have a loaded timer.

    They are sorted by name. Raise ManagerError if the manager does not answer.
    """
    rows = systemctl("list-units", "--all", "--type=timer,service", "--output=json")
    try:
        units = {row["unit"].rpartition(".")[0] for row in json.loads(rows or "[]") or []}
    except ValueError:
        raise ManagerError(
            "systemctl list-units cannot print JSON. Use systemd 246 or newer"
        ) from None
    services = show_all([f"{unit}.service" for unit in sorted(units)]) if units else []
    return [service for service in services if service.project is not None]


def units_of(project: Path) -> list[str]:
    """Return a project's loaded units, without suffix, including those with an earlier name."""
    return [service.name for service in loaded() if service.belongs_to(project)]


def _parse(service: str, shown: str) -> Service:
    """Parse what systemctl shows of a service."""
    lines = shown.split("\n")
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return Service(
        service,
        values.get("LoadState", ""),
        not {"ActiveState=active", "ActiveState=activating"}.isdisjoint(lines),
        owner.argv_of(shown),
        _environment(values.get("Environment", "")),
        "SubState=auto-restart" in lines,
        owner.program_of(shown),
        "ActiveState=failed" in lines,
        int(values.get("InactiveExitTimestampMonotonic") or 0) / 1e6,
        values.get("FragmentPath", ""),
        values.get("Description", ""),
        "NeedDaemonReload=yes" in lines,
        int(values.get("InactiveEnterTimestampMonotonic") or 0) / 1e6,
        "ConditionResult=no" in lines and values.get("ConditionTimestampMonotonic", "0") != "0",
    )


def _environment(shown: str) -> dict[str, str]:
    """Return the variables that a service sets."""
    # Not shlex, because it parses the double quotes around special characters differently.
    words = [
        plain or re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), quoted)
        for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', shown)
    ]
    return dict(word.split("=", 1) for word in words if "=" in word)


@dataclass(frozen=True)
class Schedule:
    """What will refresh a project next."""

    timers: tuple[Timer, ...] = ()  # the chain's timers, the next one first; there should be one
    heal: Timer | None = None  # the timer that install writes, if it will elapse
    # the service of a timer that has this project's name, but does not belong to it
    foreign_service: Service | None = None
    running: Service | None = None  # the service of a run in progress, which schedules the next one
    missing_program: str = ""  # the next run's program, if it does not exist

    @property
    def next(self) -> Timer | None:
        """Return the timer that starts the next run."""
        due = next((timer for timer in self.timers if timer.next_s is not None), None)
        return due or self.heal

    @property
    def earliest_s(self) -> float | None:
        """Return when the earliest run is due, hourly runs included: they also renew the token."""
        timers = (*self.timers, *([self.heal] if self.heal else []))
        return min((timer.next_s for timer in timers if timer.next_s is not None), default=None)


def find_schedule(paths: ProjectPaths) -> Schedule:
    """Query a project's timers and runs. Raise ManagerError if the manager does not answer."""
    if problem := name_problem(paths.unit):
        raise ManagerError(problem)
    own, foreign_service, missing = [], None, ""
    for timer in pending_timers((*paths.units, paths.heal)):
        service = _service_of(timer)
        if service is not None and service.argv is not None and not service.is_of(paths):
            foreign_service = foreign_service or service
            continue
        own.append(timer)
        missing = missing or (service.missing_program(paths) if service else "")
    heals = [x for x in own if x.unit == f"{paths.heal}.timer" and x.next_s is not None]
    timers = tuple(timer for timer in own if timer.unit != f"{paths.heal}.timer")
    found = Schedule(timers, heals[0] if heals else None, foreign_service, missing_program=missing)
    if foreign_service is not None or any(timer.next_s is not None for timer in timers):
        return found
    return replace(found, running=running_service(paths))


def running_service(paths: ProjectPaths) -> Service | None:
    """Return the service whose run is in progress, or starts again because it was killed."""
    with suppress(ManagerError):
        services = show_all([f"{unit}.service" for unit in (*paths.units, paths.heal)])
        own = (x for x in services if x.argv is None or x.is_of(paths))
        return next((service for service in own if service.is_active), None)
    return None


def _service_of(timer: Timer) -> Service | None:
    """Return the service that a pending timer starts, or None if it is unknown."""
    if timer.next_s is not None:
        with suppress(ManagerError):
            return show(timer.unit.removesuffix(".timer"))
    return None
