"""Inspect, read and write paths, and suggest how to fix what prevents that.

Path.exists, is_file and is_dir raise an OSError if a directory cannot be searched or a name is too
long. These functions return the problem and its fix instead.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.atomic import replace_file
from oauthkit.host.errors import HostError
from oauthkit.host.shell_commands import as_root, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE, DIRECTORY = "file", "directory"
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_NOTHING = {errno.ENOENT, errno.ENOTDIR}
# System directories in / (hier(7)).
_SYSTEM = {"bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr", "var"}
_RIGHTS = ((os.R_OK, "r"), (os.W_OK, "w"), (os.X_OK, "x"))


# The size limit of files that are read whole.
MAX_FILE_BYTES = 1024 * 1024
RUN = Path("/run")  # directories there have the sockets of running programs
# The maximum number of symbolic links that Linux follows in one path (path_resolution(7)).
MAX_LINKS = 40


@dataclass(frozen=True)
class PathInfo:
    """What is at a path, after links are followed.

    `kind` is "" if nothing is there or the path cannot be inspected. `problem` says why it cannot,
    and `fix` what to do, as a command if possible.
    """

    kind: str = ""
    problem: str = ""
    fix: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether the path is known not to exist."""
        return not self.kind and not self.problem


def real_path(path: Path | str) -> Path:
    """Return a path without symbolic links.

    If one is removed while it is read, return the path with its links.
    """
    try:
        return Path(os.path.realpath(path))
    except OSError:
        return Path(os.path.abspath(path))  # noqa: PTH100 - does not follow links


def inspect_path(path: Path) -> PathInfo:
    """Return what is at a path."""
    try:
        status = path.stat()
    except OSError as error:
        return (
            PathInfo()
            if error.errno in _NOTHING
            else PathInfo("", *_explained(path, error, os.R_OK))
        )
    return PathInfo(_kind(status))


def _kind(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "special file")


def leads_nowhere(path: Path) -> bool:
    """Return whether a path is a link to itself, or into something that is not a directory."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path.is_symlink() and inspect_path(real_path(path).parent).kind != DIRECTORY
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; False if this user cannot tell."""
    return inspect_path(path).kind == FILE


def entries_to(path: Path) -> Iterator[Path]:
    """Yield each directory entry on the way to an absolute path, and follow each symbolic link.

    No parent of an entry is a link. So these parents are all directories in which the path could be
    made to lead elsewhere. Stop at a link that the system no longer follows.
    """
    at, rest, links = Path("/"), [*reversed(path.parts[1:])], 0
    while rest:
        name = rest.pop()
        if name == "..":  # of a link's target
            at = at.parent
            continue
        entry = at / name
        yield entry
        try:
            target = entry.readlink()
        except OSError:
            at = entry
            continue
        links += 1
        if links > MAX_LINKS:
            return
        if target.is_absolute():
            at, target = Path("/"), target.relative_to(target.anchor)
        rest += reversed(target.parts)


@dataclass(frozen=True)
class Content:
    """The content of a file. `problem` says why it cannot be read, `fix` what to do."""

    data: bytes = field(default=b"", repr=False)
    problem: str = ""
    fix: str = ""
    kind: str = ""


def read(path: Path, most_bytes: int | None = None) -> Content:
    """Read a file, or its last `most_bytes` bytes."""
    info = inspect_path(path)
    if info.problem:
        return Content(b"", info.problem, info.fix)
    if not info.kind:
        return Content(b"", f"{path} not found")
    if info.kind != FILE:
        return _no_file(path, info.kind)
    try:
        # Another user may have exchanged it for a FIFO since.
        with open(path, "rb", opener=_open_at_once) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return _no_file(path, _kind(status))
            if most_bytes is not None:
                stream.seek(max(0, status.st_size - most_bytes))
            limit = MAX_FILE_BYTES if most_bytes is None else most_bytes
            data = stream.read(limit + 1)
            if len(data) > limit and most_bytes is None:
                return Content(b"", f"{path} is larger than 1 MiB", inspection_hint(path), FILE)
            return Content(data[:limit], kind=FILE)
    except OSError as error:
        return Content(b"", *_explained(path, error, os.R_OK), FILE)


