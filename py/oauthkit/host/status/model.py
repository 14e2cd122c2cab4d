"""Collect the state of a project's token."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oauthkit.host.lock_holder import holder_of, is_suspended, process_age_s, process_name
from oauthkit.host.path_info import read
from oauthkit.host.status.bearer import read_bearer
from oauthkit.host.status.coverage import Coverage, measure
from oauthkit.host.status.failures import Failure
from oauthkit.host.status.log import RENEWED, last, last_failure, read_log
from oauthkit.host.status.login import Dotenv, Login, read_dotenv, read_login
from oauthkit.host.status.runs import failing_since_s, has_manual_token, is_delivered, log_problem
from oauthkit.host.status.store import (
    Store,
    follow_service,
    followed_login,
    is_follower,
    read_store,
    was_read,
)
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.client import ManagerError, Timer
from oauthkit.host.systemd.other_settings import (
    OtherLogin,
    OtherSetting,
    other_login,
    other_setting,
)
from oauthkit.host.systemd.services import Schedule, Service, find_schedule
from oauthkit.program.renewal import REJECTED

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

# systemd ends a run after this time.
LONGEST_RUN_S = 600


@dataclass(frozen=True)
class Status:
    """The state of a project at `now_s`.

    Times are in seconds since the epoch, or None if unknown.
    """

    paths: ProjectPaths
    now_s: float
    login: Login
    dotenv: Dotenv
    schedule: Schedule
    manager_problem: str
    crontab_line: cron.Line | None  # the line that refreshes the project, if no timer is due
    last_renewal_s: float | None
    failure: Failure | None  # the last one, even if runs succeed now
    failing_since_s: float | None
    coverage: Coverage
    log_problem: str = ""  # why the log cannot be read, and the fix
    is_manual_token: bool = False  # a person has put the token into .env
    bearer: Login | None = None  # the bearer file's content, or None if there is no such setting
    store: Store | None = None
    # The project has no login of its own. `login` is the store's token in .env, with its expiry.
    is_follower: bool = False
    is_rejected: bool = False  # the API rejects the token, and claude has not renewed it
    follower: Service | None = None  # the service that follows the store
    lock_holder: str = ""  # the process that holds the lock, or ""
    is_stuck: bool = False  # it has held the lock for longer than a run takes
    other_login: OtherLogin | None = None  # the login of the scheduled runs, if not this shell's
    other_setting: OtherSetting | None = None  # one of the scheduled runs, if not this shell's
    is_followed: bool = False  # no service follows the store, but the store was read recently

    @property
    def is_delivered(self) -> bool:
        """Return whether .env has the credentials' token, and no other."""
        return is_delivered(self.login, self.dotenv)

    @property
    def bearer_carries_token(self) -> bool:
        """Return whether the bearer file has the credentials' token. False if none is set."""
        return bool(self.login.token) and self.bearer == Login(
            "", self.login.token, self.login.expires_at_s
        )

    @property
    def left_s(self) -> float | None:
        """Return the remaining time of the credentials' token, negative after its expiry."""
        expires_at_s = self.login.expires_at_s
        return None if expires_at_s is None else expires_at_s - self.now_s

    @property
    def is_live(self) -> bool:
        """Return whether .env, and the bearer file if one is set, have a token that works."""
        is_everywhere = self.is_delivered and (self.bearer is None or self.bearer_carries_token)
        is_unexpired = self.left_s is not None and self.left_s > 0
        return is_everywhere and is_unexpired and not self.is_rejected

    @property
    def next_timer(self) -> Timer | None:
        """Return the timer that starts the next run, or has just started one."""
        return self.schedule.next or next(iter(self.schedule.timers), None)

    @property
    def next_run_s(self) -> float | None:
        """Return when systemd starts the next run."""
        return self.next_timer.next_s if self.next_timer else None

    @property
    def is_due(self) -> bool:
        """Return whether a run is scheduled or in progress."""
        return self.next_run_s is not None or self.is_running or self.relies_on_cron

    @property
    def relies_on_cron(self) -> bool:
        """Return whether no timer is due, but a crontab line refreshes the project."""
        return self.crontab_line is not None

    @property
    def is_running(self) -> bool:
        """Return whether a run is in progress, no matter what started it."""
        return self.schedule.running is not None or (self.lock_holder != "" and not self.is_stuck)

    @property
    def foreign_timer(self) -> str:
        """Return what else uses this project's timer name, or ""."""
        service = self.schedule.foreign_service
        if service is None:
            return ""
        timer = service.unit.replace(".service", ".timer")
        project = service.project
        return f"{timer} {'runs something else' if project is None else f'belongs to {project}'}"

    @property
    def login_left_s(self) -> float | None:
        """Return the login's remaining time, or None if unknown. A refresh does not extend it."""
        ends_at_s = self.login.login_ends_at_s
        return None if ends_at_s is None else ends_at_s - self.now_s


def collect(paths: ProjectPaths) -> Status:
    """Read a project's state from its files and from systemd, without changing anything.

    The login is that of the scheduled runs, even if this shell has another one.
    """
    now_s = time.time()
    if other := other_login(paths):
        paths = replace(paths, credentials=other.directory / ".credentials.json")
    entries = read_log(paths)
    schedule = Schedule()
    problem = ""
    follows = is_follower(paths)
    follower = None
    try:
        schedule = find_schedule(paths)
        follower = follow_service(paths) if follows else None
    except ManagerError as error:
        problem = str(error)
    renewal = last(entries, RENEWED)
    store = read_store(paths)
    login = followed_login(paths, store) if follows else read_login(paths.credentials)
    dotenv = read_dotenv(paths.dotenv)
    is_scheduled = schedule.next is not None or schedule.running is not None
    holder = holder_of(paths.lock)
    return Status(
        paths=paths,
        now_s=now_s,
        login=login,
        dotenv=dotenv,
        schedule=schedule,
        manager_problem=problem,
        crontab_line=None if is_scheduled else cron.line_of(paths),
        last_renewal_s=None if renewal is None else renewal.at_s,
        failure=last_failure(entries),
        failing_since_s=failing_since_s(paths, login, dotenv, entries, now_s),
        coverage=measure(entries, now_s),
        log_problem=log_problem(paths),
        is_manual_token=has_manual_token(paths, login, dotenv, entries),
        bearer=read_bearer(paths),
        store=store,
        is_follower=follows,
        is_rejected=not follows and _is_rejected(paths, login),
        follower=follower,
        lock_holder="" if holder is None else process_name(holder),
        is_stuck=holder is not None
        and (process_age_s(holder) > LONGEST_RUN_S or is_suspended(holder)),
        other_login=other,
        other_setting=other_setting(paths),
        is_followed=follows and follower is None and was_read(paths, now_s),
    )


def _is_rejected(paths: ProjectPaths, login: Login) -> bool:
    """Return whether the last renewal of a rejected token failed, and the login still has it."""
    if login.expires_at_s is None or read(paths.failing).data != b"rejected":
        return False
    start = read(paths.credentials.parent / REJECTED).data
    return start.startswith(f"{round(login.expires_at_s * 1000)} ".encode())
