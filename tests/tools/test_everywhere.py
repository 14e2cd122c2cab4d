"""scripts/everywhere: its options, its table, and its refusal where releases cannot be made."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from tools.everywhere import drive, release

ROOT = Path(__file__).parents[2]
REPORT = """\
<testsuites><testsuite>
<testcase classname="a" name="one"/>
<testcase classname="a" name="expected"><skipped type="pytest.xfail" message="known"/></testcase>
{more}
</testsuite></testsuites>
"""
FAILURE = '<testcase classname="b" name="bad"><failure message="x"/></testcase>'
SKIP = '<testcase classname="c" name="absent"><skipped message="no strace"/></testcase>'


def read(directory: Path, more: str, status: int) -> drive.Result:
    report = directory / "report.xml"
    report.write_text(REPORT.format(more=more), encoding="utf-8")
    result = drive.Result("bats", seconds=7)
    drive.read_report(result, report, status)
    return result


def test_help_names_each_release_and_suite() -> None:
    argv = [str(ROOT / "scripts/everywhere"), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    for name in (*drive.COMBINATIONS, *drive.SUITES, "Exit status"):
        assert name in done.stdout
    assert done.stderr == ""


def test_table_has_versions_and_failures(tmp_path: Path) -> None:
    versions = ["bash 5.3", "jq 1.8"]
    rows = [
        drive.Row("Debian sid", versions, [read(tmp_path, SKIP, 0), read(tmp_path, FAILURE, 1)]),
        drive.Row("Debian 13", versions, [read(tmp_path, "", 0)], seconds=61),
        drive.Row("Debian 12", problem="debootstrap failed: see LOG"),
    ]
    assert drive.table(rows) == [
        "Debian sid: FAILED (0 s): bash 5.3, jq 1.8",
        "  bats: 2 passed, 1 skipped (7 s)",
        "    skipped: c: absent: no strace",
        "  bats: 2 passed, 1 FAILED (7 s)",
        "    failed: b: bad",
        "Debian 13: passed (61 s): bash 5.3, jq 1.8",
        "  bats: 2 passed (7 s)",
        "Debian 12: FAILED (0 s): ",
        "  debootstrap failed: see LOG",
    ]


def test_run_without_a_report_or_a_test_has_failed(tmp_path: Path) -> None:
    empty = drive.Result("bats")
    drive.read_report(empty, tmp_path / "absent.xml", 0)
    assert empty.failed == ["no test ran"]
    assert read(tmp_path, "", 3).failed == ["exit status 3"]


def test_other_users_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert drive.main([]) == 77
    assert capsys.readouterr().err == (
        "everywhere: only root can make and enter a release. Run it as root\n"
    )


def test_host_without_a_mirror_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("debootstrap", ""), ("apt-get", "echo Ubuntu http://127.0.0.1/ubuntu")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert drive.main(["sid"]) == 77
    assert "apt has no mirror of Debian" in capsys.readouterr().err


def test_unknown_release_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        drive.main(["buster"])
    assert raised.value.code == 2
    assert "unknown release buster: use bookworm, " in capsys.readouterr().err


@pytest.mark.parametrize("suite", drive.SUITES)
def test_suites_name_existing_tests(suite: str) -> None:
    paths = [word for word in shlex.split(drive.SUITES[suite]) if word.startswith("tests/")]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_commands_in_a_release_are_valid_bash() -> None:
    for text in (release.ENTER, drive.VERSIONS):
        subprocess.run(["bash", "-n", "-c", text], check=True)


@pytest.mark.parametrize(
    ("output", "count"),
    [
        ("1..3\nok 1 a # in 5 ms\nnot ok 2 b # in 5 ms\n# (in test file x)\n", 2),
        ("bringing up nodes...\n\n..F.s [ 50%]\n.x", 7),
    ],
)
def test_progress_counts_finished_tests(output: str, count: int) -> None:
    assert drive.finished_tests(output) == count


def test_nightly_workflow_runs_each_release() -> None:
    text = (ROOT / ".github/workflows/nightly.yml").read_text("utf-8")
    assert f"release: [{', '.join(drive.COMBINATIONS)}]\n" in text
