"""Search a checkout for calls to the old script, and replace those that are understood."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from oauthkit.host.adopt import nanoclaw
from oauthkit.host.adopt.changes import Change
from oauthkit.host.adopt.files import MAX_BYTES, encode, read_text
from oauthkit.host.adopt.nanoclaw import OLD
from oauthkit.host.errors import HostError
from oauthkit.host.shipped_files import CHECKOUT_FILES
from oauthkit.host.shipped_files import SCRIPT as NEW
from oauthkit.host.status.login import VARIABLE
from oauthkit.host.systemd import cron, installed_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oauthkit.host.adopt.git import Git

    Say = Callable[[str], None]

NAME = "refresh-oauth.sh"
# Matches a remaining mention, in one string or two. The skill's name, without .sh, does not match.
MENTION = re.compile(r"""refresh-oauth(?:['"`]\s*\+\s*['"`])?\.sh""")
# 'scripts', 'refresh-oauth.sh' as two arguments, in any quotes, on one line or two.
_ARGUMENTS = re.compile(
    r"""(?P<directory>(?P<q>['"`])scripts(?P=q)\s*,\s*)(?P<r>['"`])refresh-oauth\.sh(?P=r)"""
)
# The path as one string. A directory may precede it, but not a part of a name.
_PATH = re.compile(r"(?<![\w.-])scripts/refresh-oauth\.sh(?![\w.-])")
_BEFORE = re.compile(r"""[^\s'"`()<>]*""")  # matched backwards
LONGEST_BEFORE = 1000
# Many names can be links to one file, so the total is limited, too.
MAX_SEARCHED_BYTES = 256 << 20
# All changes are held in memory until it is known that each can be made.
MAX_CHANGED_BYTES = 32 << 20
# How many lines of one kind are printed.
MAX_PRINTED = 100
_TIME_LIMIT = re.compile(r"\btimeout\b")


@dataclass
class Mentions:
    """Collect the first MAX_PRINTED lines of one kind, and count all of them."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, places: Iterable[str]) -> None:
        """Add lines."""
        for place in places:
            self.count += 1
            if self.count <= MAX_PRINTED:
                self.first.append(place)

    def print(self, say: Say, kind: str) -> None:
        """Print the lines, and how many more there are."""
        for place in self.first:
            say(f"{kind}: {place}")
        if self.count > MAX_PRINTED:
            say(f"{kind}: {self.count - MAX_PRINTED} more")


@dataclass
class Survey:
    """The results of searching a checkout's files."""

    changes: list[Change] = field(default_factory=list)
    left: Mentions = field(default_factory=Mentions)  # remaining mentions of the old script
    records: Mentions = field(default_factory=Mentions)  # mentions in documents, which stay
    calls: set[str] = field(default_factory=set)  # the keys of nanoclaw.CALLS in the sources
    uses_token: bool = False  # a source reads the token's variable
    uses_onecli: bool = False
    unsearched: Mentions = field(default_factory=Mentions)
    limits: Mentions = field(default_factory=Mentions)  # time limits near the new script

    def note(self, file: str, text: str) -> None:
        """Record what a file shows about this NanoClaw."""
        self.uses_onecli |= file == "package.json" and nanoclaw.ONECLI in text
        self.uses_onecli |= file.startswith(nanoclaw.ONECLI_SKILL)
        if nanoclaw.is_source(file):
            self.uses_token |= VARIABLE in text
            # The call for a request has --ensure, too.
            others = [line for line in text.splitlines() if nanoclaw.REQUEST not in line]
            self.calls |= {key for key in nanoclaw.CALLS if any(key in line for line in others)}
            self.calls |= {nanoclaw.REQUEST} if nanoclaw.REQUEST in text else set()


def survey(checkout: Path, tracked: list[str], others: list[str]) -> Survey:
    """Search each file once. Change tracked files only; report what remains in all files."""
    found = Survey()
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
                if MENTION.search(target) or (old and _identity(path) == old):
                    found.left.add([f"{file}: a link to {target}"])
                continue
            if searched_bytes > MAX_SEARCHED_BYTES:
                limit = f"{MAX_SEARCHED_BYTES >> 20} MiB have been searched already"
                found.unsearched.add([f"{file}: {limit}"])
                continue
            searched_bytes += _size(path)
            before = read_text(path)
        except OSError as error:
            found.unsearched.add([f"{file}: {error.strerror}"])
            continue
        after = before
        if NAME in before and file in is_tracked and base != ".gitignore" and not is_record:
            after = _PATH.sub(_path, _ARGUMENTS.sub(_arguments, before))
        if after != before:
            found.changes.append(Change(file, encode(before), encode(after)))
            changed_bytes += len(before)
            if changed_bytes > MAX_CHANGED_BYTES:
                raise HostError(
                    f"the files that call {OLD} have more than {MAX_CHANGED_BYTES >> 20} MiB. Use a"
                    " clean clone"
                )
        found.note(file, after)
        (found.records if is_record else found.left).add(mentions_in(file, after, MENTION))
        if "refresh.sh" in after and not base.endswith(".md"):
            found.limits.add(mentions_in(file, after, _TIME_LIMIT))
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


def mentions_in(file: str, text: str, wanted: re.Pattern[str]) -> Iterator[str]:
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


def calls_from_outside(checkout: Path) -> Iterator[str]:
    """Yield the lines of this user's units and crontab that name this checkout's old script."""
    texts = {"crontab": cron.crontab()}
    directory = installed_units.directory() if os.environ.get("HOME") else None
    for path in sorted(directory.glob("*.*")) if directory else []:
        try:
            texts[str(path)] = read_text(path)
        except OSError:
            continue
    wanted = {f"{place}/{OLD}" for place in (checkout.absolute(), checkout.resolve())}
    mention = re.compile("|".join(map(re.escape, sorted(wanted))))
    for name, text in texts.items():
        yield from mentions_in(name, text, mention)


def built_calls(git: Git) -> Iterator[str]:
    """Yield the built, untracked files that call the old script, with their first such line."""
    for file in git.files("--others", "--", "dist/*.js"):
        try:
            yield from mentions_in(file, read_text(git.checkout / file), MENTION)
        except OSError:
            continue
