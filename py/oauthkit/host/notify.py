"""Write the hooks that send notifications, and run one as a test."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plumbum import LocalPath, local

from oauthkit.host.errors import HostError, UsageError
from oauthkit.host.path_info import read, require_no_links, write_file
from oauthkit.host.shell_commands import as_root, command, quote
from oauthkit.program import state_files
from oauthkit.program.credentials import read_credentials
from oauthkit.program.hooks import HOOKS
from oauthkit.program.limits import GRACE_S, HOOK_LIMIT_S
from oauthkit.program.start import remove_other_logins
from oauthkit.shell import find_program, mask_secrets, program, replace_controls, run_limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from oauthkit.host.project import ProjectPaths

    Say = Callable[[str], None]

# The events that send a message.
NOTIFIED = ("failed", "recovered", "login-ending")
# A hook with this line is install's own.
MARKER = "# Written by oauthkit install --notify. To keep your own changes, remove this line."
# In front of the argument of --notify.
ABOUT = "# Send a message about OAUTHKIT_EVENT: "
NOT_FOUND = "not found in PATH, so the hooks cannot send messages"
# Not in the PATH of most users.
SENDMAIL_DIRECTORIES = "/usr/sbin:/sbin"
PACKAGES = {
    "curl": "curl",
    "mail": "bsd-mailx",
    "notify-send": "libnotify-bin",
    "sendmail": "msmtp-mta",
}
# The text of all three hooks. The message is one line: a newline in the reason or in a path could
# start a header of a mail.
HOOK = """\
#!/bin/sh
{marker}
{about}{where}
set -u

