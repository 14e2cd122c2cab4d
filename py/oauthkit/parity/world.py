"""The sandbox: a directory with its own HOME, project, PATH and clock."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every file of a new world has this time, so that files that a run writes are recognized.
UNTOUCHED_NS = 1_700_000_000 * 10**9


@dataclass(frozen=True)
class World:
    """The paths of a sandbox. `control` belongs to the kit and is not compared."""

    root: Path
    project_name: str = "project"
    home_name: str = "home"

    @property
    def project(self) -> Path:
        """Return the project's directory."""
        return self.root / self.project_name

    @property
    def home(self) -> Path:
        """HOME."""
        return self.root / self.home_name

    @property
    def bin(self) -> Path:
        """Return the only directory in PATH."""
        return self.root / "bin"

    @property
    def runtime(self) -> Path:
        """XDG_RUNTIME_DIR."""
        return self.root / "run"

    @property
    def control(self) -> Path:
        """Return the kit's own files: the plan, the records, the clock, and the run's streams."""
        return self.root / "control"

    def path(self, name: str | Path) -> Path:
        """Return an absolute path. Relative names start in the project, `~/…` in HOME.

        Raises ValueError if it leads out of the sandbox.
        """
        text = str(name)
        in_home = text == "~" or text.startswith("~/")
        path = self.home / text[2:] if in_home else self.project / text
        if os.path.commonpath([os.path.normpath(path), self.root]) != str(self.root):
            raise ValueError(f"{name} is outside the sandbox {self.root}")
        return path

    def make(self, tools: dict[str, Path]) -> None:
        """Create the empty world: its directories, and links to the real programs."""
        # A world must not depend on the test runner's umask.
        with _umask(0o022):
            for directory in (self.home, self.project, self.bin, self.control):
                directory.mkdir(parents=True)
            self.runtime.mkdir(mode=0o700)
            for name, target in tools.items():
                (self.bin / name).symlink_to(target)


def put_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file with exactly this mode, and create its parent directories."""
    with _umask(0o022):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(path)
        path.write_bytes(content)
    path.chmod(mode)


def put_directory(path: Path, mode: int) -> None:
    """Create a directory with exactly this mode, and its parent directories."""
    with _umask(0o022):
        if path.is_symlink() or path.is_file():
            remove(path)
        path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def put_symlink(path: Path, target: str) -> None:
    """Create a symbolic link, and its parent directories."""
    with _umask(0o022):
        path.parent.mkdir(parents=True, exist_ok=True)
    remove(path)
    path.symlink_to(target)


def remove(path: Path) -> None:
    """Remove a file or a directory tree, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a tree or a file with modes and times.

    New named pipes are created. Sockets and devices are left out.
    """
    info = source.lstat()
    if stat.S_ISLNK(info.st_mode):
        target.symlink_to(source.readlink())
        return
    if stat.S_ISDIR(info.st_mode):
        target.mkdir()
        with _readable(str(source)):
            for entry in source.iterdir():
                copy(entry, target / entry.name)
    elif stat.S_ISREG(info.st_mode):
        target.write_bytes(read(str(source)))
    elif stat.S_ISFIFO(info.st_mode):
        os.mkfifo(target)
    else:
        return
    target.chmod(stat.S_IMODE(info.st_mode))
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns))


def age(world: World) -> None:
    """Give all files of the world the same old time, so that `touched` has what a run writes."""
    for entry in walk(world):
        if not entry.is_symlink():
            os.utime(entry, ns=(UNTOUCHED_NS, UNTOUCHED_NS), follow_symlinks=False)


def walk(world: World) -> Iterator[os.DirEntry[str]]:
    """Yield the entries below the world's root, except the kit's own, in a fixed order."""
    stack = [str(world.root)]
    while stack:
        directory = stack.pop()
        with _readable(directory), os.scandir(directory) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.path == str(world.control):
                continue
            yield entry
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)


def read(path: str) -> bytes:
    """Read a file, even if its mode forbids that to its owner."""
    with _readable(path):
        return Path(path).read_bytes()


@contextmanager
def _readable(name: str) -> Iterator[None]:
    path = Path(name)
    info = path.lstat()
    mode = stat.S_IMODE(info.st_mode)
    is_hidden = not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(info.st_mode) else 0))
    if is_hidden:
        path.chmod(mode | 0o555)  # for all users, because another one may own it
    try:
        yield
    finally:
        if is_hidden:
            path.chmod(mode)


@contextmanager
def _umask(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)
