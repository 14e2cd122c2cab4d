"""The behaviours of a stand-in."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.support.parity_kit.programs import report_of, scripts


def test_planned_child_is_ended_after_the_run(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").leaves_child_behind(seconds=300, holds_output=False).then.exits(5)
    run = pair.run()
    pair.close()
    assert run.exit_code == 5
    [pid] = (tmp_path / "bash/control/children").read_text().split()
    command = Path(f"/proc/{pid}/cmdline")  # empty for a zombie
    assert not command.exists() or command.read_bytes() == b""


def test_several_behaviours_of_one_call(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool; printf '%s\\n' $?; tool; printf '%s\\n' $?; tool")
    tool = pair.stand_in("tool")
    tool.prints("first\n").then.exits(7, stderr="oops\n")
    tool.dies_by_signal(15)
    tool.always.exits(9, stdout="always\n")
    run = pair.run()
    pair.close()
    assert run.stdout == "first\n7\n143\nalways\n"
    assert run.stderr.startswith("oops\n")
    assert run.exit_code == 9


def test_unknown_behaviours_and_arguments_are_rejected_at_once(tmp_path: Path) -> None:
    tool = scripts(tmp_path, "").stand_in("tool")
    with pytest.raises(AttributeError, match="the stand-in for tool has no behaviour 'explodes'"):
        tool.explodes()
    with pytest.raises(TypeError, match="unexpected keyword argument 'code'"):
        tool.exits(code=1)


def test_crashing_stand_in(tmp_path: Path) -> None:
    pair = scripts(tmp_path, "tool")
    pair.stand_in("tool").writes("/no/such/directory/file", "text")
    assert "tool crashed:\nTraceback" in report_of(pair)


def test_behaviour_that_does_not_return_an_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forgetful.py").write_text("def forgets(call):\n    pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    pair = scripts(tmp_path / "pair", "tool; true")
    pair.stand_in("tool", importlib.import_module("forgetful")).forgets()
    assert "the behaviour forgets returned None, not an exit status" in report_of(pair)
