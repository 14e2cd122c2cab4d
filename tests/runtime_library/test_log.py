"""Both forms open and write the log in the same way."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from plumbum import local
from tests.support.refresh.fake_host import release
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_in_bash,
    few,
    run_python,
    texts,
)

import oauthkit
from oauthkit import shell


@few
@given(texts(["a", " ", "\t", "\r", "\x1b[31m", "\x7f", "\x80", "\\", "%s", "ü", "-"]))
@example(["", " ", "\n", "-n", "a\0b".replace("\0", "\x01")])
@example(["ü" * 10_000, "a" + "ü" * 10_000, "a" * 16_380 + "\U0001f600" * 2])
def test_log(inputs: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="oauthkit-twins-") as directory:
        bash, python = Path(directory, "bash"), Path(directory, "python")
        call_in_bash("log", inputs, log=str(bash), env={"TZ": "UTC0"})
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(shell, "_log", None)  # not one from another test
            monkeypatch.setattr(shell, "_secrets", [])
            assert shell.open_log(str(python)) == 0
            for text in inputs:
                shell.log(text)
            assert shell._log is not None
            os.close(shell._log)
        # The times differ. Both end at the first space.
        lines = [path.read_bytes().split(b"\n") for path in (bash, python)]
    found = [[line.partition(b" ")[2] for line in part] for part in lines]
    assert found[0] == found[1]
    assert len(found[0]) == len(inputs) + 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
def test_link_of_another_user_is_never_opened(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    for name, owner in (("foreign", 1234), ("own", 0)):
        (place / f"{name}-target").touch()
        (place / name).symlink_to(f"{name}-target")
        (place / f"{name}-dangling").symlink_to(f"{name}-new")
        os.chown(place / name, owner, owner, follow_symlinks=False)
        os.chown(place / f"{name}-dangling", owner, owner, follow_symlinks=False)
    names = ["foreign", "foreign-dangling", "own", "own-dangling", "own-target", "none"]
    paths = [str(place / name) for name in names]
    for word, function in (
        ("is_own_link", shell.is_own_link),
        ("open_log", shell.open_log),
        ("take_lock", lambda path: shell.take_lock(path, 0)),
    ):
        calls = paths if word != "take_lock" else [(path, "0") for path in paths]
        found = [result.status for result in call_in_bash(word, calls)]
        python = [int(function(path)) for path in paths]
        rejected = 2 if word == "take_lock" else 1
        no_link = 1 if word == "is_own_link" else 0
        assert found == [rejected, rejected, 0, 0, no_link, no_link]
        assert python == ([0, 0, 1, 1, 0, 0] if word == "is_own_link" else found)
    assert not (place / "foreign-new").exists()
    assert (place / "own-new").exists()
    without_stat = {"PATH": str(place)}
    local.env.update(without_stat)
    assert not shell.is_own_link(paths[2])
    assert call_in_bash("is_own_link", paths[2:3], env=without_stat)[0].status == 1


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    ("stat_script", "is_own"),
    [
        # Some file systems, such as proc(5), give links a mode other than 0777.
        (f"echo a1ed {os.getuid()}", True),
        # The link becomes a file of this user just before stat(1) reads it.
        ('rm "$4"; : >"$4"; exec stat "$@"', False),
    ],
)
def test_own_link(place: Path, form: str, stat_script: str, is_own: bool) -> None:
    link = place / "link"
    link.symlink_to("target")
    stat_program = place / "bin/stat"
    stat_program.parent.mkdir()
    script = f"#!/bin/sh\nPATH=/usr/bin:/bin\n{stat_script}\n"
    stat_program.write_text(script, encoding="utf-8")
    stat_program.chmod(0o755)
    local.env["PATH"] = path = str(stat_program.parent)
    if form == "python":
        assert shell.is_own_link(str(link)) is is_own
    else:
        (found,) = call_in_bash("is_own_link", [str(link)], env={"PATH": path})
        assert (found.status == 0) is is_own


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize("form", ["bash", "python"])
def test_link_that_exists_for_a_moment_is_never_opened(place: Path, form: str) -> None:
    """Another user swaps the log and a link to a victim's file, as fast as possible."""
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "victim").touch()
    log = place / "log"
    flip = (
        "import os, sys\nlog, victim = sys.argv[1:]\nwhile True:\n"
        "  for make in (lambda n: os.symlink(victim, n), lambda n: open(n, 'w').close()):\n"
        "    make(log + '.new')\n    os.chown(log + '.new', 1234, 1234, follow_symlinks=False)\n"
        "    os.rename(log + '.new', log)\n"
        "    if os.urandom(1)[0] < 64: os.unlink(log)\n"
    )
    flipper = subprocess.Popen([sys.executable, "-c", flip, str(log), str(place / "victim")])
    statuses: set[int] = set()
    calls = 0
    deadline_s = time.monotonic() + 120
    try:
        # On a busy machine, the other user may be delayed.
        while (calls < 240 or statuses != {0, 1}) and time.monotonic() < deadline_s:
            if form == "bash":
                source = (Path(oauthkit.__file__).parent / "shell.bash").read_text("utf-8")
                source += 'both() {\n  open_log "$1" && log x\n}\n'
                found = call_in_bash("both", [str(log)] * 60, source=source)
                statuses |= {result.status for result in found}
                calls += len(found)
            else:
                status = shell.open_log(str(log))
                statuses.add(status)
                calls += 1
                if status == 0:
                    shell.log("x")
    finally:
        flipper.kill()
        flipper.wait()
    assert (place / "victim").read_bytes() == b""
    assert statuses == {0, 1}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(("owner", "status"), [(1234, 1), (0, 0)])
