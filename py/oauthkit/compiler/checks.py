"""What can be said of a program once all of its functions are read."""

from __future__ import annotations

import ast

from .names import Names, Scope
from .types import Type


class Checks:
    """Refuses recursion, names that are those of the environment, and what nobody uses.

    `scopes` has what is known in each function, `places` where each constant takes its value.
    """

    def __init__(
        self,
        names: Names,
        definitions: list[ast.FunctionDef],
        scopes: dict[str, Scope],
        places: dict[str, ast.AST],
    ) -> None:
        self.names = names
        self.definitions = definitions
        self.scopes = scopes
        self.places = places
        self.calls = {
            node.name: {
                inner.func.id
                for inner in ast.walk(node)
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
            }
            for node in definitions
        }

    def recursion(self) -> None:
        """Refuses each function that calls itself, directly or not."""
        # What calls only functions that end cannot call itself: in a right program nothing is left.
        left = {name: len(called & self.calls.keys()) for name, called in self.calls.items()}
        callers: dict[str, list[str]] = {name: [] for name in left}
        for name, called in self.calls.items():
            for other in called & self.calls.keys():
                callers[other].append(name)
        queue = [name for name, count in left.items() if count == 0]
        while queue:
            name = queue.pop()
            del left[name]
            for caller in callers[name]:
                left[caller] -= 1
                if left[caller] == 0:
                    queue.append(caller)
        for node in self.definitions:
            if node.name not in left:
                continue
            if any(node.name in self._reached(called) for called in self.calls[node.name]):
                self.names.report(
                    "D403", self.names.part(node, node.name),
                    f"{node.name} calls itself, directly or not", "write it as a loop",
                )  # fmt: skip

    def environment(self) -> None:
        """Refuses each name that the program and the environment share, where it comes first."""
        places = dict(self.places)
        for node in self.definitions:
            for parameter in node.args.args:
                places.setdefault(parameter.arg, parameter)
            for name, place in self.scopes[node.name].places.items():
                places.setdefault(name, place)
        for name in sorted(places.keys() & self.names.environment):
            self.names.report(
                "D402", places[name], f"{name} is a name of the program and of the environment",
                "in bash they would be one: rename the one in the program",
            )  # fmt: skip

    def unused(self, entry: str) -> None:
        """Refuses what nobody uses: it is a slip, or a rest of what once was."""
        for name, place in self.places.items():
            if name not in self.names.used:
                self._unused(place, f"the constant {name}", "delete it")
        reached = self._reached(entry)
        for node in self.definitions:
            if node.name not in reached:
                self.names.report(
                    "D308", self.names.part(node, node.name),
                    f"the function {node.name} is never used", "delete it, or call it",
                )  # fmt: skip
                continue
            scope = self.scopes[node.name]
            for parameter in node.args.args:
                if parameter.arg not in scope.used:
                    self._unused(
                        parameter, f"the parameter {parameter.arg}",
                        f"delete it, here and where {node.name} is called",
                    )  # fmt: skip
            for name, place in scope.places.items():
                if name not in scope.used and name not in scope.parameters:
                    is_bool = scope.type_of(name) is Type.BOOL
                    way = "ask for it" if is_bool else "write _ in its place"
                    self._unused(place, name, f"{way}, or delete this")

    def _unused(self, node: ast.AST, what: str, help: str) -> None:
        self.names.report("D308", node, f"{what} is never used", help)

    def _reached(self, name: str) -> set[str]:
        """The functions and words that the function `name` calls, directly or not, and itself."""
        reached = set()
        queue = [name]
        while queue:
            name = queue.pop()
            if name not in reached:
                reached.add(name)
                queue += self.calls.get(name, ())
        return reached
