"""A follower that runs until a signal ends it, in each form."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/oauth/follow.sh"
LIMIT_S = 60


@dataclass
class Follower:
    """A project with a $ and a blank in its path, a store, and a follower's process."""

    root: Path
    form: str

    def __post_init__(self) -> None:
        self.project, self.store = self.root / "my $project", self.root / "store"
        self.dotenv = self.project / ".env"
        script = self.project / "scripts/oauth/follow.sh"
        script.parent.mkdir(parents=True)
        self.store.mkdir()
        shutil.copy(SCRIPT, script)
        commands = {
            "bash": ["bash", str(script)],
            "python": [sys.executable, "-m", "oauthkit", "follow", "--project", str(self.project)],
        }
        self.errors = self.root / "errors"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                commands[self.form],
                env={
                    "HOME": str(self.root),
                    "PATH": os.environ["PATH"],
                    "OAUTHKIT_STORE": f"dir:{self.store}",
                },
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def publish(self, name: str, left_s: int) -> str:
        """Replace the record of a host in one step. Return the line that .env must have."""
        token = f"sk-ant-oat01-made-up-{name}"
        now_ms = int(time.time()) * 1000
        values = {
            "version": 1, "host": name, "access_token": token,
            "issued_at_ms": now_ms, "expires_at_ms": now_ms + left_s * 1000,
        }  # fmt: skip
        temporary = self.store / "new"
        temporary.write_text(json.dumps(values), encoding="utf-8")
        temporary.rename(self.store / f"{name}.json")
        return f"CLAUDE_CODE_OAUTH_TOKEN={token}\n"

    def wait_for(self, file: Path, text: str) -> None:
        """Wait until a file has this text in it."""
        end_s = time.monotonic() + LIMIT_S
        while not (file.exists() and text in file.read_text("utf-8")):
            assert self.process.poll() is None, "the follower has exited"
            assert time.monotonic() < end_s, f"{file} does not have {text}"
            time.sleep(0.1)


@pytest.fixture(params=["bash", "python"])
def follower(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Follower]:
    made = Follower(tmp_path, request.param)
    yield made
    if made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.communicate()


def test_better_tokens_are_delivered_until_a_signal_comes(follower: Follower) -> None:
    follower.wait_for(follower.errors, "has no record of a live token")
    follower.wait_for(follower.dotenv, follower.publish("a", 20 * 60))
    follower.wait_for(follower.dotenv, follower.publish("b", 3600))
    (follower.store / "b.json").unlink()
    follower.wait_for(follower.dotenv, follower.publish("c", 1200 + 60))
    follower.process.send_signal(signal.SIGTERM)
    assert follower.process.wait(LIMIT_S) == -signal.SIGTERM
    assert follower.dotenv.read_text("utf-8").count("\n") == 1


def test_errors_are_on_stderr(follower: Follower) -> None:
    (follower.store / "b.json").write_text("x", encoding="utf-8")
    error = "ERROR: the record of b is not a JSON object and is ignored\n"
    follower.wait_for(follower.errors, error)
