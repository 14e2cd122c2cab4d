"""Run a program in CPython and, compiled, in bash, and compare."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.adversarial.fuzz import runner as fuzz_runner

from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.driver import compile_text, load_standard_library

if TYPE_CHECKING:
    from tests.adversarial.programs.programs import Case

LIMIT_S = 60.0
STDIN = b"first line\nsecond line\r\n\x1c *\v$HOME\\ \n\n"
# The environment of every program, before its case's changes.
ENVIRONMENT = {
    "PATH": os.defpath,
    "HOME": "/nonexistent",
    "GREETING": "good day",
    "EMPTY": "",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Outcome:
    """The results of a run: its output, its exit status, and the files in its directory."""

    stdout: bytes
    stderr: bytes
    status: int
    problems: tuple[str, ...]
    files: dict[str, tuple[str, bytes]]


class Runner(fuzz_runner.Runner):
    """Runs programs one after another, always in the same subdirectory of `directory`."""

    def __init__(self, directory: Path, bash: str = "/bin/bash") -> None:
        super().__init__(directory)
        self._bash = bash
        self._library = load_standard_library()
        self._here = self._directory / "here"
        self.python_file = self._directory / "program.py"
        self.bash_file = self._directory / "program.sh"

    def __enter__(self) -> Runner:
        return self

    def differs(self, case: Case) -> str:
        """Return how the two runs differ, or "". A rejected program counts as a difference."""
        try:
            self.write(case)
        except CompileError as error:
            return f"rejected:\n{error}"
        python = self.run_warm(case)
        if b"Traceback" in python.stderr:
            return f"CPython fails with\n{python.stderr.decode('utf-8', 'backslashreplace')}"
        return differences(python, self.run_script(case))

    def write(self, case: Case) -> None:
        """Write both programs. Raise CompileError if the compiler rejects the case."""
        script = compile_text(case.text, "program.py", self._library)
        self.python_file.write_text(case.text, "utf-8", newline="")
        self.bash_file.write_text(script, "utf-8", newline="")

    def run_warm(self, case: Case) -> Outcome:
        """Return the outcome in CPython with plumbum preloaded."""
        return self._run_argv(case, [], str(self.python_file))

    def run_interpreter(self, case: Case) -> Outcome:
        """Return the outcome in CPython, started as users start it."""
        return self._run_argv(case, [sys.executable, str(self.python_file)])

    def run_script(self, case: Case) -> Outcome:
        """Return the outcome in bash."""
        return self._run_argv(case, [self._bash, str(self.bash_file)])

    def _run_argv(self, case: Case, argv: list[str], program: str = "") -> Outcome:
        fuzz_runner._wipe(self._here)
        self._here.mkdir()
        output = [self._directory / "stdout", self._directory / "stderr"]
        for file in output:
            file.write_bytes(b"")
        stdin = self._directory / "stdin"
        stdin.write_bytes(STDIN)
        env = {**ENVIRONMENT, **dict(case.env)}
        self._send({
            "warm": bool(program),
            "program": program,
            "argv": [os.fsencode(word) for word in (*argv, *case.arguments)],
            "arguments": list(case.arguments),
            "env": {os.fsencode(name): os.fsencode(text) for name, text in env.items()},
            "cwd": os.fsencode(self._here),
            "umask": 0o022,
            "now_s": 1767323045,
            "limit_s": LIMIT_S,
            "streams": [*map(str, (stdin, *output))],
            "descriptors": [],
            "closed": [],
        })  # fmt: skip
        self._receive()
        status, problems = self._receive()
        stdout, stderr = (file.read_bytes() for file in output)
        return Outcome(stdout, stderr, status, tuple(problems), dict(_files(self._here)))


def _files(directory: Path) -> list[tuple[str, tuple[str, bytes]]]:
    """Return all files, directories and links, with mode and content."""
    found = []
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        path = Path(entry.path)
        mode = entry.stat(follow_symlinks=False).st_mode
        content = b""
        if stat.S_ISLNK(mode):
            content = os.fsencode(path.readlink())
        elif stat.S_ISREG(mode):
            path.chmod(0o600)
            content = path.read_bytes()
        else:
            path.chmod(0o700)
            content = repr(_files(path)).encode("utf-8", "backslashreplace")
        found.append((entry.name, (stat.filemode(mode), content)))
    return found


def differences(python: Outcome, bash: Outcome) -> str:
    """Return how two outcomes differ, or ""."""
    return "\n".join(
        f"{name}:\n  python: {getattr(python, name)!r}\n  bash:   {getattr(bash, name)!r}"
        for name in ("stdout", "stderr", "status", "problems", "files")
        if getattr(python, name) != getattr(bash, name)
    )
