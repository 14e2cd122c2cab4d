"""What can be wrong with a host, each check with the command that mends it."""

from __future__ import annotations

import errno
import getpass
import os
import re
import shlex
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host import cron
from oauthkit.host.files import SCRIPT, carried
from oauthkit.host.journal import cure, last_error, read_journal
from oauthkit.host.login import Login, read_dotenv, read_login
from oauthkit.host.timers import ManagerError, Timer, ask, pending_timers
from oauthkit.host.wording import command, printable
from oauthkit.shell import find_program, is_b64token, mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oauthkit.host.places import Places

# Each makes claude, in a container, take something else for its login than the token.
SHADOWING = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE")
# A claude that renews holds its lock for seconds.
OLD_LOCK_S = 10 * 60
# Where systemd runs (sd_booted(3)).
BOOTED = Path("/run/systemd/system")
# How often systemd is asked, and how long after one another, while its answers do not fit.
LOOKS, LOOK_S = 3, 0.3
FOR_A_YEAR = "without timers: claude setup-token makes a token for a year, put it into .env"
LOG_IN = "claude auth login"
# As systemctl shows it: the words of the argv with a blank between them, none of them quoted.
_EXEC_START = re.compile(
    r"^ExecStart=\{ path=.*? ; argv\[\]=(.*?) ; ignore_errors=", re.DOTALL | re.MULTILINE
)
_ESCAPED = {"n": "\n", "t": "\t"}
# The project in that argv: the folder two above its script, or an option.
_PROJECT = re.compile(
    rf"\S+ (?P<script>/.*)/{re.escape(SCRIPT)}|.* --project=(?P<option>/.*)", re.DOTALL
)


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

    def line(self) -> str:
        """The finding for a person, in one line, or in two with what mends it."""
        sign = "note" if self.is_note else " ok " if self.is_well else "FAIL"
        text = f"{sign}  {printable(f'{self.name}: {self.text}')}"
        return text + (f"\n      mend: {self.mend}" if self.mend else "")


def examine(places: Places) -> Iterator[Finding]:
    """Every check, one after the other; nothing is changed, and claude is not run."""
    yield _program("jq", "sudo apt-get install jq")
    yield _program("timeout", "sudo apt-get install coreutils")
    yield _program("flock", "sudo apt-get install util-linux")
    checks: dict[str, Callable[[Places], Iterable[Finding]]] = {
        "claude": lambda places: [_claude(places)],
        "login": _login,
        ".env": _dotenv,
        "runs": _runs,
        "modes": _modes,
        "variables": _shadowing,
        "lock of claude": _lock_of_claude,
        "script": _script,
        "systemd": _systemd,
        "clock": _clock,
    }
    for name, check in checks.items():
        try:
            yield from check(places)
        except (OSError, RuntimeError, ManagerError) as error:
            yield Finding(name, f"could not be checked: {error}", is_note=True)


# --- Programs and files ---


def _program(name: str, mend: str) -> Finding:
    found = find_program(name)
    return Finding(name, found) if found else Finding(name, "not in PATH", mend)


def _claude(places: Places, path: str | None = None) -> Finding:
    """Where claude is, by this PATH or another one."""
    folders = [f"{folder or '.'}/claude" for folder in (path or "").split(":")]
    usual = [f"{places.home}/.claude/local/claude", f"{places.home}/.local/bin/claude"]
    first = find_program("claude") if path is None else next(filter(_can_run, folders), "")
    found = first or next(filter(_can_run, usual), "")
    return Finding("claude", found) if found else Finding(
        "claude", "not in PATH, nor in ~/.claude/local or ~/.local/bin",
        "curl -fsSL https://claude.ai/install.sh | bash",
    )  # fmt: skip


def _can_run(path: str) -> bool:
    # In this order: is_file raises an error for what is in a folder that is closed to this user.
    return os.access(path, os.X_OK) and Path(path).is_file()


