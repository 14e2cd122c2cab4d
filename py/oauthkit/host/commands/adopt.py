"""Move a NanoClaw checkout from scripts/refresh-oauth.sh to scripts/oauth/refresh.sh.

The checkout is not trusted: only regular files of at most MAX_BYTES are read, MAX_SEARCHED_BYTES in
all. Nothing is written through a symbolic link.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from oauthkit.atomic import replace_file
from oauthkit.host.commands import nanoclaw
from oauthkit.host.commands.git import Git
from oauthkit.host.display import quote
from oauthkit.host.doctor.checks import HOOKS
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.project import CONF_FILE
from oauthkit.host.settings_file import with_settings
from oauthkit.host.shipped_files import CHECKOUT_FILES, SCRIPT, shipped_path
from oauthkit.host.systemd import cron, units
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Say = Callable[[str], None]

OLD = "scripts/refresh-oauth.sh"
NEW = SCRIPT
NAME = "refresh-oauth.sh"
# Any mention that remains, whole or in two strings. The skill has the name without .sh, and stays.
_MENTION = re.compile(r"""refresh-oauth(?:['"`]\s*\+\s*['"`])?\.sh""")
# 'scripts', 'refresh-oauth.sh' as two arguments, in any quotes, on one line or two.
_ARGUMENTS = re.compile(
    r"""(?P<directory>(?P<q>['"`])scripts(?P=q)\s*,\s*)(?P<r>['"`])refresh-oauth\.sh(?P=r)"""
)
# The path as one string. A directory may precede it, but not a part of a name.
_PATH = re.compile(r"(?<![\w.-])scripts/refresh-oauth\.sh(?![\w.-])")
_BEFORE = re.compile(r"""[^\s'"`()<>]*""")  # read from its end
LONGEST_BEFORE = 1000
MAX_BYTES = 1 << 20
# Many names can be links to one file, so the total is limited, too.
MAX_SEARCHED_BYTES = 256 << 20
# All changes are held in memory until it is known that each can be made.
MAX_CHANGED_BYTES = 32 << 20
# How many lines of one kind are printed.
MAX_PRINTED = 100
# How many names a line of the summary has.
MAX_NAMES = 10
SOURCES = (".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs")
_TIME_LIMIT = re.compile(r"\btimeout\b")
# As in scripts/oauth/README.md.
DURATION_HINT = "a refresh may take 10 min"
# Where the refresh writes by default: .env, the log, and the files beside it.
WRITTEN = (
    ".env",
    "logs",
    *(f"logs/oauth-refresh.{name}" for name in ("log", "log.1", "lock", "failing", "login-ending")),
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


@dataclass
class _Places:
    """Collect the first MAX_PRINTED lines of one kind, and count all of them."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, places: Iterable[str]) -> None:
        for place in places:
            self.count += 1
            if self.count <= MAX_PRINTED:
                self.first.append(place)

    def print(self, say: Say, kind: str) -> None:
        for place in self.first:
            say(f"{kind}: {place}")
        if self.count > MAX_PRINTED:
            say(f"{kind}: {self.count - MAX_PRINTED} more")


@dataclass
class _Survey:
    """The results of searching a checkout's files."""

    changes: list[Change] = field(default_factory=list)
    left: _Places = field(default_factory=_Places)  # remaining mentions of the old script
    records: _Places = field(default_factory=_Places)  # mentions in documents, which stay
    calls: set[str] = field(default_factory=set)  # the keys of nanoclaw.CALLS in the sources
    uses_token: bool = False  # a source reads the token's variable
    uses_onecli: bool = False
    unsearched: _Places = field(default_factory=_Places)
    limits: _Places = field(default_factory=_Places)  # time limits near the new script

    def note(self, file: str, text: str) -> None:
        """Note what a file tells about this NanoClaw."""
        self.uses_onecli |= file == "package.json" and nanoclaw.ONECLI in text
        if nanoclaw.is_source(file):
            self.uses_token |= nanoclaw.VARIABLE in text
            self.calls |= {key for key in nanoclaw.CALLS if key in text}


def adopt(
    checkout: Path,
    say: Say,
    *,
    is_dry: bool,
    is_forced: bool,
    settings: Mapping[str, str] | None = None,
) -> int:
    """Change the checkout, or show how. Return 0, or 1 if something may still call the old script.

    `settings` are written to refresh.conf.
    HostError, with nothing changed, if it is not a checkout, or if a change would be written
    through a link. Unless `is_forced`, also if git could not restore what would be lost.
    """
    git = _open_checkout(checkout)
    tracked = git.files()
    if not is_forced:
        nanoclaw.require_nanoclaw(checkout)
    found = _survey(checkout, tracked, git.files("--others", "--exclude-standard"))
    if found.uses_onecli and not found.uses_token and not is_forced:
        raise HostError(
            f"{checkout} is NanoClaw 2 or newer: its containers get the token from OneCLI, not from"
            " .env. Use the hook for OneCLI (examples/hooks of oauthkit), or --force"
        )
    changes = [
        *_shipped(checkout),
        *_conf(checkout, settings or {}),
        *found.changes,
        *_old_scripts(checkout),
    ]
    changes += _gitignore(checkout, changes)
    for change in changes:
        _require_writable(checkout, change)
    if changes and not is_forced:
        _require_committed(git, changes)
    unread = [*_own_files(checkout, tracked)]
    if is_dry:
        _print_summary(checkout, changes, found, say)
    for change in changes:
        for line in change.diff() if is_dry else _apply(checkout, change):
            say(line)
    if not changes:
        say("nothing to change")
    found.left.add(_outside(checkout))
    found.left.print(say, "not understood, left unchanged")
    found.unsearched.print(say, "not searched")
    found.records.print(say, "mentioned in a document, left unchanged")
    if found.left.count and not is_dry:
        say(f"these lines may call {OLD}, which is removed. Fix them by hand")
    found.limits.print(say, f"check this time limit, {DURATION_HINT}")
    for file in unread:
        say(f"read this before you run the refresh: {file}")
    if not is_dry:
        _print_next_steps(git, changes, found, say)
    return 1 if found.left.count or found.unsearched.count else 0


def _print_summary(checkout: Path, changes: list[Change], found: _Survey, say: Say) -> None:
    """Print what would be done, in five lines."""
    kinds: dict[str, list[str]] = {"wrote": [], "changed": [], "removed": []}
    for change in changes:
        kinds[change.kind].append(change.file)
    is_managed = len(nanoclaw.prefixes(checkout)) > 1
    where = f", with the files of {nanoclaw.SKILL}" if is_managed else ""
    say(f"checkout: {checkout.absolute()}{where}")
    for kind, verb in (("wrote", "write"), ("changed", "change"), ("removed", "remove")):
        say(f"would {verb} {len(kinds[kind])}: {', '.join(kinds[kind][:MAX_NAMES]) or 'nothing'}")
    say(f"not understood: {found.left.count} files; not searched: {found.unsearched.count}")


def _print_next_steps(git: Git, changes: list[Change], found: _Survey, say: Say) -> None:
    checkout = git.checkout
    built = _Places()
    built.add(_built(git))
    built.print(say, "calls the old script until the next build")
    if built.count:
        say("now build and restart NanoClaw: npm run build")
    elif any(PurePosixPath(change.file).suffix in SOURCES for change in changes):
        say("now build and restart NanoClaw: its sources have changed")
    # A timer that the old script has started would not find it. The new one has not started any.
    if not any(nanoclaw.in_project(change.file) in (OLD, *CHECKOUT_FILES) for change in changes):
        return
    say(f"now run: bash {quote(str(checkout.absolute() / NEW))}")
    missing = nanoclaw.missing_calls(found.calls)
    if missing:
        say("then add these calls to NanoClaw's sources (docs/host.md of oauthkit):")
        for line in missing:
            say(f"    {line}")


def _built(git: Git) -> Iterator[str]:
    """Yield the built, untracked files that call the old script, with their first such line."""
    for file in git.files("--others", "--", "dist/*.js"):
        try:
            yield from _places(file, _text(git.checkout / file), _MENTION)
        except OSError:
            continue


# --- What git says ---


def _open_checkout(checkout: Path) -> Git:
    """Return git for a checkout. HostError if git is missing, or this is not a checkout's root."""
    if not checkout.is_dir():
        raise UsageError(f"{str(checkout)!r} is not a directory: give a checkout of NanoClaw")
    git = Git(checkout)
    top = git.top()
    if not os.path.exists(top) or not checkout.samefile(top):  # noqa: PTH110 - text from git
        raise HostError(f"{checkout} is only a part of the checkout {top}")
    return git


def _require_committed(git: Git, changes: list[Change]) -> None:
    """Raise HostError if a change would destroy content that git does not have.

    Files that `git status` hides are checked, too.
    """
    if not git.is_clean():
        filters = ""
        if git.filters:
            names = ", ".join(git.filters)
            filters = f" (the git filters {names} were not run)"
        raise HostError(
            f"{git.checkout} has changes that are not committed{filters}. Commit or stash them, or"
            " use --force"
        )
    committed = git.committed(change.file for change in changes if change.before is not None)
    for change in changes:
        if change.before is not None and not _is_blob(committed.get(change.file), change.before):
            raise HostError(
                f"{change.file} differs from the last commit, and would be lost. Commit it or move"
                " it away, or use --force"
            )


def _is_blob(wanted: str | None, content: bytes) -> bool:
    """Return whether a git object ID is that of this content, as it is or with LF line endings.

    git is not asked for the content, because it would run a filter, or return too much.
    """
    kind = hashlib.sha256 if wanted and len(wanted) == 64 else hashlib.sha1
    return wanted is not None and any(
        kind(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest() == wanted
        for body in (content, content.replace(b"\r\n", b"\n"))
    )


# --- Changes ---


def _shipped(checkout: Path) -> Iterator[Change]:
    """Yield the changes that write this version's files."""
    for prefix in nanoclaw.prefixes(checkout):
        for name, mode in CHECKOUT_FILES.items():
            file, content = f"{prefix}{name}", shipped_path(name).read_bytes()
            if not _is_current(checkout / file, content, mode):
                yield Change(file, _before(checkout / file), content, mode)


def _gitignore(checkout: Path, changes: list[Change]) -> Iterator[Change]:
    """Yield the change that makes git ignore the refresh's temporary files and the bearer file."""
    conf = next((x.after for x in changes if x.file == CONF_FILE), _before(checkout / CONF_FILE))
    wanted = [b"/.env.oauthkit.*"]
    found = re.findall(rb"^OAUTHKIT_BEARER=(.+?)\r?$", conf or b"", re.MULTILINE)
    for path in found[-1:]:
        bearer = Path(os.path.abspath(checkout / os.fsdecode(path)))  # noqa: PTH100 - no links
        if bearer.is_relative_to(checkout.absolute()):
            place = bearer.relative_to(checkout.absolute())
            is_alone = place.parent == Path()
            wanted.append(os.fsencode(f"/{place}*" if is_alone else f"/{place.parent}/"))
    before = _before(checkout / ".gitignore")
    lines = (before or b"").splitlines()
    missing = [line for line in wanted if line not in lines]
    if missing:
        start = (before or b"").removesuffix(b"\n") + b"\n" if before else b""
        yield Change(".gitignore", before, start + b"\n".join([*missing, b""]), 0o644)


def _conf(checkout: Path, settings: Mapping[str, str]) -> Iterator[Change]:
    """Yield the change that writes settings to refresh.conf."""
    before = _before(checkout / CONF_FILE) if settings else None
    after = with_settings(before or b"", settings)
    if settings and after != before:
        yield Change(CONF_FILE, before, after, 0o644 if before is None else None)


def _own_files(checkout: Path, tracked: Iterable[str]) -> Iterator[str]:
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
        for hook in (f"{prefix}scripts/oauth/hooks/{event}" for event in HOOKS):
            if find_program(str(checkout / hook)):
                yield hook


def _is_current(path: Path, content: bytes, mode: int) -> bool:
    try:
        return _content(path) == content and path.lstat().st_mode & mode == mode
    except OSError:
        return False


def _old_scripts(checkout: Path) -> Iterator[Change]:
    """Yield the changes that remove the old script."""
    for prefix in nanoclaw.prefixes(checkout):
        path = checkout / prefix / OLD
        if path.is_symlink() or path.is_file():
            yield Change(f"{prefix}{OLD}", _before(path), None)


def _before(path: Path) -> bytes | None:
    """Return the content of a path as git stores it: a link's target, None if nothing is there.

    HostError if it cannot be read.
    """
    try:
        return os.fsencode(path.readlink()) if path.is_symlink() else _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None


def _require_writable(checkout: Path, change: Change) -> None:
    """Raise HostError if a change would be written through a link, or cannot be written."""
    directory, target = checkout, checkout / change.file
    for part in PurePosixPath(change.file).parts[:-1]:
        path = directory / part
        _require_no_link(path)
        if not os.path.lexists(path):
            break
        if not path.is_dir():
            raise HostError(f"{target} cannot be changed: {path} is not a directory")
        directory = path
    if change.after is not None:
        _require_no_link(target)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise HostError(f"{target} cannot be changed: {directory} cannot be written")


def _require_no_link(path: Path) -> None:
    if path.is_symlink():
        raise HostError(
            f"{path} is a symbolic link to {path.readlink()}, and adopt does not write through"
            " links. Remove the link"
        )


def _survey(checkout: Path, tracked: list[str], others: list[str]) -> _Survey:
    """Search each file once. Change tracked files only; report what remains in all files."""
    found = _Survey()
    old = _identity(checkout / OLD)
    is_tracked = {*tracked}
    changed_bytes = searched_bytes = 0
    for file in (*tracked, *others):
        if nanoclaw.in_project(file) in (OLD, *CHECKOUT_FILES):
            continue
        path, base, is_record = checkout / file, PurePosixPath(file).name, nanoclaw.is_record(file)
        try:
            if path.is_symlink():
                target = os.fspath(path.readlink())
                if _MENTION.search(target) or (old and _identity(path) == old):
                    found.left.add([f"{file}: a link to {target}"])
                continue
            if searched_bytes > MAX_SEARCHED_BYTES:
                limit = f"{MAX_SEARCHED_BYTES >> 20} MiB have been searched already"
                found.unsearched.add([f"{file}: {limit}"])
                continue
            searched_bytes += _size(path)
            before = _text(path)
        except OSError as error:
            found.unsearched.add([f"{file}: {error.strerror}"])
            continue
        after = before
        if NAME in before and file in is_tracked and base != ".gitignore" and not is_record:
            after = _PATH.sub(_path, _ARGUMENTS.sub(_arguments, before))
        if after != before:
            found.changes.append(Change(file, _bytes(before), _bytes(after)))
            changed_bytes += len(before)
            if changed_bytes > MAX_CHANGED_BYTES:
                raise HostError(
                    f"the files that call {OLD} have more than {MAX_CHANGED_BYTES >> 20} MiB. Use a"
                    " clean clone"
                )
        found.note(file, after)
        (found.records if is_record else found.left).add(_places(file, after, _MENTION))
        if "refresh.sh" in after and not base.endswith(".md"):
            found.limits.add(_places(file, after, _TIME_LIMIT))
    return found


def _size(path: Path) -> int:
    """Return the maximum number of bytes that are read from a path."""
    try:
        return min(path.lstat().st_size, MAX_BYTES)
    except OSError:
        return 0


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a path's target, or None if there is none."""
    try:
        status = path.stat()
    except OSError:  # also a loop of links
        return None
    return status.st_dev, status.st_ino


def _places(file: str, text: str, wanted: re.Pattern[str]) -> Iterator[str]:
    """Yield a line that shows the first match in a text, and counts the others."""
    matches = ((n, line) for n, line in enumerate(text.split("\n"), 1) if wanted.search(line))
    for number, line in matches:
        count = sum(1 for _ in matches)
        more = f" (and {count} more lines)" if count > 1 else " (and 1 more line)" if count else ""
        yield f"{file}:{number}: {line.strip()[:120]}{more}"


def _arguments(found: re.Match[str]) -> str:
    quote = found["r"]
    return f"{found['directory']}{quote}oauth{quote}, {quote}refresh.sh{quote}"


def _path(found: re.Match[str]) -> str:
    start = found.start()
    before = _BEFORE.match(found.string[max(0, start - LONGEST_BEFORE) : start][::-1])
    return found[0] if before and _is_elsewhere(before[0][::-1]) else NEW


def _is_elsewhere(before: str) -> bool:
    """Return whether a path begins with a URL, or leads up and then into another directory."""
    parts = [part for part in before.split("/")[:-1] if part]
    return "://" in before or any(up == ".." != down for up, down in pairwise(parts))


def _outside(checkout: Path) -> Iterator[str]:
    """Yield the lines of this user's units and crontab that name this checkout's old script."""
    texts = {"crontab": cron.crontab()}
    directory = units.directory() if os.environ.get("HOME") else None
    for path in sorted(directory.glob("*.*")) if directory else []:
        try:
            texts[str(path)] = _text(path)
        except OSError:
            continue
    wanted = {f"{place}/{OLD}" for place in (checkout.absolute(), checkout.resolve())}
    mention = re.compile("|".join(map(re.escape, sorted(wanted))))
    for name, text in texts.items():
        yield from _places(name, text, mention)


def _text(path: Path) -> str:
    """Return a file's text, "" for a directory, a binary file or nothing.

    OSError for a file that cannot be read, is not regular or is larger than MAX_BYTES.
    """
    try:
        content = _content(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except _TooLargeError as error:
        if b"\0" in error.start:
            return ""
        raise
    return "" if b"\0" in content else _decoded(content)


class _TooLargeError(OSError):
    """Raised for a file that is larger than MAX_BYTES."""

    def __init__(self, start: bytes) -> None:
        super().__init__(0, f"it is larger than {MAX_BYTES >> 20} MiB")
        self.start = start


def _content(path: Path) -> bytes:
    """Return the content of a regular file. OSError for anything else; a FIFO does not block."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            content = stream.read(MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > MAX_BYTES:
        raise _TooLargeError(content)
    return content


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _apply(checkout: Path, change: Change) -> list[str]:
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
