"""Renew the token with claude: which claude is used, its limits, and the proof of a renewal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS, TOKEN
from tests.support.refresh.whole_run import hook_environment, run

from oauthkit import shell
from oauthkit.program import command_output, credentials, renewal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.refresh.fake_host import Host

RENEWED = "Claude CLI refreshed token successfully"
NOTHING = "claude exited 0 and renewed nothing. Is its token endpoint down?"
FAILED = "claude CLI refresh failed (exit {}). User may need to run 'claude login'."
OLD, NEW = -HOUR_MS, 8 * HOUR_MS  # the remaining life of the token in the file after a try


@pytest.fixture
def claude(host: Host) -> str:
    host.real("rm", "chmod", "mv")
    return host.install("claude")


def renew(host: Host, rejected: str = "") -> tuple[str, str, str]:
    problem, login = renewal.renew(host.path(host.credentials), host.path(host.home), rejected)
    return problem, credentials.access_token(login), credentials.expires_at(login)


@pytest.mark.parametrize(
    "directories", [("bin", "local", ".local"), ("local", ".local"), (".local",)]
)
def test_first_directory_with_a_claude_is_used(host: Host, directories: tuple[str, ...]) -> None:
    host.real("rm", "chmod", "mv")
    places = {
        "bin": host.bin,
        "local": host.home / ".claude" / "local",
        ".local": host.home / ".local" / "bin",
    }
    found = [host.install("claude", places[directory]) for directory in directories]
    host.fake("timeout")
    host.credentials_are(TOKEN, NEW)
    assert renew(host)[0] == ""
    assert found[0] in host.calls("timeout")[0]


def test_no_claude(host: Host) -> None:
    assert renew(host) == ("claude binary not found in PATH or common locations", "", "")
    assert host.names() == []


def test_no_timeout(host: Host, claude: str) -> None:
    assert claude
    (host.bin / "timeout").unlink()
    assert renew(host) == ("timeout not found in PATH. It is needed to run claude", "", "")
    assert host.names() == []


def test_claude_command(host: Host, claude: str) -> None:
    argv = f"-k 5 55 {claude} -p ok"
    first, second = host.fake("timeout", status=1), host.fake("timeout")
    host.credentials_are(TOKEN, OLD)
    host.credentials_are(TOKEN, NEW)
    assert renew(host) == ("", TOKEN, str(NOW_MS + NEW))
    assert host.calls("timeout") == [[*argv.split(), "--no-session-persistence"], argv.split()]
    for recorder in (first, second):
        how = recorder.calls[0].kwargs
        assert how is not None
        assert how["stdin"] == subprocess.DEVNULL
        assert how["stderr"] == subprocess.STDOUT
        assert set(how["env"]) == {"HOME", "PATH", "TZ"}


@pytest.mark.parametrize("status", [0, 1, 124, 137])
def test_exit_status_does_not_decide_the_renewal(host: Host, claude: str, status: int) -> None:
    assert claude
    host.fake("timeout", status=status, prints="said\n")
    host.credentials_are(TOKEN, NEW)
    assert renew(host) == ("", TOKEN, str(NOW_MS + NEW))
    warning = f"WARN: claude exited {status} after it had renewed the token"
    failed = ["claude: said", RENEWED, warning]
    assert host.lines() == ([RENEWED] if status == 0 else failed)
    assert len(host.calls("timeout")) == 1


@pytest.mark.parametrize(("status", "problem"), [(0, NOTHING), (124, FAILED), (137, FAILED)])
def test_no_second_try(host: Host, claude: str, status: int, problem: str) -> None:
    assert claude
    host.fake("timeout", status=status, prints="said\n")
    host.credentials_are(TOKEN, OLD)
    assert renew(host) == (problem.format(status), "", "")
    assert host.lines() == ["claude: said"]
    assert len(host.calls("timeout")) == 1


@pytest.mark.parametrize("first", [1, 2, 126, 143])
@pytest.mark.parametrize(
    ("second", "left_ms", "problem", "lines"),
    [
        (0, NEW, "", [RENEWED]),
        (0, OLD, NOTHING, ["claude: second"]),
        (7, OLD, FAILED.format(7), ["claude: second"]),
        (124, OLD, FAILED.format(124), ["claude: second"]),
        (
            7,
            NEW,
            "",
            ["claude: second", RENEWED, "WARN: claude exited 7 after it had renewed the token"],
        ),
    ],
)
def test_second_try_without_the_flag(
    host: Host, claude: str, first: int, second: int, left_ms: int, problem: str, lines: list[str]
) -> None:
    assert claude
    host.fake("timeout", status=first, prints="first\n")
    host.fake("timeout", status=second, prints="second\n")
    host.credentials_are(TOKEN, OLD)
    host.credentials_are(TOKEN, left_ms)
    assert renew(host)[0] == problem
    assert host.lines() == ["claude: first", *lines]
    assert [call[-1] for call in host.calls("timeout")] == ["--no-session-persistence", "ok"]


@pytest.mark.parametrize("left_ms", [5 * MINUTE_MS, 0, OLD])
def test_short_life_is_not_a_renewal(host: Host, claude: str, left_ms: int) -> None:
    assert claude
    host.fake("timeout")
    host.credentials_are("another", left_ms)
    assert renew(host) == (NOTHING, "", "")


def test_token_is_missing_afterwards(host: Host, claude: str) -> None:
    assert claude
    for _ in range(2):
        host.fake("timeout", status=1)
        host.jq_prints('"object"\n""\n0\n')
    problem = "no accessToken after CLI refresh. The login has ended: run 'claude auth login'"
    assert renew(host) == (problem, "", "")


def test_credentials_are_missing_afterwards(host: Host, claude: str) -> None:
    assert claude
    host.fake("timeout", does=lambda _process: host.credentials.unlink())
    assert renew(host) == ("no accessToken after CLI refresh", "", "")
    assert f"WARN: {host.credentials} not found" in host.lines()


def test_output_is_truncated_and_masked(host: Host, claude: str) -> None:
    assert claude
    lines = [f"line {number} sk-ant-oat01-made_up-{number}!" for number in range(25)]
    host.fake("timeout", prints="\n".join(lines))
    host.credentials_are(TOKEN, OLD)
    assert renew(host)[0] == NOTHING
    assert host.lines() == [f"claude: line {number} sk-ant-***!" for number in range(20)]


def test_output_of_other_programs_is_truncated(host: Host) -> None:
    command_output.log_output("hook", "\n".join(f"line {number}" for number in range(25)))
    assert host.lines() == [f"hook: line {number}" for number in range(20)]


def test_output_with_empty_lines(host: Host, claude: str) -> None:
    assert claude
    host.fake("timeout", prints="\n\nwhy\n\n")
    host.credentials_are(TOKEN, OLD)
    assert renew(host)[0] == NOTHING
    assert host.lines() == ["claude: ", "claude: ", "claude: why"]


def test_renewal_of_a_run_finds_claude_in_home(ready: Host) -> None:
    host = ready
    claude = host.install("claude", host.home / ".local" / "bin")
    for _ in range(2):
        host.credentials_are(TOKEN, 0)
    recorder = host.fake("timeout")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert claude in host.calls("timeout")[0]
    assert hook_environment(recorder) == {}


LIGHT = ["--safe-mode", "--tools=", "--system-prompt=Say-ok.", "--model=haiku"]
ALONE = "--no-session-persistence"


@pytest.mark.parametrize("setting", ["", "0", "yes", "11", None])
def test_light_renewal_is_off(host: Host, claude: str, setting: str | None) -> None:
    if setting is not None:
        local.env["OAUTHKIT_LIGHT"] = setting
    host.fake("timeout")
    host.credentials_are(TOKEN, NEW)
    assert renew(host)[0] == ""
    assert host.calls("timeout") == [["-k", "5", "55", claude, "-p", "ok", ALONE]]


def test_light_renewal_is_tried_first(host: Host, claude: str) -> None:
    local.env["OAUTHKIT_LIGHT"] = "1"
    for _ in range(3):
        host.fake("timeout", status=1)
        host.credentials_are(TOKEN, OLD)
    assert renew(host)[0] == FAILED.format(1)
    start = ["-k", "5", "55", claude, "-p", "ok"]
    assert host.calls("timeout") == [[*start, ALONE, *LIGHT], [*start, ALONE], start]


@pytest.mark.parametrize(
    ("token", "left_ms", "problem"),
    [
        ("new", NEW, ""),
        (TOKEN, NEW, "the API refuses the token, and claude did not renew it (exit {})"),
        ("new", OLD, FAILED),
    ],
)
@pytest.mark.parametrize("status", [1, 124])
def test_rejected_token_is_not_a_renewal(
    host: Host, claude: str, status: int, token: str, left_ms: int, problem: str
) -> None:
    assert claude
    for _ in range(1 if status == 124 or problem == "" else 2):
        host.fake("timeout", status=status)
        host.credentials_are(token, left_ms)
    assert renew(host, TOKEN)[0] == problem.format(status)


# --- Another session renews the token ---


@pytest.fixture
def lock(host: Host) -> Path:
    """The lock that such a session holds."""
    lock = host.credentials.parent / ".oauth_refresh.lock"
    lock.mkdir()
    return lock


def test_run_waits_for_a_renewal_by_another_session(host: Host, claude: str, lock: Path) -> None:
    assert claude
    host.fake("timeout")
    host.credentials_are(TOKEN, OLD)
    host.fake("sleep")
    host.credentials_are(TOKEN, OLD)
    host.fake("sleep", does=lambda _process: lock.rmdir())
    host.credentials_are("new", NEW)
    assert renew(host) == ("", "new", str(NOW_MS + NEW))
    assert host.lines() == [RENEWED]
    assert host.calls("sleep") == [["1"], ["1"]]


def test_wait_ends_when_the_token_is_renewed(host: Host, claude: str, lock: Path) -> None:
    assert claude
    assert lock.exists()
    host.fake("timeout")
    host.credentials_are(TOKEN, OLD)
    host.fake("sleep")
    host.credentials_are("new", NEW)
    assert renew(host)[0] == ""


def test_wait_ends_when_the_session_ends_without_a_renewal(
    host: Host, claude: str, lock: Path
) -> None:
    assert claude
    host.fake("timeout")
    host.credentials_are(TOKEN, OLD)
    host.fake("sleep", does=lambda _process: lock.rmdir())
    host.credentials_are(TOKEN, OLD)
    assert renew(host)[0] == NOTHING
    assert host.calls("sleep") == [["1"]]


def test_wait_for_another_session_has_a_limit(host: Host, claude: str, lock: Path) -> None:
    assert claude
    assert lock.exists()
    host.fake("timeout")
    host.credentials_are(TOKEN, OLD)
    for _ in range(30):
        host.fake("sleep")
        host.credentials_are(TOKEN, OLD)
    assert renew(host)[0] == NOTHING
    assert len(host.calls("sleep")) == 30


@pytest.mark.parametrize("status", [1, 124])
def test_failed_claude_is_not_followed_by_a_wait(
    host: Host, claude: str, lock: Path, status: int
) -> None:
    assert claude
    assert lock.exists()
    for _ in range(1 if status == 124 else 2):
        host.fake("timeout", status=status)
        host.credentials_are(TOKEN, OLD)
    assert renew(host)[0] == FAILED.format(status)
    assert host.calls("sleep") == []


def test_login_lock_that_cannot_be_taken_causes_a_warning(host: Host, claude: str) -> None:
    assert claude
    host.fake("timeout")
    for left_ms in (OLD, NEW):
        host.credentials_are(TOKEN, left_ms)
    host.monkeypatch.setattr(renewal, "lock_directory", lambda _path, _wait_s: 2)
    problem, login = renewal.renew_once(host.path(host.credentials), host.path(host.home), "")
    assert (problem, credentials.expires_at(login)) == ("", str(NOW_MS + NEW))
    assert host.lines()[0] == f"WARN: {host.credentials.parent} cannot be locked"


# --- The limit of failures ---


@pytest.mark.parametrize(
    ("after_ms", "is_recent"),
    [(-1, True), (0, True), (1, False), (1 - 5 * MINUTE_MS, True), (-5 * MINUTE_MS, False)],
)
def test_failures_count_for_5_min(host: Host, after_ms: int, is_recent: bool) -> None:
    """A time in the future is one of a clock that was wrong."""
    last_ms = NOW_MS + after_ms
    host.credentials.with_name(".oauthkit-failures").write_text(f"2 {last_ms}", encoding="utf-8")
    found = renewal.recorded_failures(host.path(host.credentials))
    assert found == ((2, last_ms) if is_recent else (0, 0))


@pytest.mark.parametrize("failures", [2, 3, 4])
def test_claude_is_not_started_after_3_failures(host: Host, failures: int) -> None:
    host.real(*["chmod", "chmod", "rm", "mv"] * (failures == 2))
    last_ms = NOW_MS - MINUTE_MS
    record = host.credentials.with_name(".oauthkit-failures")
    record.write_text(f"{failures} {last_ms}", encoding="utf-8")
    found = renewal.limit_failures(host.path(host.credentials))
    if failures == 2:
        assert found == ""
        assert record.read_text(encoding="utf-8") == f"3 {NOW_MS}"
    else:
        next_try = shell.timestamp((last_ms + 5 * MINUTE_MS) // 1000)
        problem = f"claude has failed to renew the token {failures} times. Next try: {next_try}"
        assert found == problem
        assert host.names() == []


def record_start(host: Host) -> tuple[str, Path]:
    """Record a start of claude. Return the error, and the file."""
    record = host.credentials.with_name(".oauthkit-failures")
    return renewal.record_start(host.path(record), "1 2"), record


def test_start_of_claude_is_recorded(host: Host) -> None:
    host.real("chmod", "chmod", "rm", "mv")
    problem, record = record_start(host)
    assert problem == ""
    assert record.read_text(encoding="utf-8") == "1 2"
    assert [file.name for file in record.parent.iterdir() if "oauthkit" in file.name] == [
        record.name
    ]
    assert host.names() == ["chmod", "chmod", "rm", "mv"]


def test_start_is_recorded_with_1_mib_left(host: Host) -> None:
    sizes = []
    names = []
    create = shell.create_file

    def create_file(path: str, text: str, model: str, content: str) -> tuple[int, str]:
        sizes.append(len(text))
        names.append(re.sub("[0-9]{16}", "N", Path(path).name))
        assert (model, content) == ("", "")
        return create(path, text, model, content)

    host.real("chmod", "chmod", "rm", "mv")
    host.monkeypatch.setattr(renewal, "create_file", create_file)
    assert record_start(host)[0] == ""
    assert sizes == [1024 * 1024, 3]
    name = ".oauthkit-failures"
    assert names == [f"{name}.reserve.oauthkit.N", f"{name}.oauthkit.N"]


def test_renewal_after_3_failures_does_not_start_claude(host: Host, claude: str) -> None:
    assert claude
    record = host.credentials.with_name(".oauthkit-failures")
    record.write_text(f"3 {NOW_MS}", encoding="utf-8")
    assert renew(host)[0].startswith("claude has failed to renew the token 3 times. Next try: ")
    assert host.names() == []


@pytest.mark.parametrize("step", ["reserve", "record", "mv"])
def test_start_that_cannot_be_recorded(host: Host, step: str) -> None:
    calls = []
    create = shell.create_file

    def create_file(path: str, *more: str) -> tuple[int, str]:
        calls.append(path)
        return (
            (1, "") if len(calls) == {"reserve": 1, "record": 2}.get(step) else create(path, *more)
        )

    host.monkeypatch.setattr(renewal, "create_file", create_file)
    host.real("chmod", "chmod", "rm", "rm")
    if step == "mv":
        host.fake("mv", status=1)
    problem, record = record_start(host)
    assert problem == (
        f"{record} and 1 MiB cannot be written, and claude could not save the login. It is not"
        " started"
    )
    assert [file.name for file in record.parent.iterdir() if "oauthkit" in file.name] == []
    assert len(calls) == (1 if step == "reserve" else 2)


def test_record_is_not_moved_into_a_directory(host: Host) -> None:
    record = host.credentials.with_name(".oauthkit-failures")
    record.mkdir()
    host.real("chmod", "chmod", "rm", "mv", "rm")
    assert record_start(host)[0] != ""
    assert list(record.iterdir()) == []


# --- One renewal for all projects that share a login ---


class Steps:
    """Stand-ins for the steps of a renewal: the lock, and the start of claude."""

    def __init__(self, host: Host, locked: int) -> None:
        self.host = host
        self.names: list[str] = []
        self.rejected = "not started"
        host.monkeypatch.setattr(renewal, "lock_directory", self.lock(locked))
        host.monkeypatch.setattr(renewal, "unlock_directory", lambda: self.names.append("unlock"))
        host.monkeypatch.setattr(renewal, "renew", self.renew)

    def lock(self, locked: int) -> Callable[[str, int], int]:
        def take(path: str, wait_s: int) -> int:
            assert (path, wait_s) == (str(self.host.credentials.parent), 120)
            self.names.append("lock")
            return locked

        return take

    def renew(self, path: str, home: str, rejected: str) -> tuple[str, str]:
        assert (path, home) == (str(self.host.credentials), str(self.host.home))
        self.names.append("renew")
        self.rejected = rejected
        return "renewed", "login"

    def run(self, rejected: str = "") -> tuple[str, str]:
        return renewal.renew_once(
            self.host.path(self.host.credentials), self.host.path(self.host.home), rejected
        )


@pytest.mark.parametrize("locked", [0, 1, 2, 3])
def test_token_that_another_run_has_renewed(host: Host, locked: int) -> None:
    host.credentials_are(TOKEN, NEW)
    steps = Steps(host, locked)
    problem, login = steps.run()
    assert (problem, credentials.access_token(login)) == ("", TOKEN)
    assert host.lines() == ["The token was renewed by another run"]
    assert steps.names == ["lock", "unlock"]


@pytest.mark.parametrize(
    ("locked", "line"),
    [
        (0, ""),
        (1, "WARN: other processes have held the lock of {} for 120 s"),
        (2, "WARN: {} cannot be locked"),
        (4, "WARN: {} cannot be locked"),
    ],
)
def test_token_that_no_other_run_has_renewed(host: Host, locked: int, line: str) -> None:
    host.credentials_are(TOKEN, OLD)
    steps = Steps(host, locked)
    assert steps.run() == ("renewed", "login")
    assert host.lines() == ([line.format(host.credentials.parent)] if line else [])
    assert (steps.names, steps.rejected) == (["lock", "renew", "unlock"], "")


def test_signal_ends_the_wait_for_another_run(host: Host) -> None:
    host.credentials_are(TOKEN, OLD)
    steps = Steps(host, 3)
    problem, _ = steps.run()
    assert problem == f"a signal ended the wait for the lock of {host.credentials.parent}"
    assert steps.names == ["lock", "unlock"]


def test_credentials_that_another_run_has_broken_are_renewed(host: Host) -> None:
    host.jq_prints("", status=5)
    steps = Steps(host, 0)
    assert steps.run() == ("renewed", "login")


@pytest.mark.parametrize("limit", ["", "too soon"])
def test_renewal_of_a_rejected_token(host: Host, limit: str) -> None:
    host.credentials_are(TOKEN, NEW)
    steps = Steps(host, 0)
    host.monkeypatch.setattr(renewal, "limit_rejected_starts", lambda _path, _login: limit)
    problem, _ = steps.run(TOKEN)
    if limit:
        assert (problem, host.lines(), steps.names) == ("too soon", [], ["lock", "unlock"])
    else:
        assert (problem, steps.rejected) == ("renewed", TOKEN)
        assert host.lines() == ["The API refuses the token, invoking claude CLI to refresh"]


def test_refusal_is_not_recorded_if_claude_is_not_started(host: Host) -> None:
    host.credentials_are(TOKEN, NEW)
    steps = Steps(host, 0)
    host.monkeypatch.setattr(renewal, "next_try_ms", lambda _: NOW_MS + 1)
    host.monkeypatch.setattr(renewal, "limit_rejected_starts", lambda *_: pytest.fail("recorded"))
    assert steps.run(TOKEN)[0] == "renewed"
    assert host.lines() == []


# --- live_token ---


def live_token(host: Host, rejected: str = "") -> tuple[str, str, str]:
    """Return the error, the access token and its expiry."""
    credentials_file = host.path(host.credentials)
    problem, login = renewal.live_token(credentials_file, host.path(host.home), rejected)
    return problem, credentials.access_token(login), credentials.expires_at(login)


def test_missing_credentials_are_a_problem(host: Host) -> None:
    host.credentials.unlink()
    assert live_token(host) == (f"{host.credentials} not found", "", "")
    assert host.lines() == []


def test_fresh_token(host: Host) -> None:
    remaining_ms = 5 * MINUTE_MS + 1
    host.credentials_are(TOKEN, remaining_ms)
    assert live_token(host) == ("", TOKEN, str(NOW_MS + remaining_ms))
    assert host.lines() == [f"Token still fresh (remaining_ms={remaining_ms}), syncing to .env"]


@pytest.mark.parametrize(
    ("expiry", "remaining_ms", "is_number"),
    [
        (str(NOW_MS + 5 * MINUTE_MS), 5 * MINUTE_MS, True),
        (str(NOW_MS), 0, True),
        (str(NOW_MS - 1), -1, True),
        ("-5", -5 - NOW_MS, True),
        ("null", -NOW_MS, False),
        ('"0009"', -NOW_MS, False),
        ("1e+30", -NOW_MS, False),
        ("", -NOW_MS, False),
    ],
)
def test_expiring_token_is_renewed(
    host: Host, expiry: str, remaining_ms: int, is_number: bool
) -> None:
    for _ in range(2):
        host.jq_prints(f'"object"\n"{TOKEN}"\n{expiry}\n')
    problem, token, _ = live_token(host)
    assert (problem, token) == ("claude binary not found in PATH or common locations", "")
    warning = [] if is_number else ["WARN: no expiresAt in credentials, forcing refresh"]
    assert host.lines() == [
        *warning,
        f"Token expired or expiring soon (remaining_ms={remaining_ms}), "
        "invoking claude CLI to refresh",
    ]


def test_live_token_that_another_run_has_renewed(host: Host) -> None:
    host.credentials_are(TOKEN, 0)
    host.credentials_are("new", HOUR_MS)
    assert live_token(host) == ("", "new", str(NOW_MS + HOUR_MS))
    assert host.names() == ["jq", "jq"]
    assert host.lines()[-1] == "The token was renewed by another run"


def test_renewal_gets_home(host: Host) -> None:
    host.real("rm", "chmod", "mv")
    claude = host.install("claude", host.home / ".local" / "bin")
    for _ in range(2):
        host.credentials_are(TOKEN, 0)
    host.fake("timeout")
    host.credentials_are("new", HOUR_MS)
    assert live_token(host) == ("", "new", str(NOW_MS + HOUR_MS))
    assert claude in host.calls("timeout")[0]


@pytest.mark.parametrize("has_claude", [False, True])
@pytest.mark.parametrize("left_ms", [NEW, 5 * MINUTE_MS])
def test_live_token_that_is_rejected(host: Host, left_ms: int, has_claude: bool) -> None:
    host.credentials_are(TOKEN, left_ms)
    started = []

    def renew_once(_path: str, _home: str, rejected: str) -> tuple[str, str]:
        started.append(rejected)
        return "once", "login"

    host.monkeypatch.setattr(renewal, "renew_once", renew_once)
    if has_claude:
        host.install("claude")
    paths = host.path(host.credentials), host.path(host.home)
    problem, login = renewal.live_token(*paths, TOKEN)
    if left_ms == NEW and not has_claude:
        assert problem == "claude binary not found in PATH or common locations"
        assert credentials.access_token(login) == TOKEN
        assert started == []
    else:
        assert (problem, login) == ("once", "login")
        assert started == [TOKEN if left_ms == NEW else ""]