def _read_login(places: Places) -> Login:
    try:
        return read_login(places.credentials)
    except RecursionError:
        return Login(f"{places.credentials} is not valid JSON")


def _login(places: Places) -> Iterator[Finding]:
    login = _read_login(places)
    ends_at_s = login.login_ends_at_s
    if login.problem:
        yield Finding("login", login.problem, LOG_IN)
    elif ends_at_s is not None and ends_at_s < time.time():
        yield Finding("login", "it has ended", LOG_IN)
    else:
        yield Finding("login", str(places.credentials))


def _dotenv(places: Places) -> Iterator[Finding]:
    """Whether .env carries a live token."""
    dotenv, login = places.dotenv, _read_login(places)
    if _leads_nowhere(dotenv):
        yield Finding(".env", f"{dotenv} is a link that leads nowhere", f"rm {_q(dotenv)}")
        return
    found = read_dotenv(dotenv)
    expires_at_s = login.expires_at_s
    if found.problem:
        yield Finding(".env", found.problem, _mend_of_dotenv(places))
    elif not login.token or not found.carries(login.token):
        if _is_of_a_person(places, found.tokens):
            text = "it carries another token than the credentials, a refresh would replace it"
            yield Finding(".env", text, is_note=True)
        else:
            text = "it does not carry the token of the credentials"
            yield Finding(".env", text, _refresh(places))
    elif expires_at_s is None:
        yield Finding(".env", "when its token expires is not known", _refresh(places))
    elif expires_at_s <= time.time():
        yield Finding(".env", "its token has expired", _refresh(places))
    else:
        link = f", a link to {os.path.realpath(dotenv)}" if dotenv.is_symlink() else ""
        yield Finding(".env", f"{dotenv}{link}")


def _mend_of_dotenv(places: Places) -> str:
    """What makes an .env readable; a refresh would not touch what it cannot read."""
    if not os.access(places.dotenv, os.F_OK):
        return _refresh(places)
    return f"{'rmdir' if places.dotenv.is_dir() else 'chmod u+rw'} {_q(places.dotenv)}"


def _leads_nowhere(path: Path) -> bool:
    """Whether it is a link to itself, or into a folder that is not there."""
    try:
        path.stat()
    except PermissionError:
        return False
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
        return path.is_symlink() and (is_loop or not Path(os.path.realpath(path)).parent.is_dir())
    return False


def _is_of_a_person(places: Places, tokens: tuple[bytes, ...]) -> bool:
    """Whether someone has put a token into .env, which claude setup-token makes for a year.

    It is not so if .env is as the last delivery has left it, or runs fail.
    """
    if len(tokens) != 1 or not is_b64token(tokens[0].decode("utf-8", "replace")):
        return False
    deliveries = [entry.at_s for entry in read_journal(places) if entry.expires_at_s is not None]
    # The log has whole seconds.
    is_delivered = bool(deliveries) and places.dotenv.stat().st_mtime < deliveries[-1] + 2
    return not is_delivered and not places.failing.exists()


def _runs(places: Places) -> Iterator[Finding]:
    """Whether the last run has failed, why, and what helps."""
    if not places.failing.exists():
        yield Finding("runs", "the last one has not failed")
        return
    error = last_error(read_journal(places))
    text = "" if error is None else mask_secrets(error.text.partition(" ")[2])
    said = "; ".join(part for part in (text, cure(text)) if part)
    yield Finding("runs", f"they fail: {said or 'the log does not say why'}", _refresh(places))


def _modes(places: Places) -> Iterator[Finding]:
    """What others may read that has a token in it."""
    for name, file in (("mode of .env", places.dotenv), ("mode of the login", places.credentials)):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue  # another check tells
        if mode & 0o077:
            mend = f"chmod go-rwx {_q(Path(os.path.realpath(file)))}"
            yield Finding(name, f"{mode:04o}: others may read the token", mend)
        else:
            yield Finding(name, f"{mode:04o}")


