"""Leaves out the calls of `absolute` that would give back the text that they are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from oauthkit.compiler import ir as tree
from oauthkit.compiler.types import Type

ABSOLUTE = "absolute"


def without_needless_calls(program: tree.Program) -> tree.Program:
    """The program, in which what is a Path already becomes none by a call."""
    texts = {
        constant.name: constant.value.value
        for constant in program.constants
        if isinstance(constant.value, tree.Text)
    }
    functions = [replace(f, body=_block(f.body, texts)) for f in program.functions]
    words = set(program.words)
    if ABSOLUTE not in {name for function in functions for name in _called(function.body)}:
        words.discard(ABSOLUTE)
    return replace(program, functions=functions, words=words)


def _block(body: list[tree.Statement], texts: Mapping[str, str]) -> list[tree.Statement]:
    found = []
    for item in body:
        kept = item
        match item:
            case tree.If(branches):
                for branch in branches:
                    branch.body = _block(branch.body, texts)
            case tree.While() | tree.For():
                item.body = _block(item.body, texts)
            case tree.Take(tree.Call() as call, None, (str() as name,)):
                path = _path(call, texts)
                kept = item if path is None else tree.Assign(name, path)
            case tree.Return(call=tree.Call() as call):
                path = _path(call, texts)
                kept = item if path is None else tree.Return((path,))
        kept.comments, kept.beside, kept.blank = item.comments, item.beside, item.blank
        found.append(kept)
    return found


def _path(call: tree.Call, texts: Mapping[str, str]) -> tree.Value | None:
    """The Path that a call of `absolute` gives, if that is what it is given."""
    if call.function.name != ABSOLUTE:
        return None
    (value,) = call.arguments
    if value.type is Type.PATH:
        return value
    first, *others = _parts(value) or [value]
    known = [_known(part, texts) for part in others]
    if first.type is not Type.PATH or None in known:
        return None
    # It goes on the last name of the Path, which is none if the Path is /.
    names = "".join(map(str, known)).split("/")
    is_plain = not any(name in ("", ".", "..") for name in names)
    return replace(value, type=Type.PATH) if is_plain else None


def _parts(value: tree.Value) -> list[tree.Value]:
    if isinstance(value, tree.Join):
        return [part for inner in value.parts for part in _parts(inner)]
    return [value]


def _known(value: tree.Value, texts: Mapping[str, str]) -> str | None:
    """The text of a value, with 0 for what can be any number; None if it can be any text."""
    match value:
        case tree.Text(text):
            return text
        case tree.Name(name) if name in texts:
            return texts[name]
    return "0" if value.type.is_number else None


def _called(node: Any) -> Iterator[str]:
    """The functions and words that are called in a part of the program."""
    if isinstance(node, tree.Call):
        yield node.function.name
    elif isinstance(node, (list, tuple)):
        for item in node:
            yield from _called(item)
    elif is_dataclass(node):
        for field in fields(node):
            yield from _called(getattr(node, field.name))
