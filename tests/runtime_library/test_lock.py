"""The locks behave the same in both forms."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from plumbum import local
from tests.support.refresh.fake_host import release
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_in_bash,
    call_with_ifs,
    held,
)

from oauthkit import shell


def test_take_lock(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    path = place / "lock"
    path.write_text("of another run", encoding="utf-8")
    calls = [(str(path), "0"), (str(place / "none" / "lock"), "0"), (str(place), "0")]
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert [result.status for result in call_in_bash("take_lock", calls)] == [1, 2, 2]
        assert shell.take_lock(*calls[0][:1], 0) == 1
    release(path)
    assert [result.status for result in call_in_bash("take_lock", calls)] == [0, 2, 2]
    assert [shell.take_lock(name, 0) for name, _ in calls[1:]] == [2, 2]
    assert shell.take_lock(str(path), 0) == 0
    # The forms exclude each other.
    assert call_in_bash("take_lock", calls[:1])[0].status == 1
    nothing = {"PATH": str(place)}
    local.env.update(nothing)
    assert [r.status for r in call_in_bash("take_lock", calls[:2], env=nothing)] == [127, 2]
    assert [shell.take_lock(name, 0) for name, _ in calls[:2]] == [127, 2]
    assert path.read_text(encoding="utf-8") == "of another run"


def test_lock_directory(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    calls = [(str(place), "0"), (str(place / "none"), "0")]
    with held(place):
        assert [result.status for result in call_in_bash("lock_directory", calls)] == [1, 2]
        assert [shell.lock_directory(path, 0) for path, _ in calls] == [1, 2]
    shell.unlock_directory()
    assert [result.status for result in call_in_bash("lock_directory", calls)] == [0, 2]
    assert shell.lock_directory(str(place), 0) == 0
    assert call_in_bash("lock_directory", calls[:1])[0].status == 1
    shell.unlock_directory()
    source = LIBRARY.read_text("utf-8")
    source += 'both() {\n  lock_directory "$@" && unlock_directory && flock -n "$1" true\n}\n'
    assert call_in_bash("both", calls[:1], source=source) == [Result(0, "")]


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
@pytest.mark.parametrize("is_held", [True, False])
def test_lock_without_pending_signals(place: Path, lock: str, *, is_held: bool) -> None:
    """A container with this user's uid can use them up. See RLIMIT_SIGPENDING in setrlimit(2)."""
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    text = f'ulimit -i 0; source "$2"; {lock} "$1" 1; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(target), str(LIBRARY)]
    with held(target) if is_held else nullcontext():
        done = subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"1\n" if is_held else b"0\n", b"")


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
def test_lock_wait_ends_when_sigterm_is_blocked(place: Path, lock: str) -> None:
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    text = f'source "$2"; {lock} "$1" 1; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(target), str(LIBRARY)]
    with held(target):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            process = subprocess.Popen(argv, stdout=subprocess.PIPE)  # inherits the mask
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert process.communicate(timeout=60)[0] == b"1\n"


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
def test_lock_that_is_released_meanwhile_is_taken(place: Path, lock: str) -> None:
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    text = f'source "$2"; echo ready; {lock} "$1" 60; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(target), str(LIBRARY)]
    with held(target):
        process = subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.5)  # it is likely to wait by then
    assert process.communicate(timeout=60)[0] == b"0\n"


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
def test_limit_of_another_timeout_is_understood(place: Path, lock: str) -> None:
    """At the limit, timeout(1) of uutils ends with 124, also after SIGKILL."""
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    timeout = place / "bin/timeout"
    timeout.parent.mkdir()
    timeout.write_text("#!/bin/bash\nexit 124\n", encoding="utf-8")
    timeout.chmod(0o755)
    env = {"PATH": f"{timeout.parent}:/usr/bin:/bin"}
    with held(target):
        (result,) = call_in_bash(lock, [(str(target), "60")], env=env)
    assert result.status == 1


def test_earlier_signal_ends_the_wait_for_a_directory(place: Path) -> None:
    """The signal arrives during the first attempt, `flock -n`."""
    flock = place / "bin/flock"
    flock.parent.mkdir()
    text = '#!/bin/bash\n[[ $1 == -n ]] || exec /usr/bin/flock "$@"\nkill -TERM "$PPID"\nexit 1\n'
    flock.write_text(text, encoding="utf-8")
    flock.chmod(0o755)
    text = 'source "$2"; outlive_signals; lock_directory "$1" 600; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(place), str(LIBRARY)]
    env = {"PATH": f"{flock.parent}:/usr/bin:/bin"}
    with held(place):
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, timeout=60, check=True)
    assert done.stdout == b"3\n"


