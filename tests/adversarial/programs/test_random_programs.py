"""Random programs have the same results in CPython and bash. A planted difference is found."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import seed as with_seed
from tests.adversarial.fuzz.drive import memory, new_seed, seed_of
from tests.adversarial.programs import drive
from tests.adversarial.programs.programs import Case, cases
from tests.adversarial.programs.runner import Outcome, Runner, differences

from oauthkit.compiler.lowering import expressions as lower_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 20260102  # must draw the same cases each time
CHUNKS = 2
PROGRAMS = 150  # per chunk
COLD_PROGRAMS = 12
MOST_PROGRAMS = 300  # a compiler bug must be found within this number
# A condition that tests a status and makes another call, which may change the result variable.
STATUS_AND_CALL = re.compile(r"if \w+ [!=]= 0 (?:and|or) .*\w\(")


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    where = memory() or tmp_path
    with (
        tempfile.TemporaryDirectory(prefix="oauthkit-programs-", dir=where) as directory,
        Runner(Path(directory), shutil.which("bash") or "bash") as runner,
    ):
        yield runner


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_cpython_and_bash_give_equal_results(
    runner: Runner, chunk: int, record_property: Callable[[str, object], None]
) -> None:
    ran: list[Case] = []

    def has_run(case: Case) -> bool:
        ran.append(case)
        return len(ran) < PROGRAMS

    found = drive.search(runner, seed_of(new_seed(), chunk), PROGRAMS * 4, has_run)
    assert found is None, f"{found.message}\n\n{found.case.text}\n\n{found.case.to_json()}"
    record_property("programs", len(ran))
    assert len(ran) == PROGRAMS
    assert len(set(ran)) == PROGRAMS
    runs = ("& CAPTURE", "& RETCODE", "& TF", "(FG=True)", "& FG\n", "()\n", " | cat")
    rare = (
        " in ITEMS",
        ".splitlines()",
        "sorted(",
        "stdin.read()",
        "read_line()",
        "len(",
        ".split(",
        " << ",
    )
    for part in ("while", "elif", *runs, ".partition", "local.env"):
        assert sum(part in case.text for case in ran) > PROGRAMS / 50, part
    for part in rare:
        assert any(part in case.text for case in ran), part
    assert sum(bool(STATUS_AND_CALL.search(case.text)) for case in ran) > PROGRAMS / 50


@pytest.mark.parametrize("construct", ["local.cwd.chdir(", "change_directory("])
def test_rare_construct_is_drawn(construct: str) -> None:
    drawn = settings(
        max_examples=5000, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )  # fmt: skip
    assert construct in find(cases(), lambda case: construct in case.text, settings=drawn).text


def test_warm_and_cold_cpython_are_equal(runner: Runner) -> None:
    ran: list[Outcome] = []

    @with_seed(SEED)
    @settings(
        max_examples=COLD_PROGRAMS, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def is_alike(case: Case) -> None:
        runner.write(case)
        ran.append(runner.run_warm(case))
        assert differences(ran[-1], runner.run_interpreter(case)) == ""

    is_alike()
    assert len(ran) >= COLD_PROGRAMS
    assert any(outcome.files for outcome in ran)


def test_planted_compiler_error_is_found_and_shrunk(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "SHRINK_S", 2.0)
    monkeypatch.setitem(lower_values._FLIPPED, "==", "==")  # the negation of ==
    found = drive.search(runner, SEED, MOST_PROGRAMS)
    assert found is not None
    assert "python:" in found.message
    assert Case.from_json(found.case.to_json()) == found.case


PROGRAM = """import sys

from plumbum.commands import BaseCommand
from oauthkit.shell import RETCODE, Status, program


def main(*arguments: str) -> Status:
    print("x")
    return {result}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("result", "words"), [("0", ""), ("'x'", "rejected:"), ("0 + 1", ""), ("300 + 1", "")]
)
def test_differences_are_shown(runner: Runner, result: str, words: str) -> None:
    assert runner.differs(Case(PROGRAM.format(result=result))).startswith(words)
    outcome = Outcome(b"x", b"", 0, (), {})
    assert differences(outcome, outcome) == ""
    assert "stdout" in differences(outcome, replace(outcome, stdout=b""))
