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
    """A place for a value: of an Int, also from where to where it can be.

    `is_safe` is text that names a file in the directory of the program, which may be written.
    """

    kind: Kind
    low: int = LEAST
    high: int = MOST
    is_status: bool = False
    is_safe: bool = False
    is_fixed: bool = False  # nothing else is ever assigned to it

    @property
    def annotation(self) -> str:
        """Its type in Python."""
        return "Status" if self.is_status else self.kind.value


STATUS = Slot(Kind.INT, 0, 255, is_status=True)


@dataclass(frozen=True)
class Cost:
    """What a run comes to: processes, statements, and how often a text can have been doubled."""

    processes: int = 0
    steps: int = 0
    doublings: int = 0

    def plus(self, other: Cost, times: int = 1) -> Cost:
        """Both, the other one so many times."""
        return Cost(
            self.processes + other.processes * times,
            self.steps + other.steps * times,
            self.doublings + other.doublings * times,
        )

    def fits(self, limit: Cost) -> bool:
        """Whether it is within a limit."""
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
    """What all functions of a program share.

    `is_of_calls`: it does little but call its functions and ask for what they give.
    """

    dice: Dice
    texts: Texts
    files: list[str]
    is_of_calls: bool = False
    functions: list[Known] = field(default_factory=list)
    constants: dict[str, Slot] = field(default_factory=dict)


def merge(first: set[str] | None, second: set[str] | None) -> set[str] | None:
    """What is set after two paths meet; None is a path that leads nowhere."""
    if first is None:
        return second
    return first if second is None else first & second


class Scope:
    """One function while it is written."""

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
        self.times = 1  # how often what is written now can run
        self.is_open = True  # whether a line can be added before the one that is being written

    # --- Lines and costs ---

    def line(self, text: str) -> None:
        """Adds a line of code."""
        self.lines.append("    " * self.indent + text)

    def spend(self, cost: Cost) -> bool:
        """Counts a cost as often as it can occur here; False, uncounted, if it is too much."""
        total = self.cost.plus(cost, self.times)
        if not total.fits(self.limit):
            return False
        self.cost = total
        return True

    # --- Names ---

    def names(self, *kinds: Kind) -> list[str]:
        """The names that have a value of one of these kinds here."""
        known = self.known or set()
        found = [n for n, slot in self.variables.items() if n in known and slot.kind in kinds]
        return found + [n for n, slot in self.world.constants.items() if slot.kind in kinds]

    def slot(self, name: str) -> Slot:
        """What a name stands for."""
        return self.variables.get(name) or self.world.constants[name]

    def target(self, wanted: Slot) -> str:
        """A name that such a value can be assigned to: one that is there, or a new one."""
        if not wanted.is_fixed and self.dice.chance(40):
            fitting = [name for name, slot in self.variables.items() if _takes(slot, wanted)]
            if fitting:
                return self.set(self.dice.pick(fitting))
        return self.set(self.new(wanted))

    def new(self, slot: Slot) -> str:
        """A new name, with no value yet."""
        name = self.dice.pick(VARIABLES)
        while name in self.variables:
            name += str(self.dice.below(10))
        self.variables[name] = slot
        return name

    def set(self, name: str) -> str:
        """Notes that a name has a value from here on."""
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


# Names that mean something to bash, or to a word of the vocabulary inside.
VARIABLES = ("a", "b", "c", "text", "n", "done", "time", "fi", "esac", "source", "test", "echo",
             "path", "rest", "part", "folder", "status", "output", "command", "fd", "flags", "i",
             "select", "then", "function", "local_", "unset", "line", "content", "_x")  # fmt: skip
