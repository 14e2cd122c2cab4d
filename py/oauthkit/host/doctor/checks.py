"""What can be wrong with a project, each check with the command that mends it."""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.display import command
from oauthkit.host.path_info import FOLDER, inspecting, is_file, look, may_change, quoted, read
from oauthkit.host.shipped_files import SCRIPT, carried
from oauthkit.host.status.log import cure, is_of_a_person, last_error, read_journal
from oauthkit.host.status.login import VARIABLE, assignments, read_dotenv, read_login
from oauthkit.shell import find_program, mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.project import Places

# Each makes claude, in a container, take something else for its login than the token.
SHADOWING = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE")
# A claude that renews holds its lock for seconds.
OLD_LOCK_S = 10 * 60
LOG_IN = "claude auth login"
HOOKS = ("renewed", "failed", "recovered")


@dataclass(frozen=True)
class Finding:
    """What a check has found: `mend` is the command, or what to do; "" if all is well."""

    name: str
    text: str
    mend: str = ""
    is_note: bool = False  # nothing that has to be mended

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to be mended."""
        return self.is_note or not self.mend

    def lines(self) -> list[str]:
        """Return the finding as one line, and a second one with the fix."""
        sign = "note" if self.is_note else " ok " if self.is_well else "FAIL"
        fix = [f"      mend: {self.mend}"] if self.mend else []
        return [f"{sign}  {self.name}: {self.text}", *fix]


def program(name: str, mend: str) -> Finding:
    """Where a program is, by PATH."""
    found = find_program(name)
    return Finding(name, found) if found else Finding(name, "not in PATH", mend)


def claude(places: Places, path: str | None = None) -> Finding:
    """Where claude is, by this PATH or another one."""
    folders = [f"{folder or '.'}/claude" for folder in (path or "").split(":")]
    usual = [f"{places.home}/.claude/local/claude", f"{places.home}/.local/bin/claude"]
    first = find_program("claude") if path is None else next(filter(_can_run, folders), "")
    found = first or next(filter(_can_run, usual), "")
    return Finding("claude", found) if found else Finding(
        "claude", "not in PATH, nor in ~/.claude/local or ~/.local/bin",
        "npm install --global @anthropic-ai/claude-code",
    )  # fmt: skip


def _can_run(path: str) -> bool:
    return os.access(path, os.X_OK) and is_file(Path(path))


def login(places: Places) -> Iterator[Finding]:
    """Whether the credentials can be read, and the login lasts."""
    login = read_login(places.credentials)
    ends_at_s = login.login_ends_at_s
    if login.problem:
        yield Finding("login", login.problem, login.mend or LOG_IN)
    elif ends_at_s is not None and ends_at_s < time.time():
        yield Finding("login", "it has ended", LOG_IN)
    else:
        yield Finding("login", str(places.credentials))


def dotenv(places: Places) -> Iterator[Finding]:
    """Whether .env carries a live token."""
    dotenv, login = places.dotenv, read_login(places.credentials)
    if _leads_nowhere(dotenv):
        yield Finding(".env", f"{dotenv} is a link that leads nowhere", f"rm {quoted(dotenv)}")
        return
    found = read_dotenv(dotenv)
    expires_at_s = login.expires_at_s
    if found.problem:
        yield Finding(".env", found.problem, found.mend or refresh(places))
    elif not login.token or not found.carries(login.token):
        if has_token_of_a_person(places):
            text = "it carries another token than the credentials, a refresh would replace it"
            yield Finding(".env", text, is_note=True)
        else:
            text = "it does not carry the token of the credentials"
            yield Finding(".env", text, refresh(places))
    elif expires_at_s is None:
        yield Finding(".env", "when its token expires is not known", refresh(places))
    elif expires_at_s <= time.time():
        yield Finding(".env", "its token has expired", refresh(places))
    else:
        link = f", a link to {os.path.realpath(dotenv)}" if dotenv.is_symlink() else ""
        yield Finding(".env", f"{dotenv}{link}")


def has_token_of_a_person(places: Places) -> bool:
    """Whether .env carries another token than the credentials, which no refresh has put there."""
    login, tokens = read_login(places.credentials), read_dotenv(places.dotenv).tokens
    is_other = not login.token or tokens != (login.token.encode(),)
    return is_other and is_of_a_person(places, tokens, read_journal(places))


def _leads_nowhere(path: Path) -> bool:
    """Whether it is a link to itself, or into a folder that is not there."""
    try:
        path.stat()
    except FileNotFoundError:
        return path.is_symlink() and look(Path(os.path.realpath(path)).parent).kind != FOLDER
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def runs(places: Places) -> Iterator[Finding]:
    """Whether the last run has failed, why, and what helps."""
    if not is_file(places.failing):
        yield Finding("runs", "the last one has not failed")
        return
    error = last_error(read_journal(places))
    text = "" if error is None else mask_secrets(error.text.partition(" ")[2])
    # Where the credentials cannot be read, what the log says of them is not what helps.
    helps = "" if read_login(places.credentials).mend else cure(text)
    said = "; ".join(part for part in (text, helps) if part)
    yield Finding("runs", f"they fail: {said or 'the log does not say why'}", refresh(places))


def modes(places: Places) -> Iterator[Finding]:
    """What others may read that has a token in it."""
    for name, file in (("mode of .env", places.dotenv), ("mode of the login", places.credentials)):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue  # another check tells
        if mode & 0o077:
            fix = _changing(places, file, "chmod 600")
            yield Finding(name, f"{mode:04o}: others may read the token", fix)
        else:
            yield Finding(name, f"{mode:04o}")


def variables(places: Places) -> Iterator[Finding]:
    """Variables that claude would take for its login in place of the token."""
    for name in SHADOWING:
        if os.environ.get(name):
            text = "in this environment: claude would take it in place of the token"
            yield Finding(f"{name} here", text, f"unset {name}", is_note=True)
    content = read(places.dotenv).data
    for name in SHADOWING:
        if assignments(content, name):
            mend = _commenting_out(places, name)
            yield Finding(name, "in .env: claude would take it in place of the token", mend)
    if read_dotenv(places.dotenv).other_spellings:
        text = "in .env with export or blanks: a refresh leaves that line, some readers take it"
        yield Finding(VARIABLE, text, _commenting_out(places, VARIABLE, f"/^{VARIABLE}=/!"))


def _commenting_out(places: Places, name: str, but: str = "") -> str:
    """The command that makes comments of lines of .env: one may be the only copy of a key."""
    pattern = f"/^[[:blank:]]*(export[[:blank:]]+)?{name}[[:blank:]]*=/s/^/# /"
    code = f"{but}{{{pattern}}}" if but else pattern
    return _changing(places, places.dotenv, f"sed -i -E '{code}'")


def lock_of_claude(places: Places) -> Iterator[Finding]:
    """A lock folder that a killed claude has left: the next one would wait for it."""
    config = places.credentials.parent
    for lock in (Path(f"{places.credentials}.lock"), Path(f"{config}.lock")):
        try:
            age_s = time.time() - lock.stat().st_mtime
        except OSError:
            continue
        if age_s > OLD_LOCK_S:
            text = f"{lock} is {age_s / 60:.0f} min old"
            yield Finding("lock of claude", text, f"rm -r {quoted(lock)}")
            return
    yield Finding("lock of claude", "none that is old")


def script(places: Places) -> Iterator[Finding]:
    """Whether the script of the project is the one that this version has."""
    script, ours = places.project / SCRIPT, carried(SCRIPT)
    content = read(script)
    if not content.kind and not content.mend:
        yield Finding("script", f"the project has none: {script}", is_note=True)
    elif content.problem:
        yield Finding("script", content.problem, content.mend)
    elif content.data == ours.read_bytes():
        yield Finding("script", str(script))
    else:
        text = f"{script} is not that of this version"
        yield Finding("script", text, _changing(places, script, f"cp {quoted(ours)}"))


def hooks(places: Places) -> Iterator[Finding]:
    """Whether what lies where a hook is looked for can be run as one."""
    for event in HOOKS:
        hook = places.project / "scripts/oauth/hooks" / event
        if is_file(hook) and not os.access(hook, os.X_OK):
            text = f"{hook} is not executable, so it is passed over"
            fix = _changing(places, hook, "chmod +x")
            yield Finding(f"hook {event}", text, fix, is_note=True)


def _changing(places: Places, path: Path, command: str) -> str:
    """Return a command that changes a file, if it is the user's and in the project."""
    if may_change(path, places.project):
        return f"{command} {quoted(Path(os.path.realpath(path)))}"
    return inspecting(path)


def refresh(places: Places) -> str:
    """The command that refreshes the project: it mends much."""
    return command("refresh", places)
