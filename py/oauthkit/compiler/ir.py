"""The typed intermediate representation: a program with all names and types resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass

from oauthkit.compiler.types import Signature, Type

# --- Values --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StrLiteral:
    """A string literal."""

    value: str
    type: Type = Type.STR


@dataclass(frozen=True)
class IntLiteral:
    """An integer literal."""

    value: int
    type: Type = Type.INT


@dataclass(frozen=True)
class BoolLiteral:
    """True or False."""

    value: bool
    type: Type = Type.BOOL


# The variable for the number of main's arguments.
COUNT = "#"


@dataclass(frozen=True)
class Name:
    """A variable, a parameter or a constant. The names of main's arguments are 1, 2, …."""

    name: str
    type: Type


@dataclass(frozen=True)
class Join:
    """An f-string or a concatenation of strings."""

    parts: tuple[Value, ...]
    type: Type = Type.STR


@dataclass(frozen=True)
class Arithmetic:
    """`left operator right` with + - *, or // and % by a positive literal."""

    operator: str
    left: Value
    right: Value
    type: Type = Type.INT


@dataclass(frozen=True)
class Negative:
    """`-operand`"""

    operand: Value
    type: Type = Type.INT


@dataclass(frozen=True)
class Environment:
    """local.env.get(name, default). With `or_empty`, local.env.get(name) or default."""

    name: str
    default: Value
    or_empty: bool
    type: Type = Type.STR


@dataclass(frozen=True)
class RemoveAffix:
    """text.removeprefix(affix) or text.removesuffix(affix)"""

    text: Name
    affix: Value
    at_end: bool
    type: Type = Type.STR


@dataclass(frozen=True)
class Replace:
    """text.replace(old, new)"""

    text: Name
    old: Value
    new: Value
    type: Type = Type.STR


@dataclass(frozen=True)
class PathJoin:
    """path / name. The name is known at compile time, except for numbers in it."""

    path: Name
    name: Value
    type: Type = Type.PATH


@dataclass(frozen=True)
class Dirname:
    """path.dirname"""

    path: Name
    type: Type = Type.PATH


@dataclass(frozen=True)
class CommandLine:
    """A command with its arguments. `program` is a name, a Path, or a variable of type Command."""

    program: Value
    arguments: tuple[Value, ...]
    type: Type = Type.COMMAND


Value = (
    StrLiteral | IntLiteral | BoolLiteral | Name | Join | Arithmetic | Negative | Environment
    | RemoveAffix | Replace | PathJoin | Dirname | CommandLine
)  # fmt: skip


# --- What runs -----------------------------------------------------------------------------------

NULL = StrLiteral("/dev/null")


@dataclass(frozen=True)
class Inherited:
    """The program's own stdin, stdout or stderr. In a pipeline, that of the whole pipeline."""


INHERITED = Inherited()


@dataclass(frozen=True)
class Run:
    """A command that runs. A stdout of None is captured. A stderr of None goes to stdout.

    `stdin` is a file, or the text itself if `is_text` is set. If it is None, stdin is empty. A
    captured stdout loses trailing newlines, unless `is_exact` is set.
    `order` has the redirected streams in the order in which Python opens their files: from right to
    left.
    """

    command: Value | Pipeline
    stdin: Value | Inherited | None = None
    is_text: bool = False
    stdout: Value | Inherited | None = NULL
    append: bool = False
    stderr: Value | Inherited | None = NULL
    order: tuple[str, ...] = ()
    is_exact: bool = False

    @property
    def is_foreground(self) -> bool:
        """Return whether the command uses one of the program's own streams or is `command(…)`."""
        return self.is_exact or INHERITED in (self.stdin, self.stdout, self.stderr)

    @property
    def is_plain(self) -> bool:
        """Return whether this is one command without redirections."""
        return not self.order and not isinstance(self.command, Pipeline)


@dataclass(frozen=True)
class Pipeline:
    """first | second | …. Each stage has its own redirections."""

    stages: tuple[Run, ...]


@dataclass(frozen=True)
class Call:
    """A call to a builtin or one of the program's functions."""

    function: Signature
    arguments: tuple[Value, ...]


# --- Conditions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compare:
    """`left operator right`: == and != on text, all six on numbers."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True)
class Contains:
    """`needle in text`"""

    needle: Value
    text: Value


@dataclass(frozen=True)
class Affix:
    """text.startswith(affix), text.endswith(affix)"""

    text: Value
    affix: Value
    at_end: bool


@dataclass(frozen=True)
class IsItem:
    """value in NAME, a tuple constant"""

    value: Value
    name: str


@dataclass(frozen=True)
class FileTest:
    """A file test such as path.exists(). `flag` is the flag for bash's [[."""

    flag: str
    path: Value


@dataclass(frozen=True)
class IsSet:
    """`"NAME" in local.env`"""

    name: str


@dataclass(frozen=True)
class IsTrue:
    """A variable or literal of type Bool."""

    value: Value


@dataclass(frozen=True)
class Succeeds:
    """A check that an exit status is 0: command & TF, a Bool function, `function(…) == 0`."""

    what: Run | Call


@dataclass(frozen=True)
class Not:
    """`not operand`"""

    operand: Condition


@dataclass(frozen=True)
class BoolOp:
    """`a and b and …`; with `either`, `a or b or …`"""

    operands: tuple[Condition, ...]
    either: bool


