"""Draw the pictures of the docs into docs/. With --check, only name those that are stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.pictures import architecture, status_picture, token_life
from tools.pictures.palette import PALETTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.pictures.palette import Palette

DOCS = Path(__file__).parents[2] / "docs"
SUBJECTS: dict[str, Callable[[Palette], str]] = {
    "architecture": architecture.draw,
    "token-life": token_life.draw,
    "status": status_picture.draw,
}


def pictures() -> dict[Path, str]:
    """Each file, and what it is to hold."""
    return {
        DOCS / f"{subject}-{palette.name}.svg": draw(palette)
        for subject, draw in SUBJECTS.items()
        for palette in PALETTES
    }


def stale() -> list[Path]:
    """The files that do not hold what is drawn today."""
    return [
        file
        for file, svg in pictures().items()
        if not file.is_file() or file.read_text(encoding="utf-8") != svg
    ]


def main() -> int:
    """Writes what is stale: 0; or with --check, 1 if anything is."""
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
