"""Lists of networks that are fetched and loaded, and lists that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    parity = make_port("grep", "sed", "sort", "rm")
    parity.file(
        "lists", "# two lists\nhttps://a.example/x.txt  # hourly\n\nhttps://b.example/y z\n"
    )
    return parity


FETCH = ["--silent", "--show-error", "--fail", "--location", "--"]


def restored(run: Run) -> bytes:
    return run.call("ipset", 1).stdin or b""


def test_lists_are_merged(parity: Pair[Run]) -> None:
    curl = parity.stand_in("curl")
    curl.when(..., "https://a.example/x.txt").prints("# drop\n10.0.0.0/8 ; SBL1\n192.0.2.7\n")
    curl.when(..., "https://b.example/y z").prints("192.0.2.7 evil\nnothing 1.2.3.4\n")
    ipset = parity.stand_in("ipset")
    ipset.when("destroy", "drop-new").fails(stderr="does not exist\n")
    ipset.when("restore").exits(0)
    run = parity.run("drop", "lists")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "drop: 2 lists loaded\n", "")
    assert run.calls("curl")[0] == [*FETCH, "https://a.example/x.txt"]
    assert restored(run) == (
        b"create -exist drop hash:net family inet maxelem 131072\n"
        b"create drop-new hash:net family inet maxelem 131072\n"
        b"add drop-new 10.0.0.0/8\nadd drop-new 192.0.2.7\n"
        b"swap drop-new drop\ndestroy drop-new\n"
    )
    assert not [name for name in run.files if "networks" in name]


def test_list_that_cannot_be_fetched(parity: Pair[Run]) -> None:
    curl = parity.stand_in("curl")
    curl.when(..., "https://a.example/x.txt").fails(22, stderr="curl: (22) error: 404\n")
    curl.when(..., "https://b.example/y z").prints("192.0.2.7\n")
    parity.stand_in("ipset").always.exits(0)
    run = parity.run("drop", "lists")
    assert (run.exit_code, run.stdout) == (1, "drop: 1 lists loaded\n")
    assert b"add drop-new 192.0.2.7\nswap" in restored(run)


def test_set_is_unchanged_without_a_list(parity: Pair[Run]) -> None:
    curl = parity.stand_in("curl")
    curl.when(..., "https://a.example/x.txt").fails(6)
    curl.when(..., "https://b.example/y z").prints("<html>\n")
    run = parity.run("drop", "lists")
    assert run.exit_code == 1
    assert run.stderr == (
        "https://a.example/x.txt: failed with exit status 1\n"
        "https://b.example/y z: failed with exit status 1\n"
        "no list was fetched. drop is unchanged\n"
    )
    assert not [name for name in run.files if "networks" in name]


def test_set_that_cannot_be_loaded(parity: Pair[Run]) -> None:
    parity.stand_in("curl").always.prints("192.0.2.7\n")
    ipset = parity.stand_in("ipset")
    ipset.when("destroy", "drop-new").exits(0)
    ipset.when("restore").exits(3, stderr="Kernel error received\n")
    run = parity.run("drop", "lists")
    assert (run.exit_code, run.stdout, run.stderr) == (3, "", "Kernel error received\n")


def test_without_curl(parity: Pair[Run]) -> None:
    run = parity.run("drop", "lists")
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr.endswith("no list was fetched. drop is unchanged\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "usage: blocklist SET FILE\n"),
        (("drop", "lists", "more"), "usage: blocklist SET FILE\n"),
        (("drop", "no file"), "no file cannot be read\n"),
    ],
)
def test_wrong_arguments(parity: Pair[Run], arguments: tuple[str, ...], error: str) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", error)
