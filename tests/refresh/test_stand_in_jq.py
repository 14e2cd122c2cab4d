"""The stand-in for jq prints what the real jq prints, byte for byte."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from tests.support.refresh.stand_ins import jq

if TYPE_CHECKING:
    from pathlib import Path

REAL = shutil.which("jq")


def version() -> str:
    """Return the version of the real jq, or "" if it is missing."""
    if REAL is None:
        return ""
    return subprocess.run([REAL, "--version"], capture_output=True, text=True, check=True).stdout


def oauth(text: bytes) -> bytes:
    """Return credentials with this text between the braces of claudeAiOauth."""
    return b'{"claudeAiOauth":{' + text + b"}}"


def token(text: bytes) -> bytes:
    """Return credentials with this JSON value as access token."""
    return oauth(b'"accessToken":' + text + b',"expiresAt":1767323045000')


def expiry(text: bytes) -> bytes:
    """Return credentials with this JSON value as expiry."""
    return oauth(b'"accessToken":"a","expiresAt":' + text)


GOOD = token(b'"sk-ant-oat01-made-up"')

# Documents that all versions of jq treat alike.
FILES = {
    "good": GOOD,
    "good with newline": GOOD + b"\n",
    "good in many lines": GOOD.replace(b",", b",\r\n\t ").replace(b":", b" : "),
    "other keys": b'{"a":[1,{"b":null}],"claudeAiOauth":{"c":[],"accessToken":"t"},"d":"e"}',
    "nested wrongly": b'{"x":' + GOOD + b"}",
    "repeated keys": oauth(b'"accessToken":"a","expiresAt":1,"accessToken":"b","expiresAt":2'),
    "repeated object": b'{"claudeAiOauth":{"accessToken":"a"},"claudeAiOauth":{"expiresAt":5}}',
    "empty file": b"",
    "white space": b" \n\t\r\n",
    "empty object": b"{}",
    "null": b"null",
    "array": b"[1]",
    "array of credentials": b"[" + GOOD + b"]",
    "string": b'"claudeAiOauth"',
    "number": b"5",
    "true": b"true",
    "oauth missing": b'{"claudeAiOauthX":{}}',
    "oauth null": b'{"claudeAiOauth":null}',
    "oauth string": b'{"claudeAiOauth":"x"}',
    "oauth number": b'{"claudeAiOauth":1}',
    "oauth array": b'{"claudeAiOauth":["accessToken"]}',
    "oauth true": b'{"claudeAiOauth":true}',
    "oauth false": b'{"claudeAiOauth":false}',
    "document false": b"false",
    "oauth empty": oauth(b""),
    "two documents": GOOD + b"\n" + token(b'"second"'),
    "two documents without a gap": GOOD + GOOD,
    "a document and null": GOOD + b" null",
    "trailing garbage": GOOD + b"x",
    "trailing brace": GOOD + b"}",
    "trailing comma": GOOD + b",",
    "truncated": GOOD[:-1],
    "truncated in the token": GOOD[:40],
    "truncated after a document": GOOD + b"\n" + GOOD[:-1],
    "not JSON": b"not json",
    "shell": b"export A=1\n",
    "missing comma": oauth(b'"accessToken":"a" "expiresAt":1'),
    "comma at the end": oauth(b'"accessToken":"a",'),
    "comma at the end of an array": token(b"[1,]"),
    "key without a value": oauth(b'"accessToken"'),
    "number as key": oauth(b"1:2"),
    "single quotes": b"{'claudeAiOauth':{}}",
    "token null": token(b"null"),
    "token empty": token(b'""'),
    "token number": token(b"5"),
    "token true": token(b"true"),
    "token array": token(b'["a",1.5,null,false,{"b":"c","a":-1}]'),
    "token object": token(b'{"b":1,"a":{}}'),
    "token with characters of the shell": token(b'"|&`$(x)\'<>;*"'),
    "token with escapes": token(rb'"\"\\\/\b\f\n\r\t"'),
    "token with a newline": token(rb'"a\nb"'),
    "token with unicode escapes": token(rb'"\u00e9\u20ac\ud83d\ude00\u2028"'),
    "token with control characters": token(rb'"\u0001\u001f"'),
    "token with NUL": token(rb'"a\u0000b"'),
    "token with UTF-8": token("é€😀".encode()),
    "token with UTF-8 in quotes": token('"é€😀"'.encode()),
    "token with a wrong escape": token(rb'"\q"'),
    "token with a short escape": token(rb'"\u12"'),
    "key with escapes": rb'{"claude\u0041iOauth":{"access\u0054oken":"a"}}',
    "expiry null": expiry(b"null"),
    "expiry string": expiry(b'"1767323045000"'),
    "expiry string of zeros": expiry(b'"0009"'),
    "expiry with code": expiry(b'"BASH_VERSINFO[$(touch x)]"'),
    "expiry object": expiry(b"{}"),
    "expiry 0": expiry(b"0"),
    "expiry -0": expiry(b"-0"),
    "expiry -0.5": expiry(b"-0.5"),
    "expiry -1.5": expiry(b"-1.5"),
    "expiry with a fraction": expiry(b"1767323045000.999"),
    "negative expiry with a fraction": expiry(b"-7.9"),
    "expiry of minus zero": expiry(b"-0"),
    "expiry between minus one and zero": expiry(b"-0.9"),
    "expiry of 15 digits": expiry(b"999999999999999"),
    "expiry of 16 digits": expiry(b"9999999999999998"),
    "scopes": oauth(b'"accessToken":"a","scopes":["b",""],"subscriptionType":"max"'),
    "scopes empty": oauth(b'"accessToken":"a","scopes":[],"subscriptionType":""'),
    "scopes object": oauth(b'"scopes":{"refreshToken":"r"},"subscriptionType":{"r":"r"}'),
    "scopes with an object": oauth(b'"scopes":["a",{"refreshToken":"r"}],"subscriptionType":["r"]'),
    "scopes text": oauth(b'"scopes":"r","subscriptionType":5'),
    "scopes false": oauth(b'"scopes":false,"subscriptionType":false'),
    "expiry missing": oauth(b'"accessToken":"a"'),
}
# Documents that only jq 1.6 treats this way: its parser is lenient, and its numbers are doubles.
# Later versions print a number that they do not calculate with as it was written.
FILES_OF_1_6 = {
    "expiry with an exponent": expiry(b"1.767323045e12"),
    "expiry of 17 digits": expiry(b"12345678901234567"),
    "expiry of 31 digits": expiry(b"1" + b"0" * 30),
    "expiry of 31 other digits": expiry(b"1234567890123456789012345678901"),
    "expiry 1e15": expiry(b"1e15"),
    "expiry 1e16": expiry(b"1e16"),
    "expiry 1e999": expiry(b"1e999"),
    "expiry -1e999": expiry(b"-1e999"),
    "expiry 1e-999": expiry(b"1e-999"),
    "BOM": b"\xef\xbb\xbf" + GOOD,
    "part of a BOM": b"\xef\xbb" + GOOD,
    "BOM alone": b"\xef\xbb\xbf",
    "invalid UTF-8": token(b'"a\xffb\xc3"'),
    "overlong UTF-8": token(b'"\xc0\x80\xe0\x80\x80"'),
    "surrogate in UTF-8": token(b'"\xed\xa0\x80"'),
    "truncated UTF-8": token(b'"\xf0\x9f\x98"'),
    "truncated UTF-8 before text": token(b'"\xf0\x9f\x98a\xf0ab"'),
    "low surrogate alone": token(rb'"\udc00"'),
    "high surrogate alone": token(rb'"\ud800"'),
    "high surrogate before text": token(rb'"\ud800abcdef"'),
    "DEL": token(b'"\x7f"'),
    "raw control character": token(b'"a\x01b"'),
    "raw newline": token(b'"a\nb"'),
    "raw unit separator": token(b'"a\x1fb"'),
    "raw NUL": GOOD + b"\0",
    "raw NUL in a string": token(b'"a\0b"') + b"\n",
    "NaN": expiry(b"NaN"),
    "Infinity": expiry(b"Infinity"),
    "-Infinity": expiry(b"-Infinity"),
    "hexadecimal": expiry(b"0x10"),
    "leading zeros": expiry(b"0009"),
    "plus": expiry(b"+5"),
    "number without digits": expiry(b"-"),
    "number that ends in a dot": expiry(b"5."),
    "number that starts with a dot": expiry(b".5"),
    "exponent without digits": expiry(b"1e"),
    "vertical tab": expiry(b"\x0b5"),
    "token of 20 digits": token(b"12345678901234567890"),
    "token 1e-7": token(b"1e-7"),
    "token 0.0001": token(b"0.0001"),
    "token 1e17": token(b"1e17"),
    "token 123e15": token(b"123e15"),
    "token 1.5e300": token(b"1.5e300"),
    "deep": token(b"[" * 252 + b"]" * 252),
    "too deep": token(b"[" * 253 + b"]" * 253),
}
IS_1_6 = version().strip() == "jq-1.6"
ROWS = {**FILES, **(FILES_OF_1_6 if IS_1_6 else {})}


class Call:
    """The parts of a call that the stand-in for jq needs."""

    def __init__(self, *argv: str) -> None:
        self.argv = list(argv)
        self.stdout = b""
        self.stderr = b""

    def print(self, stdout: bytes = b"", stderr: bytes = b"") -> None:
        self.stdout += stdout
        self.stderr += stderr

    def refuse(self, what: str) -> NoReturn:
        raise NotImplementedError(what)


def assert_same(path: Path) -> None:
    """Check that both have the same output and exit status for a file."""
    if REAL is None:
        pytest.skip("jq is not installed")
    real = subprocess.run([REAL, "-c", jq.FILTER, path], capture_output=True, check=False)
    call: Any = Call("-c", jq.FILTER, str(path))
    status = jq.reads(call)
    assert call.stdout == real.stdout
    if path.is_dir() and not IS_1_6:  # 1.8 prints an error, 1.7 does not. No version fails
        real.stderr = call.stderr
    assert bool(call.stderr) == bool(real.stderr)
    # jq 1.6 exits with 4 if it cannot parse the input. Later versions exit with other statuses.
    assert status == real.returncode if IS_1_6 else bool(status) == bool(real.returncode)


@pytest.mark.parametrize("name", ROWS)
def test_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_bytes(ROWS[name])
    assert_same(path)


def test_missing_file(tmp_path: Path) -> None:
    assert_same(tmp_path / "missing")


def test_directory(tmp_path: Path) -> None:
    assert_same(tmp_path)


@pytest.mark.parametrize("argv", [[], ["-r", jq.FILTER, "x"], ["-c", ".", "x"], ["-c", jq.FILTER]])
def test_other_uses_are_rejected(argv: list[str]) -> None:
    call: Any = Call(*argv)
    with pytest.raises(NotImplementedError):
        jq.reads(call)


def test_record_separator_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x1e" + GOOD)
    call: Any = Call("-c", jq.FILTER, str(tmp_path / "x"))
    with pytest.raises(NotImplementedError, match="0x1e"):
        jq.reads(call)
