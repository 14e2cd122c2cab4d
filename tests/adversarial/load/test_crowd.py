"""Many callers of both forms at the moment of expiry. Some are killed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.faults.fault_world import (
    LOG_LINE,
    SYSTEMCTL,
    SYSTEMD_RUN,
    UNIT,
    lock_is_free,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bench_world import BenchWorld

CALLERS = 120
PROJECTS = 3
SHARING_CALLERS = 108  # the same number of callers for each form, option and project
DEADLINE_S = 115  # less than the 120 s for which a caller waits for the lock
# The simultaneous calls by a container's start, a timer and a user.
OPTIONS: tuple[tuple[str, ...], ...] = ((), ("--ensure",))
OLD, NEW = "sk-ant-oat01-made-up-old", "sk-ant-oat01-made-up-new"
FORMS = ("bash", "python")
LOCK = "oauth-refresh.lock"
TEMPORARY = ".env.oauthkit.*"
# Longer than one write, so that a file that is written in place is seen incomplete. Long enough
# that a quadratic-time reader would make the others wait too long.
BEFORE = "".join(f"BLOB_{number}={str(number) * 30_000}\n" for number in range(8))
AFTER = "PORT=3000\n"
SHORT = b"A=1\nCLAUDE_CODE_OAUTH_TOKEN=%b\nB=2\n"
# Records its call, waits, and replaces the credentials with the prepared ones.
CLAUDE = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$HOME/claude-calls"
sleep 0.3
cp "$HOME/renewed.json" "$HOME/.claude/renewing.json"
mv "$HOME/.claude/renewing.json" "$HOME/.claude/.credentials.json"
"""
# The first call records its pid and hangs. The others run the real program.
BLOCKED = """\
#!/bin/sh
if mkdir "{root}/pids" 2>/dev/null; then
  : >"{root}/pids/$$"
  exec sleep 600
fi
exec "{real}" "$@"
"""


def dotenv_content(token: str) -> bytes:
    return f"{BEFORE}CLAUDE_CODE_OAUTH_TOKEN={token}\n{AFTER}".encode()


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def expiring(world: BenchWorld) -> BenchWorld:
    """Prepare a world with a token that expires in a minute. claude renews it in 0.3 s."""
    world.login(OLD, life_s=60)
    world.login(NEW, life_s=8 * 3600, file=world.home / "renewed.json")
    world.stand_in("claude", CLAUDE)
    world.dotenv.write_bytes(dotenv_content(OLD))
    world.stand_in("systemd-run", SYSTEMD_RUN)
    world.stand_in("systemctl", SYSTEMCTL)
    (world.root / "timers").mkdir()
    return world


