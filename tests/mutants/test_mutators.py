"""The mutators: each kind of change is found where it should be, and what is made can be read."""

from __future__ import annotations

import ast
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tests.mutants import bash_mutators, equivalent, python_mutators, words
from tests.mutants.judge import all_mutants
from tests.mutants.mutant import bash_accepts, is_valid, mutants, python_accepts
from tests.mutants.mutate import choose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mutants.mutant import Mutant

# A small program, and what becomes of it: every change of one kind, no other.
BASH = {
    "argument": ("rm -f -- x", {"rm -- x", "rm -f x", "rm -f --"}),
    "assignment": ("IFS= read x", {"read x"}),
    "background": ("x &", {"x"}),
    "comparison": ("((a < 1))", {"((a <= 1))"}),
    "condition": ("if a; then b; fi", {"if true; then b; fi", "if false; then b; fi"}),
    "declaration": ("local +x a b=1", {"local a b=1", "local +x b=1", "local +x a"}),
    "element": ('x=("$a" b)', {"x=(b)", 'x=("$a")'}),
    "expansion": ("x=${a##*/}", {"x=${a#*/}", "x=${a%%*/}", "x=${a}"}),
    "item": ("for x in a b; do c; done", {"for x in b; do c; done", "for x in a; do c; done"}),
    "logic": ("a || b", {"a && b"}),
    "mode": ("umask 077", {"umask 022", "umask 177"}),
    "negation": ("if [[ ! -e x ]]; then a; fi", {"if [[ -e x ]]; then a; fi"}),
    "number": ("return 1", {"return 2"}),
    "operand": ("a || return 1", {"a", "return 1"}),
    "option": ("set +ab", {"set +a", "set +b"}),
    "pattern": ("[[ $x =~ ^a+$ ]]", {"[[ $x =~ a+$ ]]", "[[ $x =~ ^a+ ]]"}),
    "quote": ('cat "$x" y', {"cat $x y"}),
    "redirect": ("a >>b 9>&-", {"a 9>&-", "a >>b", "a >b 9>&-"}),
    "signal": ("kill -TERM 7", {"kill -KILL 7"}),
    "statement": ("a 1; b 2", {":; b 2", "a 1; :"}),
    "sum": ("x=$((1 - 2))", {"x=$((1 + 2))"}),
    "text": ("log 'WARN: no'", {"log 'XARN: no'"}),
    "value": ("x=", {"x=x"}),
    "variable": ('log "$x y"', {'log " y"'}),
}
PYTHON = {
    "argument": ('jq["-c", x](a, b=1)', {
        'jq[x](a, b=1)', 'jq["-c"](a, b=1)', 'jq["-c", x](b=1)', 'jq["-c", x](a)',
    }),
    "assignment": ("x += 1", {"x = 1"}),
    "comparison": ("a < b == c", {"a <= b == c", "a < b != c"}),
    "condition": ("a if b else c", {"a if True else c", "a if False else c"}),
    "element": ("x = [a, b]", {"x = [b]", "x = [a]"}),
    "logic": ("a and b", {"a or b"}),
    "mode": ("f(0o77)", {"f(0o22)"}),
    "name": ("a.startswith(b)", {"a.endswith(b)"}),
    "negation": ("not a", {"a"}),
    "number": ("f(1, 0o7)", {"f(2, 0o7)", "f(1, 0o10)"}),
    "operand": ("a or b", {"a", "b"}),
    "pattern": ('f(r"[ab]+")', {'f(r"[b]+")', 'f(r"[a]+")', 'f(r"[ab]*")', 'f(r"[ab]")'}),
    "return": ("def f():\n    return 1", {"def f():\n    return None"}),
    "slice": ("a[1:]", {"a[:]"}),
    "statement": ("a()\nb = 1", {"pass\nb = 1", "a()\npass"}),
    "sum": ("a - b", {"a + b"}),
    "text": ('log(f"no {x} in it", "yes")', {
        'log(f"Xo {x} in it", "yes")', 'log(f"no {x} Xn it", "yes")', 'log(f"no {x} in it", "Xes")',
    }),
    "variable": ('f"a{b}c"', {'f"ac"'}),
}  # fmt: skip


def results(form: str, text: str, kind: str) -> set[str]:
    """What the edits of one kind make of a text."""
    if form == "bash":
        tree = bash_mutators.parse(text)
        edits = [*bash_mutators.Finder(text).edits(tree)]
    else:
        edits = [*python_mutators.finder(text).edits(ast.parse(text))]
    found = mutants(form, "file", text, [e for e in edits if e.kind == kind], lambda _: "")
    return {mutant.source.decode() for mutant in found}


@pytest.mark.parametrize("kind", BASH)
def test_bash_mutator(kind: str) -> None:
    text, expected = BASH[kind]
    assert results("bash", text, kind) == expected


