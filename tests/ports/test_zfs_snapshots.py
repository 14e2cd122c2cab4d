"""New snapshots, old ones that are destroyed, and zfs commands that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable

NEW = "auto-2026-01-02-030405"
USAGE = "usage: zfs_snapshots [--recursive] [--keep=N] [--prune-only] DATASET...\n"


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    return make_port("date")


def list_snapshots(parity: Pair[Run], dataset: str, *names: str) -> None:
    listed = "".join(f"{dataset}@{name}\n" for name in names)
    parity.stand_in("zfs").when("list", ..., dataset).prints(listed)


def test_one_command_creates_all_snapshots(parity: Pair[Run]) -> None:
    parity.stand_in("zfs").exits(0)
    run = parity.run("tank/home", "--recursive", "tank/my photos")
    shown = f"creating {NEW} of 2 datasets\n"
    assert (run.exit_code, run.stdout, run.stderr) == (0, shown, "")
    assert run.calls("zfs") == [
        ["snapshot", "-r", "--", f"tank/home@{NEW}", f"tank/my photos@{NEW}"]
    ]


def test_oldest_snapshots_are_destroyed(parity: Pair[Run]) -> None:
    list_snapshots(parity, "tank/my photos", "auto-1", "by-hand", "auto-2", "auto-3", NEW)
    parity.stand_in("zfs").when("snapshot", ...).exits(0)
    parity.stand_in("zfs").when("destroy", ...).exits(0)
    run = parity.run("--keep=2", "tank/my photos")
    assert run.stdout == (
        f"creating {NEW} of 1 dataset\ntank/my photos: destroying 2 of 4 snapshots\n"
    )
    assert run.calls("zfs")[-1] == ["destroy", "--", "tank/my photos@auto-1,auto-2"]


@pytest.mark.parametrize(
    ("keep", "destroyed"),
    [("0", "tank@auto-1,auto-2"), ("1", "tank@auto-1"), ("2", ""), ("007", "")],
)
def test_number_to_keep(parity: Pair[Run], keep: str, destroyed: str) -> None:
    list_snapshots(parity, "tank", "auto-1", "auto-2")
    if destroyed:
        parity.stand_in("zfs").when("destroy", "-r", "--", destroyed).exits(0)
    run = parity.run("--prune-only", "--recursive", f"--keep={keep}", "tank")
    assert (run.exit_code, run.stderr) == (0, "")


def test_dataset_without_snapshots(parity: Pair[Run]) -> None:
    list_snapshots(parity, "tank")
    run = parity.run("--prune-only", "--keep=1", "tank")
    assert (run.exit_code, run.stdout) == (0, "")


def test_list_fails(parity: Pair[Run]) -> None:
    missing = "cannot open 'tank': dataset does not exist\n"
    parity.stand_in("zfs").when("list", ...).fails(stderr=missing)
    run = parity.run("--prune-only", "--keep=1", "tank", "other")
    error = f"{missing}zfs failed with exit status 1\n"
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", error)


def test_snapshot_fails(parity: Pair[Run]) -> None:
    parity.stand_in("zfs").exits(2, stderr="cannot create snapshot\n")
    run = parity.run("--keep=1", "tank")
    error = "cannot create snapshot\nzfs failed with exit status 2\n"
    assert (run.exit_code, run.stderr) == (2, error)


def test_zfs_is_not_installed(parity: Pair[Run]) -> None:
    run = parity.run("tank")
    error = "zfs failed with exit status 127: it, or a program that it runs, was not found\n"
    assert (run.exit_code, run.stderr) == (127, error)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "DATASET is required"),
        (("--keep=-1", "tank"), "--keep=-1 is not a number of snapshots"),
        (("--keep= 1", "tank"), "--keep= 1 is not a number of snapshots"),
        (("--prune-only", "tank"), "--prune-only requires --keep"),
        (("-r", "tank"), "unknown option -r"),
    ],
)
def test_wrong_arguments(parity: Pair[Run], arguments: tuple[str, ...], problem: str) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr == f"zfs_snapshots: {problem}\n{USAGE}"
