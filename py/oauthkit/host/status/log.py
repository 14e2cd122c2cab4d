"""Parse the refresh's log: deliveries and errors, and how to fix these."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from oauthkit.host.display import claude, command, quote
from oauthkit.host.path_info import (
    DIRECTORY,
    access_fix,
    inspect_path,
    is_file,
    leads_nowhere,
    read,
)
from oauthkit.host.status.login import read_login
from oauthkit.shell import LINE_LIMIT_BYTES, is_b64token, mask_secrets, same_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from oauthkit.host.project import ProjectPaths

# The log lines of the refresh. tests/host/status/test_journal.py runs it and parses what it logs.
# The output of a program has the program's name in front of it, so it does not start with a /.
_DELIVERED = re.compile(
    r"(?:Updated \.env with token|/.* already has this token) \(expires_at=(-?[0-9]{1,15})\)"
)
_HOOK_RESULT = re.compile(r"(?:Hook|WARN: hook) '([^']*)' (?:succeeded|[^(]*\((exit [0-9]+)\))")
_HOOK_OUTPUT = re.compile(r"hook '([^']*)': ")
# Only the last MOST_BYTES of a log are read. A refresh rotates a log at half that size.
MOST_BYTES = 2 * 1024 * 1024
# Longer than any line that a refresh writes: the time, and text of limited length. Masking can make
# that longer.
LONGEST_LINE = 2 * LINE_LIMIT_BYTES
RENEWED = "Claude CLI refreshed token successfully"
ERROR = "ERROR: "
OUTPUT = "claude: "
OUTPUT_LINES = 3
# What claude prints if its login is not accepted.
_ABOUT_LOGIN = r"\b401\b|authenticat|log ?in\b|oauth|invalid_grant"
CLAUDE_FAILED = ("claude CLI refresh failed", "the API refuses the token, and claude did not")
TOO_OFTEN = "claude has failed to renew the token"
TOO_SOON = "the API refuses the token. claude was started"
HELD = "another refresh has held"
NOT_SCHEDULED = "next refresh NOT scheduled"
LOG_IN = "claude auth login"
REFRESH_REJECTED = "oauthkit refresh --rejected"
RENEW = "claude -p ok"
# Errors about the credentials file. A person may have repaired it since.
_BAD_CREDENTIALS = re.compile(
    r"is not valid JSON|more than one JSON document|has a character that tokens do not contain"
    r"|no accessToken|no claudeAiOauth|\.credentials\.json not found"
    r"|\.credentials\.json is not (?:a file|readable)"
)
# The first match in the error applies. tests/host/status/test_journal.py checks that each ERROR has
# a fix.
_FIXES = (
    (r"claude CLI refresh failed \(exit (124|137)\)",
     ("claude took longer than 55 s, or was stopped with the run. Check the network and the proxy,"
      f" then run {RENEW}")),
    (r"claude CLI refresh failed", f"run {RENEW}, and fix what it reports"),
    # The token has not expired, so a refresh starts claude only with --rejected.
    (r"the API refuses .* did not renew it \(exit [1-9]",
     f"run {RENEW}, and fix what it reports, then: {REFRESH_REJECTED}"),
    (r"no accessToken|no claudeAiOauth|\.credentials\.json not found", LOG_IN),
    (r"is not valid JSON|more than one JSON document|has a character that tokens do not contain",
     "the credentials are damaged. Move the file away and log in again"),
    (r"OAUTHKIT_STORE is ", "set OAUTHKIT_STORE in scripts/oauth/refresh.conf"),
    (r"etcdctl not found", "install etcdctl: apt install etcd-client"),
    (r"age not found", "install age: apt install age"),
    (r"age was stopped", "use an identity that age-keygen has made, without a passphrase"),
    (r"OAUTHKIT_STORE_(?:RECIPIENTS|IDENTITY): ",
     "write the keys to that file, and allow this user to read it"),
    (r"refresh\.conf may hide", "edit scripts/oauth/refresh.conf. oauthkit doctor names the line"),
    (r"STORE_IDENTITY is not set", "set OAUTHKIT_STORE_IDENTITY in scripts/oauth/refresh.conf"),
    (r"STORE_IDENTITY is set", "set OAUTHKIT_STORE_RECIPIENTS on that host, and refresh there"),
    (r"cannot be decrypted",
     "add this host's key to that host's OAUTHKIT_STORE_RECIPIENTS, and refresh there"),
    (r"decrypted records cannot be read", "find out what ended jq"),
    (r"etcdctl .* (?:failed|was stopped)",
     "check that etcd runs, the network, and whether the certificates have expired"),
    (r"is not a valid host name", "set OAUTHKIT_HOST=NAME in scripts/oauth/refresh.conf"),
    (r"the store .* is not a directory|cannot be read \((?:find|jq) exit",
     "create or mount the store, and allow this user to read its files"),
    (r"has more than [0-9]+ records", "delete the files of the store that are not hosts' records"),
    (r"has no record of a live token", "start a refresh on a host that publishes"),
    (r"and is ignored", "remove that record. The next full run of its host writes it again"),
    (r"was issued at", "compare the clocks of both hosts: timedatectl"),
    (r"is not a file and is not changed",
     "move it away, or set OAUTHKIT_DOTENV or OAUTHKIT_BEARER to another path"),
    (r"is not a file",
     "the credentials are not a regular file. Move what is there away, and log in again"),
    (r"is not readable", "allow this user to read the credentials: chmod u+r, or chown"),
    (r"jq could not run or was killed \(exit 3\)",
     "correct the error in ~/.jq, which jq reads when it starts"),
    (r"jq not found|jq could not run",
     "install jq in a directory of the timer's PATH"),
    (r"claude binary not found",
     ("install Claude Code, or refresh from a shell that finds claude: the timer keeps that shell's"
      " PATH. For cron, set PATH in the crontab line")),
    (r"timeout not found", "install coreutils in a directory of the timer's PATH"),
    (r"flock not found", "install util-linux in a directory of the timer's PATH"),
    (r"renewed nothing", f"check the network and the proxy. {RENEW} has to renew the token"),
    (re.escape(TOO_SOON), f"wait 5 min, then run {REFRESH_REJECTED}"),
    (r"the API refuses the token", LOG_IN),
    (TOO_OFTEN, "fix the earlier failure, then wait for the next try"),
    (r"claude could not save the login",
     "check for a full disk or a directory that this user cannot write to"),
    (r"is Claude Code's credentials file",
     "set OAUTHKIT_DOTENV or OAUTHKIT_BEARER to another path"),
    (r"is not a bearer file|The bearer file must not be one|so it is a login|are the same file:",
     "set OAUTHKIT_BEARER to another path, in a separate directory"),
    (r"is not a directory", "create that directory"),
    (r"a signal ended the wait", "find out what stopped the run"),
    (HELD, "find the run that hangs: fuser -v on the lock shows it"),
    (r"cannot be locked", "check that the lock is a file, and allow this user to write to it"),
    (r"another user's symbolic link",
     "find out who created the link .env, or the one that it leads to, then remove it"),
    (r"has been changed by another program", "find out which program keeps writing the file"),
    (r"is a file of another user",
     "create your own .env: copy it, and rename the copy to .env with mode 600"),
    (r"belongs to a group that this user is not in",
     "change the group of the file with chgrp, or add this user to it and restart the host"),
    (r"changed while it was followed", "find out which program or user keeps changing the link"),
    (r"symbolic link that leads nowhere", "create the file that .env leads to, or remove the link"),
    (r"readlink could not follow",
     "install coreutils, or fix the PATH of the program that starts runs"),
    (r"NUL byte", "remove the NUL byte from that file, which must be a text file"),
    (r"would be larger than 256 KiB", "check what that file and the credentials contain"),
    (r"larger than 256 KiB", "check what that file contains, and make it smaller"),
    (r"is a mount point", "mount the directory of .env instead of the file"),
    (r"cannot be read and is not changed", "allow this user to read it: chmod u+r, or chown"),
    (r"is not writable", "allow this user to write to that directory, or mount it read-write"),
    (r"cannot be written", "check for a full disk or a directory that this user cannot write to"),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A line of the log: its time in seconds since the epoch, and its text."""

    at_s: float
    text: str

    @property
    def expires_at_s(self) -> float | None:
        """Return the expiry of the token in .env, if this line reports it; else None."""
        found = _DELIVERED.fullmatch(self.text)
        return int(found[1]) / 1000 if found else None