def test_link_whose_owner_changes_after_the_open(
    place: Path, form: str, owner: int, status: int
) -> None:
    (place / "victim").touch()
    log = place / "log"
    log.symlink_to("victim")
    exchange = f'/bin/ln -sfn victim "{log}"; /bin/chown -h {owner} "{log}"'
    program = place / "bin" / "stat"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh\ncase $* in *' -') {exchange} ;; esac\nexec /usr/bin/stat "$@"\n""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    local.env["PATH"] = str(program.parent)
    if form == "python":
        assert shell.open_log(str(log)) == status
    else:
        env = {"PATH": local.env["PATH"]}
        assert call_in_bash("open_log", [str(log)], env=env)[0].status == status


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("owner", "is_foreign"), [(0, False), (1234, False), (4321, True)])
def test_links_that_a_user_other_than_root_follows(
    monkeypatch: pytest.MonkeyPatch, owner: int, is_foreign: bool
) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        link, library = Path(directory, "link"), Path(directory, "library")
        Path(directory, "target").touch()
        os.chown(Path(directory, "target"), 1234, 1234)
        link.symlink_to("target")
        os.chown(link, owner, owner, follow_symlinks=False)
        library.write_text(LIBRARY.read_text("utf-8"), "utf-8")
        command = 'source "$1"; is_own_link "$2"; echo $?; open_log "$2"; echo $?'
        shown = subprocess.run(
            ["/bin/bash", "-c", command, "bash", str(library), str(link)],
            env={"PATH": "/usr/bin:/bin"}, user=1234, capture_output=True, check=True,
        ).stdout  # fmt: skip
        assert shown.decode() == f"{is_foreign:d}\n{is_foreign:d}\n"
        assert shell.is_own_link(str(link)) is not is_foreign
        assert shell.open_log(str(link)) == is_foreign


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(("failure", "status"), [(125, 1), (126, 0), (137, 0)])
def test_open_log_when_stat_fails(place: Path, form: str, failure: int, status: int) -> None:
    program = place / "bin" / "stat"
    program.parent.mkdir()
    text = f"#!/bin/sh\necho '1:2 a1ff 0 7'; echo why >&2; exit {failure}\n"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    (place / "log").write_text("old\n", encoding="utf-8")
    local.env["PATH"] = path = str(program.parent)
    if form == "python":
        found = Result(shell.open_log(str(place / "log")), str(shell.log_size()))
    else:
        source = LIBRARY.read_text("utf-8")
        source += 'both() {\n  open_log "$1"\n  set -- $?\n  log_size\n  return "$1"\n}\n'
        (found,) = call_in_bash("both", [f"{place}/log"], source=source, env={"PATH": path})
    assert found == Result(status, "0")


def test_size_of_a_log_that_was_not_opened() -> None:
    assert call_in_bash("log_size", [""]) == [Result(0, "0")]
    assert run_python("from oauthkit import shell; print(shell.log_size())") == "0\n"


# Set REPLY to the number of files that open_log leaves open.
OPEN_FILES = """
both() {
  local before=(/proc/$$/fd/*) after status
  open_log "$1"
  status=$?
  after=(/proc/$$/fd/*)
  REPLY="$((${#after[@]} - ${#before[@]})) more"
  return "$status"
}
"""


