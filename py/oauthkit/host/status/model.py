"""Collects what a person, a program or a monitor wants to know about a project's token."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oauthkit.host.display import command
from oauthkit.host.status.coverage import SPAN_S, Coverage, measure
from oauthkit.host.status.log import (
    RENEWED,
    Entry,
    cure,
    is_of_a_person,
    last,
    last_error,
    read_journal,
    trouble,
)
from oauthkit.host.status.login import VARIABLE, Dotenv, Login, read_dotenv, read_login
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.client import ManagerError, Timer
from oauthkit.host.systemd.services import Service, Waiting, waiting

if TYPE_CHECKING:
    from oauthkit.host.project import Places

# Of the schema of --json (docs/status.md): another number for any change that could break a reader.
SCHEMA_VERSION = 1
LOGIN_WARNING_S = 3 * 24 * 3600


@dataclass(frozen=True)
class Status:
    """The state of one project at `now_s`; all times in s since the epoch, None for unknown."""

    places: Places
    now_s: float
    login: Login
    dotenv: Dotenv
    timers: tuple[Timer, ...]
    manager_problem: str
    is_running: bool  # a run is under way, which arms the next one
    is_by_cron: bool  # no timer is due, but a line of the crontab refreshes the project
    last_renewal_s: float | None
    last_error: Entry | None
    failing_since_s: float | None
    coverage: Coverage
    log_problem: str = ""  # why the log cannot be read, with what helps
    heal: Timer | None = None  # of the units of install
    stranger: Service | None = None  # behind a timer that has the name, but is of another project
    is_of_a_person: bool = False  # .env carries a token that someone has put there

    @property
    def is_delivered(self) -> bool:
        """Whether .env carries the token of the credentials, and that alone."""
        return bool(self.login.token) and self.dotenv.carries(self.login.token)

    @property
    def left_s(self) -> float | None:
        """How long the token of the credentials still lives; less than 0 if it is dead."""
        expires_at_s = self.login.expires_at_s
        return None if expires_at_s is None else expires_at_s - self.now_s

    @property
    def is_live(self) -> bool:
        """Whether .env carries a token with life left."""
        return self.is_delivered and self.left_s is not None and self.left_s > 0

    @property
    def next_timer(self) -> Timer | None:
        """The timer that starts the next run, or has just started one."""
        return Waiting(self.timers, self.heal).next or next(iter(self.timers), None)

    @property
    def next_run_s(self) -> float | None:
        """When the next run is due by systemd's word."""
        return self.next_timer.next_s if self.next_timer else None

    @property
    def is_due(self) -> bool:
        """Whether a run is to come, or under way."""
        return self.next_run_s is not None or self.is_running or self.is_by_cron

    @property
    def of_another(self) -> str:
        """Whose the timer is that has the name of this project's; "" if there is none such."""
        if self.stranger is None:
            return ""
        timer = self.stranger.unit.replace(".service", ".timer")
        project = self.stranger.project
        return f"{timer} {'runs something else' if project is None else f'is of {project}'}"

    @property
    def login_left_s(self) -> float | None:
        """How long the login itself lasts, which no refresh extends; None where it is not told."""
        ends_at_s = self.login.login_ends_at_s
        return None if ends_at_s is None else ends_at_s - self.now_s

    @property
    def error(self) -> str:
        """The last error, if runs fail since; else ""."""
        failing = self.failing_since_s is not None
        return self.last_error.text.partition(" ")[2] if failing and self.last_error else ""

    @property
    def warnings(self) -> list[str]:
        """What a person should know before it becomes an outage, each with what to do."""
        found = []
        if self.login.problem:
            found.append(f"{self.login.problem}: {self.login.mend or 'log in with claude'}")
        elif self.dotenv.problem:
            found.append(f"{self.dotenv.problem}: {self.dotenv.mend or 'refresh by hand'}")
        elif self.is_of_a_person:
            found.append(self._whose_token())
        elif not self.is_delivered:
            found.append(".env does not carry the token of the credentials: refresh by hand")
        if self.dotenv.other_spellings:
            text = f".env has {VARIABLE} with export or blanks, too, which a refresh leaves so"
            found.append(f"{text}: {command('doctor', self.places)} says what helps")
        if self.log_problem:
            found.append(self.log_problem)
        if self.is_by_cron:
            pass
        elif self.manager_problem:
            found.append(
                f"{self.manager_problem}: {command('doctor', self.places)} says what helps"
            )
        elif self.of_another:
            doctor = command("doctor", self.places)
            found.append(f"{self.of_another}, not of this project: {doctor} says what helps")
        elif not self.is_due and not self.is_of_a_person:
            found.append("no run is due: refresh by hand, which arms the next one")
        if self.login_left_s is not None and self.login_left_s < LOGIN_WARNING_S:
            ended = "has ended" if self.login_left_s <= 0 else "ends soon"
            found.append(f"the login itself {ended}: log in again with claude (/login)")
        return found

    def _whose_token(self) -> str:
        """What becomes of a token that someone has put into .env."""
        text = ".env carries a token that someone has put there, nobody can tell how long it lives"
        if not self.is_due:
            return f"{text}: leave it if claude setup-token has made it, a refresh would replace it"
        uninstall = command("uninstall", self.places)
        return f"{text}; the next run replaces it: {uninstall} first, if it is to stay"

    def to_json(self) -> dict[str, Any]:
        """The state as plain data, by the schema in docs/status.md."""
        error = self.last_error
        return {
            "version": SCHEMA_VERSION,
            "live": self.is_live,
            "now_s": self.now_s,
            "token": {
                "problem": self.login.problem or None,
                "expires_at_s": self.login.expires_at_s,
                "left_s": self.left_s,
            },
            "dotenv": {
                "path": str(self.places.dotenv),
                "problem": self.dotenv.problem or None,
                "carries_token": self.is_delivered,
                "tokens": len(self.dotenv.tokens),
                "other_spellings": self.dotenv.other_spellings,
                "of_a_person": self.is_of_a_person,
            },
            "next_run": {
                "unit": self.next_timer.unit if self.next_timer else None,
                "at_s": self.next_run_s,
                "timers": len(self.timers),
                "of_another": self.of_another or None,
                "is_running": self.is_running,
                "by_cron": self.is_by_cron,
                "problem": self.manager_problem or None,
            },
            "last_renewal_s": self.last_renewal_s,
            "last_error": None
            if error is None
            else {
                "at_s": error.at_s,
                "text": error.text.partition(" ")[2],
                "cure": cure(error.text),
            },
            "failing_since_s": self.failing_since_s,
            "login": {
                "ends_at_s": self.login.login_ends_at_s,
                "left_s": self.login_left_s,
            },
            "coverage": {
                "span_s": SPAN_S,
                "known_s": self.coverage.until_s - self.coverage.from_s,
                "share": self.coverage.share,
            },
            "warnings": self.warnings,
        }


def collect(places: Places) -> Status:
    """The state of a project, read from its files and asked of systemd; nothing is changed."""
    now_s = time.time()
    entries = read_journal(places)
    found = Waiting()
    problem = ""
    try:
        found = waiting(places)
    except ManagerError as error:
        problem = str(error)
    renewal = last(entries, RENEWED)
    try:
        failing_since_s = places.failing.stat().st_mtime
    except OSError:
        failing_since_s = None
    login, dotenv = read_login(places.credentials), read_dotenv(places.dotenv)
    is_other = not login.token or not dotenv.carries(login.token)
    is_to_come = found.next is not None or found.is_running
    return Status(
        places,
        now_s,
        login,
        dotenv,
        found.timers,
        problem,
        found.is_running,
        not is_to_come and cron.path_of_refresh(places) is not None,
        None if renewal is None else renewal.at_s,
        last_error(entries),
        failing_since_s,
        measure(entries, now_s),
        trouble(places),
        found.heal,
        found.stranger,
        is_other and is_of_a_person(places, dotenv.tokens, entries),
    )
