"""Random whole programs, with their arguments and environment."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tests.adversarial.programs.commands import COMMANDS
from tests.adversarial.programs.scope import (
    LEAST,
    MOST,
    STATUS,
    VARIABLES,
    Cost,
    Kind,
    Known,
    Slot,
    World,
)
from tests.adversarial.programs.statements import PARSED, TEXT, TRUTH, Statements
from tests.adversarial.programs.texts import MODES, Dice, Texts
from tests.adversarial.programs.uses import Function, called_by_main, loaded, with_uses
from tests.adversarial.programs.values import ENVIRONMENT
from tests.support.compiler.literals import quoted

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

IMPORTS = ("CAPTURE", "FG", "RETCODE", "TF", "Status", "absolute", "change_directory",
         "complain", "create_file", "find_program", "is_b64token", "mask_secrets", "open_log",
         "parse_int", "program", "read_file", "read_line", "replace_controls",
         "run_limited", "same_file", "timestamp", "write_file")  # fmt: skip
# Some are names of programs that a script could run.
FUNCTIONS = ("f", "readlink", "ls", "date")
CONSTANTS = ("X", "LIMIT", "EOF", "NAME_1", "IN")
TUPLES = ("ITEMS", "Y")
RANGES = ((LEAST, MOST), (-10, 10), (0, 1000), (MOST - 5, MOST), (LEAST, LEAST + 5))
# Without BASH_COMPAT, whose value bash reports before it reads the script. Without BASH_REMATCH,
# which each match sets again, so that commands do not see it.
HOSTILE = ("REPLY", "REPLIES", "GLOBIGNORE", "CDPATH", "POSIXLY_CORRECT", "X", "FUNCNEST")
GIVEN = (*ENVIRONMENT, *VARIABLES, *HOSTILE)
WHOLE = Cost(processes=12, steps=400, doublings=12)
PART = Cost(processes=3, steps=40, doublings=2)


@dataclass(frozen=True)
class Case:
    """A program, and the arguments and environment that it is started with."""

    text: str
    arguments: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        """Return the case as JSON, for `from_json`."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Parse a case from JSON."""
        data: dict[str, Any] = json.loads(text)
        env = tuple((name, value) for name, value in data["env"])
        return cls(data["text"], tuple(data["arguments"]), env)


@st.composite
def cases(draw: DrawFn) -> Case:
    """Draw well-typed programs in the dialect."""
    dice = Dice(draw)
    texts = Texts(dice, dice.pick(MODES))
    files = ["f", *(texts.file_name() for _ in range(2))]
    world = World(dice, texts, files, is_of_calls=dice.chance(30))
    count = 4 if world.is_of_calls else dice.below(5)
    constants = _constants(world)
    functions = [_function(world, name) for name in FUNCTIONS[:count]]
    functions.append(_main(world))
    arguments = tuple(texts.any() for _ in range(dice.below(4)))
    names = {dice.pick(GIVEN): texts.any() for _ in range(dice.below(4))}
    env = tuple((name, text) for name, text in names.items())
    kept = [with_uses(function) for function in called_by_main(functions)]
    return Case(_whole(kept, constants), arguments, env)


def _constants(world: World) -> dict[str, str]:
    lines = {}
    scope = Statements(world, Cost(), ())
    scope.is_open = False
    for name in CONSTANTS[: world.dice.below(4)]:
        if world.dice.chance(50):
            source, low, high = scope.number()
            world.constants[name] = Slot(Kind.INT, low, high, is_fixed=True)
        else:
            source = scope.text()
            world.constants[name] = Slot(Kind.STR, is_fixed=True)
        lines[name] = f"{name} = {source}\n"
    for name in TUPLES[: world.dice.below(3)]:
        items, slot = scope.items()
        world.tuples[name] = slot, len(items)
        lines[name] = f"{name} = ({', '.join(items)},)\n"
    return lines


def _slot(dice: Dice, *, last: bool = True) -> Slot:
    choice = dice.below(6 if last else 5)
    if choice == 1:
        low, high = dice.pick(RANGES)
        return Slot(Kind.INT, low, high)
    if choice == 2:
        return STATUS
    return Slot({0: Kind.STR, 3: Kind.PATH, 4: Kind.BOOL, 5: Kind.COMMAND}[choice])


