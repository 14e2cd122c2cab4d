"""The benchmark completes. No test depends on its figures."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.bench_world import CHECKOUT, SCRIPT
from tests.support.system.etcd_cluster import missing_programs
from tests.support.system.systemd_manager import skip_or_fail
from tools.bench import bench, compile_time, fleet

from oauthkit.compiler.driver import compile_text, load_standard_library
from oauthkit.compiler.lint import verify

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def test_all_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--runs", "1", "--against", str(SCRIPT)]) == 0
    out = capsys.readouterr().out
    verdicts = re.findall(
        r"^  (.*): .*; target: at most ([\d.]+): (?:met|missed)$", out, re.MULTILINE
    )
    against = [("bash form / original", "0.5")]
    python = [("Python form / Python baseline", "1.3")]
    fresh, same, ensure = ([("bash form", count)] for count in ("9", "6", "2"))
    if "not here" in out:  # no strace
        fresh = same = ensure = []
    in_turn = [*against, *python, *fresh, *against, *python, *same, *python, *ensure]
    assert verdicts == in_turn * 2


def test_script_that_does_nothing_is_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle = tmp_path / "idle.sh"
    idle.write_text("exit 0\n", encoding="utf-8")
    assert bench.main(["--runs", "1", "--against", str(idle)]) == 1
    assert "original, fresh token, .env has an old one: no refresh" in capsys.readouterr().err


def test_failing_script_is_not_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.sh"
    broken.write_text("exit 3\n", encoding="utf-8")
    assert bench.main(["--runs", "1", "--against", str(broken)]) == 1
    assert "original: exit statuses [3]" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--runs", "x"], ["--against", "/none"]])
def test_usage_error(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        bench.main(arguments)
    assert caught.value.code == 2


def test_compiler_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_time.main(["--runs", "1", "--sizes", "100", "200"]) == 0
    out = capsys.readouterr().out
    for shape in compile_time.SHAPES:
        table = out.partition(f"\n{shape}\n")[2].splitlines()[1:3]
        assert [len(row.split()) for row in table] == [5, 5]
        assert table[0].split()[3] == "1.00"


@pytest.mark.parametrize("shape", compile_time.SHAPES)
def test_compiled_program_has_the_given_size(shape: str) -> None:
    text = compile_time.SHAPES[shape](1000)
    assert 800 < text.count("\n") <= 1010
    verify(compile_text(text, "program.py", load_standard_library()), lints=True)


def test_help_names_all_measurements(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("usage: scripts/bench [-h] [--against FILE] [--runs N] [--compile]")
    assert "--compile measure only the compiler:" in said
    assert "that they replace" not in said


@pytest.mark.parametrize(
    ("program", "arguments"), [(bench, ["--runs=1"]), (compile_time, ["--runs=1", "--sizes=100"])]
)
def test_closed_pipe_ends_it_quietly(program: ModuleType, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", program.__name__, *arguments]
    done = subprocess.run(
        argv, cwd=CHECKOUT, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_followers_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    if missing := missing_programs():
        skip_or_fail(f"not installed: {', '.join(missing)}. Run scripts/setup")
    assert fleet.main(["--rounds", "1", "--followers", "1", "--forms", "bash"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"bash, 1 follower\(s\): from put to \.env median \d+\.\d\d s", shown)
    assert re.search(r"bash: {'get': \d+, 'watch': 12} per hour", shown)
