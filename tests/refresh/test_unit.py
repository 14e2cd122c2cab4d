"""A whole refresh in this process: the order of its steps, its exit statuses, what it leaves."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support.refresh.fake_host import HOUR_MS, MINUTE_MS, NOW_MS, TOKEN, release

from oauthkit import shell
from oauthkit.program import refresh

if TYPE_CHECKING:
    from pytest_subprocess.process_recorder import ProcessRecorder
    from tests.support.refresh.fake_host import Host

LINE = f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
FRESH = f"Token still fresh (remaining_ms={HOUR_MS}), syncing to .env"
UPDATED = f"Updated .env with token (expires_at={NOW_MS + HOUR_MS})"
SCHEDULED = "Scheduled next refresh at 2026-01-02T03:34:05+00:00"
USAGE = "usage: refresh.sh [--ensure]"
RETRY = "Scheduled next refresh at 2026-01-02T03:09:05+00:00"


@pytest.fixture
def ready(host: Host) -> Host:
    """A host that can deliver and arm, in a process that has not opened its log yet."""
    assert shell._log is not None
    os.close(shell._log)
    host.monkeypatch.setattr(shell, "_log", None)
    host.install("systemd-run")
    host.monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    host.real("chmod", "cp", "mkdir", "mv", "readlink", "rm", "stat", "sync")
    host.fake("systemctl")
    host.fake("systemd-run")
    return host


def run(host: Host, *, ensure: bool = False) -> int:
    return refresh.refresh(host.path(host.project), ensure)


def failing_mark(host: Host) -> Path:
    return host.logs / "oauth-refresh.failing"


def test_good_run(ready: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host = ready
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert host.dotenv.read_text(encoding="utf-8") == LINE
    assert host.dotenv.stat().st_mode & 0o7777 == 0o600
    assert host.lines() == [FRESH, UPDATED, SCHEDULED]
    assert host.names() == ["stat", "jq", "chmod", "sync", "mv", "systemctl", "systemd-run"]
    assert Path.cwd() == Path("/")
    assert not failing_mark(host).exists()
    assert capfd.readouterr() == ("", "")


def test_logs_folder_is_made_for_its_owner_only(ready: Host) -> None:
    host = ready
    host.log_file.unlink()
    host.logs.rmdir()
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert host.logs.stat().st_mode & 0o7777 == 0o700
    assert host.log_file.stat().st_mode & 0o7777 == 0o600
    assert host.names()[0] == "mkdir"


def test_what_turns_claude_away_from_the_login_is_taken_out(ready: Host) -> None:
    names = ["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]
    names += ["CLAUDE_CODE_SIMPLE", "CLAUDECODE"]
    for name in names:
        local.env[name] = "x"
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert not [name for name in names if name in local.env]


def test_failed_run_and_its_mark(ready: Host) -> None:
    host = ready
    host.jq_prints("", status=5)
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    assert run(host) == 1
    lines = host.lines()
    assert lines[0] == f"ERROR: {host.credentials} is not valid JSON (jq exit 5)"
    assert lines[-1] == RETRY
    assert len(lines) == 3
    assert failing_mark(host).read_bytes() == b""
    assert host.dotenv.read_text(encoding="utf-8") == "A=1\n"


def test_mark_stays_until_a_good_run(ready: Host) -> None:
    host = ready
    mark = failing_mark(host)
    mark.write_text("since long", encoding="utf-8")
    host.jq_prints("", status=5)
    assert run(host) == 1
    assert mark.read_text(encoding="utf-8") == "since long"
    release(host.lock)
    host.fake("systemctl")
    host.fake("systemd-run")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert not mark.exists()


def test_hooks_learn_of_both_events_of_a_run(ready: Host) -> None:
    host = ready
    hooks = host.project / "scripts" / "oauth" / "hooks"
    paths = [host.install(event, hooks) for event in ("renewed", "recovered")]
    failing_mark(host).touch()
    host.credentials_are(TOKEN, HOUR_MS)
    recorders = [host.fake("timeout") for _ in paths]
    assert run(host) == 0
    assert host.calls("timeout") == [["-k", "5", "30", path] for path in paths]
    for recorder, event in zip(recorders, ("renewed", "recovered"), strict=True):
        assert told(recorder) == {
            "EVENT": event,
            "REASON": "",
            "EXPIRES_AT": str(NOW_MS + HOUR_MS),
            "DOTENV": str(host.dotenv),
        }
    assert host.lines()[-3:] == [SCHEDULED, "Hook renewed succeeded", "Hook recovered succeeded"]


def test_hook_learns_why_a_run_failed(ready: Host) -> None:
    host = ready
    host.install("failed", host.project / "scripts" / "oauth" / "hooks")
    host.jq_prints("", status=5)
    recorder = host.fake("timeout")
    assert run(host) == 1
    assert told(recorder) == {
        "EVENT": "failed",
        "REASON": f"{host.credentials} is not valid JSON (jq exit 5)",
        "EXPIRES_AT": "",
        "DOTENV": str(host.dotenv),
    }


def told(recorder: ProcessRecorder) -> dict[str, str]:
    """Return the variables of the project in the environment of a hook."""
    how = recorder.calls[0].kwargs
    assert how is not None
    prefix = "OAUTHKIT_"
    return {
        name.removeprefix(prefix): value
        for name, value in how["env"].items()
        if name.startswith(prefix)
    }


def test_renewal_of_a_run_finds_claude_in_home(ready: Host) -> None:
    host = ready
    claude = host.install("claude", host.home / ".local" / "bin")
    host.credentials_are(TOKEN, 0)
    recorder = host.fake("timeout")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert claude in host.calls("timeout")[0]
    assert told(recorder) == {}


def test_home_becomes_absolute(ready: Host) -> None:
    local.env["HOME"] = "x/../home"
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert local.env["HOME"] == str(ready.home)


@pytest.mark.parametrize("setting", [None, ""])
def test_no_folder_of_claude_is_set(ready: Host, setting: str | None) -> None:
    if setting is not None:
        local.env["CLAUDE_CONFIG_DIR"] = setting
    ready.credentials_are(TOKEN, HOUR_MS)
    assert run(ready) == 0
    assert "CLAUDE_CONFIG_DIR" not in local.env


def test_directories_above_the_log_are_made(host: Host) -> None:
    host.real("mkdir", "stat")
    assert refresh.begin(host.path(host.root / "a" / "b" / "log")) == 0
    assert (host.root / "a" / "b" / "log").exists()
    release(host.root / "a" / "b" / "oauth-refresh.lock")


def test_core_dumps_are_disabled_first(host: Host) -> None:
    calls: list[None] = []
    host.monkeypatch.setattr(refresh, "disable_core_dumps", lambda: calls.append(None))
    del local.env["HOME"]
    run(host)
    assert calls == [None]


def test_delivery_fails(ready: Host) -> None:
    host = ready
    host.dotenv.mkdir()
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 1
    assert f"ERROR: {host.dotenv} cannot be read, it is not touched" in host.lines()
    assert host.lines()[-1] == RETRY
    assert failing_mark(host).exists()


def test_link_that_leads_nowhere(ready: Host) -> None:
    host = ready
    host.dotenv.symlink_to(host.dotenv)
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 1
    assert f"ERROR: {host.dotenv} is a symbolic link that leads nowhere" in host.lines()
    assert host.lines()[-1] == RETRY


@pytest.mark.parametrize("kind", ["file", "link"])
@pytest.mark.parametrize("status", [0, 5])
def test_leftover_temporary_is_swept(ready: Host, kind: str, status: int) -> None:
    host = ready
    target = host.root / "elsewhere"
    target.write_text("A=1\n", encoding="utf-8")
    host.dotenv.symlink_to(target)
    temporary = host.root / "elsewhere.oauthkit.1767323044999999"
    others = [host.root / f"elsewhere.oauthkit{end}" for end in ("", ".", ".1a", ".bak")]
    for file in others:
        file.write_text("of the user", encoding="utf-8")
    if kind == "file":
        temporary.write_text("half of a token", encoding="utf-8")
    else:
        temporary.symlink_to("/no/such/file")
    host.jq_prints(f'"object"\n"{TOKEN}"\n{NOW_MS + HOUR_MS}\n', status=status)
    assert run(host) == (1 if status else 0)
    assert not temporary.is_symlink()
    assert not temporary.exists()
    assert all(file.exists() for file in others)
    assert target.read_text(encoding="utf-8") == ("A=1\n" if status else f"A=1\n{LINE}")


def test_settings_move_every_file(ready: Host) -> None:
    host = ready
    local.env["CLAUDE_CONFIG_DIR"] = "x/../config"
    local.env["OAUTHKIT_DOTENV"] = "relative/.env"
    local.env["OAUTHKIT_LOG"] = str(host.root / "log" / "x.log")
    host.credentials = host.root / "config" / ".credentials.json"
    host.credentials.parent.mkdir()
    host.credentials.write_text("{}", encoding="utf-8")
    (host.root / "relative").mkdir()
    host.log_file = host.root / "log" / "x.log"
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert (host.root / "relative" / ".env").read_text(encoding="utf-8") == LINE
    assert (host.root / "log" / "oauth-refresh.lock").exists()
    assert host.lines() == [FRESH, UPDATED, SCHEDULED]
    assert not host.dotenv.exists()
    # Wherever the next run, and claude, start: these settings mean the same files.
    carried = {
        "CLAUDE_CONFIG_DIR": str(host.root / "config"),
        "OAUTHKIT_DOTENV": str(host.root / "relative" / ".env"),
        "OAUTHKIT_LOG": str(host.log_file),
    }
    (timer,) = host.calls("systemd-run")
    assert [f"--setenv={name}={value}" for name, value in carried.items()] == [
        word for word in timer if word.startswith(("--setenv=CLAUDE", "--setenv=OAUTHKIT"))
    ]
    assert local.env["CLAUDE_CONFIG_DIR"] == carried["CLAUDE_CONFIG_DIR"]


@pytest.mark.parametrize("home", [None, ""])
def test_no_home(host: Host, home: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    del local.env["HOME"]
    if home is not None:
        local.env["HOME"] = home
    assert run(host) == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("oauthkit: HOME is not set")
    assert captured.err.count("\n") == 1
    assert host.names() == []


@pytest.mark.parametrize(
    ("remaining_ms", "text", "done"),
    [(HOUR_MS, LINE, True), (5 * MINUTE_MS, LINE, False), (HOUR_MS, "", False)],
)
def test_ensure(ready: Host, remaining_ms: int, text: str, done: bool) -> None:
    host = ready
    host.dotenv.write_text(text, encoding="utf-8")
    for _ in range(1 if done else 2):
        host.credentials_are(TOKEN, remaining_ms)
    before = sorted(host.logs.iterdir())
    # A token with 5 min left is renewed first, and there is no claude.
    assert run(host, ensure=True) == (1 if remaining_ms == 5 * MINUTE_MS else 0)
    assert (host.names() == ["jq"]) is done
    assert (host.lines() == []) is done
    assert (sorted(host.logs.iterdir()) == before) is done


def test_log_that_cannot_be_written(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.log_file.unlink()
    host.log_file.mkdir()
    assert run(host) == 1
    assert capfd.readouterr().err == f"oauthkit: cannot write the log {host.log_file}\n"
    assert host.names() == []


def test_lock_is_held(host: Host) -> None:
    with host.lock.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run(host) == 1
    assert host.lines() == [f"ERROR: another refresh has held {host.lock} for 120 s"]
    assert 120 <= host.slept_s < 121
    assert host.names() == []


def test_flock_is_needed(host: Host) -> None:
    (host.bin / "flock").unlink()
    assert refresh.begin(host.path(host.log_file)) == 1
    assert host.lines() == [f"ERROR: flock not found in PATH, it is needed to lock {host.lock}"]


def test_lock_that_cannot_be_locked(host: Host) -> None:
    host.lock.mkdir()
    assert refresh.begin(host.path(host.log_file)) == 1
    assert host.lines() == [f"ERROR: {host.lock} cannot be locked"]


@pytest.mark.parametrize("foreign", ["logs", "log_file"])
def test_log_behind_a_link_of_another_user(
    host: Host, foreign: str, capfd: pytest.CaptureFixture[str]
) -> None:
    place = str(getattr(host, foreign))
    host.monkeypatch.setattr(refresh, "is_foreign_link", lambda path: str(path) == place)
    assert refresh.begin(host.path(host.log_file)) == 1
    said = f"the log {host.log_file} leads through a symbolic link of another user"
    assert capfd.readouterr().err == f"oauthkit: {said}\n"
    assert not host.lock.exists()


def test_run_outlives_signals_once_it_has_the_lock(host: Host) -> None:
    host.real("stat")
    assert refresh.begin(host.path(host.log_file)) == 0
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.raise_signal(number)


@pytest.mark.parametrize("what", ["log", "lock"])
def test_begin_gives_1_if_there_is_no_run(host: Host, what: str) -> None:
    place = host.log_file if what == "log" else host.lock
    place.unlink(missing_ok=True)
    place.mkdir()
    assert refresh.begin(host.path(host.log_file)) == 1
    assert host.names() == []


@pytest.mark.parametrize(("size", "moved"), [(1024 * 1024, False), (1024 * 1024 + 1, True)])
def test_long_log_is_moved(ready: Host, size: int, moved: bool) -> None:
    host = ready
    content = b"x" * (size - 1) + b"\n"
    host.log_file.write_bytes(content)
    old = host.logs / "oauth-refresh.log.1"
    old.write_bytes(b"older")
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    if moved:
        assert old.read_bytes() == content
        assert host.lines() == [FRESH, UPDATED, SCHEDULED]
    else:
        assert old.read_bytes() == b"older"
        assert host.log_file.stat().st_size > size


def test_umask_is_set_first(host: Host) -> None:
    del local.env["HOME"]
    run(host)
    assert os.umask(0o022) == 0o077


@pytest.mark.parametrize(
    ("arguments", "status", "out", "err"),
    [
        (("--help",), 0, USAGE + "\n", ""),
        (("--ensure", "--help"), 0, USAGE + "\n", ""),
        (("--wrong",), 2, "", f"oauthkit: unexpected argument --wrong\n{USAGE}\n"),
        (("--ensure", "--ensure"), 2, "", f"oauthkit: unexpected argument --ensure\n{USAGE}\n"),
        (("--ensure", ""), 2, "", f"oauthkit: unexpected argument \n{USAGE}\n"),
    ],
)
def test_command_line(
    host: Host,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    out: str,
    err: str,
) -> None:
    assert refresh.main(*arguments) == status
    assert capfd.readouterr() == (out, err)
    assert host.names() == []


def test_help_of_the_program_run_as_a_file() -> None:
    argv = [sys.executable, refresh.__file__, "--help"]
    done = subprocess.run(argv, env={}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{USAGE}\n"


@pytest.mark.parametrize("arguments", [(), ("--ensure",)])
def test_project_is_two_folders_above_the_script(host: Host, arguments: tuple[str, ...]) -> None:
    calls: list[tuple[str, bool]] = []

    def noted(project: str, ensure: bool) -> int:
        calls.append((str(project), ensure))
        return 7

    script = host.project / "scripts" / "oauth" / "refresh.py"
    script.parent.mkdir(parents=True)
    script.touch()
    link = host.root / "link"
    link.symlink_to(script)
    host.monkeypatch.setattr("sys.argv", [str(link), *arguments])
    host.monkeypatch.setattr(refresh, "refresh", noted)
    assert refresh.main(*arguments) == 7
    assert calls == [(str(host.project), arguments != ())]


def test_log_that_the_run_before_has_renamed_is_opened_again(ready: Host) -> None:
    host = ready

    def wait_for_the_lock(_path: str, _wait_s: int) -> int:
        host.log_file.rename(host.log_file.with_suffix(".log.1"))
        return 0

    host.monkeypatch.setattr(refresh, "take_lock", wait_for_the_lock)
    assert refresh.begin(host.path(host.log_file)) == 0
    shell.log("here")
    assert host.lines() == ["here"]
