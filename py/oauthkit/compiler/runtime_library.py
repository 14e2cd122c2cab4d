"""The vocabulary of a program: words with a Python and a bash body under one name."""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

from oauthkit.compiler.dialect import PRIMITIVES, is_known
from oauthkit.compiler.types import Signature, Type, fits_bash, read_annotation


class VocabularyError(Exception):
    """Raised when the two halves of a vocabulary do not fit together; the text says where."""


@dataclass(frozen=True)
class Word:
    """One word: its signature, its bash function with the comment above it, and its module."""

    signature: Signature
    bash: str
    module: str


@dataclass(frozen=True)
class Vocabulary:
    """All words of a vocabulary, in their order.

    `module` is the one that every program can import from, more of them may have added words.
    `prologue` is what every script starts with, `descriptors` are the file descriptors that words
    hold open, `state` the variables in which bash bodies keep what outlives a call.
    """

    module: str
    prologue: str = ""
    words: dict[str, Word] = field(default_factory=dict)
    descriptors: dict[str, int] = field(default_factory=dict)
    state: tuple[str, ...] = ()

    @property
    def modules(self) -> set[str]:
        """The modules that programs can import words from."""
        return {self.module, *(word.module for word in self.words.values())}

    def needed(self, names: set[str]) -> list[Word]:
        """The words `names` and all that these call, in the order of the vocabulary."""
        found: set[str] = set()
        queue = sorted(names)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += [other for other in self.words if _calls(self.words[name], other)]
        return [word for name, word in self.words.items() if name in found]

    def runs(self, names: set[str], command: str) -> bool:
        """Whether one of the words `names`, or one that they call, runs `command`."""
        return any(_calls(word, command) for word in self.needed(names & self.words.keys()))

    def extended(self, other: Vocabulary) -> Vocabulary:
        """A vocabulary with the words of `other` behind those of this one.

        VocabularyError if both have a word, or `other` has a prologue: a script has one.
        """
        twice = [name for name in other.words if name in self.words or name in PRIMITIVES]
        if twice:
            raise VocabularyError(f"{self.module} and {other.module} both have {', '.join(twice)}")
        shared = {*self.state} & {*other.state}
        shared |= {str(n) for n in self.descriptors.values() if n in other.descriptors.values()}
        if shared:
            what = ", ".join(sorted(shared))
            raise VocabularyError(f"{self.module} and {other.module} both keep something in {what}")
        if other.prologue:
            raise VocabularyError(
                f"the bash half of {other.module} has code above its words: a script starts with"
                f" that of {self.module}"
            )
        return Vocabulary(
            self.module,
            self.prologue,
            {**self.words, **other.words},
            {**self.descriptors, **other.descriptors},
            (*self.state, *other.state),
        )


# Where a command can begin: at the start of a line, after an operator or a reserved word.
_BEGINNING = r"(?:^|[;&|()!]|\{(?=\s)|\b(?:if|elif|while|until|then|do|else|trap)\b)\s*['\"]?"

# A calculation, in which names are those of variables; not if a command runs in it.
_CALCULATION = r"\(\((?:(?!\$\(|`).)*?\)\)"


@functools.cache
def _calls(word: Word, name: str) -> bool:
    body = "\n".join(line.split(" #")[0] for line in word.bash.splitlines() if line[:1] != "#")
    body = re.sub(_CALCULATION, "", body)
    return re.search(rf"(?m){_BEGINNING}{re.escape(name)}\b(?!\(|\+?=)", body) is not None


