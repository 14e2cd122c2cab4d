"""Check the store that a host publishes to or follows, and the unit that follows it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.doctor import programs, project
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.path_info import (
    DIRECTORY,
    access_fix,
    clearing,
    creating,
    inspect_path,
    is_file,
    may_remove,
    quoted,
    read,
)
from oauthkit.host.project import CONF
from oauthkit.host.shell_commands import as_root, command, own_unit
from oauthkit.host.shipped_files import FOLLOW_SCRIPT
from oauthkit.host.status.failures import Failure, log_in_and_refresh
from oauthkit.host.status.login import read_login
from oauthkit.host.status.store import (
    Store,
    is_follower,
    lost_login,
    no_token,
    read_store,
    url_error,
    was_read,
)
from oauthkit.host.status.text_output import clock
from oauthkit.host.systemd import cron
from oauthkit.host.systemd.client import is_enabled
from oauthkit.host.systemd.services import Service, find_schedule, show
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import ProjectPaths

KEY_FILES = ("OAUTHKIT_STORE_RECIPIENTS", "OAUTHKIT_STORE_IDENTITY")
# The host in an error of read_records. Errors of list_directory have the file's name, HOST.json.
_HOST = re.compile(r"the record (?:of )?(\S+?)(?:\.json)? ")
# These errors do not mean that a record is damaged: the hosts' settings do not match.
_ABOUT_KEYS = re.compile("cannot be decrypted|OAUTHKIT_STORE_IDENTITY is")


def check(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that the store can be read, its records, and that this host's own one is there."""
    if not paths.store:
        return
    if problem := url_error(paths.store):
        is_in_conf = any(x.name == "OAUTHKIT_STORE" and x.origin == CONF for x in paths.settings)
        fix = project.edit_command(paths) if is_in_conf else "unset OAUTHKIT_STORE"
        yield Finding("store", problem, fix)
        return
    if paths.store.startswith("dir:"):
        needed = programs.program("find", "findutils")
        directory = [*_directory(paths, Path(paths.store.removeprefix("dir:")))]
    else:
        needed = programs.program("etcdctl", "etcd-client")
        directory = [*_certificates(paths)]
        if is_follower(paths):  # without it, the store is read every minute
            yield programs.program("setpriv", "util-linux")
    yield needed
    keys = [*_keys(paths)]
    yield from [*directory, *keys]
    if not needed.is_ok or directory or not all(finding.is_ok for finding in keys):
        return
    store = read_store(paths)
    if store is None or store.problem:
        problem = store.problem if store else ""
        yield Finding("store", problem, Failure(0, problem).fix or "see docs/fleet.md")
        return
    yield from _records(paths, store)
    if is_follower(paths):
        yield from _usable(store)
        if lost := lost_login(paths, store):
            yield Finding("login", lost, log_in_and_refresh(paths))
    else:
        yield from _published(paths, store)


def _directory(paths: ProjectPaths, directory: Path) -> Iterator[Finding]:
    """Find what prevents reading a directory, and for a publisher, writing there."""
    info, shown = inspect_path(directory), quoted(directory)
    if info.is_nothing:
        text = f"{directory} not found. If it is on another host, mount it. Otherwise create it"
        fix = creating(directory, "-m 700 -p")
        if is_follower(paths):  # a publisher creates the directory
            text, fix = f"{directory} not found", "mount it, or correct OAUTHKIT_STORE"
        yield Finding("store", text, fix)
    elif info.problem:
        yield Finding("store", info.problem, info.fix)
    elif info.kind != DIRECTORY:
        text = f"{directory} is not a directory but a {info.kind}"
        fix = clearing(directory)
        if may_remove(directory):
            fix += f" && mkdir -m 700 {shown}"
        yield Finding("store", text, fix)
    elif fix := access_fix(directory, os.R_OK | os.X_OK, paths.project):
        yield Finding("store", f"{directory} cannot be read", fix)
    elif is_follower(paths):
        return
    elif fix := access_fix(directory, os.W_OK | os.X_OK, paths.project):
        text = f"{directory} cannot be written, so this host cannot publish"
        yield Finding("store", text, fix)


def _certificates(paths: ProjectPaths) -> Iterator[Finding]:
    """Find the files of etcdctl's settings that cannot be read, and expired certificates."""
    for setting in paths.changed_settings:
        if setting.name.startswith("ETCDCTL_"):
            content = read(Path(setting.value))
            if content.problem:
                fix = content.fix or f"set {setting.name} to another path"
                yield Finding("store", f"{setting.name}: {content.problem}", fix)
            elif setting.name != "ETCDCTL_KEY" and find_program("openssl"):
                check = ["openssl", "x509", "-checkend", "0", "-noout", "-in", setting.value]
                if subprocess.run(check, capture_output=True, check=False).returncode != 0:
                    text = f"{setting.name}: {setting.value} is not a certificate, or has expired"
                    yield Finding("store", text, "replace that certificate: docs/fleet.md")


