"""Check the pending timer, and the units that install wrote."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.doctor import programs
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.path_info import clearing, inspect_path, is_file, quoted, read
from oauthkit.host.shell_commands import command, command_on, own_unit, quote
from oauthkit.host.shipped_files import SCRIPT
from oauthkit.host.status.log import read_log
from oauthkit.host.status.runs import log_problem
from oauthkit.host.systemd import cron, installed_units, unit_texts
from oauthkit.host.systemd.client import ManagerError, Timer, is_enabled, pending_timers
from oauthkit.host.systemd.other_settings import differences
from oauthkit.host.systemd.services import Service, running_service, show
from oauthkit.host.systemd.start_command import Command
from oauthkit.program.schedule import DEFAULT_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

# The maximum number of queries while the answers are inconsistent, and the pause between them.
MAX_QUERIES, QUERY_PAUSE_S = 3, 0.3


def check(paths: ProjectPaths) -> Iterator[Finding]:
    """Check the next run and the units of install. Yield nothing if there is neither."""
    heal, watch = _written(paths.heal), _written(f"{paths.unit}-watch")
    timers, service = _next_run(paths)
    is_own = service is not None and service.is_of(paths)
    if service is not None and is_own:
        yield _timer(paths, timers, service)
    if service is not None and service.unit != heal.unit:
        if is_own:
            # The heal unit's next run would pass its own PATH to the timer again.
            is_healed = heal.is_loaded and heal.is_of(paths)
            fix = install(paths, heal, watch) if is_healed else ""
            yield from _programs(paths, service, "timer", fix)
            yield from _program(paths, service, "timer", install(paths, heal, watch))
            for other in differences(paths, service.unit, service.environment).values():
                yield Finding("settings of the timer", other.problem, needs_refresh=True)
            yield from _alone(paths, timers, service)
        elif not _can_start_by_cron(paths):
            again = install(paths, heal, watch) if heal.is_loaded else ""
            yield _whose(service, "timer", "No run of this project is scheduled", again=again)
    broken = [*_broken(paths, heal, watch)]
    yield from broken
    if heal.is_loaded:
        yield from _installed(paths, timers, heal, watch)
    elif is_own and not (
        broken or installed_units.with_earlier_names(paths) or _can_start_by_cron(paths)
    ):
        text = "none are installed: after the user manager stops, nothing restarts the chain"
        yield Finding("units", text, install(paths), is_note=True)
    yield from _drop_ins(paths, heal, watch)


def _drop_ins(paths: ProjectPaths, heal: Service, watch: Service) -> Iterator[Finding]:
    """Find the user's drop-ins that change the project's units."""
    names = [service.unit for service in (heal, watch) if service.is_loaded]
    names += [_timer_of(heal)] if heal.is_loaded else []
    names += [f"{unit}.{kind}" for unit in paths.units for kind in ("service", "timer")]
    for file, name in installed_units.drop_ins(names).items():
        text = f"{file} changes {name}"
        yield Finding("drop-in", text, installed_units.removing(file), is_note=True)


def _can_start_by_cron(paths: ProjectPaths) -> bool:
    line = cron.line_of(paths)
    return line is not None and not line.missing_program


def _broken(paths: ProjectPaths, heal: Service, watch: Service) -> Iterator[Finding]:
    """Find units that install has written, but that are missing or that systemd cannot load."""
    for name in (heal.unit, _timer_of(heal), watch.unit):
        if installed_units.is_masked(installed_units.directory() / name):
            # The mask may have replaced install's file, which shows that there was a watcher.
            again = install(
                paths, heal, replace(watch, load_state="loaded") if name == watch.unit else watch
            )
            fix = f"systemctl --user unmask {quote(name)} && {again}"
            yield Finding("units", f"{name} is masked", fix)
            return
    written = {file.name for file in installed_units.written_for(paths.project)}
    if f"{paths.heal}.timer" in written and heal.unit not in written:
        is_there = is_file(installed_units.directory() / heal.unit)
        text = "was not written by install" if is_there else "is missing"
        yield Finding("units", f"{heal.unit} {text}", install(paths, heal, watch))
    if watch.is_active and watch.load_state == "not-found":
        text = f"{watch.unit} is running, but its unit file is missing"
        yield Finding("units", text, install(paths, heal, watch))
    for service in (heal, watch):
        if service.unit in written and service.load_state not in {"", "loaded"}:
            text = f"systemd cannot load {service.unit} ({service.load_state})"
            yield Finding("units", text, install(paths, heal, watch))


def _written(unit: str) -> Service:
    """Return a service that install may have written; not loaded if systemd does not show it."""
    try:
        return show(unit)
    except ManagerError:
        return Service(f"{unit}.service", load_state="", is_active=False, argv=None)


def install(paths: ProjectPaths, heal: Service | None = None, watch: Service | None = None) -> str:
    """Return the command that installs a project's units again, with the options they have now."""
    is_python = heal is not None and (heal.is_python or _file_runs_python(heal))
    more = ["--form", "python"] if is_python and is_file(paths.project / SCRIPT) else []
    if watch is not None and (watch.is_active or watch.load_state in {"loaded", "bad-setting"}):
        more.append("--watch")
    fix = command("install", paths, *more)
    # install does not replace files that it did not write.
    names = [f"{paths.heal}.service", f"{paths.heal}.timer"]
    names += [f"{paths.unit}-watch.service"] if "--watch" in more else []
    files = [file for name in names if is_file(file := installed_units.directory() / name)]
    foreign = [file for file in files if unit_texts.marked_project(_text_of(file)) is None]
    # If the name comes from refresh.conf, these can be unrelated units.
    if foreign and paths.unit != DEFAULT_UNIT:
        return own_unit(paths, *more)
    return " && ".join([*(clearing(file) for file in foreign), fix])


