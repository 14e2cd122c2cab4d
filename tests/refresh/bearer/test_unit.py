"""The bearer file in this process: what is written, what is rejected, and what --ensure checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plumbum import LocalPath, local
from tests.support.refresh.fake_host import (
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    REFRESH_TOKEN,
    TOKEN,
    login_lines,
)
from tests.support.refresh.whole_run import FRESH, SCHEDULED, TOKEN_LINE, UPDATED, run

from oauthkit.program import credentials, delivery

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

EXPIRY = str(NOW_MS + HOUR_MS)
RECORD = f'{{"claudeAiOauth":{{"accessToken":"{TOKEN}","expiresAt":{EXPIRY}}}}}'
LOGIN = f"{TOKEN}\n{EXPIRY}\n7\n{RECORD}"
OTHER = RECORD.replace(TOKEN, "old")
REAL = ("chmod", "cp", "mv", "readlink", "rm", "stat", "sync")


@pytest.fixture
def file(host: Host) -> Path:
    """The bearer file's path, in a directory that exists."""
    host.real(*REAL)
    directory = host.root / "bearer"
    directory.mkdir()
    return directory / "file"


def deliver(host: Host, file: Path, login: str = LOGIN) -> tuple[str, str]:
    return delivery.deliver_bearer(host.path(file), host.path(host.credentials), login)


def test_fields_of_a_login() -> None:
    assert credentials.access_token(LOGIN) == TOKEN
    assert credentials.expires_at(LOGIN) == EXPIRY
    assert credentials.login_ends_at(LOGIN) == "7"
    assert credentials.bearer(LOGIN) == RECORD


@pytest.mark.parametrize(
    ("login", "end"), [("", ""), ("a\n1\nnull\n{}", ""), ("a\n1\n\n{}", ""), ("a\n1\nx\n{}", "x")]
)
def test_end_of_a_login(login: str, end: str) -> None:
    assert credentials.login_ends_at(login) == end


def test_login_is_read(host: Host) -> None:
    host.jq_prints(login_lines(f'"{TOKEN}"', EXPIRY, login_end="5"))
    problem, login = credentials.read_credentials(host.path(host.credentials))
    assert (problem, login) == ("", f"{TOKEN}\n{EXPIRY}\n5\n{RECORD}")
    assert REFRESH_TOKEN not in login


def test_new_file(host: Host, file: Path) -> None:
    assert deliver(host, file) == ("", "renewed")
    assert file.read_text(encoding="utf-8") == f"{RECORD}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert host.lines() == [f"Updated {file} with token (expires_at={EXPIRY})"]
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("old", "event"),
    [
        (f"{OTHER}\n", "renewed"),
        (RECORD, ""),  # only the final newline is missing
        (f'{RECORD[:-2]},"scopes":[]}}}}\n', ""),
        (f"{RECORD.replace(TOKEN, TOKEN + 'x')}\n", "renewed"),
        ("", "renewed"),
        ('{"claudeAiOauth":{"accessToken":', "renewed"),
    ],
)
def test_old_file_is_replaced(host: Host, file: Path, old: str, event: str) -> None:
    file.write_text(old, encoding="utf-8")
    file.chmod(0o640)
    inode = file.stat().st_ino
    assert deliver(host, file) == ("", event)
    assert file.read_text(encoding="utf-8") == f"{RECORD}\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.stat().st_ino != inode


def test_same_content_is_not_written(host: Host, file: Path) -> None:
    file.write_text(f"{RECORD}\n", encoding="utf-8")
    assert deliver(host, file) == ("", "")
    assert host.lines() == [f"{file} is up to date (expires_at={EXPIRY})"]
    assert host.names() == []


WRONG = {
    "A=1\n": "is not a bearer file and is not changed",
    f" {RECORD}": "is not a bearer file and is not changed",
    f'{RECORD[:-2]},"refreshToken":"x"}}}}': (
        "has a refresh token, so it is a login and is not changed"
    ),
    "\0": "has a NUL byte and is not changed",
}


