"""Publish a host's access token in a store, for other hosts.

A refresh that has a live token does this last if OAUTHKIT_STORE is set. The refresh token stays on
this host.
"""

from __future__ import annotations

import sys

from plumbum import LocalPath, local

from oauthkit.program.encryption import hidden_setting
from oauthkit.program.settings import read_settings
from oauthkit.program.start import paths, script_project, set_up
from oauthkit.program.store import publish_token
from oauthkit.shell import Status, complain, mask_secrets, replace_controls

USAGE = "usage: publish.sh"


def publish(project: LocalPath) -> Status:
    """Write this host's record to the store. Return 0 if the store has the live token."""
    if set_up() != 0:
        return 1
    errors = read_settings(project)
    _, credentials, _, _ = paths(project)
    problem = hidden_setting("RECIPIENTS", errors)
    while errors != "":
        error, _, errors = errors.partition("\n")
        error = replace_controls(error, "?")
        complain(f"oauthkit: {error}")
    if problem == "":
        problem = publish_token(credentials, local.env.get("OAUTHKIT_STORE", ""))
    if problem != "":
        plain = replace_controls(problem, "")
        shown = mask_secrets(plain)  # etcdctl's error may contain the record
        if shown == plain:
            shown = replace_controls(problem, "?")
        complain(f"oauthkit: {shown}")
        return 1
    return 0


def main(*arguments: str) -> Status:
    """Parse the script's command line, and publish."""
    for argument in arguments:
        if argument == "--help" or argument == "-h":
            print(USAGE)
            return 0
        shown = replace_controls(argument, "?")
        complain(f"oauthkit: unexpected argument {shown}\n{USAGE}")
        return 2
    status, project = script_project()
    if status != 0:
        return status
    return publish(project)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
