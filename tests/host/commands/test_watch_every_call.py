"""oauthkit watch: a container changes its directory between any two calls.

The race of test_watch_race.py depends on chance. This test counts the calls that take a path or a
descriptor, and makes the change right before call N, for each N.
"""

from __future__ import annotations

import os
import shutil
import stat
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.host.host_project import REQUEST
from tests.support.host.watch_flipper import exchange
from tests.support.host.watch_victim import NAMES, Victim

from oauthkit.host import ipc
from oauthkit.host.ipc import Inbox, IpcDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = (
    "access", "close", "fstat", "link", "listdir", "lstat", "mkdir", "open", "pread", "read",
    "readlink", "remove", "rename", "replace", "rmdir", "scandir", "stat", "symlink", "unlink",
)  # fmt: skip
REAL = {name: getattr(os, name) for name in CALLS}
TASK = '{"type":"schedule_task"}'


class World:
    """An IPC directory with a request, and beside each name its replacement."""

    def __init__(self, root: Path, victim: Victim) -> None:
        self.ipc = root / "ipc"
        self.group = self.ipc / "main"
        self.tasks = self.group / "tasks"
        self.request = self.tasks / NAMES[0]
        self.aside = self.tasks / "aside"
        self.victim = victim
        self.tasks.mkdir(parents=True)
        self.request.write_text(REQUEST, encoding="utf-8")
        (self.tasks / "other.json").write_text(TASK, encoding="utf-8")
        (root / "ipc-link").symlink_to(victim.path.parent)
        (self.ipc / "group-link").symlink_to(victim.path)
        (self.group / "tasks-link").symlink_to(victim.path)
        (self.group / "other-tasks").mkdir()
        (self.group / "other-tasks" / NAMES[0]).write_text(TASK, encoding="utf-8")

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.ipc)) for path in self.ipc.rglob("*"))


def hard_link(world: World) -> None:
    world.aside.hardlink_to(world.victim.path / ".credentials.json")


# What is exchanged, its replacement, and how to create that.
Change = tuple["Callable[[World], Path]", "Callable[[World], Path]", "Callable[[World], None]"]
CHANGES: dict[str, Change] = {
    "data/ipc is a link": (
        lambda w: w.ipc, lambda w: w.ipc.with_name("ipc-link"), lambda _: None
    ),
    "group is a link": (lambda w: w.group, lambda w: w.ipc / "group-link", lambda _: None),
    "tasks is a link": (lambda w: w.tasks, lambda w: w.group / "tasks-link", lambda _: None),
    "tasks is another directory": (
        lambda w: w.tasks, lambda w: w.group / "other-tasks", lambda _: None
    ),
    "request is a link to a request": (
        lambda w: w.request, lambda w: w.aside,
        lambda w: w.aside.symlink_to(w.victim.path / NAMES[0]),
    ),
    "request is a link to the credentials": (
        lambda w: w.request, lambda w: w.aside,
        lambda w: w.aside.symlink_to(w.victim.path / ".credentials.json"),
    ),
    "request is a hard link": (lambda w: w.request, lambda w: w.aside, hard_link),
    "request is a FIFO": (
        lambda w: w.request, lambda w: w.aside, lambda w: os.mkfifo(w.aside)
    ),
    "request is a directory": (
        lambda w: w.request, lambda w: w.aside, lambda w: w.aside.mkdir()
    ),
}  # fmt: skip
# The number of calls for which the change lasts.
DURATIONS = {"one call": 1, "two calls": 2, "three calls": 3, "to the end": 10_000}


class Interference:
    """Make a change before call `at`, and undo it `duration` calls later."""

    def __init__(self, world: World, change: Change, at: int, duration: int) -> None:
        one, other, make = change
        make(world)
        self.world = world
        self.pair = one(world), other(world)
        self.at = at, at + duration
        self.calls = 0
        self.is_changed = False
        self.violations: list[str] = []  # the watcher would catch an exception
        self.secrets = {
            (status.st_dev, status.st_ino) for status in map(os.stat, world.victim.path.iterdir())
        }
        world.victim.accesses()  # the calls of the preparation

    def exchange(self) -> None:
        self.violations += map(str, self.world.victim.accesses())
        exchange(*self.pair)
        self.is_changed = not self.is_changed
        self.world.victim.accesses()

    def demand_own_file(self, descriptor: int) -> None:
        status = REAL["fstat"](descriptor)
        if (status.st_dev, status.st_ino) in self.secrets:
            self.violations.append("a secret is read")
        if not stat.S_ISREG(status.st_mode):
            self.violations.append("a file that is not regular is read")

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            self.calls += 1
            if self.calls in self.at:
                for patched, function in REAL.items():
                    setattr(os, patched, function)
                self.exchange()
                self.patch()
            if name in {"read", "pread"}:
                self.demand_own_file(arguments[0])
            return real(*arguments, **more)

        return call

    def patch(self) -> None:
        for name, real in REAL.items():
            setattr(os, name, self.wrap(name, real))


@pytest.fixture(autouse=True)
def unpatched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ipc, "SETTLE_S", 0.0)
    yield
    for name, real in REAL.items():
        setattr(os, name, real)


def serve(path: Path) -> None:
    """Serve the requests as the watcher does."""
    directory = IpcDirectory(path)
    inbox = Inbox([directory], lambda _: None, monotonic=lambda: 0.0, process_time=lambda: 0.0)
    inbox.scan()
    inbox.mark_served()
    inbox.scan()
    directory.close()


def run(world: World, interference: Interference) -> None:
    interference.patch()
    try:
        serve(world.ipc)
    except NotADirectoryError:
        assert "ipc" in interference.pair[0].name  # at the start, before it watches
    finally:
        for name, real in REAL.items():
            setattr(os, name, real)


@pytest.mark.parametrize("duration", DURATIONS.values(), ids=DURATIONS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_before_each_call(tmp_path: Path, change: Change, duration: int) -> None:
    (tmp_path / "home").mkdir()
    victim = Victim(tmp_path / "home/main")
    for at in count(1):
        root = tmp_path / str(at)
        world = World(root, victim)
        interference = Interference(world, change, at, duration)
        names = world.names()
        run(world, interference)
        assert interference.violations == []
        victim.demand_untouched()
        is_over = interference.calls < at
        if interference.is_changed:
            interference.exchange()
        # Only a request was removed, and nothing was created or renamed.
        gone = set(names) - set(world.names())
        assert set(world.names()) <= set(names)
        assert gone <= {f"main/tasks/{NAMES[0]}", "main/tasks/aside"}
        # The next scan serves the remaining requests.
        serve(world.ipc)
        assert not world.request.is_file() or world.request.stat().st_nlink > 1
        victim.demand_untouched()
        shutil.rmtree(root)
        victim.accesses()
        if is_over:
            break
    assert at > 20
    victim.close()
