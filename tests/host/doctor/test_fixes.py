"""Fixes of doctor and status change only the user's and the project's files."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import examined
from tests.support.host.host_project import quoted

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject

OTHER_UID = 4711
# A command in a fix that changes what it names.
CHANGES = re.compile(r"\b(sudo (?!apt-get)|mount|timedatectl|chmod|chown|mv|sed|cp|mkdir)\b")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Create an unreadable file of another user, in a directory of theirs."""
    if os.geteuid() != 0:
        return Path("/etc/shadow")
    file = tmp_path / "other/etc/shadow"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    for path in (file, *file.parents[:2]):
        os.chown(path, OTHER_UID, OTHER_UID)
    return file


def findings_about(host: HostProject, path: Path) -> list[tuple[str, str]]:
    """Return the findings about a path, with their fixes. Check that none changes it."""
    lines = host.run("doctor").stdout.splitlines()
    found = [
        (line, fix.partition(" fix: ")[2])
        for line, fix in zip(lines, [*lines[1:], ""], strict=True)
        if fix.startswith("      fix: ") and str(path) in line + fix
    ]
    assert not [fix for _, fix in found if CHANGES.search(fix)]
    return found


@pytest.mark.parametrize("name", ["dotenv", "credentials", "log"])
def test_link_to_a_file_of_another_user(well: HostProject, secret: Path, name: str) -> None:
    well.without_override()
    link: Path = getattr(well, name)
    link.unlink()
    link.symlink_to(secret)
    found = findings_about(well, secret)
    fix = f"check its owner before you change anything: ls -ld {quoted(link)} {quoted(secret)}"
    assert fix in {fix for _, fix in found}
    if name != "log":
        assert any(f"{link} leads to {secret}, which is not readable" in line for line, _ in found)
    assert not [text for text in well.status()["warnings"] if CHANGES.search(text)]


def test_project_of_another_user(well: HostProject, secret: Path) -> None:
    if os.geteuid() == 0:
        (secret.parent / "package.json").touch()
    well.without_override()
    well.project = secret.parent
    found = findings_about(well, well.project)
    if os.geteuid() != 0:  # it is /etc, which is not a project
        assert {fix for _, fix in found} == {"pass --project DIR"}
        return
    fix = f"check its owner before you change anything: ls -ld {quoted(well.project)}"
    assert fix in {fix for _, fix in found}
    assert f"{well.project} cannot be written" in "".join(line for line, _ in found)


# What may be changed if it is in the project, by the check that finds it. A linked script is in
# test_project.py: its link is replaced, and its target is not changed.
BY_A_LINK = {
    ".env": ".env's mode",
    "logs": "logs",
    "scripts/oauth/hooks/failed": "hook 'failed'",
}


@pytest.mark.parametrize(("name", "check"), BY_A_LINK.items(), ids=BY_A_LINK)
def test_file_of_the_user_where_a_link_leads_out_of_the_project(
    well: HostProject, name: str, check: str
) -> None:
    well.without_override()
    link = well.project / name
    link.parent.mkdir(exist_ok=True)
    target = well.home / "mine"
    if link.exists():
        link.rename(target)
    else:
        target.write_text("mine", "utf-8")
    target.chmod(0o555 if target.is_dir() else 0o644)
    link.symlink_to(target)
    found = findings_about(well, link)
    assert any(f"  {check}: " in line for line, _ in found), found


def test_keys_in_a_file_where_a_link_leads_out_of_the_project(well: HostProject) -> None:
    target = well.home / "env"
    well.dotenv.rename(target)
    well.dotenv.symlink_to(target)
    with target.open("a", encoding="utf-8") as file:
        file.write("ANTHROPIC_API_KEY=x\n")
    (_, fix) = findings_about(well, well.dotenv)[-1]
    assert fix.startswith("check its owner before you change anything: ls -ld ")
    subprocess.run(["/bin/sh", "-c", fix.partition(": ")[2]], check=True)
    assert examined(well)[1].keys() == {"ANTHROPIC_API_KEY"}
