"""The worlds that judge mutants: a file of cases, and which lines of both forms each one runs."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.fuzz.case import Act, Case, Item, names
from tests.mutants.bash_mutators import SCRIPT
from tests.mutants.handmade import handmade
from tests.mutants.mutant import Mutant, read_source
from tests.mutants.python_mutators import PROGRAM, VOCABULARY

CORPUS = Path(__file__).with_name("corpus.json")
FILES = (SCRIPT, PROGRAM, VOCABULARY)
HANDMADE = "tests/mutants/handmade.py"
# A longer text is kept compressed, if that helps.
PLAIN_BYTES = 300
NEAR_LINES = 3


@dataclass
class Covered:
    """A case and the lines, by file, that are run in it."""

    case: Case
    lines: dict[str, set[int]] = field(default_factory=dict)


class Corpus:
    """The cases, and for each mutant the order in which to try them."""

    def __init__(self, covered: list[Covered], digest: str) -> None:
        self.covered = covered
        self.digest = digest
        # Of other texts of the files the line numbers say nothing.
        self.is_fresh = digest == sources_digest()

    @property
    def cases(self) -> list[Case]:
        """All cases."""
        return [covered.case for covered in self.covered]

    def order(self, mutant: Mutant) -> list[int]:
        """The numbers of the cases that can tell: those that run the changed line come first.

        A case that runs nothing near that line cannot tell; with line numbers of another day, all
        are tried.
        """
        changed = {*range(mutant.line, mutant.last_line + 1)}
        # Of what goes over several lines a trace names one, be it the first or the last.
        near = {*range(mutant.line - NEAR_LINES, mutant.last_line + NEAR_LINES + 1)}
        ranked = []
        for number, covered in enumerate(self.covered):
            lines = covered.lines.get(mutant.file, set())
            if lines & near or not mutant.scope or not self.is_fresh:
                ranked.append((not lines & changed, number))
        return [number for _, number in sorted(ranked)]


def sources_digest() -> str:
    """What stands for the texts of both forms."""
    texts = [read_source(file) for file in (*FILES, HANDMADE)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def load(path: Path = CORPUS) -> Corpus:
    """The corpus that was saved."""
    data = json.loads(path.read_text("utf-8"))
    own = handmade()
    covered = [
        Covered(
            own[item["handmade"]] if "handmade" in item else case_from(item["case"]),
            {file: _unpacked(bits) for file, bits in item["lines"].items()},
        )
        for item in data["cases"]
        if item.get("handmade", 0) < len(own)
    ]
    return Corpus(covered, data["sources"])


def save(covered: list[Covered], path: Path = CORPUS) -> None:
    """Writes the corpus, a line for each case; of those made by hand just their numbers."""
    own = {case.to_json(): number for number, case in enumerate(handmade())}
    lines = []
    for item in covered:
        number = own.get(item.case.to_json())
        data: dict[str, Any] = {"case": case_data(item.case)}
        if number is not None:
            data = {"handmade": number}
        data["lines"] = {file: _packed(found) for file, found in item.lines.items()}
        lines.append(json.dumps(data, separators=(",", ":")))
    head = f'{{"sources":"{sources_digest()}","cases":[\n'
    path.write_text(head + ",\n".join(lines) + "\n]}\n", "utf-8")


def case_data(case: Case) -> dict[str, Any]:
    """A case as plain data, without what is as usual."""
    usual = Case()
    data = {}
    for name in names():
        value = getattr(case, name)
        if value != getattr(usual, name):
            data[name] = _plain(value)
    return data


def case_from(data: dict[str, Any]) -> Case:
    """The case that such data stands for."""
    made = {name: _frozen(value) for name, value in data.items()}
    for name, kind in (("items", Item), ("acts", Act)):
        made[name] = tuple(kind(**dict(item)) for item in made.get(name, ()))
    return Case(**made)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        packed = zlib.compress(value, 9)
        if len(value) > PLAIN_BYTES and 3 * len(packed) < len(value):
            return {"zlib": base64.b85encode(packed).decode()}
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, (Item, Act)):
        usual = Item("") if isinstance(value, Item) else Act("")
        return {
            f.name: _plain(getattr(value, f.name))
            for f in fields(value)
            if getattr(value, f.name) != getattr(usual, f.name)
        }
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"zlib"}:
            return zlib.decompress(base64.b85decode(value["zlib"]))
        if value.keys() == {"bytes"}:
            return value["bytes"].encode("latin-1")
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _packed(lines: set[int]) -> str:
    """Line numbers as text: one bit for each."""
    mask = sum(1 << line for line in lines)
    return base64.b85encode(mask.to_bytes((mask.bit_length() + 7) // 8, "big")).decode("ascii")


def _unpacked(text: str) -> set[int]:
    mask = int.from_bytes(base64.b85decode(text), "big")
    return {line for line in range(mask.bit_length()) if mask >> line & 1}
