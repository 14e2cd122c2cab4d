"""The worlds that judge mutants: a file of cases, and which lines of both forms each one runs."""

from __future__ import annotations

import base64
import difflib
import json
import zlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.fuzz.case import Act, Case, Item, names
from tests.mutants.bash_mutators import SCRIPT
from tests.mutants.handmade import handmade
from tests.mutants.mutant import Mutant, read_source
from tests.mutants.python_mutators import FILES as PYTHON_FILES

CORPUS = Path(__file__).with_name("corpus.json")
FILES = (SCRIPT, *PYTHON_FILES)
# A longer text is kept compressed, if that helps.
PLAIN_BYTES = 300
NEAR_LINES = 3
# What runs before any function runs in every case.
MOST_AT_START = 40


@dataclass
class Covered:
    """A case and the lines, by file, that are run in it."""

    case: Case
    lines: dict[str, set[int]] = field(default_factory=dict)


class Corpus:
    """The cases, and for each mutant the order in which to try them."""

    def __init__(self, covered: list[Covered]) -> None:
        self.covered = covered

    @property
    def cases(self) -> list[Case]:
        """All cases."""
        return [covered.case for covered in self.covered]

    def order(self, mutant: Mutant) -> list[int]:
        """The numbers of the cases that can tell: those that run the changed line come first.

        A case that runs nothing near that line cannot tell; if none does, all are tried. What is in
        no function is left to the odd ones.
        """
        changed = {*range(mutant.line, mutant.last_line + 1)}
        # Of what goes over several lines a trace names one, be it the first or the last.
        near = {*range(mutant.line - NEAR_LINES, mutant.last_line + NEAR_LINES + 1)}
        ranked = []
        for number, covered in enumerate(self.covered):
            if not mutant.scope:
                ranked.append((-_oddness(covered.case), number))
            elif near & covered.lines.get(mutant.file, set()):
                ranked.append((int(not changed & covered.lines[mutant.file]), number))
        order = [number for _, number in sorted(ranked)] or [*range(len(self.covered))]
        return order if mutant.scope else order[:MOST_AT_START]


def _oddness(case: Case) -> int:
    """How much the caller has left to the form that it has to get rid of at its start."""
    return len(case.env) + 100 * len(case.descriptors) + 100 * len(case.closed)


def load(path: Path = CORPUS) -> Corpus:
    """The corpus that was saved, its line numbers brought to those of today."""
    data = json.loads(path.read_text("utf-8"))
    today = {file: _moves(data["texts"].get(file, ""), _digests(file)) for file in FILES}
    own = handmade()
    return Corpus(
        [
            Covered(
                own[item["handmade"]] if "handmade" in item else case_from(item["case"]),
                {
                    file: {today[file][line] for line in _unpacked(bits) if line in today[file]}
                    for file, bits in item["lines"].items()
                },
            )
            for item in data["cases"]
            if item.get("handmade", 0) < len(own)
        ]
    )


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
    texts = json.dumps({file: _digests(file) for file in FILES})
    path.write_text(f'{{"texts":{texts},"cases":[\n' + ",\n".join(lines) + "\n]}\n", "utf-8")


def _digests(file: str) -> str:
    """Four characters for each line, by which it is known when it has moved."""
    lines = read_source(file).splitlines()
    return "".join(f"{zlib.crc32(line.strip().encode()) & 0xFFFF:04x}" for line in lines)


def _moves(before: str, now: str) -> dict[int, int]:
    """The number that each line has now, by the one it had; without those that are gone."""
    texts = [[text[at : at + 4] for at in range(0, len(text), 4)] for text in (before, now)]
    blocks = difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_matching_blocks()
    return {old + by + 1: new + by + 1 for old, new, length in blocks for by in range(length)}


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
