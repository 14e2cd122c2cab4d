"""Small programs behave the same in CPython and bash. No expected result is written by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.compiler.bashes import BASHES
from tests.support.compiler.conformance import CASES
from tests.support.compiler.extension import oauthkit
from tests.support.compiler.programs import library, program, run_all

from oauthkit.compiler.driver import compile_text

if TYPE_CHECKING:
    from pathlib import Path


SILENT = ("pass", "exit status")
# The programs that are started with arguments.
WITH_ARGUMENTS = ("arguments", "number of arguments")
ARGUMENTS = ("a b", "", "*", "-x", "ü\n")


HOLD_PY = '''"""Holds a descriptor."""

DESCRIPTORS = {"hold": 3}


def hold() -> None:
    """Open a file that commands do not inherit."""
'''
HOLD_BASH = """# Holds a descriptor.

# --- Builtins ---

# Open a file as descriptor 3.
hold() {
  exec 3</dev/null
}
"""


def test_command_does_not_inherit_descriptor_3_of_a_builtin(tmp_path: Path) -> None:
    """The script itself uses 3 to hide bash's messages."""
    text = program("""hold()
check = sh["-c", "cat; test ! -e /proc/self/fd/3 && echo closed; echo err >&2"]
check & FG
(check > "out") & FG
text = (check >= "err")()
status = ((check << "x") | check) & RETCODE(FG=True)
more, other = (check >= ERROUT) & CAPTURE
print(f"{text}{status}{more}{other}")""").replace(
        "from oauthkit.shell", "from holding import hold\n\nfrom oauthkit.shell"
    )
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "holding.py").write_text(HOLD_PY)
    (tmp_path / "holding.bash").write_text(HOLD_BASH)
    done = oauthkit(tmp_path, "program.py", "-o", "program.sh")
    assert done.returncode == 0, done.stderr
    starts = [[sys.executable, "program.py"], *([bash, "program.sh"] for bash in BASHES.values())]
    found = [
        subprocess.run(
            argv, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        for argv in starts
    ]
    assert found[0].stdout.count(b"closed") == 5
    results = [(ran.returncode, ran.stdout, ran.stderr) for ran in found]
    assert results == results[:1] * len(results)


GROUP = """read -r _ _ _ _ mine _ </proc/$$/stat
read -r _ _ _ _ other _ </proc/$PPID/stat
test "$mine" = "$other"
"""


def test_commands_share_the_process_group_of_the_program(tmp_path: Path) -> None:
    """A signal to the group reaches all of them, even if the caller's SHELLOPTS has job control."""
    text = program(f'status = sh["-c", {GROUP!r}] & RETCODE\nprint(f"{{status}}")')
    options = {"SHELLOPTS": "monitor"}
    python, found = run_all(tmp_path, text, (), BASHES.values(), options)
    assert python.stdout == b"0\n"
    assert [(bash.stdout, bash.stderr) for bash in found] == [(b"0\n", b"")] * len(found)


def test_command_that_does_not_read_its_text_succeeds(tmp_path: Path) -> None:
    """SIGPIPE then ends printf. That is not the command's status, even with pipefail."""
    text = program(f'text = "{"x" * 100}"\n' + "text += text\n" * 11 + """\
status = (true << text) & RETCODE
print(f"{status}")""")  # fmt: skip
    python, found = run_all(tmp_path, text, (), BASHES.values(), {"SHELLOPTS": "pipefail"})
    assert python.stdout == b"0\n"
    assert [(bash.stdout, bash.stderr) for bash in found] == [(b"0\n", b"")] * len(found)


# bash must be waiting when the signal comes: one that comes before that ends it.
INTERRUPTED = {
    "command that continues": ("trap : INT; sleep 0.5; kill -INT 0; exit 3", 0, b"3\n"),
    "command that is killed": ("sleep 0.5; kill -INT 0; sleep 9", -signal.SIGINT, b""),
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_is_left_to_a_command_with_the_streams_of_the_program(
    name: str, tmp_path: Path
) -> None:
    """Ctrl-C sends SIGINT to the process group."""
    script, status, stdout = INTERRUPTED[name]
    text = program(f'status = sh["-c", {script!r}] & RETCODE(FG=True)\nprint(f"{{status}}")')
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "program.sh").write_text(compile_text(text, "program.py", library()))
    starts = [[sys.executable, "program.py"], *([bash, "program.sh"] for bash in BASHES.values())]
    for argv in starts:
        done = subprocess.run(
            argv, cwd=tmp_path, capture_output=True, check=False, start_new_session=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (status, stdout, b""), argv


# Locales, and options of bash that change what * matches, or in which order.
SURROUNDINGS = [
    {"LC_ALL": "C"},
    {"LC_ALL": "C.UTF-8"},
    {"LC_COLLATE": "C.UTF-8", "GLOBSORT": "-name", "GLOBIGNORE": "*a*", "IFS": "a."},
    {"BASHOPTS": "dotglob:extglob:failglob:globstar:nocaseglob", "SHELLOPTS": "noglob"},
]
LOOPS = [name for name in CASES if name.startswith("loop over ")]


@pytest.mark.parametrize("variables", SURROUNDINGS, ids="-".join)
def test_loops_do_not_depend_on_the_surroundings(variables: dict[str, str], tmp_path: Path) -> None:
    assert len(LOOPS) >= 8
    for name in LOOPS:
        (tmp_path / name).mkdir()
        text = program(*CASES[name])
        python, found = run_all(tmp_path / name, text, (), BASHES.values(), variables)
        assert found == [python] * len(found), name


READER = """text = sys.stdin.read()
print(f"<{text}>")
again = sys.stdin.read()
status, seen = cat & CAPTURE
print(f"<{again}> {status} <{seen}>")
for line in text.splitlines():
    print(line)"""
# An input, and the exit status.
INPUTS = {
    "empty": (b"", 0),
    "line ends": (b"a\r\nb\rc\n\n", 0),
    "no final newline": (b" a \\\n\tb", 0),
    "characters": ("ü\x85€\n".encode(), 0),
    "not UTF-8": (b"\xff\xc3\n\x80\xc2\x85\x01\x7f", 0),
    "large": (b"x" * 70000 + b"\n" * 70000, 0),
    "NUL": (b"a\0b\n", 1),
    "only NUL": (b"\0", 1),
    "NUL at the end": (b"a\n\0", 1),
}


@pytest.mark.parametrize("name", INPUTS)
def test_standard_input_is_read_alike(name: str, tmp_path: Path) -> None:
    stdin, status = INPUTS[name]
    for variables in ({}, {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"}):
        where = tmp_path / "-".join(["x", *variables])
        where.mkdir()
        python, found = run_all(where, program(READER), (), BASHES.values(), variables, stdin)
        assert found == [python] * len(found)
        assert python.status == status
        assert b"Traceback" not in python.stderr, python.stderr.decode()
        if status == 0:
            assert python.stdout.startswith(b"<" + stdin + b">\n<> 0 <>\n")
        else:
            assert (python.stdout, python.stderr[:15]) == (b"", b"standard input ")


LINE_READER = """status, line = read_line()
while status == 0:
    print(f"<{line}>")
    if line == "rest":
        text = sys.stdin.read()
        print(f"rest <{text}>")
    status, line = read_line()
print(f"{status} <{line}>")"""
# Each input, and the expected stdout.
LINES = {
    "empty": (b"", b"1 <>\n"),
    "line ends": (b"a\r\n\nb\n", b"<a\r>\n<>\n<b>\n1 <>\n"),
    "no final line feed": (b" a \\\n\tb", b"< a \\>\n<\tb>\n1 <>\n"),
    "NUL bytes": (b"\0a\0b\0\n\0\n\0", b"<ab>\n<>\n1 <>\n"),
    "not UTF-8": (b"\xff\xc3\n\x80", b"<\xff\xc3>\n<\x80>\n1 <>\n"),
    "the rest": (b"a\nrest\nb\nc", b"<a>\n<rest>\nrest <b\nc>\n1 <>\n"),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_standard_input_are_read_alike(name: str, tmp_path: Path) -> None:
    stdin, expected = LINES[name]
    python, found = run_all(tmp_path, program(LINE_READER), (), BASHES.values(), {}, stdin)
    assert found == [python] * len(found)
    assert (python.status, python.stdout, python.stderr) == (0, expected, b"")


@pytest.mark.parametrize("stdin", ["closed", "write-only"])
def test_read_line_of_an_unreadable_stdin(stdin: str, tmp_path: Path) -> None:
    text = program(LINE_READER)
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "program.sh").write_text(compile_text(text, "program.py", library()))
    script = 'exec "$@" <&-' if stdin == "closed" else 'exec "$@" 0>file'
    starts = [[sys.executable, "program.py"], *([bash, "program.sh"] for bash in BASHES.values())]
    for argv in starts:
        done = subprocess.run(
            ["sh", "-c", script, "sh", *argv], cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"1 <>\n", b""), argv


@pytest.mark.timeout(60)
def test_prompt_is_shown_before_the_answer_is_read(tmp_path: Path) -> None:
    text = program("""print("name? ", end="")
_, name = read_line()
print(f"hello {name}")
cat & FG""")
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "program.sh").write_text(compile_text(text, "program.py", library()))
    starts = [[sys.executable, "program.py"], *([bash, "program.sh"] for bash in BASHES.values())]
    # With PYTHONUNBUFFERED, the prompt would be visible even without a flush.
    variables = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    for argv in starts:
        with subprocess.Popen(
            argv, cwd=tmp_path, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            shown = b""
            while shown != b"name? ":
                byte = process.stdout.read(1)
                assert byte, f"{argv}: {shown!r}"
                shown += byte
            process.stdin.write(b"x\nfor cat\n")
            process.stdin.close()
            assert process.stdout.read() == b"hello x\nfor cat\n", argv


def test_standard_input_is_read_whatever_tmout_is(tmp_path: Path) -> None:
    compiled = compile_text(program(READER), "program.py", library())
    (tmp_path / "program.sh").write_text(compiled)
    for bash in BASHES.values():
        with subprocess.Popen(
            [bash, "program.sh"], cwd=tmp_path, env={**os.environ, "TMOUT": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            time.sleep(1.5)
            shown, _ = process.communicate(b"late\n")
        assert shown.startswith(b"<late\n>\n"), bash


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_commands_run_without_standard_streams(tmp_path: Path, closed: str) -> None:
    body = "sh['-c', 'echo x >a'] & FG\nsh('-c', 'echo x >b')\n"
    body += "status = sh['-c', 'echo x >c; exit 3'] & RETCODE(FG=True)\nif status != 0:\n"
    body += "    return status"
    (tmp_path / "program.py").write_text(program(body), encoding="utf-8")
    script = compile_text(program(body), "program.py", library())
    (tmp_path / "program.sh").write_text(script, encoding="utf-8")
    for argv in (
        [sys.executable, "program.py"],
        *([bash, "program.sh"] for bash in BASHES.values()),
    ):
        run = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *argv]
        assert subprocess.run(run, cwd=tmp_path, check=False).returncode == 3
        for name in "abc":
            (tmp_path / name).unlink()


def test_closed_standard_input_is_empty(tmp_path: Path) -> None:
    text = program(READER)
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "program.sh").write_text(compile_text(text, "program.py", library()))
    starts = [[sys.executable, "program.py"], *([bash, "program.sh"] for bash in BASHES.values())]
    for argv in starts:
        closed = ["sh", "-c", 'exec "$@" <&-', "sh", *argv]
        done = subprocess.run(closed, cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"<>\n<> 0 <>\n", b""), argv


@pytest.mark.parametrize("name", CASES)
def test_results_are_equal(name: str, tmp_path: Path) -> None:
    body, functions = CASES[name]
    arguments = ARGUMENTS if name in WITH_ARGUMENTS else ()
    python, found = run_all(tmp_path, program(body, functions), arguments, BASHES.values())
    for release, bash in zip(BASHES, found, strict=True):
        assert bash == python, f"bash {release}"
    assert b"Traceback" not in python.stderr, python.stderr.decode()
    assert python.stdout or python.files or name in SILENT, "the program has no output"


@pytest.mark.parametrize("bash", BASHES.values(), ids=BASHES)
def test_name_of_a_program_begins_with_a_dash(tmp_path: Path, bash: str) -> None:
    tool = tmp_path / "-x"
    tool.write_text("#!/bin/sh\necho $1\nexit 4\n", encoding="utf-8")
    tool.chmod(0o755)
    run = "status = tool['a'] & RETCODE(FG=True)\nprint(f'{status}')\ntool('b')"
    text = program(run).replace('program("true")', 'program("true")\ntool = program("-x")')
    path = {"PATH": f"{tmp_path}:{os.defpath}"}
    python, (found,) = run_all(tmp_path, text, (), [bash], path)
    assert (python.status, python.stdout) == (4, b"a\n4\n")
    assert found == python
