"""oauthkit doctor's checks of .env."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import NOT_FOUND, examined, fake_manager
from tests.support.host.host_project import (
    HOUR_S,
    command,
    quoted,
)

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


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


def git(host: HostProject, *arguments: str) -> None:
    config = ["-c", "user.name=x", "-c", "user.email=x", "-C", str(host.project)]
    subprocess.run(["git", *config, *arguments], check=True, capture_output=True)


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


def test_target_of_a_link_out_of_the_project_is_created_by_a_refresh(well: HostProject) -> None:
    elsewhere = well.home.parent / "elsewhere"
    elsewhere.mkdir()
    well.dotenv.unlink()
    well.dotenv.symlink_to(elsewhere / "env")
    assert examined(well)[2][".env"] == command("refresh", well.project)
