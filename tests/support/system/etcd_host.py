"""A host that publishes to a real etcd cluster, or follows it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.system.etcd_cluster import LIMIT_S, PATH

if TYPE_CHECKING:
    from tests.support.system.etcd_cluster import Cluster

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts/oauth"


class Host:
    """A host with a home and a project, which publishes or follows."""

    def __init__(self, cluster: Cluster, root: Path, number: int, form: str) -> None:
        self.cluster, self.number, self.form = cluster, number, form
        self.home, self.project = root / f"home{number}", root / f"project{number}"
        (self.home / ".claude").mkdir(parents=True)
        self.dotenv = self.project / ".env"
        self.log = self.project / "logs/oauth-refresh.log"
        scripts = self.project / "scripts/oauth"
        scripts.mkdir(parents=True)
        for name in ("publish.sh", "follow.sh"):
            shutil.copy(SCRIPTS / name, scripts)
        self.prefix = f"{root.name}-{form}"
        self.env = {
            "HOME": str(self.home),
            "OAUTHKIT_STORE": f"etcd:{cluster.endpoints}/{self.prefix}",
            "OAUTHKIT_HOST": "alpha",
            **cluster.certificates.settings(),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def log_in(self, name: str, left_s: int) -> str:
        """Write a login whose token has this much time left. Return the token's line in .env."""
        token = f"sk-ant-oat01-made-up-{name}"
        login = {
            "accessToken": token, "refreshToken": "sk-ant-ort01-made-up",
            "expiresAt": (int(time.time()) + left_s) * 1000, "scopes": ["user:inference"],
        }  # fmt: skip
        path = self.home / ".claude/.credentials.json"
        path.write_text(json.dumps({"claudeAiOauth": login}), encoding="utf-8")
        return f"CLAUDE_CODE_OAUTH_TOKEN={token}\n"

    def command(self, program: str, *arguments: str) -> list[str]:
        return {
            "bash": ["bash", str(self.project / f"scripts/oauth/{program}.sh"), *arguments],
            "python": [
                sys.executable, "-m", "oauthkit", program, "--project", str(self.project),
                *arguments,
            ],
        }[self.form]  # fmt: skip

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self.command(program, *arguments)
        return self.cluster.run(self.number, command, self.env, check=False)

    def publish(self, name: str, left_s: int) -> str:
        """Publish a new login's token. Return its line in .env."""
        line = self.log_in(name, left_s)
        done = self.run("publish")
        assert (done.returncode, done.stderr) == (0, "")
        return line

    def record(self, name: str, left_s: int) -> str:
        """Return the record of a token, as publish writes it."""
        now_ms = int(time.time()) * 1000
        return json.dumps(
            {
                "version": 1, "host": "alpha", "issued_at_ms": now_ms,
                "access_token": f"sk-ant-oat01-made-up-{name}",
                "expires_at_ms": now_ms + left_s * 1000, "scopes": ["user:inference"],
            }
        )  # fmt: skip

    def start(self, first_in_path: Path | None = None) -> None:
        """Start the follower. Programs in `first_in_path` replace the real ones."""
        tools = [] if first_in_path is None else [str(first_in_path)]
        self.process = subprocess.Popen(
            [*self.cluster.network.host(self.number), *self.command("follow")],
            env={**self.env, "PATH": ":".join([*tools, PATH])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """End the follower, if it was started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()

    def wait_for(self, line: str) -> None:
        """Wait until .env consists of this line."""
        end_s = time.monotonic() + LIMIT_S
        while not self.dotenv.exists() or self.dotenv.read_text("utf-8") != line:
            assert self.process is None or self.process.poll() is None, "the follower has exited"
            assert time.monotonic() < end_s, self.messages()
            time.sleep(0.05)

    def messages(self) -> list[str]:
        """Return the log's lines without their times."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [line.partition(" ")[2] for line in lines]

    def watch_request(self) -> str:
        """Wait for the follower's etcdctl watch. Return its command line."""
        end_s = time.monotonic() + LIMIT_S
        while time.monotonic() < end_s:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if line.startswith("etcdctl watch") and f" {self.prefix}/ " in line:
                    return line
            time.sleep(0.05)
        raise AssertionError("there is no etcdctl watch")
