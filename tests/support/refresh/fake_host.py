"""A host for a refresh in this process: files, clock and faked programs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO

from oauthkit import shell
from oauthkit.program import credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from plumbum import LocalPath
    from pytest_subprocess import FakeProcess
    from pytest_subprocess.process_recorder import ProcessRecorder

NOW_S = 1767323045  # 2026-01-02T03:04:05Z
NOW_MS = NOW_S * 1000
NOW_TEXT = "2026-01-02T03:04:05+00:00"
MINUTE_MS = 60 * 1000
HOUR_MS = 60 * MINUTE_MS
TOKEN = "sk-ant-oat01-made-up"
REFRESH_TOKEN = "sk-ant-ort01-made-up"
UNIT = "nanoclaw-oauth-refresh-next"
# Python 3.10 has no -P.
SAFE_PATH = ["-P"] if sys.version_info >= (3, 11) else []


def login_lines(token: str, expiry: str, *, login_end: str = "null") -> str:
    """Return what jq prints for credentials with these values, each in JSON."""
    record = f'{{"claudeAiOauth":{{"accessToken":{token},"expiresAt":{expiry}}}}}'
    return f'"object"\n{token}\n{expiry}\n{login_end}\n"{REFRESH_TOKEN}"\n{record}\n'


def release(lock: Path) -> None:
    """Close this file, which a run in this process keeps open until the process ends."""
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if link.readlink() == lock:
                os.close(int(link.name))
                shell._lock = None


def start_keeper() -> tuple[BinaryIO, BinaryIO, int]:
    """Open a pipe for the output of a faked command, without the process that limits it."""
    printed, sink = os.pipe()
    return (
        os.fdopen(sink, "wb"),
        os.fdopen(printed, "rb", buffering=0),
        os.posix_spawn("/bin/true", ["true"], {}),
    )


class Host:
    """A project and a HOME in `root`. A call to a program without a plan fails the test."""

    def __init__(self, root: Path, fp: FakeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fp = fp
        self.monkeypatch = monkeypatch
        self.root = root
        self.home = root / "home"
        self.project = root / "project"
        self.bin = root / "bin"
        self.logs = self.project / "logs"
        self.log_file = self.logs / "oauth-refresh.log"
        self.lock = self.logs / "oauth-refresh.lock"
        self.dotenv = self.project / ".env"
        self.credentials = self.home / ".claude" / ".credentials.json"
        # Signals to the process groups of programs that ran with a limit, and the groups' lifetime.
        self.signals: list[int] = []
        self.group_lives_s = 0.0
        self.slept_s = 0.0
        for directory in (self.logs, self.bin, self.credentials.parent):
            directory.mkdir(parents=True)
        self.credentials.write_text(json.dumps({"claudeAiOauth": {}}), encoding="utf-8")
        descriptor = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        monkeypatch.setattr(shell, "_log", descriptor)
        monkeypatch.setattr(shell, "_start_keeper", start_keeper)
        # The limit would apply to all following tests in this process.
        monkeypatch.setattr("resource.setrlimit", lambda *_: None)
        for name in ("flock", "stat", "timeout"):  # found before they are needed
            self.install(name)
        self._freeze()

    def _freeze(self) -> None:
        """Stop the clock half a second after NOW_S. A sleep returns at once and is counted."""

        def sleep(duration_s: float) -> None:
            self.slept_s += duration_s

        clock = SimpleNamespace(
            time=lambda: NOW_S + 0.5,
            time_ns=lambda: NOW_S * 10**9 + 5 * 10**8,
            monotonic=lambda: self.slept_s,
            sleep=sleep,
            strftime=time.strftime,
            tzset=time.tzset,
            localtime=time.localtime,
        )
        self.monkeypatch.setattr(shell, "time", clock)

    def path(self, file: Path) -> LocalPath:
        """Return this file's path as the program's type."""
        return shell.absolute(str(file))

    def install(self, name: str, directory: Path | None = None) -> str:
        """Put a program where find_program finds it. It never runs."""
        path = (self.bin if directory is None else directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/false\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def real(self, *names: str) -> None:
        """Run these programs for real, up to 20 times each."""
        for name in names:
            found = shutil.which(name, path="/usr/bin:/bin")
            assert found is not None, name
            (self.bin / name).unlink(missing_ok=True)
            (self.bin / name).symlink_to(found)
            self.fp.pass_command([name, self.fp.any()], occurrences=20)

    def fake(
        self,
        name: str,
        *,
        status: int = 0,
        prints: str = "",
        complains: str = "",
        does: Callable[[Any], None] | None = None,
    ) -> ProcessRecorder:
        """Plan one call to this program. Calls of the same program follow this order."""
        return self.fp.register(
            [name, self.fp.any()],
            stdout=prints,
            stderr=complains,
            returncode=status,
            callback=does,
        )

    def jq_prints(self, text: str, *, status: int = 0) -> None:
        """Plan one call to jq with the arguments that a refresh uses."""
        argv = ["jq", "-c", credentials.CREDENTIALS_FILTER, str(self.credentials)]
        self.fp.register(argv, stdout=text, returncode=status)

    def credentials_are(self, token: str, remaining_ms: int) -> None:
        """Plan one read of the credentials, with a token that expires in `remaining_ms`."""
        self.jq_prints(login_lines(f'"{token}"', str(NOW_MS + remaining_ms)))

    def commands(self) -> list[list[str]]:
        """Return every argv so far, in order."""
        calls = [call for call in self.fp.calls if isinstance(call, (list, tuple))]
        assert len(calls) == len(self.fp.calls)
        return [[str(word) for word in call] for call in calls]

    def calls(self, name: str) -> list[list[str]]:
        """Return the arguments of each call to a program so far."""
        return [command[1:] for command in self.commands() if command[0] == name]

    def names(self) -> list[str]:
        """Return the called programs, in order."""
        return [command[0] for command in self.commands()]

    def lines(self) -> list[str]:
        """Return the log's lines without their times, which must be NOW_TEXT."""
        text = self.log_file.read_text(encoding="utf-8", errors="surrogateescape")
        lines = text.split("\n")
        assert lines.pop() == ""
        assert all(line.startswith(f"{NOW_TEXT} ") for line in lines), text
        return [line.removeprefix(f"{NOW_TEXT} ") for line in lines]

    def signal_process(self, pid: int, number: int) -> None:
        """Fail the test: a faked process must not get a signal, since its pid may be in use."""
        raise AssertionError(f"signal {number} to process {pid}")

    def signal_group(self, _group: int, number: int) -> bool:
        """Record a signal to a process group, since a faked process has none."""
        lives = self.slept_s < self.group_lives_s
        if number != 0:
            self.signals.append(number)
        return lives
