"""Format values for a report, so that different values never look alike."""

from __future__ import annotations

import re
import signal
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A word that needs no quotes.
PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
# Longer lists of consecutive numbers are shown as a range.
LONGEST_LIST = 3
# Collapse lines that are repeated at least this often after the first.
FEWEST_REPEATS = 2
LONGEST_PERIOD = 4
ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def readable(value: str | bytes) -> str:
    r"""Quote a text on one line, with escapes for characters that are invisible or combine.

    `\xff` is a byte that is not UTF-8, in bytes or as a surrogate escape.
    """
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    return "'" + "".join(map(_character, text)) + "'"


def command(argv: Iterable[str]) -> str:
    """Format a command as in a shell. Only words that need quotes have them."""
    return " ".join(word if PLAIN.fullmatch(word) else readable(word) for word in argv)


def alike(left: str | bytes, right: str | bytes) -> int:
    """Return the length of the common prefix of two texts, in characters or bytes."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(left), len(right)))


def exit_status(number: int) -> str:
    """Format an exit status, with the signal's name if a signal ended the form (-N)."""
    try:
        return f"{number} ({signal.Signals(-number).name})" if number < 0 else str(number)
    except ValueError:
        return str(number)


def numbers(what: str, found: Sequence[int]) -> str:
    """Format ascending numbers with a noun: `argument 2`, `arguments 2, 5`, `calls 1 to 9`."""
    ranges: list[list[int]] = []
    for number in found:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    texts = []
    for some in ranges:
        is_long = len(some) > LONGEST_LIST
        texts += [f"{some[0]} to {some[-1]}"] if is_long else [str(number) for number in some]
    return f"{what}{'s' if len(found) > 1 else ''} {', '.join(texts)}"


def collapse(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Return the lines with repeats replaced by a count: `... 5 more times`.

    Up to LONGEST_PERIOD lines can repeat together. Each line is returned with the number of lines
    that it stands for.
    """
    shown: list[tuple[str, int]] = []
    start = 0
    while start < len(lines):
        for period in range(1, LONGEST_PERIOD + 1):
            block = lines[start : start + period]
            end = start + period
            while lines[end : end + period] == block:
                end += period
            more = (end - start) // period - 1
            if more >= FEWEST_REPEATS:
                shown += [(line, 1) for line in block]
                what = f"these {period} lines " if period > 1 else ""
                shown.append((f"... {what}{more} more times", more * period))
                start = end
                break
        else:
            shown.append((lines[start], 1))
            start += 1
    return shown


def _character(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if not character.isprintable() or unicodedata.category(character).startswith("M"):
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
    return character
