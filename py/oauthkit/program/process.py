"""Runs programs that may fail or hang, and puts what they printed into the log."""

from __future__ import annotations

from plumbum.commands import BaseCommand

from oauthkit.shell import (
    CAPTURE,
    Status,
    log,
    program,
    run_limited,
)

# From the SIGTERM at the limit of a program to its SIGKILL.
GRACE_S = 5
OUTPUT_LIMIT_LINES = 20
# A program that crashes may print a line of its minified source, which can be a megabyte long.
OUTPUT_LIMIT_BYTES = 8 * 1024

head = program("head")


def run_within(limit_s: int, output: str, command: BaseCommand) -> Status:
    """Run a command for at most `limit_s` seconds, with its output in the file `output`."""
    return run_limited(limit_s, GRACE_S, output, command)


def log_output(source: str, text: str) -> None:
    """Log what a failed program printed, line by line."""
    rest = text
    lines = 0
    while rest != "" and lines < OUTPUT_LIMIT_LINES:
        line, _, rest = rest.partition("\n")
        log(f"{source}: {line}")
        lines += 1


def log_output_file(source: str, output: str) -> None:
    """Logs the beginning of the file `output`, in which a program has left what it printed."""
    _, text = head["-c", OUTPUT_LIMIT_BYTES, output] & CAPTURE
    log_output(source, text)
