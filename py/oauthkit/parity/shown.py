"""How values look in a report: so that what cannot be seen is seen, and no two look alike."""

from __future__ import annotations

import re
import signal
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A word that looks the same with quotes and without.
PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def readable(value: str | bytes) -> str:
    r"""A text in single quotes, on one line; what does not print or combine is escaped.

    `\xff` is a byte that is no UTF-8, however it came: in bytes, or as a surrogate escape.
    """
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    return "'" + "".join(map(_character, text)) + "'"


def command(argv: Iterable[str]) -> str:
    """A command as one would type it: only words that need it are in quotes, empty ones too."""
    return " ".join(word if PLAIN.fullmatch(word) else readable(word) for word in argv)


def alike(left: str | bytes, right: str | bytes) -> int:
    """How many characters, or bytes, two texts have in common at their start."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(left), len(right)))


def exit_status(number: int) -> str:
    """An exit status; of a form that a signal ended (-N), with the signal's name."""
    try:
        return f"{number} ({signal.Signals(-number).name})" if number < 0 else str(number)
    except ValueError:
        return str(number)


def numbers(what: str, found: Sequence[int]) -> str:
    """`argument 2`, `arguments 2, 5`."""
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
