"""oauthkit adopt: a checkout with the old script gets the new one, and nothing is lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.parity.oauth_world import REPOSITORY

from oauthkit.host.adopting import GIVEN, NEW, OLD

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "nano claw"
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
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=x")


def adopt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "oauthkit", "adopt", *arguments, str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_everything_is_moved(checkout: Path) -> None:
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (checkout / OLD).exists()
    for name, mode in GIVEN.items():
        assert (checkout / name).read_bytes() == (REPOSITORY / name).read_bytes()
        assert (checkout / name).stat().st_mode & 0o777 == mode
    source = {name: (checkout / name).read_text("utf-8") for name in ("src/oauth.ts", "src/ipc.ts")}
    assert source["src/oauth.ts"] == OAUTH_TS.replace("'refresh-oauth.sh'", "'oauth', 'refresh.sh'")
    assert source["src/ipc.ts"] == (
        IPC_TS.replace('"refresh-oauth.sh"', '"oauth", "refresh.sh"')
        .replace("`refresh-oauth.sh`", "`oauth`, `refresh.sh`")
        .replace(OLD, NEW)
    )
    assert (checkout / "src/ipc.ts").stat().st_mode & 0o777 == 0o755
    for name in (".claude/skills/setup/SKILL.md", "package.json"):
        assert NEW in (checkout / name).read_text("utf-8")
    assert "refresh-oauth.sh" not in git(checkout, "grep", "-h", "", "--", "src", ".claude")
    assert sorted(done.stdout.splitlines()) == [
        "changed .claude/skills/setup/SKILL.md",
        "changed container/skills/refresh-oauth/SKILL.md",
        "changed package.json",
        "changed src/ipc.ts",
        "changed src/oauth.ts",
        f"removed {OLD}",
        "wrote scripts/oauth/README.md",
        f"wrote {NEW}",
    ]


def test_a_second_run_changes_nothing(checkout: Path) -> None:
    adopt(checkout)
    commit(checkout)
    done = adopt(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing is to be changed\n", "")
    assert git(checkout, "status", "--porcelain") == ""


def test_dry_run_shows_the_diff_and_changes_nothing(checkout: Path) -> None:
    done = adopt(checkout, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert git(checkout, "status", "--porcelain") == ""
    adopt(checkout)
    wanted = git(checkout, "diff", "--no-color", "--", "src/oauth.ts")
    changed = [line for line in wanted.splitlines() if re.match(r"[+-][^+-]", line)]
    assert changed
    assert all(line in done.stdout.splitlines() for line in changed)
    assert f"--- a/{OLD}\n+++ /dev/null\n" in done.stdout
    assert f"--- /dev/null\n+++ b/{NEW}\n" in done.stdout


def test_a_dirty_tree_is_refused_unless_forced(checkout: Path) -> None:
    (checkout / "src/other.ts").write_text("// mine\n", encoding="utf-8")
    done = adopt(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has changes that are not committed: commit or stash them, or use --force" in done.stderr
    assert (checkout / OLD).exists()
    assert adopt(checkout, "--force").returncode == 0
    assert (checkout / "src/other.ts").read_text("utf-8") == "// mine\n"


def test_what_is_not_understood_is_named_and_left(checkout: Path) -> None:
    text = "const name = 'refresh-oauth.sh';\nrun(name); // my-scripts/refresh-oauth.sh\n"
    (checkout / "src/odd.ts").write_text(text, encoding="utf-8")
    commit(checkout)
    done = adopt(checkout)
    assert done.returncode == 1
    assert (checkout / "src/odd.ts").read_text("utf-8") == text
    left = [line for line in done.stdout.splitlines() if line.startswith("not understood")]
    assert [line.split(": ")[1] for line in left] == ["src/odd.ts:1", "src/odd.ts:2"]
    assert not (checkout / OLD).exists()


def test_bytes_links_and_binaries_are_left_alone(checkout: Path) -> None:
    (checkout / "src/latin.ts").write_bytes(b"// \xe9\r\nx('scripts/refresh-oauth.sh')\r\n")
    (checkout / "image.png").write_bytes(b"\0scripts/refresh-oauth.sh")
    (checkout / "src/link.ts").symlink_to("oauth.ts")
    commit(checkout)
    assert adopt(checkout).returncode == 0
    assert (
        checkout / "src/latin.ts"
    ).read_bytes() == b"// \xe9\r\nx('scripts/oauth/refresh.sh')\r\n"
    assert (checkout / "image.png").read_bytes() == b"\0scripts/refresh-oauth.sh"
    assert (checkout / "src/link.ts").is_symlink()


def test_no_checkout(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    argv = [sys.executable, "-m", "oauthkit", "adopt", str(tmp_path / "empty")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "oauthkit adopt: git cannot tell what is in" in done.stderr
    done = adopt(tmp_path / "none")
    assert (done.returncode, done.stderr) == (
        1, f"oauthkit adopt: {str(tmp_path / 'none')!r} is not a folder\n",
    )  # fmt: skip


def test_the_wheel_carries_what_is_given() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for name in GIVEN:
        assert f'"{name}" = "oauthkit/_data/{name.rpartition("/")[2]}"\n' in project