def _shadowing(places: Places) -> Iterator[Finding]:
    """Variables that claude would take for its login in place of the token."""
    for name in SHADOWING:
        if os.environ.get(name):
            text = "in this environment: claude would take it in place of the token"
            yield Finding(f"{name} here", text, f"unset {name}", is_note=True)
    try:
        lines = places.dotenv.read_bytes().split(b"\n")
    except OSError:
        return
    for name in SHADOWING:
        assignment = rb"[ \t]*(export[ \t]+)?%s[ \t]*=" % name.encode()
        if any(re.match(assignment, line) for line in lines):
            # It stays there as a comment: it may be the only copy of a key.
            pattern = f"/^[[:blank:]]*(export[[:blank:]]+)?{name}[[:blank:]]*=/s/^/# /"
            mend = f"sed -i -E '{pattern}' {_q(Path(os.path.realpath(places.dotenv)))}"
            yield Finding(name, "in .env: claude would take it in place of the token", mend)


def _lock_of_claude(places: Places) -> Iterator[Finding]:
    """A lock folder that a killed claude has left: the next one would wait for it."""
    config = places.credentials.parent
    for lock in (Path(f"{places.credentials}.lock"), Path(f"{config}.lock")):
        try:
            age_s = time.time() - lock.stat().st_mtime
        except OSError:
            continue
        if age_s > OLD_LOCK_S:
            text = f"{lock} is {age_s / 60:.0f} min old"
            yield Finding("lock of claude", text, f"rm -r {_q(lock)}")
            return
    yield Finding("lock of claude", "none that is old")


def _script(places: Places) -> Iterator[Finding]:
    """Whether the script of the project is the one that this version has."""
    script, ours = places.project / SCRIPT, carried(SCRIPT)
    if not script.is_file():
        yield Finding("script", f"the project has none: {script}", is_note=True)
        return
    try:
        content = script.read_bytes()
    except OSError as error:
        text = f"{script} cannot be read: {error.strerror}"
        yield Finding("script", text, f"chmod u+r {_q(script)}")
        return
    if content == ours.read_bytes():
        yield Finding("script", str(script))
    else:
        text = f"{script} is not that of this version"
        yield Finding("script", text, f"cp {_q(ours)} {_q(script)}")


# --- The host ---


def _systemd(places: Places) -> Iterator[Finding]:
    """The user manager, the timer that waits, and what it will find."""
    try:
        timers = pending_timers(places.units)
    except ManagerError as error:
        yield from _without_manager(places, str(error))
        return
    yield Finding("user manager", "it answers")
    yield _linger()
    finding, service, shown = _next_run(places, timers)
    if not service:
        by_cron = [*_by_cron(places)]
        yield from by_cron or [finding]
        return
    yield finding
    yield from _whose(places, service, shown)
    path = _path_of(shown)
    claude = _claude(places, path)
    if path is not None and not claude.is_well:
        yield Finding("claude by the timer", f"not in its PATH: {path}", _refresh(places))


def _without_manager(places: Places, error: str) -> Iterator[Finding]:
    """What starts the next run on a host whose systemd does not."""
    by_cron = [*_by_cron(places)]
    if by_cron:
        yield Finding("user manager", error, is_note=True)
        yield from by_cron
        return
    if BOOTED.is_dir():  # but not for this user, as after su or sudo
        user = getpass.getuser()
        yield Finding("user manager", error, f"sudo loginctl enable-linger {shlex.quote(user)}")
    else:
        yield Finding("user manager", error, is_note=True)
        need = "" if find_program("crontab") else "sudo apt-get install cron && "
        text = "nothing starts it: there is no timer, and no line of the crontab"
        yield Finding("next run", text, need + cron.mend(places))
    yield Finding("timer", FOR_A_YEAR, is_note=True)


