"""README.md: each pair of Python and bash in it is what the compiler makes today."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = sorted((ROOT / "py/oauthkit/program").glob("*.py"))
SCRIPT = ROOT / "scripts/oauth/refresh.sh"
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LANGUAGES = [language for language, _ in FENCES]
PAIRS = [
    (python, bash)
    for (language, python), (other, bash) in pairwise(FENCES)
    if (language, other) == ("python", "bash")
]


def test_every_fence_of_python_or_bash_is_in_a_pair() -> None:
    assert PAIRS
    assert ["python", "bash"] * len(PAIRS) == LANGUAGES


@pytest.mark.parametrize(("python", "bash"), PAIRS)
def test_each_pair_is_what_the_compiler_makes(python: str, bash: str) -> None:
    text = "\n\n\n".join(path.read_text(encoding="utf-8") for path in PROGRAM)
    functions = [node for node in ast.parse(python).body if isinstance(node, ast.FunctionDef)]
    assert functions, "a pair is one function or more"
    for function in functions:
        assert f"\n\n\n{ast.get_source_segment(python, function)}\n\n\n" in text
        assert re.search(rf"^{function.name}\(\) {{$", bash, re.MULTILINE)
    # Whole functions: nothing cut at either end.
    assert f"\n\n{bash}\n" in SCRIPT.read_text(encoding="utf-8")  # which is up to date


def test_the_files_and_folders_that_it_names_are_there() -> None:
    named = set(re.findall(r"`((?:py|scripts|tests|container)/[\w./-]+)`", README))
    named |= set(re.findall(r"\]\(([\w./-]+)\)", README))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_command_on_the_pages_names_where_it_is() -> None:
    bare = re.compile(r"^    (?:pip|pytest|oauthkit|python3?(?! -m venv VENV)) .*|^    pytest$")
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]
    assert len(pages) > 7
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if bare.match(line)] == []


def test_every_folder_of_tests_is_in_its_table() -> None:
    folders = {
        path.parent.name
        for pattern in ("test_*.py", "*.bats")
        for path in (ROOT / "tests").glob(f"*/{pattern}")
    }
    assert {name for name in folders if f"`tests/{name}" not in README} == set()
