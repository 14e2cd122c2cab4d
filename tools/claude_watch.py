"""Compare versions of Claude Code by the tests that use it: scripts/claude-watch."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.system.claude_project import CURRENT, OLD, OTHER_CLI, find_cli

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
NPM = Path(sys.executable).with_name("npm")
INSTALLED = ROOT / ".tools/claude"
PACKAGE = "@anthropic-ai/claude-code"
FILES = (
    "tests/system/test_claude_code.py",
    "tests/system/test_claude_code_sessions.py",
    "tests/system/test_kubernetes.py",
    "tests/fleet/test_claude_code.py",
)
# The other cases are for one old version, whatever the current one is.
CASES = f"not old_claude and not {OLD}"
PARALLEL = ["-n4"]
USAGE = f"""\
Installs versions of Claude Code in .tools/claude, and runs the tests that use the real CLI on the
pinned version ({CURRENT}) and on each of them. Prints a table of the results. Exit status: 0 if all
cases that pass on the pinned version pass on the others, 1 if not, 2 if a version cannot be
installed."""


@dataclass(frozen=True)
class Result:
    """The result of one case."""

    word: str  # "passed", "FAILED", "ERROR" (before or after the test itself) or "skipped"
    took_s: float

    def __str__(self) -> str:
        """Return the table's cell."""
        return f"{self.word} {self.took_s:6.1f} s"


def npm(*arguments: str) -> str:
    """Run npm, and return its output. Exit with 2 if it fails: it prints the reason."""
    done = subprocess.run(
        [NPM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"claude-watch: npm {arguments[0]} failed", file=sys.stderr)
        sys.exit(2)
    return done.stdout


def install(wanted: str) -> tuple[str, Path]:
    """Install a version of the CLI, unless it is installed. Return its number and its path."""
    number = json.loads(npm("view", f"{PACKAGE}@{wanted}", "version", "--json") or "null")
    if not isinstance(number, str):  # npm prints nothing for an unknown version
        print(f"claude-watch: there is no version {wanted} of {PACKAGE}", file=sys.stderr)
        sys.exit(2)
    target = INSTALLED / number
    if not target.exists():
        work = INSTALLED / f"{number}.unfinished"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        npm(
            "install", "--ignore-scripts", "--no-save", "--install-strategy=nested",
            "--loglevel=error", f"--cache={work / 'cache'}", f"--prefix={work}",
            f"{PACKAGE}@{number}",
        )  # fmt: skip
        shutil.rmtree(work / "cache")
        work.rename(target)
    found = find_cli(target / "node_modules" / PACKAGE)
    if found is None:
        print(f"claude-watch: {target} has no program for this machine", file=sys.stderr)
        sys.exit(2)
    return number, found


def run_cases(cli: Path | None) -> dict[str, Result]:
    """Run the cases on a CLI, or on the pinned one. Return their results by name.

    Failed cases are repeated one at a time: on a busy machine, some exceed their limits.
    """
    env = {name: value for name, value in os.environ.items() if name != "OAUTHKIT_REQUIRE_E2E"}
    if cli is not None:
        env[OTHER_CLI] = str(cli)
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as directory:
        for options in (PARALLEL, ["--last-failed"]):
            report = Path(directory) / "report.xml"
            subprocess.run(
                [
                    sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-k", CASES,
                    "-o", f"cache_dir={directory}/cache", f"--junit-xml={report}", *options, *FILES,
                ],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                check=False,
            )  # fmt: skip
            results |= read_report(report)
            if all(result.word in {"passed", "skipped"} for result in results.values()):
                break
    return results


def read_report(report: Path) -> dict[str, Result]:
    """Return the results of a JUnit report, by case."""
    if not report.exists():  # pytest did not start. It has printed why
        return {}
    results = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by our own run
        words = {"failure": "FAILED", "error": "ERROR", "skipped": "skipped"}
        found = [word for tag, word in words.items() if case.find(tag) is not None]
        word = found[0] if found else "passed"
        results[str(case.get("name"))] = Result(word, float(case.get("time") or 0))
    return results


def broken(pinned: dict[str, Result], other: dict[str, Result]) -> list[str]:
    """Return the cases that pass on the pinned version and do not on the other one."""
    return [
        name
        for name, result in pinned.items()
        if result.word == "passed" and (name not in other or other[name].word != "passed")
    ]


def table(columns: dict[str, dict[str, Result]]) -> list[str]:
    """Return the lines of a table of results by version and case."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    width = max(map(len, ("case", *names)))
    rows = [f"{'case':{width}}" + "".join(f"  {version:16}" for version in columns)]
    for name in names:
        cells = (column.get(name, "missing") for column in columns.values())
        rows.append(f"{name:{width}}" + "".join(f"  {cell!s:16}" for cell in cells))
    return [row.rstrip() for row in rows]


def main(arguments: Sequence[str]) -> int:
    """Run scripts/claude-watch. Return its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/claude-watch", description=USAGE)
    parser.add_argument("versions", nargs="*", default=["latest"], metavar="VERSION",
                        help="a version, or a tag of the npm package (latest)")  # fmt: skip
    wanted = parser.parse_args(arguments).versions
    others = dict(install(version) for version in wanted)
    pinned = run_cases(None)
    columns = {f"{CURRENT} (pinned)": pinned}
    for number, cli in others.items():
        columns[number] = run_cases(cli)
    print(*table(columns), sep="\n")
    lost = {number: broken(pinned, columns[number]) for number in others}
    for number, names in lost.items():
        for name in names:
            print(f"claude-watch: {number} fails {name}", file=sys.stderr)
    if not any(result.word == "passed" for result in pinned.values()):
        print(f"claude-watch: nothing passes on {CURRENT}", file=sys.stderr)
        return 1
    return int(any(lost.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
