"""Read the refresh's log: deliveries, errors, and failed hooks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from oauthkit.host.path_info import read
from oauthkit.host.status.failures import (
    HELD,
    NOT_SCHEDULED,
    TOO_OFTEN,
    TOO_SOON,
    Failure,
)
from oauthkit.shell import LINE_LIMIT_BYTES, mask_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oauthkit.host.project import ProjectPaths

# The log lines of the refresh. tests/host/status/test_log.py runs it and parses what it logs.
# The output of a program has the program's name in front of it, so it does not start with a /.
_DELIVERED = re.compile(
    r"(?:Updated \.env with token|/.* already has this token) \(expires_at=(-?[0-9]{1,15})\)"
)
_HOOK_RESULT = re.compile(r"(?:Hook|WARN: hook) '([^']*)' (?:succeeded|[^(]*\((exit [0-9]+)\))")
_HOOK_OUTPUT = re.compile(r"hook '([^']*)': ")
# Only the last MOST_BYTES of a log are read. A refresh rotates a log at half that size.
MOST_BYTES = 2 * 1024 * 1024
# Longer than any line that a refresh writes: the time, and text of limited length. Masking can make
# that longer.
LONGEST_LINE = 2 * LINE_LIMIT_BYTES
RENEWED = "Claude CLI refreshed token successfully"
ERROR = "ERROR: "
OUTPUT = "claude: "
OUTPUT_LINES = 3


@dataclass(frozen=True)
class Entry:
    """A line of the log: its time in seconds since the epoch, and its text."""

    at_s: float
    text: str

    @property
    def expires_at_s(self) -> float | None:
        """Return the expiry of the token in .env, if this line reports it; else None."""
        found = _DELIVERED.fullmatch(self.text)
        return int(found[1]) / 1000 if found else None


def read_log(paths: ProjectPaths) -> list[Entry]:
    """Return all entries of the log and the rotated one, the oldest first.

    Skip lines without a time. Skip lines longer than a refresh writes, because another user may
    have written them.
    """
    entries = []
    for file in (paths.older_log, paths.log):
        for line in read(file, MOST_BYTES).data.decode("utf-8", "surrogateescape").split("\n"):
            if len(line) > LONGEST_LINE:
                continue
            time, _, text = line.partition(" ")
            try:
                at = datetime.fromisoformat(time)
            except ValueError:
                continue
            if at.tzinfo is not None:
                entries.append(Entry(at.timestamp(), text))
    return entries


def unresolved_failure(entries: Sequence[Entry], *, is_locked: bool = False) -> Failure | None:
    """Return the last ERROR if no token was delivered after it, else None.

    An ERROR about the lock is only counted if it is still locked: the run that held it before may
    have delivered the token.
    """
    delivered = [n for n, entry in enumerate(entries, 1) if entry.expires_at_s is not None]
    failure = last_failure(entries[delivered[-1] if delivered else 0 :])
    return None if failure and failure.text.startswith(HELD) and not is_locked else failure


def last(entries: Sequence[Entry], text: str) -> Entry | None:
    """Return the last entry that begins with `text`, or None if there is none."""
    return next((entry for entry in reversed(entries) if entry.text.startswith(text)), None)


def failed_hooks(entries: Sequence[Entry]) -> dict[str, Failure]:
    """Return the hooks that failed when they were last run, with their output."""
    found: dict[str, Failure] = {}
    for entry in entries:
        if result := _HOOK_RESULT.fullmatch(entry.text):
            found.pop(result[1], None)
            if result[2]:
                found[result[1]] = Failure(entry.at_s, result[2])
        elif (output := _HOOK_OUTPUT.match(entry.text)) and output[1] in found:
            failure = found[output[1]]
            shown = (*failure.output, mask_secrets(entry.text))[-OUTPUT_LINES:]
            found[output[1]] = replace(failure, output=shown)
    return found


def last_failure(entries: Sequence[Entry]) -> Failure | None:
    """Return the last ERROR that explains why .env has no live token, or None if there is none.

    Skip an ERROR that only reports that claude was started too often, if an earlier ERROR since the
    last delivery explains it.
    """
    output: list[str] = []
    failure = None
    is_explained = False
    for entry in entries:
        # The script that this refresh has replaced may have logged a token.
        text = mask_secrets(entry.text)
        if text.startswith(OUTPUT):
            output.append(text)
        elif is_explained and text.startswith((ERROR + TOO_OFTEN, ERROR + TOO_SOON)):
            continue
        elif text.startswith(ERROR) and not text.endswith(NOT_SCHEDULED):
            # claude is run more than once, and repeats itself.
            shown = tuple(dict.fromkeys(output))[-OUTPUT_LINES:]
            failure = Failure(entry.at_s, text.removeprefix(ERROR), shown)
            is_explained = True
        elif entry.expires_at_s is not None:
            is_explained = False
        if not text.startswith((OUTPUT, "WARN: ")):
            output = []
    return failure
