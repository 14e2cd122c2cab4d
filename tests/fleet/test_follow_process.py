"""A follower that runs until a signal ends it, in each form."""

from __future__ import annotations

import contextlib
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
# The follower does not notice a record that comes and goes between two looks. It reads the store
# every 60 s even without a change.
LIMIT_S = 90


@dataclass
class Follower:
    """A project with a $ and a blank in its path, a store, and a follower's process."""

    root: Path
    form: str
    url: str = ""

    def __post_init__(self) -> None:
        self.project, self.store = self.root / "my $project", self.root / "store"
        self.dotenv = self.project / ".env"
        script = self.project / "scripts/oauth/follow.sh"
        script.parent.mkdir(parents=True)
        self.store.mkdir()
        shutil.copy(SCRIPT, script)
        self.errors = self.root / "errors"
        with self.errors.open("wb") as errors:
            self.start(errors.fileno())

    def start(self, stderr: int) -> None:
        commands = {
            "bash": ["bash", str(self.project / "scripts/oauth/follow.sh")],
            "python": [sys.executable, "-m", "oauthkit", "follow", "--project", str(self.project)],
        }
        self.process = subprocess.Popen(
            commands[self.form],
            env={
                "HOME": str(self.root),
                "PATH": f"{self.root}:{os.environ['PATH']}",
                "OAUTHKIT_STORE": self.url or f"dir:{self.store}",
            },
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
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


# A stand-in for etcdctl: the store has no records, and the watch never ends.
ETCDCTL = """\
#!/bin/sh
case $1 in
get) echo '{"header":{"revision":7}}' ;;
watch) echo $$ >"$HOME/watch" && exec sleep 300 ;;
esac
"""


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


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_wait_for_etcd_ends_with_the_follower(tmp_path: Path, form: str, number: int) -> None:
    etcdctl, watch = tmp_path / "etcdctl", tmp_path / "watch"
    etcdctl.write_text(ETCDCTL, encoding="utf-8")
    etcdctl.chmod(0o755)
    made = Follower(tmp_path, form, "etcd:http://127.0.0.1:9/agents")
    try:
        made.wait_for(watch, "\n")
        watching = Path("/proc", watch.read_text("utf-8").strip())
        assert watching.exists()
        made.process.send_signal(number)  # not to its process group
        assert made.process.wait(LIMIT_S) == -number
        end_s = time.monotonic() + LIMIT_S / 2
        while watching.exists() and time.monotonic() < end_s:
            time.sleep(0.1)
        assert not watching.exists()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()


def test_missing_store_is_shown_on_a_terminal_at_each_start(follower: Follower) -> None:
    follower.wait_for(follower.dotenv, follower.publish("a", 3600))
    shutil.rmtree(follower.store)
    warning = f"the store {follower.store} is not a directory. Create or mount it."
    follower.wait_for(follower.project / "logs/oauth-refresh.followed", " warned")
    os.killpg(follower.process.pid, signal.SIGTERM)
    follower.process.wait(LIMIT_S)
    terminal, stderr = os.openpty()
    follower.start(stderr)
    os.close(stderr)
    shown = b""
    with contextlib.suppress(OSError):  # the follower has exited
        while b"\n" not in shown:
            shown += os.read(terminal, 1024)
    os.close(terminal)
    assert f" WARN: {warning} The token in .env is still live" in shown.decode()


def test_errors_are_on_stderr(follower: Follower) -> None:
    (follower.store / "b.json").write_text("x", encoding="utf-8")
    error = "ERROR: the record of b is not a JSON object and is ignored\n"
    follower.wait_for(follower.errors, error)


def test_state_that_leads_to_the_login_is_not_copied(follower: Follower) -> None:
    """Another user who can write to logs replaces the follower's state with a link."""
    state = follower.project / "logs/oauth-refresh.followed"
    follower.wait_for(follower.dotenv, follower.publish("a", 3600))
    follower.wait_for(state, "")  # the state is written after .env
    os.killpg(follower.process.pid, signal.SIGTERM)
    follower.process.wait(LIMIT_S)
    login = follower.root / "login.json"
    login.write_text('{"refreshToken":"sk-ant-ort01-x"} warned', encoding="utf-8")
    (follower.store / "a.json").unlink()
    state.unlink()
    state.symlink_to(login)
    with follower.errors.open("wb") as errors:
        follower.start(errors.fileno())
    follower.wait_for(follower.errors, "has no record of a live token")
    assert state.is_symlink() or "sk-ant" not in state.read_text("utf-8")
