"""The refresh that run and watch start as a child process."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from oauthkit.host import child

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.host.project import Places


@pytest.mark.parametrize("status", [0, 1, 2])
def test_status_is_that_of_the_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    start_instead(monkeypatch, f"import sys; sys.exit({status} if sys.argv[1] == 'refresh' else 9)")
    assert child.refresh(places(tmp_path)) == status


def test_refresh_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "REFRESH_LIMIT_S", 1)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
    start_instead(monkeypatch, ignore)
    assert child.refresh(places(tmp_path)) == 1
    assert capfd.readouterr().err == (
        "oauthkit: the refresh did not end within 1 s and was killed\n"
    )


def test_refresh_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "python_command", lambda: [str(tmp_path / "missing")])
    assert child.refresh(places(tmp_path)) == 1
    assert capfd.readouterr().err == (
        "oauthkit: cannot start a refresh: No such file or directory\n"
    )


def start_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Start a Python program in place of oauthkit."""
    monkeypatch.setattr(child, "python_command", lambda: [sys.executable, "-c", program])


def places(project: Path) -> Places:
    """Return the paths of a project that a child needs."""
    return cast("Places", SimpleNamespace(project=project))
