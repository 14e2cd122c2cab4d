"""What stands at a path, and what helps where that cannot be seen.

Path.exists, is_file and is_dir raise an error where a folder is closed to this user or a name is
too long; what is here says so instead.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from oauthkit.host.display import quote

FILE, FOLDER = "file", "folder"
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: FOLDER,
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_NOTHING = {errno.ENOENT, errno.ENOTDIR}
_RIGHTS = ((os.R_OK, "r"), (os.W_OK, "w"), (os.X_OK, "x"))


# No file that oauthkit reads whole is larger.
LARGEST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Sight:
    """What is at a path, links followed: `kind` is "" if nothing is there, or nobody can say.

    `problem` is why nobody can, and `mend` what helps then, a command if there is one.
    """

    kind: str = ""
    problem: str = ""
    mend: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether it is known that nothing is there."""
        return not self.kind and not self.problem


def look(path: Path) -> Sight:
    """What is at a path."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Sight() if error.errno in _NOTHING else Sight("", *_explained(path, error, os.R_OK))
    return Sight(_KINDS.get(stat.S_IFMT(mode), "thing of another kind"))


def is_file(path: Path) -> bool:
    """Whether a file is there, as far as this user can see."""
    return look(path).kind == FILE


@dataclass(frozen=True)
class Content:
    """What is in a file: `problem` is why it cannot be read, with `mend` as in Sight."""

    data: bytes = field(default=b"", repr=False)
    problem: str = ""
    mend: str = ""
    kind: str = ""


def read(path: Path, most_bytes: int | None = None) -> Content:
    """The content of a file, or that of its end."""
    sight = look(path)
    if sight.problem:
        return Content(b"", sight.problem, sight.mend)
    if not sight.kind:
        return Content(b"", f"{path} not found")
    if sight.kind != FILE:  # a FIFO would never end
        problem = f"{path} is not a file but a {sight.kind}"
        return Content(b"", problem, f"rm -d {quoted(path)}", sight.kind)
    try:
        with path.open("rb") as stream:
            if most_bytes is not None:
                stream.seek(max(0, path.stat().st_size - most_bytes))
            limit = LARGEST_BYTES if most_bytes is None else most_bytes
            data = stream.read(limit + 1)
            if len(data) > limit and most_bytes is None:
                return Content(b"", f"{path} is larger than 1 MiB", inspecting(path), FILE)
            return Content(data[:limit], kind=FILE)
    except OSError as error:
        return Content(b"", *_explained(path, error, os.R_OK), FILE)


def _explained(path: Path, error: OSError, wanted: int) -> tuple[str, str]:
    """Explain an error at a path; return the problem and the fix."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        shown = f"{path} leads to {os.path.realpath(path)}, which" if leads_away(path) else path
        fix = opening(path, wanted) or inspecting(path)
        return f"{shown} is not readable", fix
    if error.errno == errno.ENAMETOOLONG:
        return f"{path}: {error.strerror}", "give a shorter name"
    if error.errno == errno.ELOOP:
        return f"{path} is a link that leads to itself", f"rm {quoted(path)}"
    return f"{path} is not readable: {error.strerror}", f"see what {quoted(path)} lies on"


def opening(path: Path, wanted: int, base: Path | None = None) -> str:
    """Return the command that gives this user the rights `wanted` (os.R_OK, …) to a path.

    "" if the user has them, or nothing is there. Where a link leads out of `base` (see
    leads_away), or to what is not the user's own, nothing is advised that changes it.
    """
    real = Path(os.path.realpath(path))
    missing = _missing(real, wanted)
    if missing is None:
        return ""
    blocking, rights = missing
    if leads_away(path, base) or not may_change(blocking):
        return inspecting(path)
    letters = "".join(letter for right, letter in _RIGHTS if rights & right)
    if os.statvfs(blocking).f_flag & os.ST_RDONLY and rights & os.W_OK:
        return f"sudo mount -o remount,rw {quoted(_mount_of(blocking))}"
    if blocking.stat().st_uid == os.getuid():
        return f"chmod u+{letters} {quoted(blocking)}"
    return f"sudo chown {os.getuid()} {quoted(blocking)}"


def _missing(real: Path, wanted: int) -> tuple[Path, int] | None:
    """Return what keeps this user from a real path, and the rights that it needs."""
    for folder in reversed(real.parents):
        if look(folder).kind == FOLDER and not os.access(folder, os.X_OK):
            is_near = folder == real.parent
            return folder, os.R_OK | os.W_OK | os.X_OK if is_near else os.X_OK
    is_there = os.access(real, os.F_OK)
    return None if not is_there or os.access(real, wanted) else (real, wanted)


def leads_away(path: Path, base: Path | None = None) -> bool:
    """Return whether links lead from a path below `base` to a place outside of it.

    By default, and for a path that is not below it, `base` is the path's own directory.
    """
    if base is None or not path.is_relative_to(base):
        base = path.parent
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(base))


def may_change(path: Path, base: Path | None = None) -> bool:
    """Return whether a command that changes a path may be advised.

    Not where a link leads out of `base` (see leads_away). What is there must be the user's, or lie
    in the user's home or in a directory of the user's.
    """
    if leads_away(path, base):
        return False
    real = Path(os.path.realpath(path))
    home = Path(os.path.realpath(os.environ.get("HOME") or "/"))
    uid = os.getuid()
    is_at_home = home in real.parents and home.stat().st_uid == uid
    return is_at_home or uid in {real.stat().st_uid, real.parent.stat().st_uid}


def inspecting(path: Path) -> str:
    """Return what to do about a path that no command should change unseen."""
    real = Path(os.path.realpath(path))
    both = [quoted(path)] if real == path else [quoted(path), quoted(real)]
    return f"see whose it is before you change anything: ls -ld {' '.join(both)}"


def _mount_of(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_mount())


def quoted(path: Path) -> str:
    """Return a path as a word of a command."""
    return quote(str(path))
