"""What can be said of a program once all of its functions are read."""

from __future__ import annotations

import ast
from pathlib import PurePath

from oauthkit.compiler.loader.program import File
from oauthkit.compiler.source import Span
from oauthkit.compiler.types import Type


class Checks:
    """Refuses recursion, names that mean one thing in Python and another in bash, and what nobody
    uses.
    """

    def __init__(self, files: list[File], reached: list[set[str]]) -> None:
        """`reached` has for each file the functions and constants that the entry needs."""
        self.files = files
        self.needed = reached[-1]
        # What comes into the script; all of the last file, for there nothing else may stand.
        last = {*files[-1].places, *files[-1].scopes}
        self.reached = [*reached[:-1], last]

    def recursion(self) -> None:
        """Refuses each function that calls itself, directly or not."""
        for file in self.files:
            calls = {
                node.name: {
                    inner.func.id
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
                }
                for node in file.definitions
            }
            left = _without_end(calls)
            for node in file.definitions:
                if node.name not in left:
                    continue
                if any(node.name in _called(calls, called) for called in calls[node.name]):
                    file.names.report(
                        "D403", file.names.part(node, node.name),
                        f"{node.name} calls itself, directly or not", "write it as a loop",
                    )  # fmt: skip

    def environment(self) -> None:
        """Refuses each name that the program and the environment share, where it comes first."""
        for file, names in zip(self.files, self.reached, strict=True):
            constants = {name: place for name, place in file.places.items() if name in names}
            places = {**_variables(file, names), **constants}
            for name in sorted(places.keys() & file.names.environment):
                file.names.report(
                    "D402", places[name],
                    f"{name} is a name of the program and of the environment",
                    "in bash they would be one: rename the one in the program",
                )  # fmt: skip

    def programs(self) -> None:
        """Refuses each function of the name of a program that the script runs."""
        commands = {name for file in self.files for name in file.names.commands.values()}
        words = {name for file in self.files for name in file.names.words}
        for file, names in zip(self.files, self.reached, strict=True):
            for node in file.definitions:
                if node.name not in names:
                    continue
                if node.name in commands:
                    who = "this program runs a program"
                elif file.names.vocabulary.runs(words, node.name):
                    who = "a word of the vocabulary runs a program"
                else:
                    continue
                file.names.report(
                    "D402", file.names.part(node, node.name), f"{who} of the name {node.name}",
                    "in bash it would call the function: choose another name",
                )  # fmt: skip

    def other_files(self) -> None:
        """Refuses each name that means something in another file, too: a script is one file."""
        found: dict[str, File] = {}
        for file, names in zip(self.files, self.reached, strict=True):
            places: dict[str, ast.AST | Span] = {**file.places}
            places |= {node.name: file.names.part(node, node.name) for node in file.definitions}
            for name, place in places.items():
                if name in names and name in found:
                    self._refuse_twice(file, place, name, found[name])
                elif name in names:
                    found[name] = file
        constants = {name: file for name, file in found.items() if name in file.places}
        for file, names in zip(self.files, self.reached, strict=True):
            for name, place in _variables(file, names).items():
                if name in constants and constants[name] is not file:
                    self._refuse_twice(file, place, name, constants[name])

    def _refuse_twice(self, file: File, place: ast.AST | Span, name: str, other: File) -> None:
        if name in file.names.brought:
            return  # that it gets another meaning was refused already
        where = PurePath(other.names.source.path).name
        file.names.report(
            "D402", place, f"{name} has a meaning in {where}, too",
            "in bash they would be one: rename one of them",
        )  # fmt: skip

    def unused(self) -> None:
        """Refuses what nobody uses: it is a slip, or a rest of what once was.

        Files that the last one imports from may have functions and constants for other programs.
        """
        for file in self.files:
            names = file.names
            is_last = file is self.files[-1]
            for name, place in file.places.items():
                if is_last and name not in names.used:
                    _unused(file, place, f"the constant {name}", "delete it")
            for node in file.definitions:
                if is_last and node.name not in self.needed:
                    names.report(
                        "D308", names.part(node, node.name),
                        f"the function {node.name} is never used", "delete it, or call it",
                    )  # fmt: skip
                    continue
                scope = file.scopes[node.name]
                for parameter in node.args.args:
                    if parameter.arg not in scope.used:
                        _unused(
                            file, parameter, f"the parameter {parameter.arg}",
                            f"delete it, here and where {node.name} is called",
                        )  # fmt: skip
                for name, place in scope.places.items():
                    if name not in scope.used and name not in scope.parameters:
                        is_bool = scope.type_of(name) is Type.BOOL
                        way = "ask for it" if is_bool else "write _ in its place"
                        _unused(file, place, name, f"{way}, or delete this")


def _without_end(calls: dict[str, set[str]]) -> set[str]:
    """Functions that do not only call those that end: in a right program there are none."""
    left = {name: len(called & calls.keys()) for name, called in calls.items()}
    callers: dict[str, list[str]] = {name: [] for name in left}
    for name, called in calls.items():
        for other in called & calls.keys():
            callers[other].append(name)
    queue = [name for name, count in left.items() if count == 0]
    while queue:
        name = queue.pop()
        del left[name]
        for caller in callers[name]:
            left[caller] -= 1
            if left[caller] == 0:
                queue.append(caller)
    return {*left}


def _called(calls: dict[str, set[str]], name: str) -> set[str]:
    """The functions and words that the function `name` calls, directly or not, and itself."""
    found = set()
    queue = [name]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += calls.get(name, ())
    return found


def _unused(file: File, node: ast.AST, what: str, help: str) -> None:
    file.names.report("D308", node, f"{what} is never used", help)


def _variables(file: File, functions: set[str]) -> dict[str, ast.AST]:
    """The parameters and variables of these functions of a file, each where it comes first."""
    places: dict[str, ast.AST] = {}
    for node in file.definitions:
        if node.name not in functions:
            continue
        for parameter in node.args.args:
            places.setdefault(parameter.arg, parameter)
        for name, place in file.scopes[node.name].places.items():
            places.setdefault(name, place)
    return places
