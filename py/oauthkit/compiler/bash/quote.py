"""Print words, arithmetic and simple commands. All quoting is decided here."""

from __future__ import annotations

import re

from oauthkit.compiler.bash.ast import (
    Arithmetic,
    ArithmeticExpansion,
    ArrayExpansion,
    CommandSubstitution,
    Glob,
    Integer,
    Literal,
    Operation,
    Parameter,
    Part,
    Pipeline,
    Redirection,
    SimpleCommand,
    Ternary,
    Variable,
    Word,
)
from oauthkit.compiler.reserved_names import PLAIN_DEFAULT

PRECEDENCE = {"?": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 6, "<=": 6, ">": 6, ">=": 6}
PRECEDENCE |= {"+": 7, "-": 7, "*": 8, "/": 8, "%": 8}
PREFIX_PRECEDENCE = 9

# ShellCheck reports these keywords if they are unquoted, in any position (SC1010).
_KEYWORDS = ("do", "done", "esac", "fi", "then")
# Words that need no quotes in any position. An = needs quotes only at the start.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,-][A-Za-z0-9_./:@+,=-]*")
_CONTROLS = r"\x00-\x1f\x7f"
_CONTROL = re.compile(rf"[{_CONTROLS}]")
# Control characters are printed outside double quotes.
_APART = re.compile(rf"([{_CONTROLS}]+)")
# In a nested word, { and ' are also printed outside double quotes.
_BRACED = re.compile(rf"([{_CONTROLS}]+|[{{'])")
# Where a nested word without expansions is split.
_QUOTED = re.compile(rf"""([{_CONTROLS}]+|[{{'"])""")
# Split points in a nested literal: between $, < or > and a following (, and at both ends of a run
# of control characters.
_NESTED = re.compile(
    rf"(?<=[$<>])(?=\()|(?<=[{_CONTROLS}])(?=[^{_CONTROLS}])|(?<=[^{_CONTROLS}])(?=[{_CONTROLS}])"
)


# --- Words ---------------------------------------------------------------------------------------


def quote(text: str) -> str:
    """Quote a literal as one word, in the simplest quotes that work."""
    if _CONTROL.search(text):
        return _ansi_quote(text)
    if _PLAIN.fullmatch(text) and text not in _KEYWORDS:
        return text
    if "'" not in text and not text.endswith("\\"):  # ShellCheck reports '\\' (SC1003)
        return f"'{text}'"
    return '"' + _escape(text) + '"'


def _ansi_quote(text: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "'": "\\'", "\\": "\\\\"}
    escaped = "".join(named.get(c) or (f"\\{ord(c):03o}" if _CONTROL.match(c) else c) for c in text)
    return f"$'{escaped}'"


def _escape(text: str, nested: bool = False) -> str:
    """Escape `text` for double quotes. If `nested`, empty quotes separate < or > from (."""
    escaped = re.sub(r'([\\"$`])', r"\\\1", text)
    return re.sub(r"(?<=[<>])\(", '""(', escaped) if nested else escaped


def argument(word: Word, nested: bool = False) -> str:
    """Print a word where bash splits words and expands patterns: arguments, redirection targets.

    A `nested` word is inside ${} inside double quotes. There, bash before 5.3 searches for the
    end of $( or <( even in quotes, and bash 5.1 searches for the end of a ` even in $''. Brace
    expansion does not recognize ${}. It takes every " as the start or end of a quoted string, so
    a { between two such strings is unquoted, and a ' there starts a single-quoted string.
    """
    if not all(isinstance(part, Literal) for part in word.parts):
        return _quoted(word, nested)
    text = "".join(part.text for part in word.parts if isinstance(part, Literal))
    return _nested_literal(text) if nested else quote(text)


def _nested_literal(text: str) -> str:
    runs = _NESTED.split(text)
    if {*"'\""} & {*text} or ("{" in text and "\\" in text):
        runs = [part for run in runs for part in _QUOTED.split(run) if part]
        pieces = [f"\\{run}" if run in ("'", '"') else quote(run) for run in runs]
    else:
        pieces = [quote(run) for run in runs]
    if len(pieces) > 1:
        # An unquoted / would end the pattern in ${name/pattern/replacement}.
        pieces = [f"'{p}'" if "/" in p and _PLAIN.fullmatch(p) else p for p in pieces]
    return "".join(pieces)


