"""What all commands have in common: wrong usage is one line, and nothing is done."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.host.host_project import SAME_CODE
from tests.parity.oauth_world import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    "adopt", "compile", "doctor", "explain", "generate", "install", "refresh", "run", "status",
    "uninstall", "watch",
)  # fmt: skip
OF_A_PROJECT = ("doctor", "install", "refresh", "status", "uninstall", "watch")


def oauthkit(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`oauthkit ARGUMENTS` in an empty folder, with nothing in its environment."""
    argv = [sys.executable, "-m", "oauthkit", *arguments]
    settings = {"HOME": str(folder), "PATH": "/usr/bin:/bin", **SAME_CODE, **env}
    done = subprocess.run(
        argv, cwd=folder, env=settings, capture_output=True, text=True, check=False
    )
    assert not [*folder.iterdir()]
    return done


def test_every_command_is_here(tmp_path: Path) -> None:
    shown = oauthkit(tmp_path).stderr.partition("Sub-commands:\n")[2]
    assert tuple(re.findall(r"^    ([a-z]+) ", shown, re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_switch_that_there_is_not(tmp_path: Path, command: str) -> None:
    done = oauthkit(tmp_path, command, "--no-such-switch")
    assert (done.returncode, done.stdout) == (2, "")
    said = f"unknown switch --no-such-switch: see oauthkit {command} --help"
    assert done.stderr == f"oauthkit {command}: {said}\n"


@pytest.mark.parametrize("command", OF_A_PROJECT)
def test_project_that_is_not_there(tmp_path: Path, command: str) -> None:
    done = oauthkit(tmp_path, command, "--project", "/no/such/folder")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"oauthkit {command}: ")
    assert "/no/such/folder" in done.stderr
    assert done.stderr.endswith(" is not a folder: give --project DIR\n")


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "C"])
def test_argument_of_a_switch(tmp_path: Path, language: str) -> None:
    """The parser says more than one line of it, and that in the language of its user."""
    done = oauthkit(tmp_path, "install", "--form", "x\ny", LANGUAGE="de", LC_ALL=language)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("oauthkit install: ")
    assert line.endswith(": see oauthkit install --help")


def test_what_asks_for_help_gets_it(tmp_path: Path) -> None:
    for command in COMMANDS:
        done = oauthkit(tmp_path, command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"    oauthkit {command} [SWITCHES]" in done.stdout


def test_generate_without_a_checkout_says_where_there_is_one(tmp_path: Path) -> None:
    package = tmp_path / "installed/oauthkit"
    shutil.copytree(REPOSITORY / "py/oauthkit", package)
    (tmp_path / "empty").mkdir()
    done = oauthkit(tmp_path / "empty", "generate", PYTHONPATH=str(package.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "oauthkit generate: this oauthkit is of no checkout: give --output FILE, or in a checkout:"
        " scripts/setup; .venv/bin/oauthkit generate\n"
    )
