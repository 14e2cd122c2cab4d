"""oauthkit watch as a process: it serves requests until a signal stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.support.host.host_project import REQUEST, SAME_CODE, command, quoted
from tests.support.host.watch_host import DEADLINE_S, START, counting, running, wait_until

from oauthkit.host.commands.watch import notify, say

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject


@pytest.fixture(autouse=True)
def counted(live: HostProject) -> None:
    """Create a host with a fresh token, so that a refresh renews nothing."""
    counting(live)


def ask(tasks: Path, name: str = "request.json") -> Path:
    file = tasks / name
    file.write_text(REQUEST, encoding="utf-8")
    return file


# --- Requests ---


def test_requests_are_served_and_other_tasks_stay(live: HostProject, tasks: Path) -> None:
    (tasks / "other.json").write_text('{"type":"schedule_task"}', encoding="utf-8")
    ask(tasks, "early.json")  # before the watcher starts
    with running(live) as watcher:
        assert watcher.line() == f"watching {live.project}/data/ipc"
        assert watcher.line() == "refreshed for 1 request"
        for number in range(20):
            ask(tasks, f"request-{number}.json")
        wait_until(lambda: not [*tasks.glob("request-*.json")])
        served = 0
        while served < 20:
            line = watcher.line()
            assert line.startswith("refreshed for ")
            served += int(line.split()[2])
        assert watcher.refreshes() <= 4
        # A new group, and a file that is written in two parts.
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


def test_pause_after_a_refresh(live: HostProject, tasks: Path) -> None:
    with running(live, PAUSE_S="2") as watcher:
        assert watcher.line().startswith("watching ")
        ask(tasks)
        assert watcher.line() == "refreshed for 1 request"
        begin_s = time.monotonic()
        ask(tasks)
        assert watcher.line().startswith("requests wait until ")
        assert watcher.line() == "refreshed for 1 request"
        assert time.monotonic() - begin_s > 1.5
        assert watcher.refreshes() == 2


def test_file_that_stays_incomplete_is_reported(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        (tasks / "request.json").write_text(REQUEST[:9], encoding="utf-8")
        assert watcher.line() == f"{tasks}/request.json is not valid JSON and is ignored"


def test_refresh_that_fails_is_reported(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        watcher.line()
        live.program("jq", "#!/bin/sh\nexit 1\n")
        ask(tasks)
        assert watcher.line() == "refresh failed (exit 1) for 1 request"
        wait_until(lambda: not [*tasks.iterdir()])
        assert watcher.process.poll() is None


def test_refresh_that_cannot_be_started_is_reported(live: HostProject, tasks: Path) -> None:
    start = START.replace("main()", 'watch.child.sys.executable = "/no/python"\nmain()')
    with running(live, start=start) as watcher:
        watcher.line()
        for _ in range(2):
            ask(tasks)
            assert watcher.line() == "refresh failed (exit 1) for 1 request"


# --- What a container can do ---


def test_writer_that_keeps_a_request_open(live: HostProject, tasks: Path) -> None:
    """It repeatedly completes and breaks requests while the watcher scans them."""
    with running(live) as watcher, ExitStack() as opened:
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


def test_names_that_are_not_utf_8_in_a_locale_without_it(live: HostProject, tasks: Path) -> None:
    bad = tasks / os.fsdecode(b"\xff\n\x1b[31m.json")
    bad.mkdir()
    os.mkfifo(tasks / "fifo.json")
    with running(live, PYTHONIOENCODING="ascii:strict") as watcher:
        assert watcher.line().startswith("watching ")
        ignored = "is not a regular file and is ignored"
        names = ("fifo", "\ufffd\ufffd\ufffd[31m")
        lines = sorted([watcher.line(), watcher.line()])
        assert lines == [f"{tasks}/{name}.json {ignored}" for name in names]
        ask(tasks, os.fsdecode(b"\xfe.json"))
        assert watcher.line() == "refreshed for 1 request"
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0


def test_flood_of_files_uses_only_part_of_one_cpu(live: HostProject, tasks: Path) -> None:
    """Files of 20 groups are read and parsed at each scan, because they may be incomplete."""
    for group in range(20):
        directory = tasks.parents[1] / f"{group}/tasks"
        directory.mkdir(parents=True)
        for number in range(64):
            (directory / f"{number}.json").write_text("[" + "1," * 2000, encoding="utf-8")
    start = START.replace("ipc.SETTLE_S = 2.0", "ipc.SETTLE_S = 3600.0")
    with running(live, start=start) as watcher:
        watcher.line()
        begin, begin_s = used_s(watcher.process.pid), time.monotonic()
        time.sleep(5)
        share = (used_s(watcher.process.pid) - begin) / (time.monotonic() - begin_s)
        ask(tasks)
        assert watcher.line() == "refreshed for 1 request"
    assert share < 0.3


def used_s(pid: int) -> float:
    """Return the CPU time of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- One watcher ---


