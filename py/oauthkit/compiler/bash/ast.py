"""The bash AST: a script before it is text. The names are those of bash(1) and POSIX."""

from __future__ import annotations

from dataclasses import dataclass

# --- Words ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """Characters that stand for themselves."""

    text: str


@dataclass(frozen=True)
class Glob:
    """The * of a pattern."""


@dataclass(frozen=True)
class Slice:
    """The :offset:length of a parameter expansion. Without a length, it reaches to the end."""

    offset: Arithmetic
    length: Arithmetic | None = None


@dataclass(frozen=True)
class Parameter:
    """A parameter expansion: $name, or ${…} with one of the other fields.

    `word` follows `operator`: ${name%%word}. For the operator //, `replacement` is the part after
    the second /. `index` is an array element's index. With `length`, it is ${#name}.
    """

    name: str
    operator: str = ""
    word: Word | None = None
    replacement: Word | None = None
    index: int | None = None
    length: bool = False
    slice: Slice | None = None


@dataclass(frozen=True)
class ArrayExpansion:
    """Each element of an array as a separate word. With the name @, each argument.

    `start` is the first element: "${@:3}".
    """

    name: str
    start: int | None = None


@dataclass(frozen=True)
class ArithmeticExpansion:
    """$((…))"""

    expression: Arithmetic


@dataclass(frozen=True)
class CommandSubstitution:
    """$(command). It is printed with exec if redirections would need another process.

    With `keeps_trailing_newlines`, it is $(command && printf x).
    """

    command: SimpleCommand | Pipeline
    keeps_trailing_newlines: bool = False


Part = Literal | Glob | Parameter | ArrayExpansion | ArithmeticExpansion | CommandSubstitution


@dataclass(frozen=True)
class Word:
    """A word: its parts are concatenated. The printer decides how it is quoted."""

    parts: tuple[Part, ...]


# --- Arithmetic ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Integer:
    """A number."""

    value: int


@dataclass(frozen=True)
class Variable:
    """A variable, or an element of an array. Arithmetic needs no $ before its name."""

    name: str
    index: int | None = None


@dataclass(frozen=True)
class Operation:
    """`left operator right`. Without `left`, it is a prefix operator."""

    operator: str
    left: Arithmetic | None
    right: Arithmetic


@dataclass(frozen=True)
class Ternary:
    """`condition ? yes : no`"""

    condition: Arithmetic
    yes: Arithmetic
    no: Arithmetic


Arithmetic = Integer | Variable | Parameter | Operation | Ternary


# --- Tests: what follows if and while ------------------------------------------------------------


@dataclass(frozen=True)
class Binary:
    """[[ left operator right ]]. `right` is a pattern if it contains a Glob."""

    left: Word
    operator: str
    right: Word


@dataclass(frozen=True)
class MatchUntil:
    """[[ word =~ ^[^character]* ]]. BASH_REMATCH[0] is the text before the first `character`."""

    word: Word
    character: str


@dataclass(frozen=True)
class MatchThrough:
    """[[ word =~ ^.*text|^ ]]. BASH_REMATCH[0] ends with the last `text`, or is empty."""

    word: Word
    text: str


@dataclass(frozen=True)
class Unary:
    """[[ flag word ]]"""

    flag: str
    word: Word


@dataclass(frozen=True)
class ArithmeticTest:
    """((expression))"""

    expression: Arithmetic


@dataclass(frozen=True)
class Negation:
    """! test"""

    test: Test


@dataclass(frozen=True)
class AndOrList:
    """test && test …, or with `either` test || test …"""

    tests: tuple[Test, ...]
    either: bool


# --- Commands ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Redirection:
    """operator target: `>file`, `2>&1`. A target of None closes: `9>&-`."""

    operator: str
    target: Word | None = None


@dataclass(frozen=True)
class SimpleCommand:
    """A command with its words and redirections."""

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """first | second | … && status. `status` runs if the last command succeeds."""

    commands: tuple[SimpleCommand, ...]
    status: SimpleCommand | None = None


@dataclass(frozen=True)
class Assignment:
    """name=value, name+=value, or an array: name=(values). `keyword` may be export."""

    name: str
    value: Word | tuple[Word, ...]
    append: bool = False
    keyword: str = ""


@dataclass(frozen=True)
class Group:
    """{ command; } with redirections, which also apply to bash's own messages."""

    command: SimpleCommand | Pipeline | Assignment
    redirections: tuple[Redirection, ...]


@dataclass(frozen=True)
class CompoundList:
    """A compound list that is used as a test. Its last command is a TestCommand."""

    body: Body


Test = (
    Binary | MatchUntil | MatchThrough | Unary | ArithmeticTest | Negation | AndOrList
    | SimpleCommand | Group | CompoundList
)  # fmt: skip


@dataclass(frozen=True)
class Locals:
    """local +x name=value name … and, for arrays, local -a name …"""

    assignments: tuple[Assignment, ...]
    names: tuple[str, ...]
    arrays: tuple[str, ...]


@dataclass(frozen=True)
class TestCommand:
    """A test as a command. Its exit status is the result."""

    test: Test


@dataclass(frozen=True)
class Comment:
    """A line that only has comments."""


@dataclass(frozen=True)
class Branch:
    """The part after if, elif or, without a test, else.

    The comments are those above and beside an elif or else.
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
class ArithmeticForCommand:
    """for ((name = start; name < stop; name += step)). A negative step compares with >."""

    name: str
    start: Arithmetic
    stop: Arithmetic
    step: int
    body: Body


@dataclass(frozen=True)
class Line:
    """A command with the comments above it and beside it.

    The comment beside an if or a loop is on its first line. That of other commands is on the last.
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


Compound = IfCommand | WhileCommand | ForCommand | ArithmeticForCommand
Command = SimpleCommand | Assignment | Group | Locals | TestCommand | Comment | Compound


@dataclass(frozen=True)
class Script:
    """A whole script: comment lines at its top, then blocks of text and functions.

    It ends with a call to the function `start`. `origin` names what it was generated from.
    `functions` have the comments above each of them. `builtins` are the texts of the runtime
    library's functions. `constants` are the read-only variables that `start` declares.
    """

    header: list[str]
    origin: str
    prologue: list[str]
    start: tuple[list[str], FunctionCommand]
    builtins: list[str]
    functions: list[tuple[list[str], FunctionCommand]]
    constants: frozenset[str]
