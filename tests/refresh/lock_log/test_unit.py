"""The project lock and the log: unit tests in this process."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest
from plumbum import LocalPath, local
from tests.support.refresh.fake_host import HOUR_MS, TOKEN, release
from tests.support.refresh.whole_run import FRESH, SCHEDULED, UPDATED, run

from oauthkit import shell
from oauthkit.program import links, lock_log

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host


def test_logs_directory_is_created_private(ready: Host) -> None:
    host = ready
    host.log_file.unlink()
    host.logs.rmdir()
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert host.logs.stat().st_mode & 0o7777 == 0o700
    assert host.log_file.stat().st_mode & 0o7777 == 0o600
    assert host.names()[0] == "mkdir"


def test_directories_above_the_log_are_created(host: Host) -> None:
    host.real("mkdir", "stat")
    assert (
        lock_log.lock_project(host.path(host.root / "a" / "b" / "log"), host.path(host.credentials))
        == 0
    )
    assert (host.root / "a" / "b" / "log").exists()
    release(host.root / "a" / "b" / "oauth-refresh.lock")


def test_log_that_cannot_be_written(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.log_file.unlink()
    host.log_file.mkdir()
    assert run(host) == 1
    assert capfd.readouterr().err == f"oauthkit: the log {host.log_file} cannot be written\n"
    assert host.names() == []


@pytest.mark.parametrize(("failures", "result"), [(0, 0), (1, 0), (2, 1)])
def test_log_that_another_run_renames_meanwhile(host: Host, failures: int, result: int) -> None:
    """open_log fails if the name leads elsewhere after the open, so it is tried twice."""
    host.real("stat")
    results = [1] * failures
    opened = shell.open_log
    host.monkeypatch.setattr(
        lock_log, "open_log", lambda path: results.pop() if results else opened(path)
    )
    log_file, login = host.path(host.log_file), host.path(host.credentials)
    assert lock_log.lock_project(log_file, login) == result


def test_lock_is_held(host: Host) -> None:
    with host.lock.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run(host) == 1
    assert host.lines() == [f"ERROR: another refresh has held {host.lock} for 120 s"]
    assert 120 <= host.slept_s < 121
    assert host.names() == []


def test_missing_flock_is_an_error(host: Host) -> None:
    (host.bin / "flock").unlink()
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    assert host.lines() == [f"ERROR: flock not found in PATH. It is needed to lock {host.lock}"]


def test_lock_that_cannot_be_locked(host: Host) -> None:
    host.lock.mkdir()
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    assert host.lines() == [f"ERROR: {host.lock} cannot be locked"]


@pytest.mark.parametrize("foreign", ["logs", "log_file"])
def test_log_behind_a_link_of_another_user(
    host: Host, foreign: str, capfd: pytest.CaptureFixture[str]
) -> None:
    place = str(getattr(host, foreign))

    def resolve(path: LocalPath) -> tuple[str, LocalPath]:
        return "foreign" if path == place else "own", path

    host.monkeypatch.setattr(lock_log, "resolve", resolve)
    host.monkeypatch.setattr(links, "resolve", resolve)
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    said = f"the log path {host.log_file} contains another user's symbolic link"
    assert capfd.readouterr().err == f"oauthkit: {said}\n"
    assert not host.lock.exists()


@pytest.mark.parametrize(("target", "is_end"), [("other.log", True), ("/dev/stdout", False)])
def test_log_is_opened_where_its_links_end(host: Host, target: str, *, is_end: bool) -> None:
    """Another user could put a link there after the check."""
    host.real("readlink", "stat")
    host.log_file.unlink()
    host.log_file.symlink_to(target)
    opened: list[str] = []

    def open_log(path: LocalPath) -> int:
        opened.append(str(path))
        return 1

    host.monkeypatch.setattr(lock_log, "open_log", open_log)
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    assert opened == [str(host.log_file.with_name(target) if is_end else host.log_file)] * 2


@pytest.mark.parametrize(
    "target", ["no/such/directory/a.log", "loop", "with a newline\n", "link 1 of 45"]
)
def test_log_behind_links_that_cannot_be_followed(
    host: Host, target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    host.real("readlink", "stat")
    for _ in range(45):
        host.real("readlink", "readlink", "stat")
    host.log_file.unlink()
    host.log_file.symlink_to(target)
    host.logs.joinpath("loop").symlink_to("loop")
    host.logs.joinpath("with a newline\n").touch()
    for number in range(1, 45):
        (host.logs / f"link {number} of 45").symlink_to(f"link {number + 1} of 45")
    (host.logs / "link 45 of 45").touch()
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    assert capfd.readouterr().err == f"oauthkit: the log {host.log_file} cannot be written\n"
    assert not (host.logs / "with a newline").exists()
    assert not host.lock.exists()


@pytest.mark.parametrize("what", ["log", "lock"])
def test_lock_project_returns_1_if_the_run_cannot_start(host: Host, what: str) -> None:
    place = host.log_file if what == "log" else host.lock
    place.unlink(missing_ok=True)
    place.mkdir()
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    assert host.names() == []


@pytest.mark.parametrize(("size", "moved"), [(1024 * 1024, False), (1024 * 1024 + 1, True)])
def test_long_log_is_rotated(ready: Host, size: int, moved: bool) -> None:
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


def test_long_log_is_not_moved_into_a_directory(ready: Host) -> None:
    host = ready
    host.log_file.write_bytes(b"x" * 1024 * 1024 + b"\n")
    old = host.logs / "oauth-refresh.log.1"
    old.mkdir()
    host.credentials_are(TOKEN, HOUR_MS)
    assert run(host) == 0
    assert list(old.iterdir()) == []


def test_log_renamed_by_the_previous_run_is_reopened(ready: Host) -> None:
    host = ready

    def wait_for_the_lock(_path: str, _wait_s: int) -> int:
        host.log_file.rename(host.log_file.with_suffix(".log.1"))
        return 0

    host.monkeypatch.setattr(lock_log, "take_lock", wait_for_the_lock)
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 0
    shell.log("here")
    assert host.lines() == ["here"]


@pytest.mark.parametrize("name", ["oauth-refresh.log", "oauth-refresh.lock"])
def test_log_or_lock_that_leads_to_the_login(
    host: Host, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    host.credentials.write_text("{}", encoding="utf-8")
    (host.logs / name).unlink(missing_ok=True)
    (host.logs / name).symlink_to(host.credentials)
    assert lock_log.lock_project(host.path(host.log_file), host.path(host.credentials)) == 1
    said = f"oauthkit: the log or the lock in {host.logs} is Claude Code's credentials file\n"
    assert capfd.readouterr().err == said
    assert host.credentials.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("kind", ["same path", "hard link"])
def test_log_that_is_dotenv(host: Host, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    log_file = host.dotenv
    if kind == "hard link":
        log_file = host.logs / "an\aother"
        log_file.hardlink_to(host.dotenv)
    local.env["OAUTHKIT_LOG"] = str(log_file)
    assert run(host) == 1
    shown = str(log_file).replace("\a", "?")
    said = f"oauthkit: OAUTHKIT_LOG and OAUTHKIT_DOTENV are the same file: {shown}\n"
    assert capfd.readouterr().err == said
    assert host.dotenv.read_text(encoding="utf-8") == "A=1\n"
