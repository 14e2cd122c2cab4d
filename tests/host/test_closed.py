"""Paths that the user cannot access: one line with the path and the fix."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import examined, fake_manager
from tests.support.host.host_project import SUDO, quoted

from oauthkit.host import path_info
from oauthkit.host.path_info import access_fix, creating, may_change, may_remove
from oauthkit.host.project import CONF_FILE

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

LONG = "x" * 300


@pytest.fixture
def closed(live: HostProject) -> HostProject:
    """Create a project without problems, and drop root's right to ignore file modes."""
    live.without_override()
    return live


# The inaccessible path, its mode, the start of the fix, and whether the token is still live.
CLOSED: dict[str, tuple[Callable[[HostProject], Path], int, str, bool]] = {
    "the directory of claude": (lambda h: h.credentials.parent, 0, "chmod u+rwx", False),
    "the home": (lambda h: h.home, 0, "chmod u+x", False),
    "the credentials": (lambda h: h.credentials, 0o200, "chmod u+r", False),
    "the project": (lambda h: h.project, 0, "chmod u+rwx", False),
    ".env": (lambda h: h.dotenv, 0, "chmod u+r", False),
    "the directory of logs": (lambda h: h.log.parent, 0, "chmod u+rwx", True),
    "the log": (lambda h: h.log, 0, "chmod u+rw", True),
}


@pytest.mark.parametrize(("what", "mode", "chmod", "is_live"), CLOSED.values(), ids=CLOSED)
def test_status_names_the_inaccessible_path_and_the_fix(
    closed: HostProject, what: Callable[[HostProject], Path], mode: int, chmod: str, is_live: bool
) -> None:
    path = what(closed)
    path.chmod(mode)
    try:
        data = closed.status()
        shown = closed.run("status")
        metrics = closed.run("status", "--prometheus", "-")
    finally:
        path.chmod(0o700)
    assert data["live"] is is_live
    fix = f"{chmod} {quoted(path)}"
    assert any(said.endswith(f" is not readable: {fix}") for said in data["warnings"])
    for done in (shown, metrics):
        assert (done.returncode, done.stderr) == (0 if is_live else 1, "")
    path.chmod(mode)
    subprocess.run(["/bin/sh", "-c", fix], check=True)
    path.chmod(path.stat().st_mode | 0o700)
    assert closed.status()["warnings"] == []


@pytest.mark.parametrize("name", ["CLAUDE_CONFIG_DIR", "OAUTHKIT_DOTENV", "OAUTHKIT_LOG"])
def test_name_that_is_too_long(live: HostProject, name: str) -> None:
    setting = {name: f"/{LONG}/x"}
    data = live.status(**setting)
    (warning,) = data["warnings"]
    assert warning.startswith(f"/{LONG}/")
    assert warning.endswith(": File name too long: use a shorter name")
    assert data["live"] is (name == "OAUTHKIT_LOG")
    for command in ("status", "doctor"):
        done = live.run(command, **setting)
        assert done.returncode in {0, 1}
        assert done.stderr == ""
        assert "could not be checked: [Errno" not in done.stdout


def test_project_in_a_closed_directory(closed: HostProject, tmp_path: Path) -> None:
    directory = tmp_path / "closed"
    (directory / "project").mkdir(parents=True)
    directory.chmod(0)
    closed.project = directory / "project"
    for command in ("status", "doctor"):
        done = closed.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        fix = f"chmod u+rwx {quoted(directory)}"
        said = f"{closed.project} is not readable. Pass another --project DIR, or fix it: {fix}"
        assert done.stderr == f"oauthkit {command}: {said}\n"


def test_project_that_cannot_be_searched(closed: HostProject) -> None:
    closed.project.chmod(0)
    try:
        done = closed.run("doctor")
    finally:
        closed.project.chmod(0o700)
    assert f"fix: chmod u+rwx {quoted(closed.project)}\n" in done.stdout
    assert "has no .env" not in done.stdout


def test_metrics_with_a_name_that_is_too_long(live: HostProject, tmp_path: Path) -> None:
    done = live.run("status", "--prometheus", str(tmp_path / LONG))
    assert (done.returncode, done.stdout) == (1, "")
    said = f"{tmp_path / LONG}: File name too long: use a shorter name"
    assert done.stderr == f"oauthkit status: {said}\n"


