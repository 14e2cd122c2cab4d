"""oauthkit run: the command's output, and its remaining processes."""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import signal
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.host.run_host import argv, env, run

from oauthkit.host.commands.run import QUIET_S, _Copy

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_run_does_not_wait_for_a_child_that_keeps_the_pipe(host: HostProject) -> None:
    # The child keeps the command's stdout open. The test kills it.
    script = 'sleep 60 & echo $! >"$HOME/pid"; echo hi; exit 3'
    try:
        done = subprocess.run(
            argv(host, script), env=env(host), stdout=subprocess.PIPE, check=False, timeout=20
        )
    finally:
        os.kill(int((host.home / "pid").read_text("utf-8")), signal.SIGKILL)
    assert (done.returncode, done.stdout) == (3, b"hi\n")


def test_run_waits_for_a_child_that_still_writes(host: HostProject) -> None:
    done = run(host, "for i in 1 2 3 4 5 6; do sleep 0.2; echo $i; done & exit 3")
    assert (done.returncode, done.stdout) == (3, b"1\n2\n3\n4\n5\n6\n")


def test_output_after_a_pause_is_kept(host: HostProject) -> None:
    done = run(host, f"echo first; sleep {QUIET_S * 3}; echo second; exit 3")
    assert (done.returncode, done.stdout) == (3, b"first\nsecond\n")


