"""What can be wrong with a host, each check with the command that mends it."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oauthkit.host.login import read_dotenv, read_login
from oauthkit.host.timers import ManagerError, ask, pending_timers
from oauthkit.host.units import SCRIPT
from oauthkit.shell import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oauthkit.host.places import Places

# Each makes claude, in a container, take something else for its login than the token.
SHADOWING = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_SIMPLE")
# A claude that renews holds its lock for seconds.
OLD_LOCK_S = 10 * 60
FOR_A_YEAR = (
    "claude setup-token makes a token for a year: put it into .env, and nothing is to be renewed"
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
        text = "".join(c if c.isprintable() else "�" for c in f"{self.name}: {self.text}")
        return f"{sign}  {text}" + (f"\n      mend: {self.mend}" if self.mend else "")


def examine(places: Places) -> Iterator[Finding]:
    """Every check, one after the other; nothing is changed, and claude is not run."""
    yield _program("jq", "sudo apt-get install jq")
    yield _program("timeout", "sudo apt-get install coreutils")
    yield _program("flock", "sudo apt-get install util-linux")
    yield _claude(places)
    yield _login(places)
    yield _dotenv(places)
    yield from _modes(places)
    yield from _shadowing(places)
    yield _lock_of_claude(places)
    yield _script(places)
    yield from _systemd(places)
    yield _clock()


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
    return Path(path).is_file() and os.access(path, os.X_OK)


def _login(places: Places) -> Finding:
    login = read_login(places.credentials)
    if login.problem:
        return Finding("login", login.problem, "run claude and use /login")
    ends_at_s = login.login_ends_at_s
    if ends_at_s is not None and ends_at_s < time.time():
        return Finding("login", "it has ended", "run claude and use /login")
    return Finding("login", str(places.credentials))


def _dotenv(places: Places) -> Finding:
    dotenv, login = places.dotenv, read_login(places.credentials)
    if dotenv.is_symlink() and not dotenv.resolve().parent.is_dir():
        return Finding(".env", f"{dotenv} is a link that leads nowhere", f"rm {_q(dotenv)}")
    found = read_dotenv(dotenv)
    if found.problem or not login.token or not found.carries(login.token):
        problem = found.problem or "it does not carry the token of the credentials"
        return Finding(".env", problem, _refresh(places))
    link = f", a link to {dotenv.resolve()}" if dotenv.is_symlink() else ""
    return Finding(".env", f"{dotenv}{link}")


def _modes(places: Places) -> Iterator[Finding]:
    """What others may read that has a token in it."""
    for name, file in (("mode of .env", places.dotenv), ("mode of the login", places.credentials)):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue  # another check tells
        if mode & 0o077:
            mend = f"chmod go-rwx {_q(file.resolve())}"
            yield Finding(name, f"{mode:04o}: others may read the token", mend)
        else:
            yield Finding(name, f"{mode:04o}")


def _shadowing(places: Places) -> Iterator[Finding]:
    """Variables that a container would take for its login in place of the token."""
    try:
        lines = places.dotenv.read_bytes().split(b"\n")
    except OSError:
        return
    for name in SHADOWING:
        if any(line.removeprefix(b"export ").startswith(f"{name}=".encode()) for line in lines):
            mend = f"sed -i '/^\\(export \\)\\?{name}=/d' {_q(places.dotenv.resolve())}"
            yield Finding(name, "in .env: claude would take it in place of the token", mend)


def _lock_of_claude(places: Places) -> Finding:
    """A lock folder that a killed claude has left: the next one would wait for it."""
    config = places.credentials.parent
    for lock in (Path(f"{places.credentials}.lock"), Path(f"{config}.lock")):
        try:
            age_s = time.time() - lock.stat().st_mtime
        except OSError:
            continue
        if age_s > OLD_LOCK_S:
            return Finding(
                "lock of claude", f"{lock} is {age_s / 60:.0f} min old", f"rm -r {_q(lock)}"
            )
    return Finding("lock of claude", "none that is old")


def _script(places: Places) -> Finding:
    """Whether the script of the project is the one that this version has."""
    script = places.project / SCRIPT
    package = Path(__file__).parents[1]
    ours = package / "_data/refresh.sh"
    if not ours.is_file():
        ours = package.parents[1] / SCRIPT  # in a checkout
    if not script.is_file():
        return Finding("script", f"the project has none: {script}", is_note=True)
    if script.read_bytes() != ours.read_bytes():
        return Finding(
            "script", f"{script} is not that of this version", f"cp {_q(ours)} {_q(script)}"
        )
    return Finding("script", str(script))


# --- The host ---


def _systemd(places: Places) -> Iterator[Finding]:
    """The user manager, the timer that waits, and what it will find."""
    try:
        timers = pending_timers(places.units)
    except ManagerError as error:
        yield Finding("user manager", str(error), f"{_install(places)} --cron; or {FOR_A_YEAR}")
        return
    yield Finding("user manager", "it answers")
    yield _linger()
    if not timers or timers[0].next_s is None:
        yield Finding("timer", "no run is due", _install(places))
        return
    due = time.strftime("%Y-%m-%d %H:%M", time.localtime(timers[0].next_s))
    yield Finding("timer", f"{timers[0].unit}, due {due}")
    service = timers[0].unit.removesuffix(".timer") + ".service"
    shown = ask("show", service, "--property=ExecStart", "--property=Environment")
    if str(places.project) not in shown:
        mend = f"OAUTHKIT_UNIT=another-name {_refresh(places)}"
        yield Finding("whose timer", f"{service} is of another project", mend)
    path = _path_of(shown)
    claude = _claude(places, path)
    if path is not None and not claude.is_well:
        yield Finding("claude by the timer", f"not in its PATH: {path}", _refresh(places))


def _path_of(shown: str) -> str | None:
    """The PATH in what systemctl shows of a service, None if there is none."""
    line = next((x for x in shown.splitlines() if x.startswith("Environment=")), "")
    try:
        words = shlex.split(line.removeprefix("Environment="))
    except ValueError:
        return None
    return next((word.removeprefix("PATH=") for word in words if word.startswith("PATH=")), None)


def _linger() -> Finding:
    shown = _said("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    if shown is None:
        return Finding("linger", "loginctl does not say", is_note=True)
    if shown == "yes":
        return Finding("linger", "yes")
    return Finding("linger", "the timers end with the last logout", "loginctl enable-linger")


def _clock() -> Finding:
    shown = _said("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if shown == "no":
        return Finding("clock", "it is not synchronized", "sudo timedatectl set-ntp true")
    return Finding(
        "clock", "synchronized" if shown == "yes" else "not known", is_note=shown != "yes"
    )


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
    return f"oauthkit refresh --project {_q(places.project)}"


def _install(places: Places) -> str:
    return f"oauthkit install --project {_q(places.project)}"


def _q(path: Path) -> str:
    return shlex.quote(str(path))
