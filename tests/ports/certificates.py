#!/usr/bin/env python3
"""Report TLS certificates that expire soon, as ssl-cert-check does.

Usage: certificates DAYS FILE, where FILE has a line HOST [PORT] for each server.
"""

from __future__ import annotations

import sys

from oauthkit.shell import CAPTURE, Status, now_ms, parse_int, program, read_file

date = program("date")
openssl = program("openssl")

SECONDS_PER_DAY = 86400


def days_left(host: str, port: str) -> tuple[Status, int]:
    """Return a status, and the days until the server's certificate expires."""
    client = openssl["s_client", "-connect", f"{host}:{port}", "-servername", host]
    reader = openssl["x509", "-noout", "-enddate"]
    status, end = ((client < "/dev/null") | reader) & CAPTURE
    if status != 0:
        return status, 0
    _, _, when = end.partition("=")
    status, text = date["-u", "-d", when.strip(), "+%s"] & CAPTURE
    if status != 0:
        return status, 0
    status, seconds = parse_int(text.strip())
    if status != 0:
        return status, 0
    return 0, (seconds - now_ms() // 1000) // SECONDS_PER_DAY


def main(*arguments: str) -> Status:
    """Check each server. Return 1 if a certificate expires within DAYS or cannot be read."""
    if len(arguments) != 2:
        print("usage: certificates DAYS FILE", file=sys.stderr)
        return 2
    status, limit = parse_int(arguments[0])
    if status != 0:
        print(f"{arguments[0]} is not a number of days", file=sys.stderr)
        return 2
    status, servers = read_file(arguments[1])
    if status != 0:
        print(f"{arguments[1]} cannot be read", file=sys.stderr)
        return 2
    ending = 0
    for line in servers.splitlines():
        entry = line.strip()
        if entry == "" or entry.startswith("#"):
            continue
        host, _, given = entry.partition(" ")
        port = given.strip()
        if port == "":
            port = "443"
        status, days = days_left(host, port)
        if status != 0:
            print(f"{host}:{port}: no certificate")
            ending = 1
        elif days < 0:
            print(f"{host}:{port}: expired {-days} days ago")
            ending = 1
        elif days <= limit:
            print(f"{host}:{port}: expires in {days} days")
            ending = 1
    return ending


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
