"""Addresses that change, and answers that are not addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    parity = make_port()
    parity.env["CF_ZONE"] = "zone1"
    parity.env["CF_RECORD"] = "record1"
    parity.env["CF_TOKEN"] = "secret token"
    return parity


FIRST = "https://api.ipify.org"
SECOND = "https://ipv4.icanhazip.com"
RECORD = "https://api.cloudflare.com/client/v4/zones/zone1/dns_records/record1"


def test_changed_address_is_sent(parity: Pair[Run]) -> None:
    parity.file("state", "192.0.2.1\n")
    curl = parity.stand_in("curl")
    curl.when(..., FIRST).prints("192.0.2.9")
    curl.when(..., RECORD).prints('{"result": {}, "success": true}\n')
    parity.stand_in("logger").exits(0)
    run = parity.run("home.example", "state")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout == "home.example: 192.0.2.1 -> 192.0.2.9\n"
    assert run.files["state"].content == b"192.0.2.9\n"
    call = run.call("curl", 1)
    assert call.stdin == b'header = "Authorization: Bearer secret token"\n'
    assert '{"type":"A","name":"home.example","content":"192.0.2.9","ttl":300}' in call.argv
    assert "secret token" not in " ".join(call.argv)


def test_same_address_is_not_sent(parity: Pair[Run]) -> None:
    parity.file("state", " 192.0.2.1\r\n")
    parity.stand_in("curl").when(..., FIRST).prints("192.0.2.1\n")
    run = parity.run("home.example", "state")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<html>",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.-1",
        "1.2.3.4.5",
        "192.0.2.0001",
        "1.2.3.4\n5",
    ],
)
def test_answer_that_is_not_an_address(parity: Pair[Run], answer: str) -> None:
    curl = parity.stand_in("curl")
    curl.when(..., FIRST).prints(answer)
    curl.when(..., SECOND).fails(28)
    run = parity.run("home.example", "state")
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", "the public address is unknown\n")


def test_second_service_and_rejected_update(parity: Pair[Run]) -> None:
    curl = parity.stand_in("curl")
    curl.when(..., FIRST).fails(6, stdout="192.0.2.7")
    curl.when(..., SECOND).prints("192.0.2.8\n")
    curl.when(..., RECORD).prints('{"success":false,"errors":["größe"]}\n')
    parity.stand_in("logger").fails(stderr="no socket\n")
    run = parity.run("home.example", "a file")
    assert (run.exit_code, run.stdout) == (1, "home.example: 192.0.2.8 was rejected\n")
    assert run.stderr == '{"success":false,"errors":["größe"]}\n'
    assert run.calls("logger") == [["-t", "dyndns", "--", "home.example: 192.0.2.8 was rejected"]]
    assert "a file" not in run.files


def test_update_that_fails_ends_the_program(parity: Pair[Run]) -> None:
    curl = parity.stand_in("curl")
    curl.when(..., FIRST).prints("192.0.2.8\n")
    curl.when(..., RECORD).fails(35, stderr="curl: (35) TLS\n")
    run = parity.run("home.example", "state")
    assert (run.exit_code, run.stdout) == (35, "")
    assert run.stderr == "curl: (35) TLS\ncurl failed with exit status 35\n"


def test_state_that_cannot_be_written(parity: Pair[Run]) -> None:
    parity.directory("state")
    curl = parity.stand_in("curl")
    curl.when(..., FIRST).prints("192.0.2.8")
    curl.when(..., RECORD).prints('{"success":true}')
    run = parity.run("home.example", "state")  # without logger
    assert (run.exit_code, run.stderr) == (1, "state cannot be written\n")
    assert run.stdout == "home.example: unknown -> 192.0.2.8\n"


def test_wrong_arguments(parity: Pair[Run]) -> None:
    run = parity.run("home.example")
    assert (run.exit_code, run.stderr) == (2, "usage: dyndns HOST STATE\n")
    parity.env["CF_TOKEN"] = ""
    run = parity.run("home.example", "state")
    assert (run.exit_code, run.stderr) == (2, "CF_TOKEN is not set\n")
