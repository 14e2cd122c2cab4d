"""The bash tree: what a script is made of, before it is text."""

from __future__ import annotations

from dataclasses import dataclass

# --- Words ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """Characters that stand for themselves."""

    text: str


@dataclass(frozen=True)
class Star:
    """The * of a pattern."""


@dataclass(frozen=True)
class Parameter:
    """$name, $1, $?; or ${name…} with an operator and its word: ${name%%word}.

    `replacement` is the part after the second / of ${name//word/replacement}.
    """

    name: str
    operator: str = ""
    word: Word | None = None
    replacement: Word | None = None


@dataclass(frozen=True)
class Elements:
    """Each element of an array as a word of its own; with the name @ each argument."""

    name: str


@dataclass(frozen=True)
class Calculation:
    """$((…))"""

    expression: Arithmetic


@dataclass(frozen=True)
class Substitution:
    """$(command), with exec in front where bash would start a process more for redirections."""

    command: Simple


Part = Literal | Star | Parameter | Elements | Calculation | Substitution


@dataclass(frozen=True)
class Word:
    """One word: its parts stand side by side. How it is quoted is the printer's business."""

    parts: tuple[Part, ...]


# --- Arithmetic ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Integer:
    """A number."""

    value: int


@dataclass(frozen=True)
class Variable:
    """A variable by its name, or with a $ where arithmetic needs one ($1)."""

    name: str


@dataclass(frozen=True)
class Operation:
    """`left operator right`; without `left` a prefix operator."""

    operator: str
    left: Arithmetic | None
    right: Arithmetic


@dataclass(frozen=True)
class Choice:
    """`condition ? yes : no`"""

    condition: Arithmetic
    yes: Arithmetic
    no: Arithmetic


Arithmetic = Integer | Variable | Operation | Choice


# --- Tests: what stands after if and while -------------------------------------------------------


@dataclass(frozen=True)
class Binary:
    """[[ left operator right ]]: right is a pattern if it has a Star in it."""

    left: Word
    operator: str
    right: Word


@dataclass(frozen=True)
class Unary:
    """[[ flag word ]]"""

    flag: str
    word: Word


@dataclass(frozen=True)
class Numeric:
    """((expression))"""

    expression: Arithmetic


@dataclass(frozen=True)
class Negation:
    """! test"""

    test: Test


@dataclass(frozen=True)
class Combination:
    """test && test …, or with `either` test || test …"""

    tests: tuple[Test, ...]
    either: bool


# --- Commands ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Redirection:
    """operator target: `>file`, `2>&1`; a target of None closes: `9>&-`."""

    operator: str
    target: Word | None = None


@dataclass(frozen=True)
class Simple:
    """A command with its words and redirections."""

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """name=value, name+=value, or an array: name=(values); `keyword` may be export."""

    name: str
    value: Word | tuple[Word, ...]
    append: bool = False
    keyword: str = ""


@dataclass(frozen=True)
class Group:
    """{ command; } with redirections: those of a group also cover what bash itself has to say."""

    command: Simple | Assignment
    redirections: tuple[Redirection, ...]


Test = Binary | Unary | Numeric | Negation | Combination | Simple | Group


@dataclass(frozen=True)
class Locals:
    """local +x name=value name … and, for arrays, local -a name …"""

    assignments: tuple[Assignment, ...]
    names: tuple[str, ...]
    arrays: tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """A test as a command of its own, whose exit status is what counts."""

    test: Test


@dataclass(frozen=True)
class Remark:
    """No command: a line that has it consists of its comments."""


@dataclass(frozen=True)
class Branch:
    """What stands after if, elif or, without a test, else; the comments above and beside an elif or
    else.
    """

    test: Test | None
    body: Body
    comments: tuple[str, ...] = ()
    beside: str | None = None


@dataclass(frozen=True)
class IfCommand:
    """if, elif, else."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class WhileCommand:
    """while test, or without one `while :`."""

    test: Test | None
    body: Body


@dataclass(frozen=True)
class ForCommand:
    """for name in words."""

    name: str
    words: tuple[Word, ...]
    body: Body


@dataclass(frozen=True)
class Line:
    """A command with the comments above it and beside it: beside the first line of an if or loop,
    the last one of all else.
    """

    command: Command
    comments: tuple[str, ...] = ()
    beside: str | None = None
    blank: bool = False


Body = tuple[Line, ...]


@dataclass(frozen=True)
class FunctionCommand:
    """name() { body }"""

    name: str
    body: Body


Compound = IfCommand | WhileCommand | ForCommand
Command = Simple | Assignment | Group | Locals | Condition | Remark | Compound


@dataclass
class Script:
    """A whole script: comment lines at its top, then blocks of text and functions.

    It ends with a call of the function `start`.
    """

    header: list[str]
    prologue: list[str]
    start: tuple[list[str], FunctionCommand]
    words: list[str]
    functions: list[tuple[list[str], FunctionCommand]]
