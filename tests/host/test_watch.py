"""oauthkit watch: a container's request makes one refresh, and nothing else is touched."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from tests.host.host_project import SAME_CODE

from oauthkit.host.watching import IDLE_S, LARGEST_BYTES, SETTLE_S, Watcher, notify
from oauthkit.host.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.host.host_project import HostProject

REQUEST = '{"type":"refresh_oauth"}\n'
DEADLINE_S = 30


@pytest.fixture
def tasks(live: HostProject) -> Path:
    folder = live.project / "data/ipc/main/tasks"
    folder.mkdir(parents=True)
    return folder


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
        old_s = time.time() - SETTLE_S - 1
        os.utime(file, (old_s, old_s))
        assert [watcher.claim(), watcher.claim()] == [([], False)] * 2
        assert file.read_bytes() == content
        (line,) = said
        assert line.startswith(f"{file} is no JSON, and is left: ")
        said.clear()


# --- What a container could put there ---


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
@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_comes_in_place_of_a_file_that_was_looked_at(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    file = tasks / "request.json"
    file.write_text(REQUEST, encoding="utf-8")
    start = os.open

    def late(path: Path, flags: int) -> int:
        file.unlink()
        if kind == "fifo":
            os.mkfifo(file)
        elif kind == "link":
            file.symlink_to("/dev/zero")
        else:
            file.mkdir()
        return start(path, flags)

    monkeypatch.setattr("oauthkit.host.watching.os.open", late)
    watcher, said = lines_of(tasks)
    assert watcher.claim() == ([], False)
    assert len(said) == 1
    assert "is left" in said[0]


def test_request_of_more_than_the_limit_is_none(tasks: Path, watcher: Watcher) -> None:
    (tasks / "long.json").write_text(REQUEST + " " * LARGEST_BYTES, encoding="utf-8")
    assert watcher.claim() == ([], False)


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


# --- A watcher that runs ---


class Running:
    """A watcher, and what it says."""

    def __init__(self, host: HostProject, process: subprocess.Popen[str]) -> None:
        self.host = host
        self.process = process

    def line(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def refreshes(self) -> int:
        """How many refreshes there were: each of them reads the credentials once."""
        calls = self.host.home / "jq-calls"
        return len(calls.read_text("utf-8").splitlines()) if calls.exists() else 0


@contextmanager
def running(host: HostProject, *arguments: str, stdout: str = "", **env: str) -> Iterator[Running]:
    """With `stdout` it goes to that file, or is closed, in place of a pipe."""
    # It renews nothing, as the credentials are fresh; jq is what counts the refreshes.
    wait = 'while [ -e "$HOME/hold" ]; do sleep 0.05; done'
    answer = '"object"\\n"sk-ant-made-up\\n9999999999999\\n'
    host.program("jq", f"#!/bin/sh\necho >>\"$HOME/jq-calls\"\n{wait}\nprintf '{answer}'\n")
    for tool in ("sleep", "cp", "sync", "mv", "mkdir", "rm", "flock"):
        with suppress(FileExistsError):
            (host.bin / tool).symlink_to(f"/usr/bin/{tool}")
    host.program("systemctl", "#!/bin/sh\n")
    argv = [sys.executable, "-m", "oauthkit", "watch", "--project", str(host.project), *arguments]
    settings = {"HOME": str(host.home), "PATH": str(host.bin), **SAME_CODE, **env}
    if stdout:
        redirection = ">&-" if stdout == "closed" else f">{stdout}"
        argv = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *argv]
    process = subprocess.Popen(
        argv, env=settings, cwd=host.home, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        yield Running(host, process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_requests_are_served_and_other_tasks_stay(live: HostProject, tasks: Path) -> None:
    (tasks / "other.json").write_text('{"type":"schedule_task"}', encoding="utf-8")
    (tasks / "early.json").write_text(REQUEST, encoding="utf-8")  # before it was started
    with running(live) as watcher:
        assert watcher.line() == f"watching {live.project}/data/ipc"
        assert watcher.line() == "refreshed for 1 request"
        for number in range(20):
            (tasks / f"request-{number}.json").write_text(REQUEST, encoding="utf-8")
        wait_until(lambda: not [*tasks.glob("request-*.json")])
        served = 0
        while served < 20:
            line = watcher.line()
            assert line.startswith("refreshed for ")
            served += int(line.split()[2])
        assert served == 20
        assert watcher.refreshes() <= 4
        # A group that comes later, and a file that comes in two halves.
        late = tasks.parents[1] / "late/tasks"
        late.mkdir(parents=True)
        file = late / "request.json"
        file.write_text(REQUEST[:9], encoding="utf-8")
        time.sleep(0.5)
        file.write_text(REQUEST, encoding="utf-8")
        assert watcher.line() == "refreshed for 1 request"
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0
    assert [path.name for path in tasks.iterdir()] == ["other.json"]
    assert list(late.iterdir()) == []


def test_two_watchers_serve_a_request_once(live: HostProject, tasks: Path) -> None:
    (live.home / "hold").touch()
    with running(live) as first, running(live) as second:
        for watcher in (first, second):
            assert watcher.line().startswith("watching ")
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        wait_until(lambda: first.refreshes() > 0)
        time.sleep(IDLE_S + 1)  # by then the other has looked
        (live.home / "hold").unlink()
        wait_until(lambda: not [*tasks.iterdir()])
        assert first.refreshes() == 1


def test_reader_that_is_gone_ends_nothing(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        assert watcher.process.stdout is not None
        watcher.process.stdout.close()
        for _ in range(2):
            (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
            wait_until(lambda: not [*tasks.iterdir()])
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("stdout", ["/dev/full", None])
def test_stdout_that_takes_nothing_ends_nothing(
    live: HostProject, tasks: Path, stdout: str | None
) -> None:
    with running(live, stdout=stdout or "closed") as watcher:
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        wait_until(lambda: not [*tasks.iterdir()])
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0


def test_refresh_that_fails_is_said_and_the_watch_goes_on(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        watcher.line()
        live.program("jq", "#!/bin/sh\nexit 1\n")
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        assert watcher.line() == "refresh failed (exit 1) for 1 request"
        assert watcher.process.poll() is None


def test_name_that_cannot_be_watched_does_not_end_it(live: HostProject, tasks: Path) -> None:
    bad = tasks / os.fsdecode(b"\xff.json")
    bad.mkdir()
    os.mkfifo(tasks / "fifo.json")
    with running(live, PYTHONIOENCODING="ascii:strict") as watcher:
        assert watcher.line().startswith("watching ")
        assert watcher.line() == f"{tasks}/fifo.json is no regular file, and is left"
        assert watcher.line() == f"{tasks}/?.json is no regular file, and is left"
        for _ in range(2):
            (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
            assert watcher.line() == "refreshed for 1 request"
        bad.rmdir()
        later = tasks / os.fsdecode(b"\xfe.json")
        later.write_text(REQUEST, encoding="utf-8")
        assert watcher.line() == "refreshed for 1 request"
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0


def test_folder_that_is_made_anew_is_watched(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        for wait_s in (0.0, 2.5):
            tasks.parents[1].rename(live.home / f"old-{wait_s}")
            time.sleep(wait_s)
            tasks.mkdir(parents=True)
            (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
            assert watcher.line() == "refreshed for 1 request"
        assert watcher.process.poll() is None


def test_folder_named_oauthkit_is_not_run(live: HostProject, tasks: Path) -> None:
    """The current folder may be anybody's, and `-m` looks there first."""
    (live.home / "oauthkit").mkdir()
    (live.home / "oauthkit/__main__.py").write_text("raise SystemExit(77)\n", encoding="utf-8")
    script = (
        "import os; from oauthkit.host import child, places; os.chdir(os.environ['HOME']);"
        f"raise SystemExit(child.refresh(places.find_places({str(tasks)!r}), '--no-such-switch'))"
    )
    settings = {"HOME": str(live.home), "PATH": str(live.bin), **SAME_CODE}
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, cwd="/", env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--no-such-switch" in done.stdout + done.stderr


