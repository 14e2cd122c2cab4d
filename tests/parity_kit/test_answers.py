"""Answers that a stand-in chooses by a call's arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.parity_kit.programs import scripts

from oauthkit.parity.recorder import fits

if TYPE_CHECKING:
    from pathlib import Path

DATES = 'for file in 222 111 333; do date -r "$file" +%F; done; date -u'


def test_calls_get_their_answers_in_any_order(tmp_path: Path) -> None:
    pair = scripts(tmp_path, DATES)
    date = pair.stand_in("date")
    date.when("-r", 111, ...).prints("one\n")
    date.when("-r", "222", "+%F").prints("two\n")
    date.when(..., re.compile("3+"), ...).prints("three\n")
    date.prints("now\n")
    assert pair.run().stdout == "two\none\nthree\nnow\n"
    pair.close()


def test_first_answer_that_is_not_used_up_is_chosen(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool a; tool a; tool a; tool b; tool a; tool b")
    tool = pair.stand_in("tool")
    tool.when("a").prints("1")
    tool.when(re.compile(".")).prints("2").then.prints("3")
    tool.when("a").prints("4")
    tool.prints("5")
    tool.always.prints("6")
    run = pair.run()
    assert run.stdout == "1423566"
    tool.when("a").always.prints("7")
    assert pair.run().stdout == "777676"
    tool.when("a").never()
    tool.when("b").prints("8").then.exits(3)
    run = pair.run()
    assert (run.stdout, run.exit_code) == ("666866", 0)
    pair.close()


def test_pattern_that_fits_every_call_is_none(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool a; tool a")
    tool = pair.stand_in("tool")
    tool.when(...).prints("1")
    tool.prints("2")
    assert pair.run().stdout == "12"
    assert [*map(str, tool.queue)] == []
    tool.when(...).exits(0).optional()
    assert [*map(str, tool.queue)] == ["exits(exit=0).optional()"]
    tool.always.exits(0)
    assert pair.run().exit_code == 0
    pair.close()


def test_unplanned_call_lists_the_patterns(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool a; tool b")
    tool = pair.stand_in("tool")
    tool.when("a", ...).exits(0)
    tool.when(re.compile("c|d")).always.fails()
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    assert str(failure.value).startswith(
        "both: unplanned call: tool b\n"
        "      call 2 of tool; 1 planned: when('a', ...).exits(exit=0), "
        "when(re.compile('c|d')).always.fails(); it got exit status 97\n"
    )


def test_planned_call_with_other_arguments_is_missing(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool a; tool a")
    tool = pair.stand_in("tool")
    tool.when("b").exits(0)
    tool.when("c").exits(0).optional()
    tool.always.exits(0)
    with pytest.raises(AssertionError) as failure:
        pair.run()
    pair.close()
    assert str(failure.value).startswith(
        "both: planned calls that never happened: 1 of tool\n"
        "      2 made; 2 planned: when('b').exits(exit=0), when('c').exits(exit=0).optional()\n"
    )


def test_plan_by_argument_without_a_run(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").when("a").exits(0)
    with pytest.raises(AssertionError, match="calls were planned, but there was no run: tool"):
        pair.close()


def test_arguments_are_compared_as_bytes(tmp_path: Path) -> None:
    pair = scripts(tmp_path, r"tool $'\xff' é /a")
    pair.stand_in("tool").when(b"\xff", "é", tmp_path.__class__("/a")).exits(5)
    assert pair.run().exit_code == 5
    pair.close()


@pytest.mark.parametrize("argument", [True, None, 1.5, ["a"], re.compile(b"a")])
def test_argument_of_another_type_is_rejected_at_once(tmp_path: Path, argument: Any) -> None:
    tool = scripts(tmp_path, "").stand_in("tool")
    with pytest.raises(TypeError, match=re.escape(f"{argument!r} is not an argument")):
        tool.when(argument)


@pytest.mark.parametrize(
    ("pattern", "argv", "expected"),
    [
        ([], [], True),
        ([], ["a"], False),
        (["a"], [], False),
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a.c"], ["abc"], False),
        ([None], [], True),
        ([None, "b"], ["a", "b"], True),
        ([None, "b"], ["b", "a"], False),
        ([None, "b", None], ["a", "b", "c"], True),
        (["a", None, "a"], ["a"], False),
        ([("b+", 0)], ["bb"], True),
        ([("b+", 0)], ["bbc"], False),
        ([("b+", int(re.IGNORECASE))], ["BB"], True),
        ([("b", 0)], ["b\n"], False),
    ],
)
def test_patterns(pattern: list[Any], argv: list[str], expected: bool) -> None:
    assert fits(pattern, argv) is expected
