"""oauthkit run: which output means that the token was rejected."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthkit.host import child
from oauthkit.host.commands import run as module
from oauthkit.host.commands.run import is_rejection, run
from oauthkit.host.project import ProjectPaths
from oauthkit.host.status.login import fingerprint

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


HERE = Path("/")
PATHS = ProjectPaths(HERE, HERE, HERE / "login", HERE / ".env", HERE / "log", "unit")
ENDS = st.tuples(st.integers(0, 3), st.booleans())  # the exit status, and whether it was rejected
TOKENS = st.sampled_from(["", "first", "second"])


@given(st.tuples(ENDS, ENDS), st.tuples(TOKENS, TOKENS), st.tuples(st.booleans(), st.booleans()))
def test_command_runs_again_at_most_once(
    ends: tuple[tuple[int, bool], ...], tokens: tuple[str, ...], fails: tuple[bool, ...]
) -> None:
    """It only runs again if it failed because of its token, and there is another one."""
    refreshes: list[tuple[str, ...]] = []
    used: list[str] = []

    def refresh(_: object, *arguments: str) -> int:
        refreshes.append(arguments)
        return int(fails[len(refreshes) - 1])

    def command(_: object, token: str, __: object) -> tuple[int, bool]:
        used.append(token)
        return ends[len(used) - 1]

    with (
        patch.object(child, "refresh", refresh),
        patch.object(module, "_run_once", command),
        patch.object(module, "_token", lambda _: tokens[len(refreshes) - 1]),
    ):
        status = run(PATHS, ["command"])
    is_refused = ends[0][0] != 0 and ends[0][1]
    is_again = is_refused and tokens[1] not in {tokens[0], ""}
    assert used == list(tokens) if is_again else [tokens[0]]
    assert status == ends[int(is_again)][0]
    rejected = ("--rejected", f"--fingerprint={fingerprint(tokens[0].encode())}")
    assert refreshes == [("--ensure",), *([rejected] if is_refused else [])]


@given(st.binary(), st.binary())
def test_any_output_can_be_searched(stdout: bytes, stderr: bytes) -> None:
    assert is_rejection(stdout, stderr) in {True, False}


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
