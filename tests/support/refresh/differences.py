"""The allowed differences between the two forms."""

from __future__ import annotations

from oauthkit.parity import Allowed

ALLOWED = (
    Allowed(
        "Each form schedules itself: the bash form the script, the Python form the module. That it "
        "is exactly this command is checked for each.",
        own_command_of="systemd-run",
    ),
    Allowed(
        "A shell sets these for its children, a Python program does not. Nothing that either form "
        "starts reads them.",
        variables=frozenset({"_", "SHLVL", "PWD", "OLDPWD"}),
    ),
)
