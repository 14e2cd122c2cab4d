"""oauthkit compile: any program in the dialect, with a runtime library beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.compiler.extension import USES_WORDS, WORDS_BASH, WORDS_PY, oauthkit
from tests.support.compiler.programs import program

from oauthkit.compiler.driver import load_standard_library
from oauthkit.compiler.runtime_library import RuntimeLibrary, RuntimeLibraryError, load_library


def extended(directory: Path) -> RuntimeLibrary:
    """Return the standard library, extended with the directory's library."""
    return load_standard_library().extended(load_library(directory / "words.py", "words"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "hello.py").write_text(program("print('hello')"), encoding="utf-8")
    return tmp_path


def test_script_is_printed(directory: Path) -> None:
    done = oauthkit(directory, "hello.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("#!/usr/bin/env bash\n# A program.\n#\n")
    assert "from hello.py. Edit that file and run `oauthkit compile hello.py`.\n" in done.stdout


def test_unprintable_script_is_an_error(directory: Path) -> None:
    argv = [sys.executable, "-m", "oauthkit", "compile", "hello.py"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(argv, cwd=directory, stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"oauthkit: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(argv, cwd=directory, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_script_is_written_and_runs(directory: Path) -> None:
    (directory / "out").mkdir()
    done = oauthkit(directory, "hello.py", "-o", "out/hello.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (directory / "out/hello.sh").stat().st_mode & 0o777 == 0o755
    argv = [str(directory / "out/hello.sh")]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == b"hello\n"


def test_variables_can_be_named_like_closing_keywords(directory: Path) -> None:
    body = "done = 1\nfor fi in ('a', 'b'):\n    then = fi\n    print(f'{then}{done}')"
    (directory / "hello.py").write_text(program(body), encoding="utf-8")
    done = oauthkit(directory, "hello.py", "-o", "hello.sh")
    assert (done.returncode, done.stderr) == (0, "")
    said = subprocess.run(["bash", "hello.sh"], cwd=directory, capture_output=True, check=True)
    assert said.stdout == b"a1\nb1\n"


def test_text_can_end_with_a_backslash(directory: Path) -> None:
    body = "text = 'a\\\\b'\nprint(text.replace('\\\\', '\\\\\\\\'))\nprint('c\\\\')"
    (directory / "hello.py").write_text(program(body), encoding="utf-8")
    done = oauthkit(directory, "hello.py", "-o", "hello.sh")
    assert (done.returncode, done.stderr) == (0, "")
    said = subprocess.run(["bash", "hello.sh"], cwd=directory, capture_output=True, check=True)
    assert said.stdout == b"a\\\\b\nc\\\n"


def test_check_reports_a_stale_script_and_keeps_it(directory: Path) -> None:
    oauthkit(directory, "hello.py", "-o", "hello.sh")
    assert oauthkit(directory, "hello.py", "-o", "hello.sh", "--check").returncode == 0
    (directory / "hello.py").write_text(program("print('good day')"), encoding="utf-8")
    before = (directory / "hello.sh").read_bytes()
    done = oauthkit(directory, "hello.py", "-o", "hello.sh", "--check")
    assert done.returncode == 1
    assert "+  printf '%s\\n' 'good day'\n" in done.stdout
    assert (directory / "hello.sh").read_bytes() == before


def test_rejected_program_writes_nothing_and_names_the_page(directory: Path) -> None:
    (directory / "hello.py").write_text(program("true & TF\nprint(nothing)"), encoding="utf-8")
    (directory / "hello.sh").write_text("as it was")
    done = oauthkit(directory, "hello.py", "-o", "hello.sh")
    assert (done.returncode, done.stdout) == (1, "")
    assert "D201" in done.stderr
    assert "D301" in done.stderr
    assert done.stderr.endswith("oauthkit compile: rejected; see oauthkit explain D201 D301\n")
    assert (directory / "hello.sh").read_text() == "as it was"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("missing.py",), 2, "'missing.py' is not a file"),
        ((".", "-o", "hello.sh"), 2, "'.' is not a file"),
        (("hello.py", "-o", "."), 2, "--output '.' is not a file"),
        (("hello.py", "-o", "nope/x.sh"), 2, "--output 'nope/x.sh': there is no directory nope\n"),
        (("hello.py", "-o", "nope/x.sh", "--check"), 2, "there is no directory nope\n"),
        (("hello.py", "-o", "hello.py/x.sh"), 2, "there is no directory hello.py\n"),
        (("hello.py", "-o", ""), 2, "--output '' is not a file"),
        (("hello.py", "-o", "/dev/null"), 2, "--output '/dev/null' is not a file"),
        (("hello.py", "-o", "a\nb.sh"), 2, "characters that are not printable"),
        (("latin-1.py",), 1, "latin-1.py is neither UTF-8 nor in the encoding that it declares"),
        (("hello.py", "--check"), 2, "--check needs --output FILE"),
        (("hello.py", "-o", "./hello.py"), 2, "--output is the program itself"),
        ((), 2, "expected at least 1 positional argument"),
    ],
)
def test_missing_or_invalid_file_is_named(
    directory: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    (directory / "latin-1.py").write_bytes(b"# \xe4\n")
    before = (directory / "hello.py").read_bytes()
    done = oauthkit(directory, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (directory / "hello.py").read_bytes() == before
    assert not (directory / "nope").exists()


def test_runtime_library_beside_the_program(directory: Path) -> None:
    (directory / "words.py").write_text(WORDS_PY)
    (directory / "words.bash").write_text(WORDS_BASH)
    (directory / "loud.py").write_text(USES_WORDS, encoding="utf-8")
    # It works from another directory, too: the program's directory counts, as in Python.
    done = oauthkit(directory.parent, f"{directory.name}/loud.py", "-o", "x.sh")
    assert (done.returncode, done.stderr) == (0, "")
    for argv in (["bash", "../x.sh"], [sys.executable, "loud.py"]):
        said = subprocess.run(argv, cwd=directory, capture_output=True, text=True, check=True)
        assert said.stdout == " hello !\n"


def test_builtins_are_imported_from_their_module(directory: Path) -> None:
    (directory / "words.py").write_text(WORDS_PY)
    (directory / "words.bash").write_text(WORDS_BASH)
    helps = {
        "now_ms": "write: `from oauthkit.shell import now_ms`",
        "shot": "did you mean `shout`?",
        "xyz": "its builtins are shout",
    }
    for name, help in helps.items():
        text = USES_WORDS.replace("from words import shout", f"from words import {name}")
        (directory / "loud.py").write_text(text, encoding="utf-8")
        done = oauthkit(directory, "loud.py")
        assert done.returncode == 1
        assert f"words has no builtin {name}" in done.stderr
        assert f"= help: {help}" in done.stderr


@pytest.mark.parametrize(
    "body",
    [
        'loud "$1"',
        '[[ -n $1 ]] && loud "$1"',
        '[[ -z $1 ]] || loud "$1"',
        'if ! loud "$1"; then :; fi',
        '{ loud "$1"; }',
        ':; loud "$1"',
        'case $1 in *) loud "$1" ;; esac',
        "trap 'loud x' EXIT",
    ],
)
def test_callees_of_a_builtin_are_included(tmp_path: Path, body: str) -> None:
    loud = 'def loud(text: str) -> str:\n    return f"{text}!"\n'
    (tmp_path / "words.py").write_text(f"{WORDS_PY}\n{loud}")
    shouts = WORDS_BASH.partition("\n\n")[2].replace("REPLY=$1!", body)  # the first line
    (tmp_path / "words.bash").write_text(f"{shouts}\nloud() {{\n  REPLY=$1!\n}}\n")
    words = extended(tmp_path).with_callees({"shout"})
    assert [word.signature.name for word in words] == ["shout", "loud"]


@pytest.mark.parametrize(
    ("python", "bash", "said"),
    [
        (WORDS_PY.replace("shout", "parse_int"), WORDS_BASH.replace("shout", "parse_int"), "both"),
        (
            WORDS_PY.replace("shout", "print"),
            WORDS_BASH.replace("shout", "print"),
            "words.py:3: print is reserved by the dialect. Rename the builtin",
        ),
        (WORDS_PY, WORDS_BASH.replace("# --- B", "set -e\n\n# --- B"), "code above its builtins"),
    ],
)
def test_builtins_that_do_not_match_are_rejected(
    directory: Path, python: str, bash: str, said: str
) -> None:
    (directory / "words.py").write_text(python)
    (directory / "words.bash").write_text(bash)
    with pytest.raises(RuntimeLibraryError, match=said):
        extended(directory)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "shout () {\n  :\n}\n",
            "words.bash:6: shout is not written in the form that oauthkit reads. Write `shout() {`",
        ),
        (
            "function shout {\n  :\n}\n",
            "words.bash:6: shout is not written in the form that oauthkit reads. Write `shout() {`",
        ),
        (
            "shout() { :; }\n",
            "words.bash:6: shout is not written in the form that oauthkit reads. Write `shout() {`",
        ),
        ("_help() {\n  :\n}\n\nshout() {\n  :\n}\n", "words.bash:6: _help is private"),
    ],
)
def test_malformed_bash_half_is_reported(directory: Path, body: str, said: str) -> None:
    (directory / "words.py").write_text(WORDS_PY)
    (directory / "words.bash").write_text(WORDS_BASH.partition("shout() {")[0] + body)
    with pytest.raises(RuntimeLibraryError) as caught:
        extended(directory)
    assert str(caught.value).startswith(said)


def test_linked_output_is_followed(directory: Path) -> None:
    (directory / "real.sh").write_text("old")
    (directory / "link.sh").symlink_to("real.sh")
    assert oauthkit(directory, "hello.py", "-o", "link.sh").returncode == 0
    assert (directory / "link.sh").is_symlink()
    assert (directory / "real.sh").read_text().startswith("#!/usr/bin/env bash\n")


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("def (:\n", "words.py or words.bash cannot be read"),
        (f"DESCRIPTORS = open\n\n{WORDS_PY}", "DESCRIPTORS is not a literal dict"),
        (f"STATE = ['x']\n\n{WORDS_PY}", "STATE is not a literal tuple"),
        (f"STATE = (1, 2)\n\n{WORDS_PY}", "STATE is not a literal tuple of names"),
        (f"STATE = ('a b',)\n\n{WORDS_PY}", "STATE is not a literal tuple of names"),
        (f"STATE = ({{[]: 1}},)\n\n{WORDS_PY}", "STATE is not a literal tuple of names"),
        *(
            (
                f"DESCRIPTORS = {{{facts}}}\n\n{WORDS_PY}",
                "DESCRIPTORS is not a literal dict from builtins",
            )
            for facts in ("'shout': 'x'", "1: 8", "'shout': 2", "'shout': 10", "'shout': True")
        ),
        (f"STATE = ('_secrets',)\n\n{WORDS_PY}", "both use _secrets"),
        (f"DESCRIPTORS = {{'shout': 9}}\n\n{WORDS_PY}", "both use 9"),
    ],
)
def test_unusable_runtime_library_is_named(directory: Path, python: str, said: str) -> None:
    (directory / "words.py").write_text(python)
    (directory / "words.bash").write_text(WORDS_BASH)
    (directory / "loud.py").write_text(USES_WORDS, encoding="utf-8")
    done = oauthkit(directory, "loud.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_module_that_python_would_not_import_is_rejected(directory: Path) -> None:
    (directory / "words").mkdir()
    (directory / "words/__init__.py").write_text(WORDS_PY)
    (directory / "words.py").write_text(WORDS_PY)
    (directory / "words.bash").write_text(WORDS_BASH)
    (directory / "loud.py").write_text(USES_WORDS, encoding="utf-8")
    done = oauthkit(directory, "loud.py")
    assert (done.returncode, done.stdout) == (1, "")
    said = "D103: words is also a package, which Python imports instead of words.py\n"
    assert said in done.stderr


def test_runtime_library_search_runs_no_module(directory: Path) -> None:
    (directory / "package").mkdir()
    (directory / "package" / "__init__.py").write_text("raise SystemExit('was run')")
    (directory / "package" / "words.py").write_text(WORDS_PY)
    (directory / "package" / "words.bash").write_text(WORDS_BASH)
    text = USES_WORDS.replace("from words", "from package.words")
    (directory / "loud.py").write_text(text, encoding="utf-8")
    assert oauthkit(directory, "loud.py").returncode == 0


@pytest.mark.parametrize(("place", "status"), [("site", 0), ("nowhere", 1)])
def test_runtime_library_is_found_in_sys_path(directory: Path, place: str, status: int) -> None:
    (directory / "site").mkdir()
    (directory / "site/words.py").write_text(WORDS_PY)
    (directory / "site/words.bash").write_text(WORDS_BASH)
    (directory / "loud.py").write_text(USES_WORDS, encoding="utf-8")
    argv = [sys.executable, "-m", "oauthkit", "compile", "loud.py"]
    environment = {**os.environ, "PYTHONPATH": str(directory / place)}
    done = subprocess.run(
        argv, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert ("\nshout() {\n" in done.stdout) == (status == 0)
