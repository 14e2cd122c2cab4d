"""Compare dumps.py with the handwritten script and with the compiled one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oauthkit.parity import MakePair, Pair, Run

HERE = Path(__file__).parent
TOOLS = ["date", "gzip", "mv", "rm", "stat", "tail", "tr", "wc"]


def plan(parity: Pair[Run]) -> Pair[Run]:
    parity.directory("dumps")
    parity.stand_in("df").always.prints("  Avail\n1048576\n")
    parity.stand_in("hostname").always.prints("db1\n")
    return parity


@pytest.fixture(params=["by_hand.sh", "dumps.sh"])
def parity(request: pytest.FixtureRequest, make_pair: MakePair) -> Pair[Run]:
    return plan(make_pair(request.param, "dumps.py", tools=TOOLS))


def test_each_database_is_dumped(parity: Pair[Run]) -> None:
    parity.file("list", "# production\nshop db.example\n\nwiki\n")
    parity.stand_in("pg_dump").prints("the shop\n")
    parity.stand_in("pg_dump").prints("the wiki\n")
    run = parity.run("list", "dumps")
    assert (run.exit_code, run.stdout) == (0, "shop: 29 bytes\nwiki: 29 bytes\n")
    assert run.calls("pg_dump") == [
        ["--host=db.example", "--no-password", "shop"],
        ["--host=localhost", "--no-password", "wiki"],
    ]
    assert run.files["dumps/wiki.20260102T030405.sql.gz"].mode == 0o600


def test_last_line_without_a_newline(parity: Pair[Run]) -> None:
    parity.file("list", "shop\nwiki")
    parity.stand_in("pg_dump").always.prints("x\n")
    assert len(parity.run("list", "dumps").calls("pg_dump")) == 2


@pytest.mark.parametrize("line", ["shop  db.example", "\tshop\tdb.example ", "shop \t db.example"])
def test_fields_are_separated_by_blanks(parity: Pair[Run], line: str) -> None:
    parity.file("list", f"{line}\n")
    parity.stand_in("pg_dump").prints("x\n")
    run = parity.run("list", "dumps")
    assert run.calls("pg_dump") == [["--host=db.example", "--no-password", "shop"]]


def test_dump_that_fails_is_reported(parity: Pair[Run]) -> None:
    parity.file("list", "shop\nwiki\n")
    parity.stand_in("pg_dump").fails(stdout="half of it", stderr="no\n")
    parity.stand_in("pg_dump").prints("x\n")
    parity.stand_in("mail").exits(0)
    run = parity.run("--mail=me@example.org", "list", "dumps")
    assert (run.exit_code, run.stderr) == (1, "no\n")
    assert run.calls("mail") == [["-s", "dumps on db1 (failures: 1)", "me@example.org"]]
    report = b"shop: the dump from localhost failed\nwiki: 22 bytes\n"
    assert run.call("mail").stdin == report
    assert [name for name in run.files if name.startswith("dumps/")] == [
        "dumps/wiki.20260102T030405.sql.gz"
    ]


def test_dump_that_cannot_be_renamed_is_reported(parity: Pair[Run]) -> None:
    parity.file("list", "shop\n")
    parity.stand_in("pg_dump").prints("x\n")
    parity.stand_in("mv").fails()
    parity.stand_in("mail").exits(0)
    run = parity.run("list", "dumps")
    assert run.stdout == "shop: dumps/shop.20260102T030405.sql.gz cannot be written\n"
    assert run.call("mv").argv[0] == "dumps/.shop.part"


def test_unknown_free_space_does_not_stop_the_dumps(parity: Pair[Run]) -> None:
    parity.file("list", "shop\n")
    parity.stand_in("df").fails()
    parity.stand_in("pg_dump").prints("x\n")
    parity.stand_in("mail").exits(0)
    run = parity.run("list", "dumps")
    assert run.call("mail").stdin == b"less than 1 GiB is free in dumps\nshop: 22 bytes\n"


def test_newest_dumps_are_kept(parity: Pair[Run]) -> None:
    parity.file("list", "shop\n")
    for day in (1, 3, 2):
        parity.file(f"dumps/shop.2025010{day}T000000.sql.gz", "x")
    parity.file("dumps/shopping.20250101T000000.sql.gz", "x")
    parity.stand_in("pg_dump").prints("x\n")
    run = parity.run("--keep=02", "list", "dumps")
    assert run.stdout.splitlines()[1:] == [
        "shop: removed shop.20250101T000000.sql.gz",
        "shop: removed shop.20250102T000000.sql.gz",
    ]
    assert sum(name.startswith("dumps/") for name in run.files) == 3


def test_low_disk_space_is_reported_and_dumps_continue(parity: Pair[Run]) -> None:
    parity.file("list", "shop\n")
    parity.stand_in("df").prints("  Avail\n1048575\n")
    parity.stand_in("pg_dump").prints("x\n")
    parity.stand_in("mail").exits(0)
    run = parity.run("list", "dumps")
    assert run.exit_code == 1
    assert run.call("mail").stdin == b"less than 1 GiB is free in dumps\nshop: 22 bytes\n"


@pytest.mark.parametrize("keep", ["x", "0", "", "1 2", "a[$(touch y)0]"])
def test_invalid_number_is_rejected(parity: Pair[Run], keep: str) -> None:
    run = parity.run(f"--keep={keep}", "list", "dumps")
    assert run.exit_code == 2
    assert run.stderr.startswith(f"dumps: --keep={keep}: expected a number, 1 or more\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--help"], 0, ""),
        (["-x", "a", "b"], 2, "dumps: unknown option -x\n"),
        (["a"], 2, "dumps: LIST and TARGET are required\n"),
        (["a", "b", "c"], 2, "dumps: unexpected argument c\n"),
        (["list", "b"], 1, "dumps: b is not a directory\n"),
        (["list", "dumps"], 1, "dumps: list cannot be read\n"),
    ],
)
def test_usage(parity: Pair[Run], arguments: list[str], status: int, message: str) -> None:
    run = parity.run(*arguments)
    assert (run.exit_code, run.stderr[: len(message)]) == (status, message)


# The faults of earlier versions: the file, the correct text, the faulty text, a list of databases,
# the options, and a part of the kit's report.
FAULTS = {
    "gzip hides a failure": (
        "by_hand.sh", "set -uo pipefail", "set -u",
        "shop\n", "", "1. exit status\n     bash    0\n     python  1\n",
    ),
    "pg_dump reads the list": (
        "by_hand.sh", "<&3 || [[ -n $name ]]; do\n", "; do\n",
        "wiki\nshop\n", "", "planned calls that never happened: 1 of pg_dump",
    ),
    "unterminated last line is skipped": (
        "by_hand.sh", " || [[ -n $name ]]", "",
        "wiki\nshop", "", "planned calls that never happened: 1 of pg_dump",
    ),
    "hostname reads the report": (
        "by_hand.sh", "$(hostname </dev/null)", "$(hostname)",
        "shop\n", "", "hostname: file descriptor 0",
    ),
    "leading zero is read as octal": (
        "by_hand.sh", "[[ $keep =~ ^0*[1-9][0-9]*$ ]]", "((keep >= 1))",
        "shop\n", "--keep=08", "((: 08: value too great for base",
    ),
    "second space becomes part of the host": (
        "dumps.py", "        host = strip(host)\n", "",
        "shop  db.example\n", "", "python  pg_dump '--host= db.example' --no-password shop",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_an_earlier_version_is_reported(
    fault: str, make_pair: MakePair, tmp_path: Path
) -> None:
    changed, correct, faulty, databases, option, line = FAULTS[fault]
    for name in ("by_hand.sh", "dumps.py"):
        text = (HERE / name).read_text("utf-8")
        if name == changed:
            assert correct in text
            text = text.replace(correct, faulty)
            if fault == "pg_dump reads the list":
                text = text.replace("3<&-", "").replace('done 3<"$list"', 'done <"$list"')
        (tmp_path / name).write_text(text, "utf-8")
    parity = plan(make_pair(tmp_path / "by_hand.sh", tmp_path / "dumps.py", tools=TOOLS))
    parity.file("list", databases)
    for _ in range(databases.count("wiki")):
        parity.stand_in("pg_dump").prints("x\n")
    parity.stand_in("pg_dump").fails(stdout="half of it")
    parity.stand_in("mail").exits(0)
    with pytest.raises(AssertionError) as found:
        parity.run(*option.split(), "list", "dumps")
    assert line in str(found.value)
