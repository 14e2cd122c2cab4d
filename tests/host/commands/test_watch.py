"""oauthkit watch: which files are requests, and when they are served."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.host.host_project import REQUEST, TOKEN
from tests.support.refresh.world import REPOSITORY

from oauthkit.host import ipc
from oauthkit.host.errors import HostError
from oauthkit.host.ipc import LARGEST_BYTES, MAX_ENTRIES, MAX_READS, Inbox, IpcDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator


class Watched:
    """An inbox, its complaints in order, and its clocks, which are stopped."""

    def __init__(self, path: Path) -> None:
        self.complaints: list[str] = []
        self.now_s = self.used_s = 0.0
        self.directory = IpcDirectory(path)
        self.inbox = Inbox(
            [self.directory], self.complaints.append,
            monotonic=lambda: self.now_s, process_time=lambda: self.used_s,
        )  # fmt: skip

    def count(self) -> int:
        """Scan once. Return the number of requests."""
        return self.inbox.scan()

    def serve(self) -> None:
        """Scan, and remove the requests."""
        self.inbox.scan()
        self.inbox.mark_served()
        self.inbox.scan()


@pytest.fixture
def watched(tasks: Path) -> Iterator[Watched]:
    watched = Watched(tasks.parents[1])
    yield watched
    watched.directory.close()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every file as completely written."""
    monkeypatch.setattr(ipc, "SETTLE_S", 0.0)


def add(tasks: Path, name: str = "request.json", content: str = REQUEST) -> Path:
    file = tasks / name
    file.write_text(content, encoding="utf-8")
    return file


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


# --- Which files are requests ---

