"""Find a project's problems that will cause an outage, each with its fix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.path_info import inspect_path, real_path
from oauthkit.host.project import other_user
from oauthkit.host.shell_commands import command, quote, see_doctor
from oauthkit.host.status.failures import log_in, log_in_and_refresh
from oauthkit.host.status.login import VARIABLE
from oauthkit.host.status.store import lost_login, no_token, refresh_command
from oauthkit.host.systemd import cron, installed_units

if TYPE_CHECKING:
    from oauthkit.host.status.model import Status

LOGIN_WARNING_S = 3 * 24 * 3600


def warnings(status: Status) -> list[str]:
    """Return the problems to fix before they cause an outage, each with its fix."""
    # While runs fail, their error is shown with its own fix. Do not suggest a refresh, which
    # would fail again.
    is_failing = status.failing_since_s is not None
    if user := other_user(status.paths):
        text = f"the project belongs to {user}, and root has no login of its own"
        return [f"{text}. To become that user, run: su - {quote(user)}"]
    if other := status.other_login or status.other_setting:
        return [f"{other.problem}. Run: {other.fix}"]
    found = []
    if status.is_stuck:
        text = f"{status.lock_holder} holds the lock. No other run can start until it exits"
        found.append(f"{text}. {see_doctor(status.paths)}")
    if is_failing and status.failure is None:  # for example, because the disk is full
        found.append(f"runs fail, but the log does not say why. {see_doctor(status.paths)}")
    if status.log_problem:
        found.append(status.log_problem)
    found += _delivery_problems(status, is_failing=is_failing)
    found += _bearer_problems(status, is_failing=is_failing)
    found += status.paths.settings_problems
    if status.dotenv.other_spellings:
        text = f".env also sets {VARIABLE} with export or spaces. A refresh ignores that line"
        found.append(f"{text}. {see_doctor(status.paths)}")
    for name in status.dotenv.overriding:
        found.append(f".env sets {name}, which overrides the token. {see_doctor(status.paths)}")
    if any(status.dotenv.tokens) and status.dotenv.is_shared:
        found.append(f"other users have access to the token in .env. {see_doctor(status.paths)}")
    found += _schedule_problems(status)
    found += _store_problems(status) if status.is_follower else _publisher_problems(status)
    if status.login_left_s is not None and status.login_left_s < LOGIN_WARNING_S:
        ended = "has ended" if status.login_left_s <= 0 else "ends soon"
        # A refresh would replace a token that was put into .env by hand.
        fix = log_in if status.is_manual_token else log_in_and_refresh
        found.append(f"the login {ended}. Run: {fix(status.paths)}")
    return found


def _delivery_problems(status: Status, *, is_failing: bool) -> list[str]:
    """Return the problem that leaves .env without a live token now or before the next run.

    The list has at most one problem. For a token put in by hand, it has two entries: how to
    replace it, and how to keep it.
    """
    if status.is_follower and (status.login.problem or not status.is_delivered):
        text = status.dotenv.repetition_problem or "does not have the store's token"
        problem = status.login.problem or f".env {text}"
        return [] if is_failing else [f"{problem}. {see_doctor(status.paths)}"]
    if status.login.problem:
        return [f"{status.login.problem}: {status.login.fix or log_in(status.paths)}"]
    if status.dotenv.problem and _lacks_directory(status.paths.dotenv):
        return [f"the directory of .env does not exist. {see_doctor(status.paths)}"]
    if status.dotenv.problem and (status.dotenv.fix or not is_failing):
        return [f"{status.dotenv.problem}: {status.dotenv.fix or refresh_command(status.paths)}"]
    if status.is_manual_token:
        return _manual_token(status)
    if is_failing or status.is_running or status.is_stuck:
        return []
    if not status.is_delivered:
        text = status.dotenv.repetition_problem or "does not have the credentials' token"
        return [f".env {text}. Run: {refresh_command(status.paths)}"]
    return _expiry_problems(status)


def _expiry_problems(status: Status) -> list[str]:
    """Return why .env lacks a live token until the next run: at most one problem."""
    expires_at_s = status.login.expires_at_s
    if expires_at_s is None:
        text = "the token's expiry is unknown"
    elif expires_at_s <= status.now_s:
        text = "the token has expired"
    elif (status.schedule.earliest_s or 0) > expires_at_s:
        text = "the token expires before the next run"
    else:
        return []
    return [f"{text}. Run: {refresh_command(status.paths)}"]


def _schedule_problems(status: Status) -> list[str]:
    """Return why no run will renew the token, as a list of at most one problem."""
    if status.crontab_line is not None:
        return _cron_problems(status, status.crontab_line)
    if status.is_followed:
        return []
    if status.manager_problem:
        return [f"{status.manager_problem}. {see_doctor(status.paths)}"]
    if status.is_follower:
        return _follower_problems(status)
    if status.foreign_timer and not status.is_due:
        return [f"{status.foreign_timer}, {_foreign_timer_fix(status)}"]
    if status.schedule.missing_program:
        return [_cannot_start(status, status.schedule.missing_program)]
    if not status.is_due and not status.is_manual_token:
        is_renamed = bool(installed_units.with_earlier_names(status.paths))
        name = " with the new unit name" if is_renamed else ""
        return [f"no run is scheduled{name}. {see_doctor(status.paths)}"]
    return []


def _cron_problems(status: Status, line: cron.Line) -> list[str]:
    """Return why cron starts no run, as a list of at most one problem."""
    if cron.is_running() is False:
        text = "a crontab line starts the runs, but no cron service is running"
        return [f"{text}. {see_doctor(status.paths)}"]
    return [_cannot_start(status, line.missing_program)] if line.missing_program else []


def _cannot_start(status: Status, program: str) -> str:
    return f"{program} does not exist, so no run can start. {see_doctor(status.paths)}"


def _follower_problems(status: Status) -> list[str]:
    """Return why nothing follows the store, as a list of at most one problem."""
    install = command("install", status.paths, "--follow")
    if status.follower is None:
        return [f"no service follows the store. Run: {install}"]
    if status.follower.is_restarting or not status.follower.is_active:
        return [f"{status.follower.unit} is not running. {see_doctor(status.paths)}"]
    return []


def _store_problems(status: Status) -> list[str]:
    """Return why a follower will not get another token, as a list of at most one problem."""
    if lost := lost_login(status.paths, status.store):
        return [f"{lost}. Run: {log_in_and_refresh(status.paths)}"]
    usable = [x for x in status.store.records if x.is_usable(status.now_s)] if status.store else []
    # If login.problem is set, the warning about .env already gives the store's problem.
    if status.login.problem or usable:
        return []
    return [f"{no_token(status.store)}. {see_doctor(status.paths)}"]


def _publisher_problems(status: Status) -> list[str]:
    """Return why the store lacks this host's token, as a list of at most one problem."""
    if status.store is None or not status.login.token:
        return []
    if status.store.is_published(status.login):
        return []
    problem = status.store.problem or status.store.host_problem
    text = problem or "the store does not have this host's token"
    return [f"{text}. {see_doctor(status.paths)}"]


