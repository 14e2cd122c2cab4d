"""The plugin's command-line options, which apply to every Pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ONLY = "--parity-only"
KEEP = "--parity-keep"
# Separates a form's name from the run's number in the name of a copied sandbox.
EARLIER_RUN = "-run-"


class UnknownFormError(ValueError):
    """Raised if this pair does not have the form that --parity-only names."""


@dataclass
class Options:
    """pytest's options, and the state of its run.

    `only` names the form to run, or is "". `kept` lists kept sandboxes. `has_passed` is the result
    of the last phase of the current test.
    """

    only: str = ""
    keep: bool = False
    kept: list[Path] = field(default_factory=list)
    has_passed: bool = True

    def chosen(self, names: Sequence[str]) -> list[str]:
        """Return which of these forms to run. Raise UnknownFormError if `only` is none of them."""
        if not self.only:
            return [*names]
        if self.only not in names:
            known = " and ".join(names)
            raise UnknownFormError(f"{ONLY} {self.only}: no such form; this pair has {known}")
        return [self.only]


# Set by the plugin for all pairs of this process, including those created without the fixture.
current = Options()
