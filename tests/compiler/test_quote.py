"""bash reads back any quoted string byte for byte."""

from __future__ import annotations

import os
import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.compiler.bashes import BASHES

from oauthkit.compiler.bash import quote
from oauthkit.compiler.bash.ast import Glob, Literal, Parameter, Word

# All characters except NUL and lone surrogates. bash's special characters are drawn more often.
TEXT = st.text(
    st.one_of(
        st.sampled_from(" \t\n\\'\"$`*?[]{}()<>|&;#~!=:%@^-+,./aZ09_\r\x01\x7fü€"),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"),
    ),
    max_size=12,
)
BATCH = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=40)


def bash(script: str) -> list[bytes]:
    """Return the NUL-terminated strings that `script` prints in every bash."""
    found = set()
    for path in BASHES.values():
        result = subprocess.run(
            [path, "--noprofile", "--norc", "-c", script],
            env={"PATH": os.defpath, "LC_ALL": "C"},
            capture_output=True,
            check=True,
        )
        assert result.stderr == b""
        found.add(result.stdout)
    assert len(found) == 1
    return found.pop().split(b"\0")[:-1]


def word(*parts: str | Literal | Parameter | Glob) -> Word:
    return Word(tuple(Literal(p) if isinstance(p, str) else p for p in parts))


@settings(deadline=None, max_examples=100)
@given(BATCH)
@example([("", "\\", "0"), ("a", "$", "x"), ("", "", "[0]")])
@example([("'", '"', "$(x)"), ("\\", "\\'", "\n"), ("~", "{a,b}", "a\x0177"), ("", "-n", "=")])
def test_literals(batch: list[tuple[str, str, str]]) -> None:
    lines, wanted = ["set -u"], []
    for a, b, c in batch:
        x, y = Parameter("x"), Parameter("y")
        lines.append(f"x={quote.value(word(a))}")
        lines.append(f"y={quote.value(word(b, x, c))}")
        lines.append(f"z={quote.value(word(Parameter('unset', ':-', word(a, x, b))))}")
        mixed = quote.argument(word(a, x, b, y, c))
        lines.append(f'printf "%s\\0" {quote.argument(word(a))} "$x" "$y" "$z" {mixed}')
        whole = b + a + c
        wanted += [a, a, whole, a + a + b, a + a + b + whole + c]
    assert bash("\n".join(lines)) == [text.encode() for text in wanted]


