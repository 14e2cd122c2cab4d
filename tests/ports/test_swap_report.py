"""Tables of the processes that use swap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oauthkit.parity import Pair, Run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def parity(make_port: Callable[..., Pair[Run]]) -> Pair[Run]:
    parity = make_port("head", "sort")
    parity.env["PROC"] = "proc"
    parity.directory("proc")
    return parity


def process(parity: Pair[Run], pid: int, name: str, swap: str) -> None:
    """Create /proc/PID/status. A kernel thread has no VmSwap line."""
    line = f"VmSwap:\t{swap:>8} kB\n" if swap else ""
    parity.file(f"proc/{pid}/status", f"Name:\t{name}\nPid:\t{pid}\n{line}Threads:\t1\n")


def test_largest_comes_first(parity: Pair[Run]) -> None:
    process(parity, 1, "systemd", "512")
    process(parity, 2, "kthreadd", "")
    process(parity, 310, "Web Content", "1048576")
    process(parity, 20, "idle", "0")
    process(parity, 9, "größe", "512")
    run = parity.run()
    assert (run.exit_code, run.stderr) == (0, "")
    assert run.stdout == (
        "    PID        MB  NAME\n"
        "    310    1024.0  Web Content\n"
        "      1       0.5  systemd\n"
        "      9       0.5  größe\n"
        "  total    1025.0\n"
    )


def test_total_includes_processes_that_are_not_shown(parity: Pair[Run]) -> None:
    for pid in range(100, 125):
        process(parity, pid, "worker", f"{pid * 100}")
    run = parity.run("2")
    assert run.exit_code == 0
    assert [line.split() for line in run.stdout.splitlines()] == [
        ["PID", "MB", "NAME"],
        ["124", "12.1", "worker"],
        ["123", "12.0", "worker"],
        ["total", "273.4"],
    ]


def test_process_that_has_exited(parity: Pair[Run]) -> None:
    parity.directory("proc/77")
    parity.file("proc/80/status", "Name:\tno swap", mode=0o600)
    parity.file("proc/self", "")
    run = parity.run()
    assert (run.exit_code, run.stdout) == (0, "no process uses swap\n")


def test_sort_that_fails(parity: Pair[Run]) -> None:
    parity.remove("sort")
    process(parity, 1, "systemd", "512")
    run = parity.run()
    assert run.exit_code == 127
    reason = "it, or a program that it runs, was not found"
    assert run.stderr == f"sort failed with exit status 127: {reason}\n"


def test_directory_with_blanks(parity: Pair[Run]) -> None:
    parity.env["PROC"] = "a b/*"
    parity.file("a b/*/5/status", "Name:\ta b\nVmSwap:\t1024 kB\n")
    assert "      5       1.0  a b\n" in parity.run().stdout


@pytest.mark.parametrize(
    ("arguments", "proc", "error"),
    [
        (("1", "2"), "proc", "usage: swap_report [COUNT]\n"),
        (("many",), "proc", "COUNT must be a positive number, not many\n"),
        (("0",), "proc", "COUNT must be a positive number, not 0\n"),
        ((), "/missing", "/missing is not a directory\n"),
    ],
)
def test_wrong_arguments(
    parity: Pair[Run], arguments: tuple[str, ...], proc: str, error: str
) -> None:
    parity.env["PROC"] = proc
    run = parity.run(*arguments)
    assert (run.exit_code, run.stdout, run.stderr) == (2 if arguments else 1, "", error)
