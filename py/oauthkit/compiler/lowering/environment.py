"""Finds where a variable of the environment is known to be set, so that $NAME will do there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from oauthkit.compiler import ir as tree
from oauthkit.compiler.runtime_library import Word
from oauthkit.compiler.shell.quote import PLAIN_DEFAULT

# Where the program starts with one, so does every script: see the prologue.
ALWAYS = "PATH"
_TREE = tree.__name__


@dataclass(frozen=True)
class _Known:
    """The variables that are set on every path that leads here, and those that are not empty."""

    are_set: frozenset[str] = frozenset()
    are_full: frozenset[str] = frozenset()

    def plus(self, other: _Known) -> _Known:
        return _Known(self.are_set | other.are_set, self.are_full | other.are_full)

    def meet(self, other: _Known) -> _Known:
        return _Known(self.are_set & other.are_set, self.are_full & other.are_full)


NOTHING = _Known()


def with_known_environment(program: tree.Program, words: Iterable[Word]) -> tree.Program:
    """The program, in which each variable that is known to be set says so.

    `words` are those of the vocabulary that it needs. What it unsets anywhere is known nowhere, and
    what it or a word may set is never known not to be empty.
    """
    bodies = re.sub(r"(?m)(^| )# .*", "", "\n".join(word.bash for word in words))
    statements = [item for function in program.functions for item in _all(function.body)]
    unset = {item.name for item in statements if isinstance(item, tree.UnsetEnvironment)}
    changed = {item.name for item in statements if isinstance(item, tree.SetEnvironment)}
    if re.search(r"\bunset\b", bodies):
        return program
    reader = _Reader(unset, changed | {*re.findall(r"\w+", bodies)})
    start = reader.only(_Known(frozenset({ALWAYS})))
    constants = [replace(c, value=reader.value(c.value, start)) for c in program.constants]
    for function in program.functions:
        reader.block(function.body, start)
    return replace(program, constants=constants)


def _all(body: list[tree.Statement]) -> Iterable[tree.Statement]:
    """All statements of a body, and in it."""
    for item in body:
        yield item
        match item:
            case tree.If(branches):
                for branch in branches:
                    yield from _all(branch.body)
            case tree.While() | tree.For():
                yield from _all(item.body)


class _Reader:
    """Follows the paths through the functions of one program."""

    def __init__(self, unset: set[str], changed: set[str]) -> None:
        self.unset = unset
        self.changed = changed

    def only(self, known: _Known) -> _Known:
        """What of `known` lasts, whatever is called."""
        return _Known(known.are_set - self.unset, known.are_full - self.unset - self.changed)

    # --- Statements ------------------------------------------------------------------------------

    def block(self, body: list[tree.Statement], known: _Known) -> _Known | None:
        """Reads a block, in place; what is known below it, None if no path leads there."""
        after: _Known | None = known
        for item in body:
            if after is None:
                break
            after = self._statement(item, after)
        return after

    def _statement(self, item: tree.Statement, known: _Known) -> _Known | None:
        match item:
            case tree.If(branches):
                return self._if(branches, known)
            case tree.While():
                item.condition, inside, _ = self.condition(item.condition, known)
                self.block(item.body, known.plus(inside))
                return known
            case tree.For():
                item.items = self.value(item.items, known)
                self.block(item.body, known)
                return known
        for field in fields(item):
            if field.init:
                setattr(item, field.name, self.value(getattr(item, field.name), known))
        match item:
            case tree.Return() | tree.Jump():
                return None
            case tree.SetEnvironment(name):
                return known.plus(self.only(_Known(frozenset({name}))))
        return known

    def _if(self, branches: list[tree.Branch], known: _Known) -> _Known | None:
        ends: list[_Known | None] = []
        for branch in branches:
            inside = NOTHING
            otherwise = NOTHING
            if branch.condition is not None:
                branch.condition, inside, otherwise = self.condition(branch.condition, known)
            ends.append(self.block(branch.body, known.plus(inside)))
            known = known.plus(otherwise)
        if branches[-1].condition is not None:
            ends.append(known)  # past all of them
        reached = [end for end in ends if end is not None]
        after = reached[0] if reached else None
        for end in reached[1:]:
            assert after is not None
            after = after.meet(end)
        return after

    # --- Conditions ------------------------------------------------------------------------------

    def condition(
        self, condition: tree.Condition, known: _Known
    ) -> tuple[tree.Condition, _Known, _Known]:
        """A condition, and what is known besides where it is true and where it is false."""
        match condition:
            case tree.Not(operand):
                inner, yes, no = self.condition(operand, known)
                return tree.Not(inner), no, yes
            case tree.Both(operands, either):
                read = []
                found = NOTHING
                for operand in operands:
                    inner, yes, no = self.condition(operand, known.plus(found))
                    read.append(inner)
                    found = found.plus(no if either else yes)
                both = tree.Both(tuple(read), either)
                return (both, NOTHING, found) if either else (both, found, NOTHING)
            case tree.IsSet(name):
                return condition, self.only(_Known(frozenset({name}))), NOTHING
            case tree.Compare(operator, tree.Environment(name, tree.Text("")), tree.Text("")):
                names = frozenset({name})
                full = self.only(_Known(names, names))
                yes, no = (full, NOTHING) if operator == "!=" else (NOTHING, full)
                return self.value(condition, known), yes, no
        return self.value(condition, known), NOTHING, NOTHING

    # --- Values ----------------------------------------------------------------------------------

    def value(self, node: Any, known: _Known) -> Any:
        """A part of a statement that has no statements in it, with what is known of its values."""
        match node:
            case tuple():
                return tuple(self.value(item, known) for item in node)
            case tree.Both() | tree.Not():
                return self.condition(node, known)[0]
            case tree.Environment(name, default, or_empty) if not _has_names(default) and name in (
                known.are_full if or_empty else known.are_set
            ):
                return replace(node, default=tree.Text(""), is_set=True)
        if not is_dataclass(node) or isinstance(node, type) or type(node).__module__ != _TREE:
            return node
        changed = {f.name: self.value(getattr(node, f.name), known) for f in fields(node)}
        return replace(node, **changed)


def _has_names(node: Any) -> bool:
    """Whether a value reads a variable: one that is read nowhere else must be so still."""
    if isinstance(node, tuple):
        return any(map(_has_names, node))
    if not is_dataclass(node):
        return False
    return isinstance(node, tree.Name) or any(
        _has_names(getattr(node, field.name)) for field in fields(node)
    )


def has_plain_default(variable: tree.Environment) -> bool:
    """Whether the default of a variable needs no quotes in bash."""
    return _is_plain(variable.default)


def _is_plain(value: tree.Value) -> bool:
    match value:
        case tree.Text(text):
            return PLAIN_DEFAULT.fullmatch(text) is not None
        case tree.Join(parts):
            return all(map(_is_plain, parts))
        case tree.PathJoin(_, name):
            return _is_plain(name)
    return isinstance(value, (tree.Name, tree.Number, tree.Environment))
