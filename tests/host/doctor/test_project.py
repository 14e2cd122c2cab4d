"""oauthkit doctor's checks of the project's scripts and refresh.conf."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import SCRIPT, examined
from tests.support.host.host_project import (
    quoted,
)

from oauthkit.host.project import CONF_FILE

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_script_that_is_a_link_into_another_project(well: HostProject) -> None:
    """The scheduled runs would write the other project's .env."""
    other = well.project.with_name("other") / SCRIPT
    other.parent.mkdir(parents=True)
    script = well.project / SCRIPT
    script.rename(other)
    with other.open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    before = other.read_bytes()
    script.symlink_to(other)
    _, failed, fixes = examined(well)
    text = f"{script} leads to {other}, and does not refresh this project"
    assert failed == {"script": text}
    subprocess.run(["/bin/sh", "-c", fixes["script"]], check=True)
    assert (examined(well)[1], other.read_bytes()) == ({}, before)


@pytest.mark.parametrize("place", ["scripts/oauth/refresh.sh", "scripts/oauth"])
def test_script_is_not_copied_through_a_link(well: HostProject, place: str) -> None:
    """A link of the checkout may lead to any of the user's files."""
    path = well.project / place
    target = well.home / "own"
    if path.exists():
        path.rename(target)
    else:
        target.write_text("x", "utf-8")
    (target if target.is_file() else target / "refresh.sh").write_text("x", "utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    fix = examined(well)[2]["script"]
    moved = f"mv {quoted(path)} {quoted(path)}.old && cp "
    hint = "check its owner before you change anything: ls -ld "
    assert fix.startswith(moved if place.endswith(".sh") else hint)


def test_conf_that_cannot_be_read(well: HostProject) -> None:
    conf = well.project / CONF_FILE
    conf.mkdir()
    assert examined(well)[2]["setting"] == f"rmdir {quoted(conf)}"
