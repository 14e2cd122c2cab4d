"""The benchmark runs to its end; its figures are asserted nowhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import bench
import pytest
from bench_world import SCRIPT

if TYPE_CHECKING:
    from pathlib import Path


def test_every_figure_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--runs", "1", "--against", str(SCRIPT)]) == 0
    out = capsys.readouterr().out
    verdicts = re.findall(
        r"^  (.*): .*; target: at most ([\d.]+): (?:met|missed)$", out, re.MULTILINE
    )
    against = [("bash form / original", "0.5")]
    python = [("Python form / Python baseline", "1.3")]
    fresh, same, ensure = ([("bash form", count)] for count in "862")
    if "not here" in out:  # no strace
        fresh = same = ensure = []
    in_turn = [*against, *python, *fresh, *against, *python, *same, *python, *ensure]
    assert verdicts == in_turn * 2


def test_a_script_that_does_nothing_is_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle = tmp_path / "idle.sh"
    idle.write_text("exit 0\n", encoding="utf-8")
    assert bench.main(["--runs", "1", "--against", str(idle)]) == 1
    assert "original, fresh token, .env is to be changed: no refresh" in capsys.readouterr().err


def test_a_script_that_fails_is_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.sh"
    broken.write_text("exit 3\n", encoding="utf-8")
    assert bench.main(["--runs", "1", "--against", str(broken)]) == 1
    assert "original: exit statuses [3]" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--runs", "x"], ["--against", "/none"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        bench.main(arguments)
    assert caught.value.code == 2
