"""The allowed differences between the two forms."""

from __future__ import annotations

from oauthkit.parity import Allowed

ALLOWED = (
    Allowed(
        "Each form schedules itself: the bash form schedules the script, and the Python form "
        "schedules the module. The kit checks that each form's command is exactly its own.",
        own_command_of="systemd-run",
    ),
    Allowed(
        "A shell sets these for its children; a Python program does not. No program that either "
        "form starts reads them.",
        variables=frozenset({"_", "SHLVL", "PWD", "OLDPWD"}),
    ),
)
