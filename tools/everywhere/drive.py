"""Run the tests on other releases of Debian: scripts/everywhere."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.everywhere.release import RELEASES, Release, UnavailableError, check_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

COMBINATIONS = ("bookworm", "trixie", "sid", "sid+rust")
TOO_OLD = "trixie+rust"  # docs/tested-hosts.md
PYTEST = ".venv/bin/python -m pytest -q -n 4 --dist worksteal --junit-xml={report}"
SUITES = {
    "bats": ".tools/npm/node_modules/bats/bin/bats --report-formatter junit"
    " --output {directory} --recursive tests/refresh",
    "parity": f"{PYTEST} tests/refresh tests/fleet tests/runtime_library"
    " --ignore-glob=*/test_unit.py --ignore-glob=*/test_hostile*.py"
    " --ignore-glob=*/test_claude_code.py",
    "compile": f"{PYTEST} tests/compiler/conformance tests/compiler/test_compile.py"
    " tests/compiler/test_generate.py tests/compiler/test_examples.py",
    "systemd": f"{PYTEST} tests/system/test_systemd_chain.py tests/system/test_systemd_names.py"
    " tests/system/test_host_install.py tests/system/test_mount_point.py",
    "claude": f"{PYTEST} tests/system/test_claude_code.py tests/fleet/test_claude_code.py",
}
# Printed by the release itself, in this order.
VERSIONS = """
echo "bash ${BASH_VERSION%%(*}"
echo "coreutils $(timeout --version | awk 'NR == 1 { print $NF }')"
echo "jq $(jq --version | tr -d a-z-)"
echo "systemd $(systemctl --version | awk 'NR == 1 { print $2 }')"
python3 --version
"""
NOT_PERMITTED = 77  # EX_NOPERM of sysexits.h
EPILOG = f"""\
releases: {", ".join(COMBINATIONS)} (default: all); also {TOO_OLD}
  +rust: the coreutils written in Rust (uutils) in place of the GNU ones. Some tests fail
  with them, and more with those of trixie: see docs/tested-hosts.md.
suites: {", ".join(SUITES)} (default: all)

Each release is made once with debootstrap, in .tools/releases, from the mirror of Debian that this
system's apt uses. To make one again, delete its directory. The tests run there in a copy of this
checkout, with the release's own bash, coreutils, jq, systemd and Python. Output of each suite:
.tools/releases/logs.

Needs root, debootstrap, apt with a mirror of Debian, and pip with a package index.
Exit status: 0 if all passed, 1 if something failed, 2 for a usage error, {NOT_PERMITTED} if
releases cannot be made here."""


@dataclass
class Result:
    """The tests of one suite on one release."""

    suite: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0

    def text(self) -> str:
        """Return a cell of the table, as in `12 passed, 1 FAILED (35 s)`."""
        parts = [f"{self.passed} passed"]
        parts += [f"{len(self.failed)} FAILED"] if self.failed else []
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        return f"{self.suite}: {', '.join(parts)} ({self.seconds:.0f} s)"


@dataclass
class Row:
    """What ran on one release."""

    release: str
    versions: Sequence[str] = ()
    results: list[Result] = field(default_factory=list)
    problem: str = ""
    seconds: float = 0

    @property
    def failed(self) -> bool:
        return bool(self.problem) or any(result.failed for result in self.results)


def read_report(result: Result, report: Path, status: int) -> None:
    """Fill a result from a suite's JUnit report and exit status."""
    if report.exists():
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by our own run
            name = f"{case.get('classname')}: {case.get('name')}"
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                result.failed.append(name)
            elif skip is None or skip.get("type") == "pytest.xfail":
                result.passed += 1
            else:
                reason = str(skip.get("message") or skip.text).partition("\n")[0]
                result.skipped.append(f"{name}: {reason}")
    if status and not result.failed:
        result.failed.append(f"exit status {status}")
    elif not status and not result.passed:
        result.failed.append("no test ran")


def table(rows: Iterable[Row]) -> list[str]:
    """Return the lines of the table: release, versions, what ran, what failed."""
    lines = []
    for row in rows:
        state = "FAILED" if row.failed else "passed"
        lines.append(f"{row.release}: {state} ({row.seconds:.0f} s): {', '.join(row.versions)}")
        lines += [f"  {row.problem}"] if row.problem else []
        for result in row.results:
            lines.append(f"  {result.text()}")
            lines += [f"    failed: {name}" for name in result.failed]
            lines += [f"    skipped: {name}" for name in result.skipped]
    return lines


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"everywhere: {text}", flush=True)


def finished_tests(output: str) -> int:
    """Return how many tests have finished, from the output of bats or `pytest -q`."""
    bats = re.findall(r"^(?:not )?ok ", output, re.MULTILINE)
    pytest = re.findall(r"^[.EFXsx]+(?= *(?:\[.*\])?$)", output, re.MULTILINE)
    return len(bats) + sum(map(len, pytest))


def run_suite(release: Release, suite: str) -> Result:
    """Run a suite in a release. Print the progress every 30 s."""
    log = RELEASES / "logs" / f"{release.name}.{suite}.log"
    log.unlink(missing_ok=True)
    reports = release.directory / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    report = "report.xml" if suite == "bats" else "pytest.xml"
    command = SUITES[suite].format(directory="/reports", report=f"/reports/{report}")
    result = Result(suite)
    began = time.monotonic()
    with release.start(shlex.split(command), log) as process:
        while True:
            try:
                status = process.wait(timeout=30)
                break
            except subprocess.TimeoutExpired:
                output = log.read_bytes().decode("utf-8", "replace")
                say(f"{release.name}: {suite}: {finished_tests(output)} tests")
    result.seconds = time.monotonic() - began
    read_report(result, reports / report, status)
    say(f"{release.name}: {result.text()}")
    return result


def run_release(release: Release, suites: Iterable[str]) -> Row:
    """Make a release, and run suites in it. The row says what failed."""
    row = Row(release.title)
    began = time.monotonic()
    log = RELEASES / "logs" / f"{release.name}.setup.log"
    log.unlink(missing_ok=True)
    say(f"{release.name}: setup")
    try:
        release.make(log)
        row.versions = release.read(["bash", "-c", VERSIONS]).splitlines()
        for suite in suites:
            row.results.append(run_suite(release, suite))
    except UnavailableError as error:
        row.problem = str(error)
    row.seconds = time.monotonic() - began
    return row


def main(arguments: Sequence[str]) -> int:
    """Run scripts/everywhere. Return its exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/everywhere",
        description="Runs the tests on other releases of Debian, and prints a table.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help="a release, see below")
    parser.add_argument(
        "--suite", action="append", choices=SUITES, help="run only this one; can be repeated"
    )
    options = parser.parse_args(arguments)
    for name in options.releases:
        if name not in (*COMBINATIONS, TOO_OLD):
            parser.error(f"unknown release {name}: use {', '.join(COMBINATIONS)}")
    try:
        check_host()
    except UnavailableError as error:
        print(f"everywhere: {error}", file=sys.stderr)
        return NOT_PERMITTED
    (RELEASES / "logs").mkdir(parents=True, exist_ok=True)
    suites = options.suite or list(SUITES)
    rows = [run_release(Release(name), suites) for name in options.releases or COMBINATIONS]
    print(*table(rows), sep="\n")
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
