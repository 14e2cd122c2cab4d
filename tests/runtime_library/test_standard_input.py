"""read_line reads standard input in the same way in both forms."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

import pytest
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
)

# Read lines until the status is not 0. Print each status and line, terminated by NUL.
READ_LINES = """\
import os, sys
from oauthkit import shell
status = 0
while status == 0:
    status, line = shell.read_line()
    sys.stdout.buffer.write(b"%d\\0%s\\0" % (status, os.fsencode(line)))
"""

READ_LINES_IN_BASH = """\
. "$1"
main() {
  local +x LC_ALL=C REPLY status=0
  while ((status == 0)); do
    read_line
    status=$?
    printf '%s\\0%s\\0' "$status" "$REPLY"
  done
}
main
"""

READERS = [
    [sys.executable, "-c", READ_LINES], ["bash", "-uc", READ_LINES_IN_BASH, "bash", str(LIBRARY)],
]  # fmt: skip


@pytest.mark.parametrize("argv", READERS, ids=["python", "bash"])
@pytest.mark.parametrize(
    ("stdin", "expected"),
    [
        (b"", b"1||"),
        (b"a\r\n\n b \\\n", b"0|a\r|0||0| b \\|1||"),
        (b"a\nb", b"0|a|0|b|1||"),
        (b"\0a\0\n\0\n\0", b"0|a|0||1||"),
        (b"\xff\n\xc3\xbc\x80", b"0|\xff|0|\xc3\xbc\x80|1||"),
    ],
    ids=["empty", "line ends", "no final line feed", "NUL", "not UTF-8"],
)
def test_read_line(argv: list[str], stdin: bytes, expected: bytes) -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, check=True)
    assert (done.stdout.replace(b"\0", b"|"), done.stderr) == (expected, b"")


@pytest.mark.parametrize("argv", READERS, ids=["python", "bash"])
def test_read_line_of_a_closed_stdin(argv: list[str]) -> None:
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *argv]
    done = subprocess.run(closed, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"1\0\0", b"")


def test_read_line_of_a_closed_stdin_reads_no_other_file() -> None:
    code = "import os; from oauthkit import shell; print(os.open('/proc/self/stat', 0))"
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c"]
    done = subprocess.run(
        [*closed, f"{code}; print(shell.read_line())"], capture_output=True, check=True
    )
    assert done.stdout == b"0\n(1, '')\n"


@pytest.mark.parametrize("argv", READERS, ids=["python", "bash"])
def test_read_line_ends_at_an_error(argv: list[str]) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b"a\nb")
    try:
        done = subprocess.run(argv, stdin=reader, capture_output=True, check=True)
    finally:
        os.close(reader)
        os.close(writer)
    assert (done.stdout, done.stderr) == (b"0\0a\0001\0\0", b"")


@pytest.mark.parametrize("argv", READERS, ids=["python", "bash"])
def test_read_line_waits_whatever_tmout_is(argv: list[str]) -> None:
    variables = {**os.environ, "TMOUT": "1"}
    with subprocess.Popen(
        argv, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        time.sleep(1.5)
        assert process.communicate(b"a\n")[0] == b"0\0a\0001\0\0"


def test_read_line_flushes_stdout() -> None:
    code = "from oauthkit import shell; print('prompt', end=''); shell.read_line()"
    variables = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        is_shown = select.select([process.stdout], [], [], 30)[0] != []
        assert process.communicate(b"\n")[0] == b"prompt"
    assert is_shown