def test_signal_ends_the_wait_for_remaining_processes(host: HostProject) -> None:
    script = 'while :; do echo x; sleep 0.1; done & echo $! >"$HOME/pid"; exit 3'
    process = subprocess.Popen(argv(host, script), env=env(host), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"x\n"
    time.sleep(QUIET_S * 3)  # the command has ended, and its child continues to write
    assert process.poll() is None
    process.terminate()
    try:
        assert process.wait(20) == 3
    finally:
        process.kill()
        os.kill(int((host.home / "pid").read_text("utf-8")), signal.SIGKILL)
        process.stdout.close()


def test_slow_reader_gets_everything(host: HostProject) -> None:
    process = subprocess.Popen(
        argv(host, "head -c 300000 /dev/zero"), env=env(host), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    time.sleep(3)
    assert len(process.stdout.read()) == 300_000
    assert process.wait() == 0
    process.stdout.close()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_only_the_command_notices_a_closed_reader(host: HostProject, kind: str) -> None:
    script = 'head -c 300000 /dev/zero; echo $? >"$HOME/status"; exit 3'
    reader, writer = os.pipe()
    if kind == "socket":
        ends = socket.socketpair()
        for end, descriptor in zip(ends, (reader, writer), strict=True):
            os.dup2(end.fileno(), descriptor)
            end.close()
    process = subprocess.Popen(
        argv(host, script), env=env(host), stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    os.close(reader)
    assert process.stderr is not None
    with process.stderr:
        assert (process.stderr.read(), process.wait()) == (b"", 3)
    assert (host.home / "status").read_text("utf-8") == f"{128 + signal.SIGPIPE}\n"


def reads_stdout_of(pid: int, host: HostProject) -> bool:
    """Return whether another process still has the output pipe of the command in HOME/pid open."""
    command = (host.home / "pid").read_text("utf-8").strip()
    pipe = Path(f"/proc/{command}/fd/1").readlink()
    try:
        return any(file.readlink() == pipe for file in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # just closed
        return True


def test_closed_pipe_is_noticed_at_the_first_write(host: HostProject) -> None:
    script = 'cd "$HOME" && echo $$ >new && mv new pid; read -r _; printf x; echo $? >status'
    process = subprocess.Popen(
        argv(host, script), env=env(host), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    # oauthkit run has started the command, and closed its end of the command's stdout.
    deadline_s = time.monotonic() + 120
    while not (host.home / "pid").exists() or reads_stdout_of(process.pid, host):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.stdin.close()
    assert process.wait() == 128 + signal.SIGPIPE
    assert not (host.home / "status").exists()


WRITES = 'printf hi; echo $? >"$HOME/out"; printf hi >&2; echo $? >"$HOME/err"; exit 3'


@pytest.mark.parametrize("how", [">&-", ">/dev/full", "2>&-", "2>/dev/full", ">&- 2>&-",
                                 ">/dev/full 2>/dev/full", "</dev/null >&- 2>&-", "<&- >&- 2>&-",
                                 ">/dev/null 2>/dev/null", "1</dev/null"])  # fmt: skip
def test_command_has_the_same_streams_as_without_run(host: HostProject, how: str) -> None:
    host.login(token="")  # so that run has output, too
    results = []
    for start in (["bash", "-c", WRITES], [*argv(host, "")[:5], "--", "bash", "-c", WRITES]):
        line = f"{shlex.join(start)} {how}"
        shell = ["/bin/bash", "-c", line]
        done = subprocess.run(shell, env=env(host), capture_output=True, check=False)
        files = [host.home / name for name in ("out", "err")]
        results.append((done.returncode, done.stdout, *(file.read_text() for file in files)))
        for file in files:
            file.unlink()
    if "1<" in how:  # run notices this, and the command does not
        results = [(status, err) for status, _, _, err in results]
    assert results[0] == results[1]


def test_full_disk_does_not_end_the_command(host: HostProject) -> None:
    """Lost output, as on a full disk, is reported and is not a success."""
    for status, wanted in ((0, 1), (3, 3)):
        script = f'printf 1234567890; printf more; touch "$HOME/went-on"; exit {status}'
        limit = "import resource, signal, os, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        limit += (
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4)); os.execv(sys.argv[1], sys.argv[1:])"
        )
        with (host.home / "file").open("wb") as file:
            done = subprocess.run(
                [sys.executable, "-c", limit, *argv(host, script)], env=env(host), stdout=file,
                stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
        assert done.stderr == (
            b"oauthkit run: cannot write stdout, the output is lost: File too large\n"
        )
        assert (done.returncode, (host.home / "went-on").exists()) == (wanted, True)
        assert (host.home / "file").read_bytes() == b"1234"
        (host.home / "went-on").unlink()


def test_stdout_that_does_not_block(host: HostProject) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(argv(host, "head -c 300000 /dev/zero"), env=env(host), stdout=writer)
    capacity = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    os.close(writer)
    while (
        int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4), sys.byteorder) < capacity
    ):
        time.sleep(0.05)  # until it is full
    with os.fdopen(reader, "rb") as stream:
        assert len(stream.read()) == 300_000
    assert process.wait() == 0


COUNTS_KEYS = """\
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
count = 0
while signal.sigtimedwait([signal.SIGINT], 20 if count == 0 else 2):
    count += 1
    print("got", flush=True)
raise SystemExit(count)
"""


def test_command_has_the_terminal_and_gets_each_key_once(host: HostProject) -> None:
    script = f"[ -t 1 ] && [ -t 2 ] && exec {sys.executable} -c {shlex.quote(COUNTS_KEYS)}"
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, argv(host, script), env(host))  # noqa: S606 - the test is the shell
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    # It is stopped meanwhile, because two signals in close succession would count as one.
    os.kill(child, signal.SIGSTOP)
    os.write(terminal, b"\x03")
    while b"got" not in said:
        said += os.read(terminal, 1000)
    os.kill(child, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    os.close(terminal)


def test_end_does_not_busy_wait() -> None:
    """A child process may keep the stream open."""
    reader, writer = os.pipe()
    sink = os.open(os.devnull, os.O_WRONLY)
    looks: list[float] = []

    def is_over() -> bool:
        looks.append(time.monotonic())
        return False

    copy = _Copy(os.fdopen(reader, "rb", buffering=0), sink)
    assert copy.end(is_over) == b""
    os.close(writer)
    os.close(sink)
    assert 0 < len(looks) < 100
