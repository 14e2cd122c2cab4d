#!/usr/bin/env python3
"""Rotate a log file that exceeds a size limit. Run this program from cron.

FILE becomes FILE.1, FILE.1 becomes FILE.2.gz, and so on. The oldest log is removed.

Exit status: 0 for success (even if there was nothing to do), 1 if something failed (the reason is
on stderr), 2 for a usage error.
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
    parse_int,
    program,
    same_file,
    take_lock,
)

USAGE = "usage: rotate [--size=BYTES[K|M|G]] [--keep=N] [--] FILE"
HELP = """
If FILE is larger than BYTES, renames FILE to FILE.1, FILE.1 to FILE.2.gz and so on, and removes the
oldest log. The new FILE is empty, with the mode and owner of the old one.

  --size=BYTES   the size limit of FILE (default: 1M)
  --keep=N       how many rotated logs to keep, 1 to 99 (default: 5)"""

DEFAULT_SIZE = 1024 * 1024
DEFAULT_KEEP = 5
MAX_KEEP = 99
# A larger number with the suffix G could exceed 63 bits.
LARGEST_NUMBER = 999999999

chmod = program("chmod")
chown = program("chown")
cp = program("cp")
ln = program("ln")
mv = program("mv")
rm = program("rm")
sh = program("sh")
stat = program("stat")
sync = program("sync")


def check_status(what: str, status: int, reason: str) -> bool:
    """Return whether an exit status means success. If not, report that `what` failed, and why."""
    if status >= 126:
        reason = "the command could not be run, or was killed"
        complain(f"rotate: {what} failed (exit {status}): {reason}")
    elif status != 0:
        complain(f"rotate: {what} failed (exit {status}): {reason}")
    return status == 0


def succeeds(what: str, command: BaseCommand) -> bool:
    """Run `command`. Return whether it succeeds; if not, report that `what` failed, and why."""
    status, reason = (command >= ERROUT) & CAPTURE
    return check_status(what, status, reason)


def parse_size(text: str) -> tuple[Status, int]:
    """Parse a size such as 500, 20K, 10M or 1G into bytes. Return status 1 if it is invalid."""
    digits = text
    factor = 1
    unit = 1
    for letter in ("K", "M", "G"):
        unit *= 1024
        if text.endswith(letter):
            digits = text.removesuffix(letter)
            factor = unit
    status, number = parse_int(digits)
    if status != 0 or number < 0 or number > LARGEST_NUMBER:
        return 1, 0
    return 0, number * factor


def is_taken(log_file: LocalPath, number: int) -> bool:
    """Return whether there is a rotated log with this number."""
    plain = absolute(f"{log_file}.{number}")
    compressed = absolute(f"{log_file}.{number}.gz")
    return plain.exists() or compressed.exists()


def move_if_exists(source: LocalPath, target: str) -> bool:
    """Rename `source` to `target`. Return False if it exists and cannot be renamed."""
    return not source.exists() or succeeds(f"renaming {source}", mv["-f", "-T", source, target])


def make_room(log_file: LocalPath, keep: int) -> Status:
    """Rename FILE.1 to FILE.2 and so on, up to the first unused number. If there is none, remove
    the log with the number `keep`.

    A run that fails halfway leaves a number unused, so the next run does not remove another log.
    """
    # If FILE.1 is a hard link to FILE, a run was killed before its last rename.
    first = f"{log_file}.1"
    if same_file(log_file, first) and not succeeds(
        f"removing the hard link {first}", rm["-f", first]
    ):
        return 1
    free = 1
    while free < keep and is_taken(log_file, free):
        free += 1
    oldest = f"{log_file}.{free}"
    if is_taken(log_file, free) and not succeeds(
        f"removing {oldest}", rm["-f", oldest, f"{oldest}.gz"]
    ):
        return 1
    while free > 1:
        plain = absolute(f"{log_file}.{free - 1}")
        compressed = absolute(f"{log_file}.{free - 1}.gz")
        # Both exist only if a run was killed during compression. The plain file is complete. Keep
        # only that: if this run were killed between the renames, one log would have two numbers.
        if (
            plain.exists()
            and compressed.exists()
            and not succeeds(f"removing {compressed}", rm["-f", compressed])
        ):
            return 1
        if not move_if_exists(plain, f"{log_file}.{free}") or not move_if_exists(
            compressed, f"{log_file}.{free}.gz"
        ):
            return 1  # the next rename would overwrite this file
        free -= 1
    return 0


def start_new_log(log_file: LocalPath) -> Status:
    """Rename FILE to FILE.1, and create an empty FILE with the same mode and owner.

    FILE always exists. A program that opens it for each line can always open it, and each line is
    written to one of the two files.
    """
    first = f"{log_file}.1"
    fresh = f"{log_file}.fresh"
    # Remove an existing FILE.fresh first. Otherwise, a file left by a killed run would become the
    # log with its old content, and cp would follow a link.
    copy = cp["-T", "--remove-destination", "--attributes-only", "--preserve=mode"]
    # cp copies the ACL. It ignores a failure to set the owner, so use chown: the log's writer must
    # be able to open the new file. chown can clear the set-ID bits, so run chmod last.
    if (
        not succeeds(f"creating {fresh}", copy[log_file, fresh])
        or not succeeds(f"setting the owner of {fresh}", chown[f"--reference={log_file}", fresh])
        or not succeeds(f"setting the mode of {fresh}", chmod[f"--reference={log_file}", fresh])
        or not succeeds(f"linking {log_file} to {first}", ln["-T", log_file, first])
    ):
        _ = succeeds(f"removing {fresh}", rm["-f", fresh])
        return 1
    if succeeds(f"renaming {fresh}", mv["-f", "-T", fresh, log_file]):
        return 0
    # mv can fail after the rename. In that case FILE.1 is the old log's only name.
    if same_file(log_file, first):
        _ = succeeds(f"removing {fresh} and the hard link {first}", rm["-f", fresh, first])
    return 1


def compress_file(plain: LocalPath, temporary: str) -> bool:
    """Compress PLAIN to PLAIN.gz through the file `temporary`. Return whether that succeeded.

    PLAIN is removed when PLAIN.gz is complete and on the disk. A run that is killed earlier leaves
    both, and the next one compresses PLAIN again.
    """
    # Remove it instead of overwriting it: a killed run's gzip may still write to the file that it
    # has open, and a link would be followed.
    if not succeeds(f"removing {temporary}", rm["-f", temporary]):
        return False
    # sh opens both files: a gzip that outlives its run could otherwise remove a later run's file.
    # stdout is redirected, so only error messages are captured. -n omits the file name, which would
    # be wrong after the next rotation.
    status, reason = (
        sh["-c", 'exec gzip -n -c <"$1" >"$2"', "sh", plain, temporary] >= ERROUT
    ) & CAPTURE
    if (
        check_status(f"compressing {plain}", status, reason)
        and succeeds(
            f"copying the mode, owner and times of {plain} to {temporary}",
            cp["-T", "--attributes-only", "--preserve=mode,ownership,timestamps", plain, temporary],
        )
        and succeeds(f"writing {temporary}", sync[temporary])
        and succeeds(f"renaming {temporary}", mv["-f", "-T", temporary, f"{plain}.gz"])
    ):
        return succeeds(f"removing {plain}", rm["-f", plain])
    _ = rm["-f", temporary] & RETCODE  # it may not exist, and the failure was reported
    return False


def compress(log_file: LocalPath, keep: int) -> Status:
    """Compress FILE.2 and all older logs, including those that an earlier run could not compress.

    FILE.1 is not compressed, because a program that still has it open may write to it.
    """
    result = 0
    number = 2
    while number <= keep:
        plain = absolute(f"{log_file}.{number}")
        if plain.exists() and not compress_file(plain, f"{log_file}.packing"):
            result = 1
        number += 1
    return result


def rotate(log_file: LocalPath, limit: int, keep: int) -> Status:
    """Rotate the log if it has more than `limit` bytes."""
    if log_file.is_symlink() or (log_file.exists() and not log_file.is_file()):
        complain(f"rotate: {log_file} is not a regular file")
        return 1
    if not log_file.exists():
        # It may exist: in a directory that cannot be searched, every file seems to be missing.
        directory = log_file.dirname
        while not directory.exists():
            directory = directory.dirname
        if directory.is_dir() and not directory.access("x"):
            complain(f"rotate: {directory} cannot be searched")
            return 1
        return 0
    lock = f"{log_file}.lock"
    locked = take_lock(lock, 0)
    if locked == 1:
        complain(f"rotate: another run is rotating {log_file}")
    elif locked == 127:
        complain("rotate: flock not found in PATH. Install it: apt install util-linux")
    elif locked != 0:
        complain(f"rotate: {lock} cannot be locked")
    if locked != 0:
        return 1

    # Use stat, because a log can be too large to read.
    status, answer = stat["--format=%s", log_file] & CAPTURE
    not_a_number, size = parse_int(answer)
    if status != 0 or not_a_number != 0:
        complain(f"rotate: stat did not print the size of {log_file} (exit {status})")
        return 1
    if size > limit:
        if make_room(log_file, keep) != 0:
            return 1
        if start_new_log(log_file) != 0:
            return 1
    return compress(log_file, keep)


def usage_error(problem: str) -> Status:
    """Report a usage error. Return the exit status."""
    complain(f"rotate: {problem}\n{USAGE}")
    return 2


def main(*arguments: str) -> Status:
    """Parse the command line and rotate the log."""
    limit = DEFAULT_SIZE
    keep = DEFAULT_KEEP
    name = ""
    options = True
    for argument in arguments:
        if options and argument == "--help":
            print(f"{USAGE}\n{HELP}")
            return 0
        if options and argument == "--":
            options = False
        elif options and argument.startswith("--size="):
            problem, limit = parse_size(argument.removeprefix("--size="))
            if problem != 0:
                return usage_error(f"{argument} is not a size")
        elif options and argument.startswith("--keep="):
            problem, keep = parse_int(argument.removeprefix("--keep="))
            if problem != 0 or keep < 1 or keep > MAX_KEEP:
                return usage_error(f"{argument} is not a number from 1 to {MAX_KEEP}")
        elif options and argument.startswith("-"):
            return usage_error(f"unknown option {argument}")
        elif name != "":
            return usage_error("more than one FILE")
        elif argument == "":
            return usage_error("FILE is empty")
        else:
            name = argument
    if name == "":
        return usage_error("FILE is missing")
    os.umask(0o077)
    log_file = absolute(name)
    return rotate(log_file, limit, keep)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
