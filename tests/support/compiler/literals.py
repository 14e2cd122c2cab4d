"""Write any text as a Python string literal."""

from __future__ import annotations

from typing import Literal

Style = Literal["ascii", "minimal", "triple-quoted"]
STYLES: tuple[Style, ...] = ("ascii", "minimal", "triple-quoted")


def quoted(text: str, style: Style = "ascii") -> str:
    """Return `text` as a Python literal.

    The style "ascii" escapes everything but printable ASCII, and "minimal" only what it must.
    "triple-quoted" does the same as "minimal", but does not escape newlines.
    """
    quote = '"""' if style == "triple-quoted" and "\n" in text else '"'
    return quote + escaped(text, style) + quote


def escaped(text: str, style: Style = "ascii") -> str:
    """Return `text` as it is written between double quotes in Python."""
    return "".join(_escape(character, style) for character in text)


def _escape(character: str, style: Style) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return character if style == "triple-quoted" else "\\n"
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if code < 0x7F or style != "ascii":
        return character
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
