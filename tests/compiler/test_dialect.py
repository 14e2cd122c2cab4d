"""docs/dialect.md: each pair in it is what the compiler makes today, and both halves do the same.

`python tests/compiler/test_dialect.py --write` writes the bash halves anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

from both import library, program, run_both

from oauthkit.compiler.dialect import PRIMITIVES
from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.types import ANNOTATIONS, Signature

PAGE = Path(__file__).parents[2] / "docs" / "dialect.md"
PAIR = re.compile(r"^```python\n(.*?)^```\n\n```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def whole(python: str) -> str:
    """The left half of a pair as a program: what stands above a line --- stands above main."""
    above, line, body = python.rpartition("\n---\n")
    return program(body, above) if line else program(python)


def bash_half(python: str) -> str:
    """What the compiler makes of the left half, without what only declares main's variables."""
    script = compile_text(whole(python), "program.py", library())
    body = script.partition("\nmain() {\n")[2].partition("\n  return 0\n}\n")[0]
    lines = [line[2:] for line in body.splitlines()]
    while re.fullmatch(r"local \+x [\w ]+|local \+x -a( \w+=\(\))+", lines[0]):
        lines.pop(0)
    parts = []
    for name in re.findall(r"^def (\w+)\(", python, re.MULTILINE):
        found = re.search(rf"^(#.*\n)*{name}\(\) {{\n(.*\n)*?}}\n", script, re.MULTILINE)
        assert found is not None
        parts.append(found[0])
    return "\n".join([*parts, "\n".join(lines) + "\n"])


def filled(page: str) -> str:
    """The page with every right half as the compiler makes it."""
    return PAIR.sub(lambda m: f"```python\n{m[1]}```\n\n```bash\n{bash_half(m[1])}```", page)


PAIRS = PAIR.findall(PAGE.read_text(encoding="utf-8"))


def test_no_fence_is_without_its_other_half() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("\n```python\n") == text.count("\n```bash\n") == len(PAIRS)


@pytest.mark.parametrize(("python", "bash"), PAIRS, ids=lambda half: half.partition("\n")[0][:40])
def test_the_right_half_is_what_the_compiler_makes(python: str, bash: str) -> None:
    assert bash == bash_half(python)


@pytest.mark.parametrize("python", [pair[0] for pair in PAIRS], ids=lambda half: half[:20])
def test_both_halves_do_the_same(python: str, tmp_path: Path) -> None:
    in_python, in_bash = run_both(tmp_path, whole(python))
    assert in_bash == in_python
    assert b"Traceback" not in in_python.stderr, in_python.stderr.decode()


# --- The builtins ---

NAMES = {kind: name for name, kind in ANNOTATIONS.items()}


def shown(signature: Signature) -> str:
    """A signature as Python has it."""
    parameters = ", ".join(f"{name}: {NAMES[kind]}" for name, kind in signature.parameters)
    results = [NAMES[kind] for kind in signature.results]
    many = f"tuple[{', '.join(results)}]"
    result = many if len(results) > 1 else "".join(results) or "None"
    return f"{signature.name}({parameters}) -> {result}"


def test_the_table_has_each_builtin_with_its_signature() -> None:
    section = PAGE.with_name("runtime-library.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+\(.*?)` \|", section, re.MULTILINE)
    assert sorted(named) == sorted(
        shown(builtin.signature) for builtin in library().builtins.values()
    )
    for name in PRIMITIVES:
        assert f"`{name}`" in section.partition("\n| builtin |")[0]


# --- What stands there as whole files ---


def indented(title: str) -> list[str]:
    """The blocks of a section that are indented."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2]
    found = re.findall(
        r"(?:^    .*\n|^\n(?=\n*    ))+", section.partition("\n## ")[0], re.MULTILINE
    )
    return [textwrap.dedent(block).strip("\n") + "\n" for block in found]


def test_the_program_and_its_test_do_what_the_page_says(tmp_path: Path) -> None:
    (text,) = indented("The shape of a program")
    test, commands = indented("Test both forms")
    (tmp_path / "hello.py").write_text(text, encoding="utf-8")
    (tmp_path / "test_hello.py").write_text(test, encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ran = [line.partition("#")[0].split() for line in commands.splitlines()]
    assert [line[0] for line in ran] == [
        f"VENV/bin/{name}" for name in ("python", "oauthkit", "pytest")
    ]
    # The first one installs.
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


if __name__ == "__main__" and "--write" in sys.argv:
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
