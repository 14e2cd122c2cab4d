"""The refresh that run and watch start as a child process."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from oauthkit.host import child

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.host.project import ProjectPaths


@pytest.mark.parametrize("status", [0, 1, 2])
def test_status_is_that_of_the_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    start_instead(monkeypatch, f"import sys; sys.exit({status} if sys.argv[1] == 'refresh' else 9)")
    assert child.refresh(paths_in(tmp_path)) == status


def test_refresh_that_hangs_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "REFRESH_LIMIT_S", 1)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
    start_instead(monkeypatch, ignore)
    assert child.refresh(paths_in(tmp_path)) == 1
    assert capfd.readouterr().err == (
        "oauthkit: the refresh did not finish within 1 s and was killed\n"
    )


def test_output_of_the_refresh_is_made_printable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # U+2028 is a line separator (str.splitlines). With it, claude's output could forge a line.
    text = "ERROR: a\\x1b]0;b\\u202ec\\udc9b\\n\\nclaude: d\\u2028ERROR: e\\n"
    start_instead(
        monkeypatch, f"import os; os.write(2, '{text}'.encode('utf-8', 'surrogateescape'))"
    )
    assert child.refresh(paths_in(tmp_path)) == 0
    assert capfd.readouterr().err == (
        "ERROR: a\ufffd]0;b\ufffdc\ufffd\n\nclaude: d\ufffdERROR: e\n"
    )


def test_process_that_the_refresh_leaves_behind_does_not_delay_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "REFRESH_LIMIT_S", 20)
    leave = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); sys.exit(str(p.pid))"
    said: list[str] = []
    monkeypatch.setattr(child, "complain", said.append)
    start_instead(monkeypatch, leave)
    begin_s = time.monotonic()
    assert child.refresh(paths_in(tmp_path)) == 1
    os.kill(int(said[0]), signal.SIGKILL)
    assert time.monotonic() - begin_s < 20


def test_refresh_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "python_command", lambda: [str(tmp_path / "missing")])
    assert child.refresh(paths_in(tmp_path)) == 1
    assert capfd.readouterr().err == (
        "oauthkit: cannot start a refresh: No such file or directory\n"
    )


def start_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Start a Python program in place of oauthkit."""
    monkeypatch.setattr(child, "python_command", lambda: [sys.executable, "-c", program])


def paths_in(project: Path) -> ProjectPaths:
    """Return the project paths that a child needs."""
    return cast("ProjectPaths", SimpleNamespace(project=project))
