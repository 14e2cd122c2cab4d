"""The mutants of the bash form: edits found in the syntax tree that shfmt makes of a script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.mutants import words
from tests.mutants.mutant import Edit, Mutant, mutants, read_source

SCRIPT = "scripts/oauth/refresh.sh"

Node = dict[str, Any]
# What stands for another operator: the neighbour that most inputs cannot tell from it, mostly.
ARITHMETIC = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+",
    "*": "+", "/": "*", "&": "|", "&&": "||", "||": "&&",
}  # fmt: skip
TESTS = {
    "-e": "-f", "-f": "-e", "-r": "-e", "-x": "-e", "-L": "-e", "-d": "-e", "-z": "-n",
    "-n": "-z", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
}  # fmt: skip
EXPANSIONS = {
    "#": ("##", "%"), "##": ("#", "%%"), "%": ("%%", "#"), "%%": ("%", "##"), ":-": ("-",),
    "-": (), "@": (),
}  # fmt: skip
REDIRECTIONS = {">>": ">", ">": ">>"}
MODES = {"077": ("022", "177")}


def bash_mutants() -> list[Mutant]:
    """Every mutant of the generated script; some may be no valid bash."""
    text = read_source(SCRIPT)
    tree = parse(text)
    functions = [
        (*_span(node), node["Name"]["Value"])
        for node in _nodes(tree)
        if node.get("Type") == "FuncDecl"
    ]

    def scope_at(offset: int) -> str:
        names = [name for start, end, name in functions if start <= offset < end]
        return names[0] if names else ""

    return mutants("bash", SCRIPT, text, Finder(text).edits(tree), scope_at)


def parse(text: str) -> Node:
    """The syntax tree of a script (mvdan.cc/sh/v3/syntax, as `shfmt --to-json` prints it)."""
    # Beside the interpreter, as pip puts it: PATH need not have the environment's programs.
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
    """Finds the edits of one script."""

    def __init__(self, text: str, shift: int = 0) -> None:
        self._text = text
        self._shift = shift  # of offsets in `text` against those in the whole script

    def edits(self, tree: Node) -> Iterator[Edit]:
        """Every edit of a tree, in no particular order."""
        for node in _nodes(tree):
            for edit in self._edits(node):
                yield Edit(edit.start + self._shift, edit.end + self._shift, edit.text, edit.kind)
            yield from self._nested(node)

    def _edits(self, node: Node) -> Iterator[Edit]:
        yield from self._statements(node)
        find: Callable[[Node], Iterator[Edit]] | None
        find = getattr(self, f"_{node.get('Type', '').lower()}", None)
        if find:
            yield from find(node)

    def _statements(self, node: Node) -> Iterator[Edit]:
        """What any statement can lose: itself, its redirections, its `!` and its `&`."""
        for key in ("Stmts", "Then", "Do"):
            for statement in node.get(key) or ():
                if isinstance(statement, dict) and "Cmd" in statement:
                    yield from self._statement(statement)
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
            start = _start(node)
            yield Edit(start, _start(node["Cmd"]), "", "negation")
        if node.get("Background"):
            at = node["Semicolon"]["Offset"]
            yield self._cut(at, at + 1, "background")

    def _statement(self, node: Node) -> Iterator[Edit]:
        kind = node["Cmd"]["Type"]
        if kind not in {"CallExpr", "DeclClause", "ArithmCmd", "TestClause", "BinaryCmd", "Block"}:
            return
        start, end = _span(node)
        while self._text[end - 1] in "; ":
            end -= 1
        if node.get("Background"):
            return
        yield Edit(start, end, ":", "statement")

    # --- Commands ---

    def _callexpr(self, node: Node) -> Iterator[Edit]:
        arguments = node.get("Args", [])
        for assignment in node.get("Assigns", ()):
            if arguments:
                yield self._cut(*_span(assignment), "assignment")
            yield from self._value(assignment)
        for number, word in enumerate(arguments):
            start, end = _span(word)
            text = self._text[start:end]
            if number > 0 or text in {"exec", "env"}:
                yield self._cut(start, end, "argument")
            yield from self._unquoted(word)
            if number == 0:
                continue
            yield from self._variable(word)
            yield from self._constant(word)
            if arguments[0]["Parts"][0].get("Value") == "umask":
                for mode in MODES[text]:
                    yield Edit(start, end, mode, "mode")
            letters = re.fullmatch(r"([-+])(\w+)", text)
            if letters and len(letters[2]) > 1 and letters[2] not in words.SIGNALS:
                for at in range(start + 1, end):
                    yield Edit(at, at + 1, "", "option")
            signal = text.lstrip("-")
            if signal in words.SIGNALS:
                yield Edit(end - len(signal), end, words.SIGNALS[signal], "signal")

    def _declclause(self, node: Node) -> Iterator[Edit]:
        for argument in node["Args"]:
            yield self._cut(*_span(argument), "declaration")
            yield from self._value(argument)

    def _value(self, assignment: Node) -> Iterator[Edit]:
        """What a variable is set to; a quote pair there makes no difference to bash."""
        if "Array" in assignment:
            elements = assignment["Array"].get("Elems") or ()
            for element in elements:
                yield self._cut(*_span(element), "element")
                yield from self._unquoted(element["Value"])
                yield from self._variable(element["Value"])
                yield from self._constant(element["Value"])
        elif assignment.get("Value") and "Name" in assignment:
            word = assignment["Value"]
            yield from self._constant(word)
            yield from self._variable(word)
            if assignment.get("Append"):
                at = assignment["Name"]["ValueEnd"]["Offset"]
                yield Edit(at, at + 1, "", "assignment")
        elif "Name" in assignment and not assignment.get("Naked"):
            end = _span(assignment)[1]
            yield Edit(end, end, "x", "value")

    def _binarycmd(self, node: Node) -> Iterator[Edit]:
        yield from self._operator(node, {"&&": "||", "||": "&&"}, "logic")
        yield from self._operands(node)

    def _ifclause(self, node: Node) -> Iterator[Edit]:
        if node.get("Cond"):
            start, end = self._condition(node)
            for text in ("true", "false"):
                yield Edit(start, end, text, "condition")

    def _whileclause(self, node: Node) -> Iterator[Edit]:
        start, end = self._condition(node)
        yield Edit(start, end, "true" if node.get("Until") else "false", "condition")

    def _forclause(self, node: Node) -> Iterator[Edit]:
        # In for ((…)) there are none; its parts are arithmetic.
        for item in node["Loop"].get("Items", ()):
            yield self._cut(*_span(item), "item")
            yield from self._unquoted(item)
            yield from self._constant(item)

    def _caseclause(self, node: Node) -> Iterator[Edit]:
        for item in node["Items"]:
            for pattern in item["Patterns"]:
                start, end = _span(pattern)
                yield Edit(start, end, "nothing", "pattern")

    # --- Words ---

    def _paramexp(self, node: Node) -> Iterator[Edit]:
        expansion = node.get("Exp")
        name_end = node["Param"]["ValueEnd"]["Offset"]
        if "Index" in node:
            name_end = self._text.index("]", name_end) + 1
        if expansion:
            operator, word = expansion["Op"], expansion.get("Word")
            for other in EXPANSIONS[operator]:
                yield Edit(name_end, name_end + len(operator), other, "expansion")
            yield Edit(name_end, _end(node) - 1, "", "expansion")
            if word:
                yield from self._pattern(word)
                if operator in {":-", "-"}:
                    yield from self._constant(word)
        if node.get("Length"):
            start = _start(node) + 2
            yield Edit(start, start + 1, "", "expansion")
        if "Repl" in node:
            start, _ = _span(node["Repl"]["Orig"])
            if node["Repl"].get("All"):
                yield Edit(start - 1, start, "", "expansion")
            yield Edit(name_end, _end(node) - 1, "", "expansion")
            if "With" in node["Repl"]:
                yield Edit(*_span(node["Repl"]["With"]), "", "expansion")
        if "Slice" in node:
            yield Edit(name_end, _end(node) - 1, "", "expansion")

    def _lit(self, node: Node) -> Iterator[Edit]:
        # A number in arithmetic: a name there is a variable.
        start, end = _span(node)
        text = self._text[start:end]
        if re.fullmatch("[0-9]+", text):
            new = words.changed_number(text)
            if new and text not in MODES:
                yield Edit(start, end, new, "number")

    def _unquoted(self, word: Node) -> Iterator[Edit]:
        for part in word["Parts"]:
            start, end = _span(part)
            if part["Type"] == "DblQuoted":
                yield Edit(start, end, self._text[start + 1 : end - 1], "quote")
            elif (
                part["Type"] == "SglQuoted"
                and not part.get("Dollar")
                and "$" in part.get("Value", "")
            ):
                yield Edit(start, end, f'"{part["Value"]}"', "quote")

    def _variable(self, word: Node) -> Iterator[Edit]:
        for part in [*word["Parts"], *(p for w in word["Parts"] for p in w.get("Parts", ()))]:
            if part["Type"] == "ParamExp" and "Exp" not in part:
                yield Edit(*_span(part), "", "variable")

    def _constant(self, word: Node) -> Iterator[Edit]:
        for part in [*word["Parts"], *(p for w in word["Parts"] for p in w.get("Parts", ()))]:
            start, end = _span(part)
            if part["Type"] == "SglQuoted":
                start, end = start + (2 if part.get("Dollar") else 1), end - 1
            elif part["Type"] != "Lit":
                continue
            text = self._text[start:end]
            new = words.changed_text(text)
            if text in {"true", "false"}:
                new = "true" if text == "false" else "false"
            if text in {"TERM", "INT", "HUP"} or self._text[start - 1] == "-":
                continue
            if new is not None:
                yield Edit(start, end, new, "text")
            if part["Type"] == "SglQuoted" and not text:
                yield Edit(start, start, "x", "text")

    def _pattern(self, word: Node) -> Iterator[Edit]:
        for part in word["Parts"]:
            start, end = _span(part)
            if part["Type"] == "DblQuoted":
                yield Edit(start, end, self._text[start + 1 : end - 1], "quote")
            elif part["Type"] == "Lit":
                for found in re.finditer(r"\*|\[[^]]*\]", self._text[start:end]):
                    a, b = start + found.start(), start + found.end()
                    yield Edit(a, b, "", "pattern")
                    for new in words.changed_patterns(found[0].replace("[!", "[^")):
                        yield Edit(a, b, new.replace("[^", "[!"), "pattern")

    # --- Tests and arithmetic ---

    def _binarytest(self, node: Node) -> Iterator[Edit]:
        yield from self._operator(node, TESTS, "logic" if node["Op"] in "&&||" else "comparison")
        if node["Op"] in {"&&", "||"}:
            yield from self._operands(node)
        elif node["Op"] == "=~":
            for part in node["Y"]["Parts"]:
                start, end = _span(part)
                if part["Type"] == "Lit":
                    for new in words.changed_patterns(self._text[start:end]):
                        yield Edit(start, end, new, "pattern")
        else:
            yield from self._pattern(node["Y"])
            yield from self._constant(node["Y"])

    def _unarytest(self, node: Node) -> Iterator[Edit]:
        at, operator = node["OpPos"]["Offset"], node["Op"]
        if operator == "!":
            yield self._cut(at, at + 1, "negation")
        elif operator in TESTS:
            yield Edit(at, at + len(operator), TESTS[operator], "comparison")

    def _binaryarithm(self, node: Node) -> Iterator[Edit]:
        kind = "logic" if node["Op"] in {"&&", "||"} else "comparison"
        kind = kind if node["Op"] in set("<>") | {"<=", ">=", "==", "!=", "&&", "||"} else "sum"
        yield from self._operator(node, ARITHMETIC, kind)
        if node["Op"] in {"&&", "||", "+", "-", "&"}:
            yield from self._operands(node)

    def _unaryarithm(self, node: Node) -> Iterator[Edit]:
        at, operator = node["OpPos"]["Offset"], node["Op"]
        other = {"++": "--", "--": "++"}.get(operator, "")
        yield Edit(at, at + len(operator), other, "sum")

    def _operator(self, node: Node, others: dict[str, str], kind: str) -> Iterator[Edit]:
        other = others.get(node["Op"])
        if other:
            at = node["OpPos"]["Offset"]
            yield Edit(at, at + len(node["Op"]), other, kind)

    def _operands(self, node: Node) -> Iterator[Edit]:
        start, end = _span(node)
        for side in ("X", "Y"):
            kept_start, kept_end = _span(node[side])
            yield Edit(start, end, self._text[kept_start:kept_end].rstrip("; "), "operand")

    # --- Places ---

    def _nested(self, node: Node) -> Iterator[Edit]:
        """The edits of the script that is the first argument of `trap`."""
        arguments = node.get("Args") or [{}]
        if node.get("Type") == "CallExpr" and self._text.startswith("trap ", _start(node)):
            start, end = _span(arguments[1])
            text = self._text[start + 1 : end - 1]
            yield from Finder(text, self._shift + start + 1).edits(parse(text))

    def _condition(self, node: Node) -> tuple[int, int]:
        start, end = _start(node["Cond"][0]), _end(node["Cond"][-1])
        while self._text[end - 1] in "; ":
            end -= 1
        return start, end

    def _cut(self, start: int, end: int, kind: str) -> Edit:
        """Takes the text away, with one of the blanks beside it."""
        if self._text[start - 1] == " ":
            start -= 1
        elif self._text[end : end + 1] == " ":
            end += 1
        return Edit(start, end, "", kind)


def _nodes(tree: Any) -> Iterator[Node]:
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
    elif isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)


def _start(node: Node) -> int:
    return node["Pos"].get("Offset", 0)  # type: ignore[no-any-return]


def _end(node: Node) -> int:
    return node["End"]["Offset"]  # type: ignore[no-any-return]


def _span(node: Node) -> tuple[int, int]:
    return _start(node), _end(node)
