"""Lay out lines as shfmt does: break long ones, align comments."""

from __future__ import annotations

import itertools
import re

WIDTH = 100

# Separates a command from the comment beside it until both are aligned.
_BESIDE = "\0"


def comment_text(comment: str) -> str:
    """Return a comment as it is written in a script.

    shfmt removes trailing blanks. A backslash at the end or a form feed would break the line.
    A comment that starts with `shellcheck` would be a directive.
    """
    text = re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", " ", comment)
    text = re.sub(r"[\s\\]+$", "", text)
    return re.sub(r"^#(?=\s*shellcheck)", "##", text)


def comments_above(comments: tuple[str, ...], indent: str) -> list[str]:
    """Return the lines of the comments above a command. An empty comment becomes a blank line."""
    return [(indent + comment_text(comment)).rstrip() for comment in comments]


def with_comment(line: str, comment: str | None) -> str:
    """Return a line with a comment beside it. `align_comments` moves it to its column."""
    return line if comment is None else f"{line}{_BESIDE}{comment_text(comment)}"


def align_comments(lines: list[str]) -> list[str]:
    """Align the comments beside adjacent lines."""
    found: list[str] = []
    for has_comment, group in itertools.groupby(lines, lambda line: _BESIDE in line):
        pairs = [line.partition(_BESIDE) for line in group]
        width = max(len(code) for code, _, _ in pairs)
        found += [f"{code:{width}} {text}" if has_comment else code for code, _, text in pairs]
    return found


def break_lines(words: list[str], indent: str, end: str) -> list[str]:
    """Break `words` into lines of at most WIDTH columns, each but the last with `end` after it.

    An option stays with its value, the first argument with the command, and | and && with the word
    before them. A line that ends with | or && needs no `end`.
    """
    chunks: list[str] = []
    for index, text in enumerate(words):
        if (
            text in ("|", "&&")
            or (index == 1 and end)
            or (chunks and re.fullmatch(r"--?[a-z]+", words[index - 1]))
        ):
            chunks[-1] += f" {text}"
        else:
            chunks.append(text)
    lines = [indent + chunks[0]]
    for text in chunks[1:]:
        if len(lines[-1]) + 1 + len(text) + len(end) > WIDTH:
            lines[-1] += "" if lines[-1].endswith((" |", " &&")) else end
            lines.append(f"{indent}  {text}" if end else indent + text)
        else:
            lines[-1] += f" {text}"
    return lines
