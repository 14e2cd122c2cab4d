"""Agents behind a follower, with the real Claude Code CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.system.claude_loopback import TOKEN_PATH, Loopback, Pair, Plan
from tests.support.system.claude_project import Project
from tests.support.system.claude_session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts/oauth"
FIRST, SECOND = (
    Pair(f"sk-ant-oat01-made-up-{name}", f"sk-ant-ort01-made-up-{name}")
    for name in ("first", "second")
)
LIMIT_S = 60


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    with Loopback(Plan(FIRST, SECOND), tmp_path).running() as served:
        yield served
    assert served.rejected == [], "a request to another host"


class Host:
    """A host of a fleet: a home, a project, and the store that all hosts share."""

    def __init__(self, root: Path, name: str, form: str) -> None:
        self.name, self.form, self.store = name, form, root / "store"
        self.home, self.project = root / f"{name}-home", root / f"{name}-project"
        (self.home / ".claude").mkdir(parents=True)
        (self.project / "scripts/oauth").mkdir(parents=True)
        self.store.mkdir(exist_ok=True)
        for script in SCRIPTS.glob("*.sh"):
            shutil.copy(script, self.project / "scripts/oauth")

    def log_in(self, pair: Pair, left_s: int) -> None:
        """Write a login whose token has this much time left."""
        login = {
            "accessToken": pair.access, "refreshToken": pair.refresh,
            "expiresAt": (int(time.time()) + left_s) * 1000,
            "scopes": ["user:inference"], "subscriptionType": "max",
        }  # fmt: skip
        path = self.home / ".claude/.credentials.json"
        path.write_text(json.dumps({"claudeAiOauth": login}), encoding="utf-8")

    def run(self, program: str, *arguments: str, **environment: str) -> None:
        """Run a program, which must succeed."""
        command = {
            "bash": ["bash", str(self.project / f"scripts/oauth/{program}.sh"), *arguments],
            "python": [
                sys.executable, "-m", "oauthkit", program, "--project", str(self.project),
                *arguments,
            ],
        }[self.form]  # fmt: skip
        done = subprocess.run(
            command,
            env={
                "HOME": str(self.home),
                "PATH": os.environ["PATH"],
                "OAUTHKIT_STORE": f"dir:{self.store}",
                "OAUTHKIT_HOST": self.name,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("form", ["bash", "python"])
def test_session_outlives_one_of_two_publishers(
    tmp_path: Path, loopback: Loopback, form: str
) -> None:
    first, second, follower = (Host(tmp_path, name, form) for name in ("a", "b", "follower"))
    first.log_in(FIRST, 20 * 60)
    second.log_in(SECOND, 3 * 3600)
    bearer = tmp_path / "bearer/.credentials.json"
    bearer.parent.mkdir()
    container = tmp_path / "container"
    (container / ".claude").mkdir(parents=True)
    (container / ".claude/.credentials.json").symlink_to(bearer)

    first.run("publish")
    follower.run("follow", "--once", OAUTHKIT_BEARER=str(bearer))
    loopback.plan.accepted = {FIRST.access}
    session = Session(Project(tmp_path, form, loopback), container)
    try:
        assert session.ask()["is_error"] is False
        shutil.rmtree(first.home)  # the host is gone. Its record stays
        second.run("publish")
        follower.run("follow", "--once", OAUTHKIT_BEARER=str(bearer))
        loopback.plan.accepted = {SECOND.access}  # the first token has expired
        assert session.ask()["is_error"] is False
    finally:
        session.end()
    assert loopback.asked(TOKEN_PATH) == []  # neither the session nor a follower has renewed
    assert SECOND.access in bearer.read_text("utf-8")
    everything = b"".join(path.read_bytes() for path in follower.store.iterdir())
    assert b"sk-ant-ort01" not in everything + bearer.read_bytes()
