"""Python literals of any text."""

from __future__ import annotations


def quoted(text: str, style: int = 0) -> str:
    """Return `text` as a Python literal.

    Style 1 escapes only what it must. Style 2 is a triple-quoted literal.
    """
    quote = '"""' if style == 2 and "\n" in text else '"'
    return quote + escaped(text, style) + quote


def escaped(text: str, style: int = 0) -> str:
    """Return `text` as it is written between double quotes in Python."""
    return "".join(_escape(character, style) for character in text)


def _escape(character: str, style: int) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return character if style == 2 else "\\n"
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if code < 0x7F or style:
        return character
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
