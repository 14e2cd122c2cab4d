"""oauthkit doctor's checks of .env, the log, the lock, refresh.conf and the files beside them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import NOT_FOUND, SCRIPT, examined, fake_manager
from tests.support.host.host_project import (
    HOUR_S,
    command,
    quoted,
)

from oauthkit.host import lock_holder
from oauthkit.host.doctor import write_access
from oauthkit.host.doctor.write_access import delivery, login, logs
from oauthkit.host.project import CONF_FILE, find_paths
from oauthkit.host.status import model

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_lock_holder_is_reported(well: HostProject) -> None:
    lock = find_paths(str(well.project)).lock
    lock.touch(0o600)
    # As in the script: the process of flock(1) has exited.
    argv = ["/bin/bash", "-c", 'exec 9>>"$1"; flock 9; echo; read -r', "bash", str(lock)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        shown = " ".join(well.run("doctor").stdout.split("\n      "))
        said = f"a run is in progress: PID {process.pid} (bash) holds {lock}"
        assert f"note  lock: {said}" in shown
        assert not [x for x in well.status()["warnings"] if "holds" in x]
        process.communicate(b"\n")


@pytest.mark.parametrize("is_directory", [True, False])
def test_log_link_that_leads_nowhere(well: HostProject, *, is_directory: bool) -> None:
    path = well.log.parent if is_directory else well.log
    path.rename(path.with_name("away"))
    path.symlink_to("/nonexistent/x")
    name = "logs" if is_directory else "log"
    _, failed, fixes = examined(well)
    assert failed[name] == f"{path} is a link that leads nowhere"
    assert fixes[name] == f"mv {quoted(path)} {quoted(path)}.old"
    (warning,) = well.status()["warnings"]
    assert warning.startswith("no run can write ")
    subprocess.run(["sh", "-c", fixes[name]], check=True)
    assert examined(well)[1] == {}


def test_log_that_is_dotenv(well: HostProject) -> None:
    conf = well.project / CONF_FILE
    conf.write_text("OAUTHKIT_LOG=.env\n", "utf-8")
    _, failed, fixes = examined(well)
    assert (
        failed["log"]
        == f"the log {well.dotenv} and .env are the same file (OAUTHKIT_LOG: refresh.conf)"
    )
    assert fixes["log"] == "set OAUTHKIT_LOG to another path"
    assert "the log is .env, so no run can start" in str(well.status()["warnings"])


def test_search_for_the_lock_holder_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container with this user's uid can have very many open files."""
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holder.holder_of(tmp_path / "lock") == os.getpid()
        monkeypatch.setattr(lock_holder, "LONGEST_SEARCH_S", -1.0)
        assert lock_holder.holder_of(tmp_path / "lock") is None


