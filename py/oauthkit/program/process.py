"""Limit the programs that a run starts, and log their output."""

from __future__ import annotations

from oauthkit.shell import log

# From the SIGTERM at the limit of a program to its SIGKILL.
GRACE_S = 5
OUTPUT_LIMIT_LINES = 20


def log_output(source: str, text: str) -> None:
    """Log the output of a failed program line by line."""
    rest = text
    lines = 0
    while rest != "" and lines < OUTPUT_LIMIT_LINES:
        line, _, rest = rest.partition("\n")
        log(f"{source}: {line}")
        lines += 1