def claude_calls(world: BenchWorld) -> list[str]:
    file = world.home / "claude-calls"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def start(world: BenchWorld, form: str, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        world.form(form, *options),
        env=world.environment(),
        cwd=world.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def has_open(pid: int, path: Path) -> bool:
    """Return whether the process exists and has the file open."""
    try:
        return any(link.readlink() == path for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


class Reader:
    """Reads a whole file repeatedly in a thread, and keeps each distinct content."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: dict[bytes, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        # This thread has a lower priority, because it would use a whole core.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while not self._stop.is_set():
            try:
                content = self.path.read_bytes()
            except FileNotFoundError:
                content = b"no file"
            self.seen[content] = self.seen.get(content, 0) + 1

    def sees(self, content: bytes) -> None:
        """Wait until it has seen this content."""
        wait_for(lambda: content in self.seen, "the reader sees what was written")

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def reader(expiring: BenchWorld) -> Iterator[Reader]:
    with Reader(expiring.dotenv) as running:
        yield running


def test_many_callers_renew_once(
    expiring: BenchWorld, reader: Reader, record_property: Callable[[str, object], None]
) -> None:
    world = expiring
    lock = world.logs / LOCK
    callers = []
    try:
        # The lock is held until all of them wait for it, so that they start at the same time.
        with lock.open("ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            callers = [
                start(world, FORMS[number % 2], *OPTIONS[number // 2 % 2])
                for number in range(CALLERS)
            ]
            wait_for(
                lambda: all(has_open(caller.pid, lock) for caller in callers),
                "all wait for the lock",
            )
            reader.sees(dotenv_content(OLD))
        outputs = [caller.communicate(timeout=DEADLINE_S)[0] for caller in callers]
    finally:
        for caller in callers:
            if caller.poll() is None:
                caller.kill()
                caller.communicate()
    reader.sees(dotenv_content(NEW))
    log = world.log.read_text(encoding="utf-8")
    assert [caller.returncode for caller in callers] == [0] * CALLERS, log
    assert outputs == [b""] * CALLERS
    assert claude_calls(world) == ["-p ok --no-session-persistence"]
    assert set(reader.seen) == {dotenv_content(OLD), dotenv_content(NEW)}
    assert lock_is_free(world.logs / LOCK)
    lines = log.splitlines(keepends=True)
    assert [line for line in lines if LOG_LINE.fullmatch(line) is None] == []
    assert log.count(" Scheduled next refresh at ") == CALLERS
    assert [timer.name for timer in (world.root / "timers").iterdir()] == [f"{UNIT}.timer"]
    assert log.count(" Updated .env with token ") == 1
    assert sorted(path.name for path in world.project.iterdir()) == [".env", "logs", "scripts"]
    for count in ("faults", "faults_survived"):
        record_property(count, 1)


@pytest.fixture
def sharing(expiring: BenchWorld) -> list[Path]:
    """Create projects whose token has a minute left. Each has a bearer file and its own units."""
    world = expiring
    world.stand_in("claude", CLAUDE.replace("sleep 0.3", "sleep 3"))
    projects = [world.root / f"project-{number}" for number in range(PROJECTS)]
    for project in projects:
        shutil.copytree(world.project, project)
        (project / ".env").write_bytes(SHORT % OLD.encode())
        (project / "bearer").mkdir()
        conf = f"OAUTHKIT_BEARER=bearer/.credentials.json\nOAUTHKIT_UNIT={project.name}\n"
        (project / "scripts/oauth/refresh.conf").write_text(conf, encoding="ascii")
    return projects


def start_in(project: Path, world: BenchWorld, form: str, *options: str) -> subprocess.Popen[bytes]:
    bash = [str(world.bin / "bash"), str(project / "scripts/oauth/refresh.sh")]
    python = [sys.executable, "-m", "oauthkit", "refresh", f"--project={project}"]
    return subprocess.Popen(
        [*{"bash": bash, "python": python}[form], *options],
        env=world.environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_many_callers_of_three_projects_renew_once(
    expiring: BenchWorld, sharing: list[Path], record_property: Callable[[str, object], None]
) -> None:
    world = expiring
    options: tuple[tuple[str, ...], ...] = ((), ("--ensure",), ("--rejected",))
    kinds = [(project, form, option) for project in sharing for form in FORMS for option in options]
    callers = []
    try:
        with ExitStack() as gates:
            for project in sharing:
                gate = gates.enter_context((project / "logs" / LOCK).open("ab"))
                fcntl.flock(gate, fcntl.LOCK_EX)
            for number in range(SHARING_CALLERS):
                project, form, option = kinds[number % len(kinds)]
                callers.append((project, start_in(project, world, form, *option)))
            wait_for(
                lambda: all(has_open(run.pid, project / "logs" / LOCK) for project, run in callers),
                "all wait for the locks",
            )
        outputs = [run.communicate(timeout=DEADLINE_S)[0] for _, run in callers]
    finally:
        for _, run in callers:
            if run.poll() is None:
                run.kill()
                run.communicate()
    logs = [(project / "logs/oauth-refresh.log").read_text("utf-8") for project in sharing]
    assert [run.returncode for _, run in callers] == [0] * SHARING_CALLERS, logs
    assert outputs == [b""] * SHARING_CALLERS
    assert claude_calls(world) == ["-p ok --no-session-persistence"]
    for project, log in zip(sharing, logs, strict=True):
        assert (project / ".env").read_bytes() == SHORT % NEW.encode()
        login = json.loads((project / "bearer/.credentials.json").read_bytes())["claudeAiOauth"]
        assert (login["accessToken"], "refreshToken" in login) == (NEW, False)
        assert [line for line in log.splitlines(True) if LOG_LINE.fullmatch(line) is None] == []
        assert log.count(" Updated .env with token ") == 1
        assert log.count(" Scheduled next refresh at ") == SHARING_CALLERS / PROJECTS
        assert [path.name for path in (project / "bearer").iterdir()] == [".credentials.json"]
        assert lock_is_free(project / "logs" / LOCK)
    shared = [log.count(" The token was renewed by another run\n") for log in logs]
    assert sorted(shared) == [0, 1, 1]
    timers = sorted(timer.name for timer in (world.root / "timers").iterdir())
    assert timers == [f"{project.name}.timer" for project in sharing]
    for count in ("faults", "faults_survived"):
        record_property(count, 1)


def test_reader_sees_only_complete_files(expiring: BenchWorld, reader: Reader) -> None:
    world = expiring
    wanted = {dotenv_content(OLD)}
    reader.sees(dotenv_content(OLD))
    for number in range(8):
        token = f"sk-ant-oat01-made-up-{number}"
        world.login(token, life_s=8 * 3600)
        running = start(world, FORMS[number % 2])
        output, _ = running.communicate(timeout=DEADLINE_S)
        assert (output, running.returncode) == (b"", 0)
        wanted.add(dotenv_content(token))
        reader.sees(dotenv_content(token))
    assert set(reader.seen) == wanted


@pytest.mark.parametrize("next_form", FORMS)
@pytest.mark.parametrize("place", ["claude", "cp", "sync", "mv"])
@pytest.mark.parametrize("form", FORMS)
def test_next_run_recovers_from_a_killed_run(
    expiring: BenchWorld, reader: Reader, form: str, place: str, next_form: str
) -> None:
    world = expiring
    if place != "claude":  # which calls cp and mv itself
        world.login(NEW, life_s=8 * 3600)
    real = world.bin / f"real-{place}"
    (world.bin / place).rename(real)
    world.stand_in(place, BLOCKED.format(root=world.root, real=real))
    killed = start(world, form)
    try:
        wait_for(lambda: list(world.root.glob("pids/*")), f"{place} is called")
        assert not lock_is_free(world.logs / LOCK)
    finally:
        killed.kill()
        killed.wait()
        if killed.stdout is not None:
            killed.stdout.close()
    # Its child still runs, and does not hold the lock.
    assert lock_is_free(world.logs / LOCK)
    assert world.dotenv.read_bytes() == dotenv_content(OLD)
    assert bool([*world.project.glob(TEMPORARY)]) is (place != "claude")
    healing = start(world, next_form)
    output, _ = healing.communicate(timeout=DEADLINE_S)
    assert (output, healing.returncode) == (b"", 0), world.log.read_text(encoding="utf-8")
    assert world.dotenv.read_bytes() == dotenv_content(NEW)
    assert not [*world.project.glob(TEMPORARY)]
    reader.sees(dotenv_content(NEW))
    assert set(reader.seen) == {dotenv_content(OLD), dotenv_content(NEW)}
