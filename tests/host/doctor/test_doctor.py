"""oauthkit doctor names each problem, and its fix works."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import forked
from tests.support.host.doctor_host import NOT_FOUND, SCRIPT, examined, fake_manager
from tests.support.host.host_project import (
    DAY_S,
    HOUR_S,
    OTHER,
    SAME_CODE,
    UNIT,
    command,
    quoted,
)

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


def test_error_while_the_token_is_live(well: HostProject) -> None:
    well.lines((-60, "ERROR: flock not found in PATH"))
    assert (
        " ok   runs: the last run failed, but .env still has its token\n"
        in well.run("doctor").stdout
    )


def test_error_before_the_token_expired_is_reported(well: HostProject) -> None:
    """A run that cannot take the lock does not create the mark."""
    error = "x/logs/oauth-refresh.lock cannot be locked"
    well.lines((-60, f"ERROR: {error}"))
    assert examined(well)[1] == {}
    well.login(-1)
    assert examined(well)[1]["runs"] == f"they fail: {error}"


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


def test_refresh_is_the_fix_only_if_it_can_succeed(well: HostProject) -> None:
    well.deliver(OTHER)
    os.utime(well.dotenv, (well.now_s - 4 * HOUR_S,) * 2)
    refresh = command("refresh", well.project)
    assert examined(well)[2] == {".env": refresh}
    well.login(token="")
    _, failed, fixes = examined(well)
    assert fixes == {"login": "claude auth login"}
    note = f"note  .env: {well.dotenv}: not compared, because the credentials' token is not known"
    assert f"{note}\n" in well.run("doctor").stdout
    # The login is only needed once.
    os.utime(well.credentials, (well.now_s - 4 * HOUR_S,) * 2)
    well.lines((-60, "claude: Failed to authenticate. API Error: 401"), (-60, f"ERROR: {FAILED}"))
    well.failing.touch()
    _, failed, fixes = examined(well)
    assert fixes == {"login": "claude auth login", "runs": refresh}
    assert failed["runs"].endswith("First apply the fixes above")


def test_damaged_credentials_are_moved_away_once(well: HostProject) -> None:
    """The fix of the failed run must not move the new login away."""
    well.credentials.write_text("{", "utf-8")
    well.lines((-60, f"ERROR: {well.credentials} is not valid JSON"))
    well.failing.touch()
    fixes = examined(well)[2]
    assert fixes == {"login": "claude auth login", "runs": command("refresh", well.project)}


def test_login_without_a_refresh_token(well: HostProject) -> None:
    """Such a login ends with its access token."""
    well.login(refreshToken=None)
    _, failed, fixes = examined(well)
    text = f"{well.credentials} has no refresh token, so claude cannot renew the token"
    assert failed == {"login": text}
    assert fixes == {"login": f"claude auth login && {command('refresh', well.project)}"}


def test_end_of_the_login_is_shown(well: HostProject) -> None:
    well.login(refreshTokenExpiresAt=well.ms(27 * HOUR_S + 30))
    shown = well.run("doctor").stdout
    said = f"note  login: {well.credentials}, ends in 27 h\n      fix: claude auth login && "
    assert f"{said}{command('refresh', well.project)}\n" in shown
    well.login(refreshTokenExpiresAt=well.ms(20 * DAY_S + 30))
    assert f" ok   login: {well.credentials}, ends in 20 days\n" in well.run("doctor").stdout


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


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_login_of_another_user_as_root(well: HostProject) -> None:
    """With sudo -E, root has the user's HOME. A chown would lock the user out of the project."""
    user = pwd.getpwnam("nobody")
    for path in (well.project, well.credentials):
        os.chown(path, user.pw_uid, user.pw_gid)
    assert examined(well)[2] == {"project": "su - nobody"}


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


def test_unknown_state_is_a_note(well: HostProject) -> None:
    for name in ("loginctl", "timedatectl"):
        (well.bin / name).unlink()
    done = well.run("doctor")
    assert done.returncode == 0
    assert sum(line.startswith("note") for line in done.stdout.splitlines()) == 2
    clock = done.stdout.partition("note  clock: ")[2].splitlines()
    assert clock[1] == "      fix: compare the output of date -u with the real time"
