"""A temporary project with small stand-ins for the programs that a refresh calls."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = CHECKOUT / "scripts" / "oauth" / "refresh.sh"

# The programs in PATH: those that the forms and the script that they replace may call. Python's
# platform module, which plumbum imports, runs `uname -p`.
COREUTILS = (
    "cat",
    "chmod",
    "cp",
    "date",
    "dd",
    "dirname",
    "env",
    "head",
    "mkdir",
    "mv",
    "readlink",
    "realpath",
)
MORE_COREUTILS = ("rm", "sleep", "stat", "sync", "timeout", "uname")
REAL_TOOLS = ("bash", "flock", "grep", "sed", *COREUTILS, *MORE_COREUTILS)
TOKEN = "sk-ant-oat01-made-up-new"
OLD_TOKEN = "sk-ant-oat01-made-up-old"
# Prints what jq prints for the filter of both forms, and for the two filters of the original.
JQ_STAND_IN = """\
#!/bin/sh
case $* in
  *accessToken*expiresAt*) printf '%s\\n' '"object"' '"{token}"' '{expiry_ms}' '"made-up"' ;;
  *accessToken*) printf '%s\\n' '{token}' ;;
  *) printf '%s\\n' '{expiry_ms}' ;;
esac
"""


class ToolMissingError(Exception):
    """A program that the measurement needs is not installed. The text names it."""


class BenchWorld:
    """A project, a HOME and a PATH of their own below `root`."""

    def __init__(self, root: Path, *, real_jq: bool = True) -> None:
        self.root = root
        self.project = root / "project"
        self.home = root / "home"
        self.bin = root / "bin"
        self.credentials = self.home / ".claude" / ".credentials.json"
        self.dotenv = self.project / ".env"
        self.logs = self.project / "logs"
        self.log = self.logs / "oauth-refresh.log"
        self.script = self.project / "scripts" / "oauth" / "refresh.sh"
        for directory in (self.credentials.parent, self.script.parent, self.logs, self.bin):
            directory.mkdir(parents=True)
        shutil.copy2(SCRIPT, self.script)
        for name in (*REAL_TOOLS, "jq") if real_jq else REAL_TOOLS:
            found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
            if found is None:
                raise ToolMissingError(f"{name} is not installed")
            (self.bin / name).symlink_to(found)
        for name in ("systemd-run", "systemctl"):
            self.stand_in(name, "#!/bin/sh\nexit 0\n")
        self.stand_in("claude", "#!/bin/sh\nexit 1\n")
        expiry_ms = self.login(TOKEN, life_s=8 * 3600)
        if not real_jq:
            self.stand_in("jq", JQ_STAND_IN.format(token=TOKEN, expiry_ms=expiry_ms))

    def stand_in(self, name: str, text: str) -> None:
        """Put a shell program into PATH, in place of the real one."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def login(self, token: str, *, life_s: int, file: Path | None = None) -> int:
        """Write a credentials file; return its expiresAt in ms."""
        expiry_ms = (int(time.time()) + life_s) * 1000
        oauth = {"accessToken": token, "refreshToken": "made-up", "expiresAt": expiry_ms}
        target = self.credentials if file is None else file
        target.write_text(json.dumps({"claudeAiOauth": oauth}), encoding="utf-8")
        target.chmod(0o600)
        return expiry_ms

    def environment(self) -> dict[str, str]:
        """Return the environment of every run, without the caller's variables."""
        return {
            "HOME": str(self.home),
            "PATH": str(self.bin),
            "LANG": "C.UTF-8",
            "TZ": "UTC0",
            "XDG_RUNTIME_DIR": str(self.root),
        }

    def bash_form(self, *options: str) -> list[str]:
        """Return the argv of the bash form."""
        return [str(self.bin / "bash"), str(self.script), *options]

    def python_form(self, *options: str) -> list[str]:
        """Return the argv of the Python form."""
        project = f"--project={self.project}"
        return [sys.executable, "-m", "oauthkit", "refresh", project, *options]

    def python(self, text: str) -> list[str]:
        """Return the argv of a Python program."""
        return [sys.executable, "-c", text]

    def form(self, name: str, *options: str) -> list[str]:
        """Return the argv of the form "bash" or "python"."""
        return {"bash": self.bash_form, "python": self.python_form}[name](*options)

    def note_calls(self, names: Iterable[str], directory: Path) -> Path:
        """Put programs into `directory` that record their argv and run those in PATH.

        Return the file of the notes, for `noted_calls`. The directory must be first in PATH.
        """
        notes = directory / "notes"
        directory.mkdir()
        for name in names:
            program = shlex.quote(str(self.bin / name))
            line = f"printf '%s\\0' $# {name} \"$@\" >>{shlex.quote(str(notes))}"
            path = directory / name
            path.write_text(f'#!/bin/sh\n{line}\nexec {program} "$@"\n', encoding="utf-8")
            path.chmod(0o755)
        return notes


def noted_calls(notes: Path) -> list[list[str]]:
    """Return every argv that was recorded, in order."""
    words = notes.read_text(encoding="utf-8", errors="surrogateescape").split("\0")[:-1]
    calls = []
    while words:
        end = int(words[0]) + 2
        calls.append(words[1:end])
        words = words[end:]
    return calls
