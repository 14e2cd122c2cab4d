"""Check who else could change what a refresh runs, reads or writes."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import oauthkit
from oauthkit.host.doctor.finding import Finding
from oauthkit.host.path_info import (
    DIRECTORY,
    entries_to,
    inspect_path,
    inspection_hint,
    may_change,
    quoted,
    real_path,
)
from oauthkit.host.project import CONF_FILE
from oauthkit.host.shell_commands import as_root
from oauthkit.host.shipped_files import SCRIPT, STORE_SCRIPTS
from oauthkit.program.hooks import EVENTS, HOOKS
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from oauthkit.host.project import ProjectPaths

# What a refresh or a follower starts, apart from hooks. Some installations of claude need env and
# node.
PROGRAMS = (
    "age", "bash", "cat", "chmod", "claude", "cp", "dd", "env", "etcdctl", "find", "flock", "id",
    "jq", "mkdir", "mv", "node", "readlink", "rm", "setpriv", "setsid", "sh", "sha256sum", "sleep",
    "stat", "sync", "systemctl", "systemd-run", "timeout", "uname",
)  # fmt: skip
CLAUDE_SETTINGS = ("settings.json", "settings.local.json")
_ACL = "system.posix_acl_access"
_OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")
_UID_MAP = Path("/proc/self/uid_map")


def writers(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that only this user and root can write what a refresh reads, runs and replaces."""
    trusted = [*_trusted(paths)]
    found: list[Finding] = []
    for name, path in trusted:
        found += _shared(name, path, paths)
    # .env is replaced in the directory that it leads to.
    for directory in (paths.dotenv.parent, real_path(paths.dotenv).parent):
        found += _shared("the directory of .env", directory, paths)
    found += _shared_programs(paths)
    files = {
        ".env": paths.dotenv,
        "log": paths.log,
        "lock": paths.lock,
        "login": paths.credentials,
    }
    for name, path in (*trusted, *files.items()):
        found += _on_way(name, path, paths)
    found += _lock(paths.lock)
    by_text: dict[str, Finding] = {}
    for finding in found:  # one directory may have several roles
        by_text.setdefault(finding.text, finding)
    text = "only you and root can write the project, the programs and the login"
    yield from by_text.values() or [Finding("permissions", text)]


def _lock(lock: Path) -> Iterator[Finding]:
    """Check that only this user can open the lock. No run starts while another process holds it."""
    with suppress(OSError):
        status = lock.stat()
        if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            can_change = status.st_uid == os.getuid() and may_change(lock)
            fix = f"chmod go= {quoted(lock)}" if can_change else inspection_hint(lock)
            text = f"{lock}: other users can open it, and lock it so that no run can start"
            yield Finding("permissions of the lock", text, fix)


def _trusted(paths: ProjectPaths) -> Iterator[tuple[str, Path]]:
    """Yield what must not be written by others, with names. It need not exist."""
    scripts, config = Path(SCRIPT), paths.credentials.parent
    yield "project", paths.project
    yield "home directory", paths.home
    # claude starts the servers listed in this file.
    directory = paths.home if config == paths.home / ".claude" else config
    yield "Claude's .claude.json", directory / ".claude.json"
    yield "logs", paths.log.parent
    yield "Claude's directory", config
    for name in CLAUDE_SETTINGS:  # claude runs the hooks listed in these files
        yield f"Claude's {name}", config / name
    below = [*reversed(scripts.parents[:-1]), scripts, *map(Path, STORE_SCRIPTS), Path(CONF_FILE)]
    below += [Path(HOOKS), *(Path(HOOKS) / name for name in EVENTS)]
    for path in below:
        yield str(path), paths.project / path
    if paths.bearer:
        yield "the directory of the bearer file", paths.bearer.parent
        yield "the bearer file", paths.bearer
    # Anyone who can write a record, or etcd's CA certificate, can send followers a token.
    if paths.store.startswith("dir:"):
        yield "the store", Path(paths.store.removeprefix("dir:"))
    for setting in paths.changed_settings:
        if setting.name.startswith("ETCDCTL_"):
            yield setting.name, Path(setting.value)
    for file in () if find_program("claude") else paths.claude_files:
        below_home = file.relative_to(paths.home)
        yield f"~/{below_home.parent}", file.parent
        yield f"~/{below_home}", file
        if find_program(str(file)):
            break


