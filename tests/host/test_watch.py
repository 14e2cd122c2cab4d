"""oauthkit watch: a container's request makes one refresh, and nothing else is touched."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.host.host_project import REQUEST

from oauthkit.host.watching import LARGEST_BYTES, MOST_TAKEN, SETTLE_S, Watcher, lock
from oauthkit.host.wording import printable

if TYPE_CHECKING:
    from tests.host.host_project import HostProject


# --- What is taken ---


@pytest.fixture
def watcher(live: HostProject) -> Watcher:
    said: list[str] = []
    return Watcher([live.project / "data/ipc"], said.append)


OTHERS = {
    "another type": '{"type":"schedule_task"}',
    "no type": "{}",
    "an array": '[{"type":"refresh_oauth"}]',
    "a text": '"refresh_oauth"',
    "a type that is no text": '{"type":{"a":1}}',
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_other_tasks_are_left_as_they_are(tasks: Path, watcher: Watcher, content: str) -> None:
    file = tasks / "task.json"
    file.write_text(content, encoding="utf-8")
    before = file.stat()
    assert watcher.claim() == ([], False)
    assert (file.read_text("utf-8"), file.stat()) == (content, before)


def test_requests_of_all_groups_are_taken(tasks: Path, watcher: Watcher) -> None:
    other = tasks.parents[1] / "other group/tasks"
    other.mkdir(parents=True)
    for folder in (tasks, other):
        for number in range(2):
            (folder / f"refresh-oauth-{number}.json").write_text(REQUEST, encoding="utf-8")
    (tasks / "note.txt").write_text(REQUEST, encoding="utf-8")
    taken, is_early = watcher.claim()
    assert (len(taken), is_early) == (4, False)
    assert all(file.name.startswith(".") and file.exists() for file in taken)
    assert sorted(path.name for path in tasks.glob("[!.]*")) == ["note.txt"]
    # Another watcher leaves them to this one, and takes them over when this one is no more.
    other_watcher = Watcher(watcher.folders, print)
    assert other_watcher.claim() == ([], False)
    for descriptor in watcher.held.values():
        os.close(descriptor)
    assert other_watcher.claim() == (taken, False)


def test_request_that_another_watcher_is_about_to_take_is_left_to_it(
    tasks: Path, watcher: Watcher
) -> None:
    file = tasks / "request.json"
    file.write_text(REQUEST, encoding="utf-8")
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert watcher.claim() == ([], True)
        assert file.exists()
    assert len(watcher.claim()[0]) == 1


def test_task_that_was_left_under_the_name_of_a_request_is_named_and_left(tasks: Path) -> None:
    """An earlier watcher was killed before it had a second look at what it had renamed."""
    file = tasks / ".oauthkit-0.claimed"
    file.write_text(OTHERS["another type"], encoding="utf-8")
    watcher, said = lines_of(tasks)
    assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
    assert said == [f"{file} is no request, and is left"]
    assert file.read_text("utf-8") == OTHERS["another type"]


def test_half_of_a_file_is_waited_for(tasks: Path, watcher: Watcher) -> None:
    file = tasks / "request.json"
    file.write_text(REQUEST[:10], encoding="utf-8")
    assert watcher.claim() == ([], True)
    file.write_text(REQUEST, encoding="utf-8")
    assert len(watcher.claim()[0]) == 1


def test_what_stays_broken_is_named_once_and_left(tasks: Path) -> None:
    said: list[str] = []
    watcher = Watcher([tasks.parents[1]], said.append)
    file = tasks / "request.json"
    for content in (b"{", b"", b"\xff", b"[" * 50_000):
        file.write_bytes(content)
        old(file)
        assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
        assert file.read_bytes() == content
        (line,) = said
        assert line.startswith(f"{file} is no JSON, and is left: ")
        said.clear()


# --- What a container could put there ---


def old(file: Path) -> None:
    """Makes a file one that nobody writes any more."""
    old_s = time.time() - SETTLE_S - 1
    os.utime(file, (old_s, old_s))


def lines_of(tasks: Path) -> tuple[Watcher, list[str]]:
    """A watcher, and what it will have said."""
    said: list[str] = []
    return Watcher([tasks.parents[1]], said.append), said


@pytest.mark.usefixtures("little_memory")
def test_what_is_no_regular_file_is_named_once_and_left(tasks: Path) -> None:
    os.mkfifo(tasks / "fifo.json")
    (tasks / "folder.json").mkdir()
    (tasks / "zero.json").symlink_to("/dev/zero")
    (tasks / "elsewhere").write_text(REQUEST, encoding="utf-8")
    (tasks / "link.json").symlink_to("elsewhere")
    (tasks / ".oauthkit-0.claimed").mkdir()
    before = sorted(tasks.iterdir())
    watcher, said = lines_of(tasks)
    assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
    names = (".oauthkit-0.claimed", "fifo.json", "folder.json", "link.json", "zero.json")
    assert said == [f"{tasks}/{name} is no regular file, and is left" for name in names]
    assert sorted(tasks.iterdir()) == before
    for name in ("fifo.json", "link.json", "zero.json"):
        (tasks / name).unlink()
    (tasks / "folder.json").rmdir()
    (tasks / ".oauthkit-0.claimed").rmdir()
    watcher.claim()
    assert watcher.named == set()  # no more is kept than there is


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("kind", ["fifo", "device", "link", "folder"])
def test_what_comes_in_place_of_a_file_that_was_looked_at(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    file = tasks / "request.json"
    for name in (file, tasks / "elsewhere"):
        name.write_text(REQUEST, encoding="utf-8")
    start = os.open

    def late(path: Path, flags: int) -> int:
        file.unlink()
        if kind == "fifo":
            os.mkfifo(file)
        elif kind == "device":
            file.symlink_to("/dev/zero")
        elif kind == "link":
            file.symlink_to("elsewhere")
        else:
            file.mkdir()
        return start(path, flags)

    monkeypatch.setattr("oauthkit.host.watching.os.open", late)
    watcher, said = lines_of(tasks)
    assert watcher.claim() == ([], False)
    assert len(said) == 1
    assert "is left" in said[0]


def test_request_of_more_than_the_limit_is_named_and_left(tasks: Path) -> None:
    file = tasks / "long.json"
    file.write_text(REQUEST + " " * LARGEST_BYTES, encoding="utf-8")
    watcher, said = lines_of(tasks)
    assert (watcher.claim(), said) == (([], True), [])  # it may be on its way to be removed
    old(file)
    assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
    assert said == [f"{file} has more than 64 KiB, and is left"]
    assert file.exists()


def test_many_requests_are_taken_a_part_at_a_look(tasks: Path) -> None:
    """Each is open while it is served, and a process has only so many files."""
    for number in range(MOST_TAKEN + 1):
        (tasks / f"{number}.json").write_text(REQUEST, encoding="utf-8")
    watcher, said = lines_of(tasks)
    taken, is_early = watcher.claim()
    assert (len(taken), is_early) == (MOST_TAKEN, True)
    watcher.ended(taken)
    taken, is_early = watcher.claim()
    assert (len(taken), is_early, said) == (1, False, [])


# --- What happens between two looks ---


@pytest.mark.parametrize(("is_old", "is_said"), [(False, False), (True, True)])
@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b"[" * 50_000, b" " * 70_000])
def test_request_that_is_broken_when_it_is_taken_is_put_back(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, is_old: bool, is_said: bool
) -> None:
    """Its writer has it open, and writes anew between the two looks."""
    file = tasks / "request.json"
    file.write_text(REQUEST, encoding="utf-8")
    rename = type(file).rename

    def late(self: Path, target: Path) -> Path:
        file.write_bytes(content)
        if is_old:
            old(file)
        return rename(self, target)

    monkeypatch.setattr(type(file), "rename", late)
    watcher, said = lines_of(tasks)
    assert watcher.claim() == ([], not is_old)  # a young one is looked at again
    assert (len(said), list(tasks.iterdir())) == (is_said, [file])
    monkeypatch.undo()
    file.write_text(REQUEST, encoding="utf-8")
    assert len(watcher.claim()[0]) == 1


def test_half_of_a_claimed_file_is_waited_for(tasks: Path) -> None:
    file = tasks / ".oauthkit-0.claimed"
    file.write_text(REQUEST[:9], encoding="utf-8")
    watcher, said = lines_of(tasks)
    assert (watcher.claim(), said) == (([], True), [])
    file.write_text(REQUEST, encoding="utf-8")
    assert watcher.claim() == ([file], False)


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


FAILING = ("os.open", "os.fstat", "os.pread", "os.link", "Path.lstat", "Path.rename",
           "Path.iterdir", "Path.is_symlink", "fcntl.flock", "json.loads")  # fmt: skip
ERRORS = (OSError(5, "Input/output error"), PermissionError(13, "closed"), RuntimeError("odd"),
          FileNotFoundError(2, "gone"), NotADirectoryError(20, "no folder"), ValueError("odd"),
          RecursionError("deep"), MemoryError())  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", FAILING)
def test_whatever_fails_does_not_end_the_watch(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    """Each call that is told a name, or reads a file, fails as if a container had seen to that."""
    (tasks / "broken.json").write_text("{", encoding="utf-8")
    (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
    (tasks / ".oauthkit-0.claimed").write_text(REQUEST, encoding="utf-8")
    files = open_files()

    def fails(*_: object, **__: object) -> None:
        raise error

    watcher, said = lines_of(tasks)
    with monkeypatch.context() as patched:
        patched.setattr(f"oauthkit.host.watching.{call}", fails)
        watcher.ended(watcher.claim()[0])
        count = len(said)
        watcher.claim()
        assert len(said) == count  # the same is not said again
    watcher.ended(watcher.claim()[0])
    assert open_files() == files
    # What it could not look at it looks at later, and nothing was lost meanwhile.
    assert not (tasks / "request.json").exists()


def test_tasks_that_lead_elsewhere_are_not_followed(tasks: Path, watcher: Watcher) -> None:
    (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
    other = tasks.parents[1] / "other"
    other.mkdir()
    tasks.rename(tasks.parents[2] / "away")
    (other / "tasks").symlink_to("../../away")
    assert watcher.claim() == ([], False)


@pytest.mark.parametrize("name", [b"x" * 250, b"\xff", b"a\nb\x1b[31m", b"-", b".a"])
def test_request_of_any_name_is_taken(tasks: Path, name: bytes) -> None:
    file = tasks / os.fsdecode(name + b".json")
    file.write_text(REQUEST, encoding="utf-8")
    watcher, said = lines_of(tasks)
    taken, _ = watcher.claim()
    assert ([path.read_text("utf-8") for path in taken], said) == ([REQUEST], [])
    watcher.ended(taken)
    assert list(tasks.iterdir()) == []


def test_names_are_said_in_one_line_of_printable_characters(tasks: Path) -> None:
    (tasks / os.fsdecode(b"\xff\n\x1b[31m\xc3\xa9.json")).mkdir()
    watcher, said = lines_of(tasks)
    watcher.claim()
    name = "\ufffd\ufffd\ufffd[31m\xe9.json"
    assert said == [f"{tasks}/{name} is no regular file, and is left"]
    said[0].encode()
    assert printable("a b") == "a b"


def test_what_cannot_be_read_is_named_once(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tasks / "request.json").write_text(REQUEST, encoding="utf-8")

    def closed(*_: object) -> int:  # as root, nothing is closed
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("oauthkit.host.watching.os.open", closed)
    watcher, said = lines_of(tasks)
    assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
    assert said == [f"{tasks}/request.json cannot be read, and is left: Permission denied"]


def test_request_that_cannot_be_removed_is_served_once(tasks: Path) -> None:
    (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
    watcher, said = lines_of(tasks)
    (file,), _ = watcher.claim()
    file.unlink()
    file.mkdir()
    watcher.ended([file])
    file.rmdir()
    file.write_text(REQUEST, encoding="utf-8")
    assert watcher.claim() == ([], False)
    assert len(said) == 1
    assert said[0].startswith(f"{file} cannot be removed: ")


@pytest.mark.parametrize(("error", "is_said"), [(FileNotFoundError, False), (OSError, True)])
def test_request_that_cannot_be_taken(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError], is_said: bool
) -> None:
    """Nothing is to be said if somebody else was quicker."""
    file = tasks / "request.json"
    file.write_text(REQUEST, encoding="utf-8")

    def fails(*_: object) -> None:
        raise error(1, "x")

    monkeypatch.setattr(type(file), "rename", fails)
    watcher, said = lines_of(tasks)
    assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
    assert said == ([f"{file} cannot be taken: x"] if is_said else [])


def test_request_that_has_become_another_task_is_put_back(
    tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file, with other content by the time that it is renamed."""
    file = tasks / "request.json"
    file.write_text(REQUEST, encoding="utf-8")
    rename = type(file).rename

    def late(self: Path, target: Path) -> Path:
        file.write_text('{"type":"schedule_task"}', encoding="utf-8")
        return rename(self, target)

    monkeypatch.setattr(type(file), "rename", late)
    watcher, said = lines_of(tasks)
    assert (watcher.claim(), said) == (([], False), [])
    assert file.read_text("utf-8") == '{"type":"schedule_task"}'
    assert list(tasks.iterdir()) == [file]


