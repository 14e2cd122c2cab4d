"""A project with a fresh login, refreshed with the real jq, flock and coreutils."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.host.host_project import SAME_CODE
from tests.support.refresh.world import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT = "scripts/oauth/refresh.sh"
TOKEN = "sk-ant-oat01-made-up"
REFRESH_TOKEN = "sk-ant-ort01-made-up"
BEFORE = "A=1\nCLAUDE_CODE_OAUTH_TOKEN=old\nB=2\n"
AFTER = f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={TOKEN}\nB=2\n"
# Without systemd-run, no next run is scheduled. Without claude, no token is renewed.
TOOLS = (
    "bash", "cat", "chmod", "cp", "flock", "jq", "mkdir", "mv", "readlink", "rm", "stat", "sync",
)  # fmt: skip
LIMIT_S = 60


@dataclass
class RealProject:
    """A project whose .env has an old token, and a login whose token lives for 8 h."""

    root: Path
    form: str  # "bash" or "python"
    env: dict[str, str] = field(default_factory=dict)  # settings of the next run

    def __post_init__(self) -> None:
        self.home, self.project, self.tools = (
            self.root / name for name in ("home", "project", "bin")
        )
        self.dotenv = self.project / ".env"
        self.log = self.project / "logs/oauth-refresh.log"
        self.credentials = self.home / ".claude/.credentials.json"
        script = self.project / SCRIPT
        for directory in (self.credentials.parent, script.parent, self.tools):
            directory.mkdir(parents=True)
        shutil.copy(REPOSITORY / SCRIPT, script)
        for name in TOOLS:
            (self.tools / name).symlink_to(str(shutil.which(name)))
        self.expires_at_ms = (int(time.time()) + 8 * 3600) * 1000
        self.login()
        self.dotenv.write_text(BEFORE, "utf-8")
        self.dotenv.chmod(0o600)

    def login(self, **fields: Any) -> None:
        """Write the credentials file, with extra fields in claudeAiOauth."""
        tokens = {"accessToken": TOKEN, "refreshToken": REFRESH_TOKEN}
        oauth = {**tokens, "expiresAt": self.expires_at_ms, **fields}
        self.credentials.write_text(json.dumps({"claudeAiOauth": oauth}), "utf-8")

    def refresh(self, *arguments: str, start: Sequence[str] = ()) -> int:
        """Refresh, and return the exit status. `start` is a command that runs its arguments."""
        argv = [str(self.tools / "bash"), str(self.project / SCRIPT)]
        if self.form == "python":
            argv = [sys.executable, "-m", "oauthkit", "refresh", "--project", str(self.project)]
        return self.run([*argv, *arguments], start=start).returncode

    def run(
        self, argv: Sequence[str], cwd: Path = Path("/"), *, start: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program with this project's HOME, PATH and settings."""
        settings = {"HOME": str(self.home), "PATH": str(self.tools), "TZ": "UTC0"}
        settings |= {**SAME_CODE, **self.env}
        env = ["env", "-i", *(f"{name}={value}" for name, value in settings.items())]
        done = subprocess.run(
            [*start, *env, *argv], cwd=cwd, check=False, capture_output=True, timeout=LIMIT_S
        )
        assert b"sk-ant-" not in done.stdout + done.stderr
        return done

    def log_lines(self) -> list[str]:
        """Return the log's lines, without their times."""
        return [line.partition(" ")[2] for line in self.log.read_text("utf-8").splitlines()]


def without_override() -> Sequence[str]:
    """Return a command that runs its arguments so that root cannot ignore file modes."""
    rights = "-dac_override,-dac_read_search"
    setpriv = [str(shutil.which("setpriv")), f"--bounding-set={rights}", f"--inh-caps={rights}"]
    return setpriv if os.geteuid() == 0 else ()
