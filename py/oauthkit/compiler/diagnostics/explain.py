"""What `oauthkit explain CODE` prints: why something is refused, what is, and what is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oauthkit.compiler.diagnostics.report import CODES

FILE = Path(__file__).with_name("explanations.txt")
ABOVE_MAIN = "---"


@dataclass(frozen=True)
class Explanation:
    """The page of one code: `bad` is refused with it, `good` compiles.

    Both are the lines of a main; what stands above main comes first, before a line ABOVE_MAIN.
    """

    code: str
    why: str
    bad: str
    good: str

    def page(self) -> str:
        """The page as text."""
        parts = [
            f"{self.code}: {CODES[self.code]}", self.why, "Refused:", _indented(self.bad),
            "Accepted:", _indented(self.good),
        ]  # fmt: skip
        return "\n\n".join(parts)


def _indented(text: str) -> str:
    lines = ("" if line == ABOVE_MAIN else f"    {line}" for line in text.splitlines())
    return "\n".join(line.rstrip() for line in lines)


def load() -> dict[str, Explanation]:
    """The explanation of each code."""
    found = {}
    for section in FILE.read_text(encoding="utf-8").split("\n=== ")[1:]:
        code, _, rest = section.partition("\n")
        why, _, examples = rest.partition("\n>>> refused\n")
        bad, _, good = examples.partition("\n>>> accepted\n")
        found[code] = Explanation(code, why.strip(), bad.strip("\n"), good.strip("\n"))
    return found
