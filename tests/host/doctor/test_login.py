"""oauthkit doctor's checks of the login, and claude's lock."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import examined
from tests.support.host.host_project import (
    quoted,
)

from oauthkit.host.project import CONF_FILE

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_login_that_is_a_link_to_nowhere(well: HostProject) -> None:
    """Claude Code might write through the link, which fails."""
    well.credentials.unlink()
    well.credentials.symlink_to(well.home / "gone/credentials.json")
    _, failed, fixes = examined(well)
    text = f"{well.credentials} is a link that leads nowhere"
    away = f"mv {quoted(well.credentials)} {quoted(well.credentials)}.old"
    assert failed["login"] == text
    assert fixes["login"] == f"{away} && claude auth login"
    assert f"{text}: {fixes['login']}" in well.status()["warnings"]


@pytest.mark.parametrize("name", ["../code/notes", "../code/deps"])
def test_lock_that_claude_did_not_create_is_kept(well: HostProject, name: str) -> None:
    """CLAUDE_CONFIG_DIR in a hostile refresh.conf can make any NAME.lock look like claude's."""
    code = well.home / "code"
    (code / "notes.lock").mkdir(parents=True)
    (code / "notes.lock/mine").touch()
    (code / "deps.lock").touch()
    for file in (code / "notes.lock", code / "deps.lock"):
        os.utime(file, (1, 1))
    conf = well.project / CONF_FILE
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(f"CLAUDE_CONFIG_DIR={code / Path(name).name}\n", "utf-8")
    fix = examined(well)[2].get("claude's lock", ":")
    subprocess.run(["/bin/sh", "-c", fix], check=False)
    assert (code / "notes.lock/mine").exists()
    assert (code / "deps.lock").exists()
