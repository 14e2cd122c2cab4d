"""Old ZFS snapshots, and those that zfs does not destroy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    return make_port()


LIST = ["list", "-H", "-p", "-t", "snapshot", "-o", "creation,name", "-r"]
SPACE = ["list", "-o", "name,used,usedbysnapshots"]


def snapshots(parity: Pair[Run], *ages_h: tuple[int, str]) -> None:
    """Plan the list of snapshots, which are given with their age in hours."""
    rows = "".join(f"{parity.now_s - hours * 3600}\t{name}\n" for hours, name in ages_h)
    parity.stand_in("zfs").when(*LIST, ...).prints(rows)


def test_only_old_snapshots_are_destroyed(parity: Pair[Run]) -> None:
    snapshots(parity, (24, "tank@new"), (25, "tank@old one"), (800, "tank/a@oldest"))
    zfs = parity.stand_in("zfs")
    zfs.when("destroy", ...).always.exits(0)
    zfs.when(*SPACE).prints("NAME  USED\n")
    run = parity.run("24h", "tank", "a pool")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout == "tank@old one: 1 day old\ntank/a@oldest: 33 days old\nNAME  USED\n"
    assert run.calls("zfs") == [
        [*LIST, "tank", "a pool"],
        ["destroy", "tank@old one"],
        ["destroy", "tank/a@oldest"],
        SPACE,
    ]


def test_dry_run_destroys_nothing(parity: Pair[Run]) -> None:
    snapshots(parity, (2, "tank@*"))
    run = parity.run("-n", "1h")
    assert (run.exit_code, run.stdout) == (0, "tank@*: 2 hours old\n")
    assert run.calls("zfs") == [LIST]


def test_prefix_is_not_a_pattern(parity: Pair[Run]) -> None:
    snapshots(parity, (200, "tank@a*1"), (200, "tank@ab1"))
    run = parity.run("-n", "-p", "a*", "1w")
    assert (run.exit_code, run.stdout) == (0, "tank@a*1: 8 days old\n")


def test_snapshot_that_is_in_use(parity: Pair[Run]) -> None:
    snapshots(parity, (48, "tank@held"), (48, "tank@free"))
    zfs = parity.stand_in("zfs")
    zfs.when("destroy", "tank@held").fails(stderr="dataset is busy\n")
    zfs.when("destroy", "tank@free").exits(0)
    run = parity.run("1d")
    assert run.exit_code == 1
    assert run.stderr == "dataset is busy\n1 old snapshots remain\n"


def test_snapshot_without_a_time(parity: Pair[Run]) -> None:
    parity.stand_in("zfs").when(*LIST).prints("-\ttank@odd\n")
    run = parity.run("1d")
    assert (run.exit_code, run.stdout) == (1, "")
    assert run.stderr == "tank@odd: unknown age\n1 old snapshots remain\n"


def test_pool_that_does_not_exist(parity: Pair[Run]) -> None:
    parity.stand_in("zfs").when(*LIST, "tnak").fails(2, stderr="cannot open 'tnak'\n")
    run = parity.run("1d", "tnak")
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr == "cannot open 'tnak'\nzfs failed with exit status 2\n"


@pytest.mark.parametrize(
    "arguments",
    [(), ("-n",), ("d",), ("1m",), ("-x", "1d"), ("1d", "-p"), ("999999999999999w",), ("",)],
)
def test_wrong_arguments(parity: Pair[Run], arguments: tuple[str, ...]) -> None:
    run = parity.run(*arguments)
    usage = "usage: snapshot_pruner [-n] [-p PREFIX] AGE [DATASET]...\n"
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", usage)
