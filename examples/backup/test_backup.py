"""backup.sh and backup.py behave the same, with the real tar, gzip, find and date."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Pair, Run

TOOLS = ["date", "find", "flock", "gzip", "mv", "rm", "sync", "tar"]
USAGE = "usage: backup [--keep=N] [--] DIRECTORY TARGET\n"
NOW = "20260102T030405Z"
# The names of the lock and of an incomplete archive.
LOCK = "store/.data.lock"
PART = "store/.data.part"


@pytest.fixture
def parity(make_pair: MakePair) -> Pair[Run]:
    pair = make_pair("backup.sh", "backup.py", tools=TOOLS)
    pair.file("data/a", "one\n")
    pair.file("data/sub directory/b", "two\n", mode=0o600)
    pair.symlink("data/link", "a")
    # The kit gives files and directories a fixed time, but not links. tar stores times.
    pair.step(lambda world: os.utime(world.path("data/link"), (1, 1), follow_symlinks=False))
    pair.directory("store")
    return pair


def stored(run: Run) -> list[str]:
    """Return the names of the files in the target, without the lock."""
    names = [name for name in run.files if name.startswith("store/") and not name.endswith(".lock")]
    return sorted(name.removeprefix("store/") for name in names)


def members(run: Run, name: str) -> dict[str, bytes | None]:
    """Return the content of each member of an archive, or None if it is not a file."""
    with tarfile.open(fileobj=io.BytesIO(run.files[f"store/{name}"].content)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        read = {name: file.read() if file else None for name, file in files.items()}
        return {member.name: read.get(member.name) for member in archive}


def old(parity: Pair[Run], *days: int, name: str = "data") -> None:
    for day in days:
        parity.file(f"store/{name}-202512{day:02}T000000Z.tar.gz", f"of day {day}")


def test_backup(parity: Pair[Run]) -> None:
    run = parity.run("data", "store")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert stored(run) == [f"data-{NOW}.tar.gz"]
    assert run.files[f"store/data-{NOW}.tar.gz"].mode == 0o600
    assert members(run, f"data-{NOW}.tar.gz") == {
        "data": None,
        "data/a": b"one\n",
        "data/link": None,
        "data/sub directory": None,
        "data/sub directory/b": b"two\n",
    }


def test_archive_time_is_utc(parity: Pair[Run]) -> None:
    parity.env["TZ"] = "Pacific/Auckland"
    parity.set_clock("2026-06-30T23:59:59Z")
    assert stored(parity.run("data/", "./store")) == ["data-20260630T235959Z.tar.gz"]


def test_target_can_be_a_link(parity: Pair[Run]) -> None:
    old(parity, 1, 2)
    parity.symlink("linked", "store")
    run = parity.run("--keep=1", "data", "linked/")
    assert (run.exit_code, run.stderr) == (0, "")
    assert stored(run) == [f"data-{NOW}.tar.gz"]


@pytest.mark.parametrize("is_link", [False, True])
def test_target_in_the_directory_is_rejected(parity: Pair[Run], is_link: bool) -> None:
    parity.directory("data/in")
    if is_link:
        parity.symlink("linked", "data/in")
    run = parity.run("data", "linked" if is_link else "data/in")
    target = parity.project / ("linked" if is_link else "data/in")
    assert run.exit_code == 1
    assert run.stderr == (
        f"backup: {target} is in {parity.project / 'data'}:"
        " each archive would contain all earlier ones\n"
    )


def test_target_linked_into_the_directory_is_rejected(parity: Pair[Run]) -> None:
    parity.directory("data/in")
    parity.symlink("here", ".")
    run = parity.run("here/data", "data/in")
    assert run.exit_code == 1
    assert "each archive would contain all earlier ones" in run.stderr


def test_sibling_with_the_same_prefix_is_accepted_as_target(parity: Pair[Run]) -> None:
    parity.directory("data 2")
    assert parity.run("data", "data 2").exit_code == 0


def test_archive_with_a_future_time_is_reported_and_kept(parity: Pair[Run]) -> None:
    old(parity, 1, 2)
    parity.file("store/data-29990101T000000Z.tar.gz", "of the future")
    run = parity.run("--keep=2", "data", "store")
    assert run.exit_code == 0
    assert run.stderr == (
        "backup: data-29990101T000000Z.tar.gz has a future time: it is not counted, and is kept\n"
    )
    assert stored(run) == [
        "data-20251202T000000Z.tar.gz", f"data-{NOW}.tar.gz", "data-29990101T000000Z.tar.gz",
    ]  # fmt: skip


def test_newest_are_kept(parity: Pair[Run]) -> None:
    old(parity, 9, 1, 31, 10)
    run = parity.run("--keep=3", "data", "store")
    assert (run.exit_code, run.stderr) == (0, "")
    kept = ["data-20251210T000000Z.tar.gz", "data-20251231T000000Z.tar.gz", f"data-{NOW}.tar.gz"]
    assert stored(run) == kept


def test_oldest_archives_are_removed_first(parity: Pair[Run]) -> None:
    old(parity, *range(1, 31))
    parity.stand_in("rm").always.exits(0)
    run = parity.run("--keep=9", "data", "store")
    assert (run.exit_code, run.stderr) == (0, "")
    gone = [f"{parity.project}/store/data-202512{day:02}T000000Z.tar.gz" for day in range(1, 23)]
    assert run.calls("rm") == [["-f", name] for name in (f"{parity.project}/{PART}", *gone)]


def test_file_with_an_all_zero_time_is_not_an_archive(parity: Pair[Run]) -> None:
    none = "data-00000000T000000Z.tar.gz"
    parity.file(f"store/{none}", "not ours")
    old(parity, 1, 2)
    run = parity.run("--keep=1", "data", "store")
    assert (run.exit_code, stored(run)) == (0, [none, f"data-{NOW}.tar.gz"])


def test_fewer_archives_than_keep(parity: Pair[Run]) -> None:
    old(parity, 1, 2)
    assert len(stored(parity.run("--keep=9", "data", "store"))) == 3


def test_other_files_are_kept(parity: Pair[Run]) -> None:
    others = [
        "data-20251201T000000Z.tar.gz.asc",
        "data-20251201T00000Z.tar.gz",
        "data-20251201.tar.gz",
        "data-x-20251201T000000Z.tar.gz",
        "more data-20251201T000000Z.tar.gz",
        "sub/data-20251201T000000Z.tar.gz",
        "DATA-20251201T000000Z.tar.gz",
    ]
    for other in others:
        parity.file(f"store/{other}", "not ours")
    parity.directory("store/data-20251202T000000Z.tar.gz")
    parity.symlink("store/data-20251203T000000Z.tar.gz", "nowhere")
    old(parity, 4)
    run = parity.run("--keep=1", "data", "store")
    assert (run.exit_code, run.stderr) == (0, "")
    assert {*others, "data-20251202T000000Z.tar.gz", "data-20251203T000000Z.tar.gz"} < {
        *stored(run)
    }
    assert "data-20251204T000000Z.tar.gz" not in stored(run)


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        'it\'s "$HOME" `id`',
        "-x",
        "two\nlines",
        "*",
        "[a]?",
        "a\\tb\\",
        "host:data",
        "ü&ä",
        "-",
    ],
)
def test_odd_names(parity: Pair[Run], name: str) -> None:
    parity.file(f"{name}/file", "content\n")
    old(parity, 1, 2, name=name)
    old(parity, 3, name="xx")
    run = parity.run("--keep=2", "--", name, "store")
    assert (run.exit_code, run.stderr) == (0, "")
    mine = [f"{name}-20251202T000000Z.tar.gz", f"{name}-{NOW}.tar.gz"]
    assert stored(run) == sorted([*mine, "xx-20251203T000000Z.tar.gz"])
    assert members(run, mine[1]) == {name: None, f"{name}/file": b"content\n"}


def test_odd_target(parity: Pair[Run]) -> None:
    parity.directory("-store: 'a'\n")
    run = parity.run("--", "data", "-store: 'a'\n")
    assert run.exit_code == 0
    assert f"-store: 'a'\n/data-{NOW}.tar.gz" in run.files


@pytest.mark.parametrize("target", ["data\n/in", "data\n"])
def test_name_that_ends_in_a_newline_is_a_different_name(parity: Pair[Run], target: str) -> None:
    parity.directory("data\n/in")
    run = parity.run("data\n", target)
    problem = f"{parity.project}/{target} is in {parity.project}/data\n"
    assert run.exit_code == 1
    assert run.stderr == f"backup: {problem}: each archive would contain all earlier ones\n"
    parity.directory("data/out")
    assert parity.run("data\n", "data/out").exit_code == 0


def test_failing_tar_changes_nothing(parity: Pair[Run]) -> None:
    parity.stand_in("tar").writes(path=str(parity.project / PART), content=b"half").then.exits(
        2, stderr="tar: no space\n"
    )
    old(parity, 1, 2)
    run = parity.run("--keep=1", "data", "store")
    assert run.exit_code == 1
    problem = f"backup: packing {parity.project}/data failed (exit 2): tar: no space\n"
    assert run.stderr == problem
    assert stored(run) == ["data-20251201T000000Z.tar.gz", "data-20251202T000000Z.tar.gz"]


def test_changed_file_is_reported_and_archive_is_kept(parity: Pair[Run]) -> None:
    parity.stand_in("tar").writes(path=str(parity.project / PART), content=b"all").then.exits(
        1, stderr="tar: data/a: file changed as we read it\n"
    )
    run = parity.run("data", "store")
    assert (run.exit_code, stored(run)) == (0, [f"data-{NOW}.tar.gz"])
    reason = "tar: data/a: file changed as we read it"
    assert run.stderr == f"backup: {parity.project}/data changed while it was read: {reason}\n"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("date", "backup: date failed (exit 9)\n"),
        ("rm", "backup: removing {store}/.data.part failed (exit 9): no\n"),
        ("sync", "backup: writing {store}/.data.part failed (exit 9): no\n"),
        ("mv", "backup: renaming {store}/.data.part failed (exit 9): no\n"),
    ],
)
def test_failing_step_is_reported(parity: Pair[Run], program: str, said: str) -> None:
    parity.stand_in(program).fails(9, stderr="no\n")
    old(parity, 1, 2)
    run = parity.run("--keep=1", "data", "store")
    assert (run.exit_code, run.stderr) == (1, said.format(store=parity.project / "store"))
    assert stored(run) == ["data-20251201T000000Z.tar.gz", "data-20251202T000000Z.tar.gz"]


def test_failing_find_removes_nothing(parity: Pair[Run]) -> None:
    listed = "data-20251201T000000Z.tar.gz\n"
    parity.stand_in("find").fails(1, stdout=listed, stderr="find: input/output error\n")
    old(parity, 1)
    run = parity.run("--keep=1", "data", "store")
    assert (run.exit_code, len(stored(run))) == (1, 2)
    store = parity.project / "store"
    assert run.stderr == (f"backup: {store} cannot be listed (find exit 1): nothing is removed\n")


def test_failing_rm_is_reported_and_other_archives_are_removed(parity: Pair[Run]) -> None:
    rm = parity.stand_in("rm")
    rm.exits(0)  # there is no incomplete archive
    rm.dies_by_signal(9)
    rm.exits(0)
    old(parity, 1, 2)
    run = parity.run("--keep=1", "data", "store")
    assert (run.exit_code, len(run.calls("rm"))) == (1, 3)
    reason = "failed (exit 137): could not be run, or was killed\n"
    assert run.stderr == f"backup: removing data-20251201T000000Z.tar.gz {reason}"


# Not gzip: without it, the number of lines that tar prints varies.
@pytest.mark.parametrize("program", [program for program in TOOLS if program != "gzip"])
def test_missing_programs_are_reported(parity: Pair[Run], program: str) -> None:
    parity.remove(program)
    old(parity, 1, 2)
    run = parity.run("--keep=1", "data", "store")
    assert run.exit_code == 1
    assert run.stderr.startswith("backup: ")
    assert "data-20251202T000000Z.tar.gz" in stored(run)


def test_second_run_does_nothing(parity: Pair[Run]) -> None:
    parity.holds_lock(LOCK)
    run = parity.run("data", "store")
    assert (run.exit_code, stored(run)) == (1, [])
    assert run.stderr == "backup: another run is archiving data\n"


def test_leftover_of_a_killed_run_is_removed_not_overwritten(parity: Pair[Run]) -> None:
    # That run's tar may still write to the file. A second link to it shows whether it was changed.
    parity.file(PART, "half of an archive", mode=0o600)
    parity.step(lambda world: os.link(world.path(PART), world.path("seen by tar")))
    run = parity.run("data", "store")
    assert (run.exit_code, stored(run)) == (0, [f"data-{NOW}.tar.gz"])
    assert run.files["seen by tar"].content == b"half of an archive"


def test_link_in_place_of_the_new_archive_is_not_followed(parity: Pair[Run]) -> None:
    parity.file("other", "other\n")
    parity.symlink(PART, "../other")
    run = parity.run("data", "store")
    assert (run.exit_code, stored(run)) == (0, [f"data-{NOW}.tar.gz"])
    assert run.files["other"].content == b"other\n"
    assert "data/a" in members(run, f"data-{NOW}.tar.gz")


def test_unwritable_target(parity: Pair[Run]) -> None:
    parity.chmod("store", 0o500)
    run = parity.run("data", "store")
    assert (run.exit_code, run.touched) == (1, [])
    assert run.stderr == f"backup: {parity.project}/{LOCK} cannot be locked\n"


@pytest.mark.parametrize(
    ("directory", "target", "said"),
    [
        ("nowhere", "store", "{project}/nowhere is not a directory"),
        ("to-data", "store", "{project}/to-data is a link: pass the directory that it points to"),
        ("data/a", "store", "{project}/data/a is not a directory"),
        ("data", "mnt/disk", "{project}/mnt/disk is not a directory"),
        ("/", "store", "/ has no name for an archive"),
        ("data", "data/sub directory", "{project}/data/sub directory is in {project}/data:"),
        ("data", "data", "{project}/data is in {project}/data:"),
    ],
)
def test_unusable_directories(parity: Pair[Run], directory: str, target: str, said: str) -> None:
    parity.symlink("to-data", "data")
    run = parity.run(directory, target)
    assert (run.exit_code, run.touched) == (1, [])
    assert run.stderr.startswith(f"backup: {said.format(project=parity.project)}")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "DIRECTORY and TARGET are required"),
        (("data",), "DIRECTORY and TARGET are required"),
        (("data", ""), "a name is empty"),
        (("data", "store", "more"), "unexpected argument more"),
        (("--keep=0", "data", "store"), "--keep=0 is not a number of at least 1"),
        (("--keep=ten", "data", "store"), "--keep=ten is not a number of at least 1"),
        (("-v", "data", "store"), "unknown option -v"),
    ],
)
def test_usage_error(parity: Pair[Run], arguments: tuple[str, ...], problem: str) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stderr) == (2, f"backup: {problem}\n{USAGE}")
    assert run.touched == []


def test_help(parity: Pair[Run]) -> None:
    run = parity.run("--help")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{USAGE}\nArchives DIRECTORY as TARGET/NAME-TIME.tar.gz")
    assert "(default: 7)" in run.stdout
