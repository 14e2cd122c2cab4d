"""The calls that docs/host.md shows and adopt prints are type-checked, and run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.system.claude_project import ROOT, node_executable

from oauthkit.host.adopt import nanoclaw

MODULES = ROOT / ".tools/npm/node_modules"
COMPILER = MODULES / "typescript/bin/tsc"
OPTIONS = ("--strict", "--noUnusedLocals", "--module", "nodenext", "--target", "es2022",
           "--typeRoots", str(MODULES / "@types"), "--types", "node")  # fmt: skip
BEFORE = """\
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
declare const task: { type: string };
"""

pytestmark = pytest.mark.skipif(
    not COMPILER.exists(), reason="TypeScript is not installed. Run scripts/setup"
)


def errors(directory: Path, *lines: str, before: str = BEFORE) -> str:
    """Compile NanoClaw's function `refresh` and calls to it to calls.mjs. Return the errors."""
    module = directory / "calls.mts"
    module.write_text(before + "\n".join((*nanoclaw.CALL, *lines)) + "\n", encoding="utf-8")
    argv = [str(node_executable()), str(COMPILER), *OPTIONS, str(module)]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stdout == ""), done.stderr
    return done.stdout


def test_calls_of_the_refresh_are_valid(tmp_path: Path) -> None:
    assert errors(tmp_path, *nanoclaw.CALLS.values()) == ""


def test_invalid_call_is_found(tmp_path: Path) -> None:
    found = errors(tmp_path, *nanoclaw.CALLS.values(), "await refresh(1);")
    assert "calls.mts(11,15): error TS2345" in found
    assert found.count("error") == 1


def test_calls_run_the_refresh_and_survive_its_failure(tmp_path: Path) -> None:
    before = BEFORE.replace(
        "declare const task: { type: string }", "const task = { type: 'refresh_oauth' }"
    )
    assert errors(tmp_path, *nanoclaw.CALLS.values(), before=before) == ""
    script = tmp_path / "scripts/oauth/refresh.sh"
    script.parent.mkdir(parents=True)
    script.write_text(
        'echo "$*" >>calls\n[[ $1 == --ensure ]] || { echo no token >&2; exit 1; }\n', "utf-8"
    )
    argv = [str(node_executable()), str(tmp_path / "calls.mjs")]
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "stderr: 'no token\\n'" in done.stderr
    assert (tmp_path / "calls").read_text("utf-8") == "--ensure\n--rejected\n--ensure\n"
