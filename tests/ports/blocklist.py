#!/usr/bin/env python3
"""Load lists of unwanted networks into an ipset, as ipset-blacklist does.

Usage: blocklist SET FILE, where each line of FILE is a list's URL.
"""

from __future__ import annotations

import os
import sys

from oauthkit.shell import CAPTURE, RETCODE, Status, absolute, own_temporary, program, read_file

curl = program("curl")
grep = program("grep")
ipset = program("ipset")
rm = program("rm")
sed = program("sed")
sort = program("sort")

NETWORK = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?"


def append_list(url: str, collected: str) -> Status:
    """Append the networks of one list to a file."""
    fetcher = curl["--silent", "--show-error", "--fail", "--location", "--", url]
    return (fetcher | (grep["-oE", NETWORK] >> collected)) & RETCODE(FG=True)


def load(name: str, collected: str) -> Status:
    """Replace the content of a set with the networks in a file, in one step."""
    options = "family inet maxelem 131072"
    created = f"create -exist {name} hash:net {options}\ncreate {name}-new hash:net {options}\n"
    _ = ipset["destroy", f"{name}-new"] & RETCODE  # left behind by a killed run
    _, entries = (sort["-u", collected] | sed[f"s/^/add {name}-new /"]) & CAPTURE
    swapped = f"swap {name}-new {name}\ndestroy {name}-new\n"
    return (ipset["restore"] << f"{created}{entries}\n{swapped}") & RETCODE(FG=True)


def main(*arguments: str) -> Status:
    """Fetch the lists and load them. Keep the set as it is if no list can be fetched."""
    if len(arguments) != 2:
        print("usage: blocklist SET FILE", file=sys.stderr)
        return 2
    status, urls = read_file(arguments[1])
    if status != 0:
        print(f"{arguments[1]} cannot be read", file=sys.stderr)
        return 2
    os.umask(0o077)
    collected = f"{own_temporary(absolute(f'{arguments[1]}.networks'))}"
    fetched = 0
    failed = 0
    for line in urls.splitlines():
        url, _, _ = line.partition("#")
        url = url.strip()
        if url == "":
            continue
        status = append_list(url, collected)
        if status == 0:
            fetched += 1
        else:
            print(f"{url}: failed with exit status {status}", file=sys.stderr)
            failed += 1
    if fetched == 0:
        print(f"no list was fetched. {arguments[0]} is unchanged", file=sys.stderr)
        rm("-f", collected)
        return 1
    status = load(arguments[0], collected)
    rm("-f", collected)
    if status != 0:
        return status
    print(f"{arguments[0]}: {fetched} lists loaded")
    return 1 if failed > 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
