"""Print the bash AST as a script."""

from __future__ import annotations

import re

from oauthkit.compiler.bash import layout
from oauthkit.compiler.bash.ast import (
    AndOrList,
    ArithmeticForCommand,
    ArithmeticTest,
    Assignment,
    Binary,
    Body,
    Command,
    CommandSubstitution,
    Comment,
    Compound,
    CompoundList,
    ForCommand,
    FunctionCommand,
    Group,
    IfCommand,
    Line,
    Literal,
    Locals,
    MatchThrough,
    MatchUntil,
    Negation,
    Operation,
    Pipeline,
    Script,
    SimpleCommand,
    Test,
    TestCommand,
    Unary,
    Variable,
    WhileCommand,
    Word,
)
from oauthkit.compiler.bash.quote import (
    PRECEDENCE,
    append_value,
    arithmetic,
    bracketed,
    command_words,
    in_regex,
    operand,
    pattern,
    quote,
    quote_if_contains,
    redirection_text,
    simple,
    substitution_words,
    value,
)
from oauthkit.compiler.bash.walk import uses

# --- Tests ---------------------------------------------------------------------------------------


def _brackets(test: Test) -> list[str] | None:
    """Return the operands of && or || inside [[ ]], or None if the test cannot be in [[ ]]."""
    match test:
        case MatchUntil(word, character):
            return [f"{operand(word)} =~ ^[^{bracketed(character)}]*"]
        case MatchThrough(word, text):
            return [f"{operand(word)} =~ ^.*{in_regex(text)}|^"]
        case Binary(left, operator, right):
            return [f"{operand(left)} {operator} {pattern(right)}"]
        case Unary(flag, word):
            return [f"{flag} {operand(word)}"]
        case Negation(Unary(flag, word)):
            return [f"! {flag} {operand(word)}"]
        case AndOrList(tests, either):
            pieces = []
            for part in tests:
                inner = _brackets(part)
                if inner is None:
                    return None
                text = _joined(inner, part)
                is_other = isinstance(part, AndOrList) and part.either != either
                pieces.append(f"({text})" if is_other else text)
            return pieces
    return None


def _joined(pieces: list[str], test: Test) -> str:
    is_either = isinstance(test, AndOrList) and test.either
    return (" || " if is_either else " && ").join(pieces)


def _parentheses(test: Test, above: int = 0) -> str | None:
    """Return the text inside (( )), or None if the test cannot be in (( ))."""
    match test:
        case ArithmeticTest(expression):
            return arithmetic(expression, above)
        case AndOrList(tests, either):
            operator = "||" if either else "&&"
            inner = [_parentheses(part, PRECEDENCE[operator]) for part in tests]
            if None in inner:
                return None
            text = f" {operator} ".join(str(part) for part in inner)
            return f"({text})" if PRECEDENCE[operator] < above else text
    return None


def test_text(test: Test) -> str:
    """Print a test: [[ ]], (( )), a command, or a list of them."""
    return " ".join(_pieces(test))


def _pieces(test: Test) -> list[str]:
    """Print a test, split after each && and || where a line may end."""
    operator = " ||" if isinstance(test, AndOrList) and test.either else " &&"
    inside = _brackets(test)
    if inside is not None:
        *others, last = inside
        pieces = [*(text + operator for text in others), f"{last} ]]"]
        return [f"[[ {pieces[0]}", *pieces[1:]]
    parentheses = _parentheses(test)
    if parentheses is not None:
        return [f"(({parentheses}))"]
    match test:
        case SimpleCommand():
            return [simple(test)]
        case Group():
            return [_group(test)]
        case Negation(inner):
            return [f"! {_unit(inner)}"]
        case AndOrList(tests, either):
            *others, last = [_unit(part) for part in _merged(tests, either)]
            return [*(text + operator for text in others), last]
    raise AssertionError(test)


def _test_lines(test: Test, indent: str, start: str = "", end: str = "") -> list[str]:
    """Print a test of an if or while, broken after && and || if it is long."""
    if isinstance(test, CompoundList):
        if not start:
            return body_lines(test.body, indent)
        return [indent + start.rstrip(), *body_lines(test.body, indent + "  "), indent + end[2:]]
    if _has_list(test):
        return _list_lines(test, indent, start, end)
    line = f"{indent}{start}{test_text(test)}{end}"
    if len(line) <= layout.WIDTH:
        return [line]
    match test:
        case SimpleCommand():
            first, *words = command_words(test)
            return layout.break_lines(_ended([start + first, *words], end), indent, " \\")
        case Group(inner, redirections):
            close = " ".join(["}", *map(redirection_text, redirections)])
            return [f"{indent}{start}{{", *_lines(inner, indent + "  "), indent + close + end]
        case Negation(inner) if _is_list(inner):
            return [f"{indent}{start}! {{", *_test_lines(inner, indent + "  "), f"{indent}}}{end}"]
        case Negation(inner):
            return _test_lines(inner, indent, f"{start}! ", end)
        case AndOrList(tests, either) if _is_list(test):
            units = _merged(tests, either)
            ends = [*[" ||" if either else " &&"] * (len(units) - 1), end]
            lines = _unit_lines(units[0], indent, start, ends[0])
            for unit, behind in zip(units[1:], ends[1:], strict=True):
                lines += _unit_lines(unit, indent + "  ", "", behind)
            return lines
    first, *others = _pieces(test)
    lines = [f"{indent}{start}{first}", *(f"{indent}  {text}" for text in others)]
    lines[-1] += end
    return lines