def require_no_links(base: Path, file: Path) -> None:
    """Raise HostError if a file, or a directory on the way to it from `base`, is a symbolic link.

    In a checkout that is not trusted, a link could lead to any of the user's files.
    """
    path = base
    for part in file.parts:
        path /= part
        if path.is_symlink():
            raise HostError(
                f"{path} is a symbolic link to {path.readlink()}. oauthkit does not write through"
                " links in a project. Remove the link"
            )


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file atomically, and create its directory. Raise HostError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, mode)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from None


def _open_at_once(path: str, flags: int) -> int:
    """Open a file. A FIFO is opened, too, without waiting for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _no_file(path: Path, kind: str) -> Content:
    problem = f"{path} is not a file but a {kind}"
    return Content(b"", problem, clearing(path), kind)


def clearing(path: Path) -> str:
    """Return a command that makes room for a new entry at a path.

    The command removes an empty directory, and renames anything else. For a device, a socket, or an
    entry outside the user's directories, only advise to inspect it: the path can come from a
    project's refresh.conf.
    """
    if not may_remove(path):
        return inspection_hint(path)
    is_link = os.path.islink(path)  # noqa: PTH114 - raises nothing
    with suppress(OSError):  # also raised if it is not a directory
        if not is_link and not os.listdir(path):  # noqa: PTH208 - one error for all
            return f"rmdir {quoted(path)}"
    return f"mv {quoted(path)} {quoted(_free_name(path))}"


def _free_name(path: Path) -> Path:
    """Return an unused name: PATH.old, PATH.old1, ….

    If the name existed, mv(1) would replace the file, or move into the directory.
    """
    numbers = itertools.chain([""], itertools.count(1))
    names = (Path(f"{path}.old{number}") for number in numbers)
    return next(name for name in names if not os.path.lexists(name))


def _explained(path: Path, error: OSError, wanted: int) -> tuple[str, str]:
    """Explain an error at a path. Return the problem and the fix."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        shown = f"{path} leads to {real_path(path)}, which" if leads_away(path) else path
        fix = access_fix(path, wanted) or inspection_hint(path)
        return f"{shown} is not readable", fix
    if error.errno == errno.ENAMETOOLONG:
        return f"{path}: {error.strerror}", "use a shorter name"
    if error.errno == errno.ELOOP:
        return f"{path} is a link that leads to itself", clearing(path)
    return f"{path} is not readable: {error.strerror}", f"check the file system of {quoted(path)}"


def access_fix(path: Path, wanted: int, base: Path | None = None) -> str:
    """Return the command that gives this user the access `wanted` (os.R_OK, …) to a path.

    "" if the user has it, or nothing is there. If a link leads out of `base` (see leads_away), or
    the file is not the user's own, only advise to inspect it.
    """
    real = real_path(path)
    missing = _missing(real, wanted)
    if missing is None:
        return ""
    blocking, rights = missing
    with suppress(OSError):  # another process may remove it at any moment
        if not leads_away(path, base) and may_change(blocking):
            return _opening(blocking, rights)
    return inspection_hint(path)


def _opening(blocking: Path, rights: int) -> str:
    """Return the command that gives this user more rights to a path."""
    letters = "".join(letter for right, letter in _RIGHTS if rights & right)
    if os.statvfs(blocking).f_flag & os.ST_RDONLY and rights & os.W_OK:
        # It may be read-only on purpose.
        return f"its file system is mounted read-only: findmnt -T {quoted(blocking)}"
    if blocking.stat().st_uid == os.getuid():
        return f"chmod u+{letters} {quoted(blocking)}"
    # -h: another user who can write the directory may have put a link there since.
    # A run does not replace a file of a group that the user is not in. A directory keeps its group.
    group = f":{os.getgid()}" if is_file(blocking) else ""
    return as_root(f"chown -h {os.getuid()}{group} {quoted(blocking)}")


