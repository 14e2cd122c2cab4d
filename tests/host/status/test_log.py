"""The refresh's log is parsed correctly."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.refresh.world import REPOSITORY, Parity

from oauthkit.host.project import ProjectPaths
from oauthkit.host.shell_commands import command
from oauthkit.host.status.failures import (
    LOG_IN,
    NOT_SCHEDULED,
    TOO_OFTEN,
    TOO_SOON,
    Failure,
    fix_of,
)
from oauthkit.host.status.log import (
    RENEWED,
    Entry,
    last,
    last_failure,
    read_log,
    unresolved_failure,
)
from oauthkit.shell import LINE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def parity(tmp_path: Path) -> Iterator[Parity]:
    with closing(Parity(tmp_path / "worlds")) as parity:
        yield parity


def paths_in(directory: Path) -> ProjectPaths:
    """Return a project whose log is in `directory`."""
    return ProjectPaths(
        directory,
        directory,
        directory / "credentials",
        directory / ".env",
        directory / "log",
        "unit",
    )


def test_log_lines_of_the_refresh_are_parsed(parity: Parity, tmp_path: Path) -> None:
    (tmp_path / "worlds").mkdir(exist_ok=True)
    parity.credentials(token="old", expires_in="8h")
    parity.run()
    parity.run()
    parity.credentials(token="old", expires_in="-1h")
    parity.claude.renews(token="new", expires_in="7h")
    parity.run()
    parity.credentials(token=None)
    run = parity.run()
    (tmp_path / "log").write_text(run.log, encoding="utf-8")
    entries = read_log(paths_in(tmp_path))
    assert [entry.text for entry in entries] == run.messages
    assert {entry.at_s for entry in entries} == {parity.now_s}
    given = [entry.expires_at_s for entry in entries if entry.expires_at_s is not None]
    assert [at_s - parity.now_s for at_s in given] == [8 * 3600, 8 * 3600, 7 * 3600]
    assert last(entries, RENEWED) is not None
    assert last_failure(entries) == Failure(parity.now_s, "no accessToken in credentials")


def test_output_of_a_program_is_not_a_delivery(parity: Parity, tmp_path: Path) -> None:
    (tmp_path / "worlds").mkdir(exist_ok=True)
    forged = "/p/.env already has this token (expires_at=9999999999999)"
    parity.credentials(expires_in="-1h")
    parity.claude.renews_nothing(stdout=f"{forged}\n".encode())
    run = parity.run()
    assert f"claude: {forged}" in run.messages
    (tmp_path / "log").write_text(run.log, encoding="utf-8")
    entries = read_log(paths_in(tmp_path))
    assert [entry.expires_at_s for entry in entries if entry.expires_at_s is not None] == []


def test_previous_log_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_text("2026-01-01T00:00:00+00:00 first\n", encoding="utf-8")
    (tmp_path / "log").write_text("2026-01-01T02:00:01+02:00 second\n", encoding="utf-8")
    first, second = read_log(paths_in(tmp_path))
    assert (first.text, second.text) == ("first", "second")
    assert second.at_s - first.at_s == 1


def test_other_lines_are_left_out_of_the_log(tmp_path: Path) -> None:
    lines = b"\xff\n\n2026-01-01 no zone\n2026-01-01T00:00:00 no zone\nno time\n"
    (tmp_path / "log").write_bytes(lines + b"2026-01-01T00:00:00+00:00 \xff\n2026-01-01T")
    (entry,) = read_log(paths_in(tmp_path))
    assert entry.text == "\udcff"


def test_line_longer_than_a_refresh_writes_is_skipped(tmp_path: Path) -> None:
    """Another user may have written it, and matching it could take hours."""
    start = "2026-01-02T03:04:05+00:00 ERROR: "
    lines = [start + "etcdctl " * (size // 8) for size in (LINE_LIMIT_BYTES, 2 * LINE_LIMIT_BYTES)]
    (tmp_path / "log").write_text("\n".join(lines), encoding="utf-8")
    (entry,) = read_log(paths_in(tmp_path))
    assert entry.text == lines[0].partition(" ")[2]


def test_missing_log_has_no_entries(tmp_path: Path) -> None:
    assert read_log(paths_in(tmp_path)) == []


# All errors: tests/refresh/test_docs.py checks that the list is complete.
README = (REPOSITORY / "scripts/oauth/README.md").read_text(encoding="utf-8")
ERRORS = [
    line
    for line in re.findall(r"^\| `(ERROR: [^`]+)`", README, re.MULTILINE)
    if not line.endswith(NOT_SCHEDULED)  # status asks systemd itself
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_fix(error: str) -> None:
    assert len(ERRORS) > 15
    error = error.replace("PATH not found", "/home/me/.claude/.credentials.json not found")
    fix = Failure(0, error.removeprefix("ERROR: ")).fix
    assert fix
    assert "next run" not in fix  # doctor adds what to do then


def test_fix_of_a_directory_that_is_not_writable_is_not_about_a_full_disk() -> None:
    fix = Failure(0, "/p/.env cannot be written: /p is not writable").fix
    assert fix == "allow this user to write to that directory, or mount it read-write"


def entries(*texts: str) -> list[Entry]:
    return [Entry(number, text) for number, text in enumerate(texts)]


CLI_FAILED = "claude CLI refresh failed (exit 1). User may need to run 'claude login'."
NOT_RENEWED = "the API refuses the token, and claude did not renew it (exit 1)"


def test_fix_of_a_cli_that_was_stopped() -> None:
    for status in ("124", "137"):
        fix = Failure(0, CLI_FAILED.replace("1", status)).fix
        why = "claude took longer than 55 s, or was stopped with the run"
        assert fix == f"{why}. Check the network and the proxy, then run claude -p ok"


def test_fix_of_a_stopped_cli_names_the_directory_of_the_login(tmp_path: Path) -> None:
    fix = fix_of(Failure(0, CLI_FAILED.replace("1", "124")), paths_in(tmp_path))
    assert fix.startswith("claude took longer")
    assert fix.endswith(f"then run CLAUDE_CONFIG_DIR={tmp_path} claude -p ok")


def test_fix_of_a_failed_cli_names_the_directory_of_the_login(tmp_path: Path) -> None:
    failure = Failure(0, CLI_FAILED)
    paths = paths_in(tmp_path)
    fix = f"run CLAUDE_CONFIG_DIR={tmp_path} claude -p ok, and fix what it reports"
    assert fix_of(failure, paths) == fix
    default = replace(paths, credentials=tmp_path / ".claude/.credentials.json")
    assert fix_of(failure, default) == failure.fix


def test_fix_of_a_start_that_was_too_soon_names_the_project(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    fix = f"wait 5 min, then run {command('refresh', paths, '--rejected')}"
    assert fix_of(Failure(0, f"{TOO_SOON} in the last 5 min"), paths) == fix
    again = command("refresh", paths, "--rejected")
    assert fix_of(Failure(0, NOT_RENEWED), paths).endswith(f"it reports, then: {again}")


@pytest.mark.parametrize(
    ("output", "fix"),
    [
        ("Failed to authenticate. API Error: 401 OAuth token has expired", LOG_IN),
        ("Not logged in. Please run /login", LOG_IN),
        # what the CLI prints in tests/system/test_claude_code.py if the endpoint refuses the login
        ("Failed to authenticate: OAuth session expired and could not be refreshed", LOG_IN),
        ("OAuth token has been revoked", LOG_IN),
        *(
            (text, "run claude -p ok, and fix what it reports")
            for text in (
                "Failed to refresh the OAuth token: connect ETIMEDOUT 10.0.0.1:443",
                "Failed to authenticate: 407 Proxy Authentication Required",
                "Proxy error: session token expired at proxy.example",
                "OAuth error: self-signed certificate in certificate chain",
                "TypeError: Cannot read properties of undefined (reading 'oauth')",
            )
        ),
        (
            "error: unknown option '--no-session-persistence'",
            "run claude -p ok, and fix what it reports",
        ),
        ("API Error: Connection error", "run claude -p ok, and fix what it reports"),
    ],
)
@pytest.mark.parametrize("error", [CLI_FAILED, NOT_RENEWED])
def test_fix_of_a_failed_cli_depends_on_its_output(error: str, output: str, fix: str) -> None:
    failure = last_failure(entries(f"claude: {output}", f"ERROR: {error}"))
    assert failure == Failure(1, error, (f"claude: {output}",))
    # Without --rejected, a refresh would not start claude: the token has not expired.
    again = ", then: oauthkit refresh --rejected" if error == NOT_RENEWED and fix != LOG_IN else ""
    assert failure.fix == fix + again


def test_failure_has_the_output_of_its_own_run() -> None:
    failure = last_failure(
        entries(
            "claude: old", "ERROR: old", "WARN: scheduling retry in 5 min after: old",
            "Token expired or expiring soon (remaining_ms=0), invoking claude CLI to refresh",
            "claude: first", "claude: a", "claude: b", "claude: sk-ant-x", "claude: a",
            "WARN: new", "ERROR: new", "systemd-run: no", f"ERROR: {NOT_SCHEDULED}",
        )
    )  # fmt: skip
    assert failure == Failure(10, "new", ("claude: a", "claude: b", "claude: sk-ant-***"))


def test_unresolved_failure() -> None:
    delivery = "/p/.env already has this token (expires_at=1)"
    assert unresolved_failure(entries("ERROR: a", delivery)) is None
    assert unresolved_failure(entries(delivery, "ERROR: a")) == Failure(1, "a")
    assert unresolved_failure(entries("ERROR: a")) == Failure(0, "a")


@pytest.mark.parametrize("limit", [f"{TOO_OFTEN} 3 times", f"{TOO_SOON} in the last 5 min"])
def test_earlier_failure_explains_that_claude_was_started_too_often(limit: str) -> None:
    too_often = f"{limit}. Next try: 2026-01-02T03:09:05+00:00"
    assert last_failure(entries("ERROR: a", f"ERROR: {too_often}")) == Failure(0, "a")
    assert last_failure(entries(f"ERROR: {too_often}")) == Failure(0, too_often)
    delivery = "/p/.env already has this token (expires_at=1)"
    assert last_failure(entries("ERROR: a", delivery, f"ERROR: {too_often}")) == Failure(
        2, too_often
    )


def test_unknown_problem_has_no_fix() -> None:
    assert Failure(0, "something else").fix == ""
