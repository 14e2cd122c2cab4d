"""oauthkit doctor's checks of the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.host.doctor_host import examined
from tests.support.host.host_project import (
    command,
)

if TYPE_CHECKING:
    from tests.support.host.host_project import HostProject


def test_file_problem_that_was_removed_needs_only_a_refresh(well: HostProject) -> None:
    well.lines((-60, f"ERROR: {well.dotenv} is not a file and is not changed"))
    well.failing.touch()
    refresh = command("refresh", well.project)
    assert examined(well)[2] == {"runs": refresh}
    well.dotenv.unlink()
    well.dotenv.mkdir()
    assert examined(well)[1]["runs"].endswith(". First apply the fixes above")


def test_error_about_files_that_no_check_finds_keeps_its_fix(well: HostProject) -> None:
    well.lines((-60, f"ERROR: {well.dotenv} would be larger than 256 KiB and is not changed"))
    well.failing.touch()
    assert examined(well)[2]["runs"].startswith("check what that file and the credentials contain")