def _missing(real: Path, wanted: int) -> tuple[Path, int] | None:
    """Return what denies this user access to a real path, and the access that it must give."""
    for directory in reversed(real.parents):
        if inspect_path(directory).kind == DIRECTORY and not os.access(directory, os.X_OK):
            is_near = directory == real.parent
            return directory, os.R_OK | os.W_OK | os.X_OK if is_near else os.X_OK
    is_there = os.access(real, os.F_OK)
    return None if not is_there or os.access(real, wanted) else (real, wanted)


def leads_away(path: Path, base: Path | None = None) -> bool:
    """Return whether links lead from a path in `base` to a path outside it.

    By default, and for a path that is not in it, `base` is the path's own directory.
    """
    if base is None or not path.is_relative_to(base):
        base = path.parent
    try:
        return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(base))
    except OSError:  # a link was removed while it was read
        return True


def may_change(path: Path, base: Path | None = None) -> bool:
    """Return whether to suggest a command that changes a path.

    False if a link leads out of `base` (see leads_away), and for a device. The file must belong to
    the user, or be in the user's home or in a directory that belongs to the user. Root owns
    all system files. For root, the file must therefore be outside the system directories, and no
    other user may be able to put a link in its place.
    """
    real = real_path(path)
    with suppress(OSError):  # another process may remove it at any moment
        if os.getuid() == 0 and _is_replaceable(real):
            return False
        is_device = _kind(real.stat()) == "device"
        return not is_device and not leads_away(path, base) and _is_own(real, real)
    return False


def _is_replaceable(real: Path) -> bool:
    """Return whether a user other than root can put a link in place of a path: chmod(1) follows it.

    A link in place of a directory above it has the same effect.
    """
    for entry in (real, *real.parents[:-1]):
        directory = entry.parent.stat()
        is_kept = directory.st_mode & stat.S_ISVTX and entry.stat().st_uid == 0
        if directory.st_uid != 0 or (directory.st_mode & 0o022 and not is_kept):
            return True
    return False


def may_remove(path: Path) -> bool:
    """Return whether to suggest a command that removes or renames an entry.

    If the entry is a link, check the link, not its target. False for a device or a socket, and for
    an entry below /run.
    """
    directory = real_path(path.parent)
    entry = directory / path.name
    with suppress(OSError):
        # A program may be listening on a socket, for example the user's D-Bus. A link to /dev/null
        # can mask a unit.
        kinds = {_kind(entry.lstat())}
        with suppress(OSError):
            kinds.add(_kind(entry.stat()))
        is_odd = not kinds.isdisjoint({"device", "socket"})
        return not is_odd and not entry.is_relative_to(RUN) and _is_own(directory, entry)
    return False


def _is_own(real: Path, entry: Path) -> bool:
    """Return whether `real` is the user's.

    For root, `entry` must also be outside the system directories (see may_change).
    """
    uid = os.getuid()
    if uid == 0 and (len(entry.parts) <= 2 or entry.parts[1] in _SYSTEM):
        return False
    home = real_path(os.environ.get("HOME") or "/")
    is_at_home = home in real.parents and home.stat().st_uid == uid
    return is_at_home or uid in {real.stat().st_uid, real.parent.stat().st_uid}


def inspection_hint(path: Path) -> str:
    """Return the advice to inspect a path before changing it."""
    real = real_path(path)
    both = [quoted(path)] if real == path else [quoted(path), quoted(real)]
    return f"check its owner before you change anything: ls -ld {' '.join(both)}"


def creating(directory: Path, options: str = "-p") -> str:
    """Return the command that creates a directory.

    If the nearest directory that exists is not the user's, only advise to inspect that.
    """
    real = real_path(directory)
    above = next(x for x in real.parents if not inspect_path(x).is_nothing)
    if inspect_path(above).kind != DIRECTORY:
        return clearing(above)
    is_own = _is_own(above, real)
    return f"mkdir {options} {quoted(directory)}" if is_own else inspection_hint(above)


def quoted(path: Path) -> str:
    """Quote a path for a shell."""
    return quote(str(path))


def changing(base: Path, path: Path, command: str) -> str:
    """Return a command with the file that it changes, or advice to inspect the file first.

    `base` is the directory out of which no link may lead (see may_change).
    """
    if may_change(path, base):
        return f"{command} {quoted(real_path(path))}"
    return inspection_hint(path)
