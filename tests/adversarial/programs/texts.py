"""Random text with any byte except NUL."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

# The only directory that a program creates.
DIRECTORY = "x"

# Bytes that do not occur in UTF-8, continuation bytes, and start bytes.
NEVER = (0xC0, 0xC1, *range(0xF5, 0x100))
TAILS = tuple(range(0x80, 0xC0))
HEADS = tuple(range(0xC2, 0xF5))
# Python has characters, and bash has bytes. The results differ if a character is split, or joined
# from its bytes (see docs/from-plumbum.md, Where the two forms differ). Therefore a program never
# has both multibyte characters and parts of them, nor both start and continuation bytes.
MODES = ("characters", "tails", "heads")

PLAIN = "ax0"
SPECIAL = " \v\f\x1c\x1d\x1e\n'\"\\$`*?[]{}()<>|&;#~!=:%@^-+,./_\t\r\x01\x1b\x7f1Z"
WIDE = "ü€日\x85\u2028\xa0\u3000\u2003\U0001f600\u0301\ufeff"
SNIPPETS = ("", "a", "-n", "$HOME", "$(id)", "`id`", "${a[0]}", "*", "~", "a b", "--", "%s", "\\n",
            "'", '"', "{a,b}", "!x", "a\n", "\n", "\n\n", "[a]", "-", "/", ".", "#", "0", "-0",
            "08", "<", "=", "a=b=c", "$'x'", "\\", "x\\", "&", "true", "${x-y}", "()",
            "007", "a\r\nb", "\n\r", "\r")  # fmt: skip


@functools.cache
def _below(count: int) -> st.SearchStrategy[int]:
    """Return a strategy. It is built once, because building costs more than a draw."""
    return st.integers(0, count - 1)


class Dice:
    """Draws choices. Each shrinks towards the first."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        drawn: int = self._draw(_below(count)) if count > 1 else 0
        return drawn

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return values[self.below(len(values))]

    def chance(self, percent: int) -> bool:
        """Return True in this percentage of draws."""
        return self.below(100) >= 100 - percent


class Texts:
    """Draws texts of one mode."""

    def __init__(self, dice: Dice, mode: str) -> None:
        self.dice = dice
        pieces: dict[str, tuple[int, ...]] = {"characters": (), "tails": TAILS, "heads": HEADS}
        self.bytes: tuple[int, ...] = (*NEVER, *pieces[mode])
        self._literal = PLAIN + SPECIAL + (WIDE if mode == "characters" else "")
        self._any = self._literal + "".join(chr(0xDC00 + byte) for byte in self.bytes)

    def literal(self) -> str:
        """Return a Str that a program may contain."""
        return self._text(self._literal)

    def any(self) -> str:
        """Return an input text: any bytes, with surrogate escapes for invalid UTF-8."""
        return self._text(self._any)

    def file_name(self) -> str:
        """Return the name of a file in the program's working directory."""
        name = self.literal().replace("/", "") if self.dice.chance(40) else "f"
        return "f" if name in ("", ".", "..", DIRECTORY) else name

    def byte(self) -> int:
        """Return a byte that is not valid UTF-8 in this mode."""
        return self.dice.pick(self.bytes)

    def _text(self, alphabet: str) -> str:
        if self.dice.chance(50):
            return self.dice.pick(SNIPPETS)
        return "".join(self.dice.pick(alphabet) for _ in range(self.dice.below(6)))
