"""The differences in docs/from-plumbum.md exist as described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.compiler.bashes import BASHES
from tests.support.compiler.programs import program, run_all

PAGE = Path(__file__).parents[3] / "docs" / "from-plumbum.md"
# A program that is not in PATH, a path that does not exist, and a file that is not executable.
PROGRAMS = ("no-such-program", "./no-such-program", "/dev/null")
REASON = re.compile(
    rb"(command not found|exec: \S+: not found|No such file or directory|Permission denied)\n"
)
STREAMS = {
    "ERROUT": "status, said = (tool >= ERROUT) & CAPTURE",
    "a file": 'status = (tool >= "said") & RETCODE\n_, said = cat["said"] & CAPTURE',
    "a file that takes both": (
        'status = ((tool > "said") >= ERROUT) & RETCODE\n_, said = cat["said"] & CAPTURE'
    ),
}


def section() -> str:
    """Return the page's section about differences, on one line."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## Where the two forms differ\n")[2]
    return " ".join(text.split())


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_bash_reports_a_failed_start_on_redirected_stderr(
    name: str, stream: str, tmp_path: Path
) -> None:
    assert "bash writes its own error message there" in section()
    body = f'{STREAMS[stream]}\nprint(f"{{status}}\\n{{said}}")'
    text = program(body).replace('program("true")', f'program("true")\ntool = program("{name}")')
    python, found = run_all(tmp_path, text, (), BASHES.values())
    status = b"126" if name == "/dev/null" else b"127"
    assert python.stdout == status + b"\n\n"
    for release, bash in zip(BASHES, found, strict=True):
        first, _, said = bash.stdout.partition(b"\n")
        assert first == status, f"bash {release}"
        assert b"program.sh: line " in said
        assert REASON.search(said), said
        assert (bash.status, bash.stderr) == (python.status, python.stderr) == (0, b"")


def test_started_program_has_equal_stderr(tmp_path: Path) -> None:
    """A program's own report that a program is missing is not changed."""
    body = 'status, said = (sh["-c", "no-such"] >= ERROUT) & CAPTURE\nprint(f"{status} {said}")'
    python, found = run_all(tmp_path, program(body), (), BASHES.values())
    assert python.stdout.startswith(b"127 ")
    assert b"not found" in python.stdout
    assert [bash.stdout for bash in found] == [python.stdout] * len(found)


def test_joined_pieces_of_a_character(tmp_path: Path) -> None:
    assert "Joined pieces become one character in bash, for `len`," in section()
    body = """
first = printf("\\\\342\\\\202")
second = printf("\\\\254")
text = first + second
length = len(text)
print(length)
"""
    python, found = run_all(tmp_path, program(body), (), BASHES.values())
    assert python.stdout == b"3\n"
    assert {bash.stdout for bash in found} == {b"1\n"}


def test_bash_runs_a_text_file_without_a_shebang(
    tmp_path: Path,
) -> None:
    assert "A text file without a `#!` line" in section()
    body = (
        'w = write_file("tool", "echo hello\\n")\n_ = sh["-c", "chmod +x tool"] & RETCODE\n'
        'status, said = tool & CAPTURE\nprint(f"{w} {status} {said}")'
    )
    text = program(body).replace('program("true")', 'program("true")\ntool = program("./tool")')
    python, found = run_all(tmp_path, text, (), BASHES.values())
    assert python.stdout == b"0 126 \n"
    assert {bash.stdout for bash in found} == {b"0 0 hello\n"}


def test_missing_interpreter_status_differs_by_version(
    tmp_path: Path,
) -> None:
    assert (
        "names a missing interpreter, the status is 127. Some versions of bash return 126"
        in section()
    )
    body = (
        'w = write_file("tool", "#!/no/such\\n")\n_ = sh["-c", "chmod +x tool"] & RETCODE\n'
        'status = tool & RETCODE\nprint(f"{w} {status}")'
    )
    text = program(body).replace('program("true")', 'program("true")\ntool = program("./tool")')
    python, found = run_all(tmp_path, text, (), BASHES.values())
    assert python.stdout == b"0 127\n"
    assert {bash.stdout for bash in found} <= {b"0 126\n", b"0 127\n"}


@pytest.mark.parametrize("operator", ["//", "%"])
def test_division_by_zero_ends_both_forms(operator: str, tmp_path: Path) -> None:
    assert "Division by zero: both end with status 1" in section()
    body = f'print("before")\nzero = 0\nprint(7 {operator} zero)'
    python, found = run_all(tmp_path, program(body), (), BASHES.values())
    assert (python.stdout, python.status) == (b"before\n", 1)
    assert b"ZeroDivisionError" in python.stderr
    for bash in found:
        assert (bash.stdout, bash.stderr, bash.status) == (b"before\n", b"division by zero\n", 1)
