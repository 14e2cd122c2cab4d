"""The calls that docs/host.md shows and adopt prints are type-checked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.system.claude_project import ROOT, node_executable

from oauthkit.host.adopt import nanoclaw

MODULES = ROOT / ".tools/npm/node_modules"
COMPILER = MODULES / "typescript/bin/tsc"
OPTIONS = ("--noEmit", "--strict", "--noUnusedLocals", "--module", "nodenext", "--target", "es2022",
           "--typeRoots", str(MODULES / "@types"), "--types", "node")  # fmt: skip
BEFORE = """\
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
declare const task: { type: string };
"""

pytestmark = pytest.mark.skipif(
    not COMPILER.exists(), reason="TypeScript is not installed. Run scripts/setup"
)


def errors(directory: Path, *lines: str) -> str:
    """Return what the compiler reports about NanoClaw's function `refresh` and calls to it."""
    module = directory / "calls.mts"
    module.write_text(BEFORE + "\n".join((*nanoclaw.CALL, *lines)) + "\n", encoding="utf-8")
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
