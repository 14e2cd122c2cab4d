"""Read a store as a follower does, and find the token of a host without a login.

read_records of the program reads each kind of store.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plumbum import local

from oauthkit.host.path_info import inspect_path
from oauthkit.host.shell_commands import command
from oauthkit.host.status.log import read_log
from oauthkit.host.status.login import Dotenv, Login, read_dotenv
from oauthkit.host.status.runs import is_manual_token
from oauthkit.host.systemd import installed_units
from oauthkit.host.systemd.client import name_problem
from oauthkit.host.systemd.services import Service, show
from oauthkit.program.credentials import RENEW_BEFORE_MS
from oauthkit.program.etcd import open_etcd
from oauthkit.program.store import (
    CLOCK_LIMIT_MS,
    decrypt_records,
    host_name,
    read_records,
    store_error,
)

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths

LINES_OF_RECORD = 5
# A follower reads the store at least every 5 min, and logs the result.
RECENT_S = 10 * 60


@dataclass(frozen=True)
class Record:
    """A host's record. Times are in seconds since the epoch."""

    host: str
    expires_at_s: float
    issued_at_s: float
    token: str = field(repr=False)  # "" if it is encrypted, and this host does not decrypt it
    is_encrypted: bool = False

    def is_in(self, dotenv: Dotenv) -> bool:
        """Return whether .env has its token. False if this host does not know the token."""
        return self.token != "" and dotenv.carries(self.token)

    def is_from_future(self, now_s: float) -> bool:
        """Return whether a follower ignores it, because one of the two clocks is wrong."""
        return self.issued_at_s > now_s + CLOCK_LIMIT_MS / 1000

    def is_usable(self, now_s: float) -> bool:
        """Return whether a follower may deliver its token."""
        is_live = self.expires_at_s > now_s + RENEW_BEFORE_MS / 1000
        return is_live and not self.is_from_future(now_s)


@dataclass(frozen=True)
class Store:
    """The content of a store.

    `problem` says why the store cannot be read, or is "" if it can be read. `errors` has a sentence
    for each damaged record. `host` is the name of this host's own record, and `host_problem` says
    why there is no such name.
    """

    url: str
    problem: str = ""
    records: tuple[Record, ...] = ()
    errors: tuple[str, ...] = ()
    host: str = ""
    host_problem: str = ""

    @property
    def own(self) -> Record | None:
        """Return the record that this host has published, or None if there is none."""
        return next((x for x in self.records if x.host == self.host), None)

    def record_of(self, dotenv: Dotenv) -> Record | None:
        """Return the record with the token in .env, or None if there is none."""
        return next((x for x in self.records if x.is_in(dotenv)), None)

    def is_published(self, login: Login) -> bool:
        """Return whether this host's record has the login's token.

        If the record is encrypted, compare only its expiry.
        """
        own = self.own
        if own is None:
            return False
        return own.token == login.token if own.token else own.expires_at_s == login.expires_at_s


def url_error(url: str) -> str:
    """Return what is wrong with a store's URL, or "" if nothing."""
    problem = store_error(url)
    if problem == "" and url.startswith("etcd:"):
        with local.env():
            problem, _ = open_etcd(url)
    return problem


def read_store(paths: ProjectPaths) -> Store | None:
    """Read the project's store. None if it has no store."""
    if not paths.store:
        return None
    is_decrypted = False
    with local.env():
        for setting in paths.changed_settings:
            local.env[setting.name] = setting.value
        host_problem, host = host_name()
        problem, _, text = read_records(paths.store)
        if problem == "" and is_follower(paths):
            is_decrypted = local.env.get("OAUTHKIT_STORE_IDENTITY", "") != ""
            problem, text = decrypt_records(text, "\n".join(paths.settings_problems))
    lines = text.split("\n") if text else []
    errors, records = [], []
    while lines:
        if lines[0].startswith("!") or len(lines) < LINES_OF_RECORD:
            errors.append(lines.pop(0).removeprefix("!"))
            continue
        (name, expiry, issued, token, _), lines = lines[:LINES_OF_RECORD], lines[LINES_OF_RECORD:]
        records.append(
            Record(name, int(expiry) / 1000, int(issued) / 1000, token, is_decrypted or not token)
        )
    return Store(
        paths.store, problem, tuple(records), tuple(filter(None, errors)), host, host_problem
    )


def is_follower(paths: ProjectPaths) -> bool:
    """Return whether the project follows a store: it has the unit, or the host has no login.

    With the units of a refresh, a missing login is an error.
    """
    if not paths.store:
        return False
    names = {file.name for file in installed_units.written_for(paths.project)}
    if f"{paths.follow}.service" in names:
        return True
    return f"{paths.heal}.timer" not in names and inspect_path(paths.credentials).is_nothing


def lost_login(paths: ProjectPaths, store: Store | None) -> str:
    """Return what is wrong if this host has published a record, but its login is gone, else "".

    Without the login, `refresh --ensure` follows the store, until the host's own record expires.
    """
    files = {file.name for file in installed_units.written_for(paths.project)}
    has_login = not inspect_path(paths.credentials).is_nothing
    if has_login or store is None or store.own is None or f"{paths.follow}.service" in files:
        return ""
    return f"this host has published a token, but {paths.credentials} does not exist"


def refresh_command(paths: ProjectPaths) -> str:
    """Return the command that refreshes the project, or follows its store."""
    if is_follower(paths):
        return command("follow", paths, "--once")
    return command("refresh", paths)


def followed_login(paths: ProjectPaths, store: Store | None) -> Login:
    """Return the token in a follower's .env as a login, with its expiry.

    The expiry is that of its record. If the store does not have it any more, it is that of the
    last delivery in the log.
    """
    dotenv = read_dotenv(paths.dotenv)
    found = store.record_of(dotenv) if store else None
    if found is not None:
        return Login("", found.token, found.expires_at_s)
    entries = read_log(paths)
    deliveries = [x.expires_at_s for x in entries if x.expires_at_s is not None]
    if dotenv.tokens and deliveries and not is_manual_token(paths, dotenv, entries):
        return Login("", dotenv.tokens[0].decode("utf-8", "replace"), deliveries[-1])
    return Login(no_token(store))


def follow_service(paths: ProjectPaths) -> Service | None:
    """Return the service that follows the store for this project, or None if there is none.

    ManagerError if the manager does not answer.
    """
    if name_problem(paths.unit):
        return None
    service = show(paths.follow)
    return service if service.is_loaded and service.is_of(paths) else None


def was_read(paths: ProjectPaths, now_s: float) -> bool:
    """Return whether a follower has read the store in the last RECENT_S, according to the log.

    It need not be a unit: a container can run it.
    """
    entries = read_log(paths)
    return bool(entries) and 0 <= now_s - entries[-1].at_s <= RECENT_S


def no_token(store: Store | None) -> str:
    """Return why a follower's .env has no token from the store."""
    if store is None or store.problem:
        return store.problem if store else "OAUTHKIT_STORE is not set"
    if any(record.is_usable(time.time()) for record in store.records):
        return ".env does not have a token from the store"
    return "the store has no record of a live token"