def test_manager_that_is_gone_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "stale"))
    notify("READY=1")


def test_systemd_is_told(live: HostProject, tasks: Path, tmp_path: Path) -> None:
    (tasks / "early.json").write_text(REQUEST, encoding="utf-8")
    (live.home / "hold").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(DEADLINE_S)
        with running(live, NOTIFY_SOCKET=str(tmp_path / "notify")) as watcher:
            # Before the first refresh, which waits here.
            assert manager.recv(100) == b"READY=1"
            (live.home / "hold").unlink()
            watcher.process.send_signal(signal.SIGINT)
            assert manager.recv(100) == b"STOPPING=1"
            assert watcher.process.wait(DEADLINE_S) == 0


def test_without_watchfiles_it_cannot_be_done(live: HostProject) -> None:
    code = "import sys; sys.modules['watchfiles'] = None; from oauthkit.cli import main; main()"
    argv = [sys.executable, "-c", code, "watch", "--project", str(live.project)]
    env = {"HOME": str(live.home), "PATH": str(live.bin)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    hint = f"{sys.executable} -m pip install 'watchfiles>=0.21'"
    assert done.stderr == f"oauthkit watch: watchfiles is not installed: {hint}\n"


def test_folder_that_is_given_and_is_not_there_is_wrong_usage(live: HostProject) -> None:
    done = live.run("watch", "/no/such/folder")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("oauthkit watch: '/no/such/folder' is not a folder: ")


def test_folder_that_is_not_there(live: HostProject) -> None:
    done = live.run("watch")
    assert (done.returncode, done.stdout) == (1, "")
    folder = str(live.project / "data/ipc")
    assert done.stderr == (
        f"oauthkit watch: {folder!r} is not a folder: give the data/ipc of NanoClaw\n"
    )


def test_what_the_skill_writes_is_a_request(tasks: Path, watcher: Watcher) -> None:
    """The line of container/skills/refresh-oauth/SKILL.md, word for word."""
    line = """echo '{"type":"refresh_oauth"}' > refresh-oauth-$(date +%s).json"""
    subprocess.run(["bash", "-c", line], cwd=tasks, check=True)
    taken, _ = watcher.claim()
    assert json.loads(taken[0].read_text("utf-8")) == {"type": "refresh_oauth"}
