"""The files that adopt writes, changes and removes."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.atomic import replace_file
from oauthkit.host.adopt import nanoclaw
from oauthkit.host.adopt.files import read_bytes, stored_content
from oauthkit.host.adopt.nanoclaw import OLD
from oauthkit.host.errors import HostError
from oauthkit.host.path_info import require_no_links
from oauthkit.host.project import CONF_FILE
from oauthkit.host.settings_writer import with_settings
from oauthkit.host.shipped_files import CHECKOUT_FILES, shipped_path
from oauthkit.program import state_files
from oauthkit.program.hooks import EVENTS, HOOKS
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Where the refresh writes by default: .env, the log, and the files beside it.
WRITTEN = (
    ".env",
    "logs",
    *(f"logs/{name}" for name in state_files.NAMES),
)
# Longer files are not compared, because difflib takes cubic time in the lines in the worst case.
MAX_DIFF_BYTES = 64 << 10
MAX_DIFF_LINES = 1500
# For the shipped files, which are longer. They are few, and only one side of each is not trusted.
MAX_SHIPPED_DIFF_BYTES = 256 << 10
MAX_SHIPPED_DIFF_LINES = 5000


@dataclass(frozen=True)
class Change:
    """A file of the checkout, before and after. None if it does not exist."""

    file: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None

    def diff(self) -> list[str]:
        """Return the lines of a unified diff, or one line if the file is too long for that."""
        old, new = _lines(self.before), _lines(self.after)
        count = max(len(old), len(new))
        size = max(len(self.before or b""), len(self.after or b""))
        is_shipped = nanoclaw.in_project(self.file) in CHECKOUT_FILES
        most_lines = MAX_SHIPPED_DIFF_LINES if is_shipped else MAX_DIFF_LINES
        if count > most_lines or size > (MAX_SHIPPED_DIFF_BYTES if is_shipped else MAX_DIFF_BYTES):
            return [f"{self.file}: changed, too long to show: {count} lines, {size} bytes"]
        old_name = "/dev/null" if self.before is None else f"a/{self.file}"
        new_name = "/dev/null" if self.after is None else f"b/{self.file}"
        hunks = [*difflib.unified_diff(old, new, lineterm="")][2:]  # without its own header
        return [f"--- {old_name}", f"+++ {new_name}", *hunks]

    @property
    def kind(self) -> str:
        """What was done: "wrote" a new file, "changed" or "removed" it."""
        if self.after is None:
            return "removed"
        return "wrote" if self.before is None else "changed"


def _lines(content: bytes | None) -> list[str]:
    text = (content or b"").decode("utf-8", "backslashreplace")
    return text.removesuffix("\n").split("\n") if text else []


def shipped(checkout: Path) -> Iterator[Change]:
    """Yield the changes that write this version's files."""
    for prefix in nanoclaw.prefixes(checkout):
        for name, mode in CHECKOUT_FILES.items():
            file, content = f"{prefix}{name}", shipped_path(name).read_bytes()
            if not _is_current(checkout / file, content, mode):
                yield Change(file, stored_content(checkout / file), content, mode)


def _is_current(path: Path, content: bytes, mode: int) -> bool:
    try:
        return read_bytes(path) == content and path.lstat().st_mode & mode == mode
    except OSError:
        return False


def gitignore(checkout: Path, changes: list[Change]) -> Iterator[Change]:
    """Yield the change that makes git ignore the refresh's temporary files and the bearer file."""
    conf = next(
        (x.after for x in changes if x.file == CONF_FILE), stored_content(checkout / CONF_FILE)
    )
    wanted = [b"/.env.oauthkit.*"]
    found = re.findall(rb"^OAUTHKIT_BEARER=(.+?)\r?$", conf or b"", re.MULTILINE)
    for path in found[-1:]:
        bearer = Path(os.path.abspath(checkout / os.fsdecode(path)))  # noqa: PTH100 - no links
        if bearer.is_relative_to(checkout.absolute()):
            place = bearer.relative_to(checkout.absolute())
            is_alone = place.parent == Path()
            wanted.append(os.fsencode(f"/{place}*" if is_alone else f"/{place.parent}/"))
    before = stored_content(checkout / ".gitignore")
    lines = (before or b"").splitlines()
    missing = [line for line in wanted if line not in lines]
    if missing:
        start = (before or b"").removesuffix(b"\n") + b"\n" if before else b""
        yield Change(
            ".gitignore", before, start + b"\n".join([*missing, b""]), None if before else 0o644
        )


def conf(checkout: Path, settings: Mapping[str, str]) -> Iterator[Change]:
    """Yield the change that writes settings to refresh.conf."""
    before = stored_content(checkout / CONF_FILE) if settings else None
    after = with_settings(before or b"", settings)
    if settings and after != before:
        yield Change(CONF_FILE, before, after, 0o644 if before is None else None)


def old_scripts(checkout: Path) -> Iterator[Change]:
    """Yield the changes that remove the old script."""
    for prefix in nanoclaw.prefixes(checkout):
        path = checkout / prefix / OLD
        if path.is_symlink() or path.is_file():
            yield Change(f"{prefix}{OLD}", stored_content(path), None)


def own_files(checkout: Path, tracked: Iterable[str]) -> Iterator[str]:
    """Yield the checkout's own files that a refresh reads, runs or writes.

    These are refresh.conf, executable hooks, and tracked files and links in WRITTEN.
    """
    is_tracked = {*tracked}
    for prefix in nanoclaw.prefixes(checkout):
        for file in (f"{prefix}{name}" for name in WRITTEN):
            # A checkout that was copied, not cloned, can have links that git ignores.
            if file in is_tracked or (checkout / file).is_symlink():
                yield file
        if os.path.lexists(checkout / prefix / CONF_FILE):
            yield f"{prefix}{CONF_FILE}"
        for hook in (f"{prefix}{HOOKS}/{event}" for event in EVENTS):
            if find_program(str(checkout / hook)):
                yield hook


def require_writable(checkout: Path, change: Change) -> None:
    """Raise HostError if a change would be written through a link, or cannot be written."""
    file, target = Path(change.file), checkout / change.file
    require_no_links(checkout, file.parent if change.after is None else file)
    directory = target.parent
    while not os.path.lexists(directory):
        directory = directory.parent
    if not directory.is_dir():
        raise HostError(f"{target} cannot be changed: {directory} is not a directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise HostError(f"{target} cannot be changed: {directory} cannot be written")


def apply(checkout: Path, change: Change) -> list[str]:
    """Apply a change. Return the lines that report it."""
    path = checkout / change.file
    try:
        if change.after is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = change.mode if change.mode is not None else path.stat().st_mode & 0o7777
            replace_file(path, change.after, mode)
    except OSError as error:
        raise HostError(f"{path} cannot be changed: {error.strerror}") from None
    return [f"{change.kind} {change.file}"]
