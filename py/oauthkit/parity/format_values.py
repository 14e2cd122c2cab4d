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
    """Format numbers with a noun: `argument 2`, `arguments 2, 5`."""
    return f"{what}{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"


def _character(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if not character.isprintable() or unicodedata.category(character).startswith("M"):
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
    return character