@dataclass(frozen=True)
class Failure:
    """An ERROR in the log, with its time, and the output of claude that precedes it."""

    at_s: float
    text: str
    output: tuple[str, ...] = ()

    @property
    def fix(self) -> str:
        """What to do about it, a command if possible; "" if unknown."""
        is_of_claude = self.text.startswith(CLAUDE_FAILED)
        if is_of_claude and re.search(_ABOUT_LOGIN, "\n".join(self.output), re.IGNORECASE):
            return LOG_IN
        return next((fix for pattern, fix in _FIXES if re.search(pattern, self.text)), "")


def read_journal(paths: ProjectPaths) -> list[Entry]:
    """Return all entries of the log and the rotated one, the oldest first.

    Skip lines without a time. Skip lines longer than a refresh writes, because another user may
    have written them.
    """
    entries = []
    for file in (paths.older_log, paths.log):
        for line in read(file, MOST_BYTES).data.decode("utf-8", "surrogateescape").split("\n"):
            if len(line) > LONGEST_LINE:
                continue
            time, _, text = line.partition(" ")
            try:
                at = datetime.fromisoformat(time)
            except ValueError:
                continue
            if at.tzinfo is not None:
                entries.append(Entry(at.timestamp(), text))
    return entries


def unresolved_failure(entries: Sequence[Entry]) -> Failure | None:
    """Return the last ERROR if no token was delivered after it, else None.

    A run that waited for another one is not counted: that one may have delivered the token.
    """
    delivered = [n for n, entry in enumerate(entries, 1) if entry.expires_at_s is not None]
    failure = last_failure(entries[delivered[-1] if delivered else 0 :])
    return None if failure and failure.text.startswith(HELD) else failure


