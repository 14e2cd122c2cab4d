"""Moves a NanoClaw checkout from scripts/refresh-oauth.sh to scripts/oauth/refresh.sh."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from oauthkit.atomic import replace_file
from oauthkit.host import cron, units
from oauthkit.host.files import GIVEN, SCRIPT, carried
from oauthkit.host.limits import SOURCES, raise_limits, short_limits
from oauthkit.host.places import HostError, NoFolderError
from oauthkit.host.wording import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = Callable[[str], None]

OLD = "scripts/refresh-oauth.sh"
NEW = SCRIPT
NAME = "refresh-oauth.sh"
# Any mention of it that is left, whole or in parts; not the folder of the skill, which is to stay.
_MENTION = re.compile(r"(?<!skills/)refresh-oauth")
LOOKS_LIKE = ("package.json", "src", "container")
# 'scripts', 'refresh-oauth.sh' as two arguments, in whatever quotes and on whatever lines.
_ARGUMENTS = re.compile(
    r"""(?P<folder>(?P<q>['"`])scripts(?P=q)\s*,\s*)(?P<r>['"`])refresh-oauth\.sh(?P=r)"""
)
# The path as one text; what stands before it may be a folder, but no part of a name.
_PATH = re.compile(r"(?<![\w.-])scripts/refresh-oauth\.sh(?![\w.-])")
_BEFORE = re.compile(r"""[^\s'"`()<>]*""")  # read from its end
# A URL, or a folder beside one that the path has gone up to: a script of something else.
_ELSEWHERE = re.compile(r"://|(?:\A|/)\.\./+(?:\.\./+)*(?!\.\./)[^/]+/")
LONGEST_BEFORE = 1000
# What git says of a folder that is of no checkout.
NO_REPOSITORY = "not a git repository"


@dataclass(frozen=True)
class Change:
    """A file of the checkout, before and after; None is no file."""

    file: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None

    def diff(self) -> list[str]:
        """Return the lines of a unified diff."""
        old, new = (_lines(content) for content in (self.before, self.after))
        old_name = "/dev/null" if self.before is None else f"a/{self.file}"
        new_name = "/dev/null" if self.after is None else f"b/{self.file}"
        return [*difflib.unified_diff(old, new, old_name, new_name, lineterm="")]

    def said(self) -> str:
        """What is done, in words."""
        if self.after is None:
            return f"removed {self.file}"
        return f"{'wrote' if self.before is None else 'changed'} {self.file}"


def _lines(content: bytes | None) -> list[str]:
    text = (content or b"").decode("utf-8", "backslashreplace")
    return text.removesuffix("\n").split("\n") if text else []


def adopt(checkout: Path, say: Say, *, is_dry: bool, is_forced: bool, raises: bool) -> int:
    """Changes the checkout, or shows how: 0, or 1 if something was not understood and is left.

    With `raises` also time limits around calls of the script that are too short for it. HostError,
    with nothing changed, if it is no checkout, if a change would go outside of it, or if git could
    not give back what would be lost and `is_forced` is not.
    """
    files = _tracked(checkout)
    if not is_forced:
        _demand_nanoclaw(checkout)
    others = _listed(checkout, "--others", "--exclude-standard")
    changes = [*_given(checkout), *_references(checkout, files, raises=raises), *_old(checkout)]
    for change in changes:
        _demand_place(checkout, change)
    if changes and not is_forced:
        _demand_committed(checkout, changes)
    for change in changes:
        for line in change.diff() if is_dry else _make(checkout, change):
            say(line)
    if not changes:
        say("nothing is to be changed")
    left = [*_left(checkout, [*files, *others], changes), *_outside(checkout)]
    for place in left:
        say(f"not understood, and left as it is: {place}")
    if left and not is_dry:
        say(f"what is left may call {OLD}, which is no more: mend it by hand")
    limits = [*_limits(checkout, files, changes)]
    for limit in limits:
        say(f"too short: {limit}")
    if limits and not raises:
        say("--raise-limits changes those that are plain numbers")
    if not is_dry:
        _say_what_is_next(checkout, changes, say)
    return 1 if left or limits else 0


def _say_what_is_next(checkout: Path, changes: list[Change], say: Say) -> None:
    built = next(_built(checkout), "")
    if built:
        say(f"now build and restart NanoClaw, npm run build: {built} is of before")
    elif any(PurePosixPath(change.file).suffix in SOURCES for change in changes):
        say("now build and restart NanoClaw: its sources have changed")
    # A timer that the old script has armed would find nothing; a new script has armed none yet.
    if any(change.file in (OLD, *GIVEN) for change in changes):
        say(f"now run: bash {quote(str(checkout.absolute() / NEW))}")
    is_new = any(change.file == NEW and change.before is None for change in changes)
    if is_new and all(change.file != OLD for change in changes):
        say("then let the host call it: scripts/oauth/README.md, When to run it")


def _built(checkout: Path) -> Iterator[str]:
    """What was made of the sources and calls the old script; git does not know it."""
    for path in sorted((checkout / "dist").rglob("*.js")):
        for number, line in enumerate((_text(path) or "").split("\n"), 1):
            if NAME in line:
                yield f"{path.relative_to(checkout)}:{number}"


# --- What git says ---


def _tracked(checkout: Path) -> list[str]:
    """The files that git knows. HostError if there is no git, or this is no whole checkout."""
    if not checkout.is_dir():
        raise NoFolderError(f"{str(checkout)!r} is not a folder: give a checkout of NanoClaw")
    top = os.fsdecode(_git(checkout, "rev-parse", "--show-toplevel").removesuffix(b"\n"))
    if not checkout.samefile(top):
        raise HostError(f"{checkout} is only a part of the checkout {top}")
    return _listed(checkout)


def _listed(checkout: Path, *which: str) -> list[str]:
    listing = _git(checkout, "ls-files", "-z", *which)
    return list(dict.fromkeys(os.fsdecode(name) for name in listing.split(b"\0") if name))


def _demand_nanoclaw(checkout: Path) -> None:
    """HostError for a folder that has not what every checkout of NanoClaw has."""
    missing = [name for name in LOOKS_LIKE if not (checkout / name).exists()]
    if missing:
        raise HostError(
            f"{checkout} does not look like a checkout of NanoClaw, there is no"
            f" {' and no '.join(missing)}: give another folder, or use --force"
        )


def _demand_committed(checkout: Path, changes: list[Change]) -> None:
    """HostError if a change would destroy what git does not have, whatever git status hides."""
    if _git(checkout, "status", "--porcelain", "--untracked-files=all"):
        raise HostError(
            f"{checkout} has changes that are not committed: commit or stash them, or use --force"
        )
    for change in changes:
        if change.before is not None and not _is_committed(checkout, change):
            raise HostError(
                f"{change.file} is not in the last commit as it is now, and would be lost:"
                " commit it or move it away, or use --force"
            )


def _is_committed(checkout: Path, change: Change) -> bool:
    """Whether the last commit has the file as it is, or as a checkout writes it (CRLF)."""
    try:
        return any(
            _git(checkout, "cat-file", how, f"HEAD:{change.file}") == change.before
            for how in ("blob", "--filters")
        )
    except HostError:
        return False


def _git(checkout: Path, *arguments: str) -> bytes:
    # A hook or a rebase sets GIT_DIR and others, which lead to a repository of their own.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env["LC_ALL"] = "C"  # for NO_REPOSITORY
    argv = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(
            argv, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=env
        )
    except FileNotFoundError:
        raise HostError("git is not in PATH") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        way = ""
        if NO_REPOSITORY in said:
            way = (
                ": run git init there and commit all of it, or copy the files by hand: README.md of"
                " oauthkit, The script alone"
            )
        raise HostError(f"git cannot tell what is in {checkout}: {said}{way}")
    return done.stdout


# --- What is to be changed ---


def _given(checkout: Path) -> Iterator[Change]:
    """What the checkout gets from this version."""
    for file, mode in GIVEN.items():
        path, content = checkout / file, carried(file).read_bytes()
        if not _is_as_given(path, content, mode):
            yield Change(file, _before(path), content, mode)


def _is_as_given(path: Path, content: bytes, mode: int) -> bool:
    try:
        return path.read_bytes() == content and path.stat().st_mode & mode == mode
    except OSError:
        return False


def _old(checkout: Path) -> Iterator[Change]:
    path = checkout / OLD
    if path.is_symlink() or path.is_file():
        yield Change(OLD, _before(path), None)


def _before(path: Path) -> bytes | None:
    """What is there, as git has it: of a link where it leads, None if there is nothing.

    HostError for what is there and cannot be read.
    """
    try:
        return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}") from None


def _demand_place(checkout: Path, change: Change) -> None:
    """HostError if the place of a change is outside of the checkout, or cannot be written."""
    path = checkout / change.file
    top, parent = checkout.resolve(), Path(os.path.realpath(path.parent))
    if not parent.is_relative_to(top):
        raise HostError(f"{path} cannot be changed: a link leads to {parent}, out of the checkout")
    while not os.path.lexists(parent):
        parent = parent.parent
    if not parent.is_dir():
        raise HostError(f"{path} cannot be changed: {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise HostError(f"{path} cannot be changed: {parent} cannot be written")


def _references(checkout: Path, files: list[str], *, raises: bool) -> Iterator[Change]:
    """The files that name the old script, with the new one in its place."""
    for file in files:
        if file in (OLD, *GIVEN) or Path(file).name == ".gitignore":
            continue
        before = _text(checkout / file) or ""
        after = _PATH.sub(_path, _ARGUMENTS.sub(_arguments, before)) if NAME in before else before
        if raises and "refresh.sh" in after:
            after = raise_limits(file, after)
        if after != before:
            yield Change(file, _bytes(before), _bytes(after))


def _arguments(found: re.Match[str]) -> str:
    quote = found["r"]
    return f"{found['folder']}{quote}oauth{quote}, {quote}refresh.sh{quote}"


def _path(found: re.Match[str]) -> str:
    start = found.start()
    before = _BEFORE.match(found.string[max(0, start - LONGEST_BEFORE) : start][::-1])
    return found[0] if before and _ELSEWHERE.search(before[0][::-1]) else NEW


def _limits(checkout: Path, files: list[str], changes: list[Change]) -> Iterator[str]:
    """Where a call of the script is ended before it can have done its work."""
    changed = {change.file: change.after for change in changes}
    for file in files:
        if file in (OLD, *GIVEN):
            continue
        content = changed.get(file)
        text = _text(checkout / file) if content is None else _decoded(content)
        if text is None or "refresh.sh" not in text:
            continue
        line, counted = 1, 0
        for limit in short_limits(file, text):
            line += text.count("\n", counted, limit.start)
            counted = limit.start
            yield f"{file}:{line}: {limit.said()}"


def _left(checkout: Path, files: list[str], changes: list[Change]) -> Iterator[str]:
    """Where the old script is named in a way that nobody here understands."""
    changed = {change.file: change.after for change in changes}
    old = os.path.realpath(checkout / "scripts") + f"/{NAME}"
    for file in files:
        if file in (OLD, *GIVEN) or Path(file).name.upper().startswith("CHANGELOG"):
            continue
        path, content = checkout / file, changed.get(file)
        if path.is_symlink():
            target = os.fspath(path.readlink())
            if _MENTION.search(target) or os.path.realpath(path) == old:
                yield f"{file}: a link to {target}"
            continue
        text = _text(path) if content is None else _decoded(content)
        if text is None:
            yield f"{file}: cannot be read"
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if _MENTION.search(line):
                yield f"{file}:{number}: {line.strip()[:120]}"


def _outside(checkout: Path) -> Iterator[str]:
    """Where this user's units or crontab name the old script of this checkout."""
    texts = {"crontab": cron.crontab()}
    folder = units.folder() if os.environ.get("HOME") else None
    for path in sorted(folder.glob("*.*")) if folder else []:
        texts[str(path)] = _text(path) or ""
    wanted = {f"{place}/{OLD}" for place in (checkout.absolute(), checkout.resolve())}
    for name, text in texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if any(place in line for place in wanted):
                yield f"{name}:{number}: {line.strip()[:120]}"


def _text(path: Path) -> str | None:
    """The text of a file that git knows; "" for a link, a submodule, or what is no text.

    None for a file that cannot be read.
    """
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        content = path.read_bytes()
    except OSError:
        return None
    return "" if b"\0" in content else _decoded(content)


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _make(checkout: Path, change: Change) -> list[str]:
    """Apply a change; return the lines that report it."""
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
    return [change.said()]
