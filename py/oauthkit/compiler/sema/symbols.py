"""The names of a program: what is taken, what bash owns, what a function has set so far."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from oauthkit.compiler.diagnostics.report import Diagnostic
from oauthkit.compiler.dialect import is_known
from oauthkit.compiler.runtime_library import Vocabulary
from oauthkit.compiler.shell.names import (
    BASH_BUILTINS,
    BASH_VARIABLES,
    BASH_WORDS,
    SHARED_VARIABLES,
)
from oauthkit.compiler.source import Source, Span
from oauthkit.compiler.types import Signature, Type


@dataclass
class Names:
    """What is known of one file of a program while it is read.

    `load` gives what another file of the program has, None if there is none of that name. What is
    refused, and the names of the environment, are those of all files.
    """

    source: Source
    vocabulary: Vocabulary
    load: Callable[[str], Names | None]
    diagnostics: list[Diagnostic]
    environment: set[str]
    module: str = ""  # by which other files import from this one
    words: set[str] = field(default_factory=set)  # imported from the vocabulary
    imports: set[str] = field(default_factory=set)
    commands: dict[str, str] = field(default_factory=dict)  # name in Python: program
    constants: dict[str, Type] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # of constants whose text is known
    functions: dict[str, Signature] = field(default_factory=dict)
    brought: dict[str, str] = field(default_factory=dict)  # from which file of the program
    used: set[str] = field(default_factory=set)  # of the constants
    words_used: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # what they mean was refused: say it once
    is_read: bool = True  # False for a file that is not even Python: nobody knows what it has

    def report(self, code: str, node: ast.AST | Span, message: str, help: str) -> None:
        """Notes one refusal; reading goes on."""
        span = node if isinstance(node, Span) else self.source.span(node)
        self.diagnostics.append(Diagnostic(self.source, code, span, message, help))

    def shown(self, node: ast.expr) -> str:
        """An expression as it stands in the program, to be shown in a message."""
        segment = ast.get_source_segment(self.source.text, node)
        return ast.unparse(node) if segment is None or "\n" in segment else segment

    def part(self, node: ast.AST, text: str) -> Span:
        """Where `text` stands on the first line of `node`; all of `node` if it does not."""
        span = self.source.span(node)
        first = span.column + len("def ")
        column = self.source.lines[span.line - 1].find(text, first)
        return span if column < 0 else Span(span.line, column, span.line, column + len(text))

    def function(self, name: str) -> Signature | None:
        """The function or imported word of this name; None if its header was refused."""
        if name in self.refused:
            return None
        if name in self.functions:
            return self.functions[name]
        if name in self.words and name in self.vocabulary.words:
            return self.vocabulary.words[name].signature
        return None

    def check_environment(self, node: ast.AST, name: str, way: str = "") -> bool:
        """Whether `name` can be read and set as a variable of the environment in bash, too.

        `way` is what to do where it is one that programs may read, too.
        """
        if not (name.isascii() and name.isidentifier()):
            self.report("D105", node, f"{name!r} is no name of a variable", "use A-Z, 0-9 and _")
            return False
        owned = [BASH_VARIABLES - SHARED_VARIABLES, {"REPLIES", "_"}, self.vocabulary.state]
        if any(name in names for names in owned) or name.startswith("BASH_"):
            is_of_all = name in BASH_VARIABLES or name.startswith("BASH_")
            other = "hand it over under another name"
            self.report("D401", node, f"bash sets {name} itself", (is_of_all and way) or other)
            return False
        self.environment.add(name)
        return True

    def check_new(self, node: ast.AST | Span, name: str, what: str) -> None:
        """Refuses a name for a variable, constant or function that means something already."""
        # One by one, since a set of them all would be made anew for each name.
        taken = [self.words, self.imports, self.commands, self.constants]
        owned = [BASH_VARIABLES, {"REPLIES"}, self.vocabulary.state]
        if what == "function":
            taken.append(self.vocabulary.words)
            owned += [BASH_WORDS, BASH_BUILTINS, {"isolate", "start"}]
        taken.append(self.functions)
        if what != "variable":
            owned.append({"_"})
        if is_known(name) or any(name in names for names in taken):
            whose = "of its own" if is_known(name) else "already"
            self.report(
                "D402", node, f"{name} has a meaning {whose}", f"choose another name for the {what}"
            )
        elif any(name in names for names in owned) or name.startswith("BASH_"):
            self.report(
                "D401",
                node,
                f"{name} is a name that bash owns",
                f"choose another, say my_{name.lower()}",
            )
        elif not name.isascii():
            self.report(
                "D401", node, f"{name} is no name in bash", "use ASCII letters, digits and _"
            )


@dataclass
class Scope:
    """What is known in one function: the types of its variables, and which are set here.

    `known` is None where no path leads.
    """

    parameters: dict[str, Type]
    variables: dict[str, Type] = field(default_factory=dict)
    known: set[str] | None = field(default_factory=set)
    arguments: str | None = None  # the name of *arguments
    places: dict[str, ast.AST] = field(default_factory=dict)  # where each name comes first
    used: set[str] = field(default_factory=set)

    def type_of(self, name: str) -> Type | None:
        """The type of a parameter or variable, None if there is none of this name."""
        if self.variables.get(name) is Type.ERROR:
            return Type.ERROR
        return self.parameters.get(name) or self.variables.get(name)

    def is_set(self, name: str) -> bool:
        """Whether the variable has a value on every path that leads here."""
        return name in self.parameters or self.known is None or name in self.known

    def forgive(self, name: str) -> None:
        """Takes a name for set from here on: what should set it was refused."""
        if self.type_of(name) is None:
            self.variables[name] = Type.ERROR
        if self.known is not None:
            self.known.add(name)


def merge(first: set[str] | None, second: set[str] | None) -> set[str] | None:
    """What is set after two paths meet."""
    if first is None:
        return second
    return first if second is None else first & second


def bound_names(node: ast.AST) -> Iterator[str]:
    """Every name that gets a meaning anywhere in `node`."""
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.alias(asname=str() as name):
                yield name
            case ast.alias(name=name):
                yield name.split(".")[0]
            case ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name):
                yield name
            case ast.MatchStar(name=str() as name) | ast.MatchMapping(rest=str() as name):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names
