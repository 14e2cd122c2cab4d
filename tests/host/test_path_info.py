"""Files are read up to a limit."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.runtime_library.bash_bodies import run_python

from oauthkit.host.path_info import (
    FILE,
    MAX_FILE_BYTES,
    Content,
    access_fix,
    leads_away,
    leads_nowhere,
    read,
    real_path,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.host.host_project import HostProject

TERABYTE = 1 << 40


def test_file_of_the_largest_size(tmp_path: Path) -> None:
    file = tmp_path / "file"
    data = os.urandom(MAX_FILE_BYTES)
    file.write_bytes(data)
    assert read(file) == Content(data, kind=FILE)
    assert read(file, 1000) == Content(data[-1000:], kind=FILE)
    file.write_bytes(data + b"x")
    assert read(file) == Content(
        b"",
        f"{file} is larger than 1 MiB",
        f"check its owner before you change anything: ls -ld {file}",
        FILE,
    )
    assert read(file, 1000) == Content(data[-999:] + b"x", kind=FILE)


def test_link_that_vanishes_while_it_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user removes it in os.path.realpath, between lstat(2) and readlink(2)."""
    file = tmp_path / "closed"
    file.symlink_to("closed")

    def follow(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os.path, "realpath", follow)
    assert read(file).problem == f"{file} is a link that leads to itself"
    assert real_path(file) == file
    assert leads_away(file)


def test_file_that_vanishes_while_it_is_inspected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container of the main group could end the watch by removing .env at this moment."""
    file = tmp_path / "file"
    file.touch()

    def access(path: Path, right: int) -> bool:
        if path == file and right == os.R_OK:
            file.unlink()
        return right != os.R_OK

    monkeypatch.setattr(os, "access", access)
    fix = f"check its owner before you change anything: ls -ld {file}"
    assert access_fix(file, os.R_OK) == fix


@pytest.mark.usefixtures("little_memory")
def test_sparse_file_of_a_terabyte(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as stream:
        stream.truncate(TERABYTE)
    assert read(file).problem == f"{file} is larger than 1 MiB"
    assert read(file, 10).data == bytes(10)


@pytest.mark.parametrize("name", ["dotenv", "credentials"])
def test_huge_file_in_the_output_of_doctor_and_status(live: HostProject, name: str) -> None:
    file: Path = getattr(live, name)
    with file.open("ab") as stream:
        stream.truncate(TERABYTE)
    said = f"{file} is larger than 1 MiB"
    assert said in live.run("doctor").stdout
    assert said in "".join(live.status()["warnings"])


@pytest.mark.parametrize("has_writer", [False, True])
@pytest.mark.parametrize("most_bytes", ["None", "10"])
def test_fifo_in_place_of_a_file_does_not_block(
    tmp_path: Path, has_writer: bool, most_bytes: str
) -> None:
    """Another user has exchanged it between the check and the open."""
    file = tmp_path / "file"
    os.mkfifo(file)
    program = (
        "import os, sys; from pathlib import Path; from oauthkit.host import path_info as p\n"
        "writer = os.open(sys.argv[1], os.O_RDWR) if sys.argv[2:] else None\n"
        "p.inspect_path = lambda _: p.PathInfo(p.FILE)\n"
        f"print(p.read(Path(sys.argv[1]), {most_bytes}).problem, end='')\n"
    )
    try:
        printed = run_python(program, str(file), *["writer"] * has_writer)
    except subprocess.TimeoutExpired:
        pytest.fail("read waits for a FIFO")
    assert printed == f"{file} is not a file but a FIFO"


def test_link_below_a_regular_file_leads_nowhere(tmp_path: Path) -> None:
    """A file cannot be created at its target, as claude would do."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file/x")
    assert leads_nowhere(link)
