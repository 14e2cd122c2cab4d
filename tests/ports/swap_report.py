#!/usr/bin/env python3
"""List the processes that use the most swap space.

Usage: swap_report [COUNT], by default 10 processes. The environment variable PROC names a
directory to read in place of /proc.
"""

from __future__ import annotations

import sys

from plumbum import LocalPath, local

from oauthkit.shell import Status, absolute, parse_int, program, read_file

head = program("head")
sort = program("sort")

DEFAULT_COUNT = 10


def field(status_file: str, key: str) -> str:
    """Return a field's value in the text of /proc/PID/status, or "" if it is missing."""
    for line in status_file.splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return ""


def swap_kb(status_file: str) -> int:
    """Return the kB of swap in the text of /proc/PID/status. Kernel threads have none."""
    number, _, _ = field(status_file, "VmSwap").partition(" ")
    status, kilobytes = parse_int(number)
    return kilobytes if status == 0 else 0


def megabytes(kilobytes: int) -> str:
    """Return MB with one decimal."""
    tenths = kilobytes * 10 // 1024
    return f"{tenths // 10}.{tenths % 10}"


def rows_of(proc: LocalPath) -> str:
    """Return a line SWAP PID NAME for each process that uses swap."""
    rows = ""
    for directory in sorted(proc // "[0-9]*"):
        # The status file of a process that has ended is gone.
        status, text = read_file(f"{directory}/status")
        if status != 0:
            continue
        swap = swap_kb(text)
        if swap > 0:
            path = f"{directory}"
            _, _, pid = path.rpartition("/")
            rows += f"{swap} {pid} {field(text, 'Name')}\n"
    return rows


def main(*arguments: str) -> Status:
    """Print the table, and the total on the last line."""
    count = DEFAULT_COUNT
    if len(arguments) > 1:
        print("usage: swap_report [COUNT]", file=sys.stderr)
        return 2
    if len(arguments) == 1:
        status, count = parse_int(arguments[0])
        if status != 0 or count < 1:
            print(f"COUNT must be a positive number, not {arguments[0]}", file=sys.stderr)
            return 2
    proc = absolute(local.env.get("PROC") or "/proc")
    if not proc.is_dir():
        print(f"{proc} is not a directory", file=sys.stderr)
        return 1
    rows = rows_of(proc)
    total = 0
    for row in rows.splitlines():
        swap, _, _ = row.partition(" ")
        _, kilobytes = parse_int(swap)
        total += kilobytes
    if total == 0:
        print("no process uses swap")
        return 0
    print(f"{'PID':>7} {'MB':>9}  NAME")
    # head reads all rows, so sort is not killed by SIGPIPE.
    largest = (sort["-k1,1nr", "-k2,2n"] << rows)()
    shown = (head["-n", count] << largest)()
    for row in shown.splitlines():
        swap, _, rest = row.partition(" ")
        pid, _, name = rest.partition(" ")
        _, kilobytes = parse_int(swap)
        print(f"{pid:>7} {megabytes(kilobytes):>9}  {name}")
    print(f"{'total':>7} {megabytes(total):>9}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
