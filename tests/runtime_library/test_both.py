"""Each builtin behaves the same in shell.py and shell.bash."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plumbum import LocalPath, local
from tests.support.refresh.fake_host import release
from tests.support.runtime_library.bash_bodies import (
    LIBRARY,
    Result,
    call_in_bash,
    files_with,
    run_python,
    texts,
)

import oauthkit
from oauthkit import shell
from oauthkit.program import delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

few = settings(deadline=None, max_examples=25)

NUMBERS = ["0", "1", "-1", "-0", "007", "0009", "-08", "999999999999999", "-999999999999999"]
INVALID_NUMBERS = [
    "", "-", "+1", " 1", "1 ", "1\n", "\n1", "1.5", "1e3", "0x10", "1_000", "--1", "a", "٣", "²",
    "1000000000000000", "-1000000000000000", "9" * 40, "BASH_VERSINFO[$(touch x)]", "1;2", "10#7",
]  # fmt: skip
DIGITS = ["-", "+", "0", "8", "9", "12", "99999", " ", ".", "e", "$(x)"]


def python_parse_int(text: str) -> Result:
    status, number = shell.parse_int(text)
    return Result(status, str(number))


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


@few
@given(texts(DIGITS, longest=8))
@example(NUMBERS + INVALID_NUMBERS)
def test_parse_int(inputs: list[str]) -> None:
    assert call_in_bash("parse_int", inputs) == [python_parse_int(text) for text in inputs]


def test_parse_int_in_python() -> None:
    for text in NUMBERS:
        assert shell.parse_int(text) == (0, int(text))
    for text in INVALID_NUMBERS:
        assert shell.parse_int(text) == (1, 0)


TOKENS = ["a", "Z9", "-._~+/", "a=", "a==", "sk-ant-oat01-A_b-c", "/"]
INVALID_TOKENS = [
    "",
    "=",
    "=a",
    "a=b",
    "a b",
    "a\n",
    "\na",
    "a|b",
    "a&b",
    "a\\",
    "a$",
    "ü",
    "a\x7f",
    "ª",
]


@few
@given(texts(["a", "Z", "0", "=", "-", ".", "_", "~", "+", "/", " ", "|", "&", "\\", "$", "ü"]))
@example(TOKENS + INVALID_TOKENS)
def test_is_b64token(inputs: list[str]) -> None:
    found = [result.status == 0 for result in call_in_bash("is_b64token", inputs)]
    assert found == [shell.is_b64token(text) for text in inputs]


def test_is_b64token_in_python() -> None:
    assert [text for text in TOKENS + INVALID_TOKENS if shell.is_b64token(text)] == TOKENS


UNIT_NAMES = ["a", "Z", "0", "my-unit", "a:b_c.d", "\\x2d", "_", "a" * 80]
INVALID_UNIT_NAMES = [
    "", "-a", ".a", "a b", "a/b", "a@b", "ü", "\udcff", "a\n", "a\x1b", "a" * 81, "a$", "a*", "[a]",
]  # fmt: skip


@few
@given(
    texts(["a", "Z", "0", ":", "_", ".", "-", "\\", "@", "/", " ", "\n", "ü", "\udcff", "a" * 80])
)
@example(UNIT_NAMES + INVALID_UNIT_NAMES)
def test_is_unit_name(inputs: list[str]) -> None:
    found = [result.status == 0 for result in call_in_bash("is_unit_name", inputs)]
    assert found == [shell.is_unit_name(text) for text in inputs]


def test_is_unit_name_in_python() -> None:
    names = UNIT_NAMES + INVALID_UNIT_NAMES
    assert [text for text in names if shell.is_unit_name(text)] == UNIT_NAMES


MASKED = [
    ("", ""),
    ("no token", "no token"),
    ("sk-ant-", "sk-ant-***"),
    ("sk-ant-oat01-Ab_9-x", "sk-ant-***"),
    ("(sk-ant-x) sk-ant-y\nsk-ant-z", "(sk-ant-***) sk-ant-***\nsk-ant-***"),
    ("sk-ant-xsk-ant-y", "sk-ant-***"),
    ("sk-ant-sk-ant-", "sk-ant-***"),
    ("sk-ant-***", "sk-ant-******"),
    ("xsk-ant-y.z", "xsk-ant-***"),
    ("sk-ant", "sk-ant"),
    ("SK-ANT-x", "SK-ANT-x"),
    ("sk-ant-ü", "sk-ant-***ü"),
    ("sk-ant-a\udcffb", "sk-ant-***\udcffb"),
    ("*?[sk-ant-a]*\\", "*?[sk-ant-***]*\\"),
]


@few
@given(texts(["sk-ant-", "sk-", "ant-", "s", "k", "-", "_", "A9", "*", "[", "\\", ".", " "]))
@example([text for text, _ in MASKED])
def test_mask_secrets(inputs: list[str]) -> None:
    found = [result.reply for result in call_in_bash("mask_secrets", inputs)]
    assert found == [shell.mask_secrets(text) for text in inputs]


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_mask_secrets_in_python(text: str, masked: str) -> None:
    assert shell.mask_secrets(text) == masked


SECRET = "made-up*secret?[a]"


@few
@given(texts(["made-up", "*secret?", "[a]", SECRET, "sk-ant-", "a", "*", "***"]))
@example([SECRET, SECRET * 2, f"sk-ant-{SECRET}", f"x {SECRET}\n{SECRET}", SECRET[:-1]])
def test_mask_added_secret(inputs: list[str]) -> None:
    found = [result.reply for result in call_in_bash("mask_secrets", inputs, secret=SECRET)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(shell, "_secrets", [])
        shell.add_secret(SECRET)
        assert found == [shell.mask_secrets(text) for text in inputs]
    assert not any(SECRET in text for text in found)


def test_short_text_is_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = 'add() {\n  add_secret "$1"\n  mask_secrets "<$1>"\n}\n'
    source = (Path(oauthkit.__file__).parent / "shell.bash").read_text("utf-8") + driver
    for text, masked in (("eleven-char", "<eleven-char>"), ("twelve-chars", "<***>")):
        monkeypatch.setattr(shell, "_secrets", [])
        shell.add_secret(text)
        assert shell.mask_secrets(f"<{text}>") == masked
        assert call_in_bash("add", [text], source=source)[0].reply == masked


# A text, and the result with "?" as the mark.
CONTROLS = [
    ("", ""),
    ("plain ü € 😀 \xa0", "plain ü € 😀 \xa0"),
    ("\x00\x1b\x7f\n"[1:], "???"),
    ("\x80\x9b\x9f", "???"),  # C1 in UTF-8
    ("\udc80\udc9b\udc9f", "???"),  # C1 as single bytes
    ("À\udc9b", "À?"),  # its second byte is 0x80, but it is not a control character
    ("é\udc9bx\udcff\udc9b", "é?x\udcff?"),
    ("\udca0\udcc2\udce2\udc82", "\udca0\udcc2\udce2?"),  # truncated
    ("\udce2\udc9bx\udcf0\udc9f\udc98", "\udce2?x\udcf0??"),
]


@few
@given(
    texts(
        ["\x1b", "\x9b", "\udc9b", "\udc80", "\udca0", "\udcc2", "\udce2", "\udcf0", "À", "x", "€"]
    )
)
@example([text for text, _ in CONTROLS])
def test_replace_controls(inputs: list[str]) -> None:
    for mark in ("?", "", "&\\*"):
        found = call_in_bash("replace_controls", [(text, mark) for text in inputs])
        shown = [shell.replace_controls(text, mark) for text in inputs]
        assert [result.reply for result in found] == shown


@pytest.mark.parametrize(("text", "shown"), CONTROLS)
def test_replace_controls_in_python(text: str, shown: str) -> None:
    assert shell.replace_controls(text, "?") == shown


PATHS = [
    "",
    ".",
    "..",
    "/",
    "//",
    "///",
    "/..",
    "~",
    "~/x",
    "a/../..",
    "/a/./b//c/",
    "a\n",
    " ",
    "*",
]


@few
@given(texts(["/", "//", ".", "..", "/../", "/./", "a", " ", "~", "*", "$HOME", "-"], longest=8))
@example(PATHS)
def test_absolute(inputs: list[str]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir("/usr/bin")
        wanted = [str(shell.absolute(text)) for text in inputs]
        found = call_in_bash("absolute", inputs, cwd=Path("/usr/bin"))
        paths = [os.path.normpath(Path("/usr/bin", text)) for text in inputs]
    assert wanted == [path.replace("//", "/") for path in paths]
    assert [result.reply for result in found] == wanted


def test_absolute_in_a_directory_reached_by_a_link(place: Path) -> None:
    (place / "real").mkdir()
    (place / "link").symlink_to("real")
    os.chdir(place / "link")
    # PWD is the caller's path to this directory. Both forms use the directory itself.
    env = {"PWD": str(place / "link")}
    (found,) = call_in_bash("absolute", ["x"], cwd=place / "link", env=env)
    assert found.reply == str(shell.absolute("x")) == str(place / "real" / "x")


def test_absolute_in_a_deleted_directory(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "gone").mkdir()
    os.chdir(place / "gone")
    (place / "gone").rmdir()
    assert str(shell.absolute("/x")) == "/x"
    with pytest.raises(SystemExit, match="1"):
        shell.absolute("x")
    assert (
        capfd.readouterr().err
        == "the working directory no longer exists. Change to another directory\n"
    )


# POSIX rules, so that no zone file is needed: the last Sunday of March, and so on.
ZONES = {
    "UTC0": [0],
    "EST5EDT,M3.2.0,M11.1.0": [1772953200, 1793512800],
    "CET-1CEST,M3.5.0,M10.5.0/3": [1774746000, 1792890000],
    "NST3:30NDT,M3.2.0,M11.1.0": [1772947800, 1793507400],
    "LHST-10:30LHDT-11,M10.1.0,M4.1.0": [1775314800, 1791041400],
    "IST-5:30": [1767323045],
    "<+0545>-5:45": [1767323045],
    "<+14>-14": [1767323045],
    "<-12>12": [1767323045],
    "<-0030>0:30": [1767323045],
}


def seconds_around(moments: list[int]) -> list[int]:
    offsets = [-86400, -3601, -3600, -1801, -1800, -1, 0, 1, 1799, 1800, 3599, 3600, 86400]
    return [moment + offset for moment in moments for offset in offsets if moment + offset > 0]


@pytest.mark.parametrize("zone", ZONES)
def test_timestamp(place: Path, zone: str) -> None:
    seconds = [*seconds_around(ZONES[zone]), 1, 951782399, 951782400, 4102444800]
    local.env["TZ"] = zone
    python = [shell.timestamp(second) for second in seconds]
    bash = [r.reply for r in call_in_bash("timestamp", list(map(str, seconds)), env={"TZ": zone})]
    days = place / "days"
    days.write_text("".join(f"@{second}\n" for second in seconds), encoding="ascii")
    date = subprocess.run(
        ["date", "-Iseconds", "-f", str(days)],
        env={"TZ": zone, "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert python == date.stdout.decode().splitlines()
    assert bash == python
    assert len({text[-6:] for text in python}) == (2 if zone.count(",") else 1)


@pytest.mark.usefixtures("place")
def test_timestamp_without_tz_uses_the_system_zone() -> None:
    local.env["TZ"] = "XYZ-3:30"
    assert shell.timestamp(0)[-6:] == "+03:30"
    del local.env["TZ"]
    (bash,) = call_in_bash("timestamp", ["0"])
    assert [shell.timestamp(0), shell.timestamp(0)] == [bash.reply] * 2


CONTENTS = [b"", b"a", b"a\n", b"\n\n", b" a \\\r\n", b"\xff\xfe", b"\0", b"a\0", b"a\0b", b"\0b\0"]
BATCH = st.lists(st.binary(max_size=20), min_size=1, max_size=20)


@few
@given(BATCH)
@example(CONTENTS)
def test_read_file(contents: list[bytes]) -> None:
    with files_with(contents) as paths:
        python = [Result(*shell.read_file(path)) for path in paths]
        assert call_in_bash("read_file", paths) == python
    wanted = [Result(2, "") if b"\0" in c else Result(0, os.fsdecode(c)) for c in contents]
    assert python == wanted


@pytest.mark.parametrize("size", [256 * 1024, 256 * 1024 + 1, 256 * 1024 + 2])
@pytest.mark.parametrize("end", [b"", b"\0"])
def test_read_file_reads_256_kib(place: Path, size: int, end: bytes) -> None:
    text = b"x" * (size - len(end)) + end
    (place / "file").write_bytes(text)
    status = 3 if size > 256 * 1024 else 0
    if end and size <= 256 * 1024 + 1:  # later bytes are not read
        status = 2
    python = Result(*shell.read_file(str(place / "file")))
    assert python == Result(status, "" if status else text.decode())
    assert call_in_bash("read_file", [str(place / "file")]) == [python]


def test_same_file(place: Path) -> None:
    (place / "file").touch()
    (place / "other").touch()
    (place / "directory").mkdir()
    os.link(place / "file", place / "second")
    for link, target in (("link", "file"), ("dangling", "none"), ("to-directory", "directory")):
        (place / link).symlink_to(target)
    names = [
        "file", "other", "directory", "second", "link", "dangling", "to-directory", "none", "",
        "directory/..", ".", str(place), "directory/", "file/", "/dev/null", "-f", "!",
    ]  # fmt: skip
    pairs = [(first, second) for first in names for second in names]
    found = call_in_bash("same_file", pairs, cwd=place)
    os.chdir(place)
    assert [result.status == 0 for result in found] == [shell.same_file(*pair) for pair in pairs]


# Bytes at the limits of UTF-8 (RFC 3629): first bytes, continuation bytes, and ASCII.
UTF8_BYTES = bytes.fromhex(
    "61 0a 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff"
)
UTF8_PIECES = [bytes([byte]) for byte in UTF8_BYTES]
# A character for each length in bytes, and for each first byte that limits the second.
CHARACTERS = "\x80\u07ff\u0800\u1000\ud7ff\ue000\uffff\U00010000\U00040000\U0010ffff"
UTF8_PIECES += [c.encode() for c in CHARACTERS]
# Too long, surrogates, above U+10FFFF, and cut off.
INVALID = ("c080", "e08080", "e09fbf", "eda080", "edbfbf", "f0808080", "f08fbfbf", "f4908080",
           "f5808080", "e282", "f09f98")  # fmt: skip
UTF8_PIECES += map(bytes.fromhex, INVALID)


@given(st.lists(st.lists(st.sampled_from(UTF8_PIECES), max_size=6), min_size=1, max_size=150))
@settings(max_examples=20, deadline=None)
def test_characters_are_counted_as_in_python(pieces: list[list[bytes]]) -> None:
    texts = [b"".join(parts).decode("utf-8", "surrogateescape") for parts in pieces]
    found = call_in_bash("count_characters", texts)
    assert [result.reply for result in found] == [str(len(text)) for text in texts]


BOUNDS = st.integers(-8, 8) | st.sampled_from([-(2**63), 2**63 - 1])


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(UTF8_PIECES), max_size=6), BOUNDS, BOUNDS | st.none()),
        min_size=1,
        max_size=150,
    )
)
@example([([b"a" * shift + "\u20ac\U0001f600".encode() * 300], 280, -5) for shift in range(7)])
@example([([c.encode(), b"ab"], 1, 2) for c in CHARACTERS])
@settings(max_examples=20, deadline=None)
def test_slices_match_python(calls: list[tuple[list[bytes], int, int | None]]) -> None:
    slices = [
        (b"".join(parts).decode("utf-8", "surrogateescape"), start, end)
        for parts, start, end in calls
    ]
    words = [(text, str(start), "" if end is None else str(end)) for text, start, end in slices]
    found = call_in_bash("slice_text", words)
    assert [result.reply for result in found] == [text[start:end] for text, start, end in slices]


def test_change_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/b", "-", "-L", "x y", "n\n", "CDPATH/elsewhere"):
        (place / name).mkdir(parents=True)
    (place / "link").symlink_to("a/b")
    (place / "loop").symlink_to("loop")
    (place / "file").touch()
    names = [
        "a", "..", "a/b", "../..", "-", "-L", "../-L", "../link", "..", "../x y", "../n\n", "..",
        "", "file", "loop", "none", "elsewhere", "x" * 300, "./" * 3000, ".", "./.", "//",
        str(place),
    ]  # fmt: skip
    monkeypatch.chdir(place)
    statuses, directories = [], []
    for name in names:
        statuses.append(shell.change_directory(name))
        directories.append(f"{Path.cwd()}/")
    source = LIBRARY.read_text("utf-8")
    source += 'both() {\n  change_directory "$1"\n  set -- "$?"\n'
    source += '  REPLY=$(readlink -n /proc/self/cwd; echo /)\n  return "$1"\n}\n'
    env = {"CDPATH": f"{place}/CDPATH", "OLDPWD": "/usr"}
    found = call_in_bash("both", names, source=source, cwd=place, env=env)
    assert [result.status for result in found] == statuses
    assert [result.reply for result in found] == directories
    assert {*statuses} == {0, 1}


@pytest.mark.parametrize("kind", ["directory", "missing", "fifo"])
def test_not_a_file(place: Path, kind: str) -> None:
    path = place / "thing"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    assert call_in_bash("read_file", [str(path)]) == [Result(1, "")]
    # In a separate process, because a body that opens a FIFO waits forever.
    program = "import sys; from oauthkit import shell as s; print(s.read_file(sys.argv[1]), end='')"
    try:
        printed = run_python(program, str(path))
    except subprocess.TimeoutExpired:
        pytest.fail("read_file waits for a writer of a FIFO")
    assert printed == "(1, '')"


def test_failed_read_clears_the_text_of_the_previous_call(place: Path) -> None:
    source = LIBRARY.read_text("utf-8") + 'both() {\n  REPLY=before\n  read_file "$1"\n}\n'
    assert call_in_bash("both", [f"{place}/none"], source=source) == [Result(1, "")]


@pytest.mark.parametrize("has_writer", [False, True])
def test_fifo_in_place_of_a_file_does_not_block(place: Path, has_writer: bool) -> None:
    """In the Python form, another user replaces the file between the check and the open."""
    path = place / "thing"
    os.mkfifo(path)
    program = (
        "import os, sys; from oauthkit import shell as s\n"
        "writer = os.open(sys.argv[1], os.O_RDWR) if sys.argv[2:] else None\n"
        "os.path.isfile = lambda _: True\n"
        "print(s.read_file(sys.argv[1]), end='')\n"
    )
    try:
        printed = run_python(program, str(path), *["writer"] * has_writer)
    except subprocess.TimeoutExpired:
        pytest.fail("read_file waits for a FIFO")
    assert printed == "(0, '')"


def test_file_that_cannot_be_read_to_its_end() -> None:
    # Reading a process's memory from its start fails, as reading from a broken disk would.
    assert shell.read_file("/proc/self/mem") == (1, "")
    assert call_in_bash("read_file", ["/proc/self/mem"]) == [Result(1, "")]


# --- Environment ---

ENVIRONMENT = {"SET": "a $b 'c'", "EMPTY": "", "_x1": "y", "a-b": "z", "é": "z"}
NAMES = [
    *ENVIRONMENT, "NONE", "", "1", "a b", "UID", "RANDOM", "REPLY", "BASH_VERSION", "SET[0]",
    "SET\n", "a[$(touch ran)]", "HOME[$(touch ran)]",
]  # fmt: skip
GET_ENV = {
    "bash": 'main() {\n  for name; do get_env "$name"; printf "%s|" "$REPLY"; done\n}\nmain "$@"\n',
    "python": "import sys; from oauthkit.shell import get_env\n"
    "for name in sys.argv[1:]:\n    print(get_env(name), end='|')\n",
}
SET_ENV = {
    "bash": 'main() {\n  local +x NEW\n  for name; do set_env "$name" 1; done\n}\n'
    'main "$@"\nexec /usr/bin/env\n',
    "python": "import sys, plumbum; from oauthkit.shell import set_env\n"
    "for name in sys.argv[1:]:\n    set_env(name, '1')\n"
    "print(plumbum.local['/usr/bin/env'](), end='')\n",
}


def run_with_environment(form: str, texts: dict[str, str], names: list[str], place: Path) -> str:
    """Run one of the texts with `names` as arguments, and return its output."""
    argv = [sys.executable, "-c", texts[form]]
    if form == "bash":
        argv = ["/bin/bash", "-c", LIBRARY.read_text("utf-8") + texts[form], "bash"]
    environment = ENVIRONMENT | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*argv, *names], cwd=place, env=environment, capture_output=True, check=True
    )
    assert done.stderr == b""
    assert not (place / "ran").exists()
    return done.stdout.decode()


@pytest.mark.parametrize("form", GET_ENV)
def test_get_env_of_any_text(place: Path, form: str) -> None:
    """In bash, a subscript would be evaluated, and its command would run."""
    found = run_with_environment(form, GET_ENV, NAMES, place).split("|")
    assert found == ["a $b 'c'", "", "y", *[""] * (len(NAMES) - 2)]


@pytest.mark.parametrize("form", SET_ENV)
def test_set_env_of_any_text(place: Path, form: str) -> None:
    names = ["x-y", "", "1", "a b", "SET[0]", "a[$(touch ran)]", "NEW"]
    lines = run_with_environment(form, SET_ENV, names, place).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["SET"] == ENVIRONMENT["SET"]
    assert {name: values.get(name) for name in names} == dict.fromkeys(names) | {"NEW": "1"}


# --- Units ---

UNIT_PATHS = [
    "/", "/srv/nano claw", "/srv/a-b", "/srv/a/b", "/.config/x", "/a.b_c:d", "/tr/ailing/",
    "/ä/\x01\n'\"$", "/@%\\~", "/\udcff",
]  # fmt: skip


def test_escape_unit() -> None:
    paths = [*UNIT_PATHS, "/" + "x-" * 200]
    found = call_in_bash("escape_unit", paths)
    expected = [shell.escape_unit(path) for path in paths]
    assert [result.reply for result in found] == expected
    assert len(expected[-1]) == 150


@pytest.mark.parametrize("path", UNIT_PATHS)
def test_escape_unit_matches_systemd(path: str) -> None:
    program = shutil.which("systemd-escape")
    if program is None:
        pytest.skip("systemd-escape not found in PATH. Install it: apt install systemd")
    argv = [os.fsencode(program), b"--path", os.fsencode(path)]
    done = subprocess.run(argv, capture_output=True, check=True)
    assert shell.escape_unit(path) == done.stdout.decode().removesuffix("\n")


@pytest.mark.parametrize(
    "path",
    ["{a}:{b}", "{b}:{a}", "/no:{b}", "{plain}:{directory}:{b}", ":{b}", "{b}:", "{b}//:{a}", "no"],
)
def test_find_program(place: Path, path: str) -> None:
    for name in ("a", "b", "plain", "directory"):
        (place / name).mkdir()
    for name in ("a/tool", "b/tool", "b/other", "tool"):
        (place / name).touch(mode=0o755)
    (place / "plain" / "tool").touch(mode=0o644)
    (place / "directory" / "tool").mkdir()
    (place / "a" / "dangling").symlink_to("none")
    (place / "b" / "dangling").touch(mode=0o755)
    setting = path.format(**{name: place / name for name in ("a", "b", "plain", "directory")})
    names = ["tool", "other", "none", "dangling", "./tool", str(place / "a/tool"), "a/", str(place)]
    local.env["PATH"] = setting
    found = call_in_bash("find_program", names, cwd=place, env={"PATH": setting})
    assert [result.reply for result in found] == [shell.find_program(name) for name in names]


@few
@given(texts(["a", " ", "\\", "%s", "-n", "'", "ü"]))
@example(["", "\n", "\n\n", "-n", "-e \\t", "%d"])
def test_write_file(inputs: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="oauthkit-twins-") as directory:
        python = [f"{directory}/python{number}" for number in range(len(inputs))]
        bash = [f"{directory}/bash{number}" for number in range(len(inputs))]
        found = call_in_bash("write_file", list(zip(bash, inputs, strict=True)))
        assert {result.status for result in found} == {0}
        for in_python, in_bash, text in zip(python, bash, inputs, strict=True):
            assert shell.write_file(in_python, text) == 0
            assert Path(in_python).read_bytes() == os.fsencode(text)
            assert Path(in_bash).read_bytes() == os.fsencode(text)


def create_file(form: str, *call: str) -> tuple[int, str]:
    """Create a file in one of the forms. Return the status and the model's mode."""
    if form == "python":
        return shell.create_file(*call)
    (result,) = call_in_bash("create_file", [call], env={"PATH": local.env["PATH"]})
    return result.status, result.reply