def _results(dice: Dice, *, is_of_calls: bool) -> tuple[Slot, ...]:
    """Return a function's results: a Bool alone, or others with at most one Status and Command."""
    if dice.chance(80 if is_of_calls else 30):
        return dice.pick(((TRUTH,), (STATUS, TEXT), (STATUS, PARSED), (STATUS,)))
    results: list[Slot] = []
    for _ in range(dice.below(4)):
        slot = _slot(dice)
        texts = [s for s in results if not s.is_status]
        is_odd = slot.kind is Kind.BOOL or (slot.kind is Kind.COMMAND and texts)
        if is_odd or (slot.is_status and slot in results):
            slot = TEXT
        if any(s.kind is Kind.COMMAND for s in results) and not slot.is_status:
            continue
        results.append(slot)
    return (TRUTH,) if not results and dice.chance(50) else tuple(results)


def _function(world: World, name: str) -> Function:
    dice = world.dice
    results = _results(dice, is_of_calls=world.is_of_calls)
    scope = Statements(world, PART, results)
    parameters = []
    count = dice.below(4)
    for number in range(count):
        slot = _slot(dice, last=number == count - 1)
        parameters.append(scope.set(scope.new(slot)))
    given = [f"{name}: {scope.slot(name).annotation}" for name in parameters]
    slots = tuple(scope.slot(name) for name in parameters)
    if dice.chance(20):
        scope.line(quoted(world.texts.literal()).replace('"', '"""', 1)[:-1] + ' """')
    if world.is_of_calls:
        scope.builtin()  # which leaves a value in REPLY
    else:
        scope.block(4)
    if scope.known is not None and (results or dice.chance(50)):
        scope.give()
    gives = [slot.annotation for slot in results]
    annotation = f"tuple[{', '.join(gives)}]" if len(gives) > 1 else (gives or ["None"])[0]
    world.functions.append(Known(name, slots, results, scope.cost.plus(Cost(steps=1))))
    header = f"def {name}({', '.join(given)}) -> {annotation}:"
    return "\n".join([header, *scope.lines, ""]), scope.variables


def _main(world: World) -> Function:
    scope = Statements(world, WHOLE, (STATUS,), "arguments")
    if world.is_of_calls:
        scope.outcomes()
    else:
        scope.block(10, 2)
    if scope.known is not None:
        scope.show(most=8)
        if world.dice.chance(10):  # no write follows, because it would be in /
            scope.line('local.cwd.chdir("/")')
            scope.line('here = absolute("x")')
            scope.line("print(here)")
            scope.line("return 0")
        elif world.dice.chance(50):
            scope.give()
        else:
            scope.line("return 0")
    header = "def main(*arguments: str) -> Status:"
    return "\n".join([header, *scope.lines, ""]), scope.variables


def _whole(functions: list[str], constants: dict[str, str]) -> str:
    names = loaded("\n".join(functions))
    kept: list[str] = []
    for name, line in reversed(constants.items()):
        if name in names:
            names |= loaded(line)
            kept.insert(0, line)
    body = "".join([*kept, *functions])

    def used(name: str) -> bool:
        return re.search(rf"\b{name}\b", body) is not None

    commands = [name for name in COMMANDS if used(name)]
    builtins = [name for name in IMPORTS if used(name) or (name == "program" and commands)]
    imported = builtins or ["Status"]
    return "\n".join([
        '"""A random program."""\n',
        "from __future__ import annotations\n",
        *(["import os"] if used("os") else []),
        "import sys\n",
        "from plumbum import LocalPath, local",
        "from plumbum.commands import ERROUT, BaseCommand\n",
        f"from oauthkit.shell import {', '.join(imported)}\n",
        *[f"{name} = program({quoted(COMMANDS[name])})" for name in commands],
        "",
        *kept,
        "\n\n".join(functions),
        "",
        'if __name__ == "__main__":',
        "    sys.exit(main(*sys.argv[1:]))",
        "",
    ])  # fmt: skip