@dataclass(frozen=True)
class StatementCondition:
    """A condition, and the statements that run before it: the calls inside the condition."""

    before: tuple[Statement, ...]
    condition: Condition


Condition = (
    Compare | Contains | Affix | IsItem | FileTest | IsSet | IsTrue | Succeeds | Not | BoolOp
    | StatementCondition
)  # fmt: skip


# --- Statements ----------------------------------------------------------------------------------


@dataclass
class Statement:
    """The base of all statements: their comments, and whether a blank line precedes them."""

    comments: list[str] = field(default_factory=list, init=False)
    beside: str | None = field(default=None, init=False)
    blank: bool = field(default=False, init=False)


@dataclass
class Assign(Statement):
    """name = value"""

    name: str
    value: Value


@dataclass
class Append(Statement):
    """name += value, on text or on a command: command = command[arguments]"""

    name: str
    value: Value


@dataclass
class AssignCondition(Statement):
    """name = condition"""

    name: str
    condition: Condition


@dataclass
class Bind(Statement):
    """status, name, … = call. `status` is bound to a Status result, the names to the others.

    A name is None if the program has `_` there.
    """

    what: Run | Call
    status: str | None
    names: tuple[str | None, ...]


@dataclass
class Checked(Statement):
    """command & FG, command(…), or name = command(…). A failure ends the program."""

    run: Run
    name: str | None


@dataclass
class Partition(Statement):
    """head, separator, tail = text.partition(…); with `last`, text.rpartition(…)"""

    text: Name
    separator: StrLiteral
    last: bool
    head: str | None
    middle: str | None
    tail: str | None


@dataclass
class Print(Statement):
    """print(text), to stdout or stderr. Without `ends_line`, print(text, end="")."""

    text: Value
    stderr: bool
    ends_line: bool = True


@dataclass
class SetEnvironment(Statement):
    """local.env[name] = value"""

    name: str
    value: Value


@dataclass
class UnsetEnvironment(Statement):
    """local.env.pop(name, "")"""

    name: str


@dataclass
class ChangeToRoot(Statement):
    """local.cwd.chdir("/")"""


@dataclass
class SetUmask(Statement):
    """os.umask(0oNNN)"""

    mask: int


@dataclass
class Branch:
    """The part after if, elif or, if the condition is None, else.

    The comments are those above and beside an elif or else. An if's comments are the statement's.
    """

    condition: Condition | None
    body: list[Statement]
    comments: list[str] = field(default_factory=list)
    beside: str | None = None


@dataclass
class If(Statement):
    """if / elif / else"""

    branches: list[Branch]


@dataclass
class While(Statement):
    """while condition"""

    condition: Condition
    body: list[Statement]


@dataclass(frozen=True)
class Lines:
    """text.splitlines(), in a for loop."""

    text: Value


@dataclass(frozen=True)
class Parts:
    """text.split() or text.split(separator), in a for loop."""

    text: Value
    separator: Value | None


@dataclass(frozen=True)
class Matches:
    """sorted(directory // pattern), in a for loop."""

    directory: Value
    pattern: Value


@dataclass(frozen=True)
class Numbers:
    """range(start, stop, step), in a for loop.

    `counter` is the variable that bash compares with `stop`. It is the loop's own variable, unless
    the program could observe that it goes further than in Python. The loop does not change `stop`.
    """

    counter: str
    start: Value
    stop: Value
    step: int


@dataclass(frozen=True)
class Arguments:
    """*arguments, in a for loop, from number `first` on. The first argument is number 1."""

    first: int = 1


@dataclass(frozen=True)
class ConstantItems:
    """The items of a tuple constant, in a for loop."""

    name: str


Items = tuple[Value, ...] | ConstantItems | Lines | Parts | Matches | Numbers | Arguments


@dataclass
class For(Statement):
    """for name in (…), in lines, parts, files, numbers or arguments"""

    name: str
    items: Items
    body: list[Statement]


@dataclass
class Jump(Statement):
    """break, continue"""

    word: str


@dataclass
class Pass(Statement):
    """pass"""


@dataclass
class Comment(Statement):
    """Comments at the end of a block."""


@dataclass
class Return(Statement):
    """return with values, a condition, or a call whose results are returned."""

    values: tuple[Value, ...] = ()
    condition: Condition | None = None
    call: Call | None = None


# --- The program ---------------------------------------------------------------------------------


@dataclass
class Constant:
    """NAME = value at the top level of the program. `value` can be a tuple's items."""

    name: str
    value: Value | tuple[Value, ...]
    comments: list[str]
    beside: str | None
    blank: bool


@dataclass
class Function:
    """A function of the program. `variables` are its local names, in order, with their types.

    `heading` are comments above the first function of a file.
    """

    signature: Signature
    doc: str
    comments: list[str]
    variables: dict[str, Type]
    body: list[Statement]
    heading: list[str] = field(default_factory=list)


@dataclass
class Program:
    """A whole program. `entry` is the function that the script calls first."""

    doc: str
    constants: list[Constant]
    functions: list[Function]
    entry: str
    builtins: set[str]


def walk(node: object) -> Iterator[object]:
    """Yield the nodes of a part of a program."""
    if isinstance(node, (list, tuple)):
        for inner in node:
            yield from walk(inner)
    elif is_dataclass(node):
        yield node
        for item in fields(node):
            yield from walk(getattr(node, item.name))
