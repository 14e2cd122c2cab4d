"""Draw the pictures in docs/. With --check, only name the stale ones."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.pictures import architecture, fleet, status_picture, token_life
from tools.pictures.palette import PALETTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.pictures.palette import Palette

DOCS = Path(__file__).parents[2] / "docs"
SUBJECTS: dict[str, Callable[[Palette], str]] = {
    "architecture": architecture.PLAN.draw,
    "fleet": fleet.PLAN.draw,
    "token-life": token_life.draw,
    "status": status_picture.draw,
}


def pictures() -> dict[Path, str]:
    """Return the current content of each file."""
    return {
        DOCS / f"{subject}-{palette.name}.svg": draw(palette)
        for subject, draw in SUBJECTS.items()
        for palette in PALETTES
    }


def stale() -> list[Path]:
    """Return the files whose content is not current."""
    return [
        file
        for file, svg in pictures().items()
        if not file.is_file() or file.read_text(encoding="utf-8") != svg
    ]


def main() -> int:
    """Write the stale files and return 0. With --check, return 1 if there are any."""
    parser = argparse.ArgumentParser(prog="scripts/pictures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1: stale")
    is_check = parser.parse_args().check
    found = stale()
    for file in found:
        print(f"{file}: {'stale' if is_check else 'drawn'}")
        if not is_check:
            file.write_text(pictures()[file], encoding="utf-8")
    return 1 if found and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
