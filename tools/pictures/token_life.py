"""The token's life as a state diagram, with the program's own times."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from tools.pictures.palette import SANS

from oauthkit.program import credentials, schedule

if TYPE_CHECKING:
    from tools.pictures.palette import Palette

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
RENEW = f"{credentials.RENEW_BEFORE_MS // MINUTE_MS} min"
SCHEDULE = f"{schedule.SCHEDULE_BEFORE_MS // MINUTE_MS} min"
RETRY = f"{schedule.RETRY_MS // MINUTE_MS} min"
LONGEST = f"{schedule.LONGEST_WAIT_MS // HOUR_MS} h"

TITLE = "The life of the token"
ABOUT = (
    "A person logs in and starts the first run. Fresh: .env has the token, and the next run is"
    f" due {SCHEDULE} before the expiry, or in {LONGEST} if that is sooner. With {SCHEDULE} left,"
    f" it is too early to renew, and a run starts every {RETRY}. With {RENEW} left, claude renews"
    " the token, the run writes the new one to .env, and it is fresh. If that fails, .env is"
    f" unchanged, and a run retries every {RETRY}. If the login itself has ended, only a person can"
    " help: after a login, the next run does the rest."
)

WIDTH, HEIGHT, MARGIN = 600, 480, 20
BOX, ROWS = 218, ((68, 104), (232, 84), (376, 84))  # top and height of each row
LEFT, RIGHT = MARGIN, WIDTH - MARGIN - BOX
PADDING, LINE, ROUND = 15, 20, 8


@dataclass(frozen=True)
class State:
    """A box. Its kind determines its colours."""

    kind: str
    title: str
    facts: tuple[str, ...]
    next_run: tuple[str, ...]
    x: int
    row: int

    def draw(self) -> str:
        """Return the box with its texts."""
        top, height = ROWS[self.row]
        x = self.x + PADDING
        texts = [
            f'<text{kind} x="{x}" y="{top + 50 + LINE * number}">{escape(line)}</text>'
            for number, (kind, line) in enumerate(
                [("", line) for line in self.facts]
                + [(' class="m"', line) for line in self.next_run]
            )
        ]
        return "\n".join([
            f'<g class="{self.kind}">',
            f'<rect x="{self.x}" y="{top}" width="{BOX}" height="{height}" rx="{ROUND}"/>',
            f'<text class="h" x="{x}" y="{top + 27}">{escape(self.title)}</text>',
            *texts,
            "</g>",
        ])  # fmt: skip


@dataclass(frozen=True)
class Edge:
    """An arrow along `points`. Its label starts at `at`. An arrow for a person has a figure."""

    points: tuple[tuple[int, int], ...]
    at: tuple[int, int]
    label: tuple[str, ...]
    anchor: str = "start"
    is_of_person: bool = False

    def draw(self) -> str:
        """Return the arrow, and the label beside it."""
        x, y = self.at
        kind = "p" if self.is_of_person else "e"
        found = [f'<path class="{kind}" d="{_path(self.points)}" marker-end="url(#{kind})"/>']
        if self.is_of_person:
            found.append(f'<use href="#person" x="{x}" y="{y - 12}"/>')
        for number, line in enumerate(self.label):
            left = x + 20 if self.is_of_person and not number else x
            colour = "n" if self.is_of_person and not number else "l"
            anchor = "" if self.anchor == "start" else f' text-anchor="{self.anchor}"'
            found.append(
                f'<text class="{colour}" x="{left}" y="{y + 18 * number}"{anchor}>'
                f"{escape(line)}</text>"
            )
        return "\n".join(found)


def _path(points: tuple[tuple[int, int], ...]) -> str:
    """Return the path along the points, with rounded corners."""
    steps = [f"M{points[0][0]} {points[0][1]}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        first, second = _towards(corner, before), _towards(corner, after)
        steps.append(f"L{first[0]} {first[1]}Q{corner[0]} {corner[1]} {second[0]} {second[1]}")
    return "".join([*steps, f"L{points[-1][0]} {points[-1][1]}"])


def _towards(corner: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    dx, dy = (max(-ROUND, min(ROUND, b - a)) for a, b in zip(corner, other, strict=True))
    return corner[0] + dx, corner[1] + dy


STATES = (
    State(
        "good", "Fresh", (".env has the token",),
        (f"Next run: {SCHEDULE} before", f"expiry, in {LONGEST} at most"), LEFT, 0,
    ),
    State(
        "soon", "Last half hour", (".env has the token", "Too early to renew it"),
        (f"Next run: in {RETRY}",), RIGHT, 0,
    ),
    State("busy", "Renewal", ("claude renews the", "token for the run"), (), RIGHT, 1),
    State("failing", "Failing", (".env is unchanged",), (f"Next run: in {RETRY}",), RIGHT, 2),
    State("ended", "Login ended", ("Only a person can help",), (f"Next run: in {RETRY}",), LEFT, 2),
)  # fmt: skip
EDGES = (
    Edge(((LEFT + 24, 40), (LEFT + 24, 66)), (LEFT + 17, 29),
         ("A person logs in and starts the first run",), is_of_person=True),
    Edge(((LEFT + BOX, 120), (RIGHT - 2, 120)), (WIDTH // 2, 110), (f"{SCHEDULE} left",), "middle"),
    Edge(((RIGHT + 24, 172), (RIGHT + 24, 230)), (RIGHT + 36, 206), (f"{RENEW} left",)),
    Edge(((RIGHT, 274), (LEFT + 176, 274), (LEFT + 176, 174)), (LEFT + 188, 246),
         ("renewed, and", "written to .env")),
    Edge(((RIGHT + 24, 316), (RIGHT + 24, 374)), (RIGHT + 36, 350), ("it fails",)),
    Edge(((RIGHT + 114, 376), (RIGHT + 114, 318)), (RIGHT + 126, 350), ("it retries",)),
    Edge(((RIGHT, 418), (LEFT + BOX + 2, 418)), (WIDTH // 2, 390), ("the login", "has ended"),
         "middle"),
    Edge(((LEFT + 24, 376), (LEFT + 24, 174)), (LEFT + 36, 312),
         ("A person logs in,", "and the next run", "does the rest"), is_of_person=True),
)  # fmt: skip


def style(palette: Palette) -> str:
    """Return the style sheet, which sets the colours."""
    kinds = [
        f".{kind} rect{{fill:{tint};stroke:{getattr(palette, kind)}}}"
        f".{kind} .h{{fill:{getattr(palette, kind)}}}"
        for kind, tint in palette.tints.items()
    ]
    return "\n".join([
        f"text{{font:15px {SANS};fill:{palette.text}}}",
        ".h{font-size:17px;font-weight:600}",
        f".m,.l{{fill:{palette.muted}}}",
        ".l,.n{font-size:14px}",
        f".n{{fill:{palette.person}}}",
        f".card{{fill:{palette.canvas};stroke:{palette.frame}}}",
        "rect{stroke-width:1.25}",
        ".e,.p{fill:none;stroke-width:1.75}",
        f".e{{stroke:{palette.muted}}}.p{{stroke:{palette.person}}}",
        f"#e{{fill:{palette.muted}}}#p,#person{{fill:{palette.person}}}",
        *kinds,
    ])  # fmt: skip


def arrow_heads() -> str:
    """Return the markers at the ends of arrows."""
    return "".join(
        f'<marker id="{kind}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="9"'
        ' markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0.5L10 5L0 9.5z"/></marker>'
        for kind in "ep"
    )


def draw(palette: Palette) -> str:
    """Return the picture as an SVG."""
    figure = '<g id="person"><circle cx="7" cy="3.5" r="3.5"/><path d="M0 14a7 6 0 0 1 14 0z"/></g>'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(TITLE)}</title>',
        f'<desc id="desc">{escape(ABOUT)}</desc>',
        f"<style>\n{style(palette)}\n</style>",
        f"<defs>{arrow_heads()}{figure}</defs>",
        f'<rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="12"/>',
        *(edge.draw() for edge in EDGES),
        *(state.draw() for state in STATES),
        "</svg>\n",
    ])  # fmt: skip
