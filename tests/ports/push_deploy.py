#!/usr/bin/env python3
"""Deploy a branch when it is pushed. Install this as git's hook post-receive.

The repository's configuration says what to deploy:

    git config deploy.directory /srv/www    # where to check out the branch
    git config deploy.branch stable         # default: main
    git config deploy.command "make all"    # runs in that directory afterwards; optional

git runs the hook in the repository, and writes a line OLD NEW REF on stdin for each updated ref.
"""

from __future__ import annotations

import sys

from plumbum import LocalPath, local

from oauthkit.shell import CAPTURE, FG, RETCODE, Status, absolute, change_directory, program

git = program("git")
sh = program("sh")

DEFAULT_BRANCH = "main"
SHOWN_COMMITS = 10


def setting(name: str, default: str) -> str:
    """Return the repository's setting deploy.NAME."""
    status, value = git["config", "--get", f"deploy.{name}"] & CAPTURE
    return value if status == 0 else default


def is_missing(commit: str) -> bool:
    """Return whether `commit` is all zeros: the branch is created or deleted."""
    return commit.strip("0") == ""


def show_commits(old: str, new: str) -> None:
    """Print the first line of each commit that is deployed, the latest first."""
    commits = new if is_missing(old) else f"{old}..{new}"
    git["log", f"--max-count={SHOWN_COMMITS}", "--format=  %h %s", commits] & FG


def check_out(branch: str, directory: LocalPath) -> Status:
    """Write the branch's files into the directory. Return git's status."""
    local.env["GIT_WORK_TREE"] = f"{directory}"
    status = git["checkout", "--quiet", "--force", branch] & RETCODE(FG=True)
    local.env.pop("GIT_WORK_TREE", "")
    return status


def run_command(command: str, directory: LocalPath) -> Status:
    """Run the shell command in the directory. Return its status."""
    if change_directory(directory) != 0:
        print(f"{directory} is not a directory", file=sys.stderr)
        return 1
    # The hook's GIT_DIR is relative to the repository.
    local.env.pop("GIT_DIR", "")
    return sh["-c", command] & RETCODE(FG=True)


def main(*arguments: str) -> Status:
    """Deploy the branch if it was pushed."""
    if arguments:
        print("usage: push_deploy < UPDATES", file=sys.stderr)
        return 2
    configured = setting("directory", "")
    target = absolute(configured)
    if configured == "" or not target.is_dir():
        print(f"deploy.directory is not a directory: '{configured}'", file=sys.stderr)
        return 1
    branch = setting("branch", DEFAULT_BRANCH)
    updates = sys.stdin.read()
    for line in updates.splitlines():
        old, _, rest = line.partition(" ")
        new, _, ref = rest.partition(" ")
        if ref != f"refs/heads/{branch}":
            print(f"{ref} is not deployed")
            continue
        if is_missing(new):
            print(f"{branch} was deleted: {target} is unchanged")
            continue
        print(f"deploying {branch} to {target}")
        show_commits(old, new)
        status = check_out(branch, target)
        if status != 0:
            print(f"{branch} cannot be checked out", file=sys.stderr)
            return status
        command = setting("command", "")
        if command != "":
            return run_command(command, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
