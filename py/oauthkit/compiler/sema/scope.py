"""Track the variables of one function, and which of them are set on a path."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from oauthkit.compiler.ir import Statement
from oauthkit.compiler.types import Type


@dataclass
class Scope:
    """The variables of one function with their types. `names` are all names that it uses.

    `counters` are the names that are used only in loops over range(…) and set only by them.

    `known` are the variables that are set on every path to the current statement. It is None if the
    statement is unreachable. `statement` is the statement that is being analyzed. `root` is
    the statement, or a part of it that Python may skip or repeat: an operand of `and` or `or`, the
    condition of `elif` or `while`, a value of a conditional expression. `before` lists the
    statements that run before `root`: the calls inside its expressions.
    """

    parameters: dict[str, Type]
    variables: dict[str, Type] = field(default_factory=dict)
    known: set[str] | None = field(default_factory=set)
    arguments: str | None = None  # the name of *arguments
    places: dict[str, ast.AST] = field(default_factory=dict)  # the first assignment to each name
    used: set[str] = field(default_factory=set)
    statuses: set[str] = field(default_factory=set)  # variables that hold an exit status
    results: tuple[Type, ...] = ()
    is_main: bool = False
    names: frozenset[str] = frozenset()
    counters: frozenset[str] = frozenset()
    statement: ast.stmt | None = None
    root: ast.AST | None = None
    before: list[Statement] = field(default_factory=list)

    def type_of(self, name: str) -> Type | None:
        """Return the type of a parameter or variable, or None for other names."""
        if self.variables.get(name) is Type.ERROR:
            return Type.ERROR
        return self.parameters.get(name) or self.variables.get(name)

    def is_set(self, name: str) -> bool:
        """Return whether the variable is set on every path to the current statement."""
        return name in self.parameters or self.known is None or name in self.known

    def learn(self, test: ast.expr, *, truth: bool) -> set[str]:
        """Record which of main's arguments exist if `test` is `truth`. Return the new ones."""
        if self.arguments is None or self.known is None:
            return set()
        least = _least(test, self.arguments)[not truth]
        new = {f"{self.arguments}[{index}]" for index in range(min(least, 100))} - self.known
        self.known |= new
        return new

    @contextmanager
    def lazy_part(self, node: ast.expr) -> Iterator[list[Statement]]:
        """Make `node` the `root`. Yield the list of statements that run before it."""
        outer = self.root, self.before
        self.root, self.before = node, []
        yield self.before
        self.root, self.before = outer

    def assume_bound(self, name: str) -> None:
        """Treat a name as set from here on, because the statement that sets it was rejected."""
        if self.type_of(name) is None:
            self.variables[name] = Type.ERROR
        if self.known is not None:
            self.known.add(name)


_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq, ast.NotEq: ast.NotEq, ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}  # fmt: skip


def _least(test: ast.expr, name: str) -> tuple[int, int]:
    """Return the least number of arguments if a test is true, and if it is false."""
    match test:
        case ast.Name(id=tested) if tested == name:
            return 1, 0
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            true, false = _least(operand, name)
            return false, true
        case ast.BoolOp(op=operator, values=values):
            both = [_least(value, name) for value in values]
            trues, falses = [true for true, _ in both], [false for _, false in both]
            is_or = isinstance(operator, ast.Or)
            return (min(trues), max(falses)) if is_or else (max(trues), min(falses))
        case ast.Compare(left=left, ops=[_, _, *_] as operators, comparators=others):
            pairs = zip([left, *others], operators, others, strict=False)
            compared: list[ast.expr] = [ast.Compare(a, [sign], [b]) for a, sign, b in pairs]
            return _least(ast.BoolOp(ast.And(), compared), name)
        case ast.Compare(
            left=ast.Constant() as number, ops=[operator], comparators=[ast.Call() as call]
        ) if type(operator) in _MIRRORED:
            mirrored = _MIRRORED[type(operator)]()
            return _least(ast.Compare(call, [mirrored], [number]), name)
        case ast.Compare(left=left, ops=[ast.NotIn()], comparators=others):
            true, false = _least(ast.Compare(left, [ast.In()], others), name)
            return false, true
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Tuple(elts=[_, *_] as items)]):
            equal: list[ast.expr] = [ast.Compare(left, [ast.Eq()], [item]) for item in items]
            return _least(ast.BoolOp(ast.Or(), equal), name)
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=counted)]),
            ops=[operator],
            comparators=[ast.Constant(value=int() as number)],
        ) if counted == name:
            match operator:
                case ast.Eq():
                    return number, int(number == 0)
                case ast.NotEq():
                    return int(number == 0), number
                case ast.Lt():
                    return 0, number
                case ast.LtE():
                    return 0, number + 1
                case ast.Gt():
                    return number + 1, 0
                case ast.GtE():
                    return number, 0
    return 0, 0


def merge(first: set[str] | None, second: set[str] | None) -> set[str] | None:
    """Return the names that are set where two paths meet."""
    if first is None:
        return second
    return first if second is None else first & second


def counters(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the variables that are used only in loops over range(…) and set only by them."""
    outside = Counter(x.id for x in ast.walk(function) if isinstance(x, ast.Name))
    reassigned = {argument.arg for argument in function.args.args}
    for node in ast.walk(function):
        match node:
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"))):
                inside = [x for part in node.body for x in ast.walk(part)]
                outside[name] -= 1 + sum(isinstance(x, ast.Name) and x.id == name for x in inside)
                if [*bound_names(node)].count(name) > 1:
                    reassigned.add(name)
    yield from (name for name, count in outside.items() if count == 0 and name not in reassigned)


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield every name that is bound anywhere in `node`."""
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
