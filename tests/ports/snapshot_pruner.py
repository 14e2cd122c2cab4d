#!/usr/bin/env python3
"""Destroy ZFS snapshots older than a given age, as zfs-prune-snapshots does.

Usage: snapshot_pruner [-n] [-p PREFIX] AGE [DATASET]..., with an AGE such as 12h, 30d or 4w.
"""

from __future__ import annotations

import sys

from plumbum.commands import BaseCommand

from oauthkit.shell import FG, TF, Status, now_ms, parse_int, program

zfs = program("zfs")

MAX_NUMBER = 100000  # so that an age in seconds fits in a 64-bit integer
USAGE = "usage: snapshot_pruner [-n] [-p PREFIX] AGE [DATASET]..."


def seconds_in(unit: str) -> int:
    """Return the seconds in a unit of time, or 0 for an unknown unit."""
    if unit == "h":
        return 3600
    if unit == "d":
        return 86400
    if unit == "w":
        return 604800
    return 0


def parse_age(text: str) -> tuple[Status, int]:
    """Return a status, and an age such as 12h in seconds."""
    for unit in ("h", "d", "w"):
        if text.endswith(unit):
            status, number = parse_int(text.removesuffix(unit))
            if status != 0 or number > MAX_NUMBER:
                return 1, 0
            return 0, number * seconds_in(unit)
    return 1, 0


def describe(age_s: int) -> str:
    """Return an age in days, or in hours if it is less than a day."""
    days = age_s // 86400
    hours = age_s // 3600
    unit = "day" if days > 0 else "hour"
    number = days if days > 0 else hours
    plural = "" if number == 1 else "s"
    return f"{number} {unit}{plural}"


def prune(limit_s: int, prefix: str, is_dry_run: bool, lister: BaseCommand) -> int:
    """Destroy the old snapshots among those that `lister` prints. Return how many remain."""
    remaining = 0
    for line in lister().splitlines():
        created, _, snapshot = line.partition("\t")
        status, created_s = parse_int(created)
        if status != 0:
            print(f"{snapshot}: unknown age", file=sys.stderr)
            remaining += 1
            continue
        _, _, name = snapshot.partition("@")
        age_s = now_ms() // 1000 - created_s
        if age_s <= limit_s or not name.startswith(prefix):
            continue
        print(f"{snapshot}: {describe(age_s)} old")
        if not is_dry_run and not zfs["destroy", snapshot] & TF(FG=True):
            remaining += 1
    return remaining


def main(*arguments: str) -> Status:
    """Destroy each old snapshot. Return 1 if one of them remains."""
    is_dry_run = False
    prefix = ""
    age = ""
    expects_prefix = False
    lister = zfs["list", "-H", "-p", "-t", "snapshot", "-o", "creation,name", "-r"]
    for argument in arguments:
        if expects_prefix:
            prefix = argument
            expects_prefix = False
        elif argument == "-n":
            is_dry_run = True
        elif argument == "-p":
            expects_prefix = True
        elif argument.startswith("-"):
            print(USAGE, file=sys.stderr)
            return 2
        elif age == "":
            age = argument
        else:
            lister = lister[argument]
    status, limit_s = parse_age(age)
    if status != 0 or expects_prefix:
        print(USAGE, file=sys.stderr)
        return 2
    remaining = prune(limit_s, prefix, is_dry_run, lister)
    if remaining > 0:
        print(f"{remaining} old snapshots remain", file=sys.stderr)
        return 1
    if not is_dry_run:
        zfs["list", "-o", "name,used,usedbysnapshots"] & FG
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