def test_link_that_leads_elsewhere_after_the_open(place: Path) -> None:
    """The Python form compares the files earlier, so it keeps the file that it has opened."""
    log = place / "log"
    program = place / "bin" / "stat"
    program.parent.mkdir()
    (place / "other").touch()
    text = f'#!/bin/sh\n/bin/ln -sf other "{log}"\nexec /usr/bin/stat "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    source = LIBRARY.read_text("utf-8") + OPEN_FILES
    (found,) = call_in_bash("both", [str(log)], source=source, env={"PATH": str(program.parent)})
    assert found == Result(1, "0 more")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
@pytest.mark.usefixtures("place")
def test_any_user_can_use_a_device_as_log_and_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    text = LIBRARY.read_text("utf-8") + "open_log /dev/null && take_lock /dev/full 5\n"
    argv = ["/bin/bash", "-c", text]
    assert (
        subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, user=1234, check=False).returncode == 0
    )
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    assert shell.open_log("/dev/null") == 0
    assert shell.take_lock("/dev/full", 5) == 0
    assert shell._lock is not None
    os.close(shell._lock)


def test_open_log(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    os.mkfifo(place / "pipe")  # opening it for writing would wait for a reader
    paths = [str(place / "new"), str(place), str(place / "none" / "log"), "", str(place / "pipe")]
    assert [result.status for result in call_in_bash("open_log", paths)] == [0, 1, 1, 1, 1]
    assert [shell.open_log(path) for path in paths] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("form", ["bash", "python"])
def test_open_log_does_not_open_the_log_again(place: Path, form: str) -> None:
    program = place / "bin" / "stat"
    program.parent.mkdir()
    text = '#!/bin/sh\necho >>"$0.calls"\nexec /usr/bin/stat "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    local.env["PATH"] = path = str(program.parent)
    if form == "python":
        assert [shell.open_log(str(place / "log")) for _ in range(2)] == [0, 0]
    else:
        source = LIBRARY.read_text("utf-8") + 'both() {\n  open_log "$1" && open_log "$1"\n}\n'
        (found,) = call_in_bash("both", [f"{place}/log"], source=source, env={"PATH": path})
        assert found.status == 0
    assert (place / "bin/stat.calls").read_text(encoding="utf-8") == "\n"


def test_pipe_as_log_is_rejected_even_with_a_reader(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    os.mkfifo(place / "pipe")
    reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert call_in_bash("open_log", [str(place / "pipe")])[0].status == 1
    assert shell.open_log(str(place / "pipe")) == 1
    os.close(reader)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's file")
def test_file_of_another_user_is_neither_log_nor_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, user = 1234, 4321
    local.env["PATH"] = "/usr/bin:/bin"
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        path, library = Path(directory, "file"), Path(directory, "library")
        path.touch()
        path.chmod(0o666)
        os.chown(path, owner, owner)
        library.write_text(LIBRARY.read_text("utf-8"), "utf-8")
        command = 'source "$1"; open_log "$2"; a=$?; REPLY=x; take_lock "$2" 0; b=$?; '
        command += "user_id; echo $a $b $REPLY"
        for uid, found in ((owner, "0 0"), (user, "1 2"), (0, "0 0")):
            shown = subprocess.run(
                ["/bin/bash", "-c", command, "bash", str(library), str(path)],
                env={"PATH": "/usr/bin:/bin"}, user=uid, capture_output=True, check=True,
            ).stdout  # fmt: skip
            assert shown.decode() == f"{found} {uid}\n"
            monkeypatch.setattr("os.geteuid", lambda uid=uid: uid)
            assert f"{shell.open_log(str(path))} {shell.take_lock(str(path), 0)}" == found
            release(path)


@pytest.mark.parametrize("write", ["echo lost >&2", 'ulimit -f 0; echo lost 2>/dev/null >"$2"'])
def test_write_that_fails_does_not_end_the_run(place: Path, write: str) -> None:
    """It raises SIGPIPE or SIGXFSZ (signal(7))."""
    reader, writer = os.pipe()
    os.close(reader)
    text = f'source "$1"; isolate; {write}; echo on'
    argv = ["/bin/bash", "-c", text, "bash", str(LIBRARY), f"{place}/file"]
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=writer, check=False)
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, b"on\n")
