"""rotate.sh and rotate.py do the same to the same files, with the real mv, ln and gzip."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Pair, Run

TOOLS = ["chmod", "chown", "cp", "flock", "gzip", "ln", "mv", "rm", "sh", "stat", "sync"]
USAGE = "usage: rotate [--size=BYTES[K|M|G]] [--keep=N] [--] FILE\n"


@pytest.fixture
def parity(make_pair: MakePair) -> Pair[Run]:
    return make_pair("rotate.sh", "rotate.py", tools=TOOLS)


def logs(run: Run, name: str = "app.log") -> dict[str, str]:
    """Return the unpacked content of each rotated log of `name`, by its suffix."""
    found = {}
    for path, file in run.files.items():
        if path.startswith(name) and not path.endswith(".lock") and file.kind == "file":
            packed = path.endswith(".gz")
            content = gzip.decompress(file.content) if packed else file.content
            found[path.removeprefix(name)] = content.decode()
    return found


@pytest.mark.parametrize("mode", [0o640, 0o444, 0o6750])
def test_first_rotation_keeps_the_mode(parity: Pair[Run], mode: int) -> None:
    parity.file("app.log", "one\n", mode=mode)
    run = parity.run("--size=3", "app.log")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    assert logs(run) == {"": "", ".1": "one\n"}
    assert run.files["app.log"].mode == run.files["app.log.1"].mode == mode


def test_leftover_of_a_killed_run_does_not_become_the_log(parity: Pair[Run]) -> None:
    parity.file("app.log", "one\n", mode=0o640)
    parity.file("app.log.fresh", "stale\n", mode=0o644)
    run = parity.run("--size=3", "app.log")
    assert (run.exit_code, run.stderr, logs(run)) == (0, "", {"": "", ".1": "one\n"})
    assert run.files["app.log"].mode == 0o640


def test_link_in_place_of_the_new_log_is_not_followed(parity: Pair[Run]) -> None:
    parity.file("app.log", "one\n", mode=0o640)
    parity.file("other", "other\n", mode=0o600)
    parity.symlink("app.log.fresh", "other")
    run = parity.run("--size=3", "app.log")
    assert (run.exit_code, run.stderr, logs(run)) == (0, "", {"": "", ".1": "one\n"})
    assert (run.files["other"].content, run.files["other"].mode) == (b"other\n", 0o600)


def test_small_log_is_not_rotated(parity: Pair[Run]) -> None:
    parity.file("app.log", "1234")
    run = parity.run("--size=4", "app.log")
    assert (run.exit_code, logs(run)) == (0, {"": "1234"})
    assert run.touched == ["app.log.lock"]


@pytest.mark.parametrize("name", ["app.log", "nowhere/at all/app.log", "file/app.log"])
def test_missing_log_is_not_an_error(parity: Pair[Run], name: str) -> None:
    parity.file("file")
    run = parity.run(name)
    assert (run.exit_code, run.stderr, run.touched) == (0, "", [])


@pytest.mark.parametrize("name", ["closed/app.log", "closed/logs/app.log"])
def test_directory_that_cannot_be_searched_is_reported(parity: Pair[Run], name: str) -> None:
    parity.file(f"{name}", "new\n")
    parity.chmod("closed", 0o600)
    run = parity.run("--size=0", name)
    problem = f"rotate: {parity.project}/closed cannot be searched\n"
    assert (run.exit_code, run.stderr, run.touched) == (1, problem, [])


def test_repeated_rotations_remove_the_oldest(parity: Pair[Run]) -> None:
    for text in ("one\n", "two\n", "three\n", "four\n"):
        parity.file("app.log", text, mode=0o600)
        run = parity.run("--size=0", "--keep=3", "app.log")
        assert (run.exit_code, run.stderr) == (0, "")
    assert logs(run) == {"": "", ".1": "four\n", ".2.gz": "three\n", ".3.gz": "two\n"}
    assert {file.mode for path, file in run.files.items() if path.endswith(".gz")} == {0o600}


def test_keep_one(parity: Pair[Run]) -> None:
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    parity.file("app.log.2.gz", "beyond what is kept: ignored")
    run = parity.run("--size=0", "--keep=1", "app.log")
    assert run.files["app.log.1"].content == b"new\n"
    assert run.files["app.log.2.gz"].content.startswith(b"beyond")


@pytest.mark.parametrize(
    ("size", "is_rotated"), [("2K", True), ("3K", False), ("1M", False), ("2048", True)]
)
def test_sizes(parity: Pair[Run], size: str, is_rotated: bool) -> None:
    parity.file("app.log", b"\0" * 2049)
    assert (".1" in logs(parity.run(f"--size={size}", "app.log"))) == is_rotated


@pytest.mark.parametrize("name", ["a b.log", 'it\'s "*" $HOME.log', "two\nlines.log", "-f", "ä\\n"])
def test_odd_names(parity: Pair[Run], name: str) -> None:
    parity.file(name, "new\n")
    parity.file(f"{name}.1", "old\n")
    run = parity.run("--size=0", "--", name)
    assert (run.exit_code, run.stderr) == (0, "")
    assert logs(run, name) == {"": "", ".1": "new\n", ".2.gz": "old\n"}


def test_failed_gzip_is_reported_and_repeated_by_the_next_run(parity: Pair[Run]) -> None:
    parity.stand_in("gzip").fails(1, stderr="gzip: no space\n")
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    run = parity.run("--size=0", "app.log")
    assert run.exit_code == 1
    # gzip gets no file name, so if it outlives its run, it cannot remove a file.
    assert (run.calls("gzip"), run.call("gzip").stdin) == ([["-n", "-c"]], b"old\n")
    problem = f"rotate: compressing {parity.project}/app.log.2 failed (exit 1): gzip: no space\n"
    assert run.stderr == problem
    assert logs(run) == {"": "", ".1": "new\n", ".2": "old\n"}
    parity.tool("gzip")
    run = parity.run("app.log")
    assert (run.exit_code, logs(run)) == (0, {"": "", ".1": "new\n", ".2.gz": "old\n"})


@pytest.mark.parametrize("packed", [b"\x1f\x8bcut off", gzip.compress(b"older\n", mtime=0)])
@pytest.mark.parametrize("size", ["0", "1M"])
def test_gz_beside_its_uncompressed_log_is_removed(
    parity: Pair[Run], size: str, packed: bytes
) -> None:
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    parity.file("app.log.2", "older\n")
    parity.file("app.log.2.gz", packed)
    # A second link, so that the new file cannot get the same inode and look unchanged.
    parity.step(lambda world: os.link(world.path("app.log.2.gz"), world.path("kept")))
    run = parity.run(f"--size={size}", "app.log")
    assert (run.exit_code, run.stderr) == (0, "")
    if size == "0":
        assert logs(run) == {"": "", ".1": "new\n", ".2.gz": "old\n", ".3.gz": "older\n"}
    else:
        assert logs(run) == {"": "new\n", ".1": "old\n", ".2.gz": "older\n"}


def test_leftover_of_a_killed_compression_is_removed_not_overwritten(parity: Pair[Run]) -> None:
    # That run's gzip may still write to the file. A second link to it shows whether it was changed.
    parity.file("app.log", "new\n")
    parity.file("app.log.2", "old\n")
    parity.file("app.log.packing", "half")
    parity.step(lambda world: os.link(world.path("app.log.packing"), world.path("seen by gzip")))
    run = parity.run("app.log")
    assert (run.exit_code, logs(run)) == (0, {"": "new\n", ".2.gz": "old\n"})
    assert run.files["seen by gzip"].content == b"half"


def test_compressed_log_keeps_mode_and_time(parity: Pair[Run]) -> None:
    parity.file("app.log", "new\n")
    parity.file("app.log.2", "old\n", mode=0o640)
    run = parity.run("app.log")
    assert run.files["app.log.2.gz"].mode == 0o640
    # Before a run, the kit gives all files the same time. The second run checks what it kept.
    times: set[int] = set()
    parity.step(lambda world: times.add(world.path("app.log").stat().st_mtime_ns))
    parity.step(lambda world: times.add(world.path("app.log.2.gz").stat().st_mtime_ns))
    parity.run("app.log")
    assert len(times) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize(("owner", "mode"), [((1234, 0), 0o660), ((0, 1234), 0o640)])
def test_owner_is_kept(parity: Pair[Run], owner: tuple[int, int], mode: int) -> None:
    parity.file("app.log", "new\n", mode=mode)
    parity.file("app.log.1", "old\n", mode=mode)
    parity.step(lambda world: os.chown(world.path("app.log"), *owner))
    parity.step(lambda world: os.chown(world.path("app.log.1"), *owner))
    run = parity.run("--size=0", "app.log")
    assert (run.exit_code, run.stderr) == (0, "")
    for name in ("app.log", "app.log.1", "app.log.2.gz"):
        assert (run.files[name].owner, run.files[name].mode) == (owner, mode)


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("rm", "removing {log}.packing"),
        ("sh", "compressing {log}.2"),
        ("cp", "copying the mode, owner and times of {log}.2 to {log}.packing"),
        ("sync", "writing {log}.packing"),
        ("mv", "renaming {log}.packing"),
    ],
)
def test_failed_compression_step_keeps_the_log(parity: Pair[Run], program: str, what: str) -> None:
    parity.stand_in(program).fails(1, stderr="no\n")
    parity.file("app.log", "new\n")
    parity.file("app.log.2", "old\n")
    run = parity.run("app.log")
    problem = what.format(log=parity.project / "app.log")
    assert (run.exit_code, run.stderr) == (1, f"rotate: {problem} failed (exit 1): no\n")
    assert logs(run) == {"": "new\n", ".2": "old\n"}


def test_failure_to_remove_the_uncompressed_log_is_reported(parity: Pair[Run]) -> None:
    rm = parity.stand_in("rm")
    rm.exits(0)  # there is no file of a killed run
    rm.fails(1, stderr="no\n")
    parity.file("app.log", "new\n")
    parity.file("app.log.2", "old\n")
    run = parity.run("app.log")
    problem = f"rotate: removing {parity.project}/app.log.2 failed (exit 1): no\n"
    assert (run.exit_code, run.stderr) == (1, problem)
    assert logs(run) == {"": "new\n", ".2": "old\n", ".2.gz": "old\n"}


def test_mv_that_fails_halfway_loses_nothing(parity: Pair[Run]) -> None:
    for name in ("", ".1", ".2.gz", ".3.gz"):
        text = f"<{name}>"
        parity.file(f"app.log{name}", gzip.compress(text.encode()) if "gz" in name else text)
    parity.stand_in("mv").fails(1, stderr="mv: no\n")
    run = parity.run("--size=0", "--keep=4", "app.log")
    source = f"{parity.project}/app.log.3.gz"
    assert (run.exit_code, run.stderr) == (
        1,
        f"rotate: renaming {source} failed (exit 1): mv: no\n",
    )
    assert logs(run) == {"": "<>", ".1": "<.1>", ".2.gz": "<.2.gz>", ".3.gz": "<.3.gz>"}


def test_unused_number_of_a_failed_run_is_used_before_a_log_is_removed(
    parity: Pair[Run],
) -> None:
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    parity.file("app.log.3.gz", gzip.compress(b"oldest\n", mtime=0))
    run = parity.run("--size=0", "--keep=3", "app.log")
    assert logs(run) == {"": "", ".1": "new\n", ".2.gz": "old\n", ".3.gz": "oldest\n"}


@pytest.mark.parametrize("rest", [{".2.gz": "older\n"}, {}])
def test_hard_link_to_the_log_is_not_a_rotated_log(parity: Pair[Run], rest: dict[str, str]) -> None:
    parity.file("app.log", "new\n")
    parity.step(lambda world: os.link(world.path("app.log"), world.path("app.log.1")))
    for name, content in rest.items():
        parity.file(f"app.log{name}", gzip.compress(content.encode()))
    run = parity.run("--size=0", "--keep=2", "app.log")
    assert (run.exit_code, run.stderr) == (0, "")
    assert logs(run) == {"": "", ".1": "new\n", **rest}


def test_hard_link_that_cannot_be_removed_stops_the_rotation(parity: Pair[Run]) -> None:
    parity.stand_in("rm").fails(1, stderr="no\n")
    parity.file("app.log", "new\n")
    parity.step(lambda world: os.link(world.path("app.log"), world.path("app.log.1")))
    parity.file("app.log.2.gz", gzip.compress(b"old\n", mtime=0))
    run = parity.run("--size=0", "--keep=2", "app.log")
    name = parity.project / "app.log.1"
    problem = f"rotate: removing the hard link {name} failed (exit 1): no\n"
    assert (run.exit_code, run.stderr) == (1, problem)
    assert logs(run) == {"": "new\n", ".1": "new\n", ".2.gz": "old\n"}


def test_failed_last_mv_leaves_the_log_unchanged(parity: Pair[Run]) -> None:
    parity.stand_in("mv").dies_by_signal(9)
    parity.file("app.log", "new\n")
    run = parity.run("--size=0", "app.log")
    assert (run.exit_code, logs(run)) == (1, {"": "new\n"})
    reason = "failed (exit 137): the command could not be run, or was killed\n"
    assert run.stderr == f"rotate: renaming {parity.project}/app.log.fresh {reason}"


# chown fails for another user's log, except for root. Its writer could not open the new one.
@pytest.mark.parametrize("program", ["chmod", "chown", "cp", "ln"])
def test_other_program_failures_leave_the_log_unchanged(parity: Pair[Run], program: str) -> None:
    parity.stand_in(program).fails(1, stderr="no\n")
    parity.file("app.log", "new\n")
    run = parity.run("--size=0", "app.log")
    assert (run.exit_code, logs(run)) == (1, {"": "new\n"})
    assert run.stderr.endswith(" failed (exit 1): no\n")


@pytest.mark.parametrize(("status", "answer"), [(1, ""), (1, "5\n"), (0, ""), (0, "much\n")])
def test_stat_without_a_size_is_reported(parity: Pair[Run], status: int, answer: str) -> None:
    parity.stand_in("stat").exits(status, stdout=answer)
    parity.file("app.log", "new\n")
    run = parity.run("--size=0", "app.log")
    problem = f"rotate: stat did not print the size of {parity.project}/app.log (exit {status})\n"
    assert (run.exit_code, run.stderr, logs(run)) == (1, problem, {"": "new\n"})


def test_gz_is_removed_before_its_log_is_renamed(parity: Pair[Run]) -> None:
    # Otherwise a run killed between two renames would leave one log under two numbers.
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    parity.file("app.log.2", "older\n")
    parity.file("app.log.2.gz", gzip.compress(b"older\n", mtime=0))
    parity.stand_in("mv").fails(1)
    run = parity.run("--size=0", "app.log")
    assert (run.exit_code, logs(run)) == (1, {"": "new\n", ".1": "old\n", ".2": "older\n"})


def test_unremovable_gz_stops_the_rotation(parity: Pair[Run]) -> None:
    parity.stand_in("rm").fails(1, stderr="no\n")
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    parity.file("app.log.1.gz", gzip.compress(b"old\n", mtime=0))
    run = parity.run("--size=0", "app.log")
    problem = f"rotate: removing {parity.project}/app.log.1.gz failed (exit 1): no\n"
    assert (run.exit_code, run.stderr) == (1, problem)
    assert logs(run) == {"": "new\n", ".1": "old\n", ".1.gz": "old\n"}


@pytest.mark.parametrize("program", TOOLS)
def test_missing_programs_are_reported_and_nothing_is_lost(parity: Pair[Run], program: str) -> None:
    parity.remove(program)
    parity.file("app.log", "new\n")
    parity.file("app.log.1", "old\n")
    run = parity.run("--size=0", "app.log")
    assert run.exit_code == 1
    assert "127" in run.stderr or "not found" in run.stderr
    assert {"new\n", "old\n"} <= set(logs(run).values())


def test_directory_that_cannot_be_written(parity: Pair[Run]) -> None:
    parity.file("logs/app.log", "new\n")
    parity.chmod("logs", 0o500)
    run = parity.run("--size=0", "logs/app.log")
    assert run.exit_code == 1
    assert run.stderr == f"rotate: {parity.project}/logs/app.log.lock cannot be locked\n"


def test_second_run_does_nothing(parity: Pair[Run]) -> None:
    parity.file("app.log", "new\n")
    parity.holds_lock("app.log.lock")
    run = parity.run("--size=0", "app.log")
    assert (run.exit_code, logs(run)) == (1, {"": "new\n"})
    assert run.stderr == f"rotate: another run is rotating {parity.project}/app.log\n"


@pytest.mark.parametrize("kind", ["directory", "link", "dangling link", "pipe"])
def test_only_regular_files_are_rotated(parity: Pair[Run], kind: str) -> None:
    parity.file("real", "new\n")
    if kind == "directory":
        parity.directory("app.log")
    elif kind == "pipe":
        parity.step(lambda world: os.mkfifo(world.path("app.log")))
    else:
        parity.symlink("app.log", "real" if kind == "link" else "nowhere")
    run = parity.run("--size=0", "app.log")
    assert (run.exit_code, run.touched) == (1, [])
    assert run.stderr == f"rotate: {parity.project}/app.log is not a regular file\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "FILE is missing"),
        (("",), "FILE is empty"),
        (("a", "b"), "more than one FILE"),
        (("--size=", "a"), "--size= is not a size"),
        (("--size=1T", "a"), "--size=1T is not a size"),
        (("--size=-1", "a"), "--size=-1 is not a size"),
        (("--size=9999999999G", "a"), "--size=9999999999G is not a size"),
        (("--keep=0", "a"), "--keep=0 is not a number from 1 to 99"),
        (("--keep=100", "a"), "--keep=100 is not a number from 1 to 99"),
        (("--keep=x\ny", "a"), "--keep=x\ny is not a number from 1 to 99"),
        (("-f", "a"), "unknown option -f"),
    ],
)
def test_usage_error(parity: Pair[Run], arguments: tuple[str, ...], problem: str) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (2, "", f"rotate: {problem}\n{USAGE}")
    assert run.touched == []


def test_help(parity: Pair[Run]) -> None:
    run = parity.run("--help")
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{USAGE}\nIf FILE is larger")
    assert "(default: 1M)" in run.stdout
    assert "(default: 5)" in run.stdout
