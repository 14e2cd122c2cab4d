"""The right half of each pair in docs/dialect.md is up to date. Both halves agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.support.compiler.programs import library, run_both
from tools.dialect_page import PAGE, PAIRS, bash_half, whole

from oauthkit.compiler.reserved_names import PRIMITIVES
from oauthkit.compiler.types import ANNOTATIONS, Signature


def test_every_block_has_a_counterpart() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("\n```python\n") == text.count("\n```bash\n") == len(PAIRS)


@pytest.mark.parametrize(("python", "bash"), PAIRS, ids=lambda half: half.partition("\n")[0][:40])
def test_bash_half_is_up_to_date(python: str, bash: str) -> None:
    assert bash == bash_half(python)


@pytest.mark.parametrize("python", [pair[0] for pair in PAIRS], ids=lambda half: half[:20])
def test_both_halves_have_equal_results(python: str, tmp_path: Path) -> None:
    in_python, in_bash = run_both(tmp_path, whole(python))
    assert in_bash == in_python
    assert b"Traceback" not in in_python.stderr, in_python.stderr.decode()


# --- The builtins ---

NAMES = {kind: name for name, kind in ANNOTATIONS.items()}


def shown(signature: Signature) -> str:
    """Return a signature in Python's notation."""
    parameters = ", ".join(f"{name}: {NAMES[kind]}" for name, kind in signature.parameters)
    results = [NAMES[kind] for kind in signature.results]
    many = f"tuple[{', '.join(results)}]"
    result = many if len(results) > 1 else "".join(results) or "None"
    return f"{signature.name}({parameters}) -> {result}"


def test_table_has_each_builtin_with_its_signature() -> None:
    section = PAGE.with_name("runtime-library.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+\(.*?)` \|", section, re.MULTILINE)
    assert sorted(named) == sorted(
        shown(builtin.signature) for builtin in library().builtins.values()
    )
    for name in PRIMITIVES:
        assert f"`{name}`" in section.partition("\n| builtin |")[0]


# --- Whole files ---


def indented(title: str) -> list[str]:
    """Return the indented blocks of a section."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2]
    found = re.findall(
        r"(?:^    .*\n|^\n(?=\n*    ))+", section.partition("\n## ")[0], re.MULTILINE
    )
    return [textwrap.dedent(block).strip("\n") + "\n" for block in found]


def test_program_and_test_on_the_page_work(tmp_path: Path) -> None:
    (text,) = indented("The shape of a program")
    test, commands = indented("Test both forms")
    (tmp_path / "hello.py").write_text(text, encoding="utf-8")
    (tmp_path / "test_hello.py").write_text(test, encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ran = [line.partition("#")[0].split() for line in commands.splitlines()]
    assert [line[0] for line in ran] == [
        f"VENV/bin/{name}" for name in ("python", "oauthkit", "pytest")
    ]
    # The first one installs packages.
    for _, *arguments in ran[1:]:
        name = "pytest" if arguments[0] == "test_hello.py" else "oauthkit"
        argv = [sys.executable, "-m", name, *arguments]
        done = subprocess.run(
            argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    (tmp_path / "hello.sh").write_text("#!/usr/bin/env bash\necho 'hello  5'\n")
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "bash and python differ in 1 place" in done.stdout
