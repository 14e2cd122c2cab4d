"""Move NanoClaw checkouts from scripts/refresh-oauth.sh to scripts/oauth/refresh.sh.

A checkout is not trusted: reads are limited, nothing is written through a symbolic link, and no
program that its git configuration names is run.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from oauthkit.host.adopt import nanoclaw
from oauthkit.host.adopt.changes import (
    apply,
    conf,
    gitignore,
    old_scripts,
    own_files,
    require_writable,
    shipped,
)
from oauthkit.host.adopt.git import Git
from oauthkit.host.adopt.nanoclaw import OLD
from oauthkit.host.adopt.survey import Mentions, built_calls, calls_from_outside, survey
from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import creating, inspect_path, real_path
from oauthkit.host.shell_commands import quote
from oauthkit.host.shipped_files import CHECKOUT_FILES
from oauthkit.host.shipped_files import SCRIPT as NEW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oauthkit.host.adopt.changes import Change
    from oauthkit.host.adopt.survey import Survey

    Say = Callable[[str], None]

# How many names a line of the summary has.
MAX_NAMES = 10
SOURCES = (".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs")
# As in scripts/oauth/README.md.
DURATION_HINT = "a refresh can take up to 10 min"


def adopt(
    checkout: Path,
    say: Say,
    *,
    is_dry: bool,
    is_forced: bool,
    settings: Mapping[str, str] | None = None,
) -> int:
    """Change the checkout, or show the changes.

    Return 0, or 1 if something may still call the old script.

    `settings` are written to refresh.conf.
    Raise HostError and change nothing if it is not a checkout, or if a change would be written
    through a link. Unless `is_forced`, do the same if git could not restore the lost content.
    """
    git = _open_checkout(checkout)
    tracked = git.files()
    if not is_forced:
        nanoclaw.require_nanoclaw(checkout)
    found = survey(checkout, tracked, git.files("--others", "--exclude-standard"))
    if found.uses_onecli and not found.uses_token and not is_forced:
        raise HostError(
            f"{checkout} is NanoClaw 2 or newer: its containers get the token from OneCLI, not from"
            " .env. Use the hook for OneCLI (oauthkit's examples/hooks), or --force"
        )
    changes = [
        *shipped(checkout),
        *conf(checkout, settings or {}),
        *found.changes,
        *old_scripts(checkout),
    ]
    changes += gitignore(checkout, changes)
    for change in changes:
        require_writable(checkout, change)
    if changes and not is_forced:
        _require_committed(git, changes)
    unread = [*own_files(checkout, tracked)]
    if is_dry:
        _print_summary(checkout, changes, found, say)
    for change in changes:
        for line in change.diff() if is_dry else apply(checkout, change):
            say(line)
    if not changes:
        say("nothing to change")
    found.left.add(calls_from_outside(checkout))
    found.left.print(say, "not understood, left unchanged")
    found.unsearched.print(say, "not searched")
    found.records.print(say, "mentioned in a document, left unchanged")
    if found.left.count and not is_dry:
        say(f"these lines may call {OLD}, which has been removed. Fix them by hand")
    found.limits.print(say, f"this time limit may be too short, because {DURATION_HINT}")
    for file in unread:
        say(f"read this before you run the refresh: {file}")
    if not is_dry:
        _print_next_steps(git, changes, found, settings or {}, say)
    return 1 if found.left.count or found.unsearched.count else 0


def _print_summary(checkout: Path, changes: list[Change], found: Survey, say: Say) -> None:
    """Print what would be done, in five lines."""
    kinds: dict[str, list[str]] = {"wrote": [], "changed": [], "removed": []}
    for change in changes:
        kinds[change.kind].append(change.file)
    is_managed = len(nanoclaw.prefixes(checkout)) > 1
    where = f", with the files of {nanoclaw.SKILL}" if is_managed else ""
    say(f"checkout: {checkout.absolute()}{where}")
    for kind, verb in (("wrote", "write"), ("changed", "change"), ("removed", "remove")):
        say(f"would {verb} {len(kinds[kind])}: {', '.join(kinds[kind][:MAX_NAMES]) or 'nothing'}")
    say(f"not understood: {found.left.count} files; not searched: {found.unsearched.count} files")


def _print_next_steps(
    git: Git, changes: list[Change], found: Survey, settings: Mapping[str, str], say: Say
) -> None:
    checkout = git.checkout
    built = Mentions()
    built.add(built_calls(git))
    built.print(say, "calls the old script until the next build")
    if built.count:
        say("now build and restart NanoClaw: npm run build")
    elif any(PurePosixPath(change.file).suffix in SOURCES for change in changes):
        say("now build and restart NanoClaw: its sources have changed")
    if bearer := settings.get("OAUTHKIT_BEARER"):
        directory = real_path(checkout.absolute() / bearer).parent
        if inspect_path(directory).is_nothing:
            say(f"now create the bearer file's directory: {creating(directory)}")
    # A timer of the old script would not find it, and the new script has started none yet.
    if any(nanoclaw.in_project(change.file) in (OLD, *CHECKOUT_FILES) for change in changes):
        say(f"now run: bash {quote(str(checkout.absolute() / NEW))}")
    missing = nanoclaw.missing_calls(found.calls)
    if missing:
        say("add these calls to NanoClaw's sources (oauthkit's docs/host.md):")
        for line in missing:
            say(f"    {line}")


def _open_checkout(checkout: Path) -> Git:
    """Return git for a checkout. Raise HostError without git, or if `checkout` is not its root."""
    if not checkout.is_dir():
        raise UsageError(f"{str(checkout)!r} is not a directory: pass a NanoClaw checkout")
    git = Git(checkout)
    top = git.top()
    if not os.path.exists(top) or not checkout.samefile(top):  # noqa: PTH110 - text from git
        raise HostError(f"{checkout} is a subdirectory of the checkout {top}. Pass {top}")
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
