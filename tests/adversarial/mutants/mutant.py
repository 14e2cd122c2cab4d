"""Mutants: copies of a source file with one small change each."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SIGNALS = {"TERM": "KILL", "KILL": "TERM", "INT": "QUIT", "HUP": "USR1"}


@dataclass(frozen=True, order=True)
class Edit:
    """A replacement of the characters from `start` to `end`. `kind` names the operator."""

    start: int
    end: int
    text: str
    kind: str


@dataclass(frozen=True)
class Mutant:
    """A changed file.

    `before` and `after` are the changed lines, joined and without indentation. Together with
    `file`, `scope` (the function around the change) and `ordinal` (a number from 1 among equal
    changes in one function) they identify the mutant, so that edits elsewhere in the file do not
    matter. `source` is the file's text, with one character per byte.
    """

    file: str
    kind: str
    line: int
    scope: str
    before: str
    after: str
    ordinal: int
    source: str

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """Return the key in equivalent.toml."""
        return *self.change, self.ordinal

    @property
    def change(self) -> tuple[str, str, str, str]:
        """Return the file, the function and the changed lines. Equal changes share it."""
        return self.file, self.scope, self.before, self.after

    @property
    def name(self) -> str:
        """Return a short key for result files: a hash of the identity."""
        return hashlib.sha256(repr(self.identity).encode()).hexdigest()[:12]

    @property
    def function(self) -> str:
        """Return the innermost function around the change, or ""."""
        return self.scope.rpartition(".")[2]

    @property
    def location(self) -> str:
        """Return the file's name and the function."""
        return f"{Path(self.file).name}: {self.scope}"

    @property
    def diff(self) -> str:
        """Return the change as a diff."""
        title = f"{self.file}:{self.line}: {self.scope or 'top level'} ({self.kind})"
        return f"{title}\n  - {self.before}\n  + {self.after}"


def read_source(file: str) -> str:
    """Return the text of a file in the repository, with one character per byte."""
    return (REPOSITORY / file).read_bytes().decode("latin-1")


def mutants(
    file: str, text: str, edits: Iterable[Edit], scope_at: Callable[[int], str]
) -> list[Mutant]:
    """Return the distinct mutants that the edits produce, ordered by position in `text`."""
    seen = {text}
    made = []
    ordinals: Counter[tuple[str, ...]] = Counter()
    for edit in sorted(edits):
        changed = text[: edit.start] + edit.text + text[edit.end :]
        first = text.rfind("\n", 0, edit.start) + 1
        last = text.find("\n", max(edit.end, first))
        last = len(text) if last < 0 else last
        before = _joined(text[first:last])
        after = _joined(text[first : edit.start] + edit.text + text[edit.end : last])
        if changed in seen or before == after:
            continue
        seen.add(changed)
        key = (scope_at(edit.start), before, after)
        ordinals[key] += 1
        line = text.count("\n", 0, edit.start) + 1
        made.append(Mutant(file, edit.kind, line, *key, ordinals[key], changed))
    return made


def changed_text(text: str) -> str | None:
    """Change one letter. Return None if the text does not contain two adjacent letters."""
    found = re.search(r"(?<!\\)[A-Za-z]{2}", text)
    if found is None:
        return None
    letter = "Y" if text[found.start()] == "X" else "X"
    return text[: found.start()] + letter + text[found.start() + 1 :]


def changed_number(text: str) -> str | None:
    """Increment an integer in its base (10 or 8). Return None if `text` is not a number."""
    octal = re.fullmatch(r"(0o?)([0-7]+)", text)
    if octal:
        return f"{octal[1]}{int(octal[2], 8) + 1:o}"
    return str(int(text) + 1) if re.fullmatch(r"[0-9]+", text) else None


def _joined(text: str) -> str:
    lines = [line.strip() for line in text.encode("latin-1").decode("utf-8").splitlines()]
    return " ".join(line for line in lines if line)