def _file_runs_python(heal: Service) -> bool:
    """Return whether systemd rejects a unit's file, and the file runs the refresh in Python."""
    text = _text_of(installed_units.directory() / heal.unit)
    return heal.load_state == "bad-setting" and '"-m" "oauthkit" "refresh"' in text


def _next_run(paths: ProjectPaths) -> tuple[list[Timer], Service | None]:
    """Return the pending timers, and the service that runs or is next; None if there is none.

    The project's own service takes precedence over another project's service of the same name. A
    run may start or end between two queries, so the queries are repeated if the answers are
    inconsistent.
    """
    timers: list[Timer] = []
    service = None
    for attempt in range(MAX_QUERIES):
        if attempt:
            time.sleep(QUERY_PAUSE_S)
        timers = [x for x in pending_timers((*paths.units, paths.heal)) if x.next_s is not None]
        chain = [timer for timer in timers if not _is_heal(timer, paths)]
        running = None if chain else running_service(paths)  # it schedules the next run
        found = [show(timer.unit.removesuffix(".timer")) for timer in chain]
        is_consistent = all(service.is_loaded for service in found)
        if running is None and is_consistent and not any(x.is_of(paths) for x in found):
            heals = [_written(paths.heal) for timer in timers if _is_heal(timer, paths)]
            found += [service for service in heals if service.is_loaded or not chain]
        found.sort(key=lambda x: (x.is_loaded, not x.is_of(paths)))
        service = running or next(iter(found), None)
        # If only the heal unit was found, the query may have come between two timers of the chain.
        if service is not None and service.is_loaded and (chain or running):
            break
    return timers, service


def _is_heal(timer: Timer, paths: ProjectPaths) -> bool:
    return timer.unit == f"{paths.heal}.timer"


