"""A mutant: one small change of one file, with an identity that outlives other changes there."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# The slips that a hand makes: each of these mutants is to be killed, or listed as equivalent. The
# other kinds are left to `scripts/mutate --every-kind`.
SLIPS = frozenset({
    "background", "comparison", "logic", "mode", "negation", "number", "option", "quote",
    "redirect", "signal", "statement", "text",
})  # fmt: skip


@dataclass(frozen=True, order=True)
class Edit:
    """The text `text` in place of the characters from `start` to `end`; `kind` names the idea."""

    start: int
    end: int
    text: str
    kind: str


@dataclass(frozen=True)
class Mutant:
    """One changed file.

    `line` and `column` count from 1. `before` and `after` are the lines that the change is in, each
    as one line without indentation. Together with `file`, `scope` (the function around it) and
    `ordinal` (of those alike in it, from 1) they are its identity: it does not drift when other
    lines come and go.
    """

    form: str
    file: str
    kind: str
    line: int
    last_line: int
    column: int
    scope: str
    before: str
    after: str
    ordinal: int
    name: str
    diff: str
    source: bytes

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """What equivalent.toml knows it by."""
        return self.file, self.scope, self.before, self.after, self.ordinal


def read_source(file: str) -> str:
    """The text of a file of the repository, a character for each byte."""
    return (REPOSITORY / file).read_bytes().decode("latin-1")


def mutants(
    form: str, file: str, text: str, edits: Iterable[Edit], scope_at: Callable[[int], str]
) -> list[Mutant]:
    """The mutants that the edits make of `text`, in the order of their places.

    Edits that change nothing, and all but the first of those with the same result, are left out.
    """
    seen = {text}
    made = []
    identities: Counter[tuple[str, ...]] = Counter()
    names: Counter[str] = Counter()
    for edit in sorted(edits):
        changed = text[: edit.start] + edit.text + text[edit.end :]
        if changed in seen:
            continue
        seen.add(changed)
        first = text.rfind("\n", 0, edit.start) + 1
        last = text.find("\n", max(edit.end, first))
        last = len(text) if last < 0 else last
        line = text.count("\n", 0, edit.start) + 1
        column = edit.start - first + 1
        scope = scope_at(edit.start)
        before = _joined(text[first:last])
        after = _joined(text[first : edit.start] + edit.text + text[edit.end : last])
        # A change of nothing but the indentation would have no name of its own.
        identity = (scope, before, after)
        identities[identity] += 1
        place = f"{form}:{Path(file).name}:{line}:{column}:{edit.kind}"
        names[place] += 1
        name = place if names[place] == 1 else f"{place}:{names[place]}"
        old = _joined(text[edit.start : edit.end])
        new = _joined(edit.text)
        marked = (f"[-{old}-]" if old else "") + (f"{{+{new}+}}" if new else "")
        diff = _joined(text[first : edit.start] + marked + text[edit.end : last])
        made.append(
            Mutant(
                form, file, edit.kind, line, text.count("\n", 0, edit.end) + 1, column, scope,
                before, after, identities[identity], name, f"{Path(file).name}:{line}: {diff}",
                changed.encode("latin-1"),
            )
        )  # fmt: skip
    return made


def is_valid(mutant: Mutant) -> bool:
    """Whether bash, or Python, can read the changed file; warnings of Python do not count."""
    if mutant.form == "bash":
        return bash_accepts(mutant.source)
    return python_accepts(mutant.source)


def bash_accepts(source: bytes) -> bool:
    """Whether `bash -n` finds nothing wrong."""
    argv = ["bash", "--norc", "-n"]
    done = subprocess.run(argv, input=source, capture_output=True, check=False, env={})
    return done.returncode == 0


def python_accepts(source: bytes) -> bool:
    """Whether it compiles."""
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, SyntaxWarning):
        return False
    return True


def _joined(text: str) -> str:
    lines = [line.strip() for line in text.encode("latin-1").decode("utf-8").splitlines()]
    return " ".join(line for line in lines if line)
