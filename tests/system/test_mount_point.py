"""A .env that is a mount point, because a container tool mounted the single file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.host.host_project import SAME_CODE
from tests.support.refresh.small_disk import needs_mounts, wrapper
from tests.support.refresh.world import REPOSITORY

SCRIPT = "scripts/oauth/refresh.sh"
TOKEN = "sk-ant-oat01-made-up"
BEFORE = "A=1\nCLAUDE_CODE_OAUTH_TOKEN=old\nB=2\n"
AFTER = f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={TOKEN}\nB=2\n"
# Without systemd-run, no next run is scheduled.
TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cp",
    "flock",
    "jq",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "stat",
    "sync",
)
# Bind-mount $1 at $2, and run the remaining arguments as a command.
MOUNTED = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
LIMIT_S = 60


@dataclass
class MountedProject:
    """A project with a login. Its .env is outside, in `source`."""

    root: Path
    form: str

    def __post_init__(self) -> None:
        self.home, self.project, self.tools, self.source = (
            self.root / name for name in ("home", "project", "bin", "source")
        )
        self.dotenv = self.project / ".env"
        self.log = self.project / "logs/oauth-refresh.log"
        script = self.project / SCRIPT
        for directory in (self.home / ".claude", script.parent, self.tools, self.source):
            directory.mkdir(parents=True)
        shutil.copy(REPOSITORY / SCRIPT, script)
        for name in TOOLS:
            (self.tools / name).symlink_to(str(shutil.which(name)))
        expires_at_ms = (int(time.time()) + 8 * 3600) * 1000
        login = {"claudeAiOauth": {"accessToken": TOKEN, "expiresAt": expires_at_ms}}
        (self.home / ".claude/.credentials.json").write_text(json.dumps(login), "utf-8")
        (self.source / ".env").write_text(BEFORE, "utf-8")

    def refresh(self, source: Path, target: Path, **given: str) -> int:
        """Refresh with `source` mounted at `target`, and these settings. Return the exit status."""
        script = str(self.project / SCRIPT)
        python = [sys.executable, "-m", "oauthkit", "refresh", "--project", str(self.project)]
        argv = [str(self.tools / "bash"), script] if self.form == "bash" else python
        settings = {"HOME": str(self.home), "PATH": str(self.tools), "TZ": "UTC0"}
        settings |= {**SAME_CODE, **given}
        env = ["env", "-i", *(f"{name}={value}" for name, value in settings.items())]
        start = wrapper("/bin/sh", "-c", MOUNTED, "sh", str(source), str(target))
        done = subprocess.run(
            [*start, *env, *argv], cwd="/", check=False, capture_output=True, timeout=LIMIT_S
        )
        return done.returncode

    def log_lines(self) -> list[str]:
        """Return the log's lines, without their times."""
        return [line.partition(" ")[2] for line in self.log.read_text("utf-8").splitlines()]


@pytest.fixture(params=["python", "bash"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@needs_mounts
@pytest.mark.parametrize("name", ["plain", "with a space", "a\\b \\040\tc"])
def test_mounted_file_is_reported_and_unchanged(tmp_path: Path, form: str, name: str) -> None:
    mounted = MountedProject(tmp_path / name, form)
    mounted.dotenv.touch()
    source = mounted.source / ".env"
    before = source.stat()
    assert mounted.refresh(source, mounted.dotenv) == 1
    problem = "is a mount point and cannot be replaced. Mount its directory instead"
    shown = str(mounted.dotenv).replace("\t", "?")
    assert f"ERROR: {shown} {problem}" in mounted.log_lines()
    assert source.read_text("utf-8") == BEFORE
    after = source.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (
        before.st_ino, before.st_mtime_ns, before.st_mode,
    )  # fmt: skip
    assert [*mounted.source.iterdir()] == [mounted.source / ".env"]
    assert not [*mounted.project.glob("*.oauthkit.*")]


@needs_mounts
def test_mounted_file_in_a_linked_directory_is_reported(tmp_path: Path, form: str) -> None:
    mounted = MountedProject(tmp_path, form)
    mounted.dotenv.touch()
    (tmp_path / "link").symlink_to("project")
    dotenv = f"{tmp_path}/link/.env"
    assert mounted.refresh(mounted.source / ".env", mounted.dotenv, OAUTHKIT_DOTENV=dotenv) == 1
    problem = "is a mount point and cannot be replaced. Mount its directory instead"
    assert f"ERROR: {dotenv} {problem}" in mounted.log_lines()


@needs_mounts
def test_mounted_directory_gets_the_token(tmp_path: Path, form: str) -> None:
    """The fix for a mounted file: mount its directory, and make .env a link into it."""
    mounted = MountedProject(tmp_path, form)
    (mounted.project / "settings").mkdir()
    mounted.dotenv.symlink_to("settings/.env")
    assert mounted.refresh(mounted.source, mounted.project / "settings") == 0
    assert (mounted.source / ".env").read_text("utf-8") == AFTER
    assert [*mounted.source.iterdir()] == [mounted.source / ".env"]
    assert not [line for line in mounted.log_lines() if line.startswith("ERROR")]
