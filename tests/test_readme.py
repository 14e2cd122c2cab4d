"""README.md and its linked pages: code, paths, links and commands are up to date."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = sorted((ROOT / "py/oauthkit/program").glob("*.py"))
SCRIPT = ROOT / "scripts/oauth/refresh.sh"
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("examples/*/README.md"),
    ROOT / "scripts/oauth/README.md",
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LANGUAGES = [language for language, _ in FENCES]
PAIRS = [
    (python, bash)
    for (language, python), (other, bash) in pairwise(FENCES)
    if (language, other) == ("python", "bash")
]


def test_every_code_block_is_in_a_pair() -> None:
    assert PAIRS
    assert ["python", "bash"] * len(PAIRS) == LANGUAGES


@pytest.mark.parametrize(("python", "bash"), PAIRS)
def test_pairs_are_up_to_date(python: str, bash: str) -> None:
    text = "\n\n\n".join(path.read_text(encoding="utf-8") for path in PROGRAM)
    functions = [node for node in ast.parse(python).body if isinstance(node, ast.FunctionDef)]
    assert functions, "a pair needs at least one function"
    for function in functions:
        assert f"\n\n\n{ast.get_source_segment(python, function)}\n\n\n" in text
        assert re.search(rf"^{function.name}\(\) {{$", bash, re.MULTILINE)
    # The pair has whole functions.
    assert f"\n\n{bash}\n" in SCRIPT.read_text(encoding="utf-8")  # the script is up to date


def anchors(page: Path) -> set[str]:
    """Return GitHub's anchors for a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Return a page's links to missing files or headings."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_on_a_page_are_valid(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_on_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:py|scripts|tests|container|docs)/[\w./-]+)`", text))
    # A user's own hooks and settings do not exist in a checkout.
    own = ("scripts/oauth/hooks/", "scripts/oauth/refresh.conf")
    named = {name for name in named if not name.startswith(own)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_tests_named_in_the_architecture_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 10
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_commands_on_a_page_have_valid_paths() -> None:
    bare = re.compile(r"^    (?:pip|pytest|oauthkit|python3?(?! -m venv [V~])) .*|^    pytest$")
    assert len(PAGES) > 10
    lines = [line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if bare.match(line)] == []


def test_every_directory_of_tests_is_in_the_table() -> None:
    page = (ROOT / "docs/development.md").read_text(encoding="utf-8")
    tests = ROOT / "tests"
    places = [*tests.iterdir(), *(tests / "adversarial").iterdir()]
    directories = {
        str(place.relative_to(ROOT))
        for place in places
        for pattern in ("test_*.py", "*.bats")
        if place.name != "adversarial" and any(place.rglob(pattern))
    }
    assert {name for name in directories if f"`{name}" not in page} == set()


@pytest.mark.parametrize("page", ["dialect", "from-plumbum", "parity", "porting"])
def test_pages_for_other_projects_do_not_mention_oauth(page: str) -> None:
    """The compiler and the parity kit stand on their own."""
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    assert not re.search("oauth(?!kit)|claude|credential", text, re.IGNORECASE)


def test_crontab_line_in_the_manual_is_one_line() -> None:
    """A crontab has no continuation lines (crontab(5))."""
    text = (ROOT / "scripts/oauth/README.md").read_text("utf-8")
    (line,) = re.findall(r"^    (\*/4 .*)$", text, re.MULTILINE)
    assert line.endswith("| sed '/next refresh NOT scheduled$/d'")
