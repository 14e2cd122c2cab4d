"""The linters accept the script of every program in these tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.compiler.comments import TEXT
from tests.support.compiler.conformance import CASES
from tests.support.compiler.programs import library, program
from tools.dialect_page import PAIRS, whole

from oauthkit.compiler import lint
from oauthkit.compiler.driver import compile_text

SCRIPT = (Path(__file__).parents[2] / "scripts/oauth/refresh.sh").read_text("utf-8")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("scripts")
    programs = {f"conformance, {name}": program(*case) for name, case in CASES.items()}
    programs |= {f"dialect, {i}": whole(python) for i, (python, _) in enumerate(PAIRS)}
    programs["comments"] = TEXT
    paths = []
    for name, text in programs.items():
        path = directory / name
        path.write_text(compile_text(text, "program.py", library()), "utf-8")
        paths.append(str(path))
    return paths


@pytest.mark.parametrize(
    ("name", "options"), [("shellcheck", lint.SHELLCHECK), ("shfmt", lint.SHFMT)]
)
def test_every_script_is_accepted(name: str, options: tuple[str, ...], scripts: list[str]) -> None:
    argv = [lint.linter(name), *options, *scripts]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_shipped_script_passes_every_check() -> None:
    """Some checks are excluded for other programs. The refresh passes these, too."""
    argv = [lint.linter("shellcheck"), "--shell=bash", "--norc", "-"]
    done = subprocess.run(argv, input=SCRIPT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_shellcheck_advice_about_commands_rejects_nothing() -> None:
    commands = ("tr", "echo", "rm", "grep", "expr", "ssh", "sudo", "find", "mkdir", "cp", "chmod")
    bindings = "\n".join(f'{name} = program("{name}")' for name in commands)
    body = """
directory = local.env.get("DIRECTORY", "")
_ = tr["a-z", "[A-Z]"] & RETCODE
_ = echo["a\\\\n", "~/x", "$HOME"] & RETCODE
_ = rm["-rf", f"{directory}/"] & RETCODE
_ = grep["*x", directory] & RETCODE
_ = expr["1", "+", "2"] & RETCODE
_ = ssh["host", f"echo {directory}"] & RETCODE
_ = (sudo["id"] > "file") & RETCODE
_ = find["-name", "*", "-exec", "sh", "-c", "echo {}", ";"] & RETCODE
_ = mkdir["-p", "-m", "700", directory] & RETCODE
_ = cp[directory] & RETCODE
_ = printf[directory] & RETCODE
_ = printf["%s %s", directory] & RETCODE
_, text = echo["x"] & CAPTURE
print(text)
_ = (echo["x"] < "file") & RETCODE
_ = (rm["x"] < "5") & RETCODE
_ = chmod["-r", "file"] & RETCODE
_ = grep["-v", "foo*", "file"] & RETCODE
_, text = testing["x", "=", "xy"] & CAPTURE
print(text)
_ = sudo["deploy"] & RETCODE
deploy()
"""
    deploy = "def deploy() -> None:\n    _ = ssh['host', 'deploy'] & RETCODE\n"
    functions = f"{bindings}\n\n\n{deploy}"
    script = compile_text(program(body, functions), "program.py", library())
    lint.verify(script, lints=True)
