"""Diagnostics. Each has a code, a location, a message and a suggestion."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from oauthkit.compiler.source import Source, Span

# The title of each code.
CODES = {
    "D001": "not Python",
    "D101": "statement outside the dialect",
    "D102": "expression outside the dialect",
    "D103": "import outside the dialect",
    "D104": "unknown function or method",
    "D105": "wrong arguments",
    "D201": "ignored exit status",
    "D202": "invalid redirection",
    "D203": "command that is never run",
    "D204": "call inside an expression",
    "D301": "name that may be unset",
    "D302": "name that changes its type",
    "D303": "incompatible types",
    "D304": "text used as a number",
    "D305": "value used as a condition",
    "D306": "missing or unknown annotation",
    "D307": "missing or wrong result",
    "D308": "unused name",
    "D309": "unreachable statement",
    "D401": "name reserved by bash",
    "D402": "name that is already defined",
    "D403": "recursion",
    "D404": "value that bash cannot store",
}


@dataclass(frozen=True)
class Diagnostic:
    """An error. `message` says what is wrong, and `help` what to write instead.

    Code in `help` compiles, and does what the rejected code means in Python. It is between
    backticks after a colon, or on the lines below the first. An expression replaces the underlined
    one, a statement replaces the statement. `name = program(…)` and imports are added at the top.
    """

    source: Source
    code: str
    span: Span
    message: str
    help: str

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code


class CompileError(Exception):
    """Raised for a program with errors. They are in `diagnostics`, by file and location."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        files = [*dict.fromkeys(diagnostic.source.path for diagnostic in diagnostics)]
        self.diagnostics = sorted(
            diagnostics,
            key=lambda d: (files.index(d.source.path), d.span.line, d.span.column, d.code),
        )
        super().__init__(self.render())

    def render(self) -> str:
        """Return all diagnostics as text:

        refresh.py:12:8: D305: a Str cannot be used as a condition
           12 | if token:
              |    ^^^^^
              = help: compare it: `token != ""`
        """
        return "\n".join(map(_render, self.diagnostics))


def _render(diagnostic: Diagnostic) -> str:
    source, span = diagnostic.source, diagnostic.span
    line = source.lines[span.line - 1] if span.line <= len(source.lines) else ""
    end = span.end_column if span.end_line == span.line else len(line)
    # Tabs are kept before the caret, so that it is below the text on every terminal.
    indent = "".join(c if c == "\t" else " " * _width(c) for c in line[: span.column])
    caret = "^" * max(1, sum(map(_width, line[span.column : end])))
    gutter = " " * 5
    help, *block = diagnostic.help.splitlines()
    return "\n".join(
        [
            f"{source.path}:{span.line}:{span.column + 1}: {diagnostic.code}: {diagnostic.message}",
            f"{span.line:>5} | {line}",
            f"{gutter} | {indent}{caret}",
            f"{gutter} = help: {help}",
            *(f"{gutter}   {'      '}{text}".rstrip() for text in block),
        ]
    )


def _width(character: str) -> int:
    """Return the width of a character on a terminal: 2 columns for CJK and emoji."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0  # it combines with the previous one
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
