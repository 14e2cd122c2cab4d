"""A program's lines and encoding are read as Python reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.compiler.programs import library, program

from oauthkit.compiler.diagnostics.report import CompileError
from oauthkit.compiler.driver import compile_text
from oauthkit.compiler.runtime_library import load_library
from oauthkit.compiler.source import Source

# Characters at which str.splitlines splits, but Python's tokenizer does not.
NOT_LINE_ENDINGS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def test_line_endings_match_python() -> None:
    source = Source(
        "p.py", f"a = 1  # {NOT_LINE_ENDINGS}x\r\nb = '{NOT_LINE_ENDINGS}'\r\f\nc = 3  # y\n"
    )
    assert source.lines == [
        f"a = 1  # {NOT_LINE_ENDINGS}x",
        f"b = '{NOT_LINE_ENDINGS}'",
        "\f",
        "c = 3  # y",
    ]
    assert source.comments == {1: f"# {NOT_LINE_ENDINGS}x", 4: "# y"}


@pytest.mark.parametrize("character", NOT_LINE_ENDINGS)
def test_columns_after_unicode_line_separators(character: str) -> None:
    body = """text = "a@b"
if text == "":
    print("1")
# about elif
elif text == "x":
    print("2")  # beside
else:
    print(text)"""
    text = program(body).replace("@", character)
    script, wanted = (compile_text(t, "p.py", library()) for t in (text, program(body)))
    assert script.rpartition("\n  if ")[2] == wanted.rpartition("\n  if ")[2]
    assert "  # about elif\n  elif " in script
    with pytest.raises(CompileError) as caught:
        compile_text(text.replace("print(text)", "print(nothing)"), "p.py", library())
    assert " |         print(nothing)\n" in str(caught.value)


def test_bash_half_keeps_unicode_line_separators(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("def shout(text: str) -> str: ...\n", "utf-8")
    half = f"# --- Builtins ---\n\nshout() {{\n  REPLY=$1'{NOT_LINE_ENDINGS}'\n}}\n"
    (tmp_path / "words.bash").write_text(half, "utf-8")
    words = load_library(tmp_path / "words.py", "words").builtins
    assert words["shout"].bash == f"shout() {{\n  REPLY=$1'{NOT_LINE_ENDINGS}'\n}}"


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("latin-1", "# -*- coding: latin-1 -*-\n"),
        ("cp1252", "#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n"),
    ],
)
def test_declared_encoding_is_used(encoding: str, head: str, tmp_path: Path) -> None:
    text = head + program("print('größer')")
    (tmp_path / "p.py").write_bytes(text.encode(encoding))
    argv = [sys.executable, "-m", "oauthkit", "compile", "p.py", "-o", "p.sh"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for argv in ([sys.executable, "p.py"], ["bash", "p.sh"]):
        said = subprocess.run(
            argv, cwd=tmp_path, env={"PYTHONUTF8": "1"}, capture_output=True, check=True
        )
        assert said.stdout == "größer\n".encode()


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "'utf-8' codec can't decode byte 0xe4"),
        (b"# coding: ascii\n", "'ascii' codec can't decode byte 0xe4"),
        (b"# coding: klingon\n", "unknown encoding"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "encoding problem"),
    ],
)
def test_unreadable_source_is_reported(head: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.py").write_bytes(head + b"\n\n# \xe4\n")
    argv = [sys.executable, "-m", "oauthkit", "compile", "p.py"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("oauthkit compile: p.py is neither UTF-8 nor in the encoding")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
