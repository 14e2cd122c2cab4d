"""The text of a program, and places in it."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass, field


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
        self.lines = self.text.splitlines()
        self.comments = {}
        try:
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
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

    def own_line_comment(self, line: int) -> str | None:
        """The comment that stands alone on this line, with its `#`."""
        comment = self.comments.get(line)
        if comment is None or not self.lines[line - 1].strip().startswith("#"):
            return None
        return comment

    def comments_above(self, line: int) -> list[str]:
        """The comments that stand alone on the lines right above `line`, in their order."""
        found: list[str] = []
        line -= 1
        while (comment := self.own_line_comment(line)) is not None:
            found.insert(0, comment)
            line -= 1
        return found

    def comment_beside(self, node: ast.stmt) -> str | None:
        """The comment after the code on the last line of `node`; formatter directives are none."""
        line = node.end_lineno or node.lineno
        comment = self.comments.get(line)
        if comment is None or self.own_line_comment(line) is not None:
            return None
        return None if comment.startswith(("# fmt:", "# noqa", "# type:")) else comment
