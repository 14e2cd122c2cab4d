"""Checks of what starts the next run by systemd: the timer that waits, and the units of install."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from oauthkit.host.display import command
from oauthkit.host.doctor import checks
from oauthkit.host.doctor.checks import Finding, refresh
from oauthkit.host.path_info import is_file
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.host.systemd.client import ManagerError, Timer, pending_timers
from oauthkit.host.systemd.services import Service, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import Places

# How often systemd is asked, and how long after one another, while its answers do not fit.
LOOKS, LOOK_S = 3, 0.3


def check(places: Places) -> Iterator[Finding]:
    """What comes next, and the units of install; nothing if there is neither."""
    heal, watch = _written(places.heal), _written(f"{places.unit}-watch")
    timers, service = _next_run(places)
    is_own = service is not None and service.is_of(places)
    if service is not None:
        yield _timer(places, timers, service)
    if service is not None and service.unit != heal.unit:
        if is_own:
            # The next run by the heal unit would arm the timer with the PATH of that unit again.
            is_healed = heal.is_loaded and heal.is_of(places)
            mend = install(places, heal, watch) if is_healed else refresh(places)
            yield from _claude(places, service, "timer", mend)
            yield from _alone(places, timers)
        else:
            yield _whose(service, "timer", own_unit(places) if service.project else refresh(places))
    if heal.is_loaded:
        yield from _installed(places, timers, heal, watch)
    elif is_own:
        text = "none are installed: once the user manager stops, nothing starts the chain anew"
        yield Finding("units", text, install(places), is_note=True)


def _written(unit: str) -> Service:
    """A service that install may have written; one of which nothing is shown is not there."""
    try:
        return show(unit)
    except ManagerError:
        return Service(f"{unit}.service", is_loaded=False, is_active=False, argv=None, path=None)


def install(places: Places, heal: Service | None = None, watch: Service | None = None) -> str:
    """The command that installs the units of a project, as they are by now."""
    is_python = heal is not None and heal.is_python and is_file(places.project / SCRIPT)
    more = ["--form", "python"] if is_python else []
    if watch is not None and watch.is_loaded:
        more.append("--watch")
    return command("install", places, *more)


def _next_run(places: Places) -> tuple[list[Timer], Service | None]:
    """The timers that wait, and the service that the next run has, or that runs; None if none does.

    A run may start or end between two questions: then they are asked anew.
    """
    timers: list[Timer] = []
    service = None
    for attempt in range(LOOKS):
        if attempt:
            time.sleep(LOOK_S)
        timers = [x for x in pending_timers((*places.units, places.heal)) if x.next_s is not None]
        chain = [timer for timer in timers if not _is_heal(timer, places)]
        running = None if chain else _that_runs(places)  # which arms the next timer when it ends
        service = running
        for timer in [*chain, *timers][:1]:
            service = service or show(timer.unit.removesuffix(".timer"))
        # A heal unit alone may have been asked for between two timers of the chain.
        if service is not None and service.is_loaded and (chain or running):
            break
    return timers, service


def _is_heal(timer: Timer, places: Places) -> bool:
    return timer.unit == f"{places.heal}.timer"


def _that_runs(places: Places) -> Service | None:
    """The service of the project that runs, or is about to."""
    services = map(_written, (*places.units, places.heal))
    return next((service for service in services if service.is_active), None)


def _timer(places: Places, timers: list[Timer], service: Service) -> Finding:
    """When the next run is due."""
    if service.is_active and all(_is_heal(timer, places) for timer in timers):
        return Finding("timer", f"a run is under way: {service.unit}")
    first = next(timer for timer in timers if timer.unit == _timer_of(service))
    due = time.strftime("%Y-%m-%d %H:%M", time.localtime(first.next_s))
    if _is_heal(first, places):
        text = f"that of the chain does not wait; {first.unit} starts it anew, due {due}"
        return Finding("timer", text, refresh(places), is_note=True)
    return Finding("timer", f"{first.unit}, due {due}")


def _timer_of(service: Service) -> str:
    return service.unit.removesuffix(".service") + ".timer"


def _alone(places: Places, timers: list[Timer]) -> Iterator[Finding]:
    """Whether one timer of the chain waits, and no other."""
    chain = [timer.unit for timer in timers if not _is_heal(timer, places)]
    if len(chain) > 1:
        text = f"{', '.join(chain)} wait, where one is enough"
        yield Finding("timers", text, refresh(places))


def _installed(
    places: Places, timers: list[Timer], heal: Service, watch: Service
) -> Iterator[Finding]:
    """Whether the units of install do what they are for."""
    mend = install(places, heal, watch)
    for service in (heal, watch):
        if service.is_loaded and service.is_of(places):
            yield from _claude(places, service, service.unit, mend)
        elif service.is_loaded:
            yield _whose(service, "units", own_unit(places))
    is_waiting = heal.is_active or _timer_of(heal) in {timer.unit for timer in timers}
    if heal.is_of(places) and not is_waiting:
        yield Finding("units", f"{_timer_of(heal)} does not wait", mend)


def _whose(service: Service, what: str, mend: str) -> Finding:
    """That a service is not of this project."""
    if service.project is None:
        return Finding(f"whose {what}", f"{service.unit} runs something else", mend)
    text = (
        f"{service.unit} is of another project: {service.project}; this one needs a name of its"
        " own, in OAUTHKIT_UNIT, wherever its refresh, status or doctor is called"
    )
    return Finding(f"whose {what}", text, mend)


def own_unit(places: Places) -> str:
    """The command that gives a project units with a name of its own."""
    name = "oauth-refresh-" + re.sub(r"[^A-Za-z0-9_.]+", "-", places.project.name)[:100]
    if name == places.unit:
        name += "-2"
    return f"export OAUTHKIT_UNIT={name} && {command('install', places)}"


def _claude(places: Places, service: Service, by: str, mend: str) -> Iterator[Finding]:
    """Whether the PATH that a service has leads to claude."""
    if service.path is not None and not checks.claude(places, service.path).is_well:
        yield Finding(f"claude by the {by}", f"not in its PATH: {service.path}", mend)
