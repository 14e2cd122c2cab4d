"""Check a whole program, after its files were analyzed."""

from __future__ import annotations

import ast
from pathlib import PurePath

from oauthkit.compiler.sema.symbols import AnalyzedFile
from oauthkit.compiler.source import Span
from oauthkit.compiler.types import Type


def reached(files: list[AnalyzedFile], entry: str) -> list[list[str]]:
    """Return for each file the functions and constants that `entry`, of the last file, needs.

    They are in the order of their first use, with callers before callees.
    """
    used = [dict(file.references()) for file in files]
    places = {file.symbols.module: index for index, file in enumerate(files)}
    found: list[dict[str, None]] = [{} for _ in files]
    stack = [(len(files) - 1, entry)]
    while stack:
        index, name = stack.pop()
        imported_from = files[index].symbols.imported_from
        if name not in used[index] and name in imported_from:
            index = places.get(imported_from[name], index)
        if name in used[index] and name not in found[index]:
            found[index][name] = None
            stack += [(index, other) for other in reversed(used[index][name])]
    return [[*names] for names in found]


class Checks:
    """Checks that need the whole program: recursion, names across files, unused names."""

    def __init__(self, files: list[AnalyzedFile], reached: list[list[str]]) -> None:
        """Prepare the checks. `reached` has the functions and constants that the entry needs."""
        self.files = files
        self.needed = reached[-1]
        # The names that the script will have. All those of the last file count, because unused
        # ones are errors there.
        last = {*files[-1].places, *files[-1].scopes}
        self.reached = [*map(set, reached[:-1]), last]

    def recursion(self) -> None:
        """Report each function that calls itself, directly or not."""
        for file in self.files:
            calls = {
                node.name: {
                    inner.func.id
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
                }
                for node in file.definitions
            }
            for node in file.definitions:
                if node.name in _callees(calls, node.name):
                    file.symbols.report(
                        "D403", file.symbols.part(node, node.name),
                        f"{node.name} calls itself, directly or indirectly", "write a loop",
                    )  # fmt: skip

    def environment(self) -> None:
        """Report each name that the program and the environment share, at its first use."""
        for file, names in zip(self.files, self.reached, strict=True):
            constants = {name: place for name, place in file.places.items() if name in names}
            places = {**_variables(file, names), **constants}
            for name in sorted(places.keys() & file.symbols.environment):
                own = f"OWN_{name}" if name.isupper() else f"own_{name}"
                file.symbols.report(
                    "D402", places[name],
                    f"{name} is also an environment variable that the program uses",
                    f"rename it, for example to {own}. In bash both are one variable",
                )  # fmt: skip

    def programs(self) -> None:
        """Report each function with the name of a program that the script runs."""
        commands = {name for file in self.files for name in file.symbols.commands.values()}
        builtins = {name for file in self.files for name in file.symbols.builtins}
        for file, names in zip(self.files, self.reached, strict=True):
            for node in file.definitions:
                if node.name not in names:
                    continue
                if node.name in commands:
                    who = "this program"
                elif node.name not in file.symbols.library.builtins and file.symbols.library.runs(
                    builtins, node.name
                ):
                    who = "the runtime library"
                else:
                    continue
                file.symbols.report(
                    "D402", file.symbols.part(node, node.name),
                    f"{who} runs a program of the name {node.name}",
                    "rename the function. bash would call it instead of the program",
                )  # fmt: skip

    def other_files(self) -> None:
        """Report each name that another file defines, too, because a script is one file."""
        found: dict[str, AnalyzedFile] = {}
        for file, names in zip(self.files, self.reached, strict=True):
            places: dict[str, ast.AST | Span] = {**file.places}
            places |= {node.name: file.symbols.part(node, node.name) for node in file.definitions}
            for name, place in places.items():
                if name in names and name in found:
                    self._report_twice(file, place, name, found[name])
                elif name in names:
                    found[name] = file
        constants = {name: file for name, file in found.items() if name in file.places}
        for file, names in zip(self.files, self.reached, strict=True):
            for name, place in _variables(file, names).items():
                if name in constants and constants[name] is not file:
                    self._report_twice(file, place, name, constants[name])

    def _report_twice(
        self, file: AnalyzedFile, place: ast.AST | Span, name: str, other: AnalyzedFile
    ) -> None:
        if name in file.symbols.imported_from:
            return  # reported by check_new
        where = PurePath(other.symbols.source.path).name
        file.symbols.report(
            "D402", place, f"{name} is also defined in {where}",
            "rename one of them. A script has one namespace",
        )  # fmt: skip

    def unused(self) -> None:
        """Report unused names: each is a typo or dead code.

        Files that the last one imports from may have functions and constants for other programs.
        """
        for file in self.files:
            symbols = file.symbols
            is_last = file is self.files[-1]
            for name, place in file.places.items():
                if is_last and name not in symbols.used:
                    _unused(file, place, f"the constant {name}", "delete it")
            for node in file.definitions:
                if is_last and node.name not in self.needed:
                    symbols.report(
                        "D308", symbols.part(node, node.name),
                        f"the function {node.name} is never called", "delete it, or call it",
                    )  # fmt: skip
                    continue
                scope = file.scopes[node.name]
                for parameter in node.args.args:
                    if parameter.arg not in scope.used:
                        _unused(
                            file, parameter, f"the parameter {parameter.arg}",
                            f"delete it, here and in the calls to {node.name}",
                        )  # fmt: skip
                for name, place in scope.places.items():
                    if name not in scope.used and name not in scope.parameters:
                        help = "write `_` instead, or delete the assignment"
                        if scope.type_of(name) is Type.BOOL:
                            help = "test it with if, or delete the assignment"
                        elif name in scope.statuses:
                            help = f"test it, as in `if {name} != 0:`. Write `_` instead only if a"
                            help += " failure can be ignored"
                        _unused(file, place, name, help)


def _callees(calls: dict[str, set[str]], name: str) -> set[str]:
    """Return the functions that a function calls, directly or not."""
    found = set[str]()
    queue = [*calls[name]]
    while queue:
        called = queue.pop()
        if called not in found:
            found.add(called)
            queue += calls.get(called, ())
    return found


def _unused(file: AnalyzedFile, node: ast.AST, what: str, help: str) -> None:
    file.symbols.report("D308", node, f"{what} is never used", help)


def _variables(file: AnalyzedFile, functions: set[str]) -> dict[str, ast.AST]:
    """Return the first occurrence of each parameter and variable in functions of a file."""
    places: dict[str, ast.AST] = {}
    for node in file.definitions:
        if node.name not in functions:
            continue
        for parameter in node.args.args:
            places.setdefault(parameter.arg, parameter)
        for name, place in file.scopes[node.name].places.items():
            places.setdefault(name, place)
    return places
