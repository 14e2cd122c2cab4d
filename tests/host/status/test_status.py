"""oauthkit status is correct, and changes nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import forked
from tests.support.host.host_project import (
    DAY_S,
    HOUR_S,
    OTHER,
    SAME_CODE,
    TOKEN,
    UNIT,
    command,
)

from oauthkit.host.doctor import scheduling
from oauthkit.host.project import find_paths
from oauthkit.host.status.output import report_all
from oauthkit.host.status.text_output import clock
from oauthkit.host.systemd.unit_texts import _MARK
from oauthkit.program.renewal import REJECTED
from oauthkit.shell import escape_unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.host.host_project import HostProject


def tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file with its mode and content."""
    return {
        str(path): (path.stat().st_mode, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_a_live_token(live: HostProject, tmp_path: Path) -> None:
    before = tree(tmp_path)
    data = live.status()
    assert tree(tmp_path) == before
    assert data["live"] is True
    assert data["version"] == 1
    assert data["token"]["problem"] is None
    assert data["token"]["left_s"] == pytest.approx(5 * HOUR_S, abs=60)
    assert data["dotenv"] == {
        "path": str(live.dotenv), "problem": None, "carries_token": True, "tokens": 1,
        "other_spellings": 0, "is_manual": False,
    }  # fmt: skip
    assert data["next_run"]["unit"] == f"{UNIT}.timer"
    assert data["next_run"]["at_s"] == pytest.approx(live.now_s + 4.5 * HOUR_S, abs=1)
    assert data["last_renewal_s"] == int(live.now_s - 3 * HOUR_S)
    assert data["coverage"]["share"] == 1.0
    assert data["warnings"] == []
    assert (data["last_error"], data["failing_since_s"]) == (None, None)


def test_log_that_no_run_can_write(live: HostProject) -> None:
    live.log.unlink()
    live.log.parent.rmdir()
    assert live.status()["warnings"] == []  # a refresh creates the directory
    live.log.parent.write_text("", "utf-8")
    problem = f"no run can write its log in {live.log.parent}. To see the fix, run:"
    assert live.status()["warnings"] == [f"{problem} {command('doctor', live.project)}"]


def test_writable_log_in_a_read_only_directory(live: HostProject) -> None:
    lock = live.log.with_name("oauth-refresh.lock")
    lock.touch()
    live.log.parent.chmod(0o500)
    live.without_override()
    assert live.status()["warnings"] == []
    for file in (live.log, lock):
        mode = file.stat().st_mode
        file.chmod(0o400)
        assert len(live.status()["warnings"]) == 1
        file.chmod(mode)


def test_failure_that_no_run_can_mark(live: HostProject) -> None:
    """A run marks a failure with a file in the log's directory."""
    live.log.with_name("oauth-refresh.lock").touch()
    live.lines((-60, "ERROR: claude CLI refresh failed (exit 1). User may need to log in"))
    assert live.status()["failing_since_s"] is None
    live.log.parent.chmod(0o500)
    live.without_override()
    assert live.status()["failing_since_s"] == int(live.now_s - 60)
    assert "\nFailing   since " in live.run("status").stdout
    assert "they fail: claude CLI refresh failed" in live.run("doctor").stdout


@pytest.mark.parametrize(
    ("text", "repair"),
    [
        ("{path} is not a file and is not changed", "rmdir {path}"),
        ("{path} cannot be read and is not changed", "chmod u+r {path}"),
        ("{path}/.env cannot be written: {path} is not writable", "chmod u+w {path}"),
        ("{path} is not a bearer file", ""),
        ("OAUTHKIT_BEARER and OAUTHKIT_DOTENV are the same file: /x", ""),
    ],
)
def test_cause_that_is_gone_needs_no_fix(live: HostProject, text: str, repair: str) -> None:
    path = live.home / "directory"
    path.mkdir(0o100 if "chmod" in repair else 0o700)
    live.without_override()
    live.failing.touch()
    live.lines((-60, f"ERROR: {text.format(path=path)}"))
    bearer = {} if repair else {"OAUTHKIT_BEARER": str(path)}
    assert live.status(**bearer)["last_error"]["fix"] != ""
    subprocess.run(["sh", "-c", repair.format(path=path, bin=live.bin)], check=True)
    assert live.status()["last_error"]["fix"] == ""


@pytest.mark.parametrize(
    "text", ["claude CLI refresh failed (exit 1)", "claude has failed to renew the token 3 times"]
)
def test_login_since_a_failure_needs_no_fix(live: HostProject, text: str) -> None:
    live.failing.touch()
    live.lines((-60, f"ERROR: {text}"))
    os.utime(live.credentials, (live.now_s - 90,) * 2)
    assert live.status()["last_error"]["fix"] != ""
    live.login()
    assert live.status()["last_error"]["fix"] == ""


def test_terminal_output(live: HostProject) -> None:
    live.login(refreshTokenExpiresAt=live.ms(20 * DAY_S + 2 * HOUR_S))
    done = live.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    rows = dict(line.split(None, 1) for line in done.stdout.splitlines() if line[:1].strip())
    assert rows["Project"].strip() == str(live.project)
    assert rows["Token"].startswith("━" * 15 + "─" * 9 + "  4 h 59 min left, until ")
    assert rows[".env"].strip() == "has the token"
    assert rows["Next"].strip().endswith(f"({UNIT}.timer)")
    assert rows["Renewed"].strip().endswith(", 3 h ago")
    assert rows["Login"].strip() == "ends in 20 days"
    assert rows["Coverage"].strip() == "100.0 % of the last 3 h with a live token"
    assert "To do" not in done.stdout
    assert "\x1b" not in done.stdout


def directory_in_its_place(project: HostProject) -> None:
    project.credentials.unlink()
    project.credentials.mkdir()


def odd_token(project: HostProject) -> None:
    project.login(token="a b")
    project.deliver("a b")


def another_token(project: HostProject) -> None:
    project.deliver(OTHER)
    os.utime(project.dotenv, (project.now_s - 4 * HOUR_S,) * 2)  # before the last delivery


LINE = f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}"
REFRESH = ".env does not have the credentials' token. Run: "
NO_EXPIRY = "the token's expiry is unknown. Run: "
# A problem, how to cause it, and its warning.
WRONG: dict[str, tuple[Callable[[HostProject], object], str]] = {
    "expired": (lambda p: p.login(-1), "the token has expired. Run: "),
    "no expiry": (lambda p: p.login(None), NO_EXPIRY),
    "odd expiry": (lambda p: p.login(None, expiresAt="BASH_VERSINFO[$(touch x)]"), NO_EXPIRY),
    "endless expiry": (lambda p: p.login(None, expiresAt=10**30), NO_EXPIRY),
    "no login": (lambda p: p.credentials.unlink(), "not found: claude auth login"),
    "a directory": (directory_in_its_place, "is not a file but a directory: rmdir "),
    "not JSON": (lambda p: p.credentials.write_text("{"), "is not valid JSON: claude auth login"),
    "an array": (lambda p: p.credentials.write_text("[]"), "no claudeAiOauth object in"),
    "no token": (lambda p: p.login(token=""), "no accessToken in credentials: claude auth login"),
    "odd token": (odd_token, "a character that tokens do not contain"),
    "another token": (another_token, REFRESH),
    "two tokens": (
        lambda p: p.dotenv.write_text(f"{LINE}\n{LINE}x\n"),
        ".env sets CLAUDE_CODE_OAUTH_TOKEN more than once. Run: ",
    ),
    "no .env": (lambda p: p.dotenv.unlink(), ".env not found: "),
    "CR": (lambda p: p.dotenv.write_bytes(f"{LINE}\r\n".encode()), REFRESH),
}


@pytest.mark.parametrize(("change", "warning"), WRONG.values(), ids=WRONG)
def test_token_that_is_not_live_is_reported(
    live: HostProject, change: Callable[[HostProject], object], warning: str
) -> None:
    change(live)
    data = live.status()
    assert data["live"] is False
    (said,) = data["warnings"]
    assert warning in said
    assert live.run("status").returncode == 1


def test_login_that_ends_soon_beside_a_token_of_a_user(live: HostProject) -> None:
    """A refresh would replace the user's token, so the fix is only to log in."""
    live.login(refreshTokenExpiresAt=live.ms(HOUR_S))
    assert "the login ends soon. Run: claude auth login && " in live.status()["warnings"][-1]
    live.deliver(OTHER)
    assert live.status()["warnings"][-1] == "the login ends soon. Run: claude auth login"


def test_token_of_a_user_is_replaced_by_the_hourly_run(live: HostProject) -> None:
    live.deliver(OTHER)
    live.timers({f"{UNIT}.timer": 9 * HOUR_S})
    assert live.status()["warnings"][0].startswith("the next run replaces the token in .env")
    live.timers({f"{UNIT}.timer": 9 * HOUR_S, f"{UNIT}-heal.timer": HOUR_S / 2})
    assert live.status()["warnings"][0].startswith("the next hourly run replaces the token in .env")
    live.timers({f"{UNIT}.timer": HOUR_S / 4, f"{UNIT}-heal.timer": HOUR_S / 2})
    assert live.status()["warnings"][0].startswith("the next run replaces the token in .env")


def test_lock_that_somebody_else_holds_is_a_failure(live: HostProject) -> None:
    """It may be a run that root started, whose files this user cannot list."""
    lock = live.log.parent / "oauth-refresh.lock"
    live.lines((-60, f"ERROR: another refresh has held {lock} for 120 s"))
    lock.touch()
    # A new process: this one may be older than the longest run.
    hold = ["flock", "--no-fork", str(lock), "sh", "-c", "echo; exec sleep 60"]
    with subprocess.Popen(hold, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            assert live.status()["warnings"] == []
            live.login(-1)
            shown = live.run("status").stdout
            assert "\nFailing   since " in shown
            assert "fuser" in shown
            assert "they fail: another refresh has held" in live.run("doctor").stdout
        finally:
            holder.kill()
    # Nothing holds it any more, so a refresh can start.
    assert "\nFailing" not in live.run("status").stdout
    assert live.status()["warnings"] == [
        f"the token has expired. Run: {command('refresh', live.project)}"
    ]


@pytest.mark.parametrize("is_installed", [False, True])
def test_missing_claude(live: HostProject, *, is_installed: bool) -> None:
    """The units that install has written keep their own PATH."""
    if is_installed:
        live.unit_directory.mkdir(parents=True)
        (live.unit_directory / f"{UNIT}-heal.timer").write_text(
            f"{_MARK}{str(live.project)!r}\n", encoding="utf-8"
        )
    live.login(-1)
    live.lines((-60, "ERROR: claude binary not found in PATH or common locations"))
    live.failing.touch()
    fix = f"Then, in a shell that finds it: {command('install', live.project)}"
    kept = "refresh from a shell that finds claude: the timer keeps that shell's PATH"
    said = live.status()["last_error"]["fix"]
    assert (fix in said, kept in said) == (is_installed, not is_installed)


def test_token_of_a_user_is_left_alone(live: HostProject) -> None:
    live.deliver(OTHER)
    data = live.status()
    assert (data["live"], data["dotenv"]["is_manual"]) == (False, True)
    text = "the next run replaces the token in .env. A person may have put it there, or have"
    now = f"{text} edited .env. To replace it now, run: {command('refresh', live.project)}"
    keep = f"To keep that token, run: {command('uninstall', live.project)}"
    assert data["warnings"] == [now, keep]
    live.timers({})
    assert live.status()["warnings"] == []
    (live.project / "scripts/oauth").mkdir(parents=True)
    (live.project / "scripts/oauth/refresh.sh").touch()
    line = f"* * * * * bash {live.project}/scripts/oauth/refresh.sh"
    live.program("crontab", f"#!/bin/sh\necho '{line}'\n")
    fix = "To keep that token, run crontab -e, and remove this project's line"
    assert live.status()["warnings"] == [now, fix]
    (live.bin / "crontab").unlink()
    shown = live.run("status")
    assert shown.returncode == 1
    assert (
        "\n.env      has a token that the last run did not deliver. Its expiry is unknown\n"
        in shown.stdout
    )
    assert "To do" not in shown.stdout


@pytest.mark.parametrize("line", ["export {}", " {}", "\t export  {}", "{}"])
def test_line_in_another_spelling_is_reported(live: HostProject, line: str) -> None:
    name = "CLAUDE_CODE_OAUTH_TOKEN" + (" " if line == "{}" else "")
    with live.dotenv.open("a", encoding="utf-8") as file:
        file.write(line.format(f"{name}=made-up-dead\n"))
    data = live.status()
    assert (data["live"], data["dotenv"]["other_spellings"]) == (True, 1)
    text = (
        ".env also sets CLAUDE_CODE_OAUTH_TOKEN with export or spaces. A refresh ignores that line"
    )
    assert data["warnings"] == [f"{text}. To see the fix, run: {command('doctor', live.project)}"]


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_variable_that_overrides_the_token_is_reported(live: HostProject, name: str) -> None:
    with live.dotenv.open("a", encoding="utf-8") as file:
        file.write(f"{name}=\n")
    assert live.status()["warnings"] == []
    with live.dotenv.open("a", encoding="utf-8") as file:
        file.write(f"export {name}=made-up-key\n")
    fix = f"To see the fix, run: {command('doctor', live.project)}"
    assert live.status()["warnings"] == [f".env sets {name}, which overrides the token. {fix}"]


def test_error_without_the_failing_mark_counts_after_expiry(live: HostProject) -> None:
    """Runs that cannot access the log's directory cannot create the mark."""
    text = "claude CLI refresh failed (exit 1)"
    live.lines((-60, f"ERROR: {text}"))
    assert live.status()["failing_since_s"] is None
    with live.dotenv.open("rb") as file:
        delivered = file.read()
    live.login(-1)
    live.dotenv.write_bytes(delivered)
    live.lines((-60, f"ERROR: {text}"))
    data = live.status()
    assert (data["failing_since_s"] is not None, data["last_error"]["text"]) == (True, text)


def test_token_that_other_users_can_read_is_reported(live: HostProject) -> None:
    assert live.status()["warnings"] == []
    live.dotenv.chmod(0o640)
    fix = f"To see the fix, run: {command('doctor', live.project)}"
    text = "other users have access to the token in .env"
    assert live.status()["warnings"] == [f"{text}. {fix}"]
    for content in ("A=1\n", "CLAUDE_CODE_OAUTH_TOKEN=\n"):
        live.dotenv.write_text(content, encoding="utf-8")
        assert text not in str(live.status()["warnings"])
        assert ".env      has no CLAUDE_CODE_OAUTH_TOKEN\n" in live.run("status").stdout


def test_hint_to_doctor_is_shown_once(live: HostProject) -> None:
    doctor = command("doctor", live.project)
    live.dotenv.chmod(0o640)
    assert f"To see the fix, run: {doctor}" in " ".join(live.run("status").stdout.split())
    live.dotenv.write_text(live.dotenv.read_text("utf-8") + "ANTHROPIC_API_KEY=x\n", "utf-8")
    shown = live.run("status").stdout
    assert shown.count(doctor) == 1
    to_do = " ".join(shown[shown.index("To do") :].split())
    assert to_do.startswith("To do .env sets ANTHROPIC_API_KEY, which overrides the token other")
    assert to_do.endswith(f" the token in .env To see the other fixes, run: {doctor}")
    assert len(live.status()["warnings"]) == 2


NEXT: dict[str, tuple[dict[str, float | None], str | None, float | None]] = {
    "none": ({}, None, None),
    "another unit's": ({"other.timer": 60, f"{UNIT}-more.timer": 60}, None, None),
    "another project's": ({f"{UNIT}-alt.timer": 60, f"{UNIT}-other.timer": 60}, None, None),
    "its own": ({"OWN.timer": 60}, "OWN.timer", 60),
    "-alt": ({"OWN--alt.timer": 60}, "OWN--alt.timer", 60),
    "two": ({f"{UNIT}.timer": 120, "OWN--alt-alt.timer": 60}, "OWN--alt-alt.timer", 60),
    "elapsed": ({f"{UNIT}.timer": None}, f"{UNIT}.timer", None),
}  # fmt: skip


@pytest.mark.parametrize(("timers", "unit", "next_s"), NEXT.values(), ids=NEXT)
def test_next_run_is_the_timer_of_systemd(
    live: HostProject, timers: dict[str, float | None], unit: str | None, next_s: float | None
) -> None:
    live.timers({name.replace("OWN", live.own_unit()): at_s for name, at_s in timers.items()})
    data = live.status()
    unit = unit and unit.replace("OWN", live.own_unit())
    wanted = None if next_s is None else pytest.approx(live.now_s + next_s, abs=0.01)
    assert (data["next_run"]["unit"], data["next_run"]["at_s"]) == (unit, wanted)
    is_due = next_s is not None
    assert data["warnings"] == (
        []
        if is_due
        else [f"no run is scheduled. To see the fix, run: {command('doctor', live.project)}"]
    )


@pytest.mark.parametrize("setting", ["mine", "mine.timer"])
def test_own_unit_name(live: HostProject, setting: str) -> None:
    name = f"{live.own_unit('mine')}--alt.timer"
    live.timers({name: 60})
    assert live.status(OAUTHKIT_UNIT=setting)["next_run"]["unit"] == name


@pytest.mark.parametrize(
    ("systemctl", "said"),
    [
        (None, "systemctl is not in PATH: this host has no systemd"),
        ("echo 'No medium found' >&2; exit 1", "does not answer: No medium found"),
        ("exit 3", "does not answer: exit 3"),
        ("echo 'NEXT LEFT'", "cannot print JSON"),
    ],
)
def test_missing_answer_of_systemd_is_a_warning(
    live: HostProject, systemctl: str | None, said: str
) -> None:
    if systemctl is None:
        (live.bin / "systemctl").unlink()
    else:
        live.program("systemctl", f"#!/bin/sh\n{systemctl}\n")
    data = live.status()
    assert data["live"] is True
    (warning,) = data["warnings"]
    problem = data["next_run"]["problem"]
    assert said in problem
    assert warning == f"{problem}. To see the fix, run: {command('doctor', live.project)}"


@pytest.mark.parametrize(
    ("left_s", "warned"),
    [(3 * DAY_S + 60, ""), (3 * DAY_S - 60, "ends soon"), (-60, "has ended"), (None, "")],
)
def test_end_of_the_login(live: HostProject, left_s: float | None, warned: str) -> None:
    if left_s is not None:
        live.login(refreshTokenExpiresAt=live.ms(left_s))
    data = live.status()
    assert (data["login"]["ends_at_s"] is None) == (left_s is None)
    assert len(data["warnings"]) == bool(warned)
    fix = f"claude auth login && {command('refresh', live.project)}"
    assert all(text == f"the login {warned}. Run: {fix}" for text in data["warnings"])


def test_failing_runs(live: HostProject) -> None:
    error = "ERROR: claude CLI refresh failed (exit 1). User may need to run 'claude login'."
    live.lines(
        (-2 * HOUR_S, "ERROR: jq not found in PATH. It is needed to read the credentials"),
        (-1 * HOUR_S, "claude: Not logged in. Please run /login"),
        (-1 * HOUR_S, error),
        (-1 * HOUR_S, "ERROR: systemd-run failed (exit 1), next refresh NOT scheduled"),
    )
    assert live.status()["failing_since_s"] is None
    assert "Failing" not in live.run("status").stdout
    live.failing.touch()
    for file in (live.failing, live.credentials):
        os.utime(file, (live.now_s - 2 * HOUR_S,) * 2)
    data = live.status()
    assert data["failing_since_s"] == pytest.approx(live.now_s - 2 * HOUR_S, abs=0.01)
    assert data["last_error"]["text"] == error.removeprefix("ERROR: ")
    assert data["last_error"]["output"] == ["claude: Not logged in. Please run /login"]
    assert data["last_error"]["fix"] == "claude auth login"
    lines = [line.strip() for line in live.run("status", COLUMNS="120").stdout.splitlines()]
    first = next(number for number, line in enumerate(lines) if line.startswith("Failing"))
    assert lines[first].endswith(", for 2 h")
    assert lines[first + 1 : first + 5] == [
        error.removeprefix("ERROR: "), "claude: Not logged in. Please run /login",
        "→ claude auth login", f"log: {live.log}",
    ]  # fmt: skip


def test_failure_that_is_not_in_the_log(live: HostProject) -> None:
    """On a full disk, the mark can be created, but no line of the log can be written."""
    live.dotenv.unlink()
    live.log.write_bytes(b"")
    live.failing.touch()
    first = live.status()["warnings"][0]
    doctor = command("doctor", live.project)
    assert first == f"runs fail, but the log does not say why. To see the fix, run: {doctor}"
    assert command("refresh", live.project) not in "".join(live.status()["warnings"][:-1])


def test_login_since_the_failure_leaves_the_refresh(live: HostProject) -> None:
    live.lines((-HOUR_S, "ERROR: no accessToken in credentials"))
    live.failing.touch()
    assert live.status()["last_error"]["fix"] == ""
    assert f"→ {command('refresh', live.project)}" in live.run("status", COLUMNS="200").stdout
    os.utime(live.credentials, (live.now_s - 2 * HOUR_S,) * 2)
    assert (
        live.status()["last_error"]["fix"] == ""
    )  # the login is valid, although its file is older than the error
    live.login(token="")
    os.utime(live.credentials, (live.now_s - 2 * HOUR_S,) * 2)
    assert live.status()["last_error"]["fix"] == "claude auth login"


@pytest.mark.parametrize(
    "error",
    [
        "{} is not valid JSON (jq exit 4)", "{} holds more than one JSON document",
        "{} is not a file", "{} is not readable",
    ],
)  # fmt: skip
def test_credentials_that_were_repaired_since_the_failure(live: HostProject, error: str) -> None:
    live.lines((-60, f"ERROR: {error.format(live.credentials)}"))
    live.failing.touch()
    assert live.status()["last_error"]["fix"] == ""
    live.credentials.write_text("{", "utf-8")
    assert live.status()["last_error"]["fix"] != ""


def test_next_run_after_the_expiry(live: HostProject) -> None:
    live.login(HOUR_S)
    (warning,) = live.status()["warnings"]
    fix = command("refresh", live.project)
    assert warning == f"the token expires before the next run. Run: {fix}"
    # The hourly run renews it, too.
    live.timers({f"{UNIT}.timer": 9 * HOUR_S, f"{UNIT}-heal.timer": HOUR_S / 2})
    assert live.status()["warnings"] == []
    live.timers({f"{UNIT}.timer": HOUR_S / 2})
    assert live.status()["warnings"] == []


def test_renewal_in_the_second_of_the_expiry(live: HostProject) -> None:
    live.login(HOUR_S)
    live.lines((HOUR_S, "Claude CLI refreshed token successfully"))
    done = live.run("status")
    assert (done.returncode, done.stderr) == (0, "")


def test_run_that_systemd_did_not_start(live: HostProject) -> None:
    live.timers({})
    lock = live.log.with_name("oauth-refresh.lock")
    lock.touch(0o600)
    assert "no run is scheduled" in live.run("status").stdout
    argv = ["/bin/bash", "-c", 'exec 9>>"$1"; flock 9; echo; read -r', "bash", str(lock)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        shown = live.run("status").stdout
        assert f"Next run  a run is in progress: PID {process.pid} (bash)\n" in shown
        assert live.status()["warnings"] == []
        process.communicate(b"\n")


def test_lock_that_cannot_be_written(live: HostProject) -> None:
    lock = live.log.with_name("oauth-refresh.lock")
    lock.touch()
    lock.chmod(0o400)
    live.without_override()
    live.lines((-60, f"ERROR: {lock} cannot be locked"))
    data = live.status()
    assert data["failing_since_s"] == pytest.approx(live.now_s - 60, abs=1)
    doctor = command("doctor", live.project)
    assert data["warnings"] == [f"no run can write {lock}. To see the fix, run: {doctor}"]
    assert "FAIL  runs: " in live.run("doctor").stdout
    lock.chmod(0o600)
    data = live.status()
    assert (data["failing_since_s"], data["warnings"]) == (None, [])
    assert " ok   runs: " in live.run("doctor").stdout


def test_log_that_is_a_link_to_a_missing_file(live: HostProject) -> None:
    live.log.unlink()
    live.log.symlink_to("elsewhere.log")
    assert live.status()["warnings"] == []


def test_dotenv_in_a_missing_directory(live: HostProject) -> None:
    data = live.status(OAUTHKIT_DOTENV=f"{live.project}/missing/.env")
    doctor = command("doctor", live.project)
    why = "the directory of .env does not exist. To see the fix, run:"
    assert data["warnings"] == [f"{why} {doctor}"]


def test_bearer_file_with_other_content(live: HostProject) -> None:
    bearer = live.project / "bearer"
    bearer.write_text('{"other": 1}\n', "utf-8")
    (warning,) = live.status(OAUTHKIT_BEARER=str(bearer))["warnings"]
    fix = "unset OAUTHKIT_BEARER"
    problem = f"{bearer} is not a bearer file. A refresh does not touch it"
    assert warning == f"bearer file: {problem}: {fix}"


def test_login_is_that_of_the_setting(live: HostProject) -> None:
    directory = live.home / "a b"
    directory.mkdir()
    live.credentials.unlink()
    (warning,) = live.status(CLAUDE_CONFIG_DIR=str(directory))["warnings"]
    assert warning.endswith(f": CLAUDE_CONFIG_DIR='{directory}' claude auth login")


def test_same_refresh_is_not_the_fix_of_failing_runs(live: HostProject) -> None:
    live.deliver(OTHER)
    live.lines((-60, "ERROR: claude exited 0 and renewed nothing. Is its token endpoint down?"))
    live.failing.touch()
    assert live.status()["warnings"] == []
    live.dotenv.unlink()
    assert live.status()["warnings"] == []


def test_new_project_has_no_figures_yet(live: HostProject) -> None:
    live.log.write_text("")
    live.lines((-5, "ERROR: jq not found in PATH. It is needed to read the credentials"))
    live.failing.touch()
    shown = live.run("status").stdout
    assert "Coverage  shown after an hour: the log starts at " in shown
    assert re.search(r"^Failing   since [^,]*$", shown, re.MULTILINE)


def test_without_a_login_its_end_is_not_shown(live: HostProject) -> None:
    live.credentials.unlink()
    assert "\nLogin " not in live.run("status").stdout


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_lines_fit_into_the_terminal(live: HostProject, columns: int) -> None:
    live.login(-1, refreshTokenExpiresAt=live.ms(HOUR_S))
    live.lines(
        (-1 * HOUR_S, "ERROR: claude exited 0 and renewed nothing. Is its token endpoint down?")
    )
    live.failing.touch()
    shown = live.run("status", COLUMNS=str(columns)).stdout
    assert "▁" in shown or "▇" in shown
    long = [line for line in shown.splitlines() if len(line) > columns]
    fix = f"claude auth login && {command('refresh', live.project)}"
    # A path or a command is not broken.
    assert {line[10:].strip() for line in long if " " in line[10:].strip()} <= {fix}


def test_directory_in_place_of_the_lock(live: HostProject) -> None:
    lock = live.log.with_name("oauth-refresh.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    doctor = command("doctor", live.project)
    said = [f"no run can write {lock}. To see the fix, run: {doctor}"]
    assert live.status()["warnings"] == said


def test_log_in_a_directory_that_cannot_be_created(live: HostProject) -> None:
    closed = live.home / "closed"
    closed.mkdir(0o500)
    live.without_override()
    doctor = command("doctor", live.project)
    said = [f"no run can create {closed}/logs. To see the fix, run: {doctor}"]
    assert live.status(OAUTHKIT_LOG=f"{closed}/logs/x.log")["warnings"] == said


def test_run_that_could_not_take_the_lock(live: HostProject) -> None:
    """It does not create the mark of a failure."""
    live.deliver(OTHER)
    os.utime(live.dotenv, (live.now_s - 4 * HOUR_S,) * 2)
    error = f"flock not found in PATH. It is needed to lock {live.log.parent}/oauth-refresh.lock"
    live.lines((-4 * HOUR_S, f"Updated .env with token (expires_at={live.ms(0)})"),
               (-HOUR_S, f"ERROR: {error}"))  # fmt: skip
    shown = " ".join(live.run("status", COLUMNS="200").stdout.split())
    assert "Failing" in shown
    assert "flock not found in PATH" in shown
    runs = live.run("doctor").stdout.partition("runs: ")[2].splitlines()[0]
    assert runs == f"they fail: {error}. First apply the fixes above"


def test_token_that_a_later_renewal_has_replaced_is_not_manual(live: HostProject) -> None:
    """The log, which has the delivery, is missing. The lock shows that there were runs."""
    live.deliver(OTHER)
    os.utime(live.dotenv, (live.now_s - 4 * HOUR_S,) * 2)
    live.log.unlink(missing_ok=True)
    assert live.status()["dotenv"]["is_manual"] is True
    (live.log.parent / "oauth-refresh.lock").touch(0o600)
    assert live.status()["dotenv"]["is_manual"] is False
    assert "by hand" not in live.run("status").stdout


def test_commands_are_not_broken(live: HostProject) -> None:
    live.deliver(OTHER)
    live.lines((-HOUR_S, "ERROR: no accessToken in credentials"))
    commands = [command("uninstall", live.project), f"→ {command('refresh', live.project)}"]
    shown = live.run("status", COLUMNS="50").stdout
    live.failing.touch()
    shown += live.run("status", COLUMNS="50").stdout
    live.dotenv.unlink()
    live.dotenv.mkdir()
    commands.append(f"rmdir {live.dotenv}")
    shown += live.run("status", COLUMNS="50").stdout
    lines = [line.strip() for line in shown.splitlines()]
    assert [lines.count(line) for line in commands] == [1, 2, 1]


def on_terminal(host: HostProject, env: dict[str, str]) -> str:
    """Return what status prints on a terminal."""
    terminal, end = pty.openpty()
    argv = [sys.executable, "-m", "oauthkit", "status", "--project", str(host.project)]
    env = {"HOME": str(host.home), "PATH": str(host.bin), **SAME_CODE, **env}
    subprocess.run(argv, env=env, stdout=end, check=True, cwd="/")
    os.close(end)
    shown = os.read(terminal, 65536)
    os.close(terminal)
    return shown.decode()


def test_colours_are_for_terminals(live: HostProject) -> None:
    for env, is_colour in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        shown = on_terminal(live, env)
        assert ("\x1b[" in shown) == is_colour
        assert "has the token" in shown


# --- Metrics ---


def test_metrics_are_replaced_atomically(live: HostProject, tmp_path: Path) -> None:
    file = tmp_path / "oauthkit.prom"
    file.write_text("old", encoding="utf-8")
    inode = file.stat().st_ino
    done = live.run("status", "--prometheus", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.stat().st_ino != inode
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.glob(".oauthkit.prom*")) == []
    text = file.read_text(encoding="utf-8")
    assert text == live.run("status", "--prometheus", "-").stdout
    lines = text.splitlines()
    label = f'{{project="{live.project}"}}'
    assert f"oauthkit_live{label} 1.0" in lines
    assert f"oauthkit_coverage_ratio{label} 1.0" in lines
    assert not any("failing" in line for line in lines)
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert [line.partition("{")[0] for line in lines if line[0] != "#"] == names


def test_metrics_that_cannot_be_written(live: HostProject, tmp_path: Path) -> None:
    file = tmp_path / "no-directory/oauthkit.prom"
    done = live.run("status", "--prometheus", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    said = f"{file} cannot be written: there is no directory {file.parent}"
    assert done.stderr == f"oauthkit status: {said}\n"
    (tmp_path / "no-directory").touch()
    done = live.run("status", "--prometheus", str(file))
    assert (done.returncode, done.stderr) == (2, f"oauthkit status: {said}\n")


# --- Wrong usage ---


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--json", "--prometheus", "-"), "invalid ['--json']. See oauthkit status --help"),
        (
            ("more",),
            ", got ['more']. See oauthkit status --help. Pass a project as --project DIR",
        ),
        (("--no-such-switch",), "unknown switch --no-such-switch. See oauthkit status --help"),
    ],
)
def test_usage_error(live: HostProject, arguments: tuple[str, ...], said: str) -> None:
    done = live.run("status", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("oauthkit status: ")
    assert line.endswith(said)


def test_home_is_not_set(live: HostProject) -> None:
    done = live.run("status", HOME="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "oauthkit status: HOME is not set" in done.stderr


def test_no_project(live: HostProject) -> None:
    live.project = live.project / "none"
    done = live.run("status")
    assert done.returncode == 2
    assert (
        done.stderr == f"oauthkit status: '{live.project}' is not a directory. Pass --project DIR\n"
    )


def test_refresh_does_not_import_host_modules() -> None:
    code = "import sys, oauthkit.cli, oauthkit.program.refresh; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "oauthkit.program.refresh" in loaded
    assert not {name for name in loaded if ".host" in name}


def test_control_characters_are_not_printed(live: HostProject) -> None:
    odd = live.project.with_name("odd\x1b[31m\nname")
    live.project.rename(odd)
    live.project = odd
    done = live.run("status")
    assert "\x1b" not in done.stdout
    assert "odd�[31m�name" in done.stdout.replace("\n          ", "")


# --- Unusual files and answers ---


def test_pipe_in_place_of_a_file(live: HostProject) -> None:
    for file in (live.dotenv, live.credentials, live.log):
        file.unlink()
        os.mkfifo(file)
    data = live.status()
    assert data["token"]["problem"].endswith(" is not a file but a FIFO")
    assert data["dotenv"]["problem"].endswith(" is not a file but a FIFO")
    assert [said.rpartition(": ")[2] for said in data["warnings"]] == [
        f"mv {shlex.quote(str(live.log))} {shlex.quote(str(live.log))}.old",
        f"mv {shlex.quote(str(live.credentials))} {shlex.quote(str(live.credentials))}.old",
    ]
    assert data["coverage"]["share"] is None


def test_credentials_that_are_nested_too_deeply(live: HostProject) -> None:
    live.credentials.write_text("[" * 100_000, encoding="utf-8")
    assert live.status()["token"]["problem"].endswith(" is not valid JSON")


def test_times_outside_the_calendar(live: HostProject) -> None:
    live.login(None, expiresAt=999_999_999_999_999, refreshTokenExpiresAt=999_999_999_999_999)
    done = live.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "until a time out of range" in done.stdout


def test_time_in_the_future(live: HostProject) -> None:
    live.lines((2 * HOUR_S, "Claude CLI refreshed token successfully"))
    live.failing.touch()
    os.utime(live.failing, (live.now_s + 2 * HOUR_S,) * 2)
    shown = live.run("status").stdout
    assert shown.count(", in the future: is the clock right?") == 2
    assert " ago" not in shown


@pytest.mark.parametrize("next_us", ["null", "0", "18446744073709551615"])
def test_a_timer_that_will_not_elapse(live: HostProject, next_us: str) -> None:
    rows = f'[{{"unit":"{UNIT}.timer","next":{next_us}}},{{"unit":"x.timer"}}]'
    live.program("systemctl", f"#!/bin/sh\n[ $3 = list-timers ] && echo '{rows}'\n")
    data = live.status()
    assert data["next_run"]["at_s"] is None
    assert data["warnings"] == [
        f"no run is scheduled. To see the fix, run: {command('doctor', live.project)}"
    ]


def test_run_in_progress_schedules_the_next_run(live: HostProject) -> None:
    answer = "show) printf 'ActiveState=inactive\\n\\nActiveState=activating\\n' ;; *) echo '[]' ;;"
    live.program("systemctl", f"#!/bin/sh\ncase $3 in {answer} esac\n")
    data = live.status()
    assert (data["next_run"]["is_running"], data["warnings"]) == (True, [])
    own = f"{UNIT}-{escape_unit(str(live.project))}.service"
    shown = live.run("status", COLUMNS="300").stdout
    assert f"Next run  a run is in progress: {own}\n" in shown


def test_run_of_another_project_is_not_this_projects(live: HostProject) -> None:
    argv = f"/bin/bash {live.project}2/scripts/oauth/refresh.sh"
    start = f"ExecStart={{ path=/bin/bash ; argv[]={argv} ; ignore_errors=no }}"
    shown = f"LoadState=loaded\\nActiveState=activating\\n{start}\\n"
    live.program(
        "systemctl", f"#!/bin/sh\ncase $3 in show) printf '{shown}' ;; *) echo '[]' ;; esac\n"
    )
    assert live.status()["next_run"]["is_running"] is False


def test_run_in_progress_while_only_the_hourly_timer_is_due(live: HostProject) -> None:
    rows = f'[{{"unit":"{UNIT}-heal.timer","next":{live.ms(HOUR_S)}000}}]'
    argv = f"/bin/bash {live.project}/scripts/oauth/refresh.sh"
    start = f"ExecStart={{ path=/bin/bash ; argv[]={argv} ; ignore_errors=no }}"
    shown = f"LoadState=loaded\\nActiveState=activating\\n{start}\\n"
    answer = f"list-timers) echo '{rows}' ;; show) printf '{shown}' ;;"
    live.program("systemctl", f"#!/bin/sh\ncase $3 in {answer} esac\n")
    assert live.status()["next_run"]["is_running"] is True
    text = f". A run is in progress: {UNIT}.service\n"
    assert text in live.run("status", COLUMNS="300").stdout
    killed = answer.replace("=activating", "=activating\\nSubState=auto-restart")
    live.program("systemctl", f"#!/bin/sh\ncase $3 in {killed} esac\n")
    text = f". A run was killed. systemd starts {UNIT}.service again within 7 min\n"
    assert text in live.run("status", COLUMNS="300").stdout


def test_list_of_timers_may_be_null(live: HostProject) -> None:
    live.program("systemctl", "#!/bin/sh\necho null\n")
    assert live.status()["next_run"]["timers"] == 0


def test_a_token_in_an_old_log_is_not_shown(live: HostProject) -> None:
    live.lines((-60, "ERROR: claude said sk-ant-oat01-made-up"))
    live.failing.touch()
    assert live.status()["last_error"]["text"] == "claude said sk-ant-***"
    assert "claude said sk-ant-***" in live.run("status").stdout


def test_only_the_end_of_a_huge_log_is_read(live: HostProject) -> None:
    line = live.log.read_bytes()
    live.log.write_bytes(b"2026-01-01T00:00:00+00:00 ERROR: early\n" * 200_000 + line)
    data = live.status()
    assert data["coverage"]["share"] is not None
    assert data["last_renewal_s"] is not None


def test_output_that_cannot_be_written_is_an_error(live: HostProject) -> None:
    argv = [sys.executable, "-m", "oauthkit", "status", "--project", str(live.project)]
    env = {"HOME": str(live.home), "PATH": str(live.bin), "PYTHONIOENCODING": "ascii"}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(argv, env=env, stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"oauthkit: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)
    done = subprocess.run(argv, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_metrics_follow_a_link_and_only_replace_files(live: HostProject, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    assert live.run("status", "--prometheus", str(tmp_path / "link")).returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text("utf-8").startswith("# HELP")
    for odd in (tmp_path, Path("/dev/null")):
        done = live.run("status", "--prometheus", str(odd))
        assert (done.returncode, "is not a file. To print the metrics, give -" in done.stderr) == (
            1,
            True,
        )
    assert not [*tmp_path.glob(".*")]


def test_deleted_directory(live: HostProject, tmp_path: Path) -> None:
    gone = f"cd {shlex.quote(str(tmp_path))}; mkdir gone; cd gone; rmdir ../gone"
    code = f"{gone}; exec {shlex.quote(sys.executable)} -m oauthkit status"
    env = {"HOME": str(live.home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("oauthkit status: ")


@pytest.mark.parametrize(
    ("day", "shown"),
    [
        ((2026, 5, 4), "08:30"),
        ((2026, 5, 5), "Tue 05 May 08:30"),
        ((2027, 5, 4), "Tue 04 May 2027 08:30"),
    ],
)
def test_time_on_another_day_or_in_another_year(day: tuple[int, int, int], shown: str) -> None:
    zone = datetime.now(timezone.utc).astimezone().tzinfo
    now_s = datetime(2026, 5, 4, 7, tzinfo=zone).timestamp()
    at_s = datetime(*day, 8, 30, tzinfo=zone).timestamp()
    assert clock(at_s, now_s) == shown


# --- All projects ---

ALL = """#!/bin/sh
case $3 in
  list-units)
    echo '[{"unit":"a.timer"},{"unit":"a.service"},{"unit":"b-watch.service"},
          {"unit":"c.timer"}]' ;;
  show)
    [ "$4 $5 $6 $7" = "a.service b-watch.service c.service --property=LoadState" ] || exit 64
    run() { echo "ExecStart={ path=/x ; argv[]=$1 ; ignore_errors=no ; pid=0 }"; }
    run '/bin/bash PROJECT/scripts/oauth/refresh.sh'; echo
    run '/bin/oauthkit watch --project=PROJECT-gone'; echo
    run /bin/true ;;
  list-timers) echo '[]' ;;
  *) exit 64 ;;
esac
"""


def run_all(host: HostProject) -> tuple[int, list[str]]:
    argv = [sys.executable, "-m", "oauthkit", "status", "--all"]
    env = {"HOME": str(host.home), "PATH": str(host.bin), **SAME_CODE}
    done = forked.run_text(argv, Path("/"), env, has_overrides=host.has_overrides)
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_all_projects_of_this_user(live: HostProject) -> None:
    live.program("systemctl", ALL.replace("PROJECT", str(live.project)))
    hint = f"To see the fix, run: {command('doctor', live.project)}"
    text = f"note  {live.project}: 4 h 59 min left; no run is scheduled. {hint}"
    gone = f"FAIL  {live.project}-gone: "
    status, (first, second) = run_all(live)
    assert (status, first) == (1, text)
    removal = command("uninstall", Path(f"{live.project}-gone"))
    assert second == f"{gone}it does not exist. If it was removed, run: {removal}"
    other = live.project.parent / "project-gone"
    other.symlink_to("project-gone")
    problem = f"{gone}{other} is a link that leads to itself"
    said = f"{problem}. Pass another --project DIR, or fix it: mv "
    assert run_all(live)[1][1].startswith(said)
    other.unlink()
    other.mkdir()
    error = "jq not found in PATH. It is needed to read the credentials"
    live.lines((-60, f"ERROR: {error}"))
    live.failing.touch()
    live.login(-1)
    first, second = run_all(live)[1]
    fix = "install jq in a directory in the timer's PATH"
    assert first == f"FAIL  {live.project}: no live token; {error} → {fix}"
    assert second.startswith(f"{gone}no live token; ")
    line = f"* * * * * bash {live.project}/scripts/oauth/refresh.sh"
    live.program("crontab", f"#!/bin/sh\necho '{line}'\n")
    link = live.project.with_name("link")
    link.symlink_to(live.project)
    live.program("systemctl", ALL.replace("PROJECT", str(link)))
    assert len(run_all(live)[1]) == 2


def test_summary_of_a_token_without_a_login(live: HostProject) -> None:
    live.program("systemctl", ALL.replace("PROJECT", str(live.project)))
    live.lines((5, f"Updated .env with token (expires_at={live.ms(3600)})"))
    live.credentials.unlink()
    line = run_all(live)[1][0]
    text = "it is unknown whether the token in .env is live"
    assert line.startswith(f"FAIL  {live.project}: {text}; {live.credentials} not found")


def test_project_in_a_closed_directory(live: HostProject) -> None:
    live.without_override()
    closed = live.home / "closed"
    closed.mkdir(mode=0)
    answers = ALL.replace("PROJECT-gone", f"{closed}/project").replace("PROJECT", str(live.project))
    live.program("systemctl", answers)
    line = run_all(live)[1][0]
    problem = f"{closed}/project is not readable. Pass another --project DIR"
    assert line == f"FAIL  {closed}/project: {problem}, or fix it: chmod u+rwx {closed}"


def test_project_with_unit_files_that_are_not_loaded(live: HostProject) -> None:
    """After a restart of the manager, a disabled timer is not loaded."""
    live.program("systemctl", "#!/bin/sh\necho '[]'\n")
    live.unit_directory.mkdir(parents=True)
    (live.unit_directory / f"{UNIT}-heal.timer").write_text(
        f"{_MARK}{str(live.project)!r}\n", encoding="utf-8"
    )
    status, (line,) = run_all(live)
    assert (status, line.startswith(f"note  {live.project}: ")) == (0, True)


def test_all_projects_without_a_manager(live: HostProject) -> None:
    live.program(
        "systemctl", "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2; exit 1\n"
    )
    problem = "the systemd user manager does not answer: Failed to connect to bus: No medium found"
    assert run_all(live) == (1, [f"oauthkit status: {problem}"])
    gone = f"{live.project}-gone"
    for number, project in enumerate((gone, str(live.project), str(live.project))):
        unit = live.home / f".config/systemd/user/{number}-heal.timer"
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text(
            f"# Written by oauthkit install, removed by oauthkit uninstall. Project: {project!r}\n"
        )
    status, lines = run_all(live)
    assert (status, lines[0]) == (1, f"FAIL  {problem}. No timer can start a run")
    assert [line.partition(": ")[0] for line in lines[1:]] == [
        f"note  {live.project}",
        f"FAIL  {gone}",
    ]


def test_runtime_directory_of_another_user(
    live: HostProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """After su, XDG_RUNTIME_DIR can still be the previous user's. The timers still start runs."""
    exists, runtime = os.path.exists, f"/run/user/{os.getuid()}"

    def has_bus(value: bool) -> None:
        bus = f"{runtime}/bus"
        monkeypatch.setattr(os.path, "exists", lambda x: value if str(x) == bus else exists(x))

    live.program("systemctl", "#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n")
    live.unit_directory.mkdir(parents=True)
    (live.unit_directory / f"{UNIT}-heal.timer").write_text(
        f"{_MARK}{str(live.project)!r}\n", encoding="utf-8"
    )
    problem = "the systemd user manager does not answer: Failed to connect to bus"
    monkeypatch.setenv("HOME", str(live.home))
    monkeypatch.setenv("PATH", str(live.bin))
    monkeypatch.setattr(scheduling, "BOOTED", live.home)
    fix = f"Run: export XDG_RUNTIME_DIR={runtime}"
    for is_there, given, end in (
        (False, "/run/user/1", ""),
        (True, runtime, ""),
        (True, "/run/user/1", fix),
    ):
        has_bus(is_there)
        monkeypatch.setenv("XDG_RUNTIME_DIR", given)
        assert report_all() == 1
        shown = capfd.readouterr().out
        assert shown.startswith(f"FAIL  {problem}. {end or 'No timer can start a run'}\n")
    (found,) = scheduling.systemd(find_paths(str(live.project)))
    assert (found.text, found.fix) == (problem, f"export XDG_RUNTIME_DIR={runtime}")


def test_no_project_of_this_user(live: HostProject) -> None:
    live.program("systemctl", "#!/bin/sh\necho '[]'\n")
    said = "oauthkit status: none of this user's units or crontab lines refreshes a project. See"
    assert run_all(live) == (1, [f"{said} oauthkit install --help"])


@pytest.mark.parametrize("has_manager", [True, False])
def test_all_projects_that_cron_refreshes(live: HostProject, *, has_manager: bool) -> None:
    if has_manager:
        live.program("systemctl", "#!/bin/sh\n[ $3 = list-timers ] && echo '[]'\n")
    else:
        (live.bin / "systemctl").unlink()
    gone = f"{live.project}-gone"
    script = live.project / "scripts/oauth/refresh.sh"
    script.parent.mkdir(parents=True)
    script.touch()
    lines = f"""
PATH=/usr/bin
*/4 * * * * bash {live.project}/scripts/oauth/refresh.sh --ensure
0 3 * * * cd {live.project.parent} && oauthkit refresh --project {gone}
@daily oauthkit refresh --project {live.project}
@daily oauthkit status --project /other
@daily bash $UNKNOWN/scripts/oauth/refresh.sh
@daily gcloud refresh --project my-project
@daily bash -c "bash /p/scripts/oauth/refresh.sh"
"""
    live.program("crontab", f"#!/bin/sh\necho '{lines}'\n")
    removal = "it does not exist. If it was removed, run crontab -e, and remove its line"
    status, shown = run_all(live)
    assert (status, shown[1:]) == (1, [f"FAIL  {gone}: {removal}"])
    assert shown[0] == f" ok   {live.project}: 4 h 59 min left"
    live.program("crontab", f"#!/bin/sh\necho '{lines.replace(gone, str(live.project))}'\n")
    assert run_all(live) == (0, shown[:1])


@pytest.mark.parametrize("is_renewed", [False, True])
def test_rejected_token_is_not_live(live: HostProject, *, is_renewed: bool) -> None:
    assert live.status()["live"] is True
    live.failing.write_text("rejected", "utf-8")
    expiry = live.ms(5 * HOUR_S - 1) if is_renewed else read_expiry(live)
    (live.credentials.parent / REJECTED).write_text(f"{expiry} {live.ms(-60)}", "utf-8")
    assert live.status()["live"] is is_renewed
    live.program("systemctl", ALL.replace("PROJECT", str(live.project)))
    first = run_all(live)[1][0]
    assert ("the API rejects the token" in first) is not is_renewed
    assert "bearer" not in first


def read_expiry(host: HostProject) -> int:
    found: int = json.loads(host.credentials.read_text("utf-8"))["claudeAiOauth"]["expiresAt"]
    return found


def test_all_projects_without_home(live: HostProject) -> None:
    live.program("systemctl", "#!/bin/sh\nexit 1\n")
    argv = [sys.executable, "-m", "oauthkit", "status", "--all"]
    done = forked.run_text(argv, Path("/"), {"PATH": str(live.bin), **SAME_CODE})
    assert done.returncode == 1
    assert done.stderr.endswith(
        "HOME is not set, so the directory of the user units is unknown. Set HOME\n"
    )


def test_missing_program_that_every_run_needs(live: HostProject) -> None:
    """The token is still live, but no run can renew it."""
    live.program("flock", "#!/bin/sh\n")
    live.lines((-60, "ERROR: flock not found in PATH. It is needed to lock x"))
    assert live.status()["failing_since_s"] is None
    (live.bin / "flock").unlink()
    assert live.status()["failing_since_s"] is not None
