"""A checkout of NanoClaw that calls the old script, and what tests of `oauthkit adopt` do to it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from oauthkit.host.commands.adopt import OLD

if TYPE_CHECKING:
    from pathlib import Path

# Far more than adopt takes for any checkout of these tests.
LIMIT_S = 45
# As NanoClaw's host has it, and as other hands or a formatter might have written it.
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


def make_checkout(folder: Path) -> Path:
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
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "src/ipc.ts").chmod(0o755)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git as the checkout's owner would. Return its output."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commit(folder: Path) -> None:
    """Commit everything."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=x")


def adopt(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `oauthkit adopt` with a HOME of its own."""
    argv = [sys.executable, "-m", "oauthkit", "adopt", *arguments, str(folder)]
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env={**os.environ, "HOME": str(folder.parent / "home"), **env},
    )


def refused(folder: Path, reason: str, *arguments: str, **env: str) -> None:
    """Assert that adopt fails for this reason and changes no file."""
    before = contents(folder)
    done = adopt(folder, *arguments, **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return the content of each file outside .git."""
    paths = (path for path in folder.rglob("*") if ".git" not in path.parts)
    return {str(path): path.read_bytes() if path.is_file() else None for path in paths}