def _timer(paths: ProjectPaths, timers: list[Timer], service: Service) -> Finding:
    """Report when the next run is due."""
    if service.is_active and all(_is_heal(timer, paths) for timer in timers):
        return Finding("timer", service.run_text)
    first = next(timer for timer in timers if timer.unit == _timer_of(service))
    due = time.strftime("%Y-%m-%d %H:%M", time.localtime(first.next_s))
    if _is_heal(first, paths):
        text = f"the chain's timer is not pending. {first.unit} restarts the chain, due {due}"
        return Finding("timer", text, is_note=True, needs_refresh=True)
    return Finding("timer", f"{first.unit}, due {due}")


def _timer_of(service: Service) -> str:
    return service.unit.removesuffix(".service") + ".timer"


def _alone(paths: ProjectPaths, timers: list[Timer], next_run: Service) -> Iterator[Finding]:
    """Check that only one timer of the project's chain is pending."""
    chain = [timer.unit for timer in timers if not _is_heal(timer, paths)]
    if len(chain) > 1:
        services = {unit: show(unit.removesuffix(".timer")) for unit in chain}
        chain = [
            unit
            for unit, service in services.items()
            if service.unit == next_run.unit or service.argv is None or service.is_of(paths)
        ]
    if len(chain) > 1:
        text = f"more than one is pending: {', '.join(chain)}"
        yield Finding("timers", text, needs_refresh=True)


def _installed(
    paths: ProjectPaths, timers: list[Timer], heal: Service, watch: Service
) -> Iterator[Finding]:
    """Check that install's units belong to this project, find their programs, and are active."""
    fix = install(paths, heal, watch)
    units = {service.unit: service for service in (heal, watch) if service.is_loaded}
    written = installed_units.written_for(paths.project)
    for unit, service in units.items():
        by_path = installed_units.without_drop_ins(unit, fix, "Env|UnsetEnv|PassEnv")
        by_command = installed_units.without_drop_ins(unit, fix, "Exec")
        if service.has_changed:
            text = f"the files of {unit} have changed since systemd loaded them"
            yield Finding("units", text, "systemctl --user daemon-reload")
        if service.is_of(paths):
            yield from _programs(paths, service, unit, by_path)
            yield from _program(paths, service, unit, by_command)
        else:
            need = "This project needs a unit name of its own"
            is_edited = installed_units.directory() / unit in written
            own = by_command if is_edited else own_unit(paths)
            yield _whose(service, "units", need, own, again=by_command)
    is_pending = heal.is_active or _timer_of(heal) in {timer.unit for timer in timers}
    if heal.is_of(paths) and not is_pending:
        again = installed_units.without_drop_ins(_timer_of(heal), fix, "On|Persistent|Condition")
        yield Finding("units", f"{_timer_of(heal)} is not pending", again)
    elif heal.is_of(paths) and (edited := _edited(paths, watch)):
        yield Finding("units", f"{edited} differs from what install writes", fix)
    elif heal.is_of(paths) and (finding := _not_run(paths, heal, fix)) is not None:
        yield finding
    elif heal.is_of(paths) and not is_enabled(_timer_of(heal)):
        text = f"{_timer_of(heal)} is not enabled, so it does not start after a reboot"
        yield Finding("units", text, fix)
    elif watch.is_of(paths) and (finding := _not_watching(paths, watch, fix)) is not None:
        yield finding
    elif heal.is_of(paths):
        watching = f", {watch.unit}" if watch.is_loaded and watch.is_of(paths) else ""
        yield Finding("units", f"installed: {_timer_of(heal)}{watching}")


def _not_run(paths: ProjectPaths, heal: Service, fix: str) -> Finding | None:
    """Return a finding if the heal unit was not started, or failed before it could log why."""
    if heal.is_held:
        text = f"{heal.unit} was not started, because one of its conditions is not met"
        again = installed_units.without_drop_ins(heal.unit, fix, "Condition")
        return Finding("units", text, again)
    if heal.is_failed and not log_problem(paths) and not _has_logged(paths, heal):
        text = f"{heal.unit} failed, and the log does not say why"
        journal = f"journalctl --user -u {quote(heal.unit)} -n 20"
        again = installed_units.without_drop_ins(heal.unit, fix, "Exec")
        return Finding("units", text, again, log=journal)
    return None