project=${{0%/{hooks}/*}}
host=$(uname -n)
case $OAUTHKIT_EVENT in
  recovered) news='.env has a live token again' ;;
  login-ending)
    ends=$(date -d "@${{OAUTHKIT_LOGIN_ENDS_AT%???}}" '+%F %H:%M %Z')
    news="the login ends at $ends. On that host, run: claude auth login"
    ;;
  *)
    output=$(printf '%s' "${{OAUTHKIT_OUTPUT-}}" | tr '\n' ' ')
    # Longer text is in the log. A message of ntfy has at most 4 KiB.
    [ "${{#output}}" -le 1000 ] || output=
    news="$OAUTHKIT_REASON${{output:+ $output}}"
    ;;
esac

one_line() {{
  printf '%s' "$1" | tr '\\001-\\037\\177' '[?*]'
}}
title=$(one_line "oauthkit: $OAUTHKIT_EVENT on $host")
text=$(one_line "$title: $project: $news")

{send}
"""
MAIL = """\
PATH=$PATH:{directories}
to={address}
sendmail -i -- "$to" <<END
To: $to
Subject: $title
Content-Type: text/plain; charset=UTF-8

$text
END"""
NTFY = """\
printf '%s' "$text" |
  curl --fail --silent --show-error --max-time 20 --output /dev/null \\
    --header "Title: $title" --data-binary @- {url}"""
COMMAND = """\
# exec never runs a builtin of the shell.
exec {words} "$text\""""
# The local part as in HTML's <input type=email>. It starts with a letter or digit, because mail
# servers may treat "|" and "/" as a program and a file.
ADDRESS = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.!#$%&'*+/=?^`{|}~-]*(@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)?"
)
NTFY_URL = re.compile(
    r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/[A-Za-z0-9_-]{1,64}"
)
KINDS = "a command, mailto:ADDRESS, ntfy:TOPIC or ntfy:https://SERVER/TOPIC"


@dataclass(frozen=True)
class Channel:
    """A way to send notifications: the shell code that sends $text, and the program it needs."""

    where: str
    send: str
    program: str

    def hook(self) -> str:
        """Return the text of the hooks."""
        return HOOK.format(
            marker=MARKER, about=ABOUT, where=self.where, hooks=HOOKS, send=self.send
        )


def parse_option(where: str) -> Channel:
    """Parse the argument of --notify. Raise UsageError also if it looks like an address."""
    channel = parse(where)
    if _is_missing(channel.program):
        if "@" in where and ADDRESS.fullmatch(where):
            raise UsageError(f"--notify {where!r} is not a program. For a mail, use mailto:{where}")
        for word, wanted in (("mailto", "mailto:ADDRESS"), ("ntfy", "ntfy:TOPIC")):
            if where.strip() == word:
                raise UsageError(f"--notify {where!r} is not a program. Did you mean {wanted}?")
    return channel


def parse(where: str) -> Channel:
    """Parse WHERE, as given to --notify or written in a hook. Raise UsageError if not valid."""
    if not where.isprintable() or not where.strip():
        raise UsageError(f"--notify {where!r} is empty or has a control character: give {KINDS}")
    kind, colon, rest = where.partition(":")
    if colon and kind == "mailto":
        if not ADDRESS.fullmatch(rest):
            raise UsageError(f"--notify {where!r}: {rest!r} is not a mail address")
        send = MAIL.format(directories=SENDMAIL_DIRECTORIES, address=shlex.quote(rest))
        return Channel(where, send, "sendmail")
    if colon and kind == "ntfy":
        url = rest if "/" in rest else f"https://ntfy.sh/{rest}"
        if not NTFY_URL.fullmatch(url):
            raise UsageError(
                f"--notify {where!r}: {rest!r} is neither a topic (at most 64 of A-Z a-z 0-9 _ -)"
                " nor https://SERVER/TOPIC"
            )
        return Channel(where, NTFY.format(url=shlex.quote(url)), "curl")
    return _parse_command(where)


def _parse_command(where: str) -> Channel:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", where):
        raise UsageError(f"--notify {where!r}: unknown kind: use {KINDS}")
    try:
        words = shlex.split(where)
    except ValueError as error:
        raise UsageError(f"--notify {where!r}: {str(error)[0].lower()}{str(error)[1:]}") from None
    name = words[0] if words else ""
    if not name or name.startswith("-"):
        raise UsageError(f"--notify {where!r}: {name!r} is not a program: give {KINDS}")
    if "/" in name and not name.startswith("/"):
        raise UsageError(
            f"--notify {where!r}: hooks run in /, so use an absolute path for {name!r}"
        )
    return Channel(where, COMMAND.format(words=shlex.join(words)), name)


def require_own(paths: ProjectPaths) -> None:
    """Raise HostError for a hook that install did not write, or a link on the way to the hooks."""
    require_no_links(paths.project, Path(HOOKS))
    for event in NOTIFIED:
        hook = paths.project / HOOKS / event
        if os.path.lexists(hook) and not _is_own(hook):
            raise HostError(
                f"{hook} was not written by oauthkit install --notify and is not replaced. Move it"
                " away, or add the message to it"
            )


def write(paths: ProjectPaths, channel: Channel, say: Say) -> None:
    """Write the hooks, unless they are up to date. Report a missing program.

    Raise HostError if install did not write one of the existing hooks.
    """
    require_own(paths)
    text = channel.hook().encode()
    for event in NOTIFIED:
        hook = paths.project / HOOKS / event
        if _is_own(hook) and read(hook).data == text and stat.S_IMODE(hook.stat().st_mode) == 0o755:
            say(f"{hook} is up to date")
            continue
        write_file(hook, text, 0o755)
        say(f"wrote {hook}")
        # The next run reports the login's end again: nothing has sent it before.
        (paths.log.parent / state_files.LOGIN_ENDING).unlink(missing_ok=True)
    _report_missing(channel.program, say)
    say(f"to send a test message: {command('install', paths, '--test-notify')}")


def _report_missing(name: str, say: Say) -> None:
    """Report a program that the hooks will not find."""
    if _is_missing(name):
        fix = f", for example: {_installation(name)}" if name in PACKAGES else ""
        say(f"note: {name} {NOT_FOUND}. Install it{fix}")


def missing_programs(paths: ProjectPaths) -> dict[str, str]:
    """Return the problems of install's own hooks that lack their program, each with its fix."""
    names = set()
    for event in NOTIFIED:
        hook = paths.project / HOOKS / event
        if _is_own(hook):
            comment = read(hook).data.decode("utf-8", "surrogateescape").partition(ABOUT)[2]
            with suppress(UsageError):  # the comment was edited
                names.add(parse(comment.partition("\n")[0]).program)
    return {f"{x} {NOT_FOUND}": _installation(x) for x in sorted(names) if _is_missing(x)}


def _is_missing(name: str) -> bool:
    path = os.environ.get("PATH", os.defpath)
    if name == "sendmail":
        path = f"{path}:{SENDMAIL_DIRECTORIES}"
    return shutil.which(name, path=path) is None


def _installation(name: str) -> str:
    """Return the command that installs a program, or the advice to install it."""
    package = PACKAGES.get(name)
    return as_root(f"apt-get install {package}") if package else f"install the program {name}"


def _is_own(hook: Path) -> bool:
    """Return whether install wrote this file. A symbolic link is the user's."""
    try:
        if not stat.S_ISREG(hook.lstat().st_mode):
            return False
        with hook.open("rb") as file:
            return MARKER.encode() in file.read(4096).split(b"\n")
    except OSError:
        return False


def report_left(paths: ProjectPaths, say: Say) -> None:
    """Report the hooks that uninstall keeps, and how to remove them."""
    hooks = [paths.project / HOOKS / event for event in NOTIFIED]
    own = [quote(str(hook)) for hook in hooks if _is_own(hook)]
    if own:
        say(f"kept the hooks that send notifications. To remove them: rm {' '.join(own)}")


def send_test(paths: ProjectPaths, say: Say) -> int:
    """Run the hook `failed` once as a refresh does, with the event "test". Return 0 or 1.

    Print its output and its status. Raise HostError if there is no such hook.
    """
    hook = paths.project / HOOKS / "failed"
    if not os.path.isfile(hook):  # noqa: PTH113 - raises nothing
        install = command("install", paths, "--notify")
        raise HostError(f"there is no hook {hook}. Write it: {install} WHERE")
    if not os.access(hook, os.X_OK):
        raise HostError(
            f"{hook} is not executable, so a refresh ignores it. Run: chmod +x {quote(str(hook))}"
        )
    if not find_program("timeout"):
        raise HostError(
            f"timeout not found in PATH. Install it: {as_root('apt-get install coreutils')}"
        )
    _ = read_credentials(
        LocalPath(str(paths.credentials))
    )  # registers the tokens with mask_secrets
    with local.env(), local.cwd("/"):
        remove_other_logins()
        for setting in paths.changed_settings:  # also from refresh.conf
            local.env[setting.name] = setting.value
        local.env["OAUTHKIT_EVENT"] = "test"
        local.env["OAUTHKIT_REASON"] = "this is a test of oauthkit install --notify"
        local.env["OAUTHKIT_OUTPUT"] = ""
        local.env["OAUTHKIT_EXPIRES_AT"] = local.env["OAUTHKIT_LOGIN_ENDS_AT"] = ""
        local.env["OAUTHKIT_DOTENV"] = str(paths.dotenv)
        local.env["OAUTHKIT_BEARER"] = str(paths.bearer or "")
        status, printed = run_limited(HOOK_LIMIT_S, GRACE_S, program(str(hook)))
    for line in printed.split("\n") if printed else []:
        plain = replace_controls(line, "")  # in a secret, they would prevent its masking
        masked = mask_secrets(plain)
        say(f"output: {line if masked == plain else masked}")
    if status == 0:
        say(f"{hook} succeeded (exit 0)")
        return 0
    limit = f", after {HOOK_LIMIT_S} s" if status in {124, 137} else ""
    say(f"{hook} failed (exit {status}{limit})")
    return 1
