"""The builtins for texts behave the same in both forms."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plumbum import local
from tests.support.runtime_library.bash_bodies import (
    Result,
    call_in_bash,
    few,
    texts,
)

import oauthkit
from oauthkit import shell

NUMBERS = ["0", "1", "-1", "-0", "007", "0009", "-08", "999999999999999", "-999999999999999"]

INVALID_NUMBERS = [
    "", "-", "+1", " 1", "1 ", "1\n", "\n1", "1.5", "1e3", "0x10", "1_000", "--1", "a", "٣", "²",
    "1000000000000000", "-1000000000000000", "9" * 40, "BASH_VERSINFO[$(touch x)]", "1;2", "10#7",
]  # fmt: skip

DIGITS = ["-", "+", "0", "8", "9", "12", "99999", " ", ".", "e", "$(x)"]


def python_parse_int(text: str) -> Result:
    status, number = shell.parse_int(text)
    return Result(status, str(number))


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


# Bytes at the limits of UTF-8 (RFC 3629): first bytes, continuation bytes, and ASCII.
UTF8_BYTES = bytes.fromhex(
    "61 0a 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff"
)

UTF8_PIECES = [bytes([byte]) for byte in UTF8_BYTES]

# A character for each length in bytes, and for each first byte that limits the second.
CHARACTERS = "\x80\u07ff\u0800\u1000\ud7ff\ue000\uffff\U00010000\U00040000\U0010ffff"

UTF8_PIECES += [c.encode() for c in CHARACTERS]

# Overlong encodings, surrogates, code points above U+10FFFF, and truncated sequences.
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
