"""Update the bash halves of docs/dialect.md: .venv/bin/python -m tools.dialect_page."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.compiler.programs import library, program

from oauthkit.compiler.driver import compile_text

PAGE = Path(__file__).parents[1] / "docs" / "dialect.md"
PAIR = re.compile(r"^```python\n(.*?)^```\n\n```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def whole(python: str) -> str:
    """Return the left half of a pair as a program. Code before a line --- precedes main."""
    above, line, body = python.rpartition("\n---\n")
    return program(body, above) if line else program(python)


def bash_half(python: str) -> str:
    """Return the compiled left half, without declarations of main's variables."""
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
    """Return the page with newly compiled right halves."""
    return PAIR.sub(lambda m: f"```python\n{m[1]}```\n\n```bash\n{bash_half(m[1])}```", page)


PAIRS = PAIR.findall(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