@pytest.mark.parametrize("text", WRONG)
def test_other_file_is_not_touched(host: Host, file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    assert deliver(host, file) == (f"{file} {WRONG[text]}", "")
    assert file.read_text(encoding="utf-8") == text
    assert host.lines() == []


@pytest.mark.parametrize("is_there", [True, False])
def test_link_is_not_followed(host: Host, file: Path, is_there: bool) -> None:
    target = file.parent / "target"
    if is_there:
        target.write_text(f"{OTHER}\n", encoding="utf-8")
    file.symlink_to(target)
    left = file.with_name(f"{file.name}.oauthkit.0000000000000001")
    left.touch()
    host.real("rm")
    problem = f"{file} is a symbolic link. The bearer file must not be one"
    assert deliver(host, file) == (problem, "")
    assert target.exists() is is_there
    assert not left.exists(), "the temporary file of a killed run"


def test_login_itself_is_not_touched(host: Host) -> None:
    text = host.credentials.read_bytes()
    problem = f"{host.credentials} is Claude Code's credentials file and is not changed"
    assert deliver(host, host.credentials) == (problem, "")
    assert host.credentials.read_bytes() == text


def test_missing_directory(host: Host, file: Path) -> None:
    file.parent.rmdir()
    problem = f"{file} cannot be written: {file.parent} is not a directory"
    assert deliver(host, file) == (problem, "")
    assert host.lines() == []


# --- Both files ---


def deliver_all(host: Host, bearer: str) -> tuple[str, str]:
    local.env["OAUTHKIT_BEARER"] = bearer
    return delivery.deliver_all(host.path(host.credentials), host.path(host.dotenv), LOGIN)


def test_no_bearer_file(host: Host, file: Path) -> None:
    assert deliver_all(host, "") == ("", "renewed")
    assert host.dotenv.read_text(encoding="utf-8") == TOKEN_LINE
    assert not file.exists()


def test_nothing_changes_without_a_bearer_file(host: Host) -> None:
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    assert deliver_all(host, "") == ("", "")


@pytest.mark.parametrize(
    ("bearer", "dotenv", "event"),
    [
        ("", "", "renewed"),
        (f"{RECORD}\n", "", "renewed"),
        (f"{OTHER}\n", TOKEN_LINE, "renewed"),
        (f"{RECORD}\n", TOKEN_LINE, ""),
    ],
)
def test_event_of_both_files(host: Host, file: Path, bearer: str, dotenv: str, event: str) -> None:
    file.write_text(bearer, encoding="utf-8")
    host.dotenv.write_text(dotenv, encoding="utf-8")
    assert deliver_all(host, str(file)) == ("", event)
    assert file.read_text(encoding="utf-8") == f"{RECORD}\n"
    assert host.dotenv.read_text(encoding="utf-8") == TOKEN_LINE


def test_wrong_bearer_file_does_not_affect_dotenv(
    host: Host, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write_text("A=1", encoding="utf-8")
    host.dotenv.touch(0o600)
    problem = f"{file} is not a bearer file and is not changed"
    assert deliver_all(host, str(file)) == (problem, "renewed")
    assert host.lines() == [f"ERROR: {problem}", UPDATED]
    assert host.dotenv.read_text(encoding="utf-8") == TOKEN_LINE
    assert f"ERROR: {problem}\n" in capfd.readouterr().err


def test_wrong_dotenv_does_not_affect_the_bearer_file(host: Host, file: Path) -> None:
    host.dotenv.write_bytes(b"\0")
    problem = f"{host.dotenv} has a NUL byte and is not changed"
    assert deliver_all(host, str(file)) == (problem, "renewed")
    assert host.lines()[-1] == f"ERROR: {problem}"
    assert file.read_text(encoding="utf-8") == f"{RECORD}\n"


def test_last_problem_is_returned(host: Host, file: Path) -> None:
    host.dotenv.write_bytes(b"\0")
    file.write_bytes(b"\0")
    problems = [f"{path} has a NUL byte and is not changed" for path in (file, host.dotenv)]
    assert deliver_all(host, str(file)) == (problems[1], "")
    assert host.lines() == [f"ERROR: {problem}" for problem in problems]


@pytest.mark.parametrize("kind", ["same path", "hard link"])
def test_both_settings_name_one_file(host: Host, file: Path, kind: str) -> None:
    host.dotenv.write_text("A=1\n", encoding="utf-8")
    host.dotenv.chmod(0o600)
    if kind == "hard link":
        file.hardlink_to(host.dotenv)
    path = file if kind == "hard link" else host.dotenv
    problem = f"OAUTHKIT_BEARER and OAUTHKIT_DOTENV are the same file: {host.dotenv}"
    assert deliver_all(host, str(path)) == (problem, "renewed")
    assert host.dotenv.read_text(encoding="utf-8") == f"A=1\n{TOKEN_LINE}"


# --- --ensure ---


@pytest.mark.parametrize(
    ("bearer", "dotenv", "left_ms", "wanted"),
    [
        (f"{RECORD}\n", TOKEN_LINE, HOUR_MS, True),
        (RECORD, TOKEN_LINE, HOUR_MS, False),
        (f"{OTHER}\n", TOKEN_LINE, HOUR_MS, False),
        (f"{RECORD}\n", "", HOUR_MS, False),
        ("", TOKEN_LINE, HOUR_MS, False),
        (None, TOKEN_LINE, HOUR_MS, False),
        (f"{RECORD}\n", TOKEN_LINE, 5 * MINUTE_MS, False),
    ],
)
def test_is_delivered(
    host: Host, file: Path, bearer: str | None, dotenv: str, left_ms: int, wanted: bool
) -> None:
    if bearer is not None:
        file.write_text(bearer, encoding="utf-8")
    host.dotenv.write_text(dotenv, encoding="utf-8")
    host.credentials_are(TOKEN, left_ms)
    paths = (host.path(host.credentials), host.path(host.dotenv))
    assert delivery.is_delivered(*paths, str(file)) is wanted


def test_ensure_without_a_bearer_file(host: Host) -> None:
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    host.credentials_are(TOKEN, HOUR_MS)
    paths = (host.path(host.credentials), host.path(host.dotenv))
    assert delivery.is_delivered(*paths, "") is True


def test_ensure_checks_the_bearer_file_of_the_setting(ready: Host) -> None:
    host = ready
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    local.env["OAUTHKIT_BEARER"] = str(host.root / "file")
    for _ in range(2):
        host.credentials_are(TOKEN, HOUR_MS)
    assert run(host, "ensure") == 0
    assert (host.root / "file").read_text(encoding="utf-8") == f"{RECORD}\n"


def test_run_delivers_both(ready: Host) -> None:
    host = ready
    host.dotenv.touch(0o600)
    local.env["OAUTHKIT_BEARER"] = "file"
    host.credentials_are(TOKEN, HOUR_MS)
    file = Path("file").absolute()
    assert run(host) == 0
    assert host.lines() == [
        FRESH, f"Updated {file} with token (expires_at={EXPIRY})", UPDATED, SCHEDULED,
    ]  # fmt: skip
    assert json.loads(file.read_bytes())["claudeAiOauth"]["accessToken"] == TOKEN
    assert f"--setenv=OAUTHKIT_BEARER={file}" in host.calls("systemd-run")[0]


def test_failed_read_removes_the_temporary_files(ready: Host) -> None:
    host = ready
    bearer = host.root / "bearer.json"
    local.env["OAUTHKIT_BEARER"] = str(bearer)
    left = [Path(f"{path}.oauthkit.1767323044999999") for path in (host.dotenv, bearer)]
    for path in left:
        path.write_text("half", encoding="utf-8")
    host.jq_prints("", status=1)
    assert run(host) == 1
    assert [path for path in left if path.exists()] == []


def test_ensure_does_not_accept_a_link(host: Host, file: Path) -> None:
    real = host.root / "real"
    real.write_text(f"{RECORD}\n", encoding="utf-8")
    file.symlink_to(real)
    host.dotenv.write_text(TOKEN_LINE, encoding="utf-8")
    host.credentials_are(TOKEN, HOUR_MS)
    paths = (host.path(host.credentials), host.path(host.dotenv))
    assert delivery.is_delivered(*paths, str(file)) is False


def test_link_created_after_the_check_is_not_followed(host: Host, file: Path) -> None:
    victim = host.root / "victim"
    victim.write_text(f"{OTHER}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:

        def check(_path: LocalPath) -> bool:
            patch.undo()
            file.symlink_to(victim)
            return False

        patch.setattr(LocalPath, "is_symlink", check)
        deliver(host, file)
    assert victim.read_text(encoding="utf-8") == f"{OTHER}\n"
