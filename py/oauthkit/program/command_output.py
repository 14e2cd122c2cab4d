"""Log the output of the programs that a run starts."""

from __future__ import annotations

from plumbum import local

from oauthkit.shell import log, log_error, mask_secrets, replace_controls

OUTPUT_LIMIT_LINES = 20
# How many of these lines are also shown outside the log.
REPORT_LIMIT_LINES = 5


def log_output(source: str, text: str) -> None:
    """Log the first lines of a failed program's output."""
    rest = text
    lines = 0
    while rest != "" and lines < OUTPUT_LIMIT_LINES:
        line, _, rest = rest.partition("\n")
        log(f"{source}: {line}")
        lines += 1


def report_output(source: str, text: str) -> None:
    """Log the first lines of the output of a program that made the run fail.

    Print the last of these lines on stderr, too, and set OAUTHKIT_OUTPUT to them for the hooks.
    """
    rest = text
    lines = 0
    while rest != "" and lines < OUTPUT_LIMIT_LINES:
        _, _, rest = rest.partition("\n")
        lines += 1
    unreported = lines - REPORT_LIMIT_LINES
    report = ""
    rest = text
    while lines > 0:
        line, _, rest = rest.partition("\n")
        if unreported > 0:
            log(f"{source}: {line}")
        else:
            log_error(f"{source}: {line}")
            shown = replace_controls(line, "")
            shown = mask_secrets(shown)
            report += f"{source}: {shown}\n"
        unreported -= 1
        lines -= 1
    local.env["OAUTHKIT_OUTPUT"] = report.removesuffix("\n")
