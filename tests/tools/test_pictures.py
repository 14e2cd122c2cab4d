"""The pictures in docs are up to date and readable."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import pytest
from tools.pictures import architecture, draw, fleet, status_picture, token_life
from tools.pictures.palette import PALETTES, contrast

if TYPE_CHECKING:
    from pathlib import Path

    from tools.pictures.palette import Palette
    from tools.pictures.room import Room
    from tools.pictures.token_life import Edge

ROOT = draw.DOCS.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The pages that show a picture. The README shows all others.
PAGES = {
    name: (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    for name in ("architecture", "fleet")
}
PLANS = {"architecture": architecture.PLAN, "fleet": fleet.PLAN}
ROOMS = [
    pytest.param(room, id=f"{name} {room.title}")
    for name, plan in PLANS.items()
    for room in plan.rooms
]
FILES = [draw.DOCS / f"{name}-{palette.name}.svg" for name in draw.SUBJECTS for palette in PALETTES]
SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]  # left, top, right, bottom

both_themes = pytest.mark.parametrize("palette", PALETTES, ids=lambda palette: palette.name)
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def test_no_picture_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal and the time zone do not matter. scripts/pictures updates the pictures."""
    assert draw.stale() == []
    with monkeypatch.context() as changed:
        for name, value in {
            "TZ": "XYZ-5", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "20",
        }.items():  # fmt: skip
            changed.setenv(name, value)
        assert draw.stale() == []
    time.tzset()


def test_check_names_stale_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(draw, "DOCS", tmp_path)
    monkeypatch.setattr("sys.argv", ["draw.py", "--check"])
    assert draw.main() == 1
    assert capsys.readouterr().out.count(": stale\n") == len(FILES)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("sys.argv", ["draw.py"])
    assert draw.main() == 0
    assert [file.read_bytes() for file in FILES] == [
        (tmp_path / file.name).read_bytes() for file in FILES
    ]


