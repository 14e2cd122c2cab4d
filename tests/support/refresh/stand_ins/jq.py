"""Stands in for jq 1.6, byte for byte, for the one filter that reads the credentials."""
# ruff: noqa: PTH123 - pathlib would double the start-up time

from __future__ import annotations

from tests.support.refresh.stand_ins.jq_text import ParseError, Parser, compact, floor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from oauthkit.parity.recorder import Call

FILTER = (
    "(.claudeAiOauth? // null) | type,\n"
    "(.accessToken,\n"
    ' ((.expiresAt, .refreshTokenExpiresAt) | if type == "number" then floor else . end),\n'
    " .refreshToken,\n"
    " {claudeAiOauth: ({accessToken, expiresAt,\n"
    '  scopes: (.scopes | if type == "array" and all(type == "string") then . else null end),\n'
    '  subscriptionType: (.subscriptionType | if type == "string" then . else null end)}\n'
    "  | with_entries(select(.value != null)))})?"
)
BEARER_FIELDS = (b"accessToken", b"expiresAt", b"scopes", b"subscriptionType")
RECORD_SEPARATOR = b"\x1e"
# Exit statuses of jq 1.6. jq(1) lists 2 for invalid input, but not 4.
INPUT_STATUS = 2
PARSE_STATUS = 4


def reads(call: Call) -> int:
    """Prints the result of FILTER for the file, and exits as jq does."""
    if len(call.argv) != 3 or call.argv[:2] != ["-c", FILTER]:
        call.refuse(f"{call.argv}")
    path = call.argv[2]
    try:
        with open(path.encode("utf-8", "surrogateescape"), "rb") as file:
            data = file.read()
    except IsADirectoryError:
        return INPUT_STATUS  # without a message
    except OSError as error:
        message = f"jq: error: Could not open {path}: {error.strerror}\n"
        call.print(stderr=message.encode("utf-8", "surrogateescape"))
        return INPUT_STATUS
    if RECORD_SEPARATOR in data:
        call.refuse("a file with the byte 0x1e, after which jq 1.6 skips arbitrary text")
    try:
        for document in Parser(data).documents():
            for value in _filtered(document):
                call.print(stdout=compact(value) + b"\n")
    except ParseError as error:
        call.print(stderr=f"parse error: {error}\n".encode())
        return PARSE_STATUS
    return 0


def _filtered(document: Any) -> Iterator[Any]:
    oauth = document.get(b"claudeAiOauth") if isinstance(document, dict) else None
    if oauth is False:
        oauth = None  # for a missing value, `//` returns its right operand
    yield _type(oauth)
    if oauth is None or isinstance(oauth, dict):
        fields = oauth or {}
        yield fields.get(b"accessToken")
        for name in (b"expiresAt", b"refreshTokenExpiresAt"):
            time = fields.get(name)
            yield floor(time) if isinstance(time, float) else time
        yield fields.get(b"refreshToken")
        present = {name: fields.get(name) for name in BEARER_FIELDS}
        scopes = present[b"scopes"]
        if not isinstance(scopes, list) or any(_type(scope) != b"string" for scope in scopes):
            present[b"scopes"] = None
        if _type(present[b"subscriptionType"]) != b"string":
            present[b"subscriptionType"] = None
        kept = {name: value for name, value in present.items() if value is not None}
        yield {b"claudeAiOauth": kept}


def _type(value: Any) -> bytes:
    for kind, name in ((bool, b"boolean"), (float, b"number"), (bytes, b"string")):
        if isinstance(value, kind):
            return name
    return b"null" if value is None else b"array" if isinstance(value, list) else b"object"
