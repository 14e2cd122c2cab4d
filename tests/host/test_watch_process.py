"""oauthkit watch as a process: it serves what comes, ends when it is told to, and not before."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.host.host_project import REQUEST, SAME_CODE

from oauthkit.host.watching import LOOK_S, notify, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.host.host_project import HostProject

DEADLINE_S = 30
START = """\
import os
from oauthkit.cli import main
from oauthkit.host import watching
watching.IDLE_S = float(os.environ["IDLE_S"])
watching.SETTLE_S = 2.0
main()
"""


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
def running(
    host: HostProject, *arguments: str, stdout: str = "", start: str = START, **env: str
) -> Iterator[Running]:
    """A watcher that looks only at what it is told of, not every few seconds, too.

    With `stdout` that goes to this file, or is closed, in place of a pipe.
    """
    # It renews nothing, as the credentials are fresh; jq is what counts the refreshes.
    wait = 'while [ -e "$HOME/hold" ]; do sleep 0.05; done'
    answer = '"object"\\n"sk-ant-made-up\\n9999999999999\\n'
    host.program("jq", f"#!/bin/sh\necho >>\"$HOME/jq-calls\"\n{wait}\nprintf '{answer}'\n")
    for tool in ("sleep", "cp", "sync", "mv", "mkdir", "rm", "flock"):
        with suppress(FileExistsError):
            (host.bin / tool).symlink_to(f"/usr/bin/{tool}")
    host.program("systemctl", "#!/bin/sh\n")
    argv = [sys.executable, "-c", start, "watch", "--project", str(host.project), *arguments]
    settings = {"HOME": str(host.home), "PATH": str(host.bin), "IDLE_S": "3600", **SAME_CODE, **env}
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


def test_request_that_comes_before_the_watch_begins(live: HostProject, tasks: Path) -> None:
    (live.home / "hold").touch()
    (tasks / "early.json").write_text(REQUEST, encoding="utf-8")
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        wait_until(lambda: watcher.refreshes() > 0)  # which takes until it is let go
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        (live.home / "hold").unlink()
        for _ in range(2):
            assert watcher.line() == "refreshed for 1 request"


def test_what_nobody_was_told_of_is_looked_for(live: HostProject, tasks: Path) -> None:
    """As on a file system that tells nothing."""
    settings = {"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "3600000"}
    with running(live, IDLE_S="1", **settings) as watcher:
        assert watcher.line().startswith("watching ")
        time.sleep(LOOK_S + 1)  # the watch has begun
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        assert watcher.line() == "refreshed for 1 request"


def test_half_of_a_file_that_stays_so_is_named(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        (tasks / "request.json").write_text(REQUEST[:9], encoding="utf-8")
        assert " is no JSON, and is left: " in watcher.line()


def test_two_watchers_serve_a_request_once(live: HostProject, tasks: Path) -> None:
    (live.home / "hold").touch()
    with running(live) as first, running(live) as second:
        for watcher in (first, second):
            assert watcher.line().startswith("watching ")
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        wait_until(lambda: first.refreshes() > 0)
        time.sleep(LOOK_S + 1)  # by then the other has looked
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


def test_refresh_that_cannot_be_started_is_said_and_the_watch_goes_on(
    live: HostProject, tasks: Path
) -> None:
    start = START.replace("main()", 'watching.child.sys.executable = "/no/python"\nmain()')
    with running(live, start=start) as watcher:
        watcher.line()
        for _ in range(2):
            (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
            assert watcher.line() == "refresh failed (exit 1) for 1 request"


def test_writer_that_has_a_request_open_does_not_end_it(live: HostProject, tasks: Path) -> None:
    """It makes requests and breaks them, again and again, all through the looks at them."""
    with running(live, IDLE_S="0") as watcher, ExitStack() as opened:
        assert watcher.line().startswith("watching ")
        files = []
        for number in range(40):
            files.append(opened.enter_context((tasks / f"{number}.json").open("wb", buffering=0)))
            files[-1].write(REQUEST.encode())
        end_s = time.monotonic() + 3
        while time.monotonic() < end_s:
            for byte in (b"X", b"{"):
                for file in files:
                    os.pwrite(file.fileno(), byte, 0)
        wait_until(lambda: not [*tasks.iterdir()])
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


def test_link_to_everything_is_not_gone_along(live: HostProject, tasks: Path) -> None:
    for name, target in (("all", "/"), ("self", "."), ("x.json", "/")):
        (tasks / name).symlink_to(target)
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        assert watcher.line().endswith("x.json is no regular file, and is left")
        time.sleep(LOOK_S + 1)
        (tasks / "request.json").write_text(REQUEST, encoding="utf-8")
        assert watcher.line() == "refreshed for 1 request"
        folders = Path(f"/proc/{watcher.process.pid}/fdinfo")
        texts = [file.read_text("utf-8") for file in folders.iterdir()]
        # data/ipc, the group and its tasks.
        assert sum(text.count("inotify wd:") for text in texts) == 3


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


def test_closed_stdout_is_written_to_by_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    say("x")
    assert capsys.readouterr() == ("", "")


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
