"""Step 1 and the log: one run at a time, and what it logs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import time
from typing import TYPE_CHECKING, BinaryIO

import pytest
from tests.support.refresh.scenarios import Scenario, every_scenario, meet
from tests.support.refresh.stand_ins import timeout
from tests.support.refresh.world import CREDENTIALS, LOG, UNIT, record_tools

from oauthkit.parity.runner import kill_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.refresh.world import Parity, RefreshRun

    from oauthkit.parity import Entry, Started, World

LOCK = "logs/oauth-refresh.lock"
NOW = "2026-01-02T03:04:05+00:00"
FRESH_RUN = [
    "Token still fresh (remaining_ms=28800000), syncing to .env",
    "Updated .env with token (expires_at=1767351845000)",
    "Scheduled next refresh at 2026-01-02T10:34:05+00:00",
]
MIB = 1024 * 1024
# The time in the format of `date -Iseconds`.
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \S.*")


def refresh(parity: Parity, exit_code: int = 0) -> RefreshRun:
    """Run both forms, which must print nothing and exit with this status."""
    run = parity.run()
    assert (run.exit_code, run.stdout, run.stray_stderr) == (exit_code, "", "")
    return run


def is_free(lock: Path) -> bool:
    """Return whether another process could take this file's flock(2) now."""
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def wait_until_open(started: Started, path: Path) -> None:
    """Wait until the form itself has opened `path`."""
    directory = f"/proc/{started.pid}/fd"
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        for name in os.listdir(directory):  # noqa: PTH208 - gone as soon as it is listed
            try:
                if os.readlink(f"{directory}/{name}") == str(path):  # noqa: PTH115
                    return
            except OSError:
                continue
        time.sleep(0.01)
    raise AssertionError(f"{path} was not opened within 30 s")


# --- One at a time ---


def test_run_waits_for_a_held_lock(parity: Parity) -> None:
    parity.credentials()
    held: list[BinaryIO] = []

    def hold(world: World) -> None:
        held.append((world.project / LOCK).open("ab"))
        fcntl.flock(held[-1], fcntl.LOCK_EX)

    def let_go(started: Started, world: World) -> None:
        wait_until_open(started, world.project / LOCK)
        # There is no event to wait for if nothing happens.
        until_s = time.monotonic() + 0.5
        while time.monotonic() < until_s:
            assert not (world.control / "calls").exists()
            assert not (world.project / ".env").exists()
            time.sleep(0.02)
        held.pop().close()

    parity.step(hold)
    run = parity.run(meanwhile=let_go)
    assert (run.exit_code, run.stdout, run.stray_stderr) == (0, "", "")
    assert run.messages == FRESH_RUN


# Make 120 s pass quickly: timeout(1) gets a shorter limit, and Python's clock runs faster.
QUICK_TIMEOUT = """#!{bash}
[[ $* == '--foreground -s KILL 120 flock '[69] ]] || exec {timeout} "$@"
exec {timeout} --foreground -s KILL 0.3 flock "$6"
"""
QUICK_PYTHON = """
monotonic = time.monotonic
time.monotonic = lambda: monotonic() * 400
"""


def pass_quickly(parity: Parity) -> None:
    """Set the lock's time limit, and no other limit, to a third of a second."""
    timeout = QUICK_TIMEOUT.format(bash=shutil.which("bash"), timeout=shutil.which("timeout"))
    parity.file("../bin/timeout", timeout, 0o755)

    def quicken(world: World) -> None:
        path = world.control / "clock/python/sitecustomize.py"
        path.write_text(path.read_text() + QUICK_PYTHON)

    parity.step(quicken)


def test_lock_held_for_120_s_is_an_error(parity: Parity) -> None:
    parity.credentials()
    parity.dotenv("A=1\n")
    parity.systemd.pending(UNIT)
    pass_quickly(parity)
    parity.holds_lock(LOCK)
    run = refresh(parity, 1)
    lock = parity.project / LOCK
    assert run.log_lines == [f"{NOW} ERROR: another refresh has held {lock} for 120 s"]
    assert run.programs == []
    assert run.touched == [LOG]
    assert [timer.when_s for timer in run.timers] == [4_000_000_000]


# --- One renewal per login ---

EXPIRED = "Token expired or expiring soon (remaining_ms=-3600000), invoking claude CLI to refresh"
LOGIN = "~/.claude"


