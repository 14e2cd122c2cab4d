"""A project with a login, an .env, a log and a planned systemctl."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import forked

from oauthkit.host.child import python_command
from oauthkit.shell import escape_unit

if TYPE_CHECKING:
    import subprocess

# How a fix starts that needs root.
SUDO = "" if os.geteuid() == 0 else "sudo "
UNIT = "nanoclaw-oauth-refresh-next"
TOKEN = "sk-ant-oat01-made-up-live"
OTHER = "sk-ant-oat01-made-up-other"
# A container's request.
REQUEST = '{"type":"refresh_oauth"}\n'
HOUR_S, DAY_S = 3600, 24 * 3600
# The commands import oauthkit from the same place as the tests.
SAME_CODE = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
# Records that it was run, because only the refresh may run claude. The record is not in HOME,
# because a test may make HOME inaccessible.
CLAUDE = '#!/bin/sh\n: >"${0%/*}/claude-was-run"\n'
# Accepts everything, and records how it was called.
RECORD = '#!/bin/sh\necho "$*" >>"$HOME/asked"\n'


def quoted(path: Path | str) -> str:
    """Return a path as a word of a shell command."""
    return shlex.quote(str(path))


def command(name: str, project: Path, *more: str) -> str:
    """Return a command line as it is printed if PATH has no oauthkit, as in the tests."""
    beside = Path(sys.executable).with_name("oauthkit")
    program = [str(beside)] if beside.exists() else python_command()
    return shlex.join([*program, name, "--project", str(project), *more])


class HostProject:
    """A project directory with a HOME of its own. Times are in s from now."""

    def __init__(self, root: Path) -> None:
        self.now_s = time.time()
        self.home = root / "home"
        self.project = root / "project"
        self.bin = root / "bin"
        self.credentials = self.home / ".claude/.credentials.json"
        self.dotenv = self.project / ".env"
        self.log = self.project / "logs/oauth-refresh.log"
        self.failing = self.project / "logs/oauth-refresh.failing"
        self.has_overrides = True
        for directory in (self.credentials.parent, self.log.parent, self.bin):
            directory.mkdir(parents=True)
        self.program("claude", CLAUDE)
        self.timers({})

    def own_unit(self, unit: str = UNIT) -> str:
        """Return the name that the project's timer has while `unit` is in use."""
        return f"{unit}-{escape_unit(str(self.project))}"

    def program(self, name: str, text: str) -> None:
        """Put a program in the only directory of PATH."""
        # It may be a link to a program of this system, which must not be written.
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text, encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def login(self, left_s: float | None = 5 * HOUR_S, token: str = TOKEN, **more: Any) -> None:
        """Write the credentials. Without `left_s`, they have no expiry."""
        oauth = {"accessToken": token, "refreshToken": "made-up", **more}
        if left_s is not None:
            oauth["expiresAt"] = int((self.now_s + left_s) * 1000)
        self.credentials.write_text(json.dumps({"claudeAiOauth": oauth}), encoding="utf-8")

    def deliver(self, token: str = TOKEN) -> None:
        """Write an .env with a token."""
        self.dotenv.write_text(f"A=1\nCLAUDE_CODE_OAUTH_TOKEN={token}\nB=2\n", encoding="utf-8")
        self.dotenv.chmod(0o600)

    def lines(self, *lines: tuple[float, str]) -> None:
        """Write the log. A line is a time and a text."""
        made = [f"{self.stamp(at_s)} {text}\n" for at_s, text in lines]
        self.log.write_text("".join(made), encoding="utf-8")

    def stamp(self, at_s: float) -> str:
        """Return a time in the log's format."""
        at = datetime.fromtimestamp(int(self.now_s + at_s), timezone.utc)
        return at.isoformat(timespec="seconds")

    def ms(self, at_s: float) -> int:
        """Return an instant in ms since the epoch."""
        return int(self.now_s + at_s) * 1000

    def timers(self, next_s: dict[str, float | None]) -> None:
        """Plan the output of systemctl: the timers with their next instants."""
        rows = [
            {"next": 0 if at_s is None else int((self.now_s + at_s) * 1e6), "unit": unit}
            for unit, at_s in next_s.items()
        ]
        answer = self.bin.parent / "timers.json"
        answer.write_text(json.dumps(rows) + "\n", encoding="utf-8")
        asked = "--user --no-pager list-timers --all --output=json"
        check = f'[ "$*" = "{asked}" ] || exit 64'
        show = f'while read -r line; do printf "%s\\n" "$line"; done <{shlex.quote(str(answer))}'
        self.program("systemctl", f"#!/bin/sh\n{check}\n{show}\n")

    def accepting_manager(self, lingers: str) -> None:
        """Use a user manager that accepts everything. `lingers` is "yes" or "no"."""
        self.program("systemctl", RECORD)
        self.program("loginctl", f"{RECORD}echo {lingers}\n")
        for name in ("jq", "timeout", "flock"):
            self.program(name, "#!/bin/sh\n")

    def asked(self) -> list[str]:
        """Return the arguments of each call that RECORD has recorded."""
        file = self.home / "asked"
        return file.read_text("utf-8").splitlines() if file.exists() else []

    @property
    def unit_directory(self) -> Path:
        """Return the directory of the user's units."""
        return self.home / ".config/systemd/user"

    def without_override(self) -> None:
        """Run oauthkit without root's right to read and write every file."""
        self.has_overrides = False

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `oauthkit ARGUMENTS --project …`. Its output must not contain a token."""
        argv = [sys.executable, "-m", "oauthkit", *arguments]
        argv += ["--project", str(self.project)]
        columns = "1000" if "doctor" in arguments else "90"
        settings = {"HOME": str(self.home), "PATH": str(self.bin), "TZ": "UTC0", "COLUMNS": columns}
        settings |= SAME_CODE
        done = forked.run_text(
            argv, Path("/"), {**settings, **env}, has_overrides=self.has_overrides
        )
        assert "sk-ant-" not in (done.stdout + done.stderr).replace("sk-ant-***", "")
        assert not (self.bin / "claude-was-run").exists()
        return done

    def status(self, **env: str) -> Any:
        """Return the output of `oauthkit status --json`."""
        done = self.run("status", "--json", **env)
        assert (done.returncode in {0, 1}, done.stderr) == (True, ""), done
        data = json.loads(done.stdout)
        assert data["live"] == (done.returncode == 0)
        return data
