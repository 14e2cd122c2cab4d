"""Build checkouts with the TypeScript compiler before and after `oauthkit adopt`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.host.adopt_checkout import adopt, commit, git, refused
from tests.support.system.claude_project import ROOT, node_executable

from oauthkit.host.adopt.nanoclaw import OLD, SKILL

MODULES = ROOT / ".tools/npm/node_modules"
COMPILER = MODULES / "typescript/bin/tsc"
# Both the old and the new script print their usage.
SOURCE = """\
import { spawn } from 'child_process';
import path from 'path';

const script = path.join(process.cwd(), 'scripts', 'refresh-oauth.sh');
spawn('bash', [script, '--help'], { stdio: 'inherit' });
"""
OPTIONS = {
    "rootDir": "src", "outDir": "dist", "module": "nodenext", "target": "es2022", "strict": True,
    "esModuleInterop": True, "skipLibCheck": True,
    "typeRoots": [str(MODULES / "@types")], "types": ["node"],
}  # fmt: skip
OLD_USAGE, NEW_USAGE = "usage: refresh-oauth.sh\n", "usage: refresh.sh [--ensure | --rejected]\n"

pytestmark = pytest.mark.skipif(
    not COMPILER.exists(), reason="TypeScript is not installed. Run scripts/setup"
)


def build(checkout: Path) -> str:
    """Build the checkout. Return what the built program prints."""
    if (checkout / SKILL).exists():
        shutil.copytree(checkout / SKILL, checkout, dirs_exist_ok=True)
    node = str(node_executable())
    output = ""
    for argv in ([node, str(COMPILER)], [node, "dist/oauth.js"]):
        done = subprocess.run(argv, cwd=checkout, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        output = done.stdout
    return output


@pytest.fixture(params=["classic", "skill"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a checkout with the old script, in its own files or in those of a skill."""
    root = tmp_path / "nanoclaw"
    files = {
        OLD: f"printf '{OLD_USAGE}'\n",
        "src/oauth.ts": SOURCE,
        "container/skills/refresh-oauth/SKILL.md": f"Run `bash {OLD}` on the host.\n",
    }
    prefix = f"{SKILL}/" if request.param == "skill" else ""
    files = {f"{prefix}{name}": text for name, text in files.items()}
    files |= {
        "package.json": json.dumps({"type": "module", "scripts": {"build": "tsc"}}),
        "tsconfig.json": json.dumps({"compilerOptions": OPTIONS}),
        ".gitignore": "/dist\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git(root, "init", "--quiet")
    assert build(root) == OLD_USAGE
    commit(root)
    return root


def test_next_build_runs_the_new_script(checkout: Path) -> None:
    dry = adopt(checkout, "--dry-run")
    assert (dry.returncode, dry.stderr, git(checkout, "status", "--porcelain")) == (0, "", "")
    assert build(checkout) == OLD_USAGE
    done = adopt(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert "dist/oauth.js:3" in done.stdout
    assert "calls the old script until the next build" in done.stdout
    assert build(checkout) == NEW_USAGE
    commit(checkout)
    again = adopt(checkout)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("nothing to change\n")
    assert "dist/" not in again.stdout
    assert build(checkout) == NEW_USAGE
    assert git(checkout, "status", "--porcelain") == ""


def test_rejected_checkout_builds_as_before(checkout: Path) -> None:
    package = {"type": "module", "dependencies": {"@onecli-sh/sdk": "^2.0.0"}}
    (checkout / "package.json").write_text(json.dumps(package), encoding="utf-8")
    commit(checkout)
    refused(checkout, "is NanoClaw 2 or newer")
    assert build(checkout) == OLD_USAGE
