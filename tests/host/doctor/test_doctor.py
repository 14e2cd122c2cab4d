"""oauthkit doctor names each problem, and its fix works."""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from plumbum import local
from tests.support import forked
from tests.support.host.doctor_host import NOT_FOUND, SCRIPT, examined, fake_manager
from tests.support.host.host_project import (
    DAY_S,
    HOUR_S,
    OTHER,
    SAME_CODE,
    SUDO,
    UNIT,
    command,
    quoted,
)

from oauthkit.host import lock_holder
from oauthkit.host.commands import notify
from oauthkit.host.doctor import programs, write_access
from oauthkit.host.doctor.write_access import delivery, login, logs
from oauthkit.host.project import CONF_FILE, find_paths
from oauthkit.host.status import model

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.host.host_project import HostProject

PUBLISH = "scripts/oauth/publish.sh"


def test_healthy_host_has_no_findings(well: HostProject) -> None:
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith(" ok ") for line in done.stdout.splitlines()), done.stdout
    assert f" ok   units: installed: {UNIT}-heal.timer\n" in done.stdout
    assert len(done.stdout.splitlines()) == 21


@pytest.mark.parametrize(
    ("version", "is_old"),
    [
        ("timeout 0.0.30", True),
        ("timeout (uutils coreutils) 0.2.2", True),
        ("timeout (uutils coreutils) 0.6.0", False),
        ("timeout (uutils coreutils) 0.12.0", False),
        ("timeout (GNU coreutils) 9.1\nCopyright (C) 2022", False),
        ("timeout (GNU coreutils) 0.1.0", False),
    ],
)
def test_timeout_that_does_not_kill_is_named(well: HostProject, version: str, is_old: bool) -> None:
    well.program("timeout", f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{version}'\n")
    problem = f"{version} does not end a claude that ignores SIGTERM"
    assert examined(well)[1] == ({"timeout": problem} if is_old else {})


def test_hook_that_failed_is_named(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\n", "utf-8")
    hook.chmod(0o755)
    os.utime(hook, (well.now_s - HOUR_S,) * 2)
    well.lines(
        (-50, "Hook 'failed' succeeded"), (-40, "Hook 'recovered' succeeded"),
        (-30, "WARN: hook 'failed' failed (exit 127)"),
        (-30, "hook 'failed': notify-send: not found"),
    )  # fmt: skip
    at = well.stamp(-30)[11:16]
    said = f"""\
{at} (exit 127)
      hook 'failed': notify-send: not found
      fix: correct it. Its output is in {well.log}
"""
    shown = well.run("doctor").stdout
    assert said in shown
    # Just after midnight, the date comes before the time.
    assert "note  hook 'failed': it failed when it was last run, at " in shown
    os.utime(hook)  # it was changed
    assert " hook" not in well.run("doctor").stdout
    os.utime(hook, (well.now_s - HOUR_S,) * 2)
    well.lines((-20, "Hook 'failed' succeeded"))
    assert " hook" not in well.run("doctor").stdout


def test_hook_that_is_not_executable_is_named(well: HostProject) -> None:
    hooks = well.project / "scripts/oauth/hooks"
    hooks.mkdir()
    for name in ("renewed", "failed", "other"):
        (hooks / name).write_text("#!/bin/sh\n", "utf-8")
    (hooks / "failed").chmod(0o755)
    (hooks / "recovered").mkdir()
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    said = f"""\
note  hook 'renewed': {hooks}/renewed is not executable, so it is ignored
      fix: chmod +x {quoted(hooks / "renewed")}
"""
    assert said in done.stdout
    assert done.stdout.count("hook 'renewed':") == done.stdout.count("hook ") == 1


def test_hook_without_its_interpreter_is_named(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir()
    hook.write_text("#!/no/such/sh -u\n" + "true\n" * 100, "utf-8")
    hook.chmod(0o755)
    text = f"note  hook 'failed': {hook} cannot run: /no/such/sh does not exist\n"
    assert text in well.run("doctor").stdout
    hook.write_text("#! /bin/sh\n", "utf-8")
    assert "hook 'failed'" not in well.run("doctor").stdout


def test_hook_whose_interpreter_is_not_in_path_is_named(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/renewed"
    hook.parent.mkdir()
    for first, name in {"env no-such": "no-such", "env -S no-such -u": "no-such"}.items():
        hook.write_text(f"#!/usr/bin/{first}\n", "utf-8")
        hook.chmod(0o755)
        text = f"note  hook 'renewed': {hook} cannot run: {name} not found in PATH\n"
        assert text in well.run("doctor").stdout
    hook.write_text("#!/usr/bin/env jq\n", "utf-8")
    assert "hook 'renewed'" not in well.run("doctor").stdout


@pytest.mark.parametrize(
    ("where", "name", "package"),
    [
        ("ntfy:topic", "curl", "curl"),
        ("page --to me", "page", ""),
        ("/none/page", "/none/page", ""),
    ],
)
def test_hooks_that_lack_their_program_are_named(
    well: HostProject, where: str, name: str, package: str
) -> None:
    hooks = well.project / "scripts/oauth/hooks"
    hooks.mkdir()
    for event in ("failed", "recovered"):
        (hooks / event).write_text(notify.parse(where).hook(), "utf-8")
        (hooks / event).chmod(0o755)
    # install did not write this hook, so doctor does not know what it needs.
    (hooks / "login-ending").write_text("#!/bin/sh\nno-such\n", "utf-8")
    (hooks / "login-ending").chmod(0o755)
    done = well.run("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    fix = f"{SUDO}apt-get install {package}" if package else f"install {name}"
    text = f"{name} not found in PATH, so the hooks cannot send messages"
    assert f"FAIL  notifications: {text}\n      fix: {fix}\n" in done.stdout
    assert "note  hook" not in done.stdout
    if "/" not in name:
        well.program(name, "#!/bin/sh\n")
        assert examined(well)[1] == {}


def stale(host: HostProject) -> None:
    lock = host.credentials.with_name(".credentials.json.lock")
    lock.mkdir()
    os.utime(lock, (host.now_s - 3600,) * 2)


def dangling_link(host: HostProject) -> None:
    host.dotenv.unlink()
    host.dotenv.symlink_to("no/such/place")


def shadowed(host: HostProject) -> None:
    with host.dotenv.open("a", encoding="utf-8") as file:
        file.write("export ANTHROPIC_API_KEY=x\nANTHROPIC_API_KEY=y\n")


def shadowed_with_blanks(host: HostProject) -> None:
    with host.dotenv.open("a", encoding="utf-8") as file:
        file.write(" \t export \t ANTHROPIC_AUTH_TOKEN=x\n  ANTHROPIC_AUTH_TOKEN=y\n")


def spelt_otherwise(host: HostProject) -> None:
    name = "CLAUDE_CODE_OAUTH_TOKEN"
    with host.dotenv.open("a", encoding="utf-8") as file:
        file.write(f"export {name}=dead\n  {name}=dead\n{name} =dead\n")


def link_to_itself(host: HostProject) -> None:
    host.dotenv.unlink()
    host.dotenv.symlink_to(host.dotenv.name)


def not_delivered(host: HostProject) -> None:
    host.deliver("sk-ant-other")
    os.utime(host.dotenv, (host.now_s - 3 * 3600,) * 2)  # the time of the log's last delivery


def unreadable(host: HostProject) -> None:
    (host.project / SCRIPT).unlink()
    (host.project / SCRIPT).symlink_to("/proc/self/mem")  # root cannot read it either


# A problem, the check that reports it, and whether its command is a complete fix.
WRONG: dict[str, tuple[Callable[[HostProject], object], str, bool]] = {
    "no jq": (lambda h: (h.bin / "jq").unlink(), "jq", False),
    "no timeout": (lambda h: (h.bin / "timeout").unlink(), "timeout", False),
    "no flock": (lambda h: (h.bin / "flock").chmod(0o644), "flock", False),
    "no login": (lambda h: h.credentials.write_text("{}"), "login", False),
    "login ended": (lambda h: h.login(refreshTokenExpiresAt=h.ms(-60)), "login", False),
    "nested login": (lambda h: h.credentials.write_text("[" * 10**5), "login", False),
    "another token": (not_delivered, ".env", False),
    "a dead token": (lambda h: h.login(-60), ".env", False),
    "no expiry": (lambda h: h.login(None), ".env", False),
    "runs that fail": (lambda h: h.failing.touch(), "runs", False),
    "a link to itself": (link_to_itself, ".env", False),
    "a dangling link": (dangling_link, ".env", False),
    "mode of .env": (lambda h: h.dotenv.chmod(0o640), ".env's mode", True),
    "mode of the login": (lambda h: h.credentials.chmod(0o604), "login's mode", True),
    "a variable in .env": (shadowed, "ANTHROPIC_API_KEY", True),
    "a variable with blanks": (shadowed_with_blanks, "ANTHROPIC_AUTH_TOKEN", True),
    "another spelling": (spelt_otherwise, "CLAUDE_CODE_OAUTH_TOKEN", True),
    "a lock of claude": (stale, "claude's lock", True),
    "another script": (lambda h: (h.project / SCRIPT).write_text("x"), "script", True),
    "another publish.sh": (lambda h: (h.project / PUBLISH).write_text("x"), "script", True),
    "unreadable script": (unreadable, "script", False),
    "no manager": (lambda h: h.program("systemctl", "#!/bin/sh\nexit 1\n"), "next run", False),
    "no timer": (lambda h: fake_manager(h, timers={}, heal=NOT_FOUND), "timer", False),
    "no time": (lambda h: h.program("timedatectl", "#!/bin/sh\necho no\n"), "clock", False),
    "another project's": (
        lambda h: fake_manager(h, argv=f"bash {h.project}2/{SCRIPT}", heal=NOT_FOUND),
        "whose timer",
        False,
    ),
    "another project's by Python": (
        lambda h: fake_manager(
            h, argv=f"python -m oauthkit refresh --project={h.project}2", heal=NOT_FOUND
        ),
        "whose timer",
        False,
    ),
    "the old script's": (
        lambda h: fake_manager(
            h, argv=f"bash {h.project}/scripts/refresh-oauth.sh", heal=NOT_FOUND
        ),
        "whose timer",
        False,
    ),
}


@pytest.mark.parametrize(("change", "name", "fixes_itself"), WRONG.values(), ids=WRONG)
def test_the_suggested_command_fixes_the_problem(
    well: HostProject, change: Callable[[HostProject], object], name: str, fixes_itself: bool
) -> None:
    change(well)
    status, failed, fixes = examined(well)
    assert (status, name in failed) == (1, True), failed
    if fixes_itself:
        assert [*failed] == [name]
        subprocess.run(["/bin/sh", "-c", fixes[name]], check=True, cwd="/")
        assert examined(well)[1] == {}


def test_claude_outside_path_is_found(well: HostProject) -> None:
    (well.home / ".local/bin").mkdir(parents=True)
    (well.bin / "claude").rename(well.home / ".local/bin/claude")
    assert examined(well)[1] == {}
    (well.home / ".local/bin/claude").chmod(0o644)
    _, failed, fixes = examined(well)
    assert failed["claude"] == f"{well.home}/.local/bin/claude is not executable"
    subprocess.run(["/bin/sh", "-c", fixes["claude"]], check=True)
    assert examined(well)[1] == {}
    (well.home / ".local/bin/claude").unlink()
    assert "claude" in examined(well)[1]


def test_claude_that_is_a_dangling_link(well: HostProject) -> None:
    """As after its version was removed."""
    (well.bin / "claude").unlink()
    (well.home / ".local/bin").mkdir(parents=True)
    (well.home / ".local/bin/claude").symlink_to(well.home / "versions/1.0")
    text = f"{well.home}/.local/bin/claude leads to {well.home}/versions/1.0, which does not exist"
    assert examined(well)[1]["claude"] == text


def test_mode_of_a_claude_elsewhere_is_not_changed(well: HostProject) -> None:
    file = well.home / "package/claude"
    file.parent.mkdir()
    (well.bin / "claude").rename(file)
    file.chmod(0o644)
    (well.bin / "claude").symlink_to(file)
    _, failed, fixes = examined(well)
    assert failed["claude"] == f"{well.bin}/claude is not executable"
    assert fixes["claude"].startswith("check its owner before you change anything: ")


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


def test_claude_without_its_interpreter(well: HostProject) -> None:
    well.program("claude", "#!/nope/node\n")
    problem = f"{well.bin}/claude cannot run: /nope/node does not exist"
    assert examined(well)[1:] == (
        {"claude": problem}, {"claude": "npm install --global @anthropic-ai/claude-code"},
    )  # fmt: skip


def test_claudes_interpreter_is_searched_for_in_the_runs_path(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    well.program("claude", "#!/usr/bin/env jq\n")
    (well.home / "alone").mkdir()
    (well.home / "alone/claude").symlink_to(well.bin / "claude")
    monkeypatch.setenv("HOME", str(well.home))
    monkeypatch.setenv("PATH", str(well.bin))
    paths = find_paths(str(well.project))
    with local.env(PATH=str(well.bin)):
        assert programs.claude(paths).is_ok
    found = programs.claude(paths, str(well.home / "alone"))
    assert found.text == f"{well.home}/alone/claude cannot run: jq not found in PATH"


def test_claude_of_another_user_is_not_changed(
    well: HostProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be a link to any file, if others can write to the entry of PATH."""
    (well.bin / "claude").chmod(0o600)
    monkeypatch.setenv("HOME", str(well.home))
    paths = find_paths(str(well.project))
    assert programs.claude(paths, str(well.bin)).fix == f"chmod u+x {quoted(well.bin / 'claude')}"
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    fix = programs.claude(paths, str(well.bin)).fix
    assert fix.startswith("check its owner before you change anything: ls -ld ")


def test_error_in_the_configuration_of_jq(well: HostProject) -> None:
    well.login(-1)
    well.lines((-60, "ERROR: jq could not run or was killed (exit 3)"))
    well.failing.touch()
    assert examined(well)[2]["runs"].startswith("fix the error in ~/.jq")


def test_error_while_the_token_is_live(well: HostProject) -> None:
    well.lines((-60, "ERROR: flock not found in PATH"))
    assert (
        " ok   runs: the last run failed, but .env still has its token\n"
        in well.run("doctor").stdout
    )


def test_search_for_the_lock_holder_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container with this user's uid can have very many open files."""
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holder.holder_of(tmp_path / "lock") == os.getpid()
        monkeypatch.setattr(lock_holder, "LONGEST_SEARCH_S", -1.0)
        assert lock_holder.holder_of(tmp_path / "lock") is None


def test_error_before_the_token_expired_is_reported(well: HostProject) -> None:
    """A run that cannot take the lock does not create the mark."""
    error = "x/logs/oauth-refresh.lock cannot be locked"
    well.lines((-60, f"ERROR: {error}"))
    assert examined(well)[1] == {}
    well.login(-1)
    assert examined(well)[1]["runs"] == f"they fail: {error}"


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


@pytest.mark.parametrize(
    "problem",
    [
        "jq not found in PATH. It is needed to read the credentials",
        "claude binary not found in PATH or common locations",
    ],
)
def test_program_that_is_there_again_needs_only_a_refresh(well: HostProject, problem: str) -> None:
    well.lines((-60, f"ERROR: {problem}"))
    well.failing.touch()
    assert examined(well)[2] == {"runs": command("refresh", well.project)}
    (well.bin / problem.partition(" ")[0]).unlink()
    _, failed, fixes = examined(well)
    is_needed = failed["runs"].endswith("First apply the fixes above")
    assert is_needed or ", then: " in fixes["runs"]


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


FAILED = "claude CLI refresh failed (exit 1). User may need to run 'claude login'."


def test_reason_of_failing_runs_and_its_fix(well: HostProject) -> None:
    well.failing.touch()
    output = "claude: Failed to authenticate. API Error: 401"
    well.lines((-60, output), (-60, f"ERROR: {FAILED}"))
    well.deliver(OTHER)
    for file in (well.dotenv, well.credentials):
        os.utime(file, (well.now_s - 4 * HOUR_S,) * 2)
    refresh = command("refresh", well.project)
    said = f"""\
FAIL  runs: they fail: {FAILED}
      {output}
      log: {well.log}
      fix: claude auth login && {refresh}
FAIL  .env: it does not have the credentials' token. First apply the fixes above
      fix: {refresh}
"""
    assert said in well.run("doctor").stdout
    (well.bin / "jq").unlink()
    assert examined(well)[1]["runs"].endswith(" 'claude login'. First apply the fixes above")


BLANK = "\N{BRAILLE PATTERN BLANK}"  # no space, so lines are not wrapped at it


@pytest.mark.parametrize("letter", ["x", "\N{FULLWIDTH LATIN SMALL LETTER X}"], ids=["x", "wide"])
def test_wrapped_output_does_not_look_like_a_line_of_doctor_or_status(
    well: HostProject, letter: str
) -> None:
    well.failing.touch()
    text = f"claude: {letter * 100}FAIL{BLANK}login:{BLANK}run{BLANK}mine"
    well.lines((-60, text), (-60, "ERROR: claude CLI failed"))
    for name in ("doctor", "status"):
        shown = well.run(name, COLUMNS="60").stdout.splitlines()
        parts = [line for line in shown if letter * 5 in line or BLANK in line]
        assert (
            "".join("".join(parts).split())
            .replace(BLANK, "")
            .endswith(f"{letter}FAILlogin:runmine")
        )
        for line in parts:
            assert line.startswith("      ")
            assert len(line) + sum(x > "~" for x in line) <= 60, line


def test_wrapped_text_does_not_look_like_another_finding(well: HostProject) -> None:
    hook = well.project / "scripts/oauth/hooks/failed"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/no/{'x' * 100}FAIL{BLANK}login:{BLANK}run{BLANK}mine\n", "utf-8")
    hook.chmod(0o755)
    lines = well.run("doctor", COLUMNS="60").stdout.splitlines()
    assert any(f"FAIL{BLANK}login" in line for line in lines)
    assert [x for x in lines if len(x) > 60 and not x.startswith("      fix: ")] == []


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


def test_refresh_is_the_fix_only_if_it_can_succeed(well: HostProject) -> None:
    well.deliver(OTHER)
    os.utime(well.dotenv, (well.now_s - 4 * HOUR_S,) * 2)
    refresh = command("refresh", well.project)
    assert examined(well)[2] == {".env": refresh}
    well.login(token="")
    _, failed, fixes = examined(well)
    assert fixes == {"login": "claude auth login", ".env": refresh}
    assert failed[".env"].endswith(" token. First apply the fixes above")
    # The login is only needed once.
    os.utime(well.credentials, (well.now_s - 4 * HOUR_S,) * 2)
    well.lines((-60, "claude: Failed to authenticate. API Error: 401"), (-60, f"ERROR: {FAILED}"))
    well.failing.touch()
    assert examined(well)[2] == {"login": "claude auth login", "runs": refresh, ".env": refresh}


def test_end_of_the_login_is_shown(well: HostProject) -> None:
    well.login(refreshTokenExpiresAt=well.ms(27 * HOUR_S + 30))
    shown = well.run("doctor").stdout
    said = f"note  login: {well.credentials}, ends in 27 h\n      fix: claude auth login && "
    assert f"{said}{command('refresh', well.project)}\n" in shown
    well.login(refreshTokenExpiresAt=well.ms(20 * DAY_S + 30))
    assert f" ok   login: {well.credentials}, ends in 20 days\n" in well.run("doctor").stdout


@pytest.mark.parametrize("directory", [".local/bin", ".claude/local"])
def test_claude_that_is_not_in_path(well: HostProject, directory: str) -> None:
    """The fix has claude's path, because the shell would not find the name."""
    claude = well.home / directory / "claude"
    claude.parent.mkdir(parents=True)
    (well.bin / "claude").rename(claude)
    well.login(token="")
    assert examined(well)[2]["login"] == f"{quoted(claude)} auth login"
    shown = " ".join(well.run("status").stdout.split())
    assert f"no accessToken in credentials: {quoted(claude)} auth login" in shown


def git(host: HostProject, *arguments: str) -> None:
    config = ["-c", "user.name=x", "-c", "user.email=x", "-C", str(host.project)]
    subprocess.run(["git", *config, *arguments], check=True, capture_output=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_project_of_another_user_as_root(well: HostProject) -> None:
    """Root has no login, so doctor's fixes would create a second chain, for root."""
    well.credentials.rename(well.home / "away")
    user = pwd.getpwnam("nobody")
    os.chown(well.project, user.pw_uid, user.pw_gid)
    text = f"{well.project} belongs to nobody, and root has no login of its own. Become that user"
    assert examined(well) == (1, {"project": text}, {"project": "su - nobody"})
    (warning,) = well.status()["warnings"]
    assert warning.endswith("has no login of its own. To become that user, run: su - nobody")
    (well.home / "away").rename(well.credentials)
    assert "project" not in examined(well)[1]


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
    assert fix.startswith("check its owner before you change anything: ls -ld ")


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


def test_directory_that_is_not_a_project(well: HostProject, tmp_path: Path) -> None:
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    argv = [sys.executable, "-m", "oauthkit", "doctor", "--project", str(directory)]
    env = {"HOME": str(well.home), "PATH": str(well.bin), "COLUMNS": "1000", **SAME_CODE}
    done = forked.run_text(argv, Path("/"), env)
    assert done.returncode == 1
    text = f"{directory} has no .env, scripts/oauth, package.json or .git"
    fix = "pass the project with --project. If this is the project, run oauthkit refresh --project"
    said = f"FAIL  project: {text}\n      fix: {fix} {directory}\n"
    assert re.sub(r"run \S*oauthkit ", "run oauthkit ", done.stdout) == said


def test_refresh_is_not_advised_for_a_link_out_of_home(well: HostProject, tmp_path: Path) -> None:
    target = tmp_path / "shadow"
    target.touch(mode=0o600)
    well.dotenv.unlink()
    well.dotenv.symlink_to(target)
    hint = (
        f"check its owner before you change anything: ls -ld {quoted(well.dotenv)} {quoted(target)}"
    )
    assert examined(well)[2][".env"] == hint
    assert examined(well)[1][".env"].endswith(f", a link to {target}")
    near = well.home / "secrets"
    near.touch(mode=0o600)
    well.dotenv.unlink()
    well.dotenv.symlink_to(near)
    assert examined(well)[2][".env"] == command("refresh", well.project)


def test_an_empty_variable_overrides_nothing(well: HostProject) -> None:
    with well.dotenv.open("a", encoding="utf-8") as file:
        file.write("ANTHROPIC_API_KEY=\nexport ANTHROPIC_AUTH_TOKEN= \n")
    assert examined(well)[1:] == ({}, {})


def test_api_key_is_commented_out_and_not_deleted(well: HostProject) -> None:
    shadowed(well)
    subprocess.run(["/bin/sh", "-c", examined(well)[2]["ANTHROPIC_API_KEY"]], check=True)
    text = well.dotenv.read_text("utf-8")
    assert text.endswith("\n# export ANTHROPIC_API_KEY=x\n# ANTHROPIC_API_KEY=y\n")


def test_another_spelling_is_commented_out_and_the_plain_line_stays(well: HostProject) -> None:
    before = well.dotenv.read_text("utf-8")
    spelt_otherwise(well)
    fix = examined(well)[2]["CLAUDE_CODE_OAUTH_TOKEN"]
    subprocess.run(["/bin/sh", "-c", fix], check=True)
    name = "CLAUDE_CODE_OAUTH_TOKEN"
    kept = f"# export {name}=dead\n#   {name}=dead\n# {name} =dead\n"
    assert well.dotenv.read_text("utf-8") == before + kept


def test_variable_in_the_environment_is_a_note(well: HostProject) -> None:
    done = well.run("doctor", ANTHROPIC_API_KEY="x")
    assert done.returncode == 0
    assert "note  ANTHROPIC_API_KEY: set in this shell, where it overrides the token" in done.stdout
    assert "      fix: unset ANTHROPIC_API_KEY\n" in done.stdout


def test_script_of_the_timer_is_missing(well: HostProject) -> None:
    script = well.project / SCRIPT
    script.unlink()
    _, failed, fixes = examined(well)
    assert failed["program of the timer"] == f"{script} does not exist"
    assert fixes["program of the timer"] == command("install", well.project)


def test_dotenv_elsewhere_leaves_the_usual_one(well: HostProject) -> None:
    other = well.home / "other.env"
    other.write_bytes(well.dotenv.read_bytes())
    other.chmod(0o600)
    done = well.run("doctor", OAUTHKIT_DOTENV=str(other))
    text = f"{well.dotenv} has a token, too, which no run updates. OAUTHKIT_DOTENV is {other}"
    assert (done.returncode, f"note  other .env: {text}\n" in done.stdout) == (0, True)
    well.dotenv.unlink()
    assert "other .env" not in well.run("doctor", OAUTHKIT_DOTENV=str(other)).stdout


def test_conf_that_cannot_be_read(well: HostProject) -> None:
    conf = well.project / CONF_FILE
    conf.mkdir()
    assert examined(well)[2]["setting"] == f"rmdir {quoted(conf)}"


def test_unknown_state_is_a_note(well: HostProject) -> None:
    for name in ("loginctl", "timedatectl"):
        (well.bin / name).unlink()
    done = well.run("doctor")
    assert done.returncode == 0
    assert sum(line.startswith("note") for line in done.stdout.splitlines()) == 2
    clock = done.stdout.partition("note  clock: ")[2].splitlines()
    assert clock[1] == "      fix: compare the output of date -u with the real time"


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
