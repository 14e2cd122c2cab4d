#!/usr/bin/env python3
"""Create a ZFS snapshot of each dataset, and destroy the oldest ones. For cron."""

from __future__ import annotations

import sys

from oauthkit.shell import FG, Status, parse_int, program

USAGE = "usage: zfs_snapshots [--recursive] [--keep=N] [--prune-only] DATASET..."
PREFIX = "auto-"
KEEP_ALL = -1

date = program("date")
zfs = program("zfs")


def own_snapshots(dataset: str) -> str:
    """Return the dataset's snapshots that this program created, a line for each, oldest first."""
    listed = zfs(
        "list", "-H", "-d", "1", "-t", "snapshot", "-s", "creation", "-o", "name", "--", dataset
    )
    own = ""
    for line in listed.splitlines():
        _, _, name = line.partition("@")
        if name.startswith(PREFIX):
            own += f"{name}\n"
    return own


def prune(dataset: str, keep: int, recursive: bool) -> None:
    """Destroy all but the dataset's `keep` newest snapshots that this program created."""
    names = own_snapshots(dataset)
    excess = -keep
    for _ in names.splitlines():
        excess += 1
    if excess <= 0:
        return
    old = ""
    count = 0
    for name in names.splitlines():
        if count == excess:
            break
        old += f",{name}" if count > 0 else name
        count += 1
    print(f"{dataset}: destroying {excess} of {excess + keep} snapshots")
    destroy = zfs["destroy"]
    if recursive:
        destroy = destroy["-r"]
    destroy["--", f"{dataset}@{old}"] & FG


def usage_error(problem: str) -> Status:
    """Report a usage error. Return the exit status."""
    print(f"zfs_snapshots: {problem}\n{USAGE}", file=sys.stderr)
    return 2


def main(*arguments: str) -> Status:
    """Parse the command line. Stop at the first zfs command that fails, with its status."""
    keep = KEEP_ALL
    recursive = False
    create = True
    datasets = 0
    for argument in arguments:
        if argument == "--recursive":
            recursive = True
        elif argument == "--prune-only":
            create = False
        elif argument.startswith("--keep="):
            status, keep = parse_int(argument.removeprefix("--keep="))
            if status != 0 or keep < 0:
                return usage_error(f"{argument} is not a number of snapshots")
        elif argument.startswith("-"):
            return usage_error(f"unknown option {argument}")
        else:
            datasets += 1
    if datasets == 0:
        return usage_error("DATASET is required")
    if not create and keep == KEEP_ALL:
        return usage_error("--prune-only requires --keep")

    if create:
        name = PREFIX + date("--utc", "+%Y-%m-%d-%H%M%S").strip()
        # One command, because ZFS then creates all snapshots at the same time.
        snapshot = zfs["snapshot"]
        if recursive:
            snapshot = snapshot["-r"]
        snapshot = snapshot["--"]
        for argument in arguments:
            if not argument.startswith("-"):
                snapshot = snapshot[f"{argument}@{name}"]
        print(f"creating {name} of {datasets} dataset{'' if datasets == 1 else 's'}")
        snapshot & FG
    if keep != KEEP_ALL:
        for argument in arguments:
            if not argument.startswith("-"):
                prune(argument, keep, recursive)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
