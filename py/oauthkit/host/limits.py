"""Time limits around calls of the script that end a refresh before it can have done its work.

TypeScript is not understood here, only looked through: from the script's path, or the name that it
is given, to the end of that statement. What is not seen so is left alone.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# scripts/oauth/README.md: a caller should wait so long before it gives up on a run, and with hooks
# as long as what a limit is raised to.
LEAST_MS = 4 * 60 * 1000
RAISED_MS, RAISED_S = "360_000", "360"
SOURCES = (".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs")
_SCRIPT = re.compile(
    r"scripts/oauth/refresh\.sh"
    r"""|(?P<q>['"`])scripts(?P=q)\s*,\s*(?P<r>['"`])oauth(?P=r)\s*,\s*(?P<s>['"`])refresh\.sh(?P=s)"""
)
# Where the path that follows gets a name.
_NAMED = re.compile(r"\b(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*(?::[^=;{}]+)?=[^;{}]{0,300}\Z")
_NUMBER = r"[\d_]+(?:\s*\*\s*[\d_]+)*"
_NAME = re.compile(r"(?<![\w$.])[A-Za-z_$][\w$]*")
_CONSTANT = re.compile(
    rf"\b(?:const|let|var)\s+([A-Za-z_$][\w$.]*)\s*(?::\s*number\s*)?=\s*({_NUMBER})\s*[;\n]"
)
# No call is longer, in what _TOKEN finds: each use of the script is followed so far at most.
LONGEST_CALL = 300
# What is passed over, what opens and closes, and where a limit is said.
_TOKEN = re.compile(
    r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|//[^\n]*|/\*.*?(?:\*/|\Z)"""
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>;)"
    rf"|\btimeout\s*:\s*(?P<limit>{_NUMBER}|[A-Za-z_$][\w$.]*)"
    rf"|\bAbortSignal\.timeout\(\s*(?P<signal>{_NUMBER}|[A-Za-z_$][\w$.]*)\s*\)",
    re.DOTALL,
)
# In a line for a shell; its unit of time is s, if it has none.
_COMMAND = re.compile(
    r"\btimeout\s+(?:-[ks]\s+\S+\s+|-(?![ks]\s)\S+\s+)*(?P<limit>\d+)(?P<unit>[smhd]?)\s[^\n;|&]*scripts/oauth/refresh\.sh"
)
_UNIT_MS = {"": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True)
class Limit:
    """A limit that is too short, or not known (None), and where it stands in the text."""

    start: int
    end: int
    text: str
    ms: int | None
    raised: str  # what it should be; "" if it stands for more than this call

    def said(self) -> str:
        """The limit for a person."""
        known = "is not known here" if self.ms is None else f"is {self.ms / 1000:g} s"
        return f"the time limit {self.text} {known}, and a refresh may take 4 min, with hooks 6"


def short_limits(file: str, text: str) -> list[Limit]:
    """The limits in a file around calls of the script that are shorter than a refresh may take."""
    is_source = PurePosixPath(file).suffix in SOURCES
    found = {limit.start: limit for limit in (_in_source if is_source else _in_lines)(text)}
    too_short = (limit for limit in found.values() if limit.ms is None or 0 < limit.ms < LEAST_MS)
    return sorted(too_short, key=lambda limit: limit.start)


def raise_limits(file: str, text: str) -> str:
    """The text with every limit raised that is too short and stands for this call alone."""
    parts, end = [], 0
    for limit in short_limits(file, text):
        if limit.raised:
            parts += [text[end : limit.start], limit.raised]
            end = limit.end
    return "".join([*parts, text[end:]])


def _in_lines(text: str) -> Iterator[Limit]:
    for found in _COMMAND.finditer(text):
        ms = int(found["limit"]) * _UNIT_MS[found["unit"]]
        start, end = found.start("limit"), found.end("unit")
        yield Limit(start, end, text[start:end], ms, RAISED_S)


def _in_source(text: str) -> Iterator[Limit]:
    tokens = [*_TOKEN.finditer(text)]
    starts = [token.start() for token in tokens]
    constants = {found[1]: found[2] for found in reversed([*_CONSTANT.finditer(text)])}
    for place in _uses(text):
        first = bisect_left(starts, place)
        yield from _in_statement(tokens[first : first + LONGEST_CALL], constants)


def _uses(text: str) -> list[int]:
    """Where the script has been named: by its path, or after that by a name that it was given."""
    places: list[int] = []
    since: dict[str, int] = {}  # from where on a name is the script's
    for script in _SCRIPT.finditer(text):
        places.append(script.end())
        named = _NAMED.search(text, max(0, script.start() - 500), script.start())
        if named:
            since.setdefault(named[1], script.end())
    if since:
        names = _NAME.finditer(text)
        places += [name.end() for name in names if name.start() > since.get(name[0], len(text))]
    return places


def _in_statement(tokens: Sequence[re.Match[str]], constants: Mapping[str, str]) -> Iterator[Limit]:
    """The limits in the call that the statement goes on with, not those in functions within."""
    depth = floor = 0
    for token in tokens:
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
            if depth < floor and token["close"] == "}":  # the block that the statement is in
                return
            floor = min(floor, depth)
        elif token["end"] and depth <= floor:
            return
        for group in ("limit", "signal"):
            if token[group] and depth <= floor + 1:
                yield _limit(token.start(group), token[group], constants)


def _limit(start: int, said: str, constants: Mapping[str, str]) -> Limit:
    end = start + len(said)
    if re.fullmatch(_NUMBER, said):
        return Limit(start, end, said, _value(said), RAISED_MS)
    return Limit(start, end, said, _value(constants[said]) if said in constants else None, "")


def _value(product: str) -> int:
    return math.prod(int(factor.replace("_", "") or 0) for factor in product.split("*"))
