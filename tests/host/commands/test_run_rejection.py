"""oauthkit run: which output means that the token was rejected."""

from __future__ import annotations

import pytest

from oauthkit.host.commands.run import is_rejection

DOCUMENTS: dict[bytes, bool] = {
    b'{"error": {"type": "authentication_error", "message": "x"}}': True,
    b'{"type": "error", "error": {"type": "authentication_error"}}\n': True,
    b'x\n{"error": "OAuth token has expired"}\ny': True,
    b'[{"type": "system"}, {"is_error": true, "result": "Failed to authenticate"}]': True,
    b'{"error": null, "result": "authentication_error"}': False,
    b'{"result": "API Error: 401"}': False,
    b'"authentication_error"': False,
    b"authentication_error": False,
    b"\xff{": False,
    b"[" * 980 + b"]" * 980: False,
    b'{"error": ' + b"[" * 980 + b"]" * 980 + b"}": False,
    b'{"is_error": true, "errors": ["Failed to authenticate"]}': True,
    b'{"errors": [{"message": "x"}, {"status": 401}]}': True,
    b'{"error": {"code": "401"}}': True,
    b'{"error": {"code": 4010}, "errors": "authentication_error"}': False,
    b'{"status": 401, "error": {"status": 500}}': False,
    b"[" * 5000: False,
}


@pytest.mark.parametrize(("stdout", "is_rejected"), DOCUMENTS.items(), ids=range(len(DOCUMENTS)))
def test_rejections_on_stdout(stdout: bytes, is_rejected: bool) -> None:
    assert is_rejection(stdout, b"") is is_rejected


@pytest.mark.parametrize(
    "said",
    [
        '{"type":"error","error":{"type":"authentication_failed"}}',
        '{"type":"error","error":{"type":"authentication_error"}}',
        "OAuth token has been revoked. Please obtain a new token.",
        "OAuth token has expired",
        "OAuth token expired",
        "Invalid bearer token",
        "invalid bearer token",
        "Invalid authentication credentials",
        "API Error: 401",
        "Failed to authenticate",
        "failed to authenticate",
        "Please run /login",
    ],
)
def test_rejections_on_stderr(said: str) -> None:
    assert is_rejection(b"", said.encode())
    assert is_rejection(b"", b"\xff " + said.encode())
