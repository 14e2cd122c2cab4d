"""A picture of a terminal with the output of `oauthkit status` for a made-up project."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from tools.pictures.palette import MONO

from oauthkit.host.project import ProjectPaths
from oauthkit.host.status.coverage import measure
from oauthkit.host.status.log import RENEWED, Entry
from oauthkit.host.status.login import Dotenv, Login
from oauthkit.host.status.model import Status
from oauthkit.host.status.text_output import show
from oauthkit.host.systemd.client import Timer
from oauthkit.host.systemd.services import Schedule
from oauthkit.program.schedule import DEFAULT_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.pictures.palette import Palette

COLUMNS = 66
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
NOW_S = datetime(2026, 11, 25, 16, 42, tzinfo=timezone.utc).timestamp()
TOKEN = "sk-ant-oat01-made-up"
TITLE = "What oauthkit status shows"
PROMPT = "~/nanoclaw $ oauthkit status"

# Rich's own template loads a font from another host. Rich fills in the fields in {{}}.
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{shown_width}" height="{shown_height}"\
 viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">
<title id="title">{title}</title>
<desc id="desc">{about}</desc>
<style>
.t-matrix{{{{font:{{char_height}}px {mono}}}}}
{{styles}}
</style>
<defs>
{{lines}}
</defs>
<rect x="1" y="1" width="{inner_width}" height="{inner_height}" rx="12" fill="{canvas}"\
 stroke="{frame}" stroke-width="1.25"/>
<g fill="{frame}"><circle cx="30" cy="27" r="6"/><circle cx="50" cy="27" r="6"/>\
<circle cx="70" cy="27" r="6"/></g>
<g class="t-matrix" transform="translate({margin} {top})">
{{matrix}}
</g>
</svg>
"""
MARGIN, TOP, BOTTOM, LINE = 24, 48, 18, 24.4


def journal() -> list[Entry]:
    """Return a log of about seven days, with a renewal every 7 h 55 min, and one gap."""
    found = []
    at_s = NOW_S - 7 * DAY_S - 4 * HOUR_S
    while at_s < NOW_S:
        expires_at_s = at_s + 8 * HOUR_S
        found.append(Entry(at_s, RENEWED))
        found.append(
            Entry(at_s, f"Updated .env with token (expires_at={int(expires_at_s * 1000)})")
        )
        is_down = len(found) == 22
        at_s = expires_at_s + (3 * HOUR_S if is_down else -5 * MINUTE_S)
    return found


def status(login_left_s: float = 19 * DAY_S) -> Status:
    """Return the state that the command collects for a project with a live token."""
    home = Path("/home/me")
    project = home / "nanoclaw"
    entries = journal()
    renewed_s, expires_at_s = entries[-1].at_s, entries[-1].expires_at_s
    assert expires_at_s is not None
    return Status(
        ProjectPaths(
            project, home, home / ".claude/.credentials.json", project / ".env",
            project / "logs/oauth-refresh.log", DEFAULT_UNIT,
        ),
        NOW_S,
        Login("", TOKEN, expires_at_s, NOW_S + login_left_s),
        Dotenv("", (TOKEN.encode(),)),
        Schedule((Timer(f"{DEFAULT_UNIT}.timer", expires_at_s - HOUR_S / 2),)),
        manager_problem="",
        crontab_line=None,
        last_renewal_s=renewed_s,
        failure=None,
        failing_since_s=None,
        coverage=measure(entries, NOW_S),
    )  # fmt: skip


@contextmanager
def fixed_environment() -> Iterator[None]:
    """Set TZ and PATH so that the picture is the same everywhere."""
    names = {"TZ": "UTC0", "PATH": str(Path(sys.executable).parent)}  # leads to oauthkit
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    time.tzset()
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
        time.tzset()


def record(shown: Status, columns: int = COLUMNS) -> Console:
    """Return a terminal that contains the command's output for a state."""
    console = Console(
        record=True, file=io.StringIO(), width=columns, height=40, force_terminal=True,
        color_system="truecolor", highlight=False,
    )  # fmt: skip
    console.print(Text(PROMPT, style="bright_black"))
    with fixed_environment():
        console.print(Text.from_ansi(show(shown, columns, is_colour=True)), end="")
    return console


def rows(console: Console) -> list[str]:
    """Return a terminal's content as plain text."""
    return [row.rstrip() for row in console.export_text(clear=False).splitlines()]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour's components."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def theme(palette: Palette) -> TerminalTheme:
    """Return a terminal's colours. Colours that the view does not use are the text's."""
    text, muted = rgb(palette.text), rgb(palette.muted)
    named = [text, rgb(palette.ended), rgb(palette.good), rgb(palette.soon), rgb(palette.busy)]
    return TerminalTheme(
        rgb(palette.canvas), text, [*named, text, text, text], [muted, *named[1:], text, text, text]
    )


def draw(palette: Palette) -> str:
    """Return the picture as an SVG."""
    console = record(status())
    text = rows(console)
    width, height = COLUMNS * 12 + 2 * MARGIN, round(len(text) * LINE) + TOP + BOTTOM
    template = TEMPLATE.format(
        title=TITLE, about=escape("\n".join(text)), mono=MONO, canvas=palette.canvas,
        frame=palette.frame, margin=MARGIN, top=TOP, width=width, height=height,
        shown_width=width * 5 // 6, shown_height=height * 5 // 6,
        inner_width=width - 2, inner_height=height - 2,
    )  # fmt: skip
    svg = console.export_svg(
        title="", theme=theme(palette), code_format=template, font_aspect_ratio=0.6, unique_id="t"
    )
    svg = re.sub(r"<text [^>]*>\n</text>\n?", "\n", svg)  # the line ends
    # A bar has no gaps in a font of any width.
    return svg.replace(" textLength=", ' lengthAdjust="spacingAndGlyphs" textLength=')
