"""Random values as Python source: text, numbers, paths."""

from __future__ import annotations

import re

from tests.adversarial.programs.scope import LEAST, MOST, Cost, Kind, Scope, Slot
from tests.support.compiler.literals import STYLES, escaped, quoted

NUMBERS = (0, 1, 2, -1, 3, 7, 10, -7, 255, 256, -1000, 999999, 2**31, -(2**31), 2**53, 2**62,
           -(2**62), MOST - 1, MOST, -MOST, LEAST)  # fmt: skip
DIVISORS = (2, 1, 3, 7, 10, 256, 1000, 2**31, 2**62, MOST - 1, MOST)
# Without names of variables or constants, which would be the same variable in bash.
ENVIRONMENT = ("GREETING", "EMPTY", "NOPE", "color", "HOME", "LANG", "TMPDIR", "Z9", "_hidden")
# Defaults of a variable inside an expression.
_PLAIN_DEFAULT = re.compile(r"[^A-Za-z0-9_./:@%+,= -]")
DOUBLING = Cost(doublings=1)

Number = tuple[str, int, int]  # with its minimum and maximum


class Values(Scope):
    """Draws values from a function's names."""

    # --- Text ---

    def literal(self) -> str:
        """Return a string literal."""
        text = self.texts.literal()
        is_plain = text.isascii() and "\n" not in text
        return quoted(text, "ascii" if is_plain else STYLES[self.dice.below(3)])

    def text(self, depth: int = 2) -> str:
        """Return a Str or Path that can be used anywhere."""
        names = self.names(Kind.STR, Kind.PATH)
        choice = self.dice.below(4 if depth == 0 else 12)
        if choice < 2 and names:
            return self.dice.pick(names)
        if choice < 4 or (choice > 8 and not names):
            return self.literal()
        match choice:
            case 4 | 5:
                return self._f_string(depth)
            case 6 if self.spend(DOUBLING):
                return f"({self.text(depth - 1)} + {self.text(depth - 1)})"
            case 7:
                return self.environment(_PLAIN_DEFAULT.sub("", self.texts.literal()))
            case 8:
                return self._environment_or(depth)
            case 9 | 10:
                return f"{self.left(names)}.{self._removal(self.text(depth - 1))}"
            case 11:
                return self._replace(names, depth)
        return self.literal()

    def left(self, names: list[str]) -> str:
        """Return a Str whose method is called: one of these variables, or an expression."""
        name = self.dice.pick(names)
        if not self.is_open or not self.dice.chance(30):
            return name
        match self.dice.below(4):
            case 0:
                return f"{name}.{self._removal(self.literal())}"
            case 1 if self.spend(DOUBLING):
                return f"({self.literal()} + {name})"
            case 2:
                return self.literal()
        paths = self.names(Kind.PATH)
        return f"{self.dice.pick(paths)}.dirname" if paths and name in paths else name

    def _removal(self, text: str) -> str:
        return f"{self.dice.pick(('removeprefix', 'removesuffix'))}({text})"

    def plain_text(self, depth: int = 2) -> str:
        """Return a Str, for a place where it is stored or searched."""
        source = self.text(depth)
        return f'f"{{{source}}}"' if source in self.names(Kind.PATH) else source

    def environment(self, default: str) -> str:
        """Return the value of an environment variable."""
        style = STYLES[self.dice.below(2)]
        return f"local.env.get({quoted(self.dice.pick(ENVIRONMENT))}, {quoted(default, style)})"

    def _environment_or(self, depth: int) -> str:
        names = self.names(Kind.STR)
        default = quoted(_PLAIN_DEFAULT.sub("", self.texts.literal()))
        if names and self.dice.chance(50):
            default = self.dice.pick(names)
        elif depth > 1 and self.dice.chance(30):
            default = self._environment_or(depth - 1)
        return f"(local.env.get({quoted(self.dice.pick(ENVIRONMENT))}) or {default})"

    def _replace(self, names: list[str], depth: int) -> str:
        # bash never matches an empty Str, but Python matches it everywhere. Therefore the replaced
        # text is a literal, not a variable.
        old = self.texts.literal() or "a"
        new = self.text(depth - 1) if self.spend(Cost(doublings=5)) else quoted("x")
        return f"{self.left(names)}.replace({quoted(old)}, {new})"

    def _f_string(self, depth: int) -> str:
        parts = []
        for _ in range(self.dice.below(4) + 1):
            if self.dice.chance(40):
                parts.append(self._f_literal())
            else:
                parts.append("{" + self._f_value(depth) + "}")
        return 'f"' + "".join(parts) + '"'

    def _f_literal(self) -> str:
        text = self.texts.literal()
        text = escaped(text, "ascii" if text.isascii() else "minimal")
        return text.replace("{", "{{").replace("}", "}}")

    def _f_value(self, depth: int) -> str:
        """Return a value for an f-string, without backslashes and quotes (before Python 3.12)."""
        names = self.names(Kind.STR, Kind.PATH, Kind.INT)
        choice = self.dice.below(4)
        if choice < 2 and names and self.spend(DOUBLING):
            return self.dice.pick(names)
        if choice == 2:
            default = _PLAIN_DEFAULT.sub("", self.texts.literal())
            return f"local.env.get('{self.dice.pick(ENVIRONMENT)}', '{default}')"
        texts = self.names(Kind.STR)
        if choice == 3 and len(texts) > 1:
            return f"{self.dice.pick(texts)}.{self._removal(self.dice.pick(texts))}"
        return self.number(depth=depth - 1)[0]

    def safe_name(self) -> str:
        """Return a Str that is the name of a file in the program's directory."""
        safe = [name for name in self.names(Kind.STR, Kind.PATH) if self.slot(name).is_safe]
        choice = self.dice.below(6)
        if choice == 5 and safe:
            return self.dice.pick(safe)
        if choice == 4:
            return f'f"n{{{self.number(depth=0)[0]}}}"'
        return quoted(self.dice.pick(self.world.files))

    # --- Numbers ---

    def number(self, low: int = LEAST, high: int = MOST, depth: int = 2) -> Number:
        """Return an Int from `low` to `high`. All intermediate values fit in 64 bits."""
        found = self._number(depth)
        if low <= found[1] and found[2] <= high:
            return found
        fitting = [number for number in NUMBERS if low <= number <= high] or [low]
        number = self.dice.pick(fitting)
        return str(number), number, number

    def _number(self, depth: int) -> Number:
        names = self.names(Kind.INT)
        choice = self.dice.below(3 if depth <= 0 else 8)
        if choice == 0 or (choice in (1, 2, 6, 7) and not names):
            number = self.dice.pick(NUMBERS)
            return str(number), number, number
        match choice:
            case 1 | 2:
                return self._named_number(names)
            case 3:
                text, low, high = self._number(depth - 1)
                return (f"(-{text})", -high, -low) if low > LEAST else (text, low, high)
            case 4 | 5:
                return self._sum(depth)
        text, low, high = self._named_number(names)
        divisor = self.dice.pick(DIVISORS)
        if choice == 6:
            return f"({text} // {divisor})", low // divisor, high // divisor
        return f"({text} % {divisor})", 0, divisor - 1

    def _named_number(self, names: list[str]) -> Number:
        name = self.dice.pick(names)
        slot = self.slot(name)
        return name, slot.low, slot.high

    def _sum(self, depth: int) -> Number:
        first, low, high = self._number(depth - 1)
        second, least, most = self._number(depth - 1)
        operator = self.dice.pick("+-*")
        ends = {
            "+": (low + least, high + most),
            "-": (low - most, high - least),
            "*": (low * least, low * most, high * least, high * most),
        }[operator]
        if min(ends) < LEAST or max(ends) > MOST:
            return first, low, high
        return f"({first} {operator} {second})", min(ends), max(ends)

    # --- Paths ---

    def path(self) -> str:
        """Return a Path that can be used anywhere."""
        if self.dice.chance(10):
            parts = [part for part in self._parts() if "~" not in part]
            root = f"LocalPath({quoted('/' + '/'.join(parts))})"
            return self.path_join(root) if self.dice.chance(50) else root
        names = self.names(Kind.PATH)
        if not names:
            names = [self.set(self.new(Slot(Kind.PATH)))]
            assert self.is_open
            self.line(f"{names[0]} = absolute({self.literal()})")
        name = self.dice.pick(names)
        if self.is_open and self.dice.chance(20):
            name = f"{name}.dirname"
        return self.path_join(name) if self.dice.chance(25) else name

    def path_join(self, name: str) -> str:
        """Return a Path joined with a name."""
        return f"({name} / {quoted('/'.join(self._parts()) or 'x')})"

    def _parts(self) -> list[str]:
        """Return nested names of files in a directory."""
        return [part for part in self.texts.literal().split("/") if part not in ("", ".", "..")]