@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_at_an_existing_path(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "file").write_text("kept", encoding="utf-8")
    (place / "link").symlink_to("file")
    (place / "dangling").symlink_to("none")
    (place / "to-pipe").symlink_to("pipe")
    os.mkfifo(place / "pipe")
    reader = os.open(
        place / "pipe", os.O_RDONLY | os.O_NONBLOCK
    )  # otherwise, bash would wait for one
    for name in ("file", "link", "dangling", ".", "", "to-pipe", "pipe"):
        assert create_file(form, f"{place}/{name}", "x", "", "") == (4, "")
    assert create_file(form, f"{place}/no/file", "x", "", "") == (1, "")
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert create_file(form, f"{place}/pipe", "x", "", "") == (4, "")
    assert (place / "file").read_text(encoding="utf-8") == "kept"
    assert not (place / "none").exists()


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    ("model", "mode"),
    [("none", ""), (".", ""), *[(f"{m:o}", f"{m:o}") for m in (0o600, 0o4755, 0o40)]],
)
def test_create_file(place: Path, form: str, model: str, mode: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    if mode:
        (place / model).write_text("model", encoding="utf-8")
        (place / model).chmod(int(mode, 8))
    text = "ü\udcff\n\n"
    assert create_file(form, f"{place}/new", text, f"{place}/{model}", mode and "model") == (
        0,
        mode,
    )
    assert (place / "new").read_bytes() == os.fsencode(text)
    assert stat.S_IMODE((place / "new").stat().st_mode) == int(mode or "600", 8)


@pytest.mark.parametrize("form", ["bash", "python"])
def test_created_file_is_private_from_the_start(place: Path, form: str) -> None:
    program = place / "bin" / "chmod"
    program.parent.mkdir()
    text = '#!/bin/sh\nmode=$(/usr/bin/stat -Lc %a /proc/$$/fd/1)\necho "$mode" >"$0.mode"\n'
    text += 'exec /usr/bin/chmod "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    local.env["PATH"] = str(program.parent)
    os.umask(0)
    assert create_file(form, f"{place}/new", "x", "", "") == (0, "")
    assert (place / "bin/chmod.mode").read_text(encoding="utf-8") == "600\n"


@pytest.mark.parametrize(("status_file", "mask"), [("status", "0027"), ("none", "0077")])
def test_create_file_restores_umask_and_options(place: Path, status_file: str, mask: str) -> None:
    source = LIBRARY.read_text("utf-8").replace("/proc/self/status", f"/proc/self/{status_file}")
    source += "both() {\n  umask 027\n  create_file \"$1\" '' '' ''\n  REPLY=$(umask)\n"
    source += "  [[ $- != *C* ]]\n} 2>/dev/null\n"
    assert call_in_bash("both", [f"{place}/new"], source=source) == [Result(0, mask)]


# Create the file $1. After the check that it is missing, the code $2 creates it first.
LATE_FILE = """
both() {
  local file=$1 make=$2
  umask() {
    [[ -e $file ]] || eval "$make"
    builtin umask "$@"
  }
  create_file "$file" mine "" ""
}
"""


@pytest.mark.parametrize("make", ['printf theirs >"$file"', 'ln -s pipe "$file"'])
def test_file_that_appears_after_the_check_is_kept(place: Path, make: str) -> None:
    os.mkfifo(place / "pipe")
    reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    source = LIBRARY.read_text("utf-8") + LATE_FILE
    assert call_in_bash("both", [(f"{place}/new", make)], source=source) == [Result(4, "")]
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert (place / "new").is_symlink() or (place / "new").read_text("utf-8") == "theirs"


@pytest.mark.parametrize("copies", ["cp", "chmod"])
def test_programs_of_create_file_inherit_no_descriptors(place: Path, copies: str) -> None:
    text = '#!/bin/bash\nprintf "%s\\n" /proc/$$/fd/* >"$0.fds"\nexec "/usr/bin/${0##*/}" "$@"\n'
    (place / "bin").mkdir()
    used = ["chmod", "stat", "cp", *(["ls", "chown"] if copies == "chmod" else [])]
    for name in used:
        is_broken = name == "cp" and copies == "chmod"
        (place / "bin" / name).write_text(
            text.replace("exec ", "exit 1 # ") if is_broken else text, encoding="utf-8"
        )
        (place / "bin" / name).chmod(0o755)
    (place / "model").touch(mode=0o640)
    source = LIBRARY.read_text("utf-8")
    source += 'both() {\n  exec 6</ 8>/dev/null 9>/dev/null\n  create_file "$@"\n}\n'
    calls = [(f"{place}/a", "x", "", ""), (f"{place}/b", "x", f"{place}/model", "")]
    env = {"PATH": str(place / "bin")}
    found = call_in_bash("both", calls, source=source, env=env)
    assert found == [Result(0, ""), Result(0, "640")]
    for name in used:
        lines = (place / "bin" / f"{name}.fds").read_text(encoding="utf-8").split()
        # 3 is the directory that is listed, and 255 is the script.
        assert {Path(line).name for line in lines} <= {"0", "1", "2", "3", "255"}


# Create a file with the model $1. Before the model is opened, a directory replaces it.
LATE_DIRECTORY = """
both() {
  set -uT
  trap '[[ $BASH_COMMAND != "exec {model}< "* ]] || { /bin/rm "$3"; /bin/mkdir "$3"; }' DEBUG
  create_file "$1.new" x "$1" "$2"
  local status=$?
  trap - DEBUG
  return "$status"
}
"""


@pytest.mark.parametrize("old", ["", "old"])
def test_directory_that_replaces_the_model(place: Path, old: str) -> None:
    (place / "model").write_text(old, "utf-8")
    source = LIBRARY.read_text("utf-8") + LATE_DIRECTORY
    env = {"PATH": local.env["PATH"]}
    found = call_in_bash("both", [(f"{place}/model", old)], source=source, env=env)
    assert found == [Result(1, "")]
    assert (place / "model").is_dir()


# The same with a FIFO, which has a writer.
LATE_FIFO = """
both() {
  set -T
  trap '[[ $BASH_COMMAND != "exec {model}< "* ]] ||
    { /bin/rm "$3"; /usr/bin/mkfifo -m 644 "$3"; exec {writer}<>"$3"; }' DEBUG
  create_file "$1.new" x "$1" ""
}
"""
LATE_FIFO_IN_PYTHON = """\
import os, sys

os.environ["PATH"] = "/usr/bin:/bin"
from oauthkit import shell as s

model = sys.argv[1]
os.mkfifo(model, 0o644)
os.path.isfile = lambda _: True
print(s.create_file(f"{model}.new", "x", model, ""), end="")
"""


@pytest.mark.parametrize("form", ["bash", "python"])
def test_fifo_that_replaces_the_model(place: Path, form: str) -> None:
    model = place / "model"
    try:
        if form == "python":
            assert run_python(LATE_FIFO_IN_PYTHON, str(model)) == "(1, '')"
        else:
            model.touch()
            source = LIBRARY.read_text("utf-8") + LATE_FIFO
            env = {"PATH": local.env["PATH"]}
            assert call_in_bash("both", [str(model)], source=source, env=env) == [Result(1, "")]
    except subprocess.TimeoutExpired:
        pytest.fail("create_file waits for a FIFO")
    assert model.is_fifo()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
@pytest.mark.parametrize(
    ("owner", "mode", "status"), [(0, 0o600, 1), (0, 0o644, 0), (4321, 0o644, 2)]
)
def test_create_file_with_a_model_of_another_user(owner: int, mode: int, status: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        Path(directory, "model").touch(mode)
        os.chown(Path(directory, "model"), owner, owner)
        text = LIBRARY.read_text("utf-8") + 'create_file "$1/new" x "$1/model" ""\n'
        argv = ["/bin/bash", "-c", text, "bash", directory]
        env = {"PATH": "/usr/bin:/bin"}
        done = subprocess.run(argv, env=env, user=1234, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
@pytest.mark.parametrize(
    ("mode", "groups", "status"),
    [
        (0o600, [], 0), (0o604, [], 3), (0o640, [], 3), (0o660, [], 3), (0o610, [], 3),
        (0o644, [], 0), (0o666, [], 0), (0o664, [], 3), (0o2750, [], 3),
        (0o640, [4321], 0), (0o660, [7, 4321, 8], 0), (0o640, [43, 432, 43210, 1234], 3),
    ],
)  # fmt: skip
def test_create_file_with_a_model_of_another_group(
    monkeypatch: pytest.MonkeyPatch, mode: int, groups: list[int], status: int
) -> None:
    """cp(1) succeeds even if it cannot keep the group, and gives its access to another one."""
    local.env["PATH"] = "/usr/bin:/bin"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o777)
        (place / "model").touch()
        os.chown(place / "model", 1234, 4321)
        (place / "model").chmod(mode)
        text = LIBRARY.read_text("utf-8") + 'create_file "$1/new" x "$1/model" ""\n'
        done = subprocess.run(
            ["/bin/bash", "-c", text, "bash", directory], env={"PATH": "/usr/bin:/bin"}, user=1234,
            group=100, extra_groups=groups, capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (status, b"")
        info = (place / "new").stat()
        assert (info.st_size, info.st_uid) == (status == 0, 1234)
        assert info.st_mode >> 3 & 7 == info.st_mode & 7 or info.st_gid == 4321
        (place / "given").mkdir()
        os.chown(place / "given", 1234, 4321)
        (place / "given").chmod(0o2700)  # new files get its group
        done = subprocess.run(
            ["/bin/bash", "-c", text.replace("$1/new", "$1/given/new"), "bash", directory],
            env={"PATH": "/usr/bin:/bin"}, user=1234, group=100, extra_groups=[], check=False,
        )  # fmt: skip
        assert (done.returncode, (place / "given/new").stat().st_gid) == (0, 4321)
        monkeypatch.setattr("os.getuid", lambda: 1234)
        monkeypatch.setattr("os.getgid", lambda: 100)
        monkeypatch.setattr("os.getegid", lambda: 100)
        monkeypatch.setattr("os.getgroups", lambda: groups)
        found = shell.create_file(f"{place}/newer", "x", f"{place}/model", "")
        assert found == ((0, f"{mode:o}") if status == 0 else (status, ""))


# Move the new file away and put a file with the model's group in its place, then run stat(1).
EXCHANGE = """#!/bin/sh
PATH=/usr/bin:/bin
[ -e "$PLACE/moved" ] || mv "$PLACE/new" "$PLACE/moved"
touch "$PLACE/new"
chmod 600 "$PLACE/new"
chgrp 4321 "$PLACE/new"
exec stat "$@"
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to any group")
@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_does_not_trust_the_name_of_the_new_file(place: Path, form: str) -> None:
    program = place / "bin/stat"
    program.parent.mkdir()
    program.write_text(EXCHANGE.replace("$PLACE", str(place)), encoding="utf-8")
    program.chmod(0o755)
    local.env["PATH"] = f"{program.parent}:/usr/bin:/bin"
    (place / "model").touch(0o600)
    os.chown(place / "model", 0, 4321)
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "") == (0, "600")
    assert (place / "moved").read_text("utf-8") == "x"
    assert (place / "moved").stat().st_gid == 4321


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(("model", "mode"), [("", 0o600), ("model", 0o600), ("model", 0o660)])
def test_create_file_in_a_directory_with_a_default_acl(
    place: Path, form: str, model: str, mode: int
) -> None:
    """The ACL replaces umask, and would let another user read the file (acl(5))."""
    local.env["PATH"] = "/usr/bin:/bin"
    os.umask(0o077)
    (place / "model").touch()
    (place / "model").chmod(mode)
    # user::rw- user:1234:rwx group::rwx mask::rwx other::---
    entries = acl((1, 6, 0), (2, 7, 1234), (4, 7, 0), (16, 7, 0), (32, 0, 0))
    os.setxattr(place, "system.posix_acl_default", entries)
    assert create_file(form, f"{place}/new", "x", model and f"{place}/model", "")[0] == 0
    assert stat.S_IMODE((place / "new").stat().st_mode) == mode
    # With mode 600, an ACL has no effect, because its mask is empty. With another mode, it stays
    # unless this host's cp removes it (docs/tested-hosts.md).
    with (place / "model").open("rb") as old, (place / "copy").open("wb") as copy:
        argv = ["cp", "--attributes-only", "--preserve=mode,ownership", "/dev/stdin", "/dev/stdout"]
        subprocess.run(argv, stdin=old, stdout=copy, check=True)
    assert mode == 0o600 or os.listxattr(place / "new") == os.listxattr(place / "copy")


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    "content", [None, b"", b"old", b"old\n", b"old\0", b"old\n\0", b"another file\n"]
)
def test_create_file_with_a_model_that_has_changed(
    place: Path, form: str, content: bytes | None
) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    if content is not None:
        (place / "model").write_bytes(content)
        (place / "model").chmod(0o600)
    found = create_file(form, f"{place}/new", "x", f"{place}/model", "old\n")
    assert found == ((0, "600") if content == b"old\n" else (1, ""))
    assert (place / "new").read_bytes() == (b"x" if content == b"old\n" else b"")


@pytest.mark.parametrize("form", ["bash", "python"])
def test_content_of_the_model_is_not_a_pattern(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "model").write_text("old", encoding="utf-8")
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "o*") == (1, "")
    assert (place / "new").read_bytes() == b""


@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_with_a_symbolic_link_as_its_model(place: Path, form: str) -> None:
    """A symbolic link may have replaced the file after it was read."""
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "target").write_text("old", encoding="utf-8")
    (place / "model").symlink_to("target")
    assert create_file(form, f"{place}/new", "secret", f"{place}/model", "old") == (1, "")
    assert (place / "new").read_bytes() == b""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's file")
@pytest.mark.parametrize("form", ["bash", "python"])
def test_root_creates_a_file_for_another_user(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "model").touch(mode=0o600)
    os.chown(place / "model", 1234, 4321)
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "") == (0, "600")
    info = (place / "new").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (1234, 4321, 0o600)


def like_uutils(directory: Path) -> None:
    """Make the programs of a host with uutils, whose cp(1) cannot copy to an open file."""
    (directory / "bin").mkdir()
    for name in ("stat", "ls", "chown", "chmod", "cp"):
        (directory / "bin" / name).symlink_to("/bin/false" if name == "cp" else f"/bin/{name}")


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return an access control list as an extended attribute: tag, permissions, user or group."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("mode", [0o400, 0o640, 0o644, 0o664])
def test_create_file_with_a_cp_that_cannot_copy_to_an_open_file(
    place: Path, form: str, mode: int
) -> None:
    like_uutils(place)
    local.env["PATH"] = str(place / "bin")
    (place / "model").touch()
    (place / "model").chmod(mode)
    if os.getuid() == 0:
        os.chown(place / "model", 1234, 4321)
    found = create_file(form, f"{place}/new", "x", f"{place}/model", "")
    assert found == (0, f"{mode:o}")
    assert (place / "new").read_bytes() == b"x"
    wanted, info = (place / "model").stat(), (place / "new").stat()
    assert info.st_mode == wanted.st_mode
    assert (info.st_uid, info.st_gid) == (wanted.st_uid, wanted.st_gid)


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    ("listed", "mode"), [("model", 0o640), ("directory", 0o640), ("directory", 0o600)]
)
def test_create_file_with_such_a_cp_and_an_access_control_list(
    place: Path, form: str, listed: str, mode: int
) -> None:
    """Without cp, the model's list would be lost, and the directory's default list would apply."""
    like_uutils(place)
    local.env["PATH"] = str(place / "bin")
    (place / "model").touch()
    (place / "model").chmod(mode)
    entries = acl((1, 6, 0), (2, 4, 1234), (4, 4, 0), (16, 4, 0), (32, 0, 0))
    if listed == "model":
        os.setxattr(place / "model", "system.posix_acl_access", entries)
    else:
        os.setxattr(place, "system.posix_acl_default", entries)
    is_created = mode == 0o600  # a list has no effect then
    wanted = (0, "600") if is_created else (1, "")
    assert create_file(form, f"{place}/new", "secret", f"{place}/model", "") == wanted
    assert (place / "new").read_bytes() == (b"secret" if is_created else b"")
    assert stat.S_IMODE((place / "new").stat().st_mode) & 0o077 == 0 or not is_created


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("missing", ["stat", "cp", "chmod"])
def test_create_file_without_a_program(place: Path, form: str, missing: str) -> None:
    for name in {"stat", "cp", "chmod"} - {missing}:
        (place / name).symlink_to(f"/usr/bin/{name}")
    local.env["PATH"] = str(place)
    (place / "model").touch(mode=0o640)
    model = "" if missing == "chmod" else f"{place}/model"
    assert create_file(form, f"{place}/new", "secret", model, "") == (1, "")
    assert (place / "new").read_bytes() == b""


@pytest.mark.parametrize("form", ["bash", "python"])
def test_create_file_with_a_chmod_that_fails(place: Path, form: str) -> None:
    (place / "chmod").write_text("#!/bin/sh\nexit 2\n", encoding="utf-8")
    (place / "chmod").chmod(0o755)
    local.env["PATH"] = str(place)
    assert create_file(form, f"{place}/new", "secret", "", "") == (1, "")


@pytest.mark.parametrize("form", ["bash", "python"])
def test_mode_600_is_not_copied(place: Path, form: str) -> None:
    (place / "stat").symlink_to("/usr/bin/stat")
    local.env["PATH"] = str(place)
    (place / "model").touch(mode=0o600)
    assert create_file(form, f"{place}/new", "x", f"{place}/model", "") == (0, "600")


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize("exchanged", ["new", "model"])
def test_create_file_whose_name_has_become_a_link(place: Path, form: str, exchanged: str) -> None:
    """Another user, who can write to the directory, replaces one of the files with a link."""
    (place / "model").touch(mode=0o640)
    (place / "victim").write_text("kept", encoding="utf-8")
    (place / "victim").chmod(0o666)
    for name in ("stat", "cp"):
        program = place / "bin" / name
        program.parent.mkdir(exist_ok=True)
        swap = f'/bin/ln -sf "{place}/victim" "{place}/{exchanged}"'
        program.write_text(f'#!/bin/sh\n{swap}\nexec /usr/bin/{name} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    local.env["PATH"] = str(place / "bin")
    wanted = (0, "640") if exchanged == "new" else (1, "")
    assert create_file(form, f"{place}/new", "secret", f"{place}/model", "") == wanted
    assert (place / "victim").read_text(encoding="utf-8") == "kept"
    assert stat.S_IMODE((place / "victim").stat().st_mode) == 0o666
    if exchanged == "model":
        assert (place / "new").read_bytes() == b""


def test_write_file_that_fails(place: Path) -> None:
    paths = [str(place), str(place / "none" / "file"), "", "/dev/full"]
    found = call_in_bash("write_file", [(path, "x") for path in paths])
    assert [result.status for result in found] == [1, 1, 1, 1]
    assert [shell.write_file(path, "x") for path in paths] == [1, 1, 1, 1]


@few
@given(texts(["a", " ", "\t", "\r", "\x1b[31m", "\x7f", "\x80", "\\", "%s", "ü", "-"]))
@example(["", " ", "\n", "-n", "a\0b".replace("\0", "\x01")])
@example(["ü" * 10_000, "a" + "ü" * 10_000, "a" * 16_380 + "\U0001f600" * 2])
def test_log(inputs: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="oauthkit-twins-") as directory:
        bash, python = Path(directory, "bash"), Path(directory, "python")
        call_in_bash("log", inputs, log=str(bash), env={"TZ": "UTC0"})
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(shell, "_log", None)  # not one from another test
            monkeypatch.setattr(shell, "_secrets", [])
            assert shell.open_log(str(python)) == 0
            for text in inputs:
                shell.log(text)
            assert shell._log is not None
            os.close(shell._log)
        # The times differ. Both end at the first space.
        lines = [path.read_bytes().split(b"\n") for path in (bash, python)]
    found = [[line.partition(b" ")[2] for line in part] for part in lines]
    assert found[0] == found[1]
    assert len(found[0]) == len(inputs) + 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
def test_link_of_another_user_is_never_opened(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    for name, owner in (("foreign", 1234), ("own", 0)):
        (place / f"{name}-target").touch()
        (place / name).symlink_to(f"{name}-target")
        (place / f"{name}-dangling").symlink_to(f"{name}-new")
        os.chown(place / name, owner, owner, follow_symlinks=False)
        os.chown(place / f"{name}-dangling", owner, owner, follow_symlinks=False)
    names = ["foreign", "foreign-dangling", "own", "own-dangling", "own-target", "none"]
    paths = [str(place / name) for name in names]
    for word, function in (
        ("is_own_link", shell.is_own_link),
        ("open_log", shell.open_log),
        ("take_lock", lambda path: shell.take_lock(path, 0)),
    ):
        calls = paths if word != "take_lock" else [(path, "0") for path in paths]
        found = [result.status for result in call_in_bash(word, calls)]
        python = [int(function(path)) for path in paths]
        rejected = 2 if word == "take_lock" else 1
        no_link = 1 if word == "is_own_link" else 0
        assert found == [rejected, rejected, 0, 0, no_link, no_link]
        assert python == ([0, 0, 1, 1, 0, 0] if word == "is_own_link" else found)
    assert not (place / "foreign-new").exists()
    assert (place / "own-new").exists()
    without_stat = {"PATH": str(place)}
    local.env.update(without_stat)
    assert not shell.is_own_link(paths[2])
    assert call_in_bash("is_own_link", paths[2:3], env=without_stat)[0].status == 1


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(
    ("stat_script", "is_own"),
    [
        # Some file systems, such as proc(5), give links a mode other than 0777.
        (f"echo a1ed {os.getuid()}", True),
        # The link becomes a file of this user just before stat(1) reads it.
        ('rm "$4"; : >"$4"; exec stat "$@"', False),
    ],
)
def test_own_link(place: Path, form: str, stat_script: str, is_own: bool) -> None:
    link = place / "link"
    link.symlink_to("target")
    stat_program = place / "bin/stat"
    stat_program.parent.mkdir()
    script = f"#!/bin/sh\nPATH=/usr/bin:/bin\n{stat_script}\n"
    stat_program.write_text(script, encoding="utf-8")
    stat_program.chmod(0o755)
    local.env["PATH"] = path = str(stat_program.parent)
    if form == "python":
        assert shell.is_own_link(str(link)) is is_own
    else:
        (found,) = call_in_bash("is_own_link", [str(link)], env={"PATH": path})
        assert (found.status == 0) is is_own


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize("form", ["bash", "python"])
def test_link_that_exists_for_a_moment_is_never_opened(place: Path, form: str) -> None:
    """Another user swaps the log and a link to a victim's file, as fast as possible."""
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "victim").touch()
    log = place / "log"
    flip = (
        "import os, sys\nlog, victim = sys.argv[1:]\nwhile True:\n"
        "  for make in (lambda n: os.symlink(victim, n), lambda n: open(n, 'w').close()):\n"
        "    make(log + '.new')\n    os.chown(log + '.new', 1234, 1234, follow_symlinks=False)\n"
        "    os.rename(log + '.new', log)\n"
        "    if os.urandom(1)[0] < 64: os.unlink(log)\n"
    )
    flipper = subprocess.Popen([sys.executable, "-c", flip, str(log), str(place / "victim")])
    statuses: set[int] = set()
    calls = 0
    deadline_s = time.monotonic() + 120
    try:
        # On a busy machine, the other user may be delayed.
        while (calls < 240 or statuses != {0, 1}) and time.monotonic() < deadline_s:
            if form == "bash":
                source = (Path(oauthkit.__file__).parent / "shell.bash").read_text("utf-8")
                source += 'both() {\n  open_log "$1" && log x\n}\n'
                found = call_in_bash("both", [str(log)] * 60, source=source)
                statuses |= {result.status for result in found}
                calls += len(found)
            else:
                status = shell.open_log(str(log))
                statuses.add(status)
                calls += 1
                if status == 0:
                    shell.log("x")
    finally:
        flipper.kill()
        flipper.wait()
    assert (place / "victim").read_bytes() == b""
    assert statuses == {0, 1}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(("owner", "status"), [(1234, 1), (0, 0)])
def test_link_whose_owner_changes_after_the_open(
    place: Path, form: str, owner: int, status: int
) -> None:
    (place / "victim").touch()
    log = place / "log"
    log.symlink_to("victim")
    exchange = f'/bin/ln -sfn victim "{log}"; /bin/chown -h {owner} "{log}"'
    program = place / "bin" / "stat"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh\ncase $* in *' -') {exchange} ;; esac\nexec /usr/bin/stat "$@"\n""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    local.env["PATH"] = str(program.parent)
    if form == "python":
        assert shell.open_log(str(log)) == status
    else:
        env = {"PATH": local.env["PATH"]}
        assert call_in_bash("open_log", [str(log)], env=env)[0].status == status


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("owner", "is_foreign"), [(0, False), (1234, False), (4321, True)])
def test_links_that_a_user_other_than_root_follows(
    monkeypatch: pytest.MonkeyPatch, owner: int, is_foreign: bool
) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        link, library = Path(directory, "link"), Path(directory, "library")
        Path(directory, "target").touch()
        os.chown(Path(directory, "target"), 1234, 1234)
        link.symlink_to("target")
        os.chown(link, owner, owner, follow_symlinks=False)
        library.write_text(LIBRARY.read_text("utf-8"), "utf-8")
        command = 'source "$1"; is_own_link "$2"; echo $?; open_log "$2"; echo $?'
        shown = subprocess.run(
            ["/bin/bash", "-c", command, "bash", str(library), str(link)],
            env={"PATH": "/usr/bin:/bin"}, user=1234, capture_output=True, check=True,
        ).stdout  # fmt: skip
        assert shown.decode() == f"{is_foreign:d}\n{is_foreign:d}\n"
        assert shell.is_own_link(str(link)) is not is_foreign
        assert shell.open_log(str(link)) == is_foreign


