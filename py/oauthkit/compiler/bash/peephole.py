"""Peephole rewrites of the bash AST.

Lowering translates one statement at a time, so its code is often longer than what a person would
write. `optimize` applies these rewrites to each function, in this order:

1. `_merge_unsets`: adjacent `unset -v` commands become one.
2. `_remove_copies`: `x=$REPLY; REPLY=$x; return` becomes `return`, and a Bool that is computed only
   to be returned becomes the test itself.
3. `_remove_temporaries`: a variable that only passes REPLY to the next command is removed. The
   command reads REPLY instead.
4. `_remove_last_returns`: a plain `return` at the end of a function is removed.
5. `_remove_locals`: the declarations of removed variables are removed.
6. `_fold_first_values`: first assignments of known values become part of the `local` declaration.
7. `_call_quiet`: if a script discards the output of several commands, these become calls to one
   function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from oauthkit.compiler.bash.ast import (
    AndOrList,
    ArrayExpansion,
    Assignment,
    Binary,
    Body,
    Branch,
    Command,
    Comment,
    CompoundList,
    ForCommand,
    Group,
    IfCommand,
    Line,
    Literal,
    Locals,
    Negation,
    Parameter,
    Redirection,
    Script,
    SimpleCommand,
    Test,
    TestCommand,
    Variable,
    Word,
)
from oauthkit.compiler.bash.names import QUIET
from oauthkit.compiler.bash.quote import redirection_text
from oauthkit.compiler.bash.walk import bodies, children, rebuild, uses, with_bodies, writes

RETURN = SimpleCommand((Word((Literal("return"),)),))
TRUE, FALSE = Word((Literal("true"),)), Word((Literal("false"),))
UNSET = tuple(Word((Literal(text),)) for text in ("unset", "-v"))
# The variables in which functions return results.
REPLY, REPLIES = "REPLY", "REPLIES"
# The maximum number of an array's words that are folded into a declaration.
SHORT = 6
# The minimum number of commands whose output is discarded for which a script gets a function.
SEVERAL = 3
DISCARDED = (Redirection(">", Word((Literal("/dev/null"),))), Redirection("2>&1"))


def optimize(script: Script) -> Script:
    """Apply all rewrites to each function of a script."""
    functions = []
    arrays: set[str] = set()  # names that were arrays in the functions above
    for comments, function in script.functions:
        lines = _simplify(function.body)
        match function.body:
            case (Line(Locals() as declared), *_):
                lines = _fold_first_values(lines, script.constants, arrays)
                arrays -= {*declared.names}
                arrays |= {*declared.arrays}
                arrays |= {i.name for i in declared.assignments if isinstance(i.value, tuple)}
        functions.append((comments, replace(function, body=lines)))
    return _call_quiet(replace(script, functions=functions))


def _simplify(body: Body) -> Body:
    """Apply rewrites 1 to 5 to the body of a function."""
    simple = _remove_temporaries(_remove_copies(_merge_unsets(body)))
    simple = _remove_last_returns(_remove_copies(simple))
    removed = {*writes(body)} - {*writes(simple)}
    lines = (_remove_locals(line, removed) for line in simple)
    return tuple(line for line in lines if line is not None)


# --- 1. Adjacent unset commands ------------------------------------------------------------------


def _merge_unsets(body: Body) -> Body:
    lines: list[Line] = []
    for line in body:
        match lines, line:
            case (
                [*_, Line(SimpleCommand(words, ()), _, None)],
                Line(SimpleCommand(more, ()), (), None, False),
            ) if words[:2] == more[:2] == UNSET:
                lines[-1] = replace(lines[-1], command=SimpleCommand((*words, *more[2:])))
            case _:
                inner = with_bodies(line.command, _merge_unsets)
                lines.append(replace(line, command=inner))
    return tuple(lines)


# --- 2. Copies of a result -----------------------------------------------------------------------


def _remove_copies(body: Body) -> Body:
    lines = [replace(line, command=with_bodies(line.command, _remove_copies)) for line in body]
    while (shorter := _without_one_copy(lines)) is not None:
        lines = shorter
    return tuple(lines)


def _without_one_copy(lines: list[Line]) -> list[Line] | None:
    """Remove the first copy above a return. Return None if there is no copy."""
    for index in range(len(lines) - 2):
        first, second, last = lines[index : index + 3]
        if not _is_return(last.command) or first.beside or last.comments or last.beside:
            continue
        match first.command, second.command:
            case Assignment(name, value, False, ""), Assignment(reply, copy, False, ""):
                is_returned = name in uses(last.command)
                if _is_reply(reply, value) and copy == _expansion(name, value) and not is_returned:
                    comments = (*first.comments, *second.comments)
                    kept = replace(second, command=last.command, comments=comments)
                    return [*lines[:index], kept, *lines[index + 3 :]]
            case IfCommand(branches), TestCommand(test):
                flag = _assigned_flag(branches)
                if flag and test == Binary(Word((Parameter(flag),)), "==", TRUE):
                    condition = branches[0].test
                    assert condition is not None
                    kept = replace(first, command=TestCommand(condition))
                    last = replace(last, comments=second.comments, beside=second.beside)
                    return [*lines[:index], kept, last, *lines[index + 3 :]]
    return None


def _is_return(command: Command) -> bool:
    return isinstance(command, SimpleCommand) and command.words[0] == RETURN.words[0]


def _is_reply(name: str, value: Word | tuple[Word, ...]) -> bool:
    """Return whether `name` is REPLY or REPLIES, and `value` a copy of this variable."""
    return name in (REPLY, REPLIES) and value == _expansion(name, value)


def _expansion(name: str, value: Word | tuple[Word, ...]) -> Word | tuple[Word, ...]:
    """Return the expansion of the variable `name`, as a word or as an array, like `value`."""
    if isinstance(value, Word):
        return Word((Parameter(name),))
    return (Word((ArrayExpansion(name),)),)


def _assigned_flag(branches: tuple[Branch, ...]) -> str:
    """Return the variable that an if only sets to true or false, or ""."""
    match branches:
        case (
            Branch(_, (Line(Assignment(name, yes, False, ""), (), None),)),
            Branch(None, (Line(Assignment(other, no, False, ""), (), None),)),
        ) if name == other and (yes, no) == (TRUE, FALSE):
            return name
    return ""


# --- 3. Temporaries ------------------------------------------------------------------------------


def _remove_temporaries(body: Body) -> Body:
    """Remove variables that are read once, before anything could set REPLY again."""
    while True:
        found = Counter(_temporaries(body))
        set_, read = Counter(writes(body)), Counter(uses(body))
        removed = {
            name: source
            for (name, source), count in found.items()
            if count == set_[name] == read[name]
        }
        if not removed:
            return body
        body = _without(body, removed)


# A call's result: REPLY, an element of REPLIES, or the whole REPLIES.
_Source = Parameter | ArrayExpansion


def _temporaries(body: Body) -> Iterator[tuple[str, _Source]]:
    """Yield the variables that only pass a result to the next command, with this result.

    A variable is yielded once per assignment. If a call has several results, the variables are
    kept, because their names document the results.
    """
    is_element_above = False
    for line, following in zip(body, (*body[1:], None), strict=True):
        name, source = _taken(line)
        is_element = isinstance(source, Parameter) and source.index is not None
        if (
            source is not None
            and not (is_element and is_element_above)
            and following is not None
            and _can_read_reply(name, following.command)
        ):
            yield name, source
        is_element_above = is_element
        for inner in bodies(line.command):
            yield from _temporaries(inner)


def _taken(line: Line) -> tuple[str, _Source | None]:
    """Return the variable that a line sets to a call's result, and the result, or "" and None."""
    if line.comments or line.beside:
        return "", None
    match line.command:
        case Assignment(name, Word((Parameter() as source,)), False, "") if source == Parameter(
            REPLY
        ) or source == Parameter(REPLIES, index=source.index):
            return name, source
        case Assignment(name, (Word((ArrayExpansion("REPLIES") as source,)),), False, ""):
            return name, source
    return "", None


