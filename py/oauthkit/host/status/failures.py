"""Find the fix for each ERROR in the log."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.path_info import FILE, clearing, inspect_path, leads_nowhere, may_remove
from oauthkit.host.project import ENVIRONMENT
from oauthkit.host.shell_commands import claude, command, quote
from oauthkit.host.status.login import read_login
from oauthkit.host.systemd import installed_units

if TYPE_CHECKING:
    from oauthkit.host.project import ProjectPaths


# What claude prints if its login is not accepted. Not "authentication" or "OAuth" alone: errors of
# a proxy or of the network can contain both.
_ABOUT_LOGIN = (
    r"\b401\b|\brun /login\b|not logged in|log in again|invalid_grant|authentication_error"
    r"|oauth (?:session|token) (?:is |was |has |been )*(?:expired|invalid|revoked)"
)
CLAUDE_FAILED = ("claude CLI refresh failed", "the API refuses the token, and claude did not")
TOO_OFTEN = "claude has failed to renew the token"
TOO_SOON = "the API refuses the token. claude was started"
HELD = "another refresh has held"
NO_CLAUDE = "claude binary not found"
NOT_SCHEDULED = "next refresh NOT scheduled"
LOG_IN = "claude auth login"
REFRESH_REJECTED = "oauthkit refresh --rejected"
RENEW = "claude -p ok"
# Errors about the credentials file, which other checks also detect. A person may have repaired it.
BAD_CREDENTIALS = re.compile(
    r"is not valid JSON|more than one JSON document|has a character that tokens do not contain"
    r"|no accessToken|no claudeAiOauth|\.credentials\.json not found"
    r"|\.credentials\.json is not (?:a file|readable)"
)
_NOT_WRITABLE = re.compile(r" cannot be written: (/.*) is not writable", re.DOTALL)
_BAD_BEARER = (
    r"is not a bearer file|The bearer file must not be one|so it is a login|are the same file:"
)
# The first match in the error applies. tests/host/status/test_log.py checks that each ERROR has
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
    (r"age was stopped", "use an identity from age-keygen that has no passphrase"),
    (r"OAUTHKIT_STORE_(?:RECIPIENTS|IDENTITY): ",
     "write the keys to that file, and allow this user to read it"),
    (r"refresh\.conf may hide", "edit scripts/oauth/refresh.conf. oauthkit doctor names the line"),
    (r"STORE_IDENTITY is not set", "set OAUTHKIT_STORE_IDENTITY in scripts/oauth/refresh.conf"),
    (r"STORE_IDENTITY is set", "set OAUTHKIT_STORE_RECIPIENTS on that host, and refresh there"),
    (r"cannot be decrypted",
     "add this host's key to that host's OAUTHKIT_STORE_RECIPIENTS, and refresh there"),
    (r"decrypted records cannot be read", "find out what killed jq"),
    (r"etcdctl .* (?:failed|was stopped)",
     "check that etcd is running, that the network works, and that no certificate has expired"),
    (r"is not a valid host name", "set OAUTHKIT_HOST=NAME in scripts/oauth/refresh.conf"),
    (r"the store .* is not a directory|cannot be read \((?:find|jq) exit",
     "create or mount the store, and allow this user to read its files"),
    (r"has more than [0-9]+ records", "delete the files in the store that are not host records"),
    (r"has no record of a live token", "start a refresh on a host that publishes"),
    (r"and is ignored", "remove that record. The next full run of its host writes it again"),
    (r"was issued at", "compare the clocks of both hosts: timedatectl"),
    (r"is not a file and is not changed",
     "move it away, or set OAUTHKIT_DOTENV or OAUTHKIT_BEARER to another path"),
    (r"is not a file",
     "the credentials are not a regular file. Move it away, and log in again"),
    (r"is not readable", "allow this user to read the credentials: chmod u+r, or chown"),
    (r"jq could not run or was killed \(exit 3\)",
     "fix the error in ~/.jq, which jq reads when it starts"),
    (r"jq not found|jq could not run",
     "install jq in a directory in the timer's PATH"),
    (NO_CLAUDE,
     ("install Claude Code, or refresh from a shell that finds claude: the timer keeps that shell's"
      " PATH. For cron, set PATH in the crontab line")),
    (r"timeout not found", "install coreutils in a directory in the timer's PATH"),
    (r"flock not found", "install util-linux in a directory in the timer's PATH"),
    (r"renewed nothing",
     f"check the network and the proxy, then run {RENEW}. It must renew the token"),
    (re.escape(TOO_SOON), f"wait 5 min, then run {REFRESH_REJECTED}"),
    (r"the API refuses the token", LOG_IN),
    (TOO_OFTEN, "fix the earlier failure, then wait for the next try"),
    (r"claude could not save the login",
     "check for a full disk or a directory that this user cannot write to"),
    (r"is Claude Code's credentials file",
     "set OAUTHKIT_DOTENV or OAUTHKIT_BEARER to another path"),
    (_BAD_BEARER, "set OAUTHKIT_BEARER to another path, in a separate directory"),
    (r"is not a directory", "create that directory"),
    (r"a signal ended the wait", "find out what stopped the run"),
    (HELD,
     "find the process that holds the lock: fuser -v LOCK. For another user's process, be root"),
    (r"cannot be locked", "check that the lock is a file, and allow this user to write to it"),
    (r"another user's symbolic link",
     "find out who created the link .env, or the one that it leads to. Then remove that link"),
    (r"has been changed by another program", "find out which program keeps writing the file"),
    (r"is a file of another user",
     "create your own .env: copy it, set the copy's mode to 600, and rename the copy to .env"),
    (r"belongs to a group that this user is not in",
     "change the file's group with chgrp, or add this user to the group and restart the host"),
    (r"changed while it was followed", "find out which program or user keeps changing the link"),
    (r"symbolic link that leads nowhere", "create the file that .env leads to, or remove the link"),
    (r"readlink could not follow",
     "install coreutils, or fix the PATH of the program that starts runs"),
    (r"NUL byte", "remove the NUL byte from that file, which must be a text file"),
    (r"would be larger than 256 KiB", "check what that file and the credentials contain"),
    (r"larger than 256 KiB", "check what that file contains, and make it smaller"),
    (r"is a mount point", "mount that file's directory instead"),
    (r"cannot be read and is not changed", "allow this user to read it: chmod u+r, or chown"),
    (r"is not writable", "allow this user to write to that directory, or mount it read-write"),
    (r"cannot be written", "check for a full disk or a directory that this user cannot write to"),
)  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """An ERROR in the log, with its time, and claude's output before it."""

    at_s: float
    text: str
    output: tuple[str, ...] = ()

    @property
    def fix(self) -> str:
        """What to do about it, a command if possible; "" if unknown."""
        is_from_claude = self.text.startswith(CLAUDE_FAILED)
        if is_from_claude and re.search(_ABOUT_LOGIN, "\n".join(self.output), re.IGNORECASE):
            return LOG_IN
        return next((fix for pattern, fix in _FIXES if re.search(pattern, self.text)), "")