def test_second_watcher_does_not_start(live: HostProject, tasks: Path) -> None:
    (live.home / "hold").touch()
    with running(live) as first:
        assert first.line().startswith("watching ")
        ask(tasks)
        wait_until(lambda: first.refreshes() > 0)
        done = live.run("watch")
        assert (done.returncode, done.stdout) == (1, "")
        why = f"another oauthkit watch is running for '{tasks.parents[1]}': stop it first"
        assert done.stderr == f"oauthkit watch: {why}\n"
        # A refresh that outlives its watcher does not keep the lock.
        first.process.kill()
        first.process.wait()
        with running(live) as second:
            assert second.line().startswith("watching ")
            time.sleep(0.5)  # its refresh waits for the lock
            (live.home / "hold").unlink()
            assert second.line() == "refreshed for 1 request"
    assert list(tasks.iterdir()) == []


# --- Output, shutdown, systemd ---


def test_closed_pipe_does_not_end_the_watch(live: HostProject, tasks: Path) -> None:
    with running(live) as watcher:
        assert watcher.line().startswith("watching ")
        assert watcher.process.stdout is not None
        watcher.process.stdout.close()
        for _ in range(2):
            ask(tasks)
            wait_until(lambda: not [*tasks.iterdir()])
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("stdout", ["/dev/full", "closed"])
def test_stdout_that_cannot_be_written_does_not_end_the_watch(
    live: HostProject, tasks: Path, stdout: str
) -> None:
    with running(live, stdout=stdout) as watcher:
        ask(tasks)
        wait_until(lambda: not [*tasks.iterdir()])
        watcher.process.send_signal(signal.SIGTERM)
        assert watcher.process.wait(DEADLINE_S) == 0


def test_closed_stdout_is_not_written_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    say("x")
    assert capsys.readouterr() == ("", "")


def test_stale_socket_of_the_manager_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "stale"))
    notify("READY=1")


def test_systemd_is_notified(live: HostProject, tasks: Path, tmp_path: Path) -> None:
    ask(tasks)
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


# --- Startup ---


def test_module_named_oauthkit_in_the_current_directory_is_not_run(
    live: HostProject, tasks: Path
) -> None:
    """The current directory may be untrusted, and `-m` searches it first."""
    (live.home / "oauthkit").mkdir()
    (live.home / "oauthkit/__main__.py").write_text("raise SystemExit(77)\n", encoding="utf-8")
    script = (
        "import os; from oauthkit.host import child, project; os.chdir(os.environ['HOME']);"
        f"raise SystemExit(child.refresh(project.find_paths({str(tasks)!r}), '--no-such-switch'))"
    )
    settings = {"HOME": str(live.home), "PATH": str(live.bin), **SAME_CODE}
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, cwd="/", env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--no-such-switch" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["no/such/directory", "file"])
def test_missing_directory_argument_is_a_usage_error(live: HostProject, name: str) -> None:
    (live.home / "file").touch()
    directory = str(live.home / name)
    done = live.run("watch", directory)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"oauthkit watch: {directory!r} is not a directory. ")


def test_missing_directory(live: HostProject) -> None:
    done = live.run("watch")
    assert (done.returncode, done.stdout) == (1, "")
    directory = str(live.project / "data/ipc")
    assert done.stderr == (
        f"oauthkit watch: {directory!r} is not a directory. Pass NanoClaw's data/ipc\n"
    )


def test_checkout_instead_of_its_ipc_directory_is_rejected(live: HostProject, tasks: Path) -> None:
    assert tasks.is_relative_to(live.project / "data/ipc")
    (live.project / "package.json").touch()
    done = live.run("watch", str(live.project))
    assert (done.returncode, done.stdout) == (2, "")
    watch = command("watch", live.project, str(live.project / "data/ipc"))
    problem = f"is a NanoClaw checkout. Watch its data/ipc: {watch}"
    assert done.stderr == f"oauthkit watch: '{live.project}' {problem}\n"


@pytest.mark.parametrize("is_given", [False, True])
def test_group_cannot_make_its_ipc_directory_look_like_a_checkout(
    live: HostProject, tasks: Path, is_given: bool
) -> None:
    ipc = tasks.parents[1].rename(live.project / "ipc")
    if not is_given:
        ipc.parent.joinpath("data").rmdir()
        (live.project / "data").symlink_to(live.project)
    (ipc / "data/ipc").mkdir(parents=True)
    with running(live, *([str(ipc)] if is_given else [])) as watcher:
        assert watcher.line().startswith("watching ")


@pytest.mark.parametrize("is_given", [False, True])
def test_linked_directory_is_rejected_with_the_correct_command(
    live: HostProject, tasks: Path, is_given: bool
) -> None:
    directory = tasks.parents[1]
    target = directory.rename(live.home / "ipc")
    directory.symlink_to(target)
    done = live.run("watch", *([f"{directory}/"] if is_given else []))
    assert (done.returncode, done.stdout) == (2 if is_given else 1, "")
    begin = f"oauthkit watch: '{directory}' is a symbolic link. Watch the directory itself: "
    assert done.stderr.startswith(begin)
    fix = done.stderr.removeprefix(begin)
    assert fix.endswith(f" watch --project {quoted(live.project)} {quoted(target)}\n")
    ask(target / "main/tasks")
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {fix}"], stdout=subprocess.PIPE, encoding="utf-8",
        env={"HOME": str(live.home), "PATH": str(live.bin), **SAME_CODE},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == f"watching {target}\n"
    assert process.stdout.readline() == "refreshed for 1 request\n"
    process.kill()
    process.wait()
    process.stdout.close()
