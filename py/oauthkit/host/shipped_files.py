"""The files that this version ships."""

from __future__ import annotations

from pathlib import Path

# The script's path in a project.
SCRIPT = "scripts/oauth/refresh.sh"
FOLLOW_SCRIPT = "scripts/oauth/follow.sh"
# Its siblings. A refresh starts publish.sh if there is a store, and on a host without a login,
# follow.sh.
STORE_SCRIPTS = ("scripts/oauth/publish.sh", FOLLOW_SCRIPT)
# The files that adopt writes into a checkout of NanoClaw, with their modes.
CHECKOUT_FILES = {
    **dict.fromkeys((SCRIPT, *STORE_SCRIPTS), 0o755),
    "scripts/oauth/README.md": 0o644,
    "container/skills/refresh-oauth/SKILL.md": 0o644,
}


def script_of(program: str) -> str:
    """Return the path of a program's script in a project."""
    return f"scripts/oauth/{program}.sh"


def shipped_path(name: str) -> Path:
    """Return the path of a shipped file: _data/NAME in the wheel, else its path in the checkout."""
    package = Path(__file__).parents[1]
    in_wheel = package / "_data" / Path(name).name
    return in_wheel if in_wheel.is_file() else package.parents[1] / name
