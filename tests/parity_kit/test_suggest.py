"""Suggested stand-ins and tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.parity_kit.programs import scripts

from oauthkit.parity import Form, script, suggest
from oauthkit.parity.suggest import words

if TYPE_CHECKING:
    from pathlib import Path

    from oauthkit.parity import MakePair, Pair, Run

BASH = """
mkdir -p a && cd a
name=$(hostname) || exit
for i in 1 2 3; do curl -s "http://host/$name"; done
[[ $(fetch 'a b') == ok ]] && rm -rf /nothing/here
sleep 1h
date +%F >day
cat day | mail -s 'it'\\''s' $'\\xff'
printf 'no mail\\n' >&2
exit 3
"""
PYTHON = """
import subprocess, sys, time
def call(*argv): return subprocess.run(argv, capture_output=True, text=True).stdout
call("mkdir", "-p", "a")
call("hostname")
for _ in range(2): call("curl", "-s", "http://host/")
call("fetch", "a b")
time.sleep(3600)
call("rsync")
"""


def suggested(pair: Pair[Run], capsys: pytest.CaptureFixture[str], *args: str) -> list[str]:
    """Return the lines that are printed."""
    with pytest.raises(AssertionError, match=r"suggest compares nothing\. Copy the lines"):
        pair.suggest(*args)
    return capsys.readouterr().out.splitlines()


def test_suggestion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = scripts(tmp_path, BASH, PYTHON)
    pair._tools.clear()
    assert suggested(pair, capsys) == [
        "make_pair(..., tools=['cat', 'date', 'mkdir'])",
        "parity.virtual_sleep()",
        "parity.stand_in('hostname').when().exits(0)",
        "parity.stand_in('curl').when('-s', 'http://host/').always.exits(0)"
        "  # calls of bash: 3, python: 2",
        "parity.stand_in('fetch').when('a b').exits(0)",
        "parity.stand_in('mail').when('-s', \"it's\", '\\udcff').exits(0)"
        "  # calls of bash: 1, python: 0",
        "parity.stand_in('rsync').when().exits(0)  # calls of bash: 0, python: 1",
        "# bash exited with 3",
        "#     no mail",
        "# python exited with 0",
    ]
    pair.close()


def test_planned_answers_lead_further(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = scripts(tmp_path, BASH.replace("exit 3", "slow"))
    pair.stand_in("fetch").prints("ok\n")
    pair.stand_in("rm")
    pair.stand_in("slow").hangs()
    pair.limit_s = 2
    pair.tool("date")
    lines = suggested(pair, capsys)
    assert "parity.stand_in('rm').when('-rf', '/nothing/here').exits(0)" in lines
    assert not any(line.startswith("parity") and "fetch" in line for line in lines)
    assert any("did not finish within 2 s and was killed" in line for line in lines)
    assert not any("unplanned" in line for line in lines)


def test_run_starts_anew_after_a_suggestion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = scripts(tmp_path, 'printf x >>file; fetch "$1" || exit 4; [[ -e /dev/null ]] && gone')
    pair.file("file", "given")
    fetch = pair.stand_in("fetch")
    fetch.when("a").exits(0)
    for _ in range(2):
        assert suggested(pair, capsys, "a")[0] == "parity.stand_in('gone').when().exits(0)"
    run = pair.run("a")
    assert (run.exit_code, run.files["file"].content) == (127, b"givenx")
    with pytest.raises(AssertionError, match="unplanned call: fetch a"):
        pair.run("a")
    with pytest.raises(ValueError, match="only possible before the first run"):
        pair.suggest()
    pair.close()


def test_no_other_program_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    kept.write_text("")
    pair = scripts(tmp_path / "pair", f"rm {kept}; touch made; mv made other; ls")
    assert suggested(pair, capsys)[:2] == [
        "make_pair(..., tools=['ls', 'touch'])",
        f"parity.stand_in('rm').when({str(kept)!r}).exits(0)",
    ]
    assert kept.exists()
    assert not suggest.HARMLESS & {"rm", "mv", "cp", "sed", "find", "xargs", "env", "tee", "sort"}
    pair.close()


def test_words_of_scripts(tmp_path: Path, make_pair: MakePair) -> None:
    (tmp_path / "a.sh").write_text("#!/usr/bin/env bash\nx2.y-z /usr/bin/curl; end.\n")
    (tmp_path / "b.py").write_text("#!/usr/bin/env python3\nd('notify-send')\n")
    pair = make_pair(tmp_path / "a.sh", script(tmp_path / "b.py", at="b"))
    found = words(pair.forms.values(), pair.world)
    other = Form("other", lambda _world: ["/bin/x", "a/b\0", "/dev/null", "c" * 5000, "mail me"])
    assert words([other], pair.world) == {"a", "b", "dev", "null", "mail", "me"}
    assert {"x2.y-z", "curl", "end", "notify-send", "python3"} <= found
    assert not any(word.startswith("/") or len(word) > 64 for word in found)


def test_paths_of_this_run_are_suggested_as_expressions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bash = 'fetch "$PWD/a b" "--to=$HOME/{}" plain\n'
    python = "import os, subprocess\n"
    python += "at, home = os.getcwd(), os.environ['HOME']\n"
    python += "subprocess.run(['fetch', f'{at}/a b', f'--to={home}/{{}}', 'plain'])\n"
    pair = scripts(tmp_path, bash, python)
    line = suggested(pair, capsys)[0]
    arguments = "f'{parity.project}/a b', f'--to={parity.home}/{{}}', 'plain'"
    assert line == f"parity.stand_in('fetch').when({arguments}).exits(0)"
    exec(line, {"parity": pair})  # noqa: S102 - the line is code for a test
    assert pair.run().exit_code == 0
