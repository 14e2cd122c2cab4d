"""oauthkit generate, and the shipped script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.compiler.programs import library, program

from oauthkit.compiler import lint
from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.runtime_library import RuntimeLibraryError, load_library

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    path.name: path.read_bytes() for path in sorted((ROOT / "scripts" / "oauth").glob("*.sh"))
}


def oauthkit(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "oauthkit", *arguments], capture_output=True, text=True, check=False
    )


def generated(directory: Path) -> dict[str, bytes]:
    """Return the scripts in a directory that has nothing else. Each must be executable."""
    paths = sorted(directory.iterdir())
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o755] * len(paths)
    return {path.name: path.read_bytes() for path in paths}


def test_shipped_script_is_up_to_date() -> None:
    assert list(SCRIPTS) == ["follow.sh", "publish.sh", "refresh.sh"]
    result = oauthkit("generate", "--check")
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_shipped_script_passes_the_linters(name: str) -> None:
    lint.verify(SCRIPTS[name].decode(), lints=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_stale_script_is_reported_with_a_diff_and_kept(tmp_path: Path, name: str) -> None:
    for script, content in SCRIPTS.items():
        (tmp_path / script).write_bytes(content)
    stale = SCRIPTS[name].replace(b"umask 077", b"umask 022")
    (tmp_path / name).write_bytes(stale)
    result = oauthkit("generate", "--check", "--output", str(tmp_path))
    assert result.returncode == 1
    assert "-  umask 022" in result.stdout
    assert "+  umask 077" in result.stdout
    assert (tmp_path / name).read_bytes() == stale


def test_generate_replaces_the_scripts_atomically(tmp_path: Path) -> None:
    directory = tmp_path / "new directory"
    done = oauthkit("generate", "--output", str(directory))
    assert done.returncode == 2
    assert done.stderr == f"oauthkit generate: --output: {directory} is not a directory\n"
    directory.mkdir()
    assert oauthkit("generate", "--output", str(directory)).returncode == 0
    assert generated(directory) == SCRIPTS


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("if true; then\n", "bash (exit 2)"),
        ("#!/usr/bin/env bash\necho $1\n", "shellcheck (exit 1)"),
        ("#!/usr/bin/env bash\nif true; then\necho hello\nfi\n", "shfmt (exit 1)"),
    ],
)
def test_script_rejected_by_a_linter_is_not_written(broken: str, said: str) -> None:
    with pytest.raises(lint.RejectedScriptError) as caught:
        lint.verify(broken, lints=True)
    assert said in str(caught.value)


def test_compilation_is_deterministic(tmp_path: Path) -> None:
    """Another process with another hash seed gives the same script: no order depends on a set."""
    for seed in ("1", "2"):
        directory = tmp_path / seed
        directory.mkdir()
        argv = [sys.executable, "-m", "oauthkit", "generate", "--output", str(directory)]
        environment = {"PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]}
        subprocess.run(argv, env=environment, check=True)
        assert generated(directory) == SCRIPTS


def test_script_has_only_used_builtins() -> None:
    script = compile_text(program("n = now_ms()\nprint(f'{n}')"), "p", library())
    assert "\nnow_ms() {" in script
    assert "\ntake_lock() {" not in script
    assert "9>&-" not in script
    # the others are callees of log
    names = [word.signature.name for word in library().with_callees({"log"})]
    assert names == ["timestamp", "replace_controls", "mask_secrets", "log", "complain"]


CALLS = """def last() -> None:
    print("last")


def second() -> None:
    last()


{comment}def first() -> None:
    second()