@every_file
def test_picture_is_self_contained_and_has_a_description(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - trusted input
    assert root.attrib["role"] == "img"
    for name in root.attrib["aria-labelledby"].split():
        (element,) = root.findall(f"{SVG}{name}[@id='{name}']")
        assert element.text
    # Nothing is loaded from another host: neither fonts nor styles nor pictures.
    assert text.count("://") == text.count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert not re.search(r"@font-face|@import|<(script|image|foreignObject)\b", text)
    ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
    named = set(re.findall(r"url\(#([\w-]+)\)|href=\"#([\w-]+)\"", text))
    # rich defines no clip path for the last line, so that line is not clipped
    assert {a or b for a, b in named} - ids <= {"t-line-9"}
    assert len(text.encode()) < 10_000


@pytest.mark.parametrize("subject", draw.SUBJECTS)
def test_page_shows_the_picture_in_both_themes(subject: str) -> None:
    page, directory = (PAGES[subject], "") if subject in PAGES else (README, "docs/")
    found = re.findall(
        r"<picture>\n"
        r'  <source media="\(prefers-color-scheme: dark\)"'
        rf' srcset="{directory}{subject}-dark.svg">\n'
        rf'  <img src="{directory}{subject}-light.svg" alt="([^"]+)">\n'
        r"</picture>\n",
        page,
    )
    (alt,) = found
    assert len(alt) > 100
    times = (token_life.RENEW, token_life.SCHEDULE, token_life.RETRY, token_life.LONGEST)
    assert subject != "token-life" or [time for time in times if time not in alt] == []


def test_output_in_the_manual_is_up_to_date() -> None:
    """The manual's example has a login that ends soon."""
    page = (ROOT / "docs/status.md").read_text(encoding="utf-8")
    shown = status_picture.status(login_left_s=2.5 * status_picture.DAY_S)
    text = "\n".join(status_picture.rows(status_picture.record(shown, columns=90))[1:])
    assert f"\n```\n{text}\n```\n" in page


# --- Readability ---


@both_themes
def test_every_text_has_enough_contrast(palette: Palette) -> None:
    kinds = ("good", "soon", "busy", "failing", "ended")
    pairs = [(colour, palette.canvas) for colour in (palette.text, palette.muted, palette.person)]
    for kind in kinds:
        pairs += [
            (getattr(palette, kind), palette.tints[kind]),
            (palette.text, palette.tints[kind]),
        ]
        pairs += [(getattr(palette, kind), palette.canvas), (palette.muted, palette.tints[kind])]
    assert {pair: contrast(*pair) for pair in pairs if contrast(*pair) < 4.5} == {}


def around(text: str, x: float, y: float, size: int, *, is_middle: bool = False) -> Box:
    """Return the box of a line of text in the widest common font."""
    width = 0.55 * size * len(text)
    left = x - width / 2 if is_middle else x
    return left, y - 0.78 * size, left + width, y + 0.22 * size


def labels(edges: tuple[Edge, ...]) -> list[tuple[str, Box]]:
    """Return the label lines of arrows."""
    found = []
    for edge in edges:
        for number, line in enumerate(edge.label):
            y = edge.at[1] + 18 * number
            box = around(line, edge.at[0], y, 14, is_middle=edge.anchor == "middle")
            moved = 20 if edge.is_of_person and not number else 0
            if edge.anchor == "end":
                moved = round(box[0] - box[2])
            found.append((line, (box[0] + moved, box[1], box[2] + moved, box[3])))
    return found


def frames(subject: str) -> list[tuple[str, Box]]:
    """Return the boxes of a picture."""
    if subject in PLANS:
        return [
            (room.title, (room.x, room.row[0], room.x + room.width, sum(room.row)))
            for room in PLANS[subject].rooms
        ]
    return [
        (state.title, (
            state.x, token_life.ROWS[state.row][0],
            state.x + token_life.BOX, sum(token_life.ROWS[state.row]),
        ))
        for state in token_life.STATES
    ]  # fmt: skip


def arrows(edges: tuple[Edge, ...]) -> list[tuple[str, Box]]:
    """Return the segments of arrows, with the margin of an arrow's head."""
    return [
        (f"{edge.label} {number}", (
            min(a[0], b[0]) - 5, min(a[1], b[1]) - 5, max(a[0], b[0]) + 5, max(a[1], b[1]) + 5,
        ))
        for edge in edges
        for number, (a, b) in enumerate(pairwise(edge.points))
    ]  # fmt: skip


def meet(first: Box, second: Box) -> bool:
    """Return whether two boxes overlap."""
    return (
        first[0] < second[2] and second[0] < first[2]
        and first[1] < second[3] and second[1] < first[3]
    )  # fmt: skip


@pytest.mark.parametrize("subject", ["token-life", *PLANS])
def test_labels_do_not_overlap(subject: str) -> None:
    plan = PLANS.get(subject)
    edges = plan.edges if plan else token_life.EDGES
    found = labels(edges)
    assert found != []
    pairs = [*combinations(found, 2)]
    pairs += [(label, other) for label in found for other in [*frames(subject), *arrows(edges)]]
    assert [(a[0], b[0]) for a, b in pairs if meet(a[1], b[1])] == []
    card = (0, 0, token_life.WIDTH, plan.height if plan else token_life.HEIGHT)
    for _, (left, top, right, bottom) in found:
        assert card[0] < left < right < card[2]
        assert card[1] < top < bottom < card[3]


@pytest.mark.parametrize("subject", PLANS)
def test_boxes_and_arrows_do_not_overlap(subject: str) -> None:
    """An arrow starts and ends at the edge of a box."""
    plan = PLANS[subject]
    boxes = frames(subject)
    assert [(a[0], b[0]) for a, b in combinations(boxes, 2) if meet(a[1], b[1])] == []
    for _, (_, top, _, bottom) in boxes:
        assert 0 < top < bottom < plan.height
    for edge in plan.edges:
        (x, start), (_, end) = edge.points
        sides = [y for _, box in boxes if box[0] < x < box[2] for y in (box[1], box[3])]
        assert [abs(start - y) <= 2 for y in sides].count(True) == 1
        assert [abs(end - y) == 2 for y in sides].count(True) == 1


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_fits_its_space(room: Room) -> None:
    right = room.x + room.width - 8
    assert [line for line in room.facts if around(line, room.x + 15, 0, 15)[2] > right] == []
    assert around(room.title, room.x + 15, 0, 18)[2] < right
    assert 50 + 20 * (len(room.facts) - 1) + 10 <= room.row[1]


@pytest.mark.parametrize("state", token_life.STATES, ids=lambda state: state.title)
def test_every_text_fits_its_box(state: token_life.State) -> None:
    x = state.x + token_life.PADDING
    lines = [*state.facts, *state.next_run]
    edge = state.x + token_life.BOX - token_life.PADDING / 2
    assert [line for line in lines if around(line, x, 0, 15)[2] > edge] == []
    assert around(state.title, x, 0, 18)[2] < edge
    assert 50 + token_life.LINE * (len(lines) - 1) + 10 <= token_life.ROWS[state.row][1]
