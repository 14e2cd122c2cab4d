"""The list of mutants that users cannot distinguish from the original."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.adversarial.mutants.mutant import Mutant

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


LIST = Path(__file__).with_name("equivalent.toml")
Identity = tuple[str, str, str, str, int]


def load(path: Path = LIST) -> dict[Identity, str]:
    """Return the reason for each listed mutant. Raise ValueError if one is listed twice.

    An entry has a `file`, a `reason` and `lines`: lists of a function, a line, the mutated line
    and, if the same change is possible several times in the function, its number from 1.
    """
    found: dict[Identity, str] = {}
    data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    for entry in data["equivalent"]:
        if not entry["reason"].strip():
            raise ValueError(f"the reason is empty: {entry}")
        for scope, before, after, *ordinal in entry["lines"]:
            identity = (entry["file"], scope, before, after, ordinal[0] if ordinal else 1)
            if identity in found:
                raise ValueError(f"listed twice: {identity}")
            found[identity] = entry["reason"]
    return found


def stale(mutants: Iterable[Mutant], listed: Iterable[Identity]) -> list[Identity]:
    """Return the entries that are not among all mutants: their line has changed since."""
    known = {mutant.identity for mutant in mutants}
    return [identity for identity in listed if identity not in known]
