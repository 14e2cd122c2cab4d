"""The mutants that behave as the original in every case that a user can reach, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.mutants.mutant import REPOSITORY

if TYPE_CHECKING:
    from tests.mutants.mutant import Mutant

__all__ = ["REPOSITORY", "load", "stale"]

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


LIST = Path(__file__).with_name("equivalent.toml")
Identity = tuple[str, str, str, str, int]


def load(path: Path = LIST) -> dict[Identity, str]:
    """The reason of each listed mutant, by its identity. ValueError if one is listed twice.

    An entry of the list has a reason and the mutants that it holds for: `file`, then `lines`, a
    list of [function, line, mutated line] and, where a line like it comes before, its number.
    """
    found: dict[Identity, str] = {}
    data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    for entry in data["equivalent"]:
        if not entry["reason"].strip():
            raise ValueError(f"no reason is given: {entry}")
        for scope, before, after, *ordinal in entry["lines"]:
            identity = (entry["file"], scope, before, after, ordinal[0] if ordinal else 1)
            if identity in found:
                raise ValueError(f"listed twice: {identity}")
            found[identity] = entry["reason"]
    return found


def stale(mutants: Iterable[Mutant], listed: Iterable[Identity]) -> list[Identity]:
    """The entries that are no mutant any more: of all mutants of both forms."""
    known = {mutant.identity for mutant in mutants}
    return [identity for identity in listed if identity not in known]
