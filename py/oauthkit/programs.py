"""Runs programs that may fail or hang, and puts what they printed into the log."""

from __future__ import annotations

from plumbum.commands import BaseCommand

from oauthkit.shell import (
    CAPTURE,
    RETCODE,
    Status,
    log,
    mask_secrets,
    program,
    run_limited,
)

# From the SIGTERM at the limit of a program to its SIGKILL.
GRACE_S = 5
OUTPUT_LIMIT_LINES = 20
# A program that crashes may print a line of its minified source, which can be a megabyte long.
OUTPUT_LIMIT_BYTES = 8 * 1024

head = program("head")
rm = program("rm")


def run_within(limit_s: int, output: str, command: BaseCommand) -> Status:
    """Runs a command for at most `limit_s` seconds, with what it prints in the file `output`."""
    _ = rm["-f", output] & RETCODE  # of the one before, or of a run that was killed
    return run_limited(limit_s, GRACE_S, output, command)


def log_output(source: str, text: str) -> None:
    """Logs what a failed program printed, line by line, with every access token masked."""
    rest = mask_secrets(text)
    lines = 0
    while rest != "" and lines < OUTPUT_LIMIT_LINES:
        line, _, rest = rest.partition("\n")
        log(f"{source}: {line}")
        lines += 1


def log_output_file(source: str, output: str) -> None:
    """Logs the beginning of the file `output`, in which a program has left what it printed."""
    _, text = head["-c", OUTPUT_LIMIT_BYTES, output] & CAPTURE
    log_output(source, text)
