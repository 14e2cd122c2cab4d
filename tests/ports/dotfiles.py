#!/usr/bin/env python3
"""Link the dotfiles of a repository into the home directory.

A file that is in the way is renamed to NAME.TIME.orig.
"""

from __future__ import annotations

import sys

from plumbum import LocalPath, local
from plumbum.commands import ERROUT, BaseCommand

from oauthkit.shell import CAPTURE, Status, absolute, program, same_file

USAGE = "usage: dotfiles [--dry-run] REPOSITORY"
DOTFILES = ".[A-Za-z0-9_]*"

date = program("date")
ln = program("ln")
mv = program("mv")


def is_excluded(name: str) -> bool:
    """Return whether the file belongs to git or an editor."""
    return name in (".git", ".gitignore", ".gitmodules") or name.endswith(".swp")


def succeeds(command: BaseCommand) -> bool:
    """Run the command. Return whether it succeeds. Print its output if it fails."""
    status, output = (command >= ERROUT) & CAPTURE
    if status >= 126:
        print(f"exit status {status}: not found, or killed", file=sys.stderr)
    elif status != 0:
        print(output, file=sys.stderr)
    return status == 0


def link(source: LocalPath, target: LocalPath, ending: str) -> Status:
    """Create the link `target`, and rename what has this name. Return 1 if that fails."""
    if target.exists() or target.is_symlink():
        kept = f"{target}{ending}"
        print(f"{target} is kept as {kept}")
        if not succeeds(mv["--no-clobber", "--no-target-directory", target, kept]):
            return 1
    return 0 if succeeds(ln["--symbolic", "--no-target-directory", source, target]) else 1


def main(*arguments: str) -> Status:
    """Link each dotfile. Return 1 if one of them could not be linked."""
    dry_run = False
    given = ""
    for argument in arguments:
        if argument == "--dry-run":
            dry_run = True
        elif argument.startswith("-") or given != "":
            print(f"unexpected argument {argument}\n{USAGE}", file=sys.stderr)
            return 2
        else:
            given = argument
    if given == "":
        print(USAGE, file=sys.stderr)
        return 2
    repository = absolute(given)
    if not repository.is_dir():
        print(f"{repository} is not a directory", file=sys.stderr)
        return 1
    home = absolute(local.env.get("HOME") or "/")
    time = date("+%Y%m%d-%H%M%S").strip()

    linked = 0
    failed = 0
    for source in sorted(repository // DOTFILES):
        _, _, name = source.rpartition("/")
        target = absolute(f"{home}/{name}")
        if is_excluded(name) or same_file(source, target):
            continue
        if dry_run:
            print(f"would link {target}")
        elif link(source, target, f".{time}.orig") == 0:
            linked += 1
        else:
            failed += 1
    print(f"{linked:3} linked, {failed:3} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
