"""Volumes that are opened and closed, wrong passphrases, and failing mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE = "usage: vault open|close|status NAME\n"
DEVICE = "/dev/disk/by-label/photos"


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    pair = make_port("mkdir")
    configure(pair, f"device={DEVICE}\n  directory = {pair.project}/my photos  # all of them\n")
    return pair


def configure(parity: Pair[Run], text: str) -> None:
    parity.file("~/.config/vault/photos", text)


def volume(parity: Pair[Run], mounted: bool = False, mapped: bool = False) -> None:
    parity.stand_in("findmnt").exits(0 if mounted else 1)
    plan = parity.stand_in("cryptsetup").when("status", "photos")
    plan.exits(0 if mapped else 4).optional()


def test_volume_is_decrypted_and_mounted(parity: Pair[Run]) -> None:
    volume(parity)
    parity.stand_in("systemd-ask-password").prints("my  secret\n")
    parity.stand_in("cryptsetup").when("open", ...).exits(0)
    parity.stand_in("mount").exits(0)
    run = parity.run("open", "photos")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    opened = run.call("cryptsetup", 1)
    assert opened.argv == ["open", "--key-file=-", DEVICE, "photos"]
    assert opened.stdin == b"my  secret"
    assert run.calls("mount") == [["/dev/mapper/photos", f"{parity.project}/my photos"]]
    assert run.files["my photos"].kind == "directory"


def test_wrong_passphrases(parity: Pair[Run]) -> None:
    volume(parity)
    for _ in range(3):
        parity.stand_in("systemd-ask-password").prints("guess\n")
        parity.stand_in("cryptsetup").when("open", ...).exits(2, stderr="No key available.\n")
    run = parity.run("open", "photos")
    error = "No key available.\n" * 3 + f"{DEVICE} cannot be decrypted\n"
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", error)
    assert run.calls("systemd-ask-password") == [
        ["Passphrase for photos:"],
        ["Wrong passphrase. Attempt 2 of 3:"],
        ["Wrong passphrase. Attempt 3 of 3:"],
    ]


def test_passphrase_prompt_is_cancelled(parity: Pair[Run]) -> None:
    volume(parity)
    parity.stand_in("systemd-ask-password").fails()
    run = parity.run("open", "photos")
    assert (run.exit_code, run.stderr) == (1, f"{DEVICE} cannot be decrypted\n")


def test_failed_mount_closes_the_volume(parity: Pair[Run]) -> None:
    configure(parity, f"device={DEVICE}\ndirectory=/\noptions = noatime,ro\n")
    volume(parity, mapped=True)
    parity.stand_in("mount").exits(32, stderr="mount: wrong fs type\n")
    parity.stand_in("cryptsetup").when("close", "photos").exits(5, stderr="Device is busy.\n")
    run = parity.run("open", "photos")
    assert run.calls("mount") == [["-o", "noatime,ro", "/dev/mapper/photos", "/"]]
    assert (run.exit_code, run.stderr) == (
        5,
        "mount: wrong fs type\nphotos cannot be mounted: it is closed again\n"
        "Device is busy.\ncryptsetup failed with exit status 5\n",
    )


def test_volume_is_closed(parity: Pair[Run]) -> None:
    volume(parity, mounted=True, mapped=True)
    parity.stand_in("umount").exits(0)
    parity.stand_in("cryptsetup").when("close", "photos").exits(0)
    run = parity.run("close", "photos")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert run.programs == ["findmnt", "umount", "cryptsetup", "cryptsetup"]


def test_busy_volume_stays_open(parity: Pair[Run]) -> None:
    volume(parity, mounted=True, mapped=True)
    parity.stand_in("umount").exits(32, stderr="umount: target is busy\n")
    run = parity.run("close", "photos")
    error = "umount: target is busy\numount failed with exit status 32\n"
    assert (run.exit_code, run.stderr) == (32, error)
    assert run.programs == ["findmnt", "umount"]


@pytest.mark.parametrize("mounted", [True, False])
def test_status(parity: Pair[Run], mounted: bool) -> None:
    volume(parity, mounted)
    run = parity.run("status", "photos")
    state = "mounted" if mounted else "not mounted"
    assert run.stdout == f"photos       {DEVICE}    {state}\n"
    assert run.exit_code == (0 if mounted else 1)


def test_incomplete_settings(parity: Pair[Run]) -> None:
    configure(parity, f"# device\ndevice = {DEVICE}\ndirectory =\n")
    run = parity.run("open", "photos")
    error = f"{parity.home}/.config/vault/photos needs a device and a directory\n"
    assert (run.exit_code, run.stderr) == (1, error)


def test_wrong_arguments(parity: Pair[Run]) -> None:
    run = parity.run("open")
    assert (run.exit_code, run.stderr) == (2, USAGE)
    run = parity.run("open", "no such")
    error = f"{parity.home}/.config/vault/no such cannot be read\n"
    assert (run.exit_code, run.stderr) == (1, error)
    volume(parity)
    run = parity.run("eject", "photos")
    assert (run.exit_code, run.stderr) == (2, USAGE)
