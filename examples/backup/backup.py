#!/usr/bin/env python3
"""Archive a directory NAME as TARGET/NAME-TIME.tar.gz, and keep the newest archives. For cron.

Exit status: 0 if there is a new archive and the old ones are removed, 1 if something failed (the
reason is on stderr), 2 for a usage error.
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

USAGE = "usage: backup [--keep=N] [--] DIRECTORY TARGET"
HELP = """
Archives DIRECTORY as TARGET/NAME-TIME.tar.gz. NAME is its name, TIME is in UTC. Then it removes all
but the newest of these archives.

  --keep=N   how many to keep, at least 1 (default: 7)"""

DEFAULT_KEEP = 7
ENDING = ".tar.gz"
# The format of the time in a name, and find's pattern for it. In UTC, no hour is repeated. Without
# its letters, the time is a number that grows with time.
TIME_FORMAT = "+%Y%m%dT%H%M%SZ"
TIME_GLOB = "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z"
AFTER_ALL_TIMES = 100000000000000
# GNU tar's exit status if a file changed while it was read. The archive is usable.
TAR_SAW_CHANGES = 1

date = program("date")
find = program("find")
mv = program("mv")
rm = program("rm")
sync = program("sync")
tar = program("tar")


def report_failure(what: str, status: int, reason: str) -> None:
    """Report on stderr what failed, and why."""
    if status >= 126:
        complain(f"backup: {what} failed (exit {status}): could not be run, or was killed")
    else:
        complain(f"backup: {what} failed (exit {status}): {reason}")


def succeeds(what: str, command: BaseCommand) -> bool:
    """Run `command`. Return whether it succeeds; if not, report that `what` failed, and why."""
    status, reason = (command >= ERROUT) & CAPTURE
    if status != 0:
        report_failure(what, status, reason)
    return status == 0


def as_pattern(name: str) -> str:
    """Return the pattern that only matches `name`."""
    pattern = name.replace("\\", "\\\\")
    for character in ("*", "?", "["):
        pattern = pattern.replace(character, f"\\{character}")
    return pattern


def time_in(entry: str) -> int:
    """Return an archive's time as a number, or 0 if `entry` has none."""
    digits = entry.removesuffix(ENDING)
    digits = digits.replace("T", "")
    digits = digits.replace("Z", "")
    _, time = parse_int(digits)
    return time


def count_of(entries: str, latest: int) -> int:
    """Count the lines of `entries` whose time is not after `latest`."""
    count = 0
    rest = entries
    while rest != "":
        entry, _, rest = rest.partition("\n")
        time = time_in(entry)
        if time > 0 and time <= latest:
            count += 1
    return count


def first_after(entries: str, limit: int) -> str:
    """Return the line of `entries` with the earliest time after `limit`, or "" if there is none."""
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
    """Remove all archives of this name except the `keep` newest; `made` is the newest of them.

    Archives with a future time are reported and kept.
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
        complain(f"backup: {target} cannot be listed (find exit {status}): nothing is removed")
        return 1
    # Only the times, one per line, because a name may contain a newline.
    entries = found.replace(f"{name}-", "")

    latest = time_in(made)
    later = first_after(entries, latest)
    if later != "":
        complain(f"backup: {name}-{later} has a future time: it is not counted, and is kept")

    # One at a time, the oldest first. Most runs remove only one.
    result = 0
    time = 0
    count = count_of(entries, latest)
    while count > keep:
        entry = first_after(entries, time)
        time = time_in(entry)
        if not succeeds(f"removing {name}-{entry}", rm["-f", f"{target}/{name}-{entry}"]):
            result = 1
        count -= 1
    return result


def pack(source: LocalPath, name: str, part: str) -> Status:
    """Write the directory into the archive `part`. Return 0 if the archive is usable."""
    parent = source.dirname
    # tar would parse a name with a colon as a host, with a dash as an option, with a backslash as
    # an escape.
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
        report_failure(f"packing {source}", status, reason)
    return status


def make(source: LocalPath, target: LocalPath, name: str) -> tuple[Status, str]:
    """Create a new archive. Return 0 and the part of its name after NAME-, or 1.

    The archive gets its name when it is complete and on the disk.
    """
    now = now_ms()
    status, time = date["--utc", f"--date=@{now // 1000}", TIME_FORMAT] & CAPTURE
    if status != 0:
        complain(f"backup: date failed (exit {status})")
        return 1, ""
    part = f"{target}/.{name}.part"  # always the same name, so that a killed run's file is removed
    made = f"{time}{ENDING}"
    backup = f"{target}/{name}-{made}"
    # Remove it instead of overwriting it: a killed run's tar may still write to the file that it
    # has open, and a link would be followed.
    if not succeeds(f"removing {part}", rm["-f", part]):
        return 1, ""
    if (
        pack(source, name, part) == 0
        and succeeds(f"writing {part}", sync[part])
        and succeeds(f"renaming {part}", mv["-f", "-T", part, backup])
    ):
        return 0, made
    _ = rm["-f", part] & RETCODE  # it may not exist, and the failure was reported
    return 1, ""


def is_inside(place: LocalPath, directory: LocalPath) -> bool:
    """Return whether `place` is `directory` or inside it, after links are resolved."""
    above = f"{place}"
    while same_file(above, above) and not same_file(above, "/"):  # False if it does not exist
        if same_file(above, directory):
            return True
        above += "/.."
    return same_file(directory, "/")


def back_up(source: LocalPath, target: LocalPath, keep: int) -> Status:
    """Create an archive and remove old ones, unless another run is doing so."""
    _, _, name = source.rpartition("/")
    if name == "":
        complain("backup: / has no name for an archive")
        return 1
    if source.is_symlink():
        # tar would archive the link itself, and the older archives would eventually be removed.
        complain(f"backup: {source} is a link: pass the directory that it points to")
        return 1
    if not source.is_dir():
        complain(f"backup: {source} is not a directory")
        return 1
    # It is not created, because it may be a disk that is not mounted.
    if not target.is_dir():
        complain(f"backup: {target} is not a directory")
        return 1
    if is_inside(target, source):
        complain(f"backup: {target} is in {source}: each archive would contain all earlier ones")
        return 1
    lock = f"{target}/.{name}.lock"
    locked = take_lock(lock, 0)
    if locked == 1:
        complain(f"backup: another run is archiving {name}")
    elif locked == 127:
        complain("backup: flock not found in PATH")
    elif locked != 0:
        complain(f"backup: {lock} cannot be locked")
    if locked != 0:
        return 1
    # Old archives are removed only after there is a new one.
    status, made = make(source, target, name)
    if status != 0:
        return 1
    return remove_old(target, name, made, keep)


def usage_error(problem: str) -> Status:
    """Report a usage error. Return the exit status."""
    complain(f"backup: {problem}\n{USAGE}")
    return 2


def main(*arguments: str) -> Status:
    """Parse the command line."""
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
                return usage_error(f"{argument} is not a number of at least 1")
        elif options and argument.startswith("-"):
            return usage_error(f"unknown option {argument}")
        elif argument == "":
            return usage_error("a name is empty")
        elif first == "":
            first = argument
        elif second == "":
            second = argument
        else:
            return usage_error(f"unexpected argument {argument}")
    if second == "":
        return usage_error("DIRECTORY and TARGET are required")
    os.umask(0o077)
    source = absolute(first)
    target = absolute(second)
    return back_up(source, target, keep)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
