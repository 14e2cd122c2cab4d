"""Projects with unusual names under a real systemd user manager."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.support.system.systemd_project import FORMS, HOP_DEADLINE_S, TOKEN_PREFIX, Project, start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.system.systemd_manager import UserManager

ODD_NAMES = {
    "space": "two words",
    "dollar": "$HOME ${HOME} $$ $",
    "percent": "100%h %% %",
    "quotes": """it's a "project" `true`""",
    "backslash": r"a\x20b \\ c\n",
    "semicolon": "a ; b; c",
    "unicode": "Überprojekt 計画",
    "newline": "two\nlines",
    "tab": "a\tb\rc",
}


def odd_projects(
    manager: UserManager, tmp_path: Path, form: str, life_s: int
) -> dict[str, Project]:
    """Return a project for each name, in its path and its settings, after one manual run."""
    projects = {}
    for key, name in ODD_NAMES.items():
        root = tmp_path / "projects" / name
        settings = {
            "CLAUDE_CONFIG_DIR": str(root / f"config {name}"),
            "OAUTHKIT_DOTENV": str(root / f"dotenv {name}"),
            "OAUTHKIT_LOG": str(root / "logs" / f"log {name}"),
            "OAUTHKIT_UNIT": f"odd-{key}",
        }
        config = root / f"config {name}"
        projects[key] = Project(
            manager, root, form, unit=f"odd-{key}", config=config, settings=settings
        )
        projects[key].login(life_s=life_s)
        start(projects[key])
    return projects


def wait_for_second_runs(projects: dict[str, Project]) -> None:
    """Wait until a timer or the manager has started each project a second time."""
    end_s = time.monotonic() + HOP_DEADLINE_S
    while time.monotonic() < end_s and not all(len(p.runs()) > 1 for p in projects.values()):
        time.sleep(0.1)
    dead = {key: p.report() for key, p in projects.items() if len(p.runs()) < 2}
    assert not dead, "\n".join(dead.values())


@pytest.mark.parametrize("form", FORMS)
def test_timer_starts_the_script_with_any_path_and_settings(
    manager: UserManager, tmp_path: Path, form: str
) -> None:
    projects = odd_projects(manager, tmp_path, form, life_s=-60)
    wait_for_second_runs(projects)
    for key, project in projects.items():
        assert project.runs()[1].service == f"odd-{key}.service"
        assert project.runs()[1].token == f"{TOKEN_PREFIX}1"
        assert project.dotenv.read_text(encoding="utf-8").startswith("CLAUDE_CODE_OAUTH_TOKEN=")
        # So its timers are replaced.
        assert project.log_lines(" does not belong to this project") == []
