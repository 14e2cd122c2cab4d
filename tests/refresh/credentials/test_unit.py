"""Read the credentials, and decide whether the token is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plumbum import LocalPath
from tests.support.refresh.fake_host import (
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    REFRESH_TOKEN,
    TOKEN,
    login_lines,
)

from oauthkit import shell
from oauthkit.program import credentials, renewal

if TYPE_CHECKING:
    from tests.support.refresh.fake_host import Host

NO_TOKEN = "no accessToken in credentials"
LOGIN_ENDED = "The login has ended: run 'claude auth login'"
STRANGE_TOKEN = "accessToken in credentials has a character that tokens do not contain"
NO_OBJECT = "no claudeAiOauth object in {path}"
TWO_DOCUMENTS = "{path} holds more than one JSON document"


def fields(problem: str, login: str) -> tuple[str, str, str]:
    """Return the error, the access token and its expiry."""
    return problem, credentials.access_token(login), credentials.expires_at(login)


def read(host: Host) -> tuple[str, str, str]:
    return fields(*credentials.read_credentials(host.path(host.credentials)))


def test_missing_file(host: Host) -> None:
    host.credentials.unlink()
    assert read(host) == (f"{host.credentials} not found", "", "")
    assert host.names() == []


def test_directory(host: Host) -> None:
    host.credentials.unlink()
    host.credentials.mkdir()
    assert read(host) == (f"{host.credentials} is not a file", "", "")
    assert host.names() == []


def test_unreadable_file(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root, who may run this test, can read a file with any mode.
    monkeypatch.setattr(LocalPath, "access", lambda _self, mode=0: mode != "r")
    assert read(host) == (f"{host.credentials} is not readable", "", "")
    assert host.names() == []


def test_no_jq(host: Host) -> None:
    host.jq_prints("", status=127)
    assert read(host) == ("jq not found in PATH. It is needed to read the credentials", "", "")


@pytest.mark.parametrize("status", [1, 2, 4, 5, 125])
def test_jq_fails(host: Host, status: int) -> None:
    host.jq_prints('"object"\n"abc"\n5\n', status=status)
    problem = f"{host.credentials} is not valid JSON (jq exit {status})"
    assert read(host) == (problem, "", "")


@pytest.mark.parametrize("status", [3, 126, 137])
def test_jq_cannot_run_or_is_killed(host: Host, status: int) -> None:
    host.jq_prints("", status=status)
    assert read(host) == (f"jq could not run or was killed (exit {status})", "", "")


@pytest.mark.parametrize("expiry", ["1767323045000", "null", '"0009"', "-5", "1e+30", "[]"])
def test_expiry_is_passed_on_unchanged(host: Host, expiry: str) -> None:
    host.jq_prints(f'"object"\n"{TOKEN}"\n{expiry}\n')
    assert read(host) == ("", TOKEN, expiry)
    assert host.names() == ["jq"]


@pytest.mark.parametrize("token", ["a", "a=", "A-Z.a~z_0+9/=="])
def test_good_tokens(host: Host, token: str) -> None:
    host.jq_prints(f'"object"\n"{token}"\n5\n')
    assert read(host) == ("", token, "5")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", NO_OBJECT),
        ('"null"\nnull\nnull\n', NO_OBJECT),
        ('"string"\n', NO_OBJECT),
        ('"array"\n', NO_OBJECT),
        ('"number"\n', NO_OBJECT),
        (login_lines('"a"', "5") * 2, TWO_DOCUMENTS),
        ('"number"\n' + login_lines('"b"', "6"), TWO_DOCUMENTS),
        ('"object"\nnull\n5\n', NO_TOKEN),
        ('"object"\n""\n5\n', f"{NO_TOKEN}. {LOGIN_ENDED}"),
        ('"object"\n5\n5\n', NO_TOKEN),
        ('"object"\ntrue\n5\n', NO_TOKEN),
        ('"object"\n{"a":"b"}\n5\n', NO_TOKEN),
        ('"object"\n["b"]\n5\n', NO_TOKEN),
        ('"object"\n"a b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"a|b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"a&b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"a$b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"a\\\\b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"a\\nb"\n5\n', STRANGE_TOKEN),
        ('"object"\n"a\\"b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"\\""\n5\n', STRANGE_TOKEN),
        ('"object"\n"="\n5\n', STRANGE_TOKEN),
        ('"object"\n"a=b"\n5\n', STRANGE_TOKEN),
        ('"object"\n"ü"\n5\n', STRANGE_TOKEN),
    ],
)
def test_answers_without_a_token(host: Host, answer: str, problem: str) -> None:
    host.jq_prints(answer)
    assert read(host) == (problem.format(path=host.credentials), "", "")


@pytest.mark.parametrize(
    ("access", "refresh", "logged"),
    [
        ("made-up-access", "made-up-refresh", "*** and ***"),
        ("with|a|strange|character", "made-up-refresh", "*** and ***"),
        ("made-up-access", "short", "*** and short"),
    ],
)
def test_both_tokens_are_masked_from_now_on(
    host: Host, access: str, refresh: str, logged: str
) -> None:
    host.jq_prints(login_lines(f'"{access}"', "5").replace(REFRESH_TOKEN, refresh))
    read(host)
    shell.log(f"{access} and {refresh}")
    assert host.lines() == [logged]


@pytest.mark.parametrize(
    ("expiry", "lives"),
    [
        (str(NOW_MS + 5 * MINUTE_MS + 1), True),
        (str(NOW_MS + 5 * MINUTE_MS), False),
        (str(NOW_MS), False),
        ("0", False),
        ("null", False),
        ('"9999999999999"', False),
        ("9" * 15, True),
        ("9" * 16, False),
    ],
)
def test_outlasts(host: Host, expiry: str, lives: bool) -> None:
    assert host.lines() == []
    assert credentials.outlasts(expiry, 5 * MINUTE_MS) is lives


def live_token(host: Host, rejected: str = "") -> tuple[str, str, str]:
    credentials_file = host.path(host.credentials)
    return fields(*renewal.live_token(credentials_file, host.path(host.home), rejected))


def test_missing_credentials_are_a_problem(host: Host) -> None:
    host.credentials.unlink()
    assert live_token(host) == (f"{host.credentials} not found", "", "")
    assert host.lines() == []


def test_fresh_token(host: Host) -> None:
    remaining_ms = 5 * MINUTE_MS + 1
    host.credentials_are(TOKEN, remaining_ms)
    assert live_token(host) == ("", TOKEN, str(NOW_MS + remaining_ms))
    assert host.lines() == [f"Token still fresh (remaining_ms={remaining_ms}), syncing to .env"]


@pytest.mark.parametrize(
    ("expiry", "remaining_ms", "is_number"),
    [
        (str(NOW_MS + 5 * MINUTE_MS), 5 * MINUTE_MS, True),
        (str(NOW_MS), 0, True),
        (str(NOW_MS - 1), -1, True),
        ("-5", -5 - NOW_MS, True),
        ("null", -NOW_MS, False),
        ('"0009"', -NOW_MS, False),
        ("1e+30", -NOW_MS, False),
        ("", -NOW_MS, False),
    ],
)
def test_expiring_token_is_renewed(
    host: Host, expiry: str, remaining_ms: int, is_number: bool
) -> None:
    for _ in range(2):
        host.jq_prints(f'"object"\n"{TOKEN}"\n{expiry}\n')
    problem, token, _ = live_token(host)
    assert (problem, token) == ("claude binary not found in PATH or common locations", "")
    warning = [] if is_number else ["WARN: no expiresAt in credentials, forcing refresh"]
    assert host.lines() == [
        *warning,
        f"Token expired or expiring soon (remaining_ms={remaining_ms}), "
        "invoking claude CLI to refresh",
    ]


def test_token_that_another_run_has_renewed(host: Host) -> None:
    host.credentials_are(TOKEN, 0)
    host.credentials_are("new", HOUR_MS)
    assert live_token(host) == ("", "new", str(NOW_MS + HOUR_MS))
    assert host.names() == ["jq", "jq"]
    assert host.lines()[-1] == "The token was renewed by another run"


def test_renewal_gets_home(host: Host) -> None:
    host.real("rm", "chmod", "mv")
    claude = host.install("claude", host.home / ".local" / "bin")
    for _ in range(2):
        host.credentials_are(TOKEN, 0)
    host.fake("timeout")
    host.credentials_are("new", HOUR_MS)
    assert live_token(host) == ("", "new", str(NOW_MS + HOUR_MS))
    assert claude in host.calls("timeout")[0]
