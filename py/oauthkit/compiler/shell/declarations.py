"""Has the values that a function starts with stand where its variables are declared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from oauthkit.compiler.shell.ast import Assignment, Line, Literal, Locals, Parameter, Word

SHORT = 6  # words of an array that stand in a declaration


def with_first_values(
    lines: list[Line], constants: Collection[str], arrays: Collection[str]
) -> list[Line]:
    """The lines of a function, its first assignments in the declaration above them.

    Those of literals and `constants`: bash expands all values of a declaration before it declares
    the first variable. Not those of text under the names `arrays`, which were arrays in a function
    above: ShellCheck wants these declared without a value (SC2178).
    """
    if not lines or not isinstance(lines[0].command, Locals):
        return lines
    declared, *others = lines
    command = lines[0].command
    for index, line in enumerate(others):
        match line:
            case Line(Assignment(name, Word(parts), False, "") as item, (), None, False) if (
                name in command.names
                and name not in arrays
                and all(_is_known(part, constants) for part in parts)
            ):
                names = tuple(other for other in command.names if other != name)
                command = replace(command, assignments=(*command.assignments, item), names=names)
            case Line(Assignment(name, tuple() as words, False, "") as item, (), None, False) if (
                name in command.arrays
                and all(_is_known(part, constants) for word in words for part in word.parts)
                and sum(len(word.parts) for word in words) <= SHORT
            ):
                left = tuple(other for other in command.arrays if other != name)
                command = replace(command, assignments=(*command.assignments, item), arrays=left)
            case _:
                return [replace(declared, command=command), *others[index:]]
    return [replace(declared, command=command)]


def _is_known(part: object, constants: Collection[str]) -> bool:
    """Whether a part of a value is the same wherever it is expanded, and stands on one line."""
    match part:
        case Literal(text):
            return "\n" not in text
        case Parameter(name, "", None, None):
            return name in constants
    return False
