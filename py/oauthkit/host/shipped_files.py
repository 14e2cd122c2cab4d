"""The files that this version ships."""

from __future__ import annotations

from pathlib import Path

# Where a project has the script.
SCRIPT = "scripts/oauth/refresh.sh"
# What a checkout of NanoClaw gets: where it goes, and its mode.
GIVEN = {
    SCRIPT: 0o755,
    "scripts/oauth/README.md": 0o644,
    "container/skills/refresh-oauth/SKILL.md": 0o644,
}


def carried(name: str) -> Path:
    """Return the path of a shipped file: in the wheel, under its last name, or in the checkout."""
    package = Path(__file__).parents[1]
    in_wheel = package / "_data" / Path(name).name
    return in_wheel if in_wheel.is_file() else package.parents[1] / name
