"""Summarize the JUnit reports of a test run: what failed, was skipped and was proven."""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The counts that tests record with record_property, and their texts. {0} is the count, and {1} the
# second one.
NUMBERS = (
    ("scenarios", "", "{0} scenarios in which both forms ran and were compared byte for byte"),
    ("axes", "", "{0} of them with a hostile environment: locale, zone, streams, PATH, disk, ..."),
    ("worlds", "", "{0} random worlds without a difference"),
    ("programs", "", "{0} random programs that CPython and, compiled, bash ran alike"),
    (
        "mutants_killed",
        "mutants",
        "{0} of {1} mutants killed: a sample of the mistakes in both forms",
    ),
    ("days", "runs_in_days", "{0} simulated days of a host, with {1} runs in both forms"),
    ("faults_survived", "faults", "{0} of {1} faults survived: kills, clock jumps, crowds"),
)


@dataclass
class Summary:
    """The test cases of all reports, by result, and the sums of their counts."""

    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # by "CLASS: REASON"
    numbers: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """Return the skipped tests and the counts, one line each."""
        found = [f"SKIPPED {count} in {what}" for what, count in sorted(self.skipped.items())]
        for name, beside, text in NUMBERS:
            if name in self.numbers:
                found.append("proven: " + text.format(self.numbers[name], self.numbers[beside]))
        return found


def summarize(files: Iterable[Path]) -> Summary:
    """Summarize JUnit reports. Ignore the counts of tests that did not pass."""
    summary = Summary()
    for file in files:
        for case in ET.parse(file).iter("testcase"):  # noqa: S314 - written by our own run
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                summary.failed += 1
            elif skip is not None and skip.get("type") != "pytest.xfail":
                reason = skip.get("message") or skip.text or "no reason"
                summary.skipped[f"{case.get('classname')}: {reason}"] += 1
            else:
                summary.passed += 1
                for number in case.iter("property"):
                    if number.get("name") in {n for name in NUMBERS for n in name[:2]}:
                        summary.numbers[str(number.get("name"))] += int(number.get("value", 0))
    return summary


def main(arguments: Sequence[str]) -> int:
    """Print the summary of the reports in the directory arguments[0]. The rest are failed parts.

    Return 1 if anything failed, or was skipped although OAUTHKIT_REQUIRE_E2E is 1.
    """
    directory, *parts = arguments
    summary = summarize(sorted(Path(directory).rglob("*.xml")))
    print(*summary.lines(), sep="\n")
    skipped = summary.skipped.total()
    failed = summary.failed
    if skipped and os.environ.get("OAUTHKIT_REQUIRE_E2E") == "1":
        parts.append("skips")
        failed, skipped = failed + skipped, 0
    if parts:
        print("FAILED:", *parts)
    failed = max(failed, len(parts))  # a part without tests can fail: the linters
    print(f"total: {summary.passed} passed, {failed} failed, {skipped} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