def test_lock_that_is_held_for_longer_than_a_run_takes(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setattr(model, "LONGEST_RUN_S", 0)
    holder = f"PID {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"
    paths = find_paths(str(well.project))
    assert not model.collect(paths).is_stuck
    paths.lock.touch(0o600)
    with paths.lock.open() as file:
        assert not model.collect(paths).is_stuck
        fcntl.flock(file, fcntl.LOCK_EX)
        found = model.collect(paths)
        assert found.lock_holder == holder
        (problem,) = [x for x in found.warnings if "holds" in x]
        text = f"{holder} holds the lock. No other run can start until it exits. To see the fix"
        assert problem.startswith(text)
        well.dotenv.write_text("OTHER=1\n", "utf-8")  # a refresh would wait for the lock
        assert not [x for x in model.collect(paths).warnings if ".env" in x]
        monkeypatch.setattr(write_access, "LONGEST_RUN_S", 0)
        finding = next(x for x in write_access.logs(paths) if x.name == "lock")
        text = f" min ago and holds {paths.lock}, so no other run can start"
        assert (finding.text.startswith(holder), finding.text.endswith(text)) == (True, True)
        assert finding.fix == f"kill {os.getpid()}"


def test_long_lived_token_is_a_note(well: HostProject) -> None:
    well.deliver("sk-ant-oat01-for-a-year")
    done = well.run("doctor")
    assert done.returncode == 0
    text = "it has a token that is not the credentials' token. A refresh would replace it"
    assert f"note  .env: {text}\n" in done.stdout
    fake_manager(well, timers={}, heal=NOT_FOUND)
    done = well.run("doctor")
    assert done.returncode == 0
    text = "no run is scheduled. A run would replace the token in .env"
    assert f"note  timer: {text}\n" in done.stdout
    well.failing.touch()  # the reason why a user creates such a token
    assert examined(well)[1].keys() == {"runs"}
    os.utime(well.dotenv, (well.now_s - 4 * HOUR_S,) * 2)  # not changed since the last delivery
    assert examined(well)[1].keys() == {".env", "runs", "timer"}


def test_dotenv_that_a_refresh_does_not_change(well: HostProject) -> None:
    well.dotenv.unlink()
    well.dotenv.mkdir()
    assert examined(well)[2][".env"] == f"rmdir {quoted(well.dotenv)}"
    well.dotenv.rmdir()
    well.dotenv.symlink_to("/proc/self/mem")  # root cannot read it either
    assert examined(well)[2][".env"] == f"check the file system of {quoted(well.dotenv)}"


@pytest.mark.parametrize(
    ("more", "problem", "fix"),
    [
        ("\0\n", "has a NUL byte", "remove the NUL byte from that file, which must be a text file"),
        (
            "x" * 256 * 1024,
            "is larger than 256 KiB",
            "check what that file contains, and make it smaller",
        ),
    ],
)
def test_dotenv_that_no_refresh_can_replace(
    well: HostProject, more: str, problem: str, fix: str
) -> None:
    with well.dotenv.open("a", encoding="utf-8") as file:
        file.write(more)
    assert examined(well) == (1, {".env": f"{well.dotenv} {problem}"}, {".env": fix})


def test_dotenv_that_leads_nowhere_is_one_problem(well: HostProject) -> None:
    well.dotenv.unlink()
    well.dotenv.symlink_to("/no/such/file")
    assert examined(well)[1:] == (
        {".env": f"{well.dotenv} is a link to /no/such/file, whose directory does not exist"},
        {
            ".env": "create or mount /no/such. To move the link away instead, run:"
            f" mv {quoted(well.dotenv)} {quoted(well.dotenv)}.old"
        },
    )


def test_login_that_is_a_link_to_nowhere(well: HostProject) -> None:
    """Claude Code might write through the link, which fails."""
    well.credentials.unlink()
    well.credentials.symlink_to(well.home / "gone/credentials.json")
    _, failed, fixes = examined(well)
    text = f"{well.credentials} is a link that leads nowhere"
    away = f"mv {quoted(well.credentials)} {quoted(well.credentials)}.old"
    assert failed["login"] == text
    assert fixes["login"] == f"{away} && claude auth login"
    assert f"{text}: {fixes['login']}" in well.status()["warnings"]


def test_file_in_place_of_the_logins_directory(well: HostProject) -> None:
    """It must be moved away before a login, so its fix comes first."""
    shutil.rmtree(well.home / ".claude")
    (well.home / ".claude").write_bytes(b"")
    names = [*examined(well)[1]]
    assert names[:2] == ["login's directory", "login"]


def test_script_that_is_a_link_into_another_project(well: HostProject) -> None:
    """The scheduled runs would write the other project's .env."""
    other = well.project.with_name("other") / SCRIPT
    other.parent.mkdir(parents=True)
    script = well.project / SCRIPT
    script.rename(other)
    with other.open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    before = other.read_bytes()
    script.symlink_to(other)
    _, failed, fixes = examined(well)
    text = f"{script} leads to {other}, and does not refresh this project"
    assert failed == {"script": text}
    subprocess.run(["/bin/sh", "-c", fixes["script"]], check=True)
    assert (examined(well)[1], other.read_bytes()) == ({}, before)


@pytest.mark.parametrize("blocks", [0, 100])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    disk = SimpleNamespace(
        f_blocks=blocks, f_bfree=255, f_bavail=255, f_frsize=4096, f_files=0, f_favail=0
    )
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = find_paths(str(tmp_path))
    found = [x for check in (logs, delivery, login) for x in check(paths) if not x.is_ok]
    text = f"less than 1 MiB is free on the disk of {tmp_path}"
    assert {x.text for x in found} == ({text} if blocks else set())
    names = {"logs", "directory of .env", "login's directory"} if blocks else set()
    assert {x.name for x in found} == names
    assert {x.fix for x in found} <= {
        f"free some space. To see the usage, run: df -h {quoted(tmp_path)}"
    }
    disk.f_blocks, disk.f_files = 0, 100
    found = [*logs(paths)]
    assert found[0].text == f"no inodes are free on the disk of {tmp_path}"
    assert found[0].fix == f"remove some files. To see the usage, run: df -i {quoted(tmp_path)}"
    disk.f_favail = 1
    assert all(x.is_ok for x in logs(paths))


@pytest.mark.parametrize("name", ["../code/notes", "../code/deps"])
def test_lock_that_claude_did_not_create_is_kept(well: HostProject, name: str) -> None:
    """CLAUDE_CONFIG_DIR in a hostile refresh.conf can make any NAME.lock look like claude's."""
    code = well.home / "code"
    (code / "notes.lock").mkdir(parents=True)
    (code / "notes.lock/mine").touch()
    (code / "deps.lock").touch()
    for file in (code / "notes.lock", code / "deps.lock"):
        os.utime(file, (1, 1))
    conf = well.project / CONF_FILE
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(f"CLAUDE_CONFIG_DIR={code / Path(name).name}\n", "utf-8")
    fix = examined(well)[2].get("claude's lock", ":")
    subprocess.run(["/bin/sh", "-c", fix], check=False)
    assert (code / "notes.lock/mine").exists()
    assert (code / "deps.lock").exists()


def git(host: HostProject, *arguments: str) -> None:
    config = ["-c", "user.name=x", "-c", "user.email=x", "-C", str(host.project)]
    subprocess.run(["git", *config, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("place", ["scripts/oauth/refresh.sh", "scripts/oauth"])
def test_script_is_not_copied_through_a_link(well: HostProject, place: str) -> None:
    """A link of the checkout may lead to any of the user's files."""
    path = well.project / place
    target = well.home / "own"
    if path.exists():
        path.rename(target)
    else:
        target.write_text("x", "utf-8")
    (target if target.is_file() else target / "refresh.sh").write_text("x", "utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    fix = examined(well)[2]["script"]
    moved = f"mv {quoted(path)} {quoted(path)}.old && cp "
    hint = "check its owner before you change anything: ls -ld "
    assert fix.startswith(moved if place.endswith(".sh") else hint)


@pytest.mark.parametrize(
    ("is_tracked", "is_changed"), [(True, True), (True, False), (False, False)]
)
def test_git_that_does_not_ignore_dotenv(
    well: HostProject, *, is_tracked: bool, is_changed: bool
) -> None:
    (well.bin / "git").symlink_to("/usr/bin/git")
    git(well, "init")
    (well.project / ".gitignore").write_text("node_modules", "utf-8")  # without a newline
    if is_tracked:
        git(well, "add", ".env")
        git(well, "commit", "-m", "x")
    if is_changed:
        with well.dotenv.open("a") as file:
            file.write("C=3\n")
    # The checkout may not be trusted.
    for program in ("fsmonitor", "hooks/post-index-change"):
        hook = well.project / ".git" / program
        hook.parent.mkdir(exist_ok=True)  # git's template may lack it
        hook.write_text(f"#!/bin/sh\ntouch {quoted(well.home)}/was-run\n", "utf-8")
        hook.chmod(0o755)
    git(well, "config", "core.fsmonitor", str(well.project / ".git/fsmonitor"))
    # If a file's mtime has changed, git runs the filter to compare the content.
    git(well, "config", "filter.own.clean", f"touch {quoted(well.home)}/was-run; cat")
    (well.project / ".gitattributes").write_text(".env filter=own\n", "utf-8")
    os.utime(well.dotenv, (0, 0))
    what = "tracks it" if is_tracked else "does not ignore it"
    shown = well.run("doctor").stdout
    assert f"note  .env and git: git {what}, so a commit can include the token\n" in shown
    (fix,) = re.findall(r"      fix: (.*printf .*)\n", shown)
    subprocess.run(["sh", "-c", fix], check=True, capture_output=True)
    assert ".env and git" not in well.run("doctor").stdout
    assert well.dotenv.exists()
    assert not (well.home / "was-run").exists()
    assert (well.project / ".gitignore").read_text("utf-8") == "node_modules\n/.env\n"


def test_gitignore_that_is_a_link_is_not_written(well: HostProject) -> None:
    """It could lead to a hook, or to git's configuration."""
    (well.bin / "git").symlink_to("/usr/bin/git")
    git(well, "init")
    (well.project / ".gitignore").symlink_to(".git/config")
    shown = well.run("doctor").stdout
    assert "      fix: check its owner before you change anything: ls -ld " in shown
    assert "printf" not in shown


def test_git_that_fails_is_not_reported(well: HostProject) -> None:
    well.program("git", "#!/bin/sh\nexit 128\n")
    (well.project / ".git").mkdir()
    assert ".env and git" not in well.run("doctor").stdout


def test_dotenv_elsewhere_leaves_the_usual_one(well: HostProject) -> None:
    other = well.home / "other.env"
    other.write_bytes(well.dotenv.read_bytes())
    other.chmod(0o600)
    fake_manager(well, settings=f"OAUTHKIT_DOTENV={other}")
    done = well.run("doctor", OAUTHKIT_DOTENV=str(other))
    text = f"{well.dotenv} has a token, too, which no run updates. OAUTHKIT_DOTENV is {other}"
    assert (done.returncode, f"note  other .env: {text}\n" in done.stdout) == (0, True)
    well.dotenv.unlink()
    assert "other .env" not in well.run("doctor", OAUTHKIT_DOTENV=str(other)).stdout


def test_conf_that_cannot_be_read(well: HostProject) -> None:
    conf = well.project / CONF_FILE
    conf.mkdir()
    assert examined(well)[2]["setting"] == f"rmdir {quoted(conf)}"


def test_file_problem_that_was_removed_needs_only_a_refresh(well: HostProject) -> None:
    well.lines((-60, f"ERROR: {well.dotenv} is not a file and is not changed"))
    well.failing.touch()
    refresh = command("refresh", well.project)
    assert examined(well)[2] == {"runs": refresh}
    well.dotenv.unlink()
    well.dotenv.mkdir()
    assert examined(well)[1]["runs"].endswith(". First apply the fixes above")


def test_error_about_files_that_no_check_finds_keeps_its_fix(well: HostProject) -> None:
    well.lines((-60, f"ERROR: {well.dotenv} would be larger than 256 KiB and is not changed"))
    well.failing.touch()
    assert examined(well)[2]["runs"].startswith("check what that file and the credentials contain")


def test_target_of_a_link_out_of_the_project_is_created_by_a_refresh(well: HostProject) -> None:
    elsewhere = well.home.parent / "elsewhere"
    elsewhere.mkdir()
    well.dotenv.unlink()
    well.dotenv.symlink_to(elsewhere / "env")
    assert examined(well)[2][".env"] == command("refresh", well.project)