def is_manual_token(paths: ProjectPaths, tokens: Sequence[bytes], entries: Sequence[Entry]) -> bool:
    """Return whether a person has put the token into .env, for example one from claude setup-token.

    False if .env has not changed since the last delivery. If no delivery is known, False if runs
    fail, or if there were runs and the login is newer: then .env may have its earlier token.
    """
    if len(tokens) != 1 or not is_b64token(tokens[0].decode("utf-8", "replace")):
        return False
    deliveries = [entry.at_s for entry in entries if entry.expires_at_s is not None]
    changed_s = paths.dotenv.stat().st_mtime
    if not deliveries:
        has_run = is_file(paths.lock)
        is_newer = changed_s >= _changed_s(paths.credentials)
        return not is_file(paths.failing) and (is_newer or not has_run)
    # The log's times have a resolution of one second.
    return changed_s >= deliveries[-1] + 2


def _changed_s(path: Path) -> float:
    """Return when a file was changed, or 0 if it cannot be inspected."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def is_log_dotenv(paths: ProjectPaths) -> bool:
    """Return whether the log and .env are the same file. If so, no run starts."""
    return paths.log == paths.dotenv or same_file(str(paths.log), str(paths.dotenv))


def log_problem(paths: ProjectPaths) -> str:
    """Return why the log cannot be read or written, and the fix. Return "" if nothing is wrong."""
    see_doctor = f"To see the fix, run: {command('doctor', paths)}"
    if is_log_dotenv(paths):
        return f"the log is .env, so no run can start. {see_doctor}"
    found = read(paths.log, 0)
    if found.fix:
        fix = access_fix(paths.log, os.R_OK | os.W_OK) or found.fix
        return f"{found.problem}: {fix}"
    files = [file for file in (paths.log, paths.lock) if is_file(file)]
    for file in (paths.log, paths.lock):
        is_closed = is_file(file) and not os.access(file, os.W_OK)
        if is_closed or leads_nowhere(file) or inspect_path(file).kind == DIRECTORY:
            return f"no run can write {file}. {see_doctor}"
    if len(files) == 2:
        return ""
    directory = paths.log.parent
    while not os.path.lexists(directory):
        directory = directory.parent
    if directory.is_dir() and os.access(directory, os.W_OK | os.X_OK):
        return ""
    if directory != paths.log.parent:
        return f"no run can create {paths.log.parent}. {see_doctor}"
    return f"no run can write its log in {directory}. {see_doctor}"


def last(entries: Sequence[Entry], text: str) -> Entry | None:
    """Return the last entry that begins with `text`, or None if there is none."""
    return next((entry for entry in reversed(entries) if entry.text.startswith(text)), None)


def log_in(paths: ProjectPaths) -> str:
    """Return the command that logs in to the directory whose credentials the refresh reads."""
    return _for_project(paths, LOG_IN)


def _for_project(paths: ProjectPaths, fix: str) -> str:
    """Replace `claude` in a fix with the command that uses a refresh's program and credentials."""
    directory, start = paths.credentials.parent, claude(paths)
    if directory != paths.home / ".claude":
        start = f"CLAUDE_CONFIG_DIR={quote(str(directory))} {start}"
    return fix.replace("claude ", f"{start} ", 1)


