"""The files that this version ships."""

from __future__ import annotations

from pathlib import Path

# The script's path in a project.
SCRIPT = "scripts/oauth/refresh.sh"
# The files that adopt writes into a checkout of NanoClaw, with their modes.
CHECKOUT_FILES = {
    SCRIPT: 0o755,
    "scripts/oauth/README.md": 0o644,
    "container/skills/refresh-oauth/SKILL.md": 0o644,
}


def shipped_path(name: str) -> Path:
    """Return the path of a shipped file: _data/NAME in the wheel, else its path in the checkout."""
    package = Path(__file__).parents[1]
    in_wheel = package / "_data" / Path(name).name
    return in_wheel if in_wheel.is_file() else package.parents[1] / name
