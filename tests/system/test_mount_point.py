"""A .env that is a mount point, because a container tool mounted the single file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.small_disk import needs_mounts, wrapper
from tests.support.system.real_project import AFTER, BEFORE, RealProject

from oauthkit.host.child import python_command

if TYPE_CHECKING:
    from pathlib import Path

# Bind-mount $1 at $2, and run the remaining arguments as a command.
MOUNTED = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


class MountedProject(RealProject):
    """A project whose .env is outside, in the directory `source`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.source = self.root / "source"
        self.source.mkdir()
        self.dotenv.rename(self.source / ".env")

    def refresh_mounted(self, source: Path, target: Path) -> int:
        """Refresh with `source` mounted at `target`. Return the exit status."""
        return self.refresh(start=wrapper("/bin/sh", "-c", MOUNTED, "sh", str(source), str(target)))


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
    assert mounted.refresh_mounted(source, mounted.dotenv) == 1
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
def test_doctor_reports_a_mounted_file(tmp_path: Path) -> None:
    mounted = MountedProject(tmp_path, "bash")
    mounted.dotenv.touch()
    source = str(mounted.source / ".env")
    start = wrapper("/bin/sh", "-c", MOUNTED, "sh", source, str(mounted.dotenv))
    argv = [*python_command(), "doctor", f"--project={mounted.project}"]
    shown = mounted.run(argv, start=start).stdout.decode()
    problem = f"{mounted.dotenv} is a mount point and cannot be replaced"
    fix = "mount that file's directory instead"
    assert f"FAIL  .env: {problem}\n      fix: {fix}\n" in shown


@needs_mounts
def test_mounted_file_in_a_linked_directory_is_reported(tmp_path: Path, form: str) -> None:
    mounted = MountedProject(tmp_path, form)
    mounted.dotenv.touch()
    (tmp_path / "link").symlink_to("project")
    dotenv = mounted.env["OAUTHKIT_DOTENV"] = f"{tmp_path}/link/.env"
    assert mounted.refresh_mounted(mounted.source / ".env", mounted.dotenv) == 1
    problem = "is a mount point and cannot be replaced. Mount its directory instead"
    assert f"ERROR: {dotenv} {problem}" in mounted.log_lines()


@needs_mounts
def test_mounted_directory_gets_the_token(tmp_path: Path, form: str) -> None:
    """The fix for a mounted file: mount its directory, and make .env a link into it."""
    mounted = MountedProject(tmp_path, form)
    (mounted.project / "settings").mkdir()
    mounted.dotenv.symlink_to("settings/.env")
    assert mounted.refresh_mounted(mounted.source, mounted.project / "settings") == 0
    assert (mounted.source / ".env").read_text("utf-8") == AFTER
    assert [*mounted.source.iterdir()] == [mounted.source / ".env"]
    assert not [line for line in mounted.log_lines() if line.startswith("ERROR")]