@settings(deadline=None, max_examples=100)
@given(BATCH)
@example([("", "", "%"), ("", "0/", ""), ("/", "/", "/")])
@example([("*", "[a]", "?"), ("\\*", "\\", ""), ("a\n", "\n", "]")])
@example([("`\n", "\x1b`", "\n*\n"), ("\x01\n", "\x7f`", "'\n`\x01")])
@example([("{a,b}", "'{a,b}", "{1..3}'"), ("", "{a,b}", "{"), ("a'{x,y}b", "{,}", "'")])
@example([("", "\x1f/", ""), ("/\x1f", "a/\n/", "$(/"), ("\n/", "/\n", "/")])
@example([('"a', "{a,b}", '"'), ("{a,b}", '"', "{c,d}'"), ('x\\"', "{,}", '"{1..2}')])
@example([("'", "{a,b}", "'"), ("{a,b}\\", "'", "{c,d}\\"), ("x'", "{,}", "\\{1..2}\\")])
@example([("<(", ">(", "'<("), ("0<(", "'>(", "<("), (">(x)", '"<(', "<((")])
@example([("$(", "`", "$("), ("\n$(", "$((", "x$("), ("${", "$[", "$'"), ("'$(", '"$(', "\\$(")])
def test_patterns(batch: list[tuple[str, str, str]]) -> None:
    """Only a Glob node acts as a pattern.

    This applies to tests, prefix and suffix removal, and replacement.
    """
    lines, wanted = [], []
    for a, b, c in batch:
        text = word(a + b + c)
        lines += [f"x={quote.value(text)}", f"a={quote.value(word(a))}"]
        lines += [f"b={quote.value(word(b))}", "yes=()"]
        tests = (
            f"[[ $x == {quote.pattern(text)} ]]",
            f"[[ $x == {quote.pattern(word(a, Glob()))} ]]",
            f"[[ $x == {quote.pattern(word(Glob(), c))} ]]",
            f"[[ $x == {quote.pattern(word(Glob(), b, Glob()))} ]]",
            f"[[ $a == {quote.pattern(word(b))} ]]",
        )
        lines += [f"if {test}; then yes+=(1); else yes+=(0); fi" for test in tests]
        lines.append('printf "%s\\0" "${yes[*]}"')
        wanted.append(f"1 1 1 1 {int(a == b)}")
        for expansion, result in (
            (Parameter("x", "#", word(a)), b + c),
            (Parameter("x", "%", word(c)), a + b),
            (Parameter("x", "#", word(Parameter("a"))), b + c),
            (Parameter("x", "#", word(a, Parameter("b"))), c),
            (Parameter("x", "%", word(Parameter("b"), c)), a),
            (
                Parameter("x", "//", word(b), word(c, Parameter("a"), b)),
                (a + b + c).replace(b, c + a + b) if b else a + b + c,
            ),
            (Parameter("x", "//", word(b), word(c)), (a + b + c).replace(b, c) if b else a + b + c),
            (
                Parameter("x", "//", word(b), Word(())),
                (a + b + c).replace(b, "") if b else a + b + c,
            ),
        ):
            shown = f'printf "%s\\0" "$y" {quote.argument(word(expansion))}'
            lines += [f"y={quote.value(word(expansion))}", shown]
            wanted += [result, result]
    assert bash("\n".join(lines)) == [text.encode() for text in wanted]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        TEXT.filter(lambda t: "/" not in t and t not in ("", ".", "..")), min_size=1, max_size=20
    )
)
def test_redirection_targets(names: list[str]) -> None:
    lines = ['cd "$(mktemp -d)" || exit']
    for name in names:
        lines.append(f"printf x >{quote.argument(word(name))}")
        lines.append(f'printf "%s\\0" *; rm -f -- {quote.argument(word("./" + name))}')
    lines.append('rmdir "$PWD"')
    # A leading dot hides a name from the glob.
    lines.insert(1, "shopt -s dotglob")
    assert bash("\n".join(lines)) == [name.encode() for name in names]


# Characters that confuse bash's brace expansion when a word contains several parameter expansions.
BRACED = st.text(st.sampled_from("'\"{},\\a1/$(<`\n\x01 "), max_size=5)
# An optional operator, two literals, and the name of an optional parameter that is appended.
PIECES = st.lists(
    st.tuples(st.sampled_from(["", "#", "%", "//"]), BRACED, BRACED, st.sampled_from(["", "y"])),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(BRACED, BRACED, PIECES), min_size=1, max_size=40))
@example([("", "", [("//", "'", "{a,b}", ""), ("", "{c,d}", "", "y"), ("#", '"{', "", "")])])
@example([("", "", [("//", '"aa', "{a,b}", "")]), ("'", "", [("//", "x", "{a,b}\\", "")])])
def test_words_with_several_expansions(
    batch: list[tuple[str, str, list[tuple[str, str, str, str]]]],
) -> None:
    lines, wanted = [], []
    for x, y, pieces in batch:
        lines += [f"x={quote.value(word(x))}", f"y={quote.value(word(y))}"]
        parts: list[str | Parameter] = []
        result = ""
        for operator, first, second, name in pieces:
            last = [Parameter(name)] if name else []
            value = y if name else ""
            if operator == "//":
                parts.append(Parameter("x", "//", word(first), word(second, *last)))
                result += x.replace(first, second + value) if first and x else x
            elif operator:
                parts.append(Parameter("x", operator, word(first, *last)))
                cut = first + value
                result += x.removeprefix(cut) if operator == "#" else x.removesuffix(cut)
            else:
                parts += [first, *last]
                result += first + value
        lines.append(f'printf "%s\\0" {quote.argument(word(*parts))} end')
        wanted += [result, "end"]
    assert bash("\n".join(lines)) == [text.encode() for text in wanted]
