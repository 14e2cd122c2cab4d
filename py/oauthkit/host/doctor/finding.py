"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of a check: `fix` is the command to run, or what to do.

    If `needs_refresh`, a refresh completes the fix, or is the fix. examine adds it.
    """

    name: str
    text: str
    fix: str = ""
    is_note: bool = False  # does not need to be fixed
    details: tuple[str, ...] = ()  # more lines
    needs_refresh: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether nothing needs to be fixed."""
        return self.is_note or not (self.fix or self.needs_refresh)

    def lines(self) -> list[str]:
        """Return the finding as a line, then its details and the fix, each on a line of its own."""
        sign = "note" if self.is_note else " ok " if self.is_ok else "FAIL"
        fix = [f"      fix: {self.fix}"] if self.fix else []
        details = [f"      {line}" for line in self.details]
        return [f"{sign}  {self.name}: {self.text}", *details, *fix]
