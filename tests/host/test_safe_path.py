"""Python imports nothing from the current directory."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.host.host_project import quoted
from tests.support.refresh.world import REPOSITORY

from oauthkit.host import child

# An empty entry is the current directory.
OURS = ":".join(filter(None, [f"{REPOSITORY}/py", os.environ.get("PYTHONPATH")]))
# Without those that Python imports for -m before it runs oauthkit, such as contextlib.
MODULES = ("plumbum", "rich", "json", "shlex")
needs_safe_path = pytest.mark.skipif(
    not hasattr(sys.flags, "safe_path"), reason="Python 3.11 has -P"
)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Create a directory whose modules report that they were run, and end the process."""
    directory = tmp_path / "hostile"
    directory.mkdir()
    for name in MODULES:
        text = f"import os, sys\nprint('ran {name}')\nsys.stdout.flush()\nos._exit(0)\n"
        (directory / f"{name}.py").write_text(text, encoding="utf-8")
    return directory


def run(script: str, path: str = OURS) -> str:
    """Return the output of `sh -c SCRIPT`, with this PYTHONPATH."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": path}
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_modules_of_the_current_directory_are_not_imported(hostile: Path) -> None:
    script = f"cd {shlex.quote(str(hostile))} && exec {sys.executable} -m oauthkit --version"
    assert run(script).startswith("oauthkit ")
    # This Python does not support safe_path.
    script = f"cd {shlex.quote(str(hostile))} && exec {sys.executable} -c 'import plumbum'"
    assert run(script) == "ran plumbum\n"


@needs_safe_path
def test_pythonpath_is_kept_with_a_safe_path(hostile: Path) -> None:
    script = f"cd {shlex.quote(str(hostile))} && exec {sys.executable} -P -m oauthkit --version"
    assert run(script).startswith("oauthkit ")
    assert run(script, f"{hostile}:{OURS}").startswith("ran ")


def test_pythonpath_is_kept_without_a_current_directory(hostile: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    start = f"cd {quoted(gone)} && rmdir ../gone && exec {sys.executable} -m oauthkit --version"
    assert run(start, f"{hostile}:{OURS}").startswith("ran ")


@needs_safe_path
def test_started_processes_have_a_safe_path() -> None:
    assert child.python_command() == [sys.executable, "-P", "-m", "oauthkit"]


def test_python_without_a_safe_path_gets_no_switch_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "sys", SimpleNamespace(executable="/py", flags=SimpleNamespace()))
    assert child.python_command() == ["/py", "-m", "oauthkit"]
