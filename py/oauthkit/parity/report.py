"""The text that a failed run shows: what differs, side by side, and where to look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from oauthkit.parity.compare import Difference
    from oauthkit.parity.outcome import Outcome

# Beyond that many, the first ones tell the story.
SHOWN_DIFFERENCES = 12
SHOWN_CHARACTERS = 1500


def report(
    outcomes: Sequence[Outcome], differences: Sequence[Difference], kept: Sequence[Path]
) -> str:
    """The message of a run whose forms differ, or that went wrong; empty if neither is so."""
    lines: list[str] = []
    names = [outcome.form.name for outcome in outcomes]
    width = max(map(len, names)) + 2
    for outcome in outcomes:
        lines += [f"{outcome.form.name}: {problem}" for problem in outcome.problems]
    if differences:
        count = "1 place" if len(differences) == 1 else f"{len(differences)} places"
        lines += ["", f"{' and '.join(names)} differ in {count}."]
        for number, difference in enumerate(differences[:SHOWN_DIFFERENCES], 1):
            lines += ["", f"{number}. {difference.what}"]
            for name, text in zip(names, (difference.left, difference.right), strict=True):
                lines.append(f"     {name:<{width}}{_shown(text)}")
        if len(differences) > SHOWN_DIFFERENCES:
            lines += ["", f"... and {len(differences) - SHOWN_DIFFERENCES} more"]
    if not lines:
        return ""
    for stream in ("stdout", "stderr"):
        printed = {outcome.form.name: getattr(outcome, stream) for outcome in outcomes}
        if len(outcomes) > 1 and len({*printed.values()}) == 1:
            printed = {"both": printed[names[0]]}
        for name, data in printed.items():
            if data:
                text = _shown(data.decode("utf-8", "backslashreplace").rstrip("\n"))
                lines += ["", f"{stream} of {name}:", re.sub("(?m)^", "     ", text)]
    lines += ["", "Their sandboxes are kept (calls and streams are in the folder control of each):"]
    lines += [f"     {name:<{width}}{path}" for name, path in zip(names, kept, strict=True)]
    return "\n".join(lines).lstrip("\n")


def _shown(text: str) -> str:
    # A lone surrogate (a byte that is no UTF-8) cannot be printed as it is.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"
