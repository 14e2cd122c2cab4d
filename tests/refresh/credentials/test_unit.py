"""Read the credentials, and decide whether the token is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plumbum import LocalPath
from tests.support.refresh.fake_host import (
    MINUTE_MS,
    NOW_MS,
    REFRESH_TOKEN,
    TOKEN,
    login_lines,
)

from oauthkit import shell
from oauthkit.program import credentials

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


@pytest.mark.parametrize("status", [0, 4])
@pytest.mark.parametrize(
    ("access", "more"), [('""', ""), ("null", ""), ('"made-up-access"', '"null"\n')]
)
def test_tokens_of_rejected_credentials_are_masked(
    host: Host, access: str, more: str, status: int
) -> None:
    """A hook or claude may print them later in the run."""
    host.jq_prints(f'"object"\n{access}\n5\n5\n"made-up-refresh"\n{{}}\n{more}', status=status)
    assert read(host)[0] != ""
    shell.log("made-up-access and made-up-refresh")
    assert host.lines() == [f"{'***' if more else 'made-up-access'} and ***"]


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
