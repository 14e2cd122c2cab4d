"""A private `systemd --user` manager in its own namespaces, and a way to run commands in it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

RUNTIME_DIR = "/run/user/0"  # inside, the user who started the manager is user 0
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
PROGRAMS = ("unshare", "nsenter", "systemctl", "systemd-run", "jq", "flock", "timeout", "bash")
SYSTEMD_PLACES = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")

# Process 1 of the namespaces. It exits when its stdin is closed, so nothing outlives the test run,
# even if that is killed. The manager gets a control group of its own, because two managers in one
# group would clean up each other's services. $1 is the group's name, $2 the systemd binary.
INIT = """
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
chmod 0700 "$XDG_RUNTIME_DIR"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group=/sys/fs/cgroup/$1
mkdir "$group"
printf 0 >"$group/cgroup.procs"
"$2" --user --unit=basic.target </dev/null &
printf 'started\\n'
cat >/dev/null
set +e
kill -KILL -1
wait
printf 0 >/sys/fs/cgroup/cgroup.procs
for _ in {1..100}; do
  find "$group" -depth -type d -exec rmdir {} + && break
  sleep 0.05
done
"""

JOURNAL = """
set -eu
mkdir -p /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\\nReadKMsg=no\\nStorage=volatile\\n' >/run/systemd/journald.conf.d/test.conf
setsid /lib/systemd/systemd-journald </dev/null >/dev/null 2>&1 &
for _ in {1..100}; do
  [[ -S /run/systemd/journal/stdout ]] && exit
  sleep 0.05