@pytest.mark.parametrize("form", ["bash", "python"])
@pytest.mark.parametrize(("failure", "status"), [(125, 1), (126, 0), (137, 0)])
def test_open_log_when_stat_fails(place: Path, form: str, failure: int, status: int) -> None:
    program = place / "bin" / "stat"
    program.parent.mkdir()
    text = f"#!/bin/sh\necho '1:2 a1ff 0 7'; echo why >&2; exit {failure}\n"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    (place / "log").write_text("old\n", encoding="utf-8")
    local.env["PATH"] = path = str(program.parent)
    if form == "python":
        found = Result(shell.open_log(str(place / "log")), str(shell.log_size()))
    else:
        source = LIBRARY.read_text("utf-8")
        source += 'both() {\n  open_log "$1"\n  set -- $?\n  log_size\n  return "$1"\n}\n'
        (found,) = call_in_bash("both", [f"{place}/log"], source=source, env={"PATH": path})
    assert found == Result(status, "0")


def test_size_of_a_log_that_was_not_opened() -> None:
    assert call_in_bash("log_size", [""]) == [Result(0, "0")]
    assert run_python("from oauthkit import shell; print(shell.log_size())") == "0\n"


@pytest.mark.parametrize("form", ["bash", "python"])
def test_names_that_start_with_a_hyphen(place: Path, form: str) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "-link").symlink_to("target")
    (place / "-model").write_text("old", encoding="utf-8")
    (place / "-model").chmod(0o640)
    calls = [("is_own_link", "-link"), ("open_log", "-log")]
    if form == "python":
        assert [getattr(shell, builtin)(path) for builtin, path in calls] == [True, 0]
    else:
        found = [call_in_bash(name, [path], cwd=place)[0].status for name, path in calls]
        assert found == [0, 0]
    assert create_file(form, "-new", "x", "-model", "old") == (0, "640")


