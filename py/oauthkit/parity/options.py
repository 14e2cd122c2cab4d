"""What pytest's command line says to every Pair: keep all sandboxes, run one form alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ONLY = "--parity-only"
KEEP = "--parity-keep"
# Between a form's name and the number of the run, in the name of a sandbox that was copied.
EARLIER_RUN = "-run-"


class UnknownFormError(ValueError):
    """The form that is to run alone is none of this pair."""


@dataclass
class Options:
    """`only` names the one form to run, "" for all; `kept` is what `keep` has kept so far."""

    only: str = ""
    keep: bool = False
    kept: list[Path] = field(default_factory=list)

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The forms to run, of those named; UnknownFormError if the one asked for is none."""
        if not self.only:
            return [*names]
        if self.only not in names:
            known = " and ".join(names)
            raise UnknownFormError(f"{ONLY} {self.only}: no such form here; there are {known}")
        return [self.only]


# Set by the plugin, for all pairs of this process: those that a test makes without a fixture, too.
current = Options()