def quote_if_contains(word: Word, character: str) -> str:
    """Print an argument, in quotes if it contains `character`, which is special if unquoted."""
    text = argument(word)
    return f"'{text}'" if character in text and _PLAIN.fullmatch(text) else text


def value(word: Word) -> str:
    """Print a word after = or in [[, where bash neither splits words nor expands patterns."""
    if not word.parts:
        return ""
    if len(word.parts) == 1 and not isinstance(word.parts[0], (Literal, ArrayExpansion)):
        return _expansion(word.parts[0], quoted=False)
    text = argument(word)
    return "" if text == "''" else text


def operand(word: Word) -> str:
    """Print the left operand of an operator in [[.

    An empty word and words that look like options need quotes there. ShellCheck reports a quoted
    parenthesis (SC1029), so it becomes $'('.
    """
    text = value(word)
    if text == "'('":
        return "$'('"
    return f"'{text}'" if text[:1] in ("", "-") else text


def pattern(word: Word, nested: bool = False) -> str:
    """Print a pattern. Everything except a Glob matches only itself."""
    pieces: list[str] = []
    plain: list[Part] = []
    for part in (*word.parts, Glob()):
        if isinstance(part, Glob):
            if plain:
                text = argument(Word(tuple(plain)), nested)
                # An = needs quotes only at the start of a word.
                pieces.append("=" if text == "'='" and pieces else text)
            pieces.append("*")
            plain = []
        else:
            plain.append(part)
    return "".join(pieces[:-1]) or "''"


def bracketed(character: str) -> str:
    """Print a character in a bracket expression."""
    text = pattern(Word((Literal(character),)))
    return text[1] if text == "'='" else text


def in_regex(text: str) -> str:
    """Quote a literal in a regular expression, so that each character matches only itself."""
    return f"'{text}'" if {*".+"} & {*text} and _PLAIN.fullmatch(text) else quote(text)


def _quoted(word: Word, nested: bool = False) -> str:
    """Print a word that has expansions: in double quotes, but control characters in $''."""
    pieces: list[str] = []
    inside = ""
    literals = "".join(part.text for part in word.parts if isinstance(part, Literal))
    apart = _BRACED if nested and {*"{'"} & {*literals} else _APART
    for part, following in zip(word.parts, (*word.parts[1:], Literal("")), strict=False):
        if not isinstance(part, Literal):
            inside += _expansion(part, quoted=True, following=following)
            continue
        for run in apart.split(part.text):
            if apart.fullmatch(run):
                pieces += [f'"{inside}"'] if inside else []
                pieces.append("\\'" if run == "'" else quote(run))
                inside = ""
            else:
                inside += _escape(run, nested)
    return "".join(pieces + ([f'"{inside}"'] if inside else []))


def _expansion(part: Part, quoted: bool, following: Part | None = None) -> str:
    """Print an expansion, in braces if `following` would be read as part of its name."""
    match part:
        case Parameter():
            return _parameter(part, quoted, following)
        case ArrayExpansion(name, start):
            array = name if name == "@" else f"{name}[@]"
            offset = "" if start is None else f":{start}"
            return "$@" if array + offset == "@" else f"${{{array}{offset}}}"
        case ArithmeticExpansion(expression):
            return f"$(({arithmetic(expression)}))"
        case CommandSubstitution():
            return f"$({' '.join(substitution_words(part))})"
    raise AssertionError(part)