# Set REPLY to the number of files that open_log leaves open.
OPEN_FILES = """
both() {
  local before=(/proc/$$/fd/*) after status
  open_log "$1"
  status=$?
  after=(/proc/$$/fd/*)
  REPLY="$((${#after[@]} - ${#before[@]})) more"
  return "$status"
}
"""


def test_link_that_leads_elsewhere_after_the_open(place: Path) -> None:
    """The Python form compares the files earlier, so it keeps the file that it has opened."""
    log = place / "log"
    program = place / "bin" / "stat"
    program.parent.mkdir()
    (place / "other").touch()
    text = f'#!/bin/sh\n/bin/ln -sf other "{log}"\nexec /usr/bin/stat "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    source = LIBRARY.read_text("utf-8") + OPEN_FILES
    (found,) = call_in_bash("both", [str(log)], source=source, env={"PATH": str(program.parent)})
    assert found == Result(1, "0 more")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
@pytest.mark.usefixtures("place")
def test_any_user_can_use_a_device_as_log_and_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    text = LIBRARY.read_text("utf-8") + "open_log /dev/null && take_lock /dev/full 5\n"
    argv = ["/bin/bash", "-c", text]
    assert (
        subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, user=1234, check=False).returncode == 0
    )
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    assert shell.open_log("/dev/null") == 0
    assert shell.take_lock("/dev/full", 5) == 0
    assert shell._lock is not None
    os.close(shell._lock)


