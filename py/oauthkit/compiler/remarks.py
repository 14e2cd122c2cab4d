"""Comments in a script: above commands, and beside them in the columns that shfmt gives them."""

from __future__ import annotations

import itertools

# Stands between a command and the comment beside it until both have their columns.
_BESIDE = "\0"


def above(comments: tuple[str, ...], indent: str) -> list[str]:
    """The lines of the comments above a command; an empty one is a blank line."""
    return [(indent + comment).rstrip() for comment in comments]


def beside(line: str, comment: str | None) -> str:
    """A line with a comment beside it; `aligned` gives it its column."""
    return line if comment is None else f"{line}{_BESIDE}{comment}"


def aligned(lines: list[str]) -> list[str]:
    """The lines with the comments beside neighbours in one column."""
    found: list[str] = []
    for has_comment, group in itertools.groupby(lines, lambda line: _BESIDE in line):
        pairs = [line.partition(_BESIDE) for line in group]
        width = max(len(code) for code, _, _ in pairs)
        found += [f"{code:{width}} {text}" if has_comment else code for code, _, text in pairs]
    return found