"""


@pytest.mark.parametrize(
    ("comment", "order"),
    [
        ("", ["main", "first", "second", "last"]),
        ("# Adjacent.\n", ["main", "first", "second", "last"]),
        ("# --- Section ---\n\n\n", ["last", "second", "first", "main"]),
    ],
)
def test_callers_come_before_callees_unless_there_are_sections(
    comment: str, order: list[str]
) -> None:
    text = program("first()\nn = now_ms()\nprint(f'{n}')", CALLS.format(comment=comment))
    script = compile_text(text, "program.py", library())
    names = re.findall(r"(?m)^(\w+)\(\) \{$", script)
    assert names[names.index("start") :] == ["start", *order, "now_ms"]
    assert script.index("# --- Runtime library ---") < script.index("\nnow_ms() {")


def test_line_length_is_limited() -> None:
    scripts = [*(ROOT / "scripts/oauth").glob("*.sh"), *(ROOT / "examples").glob("[!d]*/*.sh")]
    assert len(scripts) > 3
    lines = [line for path in scripts for line in path.read_text(encoding="utf-8").splitlines()]
    long = [line for line in lines if len(line) > 102 and "FILTER=" not in line]
    assert long == []


OPTIONS = '"--an-option-with-a-long-name", "--another-one-of-these", "--one-more-of-these", "x"'
LONG_CONDITIONS = f"""
if works("one", printf[{OPTIONS}, "a", "more text"]):
    print("one")
elif not works("two", printf[{OPTIONS}, "more"]):
    print("two")
while works("three", printf[{OPTIONS}]) and works("four", printf[{OPTIONS}, "and more text"]):
    break
"""


def test_long_loop_is_broken_into_lines() -> None:
    words = ", ".join(f'"a long word {number}"' for number in range(9))
    text = program(f"for word in ({words}):\n    print(word)\n")
    script = compile_text(text, "program.py", library())
    lint.verify(script, lints=True)
    assert max(map(len, script.splitlines())) <= 100
    assert script.count(" \\\n") == 1


def test_long_conditions_are_broken_into_lines() -> None:
    functions = "def works(what: str, command: BaseCommand) -> bool:\n    print(what)\n"
    functions += "    return command & TF\n"
    text = program(LONG_CONDITIONS, functions)
    script = compile_text(text, "program.py", library())
    lint.verify(script, lints=True)
    assert max(map(len, script.splitlines())) <= 100
    assert script.count(" \\\n") == 4


@pytest.mark.parametrize(
    ("python", "bash", "said"),
    [
        (
            "def a() -> int: ...\n",
            "# --- Builtins ---\nb() {\n  :\n}\n",
            "same builtins in the same order",
        ),
        (
            "def a() -> int: ...\ndef b() -> int: ...\n",
            "# --- Builtins ---\nb() {\n  :\n}\n\na() {\n  :\n}\n",
            "same builtins in the same order",
        ),
        ("def a(x) -> int: ...\n", "# --- Builtins ---\na() {\n  :\n}\n", "x has no type"),
        ("def a(x: str): ...\n", "# --- Builtins ---\na() {\n  :\n}\n", "no result type"),
        (
            "def a() -> tuple[int, bool]: ...\n",
            "# --- Builtins ---\na() {\n  :\n}\n",
            "no result type",
        ),
        ("def a() -> int: ...\n" * 2, "# --- Builtins ---\na() {\n  :\n}\n", "a is defined twice"),
        (
            "def a() -> int: ...\na = len\n",
            "# --- Builtins ---\na() {\n  :\n}\n",
            "a is defined twice",
        ),
        ("def a() -> int: ...\n", "a() {\n  :\n}\n", "has no line that starts"),
        *(
            (
                f"def a({parameters}) -> int: ...\n",
                "# --- Builtins ---\na() {\n  :\n}\n",
                "position only",
            )
            for parameters in ("x: str = ''", "*x: str", "**x: str", "*, x: str", "x: str, /")
        ),
    ],
)
def test_library_with_mismatched_halves_is_rejected(
    python: str, bash: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "words.py").write_text(python)
    (tmp_path / "words.bash").write_text("# About.\n\n:\n\n" + bash)
    with pytest.raises(RuntimeLibraryError, match=said):
        load_library(tmp_path / "words.py", "words")