def _has_list(test: Test) -> bool:
    """Return whether a test contains a CompoundList, which is printed on several lines."""
    match test:
        case AndOrList(tests):
            return any(map(_has_list, tests))
        case Negation(inner):
            return _has_list(inner)
    return isinstance(test, CompoundList)


def _list_lines(test: Test, indent: str, start: str, end: str) -> list[str]:
    """Print a test that contains CompoundLists, each in braces."""
    lines = [indent + start]
    units: list[Test] = [test]
    operator = ""
    if isinstance(test, AndOrList):
        units = _merged(test.tests, test.either)
        operator = " || " if test.either else " && "
    for place, unit in enumerate(units):
        lines[-1] += operator if place else ""
        inner = unit.test if isinstance(unit, Negation) else unit
        if _has_list(inner):
            lines[-1] += "{" if inner is unit else "! {"
            lines += [*_test_lines(inner, indent + "  "), f"{indent}}}"]
        else:
            lines[-1] += _unit(unit)
    lines[-1] += end
    return lines


def _ended(words: list[str], end: str) -> list[str]:
    return [*words[:-1], words[-1] + end]


def _unit_lines(test: Test, indent: str, start: str, end: str) -> list[str]:
    line = f"{indent}{start}{_unit(test)}{end}"
    if len(line) <= layout.WIDTH:
        return [line]
    if _is_list(test):
        return [f"{indent}{start}{{", *_test_lines(test, indent + "  "), f"{indent}}}{end}"]
    return _test_lines(test, indent, start, end)


def _is_list(test: Test) -> bool:
    return isinstance(test, AndOrList) and not (_brackets(test) or _parentheses(test))


def _unit(test: Test) -> str:
    """Print a test in a list, in braces if needed, because && and || have equal precedence."""
    return f"{{ {test_text(test)}; }}" if _is_list(test) else test_text(test)


def _merged(tests: tuple[Test, ...], either: bool) -> list[Test]:
    """Merge adjacent tests that fit into one [[ ]] or one (( ))."""
    merged: list[Test] = []
    for test in tests:
        if merged:
            both = AndOrList((merged[-1], test), either)
            if _brackets(both) is not None or _parentheses(both) is not None:
                merged[-1] = both
                continue
        merged.append(test)
    return merged


# --- Commands ------------------------------------------------------------------------------------


def _group(group: Group) -> str:
    inside = (
        simple(group.command)
        if isinstance(group.command, SimpleCommand | Pipeline)
        else "\n".join(_assignment(group.command, ""))
    )
    return " ".join([f"{{ {inside}; }}", *map(redirection_text, group.redirections)])


def _assignment(node: Assignment, indent: str) -> list[str]:
    start = f"{node.keyword} {node.name}".lstrip() + ("+=" if node.append else "=")
    if isinstance(node.value, Word):
        text = append_value(node.value) if node.append else value(node.value)
        if len(indent + start + text) > layout.WIDTH:
            text = _spread(node.value, indent) or text
        return (indent + start + text).split("\n")
    elements = [_element(word) for word in node.value]
    line = f"{indent}{start}({' '.join(elements)})"
    if len(line) <= layout.WIDTH:
        return [line]
    return [f"{indent}{start}(", *layout.break_lines(elements, indent + "  ", ""), f"{indent})"]


def _spread(word: Word, indent: str) -> str | None:
    """Print a long word on several lines: a command substitution, or text of several lines."""
    match word.parts:
        case (CommandSubstitution() as substitution,):
            words = substitution_words(substitution)
            return "\n".join(["$(", *layout.break_lines(words, indent + "  ", " \\"), f"{indent})"])
        case (Literal(text),) if re.fullmatch(r"[^\x00-\x09\x0b-\x1f\x7f'\\]*", text):
            return f"'{text}'" if "\n" in text else None
    return None


def _element(word: Word) -> str:
    """Print a word of a list. ShellCheck reports an unquoted comma there (SC2054, SC2258)."""
    return quote_if_contains(word, ",")


def _locals(node: Locals, indent: str) -> list[str]:
    lines = []
    empty = "''"  # ShellCheck reports a bare = before a space (SC1007)
    scalars = [
        f"{item.name}={value(item.value) or empty}"
        for item in node.assignments
        if isinstance(item.value, Word)
    ]
    scalars += map(quote, node.names)
    if scalars:
        lines += layout.break_lines(scalars, indent + "local +x ", "")
    arrays = [
        f"{item.name}=({' '.join(map(_element, item.value))})"
        for item in node.assignments
        if not isinstance(item.value, Word)
    ]
    arrays += node.arrays
    if arrays:
        lines += layout.break_lines(arrays, indent + "local +x -a ", "")
    return lines