def test_metrics_in_a_closed_directory(closed: HostProject, tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    directory.mkdir(mode=0)
    done = closed.run("status", "--prometheus", str(directory / "x.prom"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"oauthkit status: {directory}/x.prom is not readable: chmod u+rwx "
    )


# What replaces a file.
ODD: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a directory": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/null"),
}


@pytest.mark.parametrize(("kind", "make"), ODD.items(), ids=ODD)
@pytest.mark.parametrize("name", ["dotenv", "credentials"])
def test_entry_that_is_not_a_file_is_reported_with_its_fix(
    well: HostProject, name: str, kind: str, make: Callable[[Path], object]
) -> None:
    path: Path = getattr(well, name)
    path.unlink()
    make(path)
    said = f"{path} is not a file but {kind}"
    fix = {
        "a FIFO": f"mv {quoted(path)} {quoted(path)}.old",
        "a directory": f"rmdir {quoted(path)}",
        # A link to /dev/null can mask a unit of the user.
        "a device": f"check its owner before you change anything: ls -ld {quoted(path)} /dev/null",
    }[kind]
    assert f"{said}: {fix}" in well.status()["warnings"]
    check = ".env" if name == "dotenv" else "login"
    _, failed, fixes = examined(well)
    assert (failed[check], fixes[check]) == (said, fix)
    subprocess.run(["/bin/sh", "-c", fix.rpartition(": ")[2]], check=True)
    is_left = kind == "a device"
    assert path.is_symlink() == is_left
    assert examined(well)[1][check] == (said if is_left else f"{path} not found")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("OAUTHKIT_DOTENV", "/dev/null"),
        ("OAUTHKIT_DOTENV", "/etc"),
        ("OAUTHKIT_LOG", "/etc/passwd/x"),
        ("OAUTHKIT_BEARER", "/etc/passwd/x"),
        ("CLAUDE_CONFIG_DIR", "/etc/passwd"),
        ("OAUTHKIT_STORE", "dir:/etc/passwd"),
        ("OAUTHKIT_DOTENV", "/etc/environment"),
        ("OAUTHKIT_BEARER", "/dev/null"),
        ("OAUTHKIT_BEARER", "/home"),
        ("OAUTHKIT_BEARER", "/opt"),
        ("CLAUDE_CONFIG_DIR", "/etc/.pwd"),
    ],
)
def test_fixes_do_not_change_system_paths_in_refresh_conf(
    well: HostProject, name: str, path: str
) -> None:
    conf = well.project / CONF_FILE
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(f"{name}={path}\n", "utf-8")
    fixes = examined(well)[2]
    assert fixes
    suggestions = [*fixes.values(), *well.status()["warnings"]]
    changes = re.compile(r"\b(rm|mv|rmdir|chmod|chown|mkdir) [^|;]*(?<![^ ])/(dev|etc|home|opt)\b")
    assert not [x for x in suggestions if changes.search(x)]


def test_socket_in_refresh_conf_is_left_alone(well: HostProject) -> None:
    """It may be the user's D-Bus."""
    path = well.home / "bus"
    conf = well.project / CONF_FILE
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(f"OAUTHKIT_LOG={path}\n", "utf-8")
    os.mknod(path, 0o600 | stat.S_IFSOCK)
    link = well.home / "link"
    link.symlink_to(path)
    assert not may_remove(link)
    _, failed, fixes = examined(well)
    assert failed["log"] == f"{path} is not a file but a socket (OAUTHKIT_LOG: refresh.conf)"
    assert fixes["log"] == f"check its owner before you change anything: ls -ld {quoted(path)}"


def test_directory_is_created_only_in_a_directory_of_the_user(tmp_path: Path) -> None:
    assert creating(tmp_path / "a/b") == f"mkdir -p {quoted(tmp_path / 'a/b')}"
    hint = "check its owner before you change anything: ls -ld"
    assert creating(Path("/etc/no/such")) == f"{hint} /etc"
    (tmp_path / "link").symlink_to("/etc")
    assert creating(tmp_path / "link/no-such") == f"{hint} /etc"
    (tmp_path / "file").touch()
    assert creating(tmp_path / "file/x").startswith(f"mv {quoted(tmp_path / 'file')} ")


