#!/usr/bin/env python3
"""Rotates a log file that has grown past a size: FILE becomes FILE.1, FILE.1 becomes FILE.2.gz, and
so on up to FILE.N.gz, which is dropped. For cron.

Exit status: 0 if all is well (also if there was nothing to do), 1 if something failed, which
stderr tells, 2 for wrong usage.
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

USAGE = "usage: rotate [--size=BYTES, with K, M or G for more] [--keep=1…99] [--] FILE"
HELP = """
Renames FILE to FILE.1 if it has more than BYTES, FILE.1 to FILE.2.gz and so on, and drops the
oldest. The new FILE is empty, and has the mode and owner of the old one.

  --size=BYTES   how large FILE may be (1M)
  --keep=N       how many rotated logs there may be (5)"""

DEFAULT_SIZE = 1024 * 1024
DEFAULT_KEEP = 5
MOST_KEPT = 99
# A larger number could, times a G, be more than 63 bits can hold.
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


def did_work(what: str, status: int, reason: str) -> bool:
    """Whether the exit status means success; if not, stderr is told that `what` failed, and why."""
    if status >= 126:
        complain(f"rotate: {what} failed (exit {status}): could not be run, or was killed")
    elif status != 0:
        complain(f"rotate: {what} failed (exit {status}): {reason}")
    return status == 0


def works(what: str, command: BaseCommand) -> bool:
    """Whether `command` does its work; if not, stderr is told that `what` failed, and why."""
    status, reason = (command >= ERROUT) & CAPTURE
    return did_work(what, status, reason)


def parse_size(text: str) -> tuple[Status, int]:
    """The bytes that a text such as 500, 20K, 10M or 1G means; the status is 1 if it means none."""
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
    """Whether there is a rotated log of this number."""
    plain = absolute(f"{log_file}.{number}")
    packed = absolute(f"{log_file}.{number}.gz")
    return plain.exists() or packed.exists()


def has_moved(source: LocalPath, target: str) -> bool:
    """Renames `source` to `target` if it is there; whether it is out of the way."""
    return not source.exists() or works(f"renaming {source}", mv["-f", "-T", source, target])


def make_room(log_file: LocalPath, keep: int) -> Status:
    """Renames FILE.1 to FILE.2 and so on, up to the first number that is free; drops FILE.N if
    there is none.

    A run that failed half way leaves a free number, so that the next one drops nothing more.
    """
    # A run that was killed before its last rename has left both names of one file: no rotated log.
    first = f"{log_file}.1"
    if same_file(log_file, first) and not works(
        f"removing the second name {first}", rm["-f", first]
    ):
        return 1
    free = 1
    while free < keep and is_taken(log_file, free):
        free += 1
    oldest = f"{log_file}.{free}"
    if is_taken(log_file, free) and not works(
        f"dropping {oldest}", rm["-f", oldest, f"{oldest}.gz"]
    ):
        return 1
    while free > 1:
        plain = absolute(f"{log_file}.{free - 1}")
        packed = absolute(f"{log_file}.{free - 1}.gz")
        # There are both only if a run was killed while it compressed. They are one log, which would
        # be two if this run were killed between the renames. The plain one is whole in any case.
        if plain.exists() and packed.exists() and not works(f"removing {packed}", rm["-f", packed]):
            return 1
        if not has_moved(plain, f"{log_file}.{free}") or not has_moved(
            packed, f"{log_file}.{free}.gz"
        ):
            return 1  # whatever is renamed next would go over this one
        free -= 1
    return 0


def begin_anew(log_file: LocalPath) -> Status:
    """Makes FILE FILE.1, and an empty file of the same mode and owner FILE.

    There is a FILE at every moment: a program that opens it for each line never fails, and what it
    writes is in one of the two.
    """
    first = f"{log_file}.1"
    fresh = f"{log_file}.fresh"
    # A file that a killed run has left there would become the log; a link would be followed.
    copy = cp["-T", "--remove-destination", "--attributes-only", "--preserve=mode"]
    # chown, since cp does not fail where only root can give the owner: the log's writer would be
    # locked out. chmod, since chown clears bits of the mode; it alone would lose ACLs.
    if (
        not works(f"making {fresh}", copy[log_file, fresh])
        or not works(f"giving {fresh} its owner", chown[f"--reference={log_file}", fresh])
        or not works(f"giving {fresh} its mode", chmod[f"--reference={log_file}", fresh])
        or not works(f"linking {log_file} to {first}", ln["-T", log_file, first])
    ):
        _ = works(f"removing {fresh}", rm["-f", fresh])
        return 1
    if works(f"renaming {fresh}", mv["-f", "-T", fresh, log_file]):
        return 0
    # mv may have ended badly after it had done its work: then FILE.1 is the only one.
    if same_file(log_file, first):
        _ = works(f"removing {fresh} and the second name {first}", rm["-f", fresh, first])
    return 1


def pack(plain: LocalPath, packing: str) -> bool:
    """Makes PLAIN.gz of PLAIN, by way of the file `packing`; whether that went well.

    PLAIN goes last, when PLAIN.gz is whole and on the disk. A run that is killed before that leaves
    both, and the next one makes PLAIN.gz anew: it is the same log, or what gzip had not finished.
    """
    # Not written over: the gzip of a killed run may still be at work, and goes on in the file that
    # it has open. A link would be followed.
    if not works(f"removing {packing}", rm["-f", packing]):
        return False
    # gzip gets no names, and so removes nothing if it outlives its run. A shell opens the files:
    # what comes here is what gzip complains about. -n: the name inside would be wrong after the
    # next rotation.
    status, reason = (
        sh["-c", 'exec gzip -n -c <"$1" >"$2"', "sh", plain, packing] >= ERROUT
    ) & CAPTURE
    if (
        did_work(f"compressing {plain}", status, reason)
        and works(
            f"giving {packing} the mode, owner and time of {plain}",
            cp["-T", "--attributes-only", "--preserve=mode,ownership,timestamps", plain, packing],
        )
        and works(f"writing {packing}", sync[packing])
        and works(f"renaming {packing}", mv["-f", "-T", packing, f"{plain}.gz"])
    ):
        return works(f"removing {plain}", rm["-f", plain])
    _ = rm["-f", packing] & RETCODE  # it may not be there, and what failed is told
    return False


def compress(log_file: LocalPath, keep: int) -> Status:
    """Compresses FILE.2 and all that are older, also those where an earlier run failed.

    FILE.1 stays as it is: a program that has not noticed the rotation may still write there.
    """
    result = 0
    number = 2
    while number <= keep:
        plain = absolute(f"{log_file}.{number}")
        if plain.exists() and not pack(plain, f"{log_file}.packing"):
            result = 1
        number += 1
    return result


def rotate(log_file: LocalPath, limit: int, keep: int) -> Status:
    """Rotates the log if it has more than `limit` bytes."""
    if log_file.is_symlink() or (log_file.exists() and not log_file.is_file()):
        complain(f"rotate: {log_file} is not a regular file")
        return 1
    if not log_file.exists():
        # Or is it? In a folder that may not be searched, nothing seems to exist.
        folder = log_file.dirname
        while not folder.exists():
            folder = folder.dirname
        if folder.is_dir() and not folder.access("x"):
            complain(f"rotate: {folder} cannot be searched")
            return 1
        return 0
    lock = f"{log_file}.lock"
    locked = take_lock(lock, 0)
    if locked == 1:
        complain(f"rotate: another run rotates {log_file} right now")
    elif locked == 127:
        complain("rotate: flock not found in PATH")
    elif locked != 0:
        complain(f"rotate: {lock} cannot be locked")
    if locked != 0:
        return 1

    # stat, since a log may be too large to be read for its size.
    status, answer = stat["--format=%s", log_file] & CAPTURE
    no_number, size = parse_int(answer)
    if status != 0 or no_number != 0:
        complain(f"rotate: stat tells no size of {log_file} (exit {status})")
        return 1
    if size > limit:
        if make_room(log_file, keep) != 0:
            return 1
        if begin_anew(log_file) != 0:
            return 1
    return compress(log_file, keep)


def wrong(problem: str) -> Status:
    """Tells what is wrong with the command line; the exit status."""
    complain(f"rotate: {problem}\n{USAGE}")
    return 2


def main(*arguments: str) -> Status:
    """Reads the command line."""
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
                return wrong(f"{argument} is no size")
        elif options and argument.startswith("--keep="):
            problem, keep = parse_int(argument.removeprefix("--keep="))
            if problem != 0 or keep < 1 or keep > MOST_KEPT:
                return wrong(f"{argument} is no number from 1 to {MOST_KEPT}")
        elif options and argument.startswith("-"):
            return wrong(f"{argument} is unknown")
        elif name != "":
            return wrong("more than one FILE")
        elif argument == "":
            return wrong("FILE is empty")
        else:
            name = argument
    if name == "":
        return wrong("FILE is missing")
    os.umask(0o077)
    log_file = absolute(name)
    return rotate(log_file, limit, keep)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
