"""A checkout of NanoClaw that calls the old script, and helpers for tests of `oauthkit adopt`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import forked

from oauthkit.host.adopt.nanoclaw import OLD

# Much longer than adopt takes for any checkout in these tests.
LIMIT_S = 45
# The code of NanoClaw's host, and variants that other authors or a formatter might have written.
OAUTH_TS = """import path from 'path';
const script = path.join(process.cwd(), 'scripts', 'refresh-oauth.sh');
"""
IPC_TS = """const a = path.join(
  process.cwd(),
  "scripts",
  "refresh-oauth.sh",
);
const b = path.resolve(root, `scripts`, `refresh-oauth.sh`);
const c = spawn('bash', ['./scripts/refresh-oauth.sh']);
"""
SKILL = "Run `bash scripts/refresh-oauth.sh` on the host.\n"


def make_checkout(directory: Path) -> Path:
    """Create the checkout, with one commit."""
    files = {
        OLD: "#!/bin/bash\n",
        "src/oauth.ts": OAUTH_TS,
        "src/ipc.ts": IPC_TS,
        ".claude/skills/setup/SKILL.md": SKILL,
        "container/skills/refresh-oauth/SKILL.md": f"old: {SKILL}",
        "package.json": '{"scripts": {"oauth": "bash scripts/refresh-oauth.sh"}}\n',
        "src/other.ts": "// nothing of it\n",
    }
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "src/ipc.ts").chmod(0o755)
    git(directory, "init", "--quiet")
    commit(directory)
    return directory


def git(directory: Path, *arguments: str) -> str:
    """Run git as the checkout's owner would. Return its output."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", "-C", str(directory), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commit(directory: Path) -> None:
    """Commit everything."""
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message=x")


def adopt(directory: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `oauthkit adopt` with a HOME of its own."""
    argv = [sys.executable, "-m", "oauthkit", "adopt", *arguments, str(directory)]
    home = str(directory.parent / "home")
    return forked.run_text(argv, Path("/"), {**os.environ, "HOME": home, **env})


def refused(directory: Path, reason: str, *arguments: str, **env: str) -> None:
    """Assert that adopt fails for this reason and changes no file."""
    before = contents(directory)
    done = adopt(directory, *arguments, **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(directory) == before


def contents(directory: Path) -> dict[str, bytes | None]:
    """Return the content of each file outside .git."""
    paths = (path for path in directory.rglob("*") if ".git" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else None for path in paths}
