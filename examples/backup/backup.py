#!/usr/bin/env python3
"""Makes TARGET/NAME-TIME.tar.gz of a folder NAME, and keeps the newest of them. For cron.

Exit status: 0 if there is a new backup and the old ones are gone, 1 if not, which stderr tells,
2 for wrong usage.
"""

from __future__ import annotations

import os
import sys

from plumbum import LocalPath
from plumbum.commands import ERROUT, BaseCommand

from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    absolute,
    complain,
    now_ms,
    parse_int,
    program,
    same_file,
    take_lock,
)

USAGE = "usage: backup [--keep=N] [--] FOLDER TARGET"
HELP = """
Makes TARGET/NAME-TIME.tar.gz of FOLDER, NAME being its name and TIME that of UTC. Then it removes
all of these archives but the newest.

  --keep=N   how many are kept, from 1 on (7)"""

DEFAULT_KEEP = 7
ENDING = ".tar.gz"
# The time in a name, in UTC (no hour comes twice), and what find takes for one. Without its
# letters it is a number, and a later time is a larger one.
TIME_FORMAT = "+%Y%m%dT%H%M%SZ"
TIME_GLOB = "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z"
AFTER_ALL_TIMES = 100000000000000
# GNU tar's status if a file has changed while it was read; all the others are as they should be.
TAR_SAW_CHANGES = 1

date = program("date")
find = program("find")
mv = program("mv")
rm = program("rm")
sync = program("sync")
tar = program("tar")


def tell(what: str, status: int, reason: str) -> None:
    """Says on stderr what failed, and why."""
    if status >= 126:
        complain(f"backup: {what} failed (exit {status}): could not be run, or was killed")
    else:
        complain(f"backup: {what} failed (exit {status}): {reason}")


def works(what: str, command: BaseCommand) -> bool:
    """Whether `command` does its work; if not, stderr is told that `what` failed, and why."""
    status, reason = (command >= ERROUT) & CAPTURE
    if status != 0:
        tell(what, status, reason)
    return status == 0


def as_pattern(name: str) -> str:
    """The pattern that `name` alone fits."""
    pattern = name.replace("\\", "\\\\")
    for character in ("*", "?", "["):
        pattern = pattern.replace(character, f"\\{character}")
    return pattern


def time_in(entry: str) -> int:
    """The time of a backup as a number, 0 if `entry` has none."""
    digits = entry.removesuffix(ENDING)
    digits = digits.replace("T", "")
    digits = digits.replace("Z", "")
    _, time = parse_int(digits)
    return time


def count_of(entries: str, latest: int) -> int:
    """How many of the lines of `entries` have a time that is not after `latest`."""
    count = 0
    rest = entries
    while rest != "":
        entry, _, rest = rest.partition("\n")
        time = time_in(entry)
        if time > 0 and time <= latest:
            count += 1
    return count


def first_after(entries: str, limit: int) -> str:
    """The line of `entries` with the earliest time that is later than `limit`, "" if none is."""
    first = ""
    earliest = AFTER_ALL_TIMES
    rest = entries
    while rest != "":
        entry, _, rest = rest.partition("\n")
        time = time_in(entry)
        if time > limit and time < earliest:
            first = entry
            earliest = time
    return first


def remove_old(target: LocalPath, name: str, made: str, keep: int) -> Status:
    """Removes all backups of this name but the `keep` latest, of which `made` is the last: nothing
    else, and none whose time is still to come.
    """
    pattern = as_pattern(name)
    status, found = (
        find[
            "-H", target, "-maxdepth", "1", "-type", "f",
            "-name", f"{pattern}-{TIME_GLOB}{ENDING}", "-printf", "%f\\n",
        ]
        & CAPTURE
    )  # fmt: skip
    if status != 0:
        complain(f"backup: {target} cannot be listed (find exit {status}), nothing is removed")
        return 1
    # The times alone, a line each: a name may have a newline in it, and then find prints two.
    entries = found.replace(f"{name}-", "")

    latest = time_in(made)
    later = first_after(entries, latest)
    if later != "":
        complain(f"backup: {name}-{later} has a time to come: it is not counted, and stays")

    # One after the other, from the oldest on: in most runs there is one to be removed.
    result = 0
    time = 0
    count = count_of(entries, latest)
    while count > keep:
        entry = first_after(entries, time)
        time = time_in(entry)
        if not works(f"removing {name}-{entry}", rm["-f", f"{target}/{name}-{entry}"]):
            result = 1
        count -= 1
    return result


