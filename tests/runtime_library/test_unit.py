"""Builtins of shell.py that use the system: log, lock, limits and program lookup."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from plumbum import local
from tests.support.refresh.fake_host import NOW_MS, NOW_TEXT, SAFE_PATH, release

from oauthkit import shell
from oauthkit.shell import RETCODE, program

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

sh = program("/bin/sh")


def test_now_is_exact_to_the_second(host: Host) -> None:
    assert host.lines() == []
    assert shell.now_ms() == NOW_MS  # the clock is half a second later


def test_log_line(host: Host) -> None:
    shell.log("first")
    shell.log(" two  words ")
    assert (
        host.log_file.read_text(encoding="utf-8") == f"{NOW_TEXT} first\n{NOW_TEXT}  two  words \n"
    )


def test_log_line_stays_one_line(host: Host) -> None:
    every_control = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    shell.log(f"a{every_control}b\udcff\u2028ü")
    questions = "?" * len(every_control)
    line = f"{NOW_TEXT} a{questions}b\udcff\u2028ü\n"
    assert host.log_file.read_bytes() == line.encode("utf-8", "surrogateescape")


def test_control_characters_in_a_token_do_not_unmask_it(host: Host) -> None:
    shell.log("a sk\x01-ant-made-up\x1b b")
    assert host.log_file.read_text("utf-8") == f"{NOW_TEXT} a sk-ant-*** b\n"


def test_unwritable_log_stops_nothing(host: Host) -> None:
    host.log_file.unlink()
    host.log_file.mkdir()
    assert shell.open_log(str(host.log_file)) == 1
    shell.log("lost")


def test_open_log_makes_the_file(host: Host) -> None:
    host.real("stat")
    path = host.root / "another.log"
    assert shell.open_log(str(path)) == 0
    assert path.read_bytes() == b""
    shell.log("here")
    assert shell.open_log(str(path)) == 0
    assert path.read_text(encoding="utf-8") == f"{NOW_TEXT} here\n"
    assert host.lines() == []


@pytest.mark.usefixtures("_real_tools")
def test_no_file_stays_open(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(place / "pipe")
    reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert shell.open_log(str(place / "log")) == 0
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert shell.open_log(str(place / "other")) == 0
    assert shell.open_log(str(place / "pipe")) == 1
    assert shell.take_lock(str(place / "pipe"), 0) == 2
    monkeypatch.setattr(shell, "same_file", lambda *_: False)
    assert shell.open_log(str(place / "log")) == 1
    assert shell.take_lock(str(place / "lock"), 0) == 2
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(reader)


def test_log_that_was_not_opened_is_lost(place: Path) -> None:
    text = "from oauthkit.shell import log; log('lost')"
    done = subprocess.run([sys.executable, "-c", text], cwd=place, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("is_terminal", [True, False])
def test_log_goes_to_a_terminal_too(
    host: Host, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    reader, writer = pty.openpty() if is_terminal else os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as seen, os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        shell.log("words \udcff")
        stderr.write("end\n")
        stderr.flush()
        text = b""
        while b"end" not in text:
            text += seen.read(1000)
    line = f"{NOW_TEXT} words ".encode() + b"\xff\r\n" if is_terminal else b""
    assert text == line + (b"end\r\n" if is_terminal else b"end\n")
    assert host.lines() == ["words \udcff"]


def test_log_appears_on_a_terminal_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    with os.fdopen(reader, "rb", buffering=0) as seen, os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        shell.log("words")
        assert select.select([seen], [], [], 5)[0] == [seen]
        assert seen.read(1000) == f"{NOW_TEXT} words\r\n".encode()
    assert host.lines() == ["words"]


def test_log_without_a_stderr(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    shell.log("words")
    assert host.lines() == ["words"]


def test_log_when_the_terminal_is_gone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # Closing a terminal must not stop a refresh that was started from it.
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        os.close(reader)
        shell.log("words")
    assert host.lines() == ["words"]


def test_log_on_a_terminal_that_takes_no_more(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 1000)
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        shell.log("words")
    os.close(reader)
    assert host.lines() == ["words"]


def test_lock_is_taken_and_not_inherited(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    path = place / "lock"
    assert shell.take_lock(str(path), 1) == 0
    with path.open("ab") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert sh["-c", f"! ls -l /proc/self/fd | grep -F {path}"] & RETCODE == 0
    release(path)
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.usefixtures("_real_tools")
def test_another_lock_releases_the_first(place: Path) -> None:
    assert [shell.take_lock(str(place / name), 0) for name in ("a", "no/directory", "b")] == [
        0,
        2,
        0,
    ]
    with (place / "a").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (place / "b").open("w") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_lock_that_cannot_be_opened(place: Path) -> None:
    assert shell.take_lock(str(place / "no-directory" / "lock"), 1) == 2


@pytest.mark.parametrize(
    ("shown", "is_own"),
    [
        ("a1ff 0", True), ("a1ed 1000", True), ("a1ff 1001", False), ("81ff 1000", False),
        ("a1ff 10000", False), ("", False),
    ],
)  # fmt: skip
def test_own_link(host: Host, shown: str, is_own: bool) -> None:
    host.monkeypatch.setattr("os.getuid", lambda: 1000)
    host.fake("stat", prints=f"{shown}\n")
    assert shell.is_own_link(str(host.dotenv)) is is_own


def test_link_that_has_become_the_lock_is_rejected(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(shell, "_is_foreign_link", lambda _: next(answers))
    assert shell.take_lock(str(host.lock), 0) == 2
    assert next(answers, None) is None


@pytest.mark.parametrize("wait_s", [0, 3])
def test_wait_for_a_lock(host: Host, wait_s: int) -> None:
    path = host.root / "lock"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert shell.take_lock(str(path), wait_s) == 1
    assert wait_s <= host.slept_s < wait_s + 1


def test_held_lock_without_a_wait(host: Host) -> None:
    path = host.root / "lock"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert shell.take_lock(str(path), 0) == 1
    assert host.slept_s == 0


def test_wait_for_the_lock_does_not_use_cpu_time(host: Host) -> None:
    ticks = iter(range(1000))  # a clock that advances without sleep
    host.monkeypatch.setattr("oauthkit.shell.time.monotonic", lambda: next(ticks) / 10)
    path = host.root / "lock"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert shell.take_lock(str(path), 3) == 1
    assert host.slept_s > 1


def test_lock_on_a_file_system_without_locks(host: Host) -> None:
    answers = iter([OSError(errno.ENOLCK, "No locks available")])

    def flock(_file: int, _operation: int) -> None:
        for error in answers:
            raise error

    host.monkeypatch.setattr(fcntl, "flock", flock)
    assert shell.take_lock(str(host.lock), 120) == 2


def test_lock_is_created_with_the_mode_of_a_redirection(host: Host) -> None:
    os.umask(0)
    assert shell.take_lock(str(host.lock), 0) == 0
    assert stat.S_IMODE(host.lock.stat().st_mode) == 0o666


@pytest.mark.parametrize("status", [124, 137])
@pytest.mark.parametrize(("lives_s", "waited_s"), [(0, 0), (2, 2), (100, 5)])
def test_rest_of_the_group_is_killed_after_its_grace(
    host: Host, status: int, lives_s: float, waited_s: float
) -> None:
    host.fake("timeout", status=status)
    host.group_lives_s = lives_s
    assert shell.run_limited(55, 5, program("x")["y"])[0] == status
    assert host.calls("timeout") == [["-k", "5", "55", "x", "y"]]
    assert host.signals == [signal.SIGKILL]
    assert host.slept_s == pytest.approx(waited_s, abs=0.2)


@pytest.mark.parametrize("status", [0, 1, 125, 126, 127, 143])
def test_ended_process_is_left_alone(host: Host, status: int) -> None:
    host.fake("timeout", status=status)
    host.group_lives_s = 100
    assert shell.run_limited(55, 5, program("x"))[0] == status
    assert host.signals == []
    assert host.slept_s == 0


def test_no_more_processes_for_the_output(host: Host) -> None:
    def fail() -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    host.monkeypatch.setattr(shell, "_start_keeper", fail)
    assert shell.run_limited(55, 5, program("x"))[0] == 126


def test_signal_after_the_wait_for_a_directory_is_not_passed_on(host: Host) -> None:
    assert shell.lock_directory(str(host.root), 0) == 0
    shell.unlock_directory()
    shell.end_command()
    assert host.signals == []


def test_signal_while_a_command_is_started_is_passed_on(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.fake("timeout")
    host.group_lives_s = 1
    spawn = shell._spawn

    def interrupted(*call: Any) -> Any:
        shell.end_command()
        return spawn(*call)

    monkeypatch.setattr(shell, "_spawn", interrupted)
    assert shell.start_command(55, 5, program("x")) == 0
    assert host.signals == [signal.SIGTERM]
    assert shell.finish_command(5)[0] == 124


def test_command_is_watched_for_1_s(monkeypatch: pytest.MonkeyPatch) -> None:
    limits_s: list[float] = []

    def wait(_stream: object, wait_s: float) -> bool:
        limits_s.append(wait_s)
        return False

    monkeypatch.setattr("oauthkit.shell.time.monotonic", lambda: 7.0)
    monkeypatch.setattr(shell, "_has_data", wait)
    process = SimpleNamespace(poll=lambda: None)
    started = SimpleNamespace(process=process, printed=None)
    monkeypatch.setattr(shell, "_started", started, raising=False)
    assert shell.command_runs()
    assert limits_s == [1]


class Endless(io.BytesIO):
    """A stream that never ends."""

    def read(self, _size: int | None = -1, /) -> bytes:
        """Return one byte."""
        return b"x"


@pytest.mark.parametrize(("step_s", "reads"), [(0.9, 6), (1.0, 5)])
def test_output_is_read_for_5_s(
    host: Host, monkeypatch: pytest.MonkeyPatch, step_s: float, reads: int
) -> None:
    limits_s: list[float] = []

    def wait(_stream: object, wait_s: float) -> bool:
        limits_s.append(wait_s)
        host.slept_s += step_s
        return True

    monkeypatch.setattr(shell, "_has_data", wait)
    assert shell._read_output(Endless(), b"") == "x" * reads
    assert limits_s == [1] * reads


@pytest.mark.usefixtures("_real_tools")
def test_no_pipe_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    before = len(list(Path("/proc/self/fd").iterdir()))
    assert shell.run_limited(60, 5, sh["-c", "echo x"]) == (0, "x")
    for module, name in ((shell, "_spawn"), (os, "posix_spawn")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            assert shell.run_limited(60, 5, sh["-c", "echo x"]) == (126, "")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_timeout_that_died_by_a_signal(host: Host) -> None:
    host.fake("timeout", status=-15)
    assert shell.run_limited(55, 5, program("x"))[0] == 143


@pytest.fixture
def _real_tools(place: Path) -> None:  # noqa: ARG001 - restores the environment
    local.env["PATH"] = "/usr/bin:/bin"


@pytest.mark.usefixtures("_real_tools")
@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("echo out; echo err >&2; cat; exit 3", "out\nerr"),
        ("exit 3", ""),
        (r"printf '\n\na\0b\377\n\n'; exit 3", "\n\nab\udcff"),
    ],
)
def test_output_of_a_command(script: str, printed: str) -> None:
    assert shell.run_limited(60, 5, sh["-c", script]) == (3, printed)


@pytest.mark.usefixtures("_real_tools")
def test_output_is_limited_and_the_command_does_not_notice(place: Path) -> None:
    command = sh["-c", f"yes 'a b' | head -c 8000000; echo $? >'{place}/status'"]
    assert shell.run_limited(60, 5, command) == (0, ("a b\n" * 2048).rstrip("\n"))
    assert (place / "status").read_text(encoding="utf-8") == "0\n"


@pytest.mark.usefixtures("_real_tools")
@pytest.mark.parametrize(
    ("blanks", "word", "kept"),
    [
        (8100, "s" * 90, ""), (8100, r"s" * 89 + r"\0", ""), (8100, "s" * 88, "s" * 88),
        (7000, "s" * 2000, ""),
    ],
)  # fmt: skip
def test_word_that_the_limit_cuts_is_dropped(blanks: int, word: str, kept: str) -> None:
    command = sh["-c", f"head -c {blanks} /dev/zero | tr '\\0' ' '; printf '.. {word}'"]
    assert shell.run_limited(60, 5, command) == (0, " " * blanks + ".. " + kept)


@pytest.mark.usefixtures("_real_tools")
def test_output_is_lost_without_dd(place: Path) -> None:
    for name in ("timeout", "cat", "sh"):
        (place / name).symlink_to(f"/usr/bin/{name}")
    local.env["PATH"] = str(place)
    assert shell.run_limited(60, 5, sh["-c", "echo lost; exit 3"]) == (3, "")


@pytest.mark.parametrize("word", ["timeout", "flock"])
def test_program_that_a_builtin_needs_is_missing(place: Path, word: str) -> None:
    local.env["PATH"] = str(place)
    (place / word).write_text("#!/bin/sh\n", encoding="utf-8")  # not executable
    if word == "flock":
        assert shell.take_lock(str(place / "lock"), 0) == 127
        release(place / "lock")
    else:
        assert shell.run_limited(60, 5, sh["-c", ":"]) == (127, "")


def test_complain_without_a_stderr(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shell.complain("one\udcff")
    monkeypatch.setattr("sys.stderr", None)
    shell.complain("two")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("one")
    assert "two" not in err


def test_unprintable_text_is_lost() -> None:
    argv = [sys.executable, "-c", "from oauthkit.shell import complain; complain('x')"]
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(argv, stderr=full, check=False).returncode == 0


def is_running(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.usefixtures("_real_tools")
def test_limit_ends_the_whole_group(place: Path) -> None:
    # The grandchild ignores SIGTERM and outlives its parent. Only SIGKILL to the group ends it.
    child = f"trap '' TERM; echo >'{place}/ready'; exec sleep 600"
    stubborn = f"({child}) & echo $! >'{place}/pid'; wait"
    assert shell.run_limited(1, 1, sh["-c", stubborn])[0] == 124
    assert (place / "ready").exists()
    pid = int((place / "pid").read_text(encoding="utf-8"))
    deadline_s = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not is_running(pid)


@pytest.mark.usefixtures("_real_tools")
def test_background_child_delays_nothing(place: Path) -> None:
    command = sh["-c", f"sleep 600 & echo $! >'{place}/pid'; echo said"]
    assert shell.run_limited(60, 5, command) == (0, "said")
    pid = int((place / "pid").read_text(encoding="utf-8"))
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("_real_tools")
def test_missing_program_at_a_limit() -> None:
    assert shell.run_limited(60, 5, program("no-such-program"))[0] == 127


@pytest.mark.usefixtures("_real_tools")
def test_missing_timeout(place: Path) -> None:
    local.env["PATH"] = str(place)
    assert shell.run_limited(60, 5, sh["-c", "exit 0"])[0] == 127


@pytest.mark.parametrize(("text", "status"), [("#!/no/such\n", 127), ("no program\n", 126)])
def test_timeout_that_cannot_be_started(place: Path, text: str, status: int) -> None:
    (place / "timeout").write_text(text, encoding="utf-8")
    (place / "timeout").chmod(0o755)
    local.env["PATH"] = str(place)
    assert shell.run_limited(60, 5, sh["-c", "exit 0"])[0] == status


@pytest.mark.usefixtures("_real_tools")
def test_limited_command_has_a_grace_period(place: Path) -> None:
    # The command itself exits at once. Its child takes a moment to exit.
    polite = (
        f"trap 'sleep 0.4; echo bye >\"{place}/bye\"; exit' TERM; "
        f"echo >'{place}/ready'; sleep 60 & wait"
    )
    command = sh["-c", f"({polite}) & wait"]
    assert shell.run_limited(1, 5, command)[0] == 124
    assert (place / "ready").exists()
    assert (place / "bye").exists()


def test_signal_to_a_missing_group() -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit"], {}, setpgroup=0)
    os.waitpid(pid, 0)
    assert not shell._signal_group(pid, 0)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{a}:{b}", "{a}/tool"),
        ("{b}:{a}", "{b}/tool"),
        ("/no/such:{b}", "{b}/tool"),
        ("{plain}:{directory}:{b}", "{b}/tool"),
        (":{b}", "./tool"),
        ("{b}/:{a}", "{b}//tool"),
        ("/no/such:", "./tool"),
        ("/no/such", ""),
    ],
)
def test_find_program(place: Path, path: str, found: str) -> None:
    directories = {name: place / name for name in ("a", "b", "plain", "directory")}
    for name, directory in directories.items():
        directory.mkdir()
        if name == "directory":
            (directory / "tool").mkdir()
        else:
            (directory / "tool").touch(mode=0o755 if name != "plain" else 0o644)
    (place / "tool").touch(mode=0o755)
    local.env["PATH"] = path.format(**directories)
    assert shell.find_program("tool") == found.format(**directories)


def test_find_program_by_its_path(place: Path) -> None:
    path = place / "tool"
    path.touch(mode=0o644)
    assert shell.find_program(str(path)) == ""
    path.chmod(0o755)
    assert shell.find_program(str(path)) == str(path)
    assert shell.find_program("./tool") == "./tool"
    assert shell.find_program(str(place)) == ""


def test_write_file(place: Path) -> None:
    path = place / "file"
    os.umask(0o077)
    assert shell.write_file(str(path), "ü\udcff\n\n") == 0
    assert path.read_bytes() == b"\xc3\xbc\xff\n\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shell.write_file(str(path), "") == 0
    assert path.read_bytes() == b""
    assert shell.write_file(str(place), "x") == 1
    assert shell.write_file(str(place / "no" / "file"), "x") == 1


def test_device_is_not_read() -> None:
    assert shell.read_file("/dev/null") == (1, "")


def test_file_with_a_nul_byte_is_not_returned(place: Path) -> None:
    (place / "file").write_bytes(b"A=1\n\0")
    assert shell.read_file(str(place / "file")) == (2, "")


def test_same_file(place: Path) -> None:
    for name in ("file", "other"):
        (place / name).touch()
    (place / "second").hardlink_to(place / "file")
    (place / "link").symlink_to("file")
    (place / "dangling").symlink_to("none")
    first = str(place / "file")
    for name in ("file", "second", "link"):
        assert shell.same_file(first, str(place / name))
    for name in ("other", "dangling", "none", "file/"):
        assert not shell.same_file(first, f"{place}/{name}")
        assert not shell.same_file(f"{place}/{name}", first)
    assert not shell.same_file("", "")
    missing = str(place / "none")
    assert not shell.same_file(missing, missing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_write_file_to_a_full_disk() -> None:
    assert shell.write_file("/dev/full", "x") == 1


def test_script_path_is_real(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = place / "directory" / "script"
    script.parent.mkdir()
    script.touch()
    (place / "link").symlink_to("directory")
    monkeypatch.setattr(sys, "argv", ["link/script"])
    assert shell.script_path() == str(script)


def test_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/p$thon")
    project = "/a b/$c/${d}"
    assert shell.own_command(project).formulate() == [
        "/opt/p$thon", *SAFE_PATH, "-m", "oauthkit", "refresh", "--project=/a b/$$c/$${d}",
    ]  # fmt: skip


def test_found_program_is_a_plain_text() -> None:
    """A LocalPath would behave differently in `in` and split()."""
    assert type(shell.find_program(shell.absolute("/bin/sh"))) is str