def test_request_that_another_watcher_has_just_ended_is_not_taken_over(
    tasks: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened, then removed and unlocked by the other one, then locked."""
    file = tasks / ".oauthkit-0.claimed"
    file.write_text(REQUEST, encoding="utf-8")

    def late(descriptor: int) -> bool:
        file.unlink()
        return lock(descriptor)

    monkeypatch.setattr("oauthkit.host.watching.lock", late)
    assert watcher.claim() == ([], False)


@pytest.mark.usefixtures("little_memory")
def test_request_of_any_length_is_read_up_to_the_limit(tasks: Path, watcher: Watcher) -> None:
    file = tasks / "request.json"
    file.touch()
    os.truncate(file, 1 << 40)  # nothing of it is on disk
    old(file)
    assert watcher.claim() == ([], False)


@pytest.mark.parametrize("has_newer", [False, True])
def test_task_that_came_in_place_of_a_request_is_put_back(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, has_newer: bool
) -> None:
    file = tasks / "request.json"
    file.write_text(REQUEST, encoding="utf-8")
    rename = type(file).rename

    def late(self: Path, target: Path) -> Path:
        (tasks / "other").write_text('{"type":"schedule_task"}', encoding="utf-8")
        rename(tasks / "other", file)
        claimed = rename(self, target)
        if has_newer:
            file.write_text('{"type":"newer"}', encoding="utf-8")
        return claimed

    monkeypatch.setattr(type(file), "rename", late)
    watcher, said = lines_of(tasks)
    assert (watcher.claim(), said) == (([], False), [])
    kind = "newer" if has_newer else "schedule_task"
    assert json.loads(file.read_text("utf-8")) == {"type": kind}
    assert list(tasks.iterdir()) == [file]


def test_what_the_skill_writes_is_a_request(tasks: Path, watcher: Watcher) -> None:
    """The line of container/skills/refresh-oauth/SKILL.md, word for word."""
    line = """echo '{"type":"refresh_oauth"}' > refresh-oauth-$(date +%s).json"""
    subprocess.run(["bash", "-c", line], cwd=tasks, check=True)
    taken, _ = watcher.claim()
    assert json.loads(taken[0].read_text("utf-8")) == {"type": "refresh_oauth"}
