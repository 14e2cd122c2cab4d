"""Format the report of a failed run: the differences, and where the sandboxes are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oauthkit.parity.format_values import alike, collapse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from oauthkit.parity.compare import Difference
    from oauthkit.parity.outcome import Outcome

# The maximum number of differences that are shown.
SHOWN_DIFFERENCES = 12
SHOWN_ROWS = 40
SHOWN_CHARACTERS = 1500
# Of a longer line, only the part around the first difference is shown.
LONG_LINE = 80
BEFORE, AFTER = 30, 45
# If two lines differ early, they are shown from their start up to this length.
LONGEST_LINE = 200
# For shorter values, no ^ marks the first difference.
POINTER_FROM = 12
BOTH = "both"


def report(
    outcomes: Sequence[Outcome], differences: Sequence[Difference], kept: Sequence[Path]
) -> str:
    """Return the report of a run that failed or whose forms differ, or ""."""
    names = [outcome.form.name for outcome in outcomes]
    lines = _problems(outcomes)
    if differences:
        count = "1 place" if len(differences) == 1 else f"{len(differences)} places"
        lines += ["", f"{' and '.join(names)} differ in {count}."]
        for number, difference in enumerate(differences[:SHOWN_DIFFERENCES], 1):
            lines += ["", f"{number}. {difference.what}", *_difference(difference, names)]
        if len(differences) > SHOWN_DIFFERENCES:
            lines += ["", f"... and {len(differences) - SHOWN_DIFFERENCES} more"]
    if not lines:
        return ""
    titles = [difference.what for difference in differences]
    for stream in ("stdout", "stderr"):
        if not any(title.startswith(stream) for title in titles):
            lines += _stream(stream, outcomes[0], len(outcomes) > 1)
    what = "The sandbox is kept" if len(names) == 1 else "The sandboxes are kept"
    lines += ["", f"{what} (calls and streams: in the directory control):"]
    width = max(map(len, names)) + 2
    lines += [f"     {name:<{width}}{path}" for name, path in zip(names, kept, strict=True)]
    return "\n".join(lines).lstrip("\n")


def _problems(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the problems of the runs. A problem of all forms is listed once."""
    lines = []
    for outcome in outcomes:
        for problem in outcome.problems:
            is_shared = len(outcomes) > 1 and all(problem in other.problems for other in outcomes)
            if not is_shared:
                lines.append(f"{outcome.form.name}: {problem}")
            elif outcome is outcomes[0]:
                lines.append(f"{BOTH}: {problem}")
    return [_printable(line) for line in lines]


def _difference(difference: Difference, names: Sequence[str]) -> Iterator[str]:
    width = max(map(len, (*names, BOTH if difference.rows else ""))) + 2
    if not difference.rows:
        yield from _sides(difference, names, width)
        return
    called = {"left": names[0], "right": names[-1], "both": BOTH}
    for side, text in difference.rows[:SHOWN_ROWS]:
        yield f"     {called[side]:<{width}}{_cut(text, 0)}"
    if len(difference.rows) > SHOWN_ROWS:
        yield f"     {'':<{width}}... {len(difference.rows) - SHOWN_ROWS} more lines"


def _sides(difference: Difference, names: Sequence[str], width: int) -> Iterator[str]:
    sides = [_printable(difference.left), _printable(difference.right)]
    first = alike(*sides)
    start = max(0, first - BEFORE) if max(map(len, sides)) > LONG_LINE else 0
    for name, text in zip((names[0], names[-1]), sides, strict=True):
        yield f"     {name:<{width}}{_cut(text, start)}"
    if first > 1 and max(map(len, sides)) > POINTER_FROM:
        column = 5 + width + first - start + (3 if start else 0)
        yield f"{' ' * column}^{_code_points(*(side[first : first + 1] for side in sides))}"


def _code_points(left: str, right: str) -> str:
    """Return the code points of two characters that can look alike, or ""."""
    if left.isascii() and right.isascii():
        return ""
    return " " + " against ".join(f"U+{ord(c):04X}" if c else "the end" for c in (left, right))


def _cut(text: str, start: int) -> str:
    """Return the part of a long line that begins at `start`."""
    length = BEFORE + AFTER if start else LONGEST_LINE
    end = start + length
    return f"{'...' if start else ''}{text[start:end]}{'...' if len(text) > end else ''}"


def _stream(stream: str, outcome: Outcome, is_shared: bool) -> list[str]:
    """Return the output if it is not a difference, because it often has the reason."""
    data: bytes = getattr(outcome, stream)
    if not data:
        return []
    lines = data.decode("utf-8", "backslashreplace").rstrip("\n").split("\n")
    text = "\n".join(line for line, _ in collapse(lines))
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"
    whose = BOTH if is_shared else outcome.form.name
    return ["", f"{stream} of {whose}:", re.sub("(?m)^", "     ", text)]


def _printable(text: str) -> str:
    # A lone surrogate (a byte that is not UTF-8) cannot be printed.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