def test_entry_below_run_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even in the user's own /run/user/UID, which has sockets of running programs."""
    monkeypatch.setattr(path_info, "RUN", tmp_path / "run")
    for place in ("run/user", "user"):
        (tmp_path / place).mkdir(parents=True)
    assert [may_remove(tmp_path / x) for x in ("user", "run/user")] == [True, False]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_mode_of_another_users_file_is_not_changed(well: HostProject) -> None:
    """That user could put a link in its place: chmod(1) follows it."""
    os.chown(well.dotenv, 4711, 4711)
    well.dotenv.chmod(0o644)
    assert examined(well)[2][".env's mode"].startswith("check its owner ")


@pytest.mark.skipif(os.getuid() != 0, reason="the rule applies only to root")
def test_mode_in_a_directory_that_others_can_write_to_is_not_changed(well: HostProject) -> None:
    well.project.chmod(0o777)
    well.dotenv.chmod(0o644)
    assert examined(well)[2][".env's mode"].startswith("check its owner ")
    well.project.chmod(0o755)
    assert examined(well)[2][".env's mode"] == f"chmod go= {quoted(well.dotenv)}"
    assert may_change(well.dotenv)
    os.chown(well.project, 4711, 4711)
    assert not may_change(well.dotenv)


@pytest.mark.skipif(os.getuid() != 0, reason="the rule applies only to root")
def test_mode_below_a_directory_that_others_can_replace_is_not_changed(well: HostProject) -> None:
    assert may_change(well.dotenv)
    well.project.parent.chmod(0o777)
    assert not may_change(well.dotenv)
    well.project.parent.chmod(0o1777)
    assert may_change(well.dotenv)  # only root can rename its entry
    os.chown(well.project, 4711, 4711)
    assert not may_change(well.dotenv)


@pytest.mark.skipif(os.getuid() != 0, reason="the rule applies only to root")
def test_root_may_change_only_entries_outside_system_directories() -> None:
    """For example in /root, or in a project at /app."""
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        assert may_remove(Path(file.name))
        assert may_change(Path(file.name))
    assert not may_remove(Path("/etc/passwd"))
    assert not may_remove(Path("/tmp"))
    assert not may_change(Path("/tmp"))


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("name", ["dotenv", "credentials", "log"])
def test_directory_with_files_in_place_of_a_file_keeps_them(
    well: HostProject, name: str, *, is_link: bool
) -> None:
    path: Path = getattr(well, name)
    path.unlink()
    directory = path.with_name("elsewhere") if is_link else path
    directory.mkdir()
    (directory / "data").touch()
    if is_link:
        path.symlink_to(directory)
    path.with_name(f"{path.name}.old").mkdir()
    check = {"dotenv": ".env", "credentials": "login", "log": "log"}[name]
    fix = examined(well)[2][check]
    assert fix == f"mv {quoted(path)} {quoted(path)}.old1"
    if name != "log":
        said = f"{path} is not a file but a directory"
        assert f"{said}: {fix}" in well.status()["warnings"]
    subprocess.run(["/bin/sh", "-c", fix], check=True)
    assert " is not a file" not in examined(well)[1].get(check, "")
    assert [file.name for file in well.home.parent.rglob("data")] == ["data"]


def test_credentials_that_cannot_be_read_need_no_other_login(well: HostProject) -> None:
    well.without_override()
    well.credentials.chmod(0)
    well.failing.touch()
    well.lines((-60, f"ERROR: {well.credentials} not found"))
    assert examined(well)[2]["login"] == f"chmod u+r {quoted(well.credentials)}"
    for command in ("status", "doctor"):
        shown = " ".join(well.run(command).stdout.split())
        assert "not found" in shown
        assert "log in" not in shown


def no_logs(project: HostProject) -> Path:
    shutil.rmtree(project.log.parent)
    return project.project


def beside(project: HostProject, kind: str) -> Path:
    file = project.log.with_name(f"oauth-refresh.{kind}")
    file.touch()
    return file


NOT_WRITABLE = "{0} cannot be written, so runs that write there fail"
NOTHING_THERE = "{0}/logs does not exist, and {0} cannot be written"
# A path that a run cannot write, its mode, the check that reports it, and its text.
UNWRITABLE: dict[str, tuple[Callable[[HostProject], Path], int, str, str]] = {
    "inaccessible logs directory": (lambda h: h.log.parent, 0, "logs", NOT_WRITABLE),
    "read-only logs directory": (lambda h: h.log.parent, 0o500, "logs", NOT_WRITABLE),
    "read-only project without logs": (no_logs, 0o500, "logs", NOTHING_THERE),
    "read-only log": (lambda h: h.log, 0o400, "log", NOT_WRITABLE),
    "read-only lock": (lambda h: beside(h, "lock"), 0o400, "lock", NOT_WRITABLE),
    "read-only project": (lambda h: h.project, 0o500, "directory of .env", NOT_WRITABLE),
}