@pytest.mark.parametrize("kind", PYTHON)
def test_python_mutator(kind: str) -> None:
    text, expected = PYTHON[kind]
    assert results("python", text, kind) == expected


def test_trap_is_looked_into() -> None:
    assert "trap '((x >= 0))' TERM" in results("bash", "trap '((x > 0))' TERM", "comparison")


@pytest.fixture(scope="module")
def made() -> list[Mutant]:
    return all_mutants()


@pytest.mark.parametrize(("form", "kinds"), [("bash", BASH), ("python", PYTHON)])
def test_mutants_of_a_form_are_many_and_of_every_kind(
    made: list[Mutant], form: str, kinds: dict[str, object]
) -> None:
    counts = Counter(mutant.kind for mutant in made if mutant.form == form)
    assert counts.keys() == kinds.keys()
    assert counts.total() >= 1000
    assert max(counts.values()) < counts.total() / 4


@pytest.mark.parametrize("file", [bash_mutators.SCRIPT, *python_mutators.FILES])
def test_mutants_are_spread_over_the_whole_file(made: list[Mutant], file: str) -> None:
    lines = {mutant.line for mutant in made if mutant.file == file}
    last = len((equivalent.REPOSITORY / file).read_text("utf-8").splitlines())
    ends = [0, *sorted(lines), last]
    # The longest text without any: what a file imports, and why a word is written as it is.
    assert max(after - before for before, after in pairwise(ends)) < 60


def test_every_mutant_has_a_name_an_identity_and_a_text_of_its_own(made: list[Mutant]) -> None:
    assert len({mutant.name for mutant in made}) == len(made)
    assert len({mutant.identity for mutant in made}) == len(made)
    assert len({(mutant.file, mutant.source) for mutant in made}) == len(made)
    for mutant in made:
        assert mutant.source != (equivalent.REPOSITORY / mutant.file).read_bytes()
        assert mutant.before != mutant.after
        assert "\n" not in mutant.diff


def test_hardly_any_mutant_is_no_program(made: list[Mutant]) -> None:
    sample = choose(made, None, 150, "0")
    assert sum(not is_valid(mutant) for mutant in sample) <= 3


def test_what_is_no_program_is_told_from_what_is_one() -> None:
    assert bash_accepts(b"x=1\n")
    assert not bash_accepts(b"if\n")
    assert python_accepts(b"x = 1\n")
    assert not python_accepts(b"return\n")


def test_samples_of_all_seeds_hold_every_mutant(made: list[Mutant]) -> None:
    size = len(made) // 7
    samples = [choose(made, None, size, str(seed)) for seed in range(8)]
    assert {m.name for sample in samples for m in sample} == {mutant.name for mutant in made}
    assert samples[0] == choose(made, None, size, "0")
    assert {m.form for m in samples[3]} == {"bash", "python"}
    assert choose(made, None, 10, "a text") == choose(made, None, 10, "a text")


def test_identity_does_not_drift_with_lines() -> None:
    text = "f() {\n  rm -f a\n  rm -f a\n}\n"
    identities = []
    for whole in (text, f"# one\n# more\n{text}"):
        edits = bash_mutators.Finder(whole).edits(bash_mutators.parse(whole))
        identities.append({m.identity for m in mutants("bash", "x", whole, edits, lambda _: "f")})
    assert identities[0] == identities[1]
    assert ("x", "f", "rm -f a", "rm a", 2) in identities[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", "2"), ("077", "100"), ("0o077", "0o100"), ("9", "10"), ("a1", None), ("-1", None)],
)
def test_changed_number(text: str, expected: str | None) -> None:
    assert words.changed_number(text) == expected


def test_equivalent_mutants_exist_and_have_a_reason(made: list[Mutant]) -> None:
    listed = equivalent.load()
    assert equivalent.stale(made, listed) == []
    assert all(len(reason) > 20 for reason in listed.values())


def test_equivalent_mutants_that_are_none_are_found(made: list[Mutant], tmp_path: Path) -> None:
    list_file = tmp_path / "equivalent.toml"
    known = made[0]
    entry = f'[[equivalent]]\nfile = "{known.file}"\nreason = "because"\nlines = [\n'
    right = f"  [{known.scope!r}, {known.before!r}, {known.after!r}],\n"
    list_file.write_text(entry + right + "  ['f', 'gone', 'away'],\n]\n")
    listed = equivalent.load(list_file)
    assert listed[known.identity] == "because"
    assert equivalent.stale(made, listed) == [(known.file, "f", "gone", "away", 1)]
    list_file.write_text(entry + right + right + "]\n")
    with pytest.raises(ValueError, match="listed twice"):
        equivalent.load(list_file)