@pytest.mark.parametrize("form", ["bash", "python"])
def test_signal_ends_the_wait_for_a_directory(place: Path, form: str) -> None:
    """A signal that arrives during the wait ends it, and no process remains."""
    if form == "bash":
        text = 'source "$2"; outlive_signals; echo ready; lock_directory "$1" 60; echo $?; '
        text += "for _ in {1..50}; do [[ $(jobs -pr) ]] || break; sleep 0.2; done; jobs -pr"
        argv = ["/bin/bash", "-c", text, "bash", str(place), str(LIBRARY)]
    else:
        text = "import sys; from oauthkit import shell as s; s.outlive_signals(); "
        text += "print('ready', flush=True); print(s.lock_directory(sys.argv[1], 60))"
        argv = [sys.executable, "-c", text, str(place)]
    pipe = subprocess.PIPE
    with (
        held(place),
        subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdout=pipe, stderr=pipe) as waiting,
    ):
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"ready\n"
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s and waiting.poll() is None:
            time.sleep(0.2)  # until the wait has begun, signals have no effect
            waiting.send_signal(signal.SIGTERM)
        waiting.kill()
        assert waiting.communicate() == (b"3\n", b"")


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("wait", ['lock_directory "$1" 1 || :', "run_limited 60 5 true"])
def test_signal_after_a_wait_is_not_passed_on(place: Path, wait: str, *, is_held: bool) -> None:
    """By then, another process may have the process ID. test_unit.py tests the Python form."""
    source = LIBRARY.read_text("utf-8")
    source += (
        f"both() {{\n  {wait}\n  REPLY=\n  kill() {{\n    REPLY+=$*\n  }}\n  end_command\n}}\n"
    )
    with held(place) if is_held else nullcontext():
        assert call_in_bash("both", [str(place)], source=source) == [Result(0, "")]


@pytest.mark.parametrize(
    ("name", "end", "status"),
    [("flock", "exit 5", 5), ("flock", "kill -KILL $$", 137), ("timeout", "exit 5", 5)],
)
def test_flock_of_a_directory_prints_nothing_and_inherits_no_descriptors(
    place: Path, name: str, end: str, status: int
) -> None:
    """Only if the first flock(1) exits with 1 does timeout(1) start one that waits for the lock."""
    (place / "bin").mkdir()
    text = '#!/bin/bash\necho out; echo err >&2\nprintf "%s\\n" /proc/$$/fd/* >"$0.fds"\n'
    for program, its_end in (("flock", "exit 1"), (name, end)):
        (place / "bin" / program).write_text(text + its_end, encoding="utf-8")
        (place / "bin" / program).chmod(0o755)
    source = LIBRARY.read_text("utf-8")
    source += (
        'both() {\n  exec 8>/dev/null 9>/dev/null\n  IFS=0123456789\n  lock_directory "$@"\n}\n'
    )
    env = {"PATH": str(place / "bin")}
    call = [(str(place), "60")]
    assert [r.status for r in call_in_bash("both", call, source=source, env=env)] == [status]
    names = {Path(line).name for line in (place / f"bin/{name}.fds").read_text("utf-8").split()}
    assert {"0", "1", "2", "6"} <= names
    assert not {"8", "9"} & names


def test_id_does_not_inherit_the_lock(place: Path) -> None:
    """The caller's UID variable is not trusted, so id(1) is called."""
    program = place / "bin" / "id"
    program.parent.mkdir()
    text = '#!/bin/bash\nprintf "%s\\n" /proc/$$/fd/* >"$0.fds"\necho 7\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    source = LIBRARY.read_text("utf-8") + "both() {\n  exec 9>/dev/null\n  user_id\n}\n"
    env = {"PATH": str(program.parent), "UID": "5"}
    assert call_in_bash("both", [""], source=source, env=env) == [Result(0, "7")]
    names = {Path(line).name for line in (place / "bin/id.fds").read_text("utf-8").split()}
    assert "2" in names
    assert "9" not in names


# Take the lock $1, which is a link. If $2 is 1, the link becomes foreign after the first check.
LATE_LINK = """
both() {
  local calls=""
  is_own_link() {
    calls+=$#
    [[ $calls == 1 || $foreign == 0 ]]
  }
  foreign=$2
  take_lock "$1" 0
  local status=$?
  REPLY="$calls closed"
  [[ ! -e /dev/fd/9 ]] || REPLY="$calls open"
  return "$status"
}
"""


@pytest.mark.parametrize(("foreign", "result"), [("0", (0, "11 open")), ("1", (2, "11 closed"))])
def test_lock_that_becomes_a_foreign_link(
    place: Path, foreign: str, result: tuple[int, str]
) -> None:
    (place / "a 1").symlink_to("target")
    found = call_with_ifs("both", f"{place}/a 1", foreign, functions=LATE_LINK)
    assert found == Result(*result)
