"""The names that a random function has defined so far, and its cost."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.adversarial.programs.texts import Dice, Texts

LEAST, MOST = -(2**63), 2**63 - 1


class Kind(enum.Enum):
    """The type of a value; a Status is an Int from 0 to 255."""

    STR = "str"
    INT = "int"
    BOOL = "bool"
    PATH = "LocalPath"
    COMMAND = "BaseCommand"


@dataclass(frozen=True)
class Slot:
    """A place for a value. An Int has a range.

    With `is_safe`, the text is the name of a file in the program's directory that may be written.
    """

    kind: Kind
    low: int = LEAST
    high: int = MOST
    is_status: bool = False
    is_safe: bool = False
    is_fixed: bool = False  # it is never reassigned

    @property
    def annotation(self) -> str:
        """Return its type in Python."""
        return "Status" if self.is_status else self.kind.value


STATUS = Slot(Kind.INT, 0, 255, is_status=True)


@dataclass(frozen=True)
class Cost:
    """The cost of a run: processes, statements, and how often a Str can be doubled."""

    processes: int = 0
    steps: int = 0
    doublings: int = 0

    def plus(self, other: Cost, times: int = 1) -> Cost:
        """Return the sum, with a factor for the other."""
        return Cost(
            self.processes + other.processes * times,
            self.steps + other.steps * times,
            self.doublings + other.doublings * times,
        )

    def fits(self, limit: Cost) -> bool:
        """Return whether it is within a limit."""
        return (
            self.processes <= limit.processes
            and self.steps <= limit.steps
            and self.doublings <= limit.doublings
        )


@dataclass(frozen=True)
class Known:
    """A function that can be called."""

    name: str
    parameters: tuple[Slot, ...]
    results: tuple[Slot, ...]
    cost: Cost


@dataclass
class World:
    """The state that all functions of a program share.

    With `is_of_calls`, a program mostly calls its functions and tests their results.
    """

    dice: Dice
    texts: Texts
    files: list[str]
    is_of_calls: bool = False
    functions: list[Known] = field(default_factory=list)
    constants: dict[str, Slot] = field(default_factory=dict)
    tuples: dict[str, tuple[Slot, int]] = field(default_factory=dict)  # items' slot and number


def merge(first: set[str] | None, second: set[str] | None) -> set[str] | None:
    """Return the names that are set after two paths meet. None is a path that ends before."""
    if first is None:
        return second
    return first if second is None else first & second


class Scope:
    """One function while it is generated."""

    def __init__(self, world: World, limit: Cost) -> None:
        self.world = world
        self.dice = world.dice
        self.texts = world.texts
        self.variables: dict[str, Slot] = {}
        self.known: set[str] | None = set()
        self.lines: list[str] = []
        self.indent = 1
        self.cost = Cost()
        self.limit = limit
        self.times = 1  # how often the current line can run
        self.is_open = True  # whether a line can be inserted before the current one

    # --- Lines and costs ---

    def line(self, text: str) -> None:
        """Add a line of code."""
        self.lines.append("    " * self.indent + text)

    def spend(self, cost: Cost) -> bool:
        """Count a cost as often as it can occur here. Return False if it is too high."""
        total = self.cost.plus(cost, self.times)
        if not total.fits(self.limit):
            return False
        self.cost = total
        return True

    # --- Names ---

    def names(self, *kinds: Kind) -> list[str]:
        """Return the names with a value of one of these kinds here."""
        known = self.known or set()
        found = [n for n, slot in self.variables.items() if n in known and slot.kind in kinds]
        return found + [n for n, slot in self.world.constants.items() if slot.kind in kinds]

    def slot(self, name: str) -> Slot:
        """Return a name's slot."""
        return self.variables.get(name) or self.world.constants[name]

    def target(self, wanted: Slot) -> str:
        """Return an existing or new name to which such a value can be assigned."""
        if not wanted.is_fixed and self.dice.chance(40):
            fitting = [name for name, slot in self.variables.items() if _takes(slot, wanted)]
            if fitting:
                return self.set(self.dice.pick(fitting))
        return self.set(self.new(wanted))

    def new(self, slot: Slot) -> str:
        """Return a new name without a value."""
        name = self.dice.pick(VARIABLES)
        while name in self.variables:
            name += str(self.dice.below(10))
        self.variables[name] = slot
        return name

    def set(self, name: str) -> str:
        """Record that a name has a value from here on."""
        if self.known is not None:
            self.known.add(name)
        return name


def _takes(slot: Slot, value: Slot) -> bool:
    return (
        not slot.is_fixed
        and slot.kind is value.kind
        and slot.low <= value.low
        and value.high <= slot.high
    )


# Names that are special in bash, and names of variables in builtins.
VARIABLES = ("a", "b", "c", "text", "n", "done", "time", "fi", "esac", "source", "test", "echo",
             "path", "rest", "part", "place", "status", "output", "command", "fd", "flags", "i",
             "select", "then", "function", "local_", "unset", "line", "content", "_x")  # fmt: skip