def _shared_programs(paths: ProjectPaths) -> Iterator[Finding]:
    """Find programs in PATH, and oauthkit's directories, that others can write to."""
    owners = _owners_of_system()
    for program in PROGRAMS:  # search_path checks their directories
        if found := find_program(program):
            yield from _shared(program, Path(found), paths, owners)
    package = Path(oauthkit.__file__).parent
    for name, path in (("oauthkit", package), ("the directory of oauthkit", package.parent)):
        # This process already runs the owner's code.
        yield from _shared(name, path, paths, {*owners, path.stat().st_uid})


def _shared(
    name: str, path: Path, paths: ProjectPaths, owners: Set[int] | None = None
) -> Iterator[Finding]:
    """Find other users who can write to a path."""
    with suppress(OSError):  # other checks report what is missing or not accessible
        if who := other_writer(path, owners):
            yield Finding(f"permissions of {name}", f"{path}: {who}", _closing(path, paths))


def _closing(path: Path, paths: ProjectPaths) -> str:
    """Return the command that removes other users' write access to a path."""
    found, uid = path.stat(), os.getuid()
    is_foreign = found.st_uid not in {0, uid}
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    is_of_system = is_sticky and not _is_inside(path, paths)  # as /tmp is
    # A new owner does not make another user's program trustworthy.
    if not may_change(path, paths.project) or (is_foreign and not path.is_dir()) or is_of_system:
        return inspection_hint(path)
    real = quoted(real_path(path))
    if is_foreign and real_path(paths.home).is_relative_to(real_path(path)):
        return f"run oauthkit as {_user(found.st_uid)}"
    if is_foreign:
        return as_root(f"chown -h {uid} {real} && chmod go-w {real}")
    # chmod(1) follows a link that another user puts there later.
    return f"chmod go-w {real}" if found.st_uid == uid else inspection_hint(path)


def _is_inside(path: Path, paths: ProjectPaths) -> bool:
    """Return whether a path leads to the project or the user's home, or inside one of them."""
    real = real_path(path)
    return any(real.is_relative_to(real_path(x)) for x in (paths.project, paths.home))


def _on_way(name: str, path: Path, paths: ProjectPaths) -> Iterator[Finding]:
    """Find directories and links by which another user could make a path lead elsewhere."""
    for place, status, text in _foreign_on_way(path):
        fix = inspection_hint(place)
        if stat.S_ISLNK(status.st_mode):
            if _is_inside(place.parent, paths):
                fix = f"rm {quoted(place)}"
            role = "in place of" if place == path else "on the way to"
            yield Finding(f"link {role} {name}", text, fix)
            continue
        is_above = place in path.parents  # not where a link leads
        is_own = status.st_uid == os.getuid() and not status.st_mode & stat.S_ISVTX
        if is_own and may_change(place) and (is_above or _is_inside(place, paths)):
            fix = f"chmod go-w {quoted(place)}"
        elif is_above:
            fix = f"move {quoted(path)} to a directory that only you can write"
        yield Finding(f"permissions on the way to {name}", text, fix)


def _foreign_on_way(path: Path) -> Iterator[tuple[Path, os.stat_result, str]]:
    """Yield directories that others can write to, and others' links, on the way to a path.

    Each comes with its status and a text about it. The sticky bit keeps others from exchanging an
    entry, but not from creating it. Another user's link is not followed.
    """
    owners = _owners_of_system()
    for entry in entries_to(path):
        directory = entry.parent
        with suppress(OSError):
            status = directory.stat()
            is_sticky = status.st_mode & stat.S_ISVTX and status.st_uid in owners
            who = other_writer(directory, owners)
            if who and not (is_sticky and os.path.lexists(entry)):
                yield directory, status, f"{directory}: {who}"
            status = entry.lstat()
            # The refresh itself checks only the last link.
            trusted = {0, os.getuid()} if entry == path else owners
            if stat.S_ISLNK(status.st_mode) and status.st_uid not in trusted:
                target, creator = real_path(entry), _user(status.st_uid)
                yield entry, status, f"{entry} is a link to {target} that {creator} created"
                return


