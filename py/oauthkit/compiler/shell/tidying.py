"""Takes out of a function what only hands something on: it reads as a person would write it."""

from __future__ import annotations

from dataclasses import replace

from oauthkit.compiler.shell.ast import (
    Assignment,
    Binary,
    Body,
    Branch,
    Command,
    Condition,
    Elements,
    IfCommand,
    Line,
    Literal,
    Locals,
    Parameter,
    Remark,
    Simple,
    Word,
)
from oauthkit.compiler.shell.merging import with_one_unset, with_plain_folders
from oauthkit.compiler.shell.statuses import without_statuses
from oauthkit.compiler.shell.temporaries import without_temporaries
from oauthkit.compiler.shell.walk import reads, sets, with_bodies

RETURN = Simple((Word((Literal("return"),)),))
TRUE, FALSE = Word((Literal("true"),)), Word((Literal("false"),))


def tidied(lines: list[Line]) -> list[Line]:
    """The lines of a function without detours, and without the variables that these had."""
    body = without_statuses(_direct(with_plain_folders(with_one_unset(tuple(lines)))))
    body = _without_last_return(_direct(without_temporaries(body)))
    gone = {*sets(tuple(lines))} - {*sets(body)}
    return [line for line in (_without_locals(line, gone) for line in body) if line is not None]


# --- What is taken only to be given --------------------------------------------------------------


def _direct(body: Body) -> Body:
    """Every block without the names between what a call gives and what the function gives."""
    lines = [replace(line, command=with_bodies(line.command, _direct)) for line in body]
    while (found := _detour(lines)) is not None:
        lines = found
    return tuple(lines)


def _detour(lines: list[Line]) -> list[Line] | None:
    """The lines with one detour less, None if there is none: each ends in a return."""
    for index in range(len(lines) - 2):
        first, second, last = lines[index : index + 3]
        if not _is_return(last.command) or first.beside or last.comments or last.beside:
            continue
        match first.command, second.command:
            case Assignment(name, value, False, ""), Assignment(reply, given, False, ""):
                is_returned = name in reads(last.command)
                if _is_reply(reply, value) and given == _same(name, value) and not is_returned:
                    comments = (*first.comments, *second.comments)
                    kept = replace(second, command=last.command, comments=comments)
                    return [*lines[:index], kept, *lines[index + 3 :]]
            case IfCommand(branches), Condition(test):
                decided = _decided(branches)
                if decided and test == Binary(Word((Parameter(decided),)), "==", TRUE):
                    condition = branches[0].test
                    assert condition is not None
                    kept = replace(first, command=Condition(condition))
                    last = replace(last, comments=second.comments, beside=second.beside)
                    return [*lines[:index], kept, last, *lines[index + 3 :]]
    return None


def _is_return(command: Command) -> bool:
    return isinstance(command, Simple) and command.words[0] == RETURN.words[0]


def _is_reply(name: str, value: Word | tuple[Word, ...]) -> bool:
    """Whether `value` is what the variable `name` holds, and that is REPLY or REPLIES."""
    return name in ("REPLY", "REPLIES") and value == _same(name, value)


def _same(name: str, value: Word | tuple[Word, ...]) -> Word | tuple[Word, ...]:
    """The value of the variable `name`, as the text or array that `value` is."""
    if isinstance(value, Word):
        return Word((Parameter(name),))
    return (Word((Elements(name),)),)


def _decided(branches: tuple[Branch, ...]) -> str:
    """The variable that is set to true or false by a test, and does nothing else; or ""."""
    match branches:
        case (
            Branch(_, (Line(Assignment(name, yes, False, ""), (), None),)),
            Branch(None, (Line(Assignment(other, no, False, ""), (), None),)),
        ) if name == other and (yes, no) == (TRUE, FALSE):
            return name
    return ""


# --- Returns at the end --------------------------------------------------------------------------


def _without_last_return(body: Body) -> Body:
    """The body without the plain returns that nothing stands behind: its end returns by itself."""
    places = [i for i, line in enumerate(body) if not isinstance(line.command, Remark)]
    if not places:
        return body
    place = places[-1]
    line = body[place]
    if isinstance(line.command, IfCommand):
        branches = tuple(
            replace(b, body=_without_last_return(b.body)) for b in line.command.branches
        )
        line = replace(line, command=IfCommand(branches))
    elif line.command == RETURN and len(places) > 1:
        comments = (*line.comments, *([] if line.beside is None else [line.beside]))
        line = Line(Remark(), comments, blank=line.blank)
    return tuple(
        one
        for one in (*body[:place], line, *body[place + 1 :])
        if one.comments or one.command != Remark()
    )


# --- Variables -----------------------------------------------------------------------------------


def _without_locals(line: Line, gone: set[str]) -> Line | None:
    """A line that declares no variables that are gone, None if nothing is left to declare."""
    if not isinstance(line.command, Locals):
        return line
    names = tuple(name for name in line.command.names if name not in gone)
    arrays = tuple(name for name in line.command.arrays if name not in gone)
    if not (line.command.assignments or names or arrays):
        return None
    return replace(line, command=replace(line.command, names=names, arrays=arrays))
