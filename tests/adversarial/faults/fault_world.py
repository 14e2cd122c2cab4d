"""A project in which runs are killed, and what must hold afterwards."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.support.bench_world import BenchWorld

FORMS = ("bash", "python")
OLD, NEW = "sk-ant-oat01-made-up-old", "sk-ant-oat01-made-up-new"
UNIT = "nanoclaw-oauth-refresh-next"
# Only root can give a file away; else its owner is who runs the tests.
OWNER = (1234, 2345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
MODE = 0o400
# Longer than what is written at once, so that a kill can leave half of it.
BLOB = f"BLOB={'x' * 20_000}\n"
# What a run leaves, and what a killed one may leave as well.
KNOWN = (".env", "bearer.json", "scripts", "logs", "oauth-refresh.log", "oauth-refresh.lock")
TEMPORARY, FAILING = "*.oauthkit*", "oauth-refresh.failing"
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \S.*\n")
HEALED = re.compile(
    r"(Updated \.env with|.* already has this) token \(expires_at=\d+\)\n"
    r"Scheduled next refresh at \S*"
)
RUN_LIMIT_S = 60

# A user manager as far as it matters here: a name that is taken is refused, a stopped timer is
# gone. A timer is a file that holds its instant; set -C makes taking a name one step.
SYSTEMD_RUN = """\
#!/bin/sh
set -C
for word; do
  case $word in
    --unit=*) unit=${word#*=} ;;
    --on-calendar=@*) instant=${word#*@} ;;
  esac
done
printf '%s' "$instant" >"$XDG_RUNTIME_DIR/timers/$unit.timer"
"""
SYSTEMCTL = """\
#!/bin/sh
[ "$3" = stop ] || exit 0
cd "$XDG_RUNTIME_DIR/timers" && exec rm "$4" "$5" "$6"
"""


class WrongStateError(Exception):
    """Something does not hold that has to hold; the text says what."""


@dataclass(frozen=True)
class Dotenv:
    """What .env is: its bytes, its mode and its owner."""

    content: bytes
    mode: int = MODE
    owner: tuple[int, int] = OWNER


def dotenv(token: str) -> Dotenv:
    """The .env of these worlds with this token in it."""
    return Dotenv(f"{BLOB}CLAUDE_CODE_OAUTH_TOKEN={token}\nPORT=3000\n".encode())


class FaultWorld(BenchWorld):
    """A project with an old token in .env, and credentials with 8 h to live."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.lock = self.logs / "oauth-refresh.lock"
        self.timers = root / "timers"
        self.timers.mkdir()
        self.stand_in("systemd-run", SYSTEMD_RUN)
        self.stand_in("systemctl", SYSTEMCTL)
        self.expiry_ms = self.login(NEW, life_s=8 * 3600)
        self.bearer = root / "bearer" / "bearer.json"
        self.has_bearer = False

    def use_bearer(self) -> None:
        """Deliver to a bearer file, too. It is longer than what is written at once."""
        self.has_bearer = True
        self.bearer.parent.mkdir()
        login = json.loads(self.credentials.read_bytes())
        login["claudeAiOauth"]["subscriptionType"] = "x" * 20_000
        self.credentials.write_text(json.dumps(login), encoding="ascii")

    def environment(self) -> dict[str, str]:
        """Return the environment of every run."""
        return super().environment() | (
            {"OAUTHKIT_BEARER": str(self.bearer)} if self.has_bearer else {}
        )

    def record(self, token: str) -> bytes:
        """Return the content of the bearer file with this token."""
        oauth = {
            "accessToken": token,
            "expiresAt": self.expiry_ms,
            "subscriptionType": "x" * 20_000,
        }
        return json.dumps({"claudeAiOauth": oauth}, separators=(",", ":")).encode() + b"\n"

    def folders(self) -> list[Path]:
        """Return the directories in which a run leaves files."""
        return [self.project, self.logs, *([self.bearer.parent] if self.has_bearer else [])]

    def reset(self) -> None:
        """Makes the project what it was before any run; a timer is pending."""
        for folder in (*self.folders(), self.timers):
            for path in folder.iterdir():
                if not path.is_dir():
                    path.unlink()
        self.dotenv.write_bytes(dotenv(OLD).content)
        self.dotenv.chmod(MODE)
        os.chown(self.dotenv, *OWNER)
        if self.has_bearer:
            self.bearer.write_bytes(self.record(OLD))
            self.bearer.chmod(MODE)
        (self.timers / f"{UNIT}.timer").write_text("1", encoding="ascii")

    def found(self) -> Dotenv:
        """What .env is now."""
        info = self.dotenv.stat()
        owner = (info.st_uid, info.st_gid)
        return Dotenv(self.dotenv.read_bytes(), stat.S_IMODE(info.st_mode), owner)

    def expect(self, *wanted: Dotenv) -> None:
        """WrongStateError unless .env is one of these."""
        if (found := self.found()) not in wanted:
            content = found.content.replace(b"x" * 1000, b"~")
            raise WrongStateError(
                f".env is neither old nor new but {content!r}, mode {found.mode:04o}, "
                f"owner {found.owner}"
            )

    def expect_bearer(self, *tokens: str) -> None:
        """WrongStateError unless the bearer file is whole, with one of these tokens."""
        content, mode = self.bearer.read_bytes(), stat.S_IMODE(self.bearer.stat().st_mode)
        if content not in [self.record(token) for token in tokens] or mode != MODE:
            shown = content.replace(b"x" * 1000, b"~")
            raise WrongStateError(
                f"the bearer file is neither old nor new but {shown!r}, {mode:04o}"
            )

    def expect_free_lock(self) -> None:
        """WrongStateError if somebody holds the lock."""
        if not lock_is_free(self.lock):
            raise WrongStateError(f"the lock is held by {holders(self.lock)}")

    def expect_known_files(self, *more: str) -> None:
        """WrongStateError if project or logs have files that no run leaves, nor one of `more`.

        A name that ends with * stands for all that begin so.
        """
        found = {path.name for folder in self.folders() for path in folder.iterdir()}
        known = {name for name in found for like in (*KNOWN, *more) if fnmatchcase(name, like)}
        if found - known:
            raise WrongStateError(f"files are left: {sorted(found - known)}")

    def expect_one_timer(self) -> int:
        """The instant of the one timer that is pending; WrongStateError if it is not one."""
        pending = {timer.stem: timer.read_text(encoding="ascii") for timer in self.timers.iterdir()}
        if len(pending) != 1 or not all(pending.values()):
            raise WrongStateError(f"not one timer is pending: {pending}")
        return int(*pending.values())

    def log_lines(self) -> list[str]:
        """The lines of the log without their times; WrongStateError if one is not whole."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        for line in lines:
            if LOG_LINE.fullmatch(line) is None:
                raise WrongStateError(f"no whole line of a log: {line!r}")
        return [line.partition(" ")[2].rstrip("\n") for line in lines]

    def run(self, form: str) -> None:
        """One undisturbed run; WrongStateError if it fails or prints anything."""
        done = subprocess.run(
            self.form(form),
            env=self.environment(),
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        if (done.returncode, done.stdout) != (0, b""):
            raise WrongStateError(
                f"the next run ({form}) exits {done.returncode}, prints {done.stdout!r} and logs: "
                f"{self.log_lines()[-3:]}"
            )

    def heal(self, form: str, *left: str) -> None:
        """The run after a killed one, and all that has to hold then; it may have `left` files."""
        before = len(self.log_lines())
        self.run(form)
        self.expect(dotenv(self.token()))
        if self.has_bearer:
            self.expect_bearer(self.token())
        self.expect_free_lock()
        self.expect_known_files(*left)
        end = "\n".join(self.log_lines()[before:][-2:])
        if HEALED.fullmatch(end) is None or f"={self.expiry_ms})" not in end:
            raise WrongStateError(f"the log of the next run ({form}) ends with {end!r}")
        due_s = self.expiry_ms // 1000 - 1800
        if (found := self.expect_one_timer()) != due_s:
            raise WrongStateError(f"the timer is due at {found}, not at {due_s}")

    def token(self) -> str:
        """The access token of the credentials."""
        found = re.search(r'"accessToken": ?"([^"]*)"', self.credentials.read_text("utf-8"))
        if found is None:
            raise WrongStateError("the credentials hold no token")
        return found[1]


def lock_is_free(lock: Path) -> bool:
    """Whether anybody could take the flock(2) of this file now."""
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def holders(lock: Path) -> list[str]:
    """The programs of the processes that have this file open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(link.readlink() == lock for link in (process / "fd").iterdir()):
                found.append((process / "exe").readlink().name)
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return found


class Faults:
    """Counts the faults of a test and keeps those that were not survived."""

    def __init__(self) -> None:
        self.count = 0
        self.problems: list[str] = []

    def survived(self, problem: str | None) -> None:
        """One more fault; None if everything held, else what did not."""
        self.count += 1
        if problem is not None:
            self.problems.append(problem)