def _owners_of_system() -> set[int]:
    """Return the uids whose directories are trusted above a project and in PATH.

    They are this user and root. In a user namespace the overflow uid stands for all users of the
    host, its root included, that have no uid there: user_namespaces(7).
    """
    owners = {0, os.getuid()}
    with suppress(OSError, ValueError):  # for example without /proc
        # The initial namespace maps every uid to itself, and its overflow uid can be a user's.
        if _UID_MAP.read_text("ascii").split() != ["0", "0", "4294967295"]:
            owners.add(int(_OVERFLOW_UID.read_text("ascii")))
    return owners


def other_writer(path: Path, owners: Set[int] | None = None) -> str:
    """Return who can write to a path besides its trusted owners, or "" if only they can.

    The trusted owners are this user and root by default. Group write permission is accepted if the
    group has no other members and is the user's own (it has the user's name), or root's, or if root
    owns the path.
    """
    found = path.stat()
    if found.st_uid not in (owners or {0, os.getuid()}):
        return f"it belongs to {_user(found.st_uid)}"
    if found.st_mode & stat.S_IWOTH:
        return "everyone can write to it"
    if not found.st_mode & stat.S_IWGRP:
        return ""
    with suppress(OSError):
        os.getxattr(path, _ACL)  # with an ACL, the group bits are its mask
        return "others can write to it, by its access control list"
    try:
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        return f"group {found.st_gid} can write to it"
    users = pwd.getpwall()
    mine = {user.pw_name for user in users if user.pw_uid in {0, os.getuid()}}
    members = {*group.gr_mem, *(user.pw_name for user in users if user.pw_gid == group.gr_gid)}
    is_private = group.gr_gid == 0 or found.st_uid == 0 or group.gr_name in mine
    return "" if is_private and members <= mine else f"group {group.gr_name} can write to it"


def _user(uid: int) -> str:
    """Return a user's name, or the number if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def search_path(paths: ProjectPaths) -> Iterator[Finding]:
    """Check that PATH has no entry in which the project or another user could put programs."""
    found = []
    for entry in dict.fromkeys(os.environ.get("PATH", "").split(":")):
        fix = f"remove {quoted(Path(entry))} from PATH" if entry else "remove :: from PATH"
        if not entry.startswith("/"):
            text = f"{entry or 'an empty entry'} depends on the current directory"
            found.append(Finding("PATH", text, fix))
        elif programs := _in_project(paths, entry):
            text = f"it finds {', '.join(programs)} in {entry}, inside the project"
            found.append(Finding("PATH", text, fix))
        elif inspect_path(Path(entry)).kind == DIRECTORY and (text := _in_entry(Path(entry))):
            has_programs = any(find_program(name) == f"{entry}/{name}" for name in PROGRAMS)
            is_shared = other_writer(Path(entry), _owners_of_system())
            if has_programs and is_shared and may_change(Path(entry)):
                fix = f"chmod go-w {quoted(Path(entry))}"
            found.append(Finding("PATH", text, fix))
    yield from found or [Finding("PATH", "only you and root can write its directories")]


def _in_entry(entry: Path) -> str:
    """Return how another user could put a program into an entry of PATH, or in place of one."""
    if who := other_writer(entry, _owners_of_system()):
        return f"{entry}: {who}"
    found = [entry / name for name in PROGRAMS if find_program(name) == f"{entry}/{name}"]
    texts = (text for path in (entry, *found) for _, _, text in _foreign_on_way(path))
    first = next(texts, "")
    return first and f"{entry} depends on {first}"


def _in_project(paths: ProjectPaths, entry: str) -> list[str]:
    """Return the programs that PATH finds in an entry, if they lie inside the project."""
    project, home = (real_path(path) for path in (paths.project, paths.home))
    if home.is_relative_to(project):  # the user's own programs are inside the project, too
        return []
    found = [name for name in PROGRAMS if find_program(name) == f"{entry}/{name}"]
    is_inside = real_path(entry).is_relative_to(project)
    return [
        name for name in found if is_inside or real_path(f"{entry}/{name}").is_relative_to(project)
    ]
