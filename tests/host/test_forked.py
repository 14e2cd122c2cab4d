"""The forks in which these tests run the commands behave like started processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import forked
from tests.support.host.host_project import HostProject

CODE = "import os, sys; print(sys.stdin.read(), os.getcwd()); sys.exit('failed')"


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("status", "--json"), ("status", "--no-such"), ("install", "--help"), ("run",)],
    ids=" ".join,
)
def test_command_is_the_same(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    host = HostProject(tmp_path)
    host.login(left_s=-60)
    argv = [sys.executable, "-m", "oauthkit", *arguments, "--project", str(host.project)]
    env = {"HOME": str(host.home), "PATH": str(host.bin), "TZ": "UTC0", "COLUMNS": "90"}
    fork = forked.run(argv, Path("/"), env)
    started = subprocess.run(argv, cwd="/", env=env, input=b"", capture_output=True, check=False)
    assert fork.stdout + fork.stderr
    # The age of the login may change in between.
    assert fork.returncode == started.returncode
    assert len(fork.stdout.splitlines()) == len(started.stdout.splitlines())
    if arguments[-1] != "--json":
        assert (fork.stdout, fork.stderr) == (started.stdout, started.stderr)


def test_pipes_and_directory(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CODE, encoding="utf-8")
    argv = [sys.executable, str(tmp_path / "program.py")]
    large = b"x" * 200_000
    ran = forked.run(argv, tmp_path, {}, large)
    assert ran.stdout == large + f" {tmp_path}\n".encode()
    assert (ran.stderr, ran.returncode) == (b"failed\n", 1)
