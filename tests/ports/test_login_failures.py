"""Reports of failed logins, from sshd's log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    parity = make_port("sort", "uniq")
    parity.env["TZ"] = "UTC"
    return parity


def failure(user: str, address: str) -> str:
    return f"Jan  2 03:04:05 host sshd[7]: Failed password for {user} from {address} port 51 ssh2\n"


LOG = (
    failure("root", "192.0.2.1") * 6
    + "Jan  2 03:04:05 host sshd[7]: Accepted publickey for me from 192.0.2.2 port 5 ssh2\n"
    + failure("invalid user x from 9.9.9.9 port 1", "2001:db8::1") * 12
    + failure("a  b", "192.0.2.3") * 2
    + "Jan  2 03:04:05 host su[9]: Failed password for root from 192.0.2.4 port 5\n"
)


def test_report_is_sorted(parity: Pair[Run]) -> None:
    run = parity.run(stdin=LOG.encode())
    assert (run.exit_code, run.stderr) == (1, "")
    assert run.stdout == "    12  60%  2001:db8::1\n     6  30%  192.0.2.1\n"


def test_limit_includes_all(parity: Pair[Run]) -> None:
    run = parity.run("1", stdin=LOG.encode())
    assert run.stdout.splitlines()[2] == "     2  10%  192.0.2.3"


@pytest.mark.parametrize(
    "text", [b"", b"\n\n", b"sshd\n", failure("root", "192.0.2.1").encode() * 4]
)
def test_nothing_to_report(parity: Pair[Run], text: bytes) -> None:
    parity.env["MAILTO"] = "admin"
    run = parity.run(stdin=text)
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")


def test_bytes_that_are_not_text(parity: Pair[Run]) -> None:
    log = failure("NAME", "192.0.2.1").encode().replace(b"NAME", b"\xff\xfe*") * 5
    run = parity.run(stdin=log.removesuffix(b"\n"))
    assert run.stdout == "     5 100%  192.0.2.1\n"


def test_report_is_mailed(parity: Pair[Run]) -> None:
    parity.env["MAILTO"] = "admin@host"
    parity.stand_in("hostname").prints("a host\n")
    parity.stand_in("mail").exits(0)
    run = parity.run("10", stdin=LOG.encode())
    assert (run.exit_code, run.stdout) == (1, "")
    call = run.call("mail")
    assert call.argv == ["-s", "20 failed logins on a host", "admin@host"]
    assert call.stdin == b"    12  60%  2001:db8::1\n"


def test_mail_that_fails(parity: Pair[Run]) -> None:
    parity.env["MAILTO"] = "admin"
    parity.stand_in("hostname").fails()
    parity.stand_in("mail").fails(67, stderr="no such user\n")
    run = parity.run(stdin=LOG.encode())
    assert run.exit_code == 67
    assert run.stderr == "no such user\nmail failed with exit status 67\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(("1", "2"), "usage: login_failures [LIMIT]\n"), (("1.5",), "1.5 is not a number\n")],
)
def test_wrong_arguments(parity: Pair[Run], arguments: tuple[str, ...], error: str) -> None:
    run = parity.run(*arguments, stdin=LOG.encode())
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", error)
