"""scripts/claude-watch: a version of Claude Code that breaks the renewal is found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tools import claude_watch
from tools.claude_watch import Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NUMBER = "9.9.9"
CASE = "test_expired_token_is_renewed[bash]"
# A stand-in for npm. For "view" it prints a version; for "install" it writes a CLI.
NPM = """#!/bin/sh
echo "$*" >>{calls}
case $1 in
  view) [ "$2" != @anthropic-ai/claude-code@none ] && echo {shown} ;;
  install)
    for word; do case $word in --prefix=*) cd "${{word#*=}}" ;; esac; done
    mkdir -p cache node_modules/@anthropic-ai/claude-code/node_modules/@anthropic-ai/claude-code-x
    cd node_modules/@anthropic-ai/claude-code/node_modules/@anthropic-ai/claude-code-x
    printf '#!/bin/sh\\nexit 41\\n' >claude && chmod +x claude ;;
esac
"""


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """Replace npm. Return a function that returns its calls."""
    calls, program = tmp_path / "calls", tmp_path / "npm"
    program.write_text(NPM.format(calls=calls, shown=json.dumps(f'"{NUMBER}"')), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(claude_watch, "NPM", program)
    monkeypatch.setattr(claude_watch, "INSTALLED", tmp_path / "installed")
    return lambda: [line.split() for line in calls.read_text("utf-8").splitlines()]


def test_broken_cli_fails_twice(
    npm: Callable[[], list[list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    number, cli = claude_watch.install("latest")
    assert number == NUMBER
    assert [call[0] for call in npm()] == ["view", "install"]
    assert "--ignore-scripts" in npm()[1]
    monkeypatch.setattr(claude_watch, "FILES", claude_watch.FILES[:1])
    monkeypatch.setattr(claude_watch, "CASES", "test_expired_token_is_renewed and bash")
    monkeypatch.setattr(claude_watch, "PARALLEL", [])
    results = claude_watch.run_cases(cli)
    assert {name: result.word for name, result in results.items()} == {CASE: "FAILED"}
    out = capfd.readouterr().out
    assert out.count("claude CLI refresh failed (exit 41)") > 0, out
    assert out.count("\n1 failed") == 2, out


@pytest.mark.usefixtures("npm")
@pytest.mark.parametrize(
    ("pinned", "other", "status"),
    [("passed", "passed", 0), ("passed", "FAILED", 1), ("passed", "skipped", 1),
     ("FAILED", "FAILED", 1)],
)  # fmt: skip
def test_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pinned: str,
    other: str,
    status: int,
) -> None:
    words = {None: pinned}
    monkeypatch.setattr(
        claude_watch, "run_cases", lambda cli: {CASE: Result(words.get(cli, other), 1)}
    )
    assert claude_watch.main([]) == status
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1].split()[:2] == [CASE, pinned]
    assert (f"{NUMBER} fails {CASE}" in shown.err) == (pinned == "passed" != other)


def test_installed_version_is_kept(npm: Callable[[], list[list[str]]]) -> None:
    first = claude_watch.install("latest")
    assert claude_watch.install("latest") == first
    assert (first[0], first[1].name) == (NUMBER, "claude")
    assert [call[0] for call in npm()] == ["view", "install", "view"]


@pytest.mark.usefixtures("npm")
def test_unknown_version_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        claude_watch.main(["none"])
    assert caught.value.code == 2
    assert "claude-watch: npm view failed" in capsys.readouterr().err


def test_missing_and_skipped_cases_are_broken() -> None:
    passed = Result("passed", 1)
    pinned = {"a": passed, "b": passed, "c": passed, "d": Result("FAILED", 1)}
    assert claude_watch.broken(pinned, {"a": passed, "b": Result("skipped", 0)}) == ["b", "c"]


def test_table() -> None:
    columns = {"1 (pinned)": {"a": Result("passed", 1.25)}, "2": {"b": Result("ERROR", 100)}}
    assert claude_watch.table(columns) == [
        "case  1 (pinned)        2",
        "a     passed    1.2 s   missing",
        "b     missing           ERROR  100.0 s",
    ]


def test_help_names_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        claude_watch.main(["--help"])
    assert "Exit status: 0 if all cases that pass" in " ".join(capsys.readouterr().out.split())