def _can_read_reply(name: str, command: Command) -> bool:
    """Return whether a command reads the variable once, before REPLY can change."""
    if isinstance(command, Assignment) and command.name in (REPLY, REPLIES):
        value = command.value if isinstance(command.value, tuple) else (command.value,)
        if value in ((Word((Parameter(name),)),), (Word((ArrayExpansion(name),)),)):
            return False  # it would become REPLY=$REPLY
    return sum([*uses(part)].count(name) for part in _expanded_first(command)) == 1


def _expanded_first(command: Command) -> Iterator[Any]:
    """Yield the parts that bash expands before the command can call a function."""
    match command:
        case IfCommand(branches):
            assert branches[0].test is not None
            yield from _tested_first(branches[0].test)[0]
        case TestCommand(test):
            yield from _tested_first(test)[0]
        case ForCommand(_, words):
            yield from words
        case SimpleCommand() | Assignment() | Group():
            yield command


def _tested_first(test: Test) -> tuple[list[Test], bool]:
    """Return the parts of a test up to the first function call, and whether there is a call."""
    match test:
        case AndOrList(tests):
            found: list[Test] = []
            for inner in tests:
                parts, calls = _tested_first(inner)
                found += parts
                if calls:
                    return found, True
            return found, False
        case Negation(inner):
            return _tested_first(inner)
        case SimpleCommand(words):
            return [test], words[0] not in (TRUE, FALSE)
        case CompoundList():
            return [], True
    return [test], False


