"""Changes of a constant: a number, a word of a text, a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator

SIGNALS = {"TERM": "KILL", "KILL": "TERM", "INT": "QUIT", "HUP": "USR1"}


def changed_text(text: str) -> str | None:
    """The text with another first letter; None if it has no word of two letters."""
    found = re.search(r"(?<!\\)[A-Za-z]{2}", text)
    if found is None:
        return None
    letter = "Y" if text[found.start()] == "X" else "X"
    return text[: found.start()] + letter + text[found.start() + 1 :]


def changed_number(text: str) -> str | None:
    """A whole number and one more, an octal one in its own notation; None if it is none."""
    octal = re.fullmatch(r"0o([0-7]+)|(0[0-7]+)", text)
    if octal:
        digits = octal[1] or octal[2]
        prefix = "0o" if octal[1] else ""
        return f"{prefix}{int(digits, 8) + 1:0{len(digits)}o}"
    return str(int(text) + 1) if re.fullmatch(r"[0-9]+", text) else None


def changed_patterns(text: str) -> Iterator[str]:
    """A regular expression with one thing in it changed: an anchor, a count, a class."""
    if text.startswith("^"):
        yield text[1:]
    if text.endswith("$"):
        yield text[:-1]
    for found in re.finditer(r"\{(\d+),(\d+)\}", text):
        low, high = int(found[1]), int(found[2])
        for new in (f"{{{low + 1},{high}}}", f"{{{low},{high + 1}}}", f"{{{low},{high - 1}}}"):
            yield text[: found.start()] + new + text[found.end() :]
    for found in re.finditer(r"(?<=[\])])[*+?]|\?", text):
        for new in {"*": ("+", ""), "+": ("*", ""), "?": ("",)}[found[0]]:
            yield text[: found.start()] + new + text[found.end() :]
    for found in re.finditer(r"\[\^?(.*?)\]", text):
        start, end = found.span(1)
        if found[0].startswith("[^"):
            yield text[: start - 1] + text[start:]
        for member in re.finditer(r"\w-\w|\\x..-\\x..|\\x..|.", text[start:end]):
            yield text[: start + member.start()] + text[start + member.end() :]
