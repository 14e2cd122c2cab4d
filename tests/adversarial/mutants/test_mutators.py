"""Each operator makes its changes, and every mutant can be identified."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.adversarial.mutants import bash_mutators, equivalent, python_mutators
from tests.adversarial.mutants.judge import FILES, Verdict, all_mutants, totals
from tests.adversarial.mutants.mutant import REPOSITORY, changed_number, mutants, read_source
from tests.adversarial.mutants.mutate import candidates, sample
from tests.adversarial.mutants.suite import stages

if TYPE_CHECKING:
    from tests.adversarial.mutants.mutant import Mutant

# A small program, and every change of one kind.
BASH = {
    "background": ("x &", {"x"}),
    "comparison": ("((a < 1))", {"((a <= 1))"}),
    "logic": ("a || b", {"a && b"}),
    "negation": ("if [[ ! -e x ]]; then a; fi", {"if [[ -e x ]]; then a; fi"}),
    "number": ("return 1", {"return 2"}),
    "option": ("set +ab", {"set +a", "set +b"}),
    "quote": ('cat "$x" y', {"cat $x y"}),
    "redirect": ("a >>b 9>&-", {"a 9>&-", "a >>b", "a >b 9>&-"}),
    "signal": ("kill -TERM 7", {"kill -KILL 7"}),
    "statement": ("a 1; b 2", {":; b 2", "a 1; :"}),
    "text": ("log 'WARN: no'", {"log 'XARN: no'"}),
}
PYTHON = {
    "argument": ('jq["-c", x, y]', {"jq[x, y]", 'jq["-c", y]', 'jq["-c", x]'}),
    "comparison": ("a < b == c", {"a <= b == c", "a < b != c"}),
    "constant": ("f(True)", {"f(False)"}),
    "logic": ("(a) and b", {"(a) or b"}),
    "negation": ("not a", {"a"}),
    "number": ("f(1, 0o7)", {"f(2, 0o7)", "f(1, 0o10)"}),
    "statement": ("a()\nb = 1", {"pass\nb = 1", "a()\npass"}),
    "swap": ("f(a, b + c, d=e)", {"f(b + c, a, d=e)"}),
    "text": (
        'log(f"no {x} in it", "yes")',
        {
            'log(f"Xo {x} in it", "yes")',
            'log(f"no {x} Xn it", "yes")',
            'log(f"no {x} in it", "Xes")',
        },
    ),
}


def results(form: str, text: str, kind: str) -> set[str]:
    """Return the texts that edits of one kind produce."""
    edits = (
        [*bash_mutators.Finder(text).edits(bash_mutators.parse(text))]
        if form == "bash"
        else [*python_mutators.Finder(text).edits(ast.parse(text))]
    )
    found = mutants("file", text, [edit for edit in edits if edit.kind == kind], lambda _: "")
    return {mutant.source for mutant in found}


@pytest.mark.parametrize("kind", BASH)
def test_bash_operator(kind: str) -> None:
    text, expected = BASH[kind]
    assert results("bash", text, kind) == expected


@pytest.mark.parametrize("kind", PYTHON)
def test_python_operator(kind: str) -> None:
    text, expected = PYTHON[kind]
    assert results("python", text, kind) == expected


def test_trap_action_is_mutated() -> None:
    assert "trap '((x >= 0))' TERM" in results("bash", "trap '((x > 0))' TERM", "comparison")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", "2"), ("077", "0100"), ("0o077", "0o100"), ("9", "10"), ("a1", None), ("-1", None)],
)
def test_changed_number(text: str, expected: str | None) -> None:
    assert changed_number(text) == expected


@pytest.fixture(scope="module")
def made() -> list[Mutant]:
    return all_mutants()


def test_every_file_and_kind_is_mutated(made: list[Mutant]) -> None:
    assert {mutant.file for mutant in made} == {*FILES}
    assert {mutant.kind for mutant in made} == {*BASH, *PYTHON}


def test_mutants_have_unique_names_and_texts(made: list[Mutant]) -> None:
    assert len({mutant.name for mutant in made}) == len(made)
    assert len({(mutant.file, mutant.source) for mutant in made}) == len(made)
    originals = {file: read_source(file) for file in FILES}
    assert all(mutant.source != originals[mutant.file] for mutant in made)


def test_identity_does_not_depend_on_line_numbers() -> None:
    text = "f() {\n  rm -f a >b\n  rm -f a >b\n}\n"
    identities = []
    for whole in (text, f"# one\n# more\n{text}"):
        edits = bash_mutators.Finder(whole).edits(bash_mutators.parse(whole))
        identities.append({m.identity for m in mutants("x", whole, edits, lambda _: "f")})
    assert identities[0] == identities[1]
    assert ("x", "f", "rm -f a >b", "rm -f a", 2) in identities[0]


def test_tests_that_judge_a_mutant_exist(made: list[Mutant]) -> None:
    concerned = {mutant.function: stages(mutant) for mutant in made}
    assert all(len(found) > 1 for found in concerned.values())
    assert any("bats" in stage[0] for stage in concerned["run_hook"])


def test_sample_depends_only_on_the_seed(made: list[Mutant]) -> None:
    assert sample(made, 20, "a") == sample(made, 20, "a") != sample(made, 20, "b")
    assert len(sample(made[:5], 20, "a")) == 5


def test_no_entry_is_stale(made: list[Mutant]) -> None:
    assert equivalent.stale(made, equivalent.load()) == []


def test_most_mutants_can_be_sampled(made: list[Mutant]) -> None:
    """If it fails, run scripts/mutate --learn, because killed.txt is out of date."""
    assert len(candidates(made)) > 0.3 * len(made)


def test_equal_changes_of_one_function_are_not_sampled(made: list[Mutant]) -> None:
    """An earlier verdict on one of them may be about another one: code was added between them."""
    twice = next(mutant for mutant in made if mutant.ordinal == 2)
    assert twice.change not in {mutant.change for mutant in candidates(made)}


def test_stale_or_duplicate_entries_are_found(made: list[Mutant], tmp_path: Path) -> None:
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


def test_totals() -> None:
    fates = ["killed", "killed", "timeout", "rejected", "survived"]
    verdicts = [Verdict(str(number), fate, "", 2.0) for number, fate in enumerate(fates)]
    assert totals(verdicts, 1) == (
        "6 mutants: 3 killed (1 of them by a time limit), 1 rejected by the compiler, 1 listed as"
        " equivalent, 1 survived; 2.0 s per mutant"
    )


def test_test_files_exist_for_each_mutated_file(made: list[Mutant]) -> None:
    for mutant in {mutant.file: mutant for mutant in made}.values():
        files = {word for stage in stages(mutant) for word in stage if word.startswith("tests/")}
        assert files, mutant.file
        assert [file for file in files if not (REPOSITORY / file).exists()] == [], mutant.file


def test_nightly_workflow_mutates_each_file() -> None:
    workflow = Path(__file__).parents[3] / ".github/workflows/nightly.yml"
    (block,) = re.findall(r"\n +file:\n((?: +- .*\n)+)", workflow.read_text("utf-8"))
    assert block.split() == [word for name in sorted(FILES) for word in ("-", name)]
