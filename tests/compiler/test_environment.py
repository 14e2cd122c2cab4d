"""Where a variable of the environment is known to be set, the script needs no default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from both import program, run_both, vocabulary

from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.driver import compile_text, load_vocabularies
from oauthkit.compiler.lint import verify
from oauthkit.compiler.runtime_library import Vocabulary

X, OR = 'local.env.get("X", "")', 'local.env.get("X") or "y"'
FULL, EMPTY = f'{X} != ""', f'{X} == ""'
SET, BARE, DEFAULT = '"$X"', '"${X-}"', '"${X:-y}"'


def shown(python: str, functions: str = "", words: Vocabulary | None = None) -> list[str]:
    """What the main of the script prints, in its order."""
    text = program(python, functions)
    if words is not None:
        text = text.replace("\nfrom oauthkit", "\nfrom words import touch\n\nfrom oauthkit", 1)
    script = compile_text(text, "program.py", words or vocabulary())
    verify(script)
    return re.findall(r"printf '%s\\n' (.*)", script.partition("\nmain() {")[2])


@pytest.mark.parametrize(
    "python",
    [
        f"if {FULL}:\n    print({X})",
        f"if {FULL}:\n    print({OR})",
        f"if {FULL}:\n    if 1 > 2:\n        print({X})",
        f"if {EMPTY}:\n    return 1\nprint({X})",
        f"if {EMPTY}:\n    return 1\nprint({OR})",
        f"if {EMPTY}:\n    pass\nelse:\n    print({X})",
        f"if {EMPTY}:\n    pass\nelif 1 > 2:\n    print({X})",
        f"if 1 > 2 and {FULL}:\n    print({X})",
        f"if not ({EMPTY} or 1 > 2):\n    print({X})",
        f"if {EMPTY} or 1 > 2:\n    return 1\nprint({X})",
        f'if "X" in local.env:\n    print({X})',
        f'if "X" not in local.env:\n    return 1\nprint({X})',
        f"while {FULL}:\n    print({X})",
        f"while True:\n    if {EMPTY}:\n        break\n    print({X})",
        f'local.env["X"] = "x"\nprint({X})',
        f'if 1 > 2:\n    if {EMPTY}:\n        return 1\nelse:\n    local.env["X"] = ""\nprint({X})',
    ],
)
def test_variable_that_is_set_needs_no_default(python: str) -> None:
    assert shown(python) == [SET]


@pytest.mark.parametrize(
    "python",
    [
        f"print({X})",
        f"if {FULL}:\n    pass\nprint({X})",
        f"if {EMPTY}:\n    print({X})",
        f"if {FULL} or 1 > 2:\n    print({X})",
        f"if {EMPTY} or 1 > 2:\n    print({X})",
        f"if {FULL} and 1 > 2:\n    pass\nelse:\n    print({X})",
        f"if not ({EMPTY} and 1 > 2):\n    print({X})",
        f"if {FULL}:\n    pass\nelse:\n    print({X})",
        f'if local.env.get("X", "z") != "":\n    print({X})',
        f'if local.env.get("Y", "") != "":\n    print({X})',
        f"while {FULL}:\n    break\nprint({X})",
        f"while 1 > 2:\n    if {EMPTY}:\n        return 1\nprint({X})",
        f'for x in ("a", "b"):\n    if {EMPTY} or x == "":\n        break\nprint({X})',
        f'if 1 > 2:\n    local.env["X"] = "x"\nprint({X})',
        f'if {FULL}:\n    print({X})\n    local.env.pop("X", "")',
    ],
)
def test_variable_that_may_not_be_set_keeps_its_default(python: str) -> None:
    assert shown(python) == [BARE]


@pytest.mark.parametrize(
    "python",
    [
        f'local.env["X"] = "x"\nprint({OR})',
        f'if {FULL}:\n    print({OR})\n    local.env["X"] = ""',
        f'if "X" in local.env:\n    print({OR})',
        f"print({OR})",
    ],
)
def test_variable_that_may_be_empty_keeps_its_default(python: str) -> None:
    assert shown(python) == [DEFAULT]


def test_variable_that_a_function_unsets_keeps_its_default() -> None:
    functions = 'def drop() -> None:\n    local.env.pop("X", "")\n'
    assert shown(f"if {FULL}:\n    drop()\n    print({X})", functions) == [BARE]


def test_path_is_set_unless_the_program_unsets_it() -> None:
    path = 'print(local.env.get("PATH", ""))'
    assert shown(path) == ['"$PATH"']
    assert shown(f'{path}\nlocal.env.pop("PATH", "")') == ['"${PATH-}"']
    assert shown('print(local.env.get("PATH") or "none")') == ['"${PATH:-none}"']


@pytest.mark.parametrize(
    ("bash", "printed"),
    [
        ("unset X", [BARE, DEFAULT]),
        ("export X=", [SET, DEFAULT]),
        (": # it does not unset X", [SET, SET]),
    ],
)
def test_words_may_set_and_unset_variables(tmp_path: Path, bash: str, printed: list[str]) -> None:
    (tmp_path / "words.py").write_text("def touch() -> None:\n    pass\n")
    (tmp_path / "words.bash").write_text(f"# --- Words ---\n\ntouch() {{\n  {bash}\n}}\n")
    words = load_vocabularies(tmp_path, ["words"])
    python = f"if {FULL}:\n    touch()\n    print({X})\n    print({OR})"
    assert shown(python, words=words) == printed


@pytest.mark.parametrize(
    ("python", "way"),
    [
        ("local.env['LC_ALL'] = 'C'", "env['LC_ALL=C', 'sort']"),
        ("x = 'a'\nlocal.env['TERM'] = x", "env[f'TERM={x}', 'sort']"),
        ("x = 'a'\nlocal.env['BASH_ENV'] = f'{x}b'", "env[f'BASH_ENV={x}b', 'sort']"),
        ("local.env.pop('LC_ALL', '')", "env['-u', 'LC_ALL', 'sort']"),
    ],
)
def test_variable_of_bash_is_given_to_a_program_by_env(python: str, way: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_text(program(python), "program.py", vocabulary())
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == (
        "D401",
        f'programs get it from env = program("env") at the top: {way}',
    )
    *first, _ = python.splitlines()
    body = "\n".join([*first, f"_ = {way} & RETCODE"])
    compile_text(program(body, 'env = program("env")\n'), "program.py", vocabulary())


def test_what_env_sets_reaches_the_program_in_both_forms(tmp_path: Path) -> None:
    top = 'env = program("env")\nsort = program("sort")\n'
    body = """_ = write_file("list", "b\\nB\\na\\n")
_, text = env["LC_ALL=C", "sort", "-u", "list"] & CAPTURE
print(text)
_, text = env["-u", "LC_ALL", "sh", "-c", "echo ${LC_ALL-none}"] & CAPTURE
print(text)"""
    python, bash = run_both(tmp_path, program(body, top))
    assert python == bash
    assert python.stdout == b"B\na\nb\nnone\n"
