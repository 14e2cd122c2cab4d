"""Variables that are special in bash reach the commands that a program runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.compiler.programs import library, program, run_both

from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.driver import compile_text


@pytest.mark.parametrize(
    ("python", "way"),
    [
        ("local.env['LC_ALL'] = 'C'", "env['LC_ALL=C', 'sort']"),
        ("x = 'a'\nlocal.env['TERM'] = x", "env[f'TERM={x}', 'sort']"),
        ("x = 'a'\nlocal.env['BASH_ENV'] = f'{x}b'", "env[f'BASH_ENV={x}b', 'sort']"),
        ("local.env.pop('LC_ALL', '')", "env['-u', 'LC_ALL', 'sort']"),
    ],
)
def test_env_passes_a_bash_variable_to_a_program(python: str, way: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_text(program(python), "program.py", library())
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == (
        "D401",
        f"pass it to the command with the program env, as in `{way}`",
    )
    *first, _ = python.splitlines()
    body = "\n".join([*first, f"_ = {way} & RETCODE"])
    compile_text(program(body, 'env = program("env")\n'), "program.py", library())


def test_variables_set_by_env_reach_the_program(tmp_path: Path) -> None:
    top = 'env = program("env")\nsort = program("sort")\n'
    body = """_ = write_file("list", "b\\nB\\na\\n")
_, text = env["LC_ALL=C", "sort", "-u", "list"] & CAPTURE
print(text)
_, text = env["-u", "LC_ALL", "sh", "-c", "echo ${LC_ALL-none}"] & CAPTURE
print(text)"""
    python, bash = run_both(tmp_path, program(body, top))
    assert python == bash
    assert python.stdout == b"B\na\nb\nnone\n"