def _by_cron(places: Places) -> Iterator[Finding]:
    """What a line of the crontab that refreshes the project will find, if there is one."""
    path = cron.path_of_refresh(places)
    if path is None:
        return
    yield Finding("next run", "a line of the crontab starts it")
    if not _claude(places, path).is_well:
        mend = f"crontab -e, and put there what this prints: {_install(places)} --cron"
        yield Finding("claude by cron", f"not in its PATH: {path}", mend)


def _next_run(places: Places, timers: list[Timer]) -> tuple[Finding, str, str]:
    """Whether a run is due, the service that it has ("" for none), and what systemctl shows of it.

    A run may start or end between two questions: then they are asked anew.
    """
    finding, service, shown = Finding("timer", "no run is due", _install(places)), "", ""
    for attempt in range(LOOKS):
        if attempt:
            time.sleep(LOOK_S)
            timers = pending_timers(places.units)
        if timers and timers[0].next_s is not None:
            due = time.strftime("%Y-%m-%d %H:%M", time.localtime(timers[0].next_s))
            finding = Finding("timer", f"{timers[0].unit}, due {due}")
            service = timers[0].unit.removesuffix(".timer") + ".service"
        else:
            service = _service_that_runs(places)  # which arms the next timer when it ends
            if not service:
                finding = Finding("timer", "no run is due", _install(places))
                continue
            finding = Finding("timer", f"a run is under way: {service}")
        properties = ("LoadState", "ExecStart", "Environment")
        shown = ask("show", service, *(f"--property={name}" for name in properties))
        if "LoadState=not-found" not in shown.split("\n"):
            break
    return finding, service, shown


def _service_that_runs(places: Places) -> str:
    """The service of the project that runs, or is about to; "" if there is none."""
    for unit in (*places.units, f"{places.unit}-heal"):
        try:
            state = ask("show", f"{unit}.service", "--property=ActiveState", "--value")
        except ManagerError:
            continue
        if state.strip() in {"active", "activating"}:
            return f"{unit}.service"
    return ""


def _whose(places: Places, service: str, shown: str) -> Iterator[Finding]:
    """Whether a service, as systemctl shows it, is of this project."""
    argv = _EXEC_START.search(shown)
    found = _PROJECT.fullmatch(argv[1].replace("$$", "$")) if argv else None
    if found is None:
        yield Finding("whose timer", f"{service} runs something else", _refresh(places))
        return
    project = found["script"] or found["option"]
    if os.path.realpath(project) != os.path.realpath(places.project):
        mend = f"OAUTHKIT_UNIT=another-name {_refresh(places)}"
        yield Finding("whose timer", f"{service} is of another project: {project}", mend)


def _path_of(shown: str) -> str | None:
    """The PATH in what systemctl shows of a service, None if there is none."""
    line = next((x for x in shown.split("\n") if x.startswith("Environment=")), "")
    # An assignment with anything odd in it is in double quotes, which shlex reads in another way.
    for quoted, plain in re.findall(
        r'"((?:[^"\\]|\\.)*)"|(\S+)', line.removeprefix("Environment=")
    ):
        word = plain or re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), quoted)
        if word.startswith("PATH="):
            return str(word.removeprefix("PATH="))
    return None


def _linger() -> Finding:
    shown = _said("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    if shown is None:
        return Finding("linger", "loginctl does not say", is_note=True)
    if shown == "yes":
        return Finding("linger", "yes")
    return Finding("linger", "the timers end with the last logout", "loginctl enable-linger")


def _clock(_: Places) -> Iterator[Finding]:
    shown = _said("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if shown == "no":
        yield Finding("clock", "it is not synchronized", "sudo timedatectl set-ntp true")
    else:
        text = "synchronized" if shown == "yes" else "not known"
        yield Finding("clock", text, is_note=shown != "yes")


def _said(*argv: str) -> str | None:
    """What a program prints, None if it fails or is not there."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _refresh(places: Places) -> str:
    return command("refresh", places)


def _install(places: Places) -> str:
    return command("install", places)


def _q(path: Path) -> str:
    return shlex.quote(str(path))