def _parameter(node: Parameter, quoted: bool, following: Part | None) -> str:
    name = node.name if node.index is None else f"{node.name}[{node.index}]"
    if node.length:
        return f"${{#{name}}}"
    if node.slice is not None:
        offset = arithmetic(node.slice.offset, compact=True)
        # The space keeps :- from being read as an operator.
        offset = f" {offset}" if offset.startswith("-") else offset
        length = node.slice.length
        end = "" if length is None else f":{arithmetic(length, compact=True)}"
        return f"${{{name}:{offset}{end}}}"
    if node.word is None:
        is_plain = name.isidentifier() or len(name) == 1
        if isinstance(following, Literal) and re.match(r"[A-Za-z0-9_\[]", following.text):
            is_plain = False
        return f"${name}" if is_plain else f"${{{name}}}"
    if node.operator in ("-", ":-"):
        return f"${{{name}{node.operator}{_default(node.word, quoted)}}}"
    text = pattern(node.word, quoted)
    if node.replacement is None:
        return f"${{{name}{node.operator}{text}}}"
    if _PLAIN.fullmatch(text) and "/" in text:
        text = f"'{text}'"  # an unquoted / would end the pattern
    replacement = argument(node.replacement, quoted) if node.replacement.parts else ""
    return f"${{{name}{node.operator}{text}/{replacement}}}"


def _default(word: Word, quoted: bool) -> str:
    """Print the word of ${name:-word}. In double quotes, its literals must match PLAIN_DEFAULT."""
    literals = [part.text for part in word.parts if isinstance(part, Literal)]
    if not all(map(PLAIN_DEFAULT.fullmatch, literals)):
        assert not quoted, word
    elif quoted or not any(" " in text for text in literals):
        return _quoted(word)[1:-1]
    return argument(word)


def append_value(word: Word) -> str:
    """Print a word after +=. ShellCheck reports an unquoted number there (SC2324)."""
    match word.parts:
        case (Parameter(operator="") | ArithmeticExpansion(),):
            return _quoted(word)
        case (Literal(text),) if text.isdecimal():
            return f"'{text}'"
    return value(word)


# --- Arithmetic ----------------------------------------------------------------------------------


def arithmetic(node: Arithmetic, above: int = 0, *, compact: bool = False) -> str:
    """Print an arithmetic expression.

    It is in parentheses only if the enclosing operator, of precedence `above`, binds more tightly.
    `compact` leaves out the spaces around operators, as shfmt does in ${name:offset}.
    """
    match node:
        case Integer(number):
            return f"({number})" if number < 0 and above else str(number)
        case Variable(name, index):
            return name if index is None else f"{name}[{index}]"
        case Parameter():
            return _parameter(node, quoted=False, following=None)
        case Operation(operator, None, right):
            inner = arithmetic(right, PREFIX_PRECEDENCE)
            return f"{operator}({inner})" if inner.startswith("-") else f"{operator}{inner}"
        case Operation(operator, left, right):
            assert left is not None
            level = PRECEDENCE[operator]
            sign = operator if compact else f" {operator} "
            text = f"{arithmetic(left, level)}{sign}{arithmetic(right, level + 1)}"
        case Ternary(condition, yes, no):
            level = PRECEDENCE["?"]
            text = f"{arithmetic(condition, 2)} ? {arithmetic(yes, 2)} : {arithmetic(no, 1)}"
    return f"({text})" if level < above else text


# --- Simple commands -----------------------------------------------------------------------------


def redirection_text(redirection: Redirection) -> str:
    """Print a redirection: >file, 2>&1, 9>&-."""
    target = "" if redirection.target is None else argument(redirection.target)
    return redirection.operator + target


def substitution_words(node: CommandSubstitution) -> list[str]:
    """Return the words and redirections of a command in $( )."""
    command = node.command
    if node.keeps_trailing_newlines:
        return [*command_words(command), "&&", "printf", "x"]
    words = command_words(command)
    if not isinstance(command, SimpleCommand) or not command.redirections:
        return words
    return ["exec", *(["--"] if words[0].startswith("-") else []), *words]


def command_words(command: SimpleCommand | Pipeline) -> list[str]:
    """Return the words and redirections of a command.

    An unquoted = in the first word would make it an assignment.
    """
    if isinstance(command, Pipeline):
        words = [word for one in command.commands for word in ("|", *command_words(one))][1:]
        return words if command.status is None else [*words, "&&", simple(command.status)]
    first, *others = command.words
    redirections = map(redirection_text, command.redirections)
    return [quote_if_contains(first, "="), *map(argument, others), *redirections]


def simple(command: SimpleCommand | Pipeline) -> str:
    """Print a command on one line."""
    return " ".join(command_words(command))
