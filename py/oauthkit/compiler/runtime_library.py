"""Load runtime libraries: functions with one body in Python and one in bash, called builtins.

The bash half of oauthkit's own library also contains functions that implement constructs, such as
`split_lines` for text.splitlines(). They have no Python half, because Python has the construct.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from oauthkit.compiler.reserved_names import PRIMITIVES, is_defined_by_dialect
from oauthkit.compiler.types import Signature, Type, fits_bash, read_annotation

# The line of a .bash file above its builtins.
MARKER = "# --- Builtins ---"
# The line of a .bash file above the functions of constructs.
CONSTRUCTS = "# --- Constructs ---"
# The prologue may define a function of this name, which `start` calls. By then, bash has read the
# whole script, which may come from stdin.
ISOLATE = "isolate"


class RuntimeLibraryError(Exception):
    """Raised when the two halves of a library do not match. The message names the location."""


@dataclass(frozen=True)
class Builtin:
    """A builtin: its signature, its bash function with the comment above it, and its module.

    `commands` are the names of all commands in the bash body. `state` are the variables in which it
    keeps values between two calls. `descriptor` is the file descriptor that it keeps open.
    """

    signature: Signature
    bash: str
    module: str
    commands: frozenset[str] = frozenset()
    state: tuple[str, ...] = ()
    descriptor: int | None = None


@dataclass(frozen=True)
class RuntimeLibrary:
    """The builtins of one or more libraries, in their order.

    `module` is the standard library, from which every program can import. `prologue` is the code at
    the start of every script. If it defines the function ISOLATE, `start` calls that. `constructs`
    are functions that only the compiler calls.
    """

    module: str
    prologue: str = ""
    builtins: dict[str, Builtin] = field(default_factory=dict)
    state: tuple[str, ...] = ()
    constructs: dict[str, Builtin] = field(default_factory=dict)

    @property
    def isolates(self) -> bool:
        """Return whether the prologue defines ISOLATE."""
        return f"\n{ISOLATE}() {{\n" in f"\n{self.prologue}\n"

    @property
    def modules(self) -> set[str]:
        """Return the modules from which programs can import builtins."""
        return {self.module, *(builtin.module for builtin in self.builtins.values())}

    def with_callees(self, names: set[str]) -> list[Builtin]:
        """Return the builtins and constructs `names` and all their callees, in a fixed order."""
        known = {**self.builtins, **self.constructs}
        found: set[str] = set()
        queue = sorted(names)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += known[name].commands & known.keys()
        return [builtin for name, builtin in known.items() if name in found]

    def runs(self, names: set[str], command: str) -> bool:
        """Return whether one of the builtins `names`, or one that they call, runs `command`."""
        builtins = self.with_callees(names & self.builtins.keys())
        return any(command in builtin.commands for builtin in builtins)

    def extended(self, other: RuntimeLibrary) -> RuntimeLibrary:
        """Return a library with the builtins of `other` after those of this one.

        Raises RuntimeLibraryError if both define a name, or `other` has a prologue.
        """
        known = {*self.builtins, *self.constructs, *PRIMITIVES}
        twice = [name for name in other.builtins if name in known]
        if twice:
            names = ", ".join(twice)
            raise RuntimeLibraryError(
                f"{self.module} and {other.module} both define {names}. Rename it in {other.module}"
            )
        shared = {*self.state} & {*other.state}
        shared |= self._descriptors() & other._descriptors()
        if shared:
            what = ", ".join(sorted(shared))
            raise RuntimeLibraryError(
                f"{self.module} and {other.module} both use {what}. Choose another in"
                f" {other.module}"
            )
        if other.prologue:
            raise RuntimeLibraryError(
                f"the bash half of {other.module} has code above its builtins. Move it into a"
                f" builtin: a script has one prologue, that of {self.module}"
            )
        return RuntimeLibrary(
            self.module,
            self.prologue,
            {**self.builtins, **other.builtins},
            (*self.state, *other.state),
            self.constructs,
        )

    def _descriptors(self) -> set[str]:
        found = (builtin.descriptor for builtin in self.builtins.values())
        return {str(number) for number in found if number is not None}


# Where a command can begin: at the start of a line, after an operator or a reserved word.
_COMMAND_START = r"(?:^|[;&|()!]|\{(?=\s)|\b(?:if|elif|while|until|then|do|else|trap)\b)\s*['\"]?"
# An arithmetic expression without a command. Its names are variables.
_ARITHMETIC = r"\(\((?:(?!\$\(|`).)*?\)\)"


def _commands(bash: str) -> frozenset[str]:
    """Return the names of all commands in a bash function."""
    lines = (line.split(" #")[0] for line in bash.splitlines() if line[:1] != "#")
    body = re.sub(_ARITHMETIC, "", "\n".join(lines))
    # A lookahead, because a command can start inside another match: `if ! name`.
    pattern = rf"(?m)(?={_COMMAND_START}([A-Za-z_][\w-]*)\b(?!\(|\+?=))"
    return frozenset(re.findall(pattern, body))


def load_library(python: Path, module: str) -> RuntimeLibrary:
    """Load the library of the file `python` and of the .bash file beside it.

    The files are read, never run. Raises RuntimeLibraryError if they do not define the same
    builtins in the same order, or OSError if a file is missing.
    """
    bash = python.with_suffix(".bash")
    try:
        tree = ast.parse(python.read_bytes())
        text = "\n" + bash.read_text(encoding="utf-8")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RuntimeLibraryError(f"{python} or {bash.name} cannot be read: {error}") from None
    prologue, line, rest = text.partition(f"\n{MARKER}")
    if not line:
        raise RuntimeLibraryError(
            f"{bash.name} has no line that starts with '{MARKER}'. Add one above its builtins, or"
            " rename the file: a module with a .bash file beside it is a runtime library"
        )
    rest, _, below = rest.partition(f"\n{CONSTRUCTS}")
    functions = _bash_functions(rest)
    signatures: dict[str, Signature] = {}
    facts: dict[str, object] = {"DESCRIPTORS": {}, "STATE": ()}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            if node.name in signatures:
                raise RuntimeLibraryError(
                    f"{python.name}:{node.lineno}: {node.name} is defined twice"
                )
            if node.name not in PRIMITIVES:
                if is_defined_by_dialect(node.name):
                    raise RuntimeLibraryError(
                        f"{python.name}:{node.lineno}: {node.name} is reserved by the dialect."
                        " Rename the builtin"
                    )
                signatures[node.name] = _signature(python, node)
        elif isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            if name in signatures:
                raise RuntimeLibraryError(f"{python.name}:{node.lineno}: {name} is defined twice")
            if name in facts:
                facts[name] = _fact(python, name, node.value)
    if list(signatures) != list(functions):
        _check_form(bash.name, text.splitlines())
        raise RuntimeLibraryError(
            f"{python.name} and {bash.name} must define the same builtins in the same order, but"
            f" {python.name} has {', '.join(signatures)} and {bash.name} {', '.join(functions)}"
        )
    descriptors, state = facts["DESCRIPTORS"], facts["STATE"]
    assert isinstance(descriptors, dict)  # see _fact
    assert isinstance(state, tuple)
    builtins = {
        name: Builtin(
            signature,
            functions[name],
            module,
            commands=_commands(functions[name]),
            state=tuple(v for v in state if re.search(rf"\b{v}\b", functions[name])),
            descriptor=descriptors.get(name),
        )
        for name, signature in signatures.items()
    }
    constructs = {
        name: Builtin(Signature(name, (), ()), body, module, commands=_commands(body))
        for name, body in _bash_functions(below).items()
    }
    # The comments at the top describe the file, not the script.
    prologue = prologue.partition("\n\n")[2].strip()
    return RuntimeLibrary(module, prologue, builtins, state, constructs)


def _fact(path: Path, name: str, node: ast.expr) -> object:
    """Return the literal value of DESCRIPTORS or STATE."""
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError):
        value = None
    match name, value:
        case "STATE", tuple() if all(map(_is_name, value)):
            return value
        case "DESCRIPTORS", dict() if all(map(_is_name, value)):
            # 0 to 2 belong to each command, and bash uses those above 9 itself.
            if all(type(number) is int and 2 < number < 10 for number in value.values()):
                return value
    wanted = {"DESCRIPTORS": "dict from builtins to numbers from 3 to 9", "STATE": "tuple of names"}
    raise RuntimeLibraryError(f"{path.name}:{node.lineno}: {name} is not a literal {wanted[name]}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isidentifier()


def _signature(path: Path, node: ast.FunctionDef) -> Signature:
    where = f"{path.name}:{node.lineno}: {node.name}"
    given = node.args
    if given.posonlyargs or given.kwonlyargs or given.defaults or given.vararg or given.kwarg:
        raise RuntimeLibraryError(
            f"{where} has parameters that are not plain. Remove defaults, * and /: bash passes"
            " arguments by position only"
        )
    parameters: list[tuple[str, Type]] = []
    for argument in node.args.args:
        types = read_annotation(argument.annotation)
        if types is None or len(types) != 1:
            raise RuntimeLibraryError(
                f"{where}: the parameter {argument.arg} has no type of the dialect. Annotate it"
            )
        parameters.append((argument.arg, types[0]))
    results = read_annotation(node.returns)
    if results is None or not fits_bash(results):
        raise RuntimeLibraryError(
            f"{where} has no result type that bash can return. Annotate it with types of the"
            " dialect, or None"
        )
    return Signature(node.name, tuple(parameters), results)


def _bash_functions(text: str) -> dict[str, str]:
    """Return each function of a .bash file with the comment right above it, by name."""
    functions: dict[str, str] = {}
    block: list[str] = []
    for line in text.split("\n"):
        if not line and "{" not in "".join(b for b in block if not b.startswith("#")):
            block = []
            continue
        block.append(line)
        if line == "}":
            head = next(b for b in block if not b.startswith("#"))
            functions[head.split("()")[0]] = "\n".join(block)
            block = []
    return functions


def _check_form(file: str, lines: list[str]) -> None:
    """Raise RuntimeLibraryError for the first function of a .bash file in an unsupported form.

    `lines` are the file's lines after an empty one.
    """
    first = next(n for n, line in enumerate(lines) if line.startswith(MARKER))
    for number, line in list(enumerate(lines))[first:]:
        head = re.match(r"(?:function\s+)?(\w+)\s*(?:\(\s*\)\s*)?\{", line)
        if head is None:
            continue
        if not re.fullmatch(r"\w+\(\) \{(?:\s*#.*)?", line):
            raise RuntimeLibraryError(
                f"{file}:{number}: {head[1]} is not written in the form that oauthkit reads. Write"
                f" `{head[1]}() {{` on a line of its own, the body below, and `}}` at the start of"
                " a line"
            )
        if head[1].startswith("_"):
            raise RuntimeLibraryError(
                f"{file}:{number}: {head[1]} is private. Move its code into the builtins that call"
                " it: each function of the bash half is a builtin"
            )