done
exit 1
"""


class ManagerUnavailableError(Exception):
    """No user manager can be started here. The text is the reason and the fix."""


@dataclass(frozen=True)
class Unit:
    """One line of `systemctl list-units`: name, ACTIVE and SUB as systemctl(1) names them."""

    name: str
    active: str
    sub: str


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test. Fail it if OAUTHKIT_REQUIRE_E2E=1, because a skip would hide a gap."""
    if os.environ.get("OAUTHKIT_REQUIRE_E2E") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def wait_until(
    condition: Callable[[], bool], *, deadline_s: float, what: Callable[[], str]
) -> None:
    """Wait until `condition()` is true. Raise AssertionError with `what()` after `deadline_s`."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {deadline_s} s: {what()}")
        time.sleep(0.03)


class UserManager:
    """A context manager: a running user manager.

    It runs in new mount, process and control-group namespaces. Without root, it needs a user
    namespace and a control group that belongs to the user (`Delegate=` in
    systemd.resource-control(5)). `home` is HOME of every service, and `zone` the manager's TZ. The
    caller's environment is not inherited. Raises ManagerUnavailableError if the kernel or the
    machine does not allow it.
    """

    def __init__(self, home: Path, *, zone: str = "UTC0") -> None:
        self.home = home
        self.zone = zone
        self._outside = home.parent / "manager-output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> UserManager:
        """Start the manager, and wait until it answers."""
        missing = [name for name in PROGRAMS if not shutil.which(name, path=_outer_path())]
        systemd = next((place for place in SYSTEMD_PLACES if os.access(place, os.X_OK)), None)
        if missing or systemd is None:
            raise ManagerUnavailableError(f"not installed: {', '.join(missing or ['systemd'])}")
        namespaces = [
            "--mount",
            "--propagation=private",
            "--cgroup",
            "--pid",
            "--fork",
            "--kill-child",
        ]
        if os.geteuid() != 0:
            namespaces = ["--user", "--map-root-user", *namespaces]
        group = f"oauthkit-e2e-{secrets.token_hex(8)}"
        with self._outside.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    "unshare",
                    *namespaces,
                    "--mount-proc",
                    "bash",
                    "-c",
                    INIT,
                    "init",
                    group,
                    systemd,
                ],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={**self.environment(), "TZ": self.zone, "PATH": _outer_path()},
            )
        try:
            self._wait_for_answer()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the manager and every process in its namespaces."""
        self._stop()

    def environment(self) -> dict[str, str]:
        """Return a login's minimal environment: HOME, PATH and the address of the user's bus."""
        return {
            "HOME": str(self.home),
            "PATH": SYSTEM_PATH,
            "XDG_RUNTIME_DIR": RUNTIME_DIR,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={RUNTIME_DIR}/bus",
        }

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run `argv` in the manager's namespaces, in /, with empty stdin and only `env`.

        Raises subprocess.TimeoutExpired after `timeout_s`. The program then ends with the manager.
        """
        assert self._process is not None, "the manager was not started"
        proc = f"/proc/{self._process.pid}/ns"
        enter = [f"--mount={proc}/mnt", f"--pid={proc}/pid_for_children", "--wd=/"]
        if os.geteuid() != 0:
            enter = [f"--user={proc}/user", "--preserve-credentials", *enter]
        nsenter = shutil.which("nsenter", path=_outer_path())
        assert nsenter is not None
        return subprocess.run(
            [nsenter, *enter, "--", *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=dict(self.environment() if env is None else env),
            timeout=timeout_s,
            check=False,
        )

    def systemctl(self, *arguments: str) -> str:
        """Return the output of `systemctl --user ARGUMENTS`. Raise AssertionError if it fails."""
        done = self.run(["systemctl", "--user", "--no-pager", *arguments])
        assert done.returncode == 0, f"systemctl {arguments}: {done.stderr}"
        return done.stdout

    def start_journal(self) -> None:
        """Start a systemd-journald that keeps its messages in memory, only of these namespaces."""
        done = self.run(["bash", "-c", JOURNAL])
        assert done.returncode == 0, done.stderr

    def journal(self, pattern: str) -> list[str]:
        """Return the messages of the services that match.

        In these namespaces, the manager's services have the control groups of system services.
        """
        argv = ["journalctl", "--directory=/run/log/journal", "--output=cat", "--unit", pattern]
        done = self.run([*argv, "_TRANSPORT=stdout"])
        return done.stdout.splitlines()

    def units(self, *patterns: str) -> list[Unit]:
        """Return the loaded units that match, all at the same moment.

        `list-units`, unlike `show`, is a single call over the bus and does not load a missing unit
        (org.freedesktop.systemd1(5), ListUnitsByPatterns).
        """
        listing = self.systemctl(
            "list-units", "--all", "--full", "--plain", "--no-legend", "--", *patterns
        )
        rows = [line.split(None, 4) for line in listing.splitlines()]
        return [Unit(row[0], row[2], row[3]) for row in rows]

    def timers(self) -> dict[str, int]:
        """Return each timer's name and its next elapse, in µs since 1970 (UTC).

        The value is 0 if the service is running or the timer will not elapse again.
        """
        listing = self.systemctl("list-timers", "--all", "--output=json")
        return {str(row["unit"]): int(row["next"] or 0) for row in json.loads(listing)}

    def _wait_for_answer(self) -> None:
        assert self._process is not None
        end_s = time.monotonic() + 20
        answer = ""
        while answer not in {"running", "degraded"}:
            said = self._outside.read_text(encoding="utf-8", errors="replace").strip()
            if self._process.poll() is not None or time.monotonic() > end_s:
                raise ManagerUnavailableError(
                    "systemd --user did not start in namespaces "
                    f"({said or answer or 'no output'}). "
                    "It needs root, or a kernel that allows user namespaces and a control group "
                    "that belongs to the user."
                )
            time.sleep(0.03)
            # Before that answer, nsenter would still find the test's own namespaces, and systemctl
            # the user's own manager. systemd 262 prints messages after it.
            if "started" in said.splitlines():
                answer = self.run(["systemctl", "--user", "is-system-running"]).stdout.strip()

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()  # only the waiting parent; here, the report matters
            process.wait()
            raise


@contextmanager
def running_manager(home: Path, *, zone: str = "UTC0") -> Iterator[UserManager]:
    """Start a manager with a new directory as its home. Skip or fail the test if impossible."""
    home.mkdir()
    manager = UserManager(home, zone=zone)
    try:
        manager.__enter__()
    except ManagerUnavailableError as why:
        skip_or_fail(str(why))
    try:
        yield manager
    finally:
        manager.__exit__(None, None, None)


def _outer_path() -> str:
    """Return a PATH with unshare and similar programs, whatever PATH the tests have."""
    return f"{SYSTEM_PATH}:/usr/local/sbin:/usr/sbin:/sbin"