def load_vocabulary(python: Path, module: str) -> Vocabulary:
    """The vocabulary of the file `python` and of the .bash file beside it.

    Neither is run or imported. Raises VocabularyError if the words of the two differ or stand in
    another order, OSError if a file is missing.
    """
    bash = python.with_suffix(".bash")
    if not bash.is_file():
        raise VocabularyError(f"{python} has no twin in bash: {bash} is missing")
    try:
        tree = ast.parse(python.read_bytes())
        text = "\n" + bash.read_text(encoding="utf-8")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise VocabularyError(f"{python} or {bash.name} cannot be read: {error}") from None
    prologue, line, rest = text.partition("\n# --- Words ---")
    if not line:
        raise VocabularyError(f"{bash.name} has no line that starts with '# --- Words ---'")
    functions = _bash_functions(rest)
    signatures: dict[str, Signature] = {}
    facts: dict[str, object] = {"DESCRIPTORS": {}, "STATE": ()}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            if node.name in signatures:
                raise VocabularyError(f"{python.name}:{node.lineno}: {node.name} is there twice")
            if node.name not in PRIMITIVES:
                if is_known(node.name):
                    raise VocabularyError(
                        f"{python.name}:{node.lineno}: {node.name} has a meaning of its own: give"
                        " the word another name"
                    )
                signatures[node.name] = _signature(python, node)
        elif isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            if name in signatures:
                raise VocabularyError(f"{python.name}:{node.lineno}: {name} is there twice")
            if name in facts:
                facts[name] = _fact(python, name, node.value)
    if list(signatures) != list(functions):
        _check_form(bash.name, text.splitlines())
        raise VocabularyError(
            f"{python.name} and {bash.name} must define the same words in the same order, but"
            f" {python.name} has {', '.join(signatures)} and {bash.name} {', '.join(functions)}"
        )
    words = {name: Word(signatures[name], functions[name], module) for name in signatures}
    descriptors, state = facts["DESCRIPTORS"], facts["STATE"]
    assert isinstance(descriptors, dict)  # see _fact
    assert isinstance(state, tuple)
    # The comments at the top of the file are about the file.
    prologue = prologue.partition("\n\n")[2].strip()
    return Vocabulary(module, prologue, words, descriptors, state)


def _fact(path: Path, name: str, node: ast.expr) -> object:
    """The literal value of DESCRIPTORS or STATE."""
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError):
        value = None
    match name, value:
        case "STATE", tuple() if all(map(_is_name, value)):
            return value
        case "DESCRIPTORS", dict() if all(map(_is_name, value)):
            # One digit, behind those that every command has: of the others bash takes its own.
            if all(type(number) is int and 2 < number < 10 for number in value.values()):
                return value
    wanted = {"DESCRIPTORS": "dict of words and numbers from 3 to 9", "STATE": "tuple of names"}
    raise VocabularyError(f"{path.name}:{node.lineno}: {name} is no literal {wanted[name]}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isidentifier()


def _signature(path: Path, node: ast.FunctionDef) -> Signature:
    given = node.args
    if given.posonlyargs or given.kwonlyargs or given.defaults or given.vararg or given.kwarg:
        raise VocabularyError(
            f"{path.name}:{node.lineno}: {node.name}: bash knows words by position alone:"
            " no defaults, no * and no / among the parameters"
        )
    parameters: list[tuple[str, Type]] = []
    for argument in node.args.args:
        types = read_annotation(argument.annotation)
        if types is None or len(types) != 1:
            raise VocabularyError(
                f"{path.name}:{node.lineno}: {node.name}: {argument.arg} has no type"
            )
        parameters.append((argument.arg, types[0]))
    results = read_annotation(node.returns)
    if results is None or not fits_bash(results):
        raise VocabularyError(
            f"{path.name}:{node.lineno}: {node.name} has no result type that bash could have"
        )
    return Signature(node.name, tuple(parameters), results)


def _bash_functions(text: str) -> dict[str, str]:
    """Each function of a .bash file with the comment right above it, by name."""
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
    """Raises VocabularyError for the first function of a .bash file in a form that is not read.

    `lines` has an empty one above those of the file.
    """
    first = next(n for n, line in enumerate(lines) if line.startswith("# --- Words ---"))
    for number, line in list(enumerate(lines))[first:]:
        head = re.match(r"(?:function\s+)?(\w+)\s*(?:\(\s*\)\s*)?\{", line)
        if head is None:
            continue
        if not re.fullmatch(r"\w+\(\) \{(?:\s*#.*)?", line):
            raise VocabularyError(
                f"{file}:{number}: write `{head[1]}() {{` on a line of its own, its body on the"
                " lines below, and `}` at the start of a line"
            )
        if head[1].startswith("_"):
            raise VocabularyError(
                f"{file}:{number}: {head[1]} is private, and each function of the bash half is a"
                " word: put what it does into the words that need it"
            )
