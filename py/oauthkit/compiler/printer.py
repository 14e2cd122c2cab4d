"""From the bash tree to the text of a script; quoting is decided here and nowhere else."""

from __future__ import annotations

import re

from . import layout
from .bash import (
    Arithmetic,
    Assignment,
    Binary,
    Body,
    Calculation,
    Choice,
    Combination,
    Command,
    Compound,
    Condition,
    Elements,
    ForCommand,
    Group,
    IfCommand,
    Integer,
    Line,
    Literal,
    Locals,
    Negation,
    Numeric,
    Operation,
    Parameter,
    Part,
    Redirection,
    Remark,
    Script,
    Simple,
    Star,
    Substitution,
    Test,
    Unary,
    Variable,
    WhileCommand,
    Word,
)

KEYWORDS = ("do", "done", "esac", "fi", "then")
PRECEDENCE = {"?": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 6, "<=": 6, ">": 6, ">=": 6}
PRECEDENCE |= {"+": 7, "-": 7, "*": 8, "/": 8, "%": 8}
PREFIX = 9

# Characters that mean nothing to bash wherever a word can stand.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,-][A-Za-z0-9_./:@+,=-]*")
PLAIN_DEFAULT = re.compile(r"[A-Za-z0-9_./:@%+,= -]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Between $, < or > and (, and where control characters begin and end.
_NESTED = re.compile(
    r"(?<=[$<>])(?=\()|(?<=[\x00-\x1f\x7f])(?=[^\x00-\x1f\x7f])|(?<=[^\x00-\x1f\x7f])(?=[\x00-\x1f\x7f])"
)


# --- Words ---------------------------------------------------------------------------------------


def quote(text: str) -> str:
    """A literal as one word of bash, in the plainest quotes that will do."""
    if _CONTROL.search(text):
        return _ansi_quote(text)
    if _PLAIN.fullmatch(text):
        return text
    if "'" not in text and not text.endswith("\\"):  # '\\' is a slip to ShellCheck (SC1003)
        return f"'{text}'"
    return '"' + _escape(text) + '"'


def _ansi_quote(text: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "'": "\\'", "\\": "\\\\"}
    escaped = "".join(named.get(c) or (f"\\{ord(c):03o}" if _CONTROL.match(c) else c) for c in text)
    return f"$'{escaped}'"


def _escape(text: str, nested: bool = False) -> str:
    """`text` as it stands between double quotes, a pair of them inside of <( if it is `nested`."""
    escaped = re.sub(r'([\\"$`])', r"\\\1", text)
    return re.sub(r"(?<=[<>])\(", '""(', escaped) if nested else escaped


def argument(word: Word, nested: bool = False) -> str:
    """A word where bash would split it and expand patterns: arguments, redirection targets.

    `nested` is one inside ${} inside double quotes: there bash before 5.3 looks for the end of $(
    or <( even in quotes, and bash 5.1 for that of a ` even in $''.
    """
    if all(isinstance(part, Literal) for part in word.parts):
        text = "".join(part.text for part in word.parts if isinstance(part, Literal))
        return "".join(map(quote, _NESTED.split(text))) if nested else quote(text)
    return _quoted(word, nested)


def value(word: Word) -> str:
    """A word right of = or in front of an operator in [[: bash neither splits nor globs there."""
    if not word.parts:
        return ""
    if len(word.parts) == 1 and not isinstance(word.parts[0], (Literal, Elements)):
        return _expansion(word.parts[0], quoted=False)
    text = argument(word)
    return "" if text == "''" else text


def operand(word: Word) -> str:
    """A word left of an operator in [[, where the empty text and what looks like a flag need their
    quotes.
    """
    text = value(word)
    return f"'{text}'" if re.fullmatch(r"(-[A-Za-z])?", text) else text


def pattern(word: Word, nested: bool = False) -> str:
    """A word where bash looks for a pattern: only a Star is one, all else stands for itself."""
    pieces: list[str] = []
    plain: list[Part] = []
    for part in (*word.parts, Star()):
        if isinstance(part, Star):
            if plain:
                pieces.append(argument(Word(tuple(plain)), nested))
            pieces.append("*")
            plain = []
        else:
            plain.append(part)
    return "".join(pieces[:-1]) or "''"


def _quoted(word: Word, nested: bool = False) -> str:
    """A word with expansions in it, in double quotes, control characters in $'' between them."""
    pieces: list[str] = []
    inside = ""
    for part, following in zip(word.parts, (*word.parts[1:], Literal("")), strict=False):
        if not isinstance(part, Literal):
            inside += _expansion(part, quoted=True, before=following)
            continue
        for run in re.split(r"([\x00-\x1f\x7f]+)", part.text):
            if _CONTROL.match(run):
                pieces += [f'"{inside}"'] if inside else []
                pieces.append(_ansi_quote(run))
                inside = ""
            else:
                inside += _escape(run, nested)
    return "".join(pieces + ([f'"{inside}"'] if inside else []))


def _expansion(part: Part, quoted: bool, before: Part | None = None) -> str:
    """An expansion; in braces if what it stands `before` would be read as part of its name."""
    match part:
        case Parameter(name, "", None, None):
            is_plain = name.isidentifier() or len(name) == 1
            if isinstance(before, Literal) and re.match(r"[A-Za-z0-9_\[]", before.text):
                is_plain = False
            return f"${name}" if is_plain else f"${{{name}}}"
        case Parameter(name, operator, word, replacement):
            assert word is not None
            if operator in ("-", ":-"):
                return f"${{{name}{operator}{_default(word, quoted)}}}"
            tail = "" if replacement is None else "/" + argument(replacement, quoted)
            if replacement is not None and not replacement.parts:
                tail = "/"
            text = pattern(word, quoted)
            if replacement is not None and _PLAIN.fullmatch(text):
                text = f"'{text}'"  # a bare / would end it
            return f"${{{name}{operator}{text}{tail}}}"
        case Elements("@"):
            return "$@"
        case Elements(name) if name.startswith("@"):
            return f"${{{name}}}"
        case Elements(name):
            return f"${{{name}[@]}}"
        case Calculation(expression):
            return f"$(({arithmetic(expression)}))"
        case Substitution(command):
            return f"$({'exec ' if command.redirections else ''}{simple(command)})"
        case Literal(text):
            return _escape(text)
    raise AssertionError(part)


def _default(word: Word, quoted: bool) -> str:
    """The word of ${name:-word}.

    Quotes inside double quotes inside ${} are read differently by each version of bash: there the
    front end lets only a PLAIN_DEFAULT through, which needs none.
    """
    literals = [part.text for part in word.parts if isinstance(part, Literal)]
    if not all(map(PLAIN_DEFAULT.fullmatch, literals)):
        assert not quoted, word
    elif quoted or not any(" " in text for text in literals):
        return _quoted(word)[1:-1]
    return argument(word)


# --- Arithmetic ----------------------------------------------------------------------------------


def arithmetic(node: Arithmetic, above: int = 0) -> str:
    """An arithmetic expression, in parentheses only where `above` binds more tightly."""
    match node:
        case Integer(number):
            return f"({number})" if number < 0 and above else str(number)
        case Variable(name):
            return name
        case Operation(operator, None, right):
            inner = arithmetic(right, PREFIX)
            return f"{operator}({inner})" if inner.startswith("-") else f"{operator}{inner}"
        case Operation(operator, left, right):
            assert left is not None
            level = PRECEDENCE[operator]
            text = f"{arithmetic(left, level)} {operator} {arithmetic(right, level + 1)}"
        case Choice(condition, yes, no):
            level = PRECEDENCE["?"]
            text = f"{arithmetic(condition, 2)} ? {arithmetic(yes, 2)} : {arithmetic(no, 1)}"
    return f"({text})" if level < above else text


# --- Tests ---------------------------------------------------------------------------------------


def _brackets(test: Test) -> str | None:
    """The inside of [[ ]], None if the test cannot stand there."""
    match test:
        case Binary(left, "=~", right):
            return f"{operand(left)} =~ ^[^{pattern(right)}]*"
        case Binary(left, operator, right):
            return f"{operand(left)} {operator} {pattern(right)}"
        case Unary(flag, word):
            return f"{flag} {operand(word)}"
        case Negation(Unary(flag, word)):
            return f"! {flag} {operand(word)}"
        case Combination(tests, either):
            inner = [_brackets(part) for part in tests]
            if None in inner:
                return None
            pieces = [
                f"({text})"
                if isinstance(part, Combination) and part.either != either
                else str(text)
                for part, text in zip(tests, inner, strict=True)
            ]
            return (" || " if either else " && ").join(pieces)
    return None


def _parentheses(test: Test, above: int = 0) -> str | None:
    """The inside of (( )), None if the test cannot stand there."""
    match test:
        case Numeric(expression):
            return arithmetic(expression, above)
        case Combination(tests, either):
            operator = "||" if either else "&&"
            inner = [_parentheses(part, PRECEDENCE[operator]) for part in tests]
            if None in inner:
                return None
            text = f" {operator} ".join(str(part) for part in inner)
            return f"({text})" if PRECEDENCE[operator] < above else text
    return None


def test_text(test: Test) -> str:
    """A test as a command line: [[ ]], (( )), a command, or a list of them."""
    inside = _brackets(test)
    if inside is not None:
        return f"[[ {inside} ]]"
    inside = _parentheses(test)
    if inside is not None:
        return f"(({inside}))"
    match test:
        case Simple():
            return simple(test)
        case Group():
            return _group(test)
        case Negation(inner):
            return f"! {_unit(inner)}"
        case Combination(tests, either):
            pieces = [_unit(part) for part in _merged(tests, either)]
            return (" || " if either else " && ").join(pieces)
    raise AssertionError(test)


def _unit(test: Test) -> str:
    """A test that can stand in a list: bash gives && and || the same precedence."""
    is_list = isinstance(test, Combination) and not (_brackets(test) or _parentheses(test))
    return f"{{ {test_text(test)}; }}" if is_list else test_text(test)


def _merged(tests: tuple[Test, ...], either: bool) -> list[Test]:
    """Neighbours that fit into one [[ ]] or one (( )) put together."""
    merged: list[Test] = []
    for test in tests:
        if merged:
            both = Combination((merged[-1], test), either)
            if _brackets(both) is not None or _parentheses(both) is not None:
                merged[-1] = both
                continue
        merged.append(test)
    return merged


# --- Commands ------------------------------------------------------------------------------------


def _redirection(redirection: Redirection) -> str:
    target = "" if redirection.target is None else argument(redirection.target)
    return redirection.operator + target


def simple(command: Simple) -> str:
    """A command on one line."""
    return " ".join([*map(argument, command.words), *map(_redirection, command.redirections)])


def _group(group: Group) -> str:
    inside = (
        simple(group.command)
        if isinstance(group.command, Simple)
        else _assignment(group.command, "")[0]
    )
    return " ".join([f"{{ {inside}; }}", *map(_redirection, group.redirections)])


def _assignment(node: Assignment, indent: str) -> list[str]:
    start = f"{node.keyword} {node.name}".lstrip() + ("+=" if node.append else "=")
    if isinstance(node.value, Word):
        text = _appended(node.value) if node.append else value(node.value)
        return [indent + start + text]
    elements = [_element(word) for word in node.value]
    line = f"{indent}{start}({' '.join(elements)})"
    if len(line) <= layout.WIDTH:
        return [line]
    return [f"{indent}{start}(", *layout.broken(elements, indent + "  ", ""), f"{indent})"]


def _appended(word: Word) -> str:
    """A word right of +=, where ShellCheck takes a bare number for one to be added (SC2324)."""
    match word.parts:
        case (Parameter(operator="") | Calculation(),):
            return _quoted(word)
        case (Literal(text),) if text.isdecimal():
            return f"'{text}'"
    return value(word)


def _element(word: Word) -> str:
    """A word of an array, where ShellCheck takes a bare comma for a slip (SC2054)."""
    text = argument(word)
    return f"'{text}'" if "," in text and text[0] not in "'\"$" else text


def _locals(node: Locals, indent: str) -> list[str]:
    lines = []
    empty = "''"  # ShellCheck takes a bare = before a blank for a slip (SC1007)
    scalars = [
        f"{item.name}={value(item.value) or empty}"
        for item in node.assignments
        if isinstance(item.value, Word)
    ]
    # It takes such a name by itself for the end of something (SC1010).
    scalars += [f"'{name}'" if name in KEYWORDS else name for name in node.names]
    if scalars:
        lines += layout.broken(scalars, indent + "local +x ", "")
    arrays = [
        f"{item.name}=({' '.join(map(argument, item.value))})"
        for item in node.assignments
        if not isinstance(item.value, Word)
    ]
    arrays += [f"{name}=()" for name in node.arrays]
    if arrays:
        lines.append(indent + "local +x -a " + " ".join(arrays))
    return lines


def _lines(command: Command, indent: str) -> list[str]:
    match command:
        case Simple(words, redirections):
            pieces = [*map(argument, words), *map(_redirection, redirections)]
            return layout.broken(pieces, indent, " \\")
        case Assignment():
            return _assignment(command, indent)
        case Group(inner, redirections):
            line = indent + _group(command)
            if len(line) <= layout.WIDTH:
                return [line]
            end = " ".join(["}", *map(_redirection, redirections)])
            return [f"{indent}{{", *_lines(inner, indent + "  "), indent + end]
        case Locals():
            return _locals(command, indent)
        case Condition(test):
            return [indent + test_text(test)]
        case Remark():
            return []
        case IfCommand(branches):
            lines = []
            for number, branch in enumerate(branches):
                word = "elif" if number else "if"
                head = "else" if branch.test is None else f"{word} {test_text(branch.test)}; then"
                if number:  # the line of an if has its comments
                    lines += layout.above(branch.comments, indent)
                    head = layout.beside(head, branch.beside)
                lines += [indent + head, *body_lines(branch.body, indent + "  ")]
            return [*lines, f"{indent}fi"]
        case WhileCommand(test, body):
            head = "while :" if test is None else f"while {test_text(test)}"
            return [f"{indent}{head}; do", *body_lines(body, indent + "  "), f"{indent}done"]
        case ForCommand(name, words, body):
            head = f"for {name} in {' '.join(map(argument, words))}"
            return [f"{indent}{head}; do", *body_lines(body, indent + "  "), f"{indent}done"]
    raise AssertionError(command)


def body_lines(body: Body, indent: str) -> list[str]:
    """The lines of a block, with its comments and blank lines."""
    lines: list[str] = []
    for line in body:
        lines += line_text(line, indent)
    return lines


def line_text(line: Line, indent: str) -> list[str]:
    """One command with the comments above and beside it."""
    lines = _lines(line.command, indent)
    if lines:
        place = 0 if isinstance(line.command, Compound) else -1
        lines[place] = layout.beside(lines[place], line.beside)
    return [*([""] if line.blank else []), *layout.above(line.comments, indent), *lines]


def print_script(script: Script) -> str:
    """The whole text of a script."""
    blocks = [["#!/usr/bin/env bash", *script.header], script.prologue]
    words = [[word] for word in script.words]
    functions = []
    for comments, function in (script.start, *script.functions):
        functions.append(
            [
                *comments,
                f"{function.name}() {{",
                *layout.aligned(body_lines(function.body, "  ")),
                "}",
            ]
        )
    blocks += [functions[0], *words, *functions[1:], [f'{script.start[1].name} "$@"']]
    text = "\n\n".join("\n".join(block).strip("\n") for block in blocks if block)
    return text + "\n"
