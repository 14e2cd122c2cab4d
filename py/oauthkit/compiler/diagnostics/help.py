"""Put code into the text of a help, and find the names in it."""

from __future__ import annotations

import ast
import re
from contextlib import suppress

INLINE = re.compile(r": `([^`]+)`")


def requoted(help: str, quote: str) -> str:
    """Replace the quote of the surrounding f-string in a help's inline code.

    Before Python 3.12, an expression in an f-string cannot contain its quote.
    """
    other = {'"': "'", "'": '"'}.get(quote, "")

    def swapped(found: re.Match[str]) -> str:
        text = found[0]
        return text if other in text else text.replace(quote, other)

    return INLINE.sub(swapped, help) if other and "\n" not in help else help


def used_names(help: str) -> list[str]:
    """Return the names in the code of a help."""
    first, *block = help.splitlines()
    parts = [*INLINE.findall(first), "\n".join(block)]
    if block and block[-1].endswith(":"):
        parts[-1] += " pass"
    names: dict[str, None] = {}
    for part in parts:
        try:
            tree = ast.parse(part)
        except (SyntaxError, ValueError):
            continue
        names.update((node.id, None) for node in ast.walk(tree) if isinstance(node, ast.Name))
    return [*names]


def mentioned_names(help: str) -> list[str]:
    """Return the names in the code of a help, in its examples, and the only one in its words.

    If the words name several, such as RETCODE and CAPTURE, the author chooses.
    """
    first = help.partition("\n")[0]
    names = dict.fromkeys(used_names(help))
    for part in re.findall("`([^`]+)`", first):
        with suppress(SyntaxError, ValueError):
            tree = ast.parse(f"{part} pass" if part.endswith(":") else part)
            names.update((node.id, None) for node in ast.walk(tree) if isinstance(node, ast.Name))
    words = {*re.findall(r"\b[a-z]+_\w+\b|\b[A-Z]{2,}\b", first)}
    return [*dict.fromkeys([*names, *(words if len(words) == 1 else ())])]


def with_import(help: str, line: str) -> str:
    """Return a help that also says to add an import at the top."""
    first, _, block = help.partition("\n")
    if block:
        first = first.removesuffix(":").removesuffix(". Here")
        return f"{first}. At the top: `{line}`. Here:\n{block}"
    return f"{help}. At the top: `{line}`"


def code(intro: str, lines: list[str] | str, otherwise: str = "") -> str:
    """Return the help for code that replaces the rejected code: an expression, or statements.

    A line is put between backticks. Several are on lines of their own below `intro`. Without lines,
    the help is `otherwise`.
    """
    if isinstance(lines, str):
        lines = lines.split("\n") if lines else []
    if not lines:
        return otherwise
    if len(lines) == 1 and "`" not in lines[0]:
        return f"{intro}: `{lines[0]}`"
    return "\n".join([f"{intro}:", *lines])
