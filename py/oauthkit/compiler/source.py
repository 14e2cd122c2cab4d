"""The source text of a program, and locations in it."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass, field

# Comments that are directives to other tools.
DIRECTIVES = ("# fmt:", "# mypy:", "# noqa", "# pragma:", "# pylint:", "# ruff:", "# type: ignore")


@dataclass(frozen=True)
class Span:
    """A range in the source. Lines count from 1, columns from 0. The end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass
class Source:
    """The text of a file with its comments. `path` is only shown, never opened."""

    path: str
    text: str
    lines: list[str] = field(init=False)
    comments: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        # Python has fewer line endings than str.splitlines.
        self.lines = [line.removesuffix("\n") for line in io.StringIO(self.text, newline=None)]
        self.comments = {}
        try:
            readline = io.StringIO(self.text, newline=None).readline
            for token in tokenize.generate_tokens(readline):
                if token.type == tokenize.COMMENT:
                    self.comments[token.start[0]] = token.string
        except (tokenize.TokenError, SyntaxError):
            pass  # the parser reports the error

    def span(self, node: ast.AST) -> Span:
        """Return the location of `node`, with columns in characters (ast counts UTF-8 bytes)."""
        line, end_line = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        return Span(
            line,
            self._characters(line, getattr(node, "col_offset", 0)),
            end_line,
            self._characters(end_line, getattr(node, "end_col_offset", 0)),
        )

    def _characters(self, line: int, column: int) -> int:
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return len(text.encode()[:column].decode(errors="ignore"))

    def is_blank(self, line: int) -> bool:
        """Return whether a line of the file contains only whitespace."""
        return 0 < line <= len(self.lines) and not self.lines[line - 1].strip()

    def comment(self, line: int) -> str | None:
        """Return the comment on this line, with its `#`, or None for directives to other tools."""
        comment = self.comments.get(line)
        return None if comment is None or comment.startswith(DIRECTIVES) else comment

    def stands_alone(self, line: int) -> bool:
        """Return whether there is only a comment on this line."""
        return line in self.comments and self.lines[line - 1].lstrip().startswith("#")

    def is_code(self, line: int) -> bool:
        """Return whether there is code on this line."""
        return not self.is_blank(line) and not self.stands_alone(line)

    def header_end(self, line: int, body: list[ast.stmt]) -> int:
        """Return the last line of the header that begins on `line`, above `body`."""
        end = body[0].lineno - 1
        while end > line and not self.is_code(end):
            end -= 1
        return max(line, end)
