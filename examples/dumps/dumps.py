#!/usr/bin/env python3
"""Dump the databases in a list, compress the dumps, and keep the newest ones. For cron.

Each line of LIST is the name of a database and, after a space, its host. Lines that start with #
are comments. The dumps are TARGET/NAME.TIME.sql.gz. If something failed, the program mails a report
to root, and its exit status is 1.
"""

from __future__ import annotations

import os
import sys

from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    TF,
    Status,
    absolute,
    complain,
    parse_int,
    program,
    read_file,
)

USAGE = "usage: dumps.sh [--keep=N] [--mail=ADDRESS] LIST TARGET"
DEFAULT_KEEP = 7
FREE_KIB = 1024 * 1024

date = program("date")
df = program("df")
gzip = program("gzip")
hostname = program("hostname")
mail = program("mail")
mv = program("mv")
pg_dump = program("pg_dump")
rm = program("rm")
stat = program("stat")
tail = program("tail")
tr = program("tr")


def strip(text: str) -> str:
    """Return a text without the blanks at its start and end."""
    while text.startswith(" "):
        text = text.removeprefix(" ")
    while text.endswith(" "):
        text = text.removesuffix(" ")
    return text


def say(report: str, line: str) -> str:
    """Print a line. Return the report with this line added."""
    print(line)
    return f"{report}{line}\n"


def dump(name: str, host: str, target: str, report: str) -> tuple[Status, str]:
    """Dump a database to a temporary file, check it, and rename it. Return the report, too."""
    part = f"{target}/.{name}.part"
    if not ((pg_dump[f"--host={host}", "--no-password", name] | (gzip > part)) & TF(FG=True)):
        report = say(report, f"{name}: the dump from {host} failed")
        _ = rm["-f", part] & RETCODE
        return 1, report
    if not (gzip["--test", part] & TF(FG=True)):
        report = say(report, f"{name}: the dump is not complete")
        _ = rm["-f", part] & RETCODE
        return 1, report
    _, stamp = date["+%Y%m%dT%H%M%S"] & CAPTURE
    file = f"{target}/{name}.{stamp}.sql.gz"
    if not (mv[part, file] & TF(FG=True)):
        report = say(report, f"{name}: {file} cannot be written")
        return 1, report
    _, size = stat["--format=%s", file] & CAPTURE
    report = say(report, f"{name}: {size} bytes")
    return 0, report


def prune(name: str, target: str, keep: int, report: str) -> tuple[Status, str]:
    """Remove all but the newest dumps of a database. The time in a name sorts as text."""
    directory = absolute(target)
    start = f"{directory}/{name}."
    extra = -keep
    for file in sorted(directory // "*.sql.gz"):
        if f"{file}".startswith(start):
            extra += 1
    for file in sorted(directory // "*.sql.gz"):
        if f"{file}".startswith(start):
            if extra > 0:
                _, _, short = file.rpartition("/")
                if not (rm[f"{target}/{short}"] & TF(FG=True)):
                    return 1, report
                report = say(report, f"{name}: removed {short}")
            extra -= 1
    return 0, report


def has_space(target: str) -> bool:
    """Return whether at least 1 GiB is free."""
    _, free = (df["--output=avail", "-k", target] | tail["-n", "1"] | tr["-d", " "]) & CAPTURE
    status, free_kib = parse_int(free)
    return status == 0 and free_kib >= FREE_KIB


def run(databases: str, target: str, keep: int, mail_to: str) -> Status:
    """Dump all databases of a list, and mail the report if something failed."""
    report = ""
    failures = 0
    if not has_space(target):
        report = say(report, f"less than 1 GiB is free in {target}")
        failures = 1
    for line in databases.splitlines():
        fields = strip(line.replace("\t", " "))
        name, _, host = fields.partition(" ")
        host = strip(host)
        if name == "" or name.startswith("#"):
            continue
        if host == "":
            host = "localhost"
        status, report = dump(name, host, target, report)
        if status == 0:
            status, report = prune(name, target, keep, report)
        if status != 0:
            failures += 1
    if failures == 0:
        return 0
    here = hostname()
    name = here.removesuffix("\n")
    subject = f"dumps on {name} (failures: {failures})"
    if not ((mail["-s", subject, mail_to] << report) & TF(FG=True)):
        complain("dumps: the report could not be mailed")
    return 1


def usage_error(problem: str) -> Status:
    """Report a usage error. Return the exit status."""
    complain(f"dumps: {problem}\n{USAGE}")
    return 2


def main(*arguments: str) -> Status:
    """Parse the command line."""
    keep = DEFAULT_KEEP
    mail_to = "root"
    name = ""
    target = ""
    for argument in arguments:
        if argument == "--help":
            print(USAGE)
            return 0
        if argument.startswith("--keep="):
            problem, keep = parse_int(argument.removeprefix("--keep="))
            if problem != 0 or keep < 1:
                return usage_error(f"{argument}: expected a number, 1 or more")
        elif argument.startswith("--mail="):
            mail_to = argument.removeprefix("--mail=")
        elif argument.startswith("-"):
            return usage_error(f"unknown option {argument}")
        elif name == "":
            name = argument
        elif target == "":
            target = argument
        else:
            return usage_error(f"unexpected argument {argument}")
    if target == "":
        return usage_error("LIST and TARGET are required")
    os.umask(0o077)
    place = absolute(target)
    if not place.is_dir():
        complain(f"dumps: {target} is not a directory")
        return 1
    status, databases = read_file(name)
    if status != 0:
        complain(f"dumps: {name} cannot be read")
        return 1
    return run(databases, target, keep, mail_to)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
