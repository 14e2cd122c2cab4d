"""The types of the dialect, and the signatures of its functions."""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass


class Type(enum.Enum):
    """The type of a value. ERROR is the type of rejected code. It is compatible with all others."""

    STR = "Str"
    INT = "Int"
    BOOL = "Bool"
    PATH = "Path"
    COMMAND = "Command"
    STATUS = "Status"
    TUPLE = "Tuple"  # only a constant can have it
    ERROR = "error"

    def fits(self, wanted: Type) -> bool:
        """Return whether a name of the type `wanted` can hold a value of this type.

        A Status is an Int that must not be ignored. A Path is not a Str: in Python, `in`
        and split() behave differently on a LocalPath.
        """
        if Type.ERROR in (self, wanted) or self is wanted:
            return True
        return (self, wanted) == (Type.STATUS, Type.INT)

    @property
    def is_number(self) -> bool:
        """Return whether the type can be an operand of arithmetic."""
        return self in (Type.INT, Type.STATUS, Type.ERROR)

    @property
    def is_text(self) -> bool:
        """Return whether the type can be part of a string."""
        return self in (Type.STR, Type.PATH, Type.ERROR)


ANNOTATIONS = {
    "str": Type.STR,
    "int": Type.INT,
    "bool": Type.BOOL,
    "LocalPath": Type.PATH,
    "BaseCommand": Type.COMMAND,
    "Status": Type.STATUS,
}


@dataclass(frozen=True)
class Signature:
    """The parameters of a function and the types of its results, () for none.

    A Status or Bool result is the bash function's exit status. All others are in REPLY or REPLIES.
    """

    name: str
    parameters: tuple[tuple[str, Type], ...]
    results: tuple[Type, ...]
    takes_arguments: bool = False  # def main(*arguments: str)

    @property
    def replies(self) -> tuple[Type, ...]:
        """Return the results in REPLY or REPLIES."""
        return tuple(t for t in self.results if t not in (Type.STATUS, Type.BOOL))

    @property
    def returns_array(self) -> bool:
        """Return whether the results are in the array REPLIES: several results, or a command."""
        return len(self.replies) > 1 or Type.COMMAND in self.replies


def read_annotation(node: ast.expr | None) -> tuple[Type, ...] | None:
    """Return the types in an annotation: () for None, several for a tuple, else one.

    Return None if it is missing or not a type of the dialect.
    """
    if isinstance(node, ast.Constant) and node.value is None:
        return ()
    if isinstance(node, ast.Name) and node.id in ANNOTATIONS:
        return (ANNOTATIONS[node.id],)
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "tuple"
        and isinstance(node.slice, ast.Tuple)
        and len(node.slice.elts) > 1
    ):
        items = [read_annotation(item) for item in node.slice.elts]
        if all(item is not None and len(item) == 1 for item in items):
            return tuple(item[0] for item in items if item)
    return None


def fits_bash(results: tuple[Type, ...]) -> bool:
    """Return whether a bash function can return these: one exit status, and one array."""
    if len(results) > 1 and Type.BOOL in results:
        return False
    others = [kind for kind in results if kind is not Type.STATUS]
    is_mixed = Type.COMMAND in others and len(others) > 1
    return len(results) - len(others) <= 1 and not is_mixed