def _keys(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that age and the files for encrypted records exist."""
    files = [x for x in paths.changed_settings if x.name in KEY_FILES]
    if files:
        yield programs.program("age", "age")
    for setting in files:
        content = read(Path(setting.value))
        if content.problem:
            fix = content.fix or f"set {setting.name} to another path"
            yield Finding("store", f"{setting.name}: {content.problem}", fix)


def _records(paths: ProjectPaths, store: Store) -> Iterator[Finding]:
    """Check the records. Those that followers ignore do not affect the others."""
    now_s = time.time()
    usable = sum(record.is_usable(now_s) for record in store.records)
    count = len(store.records) + len(store.errors)
    yield Finding("store", f"{store.url}, with {count} records, {usable} of them usable")
    for error in store.errors:
        yield Finding("record", f"{error} and is ignored", _removal(paths, error))
    for record in store.records:
        if record.is_from_future(now_s):
            at, here = clock(record.issued_at_s, now_s), clock(now_s, now_s)
            text = f"{record.host}'s record was issued at {at}, but this host's time is {here}"
            fix = f"on the host whose clock is wrong: {as_root('timedatectl set-ntp true')}"
            yield Finding("clocks", text, fix)


def _removal(paths: ProjectPaths, error: str) -> str:
    """Return what to do about a damaged record. Its host writes it again."""
    host = _HOST.match(error)
    if host and not _ABOUT_KEYS.search(error) and paths.store.startswith("dir:"):
        file = Path(paths.store.removeprefix("dir:")) / f"{host[1]}.json"
        if is_file(file) and os.access(file.parent, os.W_OK):
            return clearing(file)
    return Failure(0, f"{error} and is ignored").fix


def _usable(store: Store) -> Iterator[Finding]:
    """Check that there is a token for a follower."""
    now_s = time.time()
    if not any(record.is_usable(now_s) for record in store.records):
        yield Finding("records", no_token(store), "on a host with a login: oauthkit refresh")


def _published(paths: ProjectPaths, store: Store) -> Iterator[Finding]:
    """Check that the store has the login's current token."""
    if store.host_problem:
        fix = f"write OAUTHKIT_HOST=NAME to {quoted(paths.conf)}"
        yield Finding("host name", store.host_problem, fix)
        return
    login = read_login(paths.credentials)
    if store.is_published(login):
        yield Finding("published", f"the record {store.host} has the login's token")
    elif login.expires_at_s is not None and login.expires_at_s > time.time():
        text = f"the record {store.host} does not have the login's token"
        yield Finding("published", text, command("publish", paths))


def follower(paths: ProjectPaths) -> Iterator[Finding]:
    """Check the unit that follows the store, and that no timer starts a refresh."""
    service = show(paths.follow)
    install = _install(paths, service)
    if not service.is_loaded:
        if cron.line_of(paths) is not None:
            yield Finding("follower", "a crontab line starts it")
        elif was_read(paths, time.time()):
            yield read_finding()
        else:
            yield Finding("follower", "no unit follows the store", install)
    elif not service.is_of(paths):
        what = "runs something else"
        if service.project is not None:
            what = f"belongs to another project: {service.project}"
        yield Finding("follower", f"{service.unit} {what}", own_unit(paths, "--follow"))
    elif service.is_restarting or not service.is_active:
        log = f"journalctl --user -u {service.unit}"
        yield Finding("follower", f"{service.unit} is not running", install, log=log)
    elif not is_enabled(service.unit):
        text = f"{service.unit} is not enabled, so it does not start after a reboot"
        yield Finding("follower", text, install)
    else:
        yield Finding("follower", f"{service.unit} runs")
    next_run = find_schedule(paths).next
    if next_run is not None and not lost_login(paths, read_store(paths)):
        text = f"{next_run.unit} starts a refresh, but this project follows a store"
        yield Finding("timer", text, f"{command('uninstall', paths)} && {install}")


def read_finding() -> Finding:
    """Return the finding that something other than a unit follows the store."""
    return Finding("follower", "something other than a unit read the store in the last 10 min")


def _install(paths: ProjectPaths, service: Service) -> str:
    """Return the command that installs the unit, in the form that it has now."""
    is_python = service.is_loaded and service.argv is not None and FOLLOW_SCRIPT not in service.argv
    is_other = is_python and service.is_of(paths) and is_file(paths.project / FOLLOW_SCRIPT)
    return command("install", paths, "--follow", *(["--form", "python"] if is_other else []))