def fix_of(failure: Failure, paths: ProjectPaths) -> str:
    """Return what to do about a failure.

    Return "" if that is unknown, or if the cause is gone.
    """
    if _is_gone(failure, paths):
        return ""
    units = [file.name for file in installed_units.written_for(paths.project)]
    if failure.text.startswith(NO_CLAUDE) and f"{paths.heal}.timer" in units:
        return f"install Claude Code. Then, in a shell that finds it: {command('install', paths)}"
    if failure.fix != LOG_IN:
        fix = _for_project(paths, failure.fix) if RENEW in failure.fix else failure.fix
        fix = fix.replace("-v LOCK", f"-v {quote(str(paths.lock))}")
        return fix.replace(REFRESH_REJECTED, command("refresh", paths, "--rejected"))
    return log_in(paths)


def _is_gone(failure: Failure, paths: ProjectPaths) -> bool:
    """Return whether the cause of a failure has been fixed since."""
    text = failure.text
    path, is_not_file, _ = text.partition(" is not a file and is not changed")
    if is_not_file:
        return inspect_path(Path(path)).kind in {"", FILE}
    path, is_unreadable, _ = text.partition(" cannot be read and is not changed")
    if is_unreadable:
        return inspect_path(Path(path)).is_nothing or os.access(path, os.R_OK)
    if found := _NOT_WRITABLE.search(text):
        return os.access(found[1], os.W_OK)
    if BAD_CREDENTIALS.search(text):
        return not read_login(paths.credentials).problem
    if text.startswith((*CLAUDE_FAILED, TOO_OFTEN)):
        # A failed run may change the credentials, too.
        is_newer = modified_s(paths.credentials) > failure.at_s + 2
        return is_newer and not read_login(paths.credentials).problem
    is_named = text.startswith(f"{paths.bearer} ") or "are the same file" in text
    return bool(re.search(_BAD_BEARER, text)) and (paths.bearer is None or not is_named)


def log_in(paths: ProjectPaths) -> str:
    """Return the command that logs in, with the credentials directory that the refresh reads.

    If the credentials are a link that leads nowhere, claude might not save the login. The command
    then moves the link away first.
    """
    fix = _for_project(paths, LOG_IN)
    if leads_nowhere(paths.credentials) and may_remove(paths.credentials):
        return f"{clearing(paths.credentials)} && {fix}"
    return fix


def log_in_and_refresh(paths: ProjectPaths) -> str:
    """Return the command that logs in, and then delivers the new login's token."""
    return f"{log_in(paths)} && {command('refresh', paths)}"


def bearer_fix(paths: ProjectPaths) -> str:
    """Return what to do if the bearer file cannot be used."""
    if any(x.name == "OAUTHKIT_BEARER" and x.origin == ENVIRONMENT for x in paths.settings):
        return "unset OAUTHKIT_BEARER"
    return f"choose another path. Run: {command('install', paths, '--bearer')} PATH"


def _for_project(paths: ProjectPaths, fix: str) -> str:
    """Replace `claude` in a fix with the refresh's program and credentials directory."""
    directory, start = paths.credentials.parent, claude(paths)
    if directory != paths.home / ".claude":
        start = f"CLAUDE_CONFIG_DIR={quote(str(directory))} {start}"
    return re.sub("claude(?= auth login| -p ok)", lambda _: start, fix, count=1)


def modified_s(path: Path) -> float:
    """Return a file's modification time, or 0 if it cannot be inspected."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
