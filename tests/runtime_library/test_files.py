"""Both forms resolve paths and read files in the same way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plumbum import local
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_in_bash,
    few,
    files_with,
    run_python,
    texts,
)

from oauthkit import shell

PATHS = [
    "",
    ".",
    "..",
    "/",
    "//",
    "///",
    "/..",
    "~",
    "~/x",
    "a/../..",
    "/a/./b//c/",
    "a\n",
    " ",
    "*",
]


@few
@given(texts(["/", "//", ".", "..", "/../", "/./", "a", " ", "~", "*", "$HOME", "-"], longest=8))
@example(PATHS)
def test_absolute(inputs: list[str]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir("/usr/bin")
        wanted = [str(shell.absolute(text)) for text in inputs]
        found = call_in_bash("absolute", inputs, cwd=Path("/usr/bin"))
        paths = [os.path.normpath(Path("/usr/bin", text)) for text in inputs]
    assert wanted == [path.replace("//", "/") for path in paths]
    assert [result.reply for result in found] == wanted


def test_absolute_in_a_directory_reached_by_a_link(place: Path) -> None:
    (place / "real").mkdir()
    (place / "link").symlink_to("real")
    os.chdir(place / "link")
    # PWD is the caller's path to this directory. Both forms use the directory itself.
    env = {"PWD": str(place / "link")}
    (found,) = call_in_bash("absolute", ["x"], cwd=place / "link", env=env)
    assert found.reply == str(shell.absolute("x")) == str(place / "real" / "x")


def test_absolute_in_a_deleted_directory(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "gone").mkdir()
    os.chdir(place / "gone")
    (place / "gone").rmdir()
    assert str(shell.absolute("/x")) == "/x"
    with pytest.raises(SystemExit, match="1"):
        shell.absolute("x")
    assert (
        capfd.readouterr().err
        == "the working directory no longer exists. Change to another directory\n"
    )


CONTENTS = [b"", b"a", b"a\n", b"\n\n", b" a \\\r\n", b"\xff\xfe", b"\0", b"a\0", b"a\0b", b"\0b\0"]

BATCH = st.lists(st.binary(max_size=20), min_size=1, max_size=20)


@few
@given(BATCH)
@example(CONTENTS)
def test_read_file(contents: list[bytes]) -> None:
    with files_with(contents) as paths:
        python = [Result(*shell.read_file(path)) for path in paths]
        assert call_in_bash("read_file", paths) == python
    wanted = [Result(2, "") if b"\0" in c else Result(0, os.fsdecode(c)) for c in contents]
    assert python == wanted


@pytest.mark.parametrize("size", [256 * 1024, 256 * 1024 + 1, 256 * 1024 + 2])
@pytest.mark.parametrize("end", [b"", b"\0"])
def test_read_file_reads_256_kib(place: Path, size: int, end: bytes) -> None:
    text = b"x" * (size - len(end)) + end
    (place / "file").write_bytes(text)
    status = 3 if size > 256 * 1024 else 0
    if end and size <= 256 * 1024 + 1:  # later bytes are not read
        status = 2
    python = Result(*shell.read_file(str(place / "file")))
    assert python == Result(status, "" if status else text.decode())
    assert call_in_bash("read_file", [str(place / "file")]) == [python]


def test_same_file(place: Path) -> None:
    (place / "file").touch()
    (place / "other").touch()
    (place / "directory").mkdir()
    os.link(place / "file", place / "second")
    for link, target in (("link", "file"), ("dangling", "none"), ("to-directory", "directory")):
        (place / link).symlink_to(target)
    names = [
        "file", "other", "directory", "second", "link", "dangling", "to-directory", "none", "",
        "directory/..", ".", str(place), "directory/", "file/", "/dev/null", "-f", "!",
    ]  # fmt: skip
    pairs = [(first, second) for first in names for second in names]
    found = call_in_bash("same_file", pairs, cwd=place)
    os.chdir(place)
    assert [result.status == 0 for result in found] == [shell.same_file(*pair) for pair in pairs]


def test_change_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/b", "-", "-L", "x y", "n\n", "CDPATH/elsewhere"):
        (place / name).mkdir(parents=True)
    (place / "link").symlink_to("a/b")
    (place / "loop").symlink_to("loop")
    (place / "file").touch()
    names = [
        "a", "..", "a/b", "../..", "-", "-L", "../-L", "../link", "..", "../x y", "../n\n", "..",
        "", "file", "loop", "none", "elsewhere", "x" * 300, "./" * 3000, ".", "./.", "//",
        str(place),
    ]  # fmt: skip
    monkeypatch.chdir(place)
    statuses, directories = [], []
    for name in names:
        statuses.append(shell.change_directory(name))
        directories.append(f"{Path.cwd()}/")
    source = LIBRARY.read_text("utf-8")
    source += 'both() {\n  change_directory "$1"\n  set -- "$?"\n'
    source += '  REPLY=$(readlink -n /proc/self/cwd; echo /)\n  return "$1"\n}\n'
    env = {"CDPATH": f"{place}/CDPATH", "OLDPWD": "/usr"}
    found = call_in_bash("both", names, source=source, cwd=place, env=env)
    assert [result.status for result in found] == statuses
    assert [result.reply for result in found] == directories
    assert {*statuses} == {0, 1}


@pytest.mark.parametrize("kind", ["directory", "missing", "fifo"])
def test_not_a_file(place: Path, kind: str) -> None:
    path = place / "thing"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    assert call_in_bash("read_file", [str(path)]) == [Result(1, "")]
    # In a separate process, because a body that opens a FIFO waits forever.
    program = "import sys; from oauthkit import shell as s; print(s.read_file(sys.argv[1]), end='')"
    try:
        printed = run_python(program, str(path))
    except subprocess.TimeoutExpired:
        pytest.fail("read_file waits for a writer of a FIFO")
    assert printed == "(1, '')"


def test_failed_read_clears_the_text_of_the_previous_call(place: Path) -> None:
    source = LIBRARY.read_text("utf-8") + 'both() {\n  REPLY=before\n  read_file "$1"\n}\n'
    assert call_in_bash("both", [f"{place}/none"], source=source) == [Result(1, "")]


@pytest.mark.parametrize("has_writer", [False, True])
def test_fifo_in_place_of_a_file_does_not_block(place: Path, has_writer: bool) -> None:
    """In the Python form, another user replaces the file between the check and the open."""
    path = place / "thing"
    os.mkfifo(path)
    program = (
        "import os, sys; from oauthkit import shell as s\n"
        "writer = os.open(sys.argv[1], os.O_RDWR) if sys.argv[2:] else None\n"
        "os.path.isfile = lambda _: True\n"
        "print(s.read_file(sys.argv[1]), end='')\n"
    )
    try:
        printed = run_python(program, str(path), *["writer"] * has_writer)
    except subprocess.TimeoutExpired:
        pytest.fail("read_file waits for a FIFO")
    assert printed == "(0, '')"


def test_file_that_cannot_be_read_to_its_end() -> None:
    # Reading a process's memory from its start fails, as reading from a broken disk would.
    assert shell.read_file("/proc/self/mem") == (1, "")
    assert call_in_bash("read_file", ["/proc/self/mem"]) == [Result(1, "")]


@pytest.mark.parametrize(
    "path",
    ["{a}:{b}", "{b}:{a}", "/no:{b}", "{plain}:{directory}:{b}", ":{b}", "{b}:", "{b}//:{a}", "no"],
)
def test_find_program(place: Path, path: str) -> None:
    for name in ("a", "b", "plain", "directory"):
        (place / name).mkdir()
    for name in ("a/tool", "b/tool", "b/other", "tool"):
        (place / name).touch(mode=0o755)
    (place / "plain" / "tool").touch(mode=0o644)
    (place / "directory" / "tool").mkdir()
    (place / "a" / "dangling").symlink_to("none")
    (place / "b" / "dangling").touch(mode=0o755)
    setting = path.format(**{name: place / name for name in ("a", "b", "plain", "directory")})
    names = ["tool", "other", "none", "dangling", "./tool", str(place / "a/tool"), "a/", str(place)]
    local.env["PATH"] = setting
    found = call_in_bash("find_program", names, cwd=place, env={"PATH": setting})
    assert [result.reply for result in found] == [shell.find_program(name) for name in names]
