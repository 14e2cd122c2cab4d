"""Draw the bytes of credentials files: valid, odd, and not JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from tests.adversarial.fuzz.draws import chance, pick

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

HOUR_MS = 3600 * 1000
# The remaining life at each threshold of the program: 0, 5 min, 30 min, and 24 h after that.
THRESHOLDS_MS = (
    5 * 60_000,
    5 * 60_000,
    0,
    30 * 60_000,
    30 * 60_000 + 30_000,
    24 * HOUR_MS + 30 * 60_000,
)
# Mostly at the threshold itself, because `>` and `>=` only differ there.
AROUND_MS = (0, 0, 0, -1, 1, -1000, 1000, -999, 999, -60_000, 60_000)
B64TOKEN = "abcXYZ019-._~+/"
TOKENS = (
    b'"made-up"', b'"a="', b'"a=="', b'"A.b_c~d+e/f-g="', b'"%b"' % (b"x" * 3000), b'"-n"', b'"-"',
    b'"/"', b'"sk-ant-oat01-made-up"', b'"1"', b'"object"', b'"null"',
)  # fmt: skip
BAD_TOKENS = (
    b"null", b'""', b"5", b"true", b"false", b"{}", b"[]", b'["x"]', b'"a b"', b'"a\\n"',
    b'"a\\"b"', b'"a\\\\b"', b'"$(touch x)"', b'"="', b'"=a"', b'"a=b"', b'"\\u00e9"',
    b'"\xc3\xa9"',
    b'"\xff"', b'"a\xff"', b'"\\u0000"', b'"a\\u0000b"', b'"\\ud800"', b'"a\x7f"', b'"\\"',
    b'"a\\"',
    b'"*"', b'"a\\r"', b'"\\u000a"', b'"a', b"a", b"'a'", b'"\xef\xbc\xa1"', b'"a\tb"', b'"\\ta"',
    b'"\\/"', b'"\\u0061"', b"-5", b"1e3", b'"\xc4\xb1"', b'"\xc2\xaa"',
)  # fmt: skip
BAD_EXPIRIES = (
    b"null", b"true", b'"1767351845000"', b"[]", b"{}", b"[1]", b"-1", b"-0", b"0", b"0.5", b"-0.9",
    b"999999999999999", b"1000000000000000", b"9999999999999999", b"99999999999999999999", b"1e12",
    b"1e15", b"1e14", b"1.5e12", b"1e400", b"-1e400", b"nan", b"NaN", b"1e-5", b"08", b"007",
    b"0x10", b"1" + b"0" * 30,
    b"1_000", b"+5", b"-999999999999999", b"-1000000000000000", b"1767351845000.9", b"", b'"a\\nb"',
    b'"$(touch x)"', b"Infinity", b"2e9", b"17e11", b"1767351845000 1", b"9007199254740993",
)  # fmt: skip
OAUTHS = (b"null", b"false", b"true", b"5", b'"text"', b"[]", b"{}", b'[{"accessToken":"x"}]')
DOCUMENTS = (
    b"", b" ", b"\n", b"null", b"5", b'"x"', b"[]", b"{}", b"[", b"{", b"}", b'{"claudeAiOauth"}',
    b"\xef\xbb\xbf{}", b"\xef\xbb", b"\xff", b"\0", b"{}\0", b"true", b"{}{}", b"not json",
    b'{"claudeAiOauth":{"accessToken":"a"', b"[" * 300, b'{"a":' * 260 + b"1" + b"}" * 260,
)  # fmt: skip


SCOPES = (
    b'["user:inference","user:profile"]', b"[]", b"null", b"5", b'"a b"', b'{"a":[1,2.50,{}]}',
    b'["\\u0000\\n\\u00e9\xc3\xa9\xff"]', b"false", b"[1e2, 1E400, -0]", b"[",
)  # fmt: skip
SUBSCRIPTIONS = (b'"max"', b"null", b'""', b'"a\\"b"', b"1.0", b'"\xf0\x9f\x98\x80"', b"{}", b"tru")
DAY_MS = 24 * HOUR_MS
# The remaining life of a login: a hook reports it at 3 days and at 1 day.
LOGIN_LIVES_MS = (DAY_MS, 3 * DAY_MS, 2 * DAY_MS, 30 * DAY_MS, 0, HOUR_MS, -DAY_MS, 10**14)
# hypothesis starts with the first of each, and shrinks to it: an ordinary world.
KINDS = ("far", "far", "near", "near", "near", "near", "odd", "odd", "bent")
LIVES_MS = (8 * HOUR_MS, 300_001, 1_800_000, 1_800_001, 30 * HOUR_MS, 2_000_000)
FAR_MS = (8 * HOUR_MS, -HOUR_MS, 48 * HOUR_MS, 10**14)
FRACTIONS_OF_MS = (300_000, 300_001, 299_999, 1_800_000)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
B64TEXTS = st.text(B64TOKEN, min_size=1, max_size=20)
TEXTS = st.text(max_size=5)
BYTES = st.binary(max_size=20)


def oauth(token: bytes, expiry: bytes, rest: bytes = b"") -> bytes:
    """Return credentials with these JSON values as access token and expiry."""
    return b'{"claudeAiOauth":{"accessToken":%b,"expiresAt":%b%b}}' % (token, expiry, rest)


def fresh(draw: DrawFn, now_s: int) -> bytes:
    """Return credentials with a valid token that expires in more than 5 min."""
    expiry = b"%d" % (now_s * 1000 + pick(draw, LIVES_MS))
    return oauth(pick(draw, TOKENS), expiry, _rest(draw, now_s))


def _rest(draw: DrawFn, now_s: int) -> bytes:
    """Draw the other members of a login: its end, the refresh token, scopes and subscription."""
    rest = b""
    if chance(draw, 40):
        left_ms = pick(draw, LOGIN_LIVES_MS) + pick(draw, AROUND_MS)
        end = b"%d" % (now_s * 1000 + left_ms)
        if chance(draw, 25):
            end = pick(draw, BAD_EXPIRIES)
        rest += b',"refreshTokenExpiresAt":%b' % end
    if chance(draw, 50):
        refresh_token = pick(draw, TOKENS if chance(draw, 80) else BAD_TOKENS)
        rest += b',"refreshToken":%b' % refresh_token
    if chance(draw, 30):
        rest += b',"scopes":%b' % pick(draw, SCOPES)
    if chance(draw, 30):
        rest += b',"subscriptionType":%b' % pick(draw, SUBSCRIPTIONS)
    return rest


def document(draw: DrawFn, now_s: int) -> bytes:
    """Return any credentials. Four of five are JSON with a token."""
    kind = pick(draw, KINDS)
    token = _token(draw) if kind != "odd" else _any_token(draw)
    expiry = b"%d" % (now_s * 1000 + _left_ms(draw, kind))
    if kind in {"odd", "bent"} and draw(st.booleans()):
        expiry = _any_expiry(draw, now_s * 1000)
    if kind == "bent":
        return _bent(draw, token, expiry)
    return oauth(token, expiry, _rest(draw, now_s))


def _token(draw: DrawFn) -> bytes:
    if draw(st.booleans()):
        return json.dumps(draw(B64TEXTS)).encode()
    return pick(draw, TOKENS)


def _any_token(draw: DrawFn) -> bytes:
    how = draw(st.integers(0, 3))
    if how == 0:
        return _token(draw)
    return json.dumps(draw(TEXTS)).encode() if how == 1 else pick(draw, BAD_TOKENS)


def _left_ms(draw: DrawFn, kind: str) -> int:
    if kind == "near":
        return pick(draw, THRESHOLDS_MS) + pick(draw, AROUND_MS)
    if draw(st.booleans()):
        return draw(st.integers(-2 * HOUR_MS, 30 * HOUR_MS))
    return pick(draw, FAR_MS)


def _any_expiry(draw: DrawFn, now_ms: int) -> bytes:
    how = draw(st.integers(0, 5))
    if how == 0:
        return repr(draw(FLOATS)).encode()
    if how == 1:
        return b"%d" % draw(st.integers(0, 10**17))
    if how == 2:
        return b"%d.%d" % (now_ms + pick(draw, FRACTIONS_OF_MS), pick(draw, (0, 1, 5, 999, 9999)))
    return pick(draw, BAD_EXPIRIES)


def _bent(draw: DrawFn, token: bytes, expiry: bytes) -> bytes:
    good = oauth(token, expiry)
    how = draw(st.integers(0, 5))
    if how == 0:
        return good[: draw(st.integers(0, len(good)))]
    if how == 1:
        # jq treats 0x1e as a document separator. Its stand-in does not.
        return draw(BYTES).replace(b"\x1e", b"")
    return pick(draw, _whole(token, expiry))


def _whole(token: bytes, expiry: bytes) -> list[bytes]:
    """Return documents that contain this token and expiry in other ways, or not at all."""
    good, other = oauth(token, expiry), oauth(b'"other"', expiry)
    spaced = good.replace(b":", b" :\n ").replace(b",", b"\t,\r\n")
    inner = good[len(b'{"claudeAiOauth":') : -1]
    return [
        good + good, good + b"\n", good + b" x", good + b"\0", b"\0" + good, b"\xef\xbb\xbf" + good,
        b"\xef\xbb" + good, b"[" + good + b"]", inner, spaced, b"\n\n" + good + b"\n\n",
        good + b"null",
        b'{"a":{"claudeAiOauth":1},%b' % good[1:], b'{"claudeAiOauth":null,%b' % good[1:],
        good[:-1] + b"," + other[1:], good[:-1] + b',"x":"\xff"}', good[:-1] + b",}", good[1:],
        good.replace(b"accessToken", b"access\\u0054oken"), good.replace(b"expiresAt",
        b"expiresAT"),
        good.replace(b"accessToken", b"accesstoken"), b"// x\n" + good, good + b"# x", b"'" + good,
        b'{"claudeAiOauth":{"expiresAt":%b,"accessToken":%b}}' % (expiry, token),
        b'{"claudeAiOauth":{"accessToken":%b}}' % token,
        b'{"claudeAiOauth":{"expiresAt":%b}}' % expiry,
        good[:-2] + b',"accessToken":null}}', good[:-2] + b',"expiresAt":1}}',
        *(b'{"claudeAiOauth":%b}' % value for value in OAUTHS), *DOCUMENTS,
    ]  # fmt: skip
