"""A running session of the real Claude Code CLI."""

from __future__ import annotations

import json
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.system.claude_project import Project

ANSWER_LIMIT_S = 60


class Session:
    """A running session of the CLI in a home that has only the bearer file."""

    def __init__(self, project: Project, home: Path) -> None:
        environment = {**project.environment(), "HOME": str(home)}
        self._start([str(project.claude)], environment, home)

    @classmethod
    def start(cls, command: list[str], environment: dict[str, str]) -> Session:
        """Start a session with a command that runs the CLI."""
        session = cls.__new__(cls)
        session._start(command, environment, Path("/"))
        return session

    def _start(self, command: list[str], environment: dict[str, str], cwd: Path) -> None:
        argv = [
            *command, "-p", "--input-format", "stream-json",
            "--output-format", "stream-json", "--verbose",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,  # select must see unread data
        )

    def ask(self) -> dict[str, Any]:
        """Send a prompt, and return the result that the session prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        content = [{"type": "text", "text": "hello"}]
        prompt = {"type": "user", "message": {"role": "user", "content": content}}
        self._process.stdin.write(json.dumps(prompt).encode() + b"\n")
        self._process.stdin.flush()
        end_s = time.monotonic() + ANSWER_LIMIT_S
        seen: list[bytes] = []
        while time.monotonic() < end_s:
            if not select.select([self._process.stdout], [], [], 1)[0]:
                continue
            line = self._process.stdout.readline()
            assert line != b"", seen
            seen.append(line)
            if line.startswith(b"{") and json.loads(line).get("type") == "result":
                result: dict[str, Any] = json.loads(line)
                return result
        raise AssertionError(f"no answer: {seen}")

    def end(self) -> None:
        """End the session."""
        self._process.kill()
        self._process.communicate()
