#!/usr/bin/env python3
"""Report the addresses that failed to log in most often.

Usage: login_failures [LIMIT] < /var/log/auth.log. LIMIT is the least number of failures to
report (default: 5).
With MAILTO in the environment, the report is mailed. Otherwise, it is printed.
"""

from __future__ import annotations

import sys

from plumbum import local

from oauthkit.shell import CAPTURE, FG, Status, parse_int, program

hostname = program("hostname")
mail = program("mail")
sort = program("sort")
uniq = program("uniq")

DEFAULT_LIMIT = 5


def failed_address(line: str) -> str:
    """Return the address in a line of sshd about a wrong password, or ""."""
    head, marker, message = line.partition(": Failed password for ")
    if marker == "" or "sshd" not in head:
        return ""
    # A user's name can contain " from ", so the last one counts.
    _, _, origin = message.rpartition(" from ")
    address, _, _ = origin.partition(" port ")
    return address


def main(*arguments: str) -> Status:
    """Count the failures of each address. Return 1 if there is anything to report."""
    limit = DEFAULT_LIMIT
    if len(arguments) > 1:
        print("usage: login_failures [LIMIT]", file=sys.stderr)
        return 2
    if arguments:
        status, limit = parse_int(arguments[0])
        if status != 0:
            print(f"{arguments[0]} is not a number", file=sys.stderr)
            return 2
    text = sys.stdin.read()
    addresses = ""
    total = 0
    for line in text.splitlines():
        address = failed_address(line)
        if address != "":
            addresses += f"{address}\n"
            total += 1
    counts = ((sort << addresses) | uniq["-c"] | sort["-k1,1nr", "-k2,2"])()
    report = ""
    for line in counts.splitlines():
        number, _, address = line.strip().partition(" ")
        _, count = parse_int(number)
        if count < limit:
            break
        share = count * 100 // total
        report += f"{count:6} {share:3}%  {address}\n"
    if report == "":
        return 0
    recipient = local.env.get("MAILTO", "")
    if recipient == "":
        print(report, end="")
        return 1
    status, host = hostname & CAPTURE
    name = host if status == 0 else "this host"
    (mail["-s", f"{total} failed logins on {name}", recipient] << report) & FG
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
