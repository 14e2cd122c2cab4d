"""Every command reports a usage error in one line, and does nothing else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import forked
from tests.support.host.host_project import SAME_CODE, quoted
from tests.support.refresh.world import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject

COMMANDS = (
    "adopt", "compile", "doctor", "explain", "follow", "generate", "install", "publish", "refresh",
    "run", "status", "uninstall", "watch",
)  # fmt: skip
OF_A_PROJECT = ("doctor", "follow", "install", "publish", "refresh", "status", "uninstall", "watch")


def oauthkit(directory: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `oauthkit ARGUMENTS` in an empty directory, with an empty environment."""
    argv = [sys.executable, "-m", "oauthkit", *arguments]
    settings = {"HOME": str(directory), "PATH": "/usr/bin:/bin", **SAME_CODE, **env}
    done = forked.run_text(argv, directory, settings)
    assert not [*directory.iterdir()]
    return done


def test_list_of_commands_is_complete(tmp_path: Path) -> None:
    shown = oauthkit(tmp_path).stderr.partition("Sub-commands:\n")[2]
    assert tuple(re.findall(r"^    ([a-z]+) ", shown, re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_switch(tmp_path: Path, command: str) -> None:
    done = oauthkit(tmp_path, command, "--no-such-switch")
    assert (done.returncode, done.stdout) == (2, "")
    said = f"unknown switch --no-such-switch. See oauthkit {command} --help"
    assert done.stderr == f"oauthkit {command}: {said}\n"


@pytest.mark.parametrize("command", OF_A_PROJECT)
def test_missing_project(tmp_path: Path, command: str) -> None:
    done = oauthkit(tmp_path, command, "--project", "/no/such/directory")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"oauthkit {command}: ")
    assert "/no/such/directory" in done.stderr
    assert done.stderr.endswith(" is not a directory. Pass --project DIR\n")


@pytest.mark.parametrize(
    "command", [["refresh"], ["run", "true"], ["watch"], ["install"], ["status"]]
)
def test_nothing_is_created_in_a_directory_that_is_not_a_project(
    tmp_path: Path, command: list[str]
) -> None:
    done = oauthkit(tmp_path, *command, PATH="/none")
    assert (done.returncode, done.stdout) == (2, "")
    problem = f"{str(tmp_path)!r} is not a project. Pass --project DIR"
    assert done.stderr == f"oauthkit {command[0]}: {problem}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sign", [".env", "scripts/oauth", "package.json", ".git"])
def test_refresh_without_project_in_a_project(tmp_path: Path, sign: str) -> None:
    (tmp_path / sign).mkdir(parents=True)
    (tmp_path / "logs").mkdir()  # there is no mkdir(1) in PATH
    argv = [sys.executable, "-m", "oauthkit", "refresh"]
    env = {"HOME": str(tmp_path), "PATH": "/none", **SAME_CODE}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, check=False)
    assert done.returncode == 1
    assert (tmp_path / "logs/oauth-refresh.log").is_file()


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "C"])
def test_argument_of_a_switch(tmp_path: Path, language: str) -> None:
    """The parser's own message has several lines, in the user's language."""
    done = oauthkit(tmp_path, "install", "--form", "x\ny", LANGUAGE="de", LC_ALL=language)
    assert (done.returncode, done.stdout) == (2, "")
    said = "--form must be bash or python, not 'x\\ny'. See oauthkit install --help"
    assert done.stderr == f"oauthkit install: {said}\n"


def test_help_is_printed(tmp_path: Path) -> None:
    for command in COMMANDS:
        done = oauthkit(tmp_path, command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"\nUsage:\n    oauthkit {command} [" in done.stdout


def test_generate_without_a_checkout_is_an_error_with_a_fix(tmp_path: Path) -> None:
    package = tmp_path / "installed/oauthkit"
    shutil.copytree(REPOSITORY / "py/oauthkit", package)
    (tmp_path / "empty").mkdir()
    done = oauthkit(tmp_path / "empty", "generate", PYTHONPATH=str(package.parent))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "oauthkit generate: oauthkit is not running from a checkout. Pass --output DIR,"
        " or run in a checkout: scripts/setup && .venv/bin/oauthkit generate\n"
    )


# --- Progress ---


def started(
    host: HostProject, *arguments: str, stdout: int = subprocess.PIPE, **more: Any
) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "oauthkit", *arguments, "--project", str(host.project)]
    env = {"HOME": str(host.home), "PATH": str(host.bin), **SAME_CODE}
    return subprocess.Popen(argv, env=env, cwd="/", stdout=stdout, text=True, **more)


def test_doctor_prints_each_check_when_it_is_done(live: HostProject) -> None:
    gate = live.home / "gate"
    os.mkfifo(gate)
    live.program("systemctl", f"#!/bin/sh\nread -r _ <{quoted(gate)}\nexit 1\n")
    with started(live, "doctor") as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("note  script"):
            assert process.poll() is None
        assert process.poll() is None
        gate.write_text("\n" * 9, encoding="utf-8")
        process.stdout.read()
        assert process.wait() == 1


def test_install_reports_what_it_did_before_the_failure(live: HostProject) -> None:
    fails = "case $* in *enable*) echo no >&2; exit 1;; esac"
    live.program("systemctl", f"#!/bin/sh\n{fails}\n")
    with started(live, "install", stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    assert [line.split()[0] for line in lines] == ["wrote", "wrote", "oauthkit"]


@pytest.mark.parametrize(("stdout", "status"), [("/dev/full", 1), ("pipe", 141), ("closed", 0)])
def test_unwritable_stdout_does_not_stop_the_work(
    live: HostProject, stdout: str, status: int
) -> None:
    live.program("systemctl", "#!/bin/sh\n")
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "oauthkit", "install", "--project", str(live.project)]
    how = {"/dev/full": ">/dev/full", "pipe": f">&{write}", "closed": ">&-"}[stdout]
    env = {"HOME": str(live.home), "PATH": str(live.bin), **SAME_CODE}
    done = subprocess.run(
        ["/bin/bash", "-c", f"{shlex.join(argv)} {how}"],
        env=env, pass_fds=[write], capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stdout) == (status, "")
    said = "oauthkit: cannot write the output: No space left on device\n"
    assert done.stderr == (said if stdout == "/dev/full" else "")
    assert len([*(live.home / ".config/systemd/user").iterdir()]) == 2


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_unwritable_stderr_does_not_change_the_exit_status(tmp_path: Path, stderr: str) -> None:
    argv = [sys.executable, "-m", "oauthkit", "doctor", "--project", "/no/such/directory"]
    done = subprocess.run(
        ["/bin/sh", "-c", f"{shlex.join(argv)} {stderr}"],
        env={"HOME": str(tmp_path), **SAME_CODE}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
