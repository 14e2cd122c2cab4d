#!/usr/bin/env python3
"""Open, close and show encrypted volumes.

A file ~/.config/vault/NAME describes the volume NAME:

    device = /dev/disk/by-label/photos
    directory = /media/photos
    options = noatime                   # for mount; optional
"""

from __future__ import annotations

import sys

from plumbum import local

from oauthkit.shell import CAPTURE, FG, RETCODE, TF, Status, absolute, program, read_file

USAGE = "usage: vault open|close|status NAME"
ATTEMPTS = 3
# cryptsetup's exit status if no key matches the passphrase.
WRONG_PASSPHRASE = 2

ask_password = program("systemd-ask-password")
cryptsetup = program("cryptsetup")
findmnt = program("findmnt")
mkdir = program("mkdir")
mount = program("mount")
umount = program("umount")


def read_setting(text: str, name: str) -> str:
    """Return the setting's value, or "" if there is none. `#` begins a comment."""
    for line in text.splitlines():
        entry, _, _ = line.partition("#")
        key, _, value = entry.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


def is_mapped(name: str) -> bool:
    """Return whether the volume is decrypted."""
    return cryptsetup["status", name] & RETCODE == 0


def unlock(name: str, device: str) -> Status:
    """Ask for the passphrase, and decrypt the volume. Return the status of the last attempt."""
    status = WRONG_PASSPHRASE
    attempt = 0
    while status == WRONG_PASSPHRASE and attempt < ATTEMPTS:
        attempt += 1
        text = (
            f"Passphrase for {name}"
            if attempt == 1
            else f"Wrong passphrase. Attempt {attempt} of {ATTEMPTS}"
        )
        asked, passphrase = ask_password[f"{text}:"] & CAPTURE
        if asked != 0:
            return asked
        status = (cryptsetup["open", "--key-file=-", device, name] << passphrase) & RETCODE(FG=True)
    return status


def open_volume(name: str, device: str, directory: str, options: str) -> Status:
    """Decrypt the volume and mount it. If the mount fails, close the volume."""
    if not is_mapped(name):
        status = unlock(name, device)
        if status != 0:
            print(f"{device} cannot be decrypted", file=sys.stderr)
            return status
    mkdir("-p", "--", directory)
    mounter = mount["-o", options] if options != "" else mount
    status = mounter[f"/dev/mapper/{name}", directory] & RETCODE(FG=True)
    if status != 0:
        print(f"{name} cannot be mounted: it is closed again", file=sys.stderr)
        cryptsetup["close", name] & FG
    return status


def main(*arguments: str) -> Status:
    """Run the subcommand."""
    if len(arguments) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    action = arguments[0]
    name = arguments[1]
    home = local.env.get("HOME", "")
    file = absolute(f"{home}/.config/vault/{name}")
    status, text = read_file(file)
    if status != 0:
        print(f"{file} cannot be read", file=sys.stderr)
        return 1
    device = read_setting(text, "device")
    directory = read_setting(text, "directory")
    if device == "" or directory == "":
        print(f"{file} needs a device and a directory", file=sys.stderr)
        return 1

    is_mounted = findmnt["--mountpoint", directory] & TF
    if action == "status":
        state = "mounted" if is_mounted else "not mounted"
        print(f"{name:<12} {device:<28} {state}")
        return 0 if is_mounted else 1
    if action == "open":
        if is_mounted:
            print(f"{directory} is mounted")
            return 0
        return open_volume(name, device, directory, read_setting(text, "options"))
    if action == "close":
        if is_mounted:
            umount["--", directory] & FG
        if is_mapped(name):
            cryptsetup["close", name] & FG
        return 0
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
