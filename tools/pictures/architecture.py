"""The parts of the package: which are handwritten, which are generated, and which compare them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tools.pictures.token_life import Edge, arrow_heads, style

if TYPE_CHECKING:
    from tools.pictures.palette import Palette

TITLE = "The architecture of oauthkit"
ABOUT = (
    "The refresh is written once, in program, in a dialect of Python. CPython runs it, with the"
    " Python half of the runtime library, shell.py. That is oauthkit refresh. The compiler reads"
    " the same text and generates scripts/oauth/refresh.sh, which contains the bash half,"
    " shell.bash. parity runs both forms and compares everything that they do. host, the"
    " operator's commands, imports the program."
)

WIDTH, HEIGHT, MARGIN = 600, 476, 20
BOX = 250
LEFT, RIGHT = MARGIN, WIDTH - MARGIN - BOX
ROWS = ((20, 84), (150, 84), (262, 84), (378, 78))  # top and height of each row


@dataclass(frozen=True)
class Room:
    """A box. Its kind determines its colours."""

    kind: str
    title: str
    facts: tuple[str, ...]
    x: int
    row: int
    width: int = BOX

    def draw(self) -> str:
        """Return the box with its texts."""
        top, height = ROWS[self.row]
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


ROOMS = (
    Room("busy", "program/", ("The refresh, written once in", "the dialect: Python on plumbum"),
         150, 0, 300),
    Room("good", "shell.py", ("The Python half of the", "runtime library"), LEFT, 1),
    Room("soon", "compiler/", ("Reads the program's text:", "loader, sema, lowering"), RIGHT, 1),
    Room("good", "oauthkit refresh", ("The Python form. host/ has", "the operator's commands"),
         LEFT, 2),
    Room("soon", "refresh.sh", ("The bash form. It contains", "the half in shell.bash"),
         RIGHT, 2),
    Room("failing", "parity/", ("Runs both forms with stand-ins, and compares all that they do",),
         LEFT, 3, WIDTH - 2 * MARGIN),
)  # fmt: skip
EDGES = (
    Edge(((LEFT + 175, 104), (LEFT + 175, 148)), (LEFT + 165, 132), ("imports",), "end"),
    Edge(((RIGHT + 75, 104), (RIGHT + 75, 148)), (RIGHT + 87, 132), ("is read by",)),
    Edge(((LEFT + 125, 234), (LEFT + 125, 260)), (LEFT + 137, 252), ()),
    Edge(((RIGHT + 125, 234), (RIGHT + 125, 260)), (RIGHT + 137, 252), ("generates",)),
    Edge(((LEFT + 125, 376), (LEFT + 125, 348)), (LEFT + 137, 366), ("starts",)),
    Edge(((RIGHT + 125, 376), (RIGHT + 125, 348)), (RIGHT + 137, 366), ("starts",)),
)  # fmt: skip


def draw(palette: Palette) -> str:
    """Return the picture as an SVG."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(TITLE)}</title>',
        f'<desc id="desc">{escape(ABOUT)}</desc>',
        f"<style>\n{style(palette)}\n</style>",
        f"<defs>{arrow_heads()}</defs>",
        f'<rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="12"/>',
        *(edge.draw() for edge in EDGES),
        *(room.draw() for room in ROOMS),
        "</svg>\n",
    ])  # fmt: skip
