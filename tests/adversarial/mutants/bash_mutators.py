"""Mutants of bash: edits in the syntax tree that shfmt prints."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.adversarial.mutants.mutant import (
    SIGNALS,
    Edit,
    Mutant,
    changed_number,
    changed_text,
    mutants,
    read_source,
)

LIBRARY = "py/oauthkit/shell.bash"

Node = dict[str, Any]
# Maps each operator to one with the same result for most inputs.
OPERATORS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "-e": "-f", "-f": "-e", "-r": "-e", "-x": "-e", "-L": "-e", "-d": "-e", "-z": "-n",
    "-n": "-z",
}  # fmt: skip
REDIRECTIONS = {">>": ">", ">": ">>"}
STATEMENTS = {"CallExpr", "DeclClause", "ArithmCmd", "TestClause", "BinaryCmd", "Block"}


def bash_mutants(file: str = LIBRARY) -> list[Mutant]:
    """Return every mutant of a script in the repository. Some may not be valid bash."""
    text = read_source(file)
    tree = parse(text)
    functions = [
        (*_span(node), node["Name"]["Value"])
        for node in _nodes(tree)
        if node.get("Type") == "FuncDecl"
    ]

    def scope_at(offset: int) -> str:
        return next((name for start, end, name in functions if start <= offset < end), "")

    return mutants(file, text, Finder(text).edits(tree), scope_at)


def parse(text: str) -> Node:
    """Return a script's syntax tree (mvdan.cc/sh/v3/syntax, as `shfmt --to-json` prints it)."""
    # Beside the interpreter, where pip puts it, because PATH may lack the environment's programs.
    shfmt = shutil.which("shfmt", path=str(Path(sys.executable).parent)) or "shfmt"
    done = subprocess.run(
        [shfmt, "--language-dialect=bash", "--to-json"],
        input=text.encode("latin-1"),
        capture_output=True,
        check=True,
    )
    tree: Node = json.loads(done.stdout)
    return tree


