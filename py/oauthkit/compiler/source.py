"""The text of a program, and places in it."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass, field

# Comments that are meant for programs that read Python.
DIRECTIVES = ("# fmt:", "# mypy:", "# noqa", "# pragma:", "# pylint:", "# ruff:", "# type: ignore")


@dataclass(frozen=True)
class Span:
    """A place in the source: lines count from 1, columns from 0, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass
class Source:
    """A program's text with its comments. `path` is only shown, never opened."""

    path: str
    text: str
    lines: list[str] = field(init=False)
    comments: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        # Ended by what ends a line of Python, not by all that str.splitlines takes for an end.
        self.lines = [line.removesuffix("\n") for line in io.StringIO(self.text, newline=None)]
        self.comments = {}
        try:
            readline = io.StringIO(self.text, newline=None).readline
            for token in tokenize.generate_tokens(readline):
                if token.type == tokenize.COMMENT:
                    self.comments[token.start[0]] = token.string
        except (tokenize.TokenError, SyntaxError):
            pass  # the parser reports what is wrong with the text

    def span(self, node: ast.AST) -> Span:
        """Where `node` stands, its columns counted in characters (ast counts UTF-8 bytes)."""
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
        """Whether there is nothing on this line but white space; lines outside are not blank."""
        return 0 < line <= len(self.lines) and not self.lines[line - 1].strip()

    def comment(self, line: int) -> str | None:
        """The comment on this line, with its `#`; directives to formatters and linters are none."""
        comment = self.comments.get(line)
        return None if comment is None or comment.startswith(DIRECTIVES) else comment

    def stands_alone(self, line: int) -> bool:
        """Whether there is a comment on this line, and nothing else."""
        return line in self.comments and self.lines[line - 1].lstrip().startswith("#")

    def is_code(self, line: int) -> bool:
        """Whether there is anything but white space and a comment on this line."""
        return not self.is_blank(line) and not self.stands_alone(line)

    def header_end(self, line: int, body: list[ast.stmt]) -> int:
        """The last line of the header that begins on `line` and has `body` below it."""
        end = body[0].lineno - 1
        while end > line and not self.is_code(end):
            end -= 1
        return max(line, end)