def fix_of(failure: Failure, paths: ProjectPaths) -> str:
    """Return what to do about a failure.

    Return "" if that is unknown, or if the login has been repaired or renewed since.
    """
    if _BAD_CREDENTIALS.search(failure.text) and not read_login(paths.credentials).problem:
        return ""
    if failure.fix != LOG_IN:
        fix = _for_project(paths, failure.fix) if RENEW in failure.fix else failure.fix
        return fix.replace(REFRESH_REJECTED, command("refresh", paths, "--rejected"))
    # A failed run may change the credentials, too.
    return "" if _changed_s(paths.credentials) > failure.at_s + 2 else log_in(paths)


def failed_hooks(entries: Sequence[Entry]) -> dict[str, Failure]:
    """Return the hooks that failed when they were last run, with their output."""
    found: dict[str, Failure] = {}
    for entry in entries:
        if result := _HOOK_RESULT.fullmatch(entry.text):
            found.pop(result[1], None)
            if result[2]:
                found[result[1]] = Failure(entry.at_s, result[2])
        elif (output := _HOOK_OUTPUT.match(entry.text)) and output[1] in found:
            failure = found[output[1]]
            shown = (*failure.output, mask_secrets(entry.text))[-OUTPUT_LINES:]
            found[output[1]] = replace(failure, output=shown)
    return found


def last_failure(entries: Sequence[Entry]) -> Failure | None:
    """Return the last ERROR that explains why .env has no live token, or None if there is none.

    Skip an ERROR that only reports that claude was started too often, if an earlier ERROR since the
    last delivery explains it.
    """
    output: list[str] = []
    failure = None
    is_explained = False
    for entry in entries:
        # The script that this refresh has replaced may have logged a token.
        text = mask_secrets(entry.text)
        if text.startswith(OUTPUT):
            output.append(text)
        elif is_explained and text.startswith((ERROR + TOO_OFTEN, ERROR + TOO_SOON)):
            continue
        elif text.startswith(ERROR) and not text.endswith(NOT_SCHEDULED):
            # claude is run more than once, and repeats itself.
            shown = tuple(dict.fromkeys(output))[-OUTPUT_LINES:]
            failure = Failure(entry.at_s, text.removeprefix(ERROR), shown)
            is_explained = True
        elif entry.expires_at_s is not None:
            is_explained = False
        if not text.startswith((OUTPUT, "WARN: ")):
            output = []
    return failure