def _not_watching(paths: ProjectPaths, watch: Service, fix: str) -> Finding | None:
    """Return a finding if the watcher does not run, or the directory that it watches is missing."""
    is_running = watch.is_active and not watch.is_restarting
    ipc = paths.project / "data/ipc"
    text = f"{watch.unit} {'watches nothing' if is_running else 'is not running'}"
    if inspect_path(ipc).is_nothing:
        fix = f"mkdir -p {quoted(ipc)} && {fix}"
        return Finding("units", f"{text}, because {ipc} is missing", fix)
    return None if is_running else Finding("units", text, fix)


def _edited(paths: ProjectPaths, watch: Service) -> str:
    """Return the name of the first unit file that differs from what install writes, or ""."""
    command = Command(("-",), ())
    texts = unit_texts.texts(paths, command)
    if watch.is_loaded and watch.is_of(paths):
        texts |= unit_texts.watch_text(paths, command)
    for name, text in texts.items():
        found = _text_of(installed_units.directory() / name)
        if found and _constant_lines(found) != _constant_lines(text):
            return name
    return ""


def _constant_lines(text: str) -> list[str]:
    """Return the lines of a unit file that do not depend on the project.

    The first line is skipped, because its path may contain links. Other checks cover the command
    and its PATH.
    """
    lines = text.split("\n")[1:]
    return [line for line in lines if not line.startswith(("ExecStart=", "Environment="))]


def _text_of(file: Path) -> str:
    return read(file).data.decode("utf-8", "surrogateescape")


def _has_logged(paths: ProjectPaths, service: Service) -> bool:
    """Return whether a run has written to the log while a service last ran."""
    # CLOCK_MONOTONIC stops during a suspend, so the service may have started suspended_s earlier.
    monotonic_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    suspended_s = time.clock_gettime(time.CLOCK_BOOTTIME) - monotonic_s
    booted_s = time.time() - monotonic_s
    first_s = int(booted_s + service.started_s - suspended_s)
    last_s = booted_s + service.ended_s
    return any(first_s <= entry.at_s <= last_s for entry in read_log(paths))


def _whose(service: Service, what: str, result: str, fix: str = "", *, again: str = "") -> Finding:
    """Report a service that does not belong to this project. If `fix` is "", a refresh is the fix.

    If the service's project does not exist, its path may be this project's old path. The fix is
    then to uninstall its units, and to run `again`, which installs this project's units.
    """
    name, project = f"whose {what}", service.project
    if project is None:
        text = f"{service.unit} runs something else"
        return Finding(name, text, fix, needs_refresh=not fix)
    if inspect_path(Path(project)).is_nothing:
        text = f"{service.unit} belongs to {project}, which does not exist"
        uninstall = command_on("uninstall", project)
        if again:
            return Finding(name, text, f"{uninstall} && {again}")
        return Finding(name, text, uninstall, needs_refresh=True)
    text = f"{service.unit} belongs to another project: {project}. {result}"
    return Finding(name, text, fix, needs_refresh=not fix)


def _programs(paths: ProjectPaths, service: Service, by: str, fix: str) -> Iterator[Finding]:
    """Check that a service's PATH has a run's programs. If `fix` is "", a refresh is the fix."""
    path = service.environment.get("PATH")
    if path is not None and (missing := programs.missing_in(paths, path)):
        text = f"{', '.join(missing)} not found in {path}"
        yield Finding(f"PATH of the {by}", text, fix, needs_refresh=not fix)


def _program(paths: ProjectPaths, service: Service, by: str, fix: str) -> Iterator[Finding]:
    """Check that the script or Python program that a service runs still exists."""
    if program := service.missing_program(paths):
        yield Finding(f"program of the {by}", f"{program} does not exist", fix)