def test_open_log(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    os.mkfifo(place / "pipe")  # opening it for writing would wait for a reader
    paths = [str(place / "new"), str(place), str(place / "none" / "log"), "", str(place / "pipe")]
    assert [result.status for result in call_in_bash("open_log", paths)] == [0, 1, 1, 1, 1]
    assert [shell.open_log(path) for path in paths] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("form", ["bash", "python"])
def test_open_log_does_not_open_the_log_again(place: Path, form: str) -> None:
    program = place / "bin" / "stat"
    program.parent.mkdir()
    text = '#!/bin/sh\necho >>"$0.calls"\nexec /usr/bin/stat "$@"\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    local.env["PATH"] = path = str(program.parent)
    if form == "python":
        assert [shell.open_log(str(place / "log")) for _ in range(2)] == [0, 0]
    else:
        source = LIBRARY.read_text("utf-8") + 'both() {\n  open_log "$1" && open_log "$1"\n}\n'
        (found,) = call_in_bash("both", [f"{place}/log"], source=source, env={"PATH": path})
        assert found.status == 0
    assert (place / "bin/stat.calls").read_text(encoding="utf-8") == "\n"


def test_pipe_as_log_is_rejected_even_with_a_reader(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    os.mkfifo(place / "pipe")
    reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert call_in_bash("open_log", [str(place / "pipe")])[0].status == 1
    assert shell.open_log(str(place / "pipe")) == 1
    os.close(reader)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's file")
def test_file_of_another_user_is_neither_log_nor_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    owner, user = 1234, 4321
    local.env["PATH"] = "/usr/bin:/bin"
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        path, library = Path(directory, "file"), Path(directory, "library")
        path.touch()
        path.chmod(0o666)
        os.chown(path, owner, owner)
        library.write_text(LIBRARY.read_text("utf-8"), "utf-8")
        command = 'source "$1"; open_log "$2"; a=$?; REPLY=x; take_lock "$2" 0; b=$?; '
        command += "user_id; echo $a $b $REPLY"
        for uid, found in ((owner, "0 0"), (user, "1 2"), (0, "0 0")):
            shown = subprocess.run(
                ["/bin/bash", "-c", command, "bash", str(library), str(path)],
                env={"PATH": "/usr/bin:/bin"}, user=uid, capture_output=True, check=True,
            ).stdout  # fmt: skip
            assert shown.decode() == f"{found} {uid}\n"
            monkeypatch.setattr("os.geteuid", lambda uid=uid: uid)
            assert f"{shell.open_log(str(path))} {shell.take_lock(str(path), 0)}" == found
            release(path)


COMMANDS = ["exit 0", "exit 3", "exit 126", "exit 127", "kill -TERM $$", "kill -KILL $$"]


def test_run_limited(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    (place / "plain").write_text("", encoding="utf-8")
    argvs = [("/bin/sh", "-c", command) for command in COMMANDS]
    argvs += [("no-such-program", "", ""), (str(place / "plain"), "", ""), (str(place), "", "")]
    calls = [("60", "5", *argv) for argv in argvs]
    calls += [("1", "1", "sleep", "60", "0")]
    found = [result.status for result in call_in_bash("run_limited", calls)]
    python = [
        shell.run_limited(int(limit), int(grace), shell.program(argv[0])[argv[1:]])[0]
        for limit, grace, *argv in calls
    ]
    assert python == found
    assert python == [0, 3, 126, 127, 143, 137, 127, 126, 126, 124]


PRINTS = [
    "",
    "echo out; echo err >&2; cat",
    r"printf '\n\n a\0b\377\n\n'",
    "yes 'a b' | head -c 100000",
    "head -c 100000 /dev/zero",
    *[f"head -c {n} /dev/zero | tr '\\0' {c}; printf 'a-b.c~%s' '{end}'" for n, c, end in (
        (8185, "' '", ""), (8186, "' '", ""), (8187, "' '", ""), (8185, "x", "x"), (8184, "x", "x"),
        (8180, "'\\n'", "\n\n\n"), (8186, "'\\0'", ""), (8185, "'\\0'", "!"), (8184, "'\\0'", "!!"),
        (7000, "' '", "x" * 2000),
    )],
    "sleep 600 & echo $! >>pids; echo left behind",
    # for more than a second in total, but with output in each second
    "{ for i in 1 2 3 4 5 6; do sleep 0.3; echo $i; done; exec sleep 600; } & echo $! >>pids",
]  # fmt: skip


def test_output_of_run_limited(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    calls = [("60", "5", "/bin/sh", "-c", script) for script in PRINTS]
    found = call_in_bash("run_limited", calls, cwd=place)
    python = [
        Result(*shell.run_limited(60, 5, shell.program("/bin/sh")["-c", script]))
        for script in PRINTS
    ]
    for pid in (place / "pids").read_text(encoding="utf-8").split():
        os.kill(int(pid), signal.SIGKILL)
    assert python == found
    assert {result.status for result in found} == {0}
    assert len({result.reply for result in found}) > 10


def test_take_lock(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    path = place / "lock"
    path.write_text("of another run", encoding="utf-8")
    calls = [(str(path), "0"), (str(place / "none" / "lock"), "0"), (str(place), "0")]
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert [result.status for result in call_in_bash("take_lock", calls)] == [1, 2, 2]
        assert shell.take_lock(*calls[0][:1], 0) == 1
    release(path)
    assert [result.status for result in call_in_bash("take_lock", calls)] == [0, 2, 2]
    assert [shell.take_lock(name, 0) for name, _ in calls[1:]] == [2, 2]
    assert shell.take_lock(str(path), 0) == 0
    # The forms exclude each other.
    assert call_in_bash("take_lock", calls[:1])[0].status == 1
    nothing = {"PATH": str(place)}
    local.env.update(nothing)
    assert [r.status for r in call_in_bash("take_lock", calls[:2], env=nothing)] == [127, 2]
    assert [shell.take_lock(name, 0) for name, _ in calls[:2]] == [127, 2]
    assert path.read_text(encoding="utf-8") == "of another run"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the flock(2) of a directory or file."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


def test_lock_directory(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    calls = [(str(place), "0"), (str(place / "none"), "0")]
    with held(place):
        assert [result.status for result in call_in_bash("lock_directory", calls)] == [1, 2]
        assert [shell.lock_directory(path, 0) for path, _ in calls] == [1, 2]
    shell.unlock_directory()
    assert [result.status for result in call_in_bash("lock_directory", calls)] == [0, 2]
    assert shell.lock_directory(str(place), 0) == 0
    assert call_in_bash("lock_directory", calls[:1])[0].status == 1
    shell.unlock_directory()
    source = LIBRARY.read_text("utf-8")
    source += 'both() {\n  lock_directory "$@" && unlock_directory && flock -n "$1" true\n}\n'
    assert call_in_bash("both", calls[:1], source=source) == [Result(0, "")]


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
@pytest.mark.parametrize("is_held", [True, False])
def test_lock_without_pending_signals(place: Path, lock: str, *, is_held: bool) -> None:
    """A container with this user's uid can use them up. See RLIMIT_SIGPENDING in setrlimit(2)."""
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    text = f'ulimit -i 0; source "$2"; {lock} "$1" 1; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(target), str(LIBRARY)]
    with held(target) if is_held else nullcontext():
        done = subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"1\n" if is_held else b"0\n", b"")


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
def test_lock_wait_ends_when_sigterm_is_blocked(place: Path, lock: str) -> None:
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    text = f'source "$2"; {lock} "$1" 1; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(target), str(LIBRARY)]
    with held(target):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            process = subprocess.Popen(argv, stdout=subprocess.PIPE)  # inherits the mask
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert process.communicate(timeout=60)[0] == b"1\n"


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
def test_lock_that_is_released_meanwhile_is_taken(place: Path, lock: str) -> None:
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    text = f'source "$2"; echo ready; {lock} "$1" 60; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(target), str(LIBRARY)]
    with held(target):
        process = subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.5)  # it is likely to wait by then
    assert process.communicate(timeout=60)[0] == b"0\n"


@pytest.mark.parametrize("lock", ["take_lock", "lock_directory"])
def test_limit_of_another_timeout_is_understood(place: Path, lock: str) -> None:
    """At the limit, timeout(1) of uutils ends with 124, also after SIGKILL."""
    target = place if lock == "lock_directory" else place / "lock"
    target.touch()
    timeout = place / "bin/timeout"
    timeout.parent.mkdir()
    timeout.write_text("#!/bin/bash\nexit 124\n", encoding="utf-8")
    timeout.chmod(0o755)
    env = {"PATH": f"{timeout.parent}:/usr/bin:/bin"}
    with held(target):
        (result,) = call_in_bash(lock, [(str(target), "60")], env=env)
    assert result.status == 1


def test_earlier_signal_ends_the_wait_for_a_directory(place: Path) -> None:
    """The signal arrives during the first attempt, `flock -n`."""
    flock = place / "bin/flock"
    flock.parent.mkdir()
    text = '#!/bin/bash\n[[ $1 == -n ]] || exec /usr/bin/flock "$@"\nkill -TERM "$PPID"\nexit 1\n'
    flock.write_text(text, encoding="utf-8")
    flock.chmod(0o755)
    text = 'source "$2"; outlive_signals; lock_directory "$1" 600; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(place), str(LIBRARY)]
    env = {"PATH": f"{flock.parent}:/usr/bin:/bin"}
    with held(place):
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, timeout=60, check=True)
    assert done.stdout == b"3\n"


def test_signal_while_python_exits_is_outlived(place: Path) -> None:
    """Python clears this module, and so calls __del__, after it has removed signal handlers."""
    text = "import os, signal; from oauthkit import shell\n"
    text += "class Late:\n    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
    text += "shell.outlive_signals()\nlate = Late()\nos.kill(os.getpid(), signal.SIGHUP)\n"
    done = subprocess.run([sys.executable, "-c", text], cwd=place, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_command_beside_many_open_files(place: Path) -> None:
    """In Python, select(2) cannot wait for a descriptor above 1023."""
    text = "import os, resource; from oauthkit import shell as s; echo = s.program('echo'); "
    text += "_, most = resource.getrlimit(resource.RLIMIT_NOFILE); "
    text += "resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most)); "
    text += "[os.dup(1) for _ in range(1100)]; print(s.run_limited(5, 1, echo['x'])[1])"
    done = subprocess.run([sys.executable, "-c", text], cwd=place, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"x\n", b"")


@pytest.mark.parametrize("form", ["bash", "python"])
def test_signal_ends_the_wait_for_a_directory(place: Path, form: str) -> None:
    """A signal that arrives during the wait ends it, and no process remains."""
    if form == "bash":
        text = 'source "$2"; outlive_signals; echo ready; lock_directory "$1" 60; echo $?; '
        text += "for _ in {1..50}; do [[ $(jobs -pr) ]] || break; sleep 0.2; done; jobs -pr"
        argv = ["/bin/bash", "-c", text, "bash", str(place), str(LIBRARY)]
    else:
        text = "import sys; from oauthkit import shell as s; s.outlive_signals(); "
        text += "print('ready', flush=True); print(s.lock_directory(sys.argv[1], 60))"
        argv = [sys.executable, "-c", text, str(place)]
    pipe = subprocess.PIPE
    with (
        held(place),
        subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdout=pipe, stderr=pipe) as waiting,
    ):
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"ready\n"
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s and waiting.poll() is None:
            time.sleep(0.2)  # until the wait has begun, signals have no effect
            waiting.send_signal(signal.SIGTERM)
        waiting.kill()
        assert waiting.communicate() == (b"3\n", b"")


def test_killed_timeout_prints_nothing(place: Path) -> None:
    """For example, because memory runs out."""
    text = 'source "$2"; lock_directory "$1" 60; echo $?'
    argv = ["/bin/bash", "-c", text, "bash", str(place), str(LIBRARY)]
    pipe = subprocess.PIPE
    with (
        held(place),
        subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdout=pipe, stderr=pipe) as waiting,
    ):
        children = Path(f"/proc/{waiting.pid}/task/{waiting.pid}/children")
        while not (found := children.read_text("ascii").split()) or name_of(found[0]) != "timeout":
            time.sleep(0.05)
        os.kill(int(found[0]), signal.SIGKILL)
        assert waiting.communicate() == (b"1\n", b"")


def name_of(pid: str) -> str:
    """Return the name of a process, or "" if it has exited."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("wait", ['lock_directory "$1" 1 || :', "run_limited 60 5 true"])
def test_signal_after_a_wait_is_not_passed_on(place: Path, wait: str, *, is_held: bool) -> None:
    """By then, another process may have the process ID. test_unit.py tests the Python form."""
    source = LIBRARY.read_text("utf-8")
    source += (
        f"both() {{\n  {wait}\n  REPLY=\n  kill() {{\n    REPLY+=$*\n  }}\n  end_command\n}}\n"
    )
    with held(place) if is_held else nullcontext():
        assert call_in_bash("both", [str(place)], source=source) == [Result(0, "")]


@pytest.mark.parametrize(
    ("name", "end", "status"),
    [("flock", "exit 5", 5), ("flock", "kill -KILL $$", 137), ("timeout", "exit 5", 5)],
)
def test_flock_of_a_directory_prints_nothing_and_inherits_no_descriptors(
    place: Path, name: str, end: str, status: int
) -> None:
    """Only if the first flock(1) exits with 1 does timeout(1) start one that waits for the lock."""
    (place / "bin").mkdir()
    text = '#!/bin/bash\necho out; echo err >&2\nprintf "%s\\n" /proc/$$/fd/* >"$0.fds"\n'
    for program, its_end in (("flock", "exit 1"), (name, end)):
        (place / "bin" / program).write_text(text + its_end, encoding="utf-8")
        (place / "bin" / program).chmod(0o755)
    source = LIBRARY.read_text("utf-8")
    source += (
        'both() {\n  exec 8>/dev/null 9>/dev/null\n  IFS=0123456789\n  lock_directory "$@"\n}\n'
    )
    env = {"PATH": str(place / "bin")}
    call = [(str(place), "60")]
    assert [r.status for r in call_in_bash("both", call, source=source, env=env)] == [status]
    names = {Path(line).name for line in (place / f"bin/{name}.fds").read_text("utf-8").split()}
    assert {"0", "1", "2", "6"} <= names
    assert not {"8", "9"} & names


@pytest.mark.parametrize("write", ["echo lost >&2", 'ulimit -f 0; echo lost 2>/dev/null >"$2"'])
def test_write_that_fails_does_not_end_the_run(place: Path, write: str) -> None:
    """It raises SIGPIPE or SIGXFSZ (signal(7))."""
    reader, writer = os.pipe()
    os.close(reader)
    text = f'source "$1"; isolate; {write}; echo on'
    argv = ["/bin/bash", "-c", text, "bash", str(LIBRARY), f"{place}/file"]
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=writer, check=False)
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, b"on\n")


def test_id_does_not_inherit_the_lock(place: Path) -> None:
    """The caller's UID variable is not trusted, so id(1) is called."""
    program = place / "bin" / "id"
    program.parent.mkdir()
    text = '#!/bin/bash\nprintf "%s\\n" /proc/$$/fd/* >"$0.fds"\necho 7\n'
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    source = LIBRARY.read_text("utf-8") + "both() {\n  exec 9>/dev/null\n  user_id\n}\n"
    env = {"PATH": str(program.parent), "UID": "5"}
    assert call_in_bash("both", [""], source=source, env=env) == [Result(0, "7")]
    names = {Path(line).name for line in (place / "bin/id.fds").read_text("utf-8").split()}
    assert "2" in names
    assert "9" not in names


def test_many_old_temporaries_are_removed_at_once(place: Path) -> None:
    (place / "rm").write_text('#!/bin/sh\necho >>"$0.calls"\nexec /bin/rm "$@"\n', encoding="utf-8")
    (place / "rm").chmod(0o755)
    local.env["PATH"] = f"{place}:/usr/bin:/bin"
    for form in ("bash", "python"):
        for number in range(30):
            (place / f"x.oauthkit.{number:016}").touch()
        for _ in range(2):  # the second call does not start rm
            if form == "bash":
                call_in_bash("own_temporary", [f"{place}/x"], env={"PATH": local.env["PATH"]})
            else:
                shell.own_temporary(LocalPath(f"{place}/x"))
    assert sorted(file.name for file in place.iterdir()) == ["rm", "rm.calls"]
    assert (place / "rm.calls").read_text(encoding="utf-8") == "\n\n"


def test_limit_for_old_temporaries_per_rm(place: Path) -> None:
    """More might exceed the limit for a process's arguments: execve(2), E2BIG."""
    (place / "rm").write_text('#!/bin/sh\necho $# >>"$0.calls"\nexec /bin/rm "$@"\n', "utf-8")
    (place / "rm").chmod(0o755)
    local.env["PATH"] = f"{place}:/usr/bin:/bin"
    for form in ("bash", "python"):
        for number in range(1002):
            (place / f"x.oauthkit.{number:016}").touch()
        for left in (2, 0):
            if form == "bash":
                call_in_bash("own_temporary", [f"{place}/x"], env={"PATH": local.env["PATH"]})
            else:
                shell.own_temporary(LocalPath(f"{place}/x"))
            assert len([*place.glob("x.oauthkit.*")]) == left
    with_option = ["1001", "3"]
    assert (place / "rm.calls").read_text("utf-8").split() == with_option * 2


def test_own_temporary(place: Path) -> None:
    local.env["PATH"] = "/usr/bin:/bin"
    target = place / "a *[b]?"
    kept = [
        "a *[b]?",
        "a *[b]?.oauthkit",
        "a *[b]?.oauthkit.1767323045000000x",
        "a *[b]?.oauthkit.",
        "a *[b]?.oauthkit.20260102",
        "a *b?.oauthkit.1767323045000000",
    ]
    swept = ["a *[b]?.oauthkit.0000000000000001", "a *[b]?.oauthkit.1767323045000000"]
    names = []
    for form in ("bash", "python"):
        for name in (*kept, *swept):
            (place / name).write_text("", encoding="utf-8")
        before = time.time_ns() // 1000
        found = (
            call_in_bash("own_temporary", [str(target)])[0].reply
            if form == "bash"
            else shell.own_temporary(LocalPath(str(target)))
        )
        assert sorted(file.name for file in place.iterdir()) == sorted(kept)
        directory, name = os.path.split(found)
        assert directory == str(place)
        assert name.startswith("a *[b]?.oauthkit.")
        assert before <= int(name.rpartition(".")[2]) <= time.time_ns() // 1000
        names.append(found)
    assert names[0] != names[1]
    missing = str(place / "no-directory" / "x")
    assert shell.own_temporary(LocalPath(missing)).startswith(f"{missing}.oauthkit.")
    assert call_in_bash("own_temporary", [missing])[0].reply.startswith(f"{missing}.oauthkit.")


def test_temporary_name_removes_nothing(place: Path) -> None:
    target, old = place / "x", place / "x.oauthkit.0000000000000001"
    old.touch()
    for found in (
        call_in_bash("temporary_name", [str(target)])[0].reply,
        shell.temporary_name(LocalPath(str(target))),
    ):
        assert re.fullmatch(re.escape(f"{target}.oauthkit.") + "[0-9]{16}", found)
    assert old.exists()


CALLS = """\
now_ms; timestamp 0; parse_int -1; is_b64token x; is_unit_name x
replace_controls $'a\\xc3\\xbc\\x9f' x; add_secret 'a secret of 20 bytes'; mask_secrets sk-ant-x
absolute x/../y; read_file library
write_file new x; create_file other x new x; is_own_link link; own_temporary new
same_file new new; change_directory .; open_log log; log_size; log x; log_error x; complain x
take_lock lock 0; lock_directory . 0; unlock_directory; run_limited 60 5 sh -c 'echo x'; end_command
get_env HOME; user_id; escape_unit /a/ä; find_program sh; script_path; own_command x
split_lines $'a\nb'; sorted_glob . '*'; count_characters ü; slice_text ü 0; read_stdin </dev/null
"""


def test_builtins_set_only_the_declared_variables(place: Path) -> None:
    (place / "link").symlink_to("target")
    (place / "new.oauthkit.0000000000000001").touch()
    (place / "library").write_text(LIBRARY.read_text("utf-8"), "utf-8")
    script = "source ./library; REPLY='' REPLIES=() before=''; before=$(compgen -A variable)\n"
    script += f'{CALLS}\ncompgen -A variable | grep -vxF "$before"\n'
    (place / "script").write_text(script, encoding="utf-8")
    argv = ["/bin/bash", "script"]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    done = subprocess.run(argv, env=env, capture_output=True, check=True)
    assert set(done.stdout.decode().split()) <= {*shell.STATE, "BASH_REMATCH", "OLDPWD"}


def call_with_ifs(builtin: str, *call: str, functions: str = "", log: str = "") -> Result:
    """Call a bash body with an IFS that would split its values if they were unquoted."""
    source = LIBRARY.read_text("utf-8") + 'IFS=" 0123456789"\n' + functions
    env = {"PATH": "/usr/bin:/bin", "TZ": "UTC0"}
    (result,) = call_in_bash(builtin, [call], source=source, env=env, log=log)
    return result


def test_no_value_is_split(place: Path) -> None:
    directory = place / "a 1 b"
    directory.mkdir()
    (directory / "model").write_text("old 1", encoding="utf-8")
    (directory / "model").chmod(0o640)
    call = (f"{directory}/new", "x 1 y", f"{directory}/model", "old 1")
    assert call_with_ifs("create_file", *call) == Result(0, "640")
    assert (directory / "new").read_text(encoding="utf-8") == "x 1 y"
    assert call_with_ifs("write_file", f"{directory}/new", "z 2").status == 0
    assert (directory / "new").read_text(encoding="utf-8") == "z 2"
    assert call_with_ifs("take_lock", f"{directory}/lock", "0").status == 0
    assert call_with_ifs("lock_directory", str(directory), "0").status == 0
    assert call_with_ifs("lock_directory", f"{directory}/none", "0").status == 2
    with held(directory), held(directory / "lock"):
        assert call_with_ifs("lock_directory", str(directory), "1").status == 1
        assert call_with_ifs("take_lock", f"{directory}/lock", "1").status == 1
    script = 'printf "%s|" "$@"; exit 3'
    found = call_with_ifs("run_limited", "60", "5", "/bin/sh", "-c", script, "sh", "a 1", "*")
    assert found == Result(3, "a 1|*|")
    assert call_with_ifs("escape_unit", "/a 1") == Result(0, "a\\x201")
    old = directory / "new.oauthkit.0000000000000001"
    old.touch()
    call_with_ifs("own_temporary", f"{directory}/new")
    assert not old.exists()


def test_no_process_id_is_split() -> None:
    functions = "both() {\n  start_command 60 5 sleep 60\n  command_runs\n  local runs=$?\n"
    functions += "  end_command\n  finish_command 5\n  REPLY=$runs\n}\n"
    assert call_with_ifs("both", "", functions=functions) == Result(0, "0")


def test_no_value_of_the_log_is_split(place: Path) -> None:
    log = place / "a 1.log"
    functions = 'both() {\n  open_log "$1" && add_secret "$2" && log_error "$3"\n}\n'
    functions += "complain() {\n  REPLY=$#\n}\n"
    call = (str(log), "the secret 1 of 2", "x 1  *\ty, the secret 1 of 2")
    assert call_with_ifs("both", *call, functions=functions) == Result(0, "1")
    time_, _, line = log.read_text(encoding="utf-8").partition(" ")
    assert line == "x 1  *y, ***\n"
    assert time_[:2] == "20"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can create another user's link")
@pytest.mark.parametrize(("builtin", "status"), [("open_log", 1), ("take_lock", 2)])
def test_no_path_of_a_link_is_split(place: Path, builtin: str, status: int) -> None:
    link = place / "a 1"
    link.symlink_to("target")
    os.chown(link, 1234, 1234, follow_symlinks=False)
    assert call_with_ifs(builtin, str(link), "0").status == status
    assert not (place / "target").exists()
    os.chown(link, 0, 0, follow_symlinks=False)
    assert call_with_ifs(builtin, str(link), "0").status == 0


# Take the lock $1, which is a link. If $2 is 1, the link becomes foreign after the first check.
LATE_LINK = """
both() {
  local calls=""
  is_own_link() {
    calls+=$#
    [[ $calls == 1 || $foreign == 0 ]]
  }
  foreign=$2
  take_lock "$1" 0
  local status=$?
  REPLY="$calls closed"
  [[ ! -e /dev/fd/9 ]] || REPLY="$calls open"
  return "$status"
}
"""


@pytest.mark.parametrize(("foreign", "result"), [("0", (0, "11 open")), ("1", (2, "11 closed"))])
def test_lock_that_becomes_a_foreign_link(
    place: Path, foreign: str, result: tuple[int, str]
) -> None:
    (place / "a 1").symlink_to("target")
    found = call_with_ifs("both", f"{place}/a 1", foreign, functions=LATE_LINK)
    assert found == Result(*result)


SCRIPT = Path(oauthkit.__file__).parents[2] / "scripts" / "oauth" / "refresh.sh"
DOTENV_PIECES = ["CLAUDE_CODE_OAUTH_TOKEN=", "#", "A=1", "\n\n", "\r", " ", "'", "\\", "*"]


def test_retry_with_another_temporary_name(place: Path) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    functions, _, _ = script.rpartition('\nstart "$@"\n')
    functions += "\ntemporary_name() {\n  REPLY=$1.free\n}\n"
    functions += 'both() {\n  write_target "$1" "$1" "$1.taken" "" new\n  REPLY=${REPLIES[0]}\n}\n'
    (place / "x.taken").write_text("another's", encoding="utf-8")
    env = {"PATH": "/usr/bin:/bin"}
    found = call_in_bash("both", [str(place / "x")], source=functions, env=env)
    assert [result.reply for result in found] == [""]
    files = {file.name: file.read_text(encoding="utf-8") for file in place.iterdir()}
    assert files == {"x": "new", "x.taken": "another's"}


@few
@given(texts(DOTENV_PIECES))
@example(["", "\n", "CLAUDE_CODE_OAUTH_TOKEN=", "A", "CLAUDE_CODE_OAUTH_TOKEN=1\nB\nCLAUDE_CODE_O"])
@example(["CLAUDE_CODE_OAUTH_TOKEN=tok&en\\1\n" * 2, "CLAUDE_CODE_OAUTH_TOKEN=tok&en\\1"])
def test_with_token(inputs: list[str]) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    functions, start, _ = script.rpartition('\nstart "$@"\n')
    assert start
    functions += '\nboth() {\n  with_token "$@"\n  REPLY="${REPLIES[1]}: ${REPLIES[0]}"\n}\n'
    calls = [(text, "tok&en\\1") for text in inputs]
    found = [result.reply for result in call_in_bash("both", calls, source=functions)]
    assert found == ["{1}: {0}".format(*delivery.with_token(*call)) for call in calls]
