"""Collect the state of a project's token."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.lock_holder import (
    holder_of,
    is_locked,
    is_suspended,
    process_age_s,
    process_name,
)
from oauthkit.host.path_info import inspect_path, is_file, read, real_path
from oauthkit.host.project import other_user
from oauthkit.host.shell_commands import command, quote
from oauthkit.host.status.coverage import Coverage, measure
from oauthkit.host.status.failures import (
    Failure,
    bearer_fix,
    log_in,
    log_in_and_refresh,
    modified_s,
)
from oauthkit.host.status.log import (
    RENEWED,
    can_mark_failure,
    is_manual_token,
    last,
    last_failure,
    log_problem,
    read_log,
    unresolved_failure,
)
from oauthkit.host.status.login import VARIABLE, Dotenv, Login, read_dotenv, read_login
from oauthkit.host.status.store import (
    Store,
    follow_service,
    followed_login,
    is_follower,
    lost_login,
    no_token,
    read_store,
    refresh_command,
    was_read,
)
from oauthkit.host.systemd import cron, installed_units
from oauthkit.host.systemd.client import ManagerError, Timer
from oauthkit.host.systemd.other_settings import (
    OtherLogin,
    OtherSetting,
    other_login,
    other_setting,
)
from oauthkit.host.systemd.services import (
    Schedule,
    Service,
    find_schedule,
)
from oauthkit.program.delivery import BEARER_START
from oauthkit.program.renewal import REJECTED
from oauthkit.shell import find_program, same_file

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

LOGIN_WARNING_S = 3 * 24 * 3600
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
        return bool(self.login.token) and self.dotenv.carries(self.login.token)

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

    @property
    def warnings(self) -> list[str]:
        """Return the problems to fix before they cause an outage, each with its fix."""
        # While runs fail, their error is shown with its own fix. Do not suggest a refresh, which
        # would fail again.
        is_failing = self.failing_since_s is not None
        if user := other_user(self.paths):
            text = f"the project belongs to {user}, and root has no login of its own"
            return [f"{text}. To become that user, run: su - {quote(user)}"]
        if other := self.other_login or self.other_setting:
            return [f"{other.problem}. Run: {other.fix}"]
        found = []
        if self.is_stuck:
            text = f"{self.lock_holder} holds the lock. No other run can start until it exits"
            found.append(f"{text}. {self.see_doctor}")
        if is_failing and self.failure is None:  # for example, because the disk is full
            found.append(f"runs fail, but the log does not say why. {self.see_doctor}")
        if self.log_problem:
            found.append(self.log_problem)
        found += self._delivery_problems(is_failing=is_failing)
        found += self._bearer_problems(is_failing=is_failing)
        found += self.paths.settings_problems
        if self.dotenv.other_spellings:
            text = f".env also sets {VARIABLE} with export or spaces. A refresh ignores that line"
            found.append(f"{text}. {self.see_doctor}")
        for name in self.dotenv.overriding:
            found.append(f".env sets {name}, which overrides the token. {self.see_doctor}")
        if any(self.dotenv.tokens) and self.dotenv.is_shared:
            found.append(f"other users have access to the token in .env. {self.see_doctor}")
        found += self._schedule_problems()
        found += self._store_problems() if self.is_follower else self._publisher_problems()
        if self.login_left_s is not None and self.login_left_s < LOGIN_WARNING_S:
            ended = "has ended" if self.login_left_s <= 0 else "ends soon"
            # A refresh would replace a token that was put into .env by hand.
            fix = log_in if self.is_manual_token else log_in_and_refresh
            found.append(f"the login {ended}. Run: {fix(self.paths)}")
        return found

    def _delivery_problems(self, *, is_failing: bool) -> list[str]:
        """Return the problem that leaves .env without a live token now or before the next run.

        The list has at most one problem. For a token put in by hand, it has two entries: how to
        replace it, and how to keep it.
        """
        if self.is_follower and (self.login.problem or not self.is_delivered):
            text = self.dotenv.repetition_problem or "does not have the store's token"
            problem = self.login.problem or f".env {text}"
            return [] if is_failing else [f"{problem}. {self.see_doctor}"]
        if self.login.problem:
            return [f"{self.login.problem}: {self.login.fix or log_in(self.paths)}"]
        if self.dotenv.problem and self._lacks_directory(self.paths.dotenv):
            return [f"the directory of .env does not exist. {self.see_doctor}"]
        if self.dotenv.problem and (self.dotenv.fix or not is_failing):
            return [f"{self.dotenv.problem}: {self.dotenv.fix or refresh_command(self.paths)}"]
        if self.is_manual_token:
            return self._manual_token()
        if is_failing or self.is_running or self.is_stuck:
            return []
        if not self.is_delivered:
            text = self.dotenv.repetition_problem or "does not have the credentials' token"
            return [f".env {text}. Run: {refresh_command(self.paths)}"]
        return self._expiry_problems()

    def _expiry_problems(self) -> list[str]:
        """Return why .env lacks a live token until the next run: at most one problem."""
        expires_at_s = self.login.expires_at_s
        if expires_at_s is None:
            text = "the token's expiry is unknown"
        elif expires_at_s <= self.now_s:
            text = "the token has expired"
        elif (self.schedule.earliest_s or 0) > expires_at_s:
            text = "the token expires before the next run"
        else:
            return []
        return [f"{text}. Run: {refresh_command(self.paths)}"]

    def _schedule_problems(self) -> list[str]:
        """Return why no run will renew the token, as a list of at most one problem."""
        if self.crontab_line is not None:
            return self._cron_problems(self.crontab_line)
        if self.is_followed:
            return []
        if self.manager_problem:
            return [f"{self.manager_problem}. {self.see_doctor}"]
        if self.is_follower:
            return self._follower_problems()
        if self.foreign_timer and not self.is_due:
            return [f"{self.foreign_timer}, {self._foreign_timer_fix}"]
        if self.schedule.missing_program:
            return [self._cannot_start(self.schedule.missing_program)]
        if not self.is_due and not self.is_manual_token:
            is_renamed = bool(installed_units.with_earlier_names(self.paths))
            name = " with the new unit name" if is_renamed else ""
            return [f"no run is scheduled{name}. {self.see_doctor}"]
        return []

    def _cron_problems(self, line: cron.Line) -> list[str]:
        """Return why cron starts no run, as a list of at most one problem."""
        if cron.is_running() is False:
            text = "a crontab line starts the runs, but no cron service is running"
            return [f"{text}. {self.see_doctor}"]
        return [self._cannot_start(line.missing_program)] if line.missing_program else []

    def _cannot_start(self, program: str) -> str:
        return f"{program} does not exist, so no run can start. {self.see_doctor}"

    def _follower_problems(self) -> list[str]:
        """Return why nothing follows the store, as a list of at most one problem."""
        install = command("install", self.paths, "--follow")
        if self.follower is None:
            return [f"no service follows the store. Run: {install}"]
        if self.follower.is_restarting or not self.follower.is_active:
            return [f"{self.follower.unit} is not running. {self.see_doctor}"]
        return []

    def _store_problems(self) -> list[str]:
        """Return why a follower will not get another token, as a list of at most one problem."""
        if lost := lost_login(self.paths, self.store):
            return [f"{lost}. Run: {log_in_and_refresh(self.paths)}"]
        usable = [x for x in self.store.records if x.is_usable(self.now_s)] if self.store else []
        # If login.problem is set, the warning about .env already gives the store's problem.
        if self.login.problem or usable:
            return []
        return [f"{no_token(self.store)}. {self.see_doctor}"]

    def _publisher_problems(self) -> list[str]:
        """Return why the store lacks this host's token, as a list of at most one problem."""
        if self.store is None or not self.login.token:
            return []
        if self.store.is_published(self.login):
            return []
        problem = self.store.problem or self.store.host_problem
        text = problem or "the store does not have this host's token"
        return [f"{text}. {self.see_doctor}"]

    def _bearer_problems(self, *, is_failing: bool) -> list[str]:
        """Return why the bearer file does not have the token, as a list of at most one problem."""
        if self.bearer is None or not self.login.token or self.bearer_carries_token:
            return []
        if not self.bearer.fix and is_failing:
            return []
        text = self.bearer.problem or "its token or expiry differs from the credentials'"
        if self.paths.bearer and self._lacks_directory(self.paths.bearer):
            return [f"the directory of {self.paths.bearer} does not exist. {self.see_doctor}"]
        fix = self.bearer.fix or refresh_command(self.paths)
        return [f"bearer file {self.paths.bearer}: {text}: {fix}"]

    @property
    def _foreign_timer_fix(self) -> str:
        service = self.schedule.foreign_service
        project = service.project if service else None
        if project is not None and inspect_path(Path(project)).is_nothing:
            return f"which does not exist. {self.see_doctor}"
        return f"and no run of this project is scheduled. Run: {refresh_command(self.paths)}"

    @staticmethod
    def _lacks_directory(file: Path) -> bool:
        """Return whether a file's directory does not exist. Follow links."""
        return inspect_path(real_path(file).parent).is_nothing

    @property
    def see_doctor(self) -> str:
        """Return the hint at the end of a warning whose fix doctor shows."""
        return f"To see the fix, run: {command('doctor', self.paths)}"

    def _manual_token(self) -> list[str]:
        """Warn if the next run will replace a token that was put into .env by hand."""
        if not self.is_due:
            return []
        uninstall = f"run: {command('uninstall', self.paths)}"
        fix = "run crontab -e, and remove this project's line" if self.relies_on_cron else uninstall
        heal = self.schedule.heal
        is_hourly = heal is not None and heal.next_s == self.schedule.earliest_s
        text = f"the next {'hourly ' if is_hourly else ''}run replaces the token in .env"
        why = "A person may have put it there, or have edited .env"
        now = f"To replace it now, run: {refresh_command(self.paths)}"
        return [f"{text}. {why}. {now}", f"To keep that token, {fix}"]


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
    failing_since_s = modified_s(paths.failing) if is_file(paths.failing) else None
    store = read_store(paths)
    login = followed_login(paths, store) if follows else read_login(paths.credentials)
    dotenv = read_dotenv(paths.dotenv)
    token_differs = not login.token or not dotenv.carries(login.token)
    is_manual = token_differs and is_manual_token(paths, dotenv.tokens, entries)
    # A run that cannot take the lock does not create `paths.failing`. While .env has a live token,
    # an ERROR counts only if no run can succeed or mark a failure, because a run with --ensure does
    # not log a success.
    problem_of_log = log_problem(paths)
    is_expired = login.expires_at_s is not None and login.expires_at_s <= now_s
    failure = None
    if not is_manual:
        failure = unresolved_failure(entries, is_locked=is_locked(paths.lock))
    if (
        failing_since_s is None
        and failure is not None
        and (
            token_differs
            or is_expired
            or problem_of_log
            or not can_mark_failure(paths)
            or _lacks_flock(failure)
        )
    ):
        failing_since_s = failure.at_s
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
        failing_since_s=failing_since_s,
        coverage=measure(entries, now_s),
        log_problem=problem_of_log,
        is_manual_token=is_manual,
        bearer=_read_bearer(paths),
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


def _lacks_flock(failure: Failure) -> bool:
    """Return whether a run could not take the lock without flock, and this PATH lacks it, too."""
    return failure.text.startswith("flock not found in PATH") and find_program("flock") == ""


def _is_rejected(paths: ProjectPaths, login: Login) -> bool:
    """Return whether the last renewal of a rejected token failed, and the login still has it."""
    if login.expires_at_s is None or read(paths.failing).data != b"rejected":
        return False
    start = read(paths.credentials.parent / REJECTED).data
    return start.startswith(f"{round(login.expires_at_s * 1000)} ".encode())


def _read_bearer(paths: ProjectPaths) -> Login | None:
    """Read the bearer file, which must not be the login. None if none is set."""
    bearer, credentials = paths.bearer, paths.credentials
    if bearer is None:
        return None
    fix = bearer_fix(paths)
    if same_file(str(bearer), str(credentials)):
        return Login("it is Claude Code's credentials file", fix=fix)
    content = read(bearer).data
    if b'"refreshToken"' in content:
        return Login("it has a refresh token, so it is a login", fix=fix)
    if content and not content.startswith(BEARER_START.encode()):
        return Login("it is not a bearer file", fix=fix)
    return read_login(bearer)
