"""Boxes with arrows between them, and the picture that they make."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tools.pictures.token_life import Edge, arrow_heads, style

if TYPE_CHECKING:
    from tools.pictures.palette import Palette

WIDTH, MARGIN = 600, 20
BOX = 250
LEFT, RIGHT = MARGIN, WIDTH - MARGIN - BOX


@dataclass(frozen=True)
class Room:
    """A box. Its kind determines its colours. `row` is its top and height."""

    kind: str
    title: str
    facts: tuple[str, ...]
    x: int
    row: tuple[int, int]
    width: int = BOX

    def draw(self) -> str:
        """Return the box with its texts."""
        top, height = self.row
        x = self.x + 15
        texts = [
            f'<text x="{x}" y="{top + 50 + 20 * number}">{escape(line)}</text>'
            for number, line in enumerate(self.facts)
        ]
        return "\n".join([
            f'<g class="{self.kind}">',
            f'<rect x="{self.x}" y="{top}" width="{self.width}" height="{height}" rx="8"/>',
            f'<text class="h" x="{x}" y="{top + 27}">{escape(self.title)}</text>',
            *texts,
            "</g>",
        ])  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A picture's content. `about` describes it for people who do not see it."""

    title: str
    about: str
    height: int
    rooms: tuple[Room, ...]
    edges: tuple[Edge, ...]

    def draw(self, palette: Palette) -> str:
        """Return the picture as an SVG."""
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}"'
            f' viewBox="0 0 {WIDTH} {self.height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="desc">{escape(self.about)}</desc>',
            f"<style>\n{style(palette)}\n</style>",
            f"<defs>{arrow_heads()}</defs>",
            f'<rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{self.height - 2}"'
            ' rx="12"/>',
            *(edge.draw() for edge in self.edges),
            *(room.draw() for room in self.rooms),
            "</svg>\n",
        ])  # fmt: skip
