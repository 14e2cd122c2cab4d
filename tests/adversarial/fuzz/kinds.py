"""Name the outcome of a run, to show how deep the fuzzer reaches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oauthkit.parity import Outcome

# What happened to the token, by the log's text. The first match counts.
FAILURES = (
    ("not found$", "no credentials file"),
    ("is not a file$", "credentials are not a file"),
    ("is not readable$", "credentials not readable"),
    ("is not valid JSON", "not valid JSON"),
    ("more than one JSON document", "two documents"),
    ("no claudeAiOauth object", "no claudeAiOauth"),
    ("no accessToken in credentials", "no accessToken"),
    ("has a character that tokens do not contain", "token with a bad character"),
    ("jq (not found|could not run)", "no jq"),
    ("claude binary not found", "no claude"),
    ("no accessToken after CLI refresh", "claude lost the token"),
    ("claude CLI refresh failed", "claude failed"),
    ("renewed nothing", "claude renewed nothing"),
    ("claude has failed to renew", "claude failed too often"),
    ("claude was started in the last", "rejected token, too soon"),
    ("the API refuses the token, and claude did not", "rejected token, not renewed"),
    ("claude could not save the login", "state file cannot be written"),
    (
        "bearer file|has a refresh token|the same file|Claude Code's credentials",
        "wrong bearer file",
    ),
    ("leads nowhere", ".env link leads nowhere"),
    ("NUL byte", ".env has a NUL"),
    ("is not a file and", ".env is not a file"),
    ("is a mount point", "mount point"),
    ("cannot be read", ".env cannot be read"),
    ("cannot be written", ".env cannot be written"),
    ("cannot be locked", "no lock"),
    ("flock not found", "no flock"),
    ("another refresh has held", "lock is held"),
)
TIMERS = (
    ("Scheduled next refresh", "armed"),
    ("systemd-run not found", "no systemd-run"),
    ("systemd-run failed", "not armed"),
)


def kind_of(outcome: Outcome) -> str:
    """Return what happened to the token, such as `renewed, delivered` or `failed: no jq`."""
    log = messages_of(outcome)
    if log is None:
        if outcome.exit_code == 0:
            return "ensured, nothing to do"
        return "no HOME" if b"HOME is not set" in outcome.stderr else "no log"
    errors = [line for line in log if line.startswith("ERROR: ") and "systemd-run" not in line]
    if errors:
        found = [name for words, name in FAILURES if re.search(words, errors[-1])]
        return f"failed: {found[0] if found else 'in another way'}"
    text = "\n".join(log)
    how = "renewed" if "refreshed token successfully" in text else "fresh"
    if "was renewed by another run" in text:
        how = "renewed by another run"
    if "The API refuses the token" in text:
        how = f"rejected, {how}"
    if "Updated .env" in text:
        bearer = " with a bearer file" if text.count("Updated ") > 1 else ""
        return f"{how}, delivered{bearer}"
    return f"{how}, unchanged" if "already has this token" in text else "not logged"


def timer_of(outcome: Outcome) -> str:
    """Return whether the next run was scheduled, such as `timer: armed`."""
    text = "\n".join(messages_of(outcome) or ())
    found = [name for words, name in TIMERS if words in text]
    return f"timer: {found[0]}" if found else "timer: not reached"


def messages_of(outcome: Outcome) -> list[str] | None:
    """Return this run's messages without their times, or None if there is no log."""
    start = re.compile(rb"^[0-9]{4,}-[0-9T:-]+[+-][0-9:]{5} ")
    lines: list[str] | None = None
    for name, entry in outcome.files.items():
        if entry.kind == "file" and name in outcome.touched:
            found = [
                start.sub(b"", line).decode("utf-8", "replace")
                for line in entry.content[-100_000:].splitlines()
                if start.match(line)
            ]
            lines = found or lines
    return lines