@pytest.mark.parametrize(("what", "mode", "name", "text"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_doctor_names_what_runs_cannot_write(
    well: HostProject, what: Callable[[HostProject], Path], mode: int, name: str, text: str
) -> None:
    well.without_override()
    assert examined(well)[1] == {}
    path = what(well)
    path.chmod(mode)
    _, failed, fixes = examined(well)
    assert failed[name] == text.format(path)
    assert fixes[name].startswith("chmod u+")
    subprocess.run(["/bin/sh", "-c", fixes[name]], check=True)
    assert examined(well)[1] == {}


def test_other_kind_of_file_in_place_of_the_log(well: HostProject) -> None:
    well.log.unlink()
    os.mkfifo(well.log)
    assert examined(well)[1] == {"log": f"{well.log} is not a file but a FIFO"}
    well.log.unlink()
    well.log.parent.rmdir()
    well.log.parent.touch()
    assert examined(well)[1] == {
        "logs": f"{well.log.parent} is not a directory but a file: no run can write there"
    }


def test_directory_that_dotenv_leads_to(well: HostProject) -> None:
    well.without_override()
    directory = well.home / "secrets"
    directory.mkdir()
    well.dotenv.rename(directory / "env")
    well.dotenv.symlink_to(directory / "env")
    assert examined(well)[1] == {}
    directory.chmod(0o500)
    _, failed, fixes = examined(well)
    said = f"{directory} cannot be written, so runs that write there fail"
    assert failed == {"directory of .env": f"{well.dotenv} leads out of the project: {said}"}
    env = directory / "env"
    ls = f"ls -ld {quoted(well.dotenv)} {quoted(env)}"
    assert fixes["directory of .env"] == f"check its owner before you change anything: {ls}"


def test_missing_directory_of_dotenv(well: HostProject) -> None:
    directory = well.project / "secret files"
    fake_manager(well, settings=f'"OAUTHKIT_DOTENV={directory}/env"')
    done = well.run("doctor", OAUTHKIT_DOTENV=f"{directory}/env")
    fix = f"      fix: mkdir -p '{directory}'\n"
    text, _, after = done.stdout.partition("FAIL  directory of .env: ")[2].partition(fix)
    assert after, done.stdout
    assert " ".join(text.split()) == f"{directory} not found (OAUTHKIT_DOTENV: environment)"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_fix_for_a_path_of_another_user_changes_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    file = tmp_path / kind
    file.touch() if kind == "file" else file.mkdir()
    monkeypatch.setattr(os, "access", lambda path, right: right != os.W_OK or path != file)
    uid = os.getuid()
    real_stat = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        found = real_stat(path, **how)
        return os.stat_result((*found[:4], 4711, *found[5:])) if path == file else found

    monkeypatch.setattr(Path, "stat", stat)
    owner = f"{uid}:{os.getgid()}" if kind == "file" else uid
    assert access_fix(file, os.W_OK) == f"{SUDO}chown -h {owner} {quoted(file)}"
    monkeypatch.setattr(os, "getuid", lambda: 4712)
    check = f"check its owner before you change anything: ls -ld {quoted(file)}"
    assert access_fix(file, os.W_OK) == check
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path.parent)
    assert access_fix(file, os.W_OK) == check
    assert access_fix(Path("/proc/version"), os.W_OK) == ""


def test_read_only_file_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only file system, chmod fails."""
    monkeypatch.setattr(os, "access", lambda _, right: right != os.W_OK)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    fix = f"its file system is mounted read-only: findmnt -T {quoted(tmp_path)}"
    assert access_fix(tmp_path, os.W_OK) == fix


def test_link_to_itself(live: HostProject) -> None:
    live.dotenv.unlink()
    live.dotenv.symlink_to(live.dotenv.name)
    fix = f"mv {quoted(live.dotenv)} {quoted(live.dotenv)}.old"
    said = f"{live.dotenv} is a link that leads to itself: {fix}"
    assert live.status()["warnings"] == [said]
