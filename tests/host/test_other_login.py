"""The units of a project have another CLAUDE_CONFIG_DIR than the operator's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.host.doctor_host import SCRIPT, fake_manager, shown

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


@pytest.fixture
def elsewhere(well: HostProject) -> str:
    """Move the login to a directory that only the units name. Return it."""
    directory = well.home / "second account"
    well.credentials.parent.rename(directory)
    path = f'{well.bin}" "CLAUDE_CONFIG_DIR={directory}'
    unit = shown(f"/bin/bash {well.project}/{SCRIPT}", path)
    fake_manager(well, heal=unit, show=unit)
    return str(directory)


def test_only_the_login_of_this_shell_is_wrong(well: HostProject, elsewhere: str) -> None:
    """A refresh from this shell would deliver another account's token."""
    text = f"the scheduled runs use the login in {elsewhere}, and this shell another"
    fix = f"export CLAUDE_CONFIG_DIR='{elsewhere}'"
    assert well.status()["warnings"] == [f"{text}. Run: {fix}"]
    done = well.run("doctor")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [f"FAIL  login: {text}", f"      fix: {fix}"]
    assert well.status(CLAUDE_CONFIG_DIR=elsewhere)["warnings"] == []
    assert well.run("doctor", CLAUDE_CONFIG_DIR=elsewhere).returncode == 0