OTHERS = {
    "another type": '{"type":"schedule_task"}',
    "no type": "{}",
    "an array": '[{"type":"refresh_oauth"}]',
    "a text": '"refresh_oauth"',
    "a type that is not a text": '{"type":{"a":1}}',
    "longer than a request": REQUEST + " " * LARGEST_BYTES,
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_other_tasks_are_not_changed(tasks: Path, watched: Watched, content: str) -> None:
    file = add(tasks, content=content)
    before = file.stat()
    watched.serve()
    assert (file.read_text("utf-8"), file.stat(), watched.complaints) == (content, before, [])


def test_requests_of_all_groups_are_served(tasks: Path, watched: Watched) -> None:
    other = tasks.parents[1] / "other group/tasks"
    other.mkdir(parents=True)
    for directory in (tasks, other):
        add(directory, "refresh-oauth-0.json")
        add(directory, "refresh-oauth-1.json")
    add(tasks, "request.json.tmp")  # NanoClaw writes a task by renaming a file
    add(tasks.parents[1], "request.json")
    files = open_files()
    assert [watched.count(), watched.count()] == [4, 4]
    watched.serve()
    assert [path.name for path in tasks.iterdir()] == ["request.json.tmp"]
    assert list(other.iterdir()) == []
    assert (watched.count(), watched.complaints, open_files()) == (0, [], files)


@pytest.mark.parametrize("has_variable", [True, False])
def test_what_the_skill_writes_is_a_request(
    tasks: Path, watched: Watched, tmp_path: Path, *, has_variable: bool
) -> None:
    """The line of container/skills/refresh-oauth/SKILL.md, word for word."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    if has_variable:
        env["CLAUDE_CODE_OAUTH_TOKEN"] = TOKEN
    else:
        (tmp_path / ".claude").mkdir()
        record = json.dumps({"claudeAiOauth": {"accessToken": TOKEN, "expiresAt": 1}})
        record = record.replace(": ", ":")
        (tmp_path / ".claude/.credentials.json").write_text(record, "utf-8")
    page = (REPOSITORY / "container/skills/refresh-oauth/SKILL.md").read_text("utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert "/workspace/ipc/tasks/" in block
        code = block.replace("/workspace/ipc/tasks/", "")
        done = subprocess.run(
            ["bash", "-ec", code], cwd=tasks, check=True, capture_output=True, env=env
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        assert watched.count() == 1
        fingerprint = hashlib.sha256(TOKEN.encode()).hexdigest()[:16]
        assert watched.inbox.is_rejected(fingerprint.lower) == ("sha256sum" in block)
        (file,) = tasks.iterdir()
        assert TOKEN not in file.read_text("utf-8")
        file.unlink()


@pytest.mark.parametrize(
    "value", ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "0123456789ABCDEG",
              "0123456789abcde\n",
              "\u0660" * 16, None, 0, 123456789012345, ["0123456789abcdef"], {}, True],
)  # fmt: skip
def test_fingerprint_that_is_not_one(tasks: Path, watched: Watched, value: object) -> None:
    file = add(tasks, content=json.dumps({"type": "refresh_oauth", "rejected": value}))
    assert [watched.count(), watched.count()] == [0, 0]
    watched.serve()
    why = "has a value of 'rejected' that is not 16 hex digits and is ignored"
    assert watched.complaints == [f"{file} {why}"]
    assert file.exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "rejected", "x"]), children, max_size=3)
    ),
    max_leaves=5,
)
FINGERPRINTS = st.text("0123456789abcdefABCDEFg\n", min_size=15, max_size=17)
DRAWN = st.builds(lambda value: {"type": "refresh_oauth", "rejected": value}, FINGERPRINTS | JSON)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=100) | (DRAWN | JSON).map(lambda x: json.dumps(x).encode()))
@pytest.mark.usefixtures("settled")
def test_any_file_beside_a_request(tasks: Path, watched: Watched, content: bytes) -> None:
    """The request is served. The other file is removed only if it is a valid request, too."""
    good = add(tasks, "good.json", '{"type":"refresh_oauth"}')
    other = tasks / "other.json"
    other.write_bytes(content)
    is_valid = False
    with suppress(ValueError):
        document = json.loads(content)
        if isinstance(document, dict) and document.get("type") == "refresh_oauth":
            rejected = document.get("rejected", "0" * 16)
            is_valid = isinstance(rejected, str) and bool(re.fullmatch("[0-9a-fA-F]{16}", rejected))
    assert watched.count() == 1 + is_valid
    watched.serve()
    assert (good.exists(), other.exists()) == (False, not is_valid)
    other.unlink(missing_ok=True)


def test_fingerprint_is_forgotten_with_its_request(tasks: Path, watched: Watched) -> None:
    file = add(tasks, content='{"type":"refresh_oauth","rejected":"0123456789ABCDEF"}')
    watched.count()
    assert watched.inbox.is_rejected(lambda: "0123456789abcdef")
    file.unlink()
    watched.count()
    assert not watched.inbox.is_rejected(lambda: "0123456789abcdef")


def test_fingerprint_of_another_task_is_not_looked_at(tasks: Path, watched: Watched) -> None:
    add(tasks, content='{"type":"other","rejected":"x"}')
    assert (watched.count(), watched.complaints) == (0, [])


@pytest.mark.parametrize("name", [b"x" * 250, b"\xff", b"a\nb\x1b[31m", b"-", b".a", b""])
def test_request_with_any_name_is_served(tasks: Path, watched: Watched, name: bytes) -> None:
    add(tasks, os.fsdecode(name + b".json"))
    watched.serve()
    assert (list(tasks.iterdir()), watched.complaints) == ([], [])


BROKEN = [b"{", b"", b"\xff", b"[" * 4000, b'{"a":' * 800, b"9" * 4000 + b"x"]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_incomplete_file_is_read_again(tasks: Path, watched: Watched, content: bytes) -> None:
    file = tasks / "request.json"
    file.write_bytes(content)
    assert (watched.count(), watched.complaints) == (0, [])
    file.write_text(REQUEST, encoding="utf-8")
    assert watched.count() == 1


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_invalid_json_is_reported_and_left(tasks: Path, watched: Watched, content: bytes) -> None:
    file = tasks / "request.json"
    file.write_bytes(content)
    watched.serve()
    assert watched.complaints == [f"{file} is not valid JSON and is ignored"]
    assert file.read_bytes() == content
    add(tasks)
    assert watched.count() == 1


# --- What a container can put in place of a file or directory ---


@pytest.mark.usefixtures("little_memory")
def test_files_of_other_kinds_are_reported_and_left(tasks: Path, watched: Watched) -> None:
    os.mkfifo(tasks / "fifo.json")
    (tasks / "directory.json").mkdir()
    (tasks / "zero.json").symlink_to("/dev/zero")
    add(tasks, "elsewhere")
    (tasks / "link.json").symlink_to("elsewhere")
    (tasks / "hard.json").hardlink_to(tasks / "elsewhere")
    add(tasks, "large.json")
    subprocess.run(["fallocate", "-n", "-l", "3M", tasks / "large.json"], check=True)
    add(tasks, "long.json", OTHERS["another type"] + " " * 3_000_000)
    before = sorted(tasks.iterdir())
    for _ in range(2):
        watched.serve()
    why = dict.fromkeys(["fifo", "directory", "link", "zero"], "is not a regular file")
    why["hard"] = "is a hard link to another file"
    why["large"] = "uses more than 2 MiB on disk"
    said = {f"{tasks}/{name}.json {text} and is ignored" for name, text in why.items()}
    assert set(watched.complaints) == said
    assert len(watched.complaints) == 6
    assert sorted(tasks.iterdir()) == before


def test_file_replaced_with_a_fifo_before_the_open(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(tasks)
    real = os.open

    def replace_and_open(path: Any, *flags: Any, **more: Any) -> int:
        if path == file.name and file.is_file():
            file.unlink()
            os.mkfifo(file)
        return real(path, *flags, **more)

    monkeypatch.setattr(os, "open", replace_and_open)
    assert watched.count() == 0
    assert watched.complaints == [f"{file} is not a regular file and is ignored"]
    assert file.is_fifo()


def test_large_files_are_not_opened(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The removal of such a file's blocks can delay open(2), read(2) and close(2)."""
    add(tasks, "long.json", REQUEST + " " * LARGEST_BYTES)
    add(tasks, "large.json")
    subprocess.run(["fallocate", "-n", "-l", "3M", tasks / "large.json"], check=True)
    real = os.open
    opened: list[str] = []

    def noted(path: str, *flags: Any, **more: Any) -> int:
        opened.append(path)
        return real(path, *flags, **more)

    monkeypatch.setattr(os, "open", noted)
    assert [watched.count(), watched.count()] == [0, 0]
    assert opened == ["main", "tasks"] * 2
    add(tasks)
    watched.count()
    assert opened[-1] == "request.json"


@pytest.mark.usefixtures("little_memory", "settled")
def test_sparse_file_of_a_terabyte_is_not_read(tasks: Path, watched: Watched) -> None:
    os.truncate(add(tasks), 1 << 40)
    assert (watched.count(), watched.complaints) == (0, [])


def test_file_with_a_lease_does_not_block_the_watch(tasks: Path, watched: Watched) -> None:
    """open(2) without O_NONBLOCK waits for the holder of a lease, 45 s by default."""
    add(tasks)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # it notifies the holder
    with (tasks / "leased.json").open("wb") as leased:
        leased.write(REQUEST.encode())
        leased.flush()
        fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        begin_s = time.monotonic()
        assert watched.count() == 1
        assert time.monotonic() - begin_s < 5
    signal.signal(signal.SIGIO, before)
    assert len(watched.complaints) == 1
    watched.serve()
    assert list(tasks.iterdir()) == []


@pytest.mark.parametrize(
    ("level", "complaint"),
    [
        ("tasks", "is ignored: it is a symbolic link or not a directory"),
        ("group", "is a symbolic link and is ignored"),
    ],
)
def test_directory_that_is_a_link_is_not_followed(
    tasks: Path, watched: Watched, level: str, complaint: str
) -> None:
    add(tasks)
    victim = tasks if level == "tasks" else tasks.parent
    victim.rename(tasks.parents[2] / "away")
    victim.symlink_to(tasks.parents[2] / "away")
    watched.serve()
    # Two scans report the same problem. Complaints shows it once.
    assert watched.complaints == [f"{victim} {complaint}"] * 2
    assert [*(tasks.parents[2] / "away").rglob("request.json")] != []


def test_file_in_place_of_a_directory(tasks: Path, watched: Watched) -> None:
    group = tasks.parents[1] / "other"
    group.mkdir()
    add(group, "tasks")
    add(tasks.parents[1], "third")
    add(tasks)
    assert watched.count() == 1


def test_directory_without_permission_is_reported(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tasks.parents[1] / "other/tasks"
    other.mkdir(parents=True)
    add(other)
    real = os.open

    def denied(path: str, flags: int, *, dir_fd: int) -> int:
        if path == "main":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", denied)  # root can open everything
    assert watched.count() == 1
    assert watched.complaints == [f"{tasks} is ignored: Permission denied"]


@contextmanager
def file_limit(count: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_descriptor_limit(tasks: Path, watched: Watched) -> None:
    add(tasks)
    files = open_files()
    with (tasks / "request.json").open() as first:
        for more in range(6):
            with file_limit(first.fileno() + 1 + more):
                watched.count()
    assert "Too many open files" in watched.complaints[0]
    watched.serve()
    assert (list(tasks.iterdir()), open_files()) == ([], files)


def test_directory_that_disappears_during_a_scan(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tasks)
    real = os.open

    def late(path: str, flags: int, *, dir_fd: int) -> int:
        if path == "tasks":
            tasks.rename(tasks.parent / "away")
        return real(path, flags, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", late)
        assert (watched.count(), watched.complaints) == (0, [])
    (tasks.parent / "away").rename(tasks)
    assert watched.count() == 1


CALLS = ("open", "stat", "fstat", "read", "scandir", "unlink")
ERRORS = (OSError(5, "Input/output error"), PermissionError(13, "closed"), RuntimeError("odd"),
          FileNotFoundError(2, "gone"), NotADirectoryError(20, "no directory"), ValueError("odd"),
          RecursionError("deep"), MemoryError())  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", CALLS)
def test_errors_do_not_end_the_watch(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    add(tasks)
    files = open_files()

    def fails(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        watched.serve()
    watched.serve()
    assert (list(tasks.iterdir()), open_files()) == ([], files)


# --- Removal ---


def test_newer_request_of_the_same_name_is_kept(tasks: Path, watched: Watched) -> None:
    file = add(tasks)
    replaced = add(tasks, "replaced.json")
    watched.count()
    time.sleep(0.02)  # the kernel's file times have a resolution of up to 10 ms
    add(tasks)  # the same file, written again
    add(tasks, "new").rename(replaced)
    watched.inbox.mark_served()
    assert (watched.count(), file.exists(), replaced.exists()) == (2, True, True)
    watched.serve()
    assert list(tasks.iterdir()) == []


def test_request_that_nanoclaw_has_removed(tasks: Path, watched: Watched) -> None:
    add(tasks)
    watched.count()
    (tasks / "request.json").unlink()
    watched.inbox.mark_served()
    assert (watched.count(), watched.complaints) == (0, [])


def test_request_that_nanoclaw_removes_while_it_is_read_counts(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(tasks)
    real = os.fstat

    def late(descriptor: int) -> os.stat_result:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == file:
            file.unlink()
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", late)
    assert watched.count() == 1


def test_request_that_cannot_be_removed_is_served_once(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(tasks)

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", fails)
        watched.serve()
        assert watched.count() == 0
    assert set(watched.complaints) == {f"{file} is ignored: Operation not permitted"}
    watched.count()
    assert list(tasks.iterdir()) == []


# --- The work of one scan ---


def test_directory_that_has_become_too_large_is_ignored(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays large when its files are removed, so each scan takes long."""
    add(tasks)
    monkeypatch.setattr(ipc, "MAX_DIRECTORY_BYTES", tasks.stat().st_size - 1)
    assert watched.count() == 0
    problem = "is too large and is ignored: remove it and create it again"
    assert watched.complaints == [f"{tasks} {problem}"]
    monkeypatch.setattr(ipc, "MAX_DIRECTORY_BYTES", tasks.stat().st_size)
    assert watched.count() == 1


def test_flood_of_files_is_read_in_parts(tasks: Path, watched: Watched) -> None:
    other = tasks.parents[1] / "other/tasks"
    other.mkdir(parents=True)
    for number in range(MAX_ENTRIES + 200):
        add(tasks, f"{number}.json")
    add(other)
    assert watched.count() == MAX_READS + 1  # the other group's request is not delayed
    for _ in range(MAX_ENTRIES // MAX_READS + 1):
        watched.count()
    assert watched.count() == MAX_ENTRIES + 1
    watched.serve()
    assert len([*tasks.iterdir()]) == 200
    assert list(other.iterdir()) == []


def test_file_is_read_once(tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    real = os.read

    def counted(descriptor: int, size: int) -> bytes:
        reads.append(size)
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", counted)
    add(tasks)
    add(tasks, "other.json", OTHERS["another type"])
    for _ in range(3):
        assert watched.count() == 1
    assert reads == [LARGEST_BYTES] * 2
    for file in tasks.iterdir():
        file.unlink()
    watched.count()
    (group,) = watched.inbox._groups.values()
    assert group.known == {}  # removed files are forgotten


def test_files_of_a_skipped_group_are_not_iterated(
    tasks: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time spent outside a group's scan is not counted, and many groups can have many files."""
    add(tasks, content=json.dumps({"type": "refresh_oauth", "rejected": "0" * 16}))
    assert watched.count() == 1
    (group,) = watched.inbox._groups.values()
    group.ready_s = 1.0
    monkeypatch.setattr(group, "known", None)
    monkeypatch.setattr(group, "reports", None)
    assert watched.count() == 1
    assert watched.inbox.is_rejected(lambda: "0" * 16)
    assert not watched.inbox.is_rejected(lambda: "1" * 16)


@pytest.mark.parametrize("call_s", [0.3, 40.0])
def test_group_with_slow_calls_is_scanned_less_often(
    watched: Watched, tasks: Path, monkeypatch: pytest.MonkeyPatch, call_s: float
) -> None:
    """A container can slow down each call in its directory: fcntl(2), F_NOTIFY."""
    slow = tasks.parents[1] / "slow/tasks"
    slow.mkdir(parents=True)
    for number in range(10):
        add(slow, f"{number}.json")
    real = Inbox._read
    reads: list[str] = []

    def read(inbox: Inbox, path: Path, *more: Any) -> None:
        if path.parent == slow:
            watched.now_s += call_s
            watched.used_s += call_s
            reads.append(path.name)
        real(inbox, path, *more)

    monkeypatch.setattr(Inbox, "_read", read)
    assert watched.count() == 1  # then LONGEST_SCAN_S is over
    add(tasks)
    pause_s = call_s * ((1 + ipc.IDLE_SHARE) * 2 - 1)  # there are two groups
    for after_s, requests, read_files in (
        (0.1, 2, 1),
        (pause_s - 0.1, 2, 1),
        (pause_s + 0.1, 3, 2),
    ):
        watched.now_s = call_s + after_s
        assert (watched.count(), len(reads)) == (requests, read_files)
    # Its served files are not forgotten while it waits, nor if a scan does not reach them.
    served = {*reads}
    watched.count()
    watched.inbox.mark_served()
    watched.now_s += 0.1
    assert watched.count() == 0
    assert len([*slow.iterdir()]) == 10
    for _ in range(10):
        watched.now_s += pause_s + 1
        watched.count()
    assert watched.count() == 8
    assert {path.name for path in slow.iterdir()}.isdisjoint(served)


@pytest.mark.parametrize(
    ("lasts_s", "pause_s"), [(1.0, ipc.IDLE_SHARE), (40.0, ipc.LONGEST_PAUSE_S)]
)
def test_removal_that_takes_long_is_followed_by_a_pause(
    watched: Watched, tasks: Path, monkeypatch: pytest.MonkeyPatch, lasts_s: float, pause_s: float
) -> None:
    """A removal can take a second and hardly any CPU time.

    Other groups do not make the pause longer. Any group's scan can take long on a busy host.
    """
    (tasks.parents[1] / "other/tasks").mkdir(parents=True)
    real = os.unlink

    def slow_unlink(path: str, *, dir_fd: int) -> None:
        watched.now_s += lasts_s
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", slow_unlink)
    add(tasks)
    watched.serve()
    add(tasks)
    assert watched.count() == 0
    watched.now_s += pause_s - 0.1
    assert watched.count() == 0
    watched.now_s += 0.2
    assert watched.count() == 1


def test_scan_with_slow_calls_is_cut(
    watched: Watched, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat
    calls: list[object] = []

    def slow_stat(path: Any, **more: Any) -> os.stat_result:
        if "dir_fd" in more:
            watched.now_s += 0.08
            calls.append(path)
        return real(path, **more)

    for number in range(10):
        add(tasks, f"{number}.json")
    monkeypatch.setattr(os, "stat", slow_stat)
    watched.count()
    assert len(calls) == 2
    # Many files that a scan has not reached do not add up.
    (group,) = watched.inbox._groups.values()
    others = {(0, number, 0): ipc.Kind.OTHER for number in range(3 * MAX_ENTRIES)}
    group.known |= others
    watched.now_s += ipc.LONGEST_PAUSE_S
    watched.count()
    assert MAX_ENTRIES <= len(group.known) <= MAX_ENTRIES + 2


# --- The directory itself ---


def test_second_watcher_is_rejected(tasks: Path, watched: Watched) -> None:
    directory = tasks.parents[1]
    why = f"another oauthkit watch is running for '{directory}': stop it first"
    files = open_files()
    with pytest.raises(HostError, match=why):
        IpcDirectory(directory)
    assert open_files() == files
    watched.directory.close()
    watched.directory = IpcDirectory(directory)


def test_replaced_directory_is_opened_and_locked(tasks: Path, watched: Watched) -> None:
    directory = tasks.parents[1]
    directory.rename(directory.with_name("old"))
    assert watched.count() == 0
    tasks.mkdir(parents=True)
    add(tasks)
    second = IpcDirectory(directory)
    assert watched.count() == 0
    assert "another oauthkit watch is running" in watched.complaints[0]
    second.close()
    assert watched.count() == 1
    IpcDirectory(directory.with_name("old")).close()  # its lock is released
    with pytest.raises(HostError):
        IpcDirectory(directory)


def test_directory_replaced_with_a_link_to_it_is_reported(tasks: Path, watched: Watched) -> None:
    directory = tasks.parents[1]
    add(tasks)
    directory.rename(directory.with_name("old"))
    directory.symlink_to("old")
    assert watched.count() == 0
    (complaint,) = watched.complaints
    assert complaint.endswith("is ignored: it is a symbolic link or not a directory")


def test_file_system_without_locks(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", fails)
    add(tasks)
    watched = Watched(tasks.parents[1])
    assert watched.count() == 1
    watched.directory.close()
