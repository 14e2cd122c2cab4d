"""Runs with the real jq, flock and coreutils. Each kind of bad input is logged on its own line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.system.real_project import (
    AFTER,
    BEFORE,
    REFRESH_TOKEN,
    SCRIPT,
    TOKEN,
    RealProject,
    without_override,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONF = "scripts/oauth/refresh.conf"
DAY_MS = 24 * 3600 * 1000


@pytest.fixture(params=["python", "bash"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> RealProject:
    return RealProject(tmp_path, str(request.param))


def refresh(real: RealProject) -> int:
    """Refresh without changing the login. Return the exit status."""
    login = real.credentials.read_bytes()
    status = real.refresh(start=without_override())
    assert real.credentials.read_bytes() == login
    assert [*real.credentials.parent.iterdir()] == [real.credentials]
    assert REFRESH_TOKEN not in real.log.read_text("utf-8")
    return status


def bearer(real: RealProject) -> Path:
    """Set a bearer file in a directory of its own. Return its path."""
    path = real.project / "bearer/.credentials.json"
    path.parent.mkdir()
    real.env["OAUTHKIT_BEARER"] = str(path)
    return path


def test_ensure_restores_the_bearer_file(real: RealProject) -> None:
    path = bearer(real)
    assert refresh(real) == 0
    content = path.read_bytes()
    path.unlink()
    before = real.log_lines()
    assert real.refresh("--ensure") == 0
    assert path.read_bytes() == content
    assert real.log_lines() != before
    before = real.log_lines()
    assert real.refresh("--ensure") == 0  # nothing to do
    assert real.log_lines() == before


def test_directory_that_is_not_a_project(real: RealProject) -> None:
    """It gets no .env and no logs, although there is a live login."""
    place = real.root / "tools/oauth"
    place.mkdir(parents=True)
    shutil.copy(real.project / SCRIPT, place)
    python = [sys.executable, "-m", "oauthkit", "refresh"]
    argv = [str(real.tools / "bash"), str(place / "refresh.sh")] if real.form == "bash" else python
    cwd = real.root if real.form == "bash" else place
    before = sorted(real.root.rglob("*"))
    done = real.run(argv, cwd)
    assert done.returncode == 2
    assert b"is not a project" in done.stderr or b"Pass --project" in done.stderr
    assert sorted(real.root.rglob("*")) == before


# --- The bearer file ---


def login_itself(real: RealProject, _: Path) -> None:
    real.env["OAUTHKIT_BEARER"] = str(real.credentials)


# For each wrong bearer path: how to set it up, and the error after the path.
BEARERS: dict[str, tuple[Callable[[RealProject, Path], object], str]] = {
    "login": (login_itself, "is Claude Code's credentials file and is not changed"),
    "directory": (lambda _, path: path.mkdir(), "is not a file and is not changed"),
    "dangling link": (
        lambda real, path: path.symlink_to(real.project / "nowhere"),
        "is a symbolic link. The bearer file must not be one",
    ),
    "missing directory": (
        lambda _, path: path.parent.rmdir(), "cannot be written: {directory} is not a directory",
    ),
    "read-only directory": (
        lambda _, path: path.parent.chmod(0o555), "cannot be written: {directory} is not writable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BEARERS)
def test_bearer_path_that_is_wrong(real: RealProject, kind: str) -> None:
    arrange, problem = BEARERS[kind]
    path = bearer(real)
    arrange(real, path)
    assert refresh(real) == 1
    named = f"{real.env['OAUTHKIT_BEARER']} {problem.format(directory=path.parent)}"
    errors = [line for line in real.log_lines() if line.startswith("ERROR: ")]
    assert errors == [f"ERROR: {named}"]
    assert real.dotenv.read_text("utf-8") == AFTER
    # Nothing is written through the link, or left in the directory.
    assert sorted(os.listdir(real.project)) == sorted(  # noqa: PTH208
        {".env", "logs", "scripts", "bearer"}
        - ({"bearer"} if kind == "missing directory" else set())
    )
    left = [path.name] if kind in {"directory", "dangling link"} else []
    assert kind == "missing directory" or [x.name for x in path.parent.iterdir()] == left


# --- refresh.conf ---

NO_SETTING = " is ignored: there is no such setting"
# The content of refresh.conf, and the warnings about it, without its path.
IGNORED = {
    "NUL": (b"OAUTHKIT_DOTENV=x\n\0", [" has a NUL byte and is ignored"]),
    "1 MiB": (b"#" * 2**20, [" is larger than 256 KiB and is ignored"]),
    "unknown name": (b"PATH=/x\n", [f" line 1{NO_SETTING}"]),
    "unknown names with CRLF": (b"A=1\r\nB=2\r\n", [f" line {n}{NO_SETTING}" for n in (1, 2)]),
    "quotes around a value": (
        b"OAUTHKIT_DOTENV=\"my env\"\n", [" line 1 is ignored: quotes and ~ have no meaning here"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", IGNORED)
def test_conf_that_is_ignored(real: RealProject, kind: str) -> None:
    content, warnings = IGNORED[kind]
    path = bearer(real)
    (real.project / CONF).write_bytes(content)
    assert refresh(real) == 0
    start = f"WARN: {real.project / CONF}"
    found = [line.removeprefix(start) for line in real.log_lines() if line.startswith(start)]
    assert found == warnings
    assert (real.project / CONF).read_bytes() == content
    assert real.dotenv.read_text("utf-8") == AFTER
    assert json.loads(path.read_text("utf-8"))["claudeAiOauth"]["accessToken"] == TOKEN


@pytest.mark.parametrize("end", ["\n", "\r\n", ""], ids=["LF", "CRLF", "no final newline"])
def test_conf_that_is_used(real: RealProject, end: str) -> None:
    """Spaces and quotes inside a value are part of it."""
    path = bearer(real)
    dotenv = real.project / "my \"own\" 'dir'/.env"
    dotenv.parent.mkdir()
    (real.project / CONF).write_bytes(f"# my settings\nOAUTHKIT_DOTENV={dotenv}{end}".encode())
    assert refresh(real) == 0
    assert not [line for line in real.log_lines() if CONF in line]
    assert dotenv.read_text("utf-8") == f"CLAUDE_CODE_OAUTH_TOKEN={TOKEN}\n"
    assert real.dotenv.read_text("utf-8") == BEFORE
    assert json.loads(path.read_text("utf-8"))["claudeAiOauth"]["accessToken"] == TOKEN


# --- When the login ends ---

NOT_A_TIME = "WARN: refreshTokenExpiresAt in credentials is not a time in ms and is ignored"


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({}, None),
        ({"refreshTokenExpiresAt": "soon"}, NOT_A_TIME),
        ({"refreshTokenExpiresAt": 10**30}, NOT_A_TIME),
        ({"refreshTokenExpiresAt": -DAY_MS}, NOT_A_TIME),
        ({"refreshTokenExpiresAt": DAY_MS}, "WARN: the login ended at 1970-01-02T00:00:00+00:00"),
    ],
    ids=["missing", "text", "10^30", "before 1970", "past"],
)
def test_login_end_that_is_missing_or_invalid(
    real: RealProject, fields: dict[str, Any], warning: str | None
) -> None:
    real.login(**fields)
    path = bearer(real)
    assert refresh(real) == 0
    found = [line for line in real.log_lines() if line.startswith("WARN: ")]
    found.pop()  # systemd-run is not in PATH
    assert [line.partition(". ")[0] for line in found] == ([] if warning is None else [warning])
    assert real.dotenv.read_text("utf-8") == AFTER
    assert json.loads(path.read_text("utf-8"))["claudeAiOauth"]["accessToken"] == TOKEN