def hold_login(parity: Parity, held: list[int]) -> None:
    """Take the login lock, as another project's refresh does."""

    def hold(world: World) -> None:
        held.append(os.open(world.path(LOGIN), os.O_RDONLY))
        fcntl.flock(held[-1], fcntl.LOCK_EX)

    parity.step(hold)


# read_file reads at most 256 KiB.
@pytest.mark.parametrize("rest", ["", "x" * 256 * 1024], ids=["small", "large"])
def test_token_that_another_project_renews_meanwhile_is_delivered(
    parity: Parity, rest: str
) -> None:
    def login(token: str, left_s: int) -> bytes:
        oauth = {"accessToken": token, "expiresAt": (parity.now_s + left_s) * 1000}
        return json.dumps({"claudeAiOauth": oauth, "mcpOAuth": rest}).encode()

    parity.credentials(raw=login("old", -3600))
    held: list[int] = []
    hold_login(parity, held)

    def renew(started: Started, world: World) -> None:
        wait_until_open(started, world.path(LOGIN))
        world.path(CREDENTIALS).write_bytes(login("renewed-by-another", 8 * 3600))
        os.close(held.pop())

    run = parity.run(meanwhile=renew)
    assert (run.exit_code, run.calls("claude")) == (0, [])
    assert run.messages == [EXPIRED, "The token was renewed by another run", *FRESH_RUN[1:]]
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=renewed-by-another\n"