def _without(body: Body, removed: Mapping[str, _Source]) -> Body:
    return tuple(
        replace(line, command=_read_in_place(line.command, removed))
        for line in body
        if _taken(line)[0] not in removed
    )


def _read_in_place(node: Any, removed: Mapping[str, _Source]) -> Any:
    """Replace each removed variable with its result."""
    match node:
        case tuple() if node and all(isinstance(item, Line) for item in node):
            return _without(node, removed)
        case Parameter(name) | Variable(name) if name in removed:
            source = removed[name]
            index = source.index if isinstance(source, Parameter) else None
            node = replace(node, name=source.name, index=index)
        case ArrayExpansion(name) if name in removed:
            node = replace(node, name=removed[name].name)
    return rebuild(node, partial(_read_in_place, removed=removed))


# --- 4. Last returns -----------------------------------------------------------------------------


def _remove_last_returns(body: Body) -> Body:
    places = [i for i, line in enumerate(body) if not isinstance(line.command, Comment)]
    if not places:
        return body
    place = places[-1]
    line = body[place]
    if isinstance(line.command, IfCommand):
        branches = tuple(
            replace(b, body=_remove_last_returns(b.body)) for b in line.command.branches
        )
        line = replace(line, command=IfCommand(branches))
    elif line.command == RETURN and len(places) > 1:
        comments = (*line.comments, *([] if line.beside is None else [line.beside]))
        line = Line(Comment(), comments, blank=line.blank)
    return tuple(
        one
        for one in (*body[:place], line, *body[place + 1 :])
        if one.comments or one.command != Comment()
    )


# --- 5. Declarations of removed variables --------------------------------------------------------


def _remove_locals(line: Line, removed: set[str]) -> Line | None:
    if not isinstance(line.command, Locals):
        return line
    names = tuple(name for name in line.command.names if name not in removed)
    arrays = tuple(name for name in line.command.arrays if name not in removed)
    if not (line.command.assignments or names or arrays):
        return None
    return replace(line, command=replace(line.command, names=names, arrays=arrays))


# --- 6. First values -----------------------------------------------------------------------------


def _fold_first_values(body: Body, constants: Collection[str], arrays: Collection[str]) -> Body:
    """Fold initial assignments into the `local` declaration.

    Only literals and `constants` are folded, because bash expands all values of a declaration
    before it declares the first variable. The assignment of a Str is not folded if its name is in
    `arrays`, because ShellCheck tracks types across functions and would report it (SC2178).
    """
    if not body or not isinstance(body[0].command, Locals):
        return body
    declared, *others = body
    command = body[0].command
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
                return (replace(declared, command=command), *others[index:])
    return (replace(declared, command=command),)


def _is_known(part: object, constants: Collection[str]) -> bool:
    """Return whether a part is constant and fits on one line."""
    match part:
        case Literal(text):
            return "\n" not in text
        case Parameter(name):
            return name in constants and part == Parameter(name)
    return False


# --- 7. Commands whose output is discarded -------------------------------------------------------


def _call_quiet(script: Script) -> Script:
    groups = [group for _, function in script.functions for group in _discarding(function.body)]
    if len(groups) < SEVERAL:
        return script
    redirections = " ".join(map(redirection_text, groups[0].redirections))
    text = f'# Run a command and discard its output.\n{QUIET}() {{\n  "$@"\n}} {redirections}'
    functions = [
        (comments, replace(function, body=_with_quiet(function.body)))
        for comments, function in script.functions
    ]
    return replace(script, functions=functions, builtins=[text, *script.builtins])


def _discarding(node: Any) -> Iterator[Group]:
    match node:
        case Group(SimpleCommand(_, ()), redirections) if redirections[:2] == DISCARDED:
            yield node
    for inner in children(node):
        yield from _discarding(inner)


def _with_quiet(node: Any) -> Any:
    match node:
        case Group(SimpleCommand(words, ()), redirections) if redirections[:2] == DISCARDED:
            return SimpleCommand((Word((Literal(QUIET),)), *words))
    return rebuild(node, _with_quiet)
