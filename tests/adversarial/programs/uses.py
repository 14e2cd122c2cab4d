"""Use every name of a random program, because the compiler rejects unused ones (D308)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tests.adversarial.programs.scope import Kind

if TYPE_CHECKING:
    from tests.adversarial.programs.scope import Slot

Function = tuple[str, Mapping[str, "Slot"]]  # its text, and its names' slots


def called_by_main(functions: Sequence[Function]) -> list[Function]:
    """Return the functions that main calls, directly or not. main itself is the last."""
    trees = [ast.parse(text).body[0] for text, _ in functions]
    names = [tree.name for tree in trees if isinstance(tree, ast.FunctionDef)]
    reached, queue = set(), names[-1:]
    while queue:
        name = queue.pop()
        if name in names and name not in reached:
            reached.add(name)
            queue += _names(trees[names.index(name)])
    return [function for function, name in zip(functions, names, strict=True) if name in reached]


def loaded(text: str) -> set[str]:
    """Return the names that the text reads."""
    return set(_names(ast.parse(text)))


def with_uses(function: Function) -> str:
    """Return the function, with a use of each unused name after its first assignment."""
    text, slots = function
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    unused = set(slots) - set(_uses(tree))
    lines = text.split("\n")
    start = next(s for s in tree.body if not (_is_docstring(s) and s is tree.body[0]))
    places = [
        (start.lineno - 1, start.col_offset, argument.arg)
        for argument in tree.args.args
        if argument.arg in unused
    ]
    unused -= {name for _, _, name in places}
    for node in ast.walk(tree):
        for name in sorted(unused & set(_set_by(node))):
            is_loop = isinstance(node, ast.For)
            first = node.body[0] if isinstance(node, ast.For) else node
            assert isinstance(first, ast.stmt)
            line = first.lineno - 1 if is_loop else first.end_lineno
            assert line is not None
            places.append((line, first.col_offset, name))
    done = set()
    chosen = []
    for line, indent, name in sorted(places):
        if name not in done:
            done.add(name)
            chosen.append((line, indent, name))
    for line, indent, name in reversed(chosen):
        lines[line:line] = [" " * indent + use for use in _use(name, slots[name].kind)]
    return "\n".join(lines)


def _use(name: str, kind: Kind) -> list[str]:
    if kind is Kind.BOOL:
        return [f"if {name}:", f'    print("{name}")']
    return [f"_ = {name} & RETCODE" if kind is Kind.COMMAND else f'print(f"<{{{name}}}>")']


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id


def _uses(tree: ast.AST) -> Iterator[str]:
    """Yield the names that are read, but not those that are only appended to."""
    for node in ast.iter_child_nodes(tree):
        added = ""
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            added = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
            started = node.value.value
            while isinstance(started, ast.Subscript):
                started = started.value
            if [ast.dump(target) for target in node.targets] == [
                ast.dump(ast.Name(getattr(started, "id", ""), ast.Store()))
            ]:
                added = getattr(started, "id", "")
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        yield from (name for name in _uses(node) if name != added)


def _set_by(node: ast.AST) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.For):
        targets = [node.target]
    for target in targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        yield from (name.id for name in names if isinstance(name, ast.Name))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