def test_token_that_another_project_could_not_renew_is_renewed(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.claude.renews("new")
    held: list[int] = []
    hold_login(parity, held)

    def let_go(started: Started, world: World) -> None:
        wait_until_open(started, world.path(LOGIN))
        os.close(held.pop())

    run = parity.run(meanwhile=let_go)
    assert (run.exit_code, len(run.calls("claude"))) == (0, 1)
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"


@pytest.mark.parametrize("is_link", [False, True])
def test_log_that_is_dotenv_is_rejected(parity: Parity, is_link: bool) -> None:
    parity.credentials()
    parity.dotenv("A=1\n")
    parity.env["OAUTHKIT_LOG"] = "my.log" if is_link else ".env"
    if is_link:
        parity.symlink("my.log", ".env")
    run = parity.run()
    path = f"{parity.project}/{parity.env['OAUTHKIT_LOG']}"
    said = f"oauthkit: OAUTHKIT_LOG and OAUTHKIT_DOTENV are the same file: {path}\n"
    assert (run.exit_code, run.stderr) == (1, said)
    assert run.dotenv == "A=1\n"
    assert run.timers == []


def test_signal_ends_the_wait_for_the_login_lock(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    held: list[int] = []
    hold_login(parity, held)

    def end(started: Started, world: World) -> None:
        wait_until_open(started, world.path(LOGIN))
        time.sleep(1)  # until it waits
        started.send(signal.SIGTERM)
        started.wait()
        os.close(held.pop())

    run = parity.run(meanwhile=end)
    problem = f"a signal ended the wait for the lock of {parity.world.path(LOGIN)}"
    assert (run.exit_code, run.calls("claude")) == (1, [])
    assert run.messages[:2] == [EXPIRED, f"ERROR: {problem}"]
    assert run.messages[-1] == "Scheduled next refresh at 2026-01-02T03:09:05+00:00"


def test_login_lock_held_for_120_s_is_a_warning(parity: Parity) -> None:
    """Any user who can read the directory can hold the lock."""
    parity.credentials(expires_in="-1h")
    parity.claude.renews("new")
    pass_quickly(parity)
    held: list[int] = []
    hold_login(parity, held)

    def wait(started: Started, _world: World) -> None:
        started.wait()
        os.close(held.pop())

    run = parity.run(meanwhile=wait)
    login = parity.world.path(LOGIN)
    assert (run.exit_code, len(run.calls("claude"))) == (0, 1)
    assert run.messages == [
        EXPIRED,
        f"WARN: other processes have held the lock of {login} for 120 s",
        "Claude CLI refreshed token successfully",
        *FRESH_RUN[1:],
    ]


def test_lock_is_a_private_file_beside_the_log(parity: Parity) -> None:
    parity.umask = 0
    parity.credentials()
    parity.env["OAUTHKIT_LOG"] = "conf/my.log"
    run = refresh(parity)
    assert run.files["conf/oauth-refresh.lock"].mode == 0o600
    assert LOCK not in run.files


def test_existing_lock_file_is_unchanged(parity: Parity) -> None:
    parity.credentials()
    parity.file(LOCK, "text\n", 0o644)
    run = refresh(parity)
    assert (run.files[LOCK].content, run.files[LOCK].mode) == (b"text\n", 0o644)


@pytest.mark.parametrize("is_directory", [True, False], ids=["a directory", "not creatable"])
def test_lock_that_cannot_be_opened_is_named(parity: Parity, is_directory: bool) -> None:
    parity.credentials()
    if is_directory:
        parity.directory(LOCK)
    else:
        parity.file(LOG, mode=0o600)
        parity.directory("logs", 0o555)
    run = refresh(parity, 1)
    [line] = run.messages
    assert line.startswith("ERROR: ")
    assert str(parity.project / LOCK) in line
    assert "another refresh" not in line
    assert run.programs == []
    assert ".env" not in run.files


def test_no_child_has_the_lock_or_any_other_file_open(parity: Parity) -> None:
    record_tools(parity)
    parity.missing_logs()
    parity.dotenv("A=1\n", mode=0o400)
    parity.file(".env.oauthkit.0000000000000001", "left by a killed run")
    parity.symlink("link", ".env")
    parity.env["OAUTHKIT_DOTENV"] = "link"
    parity.credentials(expires_in="-1h")
    parity.claude.renews(exit=3, stdout="noise\n")
    parity.systemd.running(UNIT)
    run = refresh(parity)
    output = "pipe 1 (write)"
    dotenv = parity.world.project / ".env"
    records = 0
    for call in run.all_calls:
        expected = {0: "/dev/null", 1: "/dev/null", 2: "/dev/null"}
        if call.program in {"jq", "readlink", "stat"}:
            expected[1] = "pipe 1 (write)"
        old, new = f"{dotenv} (read)", f"{dotenv}.oauthkit.{parity.now_s}000000 (write)"
        if "/dev/stdin" in call.argv:
            expected.update({0: old, 1: new})
        if call.argv[-2:-1] == ["-"]:
            expected[0] = old
        if call.program == "chmod":  # on the files that record failures
            state = parity.world.path("~/.claude/.oauthkit-failures")
            names = [f"{state}{kind}.oauthkit.{parity.now_s}000000" for kind in (".reserve", "")]
            expected[1] = f"{names[records]} (write)"
            records += 1
        if call.argv[-1] == "-":  # stat(1) compares the log's name with the open file
            expected[0] = f"{parity.world.project / LOG} (append)"
        elif call.program == "systemd-run":
            expected.update({1: "pipe 1 (write)", 2: "pipe 1 (write)"})
        elif call.program in {"timeout", "claude"}:
            expected.update({1: output, 2: output})
        assert call.descriptors == expected, call
    assert {*run.programs} >= {
        "claude", "cp", "jq", "mkdir", "mv", "readlink", "rm", "stat", "sync", "systemctl",
        "systemd-run", "timeout",
    }  # fmt: skip


def test_lock_is_free_as_soon_as_the_run_is_killed(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.claude.waits().then.renews(token="new")

    def kill(started: Started, world: World) -> None:
        parity.wait_for_call("claude")
        assert not is_free(world.project / LOCK)
        started.send(signal.SIGKILL)
        started.wait()
        assert is_free(world.project / LOCK)  # while claude and timeout(1) continue
        kill_all(world)

    run = parity.run(meanwhile=kill)
    assert run.exit_code == -signal.SIGKILL
    parity.claude.renews(token="new")
    run = refresh(parity)
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=new\n"


def test_lock_is_free_although_claude_left_a_process_behind(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.claude.leaves_child_behind(seconds=60).then.renews(token="new")

    def look(started: Started, world: World) -> None:
        started.wait()
        assert (world.control / "children").read_text().split()
        assert is_free(world.project / LOCK)

    assert parity.run(meanwhile=look).exit_code == 0


# --- Where the log is ---


def test_created_logs_directory_is_private(parity: Parity) -> None:
    parity.umask = 0
    parity.missing_logs()
    parity.credentials()
    run = refresh(parity)
    assert run.messages == FRESH_RUN
    assert {name: run.files[name].mode for name in run.files if name.startswith("logs")} == {
        "logs": 0o700, LOG: 0o600, LOCK: 0o600,
    }  # fmt: skip


def test_mode_of_an_existing_log_is_kept(parity: Parity) -> None:
    parity.credentials()
    parity.file(LOG, "the day before\n", 0o640)
    run = refresh(parity)
    assert run.files[LOG].mode == 0o640
    assert run.log_lines == ["the day before", *(f"{NOW} {line}" for line in FRESH_RUN)]


def _logs_is_a_file(parity: Parity) -> None:
    parity.file("logs", "mine\n")


def _log_is_a_directory(parity: Parity) -> None:
    parity.directory(LOG)


def _log_is_read_only(parity: Parity) -> None:
    parity.file(LOG, "mine\n", 0o400)


def _logs_is_read_only(parity: Parity) -> None:
    parity.directory("logs", 0o555)


def _logs_cannot_be_made(parity: Parity) -> None:
    parity.missing_logs()
    parity.directory(".", 0o555)


def _logs_is_a_lost_link(parity: Parity) -> None:
    parity.missing_logs()
    parity.symlink("logs", "nowhere")


def _logs_is_a_link_to_itself(parity: Parity) -> None:
    parity.missing_logs()
    parity.symlink("logs", "logs")


NO_LOGS = [
    _logs_is_a_file, _log_is_a_directory, _log_is_read_only, _logs_is_read_only,
    _logs_cannot_be_made, _logs_is_a_lost_link, _logs_is_a_link_to_itself,
]  # fmt: skip


@pytest.mark.parametrize("break_it", NO_LOGS)
def test_unwritable_log_is_one_line_on_stderr(
    parity: Parity, break_it: Callable[[Parity], None]
) -> None:
    parity.credentials()
    break_it(parity)
    run = parity.run()
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr == f"oauthkit: the log {parity.project / LOG} cannot be written\n"
    assert run.programs == []
    assert run.touched == []
    assert ".env" not in run.files


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize(
    ("place", "end"), [(LOG, ""), ("logs", ""), ("logs", "/"), ("logs", "/."), ("logs", "/.//./")]
)
def test_log_behind_a_link_to_a_link_of_another_user(parity: Parity, place: str, end: str) -> None:
    parity.credentials()
    parity.missing_logs()
    parity.directory("mine")
    parity.symlink("theirs", "mine" if place == "logs" else "mine/log")
    if place == LOG:
        parity.directory("logs")
    parity.symlink(place, f"{parity.project}/theirs{end}")
    parity.step(lambda w: os.chown(w.project / "theirs", 1234, 1234, follow_symlinks=False))
    run = parity.run()
    log = parity.project / LOG
    said = f"oauthkit: the log path {log} contains another user's symbolic link\n"
    assert (run.exit_code, run.stderr, run.touched) == (1, said, [])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
def test_lock_behind_a_link_to_a_link_of_another_user(parity: Parity) -> None:
    parity.credentials()
    parity.symlink("theirs", "mine")
    parity.directory("logs")
    parity.symlink(LOCK, "../theirs")
    parity.step(lambda w: os.chown(w.project / "theirs", 1234, 1234, follow_symlinks=False))
    run = parity.run()
    assert (run.exit_code, run.timers) == (1, [])
    assert run.messages == [f"ERROR: {parity.project / LOCK} cannot be locked"]
    assert "mine" not in run.files


def test_lock_behind_a_link_that_cannot_be_read(parity: Parity) -> None:
    parity.credentials()
    parity.directory("logs")
    parity.symlink(LOCK, "../mine")
    parity.remove("readlink")
    run = parity.run()
    assert (run.exit_code, run.timers) == (1, [])
    assert run.messages == [f"ERROR: {parity.project / LOCK} cannot be locked"]
    assert "mine" not in run.files


def test_lock_behind_links_of_the_user(parity: Parity) -> None:
    parity.credentials()
    parity.symlink("second", "mine")
    parity.directory("logs")
    parity.symlink(LOCK, "../second")
    run = refresh(parity)
    assert run.files["mine"].mode == 0o600


LOG_PLACES = {
    "absolute": ("{home}/l/my.log", "~/l/my.log"),
    "relative to the caller's directory": ("my.log", "~/my.log"),
    "with spaces": ("my logs/the log", "~/my logs/the log"),
    "missing directories": ("{home}/a/b/c.log", "~/a/b/c.log"),
    "with dots": ("a/./../b//c.log", "~/b/c.log"),
    "leading dash": ("-rf/-log", "~/-rf/-log"),
}


@pytest.mark.parametrize(("setting", "place"), LOG_PLACES.values(), ids=LOG_PLACES)
def test_setting_names_the_path_of_the_log_and_its_files(
    parity: Parity, setting: str, place: str
) -> None:
    parity.missing_logs()
    parity.set_cwd("~")
    parity.credentials(omit=["accessToken"])
    parity.env["OAUTHKIT_LOG"] = setting.format(home=parity.world.home)
    run = refresh(parity, 1)
    directory = place.rpartition("/")[0]
    assert run.files[place].content.decode().splitlines()[0] == (
        f"{NOW} ERROR: no accessToken in credentials"
    )
    modes = [run.files[f"{directory}/oauth-refresh.{end}"].mode for end in ("lock", "failing")]
    assert [*modes, run.files[place].mode] == [0o600] * 3
    assert "logs" not in run.files
    assert run.timers[0].setenv["OAUTHKIT_LOG"] == place.replace("~", str(parity.home), 1)


def test_log_on_a_full_disk_stops_nothing(parity: Parity) -> None:
    parity.credentials()
    parity.symlink(LOG, "/dev/full")
    run = refresh(parity)
    assert run.dotenv == "CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-made-up-old\n"
    assert len(run.timers) == 1


# --- Its size ---

LARGE_LOGS = {
    "1 MiB": (b"x" * (MIB - 1) + b"\n", False),
    "1 MiB and a byte": (b"x" * MIB + b"\n", True),
    "1 MiB and a byte in many lines": (b"0123456\n" * (MIB // 8) + b"\n", True),
    "1 MiB of NUL bytes": (bytes(MIB), False),
    "1 MiB and a byte of NUL bytes": (bytes(MIB + 1), True),
    "1 MiB and a byte with NUL bytes in between": (b"\n\0" * (MIB // 2) + b"\n", True),
    "1 MiB and a byte of invalid UTF-8": (b"\xff" * MIB + b"\n", True),
    "1 MiB in UTF-8 of two bytes": ("ä".encode() * (MIB // 2), False),
}


@pytest.mark.parametrize(("before", "moves"), LARGE_LOGS.values(), ids=LARGE_LOGS)
def test_log_over_1_mib_is_rotated_before_the_run(
    parity: Parity, before: bytes, moves: bool
) -> None:
    parity.credentials()
    parity.file(LOG, before, 0o600)
    run = refresh(parity)
    lines = "".join(f"{NOW} {line}\n" for line in FRESH_RUN).encode()
    # Not with ==, which would print a megabyte.
    expected = lines if moves else before + lines
    assert hash(run.files[LOG].content) == hash(expected)
    assert run.files[LOG].mode == 0o600
    old: Entry | None = run.files.get(f"{LOG}.1")
    assert hash(old and old.content) == hash(before if moves else None)


def test_rotated_log_replaces_the_old_one(parity: Parity) -> None:
    parity.credentials()
    parity.file(LOG, b"x" * (MIB + 1), 0o600)
    parity.file(f"{LOG}.1", "older\n", 0o444)
    run = refresh(parity)
    assert run.files[f"{LOG}.1"].content[:9] == b"x" * 9
    assert len(run.files[f"{LOG}.1"].content) == MIB + 1
    assert run.messages == FRESH_RUN


def test_log_that_is_a_link_is_not_rotated(parity: Parity) -> None:
    """The link could be /dev/stdout."""
    parity.credentials()
    parity.file("long", b"x" * (MIB + 1), 0o600)
    parity.directory("logs")
    parity.symlink(LOG, "../long")
    run = refresh(parity)
    assert (run.files[LOG].kind, f"{LOG}.1" in run.files) == ("symlink", False)
    assert len(run.files["long"].content) > MIB + 1


def test_log_is_not_rotated_while_another_run_writes_it(parity: Parity) -> None:
    parity.credentials()
    parity.file(LOG, b"x" * (MIB + 1), 0o600)
    pass_quickly(parity)
    parity.holds_lock(LOCK)
    run = refresh(parity, 1)
    assert f"{LOG}.1" not in run.files
    assert len(run.files[LOG].content) > MIB + 1


# --- Its lines ---


def test_log_lines_have_a_time_and_a_text(parity: Parity) -> None:
    parity.rename(project="new\nline\x1b[31m\ttab")
    parity.credentials(expires_in="-1h")
    noise = "a\r\nb\x1b[0m\n\n\x07 c \x7f\xff\n"
    parity.claude.renews_nothing(exit=1, stdout=noise)
    parity.claude.renews(exit=1, stdout=noise)
    parity.dotenv("A=\0")
    parity.systemd_run.always.fails(stderr="line\nbreak\n")
    run = refresh(parity, 1)
    assert len(run.log_lines) > 8
    assert [line for line in run.log.split("\n")[:-1] if not LOG_LINE.fullmatch(line)] == []
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", run.log)
    project = str(parity.project).replace("\n", "?").replace("\x1b", "?").replace("\t", "?")
    assert f"ERROR: {project}/.env has a NUL byte and is not changed" in run.messages


ZONES = {
    "UTC": ("UTC0", "2026-01-02T03:04:05+00:00"),
    "India": ("IST-5:30", "2026-01-02T08:34:05+05:30"),
    "Newfoundland": ("NST3:30NDT,M3.2.0,M11.1.0", "2026-01-01T23:34:05-03:30"),
    "Nepal": ("<+0545>-5:45", "2026-01-02T08:49:05+05:45"),
    "half an hour west": ("<-0030>0:30", "2026-01-02T02:34:05-00:30"),
}


@pytest.mark.parametrize(("zone", "now"), ZONES.values(), ids=ZONES)
def test_log_time_is_local_with_its_offset(parity: Parity, zone: str, now: str) -> None:
    parity.env["TZ"] = zone
    parity.credentials()
    run = refresh(parity)
    assert [line.partition(" ")[0] for line in run.log_lines] == [now] * 3


@pytest.mark.parametrize("is_good", [True, False], ids=["successful run", "failing run"])
def test_terminal_gets_the_same_lines_on_stderr(parity: Parity, is_good: bool) -> None:
    parity.credentials(omit=[] if is_good else ["accessToken"])
    parity.directory("é")
    parity.env["OAUTHKIT_DOTENV"] = "é/.env"
    run = parity.run(terminal=True)
    assert (run.exit_code, run.stdout) == (0 if is_good else 1, "")
    assert len(run.log_lines) == 3
    assert run.stderr == run.log


@every_scenario
def test_errors_are_also_on_stderr(parity: Parity, scenario: Scenario) -> None:
    run = meet(parity, scenario)
    assert run.stderr == run.log_errors
    assert bool(run.stderr) == (scenario.exit_code != 0)


@pytest.mark.parametrize("is_missing", [True, False])
def test_missing_schedule_is_also_on_stderr(parity: Parity, is_missing: bool) -> None:
    parity.credentials()
    if is_missing:
        parity.delete("../bin/systemd-run")
    else:
        parity.systemd_run.always.fails(stderr="reason\n")
    run = refresh(parity)
    assert run.stderr == run.log_errors == f"{run.log_lines[-1]}\n"
    assert run.stderr.endswith(" next refresh NOT scheduled\n")


def test_terminal_gets_the_lines_even_if_the_log_is_full(parity: Parity) -> None:
    parity.credentials()
    parity.symlink(LOG, "/dev/full")
    run = parity.run(terminal=True)
    assert [line.partition(" ")[2] for line in run.stderr.splitlines()] == FRESH_RUN


def test_output_of_programs_does_not_reach_the_caller(parity: Parity) -> None:
    parity.credentials(expires_in="-1h")
    parity.stand_in("timeout", timeout).always.shortens(limit_s=20, grace_s=1)
    parity.jq.prints(stdout="", exit=5).then.exits(5, stderr="jq: noise\n")
    parity.systemd_run.always.fails(stdout="noise\n", stderr="noise\n")
    parity.systemctl.always.fails(stdout="noise\n", stderr="noise\n")
    run = refresh(parity, 1)
    assert "jq: noise" not in run.log
    assert run.messages[-3:-1] == ["systemd-run: noise", "systemd-run: noise"]
