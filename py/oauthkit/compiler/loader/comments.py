"""Find the comments above, inside and below statements."""

from __future__ import annotations

from oauthkit.compiler.source import Source


class Comments:
    """Read a source's comments in order, starting at a line. Each is returned once."""

    def __init__(self, source: Source, line: int) -> None:
        self.source = source
        self.line = line  # the first line whose comment has not been returned yet

    def above(self, line: int) -> tuple[list[str], bool]:
        """Return the remaining comments above `line`, and whether a blank line is above them.

        Each run of blank lines after the first comment is one "".
        """
        found, blank, gap = self._read(line, 0)
        self.line = max(self.line, line)
        return ([*found, ""] if found and gap else found), (blank if found else gap)

    def below(self, line: int, column: int) -> tuple[list[str], bool]:
        """Return the remaining comments at the end of a block, and whether a blank line is above.

        The block is indented by `column` and ends above `line`. A comment line with less
        indentation belongs to the code after the block.
        """
        found, blank, _ = self._read(line, column)
        return found, blank

    def within(self, first: int, last: int) -> tuple[list[str], str | None]:
        """Return the comments in a statement or header.

        The list has those above its line `last`. The second result is the one beside that line.
        """
        found = [
            comment
            for line in range(max(first, self.line), last)
            if (comment := self.source.comment(line)) is not None
        ]
        beside = self.source.comment(last) if self.line <= last else None
        self.line = max(self.line, last + 1)
        return found, beside

    def _read(self, until: int, column: int) -> tuple[list[str], bool, bool]:
        found: list[str] = []
        blank = gap = False
        for line in range(self.line, until):
            if self.source.is_blank(line):
                gap = True
                continue
            comment = self.source.comment(line)
            if comment is not None:
                text = self.source.lines[line - 1]
                if self.source.stands_alone(line) and len(text) - len(text.lstrip()) < column:
                    break
                if found and gap:
                    found.append("")
                blank = blank if found else gap
                found.append(comment)
            gap = False
            self.line = line + 1
        return found, blank, gap
