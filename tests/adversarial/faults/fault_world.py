"""A project in which runs are killed, and the invariants that must hold afterwards."""

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
# Only root can change a file's owner. Otherwise, it is the user who runs the tests.
OWNER = (1234, 2345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
MODE = 0o400
NEW_MODE = 0o600  # of a file that a run creates
# Longer than one write, so that a kill can leave a part of it.
BLOB = f"BLOB={'x' * 20_000}\n"
SUBSCRIPTION = "x" * 20_000
# The files that a run creates, and those that a killed run can leave behind.
KNOWN = (".env", "bearer.json", "scripts", "logs", "oauth-refresh.log", "oauth-refresh.lock")
TEMPORARY, FAILING = "*.oauthkit*", "oauth-refresh.failing"
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \S.*\n")
HEALED = re.compile(
    r"(Updated \.env with|.* already has this) token \(expires_at=\d+\)\n"
    r"Scheduled next refresh at \S*"
)
RUN_LIMIT_S = 60

# A minimal user manager: a used name is rejected, a stopped timer is gone. A timer is a file that
# contains its instant. set -C makes its creation atomic.
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
    """An invariant does not hold. The text says which."""


@dataclass(frozen=True)
class FileState:
    """A file's bytes, mode and owner. The defaults are those before the first run."""

    content: bytes
    mode: int = MODE
    owner: tuple[int, int] = OWNER

    def __str__(self) -> str:
        content = self.content.replace(b"x" * 1000, b"~")
        return f"{content!r}, mode {self.mode:04o}, owner {self.owner}"


def state_of(path: Path) -> FileState:
    """Return a file's state."""
    info = path.stat()
    return FileState(path.read_bytes(), stat.S_IMODE(info.st_mode), (info.st_uid, info.st_gid))


def dotenv(token: str) -> FileState:
    """Return the state of .env in these worlds, with this token."""
    return FileState(f"{BLOB}CLAUDE_CODE_OAUTH_TOKEN={token}\nPORT=3000\n".encode())


class FaultWorld(BenchWorld):
    """A project with an old token in .env, and credentials that expire in 8 h."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.lock = self.logs / "oauth-refresh.lock"
        self.timers = root / "timers"
        self.timers.mkdir()
        self.stand_in("systemd-run", SYSTEMD_RUN)
        self.stand_in("systemctl", SYSTEMCTL)
        self.expiry_ms = self.login(NEW, life_s=8 * 3600)
        self.bearer = root / "bearer" / "bearer.json"
        self.has_bearer = self.is_bearer_new = False
        self.target = self.dotenv  # the file in whose delivery runs are killed

    def use_bearer(self, *, is_new: bool = False) -> None:
        """Also deliver to a bearer file, which takes more than one write.

        With `is_new`, it does not exist yet.
        """
        self.has_bearer, self.is_bearer_new = True, is_new
        self.target = self.bearer
        self.bearer.parent.mkdir()
        login = json.loads(self.credentials.read_bytes())
        login["claudeAiOauth"]["subscriptionType"] = SUBSCRIPTION
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
            "subscriptionType": SUBSCRIPTION,
        }
        return json.dumps({"claudeAiOauth": oauth}, separators=(",", ":")).encode() + b"\n"

    def directories(self) -> list[Path]:
        """Return the directories in which a run leaves files."""
        return [self.project, self.logs, *([self.bearer.parent] if self.has_bearer else [])]

    def reset(self) -> None:
        """Restore the state before the first run, with a pending timer."""
        for directory in (*self.directories(), self.timers):
            for path in directory.iterdir():
                if not path.is_dir():
                    path.unlink()
        # Each killed run counts as a failure of claude.
        (self.credentials.parent / ".oauthkit-failures").unlink(missing_ok=True)
        self.dotenv.write_bytes(dotenv(OLD).content)
        self.dotenv.chmod(MODE)
        os.chown(self.dotenv, *OWNER)
        if self.has_bearer:
            self.bearer.with_name(f"{self.bearer.name}.oauthkit.0000000000000001").touch(0o600)
            if not self.is_bearer_new:
                self.bearer.write_bytes(self.record(OLD))
                self.bearer.chmod(MODE)
                os.chown(self.bearer, *OWNER)
        (self.timers / f"{UNIT}.timer").write_text("1", encoding="ascii")

    def found(self) -> FileState:
        """Return the state of .env."""
        return state_of(self.dotenv)

    def expect(self, *wanted: FileState) -> None:
        """Raise WrongStateError unless .env is one of these."""
        if (found := self.found()) not in wanted:
            raise WrongStateError(f".env is neither old nor new but {found}")

    def expect_bearer(self, *tokens: str) -> None:
        """Raise WrongStateError unless the bearer file is whole, with one of these tokens.

        An old one must keep its mode and owner. A new one must not appear before it has the new
        token. Do nothing in a world without a bearer file.
        """
        if not self.has_bearer:
            return
        wanted = [FileState(self.record(token)) for token in tokens]
        if self.is_bearer_new:
            if OLD in tokens and not self.bearer.exists():
                return
            own = (os.geteuid(), os.getegid())
            wanted = [FileState(self.record(self.token()), NEW_MODE, own)]
        if (found := state_of(self.bearer)) not in wanted:
            raise WrongStateError(f"the bearer file is neither old nor new but {found}")

    def expect_free_lock(self) -> None:
        """Raise WrongStateError if a process holds the lock."""
        if not lock_is_free(self.lock):
            raise WrongStateError(f"the lock is held by {holders(self.lock)}")

    def expect_known_files(self, *more: str) -> None:
        """Raise WrongStateError if project or logs contain unknown files.

        Known files are a run's own, and those that match a name or pattern in `more`.
        """
        found = {path.name for directory in self.directories() for path in directory.iterdir()}
        known = {name for name in found for like in (*KNOWN, *more) if fnmatchcase(name, like)}
        if found - known:
            raise WrongStateError(f"files are left: {sorted(found - known)}")

    def expect_one_timer(self) -> int:
        """Return the instant of the only timer. Raise WrongStateError unless there is one."""
        pending = {timer.stem: timer.read_text(encoding="ascii") for timer in self.timers.iterdir()}
        if len(pending) != 1 or not all(pending.values()):
            raise WrongStateError(f"not one timer is pending: {pending}")
        return int(*pending.values())

    def log_lines(self) -> list[str]:
        """Return the log's lines without times. Raise WrongStateError if one is incomplete."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        for line in lines:
            if LOG_LINE.fullmatch(line) is None:
                raise WrongStateError(f"no whole line of a log: {line!r}")
        return [line.partition(" ")[2].rstrip("\n") for line in lines]

    def run(self, form: str) -> None:
        """Run a form undisturbed. Raise WrongStateError if it fails or prints anything."""
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
        """Run a form after a killed run, which may have `left` files. Check all invariants."""
        before = len(self.log_lines())
        self.run(form)
        self.expect(dotenv(self.token()))
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
        """Return the access token in the credentials."""
        found = re.search(r'"accessToken": ?"([^"]*)"', self.credentials.read_text("utf-8"))
        if found is None:
            raise WrongStateError("the credentials hold no token")
        return found[1]


def lock_is_free(lock: Path) -> bool:
    """Return whether a process could lock this file with flock(2) now."""
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def holders(lock: Path) -> list[str]:
    """Return the programs of the processes that have this file open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(link.readlink() == lock for link in (process / "fd").iterdir()):
                found.append((process / "exe").readlink().name)
        except OSError:
            continue  # it has ended, or is another user's
    return found


class Faults:
    """Counts a test's faults, and records those that were not survived."""

    def __init__(self) -> None:
        self.count = 0
        self.problems: list[str] = []

    def survived(self, problem: str | None) -> None:
        """Count a fault. `problem` is the violated invariant, or None."""
        self.count += 1
        if problem is not None:
            self.problems.append(problem)