class Finder:
    """Finds the edits of a script. `shift` is its offset in the file."""

    def __init__(self, text: str, shift: int = 0) -> None:
        self._text = text
        self._shift = shift

    def edits(self, tree: Node) -> Iterator[Edit]:
        """Yield every edit of a tree, in no particular order."""
        for node in _nodes(tree):
            for edit in self._edits(node):
                yield Edit(edit.start + self._shift, edit.end + self._shift, edit.text, edit.kind)
            arguments = node.get("Args") or [{}]
            if node.get("Type") == "CallExpr" and self._text.startswith("trap ", _start(node)):
                start, end = _span(arguments[1])
                script = self._text[start + 1 : end - 1]
                yield from Finder(script, self._shift + start + 1).edits(parse(script))

    def _edits(self, node: Node) -> Iterator[Edit]:
        yield from self._statements(node)
        find = getattr(self, f"_{node.get('Type', '').lower()}", None)
        if find:
            yield from find(node)

    def _statements(self, node: Node) -> Iterator[Edit]:
        """Drop a statement, its redirections, its `!` or its `&`."""
        for key in ("Stmts", "Then", "Do"):
            for statement in node.get(key) or ():
                command = statement.get("Cmd") or {}
                if command.get("Type") in STATEMENTS and not statement.get("Background"):
                    start, end = _span(statement)
                    end = start + len(self._text[start:end].rstrip("; "))
                    yield Edit(start, end, ":", "statement")
        if "Cmd" not in node:
            return
        for redirection in node.get("Redirs", ()):
            start, end = _span(redirection)
            yield self._cut(start, end, "redirect")
            other = REDIRECTIONS.get(redirection["Op"])
            if other and "/dev/null" not in self._text[start:end]:
                at = redirection["OpPos"]["Offset"]
                yield Edit(at, at + len(redirection["Op"]), other, "redirect")
        if node.get("Negated"):
            yield Edit(_start(node), _start(node["Cmd"]), "", "negation")
        if node.get("Background"):
            at = node["Semicolon"]["Offset"]
            yield self._cut(at, at + 1, "background")

    def _callexpr(self, node: Node) -> Iterator[Edit]:
        for assignment in node.get("Assigns", ()):
            yield from self._value(assignment)
        for word in node.get("Args", ())[:1]:
            yield from self._unquoted(word)
        for word in node.get("Args", ())[1:]:
            yield from self._unquoted(word)
            yield from self._constant(word)
            start, end = _span(word)
            text = self._text[start:end]
            signal = text.lstrip("-")
            if signal in SIGNALS:
                yield Edit(end - len(signal), end, SIGNALS[signal], "signal")
            elif re.fullmatch(r"[-+]\w{2,}", text):
                for at in range(start + 1, end):
                    yield Edit(at, at + 1, "", "option")

    def _declclause(self, node: Node) -> Iterator[Edit]:
        for argument in node["Args"]:
            yield from self._value(argument)

    def _value(self, assignment: Node) -> Iterator[Edit]:
        """Change a variable's value. Quotes stay, because bash does not split values."""
        if "Array" in assignment:
            for element in assignment["Array"].get("Elems") or ():
                yield from self._unquoted(element["Value"])
                yield from self._constant(element["Value"])
        elif assignment.get("Value") and "Name" in assignment:
            yield from self._constant(assignment["Value"])

    def _binarycmd(self, node: Node) -> Iterator[Edit]:
        yield from self._operator(node, "logic")

    def _forclause(self, node: Node) -> Iterator[Edit]:
        for item in node["Loop"].get("Items", ()):
            yield from self._unquoted(item)
            yield from self._constant(item)

    def _paramexp(self, node: Node) -> Iterator[Edit]:
        word = (node.get("Exp") or {}).get("Word")
        if word:
            yield from self._unquoted(word)
            yield from self._constant(word)

    def _lit(self, node: Node) -> Iterator[Edit]:
        start, end = _span(node)
        new = changed_number(self._text[start:end])
        if new:
            yield Edit(start, end, new, "number")

    def _binarytest(self, node: Node) -> Iterator[Edit]:
        yield from self._operator(node, "logic" if node["Op"] in "&&||" else "comparison")
        if node["Op"] in {"==", "!="}:
            yield from self._unquoted(node["Y"])
            yield from self._constant(node["Y"])

    def _unarytest(self, node: Node) -> Iterator[Edit]:
        at = node["OpPos"]["Offset"]
        if node["Op"] == "!":
            yield self._cut(at, at + 1, "negation")
        else:
            yield from self._operator(node, "comparison")

    def _binaryarithm(self, node: Node) -> Iterator[Edit]:
        yield from self._operator(node, "logic" if node["Op"] in "&&||" else "comparison")

    def _operator(self, node: Node, kind: str) -> Iterator[Edit]:
        other = OPERATORS.get(node["Op"])
        if other:
            at = node["OpPos"]["Offset"]
            yield Edit(at, at + len(node["Op"]), other, kind)

    def _unquoted(self, word: Node) -> Iterator[Edit]:
        for part in word["Parts"]:
            start, end = _span(part)
            if part["Type"] == "DblQuoted":
                yield Edit(start, end, self._text[start + 1 : end - 1], "quote")
            elif part["Type"] == "SglQuoted" and "$" in part.get("Value", ""):
                yield Edit(start, end, f'"{part["Value"]}"', "quote")

    def _constant(self, word: Node) -> Iterator[Edit]:
        for part in [*word["Parts"], *(p for w in word["Parts"] for p in w.get("Parts", ()))]:
            start, end = _span(part)
            if part["Type"] == "SglQuoted":
                start, end = start + (2 if part.get("Dollar") else 1), end - 1
            elif part["Type"] != "Lit" or self._text[start - 1] == "-":
                continue
            text = self._text[start:end]
            new = {"true": "false", "false": "true", "": "x"}.get(text, changed_text(text))
            if new is not None and text not in SIGNALS:
                yield Edit(start, end, new, "text")

    def _cut(self, start: int, end: int, kind: str) -> Edit:
        """Delete a word and the blanks before it, or after it at the start of a line."""
        text = self._text
        while start > 0 and text[start - 1] == " ":
            start -= 1
        if start > 0 and text[start - 1] == "\n":
            while text[end : end + 1] == " ":
                end += 1
        return Edit(start, end, "", kind)


def _start(node: Node) -> int:
    offset: int = node["Pos"].get("Offset", 0)
    return offset


def _span(node: Node) -> tuple[int, int]:
    return _start(node), node["End"]["Offset"]


def _nodes(node: Any) -> Iterator[Node]:
    """Yield every node of a tree."""
    if isinstance(node, list):
        for item in node:
            yield from _nodes(item)
    elif isinstance(node, dict):
        if "Pos" in node:
            yield node
        for value in node.values():
            yield from _nodes(value)