def _lines(command: Command | Pipeline, indent: str) -> list[str]:
    match command:
        case SimpleCommand() | Pipeline():
            return layout.break_lines(command_words(command), indent, " \\")
        case Assignment():
            return _assignment(command, indent)
        case Group(inner, redirections):
            line = indent + _group(command)
            if len(line) <= layout.WIDTH:
                return [line]
            end = " ".join(["}", *map(redirection_text, redirections)])
            return [f"{indent}{{", *_lines(inner, indent + "  "), indent + end]
        case Locals():
            return _locals(command, indent)
        case TestCommand(test):
            return _test_lines(test, indent)
        case Comment():
            return []
        case IfCommand(branches):
            lines = []
            for number, branch in enumerate(branches):
                word = "elif " if number else "if "
                head = [f"{indent}else"]
                if branch.test is not None:
                    head = _test_lines(branch.test, indent, word, "; then")
                if number:  # an if's comments belong to its line
                    lines += layout.comments_above(branch.comments, indent)
                    head[-1] = layout.with_comment(head[-1], branch.beside)
                lines += [*head, *body_lines(branch.body, indent + "  ")]
            return [*lines, f"{indent}fi"]
        case WhileCommand(test, body):
            head = [f"{indent}while :; do"]
            if test is not None:
                head = _test_lines(test, indent, "while ", "; do")
            return [*head, *body_lines(body, indent + "  "), f"{indent}done"]
        case ForCommand(name, words, body):
            texts = _ended([f"for {name} in", *map(_element, words)], "; do")
            head = [indent + " ".join(texts)]
            if len(head[0]) > layout.WIDTH:
                head = layout.break_lines(texts, indent, " \\")
            return [*head, *body_lines(body, indent + "  "), f"{indent}done"]
        case ArithmeticForCommand(name, start, stop, step, body):
            count = f"{name}++" if step == 1 else f"{name}--" if step == -1 else ""
            count = count or f"{name} {'+' if step > 0 else '-'}= {abs(step)}"
            compare = arithmetic(Operation("<" if step > 0 else ">", Variable(name), stop))
            head = [f"{indent}for (({name} = {arithmetic(start)}; {compare}; {count})); do"]
            return [*head, *body_lines(body, indent + "  "), f"{indent}done"]
    raise AssertionError(command)


def body_lines(body: Body, indent: str) -> list[str]:
    """Print a block with its comments and blank lines."""
    lines: list[str] = []
    for line in body:
        lines += line_text(line, indent)
    return lines


def line_text(line: Line, indent: str) -> list[str]:
    """Print a command with the comments above and beside it."""
    lines = _lines(line.command, indent)
    if lines:
        place = -1
        if isinstance(line.command, Compound):
            place = 0
            if not lines[0].endswith((" {", "while")):  # the test's own commands follow
                place = next(i for i, text in enumerate(lines) if text.endswith(("; then", "; do")))
        lines[place] = layout.with_comment(lines[place], line.beside)
    return [*([""] if line.blank else []), *layout.comments_above(line.comments, indent), *lines]


# Above the first command, it applies to the whole script.
UNREAD_REPLIES = "# shellcheck disable=SC2034 # no caller reads REPLIES"


def print_script(script: Script) -> str:
    """Print a whole script."""
    comments = [*script.header, "#", *_origin(f"# {script.origin}")]
    header = ["#!/usr/bin/env bash", *map(layout.comment_text, comments)]
    prologue = [*_directives(script), *script.prologue]
    builtins = [[builtin] for builtin in script.builtins]
    start, *functions = [_function(*item) for item in (script.start, *script.functions)]
    call = [f'{script.start[1].name} "$@"']
    blocks = [header, prologue, start, *functions, *_section(builtins), call]
    text = "\n\n".join("\n".join(block).strip("\n") for block in blocks if block)
    return text + "\n"


def _origin(line: str) -> list[str]:
    """Break the line that names what a script was generated from, if it is long."""
    what, separator, command = line.partition(" and run `")
    if len(line) <= layout.WIDTH or not separator:
        return [line]
    return [f"{what} and run", f"# `{command}"]


def _section(builtins: list[list[str]]) -> list[list[str]]:
    """Add a heading to the functions of the runtime library."""
    return [["# --- Runtime library ---"], *builtins] if builtins else []


def _directives(script: Script) -> list[str]:
    """Return the directive against ShellCheck's warning for results that are never read."""
    match script.start[1].body:
        case (Line(Locals(arrays=("REPLIES",))), *_):
            is_read = any("REPLIES" in uses(function.body) for _, function in script.functions)
            return [] if is_read else [UNREAD_REPLIES]
    return []


def _function(comments: list[str], function: FunctionCommand) -> list[str]:
    return [
        *map(layout.comment_text, comments),
        f"{function.name}() {{",
        *layout.align_comments(body_lines(function.body, "  ")),
        "}",
    ]