def _bearer_problems(status: Status, *, is_failing: bool) -> list[str]:
    """Return why the bearer file does not have the token, as a list of at most one problem."""
    if status.bearer is None or not status.login.token or status.bearer_carries_token:
        return []
    if not status.bearer.fix and is_failing:
        return []
    file = status.paths.bearer
    text = f"the token or the expiry in {file} differs from the credentials'"
    if file and _lacks_directory(file):
        return [f"the directory of {file} does not exist. {see_doctor(status.paths)}"]
    fix = status.bearer.fix or refresh_command(status.paths)
    return [f"bearer file: {status.bearer.problem or text}: {fix}"]


def _foreign_timer_fix(status: Status) -> str:
    service = status.schedule.foreign_service
    project = service.project if service else None
    if project is not None and inspect_path(Path(project)).is_nothing:
        return f"which does not exist. {see_doctor(status.paths)}"
    return f"and no run of this project is scheduled. Run: {refresh_command(status.paths)}"


def _lacks_directory(file: Path) -> bool:
    """Return whether a file's directory does not exist. Follow links."""
    return inspect_path(real_path(file).parent).is_nothing


def _manual_token(status: Status) -> list[str]:
    """Warn if the next run will replace a token that was put into .env by hand."""
    if not status.is_due:
        return []
    uninstall = f"run: {command('uninstall', status.paths)}"
    fix = "run crontab -e, and remove this project's line" if status.relies_on_cron else uninstall
    heal = status.schedule.heal
    is_hourly = heal is not None and heal.next_s == status.schedule.earliest_s
    text = f"the next {'hourly ' if is_hourly else ''}run replaces the token in .env"
    why = "A person may have put it there, or have edited .env"
    now = f"To replace it now, run: {refresh_command(status.paths)}"
    return [f"{text}. {why}. {now}", f"To keep that token, {fix}"]
