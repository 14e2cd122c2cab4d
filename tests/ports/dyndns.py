#!/usr/bin/env python3
"""Update the address of a host in Cloudflare's DNS if the public address has changed.

Usage: dyndns HOST STATE. The environment contains CF_ZONE, CF_RECORD and CF_TOKEN. STATE is a file
with the last address.
"""

from __future__ import annotations

import sys

from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    get_env,
    parse_int,
    program,
    read_file,
    write_file,
)

curl = program("curl")
logger = program("logger")

API = "https://api.cloudflare.com/client/v4/zones"


def is_address(text: str) -> bool:
    """Return whether the text is an IPv4 address."""
    parts = 0
    for part in text.split("."):
        parts += 1
        status, number = parse_int(part)
        if status != 0 or number < 0 or number > 255 or len(part) > 3:
            return False
    return parts == 4


def public_address() -> str:
    """Return this network's public address, or "" if no service reports one."""
    for service in ("https://api.ipify.org", "https://ipv4.icanhazip.com"):
        status, answer = curl["-4", "-sS", "--max-time", "10", service] & CAPTURE
        address = answer.strip()
        if status == 0 and is_address(address):
            return address
    return ""


def report(text: str) -> None:
    """Print a line, and send it to syslog. A host without syslog gets the line only."""
    print(text)
    _ = logger["-t", "dyndns", "--", text] & RETCODE


def update(host: str, address: str) -> Status:
    """Set the host's A record."""
    zone = get_env("CF_ZONE")
    record = get_env("CF_RECORD")
    token = get_env("CF_TOKEN")
    # The token is not an argument: other users see the arguments of a process.
    header = f'header = "Authorization: Bearer {token}"\n'
    body = f'{{"type":"A","name":"{host}","content":"{address}","ttl":300}}'
    sender = curl["-sS", "--config", "-", "-X", "PATCH", "-H", "Content-Type: application/json"]
    sender = sender["--data", body, f"{API}/{zone}/dns_records/{record}"]
    answer = (sender << header)()
    if '"success":true' in answer.replace(" ", ""):
        return 0
    print(answer.strip(), file=sys.stderr)
    return 1


def main(*arguments: str) -> Status:
    """Update the record, and save the address when that has succeeded."""
    if len(arguments) != 2:
        print("usage: dyndns HOST STATE", file=sys.stderr)
        return 2
    for name in ("CF_ZONE", "CF_RECORD", "CF_TOKEN"):
        if get_env(name) == "":
            print(f"{name} is not set", file=sys.stderr)
            return 2
    address = public_address()
    if address == "":
        print("the public address is unknown", file=sys.stderr)
        return 1
    status, saved = read_file(arguments[1])
    previous = saved.strip() if status == 0 else "unknown"
    if address == previous:
        return 0
    if update(arguments[0], address) != 0:
        report(f"{arguments[0]}: {address} was rejected")
        return 1
    report(f"{arguments[0]}: {previous} -> {address}")
    if write_file(arguments[1], f"{address}\n") != 0:
        print(f"{arguments[1]} cannot be written", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
