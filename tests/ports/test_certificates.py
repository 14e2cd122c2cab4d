"""Certificates that expire soon, and servers without a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    return make_port("date")  # which shows the sandbox's clock: 2026-01-02 03:04:05


def certificate(parity: Pair[Run], end: str) -> None:
    parity.stand_in("openssl").when("s_client", ...).prints("-----BEGIN CERTIFICATE-----\n")
    parity.stand_in("openssl").when("x509", ...).prints(f"notAfter={end}\n")


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("Jan  3 03:04:05 2026 GMT", "www.example:443: expires in 1 days\n"),
        ("Jan  1 00:00:00 2026 GMT", "www.example:443: expired 2 days ago\n"),
        ("Feb 28 03:04:05 2026 GMT", ""),
    ],
)
def test_expiry_is_compared_with_the_clock(parity: Pair[Run], end: str, shown: str) -> None:
    parity.file("servers", "# the shop\n\nwww.example\n")
    certificate(parity, end)
    run = parity.run("14", "servers")
    assert (run.exit_code, run.stdout, run.stderr) == (1 if shown else 0, shown, "")
    assert run.calls("openssl") == [
        ["s_client", "-connect", "www.example:443", "-servername", "www.example"],
        ["x509", "-noout", "-enddate"],
    ]


def test_server_without_a_certificate(parity: Pair[Run]) -> None:
    parity.file("servers", "mail.example 993\n")
    parity.stand_in("openssl").when("s_client", ...).fails(stderr="connect:errno=111\n")
    parity.stand_in("openssl").when("x509", ...).fails(stderr="unable to load certificate\n")
    run = parity.run("14", "servers")
    assert (run.exit_code, run.stdout) == (1, "mail.example:993: no certificate\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "usage: certificates DAYS FILE\n"),
        (("soon", "servers"), "soon is not a number of days\n"),
        (("14", "missing"), "missing cannot be read\n"),
    ],
)
def test_wrong_arguments(parity: Pair[Run], arguments: tuple[str, ...], error: str) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", error)
