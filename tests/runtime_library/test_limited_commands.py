"""Commands with a time limit behave the same in both forms."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plumbum import local
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_in_bash,
    held,
)

from oauthkit import shell

COMMANDS = ["exit 0", "exit 3", "exit 126", "exit 127", "kill -TERM $$", "kill -KILL $$"]


def test_run_limited(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "plain").write_text("", encoding="utf-8")
    argvs = [("/bin/sh", "-c", command) for command in COMMANDS]
    argvs += [("no-such-program", "", ""), (str(place / "plain"), "", ""), (str(place), "", "")]
    calls = [("60", "5", *argv) for argv in argvs]
    calls += [("1", "1", "sleep", "60", "0")]
    found = [result.status for result in call_in_bash("run_limited", calls)]
    python = [
        shell.run_limited(int(limit), int(grace), shell.program(argv[0])[argv[1:]])[0]
        for limit, grace, *argv in calls
    ]
    assert python == found
    assert python == [0, 3, 126, 127, 143, 137, 127, 126, 126, 124]


PRINTS = [
    "",
    "echo out; echo err >&2; cat",
    r"printf '\n\n a\0b\377\n\n'",
    "yes 'a b' | head -c 100000",
    "head -c 100000 /dev/zero",
    *[f"head -c {n} /dev/zero | tr '\\0' {c}; printf 'a-b.c~%s' '{end}'" for n, c, end in (
        (8185, "' '", ""), (8186, "' '", ""), (8187, "' '", ""), (8185, "x", "x"), (8184, "x", "x"),
        (8180, "'\\n'", "\n\n\n"), (8186, "'\\0'", ""), (8185, "'\\0'", "!"), (8184, "'\\0'", "!!"),
        (7000, "' '", "x" * 2000),
    )],
    "sleep 600 & echo $! >>pids; echo left behind",
    # for more than a second in total, but with output in each second
    "{ for i in 1 2 3 4 5 6; do sleep 0.3; echo $i; done; exec sleep 600; } & echo $! >>pids",
]  # fmt: skip


@pytest.mark.usefixtures("place")
def test_process_that_is_left_behind_keeps_no_descriptor_of_the_caller() -> None:
    """It may be the caller's lock, or a pipe whose end the caller waits for."""
    local.env["PATH"] = "/usr/bin:/bin"
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    leave = shell.program("/bin/sh")["-c", "sleep 600 & echo $!"]
    _, left_behind = shell.run_limited(60, 5, leave)
    os.close(writer)
    try:
        assert select.select([reader], [], [], 10)[0] == [reader]
        assert os.read(reader, 1) == b""
    finally:
        os.kill(int(left_behind), signal.SIGKILL)
        os.close(reader)


def test_output_of_run_limited(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    calls = [("60", "5", "/bin/sh", "-c", script) for script in PRINTS]
    found = call_in_bash("run_limited", calls, cwd=place)
    python = [
        Result(*shell.run_limited(60, 5, shell.program("/bin/sh")["-c", script]))
        for script in PRINTS
    ]
    for pid in (place / "pids").read_text(encoding="utf-8").split():
        os.kill(int(pid), signal.SIGKILL)
    assert python == found
    assert {result.status for result in found} == {0}
    assert len({result.reply for result in found}) > 10


def test_signal_while_python_exits_is_outlived(place: Path) -> None:
    """Python clears this module, and so calls __del__, after it has removed signal handlers."""
    text = "import os, signal; from oauthkit import shell\n"
    text += "class Late:\n    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
    text += "shell.outlive_signals()\nlate = Late()\nos.kill(os.getpid(), signal.SIGHUP)\n"
    done = subprocess.run([sys.executable, "-c", text], cwd=place, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_command_beside_many_open_files(place: Path) -> None:
    """In Python, select(2) cannot wait for a descriptor above 1023."""
    text = "import os, resource; from oauthkit import shell as s; echo = s.program('echo'); "
    text += "_, most = resource.getrlimit(resource.RLIMIT_NOFILE); "
    text += "resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most)); "
    text += "[os.dup(1) for _ in range(1100)]; print(s.run_limited(5, 1, echo['x'])[1])"
    done = subprocess.run([sys.executable, "-c", text], cwd=place, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"x\n", b"")


def test_killed_timeout_prints_nothing(place: Path) -> None:
    """For example, because memory runs out."""
    text = 'source "$2"; lock_directory "$1" 60; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(place), str(LIBRARY)]
    pipe = subprocess.PIPE
    with (
        held(place),
        subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdout=pipe, stderr=pipe) as waiting,
    ):
        children = Path(f"/proc/{waiting.pid}/task/{waiting.pid}/children")
        while not (found := children.read_text("ascii").split()) or name_of(found[0]) != "timeout":
            time.sleep(0.05)
        os.kill(int(found[0]), signal.SIGKILL)
        assert waiting.communicate() == (b"1\n", b"")


def name_of(pid: str) -> str:
    """Return the name of a process, or "" if it has exited."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""
