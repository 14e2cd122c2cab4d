"""Load the pages that `oauthkit explain CODE` prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oauthkit.compiler.diagnostics.report import CODES

FILE = Path(__file__).with_name("explanations.txt")
ABOVE_MAIN = "---"


@dataclass(frozen=True)
class Explanation:
    """The explanation of an error code. `bad` is rejected with this code, and `good` compiles.

    Both are the body of main. Source text for above main comes first, followed by a line
    ABOVE_MAIN.
    """

    code: str
    why: str
    bad: str
    good: str

    def render(self) -> str:
        """Return the page as text."""
        parts = [
            f"{self.code}: {CODES[self.code]}", self.why, "Rejected:", _indented(self.bad),
            "Accepted:", _indented(self.good),
        ]  # fmt: skip
        return "\n\n".join(parts)


def _indented(text: str) -> str:
    lines = ("" if line == ABOVE_MAIN else f"    {line}" for line in text.splitlines())
    return "\n".join(line.rstrip() for line in lines)


def load() -> dict[str, Explanation]:
    """Parse explanations.txt: sections `=== CODE`.

    Each has a reason, and examples below the lines `>>> rejected` and `>>> accepted`.
    """
    found = {}
    for section in FILE.read_text(encoding="utf-8").split("\n=== ")[1:]:
        code, _, rest = section.partition("\n")
        why, _, examples = rest.partition("\n>>> rejected\n")
        bad, _, good = examples.partition("\n>>> accepted\n")
        found[code] = Explanation(code, why.strip(), bad.strip("\n"), good.strip("\n"))
    return found
