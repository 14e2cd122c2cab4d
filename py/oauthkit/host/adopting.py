"""Moves a NanoClaw checkout from scripts/refresh-oauth.sh to scripts/oauth/refresh.sh."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = Callable[[str], None]

OLD = "scripts/refresh-oauth.sh"
NEW = "scripts/oauth/refresh.sh"
# What a checkout gets: where it goes, and its mode. The wheel carries them under their last names.
GIVEN = {
    NEW: 0o755,
    "scripts/oauth/README.md": 0o644,
    "container/skills/refresh-oauth/SKILL.md": 0o644,
}
NAME = "refresh-oauth.sh"
# 'scripts', 'refresh-oauth.sh' as two arguments, in whatever quotes and on whatever lines.
_ARGUMENTS = re.compile(
    r"""(?P<folder>(?P<q>['"`])scripts(?P=q)\s*,\s*)(?P<r>['"`])refresh-oauth\.sh(?P=r)"""
)
# The path as one text; what stands before it may be a folder, but no part of a name.
_PATH = re.compile(r"(?<![\w.-])scripts/refresh-oauth\.sh(?![\w.-])")


class AdoptError(Exception):
    """Raised when a checkout cannot be changed; the text says why and what would help."""


@dataclass(frozen=True)
class Change:
    """A file of the checkout, before and after; None is no file."""

    file: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None

    def diff(self) -> str:
        """The change as a unified diff."""
        old, new = (_lines(content) for content in (self.before, self.after))
        old_name = "/dev/null" if self.before is None else f"a/{self.file}"
        new_name = "/dev/null" if self.after is None else f"b/{self.file}"
        return "".join(difflib.unified_diff(old, new, old_name, new_name))

    def said(self) -> str:
        """What is done, in words."""
        if self.after is None:
            return f"removed {self.file}"
        return f"{'wrote' if self.before is None else 'changed'} {self.file}"


def _lines(content: bytes | None) -> list[str]:
    lines = (content or b"").decode("utf-8", "backslashreplace").splitlines(keepends=True)
    return [line if line.endswith("\n") else f"{line}\n" for line in lines]


def adopt(checkout: Path, *, is_dry: bool, is_forced: bool, say: Say) -> int:
    """Changes the checkout, or shows how: 0, or 1 if something was not understood and is left.

    AdoptError if it is no checkout, or has changes that are not committed and `is_forced` is not.
    """
    files = _tracked(checkout, is_forced=is_forced)
    changes = [*_given(checkout), *_references(checkout, files)]
    if (checkout / OLD).is_file():
        changes.append(Change(OLD, (checkout / OLD).read_bytes(), None))
    for change in changes:
        if is_dry:
            say(change.diff().rstrip("\n"))
        else:
            _make(checkout, change)
            say(change.said())
    if not changes:
        say("nothing is to be changed")
    left = [*_left(checkout, files, changes)]
    for place in left:
        say(f"not understood, and left as it is: {place}")
    return 1 if left else 0


def _tracked(checkout: Path, *, is_forced: bool) -> list[str]:
    """The files that git knows. AdoptError if there is no git, or what is changed would be lost."""
    if not checkout.is_dir():
        raise AdoptError(f"{str(checkout)!r} is not a folder")
    listing = _git(checkout, "ls-files", "-z")
    if not is_forced and _git(checkout, "status", "--porcelain"):
        raise AdoptError(
            f"{checkout} has changes that are not committed: commit or stash them, or use --force"
        )
    return [os.fsdecode(name) for name in listing.split(b"\0") if name]


def _git(checkout: Path, *arguments: str) -> bytes:
    argv = ["git", "-C", str(checkout), *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise AdoptError("git is not in PATH") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise AdoptError(f"git cannot tell what is in {checkout}: {said}")
    return done.stdout


def _given(checkout: Path) -> Iterator[Change]:
    """What the checkout gets from this version."""
    for file, mode in GIVEN.items():
        path, content = checkout / file, _carried(file)
        before = path.read_bytes() if path.is_file() else None
        if before != content or path.stat().st_mode & 0o777 & mode != mode:
            yield Change(file, before, content, mode)


def _carried(file: str) -> bytes:
    """The content of a file that this version carries: in the wheel, or in its own checkout."""
    package = Path(__file__).parents[1]
    carried = package / "_data" / Path(file).name
    return (carried if carried.is_file() else package.parents[1] / file).read_bytes()


def _references(checkout: Path, files: list[str]) -> Iterator[Change]:
    """The files that name the old script, with the new one in its place."""
    for file in files:
        before = _text(checkout / file)
        if NAME not in before or file in (OLD, *GIVEN):
            continue
        after = _PATH.sub(NEW, _ARGUMENTS.sub(_arguments, before))
        if after != before:
            yield Change(file, _bytes(before), _bytes(after))


def _arguments(found: re.Match[str]) -> str:
    quote = found["r"]
    return f"{found['folder']}{quote}oauth{quote}, {quote}refresh.sh{quote}"


def _left(checkout: Path, files: list[str], changes: list[Change]) -> Iterator[str]:
    """Where the old script is named in a way that nobody here understands."""
    changed = {change.file: change.after for change in changes}
    for file in files:
        if file in (OLD, *GIVEN):
            continue
        content = changed.get(file)
        text = (
            _text(checkout / file)
            if content is None
            else content.decode("utf-8", "surrogateescape")
        )
        for number, line in enumerate(text.split("\n"), 1):
            if NAME in line:
                yield f"{file}:{number}: {line.strip()[:120]}"


def _text(path: Path) -> str:
    """The text of a file that git knows; "" for a link, a submodule, or what is no text."""
    if path.is_symlink() or not path.is_file():
        return ""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _make(checkout: Path, change: Change) -> None:
    path = checkout / change.file
    try:
        if change.after is None:
            path.unlink()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = change.mode if change.mode is not None else path.stat().st_mode & 0o7777
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(change.after)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        raise AdoptError(f"{path} cannot be changed: {error.strerror}") from None