def pack(source: LocalPath, name: str, part: str) -> Status:
    """Writes the folder into the archive `part`; 0 if that can be used."""
    parent = source.dirname
    # A colon would make a host of a name, a dash an option, a backslash something else again.
    status, reason = (
        tar[
            "--create", "--gzip", f"--file={part}", "--force-local", "--sort=name",
            f"--directory={parent}", "--no-unquote", f"--add-file={name}",
        ]
        >= ERROUT
    ) & CAPTURE  # fmt: skip
    if status == TAR_SAW_CHANGES:
        complain(f"backup: {source} changed while it was read: {reason}")
        return 0
    if status != 0:
        tell(f"packing {source}", status, reason)
    return status


def make(source: LocalPath, target: LocalPath, name: str) -> tuple[Status, str]:
    """Makes a new backup: 0 and what stands behind NAME- in its name, or 1.

    It gets its name when it is whole and on the disk.
    """
    now = now_ms()
    status, time = date["--utc", f"--date=@{now // 1000}", TIME_FORMAT] & CAPTURE
    if status != 0:
        complain(f"backup: date failed (exit {status})")
        return 1, ""
    part = f"{target}/.{name}.part"  # one name: what a killed run has left goes
    made = f"{time}{ENDING}"
    backup = f"{target}/{name}-{made}"
    # Not written over: the tar of a killed run may still be at work, and goes on in the file that
    # it has open. A link would be followed.
    if not works(f"removing {part}", rm["-f", part]):
        return 1, ""
    if (
        pack(source, name, part) == 0
        and works(f"writing {part}", sync[part])
        and works(f"renaming {part}", mv["-f", "-T", part, backup])
    ):
        return 0, made
    _ = rm["-f", part] & RETCODE  # it may not be there, and what failed is told
    return 1, ""


def is_inside(place: LocalPath, folder: LocalPath) -> bool:
    """Whether a folder is in another one, or is it, wherever links lead."""
    above = f"{place}"
    while same_file(above, above) and not same_file(above, "/"):  # is it there at all?
        if same_file(above, folder):
            return True
        above += "/.."
    return same_file(folder, "/")


def back_up(source: LocalPath, target: LocalPath, keep: int) -> Status:
    """Makes a backup and removes old ones, if no other run is doing so."""
    _, _, name = source.rpartition("/")
    if name == "":
        complain("backup: / has no name that a backup could have")
        return 1
    if source.is_symlink():
        # tar would pack the link, and the backups before it would go in the end.
        complain(f"backup: {source} is a link: give the folder that it leads to")
        return 1
    if not source.is_dir():
        complain(f"backup: {source} is no folder")
        return 1
    # Not made: it may be a disk that is not mounted.
    if not target.is_dir():
        complain(f"backup: {target} is no folder")
        return 1
    if is_inside(target, source):
        complain(f"backup: {target} is in {source}: each backup would hold all before it")
        return 1
    lock = f"{target}/.{name}.lock"
    locked = take_lock(lock, 0)
    if locked == 1:
        complain(f"backup: another run makes a backup of {name} right now")
    elif locked == 127:
        complain("backup: flock not found in PATH")
    elif locked != 0:
        complain(f"backup: {lock} cannot be locked")
    if locked != 0:
        return 1
    # Old ones go only after a new one has come.
    status, made = make(source, target, name)
    if status != 0:
        return 1
    return remove_old(target, name, made, keep)


def wrong(problem: str) -> Status:
    """Tells what is wrong with the command line; the exit status."""
    complain(f"backup: {problem}\n{USAGE}")
    return 2


def main(*arguments: str) -> Status:
    """Reads the command line."""
    keep = DEFAULT_KEEP
    first = ""
    second = ""
    options = True
    for argument in arguments:
        if options and argument == "--help":
            print(f"{USAGE}\n{HELP}")
            return 0
        if options and argument == "--":
            options = False
        elif options and argument.startswith("--keep="):
            problem, keep = parse_int(argument.removeprefix("--keep="))
            if problem != 0 or keep < 1:
                return wrong(f"{argument} is no number from 1")
        elif options and argument.startswith("-"):
            return wrong(f"{argument} is unknown")
        elif argument == "":
            return wrong("a name is empty")
        elif first == "":
            first = argument
        elif second == "":
            second = argument
        else:
            return wrong(f"{argument} is one name too many")
    if second == "":
        return wrong("FOLDER and TARGET are needed")
    os.umask(0o077)
    source = absolute(first)
    target = absolute(second)
    return back_up(source, target, keep)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
