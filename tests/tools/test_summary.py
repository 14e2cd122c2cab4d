"""The last lines of a test run: counts, failures and skips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tools import summary

if TYPE_CHECKING:
    from pathlib import Path

REPORT = """\
<testsuites><testsuite>
<testcase classname="a" name="one"><properties>
  <property name="scenarios" value="3"/><property name="mutants" value="5"/>
  <property name="mutants_killed" value="4"/><property name="of_no_interest" value="x"/>
</properties></testcase>
<testcase classname="a" name="two"><properties><property name="scenarios" value="2"/></properties>
</testcase>
<testcase classname="a" name="expected"><skipped type="pytest.xfail" message="known"/></testcase>
{more}
</testsuite></testsuites>
"""
FAILURE = """<testcase classname="b" name="bad"><failure message="x"/>
<properties><property name="scenarios" value="100"/></properties></testcase>"""
SKIP = '<testcase classname="c" name="not here"><skipped message="no strace"/></testcase>'


@pytest.fixture(autouse=True)
def no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OAUTHKIT_REQUIRE_E2E", raising=False)


def summary_of(
    directory: Path, capsys: pytest.CaptureFixture[str], more: str = "", *parts: str
) -> tuple[int, list[str]]:
    (directory / "pytest.xml").write_text(REPORT.format(more=more), encoding="utf-8")
    status = summary.main([str(directory), *parts])
    return status, capsys.readouterr().out.splitlines()


def test_counts_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert summary_of(tmp_path, capsys) == (
        0,
        [
            "proven: 5 scenarios in which both forms ran and were compared byte for byte",
            "proven: 4 of 5 mutants killed: a sample of the mistakes in both forms",
            "total: 3 passed, 0 failed, 0 skipped",
        ],
    )


def test_failed_test_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = summary_of(tmp_path, capsys, FAILURE, "pytest")
    assert status == 1
    assert lines[0].startswith("proven: 5 scenarios")
    assert lines[-2:] == ["FAILED: pytest", "total: 3 passed, 1 failed, 0 skipped"]


def test_part_without_tests_can_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = summary_of(tmp_path, capsys, "", "check")
    assert status == 1
    assert lines[-1] == "total: 3 passed, 1 failed, 0 skipped"


def test_skip_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = summary_of(tmp_path, capsys, SKIP)
    assert status == 0
    assert lines[0] == "SKIPPED 1 in c: no strace"
    assert lines[-1] == "total: 3 passed, 0 failed, 1 skipped"


def test_skip_fails_where_everything_must_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHKIT_REQUIRE_E2E", "1")
    status, lines = summary_of(tmp_path, capsys, SKIP)
    assert status == 1
    assert lines[-2:] == ["FAILED: skips", "total: 3 passed, 1 failed, 0 skipped"]
